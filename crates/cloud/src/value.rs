//! What a document can hold, and what of it may stand in a script.
//!
//! [`Value::of`] takes anything that serializes. A value that JavaScript or the database would silently change into
//! another one is refused: integers beyond 2^53-1, NaN, keys that would be read as operators.

use serde::ser::{Error as _, SerializeMap, SerializeSeq};
use serde::{Deserialize, Serialize, Serializer};

use crate::date::Date;
use crate::geo::{Geo, LineString, MultiLineString, MultiPoint, MultiPolygon, Point, Polygon};
use crate::value_serializer::ValueSerializer;

/// The greatest integer that a JavaScript number holds exactly.
pub const GREATEST_INTEGER: i64 = 9_007_199_254_740_991;
/// How deeply values, conditions and expressions may be nested.
pub const DEEPEST: usize = 100;

/// A value of the database.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// An integer up to ±[`GREATEST_INTEGER`].
    Int(i64),
    /// Any finite number.
    Float(f64),
    /// Text.
    String(String),
    /// A moment.
    Date(Date),
    /// A place or an area.
    Geo(Geo),
    /// A pattern.
    Regex(Regex),
    /// The moment at which the platform carries the statement out, and so many milliseconds.
    ServerDate {
        /// Milliseconds to add; negative for the past.
        offset_ms: i64,
    },
    /// A list.
    Array(Vec<Value>),
    /// Fields in their order.
    Object(Vec<(String, Value)>),
}

/// A pattern of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Regex {
    /// The pattern.
    pub pattern: String,
    /// Any of `i` (case does not matter), `m` (lines) and `s` (a dot matches line breaks).
    pub options: String,
}

/// A field that the platform fills with its own clock, for documents made of one's own types.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServerDate {
    /// Milliseconds to add; negative for the past.
    pub offset_ms: i64,
}

/// Why a value cannot stand in a script.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ValueError {
    /// The database would take the key for an operator, or JavaScript for the prototype.
    #[error("the key `{0}` would be read as an operator: rename the field")]
    Key(String),
    /// JavaScript would keep only one of them.
    #[error("the key `{0}` stands twice in one object")]
    DuplicateKey(String),
    /// The number would be rounded.
    #[error("the integer {0} is beyond ±(2^53-1), what JavaScript can hold: store it as text")]
    Integer(String),
    /// There is no literal for it.
    #[error("NaN and infinities cannot be stored: use null")]
    NotFinite,
    /// Nobody nests so deeply on purpose.
    #[error("nested deeper than {DEEPEST}")]
    TooDeep,
    /// Not a moment.
    #[error("not a date: milliseconds up to ±8640000000000000, or RFC 3339 with `Z` or an offset")]
    Date,
    /// Not a place or an area.
    #[error(
        "not a place or area: longitude -180 to 180, latitude -90 to 90, lines of two points or more, \
         closed rings of four or more"
    )]
    Geo,
    /// Not options of a pattern.
    #[error("`{0}`: options of a pattern are `i`, `m` and `s`, each at most once")]
    RegexOptions(String),
    /// Bytes, or a map whose keys are not text.
    #[error("{0}")]
    Unsuitable(String),
}

impl Value {
    /// Any value that serializes, looked through to its depth.
    ///
    /// # Errors
    /// Something in it cannot stand in a script.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Value, ValueError> {
        value.serialize(ValueSerializer::top())
    }
}

impl Regex {
    /// A pattern without options.
    #[must_use]
    pub fn new(pattern: impl Into<String>) -> Regex {
        Regex { pattern: pattern.into(), options: String::new() }
    }

    /// With options, such as `i`.
    #[must_use]
    pub fn with(mut self, options: impl Into<String>) -> Regex {
        self.options = options.into();
        self
    }

    pub(crate) fn check(&self) -> Result<(), ValueError> {
        let mut left = vec!['i', 'm', 's'];
        for option in self.options.chars() {
            match left.iter().position(|known| *known == option) {
                Some(place) => drop(left.swap_remove(place)),
                None => return Err(ValueError::RegexOptions(self.options.clone())),
            }
        }
        Ok(())
    }
}

/// Refuses keys that mean something else than a field.
pub(crate) fn check_key(key: &str) -> Result<(), ValueError> {
    if key.starts_with('$') || key == "__proto__" { Err(ValueError::Key(key.to_owned())) } else { Ok(()) }
}

/// Refuses integers that JavaScript would round.
pub(crate) fn check_integer(integer: i64) -> Result<(), ValueError> {
    if (-GREATEST_INTEGER..=GREATEST_INTEGER).contains(&integer) {
        Ok(())
    } else {
        Err(ValueError::Integer(integer.to_string()))
    }
}

