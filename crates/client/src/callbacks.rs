//! Messages of platforms on their way to their targets: the operator's view, over the admin socket.

use tokenward_api::{
    CallbackMessage, CallbackMessages, RedeliverRequest, Redelivered, WholeCallbackMessage, path,
};

use crate::{Client, ClientError};

impl Client {
    /// Messages of callbacks that are on their way or were given up, the oldest first, page by page. Needs the admin
    /// socket.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn callback_messages(
        &self,
        callback: Option<&str>,
        state: Option<&str>,
    ) -> Result<Vec<CallbackMessage>, ClientError> {
        let mut all = Vec::new();
        let mut query = vec![("limit", "1000".to_owned())];
        query.extend(callback.map(|callback| ("callback", callback.to_owned())));
        query.extend(state.map(|state| ("state", state.to_owned())));
        let given = query.len();
        loop {
            let page: CallbackMessages = self.get(path::CALLBACK_MESSAGES, &query).await?;
            all.extend(page.messages);
            let Some(next) = page.next else { return Ok(all) };
            query.truncate(given);
            query.push(("after", next.to_string()));
        }
    }

    /// Everything about one of these messages; with `text`, also what the platform wrote. Needs the admin socket.
    ///
    /// # Errors
    /// There is no such message, or the server refuses.
    pub async fn callback_message(&self, id: u64, text: bool) -> Result<WholeCallbackMessage, ClientError> {
        self.get(&path::callback_message(id), &[("text", text.to_string())]).await
    }

    /// Sends a message again, or all that were given up, and says how many that are. Needs the admin socket.
    ///
    /// # Errors
    /// There is no such message, or the server refuses.
    pub async fn redeliver(&self, id: Option<u64>, callback: Option<&str>) -> Result<usize, ClientError> {
        let request = RedeliverRequest { id, callback: callback.map(str::to_owned) };
        let done: Redelivered = self.post(path::CALLBACK_REDELIVER, &request).await?;
        Ok(done.redelivered)
    }
}
