//! `[credentials.*]`: one identity at one platform.

use std::ops::Range;
use std::sync::Arc;

use tokenward_core::budget::Limits;
use tokenward_core::name::Name;
use tokenward_core::policy::{Lead, Policy};
use tokenward_core::semantics::IssueSemantics;
use tokenward_core::time::Span;
use tokenward_providers::{Baidu, ClientAuth, Defaults, OAuth2, Provider, TokenApi, WeChat, WeChatTicket};

use super::SecretRef;
use super::calls::CallRules;
use super::reader::{Placed, Reader, Section};
use super::schedule::ScheduleConfig;
use super::sink::{self, SinkConfig};
use super::sink_cloud;
use super::ticket::{self, TicketConfig};
use crate::clock;
use crate::schedule::Schedule;
use crate::ticket::Ticket;

/// `[credentials.NAME]`
#[derive(Clone, Debug)]
pub struct CredentialConfig {
    /// Its name.
    pub name: Name,
    /// How its platform is talked to.
    pub provider: Arc<dyn Provider>,
    /// Where calls go, in the order in which they are tried.
    pub base_urls: Vec<String>,
    /// Where its secret is; more than one during a rollover.
    pub secrets: Vec<SecretRef>,
    /// Its rules of refreshing.
    pub policy: Arc<Policy>,
    /// The times at which it is refreshed, if any are named.
    pub schedule: Option<Arc<Schedule>>,
    /// Which calls are made for it, and how.
    pub calls: CallRules,
    /// Where each new token is written.
    pub sinks: Vec<SinkConfig>,
    /// What it is beside a token fetched with a secret: a ticket fetched with another credential's token.
    pub ticket: Option<Arc<Ticket>>,
    pub(super) unresolved: Option<TicketConfig>,
    app: Option<App>,
    pub(super) span: Range<usize>,
}

/// What makes two WeChat credentials rivals.
#[derive(Clone, Debug, PartialEq, Eq)]
struct App {
    id: String,
    token_api: TokenApi,
    /// The hosts that know it; WeChat's many names are one.
    hosts: Vec<String>,
}

const PLATFORMS: [&str; 4] = ["wechat", "baidu", "oauth2", WeChatTicket::PLATFORM];
/// Fetches in a row that reports cause where the platform says that fetches are few.
const FEW_REPORTS: u32 = 5;
const REFRESH: [&str; 9] = [
    "lead",
    "schedule",
    "time_zone",
    "overlap",
    "skew",
    "safe_part",
    "renew_window",
    "daily_budget",
    "contested_burst",
];

impl CredentialConfig {
    pub(super) fn read(
        name: &Placed<Name>,
        mut section: Section<'_>,
        reader: &mut Reader,
    ) -> Option<CredentialConfig> {
        let example = "platform = \"wechat\", \"baidu\", \"oauth2\" or \"wechat-ticket\"";
        let platform = section.required_string("platform", example, reader)?;
        let built = match platform.value.as_str() {
            "wechat" => wechat(&mut section, reader),
            "baidu" => baidu(&mut section, reader),
            "oauth2" => oauth2(&mut section, reader),
            WeChatTicket::PLATFORM => ticket::read(&mut section, reader),
            other => {
                let message = format!("the platform {other:?} is not known");
                reader.error(platform.span, message, format!("Platforms are {}.", PLATFORMS.join(", ")));
                return None;
            }
        };
        let mut refresh = section.section("refresh", reader);
        let schedule = ScheduleConfig::read(&mut refresh, reader);
        let is_called = platform.value != WeChatTicket::PLATFORM;
        let calls = if is_called {
            CallRules::read(section.section("gateway", reader), reader)
        } else {
            CallRules::default()
        };
        let kind = built.as_ref().and_then(|built| built.ticket.as_ref()).map(TicketConfig::kind);
        let sinks = SinkConfig::read_all(&mut section, kind, reader);
        let defaults = built.as_ref().map(|built| (built.provider.defaults(), built.provider.semantics()));
        let policy = read_policy(refresh, defaults, reader);
        let known: &[&str] = match platform.value.as_str() {
            "wechat" => {
                &["platform", "app_id", "app_secret", "token_api", "base_url", "refresh", "gateway", "sinks"]
            }
            "baidu" => &["platform", "client_id", "client_secret", "base_url", "refresh", "gateway", "sinks"],
            WeChatTicket::PLATFORM => &ticket::KEYS,
            _ => &OAUTH2_KEYS,
        };
        section.finish(known, reader);
        let Built { provider, base_urls, secrets, app, ticket } = built?;
        let mut policy = policy?;
        policy.probe = policy.probe && probes(&*provider, &base_urls);
        if let Some(schedule) = &schedule {
            schedule.check(&policy, provider.defaults().life, clock::wall(), reader);
            policy.schedule = Some(schedule.for_core(policy.semantics));
        }
        let (name, span) = (name.value.clone(), name.span.clone());
        Some(CredentialConfig {
            name,
            provider,
            base_urls,
            secrets,
            policy: Arc::new(policy),
            schedule: schedule.map(|schedule| schedule.schedule),
            calls,
            sinks,
            ticket: None,
            unresolved: ticket,
            app,
            span,
        })
    }

