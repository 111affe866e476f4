//! A sink that is a record of WeChat's cloud database, written with the token of a WeChat credential.
//!
//! Every call counts against the platform's quotas. Therefore nothing is written that stands there already, the record
//! is read back rarely, and what fails is tried again after longer and longer pauses. A call whose end is not known may
//! still be carried out after a later one: then the record is read back soon, and written again if that happened.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokenward_api::ErrorCode;
use tokenward_cloud::wire::{self, AnswerError};
use tokenward_cloud::{BuildError, CloudError, Kind, Statement, ejson};
use tokenward_core::time::Span;

use super::cloud_looks::Looks;
use super::cloud_record::{self, CloudRecord, Creation, Fields};
use super::delivery::{Delivery, Subject};
use super::redis::OurTokens;
use super::standing::SinkFailure;
use super::target::Look;
use crate::clock;
use crate::config::{CloudConfig, ConfigError};
use crate::feed::Entry;
use crate::gateway;
use crate::http::{Api, Refusal};

/// A record, and what is known of it.
#[derive(Debug)]
pub(crate) struct CloudTarget {
    api: Arc<Api>,
    /// Whose token the calls are made with.
    with: Arc<Entry>,
    env: String,
    record: CloudRecord,
    subject: Subject,
    /// What stands there, as far as is known.
    written: Option<Delivery>,
    looks: Looks,
    ours: OurTokens,
}

/// Why a call did not do what it should.
struct Failed {
    failure: SinkFailure,
    /// Whether it may have been carried out, or may still be.
    unknown: bool,
}

/// Between two attempts that fail: each is a call.
pub(super) const LONGEST_PAUSE: Span = Span::minutes(1);
/// The longest text of the platform that is repeated.
const LONGEST_WORDS: usize = 300;
const NO_COLLECTION: &str = "Make the collection in the cloud console, or with `tokenward cloud … db collections add NAME`; \
     see that `env` and `collection` are right.";
const NO_TOKEN: &str = "Run `tokenward status` for the credential whose token writes the record (`with`).";

impl CloudTarget {
    pub(super) fn new(
        config: &CloudConfig,
        subject: Subject,
        api: Arc<Api>,
        ours: OurTokens,
    ) -> Result<CloudTarget, ConfigError> {
        let with = config.with.as_ref().unwrap_or(&subject.credential);
        let entry = api.feed.find(with.as_str()).map(Arc::clone);
        let with = entry.ok_or_else(|| {
            ConfigError::outside(format!("there is no credential {with}."), "Correct `with` of the sink.")
        })?;
        Ok(CloudTarget {
            api,
            with,
            env: config.env.clone(),
            record: config.record.clone(),
            subject,
            written: None,
            looks: Looks::new(config.check_every, clock::boot()),
            ours,
        })
    }

    pub(super) async fn deliver(&mut self, delivery: &Delivery) -> Result<(), SinkFailure> {
        let fields = self.record.fields(&self.subject, delivery);
        let standing = self.written.as_ref().map(|written| self.record.fields(&self.subject, written));
        if standing.as_ref() == Some(&fields) {
            return Ok(());
        }
        // Should this be broken off, nothing is known any more.
        self.written = None;
        self.looks.write_begins(clock::boot());
        let outcome = self.write(&fields).await;
        let now = clock::boot();
        self.looks.write_ended(!matches!(outcome, Err(Failed { unknown: true, .. })), now);
        outcome.map_err(|failed| failed.failure.without(&delivery.token))?;
        self.looks.delivered(now);
        self.written = Some(delivery.clone());
        Ok(())
    }

    /// What the record has of what was delivered. Most of the time nobody asks.
    pub(super) async fn look(&mut self) -> Result<Look, SinkFailure> {
        if self.written.is_some() && !self.looks.is_due(clock::boot()) {
            return Ok(Look::There);
        }
        // Should the look fail or be broken off, nobody knows what stands there: it is written again.
        let Some(delivered) = self.written.take() else { return Ok(Look::Gone) };
        self.looks.begin(clock::boot());
        let statement = self.record.read().map_err(|error| unbuilt(&error).failure)?;
        let answer =
            self.call(&statement).await.map_err(|failed| failed.failure.without(&delivered.token))?;
        self.looks.looked(clock::boot());
        let fields = self.record.fields(&self.subject, &delivered);
        let judge = |text: &String| match ejson::document::<serde_json::Value>(text) {
            Ok(document) if cloud_record::has(&document, &fields) => Look::There,
            // A call of ours that was carried out late.
            Ok(document)
                if self.record.token(&document, &self.subject).is_some_and(|it| self.ours.have(&it)) =>
            {
                Look::Outdated
            }
            _ => Look::Foreign,
        };
        let look = answer.data.iter().map(judge).max().unwrap_or(Look::Gone);
        if look == Look::There {
            self.written = Some(delivered);
        }
        Ok(look)
    }

