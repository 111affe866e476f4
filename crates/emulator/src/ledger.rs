//! Where everything countable is written down: the counters behind [`Stats`] and the queue of [`Event`]s.
//!
//! Invariant: each fact is written by one method, which keeps the counters and the events in step.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use crate::apps::{AppIndex, Apps};
use crate::cloud::FunctionRun;
use crate::event::{Event, Happening, hint};
use crate::moment::Moment;
use crate::route::Route;
use crate::stats::{ApiStats, AppStats, PathStats, Stats};
use crate::token_api::TokenApi;

/// Events kept for a collector that is late. The oldest go first.
const QUEUE_LIMIT: usize = 4_096;
/// Runs of cloud functions that are remembered. The oldest go first.
const RUN_LIMIT: usize = 100;

#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    by_api: BTreeMap<TokenApi, ApiStats>,
    by_route: BTreeMap<Route, PathStats>,
    by_app: HashMap<AppIndex, AppStats>,
    faults: BTreeMap<&'static str, u64>,
    events: VecDeque<Event>,
    function_runs: VecDeque<FunctionRun>,
}

/// A token that was just minted, as far as the ledger needs to know it.
pub(crate) struct Minted<'a> {
    pub(crate) api: TokenApi,
    pub(crate) app: AppIndex,
    pub(crate) token: &'a str,
    pub(crate) life: Duration,
    pub(crate) forced: bool,
}

impl Ledger {
    pub(crate) fn arrived(&mut self, route: Route) {
        self.by_route.entry(route).or_default().requests += 1;
        if let Some(api) = route.token_api() {
            self.by_api.entry(api).or_default().requests += 1;
        }
    }

    pub(crate) fn issued(&mut self, at: Moment, apps: &Apps, minted: &Minted<'_>) {
        let by_api = self.by_api.entry(minted.api).or_default();
        let by_app = self.by_app.entry(minted.app).or_default();
        by_api.issued += 1;
        by_app.issued += 1;
        if minted.forced {
            by_api.forced += 1;
            by_app.forced += 1;
        }
        let app_id = apps.id(minted.app).to_owned();
        let token = hint(minted.token);
        let Minted { api, life, forced, .. } = *minted;
        self.happened(at, Happening::Issued { api, app_id, token, life, forced });
    }

    pub(crate) fn repeated(&mut self, at: Moment, apps: &Apps, app: AppIndex, token: &str) {
        self.by_api.entry(TokenApi::Stable).or_default().repeated += 1;
        self.by_app.entry(app).or_default().repeated += 1;
        self.happened(at, Happening::Repeated { app_id: apps.id(app).to_owned(), token: hint(token) });
    }

    /// A request was refused for a reason other than its token.
    pub(crate) fn refused(
        &mut self,
        at: Moment,
        route: Route,
        apps: &Apps,
        app: Option<AppIndex>,
        reason: String,
    ) {
        self.by_route.entry(route).or_default().refused += 1;
        if let Some(api) = route.token_api() {
            self.by_api.entry(api).or_default().refused += 1;
            if let Some(app) = app {
                self.by_app.entry(app).or_default().refused += 1;
            }
            let app_id = app.map(|app| apps.id(app).to_owned());
            self.happened(at, Happening::Refused { api, app_id, reason });
        }
    }

    /// A call carried a live token.
    pub(crate) fn called(&mut self, app: AppIndex) {
        self.by_app.entry(app).or_default().calls += 1;
    }

    /// A call was refused because of its token; `app` is whose token it once was.
    pub(crate) fn token_refused(
        &mut self,
        at: Moment,
        route: Route,
        apps: &Apps,
        app: Option<AppIndex>,
        reason: String,
    ) {
        self.by_route.entry(route).or_default().token_refused += 1;
        if let Some(app) = app {
            self.by_app.entry(app).or_default().token_refused += 1;
        }
        let app_id = app.map(|app| apps.id(app).to_owned());
        self.happened(at, Happening::TokenRefused { path: route.label(), app_id, reason });
    }

    pub(crate) fn fault_struck(&mut self, at: Moment, kind: &'static str, route: Route) {
        *self.faults.entry(kind).or_default() += 1;
        self.happened(at, Happening::FaultStruck { kind, path: route.label() });
    }

    /// A run of a cloud function ended.
    pub(crate) fn function_ended(&mut self, at: Moment, run: FunctionRun) {
        let failure = run.result.as_ref().err().map(|failure| format!("{} {}", failure.code, failure.text));
        let what = Happening::FunctionEnded {
            env: run.env.clone(),
            name: run.name.clone(),
            source: run.source.word(),
            took: run.took,
            failure,
        };
        if self.function_runs.len() == RUN_LIMIT {
            self.function_runs.pop_front();
        }
        self.function_runs.push_back(run);
        self.happened(at, what);
    }

    /// The last of them, the oldest first.
    pub(crate) fn function_runs(&self) -> impl Iterator<Item = &FunctionRun> {
        self.function_runs.iter()
    }

    /// Something that is not counted.
    pub(crate) fn happened(&mut self, at: Moment, what: Happening) {
        if self.events.len() == QUEUE_LIMIT {
            self.events.pop_front();
        }
        self.events.push_back(Event { at, what });
    }

    pub(crate) fn take_events(&mut self) -> Vec<Event> {
        self.events.drain(..).collect()
    }

    /// The counters so far. `quota_used` is not the ledger's to know.
    pub(crate) fn stats(
        &self,
        now: Moment,
        apps: &Apps,
        quota_used: impl Fn(AppIndex) -> u32,
        only: Option<AppIndex>,
    ) -> Stats {
        let api = |api: TokenApi| self.by_api.get(&api).copied().unwrap_or_default();
        let sum = |count: fn(&ApiStats) -> u64| self.by_api.values().map(count).sum();
        let mut by_path: BTreeMap<String, PathStats> = BTreeMap::new();
        for (route, stats) in &self.by_route {
            let path = by_path.entry(route.label().to_owned()).or_default();
            path.requests += stats.requests;
            path.token_refused += stats.token_refused;
            path.refused += stats.refused;
        }
        let others = self.by_route.iter().filter(|(route, _)| route.token_api().is_none());
        Stats {
            now: now.to_string(),
            issued: sum(|api| api.issued),
            refused: sum(|api| api.refused),
            token_requests: sum(|api| api.requests),
            calls: others.map(|(_, stats)| stats.requests).sum(),
            token_refused: self.by_route.values().map(|stats| stats.token_refused).sum(),
            by_api: TokenApi::ALL.into_iter().map(|it| (it.name().to_owned(), api(it))).collect(),
            by_path,
            by_app: apps
                .all()
                .filter(|(app, _)| only.is_none_or(|only| only == *app))
                .map(|(app, id)| {
                    let counted = self.by_app.get(&app).copied().unwrap_or_default();
                    (id.to_owned(), AppStats { quota_used: quota_used(app), ..counted })
                })
                .collect(),
            faults: self.faults.iter().map(|(kind, count)| ((*kind).to_owned(), *count)).collect(),
        }
    }
}