    /// What the platform calls the app.
    #[must_use]
    pub fn app_id(&self) -> String {
        let identity = self.provider.identity();
        let is_it = |(name, _): &(&str, String)| matches!(*name, "app_id" | "client_id");
        identity.into_iter().find(is_it).map(|(_, id)| id).unwrap_or_default()
    }

    /// The same app at an API whose use does not harm the live token, where this one's would.
    #[must_use]
    pub fn spared(&self) -> Option<CredentialConfig> {
        let app = self.app.as_ref().filter(|app| app.token_api == TokenApi::Classic)?;
        let provider = Arc::new(WeChat { app_id: app.id.clone(), token_api: TokenApi::Stable });
        Some(CredentialConfig { provider, ..self.clone() })
    }

    /// What a stored token belongs to: it is served only while none of this has changed.
    #[must_use]
    pub fn identity(&self) -> Vec<(&'static str, String)> {
        let mut identity = vec![("platform", self.provider.platform().to_owned())];
        identity.extend(self.provider.identity());
        identity.extend(self.base_urls.first().map(|url| ("base_url", url.clone())));
        identity
    }
}

fn probes(provider: &dyn Provider, base_urls: &[String]) -> bool {
    let nothing = tokenward_core::secret::Secret::new("");
    base_urls.first().is_some_and(|url| provider.probe_request(url, &nothing).is_some())
}

/// What the keys of one platform say.
pub(super) struct Built {
    provider: Arc<dyn Provider>,
    base_urls: Vec<String>,
    secrets: Vec<SecretRef>,
    app: Option<App>,
    ticket: Option<TicketConfig>,
}

impl Built {
    /// Nothing but how the platform is talked to.
    pub(super) fn new(provider: Arc<dyn Provider>) -> Built {
        Built { provider, base_urls: Vec::new(), secrets: Vec::new(), app: None, ticket: None }
    }

    pub(super) fn with_ticket(self, ticket: TicketConfig) -> Built {
        Built { ticket: Some(ticket), ..self }
    }
}

fn wechat(section: &mut Section<'_>, reader: &mut Reader) -> Option<Built> {
    let app_id = section.required_string("app_id", "app_id = \"wx…\" from the WeChat console", reader);
    let secrets = section.secrets("app_secret", true, reader);
    let base_urls = base_urls(section, Some("https://api.weixin.qq.com"), reader);
    let token_api = match section.string("token_api", reader) {
        Some(api) if api.value == "classic" => TokenApi::Classic,
        Some(api) if api.value != "stable" => {
            let message = format!("`token_api` is {:?}", api.value);
            reader.error(api.span, message, "Write \"stable\" (recommended) or \"classic\".");
            TokenApi::Stable
        }
        _ => TokenApi::Stable,
    };
    let app_id = app_id?.value;
    let hosts = base_urls.iter().map(|url| platform_host(url)).collect();
    let app = Some(App { id: app_id.clone(), token_api, hosts });
    let provider = Arc::new(WeChat { app_id, token_api });
    Some(Built { base_urls, secrets, app, ..Built::new(provider) })
}

fn baidu(section: &mut Section<'_>, reader: &mut Reader) -> Option<Built> {
    let client_id = section.required_string("client_id", "client_id = \"…\" (the API Key)", reader);
    let secrets = section.secrets("client_secret", true, reader);
    let base_urls = base_urls(section, Some("https://aip.baidubce.com"), reader);
    let provider = Arc::new(Baidu { client_id: client_id?.value });
    Some(Built { base_urls, secrets, ..Built::new(provider) })
}

