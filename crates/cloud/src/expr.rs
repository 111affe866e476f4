//! Expressions over a document's fields, for aggregation.
//!
//! Invariant: text is data. `"$price"` given as a value is the text `$price`; fields are named by [`Expr::field`]
//! and variables by [`Expr::variable`] alone. Operators are written as `$.name(..)`: the platform predefines `$`
//! as it does `db` and `_`, although only the latter two are documented.

use crate::build_error::BuildError;
use crate::path;
use crate::script::{Fragment, Piece};
use crate::value::{Value, check_key};

/// An expression.
#[derive(Clone, Debug)]
pub struct Expr {
    piece: Piece,
    /// A number or a truth value would mean "take this field" in a projection.
    ambiguous: bool,
}

impl Expr {
    pub(crate) fn from_piece(piece: Piece) -> Expr {
        Expr { piece, ambiguous: false }
    }

    fn call(name: &str, argument: Piece) -> Expr {
        Expr::from_piece(Fragment::call(name, [argument]))
    }

    fn named<'a>(name: &str, arguments: impl IntoIterator<Item = (&'a str, Option<Piece>)>) -> Expr {
        Expr::call(name, Fragment::options(arguments))
    }

    pub(crate) fn refused(error: impl Into<BuildError>) -> Expr {
        Expr::from_piece(Err(error.into()))
    }

    pub(crate) fn into_piece(self) -> Piece {
        self.piece
    }

    /// What stands for a computed field in a projection.
    pub(crate) fn into_computed(self) -> Piece {
        if self.ambiguous { Expr::call("$.literal", self.piece).piece } else { self.piece }
    }

    /// The value of a field.
    #[must_use]
    pub fn field(path: &str) -> Expr {
        Expr::from_piece(path::check(path).map(|path| Fragment::string(&format!("${path}"))))
    }

    /// A variable, or a field of it: `this.price`, `ROOT`.
    #[must_use]
    pub fn variable(path: &str) -> Expr {
        Expr::from_piece(path::check(path).map(|path| Fragment::string(&format!("$${path}"))))
    }

    /// A value that is not looked into.
    #[must_use]
    pub fn literal(value: impl Into<Value>) -> Expr {
        let value = value.into();
        match value {
            Value::Array(items) => Expr::array(items.into_iter().map(Expr::literal)),
            Value::String(ref text) if text.starts_with('$') => {
                Expr::call("$.literal", Fragment::unencoded(&value))
            }
            Value::Object(_) | Value::Geo(_) => Expr::call("$.literal", Fragment::unencoded(&value)),
            Value::Int(_) | Value::Float(_) | Value::Bool(_) => {
                Expr { piece: Fragment::unencoded(&value), ambiguous: true }
            }
            _ => Expr::from_piece(Fragment::unencoded(&value)),
        }
    }

    /// A list of expressions.
    #[must_use]
    pub fn array<T: Into<Expr>>(items: impl IntoIterator<Item = T>) -> Expr {
        Expr::from_piece(Fragment::array(items.into_iter().map(|item| item.into().piece)))
    }

    /// An object whose fields are expressions.
    #[must_use]
    pub fn object<K: Into<String>, T: Into<Expr>>(fields: impl IntoIterator<Item = (K, T)>) -> Expr {
        // Within a projection a bare number would choose a field of this name.
        let computed = |expr: T| Expr::from_piece(expr.into().into_computed());
        Expr::from_piece(named_fields(fields.into_iter().map(|(name, expr)| (name, computed(expr)))))
    }

    /// Either of two values.
    #[must_use]
    pub fn cond(condition: impl Into<Expr>, then: impl Into<Expr>, otherwise: impl Into<Expr>) -> Expr {
        let arguments = [
            ("if", Some(condition.into().piece)),
            ("then", Some(then.into().piece)),
            ("else", Some(otherwise.into().piece)),
        ];
        Expr::named("$.cond", arguments)
    }

    /// The value of the first case that holds.
    #[must_use]
    pub fn switch<C: Into<Expr>, T: Into<Expr>>(
        branches: impl IntoIterator<Item = (C, T)>,
        default: Option<Expr>,
    ) -> Expr {
        let branches = branches.into_iter().map(|(case, then)| {
            Fragment::options([("case", Some(case.into().piece)), ("then", Some(then.into().piece))])
        });
        let branches = Fragment::array(branches);
        Expr::named("$.switch", [("branches", Some(branches)), ("default", default.map(Expr::into_piece))])
    }

    /// The elements of a list that fulfil a condition; in it, the element is the variable `name`.
    #[must_use]
    pub fn filter(input: impl Into<Expr>, name: &str, condition: impl Into<Expr>) -> Expr {
        let arguments = [
            ("input", Some(input.into().piece)),
            ("as", Some(variable_name(name))),
            ("cond", Some(condition.into().piece)),
        ];
        Expr::named("$.filter", arguments)
    }

    /// Each element of a list made into something else; in it, the element is the variable `name`.
    #[must_use]
    pub fn map(input: impl Into<Expr>, name: &str, made: impl Into<Expr>) -> Expr {
        let arguments = [
            ("input", Some(input.into().piece)),
            ("as", Some(variable_name(name))),
            ("in", Some(made.into().piece)),
        ];
        Expr::named("$.map", arguments)
    }

    /// A list made into one value; in it, the variables `value` and `this` are what was made so far and the element.
    #[must_use]
    pub fn reduce(input: impl Into<Expr>, initial: impl Into<Expr>, made: impl Into<Expr>) -> Expr {
        let arguments = [
            ("input", Some(input.into().piece)),
            ("initialValue", Some(initial.into().piece)),
            ("in", Some(made.into().piece)),
        ];
        Expr::named("$.reduce", arguments)
    }

    /// Lists side by side: the first elements, the second ones and so on. With defaults, as long as the longest.
    #[must_use]
    pub fn zip<T: Into<Expr>>(inputs: impl IntoIterator<Item = T>, defaults: Option<Vec<Expr>>) -> Expr {
        let longest = defaults.as_ref().map(|_| Ok(Fragment::bare("true")));
        let arguments = [
            ("inputs", Some(Expr::array(inputs).piece)),
            ("useLongestLength", longest),
            ("defaults", defaults.map(|it| Expr::array(it).piece)),
        ];
        Expr::named("$.zip", arguments)
    }

    /// Variables for use in an expression.
    #[must_use]
    pub fn let_in<K: Into<String>, T: Into<Expr>>(
        variables: impl IntoIterator<Item = (K, T)>,
        expr: impl Into<Expr>,
    ) -> Expr {
        let arguments = [("vars", Some(named_fields(variables))), ("in", Some(expr.into().piece))];
        Expr::named("$.let", arguments)
    }

    /// A date as text, such as `%Y-%m-%d`; the zone is a name or an offset.
    #[must_use]
    pub fn date_to_string(date: impl Into<Expr>, format: &str, timezone: Option<&str>) -> Expr {
        let arguments = [
            ("date", Some(date.into().piece)),
            ("format", Some(Ok(Fragment::string(format)))),
            ("timezone", timezone.map(|it| Expr::literal(it).piece)),
        ];
        Expr::named("$.dateToString", arguments)
    }

    /// A date from text.
    #[must_use]
    pub fn date_from_string(text: impl Into<Expr>, timezone: Option<&str>) -> Expr {
        let arguments = [
            ("dateString", Some(text.into().piece)),
            ("timezone", timezone.map(|it| Expr::literal(it).piece)),
        ];
        Expr::named("$.dateFromString", arguments)
    }

    /// A date from its parts: `year`, `month`, `day`, `hour`, `minute`, `second`, `millisecond`, `timezone`, or the
    /// `isoWeekYear`, `isoWeek` and `isoDayOfWeek` of one.
    #[must_use]
    pub fn date_from_parts<K: Into<String>, T: Into<Expr>>(parts: impl IntoIterator<Item = (K, T)>) -> Expr {
        Expr::call("$.dateFromParts", named_fields(parts))
    }

    /// Not so.
    #[must_use]
    pub fn not(expr: impl Into<Expr>) -> Expr {
        Expr::call("$.not", Expr::array([expr]).piece)
    }

    /// The score of a text search.
    #[must_use]
    pub fn text_score() -> Expr {
        Expr::call("$.meta", Ok(Fragment::string("textScore")))
    }
}

/// An object of named expressions.
pub(crate) fn named_fields<K: Into<String>, T: Into<Expr>>(
    fields: impl IntoIterator<Item = (K, T)>,
) -> Piece {
    let fields: Vec<(String, Piece)> =
        fields.into_iter().map(|(name, expr)| (name.into(), expr.into().piece)).collect();
    for (name, _) in &fields {
        path::check_name(name)?;
        check_key(name)?;
    }
    path::check_distinct(fields.iter().map(|(name, _)| name.as_str()))?;
    Fragment::object(fields)
}

fn variable_name(name: &str) -> Piece {
    path::check_name(name).map(Fragment::string)
}

impl<T: Into<Value>> From<T> for Expr {
    fn from(value: T) -> Expr {
        Expr::literal(value)
    }
}
