//! The golden exchanges: every file under `fixtures/` is one exchange with a platform, with its source and
//! its meaning, and the code must agree with each. To teach Tokenward a new answer, write the file first.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod everyone;
mod exchange;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use exchange::{Exchange, Meaning};
use serde_json::Value;
use tokenward_core::failure::FailureKind;

/// How many there are at least. Raise it with every file; lowering it is losing one.
const WRITTEN: usize = 293;

#[test]
fn the_code_agrees_with_every_golden_exchange() {
    let mut report = String::new();
    for (name, exchange) in all() {
        let differences = exchange.differences();
        if !differences.is_empty() {
            report +=
                &format!("\n{name}\n    shows: {}\n    {}\n", exchange.shows, differences.join("\n    "));
        }
    }
    assert!(report.is_empty(), "{report}");
}

#[test]
fn none_is_lost_and_none_is_written_twice() {
    let all = all();
    assert!(all.len() >= WRITTEN, "{} of {WRITTEN} golden exchanges are left", all.len());
    let mut seen = BTreeMap::new();
    for (name, exchange) in &all {
        if let Some(other) = seen.insert(&exchange.shows, name) {
            panic!("{other} and {name} say that they show the same");
        }
    }
}

/// The lists of getAccessToken and getStableAccessToken (developers.weixin.qq.com), and the codes that
/// other pages name for the same refusals: 61004 and 45035 for addresses, 61024, 89501.
const WECHAT_ISSUE: [i64; 22] = [
    -1, 0, 40001, 40002, 40013, 40125, 40164, 40243, 41002, 41004, 43002, 45009, 45011, 45035, 50004, 50007,
    61004, 61024, 89501, 89503, 89506, 89507,
];

#[test]
fn every_wechat_code_of_the_token_apis_has_an_exchange() {
    let shown = codes("wechat", "errcode", Exchange::is_about_issuing);
    assert_all_shown(WECHAT_ISSUE, &shown);
}

/// The general return codes that a call meets (developers.weixin.qq.com): the call's token is refused …
const WECHAT_TOKEN_REFUSED: [i64; 3] = [40001, 40014, 42001];
/// … and something else is, so that a new token would not help.
const WECHAT_CALL_REFUSED: [i64; 17] = [
    0, 41001, 42007, 40003, 43004, 45009, 45011, 48001, 48004, 50002, 61004, 61007, 61014, 40013, 40125,
    40164, 40243,
];

#[test]
fn every_wechat_code_of_calls_has_an_exchange() {
    let shown = codes("wechat", "errcode", |exchange| exchange.complaint() == Some(true));
    assert_all_shown(WECHAT_TOKEN_REFUSED, &shown);
    let shown = codes("wechat", "errcode", |exchange| exchange.complaint() == Some(false));
    assert_all_shown(WECHAT_CALL_REFUSED, &shown);
}

#[test]
fn every_wechat_code_about_tokens_is_also_shown_as_the_answer_to_a_probe() {
    let shown = codes(
        "wechat",
        "errcode",
        |exchange| matches!(&exchange.means, Some(Meaning::Probe(v)) if v == "dead"),
    );
    assert_all_shown(WECHAT_TOKEN_REFUSED, &shown);
}

#[test]
fn every_wechat_code_about_tokens_is_also_shown_as_the_answer_to_a_request_for_a_ticket() {
    let shown = codes("wechat-ticket", "errcode", Exchange::is_about_issuing);
    assert_all_shown(WECHAT_TOKEN_REFUSED, &shown);
}

#[test]
fn every_baidu_error_has_an_exchange() {
    let shown = codes("baidu", "error_description", Exchange::is_about_issuing);
    assert_all_shown(["unknown client id", "Client authentication failed"], &shown);
    let shown = codes("baidu", "error_code", |exchange| exchange.complaint() == Some(true));
    assert_all_shown([110, 111], &shown);
    let shown = codes("baidu", "error_code", |exchange| exchange.complaint() == Some(false));
    assert_all_shown([4, 6, 17, 18, 19, 100], &shown);
}

