//! Files on disk.
//!
//! A file's bytes are in `ENV/HASH.N`, what is known about them in `ENV/HASH.json`, which also says N; HASH is of the
//! path, so no path can lead out of the folder, be too long, or clash with another one where case does not matter.
//!
//! Invariant: the card is renamed into its place last, so a file is there as a whole or not at all, and a new one takes
//! the place of the old one in one step. What no card speaks of is left over from a crash and goes at the next start.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::place::Place;
use super::signer::hex;

/// How often a reader looks again when the file is replaced under its eyes.
const LOOKS: usize = 16;

/// All files of an emulator. Clones speak of the same ones; each method may wait for the disk.
#[derive(Clone, Debug)]
pub(crate) struct Shelf {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    folder: Option<PathBuf>,
    /// Stands in for a folder that was not given, made when it is first needed, and removed in the end.
    temporary: Mutex<Option<TempDir>>,
    /// Makes cards change one after the other.
    changing: Mutex<()>,
    next: AtomicU64,
}

/// What is known about a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Card {
    pub(crate) path: String,
    pub(crate) size: u64,
    pub(crate) content_type: Option<String>,
    /// In quotation marks.
    pub(crate) etag: String,
    /// Milliseconds since 1970, on the emulator's clock.
    pub(crate) modified: i64,
    /// Which of the files named after the path has the bytes.
    number: u64,
}

/// Bytes that are nobody's yet; they go when this is dropped.
#[derive(Debug)]
pub(crate) struct Loose {
    path: PathBuf,
    number: u64,
    is_kept: bool,
}

impl Shelf {
    /// Opens the folder and removes what a crash left over.
    pub(crate) fn open(folder: Option<PathBuf>) -> io::Result<Shelf> {
        if let Some(folder) = &folder {
            fs::create_dir_all(folder)?;
            for env in fs::read_dir(folder)? {
                let env = env?;
                if env.file_type()?.is_dir() {
                    sweep(&env.path())?;
                }
            }
        }
        let shared = Shared {
            folder,
            temporary: Mutex::default(),
            changing: Mutex::default(),
            next: AtomicU64::new(1),
        };
        Ok(Shelf { shared: Arc::new(shared) })
    }

    /// A file to write to.
    pub(crate) fn begin(&self, place: &Place) -> io::Result<(File, Loose)> {
        let (env, hash) = self.names(place)?;
        fs::create_dir_all(&env)?;
        loop {
            let number = self.shared.next.fetch_add(1, Ordering::Relaxed);
            let path = env.join(format!("{hash}.{number}"));
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                // Written by an earlier run of the emulator.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
                Ok(file) => return Ok((file, Loose { path, number, is_kept: false })),
            }
        }
    }

    /// Makes loose bytes the file of this place. The card's path and number are filled in here.
    pub(crate) fn keep(&self, place: &Place, loose: Loose, card: Card) -> io::Result<()> {
        let mut loose = loose;
        let (env, hash) = self.names(place)?;
        let card = Card { path: place.path().to_owned(), number: loose.number, ..card };
        let text = serde_json::to_vec(&card).map_err(io::Error::other)?;
        let draft = env.join(format!("{hash}.{}.draft", loose.number));
        let _changing = self.shared.changing.lock().unwrap_or_else(PoisonError::into_inner);
        // A card that cannot be read must not keep its place from being written to.
        let before = read_card(&env, &hash).unwrap_or_default();
        let kept =
            fs::write(&draft, text).and_then(|()| fs::rename(&draft, env.join(format!("{hash}.json"))));
        if let Err(error) = kept {
            let _ = fs::remove_file(&draft);
            return Err(error);
        }
        loose.is_kept = true;
        if let Some(before) = before {
            // The upload is done; what cannot be removed now is swept at the next start.
            let _ = remove_if_there(&env.join(format!("{hash}.{}", before.number)));
        }
        Ok(())
    }

    /// What is known about a file.
    pub(crate) fn card(&self, place: &Place) -> io::Result<Option<Card>> {
        let (env, hash) = self.names(place)?;
        read_card(&env, &hash)
    }

    /// A file to read from. What is opened stays as it is, whatever happens to the place.
    pub(crate) fn read(&self, place: &Place) -> io::Result<Option<(File, Card)>> {
        let (env, hash) = self.names(place)?;
        for _ in 0..LOOKS {
            let Some(card) = read_card(&env, &hash)? else { return Ok(None) };
            match File::open(env.join(format!("{hash}.{}", card.number))) {
                Ok(file) => return Ok(Some((file, card))),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Err(ErrorKind::NotFound.into())
    }

    /// Removes a file and says whether there was one.
    pub(crate) fn remove(&self, place: &Place) -> io::Result<bool> {
        let (env, hash) = self.names(place)?;
        let _changing = self.shared.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(card) = read_card(&env, &hash)? else { return Ok(false) };
        fs::remove_file(env.join(format!("{hash}.json")))?;
        remove_if_there(&env.join(format!("{hash}.{}", card.number)))?;
        Ok(true)
    }

    /// The folder of the environment, and what the names of the file begin with.
    fn names(&self, place: &Place) -> io::Result<(PathBuf, String)> {
        let hash = hex(&Sha256::digest(place.path()));
        Ok((self.folder()?.join(place.env()), hash))
    }

    fn folder(&self) -> io::Result<PathBuf> {
        if let Some(folder) = &self.shared.folder {
            return Ok(folder.clone());
        }
        let mut temporary = self.shared.temporary.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(folder) = temporary.as_ref() {
            return Ok(folder.path().to_owned());
        }
        let folder = tempfile::Builder::new().prefix("tokenward-emulator-").tempdir()?;
        Ok(temporary.insert(folder).path().to_owned())
    }
}

impl Card {
    /// Of bytes that were just written.
    pub(crate) fn of(size: u64, etag: String, content_type: Option<String>, modified: i64) -> Card {
        Card { path: String::new(), size, content_type, etag, modified, number: 0 }
    }
}

impl Drop for Loose {
    fn drop(&mut self) {
        if !self.is_kept {
            // What cannot be removed now is removed at the next start.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn read_card(env: &Path, hash: &str) -> io::Result<Option<Card>> {
    match fs::read(env.join(format!("{hash}.json"))) {
        Ok(text) => Ok(Some(serde_json::from_slice(&text).map_err(io::Error::other)?)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Removes what no card of an environment speaks of. Files that are not ours by their names stay.
fn sweep(env: &Path) -> io::Result<()> {
    for entry in fs::read_dir(env)? {
        let name = entry?.file_name();
        let Some((hash, rest)) = name.to_str().and_then(|name| name.split_once('.')) else { continue };
        let is_ours = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = rest.strip_suffix(".draft").unwrap_or(rest).parse::<u64>().ok();
        let (true, Some(number)) = (is_ours, number) else { continue };
        // What an unreadable card might speak of stays, for somebody to look at.
        let Ok(card) = read_card(env, hash) else { continue };
        if rest.ends_with(".draft") || card.map(|card| card.number) != Some(number) {
            remove_if_there(&env.join(&name))?;
        }
    }
    Ok(())
}
