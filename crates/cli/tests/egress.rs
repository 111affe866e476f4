//! Where Tokenward connects to, and where it does not.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod lab;

use std::process::{Command, Output};

use lab::{Lab, classic, documented};

/// Runs `tokenward check --live` where a name leads to this machine.
fn check_with_name(lab: &Lab, name: &str, egress: &str) -> Output {
    let hosts = lab.folder.path().join("hosts");
    std::fs::write(&hosts, format!("127.0.0.1 localhost {name}\n")).unwrap();
    let url = lab.emulator.url().replace("127.0.0.1", name);
    let config = lab.write_config(&(egress.to_owned() + &classic("5m").replace("PLATFORM", &url)));
    let script = "mount --bind \"$1\" /etc/hosts && exec \"$2\" check --live -c \"$3\"";
    Command::new("unshare")
        .args(["-m", "sh", "-c", script, "sh"])
        .args([&hosts, std::path::Path::new(env!("CARGO_BIN_EXE_tokenward")), &config])
        .output()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_leads_into_the_private_network_is_not_followed() {
    let lab = Lab::new(documented()).await;
    let output = tokio::task::block_in_place(|| check_with_name(&lab, "platform.example", ""));
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("private network") && said.contains("egress.allow_private"), "{said}");
    assert_eq!(lab.issued(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_name_is_followed_where_the_operator_allows_it() {
    let lab = Lab::new(documented()).await;
    let allowed = "[egress]\nallow_private = true\n";
    let output = tokio::task::block_in_place(|| check_with_name(&lab, "platform.example", allowed));
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("works"), "{said}");
}
