//! Uploads: a form by POST, as servers send it, or bare bytes by PUT, as the vendor's SDKs do.
//!
//! Invariant: what was not permitted, or did not arrive as a whole, changes nothing.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, ETAG};
use http::{HeaderMap, StatusCode};

use super::arrival::Arrival;
use super::form::{Form, FormError, Head, Item};
use super::intake::Intake;
use super::place::Place;
use super::refusal::CosRefusal;
use super::signer::Permit;
use super::{Handed, LARGEST, OVERHEAD, Storage, Trouble};
use crate::moment::Moment;
use crate::params::decode;
use crate::reply::Reply;

/// The longest text among the fields of a form.
const LONGEST_TEXT: usize = 16 * 1024;

/// What happens to a form whose file stands before the fields that permit it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FilePartFirst {
    /// It is refused, as by the platform, which reads no field behind the file.
    #[default]
    Refuse,
    /// It is accepted when the fields come after all.
    Accept,
}

/// The texts of a form that count, in lower case.
const TEXTS: [&str; 5] = ["key", "signature", "x-cos-security-token", "x-cos-meta-fileid", "content-type"];

/// What has come of them.
#[derive(Default)]
struct Fields {
    values: BTreeMap<&'static str, Vec<u8>>,
    open: Open,
}

/// Where the next bytes belong.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Open {
    #[default]
    Nowhere,
    Text(&'static str),
    File,
}

/// A form on its way in.
struct Reception<'s> {
    storage: &'s Storage,
    place: &'s Place,
    now: Moment,
    fields: Fields,
    intake: Option<Intake>,
    /// What the part of the file says that it is.
    content_type: Option<String>,
}

impl Storage {
    pub(super) async fn take_form(
        &self,
        place: &Place,
        headers: &HeaderMap,
        body: &mut Arrival,
        now: Moment,
    ) -> Result<Handed, Trouble> {
        check_length(headers)?;
        let mut form = Form::announced(header(headers, CONTENT_TYPE.as_str()).unwrap_or_default())?;
        let fields = Fields::default();
        let mut reception = Reception { storage: self, place, now, fields, intake: None, content_type: None };
        let mut is_ended = false;
        let mut left = LARGEST + OVERHEAD;
        while let Some(bytes) = body.next().await.map_err(Trouble::Broken)? {
            left = left.checked_sub(bytes.len() as u64).ok_or_else(|| CosRefusal::too_large(LARGEST))?;
            form.feed(&bytes);
            while let Some(item) = form.next()? {
                is_ended |= item == Item::End;
                reception.take(item).await?;
            }
        }
        if !is_ended {
            return Err(CosRefusal::malformed("The body ends before its last boundary.").into());
        }
        let etag = reception.finish().await?;
        Ok(done(StatusCode::NO_CONTENT, &etag))
    }

    pub(super) async fn take_bytes(
        &self,
        place: &Place,
        headers: &HeaderMap,
        body: &mut Arrival,
        now: Moment,
    ) -> Result<Handed, Trouble> {
        check_length(headers)?;
        let text = |name: &str| header(headers, name).unwrap_or_default().to_owned();
        let authorization = match text("signature") {
            none if none.is_empty() => text(AUTHORIZATION.as_str()),
            signature => signature,
        };
        let permit = Permit {
            authorization,
            token: text("x-cos-security-token"),
            cos_file_id: text("x-cos-meta-fileid"),
        };
        self.signer.check(place, &permit, now)?;
        // A plus sign is one in a path, which is encoded as parts of URLs are.
        if header(headers, "key").is_some_and(|key| decode(&key.replace('+', "%2B")) != place.path()) {
            return Err(CosRefusal::denied("The header key is not the path that was signed.").into());
        }
        let mut intake = Intake::begin(self, place).await?;
        while let Some(bytes) = body.next().await.map_err(Trouble::Broken)? {
            intake.take(&bytes).await?;
        }
        let etag = intake.keep(header(headers, CONTENT_TYPE.as_str()).map(str::to_owned), now).await?;
        Ok(done(StatusCode::OK, &etag))
    }
}

