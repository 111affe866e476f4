//! `$geoNear`.
//!
//! Without a `key` the first field of a document that holds GeoJSON counts, since there are no indexes to ask. Two
//! numbers in an array are a location only under a `key`: they may as well be something else.

use super::geo::{EARTH_RADIUS, Geometry, Point, angle};
use super::reshape::assign;
use super::{Document, Filter, Outcome, Value, Variables, check_known, path, refuse};

/// How many documents are found when nobody says how many.
const DEFAULT_LIMIT: usize = 100;

const OPTIONS: [&str; 13] = [
    "near",
    "spherical",
    "distanceField",
    "limit",
    "num",
    "maxDistance",
    "minDistance",
    "query",
    "distanceMultiplier",
    "includeLocs",
    "key",
    "uniqueDocs",
    "hint",
];

/// What distances are measured in.
enum Measure {
    /// GeoJSON: metres.
    Metres,
    /// A pair of numbers on the sphere: radians.
    Radians,
    /// A pair of numbers on the plane: the unit of the coordinates.
    Plane,
}

impl Measure {
    fn between(&self, centre: Point, geometry: &Geometry) -> f64 {
        match (self, geometry.as_point()) {
            (Measure::Metres, _) => geometry.angle_from(centre) * EARTH_RADIUS,
            (Measure::Plane, Some(point)) => (point.lng - centre.lng).hypot(point.lat - centre.lat),
            (_, Some(point)) => angle(centre, point),
            (_, None) => geometry.angle_from(centre),
        }
    }
}

pub(super) fn near(
    documents: Vec<Document>,
    spec: &Document,
    variables: &Variables,
) -> Outcome<Vec<Document>> {
    check_known("$geoNear", spec, &OPTIONS)?;
    let Some(near) = spec.get("near") else {
        return refuse("$geoNear requires a 'near' option as an Array");
    };
    let Some(centre) = Geometry::parse(near)?.as_point() else {
        return refuse("invalid argument in geo near query: near");
    };
    let Some(distance_field) = spec.get("distanceField").and_then(Value::as_str) else {
        return refuse("$geoNear requires a 'distanceField' option as a String");
    };
    let spherical = spec.get("spherical").is_some_and(Value::is_truthy);
    let measure = match near {
        Value::Object(_) => Measure::Metres,
        _ if spherical => Measure::Radians,
        _ => Measure::Plane,
    };
    let filter = match spec.get("query") {
        Some(Value::Object(query)) => Some(Filter::parse(query)?),
        Some(_) => return refuse("$geoNear query must be an object"),
        None => None,
    };
    let (least, most) = (number(spec, "minDistance", 0.0)?, number(spec, "maxDistance", f64::INFINITY)?);
    let multiplier = number(spec, "distanceMultiplier", 1.0)?;
    let key = spec.get("key").and_then(Value::as_str);

    let mut found = Vec::new();
    for document in documents {
        if let Some(filter) = &filter
            && filter.find_match(&document, variables)?.is_none()
        {
            continue;
        }
        if let Some((distance, location)) = nearest(&document, key, centre, &measure)
            && (least..=most).contains(&distance)
        {
            found.push((distance, location, document));
        }
    }
    found.sort_by(|(a, ..), (b, ..)| a.total_cmp(b));
    found.truncate(limit(spec)?);
    let with_locations = spec.get("includeLocs").and_then(Value::as_str);
    let results = found.into_iter().map(|(distance, location, mut document)| {
        set(&mut document, distance_field, Value::Double(distance * multiplier));
        if let Some(name) = with_locations {
            set(&mut document, name, location);
        }
        document
    });
    Ok(results.collect())
}

fn set(document: &mut Document, path: &str, value: Value) {
    assign(document, &path.split('.').collect::<Vec<_>>(), Some(value));
}

fn number(spec: &Document, name: &str, otherwise: f64) -> Outcome<f64> {
    match spec.get(name).map(Value::as_f64) {
        None => Ok(otherwise),
        Some(Some(number)) if number >= 0.0 => Ok(number),
        Some(_) => refuse(format!("{name} must be a non-negative number")),
    }
}

fn limit(spec: &Document) -> Outcome<usize> {
    match spec.get("limit").or_else(|| spec.get("num")) {
        None => Ok(DEFAULT_LIMIT),
        Some(limit) => match limit.as_i64().map(usize::try_from) {
            Some(Ok(limit)) => Ok(limit),
            _ => refuse("$geoNear requires that 'limit' option be a non-negative number"),
        },
    }
}

/// The nearest geometry in a document, and how far it is.
fn nearest(document: &Document, key: Option<&str>, centre: Point, measure: &Measure) -> Option<(f64, Value)> {
    let located = |value: &Value| {
        let geometry = Geometry::parse(value).ok()?;
        Some((measure.between(centre, &geometry), value.clone()))
    };
    match key {
        Some(key) => {
            let places = path::reach(document, key);
            let values = places.iter().filter_map(|place| place.value).flat_map(|value| {
                let items = value.as_array().unwrap_or_default();
                std::iter::once(value).chain(items)
            });
            values.filter_map(located).min_by(|(a, _), (b, _)| a.total_cmp(b))
        }
        None => document.iter().find_map(|(_, value)| {
            let inner = value.as_object()?;
            located(value).or_else(|| nearest(inner, None, centre, measure))
        }),
    }
}