/// By way of its shortest digits, so that 1.1 stays 1.1.
pub(crate) fn shortest(float: f32) -> f64 {
    float.to_string().parse().unwrap_or_else(|_| f64::from(float))
}

macro_rules! from {
    ($($from:ty => |$name:ident| $to:expr;)+) => {$(
        impl From<$from> for Value {
            fn from($name: $from) -> Value { $to }
        }
    )+};
}

from! {
    bool => |it| Value::Bool(it);
    i8 => |it| Value::Int(it.into());
    i16 => |it| Value::Int(it.into());
    i32 => |it| Value::Int(it.into());
    i64 => |it| Value::Int(it);
    u8 => |it| Value::Int(it.into());
    u16 => |it| Value::Int(it.into());
    u32 => |it| Value::Int(it.into());
    f32 => |it| Value::Float(shortest(it));
    f64 => |it| Value::Float(it);
    &str => |it| Value::String(it.to_owned());
    String => |it| Value::String(it);
    Date => |it| Value::Date(it);
    Geo => |it| Value::Geo(it);
    Point => |it| Value::Geo(it.into());
    LineString => |it| Value::Geo(it.into());
    Polygon => |it| Value::Geo(it.into());
    MultiPoint => |it| Value::Geo(it.into());
    MultiLineString => |it| Value::Geo(it.into());
    MultiPolygon => |it| Value::Geo(it.into());
    Regex => |it| Value::Regex(it);
    ServerDate => |it| Value::ServerDate { offset_ms: it.offset_ms };
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(items: Vec<T>) -> Value {
        Value::Array(items.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Value>, const N: usize> From<[T; N]> for Value {
    fn from(items: [T; N]) -> Value {
        Value::Array(items.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Value {
        value.map_or(Value::Null, Into::into)
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(it) => serializer.serialize_bool(*it),
            Value::Int(it) => serializer.serialize_i64(*it),
            Value::Float(it) => serializer.serialize_f64(*it),
            Value::String(it) => serializer.serialize_str(it),
            Value::Date(it) => it.serialize(serializer),
            Value::Geo(it) => it.serialize(serializer),
            Value::Regex(it) => it.serialize(serializer),
            Value::ServerDate { offset_ms } => ServerDate { offset_ms: *offset_ms }.serialize(serializer),
            Value::Array(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                items.iter().try_for_each(|item| list.serialize_element(item))?;
                list.end()
            }
            Value::Object(fields) => {
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                fields.iter().try_for_each(|(key, value)| map.serialize_entry(key, value))?;
                map.end()
            }
        }
    }
}

/// `{"$regularExpression":{"pattern":..,"options":..}}`
#[derive(Serialize, Deserialize)]
struct ExtendedRegex {
    #[serde(rename = "$regularExpression")]
    regex: RegexParts,
}

#[derive(Serialize, Deserialize)]
struct RegexParts {
    pattern: String,
    #[serde(default)]
    options: String,
}

/// `{"$date":{"offset":..}}`, as the platform's older clients put it.
#[derive(Serialize, Deserialize)]
struct ExtendedServerDate {
    #[serde(rename = "$date")]
    date: Offset,
}

#[derive(Serialize, Deserialize)]
struct Offset {
    offset: i64,
}

pub(crate) const REGEX_NEWTYPE: &str = "$tokenward::Regex";
pub(crate) const SERVER_DATE_NEWTYPE: &str = "$tokenward::ServerDate";

impl Serialize for Regex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.check().map_err(S::Error::custom)?;
        let regex = RegexParts { pattern: self.pattern.clone(), options: self.options.clone() };
        serializer.serialize_newtype_struct(REGEX_NEWTYPE, &ExtendedRegex { regex })
    }
}

impl<'de> Deserialize<'de> for Regex {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Regex, D::Error> {
        let RegexParts { pattern, options } = ExtendedRegex::deserialize(deserializer)?.regex;
        Ok(Regex { pattern, options })
    }
}

impl Serialize for ServerDate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let extended = ExtendedServerDate { date: Offset { offset: self.offset_ms } };
        serializer.serialize_newtype_struct(SERVER_DATE_NEWTYPE, &extended)
    }
}

impl<'de> Deserialize<'de> for ServerDate {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<ServerDate, D::Error> {
        ExtendedServerDate::deserialize(deserializer).map(|it| ServerDate { offset_ms: it.date.offset })
    }
}
