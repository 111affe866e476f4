//! How a run of a function ended.

use std::time::Duration;

use serde_json::{Value, json};

use super::Source;
use crate::cloud::CloudFailure;
use crate::moment::Moment;

/// A run of a function that is over.
#[derive(Clone, Debug)]
pub(crate) struct FunctionRun {
    pub(crate) env: String,
    pub(crate) name: String,
    pub(crate) source: Source,
    /// When it began, on the emulator's clock.
    pub(crate) at: Moment,
    /// How long it took, in real time.
    pub(crate) took: Duration,
    /// The beginning of the JSON that it returned, or why it failed.
    pub(crate) result: Result<String, CloudFailure>,
}

/// How much of a result is kept.
const RESULT_CHARACTERS: usize = 200;

impl FunctionRun {
    /// The part of a result that is kept.
    pub(super) fn beginning(result: &str) -> String {
        result.chars().take(RESULT_CHARACTERS).collect()
    }

    pub(crate) fn to_json(&self) -> Value {
        let (code, text, result) = match &self.result {
            Ok(result) => (0, "ok", Some(result)),
            Err(failure) => (failure.code, failure.text.as_str(), None),
        };
        let trigger = if let Source::Timer(name) = &self.source { Some(name) } else { None };
        json!({
            "env": self.env,
            "name": self.name,
            "source": self.source.word(),
            "trigger": trigger,
            "at": self.at.to_string(),
            "took_ms": u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX),
            "errcode": code,
            "errmsg": text,
            "result": result,
        })
    }
}
