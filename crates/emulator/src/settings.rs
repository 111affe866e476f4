//! What can be set on an emulator before it starts.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use thiserror::Error;

use crate::app::App;
use crate::cloud::CloudSettings;
use crate::dead_token_code::DeadTokenCode;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// Settings of one emulator. [`Settings::default`] is what the platforms document; the documentation of each
/// field says when there is no document and the value is a choice.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to listen. Port 0 takes any free port. Default `127.0.0.1:7650`.
    pub listen: SocketAddr,
    /// Lets `listen` leave the loopback interface. Off by default, because the control calls need no key.
    pub allow_remote: bool,
    /// The apps that exist, on all platforms alike. Empty: the one of [`App::default`].
    pub apps: Vec<App>,
    /// The life of every new token on every platform. `None` (the default): 2 h at WeChat, and what
    /// `baidu_life` and `oauth2_life` say elsewhere. At least one second.
    pub token_ttl: Option<Duration>,
    /// The life of Baidu's tokens while `token_ttl` is not set. Default 30 days.
    pub baidu_life: Duration,
    /// The life of OAuth 2.0 tokens while `token_ttl` is not set. Default 1 h.
    pub oauth2_life: Duration,
    /// How long WeChat's previous classic token lives on after a fetch. Default 5 min.
    pub overlap: Duration,
    /// How long before its end WeChat's stable token is renewed by a plain ask. Default 5 min. A window that
    /// is not shorter than the life would renew at every ask; then half of the life is used instead.
    pub renew_window: Duration,
    /// Forced refreshes of WeChat's stable token a day. Default 20.
    pub force_limit: u32,
    /// The least time between two forced refreshes. Default 30 s.
    pub force_interval: Duration,
    /// How far WeChat's devices disagree about the end of a token, to either side. Default 0, that is they
    /// agree; about two minutes is what users of the platform report.
    pub clock_skew: Duration,
    /// Classic fetches a day and app. Default 2,000; test accounts have 200.
    pub daily_quota: u32,
    /// Calls of the stable interface a day and app. Default 500,000.
    pub stable_daily_quota: u32,
    /// Calls of the stable interface a minute and app. Default 10,000.
    pub stable_minute_quota: u32,
    /// How often a month the counters of an app may be cleared. Default 10.
    pub clear_quota_limit: u32,
    /// WeChat's calls for tickets per app and day. The platform calls them "very limited" and names no number.
    /// Default 10,000.
    pub ticket_daily_quota: u32,
    /// Answer with the same ticket until its end, instead of a new one beside it. Off by default: neither is
    /// documented.
    pub repeat_tickets: bool,
    /// Whether a third classic fetch within the overlap kills the oldest token at once. Default true; this
    /// is documented for a sister platform only, and the stricter reading.
    pub strict_newest_two: bool,
    /// Whether a forced refresh leaves the old stable token its overlap. Default false, that is the old
    /// token dies at once; the documents are silent.
    pub force_keeps_overlap: bool,
    /// The code for a token that was superseded, or is not known at all. Default 40001.
    pub superseded_code: DeadTokenCode,
    /// The code for a token that lived its whole life. Default 42001.
    pub expired_code: DeadTokenCode,
    /// The addresses that may fetch WeChat tokens. `None` (the default): all.
    pub allow_list: Option<Vec<IpAddr>>,
    /// Seed of everything random. `None` (the default): another one at each start. With a fixed seed a
    /// restarted emulator mints the same tokens again.
    pub seed: Option<u64>,
    /// Cloud development.
    pub cloud: CloudSettings,
}

/// Settings that contradict themselves or the platforms.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SettingsError {
    /// The control calls need no key, so the emulator stays on the loopback interface unless told otherwise.
    #[error(
        "refusing to listen on {0}: the emulator's control calls need no key; \
         listen on a loopback address such as 127.0.0.1:7650, or allow remote access explicitly"
    )]
    RemoteListen(SocketAddr),
    /// An app without an id or without a secret.
    #[error("an app needs an id and a secret, and neither may be empty (app id {0:?})")]
    EmptyApp(String),
    /// Two apps of one id.
    #[error("app id {0:?} is given twice")]
    DuplicateApp(String),
    /// A life below a second cannot be told in `expires_in`, which counts whole seconds.
    #[error("{0} is shorter than one second, which is the least life that a token can be told to have")]
    LifeTooShort(&'static str),
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 7650)),
            allow_remote: false,
            apps: Vec::new(),
            token_ttl: None,
            baidu_life: 30 * DAY,
            oauth2_life: HOUR,
            overlap: 5 * MINUTE,
            renew_window: 5 * MINUTE,
            force_limit: 20,
            force_interval: MINUTE / 2,
            clock_skew: Duration::ZERO,
            daily_quota: 2_000,
            stable_daily_quota: 500_000,
            stable_minute_quota: 10_000,
            clear_quota_limit: 10,
            ticket_daily_quota: 10_000,
            repeat_tickets: false,
            strict_newest_two: true,
            force_keeps_overlap: false,
            superseded_code: DeadTokenCode::InvalidCredential,
            expired_code: DeadTokenCode::Expired,
            allow_list: None,
            seed: None,
            cloud: CloudSettings::default(),
        }
    }
}

impl Settings {
    /// The life of a new token at WeChat.
    pub fn wechat_life(&self) -> Duration {
        self.token_ttl.unwrap_or(2 * HOUR)
    }

    /// The life of a new token at Baidu.
    pub fn baidu_life(&self) -> Duration {
        self.token_ttl.unwrap_or(self.baidu_life)
    }

    /// The life of a new OAuth 2.0 token.
    pub fn oauth2_life(&self) -> Duration {
        self.token_ttl.unwrap_or(self.oauth2_life)
    }

    /// The renewal window that is really used; see [`Settings::renew_window`].
    pub fn effective_renew_window(&self) -> Duration {
        let life = self.wechat_life();
        if self.renew_window < life { self.renew_window } else { life / 2 }
    }

    /// The apps that really exist; see [`Settings::apps`].
    pub(crate) fn known_apps(&self) -> Vec<App> {
        if self.apps.is_empty() { vec![App::default()] } else { self.apps.clone() }
    }

    pub(crate) fn check(&self) -> Result<(), SettingsError> {
        if !self.allow_remote && !self.listen.ip().to_canonical().is_loopback() {
            return Err(SettingsError::RemoteListen(self.listen));
        }
        let mut seen = HashSet::new();
        for app in &self.apps {
            if app.id.is_empty() || app.secret.is_empty() {
                return Err(SettingsError::EmptyApp(app.id.clone()));
            }
            if !seen.insert(app.id.as_str()) {
                return Err(SettingsError::DuplicateApp(app.id.clone()));
            }
        }
        let lives = [
            ("the token life (token_ttl)", self.wechat_life()),
            ("the life of Baidu's tokens", self.baidu_life()),
            ("the life of OAuth 2.0 tokens", self.oauth2_life()),
        ];
        match lives.into_iter().find(|(_, life)| *life < Duration::from_secs(1)) {
            Some((name, _)) => Err(SettingsError::LifeTooShort(name)),
            None => Ok(()),
        }
    }
}
