//! A record as a row: the one place that knows both.

use sqlx::Row as _;
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use tokenward_core::budget::Usage;
use tokenward_core::failure::{Failure, FailureKind, Refusal};
use tokenward_core::name::Name;
use tokenward_core::record::{
    ClockRecord, ExposureRecord, ForeignRecord, Record, TokenRecord, TroubleRecord,
};
use tokenward_core::time::{Span, Wall};

use crate::{PastToken, StoreError, Stored};

/// The columns beside `token`, in the order in which [`bind`] binds them.
pub(crate) const COLUMNS: [&str; 32] = [
    "name",
    "fingerprint",
    "config_mark",
    "boot_id",
    "booted_at",
    "attempt",
    "reserved",
    "generation",
    "issued_at",
    "life",
    "ends_at",
    "due_at",
    "revoked",
    "exposure",
    "exposed_at",
    "budget_day",
    "fetches",
    "forced",
    "last_forced_at",
    "probes",
    "failure",
    "refusal_code",
    "refusal_message",
    "failure_detail",
    "failure_next_step",
    "failed_at",
    "retry_at",
    "failures",
    "foreign_day",
    "foreign_times",
    "foreign_at",
    "contested_until",
];

type AnyQuery<'q> = Query<'q, sqlx::Any, AnyArguments>;

pub(crate) fn bind<'q>(query: AnyQuery<'q>, record: &Record) -> AnyQuery<'q> {
    let token = record.token;
    let trouble = record.trouble.as_ref();
    let refusal = trouble.and_then(|trouble| trouble.failure.refusal.as_ref());
    let text = |text: Option<&str>| text.map(str::to_owned);
    query
        .bind(record.name.as_str().to_owned())
        .bind(record.fingerprint.to_vec())
        .bind(record.config_mark.to_vec())
        .bind(record.clocks.boot_id.cast_signed())
        .bind(record.clocks.booted.0)
        .bind(record.attempt.cast_signed())
        .bind(record.reserved.cast_signed())
        .bind(token.map(|token| token.generation.cast_signed()))
        .bind(token.map(|token| token.issued.0))
        .bind(token.map(|token| token.life.0))
        .bind(token.map(|token| token.ends.0))
        .bind(token.map(|token| token.due.0))
        .bind(token.map(|token| i64::from(token.revoked)))
        .bind(record.exposure.map_or(0, |exposure| i64::from(exposure.count)))
        .bind(record.exposure.map(|exposure| exposure.last.0))
        .bind(record.usage.day)
        .bind(i64::from(record.usage.fetches))
        .bind(i64::from(record.usage.forced))
        .bind(record.usage.last_forced.0)
        .bind(i64::from(record.usage.probes))
        .bind(text(trouble.map(|trouble| trouble.failure.kind.code())))
        .bind(text(refusal.map(|refusal| &*refusal.code)))
        .bind(text(refusal.map(|refusal| &*refusal.message)))
        .bind(text(trouble.map(|trouble| &*trouble.failure.detail)))
        .bind(text(trouble.map(|trouble| &*trouble.failure.next_step)))
        .bind(trouble.map(|trouble| trouble.at.0))
        .bind(trouble.and_then(|trouble| trouble.retry_at).map(|at| at.0))
        .bind(trouble.map(|trouble| i64::from(trouble.failures)))
        .bind(record.foreign.day)
        .bind(i64::from(record.foreign.times))
        .bind(record.foreign.last.map(|last| last.0))
        .bind(record.foreign.contested_until.map(|until| until.0))
}

