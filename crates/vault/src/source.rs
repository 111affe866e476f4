//! Where a secret comes from: never the configuration file itself, if it can be helped.

use std::fmt;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use zeroize::Zeroizing;

/// A reference to a secret.
#[derive(Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// The value of an environment variable.
    Env(String),
    /// The contents of a file, without the newline at its end.
    File(PathBuf),
    /// The standard output of a program, run without a shell, without the newline at its end.
    Command(Vec<String>),
    /// The value itself, in the configuration file.
    Inline(Zeroizing<String>),
}

/// Why a secret could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The variable is not set.
    #[error("the environment variable {0} is not set")]
    NoVariable(String),
    /// The variable or file holds no text.
    #[error("{0} is not UTF-8 text")]
    NotText(String),
    /// There is a place but nothing in it.
    #[error("{0} is empty")]
    Empty(String),
    /// The file could not be read.
    #[error("cannot read {0}: {1}")]
    Unreadable(String, #[source] std::io::Error),
    /// The program could not be started.
    #[error("cannot run {0}: {1}")]
    NotRun(String, #[source] std::io::Error),
    /// The program said that it failed.
    #[error("{0} failed with {1}")]
    Failed(String, std::process::ExitStatus),
    /// The program did not end in time.
    #[error("{0} did not end within 10 s")]
    TooSlow(String),
    /// More than a secret ever is.
    #[error("{0} holds more than 64 KiB")]
    TooLong(String),
}

const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);
const LONGEST: u64 = 64 * 1024;

impl SecretSource {
    /// Reads the secret. Blocks while a program runs, ten seconds at most.
    ///
    /// # Errors
    /// Names the place and what is wrong with it, never what was read.
    pub fn read(&self) -> Result<Zeroizing<String>, SourceError> {
        let place = self.to_string();
        let text = match self {
            SecretSource::Env(name) => match std::env::var(name) {
                Ok(value) => Zeroizing::new(value),
                Err(std::env::VarError::NotPresent) => return Err(SourceError::NoVariable(name.clone())),
                Err(std::env::VarError::NotUnicode(_)) => return Err(SourceError::NotText(place)),
            },
            SecretSource::File(path) => {
                let file = std::fs::File::open(path)
                    .map_err(|error| SourceError::Unreadable(place.clone(), error))?;
                read_text(file, &place)?
            }
            SecretSource::Command(words) => run(words, &place)?,
            SecretSource::Inline(value) => value.clone(),
        };
        let trimmed = text.trim_end_matches(['\r', '\n']);
        if trimmed.trim().is_empty() {
            return Err(SourceError::Empty(place));
        }
        Ok(Zeroizing::new(trimmed.to_owned()))
    }

    /// Whether reading it again can yield something else while the process runs.
    #[must_use]
    pub fn can_change(&self) -> bool {
        matches!(self, SecretSource::File(_) | SecretSource::Command(_))
    }
}

fn read_text(reader: impl std::io::Read, place: &str) -> Result<Zeroizing<String>, SourceError> {
    let mut bytes = Zeroizing::new(Vec::new());
    let unreadable = |error| SourceError::Unreadable(place.to_owned(), error);
    let read = reader.take(LONGEST + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if read as u64 > LONGEST {
        return Err(SourceError::TooLong(place.to_owned()));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| SourceError::NotText(place.to_owned()))?;
    Ok(Zeroizing::new(text.to_owned()))
}

fn run(words: &[String], place: &str) -> Result<Zeroizing<String>, SourceError> {
    let not_run = |error| SourceError::NotRun(place.to_owned(), error);
    let Some((program, arguments)) = words.split_first() else {
        return Err(SourceError::Empty(place.to_owned()));
    };
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(not_run)?;
    let stdout = child.stdout.take().expect("stdout was asked to be piped");
    let (sender, receiver) = mpsc::channel();
    let reader_place = place.to_owned();
    std::thread::spawn(move || {
        // Nobody listens any more when the program was too slow; then the text is of no use.
        drop(sender.send(read_text(stdout, &reader_place)));
    });
    let text = receiver.recv_timeout(COMMAND_TIMEOUT);
    if text.is_err() {
        // The program may have ended by itself in the meantime; either way it is gone after `wait`.
        drop(child.kill());
    }
    let status = child.wait().map_err(not_run)?;
    match text {
        Err(_) => Err(SourceError::TooSlow(place.to_owned())),
        Ok(_) if !status.success() => Err(SourceError::Failed(place.to_owned(), status)),
        Ok(text) => text,
    }
}

/// The place, never what is in it. Of a program only its name: its arguments may be private.
impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SecretSource::Env(name) => write!(f, "the environment variable {name}"),
            SecretSource::File(path) => write!(f, "the file {}", path.display()),
            SecretSource::Command(words) => {
                write!(f, "the command {}", words.first().map_or("(none)", String::as_str))
            }
            SecretSource::Inline(_) => f.write_str("the inline secret"),
        }
    }
}

impl fmt::Debug for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(words: &[&str]) -> Result<String, String> {
        let source = SecretSource::Command(words.iter().map(|word| (*word).to_owned()).collect());
        source.read().map(|text| text.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_file_is_read_without_its_last_newline() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "s3cret\r\n").unwrap();
        let read = SecretSource::File(file.path().to_owned()).read().unwrap();
        assert_eq!(*read, "s3cret");
    }

    #[test]
    fn a_command_is_run_without_a_shell() {
        assert_eq!(command(&["echo", "a;b $HOME"]), Ok("a;b $HOME".to_owned()));
    }

    #[test]
    fn a_failing_command_is_an_error_that_hides_its_arguments() {
        let error = command(&["false", "--password=hunter2"]).unwrap_err();
        assert!(error.starts_with("the command false failed"), "{error}");
        assert!(!error.contains("hunter2"));
    }

    #[test]
    fn an_empty_secret_is_an_error() {
        assert_eq!(command(&["true"]), Err("the command true is empty".to_owned()));
    }

    #[test]
    fn a_missing_variable_is_named() {
        let error = SecretSource::Env("TOKENWARD_TEST_NOT_SET".to_owned()).read().unwrap_err();
        assert_eq!(error.to_string(), "the environment variable TOKENWARD_TEST_NOT_SET is not set");
    }

    #[test]
    fn debug_shows_no_inline_secret() {
        let source = SecretSource::Inline(Zeroizing::new("hunter2".to_owned()));
        assert_eq!(format!("{source:?}"), "the inline secret");
    }
}
