//! Nothing that a caller sends makes the machine panic.

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Method};

use super::kit::{APP, Kit, SECRET};
use crate::Request;
use crate::chance::Chance;

const PATHS: [&str; 18] = [
    "/cgi-bin/token",
    "/cgi-bin/stable_token",
    "/cgi-bin/get_api_domain_ip",
    "/cgi-bin/user/get",
    "/cgi-bin/clear_quota",
    "/cgi-bin/clear_quota/v2",
    "/cgi-bin/message/custom/send",
    "/cgi-bin/media/get",
    "/oauth/2.0/token",
    "/rest/2.0/ocr/v1/general_basic",
    "/oauth2/token",
    "/oauth2/resource",
    "/_emulator",
    "/_emulator/fault",
    "/_emulator/time",
    "/_emulator/invalidate",
    "",
    "//%ff//",
];

const PIECES: [&str; 24] = [
    "appid",
    "secret",
    "grant_type",
    "client_credential",
    "access_token",
    "=",
    "&",
    "?",
    ":",
    "%",
    "%zz",
    "+",
    "{\"kind\":\"",
    "busy",
    "latency",
    "\"}",
    "{}",
    "null",
    "{\"advance\":\"",
    "9999999999d",
    "90_0-",
    "24.x-",
    "at-0-",
    "中",
];

fn one_of<T: Copy>(chance: &mut Chance, choices: &[T]) -> T {
    choices[(chance.next_u64() % choices.len() as u64) as usize]
}

fn noise(chance: &mut Chance) -> String {
    let pieces = chance.next_u64() % 8;
    let mut text: String = (0..pieces).map(|_| one_of(chance, &PIECES)).collect();
    if chance.next_u64().is_multiple_of(4) {
        text.push_str(&format!("&appid={APP}&secret={SECRET}&grant_type=client_credential"));
    }
    text
}

fn any_request(chance: &mut Chance) -> Request {
    let method = one_of(chance, &[&Method::GET, &Method::POST, &Method::DELETE, &Method::OPTIONS]).clone();
    let target = format!("{}?{}", one_of(chance, &PATHS), noise(chance));
    let mut request = Request { body: noise(chance).into(), ..Request::new(method, &target) };
    let names = [AUTHORIZATION, CONTENT_TYPE, HeaderName::from_static("x-emulated-ip")];
    for name in names {
        if chance.next_u64().is_multiple_of(2) {
            let prefix =
                one_of(chance, &["Basic ", "Bearer ", "application/x-www-form-urlencoded", "\u{7f}", ""]);
            if let Ok(value) = HeaderValue::from_bytes(format!("{prefix}{}", noise(chance)).as_bytes()) {
                request = request.with_header(name, value);
            }
        }
    }
    request
}

#[test]
fn ten_thousand_senseless_requests_are_answered() {
    let mut chance = Chance::seeded(2026);
    let mut kit = Kit::new();
    for _ in 0..10_000 {
        let request = any_request(&mut chance);
        kit.outcome(&request);
    }
}