#[test]
fn every_error_of_rfc_6749_has_an_exchange() {
    let shown = codes("oauth2", "error", Exchange::is_about_issuing);
    let section_5_2 = [
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
    ];
    assert_all_shown(section_5_2, &shown);
    assert_all_shown(["temporarily_unavailable", "invalid_target"], &shown);
}

/// RFC 6750 §3: status, `error` of the challenge if any, and whether the token is at fault.
const RFC_6750: [(u16, Option<&str>, bool); 4] = [
    (401, Some("invalid_token"), true),
    (401, None, true),
    (400, Some("invalid_request"), false),
    (403, Some("insufficient_scope"), false),
];

#[test]
fn every_case_of_rfc_6750_has_an_exchange() {
    let all = all();
    for (status, error, complaint) in RFC_6750 {
        let shown = all.values().filter(|exchange| exchange.platform() == "oauth2").any(|exchange| {
            let answer = exchange.answer.as_ref().map(exchange::Given::answer);
            answer.is_some_and(|answer| {
                let challenge = answer.header("www-authenticate").unwrap_or_default();
                let same = match error {
                    Some(error) => challenge.contains(&format!("error=\"{error}\"")),
                    None => challenge.starts_with("Bearer") && !challenge.contains("error"),
                };
                answer.status == status && same && exchange.complaint() == Some(complaint)
            })
        });
        assert!(shown, "no golden exchange shows {status} with error {error:?}");
    }
}

/// The rest is noticed by the one who asks, not read from an answer.
const NOT_ANSWERED: [FailureKind; 10] = [
    FailureKind::Unreachable,
    FailureKind::TimedOut,
    FailureKind::ConnectionLost,
    FailureKind::TlsFailed,
    FailureKind::BudgetUsedUp,
    FailureKind::TokenUnchanged,
    FailureKind::RefreshTokenInDoubt,
    FailureKind::SecretUnavailable,
    FailureKind::StoreUnavailable,
    FailureKind::SourceUnavailable,
];

#[test]
fn every_failure_that_an_answer_can_mean_has_an_exchange() {
    let mut shown = BTreeSet::new();
    for exchange in all().into_values() {
        if let Some(Meaning::Failed(expected)) = exchange.means {
            shown.insert(expected.code);
        }
    }
    let answered = FailureKind::ALL.iter().filter(|kind| !NOT_ANSWERED.contains(kind));
    assert_all_shown(answered.map(|kind| kind.code()), &shown);
}

/// All golden exchanges by the name of their file. Anything under `fixtures/` that is not one is an error.
fn all() -> BTreeMap<String, Exchange> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let read = |path: PathBuf| {
        let name = path.strip_prefix(&root).unwrap().display().to_string();
        assert!(name.ends_with(".json"), "{name} is not a golden exchange: they are files in JSON");
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
        let exchange = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        (name, exchange)
    };
    files(&root).into_iter().map(read).collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.into_iter().flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// The values of one member of the answers' bodies, as text.
fn codes(platform: &str, member: &str, which: impl Fn(&Exchange) -> bool) -> BTreeSet<String> {
    let chosen = all().into_values().filter(|exchange| exchange.platform() == platform && which(exchange));
    let bodies = chosen.filter_map(|exchange| Some(exchange.answer?.json()));
    bodies.filter_map(|body| body.get(member).map(text)).collect()
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn assert_all_shown<T: ToString>(wanted: impl IntoIterator<Item = T>, shown: &BTreeSet<String>) {
    let missing: Vec<String> =
        wanted.into_iter().map(|code| code.to_string()).filter(|code| !shown.contains(code)).collect();
    assert!(missing.is_empty(), "no golden exchange shows {}", missing.join(", "));
}
