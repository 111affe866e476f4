//! Taking over tokens that somebody else fetched.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::disallowed_methods)]

mod lab;
mod redis;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lab::{Lab, SECRET, Server, classic, documented};
use redis::Redis;
use serde_json::Value;
use tokenward_emulator::{Fault, FaultKind, Settings};

const OLD: &str =
    "[credentials.shop.sinks.old]\nto = \"file\"\npath = \"wechat.txt\"\npreset = \"wechat.txt\"\n";

/// `shop`, with a sink where the token stands that others use.
fn shop() -> String {
    classic("5m") + OLD
}

/// Fetches a token as somebody else would, and leaves it where they would.
async fn leave_token(lab: &Lab, life: i64) -> String {
    let query = format!("grant_type=client_credential&appid=wxclassic&secret={SECRET}");
    let url = format!("{}/cgi-bin/token?{query}", lab.emulator.url());
    let issued: Value = reqwest::Client::new().get(url).send().await.unwrap().json().await.unwrap();
    let token = issued["access_token"].as_str().unwrap();
    let text = format!("{{\"access_token\":\"{token}\",\"expires_in\":{}}}", now() + life * 1_000);
    std::fs::write(lab.folder.path().join("wechat.txt"), text).unwrap();
    token.to_owned()
}

fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

fn import(config: &Path, arguments: &[&str]) -> std::process::Output {
    tokio::task::block_in_place(|| {
        lab::tokenward().arg("-c").arg(config).arg("import").args(arguments).output().unwrap()
    })
}

