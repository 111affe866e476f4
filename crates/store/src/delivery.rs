//! Messages on their way from a platform to a target, and digests of those that came.

use sqlx::Row as _;
use sqlx::any::AnyRow;
use tokenward_core::name::Name;
use tokenward_core::time::Wall;

use crate::StoreError;

/// A message on its way to one target, without its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its number, which never repeats.
    pub id: u64,
    /// By which callback it came.
    pub callback: Name,
    /// Where it goes.
    pub target: Name,
    /// What it is about.
    pub kind: String,
    /// `xml` or `json`.
    pub format: String,
    /// When it came.
    pub received: Wall,
    /// From when on it is tried: when it came, or when it was sent again after it had been given up.
    pub since: Wall,
    /// Why it was given up, if it was.
    pub dead: Option<Dead>,
}

/// Why a message was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dead {
    /// What went wrong last.
    pub failure: String,
    /// How often it was tried.
    pub attempts: u32,
}

/// The digest of a message that was taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenMessage {
    /// The digest.
    pub digest: [u8; 16],
    /// Until when it is to be known.
    pub until: Wall,
}

pub(crate) fn read(row: &AnyRow) -> Result<Delivery, StoreError> {
    let id: i64 = row.try_get("id").map_err(|error| StoreError::Failed(error.to_string()))?;
    let damaged = |what: String| StoreError::Damaged { name: format!("message {id}"), what };
    let text = |column: &str| {
        row.try_get::<String, _>(column).map_err(|error| damaged(format!("{column}: {error}")))
    };
    let number =
        |column: &str| row.try_get::<i64, _>(column).map_err(|error| damaged(format!("{column}: {error}")));
    let name =
        |column: &str| Name::parse(&text(column)?).map_err(|error| damaged(format!("{column}: {error}")));
    let failure: Option<String> =
        row.try_get("failure").map_err(|error| damaged(format!("failure: {error}")))?;
    let attempts = u32::try_from(number("attempts")?).unwrap_or(u32::MAX);
    Ok(Delivery {
        id: id.cast_unsigned(),
        callback: name("callback")?,
        target: name("target")?,
        kind: text("kind")?,
        format: text("format")?,
        received: Wall(number("received_at")?),
        since: Wall(number("tried_since")?),
        dead: failure.map(|failure| Dead { failure, attempts }),
    })
}

pub(crate) fn read_seen(row: &AnyRow) -> Result<SeenMessage, StoreError> {
    let failed = |error: sqlx::Error| StoreError::Failed(error.to_string());
    let digest: Vec<u8> = row.try_get("digest").map_err(failed)?;
    let length = digest.len();
    let digest = <[u8; 16]>::try_from(digest)
        .map_err(|_| StoreError::Failed(format!("the digest of a message has {length} bytes")))?;
    Ok(SeenMessage { digest, until: Wall(row.try_get("seen_until").map_err(failed)?) })
}
