//! The place of a file sink: a file, or a folder of files that change together. Everything here blocks.
//!
//! A file is written beside its place and renamed over it: a reader gets the old one or the new one, whole, also when the
//! power fails. A folder holds one sub-folder for each version, and `current` points to the newest: whoever opens that
//! first and reads beneath it gets files that belong together. The version before stays until the next one. Owner and mode
//! are given to what is made here, and to nothing else.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tokenward_core::secret::Secret;
use zeroize::Zeroizing;

use super::delivery::{Delivery, Subject};
use super::file_format::{FileFormat, IN_FOLDER};
use super::found::Found;
use super::standing::SinkFailure;
use super::target::Look;
use crate::config::FileConfig;

/// Where a sink writes, and what.
#[derive(Debug)]
pub(super) struct FilePlace {
    config: FileConfig,
    subject: Subject,
}

/// What was written, as it must be found again.
#[derive(Debug)]
pub(super) struct Written {
    files: Vec<WrittenFile>,
    /// In a folder, what `current` points to.
    version: Option<PathBuf>,
}

#[derive(Debug)]
struct WrittenFile {
    path: PathBuf,
    text: Secret,
    standing: (u32, u32, u32),
}

/// What points to the newest version in a folder.
const CURRENT: &str = "current";
/// Of what others left, no more than this is read.
const LONGEST: u64 = 1 << 20;
const WHERE: &str =
    "See that the folder is there, that Tokenward may write in it, and that the disk is not full.";

impl FilePlace {
    pub(super) fn new(config: &FileConfig, subject: Subject) -> FilePlace {
        FilePlace { config: config.clone(), subject }
    }

    pub(super) fn path(&self) -> &Path {
        &self.config.path
    }

    /// Writes a token over what is there.
    pub(super) fn write(&self, delivery: &Delivery) -> Result<Written, SinkFailure> {
        let files = self.config.format.files(&self.subject, delivery)?;
        let written = match self.config.format {
            FileFormat::Folder => self.write_version(&files, delivery),
            _ => self.replace(&files),
        };
        written.map_err(|error| self.failure("be written", &error))
    }

    /// Whether what was written still stands there.
    pub(super) fn look(&self, written: &Written) -> Result<Look, SinkFailure> {
        let look = self.compare(written);
        look.map_err(|error| self.failure("be looked at", &error))
    }

    /// The token that stands there, whoever wrote it.
    pub(super) fn find(&self) -> Result<Found, SinkFailure> {
        if !self.config.format.is_readable(&self.subject) {
            return Err(SinkFailure::unreadable("template"));
        }
        let path = match self.config.format {
            FileFormat::Folder => self.config.path.join(CURRENT).join("token.json"),
            _ => self.config.path.clone(),
        };
        let text = read(&path, LONGEST).map_err(|error| {
            SinkFailure::new(
                format!("{} cannot be read: {error}", path.display()),
                "Check `path` of the sink.",
            )
        })?;
        self.config.format.find(&self.subject, &text).ok_or_else(|| {
            let detail = format!("there is no token in {} in the shape that the sink writes", path.display());
            SinkFailure::new(
                detail,
                "See that the program that writes it has written it, and `preset` or `template`.",
            )
        })
    }

    fn compare(&self, written: &Written) -> io::Result<Look> {
        if let Some(version) = &written.version {
            match fs::read_link(self.config.path.join(CURRENT)) {
                Ok(points_to) if points_to == *version => {}
                // Something that is no link is somebody's own.
                Ok(_) => return Ok(Look::Foreign),
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => return Ok(Look::Foreign),
                Err(error) => return gone::<()>(Err(error)).map(|_| Look::Gone),
            }
        }
        for file in &written.files {
            match file.look()? {
                Look::There => {}
                look => return Ok(look),
            }
        }
        Ok(Look::There)
    }

    fn replace(&self, files: &[(&str, Zeroizing<String>)]) -> io::Result<Written> {
        let path = &self.config.path;
        let fresh = self.beside();
        for (_, text) in files {
            self.create(&fresh, text)?;
            fs::rename(&fresh, path)?;
        }
        sync_folder(self.folder())?;
        let files = files.iter().map(|(_, text)| WrittenFile::new(path.clone(), text));
        Ok(Written { files: files.collect::<io::Result<_>>()?, version: None })
    }