pub(crate) fn read(row: &AnyRow) -> Result<Stored, StoreError> {
    let name: String = row.try_get("name").map_err(|error| StoreError::Failed(error.to_string()))?;
    let cells = Cells { row, name: &name };
    let record = Record {
        name: Name::parse(&name).map_err(|error| cells.damaged(error.to_string()))?,
        fingerprint: cells.bytes("fingerprint")?,
        config_mark: cells.bytes("config_mark")?,
        clocks: ClockRecord {
            boot_id: cells.number("boot_id")?.cast_unsigned(),
            booted: Wall(cells.number("booted_at")?),
        },
        attempt: cells.number("attempt")?.cast_unsigned(),
        reserved: cells.number("reserved")?.cast_unsigned(),
        token: cells.token()?,
        exposure: match (cells.count("exposure")?, cells.optional("exposed_at")?) {
            (0, _) | (_, None) => None,
            (count, Some(at)) => Some(ExposureRecord { count, last: Wall(at) }),
        },
        usage: Usage {
            day: cells.number("budget_day")?,
            fetches: cells.count("fetches")?,
            forced: cells.count("forced")?,
            last_forced: Wall(cells.number("last_forced_at")?),
            probes: cells.count("probes")?,
        },
        trouble: cells.trouble()?,
        foreign: ForeignRecord {
            day: cells.number("foreign_day")?,
            times: cells.count("foreign_times")?,
            last: cells.optional("foreign_at")?.map(Wall),
            contested_until: cells.optional("contested_until")?.map(Wall),
        },
    };
    let token: Option<Vec<u8>> = cells.get("token")?;
    Ok(Stored { record, token })
}

pub(crate) fn read_past_token(row: &AnyRow) -> Result<PastToken, StoreError> {
    let name: String = row.try_get("credential").map_err(|error| StoreError::Failed(error.to_string()))?;
    let cells = Cells { row, name: &name };
    Ok(PastToken {
        digest: cells.bytes("digest")?,
        credential: Name::parse(&name).map_err(|error| cells.damaged(error.to_string()))?,
        known_until: Wall(cells.number("known_until")?),
    })
}

struct Cells<'a> {
    row: &'a AnyRow,
    name: &'a str,
}

impl Cells<'_> {
    fn damaged(&self, what: String) -> StoreError {
        StoreError::Damaged { name: self.name.to_owned(), what }
    }

    fn get<'r, T>(&'r self, column: &str) -> Result<T, StoreError>
    where
        T: sqlx::Decode<'r, sqlx::Any> + sqlx::Type<sqlx::Any>,
    {
        self.row.try_get(column).map_err(|error| self.damaged(format!("{column}: {error}")))
    }

    fn number(&self, column: &str) -> Result<i64, StoreError> {
        self.get(column)
    }

    fn optional(&self, column: &str) -> Result<Option<i64>, StoreError> {
        self.get(column)
    }

    fn text(&self, column: &str) -> Result<Option<Box<str>>, StoreError> {
        Ok(self.get::<Option<String>>(column)?.map(String::into_boxed_str))
    }

    fn count(&self, column: &str) -> Result<u32, StoreError> {
        let number = self.number(column)?;
        u32::try_from(number).map_err(|_| self.damaged(format!("{column} is {number}")))
    }

    fn bytes<const N: usize>(&self, column: &str) -> Result<[u8; N], StoreError> {
        let bytes: Vec<u8> = self.get(column)?;
        <[u8; N]>::try_from(bytes)
            .map_err(|bytes| self.damaged(format!("{column} has {} bytes", bytes.len())))
    }

    fn token(&self) -> Result<Option<TokenRecord>, StoreError> {
        let Some(generation) = self.optional("generation")? else { return Ok(None) };
        Ok(Some(TokenRecord {
            generation: generation.cast_unsigned(),
            issued: Wall(self.number("issued_at")?),
            life: Span(self.number("life")?),
            ends: Wall(self.number("ends_at")?),
            due: Wall(self.number("due_at")?),
            revoked: self.number("revoked")? != 0,
        }))
    }

    fn trouble(&self) -> Result<Option<TroubleRecord>, StoreError> {
        let Some(code) = self.text("failure")? else { return Ok(None) };
        // A kind that a newer version stored and this one does not know is forgotten: it is tried anew.
        let Some(kind) = FailureKind::from_code(&code) else { return Ok(None) };
        let refusal = match (self.text("refusal_code")?, self.text("refusal_message")?) {
            (Some(code), Some(message)) => Some(Refusal { code, message }),
            _ => None,
        };
        let failure = Failure {
            kind,
            refusal,
            detail: self.text("failure_detail")?.unwrap_or_default(),
            next_step: self.text("failure_next_step")?.unwrap_or_default(),
            retry_after: None,
        };
        Ok(Some(TroubleRecord {
            failure,
            at: Wall(self.number("failed_at")?),
            retry_at: self.optional("retry_at")?.map(Wall),
            failures: self.count("failures")?,
        }))
    }
}
