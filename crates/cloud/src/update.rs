//! Changes to documents.
//!
//! Invariants: a field is changed once, because the platform keeps only the last of two; `_id` is never changed; and
//! values stand where the platform cannot take them for options of an operator.

use crate::build_error::BuildError;
use crate::filter::{Command, Filter, on_element};
use crate::path;
use crate::script::{Fragment, Piece};
use crate::value::Value;

/// What to change in each document.
#[derive(Clone, Debug, Default)]
pub struct Update {
    changes: Vec<(String, Piece)>,
}

/// How to push into a list.
#[derive(Clone, Debug, Default)]
pub struct PushOptions {
    /// What to push.
    pub each: Vec<Value>,
    /// Where, from 0; at the end by default.
    pub position: Option<u32>,
    /// How to sort the list afterwards.
    pub sort: Option<PushSort>,
    /// How many elements to keep: the first ones, or with a negative number the last ones.
    pub slice: Option<i32>,
}

/// How to sort a list.
#[derive(Clone, Debug)]
pub enum PushSort {
    /// Plain elements.
    Elements(Order),
    /// Objects, by these of their fields.
    Fields(Vec<(String, Order)>),
}

/// The direction of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The least first.
    Ascending,
    /// The greatest first.
    Descending,
}

/// Which elements to pull out of a list.
#[derive(Clone, Debug)]
pub struct Pulled(Piece);

/// A bitwise operation on an integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bit {
    /// And.
    And(i64),
    /// Or.
    Or(i64),
    /// Exclusive or.
    Xor(i64),
}

impl Order {
    /// 1 or -1.
    pub(crate) fn sign(self) -> Piece {
        Fragment::value(&Value::Int(if self == Order::Ascending { 1 } else { -1 }))
    }

    /// `"asc"` or `"desc"`
    pub(crate) fn word(self) -> Fragment {
        Fragment::string(if self == Order::Ascending { "asc" } else { "desc" })
    }
}

impl<T: Into<Value>> From<T> for Pulled {
    /// Elements equal to a value, or text that matches a pattern.
    fn from(value: T) -> Pulled {
        let value = value.into();
        let literal = Fragment::unencoded(&value);
        let pattern = matches!(value, Value::Regex(_));
        Pulled(if pattern { literal } else { Fragment::call("_.eq", [literal]) })
    }
}

impl From<Filter> for Pulled {
    /// Objects that fulfil it.
    fn from(filter: Filter) -> Pulled {
        Pulled(on_element(filter.into_fields()))
    }
}

impl From<Command> for Pulled {
    /// Plain elements that fulfil it.
    fn from(command: Command) -> Pulled {
        Pulled(on_element(command.into_piece()))
    }
}

fn values<T: Into<Value>>(values: impl IntoIterator<Item = T>) -> Piece {
    Fragment::array(values.into_iter().map(|value| Fragment::value(&value.into())))
}

fn numeric(name: &'static str, value: &Value) -> Piece {
    match value {
        Value::Int(_) | Value::Float(_) => Fragment::value(value),
        _ => Err(BuildError::NotANumber(name)),
    }
}

impl Update {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Update {
        Update::default()
    }

    fn change(mut self, path: impl Into<String>, change: Piece) -> Update {
        self.changes.push((path.into(), change));
        self
    }

    fn call(self, path: impl Into<String>, name: &str, argument: Piece) -> Update {
        self.change(path, Fragment::call(name, [argument]))
    }

    /// Sets a field to a value, whole: an object replaces the one that is there.
    #[must_use]
    pub fn set(self, path: impl Into<String>, value: impl Into<Value>) -> Update {
        let value = value.into();
        let literal = Fragment::value(&value);
        match (&value, literal) {
            // The platform encodes no server date inside of `set`, and sets a bare one and a bare list whole.
            (Value::ServerDate { .. } | Value::Array(_), Ok(literal)) if literal.needs_encoding() => {
                self.change(path, Ok(literal))
            }
            _ => self.call(path, "_.set", Fragment::unencoded(&value)),
        }
    }

    /// Sets a field to the platform's own clock, and so many milliseconds.
    #[must_use]
    pub fn set_server_date(self, path: impl Into<String>, offset_ms: i64) -> Update {
        self.set(path, Value::ServerDate { offset_ms })
    }

    /// Removes a field.
    #[must_use]
    pub fn remove(self, path: impl Into<String>) -> Update {
        self.change(path, Fragment::call("_.remove", []))
    }

    /// Adds a number.
    #[must_use]
    pub fn inc(self, path: impl Into<String>, by: impl Into<Value>) -> Update {
        self.call(path, "_.inc", numeric("inc", &by.into()))
    }

    /// Multiplies by a number.
    #[must_use]
    pub fn mul(self, path: impl Into<String>, by: impl Into<Value>) -> Update {
        self.call(path, "_.mul", numeric("mul", &by.into()))
    }

