//! From query documents to filters.

use super::super::budget::Budget;
use super::super::error::{DatabaseError, Outcome};
use super::super::geo::Geometry;
use super::super::kind;
use super::super::pattern::Pattern;
use super::super::reach::Path;
use super::super::sought::{AnyOf, Sought};
use super::{
    Clause, Comparison, Condition, Document, Filter, Near, Point, Region, Schema, Test, Value, is_operators,
    refuse,
};

pub(super) fn filter(query: &Document, budget: &Budget) -> Outcome<Filter> {
    let mut clauses = Vec::new();
    for (name, value) in query.iter() {
        match name {
            "$and" => clauses.push(Clause::All(branches(name, value, budget)?)),
            "$or" => clauses.push(Clause::Any(branches(name, value, budget)?)),
            "$nor" => clauses.push(Clause::None(branches(name, value, budget)?)),
            "$expr" => clauses.push(Clause::Expression(value.clone())),
            "$jsonSchema" => clauses.push(Clause::Schema(Schema::parse(value, budget)?)),
            "$comment" => {}
            "$text" => return refuse("text index required for $text query"),
            unknown if unknown.starts_with('$') => {
                return refuse(format!("unknown top level operator: {unknown}"));
            }
            path => {
                let path = Path::parse(path)?;
                clauses.push(Clause::Field { path, condition: condition(value, budget)? });
            }
        }
    }
    Ok(Filter { clauses, budget: budget.clone() })
}

fn branches(name: &str, value: &Value, budget: &Budget) -> Outcome<Vec<Filter>> {
    let Some(items) = value.as_array() else {
        return refuse(format!("{name} must be an array"));
    };
    if items.is_empty() {
        return refuse("$and/$or/$nor must be a nonempty array");
    }
    let filters = items.iter().map(|item| match item {
        Value::Object(query) => filter(query, budget),
        _ => refuse("$or/$and/$nor entries need to be full objects"),
    });
    filters.collect()
}

/// What is asked of one field: operators, a pattern, or equality.
pub(super) fn condition(value: &Value, budget: &Budget) -> Outcome<Condition> {
    match value {
        Value::Regex(pattern, options) => {
            Ok(Condition(vec![Test::Pattern(Pattern::compile(pattern, options, budget)?)]))
        }
        Value::Object(operators) if is_operators(value) => operators_of(operators, budget),
        literal => Ok(Condition(vec![equal(literal)])),
    }
}

fn operators_of(operators: &Document, budget: &Budget) -> Outcome<Condition> {
    let mut tests = Vec::new();
    for (name, value) in operators.iter() {
        match name {
            // These belong to another operator, which reads them.
            "$options" if operators.get("$regex").is_none() => return refuse("$options needs a $regex"),
            "$minDistance" | "$maxDistance"
                if operators.get("$nearSphere").is_some() || operators.get("$near").is_some() => {}
            "$options" => {}
            _ => tests.push(test(name, value, operators, budget)?),
        }
    }
    Ok(Condition(tests))
}

fn test(name: &str, value: &Value, operators: &Document, budget: &Budget) -> Outcome<Test> {
    let negated = |test| Test::Not(Condition(vec![test]));
    match name {
        "$eq" => Ok(equal(value)),
        "$ne" => match value {
            Value::Regex(..) => refuse("Can't have regex as arg to $ne."),
            _ => Ok(negated(equal(value))),
        },
        "$lt" => ordered(Comparison::Less, name, value),
        "$lte" => ordered(Comparison::LessOrEqual, name, value),
        "$gt" => ordered(Comparison::Greater, name, value),
        "$gte" => ordered(Comparison::GreaterOrEqual, name, value),
        "$in" => one_of(name, value, budget),
        "$nin" => Ok(negated(one_of(name, value, budget)?)),
        "$not" => not(value, budget),
        "$exists" if value.is_truthy() => Ok(Test::Exists),
        "$exists" => Ok(negated(Test::Exists)),
        "$mod" => modulo(value),
        "$all" => all(value, budget),
        "$size" => size(value),
        "$elemMatch" => element(value, budget),
        "$regex" => regex(value, operators.get("$options"), budget),
        "$type" => Ok(Test::Type(kind::parse(value)?)),
        "$geoWithin" => within(value, budget),
        "$geoIntersects" => match value.as_object().and_then(|region| region.get("$geometry")) {
            Some(geometry) => Ok(Test::Intersects(Geometry::parse(geometry, budget)?)),
            None => refuse("$geoIntersects needs a $geometry"),
        },
        "$nearSphere" | "$near" => near(name, value, operators, budget),
        unknown => refuse(format!("unknown operator: {unknown}")),
    }
}

fn equal(value: &Value) -> Test {
    Test::Compare(Comparison::Equal, Sought::new(value.clone()))
}

fn ordered(comparison: Comparison, name: &str, value: &Value) -> Outcome<Test> {
    match value {
        Value::Regex(..) => refuse(format!("Can't have RegEx as arg to predicate over field with {name}.")),
        _ => Ok(Test::Compare(comparison, Sought::new(value.clone()))),
    }
}

fn one_of(name: &str, value: &Value, budget: &Budget) -> Outcome<Test> {
    let Some(items) = value.as_array() else {
        return refuse(format!("{name} needs an array"));
    };
    let (mut values, mut patterns) = (Vec::new(), Vec::new());
    for item in items {
        match item {
            Value::Regex(pattern, options) => patterns.push(Pattern::compile(pattern, options, budget)?),
            operators if is_operators(operators) => return refuse(format!("cannot nest $ under {name}")),
            literal => values.push(literal.clone()),
        }
    }
    Ok(Test::In(AnyOf::new(values), patterns))
}

