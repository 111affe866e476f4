//! The commands that talk to a server, and those that play one.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod lab;

use std::io::{BufRead as _, BufReader};
use std::process::{Output, Stdio};

use lab::{KEY, Lab, Server, classic, documented, four};
use serde_json::Value;

fn said(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

/// Commands block while they wait for the server.
async fn run(server: &Server, arguments: &[&str]) -> (i32, String, String) {
    tokio::task::block_in_place(|| said(&server.command(arguments)))
}

#[tokio::test(flavor = "multi_thread")]
async fn token_prints_the_token_and_nothing_else() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&four());
    let token = server.token("shop").await.token().to_owned();
    assert_eq!(run(&server, &["token", "shop"]).await, (0, format!("{token}\n"), String::new()));
    let (_, stdout, _) = run(&server, &["--json", "token", "shop"]).await;
    let body: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((body["token"].as_str(), body["generation"].as_u64()), (Some(token.as_str()), Some(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn report_says_whether_the_platform_still_accepts_the_token() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&four());
    server.token("shop").await;
    let (code, _, stderr) = run(&server, &["report", "shop", "--generation", "1"]).await;
    assert_eq!(code, 0);
    assert!(stderr.contains("still accepts generation 1"), "{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn refresh_is_refused_with_a_reason_and_done_with_force() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&four());
    server.token("shop").await;
    let (code, _, stderr) = run(&server, &["refresh", "shop"]).await;
    assert_eq!(code, 1);
    assert!(stderr.contains("were told to rely on it until") && stderr.contains("force"), "{stderr}");
    let (code, stdout, _) = run(&server, &["refresh", "shop", "--force"]).await;
    assert_eq!((code, stdout.as_str()), (0, "shop has generation 2 now.\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn status_is_a_table_for_people_and_json_for_programs() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&four().replacen(lab::SECRET, "wrong-secret-of-the-shop", 1));
    server.wait_for_state("shop", "blocked").await;
    for name in ["members", "ocr", "crm"] {
        server.token(name).await;
    }
    let (code, stdout, _) = run(&server, &["status"]).await;
    assert_eq!(code, 0);
    let lines: Vec<_> = stdout.lines().collect();
    let words: Vec<_> = lines[0].split_whitespace().collect();
    assert_eq!(words, ["NAME", "PLATFORM", "STATE", "GENERATION", "EXPIRES", "REFRESH", "READS"]);
    assert!(lines[1].contains("crm") && lines[1].contains("live"), "{stdout}");
    assert!(
        stdout.contains("blocked") && stdout.contains("Put the current AppSecret of wxclassic"),
        "{stdout}"
    );
    assert!(!stdout.contains('\u{1b}'), "no colour when nobody looks");
    let (_, stdout, _) = run(&server, &["status", "ocr"]).await;
    assert!(stdout.contains("platform       baidu") && stdout.contains("expires"), "{stdout}");
    let (_, stdout, _) = run(&server, &["--json", "status"]).await;
    assert_eq!(serde_json::from_str::<Value>(&stdout).unwrap().as_array().unwrap().len(), 4);
    let (code, _, stderr) = run(&server, &["status", "nothing"]).await;
    assert_eq!(code, 1);
    assert!(stderr.contains("No such credential"), "{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn status_shows_how_sinks_stand_and_why() {
    let lab = Lab::new(documented()).await;
    let sink = |name, path| {
        format!("[credentials.shop.sinks.{name}]\nto = \"file\"\npath = \"{path}\"\npreset = \"plain\"\n")
    };
    let server = lab.serve(&(classic("5m") + &sink("good", "token") + &sink("missing", "nowhere/token")));
    server.token("shop").await;
    server.wait_for_line("the sink missing of shop fails");
    for arguments in [&["status"][..], &["status", "shop"]] {
        // The sink that works may still be at it.
        let stdout = loop {
            let (code, stdout, _) = run(&server, arguments).await;
            assert_eq!(code, 0);
            if stdout.contains("delivered") {
                break stdout;
            }
        };
        let words = |line: &str| {
            let line = stdout.lines().find(|row| row.contains(line)).unwrap_or_else(|| panic!("{stdout}"));
            line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
        };
        let headings = ["NAME", "SINK", "KIND", "STATE", "GENERATION", "BEHIND", "FAILED", "LOST"];
        assert_eq!(words("BEHIND"), headings);
        assert_eq!(words(" good "), ["shop", "good", "file", "delivered", "1", "-", "0", "0"]);
        assert_eq!(words(" missing ")[..5], ["shop", "missing", "file", "failing", "0"]);
        assert!(stdout.contains("\nshop, sink missing: ") && stdout.contains("nowhere/token"), "{stdout}");
        assert!(stdout.contains("See that the folder is there"), "{stdout}");
    }
    let (_, stdout, _) = run(&server, &["--json", "status", "shop"]).await;
    let status: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(
        (&status["sinks"][0]["generation"], &status["sinks"][1]["generation"]),
        (&1.into(), &0.into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_elsewhere_uses_url_and_key() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&four());
    let elsewhere = tempfile::tempdir().unwrap();
    let ask = |key: &str| {
        let mut command = lab::tokenward();
        command.current_dir(elsewhere.path()).env("TOKENWARD_URL", &server.url).env("TOKENWARD_KEY", key);
        tokio::task::block_in_place(|| said(&command.args(["token", "crm"]).output().unwrap()))
    };
    let (code, stdout, _) = ask(KEY);
    assert_eq!((code, stdout.trim().is_empty()), (0, false));
    let (code, _, stderr) = ask("wrong");
    assert_eq!(code, 1);
    assert!(stderr.contains("[clients]"), "{stderr}");
}

#[tokio::test(flavor = "multi_thread")]
async fn check_live_explains_each_failure_and_spares_classic_tokens() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&four());
    let token = server.token("shop").await.token().to_owned();
    let (code, stdout, _) = run(&server, &["check", "--live"]).await;
    assert_eq!(code, 0, "{stdout}");
    assert_eq!(stdout.matches("works").count(), 4, "{stdout}");
    assert!(stdout.contains("shop: a token for 7200 s (asked through stable_token"), "{stdout}");
    let stats = serde_json::to_value(lab.emulator.stats()).unwrap();
    assert_eq!(stats["by_path"]["/cgi-bin/token"]["requests"], 1, "only the server itself: {stats}");
    assert!(lab.accepts(server.http(), &token).await);
    drop(server);
    let config = lab.write_config(&four().replacen(lab::SECRET, "wrong-secret-of-the-shop", 1));
    let mut check = lab::tokenward();
    check.arg("-c").arg(config).args(["check", "--live"]);
    let (code, stdout, _) = tokio::task::block_in_place(|| said(&check.output().unwrap()));
    assert_eq!(code, 1);
    assert!(stdout.contains("fails shop") && stdout.contains("current AppSecret of wxclassic"), "{stdout}");
    assert_eq!(stdout.matches("works").count(), 3, "{stdout}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_gone_is_said_to_be_gone() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&classic("5m"));
    let config = lab.folder.path().join("tokenward.toml");
    server.kill();
    let output = lab::tokenward().arg("-c").arg(config).args(["token", "shop"]).output().unwrap();
    let (code, _, stderr) = said(&output);
    assert_eq!(code, 1);
    assert!(stderr.contains("no server answers") && stderr.contains("tokenward serve"), "{stderr}");
}

#[test]
fn emulate_plays_until_it_is_told_to_stop() {
    let mut child = lab::tokenward()
        .args(["emulate", "--listen", "127.0.0.1:0", "--app", "wx1:s1", "--token-ttl", "8s"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().rsplit("http://").next().unwrap().to_owned();
    let mut stream = std::net::TcpStream::connect(&address).unwrap();
    let request = "GET /cgi-bin/token?grant_type=client_credential&appid=wx1&secret=s1 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
    let mut answer = String::new();
    std::io::Read::read_to_string(&mut stream, &mut answer).unwrap();
    assert!(answer.contains("\"expires_in\":8"), "{answer}");
    assert!(std::process::Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    assert!(child.wait().unwrap().success());
}

#[test]
fn the_demo_proves_itself() {
    let (code, stdout, stderr) = said(&lab::tokenward().args(["demo", "--for", "15s"]).output().unwrap());
    assert_eq!(code, 0, "{stdout}{stderr}");
    for line in [
        "fetched, lives 8 s",
        "rotated to generation",
        "call refused with",
        "foreign refresh seen",
        "healed",
        "proved:",
    ] {
        assert!(stdout.contains(line), "{line} is missing in\n{stdout}");
    }
}

#[test]
fn a_demo_that_is_too_short_to_prove_anything_fails() {
    let (code, _, stderr) = said(&lab::tokenward().args(["demo", "--for", "1s"]).output().unwrap());
    assert_eq!(code, 1);
    assert!(stderr.contains("did not show what it promises"), "{stderr}");
}
