//! Members, calls and constructors of the names that every text has.

use super::super::civil::{self, Written};
use super::super::value::{Document, Value};
use super::chain::{Aggregation, Target};
use super::encode;
use super::item::{Condition, Global, Item};

type Done = Result<Item, String>;

/// Shapes that `db.Geo` makes.
const SHAPES: [&str; 6] = ["Point", "LineString", "Polygon", "MultiPoint", "MultiLineString", "MultiPolygon"];

/// Operators of the aggregation. Each is called like itself, except `neq`.
pub(super) const AGGREGATE: &str = "abs add ceil divide exp floor ln log log10 mod multiply pow sqrt subtract trunc \
    arrayElemAt arrayToObject concatArrays filter in indexOfArray isArray map range reduce reverseArray size slice \
    zip and not or cmp eq gt gte lt lte neq cond ifNull switch dateFromParts dateFromString dayOfMonth dayOfWeek \
    dayOfYear isoDayOfWeek isoWeek isoWeekYear millisecond minute month second hour week year literal mergeObjects \
    objectToArray allElementsTrue anyElementTrue setDifference setEquals setIntersection setIsSubset setUnion concat \
    dateToString indexOfBytes indexOfCP split strLenBytes strLenCP strcasecmp substr substrBytes substrCP toLower \
    toUpper meta addToSet avg first last max min push stdDevPop stdDevSamp sum let";

/// `object.name`
pub(super) fn member(object: &Item, name: &str) -> Done {
    let global = match (object, name) {
        (Item::Global(Global::Db), "command") => Global::Command,
        (Item::Global(Global::Db), "Geo") => Global::Geo,
        (Item::Global(Global::Db), "RegExp") => Global::RegExp,
        (Item::Global(Global::Db), "ObjectId") => Global::ObjectId,
        (Item::Global(Global::Command), "aggregate") => Global::Aggregate,
        (Item::Global(Global::Command), "project") => Global::Project,
        (Item::Global(Global::Geo), name) => match SHAPES.into_iter().find(|shape| *shape == name) {
            Some(shape) => Global::Shape(shape),
            None => return Err(no_member(object, name)),
        },
        _ => return Err(no_member(object, name)),
    };
    Ok(Item::Global(global))
}

fn no_member(object: &Item, name: &str) -> String {
    format!("RuntimeError: cannot get property {name:?} of {}", object.kind())
}

/// `new Constructor(…)`, or the same without `new`.
pub(super) fn construct(constructor: &Item, arguments: Vec<Item>, now: i64) -> Done {
    match constructor {
        Item::Global(Global::Date) => date(arguments, now),
        Item::Global(Global::Shape(shape)) => self::shape(shape, &arguments),
        Item::Global(Global::RegExp) => regular_expression(arguments, now),
        Item::Global(Global::ObjectId) => match first_value(arguments, now) {
            Some(Value::String(text)) => Ok(Item::Value(Value::String(text))),
            _ => Err("ObjectId needs text".to_owned()),
        },
        other => Err(format!("TypeError: {} is not a function", other.kind())),
    }
}

/// The first argument, if there is one that can be stored.
fn first_value(arguments: Vec<Item>, now: i64) -> Option<Value> {
    arguments.into_iter().next()?.into_value(now)
}

fn date(arguments: Vec<Item>, now: i64) -> Done {
    let moment = match arguments.into_iter().next().map(|item| item.into_value(now)) {
        None => Some(now),
        Some(Some(Value::String(text))) => parse_date(&text),
        Some(Some(Value::Date(at))) => Some(at),
        Some(Some(value)) => value.as_i64(),
        Some(None) => None,
    };
    let moment = moment.and_then(|at| civil::moved(at, 0));
    moment
        .map(|at| Item::Value(Value::Date(at)))
        .ok_or_else(|| "Date needs milliseconds or text, of a moment before the year 10000".to_owned())
}