const OAUTH2_KEYS: [&str; 13] = [
    "sinks",
    "gateway",
    "platform",
    "token_url",
    "base_url",
    "client_id",
    "client_secret",
    "client_auth",
    "scope",
    "audience",
    "extra",
    "assumed_life",
    "refresh",
];

fn oauth2(section: &mut Section<'_>, reader: &mut Reader) -> Option<Built> {
    let token_url = section.required_string("token_url", "token_url = \"https://…/oauth2/token\"", reader);
    let token_url = token_url.and_then(|placed| url(&placed, true, reader));
    let client_id = section.required_string("client_id", "client_id = \"…\"", reader);
    let secrets = section.secrets("client_secret", true, reader);
    let base_urls = base_urls(section, None, reader);
    let client_auth = match section.string("client_auth", reader) {
        Some(auth) if auth.value == "body" => ClientAuth::Body,
        Some(auth) if auth.value != "basic" => {
            let message = format!("`client_auth` is {:?}", auth.value);
            reader.error(auth.span, message, "Write \"basic\" or \"body\".");
            ClientAuth::Basic
        }
        _ => ClientAuth::Basic,
    };
    let text = |placed: Option<Placed<String>>| placed.map(|placed| placed.value).unwrap_or_default();
    let scope = text(section.string("scope", reader));
    let audience = text(section.string("audience", reader));
    let assumed_life = section.duration("assumed_life", reader).map_or(Span::hours(1), |life| life.value);
    let extra = read_extra(section, reader);
    let provider = OAuth2 {
        token_url: token_url?,
        client_id: client_id?.value,
        client_auth,
        scope,
        audience,
        extra,
        assumed_life,
    };
    Some(Built { base_urls, secrets, ..Built::new(Arc::new(provider)) })
}

fn read_extra(section: &mut Section<'_>, reader: &mut Reader) -> Vec<(String, String)> {
    let Some(value) = section.take("extra") else { return Vec::new() };
    let Some(table) = value.get_ref().as_table() else {
        let message = "`extra` must be a table of texts";
        reader.error(value.span(), message, "Write extra = { resource = \"…\" }.");
        return Vec::new();
    };
    let mut extra = Vec::new();
    for (name, value) in table {
        match value.get_ref().as_str() {
            Some(text) => extra.push((name.get_ref().to_string(), text.to_owned())),
            None => reader.error(value.span(), "extra parameters are texts", "Put the value into quotes."),
        }
    }
    extra
}

fn base_urls(section: &mut Section<'_>, default: Option<&str>, reader: &mut Reader) -> Vec<String> {
    match section.strings("base_url", reader) {
        Some(urls) if urls.is_empty() => {
            let message = "`base_url` is an empty list: there is nowhere to call";
            reader.error(section.span.clone(), message, "Leave it out, or name at least one URL.");
            Vec::new()
        }
        Some(urls) => urls.iter().filter_map(|placed| url(placed, false, reader)).collect(),
        None => default.map(str::to_owned).into_iter().collect(),
    }
}

/// An absolute http(s) URL without credentials, query or fragment.
fn url(placed: &Placed<String>, query_allowed: bool, reader: &mut Reader) -> Option<String> {
    let example = "Write an URL like \"https://api.example.com\".";
    let wrong = match reqwest::Url::parse(&placed.value) {
        Err(error) => format!("this is not a URL: {error}"),
        Ok(url) if !matches!(url.scheme(), "http" | "https") || !url.has_host() => {
            "only http and https URLs are called".to_owned()
        }
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            "a URL must not carry a user name or password".to_owned()
        }
        Ok(url) if url.fragment().is_some() || (url.query().is_some() && !query_allowed) => {
            "this URL must not have a query or fragment".to_owned()
        }
        Ok(url) => {
            let local = url.host_str().is_some_and(|host| {
                host == "localhost"
                    || host
                        .trim_matches(['[', ']'])
                        .parse()
                        .is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
            });
            if url.scheme() == "http" && !local {
                let message = format!(
                    "secrets and tokens travel to {} unencrypted",
                    url.host_str().unwrap_or_default()
                );
                reader.warn(placed.span.clone(), message, "Use https.");
            }
            return Some(placed.value.trim_end_matches('/').to_owned());
        }
    };
    reader.error(placed.span.clone(), wrong, example);
    None
}