impl Reception<'_> {
    async fn take(&mut self, item: Item) -> Result<(), Trouble> {
        match item {
            Item::Part(head) => self.begin(head).await?,
            Item::Bytes(bytes) => match (self.fields.open, &mut self.intake) {
                (Open::File, Some(intake)) => intake.take(&bytes).await?,
                (Open::Text(name), _) => self.fields.push(name, &bytes)?,
                _ => {}
            },
            Item::PartEnd | Item::End => self.fields.open = Open::Nowhere,
        }
        Ok(())
    }

    async fn begin(&mut self, head: Head) -> Result<(), Trouble> {
        let refuses = self.storage.file_part_first == FilePartFirst::Refuse;
        match head.name.to_ascii_lowercase().as_str() {
            "file" if self.intake.is_none() => {
                if refuses {
                    self.check()?;
                }
                self.intake = Some(Intake::begin(self.storage, self.place).await?);
                self.content_type = head.content_type;
                self.fields.open = Open::File;
            }
            // What follows the file is ignored.
            _ if refuses && self.intake.is_some() => self.fields.open = Open::Nowhere,
            name => self.fields.begin(name),
        }
        Ok(())
    }

    /// Whether the fields permit this upload.
    fn check(&self) -> Result<(), CosRefusal> {
        let text = |name: &str| {
            self.fields.text(name).ok_or_else(|| {
                let text = "is missing, or stands behind the file, which has to be the last";
                CosRefusal::malformed(format!("The field {name} {text}."))
            })
        };
        let key = text("key")?;
        let permit = Permit {
            authorization: text("signature")?,
            token: text("x-cos-security-token")?,
            cos_file_id: text("x-cos-meta-fileid")?,
        };
        if key != self.place.path() {
            return Err(CosRefusal::denied("The field key is not the path that was signed."));
        }
        self.storage.signer.check(self.place, &permit, self.now)
    }

    async fn finish(self) -> Result<String, Trouble> {
        self.check()?;
        let intake = self.intake.ok_or_else(|| CosRefusal::malformed("The field file is missing."))?;
        let content_type = self.content_type.or_else(|| self.fields.text("content-type"));
        Ok(intake.keep(content_type, self.now).await?)
    }
}

impl Fields {
    /// Begins a field; the first of a name counts, and unknown ones do not.
    fn begin(&mut self, name: &str) {
        let known = TEXTS.into_iter().find(|text| *text == name && !self.values.contains_key(text));
        self.open = match known {
            Some(name) => {
                self.values.insert(name, Vec::new());
                Open::Text(name)
            }
            None => Open::Nowhere,
        };
    }

    fn push(&mut self, name: &'static str, bytes: &[u8]) -> Result<(), CosRefusal> {
        let value = self.values.entry(name).or_default();
        value.extend_from_slice(bytes);
        if value.len() > LONGEST_TEXT {
            return Err(CosRefusal::malformed(format!("A field may have {LONGEST_TEXT} bytes at most.")));
        }
        Ok(())
    }

    fn text(&self, name: &str) -> Option<String> {
        self.values.get(name).map(|value| String::from_utf8_lossy(value).into_owned())
    }
}

/// What says that it is too large is not read at all.
fn check_length(headers: &HeaderMap) -> Result<(), CosRefusal> {
    let length = header(headers, CONTENT_LENGTH.as_str()).and_then(|length| length.parse::<u64>().ok());
    if length.is_some_and(|length| length > LARGEST + OVERHEAD) {
        return Err(CosRefusal::too_large(LARGEST));
    }
    Ok(())
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

fn done(status: StatusCode, etag: &str) -> Handed {
    let mut reply = Reply::raw(status, "application/xml", Bytes::new()).with(ETAG, etag);
    reply.headers.remove(CONTENT_TYPE);
    Handed { reply, file: None }
}

impl From<FormError> for Trouble {
    fn from(error: FormError) -> Trouble {
        CosRefusal::malformed(error.to_string()).into()
    }
}
