//! GeoJSON: what is valid, what lies within what, what meets what, and how far it is.
//!
//! Longitudes are within ±180, latitudes within ±90; rings are closed, have three different corners at least, none of
//! them twice, and do not cross themselves; holes are inside; nothing is empty.
//! Deliberately absent: other coordinate systems, `$box`, `$polygon` and `$center`.

mod sphere;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

pub(crate) use sphere::{EARTH_RADIUS, Point, angle};
use sphere::{Edge, angle_to_edge, cross, crosses_itself, edges, in_ring, meet, on_edge, pieces};

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
        match value {
            Value::Object(document) => Geometry::stored_document(document, budget),
            Value::Array(_) => Ok(position(value).ok().map(Geometry::point)),
            _ => Ok(None),
        }
    }

    /// The same of a document.
    pub(crate) fn stored_document(document: &Document, budget: &Budget) -> Outcome<Option<Geometry>> {
        let parsed = Geometry::parse_document(document, budget);
        // It may be none because there are no steps left.
        budget.work(1)?;
        Ok(parsed.ok())
    }

    /// Reads GeoJSON, or a pair of longitude and latitude.
    pub(crate) fn parse(value: &Value, budget: &Budget) -> Outcome<Geometry> {
        match value {
            Value::Object(document) => Geometry::parse_document(document, budget),
            Value::Array(_) => Ok(Geometry::point(position(value)?)),
            other => refuse(format!("geometry must be an object: {}", ejson::plain(other))),
        }
    }

    fn parse_document(document: &Document, budget: &Budget) -> Outcome<Geometry> {
        if document.get("type").is_none() {
            return refuse("GeoJSON type must be a string");
        }
        budget.work(Measure::of_document(document).values)?;
        Geometry::from_geo_json(document, budget)
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
    pub(crate) fn is_within(&self, region: &Geometry, budget: &Budget) -> Outcome<bool> {
        let each_in = |holds: &dyn Fn(&Area) -> Outcome<bool>| any(&region.areas, holds);
        let points = self.points.iter();
        Ok(points.into_iter().all(|point| region.areas.iter().any(|area| area.contains(*point)))
            && all(&self.lines, |line| each_in(&|area| area.holds_line(line, budget)))?
            && all(&self.areas, |own| each_in(&|area| area.holds_area(own, budget)))?)
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

    /// Whether all of a line lies in the area. Corners and edges are compared by whoever calls this, who has paid for
    /// that; how often a line touches the rings comes out here.
    fn holds_line(&self, line: &[Point], budget: &Budget) -> Outcome<bool> {
        let has_all = line.iter().all(|corner| self.contains(*corner))
            && !edges(line).any(|own| self.rings().any(|ring| edges(ring).any(|edge| cross(own, edge))));
        if !has_all {
            return Ok(false);
        }
        // Between two places where it touches a ring, an edge may lie outside without crossing anything.
        let corners = self.rings().map(|ring| ring.len() as u64).sum();
        for own in edges(line) {
            let touched = self.rings().flatten().copied().filter(|corner| on_edge(*corner, own)).collect();
            for middle in pieces(own, touched) {
                budget.work(corners)?;
                if !self.contains(middle) {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    fn holds_area(&self, other: &Area, budget: &Budget) -> Outcome<bool> {
        // A hole that lies wholly inside the other area takes a piece out of it.
        let pierced = self.holes.iter().any(|hole| {
            hole.iter().all(|corner| in_ring(*corner, &other.outer))
                && !other.holes.iter().any(|gap| hole.iter().all(|corner| in_ring(*corner, gap)))
        });
        Ok(!pierced && self.holds_line(&other.outer, budget)?)
    }
}

fn any<T>(all: &[T], holds: impl Fn(&T) -> Outcome<bool>) -> Outcome<bool> {
    for one in all {
        if holds(one)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn all<T>(all: &[T], holds: impl Fn(&T) -> Outcome<bool>) -> Outcome<bool> {
    Ok(!any(all, |one| Ok(!holds(one)?))?)
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
    let Some(outer) = rings.next() else { return refuse("Polygon has no loops.") };
    let mut area = Area { outer, holes: Vec::new() };
    let holes: Vec<Line> = rings.collect();
    for hole in &holes {
        budget.work(2 * area.outer.len() as u64 * hole.len() as u64)?;
        if !area.holds_line(hole, budget)? {
            return refuse(
                "Secondary loops not contained by first exterior loop - secondary loops must be holes",
            );
        }
    }
    area.holes = holes;
    Ok(area)
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
    if repeats_corner(&points) {
        return refuse(format!("Loop is not valid, it has duplicate vertices: {}", ejson::plain(value)));
    }
    if crosses_itself(&points, |steps| budget.work(steps))? {
        return refuse(format!("Loop is not valid, its edges cross: {}", ejson::plain(value)));
    }
    Ok(points)
}

/// Whether a ring comes to a corner again, besides its end and points that are written twice in a row.
fn repeats_corner(ring: &[Point]) -> bool {
    let mut known = HashSet::new();
    let mut corners = ring.to_vec();
    corners.dedup_by(|a, b| a.is_at(*b));
    corners.pop();
    !corners.into_iter().all(|corner| known.insert(corner.place()))
}
