//! Downloads through signed links: whole files, single ranges, and "you have it already".

use std::io::SeekFrom;
use std::ops::Range;

use bytes::Bytes;
use http::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, ETAG, IF_NONE_MATCH, IF_RANGE, LAST_MODIFIED, RANGE,
};
use http::{Method, StatusCode};
use tokio::io::AsyncSeekExt;

use super::file_body::FileBody;
use super::place::Place;
use super::refusal::CosRefusal;
use super::shelf::Card;
use super::{Handed, Storage, Trouble, content_type};
use crate::moment::Moment;
use crate::params::Params;
use crate::reply::Reply;
use crate::request::Request;

/// Which bytes are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Asked {
    Whole,
    Part(Range<u64>),
    /// Bytes that the file does not have.
    Outside,
}

impl Storage {
    pub(super) async fn hand_out(
        &self,
        place: &Place,
        request: &Request,
        now: Moment,
    ) -> Result<Handed, Trouble> {
        self.check_link(place, request, now)?;
        let wanted = place.clone();
        let opened = self.on_shelf(move |shelf| shelf.read(&wanted)).await?;
        let (file, card) = opened.ok_or_else(CosRefusal::no_such_key)?;
        let range = request.header(RANGE.as_str());
        let if_range = request.header(IF_RANGE.as_str());
        let asked = match range {
            Some(range) if if_range.is_none_or(|etag| etag == card.etag) => asked(range, card.size),
            _ => Asked::Whole,
        };
        let (status, range) = match asked {
            _ if request.header(IF_NONE_MATCH.as_str()).is_some_and(|known| knows(known, &card.etag)) => {
                (StatusCode::NOT_MODIFIED, 0..0)
            }
            Asked::Whole => (StatusCode::OK, 0..card.size),
            Asked::Part(range) => (StatusCode::PARTIAL_CONTENT, range),
            Asked::Outside => return Ok(outside(&card, request)),
        };
        let reply = head(status, &range, &card);
        if request.method == Method::HEAD || range.is_empty() {
            return Ok(Handed { reply, file: None });
        }
        let mut file = tokio::fs::File::from_std(file);
        file.seek(SeekFrom::Start(range.start)).await?;
        Ok(Handed { reply, file: Some(FileBody::of(file, range.end - range.start)) })
    }

    fn check_link(&self, place: &Place, request: &Request, now: Moment) -> Result<(), CosRefusal> {
        let params = Params::form(&request.query);
        let until = params.get("t").and_then(|until| until.parse::<i64>().ok());
        let (Some(until), Some(sign)) = (until, params.get("sign")) else {
            return Err(CosRefusal::denied("The link is not signed."));
        };
        if sign != self.signer.link(place, until) {
            return Err(CosRefusal::denied("The signature of the link is not its own."));
        }
        if now.unix_seconds() > until {
            return Err(CosRefusal::denied("Request has expired"));
        }
        Ok(())
    }
}

fn head(status: StatusCode, range: &Range<u64>, card: &Card) -> Reply {
    let kind = content_type::of(card.content_type.as_deref(), &card.path);
    let reply = Reply::raw(status, "application/octet-stream", Bytes::new())
        .with(http::header::CONTENT_TYPE, &kind)
        .with(ETAG, &card.etag)
        .with(LAST_MODIFIED, &Moment::from_unix_millis(card.modified).http_date())
        .with(ACCEPT_RANGES, "bytes");
    match status {
        StatusCode::NOT_MODIFIED => reply,
        StatusCode::PARTIAL_CONTENT => reply
            .with(CONTENT_LENGTH, &(range.end - range.start).to_string())
            .with(CONTENT_RANGE, &format!("bytes {}-{}/{}", range.start, range.end - 1, card.size)),
        _ => reply.with(CONTENT_LENGTH, &(range.end - range.start).to_string()),
    }
}

fn outside(card: &Card, request: &Request) -> Handed {
    let refusal = CosRefusal::new(
        StatusCode::RANGE_NOT_SATISFIABLE,
        "InvalidRange",
        "The requested range cannot be satisfied.",
    );
    let mut reply = refusal.reply(&request.path, "0").with(CONTENT_RANGE, &format!("bytes */{}", card.size));
    if request.method == Method::HEAD {
        reply.body = Bytes::new();
    }
    Handed { reply, file: None }
}

/// Whether a list of ETags, or a star, covers this one.
fn knows(list: &str, etag: &str) -> bool {
    list.split(',').map(str::trim).any(|known| known == "*" || known.trim_start_matches("W/") == etag)
}

/// Reads a `Range`. Several ranges, and what is no range, mean the whole file, as RFC 9110 allows.
fn asked(range: &str, size: u64) -> Asked {
    let Some((first, last)) = range.trim().strip_prefix("bytes=").and_then(|range| range.split_once('-'))
    else {
        return Asked::Whole;
    };
    let number = |text: &str| {
        text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u64>().ok()).flatten()
    };
    if first.is_empty() {
        return match number(last) {
            None => Asked::Whole,
            Some(length) if length == 0 || size == 0 => Asked::Outside,
            Some(length) => Asked::Part(size.saturating_sub(length)..size),
        };
    }
    let last = if last.is_empty() { Some(u64::MAX) } else { number(last) };
    match number(first).zip(last) {
        Some((first, last)) if first > last => Asked::Whole,
        Some((first, _)) if first >= size => Asked::Outside,
        Some((first, last)) => Asked::Part(first..last.saturating_add(1).min(size)),
        None => Asked::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_rfc_9110_has_them() {
        for (text, expected) in [
            ("bytes=0-0", Asked::Part(0..1)),
            ("bytes=2-", Asked::Part(2..10)),
            ("bytes=2-99", Asked::Part(2..10)),
            ("bytes=-3", Asked::Part(7..10)),
            ("bytes=-30", Asked::Part(0..10)),
            ("bytes=10-", Asked::Outside),
            ("bytes=-0", Asked::Outside),
            ("bytes=3-2", Asked::Whole),
            ("bytes=0-1,3-4", Asked::Whole),
            ("bytes=-", Asked::Whole),
            ("bytes=a-b", Asked::Whole),
            ("lines=0-1", Asked::Whole),
            ("bytes=99999999999999999999-", Asked::Whole),
        ] {
            assert_eq!(asked(text, 10), expected, "{text}");
        }
    }

    #[test]
    fn an_empty_file_has_no_ranges() {
        assert_eq!(asked("bytes=0-", 0), Asked::Outside);
        assert_eq!(asked("bytes=-1", 0), Asked::Outside);
    }

    #[test]
    fn etags_come_in_lists() {
        assert!(knows("\"a\", W/\"b\"", "\"b\""));
        assert!(knows("*", "\"b\""));
        assert!(!knows("\"a\"", "\"b\""));
    }
}
