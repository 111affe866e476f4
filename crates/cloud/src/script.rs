//! Writing script: the only place where text for the platform's interpreter is made.
//!
//! Invariants: values get into a script by [`Fragment::value`] and [`Fragment::string`] alone, which leave no quote,
//! backslash or line break of a value unescaped; everything else that is written is a constant of this crate.
//! Fragments are written when they are made, so that no depth of nesting can exhaust the stack.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::build_error::BuildError;
use crate::geo::{Geo, LineString, MultiLineString, MultiPoint, MultiPolygon, Point, Polygon};
use crate::value::{DEEPEST, Value, ValueError, check_integer, check_key};

/// A part of a script, and how deeply it is nested.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fragment {
    text: String,
    depth: usize,
    /// Whether a place or a server date is in it that the platform must encode.
    to_encode: bool,
}

/// A part of a script, or the first reason why there is none.
pub(crate) type Piece = Result<Fragment, BuildError>;

impl Fragment {
    /// Text of our own, such as `true`.
    pub(crate) fn bare(text: &'static str) -> Fragment {
        Fragment { text: text.to_owned(), depth: 0, to_encode: false }
    }

    /// A count.
    pub(crate) fn count(count: u32) -> Fragment {
        Fragment { text: count.to_string(), depth: 0, to_encode: false }
    }

    /// A string literal.
    pub(crate) fn string(text: &str) -> Fragment {
        let mut literal = String::with_capacity(text.len() + 2);
        write_string(&mut literal, text);
        Fragment { text: literal, depth: 0, to_encode: false }
    }

    /// A literal.
    pub(crate) fn value(value: &Value) -> Piece {
        let mut text = String::new();
        let depth = write_value(&mut text, value, 0)?;
        Ok(Fragment { text, depth, to_encode: needs_encoding(value) })
    }

    /// A literal for the operands that the platform's own library sends on as they are. There, `new db.Geo.Point(1,2)`
    /// would be stored as an object with the library's own fields: a place is written as GeoJSON, which is equivalent,
    /// and a server date is refused.
    pub(crate) fn unencoded(value: &Value) -> Piece {
        Fragment::value(&encoded(value)?)
    }

    pub(crate) fn needs_encoding(&self) -> bool {
        self.to_encode
    }

    /// `[a,b]`
    pub(crate) fn array(items: impl IntoIterator<Item = Piece>) -> Piece {
        join("[", items.into_iter().map(|item| item.map(|it| (String::new(), it))), "]")
    }

    /// `{"a":b}`, with keys that came from outside and were checked.
    pub(crate) fn object<K: AsRef<str>>(fields: impl IntoIterator<Item = (K, Piece)>) -> Piece {
        let quoted = fields.into_iter().map(|(key, value)| {
            let mut key_text = Fragment::string(key.as_ref()).text;
            key_text.push(':');
            value.map(|it| (key_text, it))
        });
        join("{", quoted, "}")
    }

    /// `{a:b}`, with keys of our own.
    pub(crate) fn options<'a>(fields: impl IntoIterator<Item = (&'a str, Option<Piece>)>) -> Piece {
        let given = fields.into_iter().filter_map(|(key, value)| Some((key, value?)));
        join("{", given.map(|(key, value)| value.map(|it| (format!("{key}:"), it))), "}")
    }

    /// `name(a,b)`
    pub(crate) fn call(name: &str, arguments: impl IntoIterator<Item = Piece>) -> Piece {
        join(&format!("{name}("), arguments.into_iter().map(|it| it.map(|it| (String::new(), it))), ")")
    }

    /// `a.name(..)` after a statement's beginning: a chain is not nested.
    pub(crate) fn then(mut self, name: &str, arguments: impl IntoIterator<Item = Piece>) -> Piece {
        let call = Fragment::call(name, arguments)?;
        self.text.push('.');
        self.text.push_str(&call.text);
        self.depth = self.depth.max(call.depth);
        self.to_encode |= call.to_encode;
        Ok(self)
    }

    pub(crate) fn into_text(self) -> String {
        self.text
    }
}

fn join(
    open: &str,
    items: impl Iterator<Item = Result<(String, Fragment), BuildError>>,
    close: &str,
) -> Piece {
    let mut text = open.to_owned();
    let (mut depth, mut to_encode) = (0, false);
    for (place, item) in items.enumerate() {
        let (key, fragment) = item?;
        if place > 0 {
            text.push(',');
        }
        text.push_str(&key);
        text.push_str(&fragment.text);
        depth = depth.max(fragment.depth);
        to_encode |= fragment.to_encode;
    }
    text.push_str(close);
    let fragment = Fragment { text, depth: depth + 1, to_encode };
    if depth >= DEEPEST { Err(ValueError::TooDeep.into()) } else { Ok(fragment) }
}

