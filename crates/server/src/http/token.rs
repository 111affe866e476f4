//! `GET /v1/credentials/{name}/token`: the hot route.
//!
//! While a usable token is known, it is answered from the published snapshot without waiting for anything.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use tokenward_api::ErrorCode;
use tokenward_core::event::Event;
use tokenward_core::time::{Boot, Now, Span, Wall};
use tokenward_core::view::{Offer, Reading, View};
use tokio::sync::oneshot;

use super::Api;
use super::answer::{Body, Refusal, whole};
use crate::clock;
use crate::config::parse_span;
use crate::driver::Input;
use crate::feed::{Counts, Entry, Rendered};

/// How long a read without a usable token waits for one.
pub const COLD_WAIT: Span = Span::seconds(10);
/// The longest long poll.
const LONGEST_POLL: Span = Span::seconds(60);

/// What the query asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    min_ttl: Option<Span>,
    after: Option<u64>,
    wait: Option<Span>,
}

impl Wishes {
    /// Reads the query.
    ///
    /// # Errors
    /// Something in it is unknown or malformed.
    pub fn parse(query: Option<&str>) -> Result<Wishes, Refusal> {
        let mut wishes = Wishes::default();
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                "min_ttl" => wishes.min_ttl = Some(duration(name, value)?),
                "wait" => wishes.wait = Some(duration(name, value)?.min(LONGEST_POLL)),
                "after" => {
                    let generation = value.parse();
                    wishes.after = Some(generation.map_err(|_| malformed("`after` is not a generation"))?);
                }
                _ => return Err(malformed("the query knows `min_ttl`, `after` and `wait` only")),
            }
        }
        if wishes.wait.is_some() && wishes.after.is_none() {
            return Err(malformed("`wait` needs `after`: the generation you have"));
        }
        Ok(wishes)
    }
}

fn duration(name: &str, value: &str) -> Result<Span, Refusal> {
    parse_span(value).map_err(|_| malformed(&format!("`{name}` is not a duration like 60s or 5m")))
}

fn malformed(detail: &str) -> Refusal {
    ErrorCode::Malformed.problem(detail).into()
}

/// Hands out the token, waiting only where the wishes say so or there is none.
///
/// # Errors
/// There is no usable token, and why.
pub async fn read(
    api: &Api,
    entry: &Arc<Entry>,
    wishes: Wishes,
    headers: &HeaderMap,
) -> Result<Response<Body>, Refusal> {
    if let Some(after) = wishes.after {
        if let Some(answer) = poll(api, entry, after, wishes.wait.unwrap_or(Span::ZERO)).await {
            return Ok(answer);
        }
    } else if let Some(min_ttl) = wishes.min_ttl {
        ask_for_longer(api, entry, min_ttl).await;
    }
    read_current(api, entry, headers).await
}

/// The current token, if one is known and nobody need wait.
pub fn read_at_once(entry: &Entry, headers: &HeaderMap) -> Option<Response<Body>> {
    let view = entry.view();
    let now = clock::now();
    match view.read(now.boot) {
        Reading::Token(offer, told_end) => {
            Counts::add(&entry.counts.reads);
            Some(hand_out(entry, &view, offer, told_end, now, headers))
        }
        Reading::Wait(_) | Reading::Nothing => None,
    }
}

/// The current token, after waiting for one if there is none.
///
/// # Errors
/// There is no usable token, and why.
pub async fn read_current(
    api: &Api,
    entry: &Arc<Entry>,
    headers: &HeaderMap,
) -> Result<Response<Body>, Refusal> {
    let (view, now) = wait_for_usable(api, entry).await?;
    match view.read(now.boot) {
        Reading::Token(offer, told_end) => {
            Counts::add(&entry.counts.reads);
            Ok(hand_out(entry, &view, offer, told_end, now, headers))
        }
        Reading::Wait(_) | Reading::Nothing => Err(timed_out(entry, &view, now.boot)),
    }
}

