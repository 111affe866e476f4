//! `tokenward check`

use std::path::Path;

use owo_colors::OwoColorize as _;
use serde_json::json;
use tokenward_server::clock;
use tokenward_server::config::{Config, CredentialConfig};
use tokenward_server::{Trial, try_out};

use crate::failure::{Failure, finding, show_finding};
use crate::output;

/// Reads the configuration and every secret in it; with `live`, also asks every platform.
pub async fn run(path: &Path, live: bool, as_json: bool) -> Result<(), Failure> {
    let config = Config::load(path)?;
    let warnings = [config.warnings.as_slice(), &config.check_secrets()?].concat();
    if !as_json {
        warnings.iter().for_each(show_finding);
        let (credentials, clients) = (config.credentials.len(), config.clients.len());
        output::text(&format!("{}: {credentials} credentials, {clients} clients, no errors", path.display()));
        config.credentials.iter().for_each(show_schedule);
    }
    let mut results = Vec::new();
    let mut failed = false;
    if live {
        for credential in &config.credentials {
            let name = credential.name.as_str();
            let trial = try_out(&config, credential).await?;
            failed |= matches!(trial, Trial::Fails(_));
            results.push(if as_json { as_value(name, &trial) } else { show(name, &trial) });
        }
    }
    if as_json {
        let warnings: Vec<_> = warnings.iter().map(finding).collect();
        let schedules: Vec<_> = config.credentials.iter().filter_map(schedule_as_value).collect();
        output::json(
            &json!({ "ok": !failed, "warnings": warnings, "schedules": schedules, "live": results }),
        );
    }
    if failed { Err(Failure::Said) } else { Ok(()) }
}

fn show_schedule(credential: &CredentialConfig) {
    if let Some(schedule) = &credential.schedule {
        let times = schedule.next_times(clock::wall()).into_iter().map(|time| schedule.show(time));
        let times = times.collect::<Vec<_>>().join(", ");
        output::text(&format!("{}: scheduled for {times}", credential.name));
    }
}

fn schedule_as_value(credential: &CredentialConfig) -> Option<serde_json::Value> {
    let times = credential.schedule.as_ref()?.next_times(clock::wall()).into_iter().map(clock::rfc3339);
    Some(json!({ "credential": credential.name.as_str(), "next": times.collect::<Vec<_>>() }))
}

fn show(name: &str, trial: &Trial) -> serde_json::Value {
    match trial {
        Trial::Works { life, spared } => {
            let how = if *spared {
                " (asked through stable_token, so that the live token is not harmed)"
            } else {
                ""
            };
            let seconds = life.whole_seconds();
            output::text(&format!("{} {name}: a token for {seconds} s{how}", "works".green()));
        }
        Trial::Fails(failure) => {
            let next_step = failure.next_step.replace("NAME", name);
            output::text(&format!("{} {name}: {}\n  {next_step}", "fails".red().bold(), failure.detail));
        }
    }
    serde_json::Value::Null
}

fn as_value(name: &str, trial: &Trial) -> serde_json::Value {
    match trial {
        Trial::Works { life, spared } => json!({
            "credential": name, "ok": true, "life_seconds": life.whole_seconds(), "asked_stable_token": spared,
        }),
        Trial::Fails(failure) => json!({
            "credential": name, "ok": false, "code": failure.kind.code(), "detail": &*failure.detail,
            "next_step": failure.next_step.replace("NAME", name),
        }),
    }
}
