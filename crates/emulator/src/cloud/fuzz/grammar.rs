//! Texts that mean something, for the most part.

use crate::chance::Chance;

/// Makes texts.
pub(super) struct Grammar<'c> {
    pub(super) chance: &'c mut Chance,
}

/// A path as long as paths may be.
const LONG_PATH: &str = "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.\
    a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a";

const FIELDS: [&str; 24] = [
    "a",
    "b",
    "n",
    "at",
    "place",
    "area",
    "nested",
    "_id",
    "x",
    "y",
    "nested.x.y",
    "nested.x",
    "n.0",
    "n.x",
    "n.0.x",
    "n.1.y.0",
    "a.x",
    "b.0",
    "new.field",
    "n.$",
    "n.$[]",
    "n.$[].x",
    "a.a",
    LONG_PATH,
];

/// Operators of the aggregation, those that make much among them.
const OPERATORS: [&str; 40] = [
    "abs",
    "add",
    "ceil",
    "divide",
    "floor",
    "log",
    "mod",
    "multiply",
    "pow",
    "subtract",
    "arrayElemAt",
    "arrayToObject",
    "concatArrays",
    "in",
    "indexOfArray",
    "isArray",
    "range",
    "reverseArray",
    "size",
    "slice",
    "and",
    "or",
    "not",
    "cmp",
    "eq",
    "gt",
    "ifNull",
    "cond",
    "mergeObjects",
    "objectToArray",
    "setDifference",
    "setUnion",
    "setIntersection",
    "concat",
    "indexOfCP",
    "split",
    "substrCP",
    "toUpper",
    "max",
    "sum",
];

