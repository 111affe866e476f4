//! The facade under the platform's own name, with a certificate that `tokenward cert` made.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod lab;

use std::net::SocketAddr;
use std::path::Path;
use std::process::Output;

use lab::{KEY, Lab, classic, documented, tokenward};
use serde_json::Value;

fn cert(folder: &Path, arguments: &[&str]) -> Output {
    tokenward().arg("cert").arg("--dir").arg(folder.join("tls")).args(arguments).output().unwrap()
}

fn authority(folder: &Path) -> Vec<u8> {
    std::fs::read(folder.join("tls/ca.pem")).unwrap()
}

/// The answer to a token request that believes to go to api.weixin.qq.com, from a client that trusts this authority.
async fn ask(facade: &str, ca: &[u8]) -> reqwest::Result<Value> {
    let address: SocketAddr = facade.trim_start_matches("http://").parse().unwrap();
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([reqwest::Certificate::from_pem(ca).unwrap()])
        .resolve("api.weixin.qq.com", address)
        .build()
        .unwrap();
    let query = format!("grant_type=client_credential&appid=wxclassic&secret={KEY}");
    let url = format!("https://api.weixin.qq.com:{}/cgi-bin/token?{query}", address.port());
    client.get(url).send().await?.json().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_sdk_that_cannot_be_pointed_elsewhere_is_served_under_the_platforms_name() {
    let lab = Lab::new(documented()).await;
    assert!(cert(lab.folder.path(), &[]).status.success());
    let tls = "[facade.wechat]\nlisten = \"127.0.0.1:0\"\ntls = { cert = \"tls/cert.pem\", key = \"tls/key.pem\" }\n";
    let server = lab.serve(&format!("{tls}{}", classic("5m")));
    let ca = authority(lab.folder.path());
    assert!(ask(&server.facade(), &ca).await.unwrap()["access_token"].is_string());
    let elsewhere = tempfile::tempdir().unwrap();
    assert!(cert(elsewhere.path(), &[]).status.success());
    assert!(ask(&server.facade(), &authority(elsewhere.path())).await.is_err());
}

#[test]
fn an_authority_is_kept_and_vouches_for_its_own_hosts_only() {
    let folder = tempfile::tempdir().unwrap();
    let first: Value = serde_json::from_slice(&cert(folder.path(), &["--json"]).stdout).unwrap();
    assert_eq!(first["new_authority"], true);
    let ca = authority(folder.path());
    let second: Value = serde_json::from_slice(&cert(folder.path(), &["--json"]).stdout).unwrap();
    assert_eq!((second["new_authority"].clone(), authority(folder.path())), (Value::Bool(false), ca));
    let refused = cert(folder.path(), &["--host", "elsewhere.example"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8(refused.stderr).unwrap().contains("cannot vouch for elsewhere.example"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_facade_can_be_called_by_its_address() {
    let lab = Lab::new(documented()).await;
    let made = cert(lab.folder.path(), &["--host", "127.0.0.1"]);
    assert!(made.status.success(), "{made:?}");
    let tls = "[facade.wechat]\nlisten = \"127.0.0.1:0\"\ntls = { cert = \"tls/cert.pem\", key = \"tls/key.pem\" }\n";
    let server = lab.serve(&format!("{tls}{}", classic("5m")));
    let ca = reqwest::Certificate::from_pem(&authority(lab.folder.path())).unwrap();
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([ca]).build().unwrap();
    let query = format!("grant_type=client_credential&appid=wxclassic&secret={KEY}");
    let url = format!("{}/cgi-bin/token?{query}", server.facade().replace("http://", "https://"));
    let answer: Value = client.get(url).send().await.unwrap().json().await.unwrap();
    assert!(answer["access_token"].is_string(), "{answer}");
}

#[test]
fn openssl_too_trusts_names_and_addresses_beside_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let verifies = |arguments: &[&str]| {
        let mut verify = std::process::Command::new("openssl");
        verify.arg("verify").arg("-CAfile").arg(folder.path().join("tls/ca.pem")).args(arguments);
        verify.arg(folder.path().join("tls/cert.pem")).output().unwrap().status.success()
    };
    for hosts in [&["127.0.0.1"][..], &["127.0.0.1", "::1"], &["api.weixin.qq.com", "10.0.0.7"]] {
        let arguments: Vec<&str> = hosts.iter().flat_map(|host| ["--host", host]).collect();
        assert!(cert(folder.path(), &arguments).status.success(), "{hosts:?}");
        for host in hosts {
            let kind = if host.ends_with("com") { "-verify_hostname" } else { "-verify_ip" };
            assert!(verifies(&[kind, host]), "{host} of {hosts:?}");
        }
        std::fs::remove_dir_all(folder.path().join("tls")).unwrap();
    }
}

#[test]
fn an_authority_for_an_address_vouches_for_no_other_and_for_no_name() {
    let folder = tempfile::tempdir().unwrap();
    assert!(cert(folder.path(), &["--host", "127.0.0.1"]).status.success());
    for other in ["127.0.0.2", "::1", "api.weixin.qq.com"] {
        let refused = cert(folder.path(), &["--host", other]);
        let said = String::from_utf8(refused.stderr).unwrap();
        assert!(said.contains(&format!("cannot vouch for {other}")), "{said}");
    }
}

#[test]
fn a_host_that_cannot_be_certified_leaves_no_authority_behind() {
    let folder = tempfile::tempdir().unwrap();
    for wrong in ["foo bar", "*.example.com", "example.com.", "[::1]", "localhost:443", ""] {
        let refused = cert(folder.path(), &["--host", "localhost", "--host", wrong]);
        let said = String::from_utf8(refused.stderr).unwrap();
        assert!(said.contains(&format!("{wrong:?} cannot be certified")), "{said}");
        assert!(!folder.path().join("tls").exists(), "{wrong:?}");
    }
    let made = cert(folder.path(), &["--host", "localhost"]);
    assert!(made.status.success(), "{made:?}");
}

#[test]
fn private_keys_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    cert(folder.path(), &[]);
    for key in ["tls/ca-key.pem", "tls/key.pem"] {
        let mode = std::fs::metadata(folder.path().join(key)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{key}");
    }
}
