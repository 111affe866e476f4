//! Aggregation: the stages that documents go through.

use crate::build_error::BuildError;
use crate::expr::{Expr, named_fields};
use crate::filter::Filter;
use crate::geo::{Geo, Point};
use crate::path;
use crate::query::Collection;
use crate::script::{Fragment, Piece};
use crate::statement::Aggregate;
use crate::update::{Order, orders};
use crate::value::Value;

/// Stages in their order: of a collection, to be finished by `end`, or loose, for [`LookupPipeline`].
#[derive(Clone, Debug)]
pub struct Pipeline<P = Loose> {
    place: P,
    stages: Vec<(&'static str, Piece)>,
}

/// A pipeline inside of another one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Loose;

/// A pipeline of a collection.
#[derive(Clone, Debug)]
pub struct Within(Collection);

/// Which fields go on to the next stage.
#[derive(Clone, Debug, Default)]
pub struct Projection {
    fields: Vec<(String, Piece)>,
}

/// Documents of another collection with an equal field.
#[derive(Clone, Debug)]
pub struct Lookup {
    /// The other collection.
    pub from: String,
    /// The field here.
    pub local_field: String,
    /// The field there.
    pub foreign_field: String,
    /// The new field for the list of them.
    pub as_field: String,
}

/// Documents of another collection that come through a pipeline.
#[derive(Clone, Debug)]
pub struct LookupPipeline {
    /// The other collection.
    pub from: String,
    /// Values of the document here, as variables for the pipeline.
    pub variables: Vec<(String, Expr)>,
    /// What the documents there go through.
    pub pipeline: Pipeline,
    /// The new field for the list of them.
    pub as_field: String,
}

/// Groups by boundaries that are given.
#[derive(Clone, Debug)]
pub struct Bucket {
    /// What decides.
    pub group_by: Expr,
    /// Two or more, ascending, of one type. A group begins with one and ends before the next.
    pub boundaries: Vec<Value>,
    /// The group of everything else; without it, anything else is an error.
    pub default: Option<Value>,
    /// What is made of each group; nothing means a count.
    pub output: Vec<(String, Expr)>,
}

/// Groups of about the same size.
#[derive(Clone, Debug)]
pub struct BucketAuto {
    /// What decides.
    pub group_by: Expr,
    /// How many groups.
    pub buckets: u32,
    /// A series of preferred numbers for the boundaries, such as `R5` or `POWERSOF2`.
    pub granularity: Option<String>,
    /// What is made of each group; nothing means a count.
    pub output: Vec<(String, Expr)>,
}

/// Documents near a place, the nearest first. Must be the first stage; the collection needs a geographic index.
#[derive(Clone, Debug)]
pub struct GeoNear {
    /// The place.
    pub near: Point,
    /// The new field for the distance in metres.
    pub distance_field: String,
    /// The indexed field; needed where there are several geographic indexes.
    pub key: Option<String>,
    /// How many documents.
    pub limit: Option<u32>,
    /// How far at most, in metres.
    pub max_distance: Option<f64>,
    /// How far at least, in metres.
    pub min_distance: Option<f64>,
    /// A further condition.
    pub query: Option<Filter>,
    /// What distances are multiplied by.
    pub distance_multiplier: Option<f64>,
    /// The new field for the place that was found.
    pub include_locs: Option<String>,
}

/// A document for each element of a list.
#[derive(Clone, Debug)]
pub struct Unwind {
    /// The list.
    pub path: String,
    /// The new field for the element's place.
    pub include_array_index: Option<String>,
    /// Whether documents without elements stay.
    pub preserve_null_and_empty_arrays: bool,
}

impl GeoNear {
    /// With nothing but what is needed.
    #[must_use]
    pub fn new(near: Point, distance_field: impl Into<String>) -> GeoNear {
        GeoNear {
            near,
            distance_field: distance_field.into(),
            key: None,
            limit: None,
            max_distance: None,
            min_distance: None,
            query: None,
            distance_multiplier: None,
            include_locs: None,
        }
    }

    fn into_piece(self) -> Piece {
        let number = |it: Option<f64>| it.map(|it| Fragment::value(&it.into()));
        Fragment::options([
            ("near", Some(Fragment::value(&Value::Geo(Geo::Point(self.near))))),
            ("spherical", Some(Ok(Fragment::bare("true")))),
            ("distanceField", Some(path_string(&self.distance_field))),
            ("key", self.key.as_deref().map(path_string)),
            ("limit", self.limit.map(|it| Ok(Fragment::count(it)))),
            ("maxDistance", number(self.max_distance)),
            ("minDistance", number(self.min_distance)),
            ("query", self.query.map(Filter::into_piece)),
            ("distanceMultiplier", number(self.distance_multiplier)),
            ("includeLocs", self.include_locs.as_deref().map(path_string)),
        ])
    }
}

impl Projection {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Projection {
        Projection::default()
    }

