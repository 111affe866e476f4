//! Conditions on documents.
//!
//! Invariants: a field is compared by an explicit command, never by a bare value, because the platform takes a bare
//! object apart into paths and an empty one for "anything"; and combinations stand as explicit lists of conditions
//! at the top, because the platform's own library merges two fields that each have an `or` into one. Commands joined
//! on one field (`_.gt(1).and(_.lt(9))`) are therefore deliberately absent: join filters instead.

use crate::build_error::BuildError;
use crate::expr::Expr;
use crate::geo::{Geo, Point};
use crate::path;
use crate::script::{Fragment, Piece};
use crate::value::{Regex, Value, ValueError};

/// A condition on documents.
#[derive(Clone, Debug)]
pub struct Filter(Shape);

/// A field to compare; see [`field`].
#[derive(Clone, Debug)]
pub struct Field(String);

/// A comparison without its field: what [`Field::is`], [`Field::not`] and [`Field::elem_match`] take.
#[derive(Clone, Debug)]
pub struct Command(Piece);

/// What an element of a list must be: a comparison for plain elements, a filter for objects.
#[derive(Clone, Debug)]
pub struct ElementCondition(Piece);

#[derive(Clone, Debug)]
enum Shape {
    Everything,
    Field(String, Piece),
    /// Written when it is finished, so that a chain of `and` becomes one list.
    All(Vec<Shape>),
    AnyOf(Vec<Piece>),
    Other(Piece),
}

/// A field by its path: `field("address.city")`, `field("list.0")`.
#[must_use]
pub fn field(path: impl Into<String>) -> Field {
    Field(path.into())
}

fn all_values<T: Into<Value>>(values: impl IntoIterator<Item = T>) -> Piece {
    Fragment::array(values.into_iter().map(|value| Fragment::value(&value.into())))
}

