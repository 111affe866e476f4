//! What may be set, and what is refused before anything starts.

use super::kit::{APP, SECRET, seconds};
use crate::{App, Machine, Settings, SettingsError};

fn refusal(settings: Settings) -> SettingsError {
    Machine::new(&settings, 1).unwrap_err()
}

#[test]
fn a_listen_address_beyond_loopback_is_refused() {
    let listen = "0.0.0.0:7650".parse().unwrap();
    assert_eq!(refusal(Settings { listen, ..Settings::default() }), SettingsError::RemoteListen(listen));
}

#[test]
fn a_listen_address_beyond_loopback_can_be_allowed() {
    let listen = "0.0.0.0:7650".parse().unwrap();
    assert!(Machine::new(&Settings { listen, allow_remote: true, ..Settings::default() }, 1).is_ok());
}

#[test]
fn two_apps_of_one_id_are_refused() {
    let apps = vec![App::new(APP, "a"), App::new(APP, "b")];
    assert_eq!(refusal(Settings { apps, ..Settings::default() }), SettingsError::DuplicateApp(APP.into()));
}

#[test]
fn an_app_without_a_secret_is_refused() {
    let apps = vec![App::new(APP, "")];
    assert_eq!(refusal(Settings { apps, ..Settings::default() }), SettingsError::EmptyApp(APP.into()));
}

#[test]
fn a_life_that_cannot_be_told_is_refused() {
    let settings = Settings { token_ttl: Some(seconds(0)), ..Settings::default() };
    assert!(matches!(refusal(settings), SettingsError::LifeTooShort(_)));
}

#[test]
fn an_app_is_written_id_colon_secret() {
    assert_eq!("wx1:a:b".parse(), Ok(App::new("wx1", "a:b")));
}

#[test]
fn an_app_without_a_colon_is_no_app() {
    assert!("wx1".parse::<App>().is_err());
}

#[test]
fn printing_an_app_hides_its_secret() {
    assert!(!format!("{:?}", App::new(APP, SECRET)).contains(SECRET));
}

#[test]
fn printing_a_machine_hides_the_secrets() {
    let settings = Settings { apps: vec![App::new(APP, SECRET)], ..Settings::default() };
    assert!(!format!("{:?}", Machine::new(&settings, 1)).contains(SECRET));
}

#[test]
fn without_apps_there_is_the_documented_one() {
    let mut kit = super::kit::Kit::with(Settings::default());
    kit.fetch_for("wx0123456789abcdef", "0123456789abcdef0123456789abcdef");
}