    /// Keeps a field.
    #[must_use]
    pub fn include(mut self, path: impl Into<String>) -> Projection {
        self.fields.push((path.into(), Ok(Fragment::bare("true"))));
        self
    }

    /// Leaves out a field.
    #[must_use]
    pub fn exclude(mut self, path: impl Into<String>) -> Projection {
        self.fields.push((path.into(), Ok(Fragment::bare("false"))));
        self
    }

    /// Adds a computed field. Numbers and truth values are values here.
    #[must_use]
    pub fn compute(mut self, path: impl Into<String>, expr: impl Into<Expr>) -> Projection {
        self.fields.push((path.into(), expr.into().into_computed()));
        self
    }

    fn into_piece(self) -> Piece {
        if self.fields.is_empty() {
            return Err(BuildError::Empty("project"));
        }
        paths(self.fields)
    }
}

/// An object whose keys are paths.
fn paths(fields: Vec<(String, Piece)>) -> Piece {
    for (field, _) in &fields {
        path::check(field)?;
    }
    path::check_distinct(fields.iter().map(|(field, _)| field.as_str()))?;
    Fragment::object(fields)
}

fn path_string(path: &str) -> Piece {
    path::check(path).map(Fragment::string)
}

fn name_string(name: &str) -> Piece {
    path::check_name(name).map(Fragment::string)
}

fn collection_string(name: &str) -> Piece {
    if name.is_empty() { Err(BuildError::EmptyCollection) } else { Ok(Fragment::string(name)) }
}

fn field_reference(path: &str) -> Piece {
    Expr::field(path).into_piece()
}

fn output(fields: Vec<(String, Expr)>) -> Option<Piece> {
    (!fields.is_empty()).then(|| named_fields(fields))
}

impl Pipeline {
    /// Stages for use inside of a lookup.
    #[must_use]
    pub fn new() -> Pipeline {
        Pipeline { place: Loose, stages: Vec::new() }
    }

    /// `$.pipeline()….done()`
    fn into_piece(self) -> Piece {
        self.finish(Fragment::call("$.pipeline", []), "done")
    }
}

impl Default for Pipeline {
    fn default() -> Pipeline {
        Pipeline::new()
    }
}

impl Pipeline<Within> {
    pub(crate) fn within(collection: Collection) -> Pipeline<Within> {
        Pipeline { place: Within(collection), stages: Vec::new() }
    }

    /// Finishes the statement.
    ///
    /// # Errors
    /// The platform would refuse or misread it.
    pub fn end(mut self) -> Result<Aggregate, BuildError> {
        let stages = std::mem::take(&mut self.stages);
        let begun = self.place.0.into_piece()?.then("aggregate", []);
        let script = Pipeline { place: Loose, stages }.finish(begun, "end")?;
        Ok(Aggregate::built(script.into_text()))
    }
}

impl<P> Pipeline<P> {
    fn finish(self, begun: Piece, verb: &str) -> Piece {
        if self.stages.is_empty() {
            return Err(BuildError::Empty("a pipeline"));
        }
        if self.stages.iter().skip(1).any(|(name, _)| *name == "geoNear") {
            return Err(BuildError::GeoNearFirst);
        }
        let stages = self.stages.into_iter();
        stages.fold(begun, |script, (name, argument)| script?.then(name, [argument]))?.then(verb, [])
    }

    fn stage(mut self, name: &'static str, argument: Piece) -> Pipeline<P> {
        self.stages.push((name, argument));
        self
    }

    /// Adds fields.
    #[must_use]
    pub fn add_fields<K: Into<String>, T: Into<Expr>>(
        self,
        fields: impl IntoIterator<Item = (K, T)>,
    ) -> Pipeline<P> {
        let fields: Vec<_> =
            fields.into_iter().map(|(path, expr)| (path.into(), expr.into().into_piece())).collect();
        let fields = if fields.is_empty() { Err(BuildError::Empty("addFields")) } else { paths(fields) };
        self.stage("addFields", fields)
    }

    /// Groups by boundaries.
    #[must_use]
    pub fn bucket(self, bucket: Bucket) -> Pipeline<P> {
        if bucket.boundaries.len() < 2 {
            return self.stage("bucket", Err(BuildError::Boundaries));
        }
        let options = Fragment::options([
            ("groupBy", Some(bucket.group_by.into_piece())),
            ("boundaries", Some(Expr::array(bucket.boundaries.into_iter().map(Expr::literal)).into_piece())),
            ("default", bucket.default.map(|it| Expr::literal(it).into_piece())),
            ("output", output(bucket.output)),
        ]);
        self.stage("bucket", options)
    }

