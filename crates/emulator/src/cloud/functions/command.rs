//! A function as a process: the event goes to its input, the result is what it prints.
//!
//! Invariants: the process and its children end with the call, however it ends; output and lines told are bounded.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

use super::LARGEST_RESULT;
use crate::cloud::CloudFailure;

/// Lines of one run that are told; later ones are only read.
const LINES_TOLD: usize = 200;
/// Longer lines lose their end.
const LONGEST_LINE: usize = 1_000;

/// Runs a command with an event, tells the lines it writes to its error output, and returns what it printed.
pub(super) async fn run(
    mut command: Command,
    event: &str,
    tell: impl Fn(&str),
) -> Result<Vec<u8>, CloudFailure> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child =
        command.process_group(0).kill_on_drop(true).spawn().map_err(|error| not_run(&command, &error))?;
    let family = Family::of(&child);
    let (input, output, words) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let feed = async {
        if let Some(mut input) = input {
            // A command that does not read its input is none the worse for it.
            let _ = input.write_all(event.as_bytes()).await;
        }
        Ok(())
    };
    let ended = async {
        let status = child.wait().await;
        // Children of its own that are left would keep the pipes open.
        drop(family);
        status.map_err(|_| CloudFailure::system_error())
    };
    let ((), printed, last_line, status) = tokio::try_join!(feed, read(output), listen(words, tell), ended)?;
    if status.success() {
        return Ok(printed);
    }
    Err(CloudFailure::execution_failed(&if last_line.is_empty() { how_it_ended(status) } else { last_line }))
}

/// A process and its children, which end when this is dropped.
struct Family(Option<Pid>);

impl Family {
    fn of(child: &Child) -> Family {
        Family(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw))
    }
}

impl Drop for Family {
    fn drop(&mut self) {
        if let Some(leader) = self.0 {
            // That nobody is left is the normal case.
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }
}

/// The whole output, unless it is more than a result may have.
async fn read(output: Option<impl AsyncRead + Unpin>) -> Result<Vec<u8>, CloudFailure> {
    let mut printed = Vec::new();
    if let Some(output) = output {
        let most = u64::try_from(LARGEST_RESULT + 1).unwrap_or(u64::MAX);
        // What was read before an error is all there is.
        let _ = output.take(most).read_to_end(&mut printed).await;
    }
    if printed.len() > LARGEST_RESULT {
        return Err(CloudFailure::result_too_large());
    }
    Ok(printed)
}

/// Tells line after line, and returns the last one that is not empty.
async fn listen(words: Option<impl AsyncRead + Unpin>, tell: impl Fn(&str)) -> Result<String, CloudFailure> {
    let Some(mut words) = words else { return Ok(String::new()) };
    let mut chunk = [0; 4_096];
    let (mut line, mut last, mut told) = (Vec::new(), String::new(), 0);
    let mut end_line = |line: &mut Vec<u8>| {
        let text = String::from_utf8_lossy(line).trim_end().to_owned();
        line.clear();
        if text.is_empty() {
            return;
        }
        if told < LINES_TOLD {
            tell(&text);
            told += 1;
        }
        last = text;
    };
    while let Ok(length @ 1..) = words.read(&mut chunk).await {
        for byte in chunk.iter().take(length) {
            match *byte {
                b'\n' => end_line(&mut line),
                byte if line.len() < LONGEST_LINE => line.push(byte),
                _ => {}
            }
        }
    }
    end_line(&mut line);
    Ok(last)
}

fn not_run(command: &Command, error: &io::Error) -> CloudFailure {
    let program = command.as_std().get_program().to_string_lossy();
    let advice = match error.kind() {
        io::ErrorKind::NotFound if program == "node" => {
            "; install Node.js, or check that the function's folder is still there"
        }
        io::ErrorKind::NotFound => "; check that it is installed and that its folder is still there",
        _ => "",
    };
    CloudFailure::call_failed(&format!("cannot run {program}: {error}{advice}"))
}

fn how_it_ended(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("the command ended with exit code {code} and said nothing"),
        (None, Some(signal)) => format!("the command was ended by signal {signal}"),
        (None, None) => "the command failed".to_owned(),
    }
}
