//! A machine with a clock that stands still until told otherwise, and short words for common requests.

use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use crate::{App, Machine, Moment, Outcome, Reply, Request, Settings, Stats};

pub(super) const APP: &str = "wxaaaa";
pub(super) const SECRET: &str = "first-secret";
pub(super) const OTHER_APP: &str = "wxbbbb";
pub(super) const OTHER_SECRET: &str = "second:secret";

/// 2026-11-20T08:00:00Z, 16:00 in Beijing.
const START: i64 = 1_795_161_600;

pub(super) fn two_apps() -> Settings {
    Settings { apps: vec![App::new(APP, SECRET), App::new(OTHER_APP, OTHER_SECRET)], ..Settings::default() }
}

pub(super) fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

pub(super) fn classic_target(app: &str, secret: &str) -> String {
    format!("/cgi-bin/token?grant_type=client_credential&appid={app}&secret={secret}")
}

pub(super) fn stable_body(force: bool) -> String {
    json!({ "grant_type": "client_credential", "appid": APP, "secret": SECRET, "force_refresh": force })
        .to_string()
}

pub(super) struct Kit {
    pub(super) machine: Machine,
    pub(super) wall: Moment,
}

impl Kit {
    pub(super) fn new() -> Self {
        Self::with(two_apps())
    }

    pub(super) fn with(settings: Settings) -> Self {
        Self { machine: Machine::new(&settings, 42).unwrap(), wall: Moment::from_unix_seconds(START) }
    }

    /// Lets real time pass.
    pub(super) fn pass(&mut self, time: Duration) {
        self.wall = self.wall.plus(time);
    }

    pub(super) fn outcome(&mut self, request: &Request) -> Outcome {
        self.machine.handle(self.wall, request)
    }

    pub(super) fn reply(&mut self, request: &Request) -> Reply {
        self.outcome(request).reply().expect("the connection was reset").clone()
    }

    pub(super) fn get(&mut self, target: &str) -> Value {
        self.reply(&Request::get(target)).json().unwrap()
    }

    pub(super) fn post(&mut self, target: &str, body: &str) -> Value {
        self.reply(&Request::post(target, body.to_owned())).json().unwrap()
    }

    pub(super) fn stats(&self) -> Stats {
        self.machine.stats(self.wall)
    }

    // WeChat

    /// Fetches a classic token of [`APP`].
    pub(super) fn fetch(&mut self) -> String {
        self.fetch_for(APP, SECRET)
    }

    pub(super) fn fetch_for(&mut self, app: &str, secret: &str) -> String {
        token_in(&self.get(&classic_target(app, secret)))
    }

    /// The whole answer to a classic fetch.
    pub(super) fn classic(&mut self) -> Value {
        self.get(&classic_target(APP, SECRET))
    }

    /// The whole answer of the stable interface.
    pub(super) fn stable(&mut self, force: bool) -> Value {
        self.post("/cgi-bin/stable_token", &stable_body(force))
    }

    /// The errcode of a call with this token; 0 when it worked.
    pub(super) fn probe(&mut self, token: &str) -> i64 {
        errcode(&self.get(&format!("/cgi-bin/get_api_domain_ip?access_token={token}")))
    }

    // Baidu

    pub(super) fn baidu_token(&mut self) -> Value {
        self.get(&format!(
            "/oauth/2.0/token?grant_type=client_credentials&client_id={APP}&client_secret={SECRET}"
        ))
    }

    pub(super) fn recognize(&mut self, token: &str) -> Value {
        self.post(&format!("/rest/2.0/ocr/v1/general_basic?access_token={token}"), "image=AAAA")
    }

    // OAuth 2.0

    /// A token request with a form body and no `Authorization` header.
    pub(super) fn oauth_token(&mut self, form: &str) -> Reply {
        self.reply(&form_request(form))
    }

    /// A token of [`APP`], authenticated by the body.
    pub(super) fn oauth_fetch(&mut self, more: &str) -> String {
        let form = format!("grant_type=client_credentials&client_id={APP}&client_secret={SECRET}{more}");
        token_in(&self.oauth_token(&form).json().unwrap())
    }

    pub(super) fn resource(&mut self, authorization: Option<&str>) -> Reply {
        let mut request = Request::get("/oauth2/resource");
        if let Some(value) = authorization {
            request = request.with_header(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        }
        self.reply(&request)
    }
}

pub(super) fn form_request(form: &str) -> Request {
    Request::post("/oauth2/token", form.to_owned())
        .with_header(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"))
}

pub(super) fn token_in(answer: &Value) -> String {
    answer["access_token"].as_str().unwrap_or_else(|| panic!("no token in {answer}")).to_owned()
}

pub(super) fn errcode(answer: &Value) -> i64 {
    answer["errcode"].as_i64().unwrap_or(0)
}

pub(super) fn header(headers: &HeaderMap, name: HeaderName) -> &str {
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}
