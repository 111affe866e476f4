//! Values of the cloud database: what MongoDB 3.6 stores, as far as cloud development can express it.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::hash::{BuildHasherDefault, DefaultHasher};

use indexmap::IndexMap;

/// The least double that 64 bits cannot hold.
const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;

/// A value in a document, a query or an expression.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A 32-bit integer.
    Int(i32),
    /// A 64-bit integer.
    Long(i64),
    /// A double.
    Double(f64),
    /// Text.
    String(String),
    /// A moment, in milliseconds since 1970 (UTC).
    Date(i64),
    /// A regular expression: pattern and options.
    Regex(String, String),
    /// An object id.
    ObjectId([u8; 12]),
    /// A list.
    Array(Vec<Value>),
    /// A document. Its fields keep their order.
    Object(Document),
}

/// Fields in their order; no name twice. Each is found by its name however many there are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Document(Fields);

/// The hasher has no state of its own, because every document would hold a copy of it.
type Fields = IndexMap<String, Value, BuildHasherDefault<DefaultHasher>>;

impl PartialEq for Document {
    /// The order of fields counts.
    fn eq(&self, other: &Document) -> bool {
        self.0.len() == other.0.len() && self.0.iter().eq(other.0.iter())
    }
}

impl Document {
    /// Without fields.
    pub(crate) fn new() -> Document {
        Document::default()
    }

    /// The value of a field.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// The value of a field, to be changed.
    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut Value> {
        self.0.get_mut(name)
    }

    /// Sets a field: in its place if it is there, else at the end.
    pub(crate) fn set(&mut self, name: impl Into<String>, value: impl Into<Value>) {
        self.0.insert(name.into(), value.into());
    }

    /// Takes a field out. The others keep their order.
    pub(crate) fn remove(&mut self, name: &str) -> Option<Value> {
        self.0.shift_remove(name)
    }

    /// The fields in their order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// How many fields there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl IntoIterator for Document {
    type Item = (String, Value);
    type IntoIter = indexmap::map::IntoIter<String, Value>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl FromIterator<(String, Value)> for Document {
    /// Of a name that comes twice, the last value counts.
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(fields: I) -> Document {
        Document(fields.into_iter().collect())
    }
}

/// A value, or a reference to one, in MongoDB's order: what is kept in sorted collections.
#[derive(Clone, Debug)]
pub(crate) struct Ordered<V>(pub(crate) V);

impl<V: Borrow<Value>> Ord for Ordered<V> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.borrow().compare(other.0.borrow())
    }
}

impl<V: Borrow<Value>> PartialOrd for Ordered<V> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<V: Borrow<Value>> PartialEq for Ordered<V> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<V: Borrow<Value>> Eq for Ordered<V> {}

impl Value {
    /// A number that came as a double in a script: an integer if it is one, as JavaScript clients send it.
    pub(crate) fn number(number: f64) -> Value {
        const EXACT: f64 = 9_007_199_254_740_992.0;
        if number.fract() != 0.0 || number.abs() > EXACT || (number == 0.0 && number.is_sign_negative()) {
            return Value::Double(number);
        }
        #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
        let whole = number as i64;
        i32::try_from(whole).map_or(Value::Long(whole), Value::Int)
    }

    /// As a double, if it is a number.
    pub(crate) fn as_f64(&self) -> Option<f64> {
        match self {
            Value::Int(number) => Some(f64::from(*number)),
            #[expect(clippy::cast_precision_loss, reason = "as MongoDB converts it")]
            Value::Long(number) => Some(*number as f64),
            Value::Double(number) => Some(*number),
            _ => None,
        }
    }

    /// As a whole number, if it is one.
    pub(crate) fn as_i64(&self) -> Option<i64> {
        match self {
            Value::Int(number) => Some(i64::from(*number)),
            Value::Long(number) => Some(*number),
            #[expect(clippy::cast_possible_truncation, reason = "whole, and checked to fit")]
            Value::Double(number) if number.fract() == 0.0 && (-TWO_TO_63..TWO_TO_63).contains(number) => {
                Some(*number as i64)
            }
            _ => None,
        }
    }

    /// As text, if it is one.
    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// As a document, if it is one.
    pub(crate) fn as_object(&self) -> Option<&Document> {
        match self {
            Value::Object(document) => Some(document),
            _ => None,
        }
    }

    /// As a list, if it is one.
    pub(crate) fn as_array(&self) -> Option<&[Value]> {
        match self {
            Value::Array(items) => Some(items),
            _ => None,
        }
    }

    /// Whether it counts as true in an aggregation expression: everything but `false`, `null` and zero.
    pub(crate) fn is_truthy(&self) -> bool {
        match self {
            Value::Null | Value::Bool(false) => false,
            number if number.as_f64() == Some(0.0) => false,
            _ => true,
        }
    }

    /// The rank of its type in MongoDB's order of types.
    pub(crate) fn rank(&self) -> u8 {
        match self {
            Value::Null => 1,
            Value::Int(_) | Value::Long(_) | Value::Double(_) => 2,
            Value::String(_) => 3,
            Value::Object(_) => 4,
            Value::Array(_) => 5,
            Value::ObjectId(_) => 7,
            Value::Bool(_) => 8,
            Value::Date(_) => 9,
            Value::Regex(..) => 11,
        }
    }

