//! Names of credentials and clients.

use core::fmt;
use std::sync::Arc;

/// The name of a credential: 1 to 128 of `A-Z a-z 0-9 . _ -`, beginning with a letter or digit, so that it
/// stands in a path, a metric label and a shell without quoting.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

/// Why a text is not a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameError {
    /// Nothing was given.
    Empty,
    /// Longer than [`Name::MAX_LEN`] bytes.
    TooLong,
    /// Begins with something other than a letter or digit.
    BadStart,
    /// Holds this character.
    BadCharacter(char),
}

impl Name {
    /// The longest name, in bytes.
    pub const MAX_LEN: usize = 128;

    /// Checks a name.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(text: &str) -> Result<Name, NameError> {
        let first = text.chars().next().ok_or(NameError::Empty)?;
        if text.len() > Name::MAX_LEN {
            return Err(NameError::TooLong);
        }
        if !first.is_ascii_alphanumeric() {
            return Err(NameError::BadStart);
        }
        match text.chars().find(|&c| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))) {
            Some(bad) => Err(NameError::BadCharacter(bad)),
            None => Ok(Name(Arc::from(text))),
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl core::borrow::Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NameError::Empty => f.write_str("a name must not be empty"),
            NameError::TooLong => write!(f, "a name has at most {} characters", Name::MAX_LEN),
            NameError::BadStart => f.write_str("a name begins with a letter or a digit"),
            NameError::BadCharacter(c) => {
                write!(f, "a name has only letters, digits, '.', '_' and '-', not {c:?}")
            }
        }
    }
}

impl std::error::Error for NameError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_are_accepted() {
        assert_eq!(Name::parse("baidu-ocr.v2_x").unwrap().as_str(), "baidu-ocr.v2_x");
    }

    #[test]
    fn a_slash_is_named_in_the_error() {
        assert_eq!(Name::parse("a/b"), Err(NameError::BadCharacter('/')));
    }

    #[test]
    fn hidden_and_empty_names_are_refused() {
        assert_eq!(Name::parse(""), Err(NameError::Empty));
        assert_eq!(Name::parse(".shop"), Err(NameError::BadStart));
        assert_eq!(Name::parse(&"x".repeat(129)), Err(NameError::TooLong));
    }
}
