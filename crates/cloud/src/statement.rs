//! Finished statements: one type for each thing the platform does with a statement, so that none goes to the
//! endpoint of another.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::wire;

/// A finished statement and where it goes.
pub trait Statement {
    /// The path of its endpoint.
    const PATH: &'static str;
    /// What the endpoint answers.
    type Answer: DeserializeOwned;

    /// The script.
    fn text(&self) -> &str;

    /// The body of the call.
    fn body(&self, env: impl Into<String>) -> wire::ScriptRequest {
        wire::ScriptRequest { env: env.into(), query: self.text().to_owned() }
    }
}

macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident $path:ident $answer:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Serialize)]
        #[serde(transparent)]
        pub struct $name { text: String }

        impl $name {
            pub(crate) fn built(text: String) -> $name { $name { text } }

            /// From text that somebody wrote. It is sent as it is: never put values into it, build instead.
            #[must_use]
            pub fn raw(text: impl Into<String>) -> $name { $name { text: text.into() } }

            /// The script.
            #[must_use]
            pub fn text(&self) -> &str { &self.text }
        }

        impl Statement for $name {
            const PATH: &'static str = wire::path::$path;
            type Answer = wire::$answer;

            fn text(&self) -> &str { &self.text }
        }
    )+};
}

statements! {
    /// Reads documents.
    Get DATABASE_QUERY QueryAnswer;
    /// Adds documents.
    Add DATABASE_ADD AddAnswer;
    /// Changes documents, or replaces one.
    Change DATABASE_UPDATE ChangeAnswer;
    /// Removes documents.
    Remove DATABASE_DELETE RemoveAnswer;
    /// Counts documents.
    Count DATABASE_COUNT CountAnswer;
    /// Aggregates documents.
    Aggregate DATABASE_AGGREGATE AggregateAnswer;
}
