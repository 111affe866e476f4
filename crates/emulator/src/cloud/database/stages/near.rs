//! `$geoNear`.
//!
//! Without a `key` the first field of a document that holds GeoJSON counts, since there are no indexes to ask. Two
//! numbers in an array are a location only under a `key`: they may as well be something else.

use super::geo::{EARTH_RADIUS, Geometry, Point, angle};
use super::reach::{Path, reach_within};
use super::reshape::assign;
use super::{Budget, Document, Filter, Outcome, Value, Variables, check_known, path, refuse};
use crate::cloud::measure::Measure;

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
enum DistanceIn {
    /// GeoJSON: metres.
    Metres,
    /// A pair of numbers on the sphere: radians.
    Radians,
    /// A pair of numbers on the plane: the unit of the coordinates.
    Plane,
}

impl DistanceIn {
    fn between(&self, centre: Point, geometry: &Geometry) -> f64 {
        match (self, geometry.as_point()) {
            (DistanceIn::Metres, _) => geometry.angle_from(centre) * EARTH_RADIUS,
            (DistanceIn::Plane, Some(point)) => (point.lng - centre.lng).hypot(point.lat - centre.lat),
            (_, Some(point)) => angle(centre, point),
            (_, None) => geometry.angle_from(centre),
        }
    }
}

pub(super) fn near(
    documents: Vec<Document>,
    spec: &Document,
    variables: &Variables,
    budget: &Budget,
) -> Outcome<Vec<Document>> {
    check_known("$geoNear", spec, &OPTIONS)?;
    let Some(near) = spec.get("near") else {
        return refuse("$geoNear requires a 'near' option as an Array");
    };
    let Some(centre) = Geometry::parse(near, budget)?.as_point() else {
        return refuse("invalid argument in geo near query: near");
    };
    let Some(distance_field) = spec.get("distanceField").and_then(Value::as_str) else {
        return refuse("$geoNear requires a 'distanceField' option as a String");
    };
    let spherical = spec.get("spherical").is_some_and(Value::is_truthy);
    let measure = match near {
        Value::Object(_) => DistanceIn::Metres,
        _ if spherical => DistanceIn::Radians,
        _ => DistanceIn::Plane,
    };
    let filter = match spec.get("query") {
        Some(Value::Object(query)) => Some(Filter::parse_within(query, budget)?),
        Some(_) => return refuse("$geoNear query must be an object"),
        None => None,
    };
    let (least, most) = (number(spec, "minDistance", 0.0)?, number(spec, "maxDistance", f64::INFINITY)?);
    let multiplier = number(spec, "distanceMultiplier", 1.0)?;
    let key = spec.get("key").and_then(Value::as_str).map(Path::parse).transpose()?;
    let search = Search { key, centre, measure, budget };

    let mut found = Vec::new();
    for document in documents {
        if let Some(filter) = &filter
            && filter.find_match(&document, variables)?.is_none()
        {
            continue;
        }
        if let Some((distance, location)) = search.nearest(&document)?
            && (least..=most).contains(&distance)
        {
            budget.keep(Measure::of(&location).memory)?;
            found.push((distance, location, document));
        }
    }
    found.sort_by(|(a, ..), (b, ..)| a.total_cmp(b));
    found.truncate(limit(spec)?);
    let with_locations = spec.get("includeLocs").and_then(Value::as_str);
    let mut results = Vec::with_capacity(found.len());
    for (distance, location, mut document) in found {
        set(&mut document, distance_field, Value::Double(distance * multiplier), budget)?;
        if let Some(name) = with_locations {
            set(&mut document, name, location, budget)?;
        }
        results.push(document);
    }
    Ok(results)
}

fn set(document: &mut Document, at: &str, value: Value, budget: &Budget) -> Outcome<()> {
    path::check_length(at)?;
    assign(document, &at.split('.').collect::<Vec<_>>(), Some(value), budget)
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

/// A way to find what is near: from where, and in which measure.
struct Search<'a> {
    key: Option<Path>,
    centre: Point,
    measure: DistanceIn,
    budget: &'a Budget,
}

impl Search<'_> {
    /// The nearest geometry in a document, and how far it is.
    fn nearest(&self, document: &Document) -> Outcome<Option<(f64, Value)>> {
        let Some(key) = &self.key else { return self.first(document) };
        let mut best: Option<(f64, Value)> = None;
        for value in reach_within(document, key, self.budget)?.iter().filter_map(|place| place.value) {
            let items = value.as_array().unwrap_or_default();
            for value in std::iter::once(value).chain(items) {
                let geometry = Geometry::stored(value, self.budget)?;
                if let Some(found) = self.located(geometry, value)?
                    && best.as_ref().is_none_or(|best| found.0.total_cmp(&best.0).is_lt())
                {
                    best = Some(found);
                }
            }
        }
        Ok(best)
    }

    /// The first geometry in a document, and how far it is.
    fn first(&self, document: &Document) -> Outcome<Option<(f64, Value)>> {
        for (_, value) in document.iter() {
            self.budget.work(1)?;
            let Value::Object(inner) = value else { continue };
            let geometry = Geometry::stored_document(inner, self.budget)?;
            let found = match self.located(geometry, value)? {
                None => self.first(inner)?,
                found => found,
            };
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// How far a geometry is, with the value that it was read from.
    fn located(&self, geometry: Option<Geometry>, value: &Value) -> Outcome<Option<(f64, Value)>> {
        let Some(geometry) = geometry else { return Ok(None) };
        self.budget.make(value)?;
        self.budget.work(4 * geometry.size())?;
        Ok(Some((self.measure.between(self.centre, &geometry), value.clone())))
    }
}
