//! Any serializable value as a [`Value`].
//!
//! Dates, places, patterns and server dates are known by the private names of their newtypes; to every other
//! serializer they are Extended JSON.

use serde::de::DeserializeOwned;
use serde::ser::{self, Serialize, Serializer};

use crate::value::{
    DEEPEST, REGEX_NEWTYPE, Regex, SERVER_DATE_NEWTYPE, ServerDate, Value, ValueError, check_integer,
    check_key, shortest,
};
use crate::{date, geo};

/// Makes one value at a known depth.
#[derive(Clone, Copy)]
pub(crate) struct ValueSerializer {
    depth: usize,
}

/// A list that is being filled; `variant` names the enum variant around it, if there is one.
pub(crate) struct Items {
    inside: ValueSerializer,
    variant: Option<&'static str>,
    items: Vec<Value>,
}

/// An object that is being filled.
pub(crate) struct Fields {
    inside: ValueSerializer,
    variant: Option<&'static str>,
    key: Option<String>,
    fields: Vec<(String, Value)>,
}

impl ser::Error for ValueError {
    fn custom<T: std::fmt::Display>(message: T) -> ValueError {
        ValueError::Unsuitable(message.to_string())
    }
}

impl ValueSerializer {
    pub(crate) fn top() -> ValueSerializer {
        ValueSerializer { depth: 0 }
    }

    fn deeper(self) -> Result<ValueSerializer, ValueError> {
        let depth = self.depth + 1;
        if depth > DEEPEST { Err(ValueError::TooDeep) } else { Ok(ValueSerializer { depth }) }
    }

    fn items(self, variant: Option<&'static str>) -> Result<Items, ValueError> {
        let outer = if variant.is_some() { self.deeper()? } else { self };
        Ok(Items { inside: outer.deeper()?, variant, items: Vec::new() })
    }

    fn fields(self, variant: Option<&'static str>) -> Result<Fields, ValueError> {
        let outer = if variant.is_some() { self.deeper()? } else { self };
        Ok(Fields { inside: outer.deeper()?, variant, key: None, fields: Vec::new() })
    }
}

/// The typed value behind its Extended JSON.
fn typed<T: DeserializeOwned>(
    value: &(impl Serialize + ?Sized),
    otherwise: ValueError,
) -> Result<T, ValueError> {
    serde_json::to_value(value).and_then(serde_json::from_value).map_err(|_| otherwise)
}

/// A variant with content is an object with one field, as in JSON.
fn in_variant(variant: Option<&'static str>, value: Value) -> Result<Value, ValueError> {
    match variant {
        None => Ok(value),
        Some(name) => {
            check_key(name)?;
            Ok(Value::Object(vec![(name.to_owned(), value)]))
        }
    }
}

macro_rules! integers {
    ($($method:ident $kind:ty)+) => {$(
        fn $method(self, integer: $kind) -> Result<Value, ValueError> {
            let narrow = i64::try_from(integer).map_err(|_| ValueError::Integer(integer.to_string()))?;
            check_integer(narrow)?;
            Ok(Value::Int(narrow))
        }
    )+};
}

impl Serializer for ValueSerializer {
    type Ok = Value;
    type Error = ValueError;
    type SerializeSeq = Items;
    type SerializeTuple = Items;
    type SerializeTupleStruct = Items;
    type SerializeTupleVariant = Items;
    type SerializeMap = Fields;
    type SerializeStruct = Fields;
    type SerializeStructVariant = Fields;

    integers! {
        serialize_i8 i8 serialize_i16 i16 serialize_i32 i32 serialize_i64 i64 serialize_i128 i128
        serialize_u8 u8 serialize_u16 u16 serialize_u32 u32 serialize_u64 u64 serialize_u128 u128
    }

    fn serialize_bool(self, it: bool) -> Result<Value, ValueError> {
        Ok(Value::Bool(it))
    }

    fn serialize_f32(self, it: f32) -> Result<Value, ValueError> {
        self.serialize_f64(shortest(it))
    }

    fn serialize_f64(self, it: f64) -> Result<Value, ValueError> {
        if it.is_finite() { Ok(Value::Float(it)) } else { Err(ValueError::NotFinite) }
    }

    fn serialize_char(self, it: char) -> Result<Value, ValueError> {
        Ok(Value::String(it.into()))
    }

