//! The emulator as a state machine: a request and the time go in, a decision comes out.
//!
//! Invariants: no IO, no clock, no entropy; the same seed and the same calls give the same answers, and
//! nothing a caller sends makes it panic. The connection to the network is in `shell`.

use std::net::IpAddr;
use std::time::Duration;

use http::StatusCode;
use http::header::DATE;
use thiserror::Error;

use crate::answer::{Answer, Verdict};
use crate::apps::{AppIndex, Apps};
use crate::baidu::Baidu;
use crate::chance::Chance;
use crate::cloud::{CloudCall, Errand, FunctionRun};
use crate::desk::Desk;
use crate::event::{Event, Happening};
use crate::fault::{ActiveFault, Fault, FaultKind, Faults, Target};
use crate::ledger::Ledger;
use crate::moment::Moment;
use crate::oauth2::OAuth2;
use crate::outcome::{Delivery, Outcome};
use crate::params::Params;
use crate::reply::Reply;
use crate::request::Request;
use crate::route::{Platform, Route, collapse_slashes};
use crate::settings::{Settings, SettingsError};
use crate::stats::Stats;
use crate::wechat::{Signed, WeChat};
use crate::{control_calls, stand_in, subject};

/// Moves an allow-list check to another address than the peer's.
const EMULATED_IP: &str = "x-emulated-ip";

/// All platforms of one emulator.
///
/// Every method that needs the time takes the wall clock's; the machine adds what it was told to
/// [`advance`](Self::advance) by.
#[derive(Clone, Debug)]
pub struct Machine {
    settings: Settings,
    apps: Apps,
    chance: Chance,
    advanced: Duration,
    faults: Faults,
    ledger: Ledger,
    wechat: WeChat,
    baidu: Baidu,
    oauth2: OAuth2,
}

/// No app of this id exists here.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("no app {0:?} exists in this emulator")]
pub struct UnknownApp(pub String);

impl Machine {
    /// A machine that has issued nothing yet. Everything random comes from `seed`.
    ///
    /// # Errors
    /// When the settings contradict themselves; see [`SettingsError`].
    pub fn new(settings: &Settings, seed: u64) -> Result<Self, SettingsError> {
        settings.check()?;
        Ok(Self {
            apps: Apps::new(&settings.known_apps()),
            // From here on only the hashes of the secrets exist.
            settings: Settings { apps: Vec::new(), ..settings.clone() },
            chance: Chance::seeded(seed),
            advanced: Duration::ZERO,
            faults: Faults::default(),
            ledger: Ledger::default(),
            wechat: WeChat::default(),
            baidu: Baidu::default(),
            oauth2: OAuth2::default(),
        })
    }

    /// Answers one request.
    pub fn handle(&mut self, wall: Moment, request: &Request) -> Outcome {
        let now = self.now(wall);
        let path = collapse_slashes(&request.path);
        let route = Route::of(&path);
        let mut outcome = if route == Route::Control {
            Outcome::whole(control_calls::answer(self, wall, &path, request))
        } else {
            match source_of(request) {
                Some(source) => self.play(now, route, path, request, source),
                None => {
                    let text = "the header X-Emulated-Ip is no IP address";
                    Outcome::whole(Reply::own_error(StatusCode::BAD_REQUEST, text))
                }
            }
        };
        if let Delivery::Whole(reply) | Delivery::Cut(reply) = &mut outcome.delivery {
            *reply = reply.clone().with(DATE, &now.http_date());
        }
        outcome
    }

    /// A request to a platform, and the faults on its way there and back.
    fn play(
        &mut self,
        now: Moment,
        route: Route,
        path: String,
        request: &Request,
        source: IpAddr,
    ) -> Outcome {
        self.ledger.arrived(route);
        let query = Params::form(&request.query);
        let app =
            if self.faults.are_active() { subject::app_of(route, request, &query, &self.apps) } else { None };
        let target = Target {
            now,
            path,
            is_token_request: route.token_api().is_some(),
            app: app.map(|app| (app, self.apps.id(app).to_owned())),
        };
        let delay = self.faults.take_latency(&target);
        if !delay.is_zero() {
            self.ledger.fault_struck(now, "latency", route);
        }
        let mut desk = Desk {
            now,
            route,
            request,
            query: &query,
            source,
            target: &target,
            settings: &self.settings,
            apps: &self.apps,
            chance: &mut self.chance,
            faults: &mut self.faults,
            ledger: &mut self.ledger,
        };
        if let Some(kind) = desk.faults.take(&target, FaultKind::replaces_answer) {
            desk.ledger.fault_struck(now, kind.name(), route);
            let Some(answer) = stand_in::answer(&kind, &mut desk) else {
                return Outcome { delay, delivery: Delivery::Reset, errand: None };
            };
            return Outcome { delay, delivery: damage(answer, &mut desk), errand: None };
        }
        let mut answer = match route.platform() {
            Platform::Baidu => self.baidu.answer(&mut desk),
            Platform::OAuth2 => self.oauth2.answer(&mut desk),
            // What may be done there, its signatures say.
            Platform::Storage => Answer::of_cloud(Errand::of_nobody(&desk, CloudCall::File)),
            Platform::Sdk => Answer::of_cloud(Errand::of_nobody(&desk, CloudCall::Sdk)),
            Platform::WeChat | Platform::Control => self.wechat.answer(&mut desk),
        };
        let errand = answer.errand.take();
        Outcome { delay, delivery: damage(answer, &mut desk), errand }
    }

