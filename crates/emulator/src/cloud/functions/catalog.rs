//! Which functions exist, checked and ready to be called.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::forward::LocalUrl;
use super::schedule::Schedule;
use super::{Function, FunctionWork, Trigger, jsonc};
use crate::cloud::{CloudSettings, is_env};

/// A function that can be called.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) env: Option<String>,
    pub(super) name: String,
    pub(super) work: Work,
    pub(super) variables: Vec<(String, String)>,
    pub(super) time_limit: Duration,
    pub(super) timers: Vec<(String, Schedule)>,
}

/// What a call does.
#[derive(Debug)]
pub(super) enum Work {
    /// Returns this JSON.
    Answer(String),
    /// Posts the event there.
    Forward(LocalUrl),
    /// Runs this line of shell there.
    Command(String, Option<PathBuf>),
    /// Runs this folder with Node.js.
    Folder(PathBuf),
}

/// All functions.
#[derive(Debug)]
pub(super) struct Catalog(Vec<Arc<Ready>>);

/// Timers of functions that are in all environments fire in this one, when none is named.
const UNNAMED_ENV: &str = "test";

impl Catalog {
    /// Checks all functions, and reads the `config.json` of those that are folders.
    pub(super) fn open(settings: &CloudSettings) -> io::Result<Catalog> {
        let mut ready: Vec<Arc<Ready>> = Vec::new();
        for function in &settings.functions {
            let function = Ready::new(function, settings).map_err(|what| {
                let text = format!("the function {}: {what}", function.name);
                io::Error::new(io::ErrorKind::InvalidInput, text)
            })?;
            ready.push(Arc::new(function));
        }
        let twice = ready.iter().enumerate().find(|(at, function)| {
            ready.iter().skip(at + 1).any(|other| other.env == function.env && other.name == function.name)
        });
        if let Some((_, function)) = twice {
            let text = format!("the function {} is given twice", function.name);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        Ok(Catalog(ready))
    }

    /// The function of this name in an environment: its own, or else the one of all environments.
    pub(super) fn find(&self, env: &str, name: &str) -> Option<&Arc<Ready>> {
        let of = |env: Option<&str>| {
            self.0.iter().find(|function| function.name == name && function.env.as_deref() == env)
        };
        of(Some(env)).or_else(|| of(None))
    }

    /// All timers: environment, function, name of the trigger, schedule.
    pub(super) fn timers(
        &self,
        settings: &CloudSettings,
    ) -> impl Iterator<Item = (String, &str, &str, &Schedule)> {
        let all = match &settings.environments[..] {
            [] => vec![UNNAMED_ENV.to_owned()],
            named => named.to_vec(),
        };
        self.0.iter().flat_map(move |function| {
            let envs = match &function.env {
                Some(env) => vec![env.clone()],
                // Where an environment has one of its own, that one counts.
                None => all.iter().filter(|env| self.is_its(function, env)).cloned().collect(),
            };
            envs.into_iter().flat_map(move |env| {
                let timers = function.timers.iter();
                timers.map(move |(trigger, schedule)| {
                    (env.clone(), function.name.as_str(), trigger.as_str(), schedule)
                })
            })
        })
    }

    fn is_its(&self, function: &Arc<Ready>, env: &str) -> bool {
        self.find(env, &function.name).is_some_and(|found| Arc::ptr_eq(found, function))
    }
}

impl Ready {
    fn new(function: &Function, settings: &CloudSettings) -> Result<Ready, String> {
        if !is_name(&function.name) {
            return Err("a name has 1 to 60 letters, digits, \"-\" and \"_\"".to_owned());
        }
        if let Some(env) = &function.env {
            let known = &settings.environments;
            if !is_env(env) {
                return Err(format!("{env:?} is no environment: 1 to 40 of a-z, 0-9, \"-\" and \"_\""));
            }
            if !known.is_empty() && !known.contains(env) {
                return Err(format!("there is no environment {env:?}; name it, too"));
            }
        }
        let mut triggers = function.triggers.clone();
        let work = match &function.work {
            FunctionWork::Answer(json) => Work::Answer(json.clone()),
            FunctionWork::Forward(url) => Work::Forward(LocalUrl::parse(url)?),
            FunctionWork::Command { line, directory } => Work::Command(line.clone(), directory.clone()),
            FunctionWork::Folder(folder) => {
                triggers.extend(triggers_of(folder)?);
                Work::Folder(absolute(folder)?)
            }
        };
        let mut timers: Vec<(String, Schedule)> = Vec::new();
        for Trigger { name, config } in triggers {
            let schedule = Schedule::parse(&config);
            let schedule = schedule.map_err(|error| format!("the trigger {name}: {error}"))?;
            if !is_name(&name) || !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
                return Err(format!(
                    "the trigger {name:?}: a name begins with a letter and has 60 letters, digits, \"-\" and \"_\" at most"
                ));
            }
            if timers.iter().any(|(other, _)| *other == name) {
                return Err(format!("two triggers have the name {name}"));
            }
            timers.push((name, schedule));
        }
        Ok(Ready {
            env: function.env.clone(),
            name: function.name.clone(),
            work,
            variables: function.variables.clone().into_iter().collect(),
            time_limit: function.time_limit,
            timers,
        })
    }
}

/// A folder that has a function in it, by its full path: the function runs there.
fn absolute(folder: &Path) -> Result<PathBuf, String> {
    let full = folder.canonicalize().map_err(|error| {
        let forms = "write JSON, a local URL, run:COMMAND or the folder of a function";
        format!("cannot read the folder {}: {error}; {forms}", folder.display())
    })?;
    if !full.join("index.js").is_file() && !full.join("package.json").is_file() {
        return Err(format!("the folder {} has neither index.js nor package.json", folder.display()));
    }
    Ok(full)
}

/// The triggers in a folder's `config.json`, if it has one.
fn triggers_of(folder: &Path) -> Result<Vec<Trigger>, String> {
    let path = folder.join("config.json");
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(format!("cannot read {}: {error}", path.display())),
    };
    let config = jsonc::parse(&text).map_err(|error| format!("{}: {error}", path.display()))?;
    let triggers = config.get("triggers").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let read = triggers.iter().map(|trigger| {
        let text = |name: &str| {
            let text = trigger.get(name).and_then(Value::as_str).map(str::to_owned);
            text.ok_or_else(|| format!("{}: a trigger needs \"{name}\"", path.display()))
        };
        if text("type")? != "timer" {
            return Err(format!("{}: the only type of trigger is \"timer\"", path.display()));
        }
        Ok(Trigger { name: text("name")?, config: text("config")? })
    });
    read.collect()
}

fn is_name(name: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    (1..=60).contains(&name.len()) && name.bytes().all(known)
}
