//! Functions and short messages.

use serde::de::DeserializeOwned;
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use super::{Call, Done, LONGEST_DELAY, LimitError, MOST_PHONE_NUMBERS, SHORTEST_DELAY, path};

/// Calls a function. It serializes as the event alone; `env` and `name` are in [`Call::parameters`].
#[derive(Clone, Debug, PartialEq)]
pub struct InvokeFunction {
    /// The environment.
    pub env: String,
    /// The function.
    pub name: String,
    /// What it is called with; null is sent as `{}`, because an empty call is refused.
    pub event: Value,
}

impl Serialize for InvokeFunction {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.event {
            Value::Null => serializer.serialize_map(Some(0))?.end(),
            event => event.serialize(serializer),
        }
    }
}

impl Call for InvokeFunction {
    const PATH: &'static str = path::INVOKE_CLOUD_FUNCTION;
    type Answer = FunctionAnswer;

    fn parameters(&self) -> Vec<(&'static str, &str)> {
        vec![("env", &self.env), ("name", &self.name)]
    }
}

/// What a function returned.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FunctionAnswer {
    /// JSON in a text.
    pub resp_data: String,
}

impl FunctionAnswer {
    /// What the function returned, as one's own type.
    ///
    /// # Errors
    /// It is not of that type.
    pub fn result<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(&self.resp_data)
    }
}

/// Calls a function later. It cannot be called off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddDelayedFunctionTask {
    /// The environment.
    pub env: String,
    /// The function.
    pub function_name: String,
    /// The event: JSON in a text.
    pub data: String,
    /// Seconds from now, 6 to 30 days.
    pub delay_time: u32,
}

impl AddDelayedFunctionTask {
    /// Calls a function with an event after so many seconds.
    #[must_use]
    pub fn new(
        env: impl Into<String>,
        function_name: impl Into<String>,
        event: &Value,
        delay_time: u32,
    ) -> AddDelayedFunctionTask {
        let (env, function_name) = (env.into(), function_name.into());
        AddDelayedFunctionTask { env, function_name, data: event.to_string(), delay_time }
    }
}

impl Call for AddDelayedFunctionTask {
    const PATH: &'static str = path::ADD_DELAYED_FUNCTION_TASK;
    type Answer = Done;

    fn check(&self) -> Result<(), LimitError> {
        let [given, least, most] = [self.delay_time, SHORTEST_DELAY, LONGEST_DELAY]
            .map(|it| usize::try_from(it).unwrap_or(usize::MAX));
        LimitError::check("delay_time", given, least, most)
    }
}

/// Sends short messages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendSmsV2 {
    /// The environment.
    pub env: String,
    /// The link for messages that open a mini program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url_link: Option<String>,
    /// The template.
    pub template_id: String,
    /// What is put into the template.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub template_param_list: Vec<String>,
    /// Up to a thousand, such as `+8613800000000`.
    pub phone_number_list: Vec<String>,
    /// Whether to sign with the short name of the mini program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub use_short_name: Option<bool>,
    /// The app that owns the resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_appid: Option<String>,
}

impl Call for SendSmsV2 {
    const PATH: &'static str = path::SEND_SMS_V2;
    type Answer = SendSmsV2Answer;

    fn check(&self) -> Result<(), LimitError> {
        LimitError::check("phone_number_list", self.phone_number_list.len(), 1, MOST_PHONE_NUMBERS)
    }
}

/// Sends short messages with a text of one's own that leads into the mini program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendSms {
    /// The environment.
    pub env: String,
    /// `Marketing` or `Notification`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sms_type: Option<String>,
    /// The text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// The page of the static site that the message leads to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The template, instead of a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_id: Option<String>,
    /// What is put into the template.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub template_param_list: Vec<String>,
    /// Up to a thousand, such as `+8613800000000`.
    pub phone_number_list: Vec<String>,
    /// Whether to sign with the short name of the mini program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub use_short_name: Option<bool>,
    /// The app that owns the resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_appid: Option<String>,
}

/// What became of the messages.
pub type SendSmsAnswer = SendSmsV2Answer;

impl Call for SendSms {
    const PATH: &'static str = path::SEND_SMS;
    type Answer = SendSmsAnswer;

    fn check(&self) -> Result<(), LimitError> {
        LimitError::check("phone_number_list", self.phone_number_list.len(), 1, MOST_PHONE_NUMBERS)
    }
}

/// What became of the messages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SendSmsV2Answer {
    /// One for each number.
    pub send_status_list: Vec<SmsStatus>,
}

/// What became of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SmsStatus {
    /// Its number at the platform.
    pub serial_no: String,
    /// Whom it went to.
    pub phone_number: String,
    /// `Ok`, or why not.
    pub code: String,
    /// In words.
    pub message: String,
    /// The country.
    pub iso_code: String,
}