/// What `new Date(text)` reads: ISO 8601, also without day or month, and the same with slashes. Without an offset it is
/// in UTC, where functions run.
fn parse_date(text: &str) -> Option<i64> {
    let rest = match text.len() {
        4 => "-01-01",
        7 => "-01",
        _ => "",
    };
    let written = Written::read_loosely(&format!("{text}{rest}"))?;
    written.moment().or_else(|| (written.has_time || text.len() <= 10).then(|| civil::millis(written.civil)))
}

fn shape(kind: &'static str, arguments: &[Item]) -> Done {
    let coordinates = |item: &Item| match item {
        Item::Shape(Value::Object(shape)) => shape.get("coordinates").cloned(),
        _ => None,
    };
    let found = match (kind, arguments) {
        ("Point", [longitude, latitude]) => {
            let (Some(x), Some(y)) = (number(longitude), number(latitude)) else {
                return Err("Point needs a longitude and a latitude".to_owned());
            };
            let fits = |value: &Value, most: f64| value.as_f64().is_some_and(|degrees| degrees.abs() <= most);
            if !fits(&x, 180.0) || !fits(&y, 90.0) {
                return Err("longitudes are from -180 to 180, latitudes from -90 to 90".to_owned());
            }
            Some(vec![x, y])
        }
        ("Point", _) => None,
        (_, [Item::Array(shapes)]) => shapes.iter().map(coordinates).collect(),
        _ => None,
    };
    let coordinates = found.ok_or_else(|| format!("{kind} needs a list of shapes"))?;
    let fields = [("type".to_owned(), kind.into()), ("coordinates".to_owned(), coordinates.into())];
    Ok(Item::Shape(Value::Object(fields.into_iter().collect())))
}

fn number(item: &Item) -> Option<Value> {
    match item {
        Item::Value(value) if value.as_f64().is_some() => Some(value.clone()),
        _ => None,
    }
}

fn regular_expression(arguments: Vec<Item>, now: i64) -> Done {
    let options = first_value(arguments, now);
    let field = |name: &str| match options.as_ref()?.as_object()?.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Regex(pattern, _) => Some(pattern.clone()),
        _ => None,
    };
    let pattern = field("regexp").ok_or_else(|| "RegExp needs { regexp }".to_owned())?;
    Ok(Item::Value(Value::Regex(pattern, field("options").unwrap_or_default())))
}

/// `global.name(…)`
pub(super) fn call(global: Global, name: &str, arguments: Vec<Item>, now: i64) -> Done {
    match (global, name) {
        (Global::Db, "collection") => match first_value(arguments, now) {
            Some(Value::String(collection)) if !collection.is_empty() => {
                Ok(Item::Target(Target::collection(collection)))
            }
            _ => Err("collection needs a name".to_owned()),
        },
        (Global::Db, "serverDate") => {
            let offset = first_value(arguments, now);
            let offset = offset.as_ref().and_then(|value| value.as_object()?.get("offset")?.as_i64());
            let offset = offset.unwrap_or(0);
            match civil::moved(now, offset) {
                Some(_) => Ok(Item::ServerDate(offset)),
                None => Err("serverDate needs an offset that stays before the year 10000".to_owned()),
            }
        }
        (Global::Db, "RegExp") => regular_expression(arguments, now),
        (Global::Db, "ObjectId") => construct(&Item::Global(Global::ObjectId), arguments, now),
        (Global::Geo, name) => construct(&member(&Item::Global(Global::Geo), name)?, arguments, now),
        (Global::Command, name) => command(name, arguments, now),
        (Global::Project, "slice") => one_value("$slice", arguments, now),
        (Global::Project, "elemMatch") => {
            let item = arguments.first().ok_or_else(|| needs("elemMatch"))?;
            Ok(Item::Expression(object("$elemMatch", encode::nested(item, now)?)))
        }
        (Global::Aggregate, "pipeline") => Ok(Item::Aggregation(Aggregation::pipeline())),
        (Global::Aggregate, name) => expression(name, arguments, now),
        _ => Err(format!("RuntimeError: cannot get property {name:?}")),
    }
}

fn needs(name: &str) -> String {
    format!("{name} needs an argument")
}

fn object(name: &str, value: impl Into<Value>) -> Value {
    let mut document = Document::new();
    document.set(name, value);
    document.into()
}

