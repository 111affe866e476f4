//! What is done when a file has changed, so that whoever keeps it in memory reads it again.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal as Number, kill_process};
use tokio::process::{Child, Command};

use super::standing::SinkFailure;
use super::turn::Turn;

/// What is done when the file has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Afterwards {
    /// A program is run, without a shell.
    Run(Vec<String>),
    /// A process is told.
    Signal(Signal),
}

/// A signal to the process whose number stands in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Signal {
    pub(crate) pid_file: PathBuf,
    pub(crate) number: Number,
}

/// The hook of one sink. It has a turn of its own: while it hangs, the file is written all the same.
#[derive(Clone, Debug)]
pub(super) struct Hook {
    afterwards: Arc<Afterwards>,
    turn: Turn,
}

/// How long a program may run.
const RUN: Duration = Duration::from_secs(8);

impl Hook {
    pub(super) fn new(afterwards: Afterwards, patience: Duration) -> Hook {
        Hook { afterwards: Arc::new(afterwards), turn: Turn::new(patience) }
    }

    pub(super) async fn carry_out(&self) -> Result<(), SinkFailure> {
        let afterwards = Arc::clone(&self.afterwards);
        let begun = self.turn.take(self.afterwards.path(), move || afterwards.begin()).await?;
        match (begun, self.afterwards.as_ref()) {
            (Some(child), Afterwards::Run(words)) => finish(child, words).await,
            _ => Ok(()),
        }
    }
}

impl Afterwards {
    /// What may hang.
    fn path(&self) -> &Path {
        match self {
            Afterwards::Run(words) => Path::new(words.first().map_or("", String::as_str)),
            Afterwards::Signal(signal) => &signal.pid_file,
        }
    }

    /// Sends the signal, or starts the program. Blocks: both are read from a disk.
    fn begin(&self) -> Result<Option<Child>, SinkFailure> {
        match self {
            Afterwards::Signal(signal) => signal.send().map(|()| None),
            Afterwards::Run(words) => start(words),
        }
    }
}

impl Signal {
    fn send(&self) -> Result<(), SinkFailure> {
        let wrong = |why: String| {
            let detail =
                format!("no signal could be sent to the process named in {}: {why}", self.pid_file.display());
            SinkFailure::new(detail, "See that the process runs, and that Tokenward may send signals to it.")
        };
        let text = std::fs::read_to_string(&self.pid_file).map_err(|error| wrong(error.to_string()))?;
        // The numbers 0 and below would mean many processes.
        let pid = text.trim().parse().ok().filter(|pid: &i32| *pid > 0).and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| wrong("there is no process number in it".to_owned()))?;
        kill_process(pid, self.number).map_err(|error| wrong(error.to_string()))
    }
}

/// Starts a program. It inherits nothing of the environment but `PATH`, since secrets may stand there.
fn start(words: &[String]) -> Result<Option<Child>, SinkFailure> {
    let Some((program, arguments)) = words.split_first() else { return Ok(None) };
    let mut command = Command::new(program);
    command.args(arguments).env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.envs(std::env::var_os("PATH").map(|path| ("PATH", path))).kill_on_drop(true);
    command.spawn().map(Some).map_err(|error| wrong(words, &format!("could not be run: {error}")))
}

async fn finish(mut child: Child, words: &[String]) -> Result<(), SinkFailure> {
    match tokio::time::timeout(RUN, child.wait()).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(wrong(words, &format!("ended with {status}"))),
        Ok(Err(error)) => Err(wrong(words, &format!("cannot be waited for: {error}"))),
        Err(_) => Err(wrong(words, "took more than 8 seconds")),
    }
}

fn wrong(words: &[String], why: &str) -> SinkFailure {
    let program = words.first().map_or("", String::as_str);
    SinkFailure::new(
        format!("the file is written, but {program} {why}"),
        "Run it by hand as the same user; it is run again within seconds.",
    )
}