    /// Groups of about the same size.
    #[must_use]
    pub fn bucket_auto(self, bucket: BucketAuto) -> Pipeline<P> {
        let options = Fragment::options([
            ("groupBy", Some(bucket.group_by.into_piece())),
            ("buckets", Some(Ok(Fragment::count(bucket.buckets)))),
            ("granularity", bucket.granularity.map(|it| Ok(Fragment::string(&it)))),
            ("output", output(bucket.output)),
        ]);
        self.stage("bucketAuto", options)
    }

    /// One document with their number, in this field.
    #[must_use]
    pub fn count(self, field: &str) -> Pipeline<P> {
        self.stage("count", name_string(field))
    }

    /// Documents near a place.
    #[must_use]
    pub fn geo_near(self, near: GeoNear) -> Pipeline<P> {
        self.stage("geoNear", near.into_piece())
    }

    /// A document for each distinct id, with accumulated fields. Null as id makes one group of all.
    #[must_use]
    pub fn group<K: Into<String>, T: Into<Expr>>(
        self,
        id: impl Into<Expr>,
        fields: impl IntoIterator<Item = (K, T)>,
    ) -> Pipeline<P> {
        let fields = fields.into_iter().map(|(name, expr)| (name.into(), expr.into()));
        let fields = [("_id".to_owned(), id.into())].into_iter().chain(fields);
        self.stage("group", named_fields(fields))
    }

    /// So many at most.
    #[must_use]
    pub fn limit(self, count: u32) -> Pipeline<P> {
        let count = if count == 0 { Err(BuildError::LimitZero) } else { Ok(Fragment::count(count)) };
        self.stage("limit", count)
    }

    /// Joins documents of another collection by equality.
    #[must_use]
    pub fn lookup(self, lookup: Lookup) -> Pipeline<P> {
        let options = Fragment::options([
            ("from", Some(collection_string(&lookup.from))),
            ("localField", Some(path_string(&lookup.local_field))),
            ("foreignField", Some(path_string(&lookup.foreign_field))),
            ("as", Some(path_string(&lookup.as_field))),
        ]);
        self.stage("lookup", options)
    }

    /// Joins documents of another collection by a pipeline.
    #[must_use]
    pub fn lookup_pipeline(self, lookup: LookupPipeline) -> Pipeline<P> {
        let variables = (!lookup.variables.is_empty()).then(|| named_fields(lookup.variables));
        let options = Fragment::options([
            ("from", Some(collection_string(&lookup.from))),
            ("let", variables),
            ("pipeline", Some(lookup.pipeline.into_piece())),
            ("as", Some(path_string(&lookup.as_field))),
        ]);
        self.stage("lookup", options)
    }

    /// Documents that fulfil a condition.
    #[must_use]
    pub fn matching(self, filter: Filter) -> Pipeline<P> {
        self.stage("match", filter.into_piece())
    }

    /// Chooses and computes fields.
    #[must_use]
    pub fn project(self, projection: Projection) -> Pipeline<P> {
        self.stage("project", projection.into_piece())
    }

    /// Puts an object in the place of each document.
    #[must_use]
    pub fn replace_root(self, root: impl Into<Expr>) -> Pipeline<P> {
        let options = Fragment::options([("newRoot", Some(root.into().into_piece()))]);
        self.stage("replaceRoot", options)
    }

    /// So many at random.
    #[must_use]
    pub fn sample(self, size: u32) -> Pipeline<P> {
        self.stage("sample", Fragment::options([("size", Some(Ok(Fragment::count(size))))]))
    }

    /// Leaves out so many.
    #[must_use]
    pub fn skip(self, count: u32) -> Pipeline<P> {
        self.stage("skip", Ok(Fragment::count(count)))
    }

    /// Sorts by fields, the first one first.
    #[must_use]
    pub fn sort<K: Into<String>>(self, fields: impl IntoIterator<Item = (K, Order)>) -> Pipeline<P> {
        let fields: Vec<_> = fields.into_iter().map(|(field, order)| (field.into(), order)).collect();
        self.stage("sort", orders(&fields))
    }

    /// Groups by an expression and sorts by the size of the groups, the greatest first.
    #[must_use]
    pub fn sort_by_count(self, expr: impl Into<Expr>) -> Pipeline<P> {
        self.stage("sortByCount", expr.into().into_piece())
    }

    /// A document for each element of a list.
    #[must_use]
    pub fn unwind(self, path: &str) -> Pipeline<P> {
        self.stage("unwind", field_reference(path))
    }

    /// A document for each element of a list, with options.
    #[must_use]
    pub fn unwind_with(self, unwind: Unwind) -> Pipeline<P> {
        let preserve = Fragment::bare(if unwind.preserve_null_and_empty_arrays { "true" } else { "false" });
        let options = Fragment::options([
            ("path", Some(field_reference(&unwind.path))),
            ("includeArrayIndex", unwind.include_array_index.as_deref().map(path_string)),
            ("preserveNullAndEmptyArrays", Some(Ok(preserve))),
        ]);
        self.stage("unwind", options)
    }
}