    /// MongoDB's total order: types first, then values. Numbers compare by what they are worth.
    pub(crate) fn compare(&self, other: &Value) -> Ordering {
        match (self, other) {
            (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
            (Value::String(a), Value::String(b)) => a.cmp(b),
            (Value::Date(a), Value::Date(b)) => a.cmp(b),
            (Value::ObjectId(a), Value::ObjectId(b)) => a.cmp(b),
            (Value::Regex(a, x), Value::Regex(b, y)) => (a, x).cmp(&(b, y)),
            (Value::Array(a), Value::Array(b)) => compare_all(a.iter(), b.iter()),
            (Value::Object(a), Value::Object(b)) => compare_documents(a, b),
            (a, b) if a.rank() == 2 && b.rank() == 2 => compare_numbers(a, b),
            (a, b) => a.rank().cmp(&b.rank()),
        }
    }

    /// Whether both are the same to a query: `1` equals `1.0`.
    pub(crate) fn equals(&self, other: &Value) -> bool {
        self.compare(other) == Ordering::Equal
    }
}

/// Integers are compared as such: as doubles, neighbours would be equal to the same third number, which is no order.
fn compare_numbers(a: &Value, b: &Value) -> Ordering {
    let (x, y) = (a.as_f64().unwrap_or(f64::NAN), b.as_f64().unwrap_or(f64::NAN));
    // NaN is less than every number, and equal to itself.
    let as_doubles = || x.partial_cmp(&y).unwrap_or_else(|| y.is_nan().cmp(&x.is_nan()));
    match (a.as_i64(), b.as_i64()) {
        (Some(a), Some(b)) => a.cmp(&b),
        // The largest integers round up to a double that is larger than any of them.
        (Some(_), None) => as_doubles().then(Ordering::Less),
        (None, Some(_)) => as_doubles().then(Ordering::Greater),
        (None, None) => as_doubles(),
    }
}

fn compare_all<'a>(
    mut a: impl Iterator<Item = &'a Value>,
    mut b: impl Iterator<Item = &'a Value>,
) -> Ordering {
    loop {
        match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(x), Some(y)) => match x.compare(y) {
                Ordering::Equal => {}
                other => return other,
            },
        }
    }
}

/// Field by field in their order: type of the value, then its name, then the value.
fn compare_documents(a: &Document, b: &Document) -> Ordering {
    let (mut left, mut right) = (a.iter(), b.iter());
    loop {
        match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some((x, v)), Some((y, w))) => {
                let order = v.rank().cmp(&w.rank()).then_with(|| x.cmp(y)).then_with(|| v.compare(w));
                if order != Ordering::Equal {
                    return order;
                }
            }
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Value {
        Value::Bool(value)
    }
}

impl From<i32> for Value {
    fn from(value: i32) -> Value {
        Value::Int(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Value {
        i32::try_from(value).map_or(Value::Long(value), Value::Int)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Value {
        Value::Double(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Value {
        Value::String(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Value {
        Value::String(value)
    }
}

impl From<Vec<Value>> for Value {
    fn from(value: Vec<Value>) -> Value {
        Value::Array(value)
    }
}

impl From<Document> for Value {
    fn from(value: Document) -> Value {
        Value::Object(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_compare_by_what_they_are_worth() {
        assert!(Value::Int(1).equals(&Value::Double(1.0)));
        assert_eq!(Value::Long(i64::MAX).compare(&Value::Double(1.5)), Ordering::Greater);
        assert_eq!(Value::Double(f64::NAN).compare(&Value::Int(-5)), Ordering::Less);
    }

    #[test]
    fn the_largest_integers_differ_and_are_less_than_the_double_they_round_to() {
        let (largest, next) = (Value::Long(i64::MAX), Value::Long(i64::MAX - 1));
        assert_eq!(next.compare(&largest), Ordering::Less);
        assert_eq!(largest.compare(&Value::Double(TWO_TO_63)), Ordering::Less);
        assert_eq!(Value::Double(TWO_TO_63).compare(&next), Ordering::Greater);
    }

    #[test]
    fn types_have_an_order() {
        let ordered = [
            Value::Null,
            Value::Int(9),
            "a".into(),
            Document::new().into(),
            Value::Array(Vec::new()),
            false.into(),
            Value::Date(0),
        ];
        assert!(ordered.windows(2).all(|pair| pair[0].compare(&pair[1]) == Ordering::Less));
    }

    #[test]
    fn a_script_number_becomes_what_clients_send() {
        assert_eq!(Value::number(1.0), Value::Int(1));
        assert_eq!(Value::number(12_345_678_901.0), Value::Long(12_345_678_901));
        assert_eq!(Value::number(1.5), Value::Double(1.5));
    }

    #[test]
    fn the_order_of_fields_counts() {
        let fields =
            |names: [&str; 2]| names.map(|name| (name.to_owned(), Value::Null)).into_iter().collect();
        let (one, other): (Document, Document) = (fields(["a", "b"]), fields(["b", "a"]));
        assert_ne!(one, other);
    }

    #[test]
    fn a_document_of_many_fields_is_built_at_once() {
        let mut document = Document::new();
        for number in 0..300_000 {
            document.set(number.to_string(), number);
        }
        assert_eq!(document.get("299999"), Some(&Value::Int(299_999)));
    }
}
