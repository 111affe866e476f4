//! Failures with names: what went wrong, whether to try again, and what a person can do.

use crate::time::Span;

/// A failed attempt, as it is shown to people and kept across restarts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What happened.
    pub kind: FailureKind,
    /// The platform's own words, when it was the platform that refused.
    pub refusal: Option<Refusal>,
    /// One sentence about what happened, without any secret.
    pub detail: Box<str>,
    /// One sentence about what to do.
    pub next_step: Box<str>,
    /// How long the platform asked us to wait (`Retry-After`).
    pub retry_after: Option<Span>,
}

/// A platform's refusal in its own terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// `errcode`, `error_code` or RFC 6749 `error`, as text.
    pub code: Box<str>,
    /// The message beside it.
    pub message: Box<str>,
}

impl Failure {
    /// A failure of this kind with the kind's own next step.
    #[must_use]
    pub fn new(kind: FailureKind, detail: impl Into<Box<str>>) -> Failure {
        Failure {
            kind,
            refusal: None,
            detail: detail.into(),
            next_step: kind.next_step().into(),
            retry_after: None,
        }
    }
}

/// What a failure means for retrying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Passes by itself: try again with backoff.
    Transient,
    /// We are asked to slow down: try again when the wait is over.
    Throttled,
    /// Trying again changes nothing until somebody acts; looked at again after this time, if ever.
    Blocked(Option<Span>),
}

