//! What is delivered: a token, and for how long its holders may rely on it.

use tokenward_core::name::Name;
use tokenward_core::secret::Secret;
use tokenward_core::time::{Now, Span, Wall};
use tokenward_core::view::{Offer, Reading, View};

/// Whose token it is, as sinks name it.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    /// The credential.
    pub(crate) credential: Name,
    /// What the platform calls the app: `app_id`, or `client_id`.
    pub(crate) app_id: String,
    /// What an SDK that reads the sink has as the app's secret, where a key is made of it.
    pub(crate) sdk_secret: Option<Secret>,
}

/// A token as it is delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Delivery {
    /// The token.
    pub(crate) token: Secret,
    /// Its generation.
    pub(crate) generation: u64,
    /// When it was asked for.
    pub(crate) issued: Wall,
    /// The end of its told life.
    pub(crate) told_end: Wall,
    /// The moment at which this was true.
    pub(crate) now: Wall,
}

impl Delivery {
    /// What there is to deliver now, if there is a token that may be handed out.
    pub(crate) fn of(view: &View, now: Now) -> Option<Delivery> {
        let Reading::Token(offer, told_end) = view.read(now.boot) else { return None };
        let Offer { token, generation, issued, .. } = offer;
        Some(Delivery {
            token: token.clone(),
            generation: *generation,
            issued: now.wall_of(*issued),
            told_end: now.wall_of(told_end),
            now: now.wall,
        })
    }

    /// What stands for a delivery where none is looked at.
    pub(super) fn nothing() -> Delivery {
        let zero = Wall(0);
        Delivery { token: Secret::new(""), generation: 0, issued: zero, told_end: zero, now: zero }
    }

    /// The told life, in whole seconds.
    pub(crate) fn expires_in(&self) -> i64 {
        self.life().whole_seconds().max(0)
    }

    /// The told life.
    pub(crate) fn life(&self) -> Span {
        self.told_end - self.now
    }

    /// Whether it is the same token as another.
    pub(crate) fn is_same_token(&self, other: &Delivery) -> bool {
        self.generation == other.generation && self.token == other.token
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    pub(crate) fn subject() -> Subject {
        Subject {
            credential: Name::parse("shop").unwrap(),
            app_id: "wx0123456789abcdef".to_owned(),
            sdk_secret: Some(Secret::new("sdk-secret")),
        }
    }

    pub(crate) fn delivery() -> Delivery {
        Delivery {
            token: Secret::new("tok\"en"),
            generation: 17,
            issued: Wall(1_795_172_400_000),
            told_end: Wall(1_795_176_000_000),
            now: Wall(1_795_172_400_000),
        }
    }
}