fn not(value: &Value, budget: &Budget) -> Outcome<Test> {
    match value {
        Value::Regex(..) => Ok(Test::Not(condition(value, budget)?)),
        Value::Object(operators) if operators.is_empty() => refuse("$not cannot be empty"),
        Value::Object(operators) => {
            if let Some((name, _)) = operators.iter().find(|(name, _)| !name.starts_with('$')) {
                return refuse(format!("unknown operator: {name}"));
            }
            Ok(Test::Not(condition(value, budget)?))
        }
        _ => refuse("$not needs a regex or a document"),
    }
}

fn modulo(value: &Value) -> Outcome<Test> {
    let Some(items) = value.as_array() else {
        return refuse("malformed mod, needs to be an array");
    };
    let whole = |item: &Value| item.as_f64().map(|number| number as i64);
    match items {
        [] | [_] => refuse("malformed mod, not enough elements"),
        [divisor, remainder] => match (whole(divisor), whole(remainder)) {
            (Some(0), _) => refuse("divisor cannot be 0"),
            (Some(divisor), remainder) => Ok(Test::Modulo(divisor, remainder.unwrap_or(0))),
            (None, _) => refuse("malformed mod, divisor not a number"),
        },
        _ => refuse("malformed mod, too many elements"),
    }
}

fn all(value: &Value, budget: &Budget) -> Outcome<Test> {
    let Some(items) = value.as_array() else {
        return refuse("$all needs an array");
    };
    let each = |item: &Value| match item {
        Value::Regex(pattern, options) => Ok(Test::Pattern(Pattern::compile(pattern, options, budget)?)),
        Value::Object(inner) if is_operators(item) => match inner.get("$elemMatch") {
            Some(wanted) => element(wanted, budget),
            None => refuse("no $ expressions in $all"),
        },
        literal => Ok(equal(literal)),
    };
    Ok(Test::All(items.iter().map(each).collect::<Outcome<_>>()?))
}

fn size(value: &Value) -> Outcome<Test> {
    match value.as_i64() {
        Some(length) => match usize::try_from(length) {
            Ok(length) => Ok(Test::Size(length)),
            Err(_) => refuse("$size may not be negative"),
        },
        None if value.as_f64().is_some() => refuse("$size must be a whole number"),
        None => refuse("$size needs a number"),
    }
}

fn element(value: &Value, budget: &Budget) -> Outcome<Test> {
    const LOGIC: [&str; 4] = ["$and", "$or", "$nor", "$expr"];
    let Value::Object(wanted) = value else {
        return refuse("$elemMatch needs an Object");
    };
    let is_logic = wanted.iter().next().is_some_and(|(name, _)| LOGIC.contains(&name));
    if is_operators(value) && !is_logic {
        return Ok(Test::ElementValue(condition(value, budget)?));
    }
    Ok(Test::ElementDocument(filter(wanted, budget)?))
}

fn regex(value: &Value, options: Option<&Value>, budget: &Budget) -> Outcome<Test> {
    let given = match options {
        Some(Value::String(options)) => Some(options.as_str()),
        Some(_) => return refuse("$options has to be a string"),
        None => None,
    };
    let (pattern, own) = match value {
        Value::String(pattern) => (pattern, ""),
        Value::Regex(pattern, options) => (pattern, options.as_str()),
        _ => return refuse("$regex has to be a string"),
    };
    Ok(Test::Pattern(Pattern::compile(pattern, given.unwrap_or(own), budget)?))
}

fn within(value: &Value, budget: &Budget) -> Outcome<Test> {
    let Some((shape, region)) = value.as_object().and_then(|region| region.iter().next()) else {
        return refuse("$geoWithin needs an object");
    };
    match shape {
        "$geometry" => {
            let geometry = Geometry::parse(region, budget)?;
            if !geometry.has_area() {
                return refuse("$geoWithin not supported with provided geometry");
            }
            Ok(Test::Within(Region::Areas(geometry)))
        }
        "$centerSphere" => match region.as_array() {
            Some([centre, radius]) => {
                let radius = radius.as_f64().filter(|radius| *radius >= 0.0);
                let radius =
                    radius.ok_or_else(|| DatabaseError::new("radius must be a non-negative number"))?;
                Ok(Test::Within(Region::Cap(point(centre, budget)?, radius)))
            }
            _ => refuse("$centerSphere needs an array of a point and a radius"),
        },
        unknown => refuse(format!("unknown geo specifier: {unknown}")),
    }
}

/// The centre, and limits that stand either beside the geometry or beside the operator.
fn near(name: &str, value: &Value, operators: &Document, budget: &Budget) -> Outcome<Test> {
    let inside = value.as_object();
    let centre = match inside.and_then(|near| near.get("$geometry")) {
        Some(geometry) => point(geometry, budget)?,
        None => return refuse(format!("{name} requires a point, given {}", kind::name(value))),
    };
    let limit = |limit: &str, otherwise: f64| match inside
        .and_then(|near| near.get(limit))
        .or_else(|| operators.get(limit))
    {
        None => Ok(otherwise),
        Some(value) => match value.as_f64().filter(|metres| *metres >= 0.0) {
            Some(metres) => Ok(metres),
            None => refuse(format!("{} must be a non-negative number", limit.trim_start_matches('$'))),
        },
    };
    Ok(Test::Near(Near {
        centre,
        least: limit("$minDistance", 0.0)?,
        most: limit("$maxDistance", f64::INFINITY)?,
    }))
}

fn point(value: &Value, budget: &Budget) -> Outcome<Point> {
    Geometry::parse(value, budget)?
        .as_point()
        .ok_or_else(|| DatabaseError::new("invalid point: a Point is needed"))
}
