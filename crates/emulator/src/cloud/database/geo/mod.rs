//! GeoJSON: what is valid, what lies within what, what meets what, and how far it is.
//!
//! Longitudes are within ±180, latitudes within ±90; rings are closed, have three different corners at least and do not
//! cross themselves; nothing is empty.
//! Deliberately absent: other coordinate systems, `$box`, `$polygon` and `$center`.

mod sphere;

pub(crate) use sphere::{EARTH_RADIUS, Point, angle};
use sphere::{Edge, angle_to_edge, cross, crosses_itself, edges, in_ring, meet, middle, on_edge};

use super::budget::Budget;
use super::error::{DatabaseError, Outcome, refuse};
use crate::cloud::ejson;
use crate::cloud::measure::Measure;
use crate::cloud::value::{Document, Value};

type Line = Vec<Point>;

/// A ring around an area, and rings around what is not part of it.
#[derive(Clone, Debug, PartialEq)]
struct Area {
    outer: Line,
    holes: Vec<Line>,
}

/// A geometry, taken apart: whatever its type, it is points, lines and areas.
#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) struct Geometry {
    points: Vec<Point>,
    lines: Vec<Line>,
    areas: Vec<Area>,
}

impl Geometry {
    /// One point.
    pub(crate) fn point(point: Point) -> Geometry {
        Geometry { points: vec![point], ..Geometry::default() }
    }

    /// Reads what is stored: `None` if it is no geometry.
    pub(crate) fn stored(value: &Value, budget: &Budget) -> Outcome<Option<Geometry>> {
        if !matches!(value, Value::Object(_) | Value::Array(_)) {
            return Ok(None);
        }
        let parsed = Geometry::parse(value, budget);
        // It may be none because there are no steps left.
        budget.work(1)?;
        Ok(parsed.ok())
    }

    /// Reads GeoJSON, or a pair of longitude and latitude.
    pub(crate) fn parse(value: &Value, budget: &Budget) -> Outcome<Geometry> {
        match value {
            Value::Object(document) if document.get("type").is_some() => {
                budget.work(Measure::of_document(document).values)?;
                Geometry::from_geo_json(document, budget)
            }
            Value::Object(_) => refuse("GeoJSON type must be a string"),
            Value::Array(_) => Ok(Geometry::point(position(value)?)),
            other => refuse(format!("geometry must be an object: {}", ejson::plain(other))),
        }
    }

    fn from_geo_json(document: &Document, budget: &Budget) -> Outcome<Geometry> {
        let mut geometry = Geometry::default();
        let Some(kind) = document.get("type").and_then(Value::as_str) else {
            return refuse("GeoJSON type must be a string");
        };
        if kind == "GeometryCollection" {
            let members = list(document.get("geometries"), "GeometryCollection geometries must be an array")?;
            check_some(kind, members)?;
            for member in members {
                let Value::Object(member) = member else {
                    return refuse("GeometryCollection geometries must be objects");
                };
                let member = Geometry::from_geo_json(member, budget)?;
                geometry.points.extend(member.points);
                geometry.lines.extend(member.lines);
                geometry.areas.extend(member.areas);
            }
            return Ok(geometry);
        }
        let Some(coordinates) = document.get("coordinates") else {
            return refuse("GeoJSON coordinates must be an array");
        };
        let many = || {
            let parts = list(Some(coordinates), "GeoJSON coordinates must be an array")?;
            check_some(kind, parts).map(|()| parts)
        };
        let area = |rings: &Value| area(rings, budget);
        match kind {
            "Point" => geometry.points.push(position(coordinates)?),
            "MultiPoint" => geometry.points = many()?.iter().map(position).collect::<Outcome<_>>()?,
            "LineString" => geometry.lines.push(line(coordinates)?),
            "MultiLineString" => geometry.lines = many()?.iter().map(line).collect::<Outcome<_>>()?,
            "Polygon" => geometry.areas.push(area(coordinates)?),
            "MultiPolygon" => geometry.areas = many()?.iter().map(area).collect::<Outcome<_>>()?,
            other => return refuse(format!("unknown GeoJSON type: {other}")),
        }
        Ok(geometry)
    }

