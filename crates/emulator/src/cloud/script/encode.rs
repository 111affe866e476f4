//! From items to what the database understands: filters and update operators in MongoDB's form.

use super::super::value::{Document, Value};
use super::item::{Condition, Item};

type Encoded<T> = Result<T, String>;

/// A condition as MongoDB writes it. Fields that are objects become dotted paths, and fields whose conditions are
/// joined by `and`, `or` and `nor` become groups at the top; groups of different fields stay apart.
pub(super) fn filter(item: &Item, now: i64) -> Encoded<Document> {
    let mut all = Vec::new();
    conjuncts("", item, now, &mut all)?;
    Ok(joined(all))
}

/// One document if no two conditions are about the same path, else an `$and` of them.
fn joined(all: Vec<Document>) -> Document {
    let mut document = Document::new();
    let clash = {
        let mut seen = std::collections::BTreeSet::new();
        !all.iter().flat_map(Document::iter).all(|(name, _)| seen.insert(name.to_owned()))
    };
    if clash {
        document.set("$and", Value::Array(all.into_iter().map(Value::Object).collect()));
        return document;
    }
    all.into_iter().flatten().collect()
}

fn one(name: impl Into<String>, value: impl Into<Value>) -> Document {
    let mut document = Document::new();
    document.set(name, value);
    document
}

fn conjuncts(path: &str, item: &Item, now: i64, all: &mut Vec<Document>) -> Encoded<()> {
    match item {
        Item::Undefined => {}
        Item::Object(fields) => {
            for (name, item) in fields {
                field(path, name, item, now, all)?;
            }
        }
        Item::Value(value) => return equality(path, value, all),
        Item::Condition(condition) => return conditions(path, condition, now, all),
        item if path.is_empty() => return Err(format!("a condition is an object, not {}", item.kind())),
        item => {
            let value = item
                .to_value(now)
                .ok_or_else(|| format!("{path:?} is compared with {}, which is no condition", item.kind()))?;
            all.push(one(path, value));
        }
    }
    Ok(())
}

/// The conditions of a plain value: one, or one for each field that is reached.
fn equality(path: &str, value: &Value, all: &mut Vec<Document>) -> Encoded<()> {
    match value {
        Value::Object(fields) => {
            if !path.is_empty() && fields.iter().any(|(name, _)| name.starts_with('$')) {
                all.push(one(path, fields.clone()));
                return Ok(());
            }
            for (name, value) in fields.iter() {
                match (path, name) {
                    ("", "$and" | "$or" | "$nor") => {
                        let Value::Array(values) = value else {
                            return Err(format!("{name} needs a list, not a value"));
                        };
                        all.push(one(name, each("", values, equality)?));
                    }
                    ("", operator) if operator.starts_with('$') => all.push(one(name, value.clone())),
                    _ => equality(&below(path, name), value, all)?,
                }
            }
            Ok(())
        }
        _ if path.is_empty() => Err("a condition is an object, not a value".to_owned()),
        value => {
            all.push(one(path, value.clone()));
            Ok(())
        }
    }
}

