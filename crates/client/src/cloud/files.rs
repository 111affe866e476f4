//! Files: up, down, away. Any size, in constant memory.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::{BuildHasher as _, Hasher as _};
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE};
use tokenward_cloud::wire::{
    BatchDeleteFile, BatchDownloadFile, FileToDownload, Form, MOST_FILES, UploadFile, UploadFileAnswer,
    check_path,
};
use tokenward_cloud::{CloudError, Kind};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};

use super::transfer::{self, Moved};
use super::{Again, CallError, Cloud};

/// Where a file can be downloaded for a while, by anybody who knows the address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The file.
    pub file_id: String,
    /// Its address, or why there is none.
    pub url: Result<String, Refused>,
}

/// What became of a file that was to be removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// The file.
    pub file_id: String,
    /// Why it is still there, or was not there, if so.
    pub outcome: Result<(), Refused>,
}

/// What the platform says about a file that it does nothing with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Its status; 0 if it says nothing about the file.
    pub status: i64,
    /// Its words.
    pub message: String,
}

/// A file on its way down.
#[derive(Debug)]
pub struct Download {
    response: reqwest::Response,
    place: String,
}

/// How long an address is asked to be good for a download of our own.
const SOON: Duration = Duration::from_secs(3600);

impl Cloud {
    /// Uploads a file of this length, and returns its id. What is there under this path is replaced. `told` hears how
    /// many bytes have passed.
    ///
    /// # Errors
    /// The platform or the storage refuses, or the file has another length.
    pub async fn upload(
        &self,
        path: &str,
        len: u64,
        file: impl AsyncRead + Send + Unpin + 'static,
        told: impl FnMut(u64) + Send + 'static,
    ) -> Result<String, CallError> {
        let prepared = self.prepare_upload(path).await?;
        let url = transfer::address(&prepared.url, self.way.platform())?;
        let form = Form::new(&prepared, path, &boundary())?;
        let (body_len, moved, place) = (form.len(len), Moved::default(), transfer::place(&url));
        let pieces = transfer::pieces(file, len, moved.clone(), told);
        let body =
            reqwest::Body::wrap_stream(transfer::framed(form.before, pieces, form.after, moved.clone()));
        let request = self.storage.post(url).header(CONTENT_TYPE, form.content_type);
        let request = request.header(CONTENT_LENGTH, body_len).body(body);
        let response = transfer::send(request, &place, &moved).await?;
        if !matches!(response.status().as_u16(), 200 | 204) {
            return Err(transfer::refusal(response, &place).await);
        }
        // What says something is not the storage, and what answers before it has the whole file has not stored it.
        let reason = match moved.is_whole(len) {
            true if transfer::is_silent(response, &place).await? => return Ok(prepared.file_id),
            true => "it does not answer as the storage does",
            false => "it answered before it had the whole file",
        };
        Err(CallError::Broken { place, reason: reason.to_owned() })
    }

    /// The id of the file at a path, whether it is there or not. Only the platform knows all of it.
    ///
    /// # Errors
    /// No file can have this path, or the platform refuses.
    pub async fn file_id(&self, path: &str) -> Result<String, CallError> {
        Ok(self.prepare_upload(path).await?.file_id)
    }

    /// The ids of the files at several paths; the platform is asked once.
    ///
    /// # Errors
    /// No file can have one of these paths, or the platform refuses.
    pub async fn file_ids(&self, paths: &[&str]) -> Result<Vec<String>, CallError> {
        let Some(first) = paths.first() else { return Ok(Vec::new()) };
        paths.iter().try_for_each(|path| check_path(path))?;
        let id = self.file_id(first).await?;
        let Some(root) = id.strip_suffix(first).map(str::to_owned) else {
            let refused = Refused { status: 0, message: format!("the platform names it {id}") };
            return Err(CallError::File { file: (*first).to_owned(), refused });
        };
        Ok(paths.iter().map(|path| format!("{root}{path}")).collect())
    }

    /// The first step of an upload has no effect.
    async fn prepare_upload(&self, path: &str) -> Result<UploadFileAnswer, CallError> {
        check_path(path)?;
        self.ask(&UploadFile { env: self.env.clone(), path: path.to_owned() }, Again::Freely).await
    }

    /// Addresses to download files from, in the order of the files. Fifty go in one call of the platform.
    ///
    /// # Errors
    /// The platform refuses. A file that is not there is no error of the call.
    pub async fn download_links<S: AsRef<str>>(
        &self,
        file_ids: &[S],
        life: Duration,
    ) -> Result<Vec<Link>, CallError> {
        let max_age = u32::try_from(life.as_secs()).unwrap_or(u32::MAX);
        let mut links = Vec::with_capacity(file_ids.len());
        for batch in file_ids.chunks(MOST_FILES) {
            let files = batch.iter().map(|id| FileToDownload { fileid: id.as_ref().to_owned(), max_age });
            let request = BatchDownloadFile { env: self.env.clone(), file_list: files.collect() };
            let answer = self.ask(&request, Again::Freely).await?;
            links.extend(batch.iter().map(|id| {
                let said = answer.file_list.iter().find(|file| file.fileid == id.as_ref());
                let url = match said {
                    Some(file) if file.status != 0 => Err(Refused::new(file.status, &file.errmsg)),
                    Some(file) if !file.download_url.is_empty() => Ok(file.download_url.clone()),
                    _ => Err(Refused::nothing_said()),
                };
                Link { file_id: id.as_ref().to_owned(), url }
            }));
        }
        Ok(links)
    }

