//! The only writer to the store: seals tokens, gathers writes into one commit, and tells whoever waits.
//!
//! While one commit is on its way to the disk, further writes gather for the next: a thousand keeps cost a
//! few commits, and a lone keep waits for nobody.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokenward_core::event::Event;
use tokenward_core::fleet::CredentialId;
use tokenward_core::name::Name;
use tokenward_core::record::Record;
use tokenward_core::secret::Secret;
use tokenward_store::{Applied, PastToken, Store, StoreError, Write};
use tokenward_vault::{KeyRing, Place};
use tokio::sync::{mpsc, oneshot};

use crate::clock;
use crate::driver::Input;
use crate::token_index::{self, TokenIndex};

/// Something to store.
#[derive(Debug)]
pub enum Job {
    /// An intent.
    Intend(CredentialId, Box<Record>),
    /// A token, with the attempt that fetched it.
    Keep(CredentialId, u64, Box<Record>, Secret),
    /// What changed beside the token.
    Note(Box<Record>),
    /// What belongs to no credential. Whoever waits is told whether it is stored; else it is tried until it is.
    Beside(Vec<Write>, Option<oneshot::Sender<bool>>),
}

/// Whether the last commit succeeded: what readiness tells.
#[derive(Debug, Default)]
pub struct Health {
    failing: AtomicBool,
}

/// The writer's task and what it shares.
pub struct Keeper {
    /// Where it stores.
    pub store: Arc<dyn Store>,
    /// What it seals with.
    pub keys: Arc<KeyRing>,
    /// Whose tokens must be known again after a restart.
    pub token_index: Arc<TokenIndex>,
    /// Where it tells how it went.
    pub health: Arc<Health>,
    /// Whom it answers.
    pub driver: mpsc::UnboundedSender<Input>,
}

/// The field under which tokens are sealed.
pub const TOKEN_FIELD: &str = "token";
/// How often a note that could not be stored is tried again.
const RETRY: Duration = Duration::from_secs(2);
/// Writes in one commit at the most.
const BATCH: usize = 1_000;

impl Health {
    /// Whether the last commit failed.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }
}

impl Keeper {
    /// Stores until nobody can send any more.
    pub async fn run(self, mut jobs: mpsc::UnboundedReceiver<Job>) {
        let mut batch = Vec::new();
        // Nobody waits for a note, so those that failed are tried again here.
        let mut unstored: HashMap<Name, Box<Record>> = HashMap::new();
        let mut unstored_beside: Vec<Write> = Vec::new();
        loop {
            tokio::select! {
                taken = jobs.recv_many(&mut batch, BATCH) => if taken == 0 { return },
                () = tokio::time::sleep(RETRY), if !(unstored.is_empty() && unstored_beside.is_empty()) => {}
            }
            let mut all: Vec<Job> = unstored.drain().map(|(_, record)| Job::Note(record)).collect();
            all.push(Job::Beside(std::mem::take(&mut unstored_beside), None));
            all.append(&mut batch);
            let mut writes = Vec::new();
            let mut places = Vec::with_capacity(all.len());
            for job in &all {
                places.push(writes.len());
                self.write(job, &mut writes);
            }
            self.remember(&all, &mut writes);
            let outcome = self.store.apply(&writes).await;
            self.note_health(&outcome);
            for (place, job) in places.into_iter().zip(all) {
                let applied = outcome.as_ref().ok().and_then(|applied| applied.get(place).copied());
                self.answer(&job, applied);
                match job {
                    Job::Note(record) if applied.is_none() => {
                        unstored.insert(record.name.clone(), record);
                    }
                    // Whoever waited may have gone.
                    Job::Beside(_, Some(told)) => drop(told.send(outcome.is_ok())),
                    Job::Beside(writes, None) if outcome.is_err() => unstored_beside.extend(writes),
                    _ => {}
                }
            }
        }
    }

    fn write(&self, job: &Job, writes: &mut Vec<Write>) {
        writes.push(match job {
            Job::Intend(_, record) => Write::Intend(record.as_ref().clone()),
            Job::Note(record) => Write::Note(record.as_ref().clone()),
            Job::Keep(_, _, record, token) => {
                let sealed = self.keys.seal(&place(record), token.expose().as_bytes());
                Write::Keep(record.as_ref().clone(), sealed)
            }
            Job::Beside(more, _) => return writes.extend(more.iter().cloned()),
        });
    }

    /// Adds what makes the tokens of a batch known, behind the writes whose outcome is answered.
    fn remember(&self, jobs: &[Job], writes: &mut Vec<Write>) {
        let answered = writes.len();
        for job in jobs {
            let Job::Keep(id, _, record, token) = job else { continue };
            let Some(ends) = record.token.map(|token| token.ends) else { continue };
            if self.token_index.covers(*id) {
                writes.push(Write::Remember(PastToken {
                    digest: self.token_index.digest(token.expose()),
                    credential: record.name.clone(),
                    known_until: ends + token_index::GRACE,
                }));
            }
        }
        if writes.len() > answered {
            writes.push(Write::ForgetPastTokens(clock::now().wall));
        }
    }

    fn note_health(&self, outcome: &Result<Vec<Applied>, StoreError>) {
        let failing = outcome.is_err();
        let before = self.health.failing.swap(failing, Ordering::Relaxed);
        match outcome {
            Err(error) if !before => {
                let next_step = next_step(error);
                tracing::error!(%error, next_step, "the store fails: tokens are served, but not kept");
            }
            Ok(_) if before => tracing::info!("the store works again"),
            _ => {}
        }
    }

    fn answer(&self, job: &Job, applied: Option<Applied>) {
        let (id, event) = match (job, applied) {
            (Job::Note(_) | Job::Beside(..), _) => return,
            (Job::Intend(id, record), Some(Applied::Stored)) => {
                (*id, Event::Intended { attempt: record.attempt })
            }
            (Job::Intend(id, record), _) => (*id, Event::IntentFailed { attempt: record.attempt }),
            (Job::Keep(id, attempt, ..), Some(Applied::Stored)) => (*id, Event::Kept { attempt: *attempt }),
            (Job::Keep(id, attempt, ..), Some(Applied::Superseded)) => {
                (*id, Event::KeepSuperseded { attempt: *attempt })
            }
            (Job::Keep(id, attempt, ..), None) => (*id, Event::KeepFailed { attempt: *attempt }),
        };
        // The driver goes first at shutdown; then nobody needs to know.
        drop(self.driver.send(Input::Event(id, event)));
    }
}

/// Where the token of a record belongs.
#[must_use]
pub fn place(record: &Record) -> Place<'_> {
    Place {
        credential: record.name.as_str(),
        field: TOKEN_FIELD,
        generation: record.token.map_or(0, |token| token.generation),
        fingerprint: &record.fingerprint,
    }
}

fn next_step(error: &StoreError) -> &'static str {
    match error {
        StoreError::Full => "Free space on the disk that holds data_dir.",
        StoreError::Locked => "End the program that holds store.db open for writing.",
        _ => "Check the disk and the permissions of data_dir.",
    }
}
