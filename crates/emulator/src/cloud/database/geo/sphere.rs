//! Figures on the unit sphere: points are unit vectors, edges are parts of great circles.
//!
//! A ring encloses the smaller of the two areas that it separates, whichever way round it is written. What lies on a
//! ring counts as inside.

use std::f64::consts::PI;

use super::super::error::Outcome;

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
    /// The same as a unit vector, which is what everything is computed from.
    at: Vector,
}

/// A part of a great circle between two points.
pub(super) type Edge = (Point, Point);

impl Point {
    /// The point at these degrees.
    pub(crate) fn new(lng: f64, lat: f64) -> Point {
        let (east, north) = (lng.to_radians(), lat.to_radians());
        Point { lng, lat, at: Vector([north.cos() * east.cos(), north.cos() * east.sin(), north.sin()]) }
    }

    /// What is the same for points that are the same place, however they are written.
    pub(super) fn place(self) -> (u64, u64) {
        let is_pole = self.lat.abs() >= 90.0;
        let lng = if is_pole {
            0.0
        } else if self.lng <= -180.0 {
            180.0
        } else {
            self.lng
        };
        // There is a zero with a sign.
        ((lng + 0.0).to_bits(), (self.lat + 0.0).to_bits())
    }

    /// Whether another point is the same place, however it is written.
    pub(super) fn is_at(self, other: Point) -> bool {
        self.at.minus(other.at).length() < TOUCH
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
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

    fn minus(self, other: Vector) -> Vector {
        let ([a, b, c], [x, y, z]) = (self.0, other.0);
        Vector([a - x, b - y, c - z])
    }

    fn length(self) -> f64 {
        self.dot(self).sqrt()
    }
}

/// The angle between two points in radians.
pub(crate) fn angle(a: Point, b: Point) -> f64 {
    // By the straight line between them: for points that are the same it is exactly zero.
    2.0 * (a.at.minus(b.at).length() / 2.0).min(1.0).asin()
}

/// The point half-way along an edge.
fn middle((from, to): Edge) -> Point {
    let [x, y, z] = from.at.plus(to.at).0;
    Point::new(y.atan2(x).to_degrees(), z.atan2(x.hypot(y)).to_degrees())
}

/// The middles of the pieces of an edge that is cut at these points on it.
pub(super) fn pieces(edge: Edge, mut cuts: Vec<Point>) -> impl Iterator<Item = Point> {
    cuts.extend([edge.0, edge.1]);
    cuts.sort_by(|a, b| angle(edge.0, *a).total_cmp(&angle(edge.0, *b)));
    cuts.dedup_by(|a, b| a.is_at(*b));
    let ends: Vec<Edge> = edges(&cuts).collect();
    ends.into_iter().map(middle)
}

/// The angle from a point to the nearest point of an edge.
pub(super) fn angle_to_edge(point: Point, edge: Edge) -> f64 {
    let (p, a, b) = (point.at, edge.0.at, edge.1.at);
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
pub(super) fn on_edge(point: Point, edge: Edge) -> bool {
    let normal = edge.0.at.cross(edge.1.at);
    let (off, square) = (normal.dot(point.at), normal.dot(normal));
    // Most points are not even on the great circle.
    let is_off = square > 1e-30 && off * off > TOUCH * TOUCH * square;
    !is_off && angle_to_edge(point, edge) < TOUCH
}

/// Whether two edges cross each other in a point that is an end of neither.
pub(super) fn cross(first: Edge, second: Edge) -> bool {
    let (a, b) = (first.0.at, first.1.at);
    let (c, d) = (second.0.at, second.1.at);
    let (ab, cd) = (a.cross(b), c.cross(d));
    let (acb, bda) = (-ab.dot(c), ab.dot(d));
    let (cbd, dac) = (-cd.dot(b), cd.dot(a));
    let is_across = acb * bda > 0.0 && acb * cbd > 0.0 && acb * dac > 0.0;
    is_across && !touch(first, second)
}

/// Whether an end of one edge lies on the other.
fn touch(first: Edge, second: Edge) -> bool {
    on_edge(first.0, second)
        || on_edge(first.1, second)
        || on_edge(second.0, first)
        || on_edge(second.1, first)
}

/// Whether two edges have a point in common.
pub(super) fn meet(first: Edge, second: Edge) -> bool {
    touch(first, second) || cross(first, second)
}

/// The edges of a line.
pub(super) fn edges(line: &[Point]) -> impl Iterator<Item = Edge> {
    line.iter().copied().zip(line.iter().copied().skip(1))
}

/// Whether a point is enclosed by a closed ring or lies on it.
pub(super) fn in_ring(point: Point, ring: &[Point]) -> bool {
    if edges(ring).any(|edge| on_edge(point, edge)) {
        return true;
    }
    // By how much the ring turns around the point, seen from the other side of the sphere. That is one turn, less half
    // the area to the left of the ring, if the point lies there; without the turn if it does not. So it is more than
    // half a turn, in one direction or the other, in the smaller of the two areas only.
    let p = point.at;
    let turned: f64 = edges(ring)
        .map(|(from, to)| (from.at.minus(p), to.at.minus(p)))
        .map(|(a, b)| p.dot(a.cross(b)).atan2(a.dot(b)))
        .sum();
    turned.abs() > PI
}

/// Whether edges of a ring cross each other. `work` takes the steps that it takes to find out, or refuses.
pub(super) fn crosses_itself(ring: &[Point], mut work: impl FnMut(u64) -> Outcome<()>) -> Outcome<bool> {
    let axis = longest_axis(ring);
    // An edge bulges out of the straight line between its ends.
    let mut spans: Vec<(f64, f64, Edge)> = edges(ring)
        .map(|(from, to)| {
            let bulge = 1.0 - from.at.plus(to.at).length() / 2.0 + TOUCH;
            let (one, other) = (axis(from), axis(to));
            (one.min(other) - bulge, one.max(other) + bulge, (from, to))
        })
        .collect();
    spans.sort_by(|(a, ..), (b, ..)| a.total_cmp(b));
    for (at, (_, end, edge)) in spans.iter().enumerate() {
        let mut steps = 1;
        let near = spans.iter().skip(at + 1).take_while(|(start, ..)| start <= end);
        let crosses =
            near.inspect(|_| steps += 1).any(|(.., other)| !is_next(*edge, *other) && cross(*edge, *other));
        work(steps)?;
        if crosses {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether two edges have an end in common.
fn is_next(first: Edge, second: Edge) -> bool {
    first.0 == second.0 || first.0 == second.1 || first.1 == second.0 || first.1 == second.1
}

/// The coordinate in which points lie farthest apart.
fn longest_axis(points: &[Point]) -> fn(Point) -> f64 {
    let axes: [fn(Point) -> f64; 3] = [|point| point.at.0[0], |point| point.at.0[1], |point| point.at.0[2]];
    let length = |axis: fn(Point) -> f64| {
        let all = || points.iter().map(|point| axis(*point));
        all().fold(f64::NEG_INFINITY, f64::max) - all().fold(f64::INFINITY, f64::min)
    };
    let [x, y, z] = axes;
    let longer = if length(x) < length(y) { y } else { x };
    if length(longer) < length(z) { z } else { longer }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(lng: f64, lat: f64) -> Point {
        Point::new(lng, lat)
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

    /// A band along the equator, from 170° west to 150° east, with corners that are closer to each other in the west.
    fn band() -> Vec<Point> {
        let west = (0..50).map(|at| f64::from(at) / 10.0 - 170.0);
        let east = (-16..=15).map(|at| f64::from(at) * 10.0);
        let south: Vec<f64> = west.chain(east).collect();
        let north = south.iter().rev().map(|lng| at(*lng, 5.0));
        let mut ring: Vec<Point> = south.iter().map(|lng| at(*lng, -5.0)).chain(north).collect();
        ring.push(at(-170.0, -5.0));
        ring
    }

    #[test]
    fn a_ring_may_go_nearly_around_the_earth() {
        for lng in [0.0, 60.0, -120.0, 149.0, -169.0] {
            assert!(in_ring(at(lng, 0.0), &band()), "{lng}");
        }
        for (lng, lat) in [(175.0, 0.0), (160.0, 0.0), (0.0, 10.0), (0.0, -90.0), (0.0, 90.0)] {
            assert!(!in_ring(at(lng, lat), &band()), "{lng} {lat}");
        }
    }

    #[test]
    fn a_ring_may_be_small() {
        let ring = [at(113.0, 23.0), at(113.00001, 23.0), at(113.00001, 23.00001), at(113.0, 23.0)];
        assert!(in_ring(at(113.000008, 23.000004), &ring));
        assert!(!in_ring(at(113.000004, 23.000008), &ring));
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