fn one_value(operator: &str, arguments: Vec<Item>, now: i64) -> Done {
    let value = first_value(arguments, now).ok_or_else(|| needs(operator))?;
    Ok(Item::Expression(object(operator, value)))
}

fn expression(name: &str, arguments: Vec<Item>, now: i64) -> Done {
    if !AGGREGATE.split_whitespace().any(|known| known == name) {
        return Err(format!("RuntimeError: cannot get property {name:?} of the aggregation"));
    }
    let name = if name == "neq" { "ne" } else { name };
    one_value(&format!("${name}"), arguments, now)
}

/// The first argument, which has to be there.
fn first(name: &str, arguments: Vec<Item>) -> Done {
    arguments.into_iter().next().ok_or_else(|| needs(name))
}

/// The first argument, which has to be something that can be stored.
fn value(name: &str, arguments: Vec<Item>, now: i64) -> Result<Value, String> {
    let item = first(name, arguments)?;
    let kind = item.kind();
    item.into_value(now).ok_or_else(|| format!("{name} needs a value, not {kind}"))
}

/// `_.name(…)`
fn command(name: &str, arguments: Vec<Item>, now: i64) -> Done {
    let operator = |operator, arguments| {
        Ok(Item::Condition(Condition::Operator(operator, value(name, arguments, now)?)))
    };
    match name {
        "eq" => operator("$eq", arguments),
        "neq" => operator("$ne", arguments),
        "lt" => operator("$lt", arguments),
        "lte" => operator("$lte", arguments),
        "gt" => operator("$gt", arguments),
        "gte" => operator("$gte", arguments),
        "in" => operator("$in", arguments),
        "nin" => operator("$nin", arguments),
        "exists" => operator("$exists", arguments),
        "size" => operator("$size", arguments),
        "all" => operator("$all", arguments),
        "mod" => {
            let values = arguments.into_iter().map(|item| item.into_value(now));
            let values = values.collect::<Option<Vec<Value>>>().ok_or_else(|| needs("mod"))?;
            let operand = match values.as_slice() {
                [Value::Array(pair)] => pair.clone(),
                _ => values,
            };
            Ok(Item::Condition(Condition::Operator("$mod", operand.into())))
        }
        "elemMatch" => {
            Ok(Item::Condition(Condition::Nested("$elemMatch", Box::new(first(name, arguments)?))))
        }
        "and" => Ok(Item::Condition(Condition::And(list(arguments)))),
        "or" => Ok(Item::Condition(Condition::Or(list(arguments)))),
        "nor" => Ok(Item::Condition(Condition::Nor(list(arguments)))),
        "not" => Ok(Item::Condition(Condition::Not(Box::new(first(name, arguments)?)))),
        "expr" => Ok(Item::Condition(Condition::Whole("$expr", value(name, arguments, now)?))),
        "jsonSchema" => Ok(Item::Condition(Condition::Whole("$jsonSchema", value(name, arguments, now)?))),
        "geoNear" => geo(first(name, arguments)?, now, "$nearSphere", &["minDistance", "maxDistance"]),
        "geoWithin" => geo(first(name, arguments)?, now, "$geoWithin", &["centerSphere"]),
        "geoIntersects" => geo(first(name, arguments)?, now, "$geoIntersects", &[]),
        _ => operation(name, arguments, now),
    }
}

/// Commands with several arguments take them one by one or as one list.
fn list(mut arguments: Vec<Item>) -> Vec<Item> {
    match (arguments.pop(), arguments.is_empty()) {
        (Some(Item::Array(items)), true) => items,
        (Some(Item::Value(Value::Array(values))), true) => values.into_iter().map(Item::Value).collect(),
        (last, _) => arguments.into_iter().chain(last).collect(),
    }
}

