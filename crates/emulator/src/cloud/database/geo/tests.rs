//! What geometries are, and how they lie to each other.

use serde_json::{Value as Json, json};

use super::super::testing::value;
use super::*;

fn geometry(kind: &str, coordinates: Json) -> Geometry {
    Geometry::parse(&value(json!({"type": kind, "coordinates": coordinates})), &Budget::default()).unwrap()
}

fn refused(kind: &str, coordinates: Json) -> String {
    let geometry = value(json!({"type": kind, "coordinates": coordinates}));
    Geometry::parse(&geometry, &Budget::default()).unwrap_err().to_string()
}

impl Geometry {
    fn lies_in(&self, region: &Geometry) -> bool {
        self.is_within(region, &Budget::default()).unwrap()
    }
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
    assert!(geometry("Point", json!([2, 2])).lies_in(&with_hole()));
    assert!(!geometry("Point", json!([5, 5])).lies_in(&with_hole()));
}

#[test]
fn a_line_over_a_hole_is_not_within() {
    assert!(geometry("LineString", json!([[1, 1], [1, 9]])).lies_in(&with_hole()));
    assert!(!geometry("LineString", json!([[1, 5], [9, 5]])).lies_in(&with_hole()));
}

#[test]
fn a_polygon_lies_within_another() {
    let small = geometry("Polygon", json!([[[1, 1], [2, 1], [2, 2], [1, 1]]]));
    assert!(small.lies_in(&with_hole()) && !with_hole().lies_in(&small));
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
    assert!(!filling.lies_in(&u_shape()));
    assert!(!geometry("LineString", json!([[3, 9], [6, 9]])).lies_in(&u_shape()));
}

#[test]
fn what_lies_along_the_edge_is_within() {
    assert!(geometry("LineString", json!([[3, 9], [3, 3], [6, 3], [6, 9]])).lies_in(&u_shape()));
    assert!(u_shape().lies_in(&u_shape()));
}

#[test]
fn the_date_line_is_one_line() {
    assert!(geometry("Point", json!([180, 0])).intersects(&geometry("Point", json!([-180, 0]))));
    assert!(!geometry("Point", json!([180, 0])).intersects(&geometry("Point", json!([179.9999, 0]))));
}

fn with_two_notches() -> Geometry {
    let ring = json!([
        [0, -10],
        [15, -10],
        [15, 0],
        [12, 0],
        [12, -6],
        [9, -6],
        [9, 0],
        [6, 0],
        [6, -6],
        [3, -6],
        [3, 0],
        [0, 0],
        [0, -10]
    ]);
    geometry("Polygon", json!([ring]))
}

#[test]
fn what_lies_over_several_notches_is_not_within() {
    assert!(!geometry("LineString", json!([[0, 0], [15, 0]])).lies_in(&with_two_notches()));
    let filling = json!([[[3, -6], [12, -6], [12, 0], [3, 0], [3, -6]]]);
    assert!(!geometry("Polygon", filling).lies_in(&with_two_notches()));
    assert!(geometry("LineString", json!([[6, 0], [9, 0], [7.5, -9]])).lies_in(&with_two_notches()));
    assert!(with_two_notches().lies_in(&with_two_notches()));
}

#[test]
fn a_ring_comes_to_no_corner_again() {
    for ring in [
        json!([[0, 0], [2, 2], [4, 0], [4, 4], [2, 2], [0, 4], [0, 0]]),
        json!([[0, 0], [8, 0], [8, 4], [4, 4], [8, 4], [8, 8], [0, 8], [0, 0]]),
        json!([[0, 0], [4, 0], [4, 4], [0, 0], [4, 0], [4, 4], [0, 0]]),
        json!([[180, 0], [170, 5], [-180, 0], [170, -5], [180, 0]]),
    ] {
        assert!(refused("Polygon", json!([ring])).contains("duplicate vertices"), "{ring}");
    }
    geometry("Polygon", json!([[[0, 0], [0, 0], [4, 0], [4, 4], [4, 4], [0, 0], [0, 0]]]));
}

#[test]
fn holes_are_inside() {
    let outer = json!([[0, 0], [9, 0], [9, 9], [6, 9], [6, 3], [3, 3], [3, 9], [0, 9], [0, 0]]);
    for hole in [
        json!([[20, 20], [21, 20], [21, 21], [20, 20]]),
        json!([[1, 1], [20, 1], [1, 2], [1, 1]]),
        json!([[1, 8], [8, 8], [8, 1], [1, 8]]),
        json!([[3, 5], [6, 5], [6, 7], [3, 7], [3, 5]]),
    ] {
        assert!(refused("Polygon", json!([outer, hole])).contains("must be holes"), "{hole}");
    }
    geometry("Polygon", json!([outer, [[1, 1], [2, 1], [2, 2], [1, 1]]]));
}
