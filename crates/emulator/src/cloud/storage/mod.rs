//! Cloud storage: files in environments, uploaded in two steps and downloaded through signed links.
//!
//! The calls of the cloud API hand out permits and links; the files themselves go to and from URLs of this emulator
//! that play the platform's object storage. Files are never in memory as a whole, except for [`Storage::read`] and
//! [`Storage::write`], which are for what is small.
//!
//! Deliberately absent: rights of users (the API has an administrator's), caches in front, versions, parts, copies.

mod arrival;
mod calls;
mod content_type;
mod download;
mod file_body;
mod form;
mod intake;
mod place;
mod refusal;
mod shelf;
mod signer;
mod upload;

use std::io::{self, Read};
use std::sync::Mutex;

use bytes::Bytes;
use http::Method;
use http::header::DATE;

use super::{CloudFailure, CloudSettings, lock};
use crate::chance::Chance;
use crate::moment::Moment;
use crate::reply::Reply;
use crate::request::Request;
pub(crate) use arrival::Arrival;
use file_body::FileBody;
use intake::Intake;
pub(crate) use place::Place;
use refusal::CosRefusal;
use shelf::Shelf;
use signer::{Permit, Signer};

pub use upload::FilePartFirst;

/// The largest file, as at the platform's object storage for an upload in one piece.
const LARGEST: u64 = 5 * 1024 * 1024 * 1024;
/// What a request may have beside the file.
const OVERHEAD: u64 = 1024 * 1024;
/// The largest file that is read into memory.
const LARGEST_READ: u64 = 256 * 1024 * 1024;

/// The storage of all environments.
#[derive(Debug)]
pub(crate) struct Storage {
    shelf: Shelf,
    signer: Signer,
    file_part_first: FilePartFirst,
    chance: Mutex<Chance>,
}

/// How to upload a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub(crate) url: String,
    pub(crate) file_id: String,
    pub(crate) permit: Permit,
}

/// What goes back to a client of the object storage.
#[derive(Debug)]
pub(crate) struct Handed {
    /// The head, and the body unless it is a file.
    pub(crate) reply: Reply,
    pub(crate) file: Option<FileBody>,
}

/// Why there is nothing to hand back.
enum Trouble {
    /// The client did not finish its request.
    Broken(io::Error),
    Refused(CosRefusal),
}

impl Storage {
    /// The files in the settings' folder, or none.
    pub(crate) fn open(settings: &CloudSettings, seed: u64) -> io::Result<Storage> {
        // Apart from the other dice of the same seed.
        let mut chance = Chance::seeded(seed ^ 0x0066_696c_6573);
        Ok(Storage {
            shelf: Shelf::open(settings.folder.as_ref().map(|folder| folder.join("files")))?,
            signer: Signer::new(chance.token_text(43)),
            file_part_first: settings.file_part_first,
            chance: Mutex::new(chance),
        })
    }

    /// Whether a path is one of the object storage.
    pub(crate) fn is_asked(path: &str) -> bool {
        Place::is_below(path)
    }

    /// Lets a client upload a file within the next fifteen minutes.
    pub(crate) fn ticket(&self, place: &Place, host: Option<&str>, now: Moment) -> Ticket {
        Ticket { url: place.url(host), file_id: place.id(), permit: self.signer.permit(place, now) }
    }

    /// A link to a file, valid for some seconds; `None` when there is no such file.
    pub(crate) async fn link(
        &self,
        place: &Place,
        host: Option<&str>,
        now: Moment,
        max_age: u64,
    ) -> Result<Option<String>, CloudFailure> {
        let wanted = place.clone();
        let card = self.on_shelf(move |shelf| shelf.card(&wanted)).await.map_err(|_| storage_failed())?;
        let until = now.unix_seconds().saturating_add(i64::try_from(max_age).unwrap_or(i64::MAX));
        let link = || format!("{}?sign={}&t={until}", place.url(host), self.signer.link(place, until));
        Ok(card.map(|_| link()))
    }

    /// Removes a file and says whether there was one.
    pub(crate) async fn remove(&self, place: &Place) -> Result<bool, CloudFailure> {
        let place = place.clone();
        self.on_shelf(move |shelf| shelf.remove(&place)).await.map_err(|_| storage_failed())
    }

    /// A whole file that is not large; `None` when there is none.
    pub(crate) async fn read(&self, place: &Place) -> Result<Option<Bytes>, CloudFailure> {
        let place = place.clone();
        let read = move |shelf: &Shelf| {
            let Some((file, card)) = shelf.read(&place)? else { return Ok(None) };
            if card.size > LARGEST_READ {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            let mut bytes = Vec::new();
            file.take(LARGEST_READ).read_to_end(&mut bytes)?;
            Ok(Some(Bytes::from(bytes)))
        };
        self.on_shelf(read).await.map_err(|_| storage_failed())
    }

    /// Writes a whole file, in the place of the one that may be there.
    pub(crate) async fn write(&self, place: &Place, bytes: &[u8], now: Moment) -> Result<(), CloudFailure> {
        let write = async {
            let mut intake = Intake::begin(self, place).await?;
            intake.take(bytes).await?;
            Ok::<_, Trouble>(intake.keep(None, now).await?)
        };
        write.await.map(drop).map_err(|_| storage_failed())
    }

    /// Answers a request to the object storage. An error is the client's end of the connection.
    pub(crate) async fn answer(&self, request: &Request, body: Arrival, now: Moment) -> io::Result<Handed> {
        let mut body = body;
        let handed = match self.serve(request, &mut body, now).await {
            Ok(handed) => handed,
            Err(Trouble::Broken(error)) => return Err(error),
            Err(Trouble::Refused(refusal)) => {
                body.discard().await?;
                let id = lock(&self.chance).hex(32);
                let mut reply = refusal.reply(&request.path, &id);
                if request.method == Method::HEAD {
                    reply.body = Bytes::new();
                }
                Handed { reply, file: None }
            }
        };
        Ok(Handed { reply: handed.reply.with(DATE, &now.http_date()), ..handed })
    }

    async fn serve(&self, request: &Request, body: &mut Arrival, now: Moment) -> Result<Handed, Trouble> {
        let place = Place::of_url(&request.path).ok_or_else(CosRefusal::no_such_key)?;
        match request.method {
            Method::POST => self.take_form(&place, &request.headers, body, now).await,
            Method::PUT => self.take_bytes(&place, &request.headers, body, now).await,
            Method::GET | Method::HEAD => self.hand_out(&place, request, now).await,
            _ => {
                let (status, text) =
                    (http::StatusCode::METHOD_NOT_ALLOWED, "This method is not allowed here.");
                Err(CosRefusal::new(status, "MethodNotAllowed", text).into())
            }
        }
    }

    /// Does something that may wait for the disk.
    async fn on_shelf<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shelf) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let shelf = self.shelf.clone();
        tokio::task::spawn_blocking(move || work(&shelf)).await.unwrap_or_else(|error| Err(error.into()))
    }
}

fn storage_failed() -> CloudFailure {
    CloudFailure::new(-503_001, "storage request fail")
}

impl From<CosRefusal> for Trouble {
    fn from(refusal: CosRefusal) -> Trouble {
        Trouble::Refused(refusal)
    }
}

/// What goes wrong on disk is the emulator's fault, and said so.
impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Trouble {
        Trouble::Refused(CosRefusal::internal(&error))
    }
}