    /// The emulator's clock.
    pub fn now(&self, wall: Moment) -> Moment {
        wall.plus(self.advanced)
    }

    /// How far the clock was moved so far.
    pub(crate) fn advanced(&self) -> Duration {
        self.advanced
    }

    /// Moves the emulator's clock forward. It never goes back.
    pub fn advance(&mut self, wall: Moment, by: Duration) {
        self.advanced = self.advanced.saturating_add(by);
        let now = self.now(wall);
        self.ledger.happened(now, Happening::TimeMoved { by });
    }

    /// Makes every platform forget the tokens of one app, or of all, and returns how many of them were still
    /// alive.
    ///
    /// # Errors
    /// When there is no such app.
    pub fn invalidate(&mut self, wall: Moment, app_id: Option<&str>) -> Result<usize, UnknownApp> {
        let app = app_id.map(|id| self.find(id)).transpose()?;
        let now = self.now(wall);
        let tokens = self.wechat.forget_tokens(app, now)
            + self.baidu.forget_tokens(app, now)
            + self.oauth2.forget_tokens(app, now);
        self.ledger.happened(now, Happening::Invalidated { app_id: app_id.map(str::to_owned), tokens });
        Ok(tokens)
    }

    /// Whether WeChat's app would accept a signature made with a ticket.
    pub(crate) fn accepts_signature(
        &self,
        wall: Moment,
        app_id: &str,
        signed: &Signed<'_>,
        signature: &str,
    ) -> Result<bool, UnknownApp> {
        let app = self.find(app_id)?;
        Ok(self.wechat.accepts(app, signed, signature, self.now(wall)))
    }

    /// Adds a fault and returns its id.
    ///
    /// # Errors
    /// When the fault is narrowed to an app that does not exist.
    pub fn inject(&mut self, wall: Moment, fault: Fault) -> Result<u64, UnknownApp> {
        if let Some(app_id) = &fault.app_id {
            self.find(app_id)?;
        }
        let now = self.now(wall);
        self.ledger.happened(now, Happening::FaultInjected { kind: fault.kind.name() });
        Ok(self.faults.inject(now, fault))
    }

    /// The active faults, in the order of their injection.
    pub fn faults(&mut self, wall: Moment) -> Vec<ActiveFault> {
        let now = self.now(wall);
        self.faults.list(now)
    }

    /// Ends all faults and returns how many there were.
    pub fn clear_faults(&mut self, wall: Moment) -> usize {
        let now = self.now(wall);
        self.faults.clear(now)
    }

    /// What was counted so far.
    pub fn stats(&self, wall: Moment) -> Stats {
        self.stats_of(wall, None)
    }

    /// The same, with one app instead of all of them in `by_app`.
    ///
    /// # Errors
    /// When there is no such app.
    pub fn stats_for(&self, wall: Moment, app_id: &str) -> Result<Stats, UnknownApp> {
        Ok(self.stats_of(wall, Some(self.find(app_id)?)))
    }

    fn stats_of(&self, wall: Moment, only: Option<AppIndex>) -> Stats {
        let now = self.now(wall);
        self.ledger.stats(now, &self.apps, |app| self.wechat.quota_used(app, now), only)
    }

    /// Tells whoever listens.
    pub(crate) fn tell(&mut self, wall: Moment, what: Happening) {
        let now = self.now(wall);
        self.ledger.happened(now, what);
    }

    /// Writes down how a run of a cloud function went.
    pub(crate) fn function_ended(&mut self, wall: Moment, run: FunctionRun) {
        let now = self.now(wall);
        self.ledger.function_ended(now, run);
    }

    /// The last runs of cloud functions, the oldest first.
    pub(crate) fn function_runs(&self) -> impl Iterator<Item = &FunctionRun> {
        self.ledger.function_runs()
    }

    /// What happened since this was last asked; a few thousand events are kept at most.
    pub fn take_events(&mut self) -> Vec<Event> {
        self.ledger.take_events()
    }

    fn find(&self, app_id: &str) -> Result<AppIndex, UnknownApp> {
        self.apps.find(app_id).ok_or_else(|| UnknownApp(app_id.to_owned()))
    }
}

/// What the faults on the way back do to an answer.
fn damage(answer: Answer, desk: &mut Desk<'_>) -> Delivery {
    let mut answer = answer;
    let strikes = |desk: &mut Desk<'_>, wanted: fn(&FaultKind) -> bool| {
        let kind = desk.faults.take(desk.target, wanted)?;
        desk.ledger.fault_struck(desk.now, kind.name(), desk.route);
        Some(kind)
    };
    if answer.verdict == Verdict::Granted
        && let Some(FaultKind::ExpiresIn(told)) =
            strikes(desk, |kind| matches!(kind, FaultKind::ExpiresIn(_)))
    {
        answer = stand_in::with_told_life(answer, &told);
    }
    let had_effect = answer.verdict != Verdict::Refused;
    if had_effect && strikes(desk, |kind| *kind == FaultKind::ResetAfterIssue).is_some() {
        return Delivery::Reset;
    }
    if strikes(desk, |kind| *kind == FaultKind::Truncate).is_some() {
        return Delivery::Cut(answer.reply);
    }
    Delivery::Whole(answer.reply)
}

/// The address that allow-lists look at; `None` when the header that moves it is no address.
fn source_of(request: &Request) -> Option<IpAddr> {
    match request.headers.get(EMULATED_IP) {
        None => Some(request.peer),
        Some(value) => value.to_str().ok()?.trim().parse().ok(),
    }
}
