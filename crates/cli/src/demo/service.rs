//! A service as a team would write it: read the token, use it, report it when the platform refuses it.

use std::sync::Arc;
use std::time::Duration;

use tokenward_client::{Client, Token};

use super::proof::Proof;
use super::show::Show;
use super::stage::{Call, DemoCredential};
use crate::failure::Failure;

/// One service.
pub struct Service {
    credential: DemoCredential,
    tokenward: Client,
    http: reqwest::Client,
    platform: String,
    proof: Arc<Proof>,
}

const PAUSE: Duration = Duration::from_millis(200);

impl Service {
    pub fn new(
        credential: DemoCredential,
        url: &str,
        platform: &str,
        key: &str,
        proof: Arc<Proof>,
    ) -> Result<Service, Failure> {
        let http = reqwest::Client::builder().no_proxy().build();
        let http = http.map_err(|error| Failure::failed(error.to_string(), "Try again."))?;
        let tokenward = Client::new(url, key)?;
        Ok(Service { credential, tokenward, http, platform: platform.to_owned(), proof })
    }

    /// Works until it is stopped.
    pub async fn run(self, show: Arc<Show>) {
        let mut turns = tokio::time::interval(PAUSE);
        loop {
            turns.tick().await;
            self.work(&show).await;
        }
    }

    async fn work(&self, show: &Show) {
        let name = self.credential.name;
        let token = match self.tokenward.token(name).await {
            Ok(token) => token,
            Err(error) => return show.trouble(name, &error.to_string()),
        };
        self.proof.read();
        if self.is_accepted(&token).await {
            self.proof.used(name);
            return;
        }
        show.refused(name, token.generation);
        self.proof.refused(name);
        match self.tokenward.report(name, token.generation).await {
            Ok(next) if next.generation > token.generation && self.is_accepted(&next).await => {
                self.proof.healed(name);
                show.healed(name, next.generation);
            }
            Ok(_) => {}
            Err(error) => show.trouble(name, &error.to_string()),
        }
    }

    /// Calls the platform with the token, and looks whether it complains about it.
    async fn is_accepted(&self, token: &Token) -> bool {
        let (http, platform) = (&self.http, &self.platform);
        let request = match self.credential.call {
            Call::Get(path) => http.get(format!("{platform}{path}")).query(&[("access_token", &token.token)]),
            Call::Post(path) => http
                .post(format!("{platform}{path}"))
                .query(&[("access_token", &token.token)])
                .form(&[("image", "aGVsbG8=")]),
            Call::Bearer(path) => http.get(format!("{platform}{path}")).bearer_auth(&token.token),
        };
        let Ok(response) = request.send().await else { return false };
        let refused = response.status() == 401;
        let body: serde_json::Value = response.json().await.unwrap_or_default();
        !refused && body.get("errcode").is_none_or(|code| code == 0) && body.get("error_code").is_none()
    }
}
