//! What a platform has before it while it answers one request.

use std::net::IpAddr;
use std::time::Duration;

use crate::apps::{AppIndex, Apps};
use crate::chance::Chance;
use crate::fault::{FaultKind, Faults, Target};
use crate::ledger::{Ledger, Minted};
use crate::moment::Moment;
use crate::params::Params;
use crate::request::Request;
use crate::route::Route;
use crate::settings::Settings;
use crate::token_api::TokenApi;

/// One request, and the parts of the machine that all platforms share.
pub(crate) struct Desk<'a> {
    pub(crate) now: Moment,
    pub(crate) route: Route,
    pub(crate) request: &'a Request,
    pub(crate) query: &'a Params,
    /// Where the request seems to come from: the peer, or what `X-Emulated-Ip` says.
    pub(crate) source: IpAddr,
    pub(crate) target: &'a Target,
    pub(crate) settings: &'a Settings,
    pub(crate) apps: &'a Apps,
    pub(crate) chance: &'a mut Chance,
    pub(crate) faults: &'a mut Faults,
    pub(crate) ledger: &'a mut Ledger,
}

impl Desk<'_> {
    /// Whether an injected condition of this kind holds here; it counts down.
    pub(crate) fn condition(&mut self, kind: &FaultKind) -> bool {
        let strikes = self.faults.take(self.target, |active| active == kind).is_some();
        if strikes {
            self.ledger.fault_struck(self.now, kind.name(), self.route);
        }
        strikes
    }

    pub(crate) fn write_issued(
        &mut self,
        api: TokenApi,
        app: AppIndex,
        token: &str,
        life: Duration,
        forced: bool,
    ) {
        self.ledger.issued(self.now, self.apps, &Minted { api, app, token, life, forced });
    }

    pub(crate) fn write_repeated(&mut self, app: AppIndex, token: &str) {
        self.ledger.repeated(self.now, self.apps, app, token);
    }

    pub(crate) fn write_refused(&mut self, app: Option<AppIndex>, reason: impl Into<String>) {
        self.ledger.refused(self.now, self.route, self.apps, app, reason.into());
    }

    pub(crate) fn write_token_refused(&mut self, app: Option<AppIndex>, reason: impl Into<String>) {
        self.ledger.token_refused(self.now, self.route, self.apps, app, reason.into());
    }
}
