//! A file while it is being uploaded.

use std::io;

use md5::{Digest, Md5};
use tokio::fs::File;
use tokio::io::AsyncWriteExt;

use super::place::Place;
use super::shelf::{Card, Loose, Shelf};
use super::signer::hex;
use super::{CosRefusal, LARGEST, Storage, Trouble};
use crate::moment::Moment;

/// Takes bytes as they come. Dropped before it is kept, it leaves nothing behind.
pub(super) struct Intake {
    shelf: Shelf,
    place: Place,
    file: File,
    loose: Loose,
    size: u64,
    digest: Md5,
}

impl Intake {
    pub(super) async fn begin(storage: &Storage, place: &Place) -> io::Result<Intake> {
        let wanted = place.clone();
        let (file, loose) = storage.on_shelf(move |shelf| shelf.begin(&wanted)).await?;
        Ok(Intake {
            shelf: storage.shelf.clone(),
            place: place.clone(),
            file: File::from_std(file),
            loose,
            size: 0,
            digest: Md5::new(),
        })
    }

    pub(super) async fn take(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        self.size = self.size.saturating_add(bytes.len() as u64);
        if self.size > LARGEST {
            return Err(CosRefusal::too_large(LARGEST).into());
        }
        self.digest.update(bytes);
        self.file.write_all(bytes).await?;
        Ok(())
    }

    /// Makes it the file of its place, and returns its ETag: as at the platform, MD5 in quotation marks.
    pub(super) async fn keep(mut self, content_type: Option<String>, now: Moment) -> io::Result<String> {
        self.file.flush().await?;
        let etag = format!("\"{}\"", hex(&self.digest.finalize()));
        let card = Card::of(self.size, etag.clone(), content_type, now.unix_millis());
        let (shelf, place, loose) = (self.shelf, self.place, self.loose);
        let work = move || shelf.keep(&place, loose, card);
        tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(error.into()))?;
        Ok(etag)
    }
}