macro_rules! comparisons {
    ($($(#[$doc:meta])* $name:ident $script:literal;)+) => {
        impl Command {
            $($(#[$doc])*
            #[must_use]
            pub fn $name(value: impl Into<Value>) -> Command {
                Command(Fragment::call($script, [Fragment::value(&value.into())]))
            })+
        }

        impl Field {
            $($(#[$doc])*
            #[must_use]
            pub fn $name(self, value: impl Into<Value>) -> Filter { self.is(Command::$name(value)) })+
        }
    };
}

comparisons! {
    /// Equal to it; objects and lists as a whole. On a list, also: one of the elements is equal to it.
    eq "_.eq";
    /// Not equal to it, or absent.
    ne "_.neq";
    /// Less than it.
    lt "_.lt";
    /// Less than or equal to it.
    lte "_.lte";
    /// Greater than it.
    gt "_.gt";
    /// Greater than or equal to it.
    gte "_.gte";
}

macro_rules! lists {
    ($($(#[$doc:meta])* $name:ident $script:literal;)+) => {
        impl Command {
            $($(#[$doc])*
            #[must_use]
            pub fn $name<T: Into<Value>>(values: impl IntoIterator<Item = T>) -> Command {
                Command(Fragment::call($script, [all_values(values)]))
            })+
        }

        impl Field {
            $($(#[$doc])*
            #[must_use]
            pub fn $name<T: Into<Value>>(self, values: impl IntoIterator<Item = T>) -> Filter {
                self.is(Command::$name(values))
            })+
        }
    };
}

lists! {
    /// Equal to one of them.
    one_of "_.in";
    /// Equal to none of them, or absent.
    none_of "_.nin";
    /// A list that contains all of them.
    all "_.all";
}

macro_rules! others {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $kind:ty),+) $made:expr;)+) => {
        impl Command {
            $($(#[$doc])*
            #[must_use]
            pub fn $name($($argument: $kind),+) -> Command { Command($made) })+
        }

        impl Field {
            $($(#[$doc])*
            #[must_use]
            pub fn $name(self, $($argument: $kind),+) -> Filter { self.is(Command::$name($($argument),+)) })+
        }
    };
}

others! {
    /// Whether the field is there.
    exists(there: bool) Fragment::call("_.exists", [Ok(Fragment::bare(if there { "true" } else { "false" }))]);
    /// A list of so many elements.
    size(count: u32) Fragment::call("_.size", [Ok(Fragment::count(count))]);
    /// A number that leaves this remainder when divided by this divisor.
    modulo(divisor: i64, remainder: i64)
        Fragment::call("_.mod", [Fragment::value(&divisor.into()), Fragment::value(&remainder.into())]);
    /// A list with an element that fulfils all of it at once.
    elem_match(element: impl Into<ElementCondition>) Fragment::call("_.elemMatch", [on_element(element.into().0)]);
    /// Near a place, the nearest first; distances in metres. The field needs a geographic index.
    near(place: Point, least: Option<f64>, most: Option<f64>) near(place, least, most);
    /// Within an area. The field needs a geographic index.
    within(area: impl Into<Geo>)
        Fragment::call("_.geoWithin", [Fragment::options([("geometry", geometry(area))])]);
    /// Within a circle, its radius in radians: metres / 6378100. The field needs a geographic index.
    within_circle(centre: Point, radians: f64) within_circle(centre, radians);
    /// Shares a point with a shape. The field needs a geographic index.
    intersects(shape: impl Into<Geo>)
        Fragment::call("_.geoIntersects", [Fragment::options([("geometry", geometry(shape))])]);
}

/// A condition on elements, in which the platform encodes nothing.
pub(crate) fn on_element(condition: Piece) -> Piece {
    match condition {
        Ok(fragment) if fragment.needs_encoding() => Err(BuildError::ElementOperand),
        condition => condition,
    }
}

fn geometry(geo: impl Into<Geo>) -> Option<Piece> {
    Some(Fragment::value(&Value::Geo(geo.into())))
}

fn near(place: Point, least: Option<f64>, most: Option<f64>) -> Piece {
    let distance = |metres: Option<f64>| metres.map(|it| Fragment::value(&it.into()));
    let options =
        [("geometry", geometry(place)), ("minDistance", distance(least)), ("maxDistance", distance(most))];
    Fragment::call("_.geoNear", [Fragment::options(options)])
}

fn within_circle(centre: Point, radians: f64) -> Piece {
    Geo::Point(centre).check()?;
    let centre = Value::from([centre.longitude, centre.latitude]);
    let circle = Value::Array(vec![centre, radians.into()]);
    Fragment::call("_.geoWithin", [Fragment::options([("centerSphere", Some(Fragment::value(&circle)))])])
}

impl Field {
    /// Does not fulfil a comparison, or is absent.
    #[must_use]
    pub fn not(self, command: Command) -> Filter {
        self.is(Command::not(command))
    }

    /// Fulfils a comparison.
    #[must_use]
    pub fn is(self, command: Command) -> Filter {
        self.with(command.0)
    }

    /// Text that matches a pattern.
    #[must_use]
    pub fn matches(self, regex: Regex) -> Filter {
        self.with(Fragment::value(&regex.into()))
    }

    fn with(self, condition: Piece) -> Filter {
        Filter(match path::check(&self.0) {
            Ok(_) => Shape::Field(self.0, condition),
            Err(error) => Shape::Other(Err(error)),
        })
    }
}

impl Filter {
    /// No condition: every document.
    #[must_use]
    pub fn everything() -> Filter {
        Filter(Shape::Everything)
    }

    /// All of them hold.
    #[must_use]
    pub fn all_of(filters: impl IntoIterator<Item = Filter>) -> Filter {
        let shapes: Vec<_> = filters.into_iter().flat_map(Filter::conjuncts).collect();
        if shapes.is_empty() { nothing_given("all_of") } else { Filter(Shape::All(shapes)) }
    }

    /// At least one of them holds.
    #[must_use]
    pub fn any_of(filters: impl IntoIterator<Item = Filter>) -> Filter {
        let pieces: Vec<_> = filters.into_iter().map(Filter::into_piece).collect();
        if pieces.is_empty() { nothing_given("any_of") } else { Filter(Shape::AnyOf(pieces)) }
    }

    /// None of them holds.
    #[must_use]
    pub fn none_of(filters: impl IntoIterator<Item = Filter>) -> Filter {
        let pieces: Vec<_> = filters.into_iter().map(Filter::into_piece).collect();
        if pieces.is_empty() { nothing_given("none_of") } else { Filter(Shape::Other(list("_.nor", pieces))) }
    }

    /// An expression over the document's fields holds: `Filter::expr(Expr::gt(Expr::field("a"), Expr::field("b")))`.
    #[must_use]
    pub fn expr(expr: Expr) -> Filter {
        Filter(Shape::Other(Fragment::call("_.expr", [expr.into_piece()])))
    }

    /// Both hold.
    #[must_use]
    pub fn and(self, other: Filter) -> Filter {
        Filter::all_of([self, other])
    }

    /// At least one of both holds.
    #[must_use]
    pub fn or(self, other: Filter) -> Filter {
        let into_pieces = |filter: Filter| match filter.0 {
            Shape::AnyOf(pieces) => pieces,
            shape => vec![Filter(shape).into_piece()],
        };
        let mut pieces = into_pieces(self);
        pieces.extend(into_pieces(other));
        Filter(Shape::AnyOf(pieces))
    }

    /// Its parts that all must hold; none of them is such a list itself, so that lists do not nest.
    fn conjuncts(self) -> Vec<Shape> {
        match self.0 {
            Shape::All(shapes) => shapes,
            shape => vec![shape],
        }
    }

    /// What stands in `where(..)`.
    pub(crate) fn into_piece(self) -> Piece {
        match self.0 {
            Shape::Everything => Ok(Fragment::bare("{}")),
            Shape::Field(path, condition) => Fragment::object([(path, condition)]),
            Shape::All(shapes) => {
                list("_.and", shapes.into_iter().map(|shape| Filter(shape).into_piece()).collect())
            }
            Shape::AnyOf(pieces) => list("_.or", pieces),
            Shape::Other(piece) => piece,
        }
    }

    /// One object of different fields, for the places where the platform takes nothing else.
    pub(crate) fn into_fields(self) -> Piece {
        let mut fields = Vec::new();
        for shape in self.conjuncts() {
            match shape {
                Shape::Field(path, condition) => fields.push((path, condition)),
                Shape::Other(Err(error)) => return Err(error),
                _ => return Err(BuildError::ElementConditions),
            }
        }
        let distinct = path::check_distinct(fields.iter().map(|(path, _)| path.as_str()));
        distinct.map_err(|_| BuildError::ElementConditions)?;
        Fragment::object(fields)
    }
}

impl Command {
    /// Not this, or absent.
    #[must_use]
    #[expect(clippy::should_implement_trait, reason = "named like the others, after the platform's operator")]
    pub fn not(command: Command) -> Command {
        Command(Fragment::call("_.not", [command.0]))
    }

    pub(crate) fn into_piece(self) -> Piece {
        self.0
    }
}

impl From<Command> for ElementCondition {
    fn from(command: Command) -> ElementCondition {
        ElementCondition(command.0)
    }
}

impl From<Filter> for ElementCondition {
    fn from(filter: Filter) -> ElementCondition {
        ElementCondition(filter.into_fields())
    }
}

impl From<BuildError> for Filter {
    fn from(error: BuildError) -> Filter {
        Filter(Shape::Other(Err(error)))
    }
}

impl From<ValueError> for Filter {
    fn from(error: ValueError) -> Filter {
        Filter::from(BuildError::from(error))
    }
}

fn list(function: &str, pieces: Vec<Piece>) -> Piece {
    Fragment::call(function, [Fragment::array(pieces)])
}

fn nothing_given(what: &'static str) -> Filter {
    Filter(Shape::Other(Err(BuildError::Empty(what))))
}
