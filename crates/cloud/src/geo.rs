//! Places and areas, as the database indexes them: longitude first, in degrees.
//!
//! Everywhere outside scripts they are GeoJSON. Their fields are open, so whether they are sound is looked at when
//! they are written into a script.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::value::{Value, ValueError};

/// How the types here make themselves known to [`Value::of`](crate::Value::of).
pub(crate) const NEWTYPE: &str = "$tokenward::Geo";

/// A place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// East of Greenwich, -180 to 180.
    pub longitude: f64,
    /// North of the equator, -90 to 90.
    pub latitude: f64,
}

/// Two or more points.
#[derive(Clone, Debug, PartialEq)]
pub struct LineString(pub Vec<Point>);

/// Rings, the outer one first. A ring ends where it begins, so it has four points or more.
#[derive(Clone, Debug, PartialEq)]
pub struct Polygon(pub Vec<LineString>);

/// Several places.
#[derive(Clone, Debug, PartialEq)]
pub struct MultiPoint(pub Vec<Point>);

/// Several lines.
#[derive(Clone, Debug, PartialEq)]
pub struct MultiLineString(pub Vec<LineString>);

/// Several areas.
#[derive(Clone, Debug, PartialEq)]
pub struct MultiPolygon(pub Vec<Polygon>);

/// Any of them.
#[derive(Clone, Debug, PartialEq)]
pub enum Geo {
    /// A place.
    Point(Point),
    /// A line.
    LineString(LineString),
    /// An area.
    Polygon(Polygon),
    /// Several places.
    MultiPoint(MultiPoint),
    /// Several lines.
    MultiLineString(MultiLineString),
    /// Several areas.
    MultiPolygon(MultiPolygon),
}

type Position = [f64; 2];

/// The form on the wire.
#[derive(Serialize, Deserialize)]
#[serde(tag = "type", content = "coordinates")]
enum GeoJson {
    Point(Position),
    LineString(Vec<Position>),
    Polygon(Vec<Vec<Position>>),
    MultiPoint(Vec<Position>),
    MultiLineString(Vec<Vec<Position>>),
    MultiPolygon(Vec<Vec<Vec<Position>>>),
}

impl Point {
    /// A place, longitude first.
    #[must_use]
    pub fn new(longitude: f64, latitude: f64) -> Point {
        Point { longitude, latitude }
    }

    fn is_sound(&self) -> bool {
        (-180.0..=180.0).contains(&self.longitude) && (-90.0..=90.0).contains(&self.latitude)
    }

    fn position(&self) -> Position {
        [self.longitude, self.latitude]
    }
}

impl LineString {
    fn is_sound(&self) -> bool {
        self.0.len() >= 2 && self.0.iter().all(Point::is_sound)
    }

    fn is_ring(&self) -> bool {
        self.0.len() >= 4 && self.is_sound() && self.0.first() == self.0.last()
    }

    fn positions(&self) -> Vec<Position> {
        self.0.iter().map(Point::position).collect()
    }
}

impl Polygon {
    fn is_sound(&self) -> bool {
        !self.0.is_empty() && self.0.iter().all(LineString::is_ring)
    }

    fn positions(&self) -> Vec<Vec<Position>> {
        self.0.iter().map(LineString::positions).collect()
    }
}