fn geo(argument: Item, now: i64, operator: &'static str, further: &[&str]) -> Done {
    let Some(Value::Object(fields)) = argument.into_value(now) else {
        return Err(format!("{operator} needs an object"));
    };
    let mut operand = Document::new();
    if let Some(geometry) = fields.get("geometry") {
        operand.set("$geometry", geometry.clone());
    }
    for name in further {
        if let Some(value) = fields.get(name) {
            operand.set(format!("${name}"), value.clone());
        }
    }
    if operand.is_empty() {
        return Err(format!("{operator} needs a geometry"));
    }
    let Value::Object(operators) = object(operator, operand) else { return Err(needs(operator)) };
    Ok(Item::Condition(Condition::Operators(operators)))
}

/// `_.name(…)` of an update.
fn operation(name: &str, arguments: Vec<Item>, now: i64) -> Done {
    let done = |operator, value| Ok(Item::Operation(operator, value));
    let with = |operator, arguments| done(operator, value(name, arguments, now)?);
    match name {
        "set" => with("$set", arguments),
        "remove" => done("$unset", "".into()),
        "inc" => with("$inc", arguments),
        "mul" => with("$mul", arguments),
        "min" => with("$min", arguments),
        "max" => with("$max", arguments),
        "rename" => with("$rename", arguments),
        "bit" => with("$bit", arguments),
        "pop" => done("$pop", 1.into()),
        "shift" => done("$pop", (-1).into()),
        "pull" => done("$pull", encode::nested(&first(name, arguments)?, now)?),
        "pullAll" => with("$pullAll", arguments),
        "addToSet" => done("$addToSet", add_to_set(value(name, arguments, now)?)),
        "push" => done("$push", push(arguments, now)?),
        "unshift" => {
            let mut each = Document::new();
            each.set("$each", values(arguments, now)?);
            each.set("$position", 0);
            done("$push", each.into())
        }
        _ => Err(format!("RuntimeError: cannot get property {name:?} of db.command")),
    }
}

/// `{ each: […] }` is what the documents write, `{ $each: […] }` what the database wants: both are taken.
fn add_to_set(value: Value) -> Value {
    match value.as_object().and_then(|object| object.get("each")) {
        Some(each @ Value::Array(_)) => object("$each", each.clone()),
        _ => value,
    }
}

fn values(arguments: Vec<Item>, now: i64) -> Result<Value, String> {
    let values = arguments.into_iter().map(|item| item.into_value(now)).collect::<Option<Vec<Value>>>();
    Ok(listed(values.ok_or_else(|| needs("push"))?))
}

/// One list is what is meant, anything else is a list of it.
fn listed(mut values: Vec<Value>) -> Value {
    match (values.pop(), values.is_empty()) {
        (Some(only @ Value::Array(_)), true) => only,
        (last, _) => {
            values.extend(last);
            Value::Array(values)
        }
    }
}

fn push(arguments: Vec<Item>, now: i64) -> Result<Value, String> {
    let mut operand = Document::new();
    let mut values = arguments.into_iter().map(|item| item.into_value(now)).collect::<Option<Vec<Value>>>();
    let options = match values.as_deref_mut() {
        Some([Value::Object(options)]) => options.remove("each").map(|each| (each, &*options)),
        _ => None,
    };
    if let Some((each, options)) = options {
        operand.set("$each", each);
        for name in ["position", "sort", "slice"] {
            if let Some(value) = options.get(name) {
                operand.set(format!("${name}"), value.clone());
            }
        }
    } else {
        operand.set("$each", listed(values.ok_or_else(|| needs("push"))?));
    }
    Ok(operand.into())
}

/// `_.gt(1).and(_.lt(9))`, `_.gt(1).lt(9)`
pub(super) fn extend(condition: Condition, name: &str, arguments: Vec<Item>, now: i64) -> Done {
    let joined = |more: Vec<Item>| std::iter::once(Item::Condition(condition)).chain(more).collect();
    match name {
        "and" => Ok(Item::Condition(Condition::And(joined(list(arguments))))),
        "or" => Ok(Item::Condition(Condition::Or(joined(list(arguments))))),
        name => match command(name, arguments, now)? {
            more @ Item::Condition(_) => Ok(Item::Condition(Condition::And(joined(vec![more])))),
            _ => Err(format!("{name} cannot follow a query command")),
        },
    }
}
