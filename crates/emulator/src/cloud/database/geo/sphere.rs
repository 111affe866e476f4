//! Figures on the unit sphere: points are unit vectors, edges are parts of great circles.
//!
//! A ring encloses the smaller of the two areas that it separates, whichever way round it is written. What lies on a
//! ring counts as inside.

use std::f64::consts::PI;

/// The earth's radius in metres, as MongoDB counts it.
pub(crate) const EARTH_RADIUS: f64 = 6_378_100.0;

/// Angles below this are none: about six millimetres on the earth.
const TOUCH: f64 = 1e-9;

/// A point of the sphere.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Point {
    /// Degrees to the east.
    pub(crate) lng: f64,
    /// Degrees to the north.
    pub(crate) lat: f64,
}

#[derive(Clone, Copy)]
struct Vector([f64; 3]);

impl Vector {
    fn dot(self, other: Vector) -> f64 {
        let ([a, b, c], [x, y, z]) = (self.0, other.0);
        a * x + b * y + c * z
    }

    fn cross(self, other: Vector) -> Vector {
        let ([a, b, c], [x, y, z]) = (self.0, other.0);
        Vector([b * z - c * y, c * x - a * z, a * y - b * x])
    }

    fn plus(self, other: Vector) -> Vector {
        let ([a, b, c], [x, y, z]) = (self.0, other.0);
        Vector([a + x, b + y, c + z])
    }

    fn length(self) -> f64 {
        self.dot(self).sqrt()
    }
}

fn vector(point: Point) -> Vector {
    let (lng, lat) = (point.lng.to_radians(), point.lat.to_radians());
    Vector([lat.cos() * lng.cos(), lat.cos() * lng.sin(), lat.sin()])
}

/// The angle between two points in radians.
pub(crate) fn angle(a: Point, b: Point) -> f64 {
    // The haversine formula: for points that are the same it gives exactly zero.
    let (lat_a, lat_b) = (a.lat.to_radians(), b.lat.to_radians());
    let (dlat, dlng) = (lat_b - lat_a, (b.lng - a.lng).to_radians());
    let h = (dlat / 2.0).sin().powi(2) + lat_a.cos() * lat_b.cos() * (dlng / 2.0).sin().powi(2);
    2.0 * h.sqrt().min(1.0).asin()
}

/// The angle from a point to the nearest point of an edge.
pub(super) fn angle_to_edge(point: Point, edge: (Point, Point)) -> f64 {
    let (p, a, b) = (vector(point), vector(edge.0), vector(edge.1));
    let normal = a.cross(b);
    let ends = angle(point, edge.0).min(angle(point, edge.1));
    if normal.length() < 1e-15 {
        return ends;
    }
    // The foot of the perpendicular lies on the edge if the point is between the planes through the two ends.
    let between = normal.cross(a).dot(p) >= 0.0 && b.cross(normal).dot(p) >= 0.0;
    let across = normal.cross(p).length();
    if between { normal.dot(p).abs().atan2(across).min(ends) } else { ends }
}

/// Whether a point lies on an edge.
pub(super) fn on_edge(point: Point, edge: (Point, Point)) -> bool {
    angle_to_edge(point, edge) < TOUCH
}

/// Whether two edges cross each other in a point that is an end of neither.
pub(super) fn cross(first: (Point, Point), second: (Point, Point)) -> bool {
    let (a, b) = (vector(first.0), vector(first.1));
    let (c, d) = (vector(second.0), vector(second.1));
    let (ab, cd) = (a.cross(b), c.cross(d));
    let (acb, bda) = (-ab.dot(c), ab.dot(d));
    let (cbd, dac) = (-cd.dot(b), cd.dot(a));
    acb * bda > 0.0 && acb * cbd > 0.0 && acb * dac > 0.0
}

/// Whether two edges have a point in common.
pub(super) fn meet(first: (Point, Point), second: (Point, Point)) -> bool {
    cross(first, second)
        || on_edge(first.0, second)
        || on_edge(first.1, second)
        || on_edge(second.0, first)
        || on_edge(second.1, first)
}

/// The edges of a line.
pub(super) fn edges(line: &[Point]) -> impl Iterator<Item = (Point, Point)> {
    line.iter().copied().zip(line.iter().copied().skip(1))
}

/// Whether a point is enclosed by a closed ring or lies on it.
pub(super) fn in_ring(point: Point, ring: &[Point]) -> bool {
    if edges(ring).any(|edge| on_edge(point, edge)) {
        return true;
    }
    let p = vector(point);
    let (mut area, mut middle, mut turned) = (Vector([0.0; 3]), Vector([0.0; 3]), 0.0);
    for (from, to) in edges(ring) {
        let (a, b) = (vector(from), vector(to));
        area = area.plus(a.cross(b));
        middle = middle.plus(a);
        // How far the ring turns around the point along this edge, counter-clockwise from outside.
        let (left, right) = (p.cross(a), p.cross(b));
        turned += p.dot(left.cross(right)).atan2(left.dot(right));
    }
    // The ring also turns around the point on the other side of the sphere, but in the other direction.
    turned * area.dot(middle).signum() > PI
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(lng: f64, lat: f64) -> Point {
        Point { lng, lat }
    }

    fn square() -> [Point; 5] {
        [at(0.0, 0.0), at(10.0, 0.0), at(10.0, 10.0), at(0.0, 10.0), at(0.0, 0.0)]
    }

    #[test]
    fn a_degree_on_the_equator_is_111_kilometres() {
        let metres = angle(at(0.0, 0.0), at(1.0, 0.0)) * EARTH_RADIUS;
        assert!((metres - 111_318.8).abs() < 1.0, "{metres}");
    }

    #[test]
    fn a_ring_encloses_its_inside_only() {
        assert!(in_ring(at(5.0, 5.0), &square()));
        assert!(!in_ring(at(11.0, 5.0), &square()));
    }

    #[test]
    fn the_other_side_of_the_sphere_is_outside() {
        assert!(!in_ring(at(-175.0, -5.0), &square()));
    }

    #[test]
    fn the_direction_of_a_ring_does_not_matter() {
        let mut ring = square();
        ring.reverse();
        assert!(in_ring(at(5.0, 5.0), &ring) && !in_ring(at(-175.0, -5.0), &ring));
    }

    #[test]
    fn what_lies_on_a_ring_is_inside() {
        assert!(in_ring(at(5.0, 0.0), &square()));
    }

    #[test]
    fn edges_cross() {
        assert!(cross((at(0.0, 0.0), at(2.0, 2.0)), (at(0.0, 2.0), at(2.0, 0.0))));
        assert!(!cross((at(0.0, 0.0), at(1.0, 1.0)), (at(3.0, 0.0), at(3.0, 5.0))));
    }

    #[test]
    fn the_distance_to_an_edge_is_that_to_its_nearest_point() {
        let degrees = angle_to_edge(at(1.0, 1.0), (at(0.0, 0.0), at(2.0, 0.0))).to_degrees();
        assert!((degrees - 1.0).abs() < 1e-9, "{degrees}");
    }
}
