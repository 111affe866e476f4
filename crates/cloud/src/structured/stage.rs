//! `stages`.

use serde::Deserialize;
use serde_json::{Map, Value as Json};

use super::change::orders;
use super::condition;
use super::expression::{expr, named};
use super::literal::{count, object, only, options, text, truth, values};
use super::place::{Place, StructuredError};
use crate::aggregate::{Bucket, BucketAuto, GeoNear, Lookup, LookupPipeline, Pipeline, Projection, Unwind};
use crate::geo::Point;

pub(super) fn stages<P>(
    place: &Place<'_>,
    stages: &[Json],
    pipeline: Pipeline<P>,
) -> Result<Pipeline<P>, StructuredError> {
    stages.iter().try_fold(pipeline, |pipeline, json| match only(object(place, json)?) {
        Some((name, operand)) => stage(&place.below(name)?, pipeline, name, operand),
        None => place.expected("objects of one stage"),
    })
}

fn stage<P>(
    place: &Place<'_>,
    pipeline: Pipeline<P>,
    name: &str,
    json: &Json,
) -> Result<Pipeline<P>, StructuredError> {
    Ok(match name {
        "$addFields" => pipeline.add_fields(named(place, object(place, json)?)?),
        "$bucket" => pipeline.bucket(bucket(place, json)?),
        "$bucketAuto" => pipeline.bucket_auto(bucket_auto(place, json)?),
        "$count" => pipeline.count(text(place, json)?),
        "$geoNear" => pipeline.geo_near(geo_near(place, json)?),
        "$group" => {
            let mut fields = object(place, json)?.clone();
            match fields.shift_remove("_id") {
                Some(id) => pipeline.group(expr(place, &id)?, named(place, &fields)?),
                None => return place.expected("`_id`, null for one group of all"),
            }
        }
        "$limit" => pipeline.limit(count(place, json)?),
        "$lookup" => lookup(place, pipeline, json)?,
        "$match" => pipeline.matching(condition::filter(place, object(place, json)?)?),
        "$project" => pipeline.project(projection(place, object(place, json)?)?),
        "$replaceRoot" => {
            let ReplaceRoot { new_root } = options(place, json)?;
            pipeline.replace_root(expr(place, &new_root)?)
        }
        "$sample" => {
            let Sample { size } = options(place, json)?;
            pipeline.sample(size)
        }
        "$skip" => pipeline.skip(count(place, json)?),
        "$sort" => pipeline.sort(orders(place, object(place, json)?)?),
        "$sortByCount" => pipeline.sort_by_count(expr(place, json)?),
        "$unwind" => unwind(place, pipeline, json)?,
        name => return place.operator(name),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ReplaceRoot {
    new_root: Json,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sample {
    size: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct BucketJson {
    group_by: Json,
    boundaries: Vec<Json>,
    #[serde(default)]
    default: Option<Json>,
    #[serde(default)]
    output: Map<String, Json>,
}

fn bucket(place: &Place<'_>, json: &Json) -> Result<Bucket, StructuredError> {
    let bucket: BucketJson = options(place, json)?;
    Ok(Bucket {
        group_by: expr(place, &bucket.group_by)?,
        boundaries: values(place, &bucket.boundaries)?,
        default: bucket.default.map(|it| super::literal::value(place, &it)).transpose()?,
        output: named(place, &bucket.output)?,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct BucketAutoJson {
    group_by: Json,
    buckets: u32,
    #[serde(default)]
    granularity: Option<String>,
    #[serde(default)]
    output: Map<String, Json>,
}

fn bucket_auto(place: &Place<'_>, json: &Json) -> Result<BucketAuto, StructuredError> {
    let bucket: BucketAutoJson = options(place, json)?;
    Ok(BucketAuto {
        group_by: expr(place, &bucket.group_by)?,
        buckets: bucket.buckets,
        granularity: bucket.granularity,
        output: named(place, &bucket.output)?,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct GeoNearJson {
    near: Point,
    distance_field: String,
    #[serde(default)]
    key: Option<String>,
    #[serde(default)]
    limit: Option<u32>,
    #[serde(default)]
    max_distance: Option<f64>,
    #[serde(default)]
    min_distance: Option<f64>,
    #[serde(default)]
    query: Option<Map<String, Json>>,
    #[serde(default)]
    distance_multiplier: Option<f64>,
    #[serde(default)]
    include_locs: Option<String>,
}

fn geo_near(place: &Place<'_>, json: &Json) -> Result<GeoNear, StructuredError> {
    let near: GeoNearJson = options(place, json)?;
    Ok(GeoNear {
        near: near.near,
        distance_field: near.distance_field,
        key: near.key,
        limit: near.limit,
        max_distance: near.max_distance,
        min_distance: near.min_distance,
        query: near.query.map(|it| condition::filter(place, &it)).transpose()?,
        distance_multiplier: near.distance_multiplier,
        include_locs: near.include_locs,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct LookupJson {
    from: String,
    #[serde(rename = "as")]
    as_field: String,
    #[serde(default)]
    local_field: Option<String>,
    #[serde(default)]
    foreign_field: Option<String>,
    #[serde(default, rename = "let")]
    variables: Map<String, Json>,
    #[serde(default)]
    pipeline: Option<Vec<Json>>,
}

fn lookup<P>(place: &Place<'_>, outer: Pipeline<P>, json: &Json) -> Result<Pipeline<P>, StructuredError> {
    let LookupJson { from, as_field, local_field, foreign_field, variables, pipeline } =
        options(place, json)?;
    match (local_field, foreign_field, pipeline) {
        (Some(local_field), Some(foreign_field), None) if variables.is_empty() => {
            Ok(outer.lookup(Lookup { from, local_field, foreign_field, as_field }))
        }
        (None, None, Some(inner)) => {
            let variables = named(place, &variables)?;
            let pipeline = stages(place, &inner, Pipeline::new())?;
            Ok(outer.lookup_pipeline(LookupPipeline { from, variables, pipeline, as_field }))
        }
        _ => place.expected("`localField` and `foreignField`, or `pipeline` and perhaps `let`"),
    }
}

fn projection(place: &Place<'_>, fields: &Map<String, Json>) -> Result<Projection, StructuredError> {
    fields.iter().try_fold(Projection::new(), |projection, (path, json)| {
        Ok(match (truth(json), json) {
            (Some(true), _) => projection.include(path),
            (Some(false), _) => projection.exclude(path),
            (None, Json::Number(_)) => return place.expected("0, 1, or {\"$literal\":..} for a number"),
            (None, json) => projection.compute(path, expr(&place.below(path)?, json)?),
        })
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct UnwindJson {
    path: String,
    #[serde(default)]
    include_array_index: Option<String>,
    #[serde(default)]
    preserve_null_and_empty_arrays: bool,
}

fn unwind<P>(place: &Place<'_>, pipeline: Pipeline<P>, json: &Json) -> Result<Pipeline<P>, StructuredError> {
    let (path, options) = match json {
        Json::String(path) => (path.clone(), None),
        json => {
            let options: UnwindJson = options(place, json)?;
            (options.path.clone(), Some(options))
        }
    };
    let Some(path) = path.strip_prefix('$').map(str::to_owned) else {
        return place.expected("a field as \"$path\"");
    };
    Ok(match options {
        None => pipeline.unwind(&path),
        Some(UnwindJson { include_array_index, preserve_null_and_empty_arrays, .. }) => {
            pipeline.unwind_with(Unwind { path, include_array_index, preserve_null_and_empty_arrays })
        }
    })
}