macro_rules! failure_kinds {
    ($($(#[$doc:meta])* $kind:ident = $code:literal, $class:expr, $next_step:literal;)+) => {
        /// Every way in which getting a token fails. The codes are part of the API.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum FailureKind {
            $($(#[$doc])* $kind,)+
        }

        impl FailureKind {
            /// All kinds.
            pub const ALL: &'static [FailureKind] = &[$(FailureKind::$kind,)+];

            /// The stable name of this kind, in snake_case.
            #[must_use]
            pub fn code(self) -> &'static str {
                match self { $(FailureKind::$kind => $code,)+ }
            }

            /// What it means for retrying.
            #[must_use]
            pub fn class(self) -> Class {
                match self { $(FailureKind::$kind => $class,)+ }
            }

            /// What a person can do, in general; providers know more in particular.
            #[must_use]
            pub fn next_step(self) -> &'static str {
                match self { $(FailureKind::$kind => $next_step,)+ }
            }
        }
    };
}

failure_kinds! {
    /// No connection came about: nothing was sent.
    Unreachable = "platform_unreachable", Class::Transient,
        "Check the network, DNS and proxy settings of this machine; Tokenward tries again by itself.";
    /// The request was sent and no answer came in time.
    TimedOut = "platform_timeout", Class::Transient,
        "Nothing to do unless it lasts: Tokenward tries again by itself.";
    /// The request was sent and the connection broke before the answer was complete.
    ConnectionLost = "connection_lost", Class::Transient,
        "Nothing to do unless it lasts: Tokenward tries again by itself.";
    /// The platform answered with a server error.
    PlatformError = "platform_error", Class::Transient,
        "Nothing to do unless it lasts: the platform has a problem; Tokenward tries again by itself.";
    /// The platform says that it is busy.
    PlatformBusy = "platform_busy", Class::Transient,
        "Nothing to do unless it lasts: Tokenward tries again by itself.";
    /// The platform answered something that is not its protocol.
    Nonsense = "nonsense_answer", Class::Transient,
        "Check `base_url` and any proxy in between: the answer did not come from the platform's API.";
    /// The platform's certificate or TLS version was not acceptable.
    TlsFailed = "tls_failed", Class::Blocked(Some(Span::minutes(1))),
        "Check the clock of this machine, `base_url` and `egress.ca_file`: the platform's certificate is not trusted.";
    /// Too many requests in a short time.
    RateLimited = "rate_limited", Class::Throttled,
        "Tokenward slows down by itself; look for others that fetch tokens for the same app.";
    /// The platform's daily quota is used up.
    QuotaUsedUp = "quota_used_up", Class::Throttled,
        "Wait until the platform's midnight (UTC+8), or reset the quota in the platform's console.";
    /// Our own budget for the day is used up.
    BudgetUsedUp = "budget_used_up", Class::Throttled,
        "Find out why so many refreshes were needed: `tokenward status NAME` shows reports and foreign refreshes.";
    /// The platform does not accept the secret.
    BadSecret = "bad_secret", Class::Blocked(None),
        "Put the current app secret where the configuration points to and restart; it may have been reset in the console.";
    /// The platform does not know the app.
    BadAppId = "bad_app_id", Class::Blocked(None),
        "Correct the app id in the configuration.";
    /// The request is wrong in itself: grant type, scope, method.
    BadRequest = "bad_request", Class::Blocked(None),
        "Correct the credential's configuration; the platform's message says which part it refuses.";
    /// The account may not use this API.
    NotPermitted = "not_permitted", Class::Blocked(Some(Span::hours(1))),
        "Ask the platform or the account's owner for permission to use this API.";
    /// The address of this machine is not on the platform's allow-list.
    IpNotAllowed = "ip_not_allowed", Class::Blocked(Some(Span::minutes(10))),
        "Add the address this machine calls from to the platform's IP allow-list, then run `tokenward refresh NAME`.";
    /// The app secret is frozen.
    SecretFrozen = "secret_frozen", Class::Blocked(Some(Span::minutes(10))),
        "Unfreeze the app secret in the platform's console; it takes about ten minutes to work.";
    /// The account is frozen.
    AccountFrozen = "account_frozen", Class::Blocked(Some(Span::hours(1))),
        "Ask the account's owner to have it unfrozen.";
    /// The account is being punished.
    AccountPunished = "account_punished", Class::Blocked(Some(Span::hours(1))),
        "Look for the platform's notice in the account's console.";
    /// An administrator must allow calls from this address.
    AdminMustConfirm = "admin_must_confirm", Class::Blocked(Some(Span::minutes(10))),
        "The account's administrator received a message on the phone: confirm it, then run `tokenward refresh NAME`.";
    /// An administrator refused calls from this address once: blocked for an hour.
    AdminRefusedHour = "admin_refused_hour", Class::Blocked(Some(Span::minutes(61))),
        "Talk to the account's administrator; the platform blocks this address for one hour.";
    /// An administrator refused calls from this address twice: blocked for a day.
    AdminRefusedDay = "admin_refused_day", Class::Blocked(Some(Span::minutes(24 * 60 + 1))),
        "Talk to the account's administrator; the platform blocks this address for 24 hours.";
    /// The platform returns a token that is known to be dead.
    TokenUnchanged = "token_unchanged", Class::Blocked(Some(Span::minutes(5))),
        "The platform keeps answering with a token it refuses; check whether the app was changed in the console.";
    /// A single-use refresh token was sent and the outcome is unknown.
    RefreshTokenInDoubt = "refresh_token_in_doubt", Class::Blocked(None),
        "Authorize the credential anew: redeeming its refresh token a second time could revoke everything.";
    /// The secret could not be read where the configuration points to.
    SecretUnavailable = "secret_unavailable", Class::Blocked(Some(Span::minutes(1))),
        "Make the secret readable where the configuration points to.";
    /// The token with which a derived credential asks was refused.
    SourceRefused = "source_refused", Class::Transient,
        "Nothing to do unless it lasts: the token that this credential is derived from is being replaced.";
    /// There is no token with which a derived credential could ask.
    SourceUnavailable = "source_unavailable", Class::Transient,
        "Mend the credential that this one is derived from: `tokenward status` shows what ails it.";
    /// What must be stored before asking could not be stored.
    StoreUnavailable = "store_unavailable", Class::Transient,
        "Free space on the disk that holds `data_dir`, or make it writable; Tokenward tries again by itself.";
}

impl FailureKind {
    /// The kind with this code.
    #[must_use]
    pub fn from_code(code: &str) -> Option<FailureKind> {
        FailureKind::ALL.iter().copied().find(|kind| kind.code() == code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_lead_back() {
        for kind in FailureKind::ALL {
            assert_eq!(FailureKind::from_code(kind.code()), Some(*kind));
        }
    }

    #[test]
    fn every_next_step_is_a_sentence() {
        for kind in FailureKind::ALL {
            assert!(kind.next_step().ends_with('.'), "{kind:?}");
        }
    }
}