    /// The point, if this is one and nothing else.
    pub(crate) fn as_point(&self) -> Option<Point> {
        match (self.points.as_slice(), self.lines.is_empty() && self.areas.is_empty()) {
            ([point], true) => Some(*point),
            _ => None,
        }
    }

    /// How many corners there are, and one.
    pub(crate) fn size(&self) -> u64 {
        self.corners().count() as u64 + 1
    }

    /// How many pairs of corners there are with those of another, four times: how much work it is to find out how the
    /// two lie to each other.
    pub(crate) fn pairs(&self, other: &Geometry) -> u64 {
        self.size().saturating_mul(other.size()).saturating_mul(4)
    }

    /// Whether there are areas in it, so that something can lie within.
    pub(crate) fn has_area(&self) -> bool {
        !self.areas.is_empty()
    }

    /// Whether this geometry and another have a point in common.
    pub(crate) fn intersects(&self, other: &Geometry) -> bool {
        let covers = |one: &Geometry, two: &Geometry| {
            two.corners().any(|corner| one.areas.iter().any(|area| area.contains(corner)))
                || two.points.iter().any(|point| one.edges().any(|edge| on_edge(*point, edge)))
                || one.points.iter().any(|a| two.points.iter().any(|b| a.is_at(*b)))
        };
        covers(self, other)
            || covers(other, self)
            || self.edges().any(|first| other.edges().any(|second| meet(first, second)))
    }

    /// Whether all of this geometry lies within the areas of another.
    pub(crate) fn is_within(&self, region: &Geometry) -> bool {
        let inside = |points: &[Point]| region.areas.iter().any(|area| area.holds_line(points));
        self.points.iter().all(|point| region.areas.iter().any(|area| area.contains(*point)))
            && self.lines.iter().all(|line| inside(line))
            && self.areas.iter().all(|own| region.areas.iter().any(|area| area.holds_area(own)))
    }

    /// Whether all of this geometry lies within an angle around a point.
    pub(crate) fn is_within_cap(&self, centre: Point, radius: f64) -> bool {
        self.corners().all(|corner| angle(centre, corner) <= radius)
    }

    /// The angle from a point to the nearest point of this geometry.
    pub(crate) fn angle_from(&self, from: Point) -> f64 {
        if self.areas.iter().any(|area| area.contains(from)) {
            return 0.0;
        }
        let to_points = self.points.iter().map(|point| angle(from, *point));
        to_points.chain(self.edges().map(|edge| angle_to_edge(from, edge))).fold(f64::INFINITY, f64::min)
    }

    fn all_lines(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().chain(self.areas.iter().flat_map(Area::rings))
    }

    fn edges(&self) -> impl Iterator<Item = Edge> {
        self.all_lines().flat_map(|line| edges(line))
    }

    fn corners(&self) -> impl Iterator<Item = Point> {
        self.points.iter().chain(self.all_lines().flatten()).copied()
    }
}

impl Area {
    fn rings(&self) -> impl Iterator<Item = &Line> {
        std::iter::once(&self.outer).chain(&self.holes)
    }

    /// Whether a point lies in the area. The edge of a hole belongs to the area.
    fn contains(&self, point: Point) -> bool {
        in_ring(point, &self.outer) && !self.holes.iter().any(|hole| strictly_inside(point, hole))
    }

    fn holds_line(&self, line: &[Point]) -> bool {
        // An edge between corners of a ring may lie outside without crossing anything.
        line.iter().all(|corner| self.contains(*corner))
            && edges(line).all(|own| self.contains(middle(own)))
            && !edges(line).any(|own| self.rings().any(|ring| edges(ring).any(|edge| cross(own, edge))))
    }

    fn holds_area(&self, other: &Area) -> bool {
        // A hole that lies wholly inside the other area takes a piece out of it.
        let pierced = self.holes.iter().any(|hole| {
            hole.iter().all(|corner| in_ring(*corner, &other.outer))
                && !other.holes.iter().any(|gap| hole.iter().all(|corner| in_ring(*corner, gap)))
        });
        self.holds_line(&other.outer) && !pierced
    }
}

fn strictly_inside(point: Point, ring: &[Point]) -> bool {
    in_ring(point, ring) && !edges(ring).any(|edge| on_edge(point, edge))
}

