//! A sink that is a file, or a folder of files that change together.
//!
//! A file is written beside its place and renamed over it: a reader gets the old one or the new one, whole, also when the
//! power fails. A folder holds one sub-folder for each version, and `current` points to the newest: whoever opens that
//! first and reads beneath it gets files that belong together. The version before stays until the next one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal as Number, kill_process};
use zeroize::Zeroizing;

use super::delivery::{Delivery, Subject};
use super::file_format::FileFormat;
use super::found::Found;
use super::standing::SinkFailure;
use super::target::Look;
use crate::config::FileConfig;

/// A file, and how it was left.
#[derive(Clone, Debug)]
pub(crate) struct FileTarget {
    config: FileConfig,
    subject: Subject,
    /// How to tell that it is still the file that was written.
    mark: Option<Mark>,
}

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

/// A file's identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    inode: u64,
    changed: (i64, i64),
}

/// How long a program may run.
const RUN: Duration = Duration::from_secs(8);
/// What points to the newest version in a folder.
const CURRENT: &str = "current";
const WHERE: &str =
    "See that the folder is there, that Tokenward may write in it, and that the disk is not full.";

impl FileTarget {
    pub(super) fn new(config: &FileConfig, subject: Subject) -> FileTarget {
        FileTarget { config: config.clone(), subject, mark: None }
    }

    pub(super) async fn deliver(&mut self, delivery: &Delivery) -> Result<(), SinkFailure> {
        let (target, delivery) = (self.clone(), delivery.clone());
        let written = tokio::task::spawn_blocking(move || target.write(&delivery)).await;
        self.mark = Some(written.unwrap_or_else(|_| {
            Err(SinkFailure::new("writing was broken off", "Report this as a defect of Tokenward."))
        })?);
        self.tell().await
    }

    pub(super) async fn look(&self) -> Result<Look, SinkFailure> {
        let found = tokio::fs::symlink_metadata(self.place()).await;
        match found {
            Ok(metadata) if self.mark == Some(Mark::of(&metadata)) => Ok(Look::There),
            Ok(_) => Ok(Look::Foreign),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Look::Gone),
            Err(error) => Err(self.failure("be looked at", &error)),
        }
    }

    pub(super) async fn find(&self) -> Result<Found, SinkFailure> {
        let path = match self.config.format {
            FileFormat::Folder => self.config.path.join(CURRENT).join("token.json"),
            _ => self.config.path.clone(),
        };
        let text = tokio::fs::read_to_string(&path).await.map(Zeroizing::new);
        let text = text.map_err(|error| {
            SinkFailure::new(
                format!("{} cannot be read: {error}", path.display()),
                "Check `path` of the sink.",
            )
        })?;
        Found::read(&text).ok_or_else(|| {
            let detail = format!("there is no token in {}", path.display());
            SinkFailure::new(detail, "See that the program that writes it has written it.")
        })
    }

    /// What is replaced at once.
    fn place(&self) -> PathBuf {
        if self.config.format == FileFormat::Folder {
            self.config.path.join(CURRENT)
        } else {
            self.config.path.clone()
        }
    }

    fn write(&self, delivery: &Delivery) -> Result<Mark, SinkFailure> {
        let files = self.config.format.files(&self.subject, delivery)?;
        let written = match self.config.format {
            FileFormat::Folder => self.write_version(&files, delivery),
            _ => files.first().map_or(Ok(()), |(_, text)| self.replace(text)),
        };
        let mark = written.and_then(|()| fs::symlink_metadata(self.place()));
        mark.map(|metadata| Mark::of(&metadata)).map_err(|error| self.failure("be written", &error))
    }

    fn replace(&self, text: &str) -> io::Result<()> {
        let (folder, name) =
            (self.folder(), self.config.path.file_name().unwrap_or_default().to_string_lossy());
        let fresh = folder.join(format!(".{name}.tokenward"));
        self.create(&fresh, text)?;
        fs::rename(&fresh, &self.config.path)?;
        sync_folder(folder)
    }

    fn folder(&self) -> &Path {
        self.config.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }

    /// Writes a file that nobody reads yet. One of the same name is left over from a write that was broken off.
    fn create(&self, path: &Path, text: &str) -> io::Result<()> {
        gone(fs::remove_file(path))?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(text.as_bytes())?;
        self.hand_over(path, self.config.mode)?;
        file.sync_all()
    }

    fn hand_over(&self, path: &Path, mode: u32) -> io::Result<()> {
        if let Some(owner) = self.config.owner {
            std::os::unix::fs::lchown(path, Some(owner.user), owner.group)?;
        }
        fs::set_permissions(path, fs::Permissions::from_mode(mode))
    }

    fn write_version(&self, files: &[(&str, Zeroizing<String>)], delivery: &Delivery) -> io::Result<()> {
        let passable = self.config.mode | ((self.config.mode & 0o444) >> 2);
        if let Err(error) = fs::create_dir(&self.config.path)
            && error.kind() != io::ErrorKind::AlreadyExists
        {
            return Err(error);
        }
        self.hand_over(&self.config.path, passable)?;
        let current = self.config.path.join(CURRENT);
        let before = gone(fs::read_link(&current))?;
        let version = format!("v{}-{}", delivery.generation, delivery.now.0);
        let place = self.config.path.join(&version);
        gone(fs::remove_dir_all(&place))?;
        fs::create_dir(&place)?;
        for (name, text) in files {
            self.create(&place.join(name), text)?;
        }
        self.hand_over(&place, passable)?;
        sync_folder(&place)?;
        let fresh = self.config.path.join(".current.tokenward");
        gone(fs::remove_file(&fresh))?;
        std::os::unix::fs::symlink(&version, &fresh)?;
        fs::rename(&fresh, &current)?;
        sync_folder(&self.config.path)?;
        self.clear(&version, before.as_deref())
    }

    /// Removes versions, except this one and the one before, which somebody may be reading.
    fn clear(&self, version: &str, before: Option<&Path>) -> io::Result<()> {
        for entry in fs::read_dir(&self.config.path)? {
            let entry = entry?;
            let (name, path) = (entry.file_name(), entry.path());
            let stays = name == version || before.is_some_and(|before| before.as_os_str() == name);
            let is_version = name.to_string_lossy().strip_prefix('v').is_some_and(|rest| {
                rest.split_once('-')
                    .is_some_and(|(a, b)| a.parse::<u64>().is_ok() && b.parse::<u64>().is_ok())
            });
            if is_version && !stays {
                gone(fs::remove_dir_all(path))?;
            }
        }
        Ok(())
    }

    async fn tell(&self) -> Result<(), SinkFailure> {
        match &self.config.afterwards {
            None => Ok(()),
            Some(Afterwards::Run(words)) => run(words).await,
            Some(Afterwards::Signal(signal)) => signal.send(),
        }
    }

    fn failure(&self, what: &str, error: &io::Error) -> SinkFailure {
        SinkFailure::new(format!("{} cannot {what}: {error}", self.config.path.display()), WHERE)
    }
}

