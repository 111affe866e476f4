//! What survives a restart: one record a credential, in wall time.

use crate::budget::Usage;
use crate::failure::Failure;
use crate::name::Name;
use crate::time::{Span, Wall};

/// Everything about a credential that must survive, except the token itself, which is sealed beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The credential.
    pub name: Name,
    /// What the stored token belongs to: platform, app, token API, base URL, scope. A token whose
    /// fingerprint is not that of the configuration is never served.
    pub fingerprint: [u8; 32],
    /// A keyed digest of all that a person could have corrected (secret included): a stored block holds
    /// only while it is unchanged.
    pub config_mark: [u8; 16],
    /// How the clocks stood when it was made.
    pub clocks: ClockRecord,
    /// The newest attempt. Stores are fenced by it: an older attempt changes nothing.
    pub attempt: u64,
    /// The highest generation that may have been handed out.
    pub reserved: u64,
    /// The stored token's standing; `None` when there is none.
    pub token: Option<TokenRecord>,
    /// Exclusive fetches with unknown outcome since that token was stored. An intent counts as one until
    /// its outcome is stored, so that a crash in between is known.
    pub exposure: Option<ExposureRecord>,
    /// What was used of the budget.
    pub usage: Usage,
    /// The last failure, if nothing has succeeded since.
    pub trouble: Option<TroubleRecord>,
    /// Deaths of our tokens that were not our doing.
    pub foreign: ForeignRecord,
}

/// How the two clocks stood to each other. Within one boot of the machine, the boot clock tells how much
/// time has passed since the record was made, whatever was done to the wall clock meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ClockRecord {
    /// Which boot of which machine; 0 for unknown.
    pub boot_id: u64,
    /// What the wall showed when this boot began, as the wall was set when the record was made.
    pub booted: Wall,
}

/// The standing of a stored token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenRecord {
    /// Its generation.
    pub generation: u64,
    /// When it was asked for.
    pub issued: Wall,
    /// How long it lived in all.
    pub life: Span,
    /// When it ends.
    pub ends: Wall,
    /// When it is to be refreshed: drawn once, stored with it.
    pub due: Wall,
    /// Whether it was found dead.
    pub revoked: bool,
}

/// Exclusive fetches of which nobody knows whether the platform issued a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExposureRecord {
    /// How many.
    pub count: u32,
    /// When the last of them was begun.
    pub last: Wall,
}

/// The last failure and what follows from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TroubleRecord {
    /// The failure.
    pub failure: Failure,
    /// When it happened.
    pub at: Wall,
    /// When the next attempt is planned; `None` when only a person can help.
    pub retry_at: Option<Wall>,
    /// How many attempts failed in a row.
    pub failures: u32,
}

/// Deaths of our tokens that were not our doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ForeignRecord {
    /// The day in UTC+8 to which `times` belongs.
    pub day: i64,
    /// How often on that day.
    pub times: u32,
    /// The last time.
    pub last: Option<Wall>,
    /// Until when the credential counts as contested.
    pub contested_until: Option<Wall>,
}