impl Geo {
    /// Whether the platform would take it.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn check(&self) -> Result<(), ValueError> {
        let sound = match self {
            Geo::Point(point) => point.is_sound(),
            Geo::LineString(line) => line.is_sound(),
            Geo::Polygon(area) => area.is_sound(),
            Geo::MultiPoint(MultiPoint(points)) => !points.is_empty() && points.iter().all(Point::is_sound),
            Geo::MultiLineString(MultiLineString(lines)) => {
                !lines.is_empty() && lines.iter().all(LineString::is_sound)
            }
            Geo::MultiPolygon(MultiPolygon(areas)) => {
                !areas.is_empty() && areas.iter().all(Polygon::is_sound)
            }
        };
        if sound { Ok(()) } else { Err(ValueError::Geo) }
    }

    /// As GeoJSON.
    pub(crate) fn to_fields(&self) -> Result<Vec<(String, Value)>, ValueError> {
        match Value::of(&self.json())? {
            Value::Object(fields) => Ok(fields),
            _ => Err(ValueError::Geo),
        }
    }

    fn json(&self) -> GeoJson {
        match self {
            Geo::Point(point) => GeoJson::Point(point.position()),
            Geo::LineString(line) => GeoJson::LineString(line.positions()),
            Geo::Polygon(area) => GeoJson::Polygon(area.positions()),
            Geo::MultiPoint(MultiPoint(points)) => {
                GeoJson::MultiPoint(points.iter().map(Point::position).collect())
            }
            Geo::MultiLineString(MultiLineString(lines)) => {
                GeoJson::MultiLineString(lines.iter().map(LineString::positions).collect())
            }
            Geo::MultiPolygon(MultiPolygon(areas)) => {
                GeoJson::MultiPolygon(areas.iter().map(Polygon::positions).collect())
            }
        }
    }
}

fn point([longitude, latitude]: Position) -> Point {
    Point { longitude, latitude }
}

fn points(positions: Vec<Position>) -> Vec<Point> {
    positions.into_iter().map(point).collect()
}

fn lines(lines: Vec<Vec<Position>>) -> Vec<LineString> {
    lines.into_iter().map(|line| LineString(points(line))).collect()
}

impl From<GeoJson> for Geo {
    fn from(json: GeoJson) -> Geo {
        match json {
            GeoJson::Point(position) => Geo::Point(point(position)),
            GeoJson::LineString(line) => Geo::LineString(LineString(points(line))),
            GeoJson::Polygon(rings) => Geo::Polygon(Polygon(lines(rings))),
            GeoJson::MultiPoint(many) => Geo::MultiPoint(MultiPoint(points(many))),
            GeoJson::MultiLineString(many) => Geo::MultiLineString(MultiLineString(lines(many))),
            GeoJson::MultiPolygon(many) => {
                Geo::MultiPolygon(MultiPolygon(many.into_iter().map(|rings| Polygon(lines(rings))).collect()))
            }
        }
    }
}

impl Serialize for Geo {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(NEWTYPE, &self.json())
    }
}

impl<'de> Deserialize<'de> for Geo {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Geo, D::Error> {
        GeoJson::deserialize(deserializer).map(Geo::from)
    }
}

macro_rules! alone {
    ($($name:ident)+) => {$(
        impl From<$name> for Geo {
            fn from(geo: $name) -> Geo { Geo::$name(geo) }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                Geo::$name(self.clone()).serialize(serializer)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<$name, D::Error> {
                match Geo::deserialize(deserializer)? {
                    Geo::$name(geo) => Ok(geo),
                    _ => Err(de::Error::custom(concat!("another shape than ", stringify!($name)))),
                }
            }
        }
    )+};
}

alone! { Point LineString Polygon MultiPoint MultiLineString MultiPolygon }

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outside_scripts_it_is_geojson() {
        let point = Point::new(113.5, 23.0);
        let json = serde_json::to_string(&point).unwrap();
        assert_eq!(json, r#"{"type":"Point","coordinates":[113.5,23.0]}"#);
        assert_eq!(serde_json::from_str::<Point>(&json).unwrap(), point);
        assert!(serde_json::from_str::<LineString>(&json).is_err());
    }

    #[test]
    fn an_open_ring_is_no_area() {
        let corner = |x: f64, y: f64| Point::new(x, y);
        let open = vec![corner(0.0, 0.0), corner(3.0, 2.0), corner(2.0, 3.0), corner(1.0, 1.0)];
        let mut closed = open.clone();
        closed.push(corner(0.0, 0.0));
        assert!(Geo::from(Polygon(vec![LineString(open)])).check().is_err());
        assert!(Geo::from(Polygon(vec![LineString(closed)])).check().is_ok());
    }

    #[test]
    fn places_off_the_globe_are_refused() {
        assert!(Geo::from(Point::new(181.0, 0.0)).check().is_err());
        assert!(Geo::from(Point::new(0.0, f64::NAN)).check().is_err());
        assert!(Geo::from(LineString(vec![Point::new(0.0, 0.0)])).check().is_err());
    }
}
