//! A credential's snapshot as people see it.

use std::sync::atomic::Ordering;

use tokenward_api::{
    Budget, CredentialStatus, ErrorCode, ForeignRefreshes, LastFailure, PlatformError, RefusalsKeptBack,
    SinkFailure, SinkStatus,
};
use tokenward_core::time::{Boot, Now};
use tokenward_core::view::{Reading, Trouble, View};

use crate::clock;
use crate::feed::Entry;
use crate::sinks::Standing;

/// What can be seen of a credential now. Never its token.
pub fn of(entry: &Entry, now: Now) -> CredentialStatus {
    let view = entry.view_full();
    let at = |boot: Boot| clock::rfc3339(now.wall_of(boot));
    let offer = view.offer.as_ref();
    CredentialStatus {
        name: entry.name.as_str().to_owned(),
        platform: entry.platform.to_owned(),
        derived_from: entry.ticket.as_ref().map(|ticket| ticket.from.as_str().to_owned()),
        state: view.state.as_str().to_owned(),
        usable: !matches!(view.read(now.boot), Reading::Nothing),
        generation: view.generation,
        issued_at: offer.map(|offer| at(offer.issued)),
        expires_at: offer.map(|offer| at(offer.end)),
        next_refresh_at: view.next_fetch.map(at),
        next_scheduled: next_scheduled(entry, now),
        refreshing: view.fetching,
        last_failure: view.trouble.as_deref().map(|trouble| last_failure(entry, trouble)),
        foreign_refreshes: foreign(entry, &view),
        refusals_kept_back: kept_back(entry),
        sinks: entry.sinks.iter().map(|sink| sink_status(sink, now.boot)).collect(),
        budget: Budget { used_today: view.budget_used, left_today: view.budget_remaining },
        reads: entry.counts.reads.load(Ordering::Relaxed),
    }
}

fn next_scheduled(entry: &Entry, now: Now) -> Vec<String> {
    let times = entry.schedule.as_ref().map(|schedule| schedule.next_times(now.wall));
    times.unwrap_or_default().into_iter().map(clock::rfc3339).collect()
}

fn last_failure(entry: &Entry, trouble: &Trouble) -> LastFailure {
    let failure = &trouble.failure;
    LastFailure {
        code: failure.kind.code().to_owned(),
        detail: failure.detail.to_string(),
        next_step: failure.next_step.replace("NAME", entry.name.as_str()),
        at: clock::rfc3339(trouble.at),
        attempts: trouble.failures,
        platform: failure.refusal.as_ref().map(|refusal| PlatformError::new(&refusal.code, &refusal.message)),
    }
}

fn sink_status(sink: &Standing, now: Boot) -> SinkStatus {
    let (generation, told_end) = sink.last();
    SinkStatus {
        name: sink.name.as_str().to_owned(),
        kind: sink.kind.to_owned(),
        generation,
        expires_at: (generation > 0).then(|| clock::rfc3339(told_end)),
        lag_seconds: sink.lag(now).whole_seconds(),
        delivered: sink.delivered.load(Ordering::Relaxed),
        failed: sink.failed.load(Ordering::Relaxed),
        lost: sink.lost.load(Ordering::Relaxed),
        last_failure: sink.failure().map(|failure| SinkFailure {
            detail: failure.detail.clone(),
            next_step: failure.next_step.to_owned(),
            at: clock::rfc3339(failure.at),
        }),
    }
}

/// "once", "twice", "3 times".
#[must_use]
pub fn how_often(times: u32) -> String {
    match times {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        times => format!("{times} times"),
    }
}

fn kept_back(entry: &Entry) -> Option<RefusalsKeptBack> {
    let last = entry.last_kept_back()?;
    let (count, last_at) = (entry.counts.kept_back.load(Ordering::Relaxed), clock::rfc3339(last.at));
    let times = how_often(u32::try_from(count).unwrap_or(u32::MAX));
    Some(RefusalsKeptBack {
        count,
        detail: format!(
            "A call was refused even after a refresh: {times}, last at {last_at}: {}",
            last.words
        ),
        last_at,
        next_step: ErrorCode::TokenRefused.next_step().replace("NAME", entry.name.as_str()),
    })
}

fn foreign(entry: &Entry, view: &View) -> Option<ForeignRefreshes> {
    let last = view.foreign.last?;
    let times_today = view.foreign.times_today;
    let last_at = clock::rfc3339(last);
    let detail = format!(
        "Someone else fetches tokens for this app: last seen {last_at}, {} today.",
        how_often(times_today)
    );
    Some(ForeignRefreshes {
        times_today,
        last_at,
        detail,
        next_step: format!(
            "Look for other programs, environments or developer tools that use the secret of {}, and point them \
             here; if you cannot find them, reset the secret.",
            entry.name
        ),
    })
}