fn list<'a>(value: Option<&'a Value>, otherwise: &str) -> Outcome<&'a [Value]> {
    value.and_then(Value::as_array).ok_or_else(|| DatabaseError::new(otherwise))
}

fn check_some(kind: &str, parts: &[Value]) -> Outcome<()> {
    if parts.is_empty() { refuse(format!("{kind} must have at least 1 element")) } else { Ok(()) }
}

fn position(value: &Value) -> Outcome<Point> {
    let numbers = value.as_array().unwrap_or_default();
    let (Some(lng), Some(lat)) =
        (numbers.first().and_then(Value::as_f64), numbers.get(1).and_then(Value::as_f64))
    else {
        return refuse("Point must be an array or object of two numbers");
    };
    if !(-180.0..=180.0).contains(&lng) || !(-90.0..=90.0).contains(&lat) {
        return refuse(format!("longitude/latitude is out of bounds, lng: {lng} lat: {lat}"));
    }
    Ok(Point::new(lng, lat))
}

fn positions(value: &Value) -> Outcome<Line> {
    let points = list(Some(value), "GeoJSON coordinates must be an array of coordinates")?;
    points.iter().map(position).collect()
}

fn line(value: &Value) -> Outcome<Line> {
    let points = positions(value)?;
    let mut different = points.clone();
    different.dedup();
    if different.len() < 2 {
        return refuse("GeoJSON LineString must have at least 2 vertices");
    }
    Ok(points)
}

fn area(value: &Value, budget: &Budget) -> Outcome<Area> {
    let rings = list(Some(value), "Polygon coordinates must be an array")?;
    let mut rings =
        rings.iter().map(|value| ring(value, budget)).collect::<Outcome<Vec<Line>>>()?.into_iter();
    match rings.next() {
        Some(outer) => Ok(Area { outer, holes: rings.collect() }),
        None => refuse("Polygon has no loops."),
    }
}

