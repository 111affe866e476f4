//! A file that describes the emulated cloud: environments and functions.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{CloudSettings, Function, FunctionWork, Trigger};
use crate::duration_text;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Described {
    #[serde(default)]
    environments: Vec<String>,
    #[serde(default, rename = "function")]
    functions: Vec<DescribedFunction>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DescribedFunction {
    name: String,
    env: Option<String>,
    answer: Option<serde_json::Value>,
    url: Option<String>,
    run: Option<String>,
    folder: Option<PathBuf>,
    timeout: Option<String>,
    #[serde(default)]
    variables: BTreeMap<String, String>,
    #[serde(default)]
    triggers: Vec<DescribedTrigger>,
}

/// The names are those of `config.json`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DescribedTrigger {
    name: String,
    config: String,
}

impl CloudSettings {
    /// Reads environments and functions from a TOML file. Folders in it, and commands, are relative to where it is.
    ///
    /// # Errors
    /// The file cannot be read, or what is wrong in it.
    pub fn from_file(path: &Path) -> io::Result<CloudSettings> {
        let wrong =
            |what: String| io::Error::new(io::ErrorKind::InvalidInput, format!("{}: {what}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        let described: Described = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        let place = path.parent().filter(|place| !place.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let functions = described.functions.into_iter().map(|function| {
            let name = function.name.clone();
            function.read(place).map_err(|what| wrong(format!("the function {name}: {what}")))
        });
        Ok(CloudSettings {
            environments: described.environments,
            functions: functions.collect::<io::Result<_>>()?,
            ..CloudSettings::default()
        })
    }
}

impl DescribedFunction {
    fn read(self, place: &Path) -> Result<Function, String> {
        let work = match (self.answer, self.url, self.run, self.folder) {
            (Some(answer), None, None, None) => FunctionWork::Answer(answer.to_string()),
            (None, Some(url), None, None) => FunctionWork::Forward(url),
            (None, None, Some(line), None) => {
                FunctionWork::Command { line, directory: Some(place.to_owned()) }
            }
            (None, None, None, Some(folder)) => FunctionWork::Folder(place.join(folder)),
            _ => return Err("give it one of \"answer\", \"url\", \"run\" and \"folder\"".to_owned()),
        };
        let mut function = Function { env: self.env, ..Function::new(self.name, work) };
        function.variables = self.variables;
        if let Some(timeout) = self.timeout {
            let timeout = duration_text::parse(&timeout).map_err(|error| format!("timeout: {error}"))?;
            if timeout.is_zero() || timeout > super::functions::LONGEST {
                return Err("timeout: the platform allows 60s at most".to_owned());
            }
            function.time_limit = timeout;
        }
        let triggers = self.triggers.into_iter();
        function.triggers =
            triggers.map(|DescribedTrigger { name, config }| Trigger { name, config }).collect();
        Ok(function)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn read(text: &str) -> io::Result<CloudSettings> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cloud.toml");
        std::fs::write(&path, text).unwrap();
        CloudSettings::from_file(&path)
    }

    #[test]
    fn a_file_says_what_flags_say_and_more() {
        let settings = read(
            r#"
            environments = ["test"]
            [[function]]
            name = "hello"
            answer = { ok = true }
            timeout = "3s"
            triggers = [{ name = "daily", config = "0 0 2 * * * *" }]
            [[function]]
            name = "login"
            env = "test"
            folder = "functions/login"
            variables = { KEY = "value" }
            "#,
        )
        .unwrap();
        assert_eq!(settings.environments, ["test"]);
        let [hello, login] = &settings.functions[..] else { panic!("two functions") };
        assert_eq!(hello.work, FunctionWork::Answer("{\"ok\":true}".to_owned()));
        assert_eq!((hello.time_limit, hello.triggers.len()), (Duration::from_secs(3), 1));
        assert!(
            matches!(&login.work, FunctionWork::Folder(path) if path.is_absolute() && path.ends_with(Path::new("functions/login")))
        );
        assert_eq!((login.env.as_deref(), login.variables["KEY"].as_str()), (Some("test"), "value"));
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said() {
        let error = |text: &str| read(text).unwrap_err().to_string();
        assert!(
            error("[[function]]\nname = 'f'")
                .ends_with("the function f: give it one of \"answer\", \"url\", \"run\" and \"folder\"")
        );
        assert!(error("[[function]]\nname = 'f'\nurl = 'a'\nrun = 'b'").contains("give it one of"));
        assert!(
            error("[[function]]\nname = 'f'\nrun = 'b'\ntimeout = '2m'")
                .contains("the platform allows 60s at most")
        );
        assert!(error("colour = 1").contains("unknown field `colour`"));
    }
}
