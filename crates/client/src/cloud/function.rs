//! Functions, now and later; short messages; temporary keys.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokenward_cloud::wire::{
    AddDelayedFunctionTask, Done, FunctionAnswer, GetQcloudToken, QcloudToken, SendSms, SendSmsAnswer,
    SendSmsV2, SendSmsV2Answer, SmsStatus, path,
};

use super::{Again, CallError, Cloud};

impl Cloud {
    /// Calls a function with an event, and returns what it returned. It is never called twice.
    ///
    /// # Errors
    /// The platform refuses, the function fails, or it returns something of another type.
    pub async fn invoke<T: DeserializeOwned>(
        &self,
        function: &str,
        event: &(impl Serialize + ?Sized),
    ) -> Result<T, CallError> {
        let mut body = serde_json::to_vec(event).map_err(CallError::Event)?;
        if body == b"null" {
            // An empty call is refused.
            body = b"{}".to_vec();
        }
        let parameters = [("env", self.env.as_str()), ("name", function)];
        let answer: FunctionAnswer =
            self.post(path::INVOKE_CLOUD_FUNCTION, &parameters, body, Again::Never).await?;
        // A function that returns nothing has nothing in its answer.
        let returned = if answer.resp_data.is_empty() { "null" } else { &answer.resp_data };
        serde_json::from_str(returned).map_err(CallError::Returned)
    }

    /// Calls a function later: after 6 seconds to 30 days. It cannot be called off.
    ///
    /// # Errors
    /// The platform refuses, or the delay is not one it takes.
    pub async fn invoke_later(
        &self,
        function: &str,
        event: &(impl Serialize + ?Sized),
        delay: Duration,
    ) -> Result<(), CallError> {
        let event: Value = serde_json::to_value(event).map_err(CallError::Event)?;
        let seconds = u32::try_from(delay.as_secs()).unwrap_or(u32::MAX);
        let Done {} = self.call(&AddDelayedFunctionTask::new(&self.env, function, &event, seconds)).await?;
        Ok(())
    }

    /// Sends short messages by a template. `env` is put in. More than a thousand numbers go in several calls; when one
    /// fails, those before it have been sent.
    ///
    /// # Errors
    /// The platform refuses.
    pub async fn send_sms_v2(&self, message: SendSmsV2) -> Result<Vec<SmsStatus>, CallError> {
        let mut sent = Vec::new();
        for numbers in message.phone_number_list.chunks(tokenward_cloud::wire::MOST_PHONE_NUMBERS) {
            let part =
                SendSmsV2 { env: self.env.clone(), phone_number_list: numbers.to_vec(), ..message.clone() };
            let SendSmsV2Answer { send_status_list } = self.call(&part).await?;
            sent.extend(send_status_list);
        }
        Ok(sent)
    }

    /// Sends short messages with a text of one's own. `env` is put in, and numbers are split as for
    /// [`Cloud::send_sms_v2`].
    ///
    /// # Errors
    /// The platform refuses.
    pub async fn send_sms(&self, message: SendSms) -> Result<Vec<SmsStatus>, CallError> {
        let mut sent = Vec::new();
        for numbers in message.phone_number_list.chunks(tokenward_cloud::wire::MOST_PHONE_NUMBERS) {
            let part =
                SendSms { env: self.env.clone(), phone_number_list: numbers.to_vec(), ..message.clone() };
            let SendSmsAnswer { send_status_list } = self.call(&part).await?;
            sent.extend(send_status_list);
        }
        Ok(sent)
    }

    /// Temporary keys for the cloud behind, for two hours at most. The platform gives ten an hour.
    ///
    /// # Errors
    /// The platform refuses.
    pub async fn qcloud_token(&self, lifespan: Duration) -> Result<QcloudToken, CallError> {
        let lifespan = u32::try_from(lifespan.as_secs()).unwrap_or(u32::MAX);
        self.call(&GetQcloudToken { lifespan }).await
    }
}
