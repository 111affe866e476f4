//! `data_dir`: the embedded store, the key ring and the admin socket. One process at a time.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;
use tokenward_vault::KeyRing;

use crate::config::{Config, ConfigError};

/// The folder, locked for this process as long as the value lives.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    _lock: File,
}

impl DataDir {
    /// Makes the folder if it is not there, readable by its owner only, and locks it.
    ///
    /// # Errors
    /// It cannot be made, or another process holds it.
    pub fn open(path: &Path) -> Result<DataDir, ConfigError> {
        let failed = |error: std::io::Error| {
            ConfigError::outside(
                format!("cannot use data_dir {}: {error}.", path.display()),
                "Make the folder writable for the user that Tokenward runs as, or choose another `server.data_dir`.",
            )
        };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
        let permissions = std::fs::metadata(path).map_err(failed)?.permissions();
        if permissions.mode() & 0o077 != 0 {
            // Made by a package or a container, and too open for what is kept here.
            std::fs::set_permissions(path, Permissions::from_mode(0o700)).map_err(failed)?;
        }
        let lock_path = path.join("lock");
        let lock = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(lock_path);
        let lock = lock.map_err(failed)?;
        rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
            ConfigError::outside(
                format!("another Tokenward runs on data_dir {}.", path.display()),
                "Stop it, or give each its own `server.data_dir`.",
            )
        })?;
        Ok(DataDir { path: path.to_owned(), _lock: lock })
    }

    /// The embedded store.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.path.join("store.db")
    }

    /// The admin socket.
    #[must_use]
    pub fn admin_socket(&self) -> PathBuf {
        admin_socket(&self.path)
    }

    /// The key ring: from where the configuration says, or from the folder, made there on first start.
    ///
    /// # Errors
    /// It cannot be read; or it is gone while a store is there that was sealed with it.
    pub fn key_ring(&self, config: &Config) -> Result<KeyRing, ConfigError> {
        if let Some(secret) = &config.server.key_ring {
            let text = secret.source.read().map_err(|error| config.unreadable_secret(secret, &error))?;
            return KeyRing::parse(&text).map_err(|error| {
                let fix = "Let `server.key_ring` point to the text of a key ring file.";
                ConfigError::outside(format!("{}: {error}.", secret.source), fix)
            });
        }
        let path = self.path.join("key-ring");
        let outcome = if path.exists() {
            KeyRing::load(&path)
        } else if self.store().exists() {
            return Err(ConfigError::outside(
                format!(
                    "the key ring {} is missing, and the store beside it was sealed with it.",
                    path.display()
                ),
                "Put the key ring back from your backup. If it is lost for good, move store.db away: every token \
                 is then fetched anew, once.",
            ));
        } else {
            KeyRing::create(&path)
        };
        outcome.map_err(|error| {
            ConfigError::outside(
                format!("{error}."),
                "The key ring must be a file that only Tokenward's user can read (mode 0600).",
            )
        })
    }
}

/// The admin socket of a data folder.
#[must_use]
pub fn admin_socket(data_dir: &Path) -> PathBuf {
    data_dir.join("admin.sock")
}