/// Asked after the value was written, so its depth is limited.
fn needs_encoding(value: &Value) -> bool {
    match value {
        Value::Geo(_) | Value::ServerDate { .. } => true,
        Value::Array(items) => items.iter().any(needs_encoding),
        Value::Object(fields) => fields.iter().any(|(_, value)| needs_encoding(value)),
        _ => false,
    }
}

/// The value with GeoJSON in the place of places.
fn encoded(value: &Value) -> Result<Value, BuildError> {
    // Looks at the depth first.
    if !Fragment::value(value)?.to_encode {
        return Ok(value.clone());
    }
    match value {
        Value::Geo(geo) => Ok(Value::Object(geo.to_fields()?)),
        Value::ServerDate { .. } => Err(BuildError::ServerDateHere),
        Value::Array(items) => items.iter().map(encoded).collect::<Result<_, _>>().map(Value::Array),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(key, value)| Ok((key.clone(), encoded(value)?)));
            fields.collect::<Result<_, BuildError>>().map(Value::Object)
        }
        other => Ok(other.clone()),
    }
}

/// Writes a literal and says how deeply it is nested below `depth`.
fn write_value(out: &mut String, value: &Value, depth: usize) -> Result<usize, ValueError> {
    if depth > DEEPEST {
        return Err(ValueError::TooDeep);
    }
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(it) => out.push_str(if *it { "true" } else { "false" }),
        Value::Int(it) => {
            check_integer(*it)?;
            out.push_str(&it.to_string());
        }
        Value::Float(it) => write_float(out, *it)?,
        Value::String(it) => write_string(out, it),
        Value::Date(it) => {
            let _ = write!(out, "new Date({})", it.unix_ms());
        }
        Value::Geo(it) => {
            it.check()?;
            write_geo(out, it)?;
        }
        Value::Regex(it) => {
            it.check()?;
            out.push_str("db.RegExp({regexp:");
            write_string(out, &it.pattern);
            out.push_str(",options:");
            write_string(out, &it.options);
            out.push_str("})");
        }
        Value::ServerDate { offset_ms } => {
            check_integer(*offset_ms)?;
            let _ = write!(out, "db.serverDate({{offset:{offset_ms}}})");
        }
        Value::Array(items) => return write_items(out, items, depth),
        Value::Object(fields) => return write_fields(out, fields, depth),
    }
    Ok(0)
}

fn write_items(out: &mut String, items: &[Value], depth: usize) -> Result<usize, ValueError> {
    let mut deepest = 0;
    out.push('[');
    for (place, item) in items.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        deepest = deepest.max(write_value(out, item, depth + 1)?);
    }
    out.push(']');
    Ok(deepest + 1)
}

fn write_fields(out: &mut String, fields: &[(String, Value)], depth: usize) -> Result<usize, ValueError> {
    let (mut deepest, mut keys) = (0, BTreeSet::new());
    out.push('{');
    for (place, (key, value)) in fields.iter().enumerate() {
        check_key(key)?;
        if !keys.insert(key) {
            return Err(ValueError::DuplicateKey(key.clone()));
        }
        if place > 0 {
            out.push(',');
        }
        write_string(out, key);
        out.push(':');
        deepest = deepest.max(write_value(out, value, depth + 1)?);
    }
    out.push('}');
    Ok(deepest + 1)
}

/// Escapes what ends a string, a line or an HTML script, and every control character.
fn write_string(out: &mut String, text: &str) {
    out.push('"');
    let mut after_less_than = false;
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '/' if after_less_than => out.push_str("\\/"),
            '\u{2028}' | '\u{2029}' => write_code(out, c),
            _ if c.is_control() => write_code(out, c),
            _ => out.push(c),
        }
        after_less_than = c == '<';
    }
    out.push('"');
}

fn write_code(out: &mut String, c: char) {
    let _ = write!(out, "\\u{:04x}", u32::from(c));
}

/// The shortest digits that read back as the same double, with an exponent only where JavaScript has one too.
fn write_float(out: &mut String, float: f64) -> Result<(), ValueError> {
    if !float.is_finite() {
        return Err(ValueError::NotFinite);
    }
    let plain = float == 0.0 || (1e-6..1e21).contains(&float.abs());
    let _ = if plain { write!(out, "{float}") } else { write!(out, "{float:e}") };
    Ok(())
}

