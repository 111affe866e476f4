//! A message that is the platform's: taken in once, stored, on its way, answered.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use http::{HeaderValue, Response, StatusCode, header};
use tokenward_core::time::Wall;
use tokenward_providers::wechat_callback::{Message, Query, Stamp};
use tokenward_store::{Delivery, SeenMessage, Write};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::dispatcher::{Arrival, Input};
use super::queue::TargetId;
use super::seen::{Digest, Novelty};
use super::{Callbacks, Entry, Refusal, message_place, plain, signed_at, success};
use crate::clock;
use crate::http::Body;
use crate::keeper::Job;

/// A message that was stored, and where its first answer comes from, if from anywhere.
type Stored = Option<mpsc::Receiver<String>>;

/// Messages on their way at the most; then the platform is asked to try again later.
const MOST_WAITING: usize = 50_000;
/// How long an answer is waited for: the platform gives up after 5 s, and the network takes its part.
const PATIENCE: Duration = Duration::from_millis(4_200);
const LONGEST_KIND: usize = 128;

impl Callbacks {
    /// Takes a message in and answers it.
    pub(super) async fn take(
        self: &Arc<Callbacks>,
        entry: &Arc<Entry>,
        query: Query,
        message: Message,
    ) -> Result<Response<Body>, Refusal> {
        let began = Instant::now();
        let now = clock::wall();
        let signed = signed_at(&query);
        let digests = digests(entry, &query);
        let novelty = locked(&entry.seen).enter(&digests, signed, now);
        match novelty {
            Novelty::New => {}
            Novelty::Repeated => {
                entry.counts.count("repeated");
                return Ok(success());
            }
            Novelty::Entering => return Err(Refusal::Full),
            Novelty::OutOfTime => return Err(Refusal::OutOfTime(now - signed)),
        }
        let message = Arc::new(message);
        // In a task of its own: whoever hangs up now must not leave it half taken in.
        let storing = {
            let (callbacks, entry, message) = (Arc::clone(self), Arc::clone(entry), Arc::clone(&message));
            tokio::spawn(async move { callbacks.store(&entry, &digests, signed, &message).await })
        };
        let Ok(Some(answers)) = storing.await else { return Err(Refusal::Full) };
        let Some(mut answers) = answers else { return Ok(success()) };
        match tokio::time::timeout_at(began + PATIENCE, answers.recv()).await {
            Ok(Some(text)) => Ok(self.pass_on(entry, &query, &message, &text)),
            Ok(None) | Err(_) => Ok(success()),
        }
    }

    /// `None` if it cannot be stored.
    async fn store(
        &self,
        entry: &Entry,
        digests: &[Digest],
        signed: Wall,
        message: &Message,
    ) -> Option<Stored> {
        let Some(deliveries) = self.deliveries(entry, message) else {
            locked(&entry.seen).give_back(digests, signed);
            return None;
        };
        if deliveries.is_empty() {
            locked(&entry.seen).settle(digests);
            entry.counts.count("unrouted");
            return Some(None);
        }
        let text = message.text.as_bytes();
        let mut writes: Vec<Write> = deliveries
            .iter()
            .map(|(delivery, _)| {
                let sealed = self.keys.seal(&message_place(delivery), text);
                Write::Deliver(Box::new(delivery.clone()), sealed)
            })
            .collect();
        let until = locked(&entry.seen).end(signed);
        writes.extend(digests.iter().map(|digest| Write::SeeMessage(SeenMessage { digest: *digest, until })));
        writes.push(Write::ForgetSeenMessages(clock::wall()));
        let (told, stored) = oneshot::channel();
        // Without a keeper the server is ending, and the platform tries again.
        let sent = self.keeper.send(Job::Beside(writes, Some(told))).is_ok();
        if !sent || !stored.await.unwrap_or(false) {
            locked(&entry.seen).give_back(digests, signed);
            return None;
        }
        locked(&entry.seen).settle(digests);
        entry.counts.count("accepted");
        let wants_answer = entry
            .targets
            .iter()
            .any(|route| route.answers && deliveries.iter().any(|(_, target)| *target == route.id));
        let (answer, answers) = mpsc::channel(1);
        let (answer, answers) = if wants_answer { (Some(answer), Some(answers)) } else { (None, None) };
        let arrival = Arrival { deliveries, text: message.text.as_str().into(), answer };
        // Without a dispatcher the next run delivers it.
        drop(self.dispatcher.send(Input::Arrived(arrival)));
        Some(answers)
    }

    /// Where a message goes; `None` if too many are on their way already.
    fn deliveries(&self, entry: &Entry, message: &Message) -> Option<Vec<(Delivery, TargetId)>> {
        if self.backlog.waiting.load(Ordering::Relaxed) >= MOST_WAITING {
            return None;
        }
        let kind: String = message.kind.chars().take(LONGEST_KIND).collect();
        let routes = entry.targets.iter();
        let wanted = routes.filter(|route| route.events.iter().any(|pattern| pattern.matches(&kind)));
        let received = clock::wall();
        let delivery = |name: &tokenward_core::name::Name| Delivery {
            id: self.next_id.fetch_add(1, Ordering::Relaxed),
            callback: entry.name.clone(),
            target: name.clone(),
            kind: kind.clone(),
            format: message.format.as_str().to_owned(),
            received,
            since: received,
            dead: None,
        };
        Some(wanted.map(|route| (delivery(&route.name), route.id)).collect())
    }

    /// A target's answer, as the platform expects it.
    fn pass_on(&self, entry: &Entry, query: &Query, message: &Message, text: &str) -> Response<Body> {
        let mut random = [0; 16];
        for (part, number) in random.chunks_exact_mut(8).zip([clock::entropy(), clock::entropy()]) {
            part.copy_from_slice(&number.to_ne_bytes());
        }
        let stamp = Stamp { timestamp: clock::wall().unix_seconds(), nonce: &query.nonce, random };
        let Some(answer) = entry.callback.answer(message, text, &stamp) else { return success() };
        entry.counts.count("answered");
        let mut response = plain(StatusCode::OK, answer);
        let content_type = HeaderValue::from_static(message.answer_format().content_type());
        response.headers_mut().insert(header::CONTENT_TYPE, content_type);
        response
    }
}

/// What a message is known by. An encrypted one by what signs it, and also by what an impostor could cut out of it: its
/// plain signature, where messages in the clear are taken too.
fn digests(entry: &Entry, query: &Query) -> Vec<Digest> {
    let name = entry.name.as_str();
    let of = |kind: &str, text: &str| {
        let sum = digest(
            &SHA256,
            format!("{name}\n{kind}\n{}\n{}\n{text}", query.timestamp, query.nonce).as_bytes(),
        );
        let mut short = Digest::default();
        short.iter_mut().zip(sum.as_ref()).for_each(|(to, from)| *to = *from);
        short
    };
    let signed = query.msg_signature.as_deref().filter(|_| entry.callback.takes_encrypted());
    signed.map(|signature| of("encrypted", signature)).into_iter().chain([of("plain", "")]).collect()
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it is held; and if it did, what is inside is still whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
