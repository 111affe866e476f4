//! What a person says about a function: its name, and what to do when it is called.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

/// A cloud function that exists.
#[derive(Clone, PartialEq, Eq)]
pub struct Function {
    /// The only environment that has it. `None`: all of them.
    pub env: Option<String>,
    /// Its name.
    pub name: String,
    /// What a call does.
    pub work: FunctionWork,
    /// Environment variables for a command or a folder, beside the platform's own.
    pub variables: BTreeMap<String, String>,
    /// How long it may take, in real time. A call over HTTP ends after 5 s in any case. Default 60 s.
    pub time_limit: Duration,
    /// When it is run without being called. A folder's `config.json` adds to them.
    pub triggers: Vec<Trigger>,
}

/// What a call of a function does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FunctionWork {
    /// Returns always the same JSON.
    Answer(String),
    /// Sends the event to this URL, on this machine, and returns what comes back.
    Forward(String),
    /// Runs this line of shell with the event on its input, and returns what it prints.
    Command {
        /// The line.
        line: String,
        /// Where it runs. `None`: where the emulator runs.
        directory: Option<PathBuf>,
    },
    /// Calls `main` of the `index.js` in this folder, with Node.js.
    Folder(PathBuf),
}

/// A timer trigger, as in `config.json`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trigger {
    /// Its name, which the event carries.
    pub name: String,
    /// The seven fields, for example `0 0 2 1 * * *`.
    pub config: String,
}

/// Why a text is no function.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "{0}; write [ENV/]NAME=WHAT, where WHAT is JSON (hello='{{\"ok\":true}}'), a local URL (hello=http://127.0.0.1:3000/), \
     run:COMMAND (hello='run:python3 hello.py') or the folder of a function (hello=./functions/hello)"
)]
pub struct ParseFunctionError(String);

/// The longest that the platform lets a function run.
pub(in crate::cloud) const LONGEST: Duration = Duration::from_secs(60);

impl Function {
    /// A function of all environments.
    pub fn new(name: impl Into<String>, work: FunctionWork) -> Self {
        Self {
            env: None,
            name: name.into(),
            work,
            variables: BTreeMap::new(),
            time_limit: LONGEST,
            triggers: Vec::new(),
        }
    }
}

/// Reads `[ENV/]NAME=WHAT`.
impl FromStr for Function {
    type Err = ParseFunctionError;

    fn from_str(text: &str) -> Result<Self, ParseFunctionError> {
        let (name, what) =
            text.split_once('=').ok_or_else(|| ParseFunctionError(format!("{text:?} has no \"=\"")))?;
        let (env, name) = match name.split_once('/') {
            Some((env, name)) => (Some(env.to_owned()), name),
            None => (None, name),
        };
        Ok(Self { env, ..Self::new(name, what.parse()?) })
    }
}

/// Reads JSON, `http://…`, or one of the forms `json:`, `url:`, `run:`, `folder:`. Everything else is a folder.
impl FromStr for FunctionWork {
    type Err = ParseFunctionError;

    fn from_str(text: &str) -> Result<Self, ParseFunctionError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(ParseFunctionError("it is not said what the function does".to_owned()));
        }
        let (form, rest) = text.split_once(':').unwrap_or(("", text));
        match form {
            "json" => Self::answer(rest.trim()),
            "url" => Ok(Self::Forward(rest.trim().to_owned())),
            "http" | "https" => Ok(Self::Forward(text.to_owned())),
            "run" => Ok(Self::Command { line: rest.trim().to_owned(), directory: None }),
            "folder" => Ok(Self::Folder(rest.trim().into())),
            _ if text.starts_with(['{', '[', '"']) => Self::answer(text),
            _ => Ok(Self::Folder(text.into())),
        }
    }
}

impl FunctionWork {
    fn answer(text: &str) -> Result<Self, ParseFunctionError> {
        match serde_json::from_str::<serde::de::IgnoredAny>(text) {
            Ok(_) => Ok(Self::Answer(text.to_owned())),
            Err(error) => Err(ParseFunctionError(format!("{text:?} is no JSON: {error}"))),
        }
    }
}

/// Without the values of its variables: they may be secrets.
impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Function")
            .field("env", &self.env)
            .field("name", &self.name)
            .field("work", &self.work)
            .field("triggers", &self.triggers)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(text: &str) -> FunctionWork {
        text.parse::<Function>().unwrap_or_else(|error| panic!("{error}")).work
    }

    #[test]
    fn a_name_may_have_an_environment() {
        let function: Function = "test/hello=json:1".parse().unwrap();
        assert_eq!((function.env.as_deref(), function.name.as_str()), (Some("test"), "hello"));
        assert_eq!("hello=json:1".parse::<Function>().unwrap().env, None);
    }

    #[test]
    fn each_form_is_recognised() {
        assert_eq!(work("f={\"a\":\"=/\"}"), FunctionWork::Answer("{\"a\":\"=/\"}".to_owned()));
        assert_eq!(work("f=json: 5"), FunctionWork::Answer("5".to_owned()));
        assert_eq!(
            work("f=http://localhost:80/a=b"),
            FunctionWork::Forward("http://localhost:80/a=b".to_owned())
        );
        assert_eq!(
            work("f=run: cat | sed s/a/b/"),
            FunctionWork::Command { line: "cat | sed s/a/b/".to_owned(), directory: None }
        );
        assert_eq!(work("f=./hello"), FunctionWork::Folder("./hello".into()));
        assert_eq!(work("f=folder:{odd}"), FunctionWork::Folder("{odd}".into()));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let error = |text: &str| text.parse::<Function>().unwrap_err().to_string();
        assert!(error("hello").starts_with("\"hello\" has no \"=\"; write [ENV/]NAME=WHAT"));
        assert!(error("hello={").starts_with("\"{\" is no JSON: EOF"));
        assert!(error("hello=").starts_with("it is not said what the function does"));
    }

    #[test]
    fn variables_are_not_shown() {
        let mut function: Function = "hello=json:1".parse().unwrap();
        function.variables.insert("KEY".to_owned(), "very-secret".to_owned());
        assert!(!format!("{function:?}").contains("very-secret"));
    }
}
