//! Every kind of configuration error: file, line, column, and how to mend it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod lab;

use serde_json::Value;

const GOOD: &str = r#"[server]
listen = "127.0.0.1:0"
data_dir = "data"

[clients.orders]
key = { command = ["echo", "a-key-of-the-orders-service"] }
credentials = ["shop"]

[credentials.shop]
platform = "wechat"
app_id = "wx0123456789abcdef"
app_secret = { command = ["echo", "a-secret"] }
"#;

/// Runs `check` on a text and returns its exit code and what it says as JSON.
fn check(text: &str) -> (i32, Value) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tokenward.toml"), text).unwrap();
    let output = lab::tokenward().current_dir(folder.path()).args(["--json", "check"]).output().unwrap();
    let said = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    let said = serde_json::from_slice(&said).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&said)));
    (output.status.code().unwrap(), said)
}

/// The one error of a text in which `from` is replaced by `to`.
fn error(from: &str, to: &str) -> Value {
    assert!(GOOD.contains(from), "{from}");
    let (code, said) = check(&GOOD.replacen(from, to, 1));
    assert_eq!(code, 2, "{said}");
    let errors = said["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 1, "{said}");
    errors[0].clone()
}

/// Asserts place, message and fix of an error.
fn expect(from: &str, to: &str, place: (u64, u64), message: &str, fix: &str) {
    let error = error(from, to);
    let found = (error["line"].as_u64().unwrap(), error["column"].as_u64().unwrap());
    assert_eq!(found, place, "{error}");
    assert_eq!(error["file"], "tokenward.toml");
    assert!(error["message"].as_str().unwrap().contains(message), "{error}");
    assert!(error["fix"].as_str().unwrap().contains(fix), "{error}");
}

#[test]
fn a_good_configuration_has_no_errors_and_no_warnings() {
    let (code, said) = check(GOOD);
    assert_eq!((code, &said["ok"], &said["warnings"]), (0, &Value::Bool(true), &Value::Array(vec![])));
}

#[test]
fn an_unknown_key_is_recognised_if_it_is_near_a_known_one() {
    let line = "listen = \"127.0.0.1:0\"";
    expect(
        line,
        "lisen = \"127.0.0.1:0\"",
        (2, 1),
        "unknown key `lisen` in [server]",
        "Did you mean `listen`?",
    );
    expect("[server]", "[sevrer]", (1, 2), "unknown key `sevrer`", "Did you mean `server`?");
    expect(
        "data_dir",
        "colour = 1\ndata_dir",
        (3, 1),
        "unknown key `colour`",
        "Known keys: listen, data_dir",
    );
}

#[test]
fn a_wrong_type_says_what_is_expected() {
    expect("\"127.0.0.1:0\"", "7600", (2, 10), "must be text, not integer", "Write listen = \"…\"");
    expect("[\"shop\"]", "[1]", (7, 16), "must be text or a list of texts", "credentials = [\"…\"]");
}

#[test]
fn toml_that_cannot_be_read_is_pointed_at() {
    expect("[server]", "[server", (1, 8), "", "strings need quotes");
}

#[test]
fn a_missing_key_is_named_at_its_section() {
    expect(
        "app_id = \"wx0123456789abcdef\"\n",
        "",
        (9, 14),
        "`app_id` is missing",
        "from the WeChat console",
    );
    expect("platform = \"wechat\"\n", "", (9, 14), "`platform` is missing", "platform = \"wechat\"");
    let secret = "app_secret = { command = [\"echo\", \"a-secret\"] }\n";
    expect(secret, "", (9, 14), "`app_secret` is missing", "{ env = ");
}

#[test]
fn a_secret_that_is_not_there_is_pointed_at() {
    let there = "{ command = [\"echo\", \"a-secret\"] }";
    let place = (12, 14);
    expect(
        there,
        "{ env = \"TOKENWARD_NO_SUCH\" }",
        place,
        "TOKENWARD_NO_SUCH is not set",
        "export TOKENWARD_NO_SUCH",
    );
    expect(there, "{ file = \"no/such/file\" }", place, "no/such/file", "Make it readable");
    expect(there, "{ command = [\"false\"] }", place, "the command false failed", "Make it readable");
    expect(there, "\"plain\"", place, "must say where the secret is", "{ inline = ");
    expect(there, "{ env = \"A\", file = \"B\" }", place, "exactly one place", "{ env = ");
}

#[test]
fn bad_values_say_which_are_good() {
    expect("\"wechat\"", "\"weixin\"", (10, 12), "\"weixin\" is not known", "wechat, baidu, oauth2");
    expect("\"127.0.0.1:0\"", "\"somewhere\"", (2, 10), "not an address", "127.0.0.1:7600");
    expect("\"127.0.0.1:0\"", "\"0.0.0.0:0\"", (2, 10), "from other machines", "allow_plaintext");
    expect("[\"shop\"]", "[\"sh[op\"]", (7, 16), "is not a pattern", "baidu-*");
    expect("[credentials.shop]", "[credentials.\"my shop\"]", (9, 14), "cannot be a name", "Use a name like");
    let right = "credentials = [\"shop\"]\nmay = [\"tokens\"]";
    expect("credentials = [\"shop\"]", right, (8, 8), "\"tokens\" is not a right", "\"token\", \"report\"");
    let app = "app_id = \"wx0123456789abcdef\"";
    let with = |line: &str| format!("{app}\n{line}");
    expect(app, &with("token_api = \"new\""), (12, 13), "`token_api` is \"new\"", "\"stable\" (recommended)");
    expect(app, &with("base_url = \"api.weixin.qq.com\""), (12, 12), "is not a URL", "https://");
    expect(app, &with("base_url = \"https://u:p@x.example\""), (12, 12), "user name or password", "https://");
    expect(app, &with("refresh = { lead = \"5\" }"), (12, 20), "is not a duration", "\"5m\"");
    expect(app, &with("refresh = { lead = 300 }"), (12, 20), "a duration in quotes", "lead = \"5m\"");
    let skew = "token_api = \"classic\"\nrefresh = { overlap = \"1m\", skew = \"1m\" }";
    expect(app, &with(skew), (13, 23), "`skew` must be shorter than `overlap`", "skew = \"0s\"");
    let safe = "token_api = \"classic\"\nrefresh = { safe_part = \"6m\" }";
    expect(app, &with(safe), (13, 25), "`safe_part` is longer than `overlap`", "Leave it out");
}

/// Asserts the error of `[credentials.shop.refresh]` with this in its first line; `column` counts from there.
fn expect_refresh(line: &str, column: u64, message: &str, fix: &str) {
    let app = "app_id = \"wx0123456789abcdef\"";
    let with = format!("{app}\ntoken_api = \"classic\"\nrefresh = {{ {line} }}");
    expect(app, &with, (13, 12 + column), message, fix);
}

#[test]
fn a_schedule_that_cannot_be_read_names_the_field_and_the_reason() {
    let forms = "The fields are second minute hour day month weekday year.";
    expect_refresh("schedule = \"0 60 * * * * *\"", 12, "schedule`: minute: \"60\" is not 0 to 59", forms);
    expect_refresh("schedule = \"0 0 2 L * * *\"", 12, "day: \"L\" is not 1 to 31", forms);
    expect_refresh("schedule = \"0 0 2 * * *\"", 12, "five or seven fields, this has 6", "\"0 0 2 * * * *\"");
    expect_refresh("schedule = \"0 2 * * *\"", 12, "five fields need a time zone", "time_zone = ");
    expect_refresh("schedule = 7", 12, "must be text", "Write schedule");
    let zone = |schedule: &str, zone: &str| format!("schedule = \"{schedule}\", time_zone = \"{zone}\"");
    expect_refresh(&zone("0 2 * * *", "Bonn"), 37, "the time zone \"Bonn\" is not known", "Europe/Berlin");
    let seven = zone("0 0 2 * * * *", "Asia/Shanghai");
    expect_refresh(&seven, 41, "seven fields are in UTC+8", "or write five fields");
    expect_refresh(
        &zone("0 2 * * 8", "Asia/Shanghai"),
        12,
        "weekday: \"8\" is not 0 to 7",
        "minute hour day",
    );
    expect_refresh("time_zone = \"Asia/Shanghai\"", 13, "there is none", "schedule = ");
}

#[test]
fn a_schedule_that_cannot_be_kept_is_refused_with_the_arithmetic() {
    let never = "`credentials.shop.refresh.schedule` never fires";
    expect_refresh("schedule = \"0 0 2 30 2 * *\"", 12, never, "every night at two");
    let often = "fires 2880 times a day, and only 2000 fetches a day are allowed";
    expect_refresh("schedule = \"*/30 * * * * * *\"", 12, often, "`daily_budget`");
    let sparse = "A token lives 2h; less 5m of reserve for failures and 2m 30s in which a time is served by the \
                  refresh before it, that leaves 1h 52m 30s";
    expect_refresh("schedule = \"0 0 */2 * * * *\"", 12, sparse, "or set `lead`, too");
    let night = "nothing for 10h from";
    expect_refresh("schedule = \"0 0 8-22 * * * *\"", 12, night, "at most 1h 52m 30s");
}

/// What `check` says about the schedule of a WeChat app with these lines.
fn schedules(lines: &str) -> Value {
    let app = "app_id = \"wx0123456789abcdef\"";
    let (code, said) = check(&GOOD.replace(app, &format!("{app}\n{lines}")));
    assert_eq!((code, said["warnings"].as_array().unwrap().len()), (0, 0), "{said}");
    said["schedules"].clone()
}

#[test]
fn check_shows_the_next_three_times_of_a_schedule() {
    let shown = schedules("token_api = \"classic\"\nrefresh = { schedule = \"0 0 * * * * *\" }");
    assert_eq!(shown[0]["credential"], "shop");
    let times: Vec<jiff::Timestamp> = shown[0]["next"]
        .as_array()
        .unwrap()
        .iter()
        .map(|time| time.as_str().unwrap().parse().unwrap())
        .collect();
    assert_eq!(times.len(), 3, "{shown}");
    assert!(times.iter().all(|time| time.as_second() % 3_600 == 0), "{shown}");
    assert!(times.windows(2).all(|pair| pair[1].as_second() - pair[0].as_second() == 3_600), "{shown}");
}

#[test]
fn a_sparse_schedule_is_good_beside_a_lead_and_at_the_stable_api() {
    let berlin = "schedule = \"0 2 * * *\", time_zone = \"Europe/Berlin\"";
    let beside = format!("token_api = \"classic\"\nrefresh = {{ lead = \"65m\", {berlin} }}");
    assert_eq!(schedules(&beside).as_array().unwrap().len(), 1);
    assert_eq!(schedules(&format!("refresh = {{ {berlin} }}")).as_array().unwrap().len(), 1);
}

#[test]
fn what_a_later_version_brings_is_refused_rather_than_ignored() {
    let alerts = GOOD.to_owned() + "[[alerts]]\nto = \"webhook\"\n";
    let (code, said) = check(&alerts);
    assert_eq!(code, 2);
    assert!(
        said["errors"][0]["message"].as_str().unwrap().contains("not supported by this version"),
        "{said}"
    );
}

#[test]
fn a_facade_is_checked_like_everything_else() {
    let with = |lines: &str| GOOD.to_owned() + "[facade.wechat]\n" + lines;
    for (lines, place, message) in [
        ("hand_out = \"tokens\"\n", (14, 12), "`facade.wechat.hand_out` is \"tokens\""),
        ("listen = \"0.0.0.0:0\"\n", (14, 10), "from other machines"),
        ("tls = { cert = \"a.pem\" }\n", (14, 7), "`key` is missing"),
        ("secret = true\n", (14, 1), "unknown key `secret` in [facade.wechat]"),
    ] {
        let (code, said) = check(&with(lines));
        let error = &said["errors"][0];
        let found = (error["line"].as_u64().unwrap(), error["column"].as_u64().unwrap());
        assert_eq!((code, found), (2, place), "{lines}: {said}");
        assert!(error["message"].as_str().unwrap().contains(message), "{error}");
    }
    let warned = warning(&with("accept_app_secret = true\n"));
    assert!(warned.contains("whoever has an app secret"), "{warned}");
}

const CALLBACK: &str = r#"
[callback]
listen = "127.0.0.1:0"
[callbacks.shop]
token = { command = ["echo", "a-token"] }
aes_key = { command = ["echo", "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"] }
[callbacks.shop.forward.orders]
to = "http://127.0.0.1:8080/"
"#;

/// The first error of a configuration with callbacks in which `from` is replaced by `to`.
fn callback_error(from: &str, to: &str) -> String {
    assert!(CALLBACK.contains(from), "{from}");
    let (code, said) = check(&(GOOD.to_owned() + &CALLBACK.replacen(from, to, 1)));
    assert_eq!(code, 2, "{said}");
    let error = &said["errors"][0];
    assert!(error["line"].as_u64().unwrap() > 13, "it points into the section: {error}");
    error["message"].as_str().unwrap().to_owned()
}

#[test]
fn callbacks_are_checked_like_everything_else() {
    let (code, said) = check(&(GOOD.to_owned() + CALLBACK));
    assert_eq!((code, &said["warnings"]), (0, &Value::Array(vec![])), "the app is the credential's: {said}");
    let key = "aes_key = { command = [\"echo\", \"abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG\"] }\n";
    for (from, to, message) in [
        ("[callback]\nlisten = \"127.0.0.1:0\"\n", "", "nowhere for platforms to call back"),
        (key, "", "`aes_key` is missing"),
        (key, "mode = \"secure\"\n", "needs `aes_key`"),
        (key, &key.replace("abc", "ab"), "43 letters and digits"),
        ("token = { command = [\"echo\", \"a-token\"] }\n", "", "`token` is missing"),
        ("token =", "tokne =", "`token` is missing"),
        ("token =", "mode = \"open\"\ntoken =", "`callbacks.shop.mode` is \"open\""),
        ("token =", "replay_window = \"2h\"\ntoken =", "`callbacks.shop.replay_window` must be above 0s"),
        ("[callbacks.shop]", "[callbacks.members]", "`app_id` is missing in [callbacks.members]"),
        ("http://127.0.0.1:8080/", "ftp://127.0.0.1/", "no URL that messages can be posted to"),
        ("to =", "events = [\"a*b\"]\nto =", "\"a*b\" is no type of message"),
        ("to =", "retry_for = \"0s\"\nto =", "retry_for` must be above 0s"),
    ] {
        let said = callback_error(from, to);
        assert!(said.contains(message), "{said}");
    }
}

#[test]
fn two_credentials_for_one_app_are_refused() {
    let second = "[credentials.twin]\nplatform = \"wechat\"\napp_id = \"wx0123456789abcdef\"\n\
                  app_secret = { command = [\"echo\", \"a-secret\"] }\n";
    let (code, said) = check(&(GOOD.to_owned() + second));
    assert_eq!(code, 2);
    let error = &said["errors"][0];
    assert_eq!((error["line"].as_u64(), error["column"].as_u64()), (Some(13), Some(14)), "{error}");
    assert!(error["message"].as_str().unwrap().contains("has the credential shop already"), "{error}");
}

/// The one warning of a text.
fn warning(text: &str) -> String {
    let (code, said) = check(text);
    assert_eq!(code, 0, "{said}");
    assert_eq!(said["warnings"].as_array().unwrap().len(), 1, "{said}");
    assert!(said["warnings"][0]["line"].as_u64().unwrap() > 0);
    said["warnings"][0]["message"].as_str().unwrap().to_owned()
}

#[test]
fn what_works_and_is_unwise_is_warned_about() {
    let both = "[credentials.twin]\nplatform = \"wechat\"\ntoken_api = \"classic\"\napp_id = \"wx0123456789abcdef\"\n\
                app_secret = { command = [\"echo\", \"a-secret\"] }\n";
    assert!(warning(&(GOOD.to_owned() + both)).contains("uses both token APIs"));
    let inline = GOOD.replace("{ command = [\"echo\", \"a-secret\"] }", "{ inline = \"a-secret\" }");
    assert!(warning(&inline).contains("stands in the configuration file itself"));
    assert!(warning(&GOOD.replace("[\"shop\"]", "[\"shop\", \"shopp\"]")).contains("matches no credential"));
    let close = "token_api = \"classic\"\nrefresh = { schedule = \"0 * * * * * *\" }\napp_id";
    assert!(
        warning(&GOOD.replace("app_id", close))
            .contains("times that are 1m apart; a time within 2m 30s after")
    );
    let plain = GOOD.replace("app_id", "base_url = \"http://api.example.com\"\napp_id");
    assert!(warning(&plain).contains("unencrypted"));
    let clear = GOOD.to_owned() + &CALLBACK.replace("token =", "mode = \"plain\"\ntoken =");
    assert!(warning(&clear).contains("a signature does not cover its message"));
    let nowhere = CALLBACK.split("[callbacks.shop.forward").next().unwrap();
    assert!(warning(&(GOOD.to_owned() + nowhere)).contains("go nowhere"));
}

#[test]
fn all_errors_are_reported_at_once() {
    let text = GOOD.replace("listen", "lisen").replace("\"wechat\"", "\"weixin\"").replace("[\"shop\"]", "7");
    let (_, said) = check(&text);
    assert_eq!(said["errors"].as_array().unwrap().len(), 3, "{said}");
}

#[test]
fn a_file_that_is_not_there_is_said_to_be_missing() {
    let folder = tempfile::tempdir().unwrap();
    let output = lab::tokenward().current_dir(folder.path()).arg("check").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(said.contains("cannot read tokenward.toml") && said.contains("-c"), "{said}");
}

#[test]
fn the_examples_are_good_configurations() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            tokenward_server::config::Config::load(&path).unwrap_or_else(|error| panic!("{error}"));
            seen += 1;
        }
    }
    assert!(seen >= 2, "{seen} examples");
}