/// The same without the token itself, for those who may know about it and not have it.
///
/// # Errors
/// There is no usable token, and why.
pub async fn show_standing(api: &Api, entry: &Arc<Entry>) -> Result<Response<Body>, Refusal> {
    let (view, now) = wait_for_usable(api, entry).await?;
    let Reading::Token(offer, told_end) = view.read(now.boot) else {
        return Err(timed_out(entry, &view, now.boot));
    };
    let standing = serde_json::json!({
        "credential": entry.name.as_str(),
        "expires_in": (told_end - now.boot).whole_seconds().max(0),
        "expires_at": clock::rfc3339(now.wall_of(told_end)),
        "generation": offer.generation,
    });
    Ok(super::answer::json(StatusCode::OK, &standing))
}

/// A snapshot with a usable token and the moment at which it is one, after waiting for it if need be.
///
/// # Errors
/// There is no usable token, and why.
pub async fn wait_for_usable(api: &Api, entry: &Arc<Entry>) -> Result<(Arc<View>, Now), Refusal> {
    let deadline = clock::boot() + COLD_WAIT;
    let mut wanted = false;
    loop {
        let changed = entry.changed();
        let view = entry.view_full();
        let now = clock::now();
        let until = match view.read(now.boot) {
            Reading::Token(..) => return Ok((view, now)),
            Reading::Wait(until) => until.min(deadline),
            Reading::Nothing => {
                if api.is_draining() {
                    return Err(ErrorCode::ShuttingDown
                        .problem("no token, and none is fetched any more")
                        .into());
                }
                if !may_come_by(&view, deadline) {
                    return Err(Refusal::no_token(entry.name.as_str(), &view, now.boot));
                }
                if !std::mem::replace(&mut wanted, true) {
                    drop(api.driver.send(Input::Event(entry.id, Event::Wanted)));
                }
                deadline
            }
        };
        let wait = until - now.boot;
        if wait <= Span::ZERO {
            return Err(timed_out(entry, &view, now.boot));
        }
        drop(tokio::time::timeout(sleep(wait), changed).await);
    }
}

/// Whether waiting can help: a fetch is running, or the next one comes before the reader gives up.
fn may_come_by(view: &View, deadline: Boot) -> bool {
    view.trouble.is_none() || view.fetching || view.next_fetch.is_some_and(|at| at < deadline)
}

fn timed_out(entry: &Entry, view: &View, now: Boot) -> Refusal {
    if view.trouble.is_some() {
        return Refusal::no_token(entry.name.as_str(), view, now);
    }
    let detail = format!("{} did not answer with a token for {} within 10 s", entry.platform, entry.name);
    Refusal::retry(ErrorCode::TimedOut.problem(detail), Span::seconds(1))
}

/// Waits for a generation above `after`; `None` when there is one (or an `after` from another life of the
/// store), else the answer "nothing new".
async fn poll(api: &Api, entry: &Arc<Entry>, after: u64, wait: Span) -> Option<Response<Body>> {
    let deadline = clock::boot() + wait;
    loop {
        let changed = entry.changed();
        let view = entry.view_full();
        let now = clock::now();
        if view.generation != after {
            return None;
        }
        if now.boot >= deadline || api.is_draining() {
            let Reading::Token(offer, told_end) = view.read(now.boot) else { return None };
            return Some(not_modified(offer, told_end, now));
        }
        drop(tokio::time::timeout(sleep(deadline - now.boot), changed).await);
    }
}

/// A reader wants more life than is left: where a fetch ahead of time harms nobody, it is made and awaited.
async fn ask_for_longer(api: &Api, entry: &Arc<Entry>, min_ttl: Span) {
    let deadline = clock::boot() + COLD_WAIT;
    let mut asked = false;
    loop {
        let changed = entry.changed();
        let view = entry.view_full();
        let now = clock::boot();
        let Reading::Token(_, told_end) = view.read(now) else { return };
        if told_end - now >= min_ttl || now >= deadline {
            return;
        }
        if !std::mem::replace(&mut asked, true) {
            let (reply, answer) = oneshot::channel();
            drop(api.driver.send(Input::Longer { id: entry.id, min_ttl, reply }));
            if !answer.await.unwrap_or(false) {
                return;
            }
            continue;
        }
        if !view.fetching && view.generation == entry.view().generation {
            return;
        }
        drop(tokio::time::timeout(sleep(deadline - now), changed).await);
    }
}