    fn serialize_str(self, it: &str) -> Result<Value, ValueError> {
        Ok(Value::String(it.to_owned()))
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<Value, ValueError> {
        Err(ValueError::Unsuitable("bytes cannot be stored: encode them as text".to_owned()))
    }

    fn serialize_none(self) -> Result<Value, ValueError> {
        Ok(Value::Null)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, it: &T) -> Result<Value, ValueError> {
        it.serialize(self)
    }

    fn serialize_unit(self) -> Result<Value, ValueError> {
        Ok(Value::Null)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Value, ValueError> {
        Ok(Value::Null)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<Value, ValueError> {
        Ok(Value::String(variant.to_owned()))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        it: &T,
    ) -> Result<Value, ValueError> {
        match name {
            date::NEWTYPE => typed(it, ValueError::Date).map(Value::Date),
            geo::NEWTYPE => {
                let geo: geo::Geo = typed(it, ValueError::Geo)?;
                geo.check().map(|()| Value::Geo(geo))
            }
            REGEX_NEWTYPE => {
                let regex: Regex = typed(it, ValueError::RegexOptions(String::new()))?;
                regex.check().map(|()| Value::Regex(regex))
            }
            SERVER_DATE_NEWTYPE => {
                let ServerDate { offset_ms } = typed(it, ValueError::Date)?;
                check_integer(offset_ms).map(|()| Value::ServerDate { offset_ms })
            }
            _ => it.serialize(self),
        }
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        it: &T,
    ) -> Result<Value, ValueError> {
        in_variant(Some(variant), it.serialize(self.deeper()?)?)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Items, ValueError> {
        self.items(None)
    }

    fn serialize_tuple(self, _: usize) -> Result<Items, ValueError> {
        self.items(None)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Items, ValueError> {
        self.items(None)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Items, ValueError> {
        self.items(Some(variant))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Fields, ValueError> {
        self.fields(None)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Fields, ValueError> {
        self.fields(None)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Fields, ValueError> {
        self.fields(Some(variant))
    }
}

impl Items {
    fn push<T: Serialize + ?Sized>(&mut self, it: &T) -> Result<(), ValueError> {
        self.items.push(it.serialize(self.inside)?);
        Ok(())
    }
}

impl Fields {
    fn push<T: Serialize + ?Sized>(&mut self, key: String, it: &T) -> Result<(), ValueError> {
        check_key(&key)?;
        self.fields.push((key, it.serialize(self.inside)?));
        Ok(())
    }
}

macro_rules! sequences {
    ($($kind:ident $method:ident)+) => {$(
        impl ser::$kind for Items {
            type Ok = Value;
            type Error = ValueError;

            fn $method<T: Serialize + ?Sized>(&mut self, it: &T) -> Result<(), ValueError> { self.push(it) }

            fn end(self) -> Result<Value, ValueError> { in_variant(self.variant, Value::Array(self.items)) }
        }
    )+};
}

sequences! {
    SerializeSeq serialize_element
    SerializeTuple serialize_element
    SerializeTupleStruct serialize_field
    SerializeTupleVariant serialize_field
}

macro_rules! structures {
    ($($kind:ident)+) => {$(
        impl ser::$kind for Fields {
            type Ok = Value;
            type Error = ValueError;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                it: &T,
            ) -> Result<(), ValueError> {
                self.push(key.to_owned(), it)
            }

            fn end(self) -> Result<Value, ValueError> { in_variant(self.variant, Value::Object(self.fields)) }
        }
    )+};
}

structures! { SerializeStruct SerializeStructVariant }

impl ser::SerializeMap for Fields {
    type Ok = Value;
    type Error = ValueError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), ValueError> {
        self.key = match key.serialize(self.inside)? {
            Value::String(text) => Some(text),
            Value::Int(integer) => Some(integer.to_string()),
            _ => return Err(ValueError::Unsuitable("a key must be text".to_owned())),
        };
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, it: &T) -> Result<(), ValueError> {
        let key = self.key.take().unwrap_or_default();
        self.push(key, it)
    }

    fn end(self) -> Result<Value, ValueError> {
        Ok(Value::Object(self.fields))
    }
}

#[cfg(test)]
mod tests {
    use serde::Serialize;

    use super::*;
    use crate::{Date, Point};

    #[derive(Serialize)]
    struct Order {
        title: &'static str,
        paid_at: Date,
        place: Option<Point>,
        made: ServerDate,
        pattern: Regex,
    }

    #[test]
    fn typed_values_inside_ones_own_types_stay_typed() {
        let order = Order {
            title: "tea",
            paid_at: Date::from_unix_ms(5).unwrap(),
            place: Some(Point::new(1.0, 2.0)),
            made: ServerDate::default(),
            pattern: Regex::new("^a").with("i"),
        };
        let Value::Object(fields) = Value::of(&order).unwrap() else { panic!("an object") };
        let values: Vec<_> = fields.into_iter().map(|(_, value)| value).collect();
        assert_eq!(
            values,
            [
                "tea".into(),
                Date::from_unix_ms(5).unwrap().into(),
                Point::new(1.0, 2.0).into(),
                Value::ServerDate { offset_ms: 0 },
                Regex::new("^a").with("i").into(),
            ]
        );
    }

    #[test]
    fn a_value_of_a_value_is_itself() {
        let value = Value::Object(vec![("a".into(), vec![Value::Null, 1.5.into(), true.into()].into())]);
        assert_eq!(Value::of(&value).unwrap(), value);
    }

    #[test]
    fn what_would_be_changed_on_the_way_is_refused() {
        let refused = |value: serde_json::Value| Value::of(&value).unwrap_err();
        assert_eq!(refused(serde_json::json!({"$gt": 1})), ValueError::Key("$gt".into()));
        assert_eq!(refused(serde_json::json!([{"__proto__": 1}])), ValueError::Key("__proto__".into()));
        assert!(matches!(refused(serde_json::json!(9_007_199_254_740_992_i64)), ValueError::Integer(_)));
        assert!(matches!(refused(serde_json::json!(u64::MAX)), ValueError::Integer(_)));
        assert_eq!(Value::of(&f64::NAN), Err(ValueError::NotFinite));
        assert_eq!(Value::of(&f32::INFINITY), Err(ValueError::NotFinite));
        assert_eq!(Value::of(&9_007_199_254_740_991_i64), Ok(Value::Int(9_007_199_254_740_991)));
        assert_eq!(Value::of(&1.1_f32), Ok(Value::Float(1.1)));
    }

    #[test]
    fn depth_is_limited() {
        let nested = |depth| (0..depth).fold(serde_json::json!(1), |inner, _| serde_json::json!([inner]));
        assert!(Value::of(&nested(100)).is_ok());
        assert_eq!(Value::of(&nested(101)), Err(ValueError::TooDeep));
    }
}