/// What the store knows of its runs: how many there were, whether the last ended well, the last that crashed.
fn runs(lab: &Lab) -> String {
    let program = "import sqlite3, sys\n\
                   rows = sqlite3.connect(sys.argv[1]).execute('SELECT epoch, clean, last_crash FROM run')\n\
                   print(*rows.fetchone())";
    let store = lab.folder.path().join("data/store.db");
    let asked = Command::new("python3").args(["-c", program]).arg(store).output().unwrap();
    String::from_utf8(asked.stdout).unwrap().trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_token_is_taken_over_and_not_killed() {
    let lab = Lab::new(documented()).await;
    let config = lab.write_config(&shop());
    let token = leave_token(&lab, 3_600).await;
    let import = import(&config, &["shop", "--sink", "old"]);
    assert!(import.status.success(), "{import:?}");
    assert!(String::from_utf8_lossy(&import.stdout).contains("the platform accepts it"), "{import:?}");
    assert!(!format!("{import:?}").contains(&token));
    let server = Server::start(&config, &[]);
    let served = server.token("shop").await;
    assert_eq!(served.token(), token);
    assert!(served.body["expires_in"].as_i64().unwrap() <= 3_600, "{:?}", served.body);
    assert_eq!(lab.issued(), 1, "nothing was fetched");
    assert!(lab.accepts(server.http(), &token).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_end_is_believed_that_the_platform_never_gives() {
    let lab = Lab::new(documented()).await;
    let config = lab.write_config(&shop());
    leave_token(&lab, 30 * 24 * 3_600).await;
    let taken = import(&config, &["--json", "shop", "--sink", "old"]);
    let said: Value = serde_json::from_slice(&taken.stdout).unwrap();
    assert!((7_190..=7_200).contains(&said["expires_in"].as_i64().unwrap()), "{said}");
    assert!(said["cut_from"].as_i64() > Some(29 * 24 * 3_600), "{said}");
    let warning = String::from_utf8_lossy(&taken.stderr).into_owned();
    assert!(warning.contains("live 7200 s at the most"), "{warning}");
    let status = Server::start(&config, &[]).status("shop").await;
    let end: jiff::Timestamp = status["expires_at"].as_str().unwrap().parse().unwrap();
    assert!(end.as_millisecond() <= now() + 7_200_000, "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_after_a_crash_leaves_the_crash_known_and_takes_a_generation_of_its_own() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&shop());
    let config = server.config().to_owned();
    server.token("shop").await;
    server.kill();
    assert_eq!(runs(&lab), "1 0 0", "the first run has not ended");
    let token = leave_token(&lab, 3_600).await;
    let taken = import(&config, &["--json", "shop", "--sink", "old", "--force"]);
    let said: Value = serde_json::from_slice(&taken.stdout).unwrap();
    assert!(said["generation"].as_u64() > Some(1_000), "the crashed run may have used so many: {said}");
    assert_eq!(runs(&lab), "1 0 0", "nobody was there");
    let server = Server::start(&config, &[]);
    let served = server.token("shop").await;
    assert_eq!((served.token(), served.generation()), (&*token, said["generation"].as_u64().unwrap()));
    assert_eq!(runs(&lab), "2 0 1", "the next run knows of the crash");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_is_refused_is_no_crash() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&shop());
    let config = server.config().to_owned();
    server.token("shop").await;
    assert!(server.stop().success());
    leave_token(&lab, 3_600).await;
    assert!(!import(&config, &["shop", "--sink", "old"]).status.success(), "there is one already");
    assert_eq!(runs(&lab), "1 1 0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_token_is_not_taken_over() {
    let lab = Lab::new(documented()).await;
    let config = lab.write_config(
        &(classic("5m")
            + "[credentials.shop.sinks.old]\nto = \"file\"\npath = \"token\"\npreset = \"plain\"\n"),
    );
    std::fs::write(lab.folder.path().join("token"), "90_somebody-made-this-up").unwrap();
    let unknown = import(&config, &["shop", "--sink", "old"]);
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("--life 90m"), "{unknown:?}");
    let refused = import(&config, &["shop", "--sink", "old", "--life", "1h"]);
    assert!(
        String::from_utf8_lossy(&refused.stderr).contains("the platform refuses the token"),
        "{refused:?}"
    );
    assert!(!refused.status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_our_own_is_not_replaced_by_accident() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&shop());
    server.token("shop").await;
    leave_token(&lab, 3_600).await;
    let running = import(server.config(), &["shop", "--sink", "old"]);
    assert!(!running.status.success(), "the server runs: {running:?}");
    let config = server.config().to_owned();
    assert!(server.stop().success());
    let refused = import(&config, &["shop", "--sink", "old"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("a live token of its own"), "{refused:?}");
}

/// A sink in Redis.
fn in_redis(redis: &Redis, credential: &str, lines: &str) -> String {
    let url = redis.url();
    format!("[credentials.{credential}.sinks.sdk]\nto = \"redis\"\nurl = {{ inline = \"{url}\" }}\n{lines}\n")
}

/// Takes over what stands in a sink, and says how long it lives.
fn taken(config: &Path, arguments: &[&str]) -> i64 {
    let taken = import(config, &[&["--json"], arguments].concat());
    assert!(taken.status.success(), "{taken:?}");
    let said: Value = serde_json::from_slice(&taken.stdout).unwrap();
    said["expires_in"].as_i64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_a_preset_in_redis_ends_with_its_key() {
    let (lab, redis) = (Lab::new(documented()).await, Redis::start(&[]));
    let preset = "preset = \"easywechat6\"\nsdk_secret = { inline = \"what-the-sdk-has\" }";
    let config = lab.write_config(&(classic("5m") + &in_redis(&redis, "shop", preset)));
    let token = leave_token(&lab, 3_600).await;
    let key = "easywechat:official_account.access_token.wxclassic.what-the-sdk-has.0";
    redis.ask(&["SET", key, &format!("s:{}:\"{token}\";", token.len()), "EX", "1800"]);
    let life = taken(&config, &["shop", "--sink", "sdk"]);
    assert!((1_790..=1_800).contains(&life), "{life}");
    assert_eq!(Server::start(&config, &[]).token("shop").await.token(), token);
    assert_eq!(lab.issued(), 1, "nothing was fetched");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_of_a_preset_is_taken_over_without_what_stands_around_it() {
    let (lab, redis) = (Lab::new(documented()).await, Redis::start(&[]));
    let ticket = "[credentials.pages]\nplatform = \"wechat-ticket\"\nfrom = \"shop\"\nkind = \"jsapi\"\n";
    let sink = in_redis(&redis, "pages", "preset = \"easywechat5\"");
    let config = lab.write_config(&format!("{}{ticket}{sink}", classic("5m")));
    let key = "easywechat.basic_service.jssdk.ticket.jsapi.wxclassic";
    let whole = "s:7:\"errcode\";i:0;s:6:\"errmsg\";s:2:\"ok\";s:6:\"ticket\";s:8:\"sM4AOV-d\";s:10:\"expires_in\";i:7200;";
    redis.ask(&["SET", key, &format!("a:4:{{{whole}}}"), "EX", "1800"]);
    let life = taken(&config, &["pages", "--sink", "sdk"]);
    assert!((1_790..=1_800).contains(&life), "{life}");
    assert_eq!(Server::start(&config, &[]).token("pages").await.token(), "sM4AOV-d");
}

/// `crm`, whose tokens nobody can ask about, with a sink of this template.
fn crm(template: &str) -> String {
    format!(
        "[credentials.crm]\nplatform = \"oauth2\"\ntoken_url = \"PLATFORM/oauth2/token\"\n\
         client_id = \"oauthapp\"\nclient_secret = {{ inline = \"{SECRET}\" }}\n\
         [credentials.crm.sinks.old]\nto = \"file\"\npath = \"token.txt\"\ntemplate = '{template}'\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_taken_out_of_its_template() {
    let end = now() / 1_000 + 1_800;
    for (template, there) in [
        ("token=${token};until=${expires_at}", format!("token=abc;until={end}\n")),
        ("{\"t\":${json token},\"until\":${expires_at}}", format!("{{ \"until\": {end}, \"t\": \"abc\" }}")),
    ] {
        let lab = Lab::new(documented()).await;
        let config = lab.write_config(&crm(template));
        std::fs::write(lab.folder.path().join("token.txt"), there).unwrap();
        let life = taken(&config, &["crm", "--sink", "old"]);
        assert!((1_700..=1_800).contains(&life), "{template}: {life}");
        assert_eq!(Server::start(&config, &[]).token("crm").await.token(), "abc", "{template}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_token_in_the_shape_of_the_sink_is_refused() {
    for (template, said) in [
        ("token=${token};until=${expires_at}", "in the shape that the sink writes"),
        ("${token}${generation}", "the token cannot be told from what stands beside it"),
        ("${md5 token}", "the token cannot be told from what stands beside it"),
    ] {
        let lab = Lab::new(documented()).await;
        let config = lab.write_config(&crm(template));
        std::fs::write(lab.folder.path().join("token.txt"), "token=abc").unwrap();
        let refused = import(&config, &["crm", "--sink", "old", "--life", "1h"]);
        assert!(!refused.status.success(), "{template}");
        assert!(String::from_utf8_lossy(&refused.stderr).contains(said), "{template}: {refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_life_goes_on_while_the_platform_thinks() {
    let lab = Lab::new(documented()).await;
    let config = lab.write_config(&shop());
    leave_token(&lab, 3_600).await;
    let end = now() + 3_600_000;
    let slow = FaultKind::Latency(Duration::from_secs(3));
    lab.control().inject(Fault::new(slow).on("/cgi-bin/get_api_domain_ip")).unwrap();
    let life = taken(&config, &["shop", "--sink", "old"]);
    assert!(life <= 3_597, "{life}");
    lab.control().clear_faults();
    let status = Server::start(&config, &[]).status("shop").await;
    let stored: jiff::Timestamp = status["expires_at"].as_str().unwrap().parse().unwrap();
    assert!(stored.as_millisecond() <= end + 500, "{status}, not {end}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_fetches_for_another_app_of_the_same_name_is_forgotten() {
    let lab = Lab::new(Settings { overlap: Duration::ZERO, ..documented() }).await;
    let shop = classic("0s") + OLD;
    let server = lab.serve(&shop);
    let generation = server.token("shop").await.generation();
    leave_token(&lab, 3_600).await;
    server.report("shop", generation).await;
    server.wait_for_line("someone else fetches tokens for the app of shop");
    assert!(server.status("shop").await["foreign_refreshes"].is_object());
    assert!(server.stop().success());
    let config = lab.write_config(&shop.replace("wxclassic", "wxother"));
    taken(&config, &["shop", "--sink", "old", "--force"]);
    let status = Server::start(&config, &[]).status("shop").await;
    assert!(status["foreign_refreshes"].is_null(), "{status}");
}
