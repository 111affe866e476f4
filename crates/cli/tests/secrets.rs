//! No secret and no token where it must not be: logs at any level, files, errors, metrics, the process list.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod lab;

use std::path::Path;

use lab::{KEY, Lab, SECRET, documented, four};
use serde_json::json;
use tokenward_emulator::{Fault, FaultKind};

#[tokio::test(flavor = "multi_thread")]
async fn secrets_and_tokens_stay_where_they_belong() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&four());
    let mut forbidden = vec![SECRET.to_owned(), KEY.to_owned()];
    let mut shown = String::new();
    for name in ["shop", "members", "ocr", "crm"] {
        forbidden.push(server.token(name).await.token().to_owned());
        shown += &server.status(name).await.to_string();
    }
    // Everything that can fail, fails once.
    lab.control().invalidate(None).unwrap();
    for name in ["shop", "members"] {
        forbidden.push(server.report(name, 1).await.token().to_owned());
    }
    lab.control().inject(Fault::new(FaultKind::ResetAfterIssue).times(2)).unwrap();
    lab.control().inject(Fault::new(FaultKind::Html(http::StatusCode::OK)).times(2)).unwrap();
    for name in ["shop", "members", "ocr", "crm"] {
        let answer = server.post(&format!("/v1/credentials/{name}/refresh"), json!({ "force": true })).await;
        shown += &answer.body.to_string();
    }
    let echo = server.post("/v1/credentials/shop/report", json!({ "token": forbidden[2], "x": 1 })).await;
    shown += &echo.body.to_string();
    shown += server.get("/metrics").await.body.as_str().unwrap();
    shown += &server.get("/v1/credentials").await.body.to_string();
    shown += &std::fs::read_to_string(format!("/proc/{}/cmdline", server.pid())).unwrap();
    for arguments in [&["status"][..], &["status", "shop"], &["--json", "status"], &["check", "--live"]] {
        let output = server.command(arguments);
        shown += &String::from_utf8(output.stdout).unwrap();
        shown += &String::from_utf8(output.stderr).unwrap();
    }
    let log = server.log();
    assert!(log.contains("new token for shop"), "the log is not empty");
    let data_dir = server.data_dir.clone();
    assert!(tokio::task::spawn_blocking(|| server.stop()).await.unwrap().success());
    for secret in &forbidden {
        assert!(!shown.contains(secret), "{secret} was shown");
        assert!(!log.contains(secret), "{secret} was logged");
        for (path, bytes) in files(&data_dir) {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} stands in {path}");
        }
    }
}

#[test]
fn a_configuration_error_on_the_line_of_a_secret_does_not_show_it() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("tokenward.toml");
    let text =
        "[credentials.shop]\nplatform = \"wechat\"\napp_id = \"wx1\"\napp_secret = \"hunter2-hunter2\"\n";
    std::fs::write(&config, text).unwrap();
    for arguments in [&["check"][..], &["--json", "check"], &["serve"]] {
        let output = lab::tokenward().arg("-c").arg(&config).args(arguments).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap() + &String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("app_secret") && !said.contains("hunter2"), "{said}");
    }
}

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let found: Vec<_> = entries
        .filter(|path| path.is_file())
        .map(|path| (path.display().to_string(), std::fs::read(&path).unwrap()))
        .collect();
    assert!(found.iter().any(|(path, _)| path.ends_with("store.db")), "{found:?}");
    found
}