/// A span as a sleep. A second at most: the machine may be suspended meanwhile.
fn sleep(span: Span) -> Duration {
    Duration::from_millis(u64::try_from(span.0).unwrap_or(0)).min(Duration::from_secs(1))
}

/// The answer, rendered once a second and snapshot.
fn hand_out(
    entry: &Entry,
    view: &Arc<View>,
    offer: &Offer,
    told_end: Boot,
    now: Now,
    headers: &HeaderMap,
) -> Response<Body> {
    let expires_at = now.wall_of(told_end).unix_seconds();
    let expires_in = (told_end - now.boot).whole_seconds().max(0);
    let cached = entry.rendered();
    let fits = |rendered: &&Arc<Rendered>| {
        Arc::ptr_eq(&rendered.view, view)
            && (rendered.expires_in, rendered.expires_at) == (expires_in, expires_at)
    };
    let fresh;
    let rendered = match cached.as_ref().filter(fits) {
        Some(rendered) => rendered,
        None => {
            fresh = Arc::new(render(entry, view, offer, expires_in, expires_at));
            entry.keep_rendered(Arc::clone(&fresh));
            &fresh
        }
    };
    let known = headers.get(header::IF_NONE_MATCH);
    if known.is_some_and(|known| known.as_bytes() == rendered.etag.as_bytes()) {
        return not_modified(offer, told_end, now);
    }
    let mut response = Response::new(whole(rendered.body.clone()));
    let headers = response.headers_mut();
    headers.reserve(4);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, rendered.cache_control.clone());
    headers.insert(header::ETAG, rendered.etag.clone());
    response
}

fn not_modified(offer: &Offer, told_end: Boot, now: Now) -> Response<Body> {
    let expires_at = now.wall_of(told_end);
    let mut response = Response::new(whole(Bytes::new()));
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    let expires_in = (told_end - now.boot).whole_seconds().max(0);
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, value(format!("private, max-age={expires_in}")));
    headers.insert(header::ETAG, value(format!("W/\"{}-{}\"", offer.generation, expires_at.unix_seconds())));
    headers.insert("tokenward-expires-at", value(clock::rfc3339(expires_at)));
    response
}

fn value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).expect("digits and fixed text make a header value")
}

fn render(entry: &Entry, view: &Arc<View>, offer: &Offer, expires_in: i64, expires_at: i64) -> Rendered {
    let token = tokenward_api::Token {
        credential: entry.name.as_str().to_owned(),
        token: offer.token.expose().to_owned(),
        expires_in,
        expires_at: clock::rfc3339(Wall(expires_at.saturating_mul(1000))),
        generation: offer.generation,
    };
    Rendered {
        view: Arc::clone(view),
        expires_in,
        expires_at,
        body: serde_json::to_vec(&token).expect("texts and numbers are JSON").into(),
        etag: value(format!("W/\"{}-{expires_at}\"", offer.generation)),
        cache_control: value(format!("private, max-age={expires_in}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: &str) -> Option<Wishes> {
        Wishes::parse(Some(query)).ok()
    }

    #[test]
    fn wishes_are_read_from_the_query() {
        let wishes = Wishes { min_ttl: Some(Span::seconds(60)), ..Wishes::default() };
        assert_eq!(parse("min_ttl=60s"), Some(wishes));
        let wishes = Wishes { after: Some(17), wait: Some(Span::seconds(30)), ..Wishes::default() };
        assert_eq!(parse("after=17&wait=30s"), Some(wishes));
        assert_eq!(parse("after=17&wait=2h").unwrap().wait, Some(LONGEST_POLL));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for query in ["min_ttl=60", "after=x", "wait=5s", "mintll=60s", "after=-1"] {
            assert_eq!(parse(query), None, "{query}");
        }
    }
}
