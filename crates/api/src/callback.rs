//! Messages of platforms on their way to their targets.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A message that is on its way to a target or was given up. Its text is not shown.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq, ToSchema)]
pub struct CallbackMessage {
    /// Its number. One message that goes to two targets has two.
    pub id: u64,
    /// By which callback it came.
    pub callback: String,
    /// Where it goes.
    pub target: String,
    /// What it is about: `text`, `event:subscribe`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// `waiting`, `under_way` or `dead`.
    pub state: String,
    /// When it came.
    pub received_at: String,
    /// How often it was tried since the server started.
    pub attempts: u32,
    /// When it is tried next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<String>,
    /// What went wrong last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// Everything about a message. `Debug` does not show its text.
#[derive(Clone, Serialize, Deserialize, PartialEq, Eq, ToSchema)]
pub struct WholeCallbackMessage {
    /// What a listing shows of it.
    #[serde(flatten)]
    pub message: CallbackMessage,
    /// From when on it is tried: when it came, or when it was sent again.
    pub tried_since: String,
    /// What its target gets beside the text.
    pub headers: BTreeMap<String, String>,
    /// The last attempts that failed since the server started, the oldest first.
    pub failures: Vec<CallbackFailure>,
    /// The message as the platform wrote it, in the clear, if it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// An attempt that failed.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq, ToSchema)]
pub struct CallbackFailure {
    /// When.
    pub at: String,
    /// What went wrong.
    pub detail: String,
}

impl fmt::Debug for WholeCallbackMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WholeCallbackMessage").field("message", &self.message).finish_non_exhaustive()
    }
}

/// A page of messages, the oldest first.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq, ToSchema)]
pub struct CallbackMessages {
    /// The messages.
    pub messages: Vec<CallbackMessage>,
    /// What to give as `after` for the next page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// Which messages to send again: one, or all that were given up.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq, Eq, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RedeliverRequest {
    /// Only this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// Only those of this callback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback: Option<String>,
}

/// What became of it.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq, ToSchema)]
pub struct Redelivered {
    /// How many are on their way again.
    pub redelivered: usize,
}
