//! Temporary keys of the platform's own cloud: here they open nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use super::{CloudFailure, Done, Errand, fields};
use crate::chance::Chance;
use crate::moment::Moment;

/// Who got how many keys in which hour.
#[derive(Clone, Debug, Default)]
pub(super) struct TemporaryKeys {
    /// By app: the number of the hour, and the keys in it.
    handed_out: BTreeMap<String, (i64, u32)>,
}

/// Calls an hour and app.
const AN_HOUR: u32 = 10;
/// The longest life, in seconds.
const LONGEST_LIFE: u64 = 7_200;

impl TemporaryKeys {
    /// Makes a key for the life that is asked for.
    pub(super) fn make(&mut self, errand: &Errand, chance: &mut Chance) -> Done {
        let body = fields(&errand.body)?;
        let life = body.get("lifespan").ok_or_else(CloudFailure::data_format)?;
        let life = life.as_u64().filter(|life| (1..=LONGEST_LIFE).contains(life));
        let life = life.ok_or_else(|| {
            CloudFailure::new(40097, format!("invalid args (lifespan is 1 to {LONGEST_LIFE} seconds)"))
        })?;
        self.count(&errand.app_id, errand.now)?;
        let expires = errand.now.plus(Duration::from_secs(life));
        Ok(json!({
            "secretid": format!("AKID{}", chance.token_text(60)),
            "secretkey": chance.token_text(44),
            "token": chance.token_text(160),
            "expired_time": expires.unix_seconds(),
        }))
    }

    /// Hours begin with the clock's, which the documents do not say.
    fn count(&mut self, app_id: &str, now: Moment) -> Result<(), CloudFailure> {
        let hour = now.unix_seconds() / 3_600;
        let counted = self.handed_out.entry(app_id.to_owned()).or_insert((hour, 0));
        if counted.0 != hour {
            *counted = (hour, 0);
        }
        if counted.1 >= AN_HOUR {
            return Err(CloudFailure::new(45009, "reach max api daily quota limit"));
        }
        counted.1 += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value as Json;

    use super::*;
    use crate::cloud::CloudCall;

    const START: i64 = 1_795_161_600;

    fn ask(keys: &mut TemporaryKeys, second: i64, body: &'static str) -> Result<Json, CloudFailure> {
        let errand = Errand {
            call: CloudCall::CloudKey,
            app_id: "wx1".to_owned(),
            now: Moment::from_unix_seconds(START + second),
            query: String::new(),
            body: body.into(),
            host: None,
        };
        keys.make(&errand, &mut Chance::seeded(1))
    }

    #[test]
    fn a_key_lives_as_long_as_asked() {
        let key = ask(&mut TemporaryKeys::default(), 0, r#"{"lifespan":7200}"#).unwrap();
        assert_eq!(key["expired_time"], START + 7_200);
        assert!(["secretid", "secretkey", "token"].iter().all(|name| key[name].is_string()));
    }

    #[test]
    fn a_life_is_two_hours_at_most() {
        let code = |body| ask(&mut TemporaryKeys::default(), 0, body).unwrap_err().code;
        assert_eq!(
            (code(r#"{"lifespan":7201}"#), code(r#"{"lifespan":0}"#), code("{}")),
            (40097, 40097, 47001)
        );
    }

    #[test]
    fn there_are_ten_an_hour() {
        let mut keys = TemporaryKeys::default();
        for _ in 0..10 {
            ask(&mut keys, 0, r#"{"lifespan":1}"#).unwrap();
        }
        assert_eq!(ask(&mut keys, 3_599, r#"{"lifespan":1}"#).unwrap_err().code, 45009);
        assert!(ask(&mut keys, 3_600, r#"{"lifespan":1}"#).is_ok());
    }
}
