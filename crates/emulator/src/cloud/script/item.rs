//! What an expression of a query text can be.

use indexmap::IndexMap;

use super::super::measure::Measure;
use super::super::request::{Find, Request, Verb};
use super::super::value::{Document, Value};
use super::chain::{Aggregation, Target};

/// The value of an expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Item {
    /// `undefined`: fields with it are dropped.
    Undefined,
    /// Something that can be stored.
    Value(Value),
    /// A list in which commands may stand.
    Array(Vec<Item>),
    /// An object in which commands may stand.
    Object(IndexMap<String, Item>),
    /// A geographical shape, which is set and compared whole.
    Shape(Value),
    /// The moment of the request, moved by so many milliseconds.
    ServerDate(i64),
    /// A condition on a field, or on a document.
    Condition(Condition),
    /// What becomes of a field.
    Operation(&'static str, Value),
    /// An expression of the aggregation, with its operator.
    Expression(Value),
    /// A name that only leads on.
    Global(Global),
    /// `db.collection(…)` and what follows.
    Target(Box<Target>),
    /// `….aggregate()…`, or `$.pipeline()…`.
    Aggregation(Box<Aggregation>),
    /// The stages of `$.pipeline()….done()`.
    Pipeline(Vec<Document>),
    /// What the text asks for.
    Request(Box<Request>),
}

/// A condition.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Condition {
    /// A query operator with its operand, such as `$gt`.
    Operator(&'static str, Value),
    /// An operator whose operand is itself made of conditions: `$elemMatch`.
    Nested(&'static str, Box<Item>),
    /// All of these.
    And(Vec<Item>),
    /// One of these.
    Or(Vec<Item>),
    /// None of these.
    Nor(Vec<Item>),
    /// Not this one.
    Not(Box<Item>),
    /// Operators that belong to each other, such as those of `geoNear`.
    Operators(Document),
    /// `_.expr(…)`, `_.jsonSchema(…)`: on the whole document.
    Whole(&'static str, Value),
}

/// Names that only lead on to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Global {
    /// `db`
    Db,
    /// `_`, `db.command`
    Command,
    /// `$`, `_.aggregate`
    Aggregate,
    /// `_.project`
    Project,
    /// `db.Geo`
    Geo,
    /// `db.Geo.Point` and its like.
    Shape(&'static str),
    /// `Date`
    Date,
    /// `db.RegExp`
    RegExp,
    /// `db.ObjectId`
    ObjectId,
}

impl Item {
    /// What it is called in messages.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Item::Undefined => "undefined",
            Item::Value(_) => "a value",
            Item::Array(_) => "a list",
            Item::Object(_) => "an object",
            Item::Shape(_) => "a geographical shape",
            Item::ServerDate(_) => "a server date",
            Item::Condition(_) => "a query command",
            Item::Operation(..) => "an update command",
            Item::Expression(_) => "an aggregation expression",
            Item::Global(_) => "a name that is no value",
            Item::Target(_) => "a collection",
            Item::Aggregation(_) => "an aggregation without end()",
            Item::Pipeline(_) => "a pipeline",
            Item::Request(_) => "a request",
        }
    }

    /// As something that can be stored, at a moment. `None` when a command stands in it.
    pub(super) fn into_value(self, now: i64) -> Option<Value> {
        Some(match self {
            Item::Value(value) | Item::Shape(value) | Item::Expression(value) => value,
            Item::ServerDate(offset) => Value::Date(now.saturating_add(offset)),
            Item::Array(items) => {
                let values = items.into_iter().map(|item| match item {
                    // As JavaScript clients write it.
                    Item::Undefined => Some(Value::Null),
                    item => item.into_value(now),
                });
                Value::Array(values.collect::<Option<Vec<Value>>>()?)
            }
            Item::Object(fields) => {
                let kept = fields.into_iter().filter(|(_, item)| *item != Item::Undefined);
                let fields = kept.map(|(name, item)| Some((name, item.into_value(now)?)));
                Value::Object(fields.collect::<Option<Document>>()?)
            }
            Item::Pipeline(stages) => Value::Array(stages.into_iter().map(Value::Object).collect()),
            _ => return None,
        })
    }

    /// The same of an item that is still needed.
    pub(super) fn to_value(&self, now: i64) -> Option<Value> {
        self.clone().into_value(now)
    }

    /// How much it is.
    pub(super) fn measure(&self) -> Measure {
        match self {
            Item::Value(value) | Item::Shape(value) | Item::Expression(value) | Item::Operation(_, value) => {
                Measure::around([Measure::of(value)])
            }
            Item::Array(items) => all(items),
            Item::Object(fields) => Measure::around(fields.values().map(Item::measure)),
            Item::Condition(condition) => condition.measure(),
            Item::Target(target) => target.measure(),
            Item::Aggregation(aggregation) => aggregation.measure(),
            Item::Pipeline(stages) => Measure::around(stages.iter().map(Measure::of_document)),
            Item::Request(request) => request.measure(),
            Item::Undefined | Item::ServerDate(_) | Item::Global(_) => Measure::around([]),
        }
    }
}

fn all(items: &[Item]) -> Measure {
    Measure::around(items.iter().map(Item::measure))
}

impl Condition {
    fn measure(&self) -> Measure {
        match self {
            Condition::Operator(_, value) | Condition::Whole(_, value) => {
                Measure::around([Measure::of(value)])
            }
            Condition::Operators(operators) => Measure::around([Measure::of_document(operators)]),
            Condition::And(items) | Condition::Or(items) | Condition::Nor(items) => all(items),
            Condition::Nested(_, item) | Condition::Not(item) => Measure::around([item.measure()]),
        }
    }
}

impl Find {
    /// How much it asks.
    pub(super) fn measure(&self) -> Measure {
        let parts = std::iter::once(&self.filter).chain(&self.projection);
        Measure::around(parts.map(Measure::of_document))
    }
}

impl Request {
    /// How much it asks.
    pub(super) fn measure(&self) -> Measure {
        let each = |documents: &[Document]| Measure::around(documents.iter().map(Measure::of_document));
        match &self.verb {
            Verb::Get(find) => find.measure(),
            Verb::Count(filter) | Verb::Remove(filter, _) => Measure::of_document(filter),
            Verb::Update(filter, update, _) => {
                Measure::around([Measure::of_document(filter), Measure::of_document(update)])
            }
            Verb::Set(id, document) => Measure::around([Measure::of(id), Measure::of_document(document)]),
            Verb::Add(documents) | Verb::Aggregate(documents) => each(documents),
        }
    }
}
