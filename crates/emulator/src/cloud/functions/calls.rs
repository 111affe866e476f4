//! The calls of the cloud API that are about functions.

use serde_json::{Value as Json, json};

use super::Source;
use super::agenda::Appointment;
use crate::cloud::environment::text;
use crate::cloud::{Cloud, CloudFailure, Done, Errand, fields};
use crate::moment::Moment;
use crate::params::Params;

/// The shortest and the longest delay, in seconds.
const DELAYS: std::ops::RangeInclusive<u64> = 6..=30 * 86_400;
/// The largest event of a delayed task, in bytes.
const LARGEST_EVENT: usize = 128 * 1024;

impl Cloud {
    /// Calls a function. With a name in the query string the body is the event; else the body says everything.
    pub(in crate::cloud) async fn invoke(&self, errand: Errand) -> Done {
        let body = fields(&errand.body)?;
        let query = Params::form(&errand.query);
        let env = match query.get("env") {
            Some(env) => env,
            None => text(&body, "env")?,
        };
        let env = self.existing(env)?;
        let (name, event) = match query.get("name") {
            Some(name) => (name, body.to_string()),
            None => {
                let name = text(&body, "name").map_err(|_| CloudFailure::no_such_function())?;
                (name, event_in(&body, "req_data"))
            }
        };
        let source = Source::Http(errand.app_id);
        let result = self.shared.functions.invoke(env, name, &event, source).await?;
        Ok(json!({ "resp_data": result }))
    }

    /// Calls a function later.
    pub(in crate::cloud) fn invoke_later(&self, errand: Errand) -> Done {
        let body = fields(&errand.body)?;
        let env = self.existing(text(&body, "env")?)?;
        let name = text(&body, "function_name")?;
        let event = event_in(&body, "data");
        let delay = body.get("delay_time").ok_or_else(CloudFailure::data_format)?;
        let delay = delay.as_u64().filter(|delay| DELAYS.contains(delay)).ok_or_else(|| {
            let (least, most) = (DELAYS.start(), DELAYS.end());
            CloudFailure::new(40097, format!("invalid args (delay_time is {least} to {most})"))
        })?;
        if event.len() > LARGEST_EVENT {
            let text = format!("invalid args (data has more than {LARGEST_EVENT} bytes)");
            return Err(CloudFailure::new(40097, text));
        }
        let at = errand.now.plus(std::time::Duration::from_secs(delay));
        self.shared.functions.add_task(at, env, name, event, Source::Delayed(errand.app_id))?;
        Ok(json!({}))
    }
}

impl super::Functions {
    fn add_task(
        &self,
        at: Moment,
        env: &str,
        name: &str,
        event: String,
        source: Source,
    ) -> Result<(), CloudFailure> {
        // What cannot be called later is refused now.
        self.call(env, name, &event, source.clone())?;
        let appointment = Appointment { env: env.to_owned(), function: name.to_owned(), event, source };
        super::lock(&self.shared.agenda).add_task(at, appointment)?;
        self.shared.changed.notify_one();
        Ok(())
    }
}

/// An event in a field: as text, or as it is. Without one it is empty.
fn event_in(body: &Json, field: &str) -> String {
    match body.get(field) {
        None | Some(Json::Null) => "{}".to_owned(),
        Some(Json::String(text)) if text.is_empty() => "{}".to_owned(),
        Some(Json::String(text)) => text.clone(),
        Some(event) => event.to_string(),
    }
}