impl Mark {
    fn of(metadata: &fs::Metadata) -> Mark {
        Mark { inode: metadata.ino(), changed: (metadata.ctime(), metadata.ctime_nsec()) }
    }
}

impl Signal {
    fn send(&self) -> Result<(), SinkFailure> {
        let wrong = |why: String| {
            let detail =
                format!("no signal could be sent to the process named in {}: {why}", self.pid_file.display());
            SinkFailure::new(detail, "See that the process runs, and that Tokenward may send signals to it.")
        };
        let text = fs::read_to_string(&self.pid_file).map_err(|error| wrong(error.to_string()))?;
        // The numbers 0 and below would mean many processes.
        let pid = text.trim().parse().ok().filter(|pid: &i32| *pid > 0).and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| wrong("there is no process number in it".to_owned()))?;
        kill_process(pid, self.number).map_err(|error| wrong(error.to_string()))
    }
}

/// Runs a program. It inherits nothing of the environment but `PATH`, since secrets may stand there.
async fn run(words: &[String]) -> Result<(), SinkFailure> {
    let Some((program, arguments)) = words.split_first() else { return Ok(()) };
    let wrong = |why: String| {
        SinkFailure::new(
            format!("the file is written, but {program} {why}"),
            "Run it by hand as the same user; it is run again with the next attempt.",
        )
    };
    let mut command = tokio::process::Command::new(program);
    command.args(arguments).env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.envs(std::env::var_os("PATH").map(|path| ("PATH", path))).kill_on_drop(true);
    match tokio::time::timeout(RUN, command.status()).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(wrong(format!("ended with {status}"))),
        Ok(Err(error)) => Err(wrong(format!("could not be run: {error}"))),
        Err(_) => Err(wrong("took more than 8 seconds".to_owned())),
    }
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// That something is not there is no error.
fn gone<T>(outcome: io::Result<T>) -> io::Result<Option<T>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