    /// Sets the field if the value is less than what is there.
    #[must_use]
    pub fn min(self, path: impl Into<String>, value: impl Into<Value>) -> Update {
        self.call(path, "_.min", Fragment::unencoded(&value.into()))
    }

    /// Sets the field if the value is greater than what is there.
    #[must_use]
    pub fn max(self, path: impl Into<String>, value: impl Into<Value>) -> Update {
        self.call(path, "_.max", Fragment::unencoded(&value.into()))
    }

    /// Gives a field another name.
    #[must_use]
    pub fn rename(self, path: impl Into<String>, to: &str) -> Update {
        self.call(path, "_.rename", path::check_changeable(to).map(Fragment::string))
    }

    /// Appends one element to a list, whatever it is.
    #[must_use]
    pub fn push(self, path: impl Into<String>, value: impl Into<Value>) -> Update {
        self.call(path, "_.push", values([value]))
    }

    /// Puts elements into a list.
    #[must_use]
    pub fn push_with(self, path: impl Into<String>, options: PushOptions) -> Update {
        if options.each.is_empty() && options.sort.is_none() && options.slice.is_none() {
            return self.change(path, Err(BuildError::Empty("push")));
        }
        let sort = options.sort.map(|sort| match sort {
            PushSort::Elements(order) => order.sign(),
            PushSort::Fields(fields) => orders(&fields),
        });
        let options = Fragment::options([
            ("each", Some(values(options.each))),
            ("position", options.position.map(|it| Ok(Fragment::count(it)))),
            ("sort", sort),
            ("slice", options.slice.map(|it| Fragment::value(&it.into()))),
        ]);
        self.call(path, "_.push", options)
    }

    /// Removes the last element of a list.
    #[must_use]
    pub fn pop(self, path: impl Into<String>) -> Update {
        self.change(path, Fragment::call("_.pop", []))
    }

    /// Removes the first element of a list.
    #[must_use]
    pub fn shift(self, path: impl Into<String>) -> Update {
        self.change(path, Fragment::call("_.shift", []))
    }

    /// Puts one element at the beginning of a list, whatever it is.
    #[must_use]
    pub fn unshift(self, path: impl Into<String>, value: impl Into<Value>) -> Update {
        self.call(path, "_.unshift", values([value]))
    }

    /// Removes the elements that are equal to a value, or that fulfil a filter or a comparison.
    #[must_use]
    pub fn pull(self, path: impl Into<String>, elements: impl Into<Pulled>) -> Update {
        self.call(path, "_.pull", elements.into().0)
    }

    /// Removes the elements that are equal to one of the values.
    #[must_use]
    pub fn pull_all<T: Into<Value>>(
        self,
        path: impl Into<String>,
        elements: impl IntoIterator<Item = T>,
    ) -> Update {
        let elements = elements.into_iter().map(|element| Fragment::unencoded(&element.into()));
        self.call(path, "_.pullAll", Fragment::array(elements))
    }

    /// Appends an element to a list unless it is in it.
    #[must_use]
    pub fn add_to_set(self, path: impl Into<String>, value: impl Into<Value>) -> Update {
        match value.into() {
            // An object by itself could be taken for options.
            value @ Value::Object(_) => self.add_all_to_set(path, [value]),
            value => self.call(path, "_.addToSet", Fragment::value(&value)),
        }
    }

    /// Appends those elements to a list that are not in it.
    #[must_use]
    pub fn add_all_to_set<T: Into<Value>>(
        self,
        path: impl Into<String>,
        elements: impl IntoIterator<Item = T>,
    ) -> Update {
        self.call(path, "_.addToSet", Fragment::object([("$each", values(elements))]))
    }

    /// Changes the bits of an integer.
    #[must_use]
    pub fn bit(self, path: impl Into<String>, bit: Bit) -> Update {
        let (name, operand) = match bit {
            Bit::And(operand) => ("and", operand),
            Bit::Or(operand) => ("or", operand),
            Bit::Xor(operand) => ("xor", operand),
        };
        self.call(path, "_.bit", Fragment::options([(name, Some(Fragment::value(&operand.into())))]))
    }

    /// `{"path":change}`
    pub(crate) fn into_piece(self) -> Piece {
        if self.changes.is_empty() {
            return Err(BuildError::Empty("update"));
        }
        for (path, _) in &self.changes {
            path::check_changeable(path)?;
        }
        path::check_distinct(self.changes.iter().map(|(path, _)| path.as_str()))?;
        Fragment::object(self.changes)
    }
}

/// `{"a":1,"b":-1}`
pub(crate) fn orders(fields: &[(String, Order)]) -> Piece {
    if fields.is_empty() {
        return Err(BuildError::Empty("sort"));
    }
    for (field, _) in fields {
        path::check(field)?;
    }
    path::check_distinct(fields.iter().map(|(field, _)| field.as_str()))?;
    Fragment::object(fields.iter().map(|(field, order)| (field, order.sign())))
}