fn write_geo(out: &mut String, geo: &Geo) -> Result<(), ValueError> {
    match geo {
        Geo::Point(point) => write_point(out, point),
        Geo::LineString(line) => write_line(out, line),
        Geo::Polygon(area) => write_polygon(out, area),
        Geo::MultiPoint(MultiPoint(points)) => write_shape(out, "MultiPoint", points, write_point),
        Geo::MultiLineString(MultiLineString(lines)) => {
            write_shape(out, "MultiLineString", lines, write_line)
        }
        Geo::MultiPolygon(MultiPolygon(areas)) => write_shape(out, "MultiPolygon", areas, write_polygon),
    }
}

fn write_point(out: &mut String, point: &Point) -> Result<(), ValueError> {
    out.push_str("new db.Geo.Point(");
    write_float(out, point.longitude)?;
    out.push(',');
    write_float(out, point.latitude)?;
    out.push(')');
    Ok(())
}

fn write_line(out: &mut String, line: &LineString) -> Result<(), ValueError> {
    write_shape(out, "LineString", &line.0, write_point)
}

fn write_polygon(out: &mut String, area: &Polygon) -> Result<(), ValueError> {
    write_shape(out, "Polygon", &area.0, write_line)
}

fn write_shape<T>(
    out: &mut String,
    name: &str,
    parts: &[T],
    write: fn(&mut String, &T) -> Result<(), ValueError>,
) -> Result<(), ValueError> {
    let _ = write!(out, "new db.Geo.{name}([");
    for (place, part) in parts.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        write(out, part)?;
    }
    out.push_str("])");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Date, Regex};

    fn literal(value: impl Into<Value>) -> String {
        Fragment::value(&value.into()).unwrap().into_text()
    }

    #[test]
    fn values_as_literals() {
        assert_eq!(literal(Value::Null), "null");
        assert_eq!(literal(true), "true");
        assert_eq!(literal(-5), "-5");
        assert_eq!(literal("it's \"tea\""), r#""it's \"tea\"""#);
        assert_eq!(literal(Date::from_unix_ms(-1).unwrap()), "new Date(-1)");
        assert_eq!(literal(Regex::new("^a\"/").with("im")), r#"db.RegExp({regexp:"^a\"/",options:"im"})"#);
        assert_eq!(literal(Value::ServerDate { offset_ms: -60_000 }), "db.serverDate({offset:-60000})");
        assert_eq!(literal([1, 2]), "[1,2]");
        assert_eq!(literal(Value::Object(vec![("a b".into(), 1.into())])), r#"{"a b":1}"#);
    }

    #[test]
    fn floats_as_javascript_writes_them() {
        for (float, text) in [
            (1.5_f64, "1.5"),
            (3.0, "3"),
            (-0.0, "-0"),
            (0.1, "0.1"),
            (1e300, "1e300"),
            (5e-324, "5e-324"),
            (1.25e-7, "1.25e-7"),
        ] {
            assert_eq!(literal(float), text);
            assert_eq!(text.parse::<f64>().unwrap().to_bits(), float.to_bits());
        }
    }

    #[test]
    fn places_as_calls() {
        let corners = [(0.0, 0.0), (3.0, 2.0), (2.0, 3.5), (0.0, 0.0)];
        let ring = LineString(corners.iter().map(|(x, y)| Point::new(*x, *y)).collect());
        assert_eq!(literal(Point::new(113.5, -23.0)), "new db.Geo.Point(113.5,-23)");
        assert_eq!(
            literal(Polygon(vec![ring])),
            "new db.Geo.Polygon([new db.Geo.LineString([new db.Geo.Point(0,0),new db.Geo.Point(3,2),\
             new db.Geo.Point(2,3.5),new db.Geo.Point(0,0)])])"
        );
    }

    #[test]
    fn what_cannot_be_a_literal_is_refused_even_when_made_by_hand() {
        let refused = |value: Value| Fragment::value(&value).unwrap_err();
        assert_eq!(refused(Value::Int(i64::MAX)), ValueError::Integer(i64::MAX.to_string()).into());
        assert_eq!(refused(Value::Float(f64::NAN)), ValueError::NotFinite.into());
        assert_eq!(refused(Point::new(200.0, 0.0).into()), ValueError::Geo.into());
        assert_eq!(refused(Regex::new("a").with("ii").into()), ValueError::RegexOptions("ii".into()).into());
        let twice = vec![("a".to_owned(), Value::Null), ("a".to_owned(), Value::Null)];
        assert_eq!(refused(Value::Object(twice)), ValueError::DuplicateKey("a".into()).into());
        let operator = vec![("$where".to_owned(), Value::Null)];
        assert_eq!(refused(Value::Object(operator)), ValueError::Key("$where".into()).into());
    }
}