fn read_policy(
    mut section: Section<'_>,
    defaults: Option<(Defaults, IssueSemantics)>,
    reader: &mut Reader,
) -> Option<Policy> {
    let lead = section.duration("lead", reader);
    let overlap = section.duration("overlap", reader);
    let skew = section.duration("skew", reader);
    let safe_part = section.duration("safe_part", reader);
    let renew_window = section.duration("renew_window", reader);
    let daily_budget = section.count("daily_budget", reader);
    let contested_burst = section.count("contested_burst", reader);
    let span = section.span.clone();
    section.finish(&REFRESH, reader);
    let (defaults, semantics) = defaults?;
    let value =
        |placed: &Option<Placed<Span>>, default: Span| placed.as_ref().map_or(default, |placed| placed.value);
    let (overlap_set, safe_set) = (overlap.as_ref(), safe_part.as_ref());
    let place = safe_set.or(overlap_set).map_or(span, |placed| placed.span.clone());
    let overlap = value(&overlap, defaults.overlap);
    let skew = value(&skew, defaults.skew);
    if overlap > Span::ZERO && skew >= overlap {
        let message = "`skew` must be shorter than `overlap`: nothing of the old token's life would be safe";
        reader.error(place.clone(), message, "Give a longer `overlap`, or `skew = \"0s\"` in tests.");
        return None;
    }
    let half = overlap.part(1, 2).min(overlap - skew);
    let safe_part = value(&safe_part, half);
    if safe_part > overlap {
        let message = "`safe_part` is longer than `overlap`: the old token dies before its holders expect it";
        reader.error(place, message, "Leave it out (half the overlap), or make it shorter.");
        return None;
    }
    let lead = match (&lead, semantics) {
        // The platform renews only inside its window; to ask earlier is of no use.
        (_, IssueSemantics::IdempotentUntilNearExpiry) | (None, _) => defaults.lead,
        (Some(lead), _) => Lead::Fixed(lead.value),
    };
    Some(Policy {
        semantics,
        lead,
        schedule: None,
        overlap,
        skew,
        safe_part,
        renew_window: value(&renew_window, defaults.renew_window),
        probe: true,
        limits: Limits {
            per_day: daily_budget.map_or(defaults.per_day, |placed| placed.value),
            contested_burst: contested_burst
                .map_or(Limits::default().contested_burst, |placed| placed.value.max(1)),
            report_burst: if defaults.guessed { FEW_REPORTS } else { Limits::default().report_burst },
            guessed: defaults.guessed,
            ..Limits::default()
        },
    })
}

/// What is wrong only when all credentials are seen together: two that fetch for one app.
pub(super) fn check_together(credentials: &[CredentialConfig], reader: &mut Reader) {
    sink::check_together(credentials.iter().flat_map(|credential| &credential.sinks), reader);
    sink_cloud::check_together(credentials, reader);
    for (index, credential) in credentials.iter().enumerate() {
        let Some(app) = &credential.app else { continue };
        let earlier = credentials.iter().take(index);
        for other in earlier.filter(|other| other.app.as_ref().is_some_and(|found| rivals(found, app))) {
            let span = credential.span.clone();
            let (id, name) = (&app.id, &other.name);
            if other.app.as_ref().is_some_and(|found| found.token_api == app.token_api) {
                let message = format!("the app {id} has the credential {name} already");
                let fix = "Use one credential for one app: two would fetch each other's tokens to death.";
                reader.error(span, message, fix);
            } else {
                let message = format!("the app {id} uses both token APIs, here and as {name}");
                let fix = "Use one of them: WeChat documents them as isolated, users report that they evict each other.";
                reader.warn(span, message, fix);
            }
        }
    }
}

fn rivals(a: &App, b: &App) -> bool {
    a.id == b.id && a.hosts.iter().any(|host| b.hosts.contains(host))
}

/// Host and port of a base URL in lower case. `api.weixin.qq.com`, `api2.…`, `sh.api.…` lead to one platform.
fn platform_host(base_url: &str) -> String {
    let url = reqwest::Url::parse(base_url).ok();
    let host = url.as_ref().and_then(reqwest::Url::host_str).unwrap_or_default();
    if host.ends_with(".weixin.qq.com") {
        return "weixin.qq.com".to_owned();
    }
    let port = url.as_ref().and_then(reqwest::Url::port_or_known_default).unwrap_or_default();
    format!("{host}:{port}")
}