fn below(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn field(path: &str, name: &str, item: &Item, now: i64, all: &mut Vec<Document>) -> Encoded<()> {
    // Raw groups of MongoDB's are taken as they are.
    if path.is_empty() && matches!(name, "$and" | "$or" | "$nor") {
        let group = match item {
            Item::Array(items) => group("", items, now)?,
            Item::Value(Value::Array(values)) => each("", values, equality)?,
            item => return Err(format!("{name} needs a list, not {}", item.kind())),
        };
        all.push(one(name, group));
        return Ok(());
    }
    if path.is_empty() && name.starts_with('$') {
        let value = item.to_value(now).ok_or_else(|| format!("{name} needs a value"))?;
        all.push(one(name, value));
        return Ok(());
    }
    conjuncts(&below(path, name), item, now, all)
}

fn conditions(path: &str, condition: &Condition, now: i64, all: &mut Vec<Document>) -> Encoded<()> {
    let on_field = |document: Document| {
        if path.is_empty() {
            Err("this command belongs to a field".to_owned())
        } else {
            Ok(one(path, document))
        }
    };
    let encoded = match condition {
        Condition::Operator(operator, value) => on_field(one(*operator, value.clone()))?,
        Condition::Operators(operators) => on_field(operators.clone())?,
        Condition::Nested(operator, item) => on_field(one(*operator, nested(item, now)?))?,
        Condition::And(items) => one("$and", group(path, items, now)?),
        Condition::Or(items) => one("$or", group(path, items, now)?),
        Condition::Nor(items) => one("$nor", group(path, items, now)?),
        Condition::Not(item) => match item.as_ref() {
            Item::Condition(Condition::Operator(operator, value)) => {
                on_field(one("$not", one(*operator, value.clone())))?
            }
            // What is more than one operator is denied as a whole.
            item => one("$nor", group(path, std::slice::from_ref(item), now)?),
        },
        Condition::Whole(operator, value) => one(*operator, value.clone()),
    };
    all.push(encoded);
    Ok(())
}

/// Each item as a document of its own.
fn group(path: &str, items: &[Item], now: i64) -> Encoded<Value> {
    each(path, items, |path, item, all| conjuncts(path, item, now, all))
}

fn each<T>(
    path: &str,
    items: &[T],
    encode: impl Fn(&str, &T, &mut Vec<Document>) -> Encoded<()>,
) -> Encoded<Value> {
    let documents = items.iter().map(|item| {
        let mut all = Vec::new();
        encode(path, item, &mut all)?;
        Ok(Value::Object(joined(all)))
    });
    Ok(Value::Array(documents.collect::<Encoded<Vec<Value>>>()?))
}

/// The operand of `$elemMatch` and `$pull`: conditions on elements, or on their fields. Fields are not flattened.
pub(super) fn nested(item: &Item, now: i64) -> Encoded<Value> {
    match item {
        Item::Condition(Condition::Operator(operator, value)) => Ok(one(*operator, value.clone()).into()),
        Item::Condition(Condition::Operators(operators)) => Ok(operators.clone().into()),
        Item::Condition(Condition::Nested(operator, item)) => Ok(one(*operator, nested(item, now)?).into()),
        Item::Condition(Condition::And(items)) => {
            let merged = items.iter().map(|item| nested(item, now)).collect::<Encoded<Vec<Value>>>()?;
            let mut all = Document::new();
            for value in merged {
                let Value::Object(fields) = value else {
                    return Err("conditions on elements are joined only with conditions".to_owned());
                };
                for (name, condition) in fields {
                    if all.get(&name).is_some() {
                        return Err(format!(
                            "two conditions with {name} on the same elements: join them in one"
                        ));
                    }
                    all.set(name, condition);
                }
            }
            Ok(Value::Object(all))
        }
        Item::Condition(condition) => {
            let mut all = Vec::new();
            conditions("", condition, now, &mut all)?;
            Ok(joined(all).into())
        }
        Item::Object(fields) => {
            let kept = fields.iter().filter(|(_, item)| **item != Item::Undefined);
            let fields = kept.map(|(name, item)| Ok((name.clone(), nested(item, now)?)));
            Ok(Value::Object(fields.collect::<Encoded<Document>>()?))
        }
        item => item.to_value(now).ok_or_else(|| format!("{} is no condition", item.kind())),
    }
}

/// Update operators, from the data of `update`: what is plain is set, object by object down to their fields.
pub(super) fn update(item: &Item, now: i64) -> Encoded<Document> {
    let mut operators = Document::new();
    match item {
        Item::Object(fields) => {
            for (name, item) in fields {
                operate(name, item, now, &mut operators)?;
            }
        }
        Item::Value(Value::Object(fields)) => {
            for (name, value) in fields.iter() {
                set(name, value, &mut operators)?;
            }
        }
        item => return Err(format!("data of update is an object, not {}", item.kind())),
    }
    Ok(operators)
}

fn check_not_id(path: &str) -> Encoded<()> {
    if path == "_id" {
        return Err("the value of _id cannot be changed".to_owned());
    }
    Ok(())
}

/// Sets what is plain, object by object down to their fields.
fn set(path: &str, value: &Value, operators: &mut Document) -> Encoded<()> {
    check_not_id(path)?;
    match value {
        Value::Object(fields) if !is_shape(fields) => {
            fields.iter().try_for_each(|(name, value)| set(&format!("{path}.{name}"), value, operators))
        }
        value => {
            add(operators, "$set", path, value.clone());
            Ok(())
        }
    }
}

fn operate(path: &str, item: &Item, now: i64, operators: &mut Document) -> Encoded<()> {
    check_not_id(path)?;
    match item {
        Item::Undefined => Ok(()),
        Item::Operation(operator, value) => {
            add(operators, operator, path, value.clone());
            Ok(())
        }
        Item::Object(fields) => fields
            .iter()
            .try_for_each(|(name, item)| operate(&format!("{path}.{name}"), item, now, operators)),
        Item::Value(value) => set(path, value, operators),
        item => {
            let value =
                item.to_value(now).ok_or_else(|| format!("{} cannot be stored in {path:?}", item.kind()))?;
            add(operators, "$set", path, value);
            Ok(())
        }
    }
}

fn add(operators: &mut Document, operator: &str, path: &str, value: Value) {
    if let Some(Value::Object(fields)) = operators.get_mut(operator) {
        fields.set(path, value);
    } else {
        operators.set(operator, one(path, value));
    }
}

/// Shapes are set whole, also when they were written out as GeoJSON.
fn is_shape(fields: &Document) -> bool {
    fields.len() == 2
        && fields.get("coordinates").is_some_and(|value| value.as_array().is_some())
        && fields.get("type").and_then(Value::as_str).is_some_and(|kind| {
            ["Point", "LineString", "Polygon", "MultiPoint", "MultiLineString", "MultiPolygon"]
                .contains(&kind)
        })
}