fn ring(value: &Value, budget: &Budget) -> Outcome<Line> {
    let points = positions(value)?;
    if points.first() != points.last() || points.is_empty() {
        return refuse(format!("Loop is not closed: {}", ejson::plain(value)));
    }
    let mut different: Line = Vec::new();
    for point in &points {
        if different.len() < 3 && !different.contains(point) {
            different.push(*point);
        }
    }
    if different.len() < 3 {
        return refuse(format!("Loop must have at least 3 different vertices: {}", ejson::plain(value)));
    }
    if crosses_itself(&points, |steps| budget.work(steps))? {
        return refuse(format!("Loop is not valid, its edges cross: {}", ejson::plain(value)));
    }
    Ok(points)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::super::testing::value;
    use super::*;

    fn geometry(kind: &str, coordinates: Json) -> Geometry {
        Geometry::parse(&value(json!({"type": kind, "coordinates": coordinates})), &Budget::default())
            .unwrap()
    }

    fn refused(kind: &str, coordinates: Json) -> String {
        let geometry = value(json!({"type": kind, "coordinates": coordinates}));
        Geometry::parse(&geometry, &Budget::default()).unwrap_err().to_string()
    }

    fn with_hole() -> Geometry {
        geometry(
            "Polygon",
            json!([[[0, 0], [10, 0], [10, 10], [0, 10], [0, 0]], [[4, 4], [6, 4], [6, 6], [4, 6], [4, 4]]]),
        )
    }

    #[test]
    fn coordinates_have_bounds() {
        assert_eq!(refused("Point", json!([181, 0])), "longitude/latitude is out of bounds, lng: 181 lat: 0");
    }

    #[test]
    fn rings_are_closed() {
        assert!(refused("Polygon", json!([[[0, 0], [1, 0], [1, 1]]])).starts_with("Loop is not closed"));
    }

    #[test]
    fn rings_have_three_corners() {
        let message = refused("Polygon", json!([[[0, 0], [1, 0], [0, 0]]]));
        assert!(message.starts_with("Loop must have at least 3 different vertices"), "{message}");
    }

    #[test]
    fn an_unknown_type_is_refused() {
        assert_eq!(refused("Circle", json!([0, 0])), "unknown GeoJSON type: Circle");
    }

    #[test]
    fn a_hole_is_not_inside() {
        assert!(geometry("Point", json!([2, 2])).is_within(&with_hole()));
        assert!(!geometry("Point", json!([5, 5])).is_within(&with_hole()));
    }

    #[test]
    fn a_line_over_a_hole_is_not_within() {
        assert!(geometry("LineString", json!([[1, 1], [1, 9]])).is_within(&with_hole()));
        assert!(!geometry("LineString", json!([[1, 5], [9, 5]])).is_within(&with_hole()));
    }

    #[test]
    fn a_polygon_lies_within_another() {
        let small = geometry("Polygon", json!([[[1, 1], [2, 1], [2, 2], [1, 1]]]));
        assert!(small.is_within(&with_hole()) && !with_hole().is_within(&small));
    }

    #[test]
    fn a_line_meets_a_polygon() {
        assert!(geometry("LineString", json!([[-1, 5], [1, 5]])).intersects(&with_hole()));
        assert!(!geometry("LineString", json!([[-2, 5], [-1, 5]])).intersects(&with_hole()));
    }

    #[test]
    fn polygons_meet_when_one_holds_the_other() {
        let small = geometry("MultiPolygon", json!([[[[1, 1], [2, 1], [2, 2], [1, 1]]]]));
        assert!(with_hole().intersects(&small) && small.intersects(&with_hole()));
    }

    #[test]
    fn a_point_meets_a_line_it_lies_on() {
        let line = geometry("MultiLineString", json!([[[0, 0], [4, 0]]]));
        assert!(geometry("MultiPoint", json!([[2, 0], [9, 9]])).intersects(&line));
        assert!(!geometry("Point", json!([2, 1])).intersects(&line));
    }

    #[test]
    fn the_distance_to_a_polygon_is_nothing_inside() {
        assert!(with_hole().angle_from(Point::new(1.0, 1.0)) == 0.0);
    }

    #[test]
    fn nothing_is_empty() {
        for kind in ["MultiPoint", "MultiLineString", "MultiPolygon"] {
            assert_eq!(refused(kind, json!([])), format!("{kind} must have at least 1 element"));
        }
        let collection = value(json!({"type": "GeometryCollection", "geometries": []}));
        assert!(Geometry::parse(&collection, &Budget::default()).is_err());
    }

    #[test]
    fn edges_of_a_ring_do_not_cross() {
        let bow_tie = json!([[[0, 0], [2, 2], [2, 0], [0, 2], [0, 0]]]);
        assert!(refused("Polygon", bow_tie).starts_with("Loop is not valid, its edges cross"));
        // A comb, whose edges are near each other.
        let teeth = (0..20).flat_map(|at| [json!([at, 1]), json!([f64::from(at) + 0.5, 9])]);
        let corners: Vec<Json> = teeth.chain([json!([20, 0]), json!([0, 0]), json!([0, 1])]).collect();
        geometry("Polygon", json!([corners]));
    }

    fn u_shape() -> Geometry {
        let ring = json!([[0, 0], [9, 0], [9, 9], [6, 9], [6, 3], [3, 3], [3, 9], [0, 9], [0, 0]]);
        geometry("Polygon", json!([ring]))
    }

    #[test]
    fn what_lies_in_a_notch_is_not_within() {
        let filling = geometry("Polygon", json!([[[3, 3], [6, 3], [6, 9], [3, 9], [3, 3]]]));
        assert!(!filling.is_within(&u_shape()));
        assert!(!geometry("LineString", json!([[3, 9], [6, 9]])).is_within(&u_shape()));
    }

    #[test]
    fn what_lies_along_the_edge_is_within() {
        assert!(geometry("LineString", json!([[3, 9], [3, 3], [6, 3], [6, 9]])).is_within(&u_shape()));
        assert!(u_shape().is_within(&u_shape()));
    }

    #[test]
    fn the_date_line_is_one_line() {
        assert!(geometry("Point", json!([180, 0])).intersects(&geometry("Point", json!([-180, 0]))));
        assert!(!geometry("Point", json!([180, 0])).intersects(&geometry("Point", json!([179.9999, 0]))));
    }
}
