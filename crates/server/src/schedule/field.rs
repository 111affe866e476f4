//! One field of a schedule: which of its values it allows.

use std::collections::BTreeSet;

/// The values that a field allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Field {
    values: BTreeSet<i16>,
    /// It was written `*`.
    pub(super) is_any: bool,
}

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {part:?} {reason}")]
pub struct FieldError {
    field: &'static str,
    part: String,
    reason: String,
}

/// What a field is called, and what may stand in it.
#[derive(Debug)]
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) least: i16,
    pub(super) most: i16,
    /// Where `*` ends, and a step that has only a start.
    pub(super) end: i16,
    /// Names of the values from the least on.
    pub(super) names: &'static [&'static str],
}

impl Field {
    /// Every value.
    pub(super) fn any(kind: &Kind) -> Field {
        Field { values: (kind.least..=kind.end).collect(), is_any: true }
    }

    /// One value.
    pub(super) fn only(value: i16) -> Field {
        Field { values: BTreeSet::from([value]), is_any: false }
    }

    /// Reads a list of parts: `*`, `a`, `a-b`, each with a step after `/` or without.
    pub(super) fn read(kind: &Kind, text: &str) -> Result<Field, FieldError> {
        let mut values = BTreeSet::new();
        for part in text.split(',') {
            let wrong = |reason| FieldError { field: kind.name, part: part.to_owned(), reason };
            values.extend(kind.part(part).map_err(wrong)?);
        }
        Ok(Field { values, is_any: text == "*" })
    }

    /// The same field with another value in place of this one.
    pub(super) fn replaced(mut self, value: i16, other: i16) -> Field {
        if self.values.remove(&value) {
            self.values.insert(other);
        }
        self
    }

    pub(super) fn allows(&self, value: i16) -> bool {
        self.values.contains(&value)
    }

    /// The allowed values that are not below this one, ascending.
    pub(super) fn from(&self, least: i16) -> impl Iterator<Item = i16> {
        self.values.range(least..).copied()
    }

    pub(super) fn count(&self) -> usize {
        self.values.len()
    }
}

impl Kind {
    fn part(&self, part: &str) -> Result<impl Iterator<Item = i16> + use<>, String> {
        if let Some(strange) = part.chars().find(|c| !c.is_ascii_alphanumeric() && !"*-/".contains(*c)) {
            return Err(format!("has {strange:?}; beside numbers and names only , - * / are known"));
        }
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(self.step(step)?)),
            None => (part, None),
        };
        let (first, last) = match range.split_once('-') {
            Some((first, last)) => (self.value(first)?, self.value(last)?),
            None if range == "*" => (self.least, self.end),
            None => {
                let first = self.value(range)?;
                // A step counts from its start to the end of the field.
                (first, if step.is_some() { self.end.max(first) } else { first })
            }
        };
        if first > last {
            return Err("ends before it begins".to_owned());
        }
        Ok((first..=last).step_by(step.unwrap_or(1)))
    }

    fn step(&self, text: &str) -> Result<usize, String> {
        let longest = self.end - self.least;
        let step = number(text).filter(|step| (1..=longest).contains(step));
        let step = step.and_then(|step| usize::try_from(step).ok());
        step.ok_or_else(|| format!("has a step that is not 1 to {longest}"))
    }

    fn value(&self, text: &str) -> Result<i16, String> {
        let named = (self.least..).zip(self.names).find(|(_, name)| name.eq_ignore_ascii_case(text));
        let value = named.map(|(value, _)| value).or_else(|| number(text));
        value.filter(|value| (self.least..=self.most).contains(value)).ok_or_else(|| {
            let names = match self.names {
                [first, .., last] => format!(" or {first} to {last}"),
                _ => String::new(),
            };
            let what = if text.is_empty() { "lacks a value that is" } else { "is not" };
            format!("{what} {} to {}{names}", self.least, self.most)
        })
    }
}

/// Digits only: `+5` is no number here.
fn number(text: &str) -> Option<i16> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}