impl Grammar<'_> {
    pub(super) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.chance.next_u64() % limit.max(1) as u64).unwrap_or(0)
    }

    pub(super) fn one_of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        let at = self.below(choices.len());
        choices.get(at).copied().unwrap_or_default()
    }

    fn list(&mut self, most: usize, mut part: impl FnMut(&mut Self) -> String) -> String {
        let parts: Vec<String> = (0..self.below(most + 1)).map(|_| part(self)).collect();
        parts.join(",")
    }

    fn field(&mut self) -> &'static str {
        self.one_of(&FIELDS)
    }

    /// Something that calls.
    pub(super) fn text(&mut self) -> String {
        let chain = "db.collection('c')";
        match self.below(13) {
            12 => {
                let (word, times) = (self.one_of(&["or", "and", "nor"]), [10, 300, 20_000, 60_000]);
                let times = times.get(self.below(4)).copied().unwrap_or(1);
                let condition = if self.below(2) == 0 { self.condition(2) } else { self.comparison() };
                format!("const c={condition};{chain}.where(_.{word}([{}])).get()", "c,".repeat(times))
            }
            0..=2 => format!("{chain}{}.get()", self.query(4)),
            3 => format!("{chain}.where({}).count()", self.condition(4)),
            4 => format!("{chain}.add({{data:[{}]}})", self.list(4, |it| it.object(3))),
            5 | 6 => format!("{chain}.where({}).update({{data:{}}})", self.condition(2), self.update(3)),
            7 => format!("{chain}.doc('1').set({{data:{}}})", self.object(3)),
            8 => format!("{chain}.where({}).remove()", self.condition(3)),
            _ => {
                let stages: String = (0..=self.below(6)).map(|_| self.stage(4)).collect();
                format!("{chain}.aggregate(){stages}.end()")
            }
        }
    }

    fn query(&mut self, depth: usize) -> String {
        let mut chain = format!(".where({})", self.condition(depth));
        for _ in 0..self.below(4) {
            chain += &match self.below(5) {
                0 => format!(".orderBy('{}','{}')", self.field(), self.one_of(&["asc", "desc"])),
                1 => format!(".limit({})", self.below(20)),
                2 => format!(".skip({})", self.below(6)),
                3 => format!(".field({{'{}':{}}})", self.field(), self.one_of(&["true", "false", "1", "0"])),
                _ => format!(".field({{n:_.project.slice({}),'b':1}})", self.number()),
            };
        }
        chain
    }

    fn number(&mut self) -> String {
        match self.below(8) {
            0..=3 => self.below(10).to_string(),
            4 => format!("-{}", self.below(100)),
            5 => self.one_of(&["0.5", "-0", "1e308", "1e-308", "9007199254740993", "0x1f"]).to_owned(),
            6 => self.one_of(&["2147483648", "9223372036854775807", "1000000", "65536"]).to_owned(),
            _ => (self.chance.next_u64() >> 20).to_string(),
        }
    }

    fn scalar(&mut self) -> String {
        match self.below(12) {
            0..=3 => self.number(),
            4 | 5 => format!(
                "'{}'",
                self.one_of(&["", "a", "text", "中文", "1", "$a", "$n", "$nested.x", "a,b,c"])
            ),
            6 => self.one_of(&["null", "true", "false", "undefined"]).to_owned(),
            7 => self.one_of(&["new Date(0)", "db.serverDate()", "new Date('2020-01-01')"]).to_owned(),
            8 => self
                .one_of(&["/a/", "/^\\w+$/i", "/[[:digit:]--z]/", "/(a+)+$/", "/(?:a{50}){50}/"])
                .to_owned(),
            9 => self.shape(),
            10 => self
                .one_of(&["{$numberLong:'9'}", "{$date:0}", "{$oid:'5d3ed3f0a1b2c3d4e5f60718'}"])
                .to_owned(),
            _ => "db.RegExp({regexp:'x.*y',options:'i'})".to_owned(),
        }
    }

    fn shape(&mut self) -> String {
        let point = |it: &mut Self| format!("db.Geo.Point({},{})", it.below(200), it.below(95));
        match self.below(4) {
            0 => format!("db.Geo.LineString([{}])", self.list(5, point)),
            1 => format!("db.Geo.Polygon([db.Geo.LineString([{}])])", self.list(6, point)),
            _ => point(self),
        }
    }

    pub(super) fn value(&mut self, depth: usize) -> String {
        match self.below(if depth == 0 { 1 } else { 4 }) {
            0 | 1 => self.scalar(),
            2 => format!("[{}]", self.list(4, |it| it.value(depth - 1))),
            _ => self.object(depth - 1),
        }
    }

    fn object(&mut self, depth: usize) -> String {
        format!("{{{}}}", self.list(4, |it| format!("'{}':{}", it.field(), it.value(depth))))
    }

    fn condition(&mut self, depth: usize) -> String {
        match self.below(if depth == 0 { 3 } else { 9 }) {
            8 => format!("_.jsonSchema({{properties:{{'{}':{}}}}})", self.field(), self.schema(depth - 1)),
            0..=5 => format!(
                "{{{}}}",
                self.list(3, |it| format!("'{}':{}", it.field(), it.command(depth.saturating_sub(1))))
            ),
            6 => {
                let word = self.one_of(&["or", "and", "nor"]);
                format!("_.{word}([{}])", self.list(4, |it| it.condition(depth - 1)))
            }
            _ => format!("_.expr({})", self.expression(depth - 1)),
        }
    }

    fn command(&mut self, depth: usize) -> String {
        match self.below(if depth == 0 { 5 } else { 14 }) {
            12 => format!(
                "_.geoWithin({{centerSphere:[[{},{}],{}]}})",
                self.below(180),
                self.below(90),
                self.number()
            ),
            13 => format!(
                "db.RegExp({{regexp:{:?},options:'{}'}})",
                self.pattern(),
                self.one_of(&["", "i", "im", "x", "sg"])
            ),
            0 | 1 => self.value(depth),
            2 | 3 => {
                let word = self.one_of(&["eq", "neq", "lt", "lte", "gt", "gte"]);
                format!("_.{word}({})", self.value(depth))
            }
            4 => {
                let word = self.one_of(&["in", "nin", "all", "mod"]);
                format!("_.{word}([{}])", self.list(5, |it| it.value(depth.saturating_sub(1))))
            }
            5 => format!("_.exists({})", self.one_of(&["true", "false"])),
            6 => format!("_.size({})", self.number()),
            7 => format!("_.elemMatch({})", self.command(depth - 1)),
            8 => format!("{}.{}({})", "_.gt(1)", self.one_of(&["and", "or", "lt"]), self.command(depth - 1)),
            9 => format!("_.not({})", self.command(depth - 1)),
            10 => format!("_.geoNear({{geometry:{},maxDistance:{}}})", self.shape(), self.number()),
            _ => {
                let word = self.one_of(&["geoWithin", "geoIntersects"]);
                format!("_.{word}({{geometry:{}}})", self.shape())
            }
        }
    }

    /// A comparison with something large.
    fn comparison(&mut self) -> String {
        let mut numbers: Vec<String> = (0..400).map(|at| at.to_string()).collect();
        numbers.push(self.number());
        let object = format!("{{x:[{}]}}", numbers.join(","));
        let types = "'string',".repeat(1 + self.below(9_000));
        match self.below(5) {
            0 => format!("{{n:_.in([{object},{},{object}])}}", self.value(1)),
            1 => format!("{{n:{{$type:[{types}]}}}}"),
            2 => format!("{{'{LONG_PATH}':{}}}", self.value(1)),
            _ => format!("{{n:_.{}({object})}}", self.one_of(&["eq", "neq", "gt", "lte"])),
        }
    }

    /// A name that may be long.
    fn name(&mut self) -> String {
        let times = [1, 1, 1, 100, 100_000].get(self.below(5)).copied().unwrap_or(1);
        self.one_of(&["a", "x", "long"]).repeat(times)
    }

    fn schema(&mut self, depth: usize) -> String {
        match self.below(if depth == 0 { 6 } else { 14 }) {
            11 => format!("{{properties:{{'{}':{{}}}}}}", self.name()),
            12 => format!("{{not:{{required:['{}']}}}}", self.name()),
            13 => {
                let types =
                    self.list(12, |it| format!("'{}'", it.one_of(&["string", "int", "array", "date"])));
                format!("{{not:{{bsonType:[{types}]}}}}")
            }
            0 => format!("{{bsonType:'{}'}}", self.one_of(&["string", "int", "array", "object", "date"])),
            1 => format!("{{minLength:{},maxLength:{}}}", self.below(9), self.below(99)),
            2 => format!("{{enum:[{},{}]}}", self.value(depth), self.value(depth)),
            3 => format!("{{multipleOf:{},minimum:{}}}", self.number(), self.number()),
            4 => "{uniqueItems:true}".to_owned(),
            5 => format!("{{pattern:{:?}}}", self.pattern()),
            6 => format!("{{items:{}}}", self.schema(depth - 1)),
            7 => format!("{{not:{}}}", self.schema(depth - 1)),
            8 => format!("{{additionalProperties:{}}}", self.schema(depth - 1)),
            _ => {
                let (word, part) = (self.one_of(&["allOf", "anyOf", "oneOf"]), self.schema(depth - 1));
                let times = 1 + self.below(2000).min(40_000 / part.len().max(1));
                format!("{{{word}:[{}]}}", format!("{part},").repeat(times))
            }
        }
    }

    /// A regular expression, whole or not.
    fn pattern(&mut self) -> String {
        const PARTS: [&str; 40] = [
            "a",
            "b",
            "中",
            ".",
            ".*",
            "(",
            ")",
            "(?:",
            "(?i)",
            "(?x)",
            "|",
            "[",
            "]",
            "[^",
            "[[:alpha:]]",
            "-",
            "^",
            "$",
            "*",
            "+",
            "?",
            "{2}",
            "{2,50}",
            "{",
            "}",
            "#",
            "\n",
            "\\pL",
            "\\PN",
            "\\w",
            "\\W",
            "\\d",
            "\\b",
            "\\B",
            "\\Q",
            "\\E",
            "\\R",
            "\\x{4e00}",
            "[a-\u{ffff}]",
            "[\\pL\\W]",
        ];
        let parts: String = (0..=self.below(8)).map(|_| self.one_of(&PARTS)).collect();
        let times = [1, 1, 2, 100, 4000].get(self.below(5)).copied().unwrap_or(1);
        parts.repeat(times)
    }

    fn update(&mut self, depth: usize) -> String {
        let part = |it: &mut Self| {
            let words = [
                "set", "inc", "mul", "min", "max", "push", "unshift", "addToSet", "pull", "pullAll", "rename",
            ];
            let change = match it.below(5) {
                0 => it.value(depth),
                1 => it.one_of(&["_.remove()", "_.pop()", "_.shift()"]).to_owned(),
                2 => format!("_.push({{each:[{}],sort:{},slice:{}}})", it.value(1), it.number(), it.number()),
                _ => format!("_.{}({})", it.one_of(&words), it.value(depth)),
            };
            let index = it.below(200_000).to_string();
            let field = it.field().replace("n.0", &format!("n.{index}"));
            format!("'{field}':{change}")
        };
        format!("{{{}}}", self.list(4, part))
    }

    fn expression(&mut self, depth: usize) -> String {
        match self.below(if depth == 0 { 2 } else { 12 }) {
            10 => {
                let text = self.one_of(&[
                    "2020-01-01",
                    "2020/1/2 3:04 +0800",
                    "9999-12-31T23:59:59Z",
                    "$b",
                    "1-",
                    "1 ",
                    "",
                ]);
                let times = [1, 1, 1, 100_000].get(self.below(4)).copied().unwrap_or(1);
                let each = format!("$.dateFromString({{dateString:'{}',onError:1}})", text.repeat(times));
                if self.below(3) == 0 {
                    format!("$.map({{input:$.range([0,1000]),in:{each}}})")
                } else {
                    each
                }
            }
            11 => {
                let (year, month, hour) = (self.number(), self.number(), self.number());
                format!("$.dateFromParts({{year:{year},month:{month},hour:{hour},timezone:'Asia/Shanghai'}})")
            }
            0 => format!("'${}'", self.field()),
            1 => self.scalar(),
            2..=5 => {
                let word = self.one_of(&OPERATORS);
                format!("$.{word}([{}])", self.list(3, |it| it.expression(depth - 1)))
            }
            6 => {
                let word = self.one_of(&["map", "filter"]);
                let body = if word == "map" { "in" } else { "cond" };
                let (input, inner) = (self.expression(depth - 1), self.expression(depth - 1));
                format!("$.{word}({{input:{input},as:'this',{body}:{inner}}})")
            }
            7 => {
                let (input, start) = (self.expression(depth - 1), self.expression(depth - 1));
                let word = self.one_of(&["concatArrays", "add", "concat", "mergeObjects"]);
                format!("$.reduce({{input:{input},initialValue:{start},in:$.{word}(['$$value','$$this'])}})")
            }
            8 => format!("$.range([0,{}])", self.number()),
            _ => format!("$.{}('$at')", self.one_of(&["year", "isoWeek", "dateToString", "size", "toLower"])),
        }
    }

    fn stage(&mut self, depth: usize) -> String {
        let field = self.field();
        match self.below(17) {
            15 => {
                let (from, to) = (self.below(5), self.number());
                format!(".bucket({{groupBy:'${field}',boundaries:[{from},{to}],default:'x'}})")
            }
            16 => {
                let (near, distance) = (self.shape(), self.number());
                let key = if self.below(2) == 0 { String::new() } else { format!("key:'{field}',") };
                format!(
                    ".geoNear({{near:{near},distanceField:'d',{key}maxDistance:{distance},spherical:true}})"
                )
            }
            0 => format!(".match({})", self.condition(depth)),
            1 | 2 => format!(".project({{'{field}':{}}})", self.expression(depth)),
            3 | 4 => format!(".addFields({{'{field}':{}}})", self.expression(depth)),
            5 | 6 => format!(".unwind('${field}')"),
            7 => {
                let word = self.one_of(&["sum", "push", "addToSet", "max", "first", "avg", "mergeObjects"]);
                let (id, gathered) = (self.expression(2), self.expression(depth));
                format!(".group({{_id:{id},x:$.{word}({gathered})}})")
            }
            8 => format!(".sort({{'{field}':{}}})", self.one_of(&["1", "-1"])),
            9 => format!(".limit({})", self.number()),
            10 => format!(".sample({{size:{}}})", self.number()),
            11 => {
                format!(".lookup({{from:'c',localField:'{field}',foreignField:'{}',as:'n'}})", self.field())
            }
            12 => {
                let stages: String = (0..self.below(3)).map(|_| self.stage(depth / 2)).collect();
                format!(
                    ".lookup({{from:'c',let:{{v:'${field}'}},pipeline:$.pipeline(){stages}.done(),as:'n'}})"
                )
            }
            13 => format!(".replaceRoot({{newRoot:{}}})", self.expression(depth)),
            _ => format!(".bucketAuto({{groupBy:'${field}',buckets:{}}})", self.number()),
        }
    }
}