    fn write_version(&self, files: &[(&str, Zeroizing<String>)], delivery: &Delivery) -> io::Result<Written> {
        let passable = self.config.mode | ((self.config.mode & 0o444) >> 2);
        self.make_folder(passable)?;
        let current = self.config.path.join(CURRENT);
        let before = fs::read_link(&current).ok();
        let version = PathBuf::from(format!("v{}-{}", delivery.generation, delivery.now.0));
        let place = self.config.path.join(&version);
        remove_version(&place)?;
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
        self.clear(&version, before.as_deref());
        let files = files.iter().map(|(name, text)| WrittenFile::new(place.join(name), text));
        Ok(Written { files: files.collect::<io::Result<_>>()?, version: Some(version) })
    }

    /// Makes the folder if there is none. It appears with its owner and mode, so that one that is there needs neither.
    fn make_folder(&self, mode: u32) -> io::Result<()> {
        if gone(fs::metadata(&self.config.path))?.is_some() {
            return Ok(());
        }
        let fresh = self.beside();
        gone(fs::remove_dir(&fresh))?;
        fs::create_dir(&fresh)?;
        self.hand_over(&fresh, mode)?;
        fs::rename(&fresh, &self.config.path)?;
        sync_folder(self.folder())
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

    /// Removes versions, except this one and the one before, which somebody may be reading. What cannot be removed is no
    /// reason to write again.
    fn clear(&self, version: &Path, before: Option<&Path>) {
        let entries = fs::read_dir(&self.config.path).into_iter().flatten().flatten();
        for entry in entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
            let name = PathBuf::from(entry.file_name());
            let stays = name == version || before == Some(&name);
            let is_version =
                name.to_str().and_then(|name| name.strip_prefix('v')?.split_once('-')).is_some_and(
                    |(generation, at)| generation.parse::<u64>().is_ok() && at.parse::<u64>().is_ok(),
                );
            if is_version
                && !stays
                && let Err(error) = remove_version(&entry.path())
            {
                tracing::warn!(path = %entry.path().display(), "an old version cannot be removed: {error}");
            }
        }
    }

    fn folder(&self) -> &Path {
        self.config.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }

    /// Where something is made that is renamed to its place.
    fn beside(&self) -> PathBuf {
        let name = self.config.path.file_name().unwrap_or_default().to_string_lossy();
        self.folder().join(format!(".{name}.tokenward"))
    }

    fn failure(&self, what: &str, error: &io::Error) -> SinkFailure {
        SinkFailure::new(format!("{} cannot {what}: {error}", self.config.path.display()), WHERE)
    }
}

impl Written {
    /// Whether whoever has read the one knows what stands in the other.
    pub(super) fn says_the_same(&self, other: &Written) -> bool {
        self.files.iter().map(|file| &file.text).eq(other.files.iter().map(|file| &file.text))
    }
}

impl WrittenFile {
    fn new(path: PathBuf, text: &str) -> io::Result<WrittenFile> {
        let standing = standing(&fs::symlink_metadata(&path)?);
        Ok(WrittenFile { path, text: Secret::new(text), standing })
    }

    fn look(&self) -> io::Result<Look> {
        let Some(metadata) = gone(fs::symlink_metadata(&self.path))? else { return Ok(Look::Gone) };
        let text = self.text.expose().as_bytes();
        let length = u64::try_from(text.len()).unwrap_or(LONGEST);
        if !metadata.is_file() || metadata.len() != length || standing(&metadata) != self.standing {
            return Ok(Look::Foreign);
        }
        Ok(match gone(read(&self.path, length))? {
            None => Look::Gone,
            Some(found) if found.as_slice() == text => Look::There,
            Some(_) => Look::Foreign,
        })
    }
}

/// Who may read a file.
fn standing(metadata: &fs::Metadata) -> (u32, u32, u32) {
    (metadata.mode(), metadata.uid(), metadata.gid())
}

fn read(path: &Path, at_most: u64) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::new());
    File::open(path)?.take(at_most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Removes what this program puts into a version; a folder with anything else in it stays, as it is somebody's own.
fn remove_version(path: &Path) -> io::Result<()> {
    for name in IN_FOLDER {
        match fs::remove_file(path.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::IsADirectory => {}
            outcome => drop(gone(outcome)?),
        }
    }
    match fs::remove_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
        outcome => gone(outcome).map(drop),
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