    async fn write(&self, fields: &Fields) -> Result<(), Failed> {
        let changed = self.call(&self.record.write(fields).map_err(|error| unbuilt(&error))?).await?;
        let creation = self.record.create(fields).map_err(|error| unbuilt(&error))?;
        match creation.filter(|_| changed.matched == 0) {
            None => Ok(()),
            Some(Creation::Add(add)) => self.call(&add).await.map(|_| ()),
            Some(Creation::Set(set)) => self.call(&set).await.map(|_| ()),
        }
    }

    async fn call<S: Statement>(&self, statement: &S) -> Result<S::Answer, Failed> {
        self.ask(S::PATH, &statement.body(self.env.as_str())).await
    }

    async fn ask<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Failed> {
        let body = serde_json::to_vec(body).unwrap_or_default();
        let path = path.trim_start_matches('/');
        let said = gateway::ask_for_sink(&self.api, &self.with, path, body.into()).await;
        let said = said.map_err(|refusal| self.not_made(&refusal))?;
        let read = wire::read(&said.body);
        if !said.status.is_success() && !matches!(read, Err(AnswerError::Refused(_))) {
            return Err(self.unreadable(&format!("HTTP {}", said.status)));
        }
        read.map_err(|error| match error {
            AnswerError::Refused(error) => self.refused(&error),
            AnswerError::Unreadable(error) => self.unreadable(&error.to_string()),
        })
    }

    /// The call was not made, no answer came, or the platform refuses every token.
    fn not_made(&self, refusal: &Refusal) -> Failed {
        let problem = refusal.problem();
        let code = ErrorCode::ALL.iter().find(|code| code.as_str() == problem.code);
        let next_step = match code {
            None | Some(ErrorCode::NoUsableToken | ErrorCode::TimedOut | ErrorCode::Limited) => NO_TOKEN,
            Some(code) => code.next_step(),
        };
        let words = problem.platform.as_ref().map(|words| format!(" ({}: {})", words.errcode, words.errmsg));
        let detail = format!("{}{}", problem.detail, words.unwrap_or_default());
        let unknown = matches!(code, Some(ErrorCode::CallBroken | ErrorCode::CallTimedOut));
        Failed { failure: SinkFailure::new(self.clean(&detail), next_step), unknown }
    }

    fn refused(&self, error: &CloudError) -> Failed {
        let CloudRecord { collection, .. } = &self.record;
        let env = &self.env;
        // The code for what is missing from a database is that of its collections.
        let failure = if error.kind() == Kind::Missing {
            let detail = format!("there is no collection {collection:?} in the environment {env:?}");
            SinkFailure::new(detail, NO_COLLECTION)
        } else {
            let detail = format!("the environment {env:?} refuses: {error}");
            SinkFailure::new(self.clean(&detail), error.next_step())
        };
        Failed { failure, unknown: error.kind() == Kind::Timeout }
    }

    fn unreadable(&self, why: &str) -> Failed {
        let detail = format!("the answer is not the platform's protocol: {why}");
        let next_step = "See what answers at `base_url`, and whether a proxy in between changes answers.";
        Failed { failure: SinkFailure::new(self.clean(&detail), next_step), unknown: true }
    }

    /// The platform may repeat what it was sent.
    fn clean(&self, text: &str) -> String {
        let words = gateway::without_secrets(&self.api, &self.with, text).unwrap_or_default();
        words.chars().filter(|char| !char.is_control()).take(LONGEST_WORDS).collect()
    }
}

/// The configuration was checked with a sample, so that only an odd token comes here.
fn unbuilt(error: &BuildError) -> Failed {
    let detail = format!("the statement cannot be built: {error}");
    let next_step = "Report this as a defect of Tokenward.";
    Failed { failure: SinkFailure::new(detail, next_step), unknown: false }
}