    /// Downloads a file.
    ///
    /// # Errors
    /// There is no such file, or the platform or the storage refuses.
    pub async fn download(&self, file_id: &str) -> Result<Download, CallError> {
        let link = self.download_links(&[file_id], SOON).await?.into_iter().next();
        let url = link.map_or_else(|| Err(Refused::nothing_said()), |link| link.url);
        let url = url.map_err(|refused| CallError::File { file: file_id.to_owned(), refused })?;
        self.download_from(&url).await
    }

    /// Downloads from an address that the platform named: a link, or the result of an export.
    ///
    /// # Errors
    /// The storage refuses.
    pub async fn download_from(&self, url: &str) -> Result<Download, CallError> {
        let url = transfer::address(url, self.way.platform())?;
        let place = transfer::place(&url);
        let response = transfer::send(self.storage.get(url), &place, &Moved::default()).await?;
        if response.status().is_success() {
            return Ok(Download { response, place });
        }
        Err(transfer::refusal(response, &place).await)
    }

    /// Removes files, and says of each what became of it. Fifty go in one call of the platform; when one of several
    /// calls fails, the files of those before it are removed.
    ///
    /// # Errors
    /// The platform refuses.
    pub async fn delete_files<S: AsRef<str>>(&self, file_ids: &[S]) -> Result<Vec<Removed>, CallError> {
        let mut removed = Vec::with_capacity(file_ids.len());
        for batch in file_ids.chunks(MOST_FILES) {
            let fileid_list = batch.iter().map(|id| id.as_ref().to_owned()).collect();
            let answer = self.call(&BatchDeleteFile { env: self.env.clone(), fileid_list }).await?;
            removed.extend(batch.iter().map(|id| {
                let outcome = match answer.delete_list.iter().find(|file| file.fileid == id.as_ref()) {
                    Some(file) if file.status == 0 => Ok(()),
                    Some(file) => Err(Refused::new(file.status, &file.errmsg)),
                    None => Err(Refused::nothing_said()),
                };
                Removed { file_id: id.as_ref().to_owned(), outcome }
            }));
        }
        Ok(removed)
    }
}

impl Download {
    /// How long it is, if the storage says so.
    #[must_use]
    pub fn len(&self) -> Option<u64> {
        self.response.content_length()
    }

    /// Whether it is known to be empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }

    /// The next piece; `None` at the end. A download that breaks off before is an error.
    ///
    /// # Errors
    /// It broke off, or nothing came for a minute.
    pub async fn next_piece(&mut self) -> Result<Option<Bytes>, CallError> {
        transfer::next_piece(&mut self.response, &self.place).await
    }

    /// Writes all of it; `told` hears how many bytes have passed. Returns how many there were.
    ///
    /// # Errors
    /// It broke off, or it cannot be written.
    pub async fn write_to(
        mut self,
        out: &mut (impl AsyncWrite + Unpin),
        mut told: impl FnMut(u64),
    ) -> Result<u64, CallError> {
        let mut passed: u64 = 0;
        while let Some(piece) = self.next_piece().await? {
            out.write_all(&piece).await?;
            passed = passed.saturating_add(piece.len() as u64);
            told(passed);
        }
        out.flush().await?;
        Ok(passed)
    }
}

impl Refused {
    fn new(status: i64, message: &str) -> Refused {
        Refused { status, message: message.to_owned() }
    }

    fn nothing_said() -> Refused {
        Refused { status: 0, message: "the platform's answer says nothing about it".to_owned() }
    }

    /// The platform's refusal, where its code is known.
    fn known(&self) -> Option<CloudError> {
        Some(CloudError::new(self.status, &*self.message)).filter(|error| error.kind() != Kind::Other)
    }

    /// What it is about. Codes of the platform that are not known mean that there is no such file.
    #[must_use]
    pub fn kind(&self) -> Kind {
        let unknown = if self.status == 0 { Kind::Other } else { Kind::Missing };
        self.known().map_or(unknown, |error| error.kind())
    }

    /// What a person can do about it.
    #[must_use]
    pub fn next_step(&self) -> &'static str {
        self.known().map_or("Check the path or the id of the file, and the environment.", |it| it.next_step())
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.known() {
            Some(error) => error.fmt(f),
            None if self.status == 0 => f.write_str(&self.message),
            None => write!(f, "there is no such file ({}: {})", self.status, self.message),
        }
    }
}

/// What does not occur in a file: 128 bits of the keys that the standard library draws for its maps.
fn boundary() -> String {
    let half = || RandomState::new().build_hasher().finish();
    format!("tokenward-{:016x}{:016x}", half(), half())
}
