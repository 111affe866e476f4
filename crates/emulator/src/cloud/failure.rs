//! What the cloud API says when it cannot do something: its own codes beside WeChat's.

use super::database::DatabaseError;
use super::script::ScriptError;

/// The most characters that a text says.
const LONGEST_TEXT: usize = 1_000;

/// A refusal: code and text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CloudFailure {
    /// `errcode`
    pub(crate) code: i64,
    /// `errmsg`, before the hint.
    pub(crate) text: String,
}

impl CloudFailure {
    /// How the text begins that says so of an environment.
    pub(crate) const NO_SUCH_ENV: &str = "invalid parameters, [100003] env not exists";

    /// With a text of its own. Texts quote what they are about, however long that is: here they end.
    pub(crate) fn new(code: i64, text: impl Into<String>) -> CloudFailure {
        let mut text = text.into();
        if let Some((end, _)) = text.char_indices().nth(LONGEST_TEXT) {
            text.truncate(end);
            text.push('…');
        }
        CloudFailure { code, text }
    }

    /// The body is not JSON, or lacks a field.
    pub(crate) fn data_format() -> CloudFailure {
        CloudFailure::new(47001, "data format error")
    }

    /// The emulator itself is at fault.
    pub(crate) fn system_error() -> CloudFailure {
        CloudFailure::new(-501_001, "resource system error")
    }

    /// There is no such environment.
    pub(crate) fn no_such_env(env: &str) -> CloudFailure {
        CloudFailure::new(-501_007, format!("{}: {env}", CloudFailure::NO_SUCH_ENV))
    }

    /// There is no such collection. The code over HTTP is not documented; this one is the SDK's.
    pub(crate) fn no_such_collection() -> CloudFailure {
        CloudFailure::new(-502_005, "database collection not exists")
    }

    /// There is no such function.
    pub(crate) fn no_such_function() -> CloudFailure {
        CloudFailure::new(-501_000, "FunctionName parameter could not be found.")
    }

    /// A function could not be begun.
    pub(crate) fn call_failed(what: &str) -> CloudFailure {
        CloudFailure::new(-504_001, format!("functions request fail: {what}"))
    }

    /// A function began and failed.
    pub(crate) fn execution_failed(what: &str) -> CloudFailure {
        CloudFailure::new(-504_002, format!("functions execute fail: {what}"))
    }

    /// A function returned too much.
    pub(crate) fn result_too_large() -> CloudFailure {
        CloudFailure::new(-604_001, "the function's result has more than 1 MB")
    }

    /// Other functions were running all the time.
    pub(crate) fn too_many_at_once(most: usize) -> CloudFailure {
        CloudFailure::new(
            -501_004,
            format!("exceed concurrent request limit ({most} functions were running)"),
        )
    }

    /// A parameter is wrong.
    pub(crate) fn invalid(text: impl Into<String>) -> CloudFailure {
        CloudFailure::new(-501_007, text)
    }
}

impl From<ScriptError> for CloudFailure {
    fn from(error: ScriptError) -> CloudFailure {
        CloudFailure::new(-605_101, error.to_string())
    }
}

impl From<DatabaseError> for CloudFailure {
    fn from(error: DatabaseError) -> CloudFailure {
        if error.is_large_result() {
            return CloudFailure::new(-602_001, error.to_string());
        }
        CloudFailure::new(-502_001, format!("database request fail: {error}"))
    }
}
