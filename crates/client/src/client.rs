//! The client: a server's address and a key.

use std::path::Path;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Method, StatusCode, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokenward_api::{
    CardRequest, CardSignature, CredentialList, CredentialStatus, PageRequest, PageSignature, Problem,
    RefreshRequest, ReportRequest, Token, path,
};

use crate::{ClientError, Cloud};

/// A Tokenward server, as seen by one client. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    place: String,
}

const TIMEOUT: Duration = Duration::from_secs(75);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const LARGEST_ANSWER: usize = 16 * 1024 * 1024;
pub(crate) const TOO_LONG: &str = "the answer has more than 16 MiB";

impl Client {
    /// A server by its URL, with a client key.
    ///
    /// # Errors
    /// The URL or the key cannot be used.
    pub fn new(url: &str, key: &str) -> Result<Client, ClientError> {
        let mut authorization =
            HeaderValue::try_from(format!("Bearer {key}")).map_err(|_| ClientError::BadKey)?;
        authorization.set_sensitive(true);
        let base = Url::parse(url).map_err(|_| ClientError::BadUrl(url.to_owned()))?;
        let headers = HeaderMap::from_iter([(AUTHORIZATION, authorization)]);
        Client::build(reqwest::Client::builder().default_headers(headers), base, url.to_owned())
    }

    /// The server of a data folder, by its admin socket: all rights, no key.
    ///
    /// # Errors
    /// Never for an existing path; the socket is opened at the first call.
    pub fn admin(socket: &Path) -> Result<Client, ClientError> {
        let place = socket.display().to_string();
        let base = Url::parse("http://tokenward").map_err(|_| ClientError::BadUrl(place.clone()))?;
        Client::build(reqwest::Client::builder().unix_socket(socket), base, place)
    }

    fn build(builder: reqwest::ClientBuilder, base: Url, place: String) -> Result<Client, ClientError> {
        // A key goes to the server that was named, and nowhere else.
        let builder = builder.redirect(reqwest::redirect::Policy::none());
        let built = builder.no_proxy().timeout(TIMEOUT).connect_timeout(CONNECT_TIMEOUT).build();
        let http = built.map_err(|error| ClientError::Unreachable {
            place: place.clone(),
            reason: error.without_url().to_string(),
        })?;
        Ok(Client { http, base, place })
    }

    /// The current token of a credential.
    ///
    /// # Errors
    /// There is no usable token, or the server refuses.
    pub async fn token(&self, credential: &str) -> Result<Token, ClientError> {
        self.get(&path::token(&segment(credential)), &[]).await
    }

    /// The current token, with a told life of at least `min_ttl` if that can be had without harm.
    ///
    /// # Errors
    /// There is no usable token, or the server refuses.
    pub async fn token_for(&self, credential: &str, min_ttl: Duration) -> Result<Token, ClientError> {
        let min_ttl = format!("{}s", min_ttl.as_secs());
        self.get(&path::token(&segment(credential)), &[("min_ttl", min_ttl)]).await
    }

    /// Reports that the token of a generation was refused, and returns the token to use instead, which is the
    /// same one if the platform still accepts it.
    ///
    /// # Errors
    /// There is no usable token, or the server refuses.
    pub async fn report(&self, credential: &str, generation: u64) -> Result<Token, ClientError> {
        let request = ReportRequest { generation: Some(generation), token: None };
        self.post(&path::report(&segment(credential)), &request).await
    }

    /// Refreshes now. Needs the right `admin`.
    ///
    /// # Errors
    /// It would break what holders were told (unless forced), or the budget forbids it.
    pub async fn refresh(&self, credential: &str, force: bool) -> Result<CredentialStatus, ClientError> {
        self.post(&path::refresh(&segment(credential)), &RefreshRequest { force }).await
    }

    /// Signs a page for the JS-SDK with a ticket of the kind `jsapi`: what `wx.config` takes.
    ///
    /// # Errors
    /// The page's domain is not one of the ticket's, or there is no ticket now.
    pub async fn sign_page(&self, ticket: &str, url: &str) -> Result<PageSignature, ClientError> {
        self.post(&path::sign_page(&segment(ticket)), &PageRequest { url: url.to_owned() }).await
    }

    /// Signs a card with a ticket of the kind `wx_card`: what `wx.addCard` takes.
    ///
    /// # Errors
    /// The credential is no such ticket, or there is no ticket now.
    pub async fn sign_card(&self, ticket: &str, card: &CardRequest) -> Result<CardSignature, ClientError> {
        self.post(&path::sign_card(&segment(ticket)), card).await
    }

    /// A credential's standing.
    ///
    /// # Errors
    /// There is no such credential for this client.
    pub async fn credential(&self, credential: &str) -> Result<CredentialStatus, ClientError> {
        self.get(&path::credential(&segment(credential)), &[]).await
    }

    /// All credentials this client may see, page by page.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn credentials(&self) -> Result<Vec<CredentialStatus>, ClientError> {
        let mut all = Vec::new();
        let mut query = vec![("limit", "1000".to_owned())];
        loop {
            let page: CredentialList = self.get(path::CREDENTIALS, &query).await?;
            all.extend(page.credentials);
            let Some(next) = page.next else { return Ok(all) };
            query.truncate(1);
            query.push(("after", next));
        }
    }

    /// The cloud of a credential's app, in an environment. Calls go through the gateway, so the right `call` is needed.
    ///
    /// # Errors
    /// There are no connections to be had on this machine.
    pub fn cloud(&self, credential: &str, env: &str) -> Result<Cloud, ClientError> {
        Cloud::through(self.clone(), credential.to_owned(), env.to_owned())
    }

    /// Carries out a database statement of cloud development that the server builds from JSON. `operation` is `query`,
    /// `add`, `update`, `set`, `delete`, `count` or `aggregate`.
    ///
    /// # Errors
    /// The statement cannot be built, or the platform refuses it.
    pub async fn cloud_statement(
        &self,
        credential: &str,
        env: &str,
        operation: &str,
        statement: &impl Serialize,
    ) -> Result<Value, ClientError> {
        self.post(&path::cloud_database(&segment(credential), &segment(env), operation), statement).await
    }

    /// The same with a statement as text. Never put values into it: use [`Client::cloud_statement`].
    ///
    /// # Errors
    /// The platform refuses it.
    pub async fn cloud_text(
        &self,
        credential: &str,
        env: &str,
        operation: &str,
        text: &str,
    ) -> Result<Value, ClientError> {
        let path = path::cloud_database(&segment(credential), &segment(env), operation);
        let request = self.request(Method::POST, &path)?;
        self.send(request.header(CONTENT_TYPE, "text/plain").body(text.to_owned())).await
    }

    /// Calls a cloud function with an event, and returns what it returned.
    ///
    /// # Errors
    /// The platform refuses, or the function fails.
    pub async fn invoke(
        &self,
        credential: &str,
        env: &str,
        function: &str,
        event: &impl Serialize,
    ) -> Result<Value, ClientError> {
        self.post(&path::cloud_function(&segment(credential), &segment(env), &segment(function)), event).await
    }

    /// Posts JSON through the gateway, and returns the platform's answer as it is.
    pub(crate) async fn post_raw(
        &self,
        path: &str,
        parameters: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Result<Vec<u8>, ClientError> {
        let request = self.request(Method::POST, path)?.query(parameters);
        let (status, body, retry_after) =
            self.exchange(request.header(CONTENT_TYPE, "application/json").body(body)).await?;
        if status.is_success() { Ok(body) } else { Err(self.refused(status, &body, retry_after)) }
    }

    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<T, ClientError> {
        self.send(self.request(Method::GET, path)?.query(query)).await
    }

    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        self.send(self.request(Method::POST, path)?.json(body)).await
    }

    fn request(&self, method: Method, path: &str) -> Result<reqwest::RequestBuilder, ClientError> {
        let url = self.base.join(path).map_err(|_| ClientError::BadUrl(self.place.clone()))?;
        Ok(self.http.request(method, url))
    }

    async fn send<T: DeserializeOwned>(&self, request: reqwest::RequestBuilder) -> Result<T, ClientError> {
        let (status, body, retry_after) = self.exchange(request).await?;
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|_| self.nonsense(status));
        }
        Err(self.refused(status, &body, retry_after))
    }

    async fn exchange(
        &self,
        request: reqwest::RequestBuilder,
    ) -> Result<(StatusCode, Vec<u8>, Option<u64>), ClientError> {
        let failed = |error: reqwest::Error| {
            let (place, sent) = (self.place.clone(), !error.is_connect());
            let reason = innermost(&error.without_url());
            match sent {
                true => ClientError::Broken { place, reason },
                false => ClientError::Unreachable { place, reason },
            }
        };
        let response = request.send().await.map_err(failed)?;
        let status = response.status();
        let retry_after =
            response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let too_long = || ClientError::Broken { place: self.place.clone(), reason: TOO_LONG.to_owned() };
        let body = whole(response).await.map_err(failed)?.ok_or_else(too_long)?;
        Ok((status, body, retry_after))
    }

    fn refused(&self, status: StatusCode, body: &[u8], retry_after: Option<u64>) -> ClientError {
        match serde_json::from_slice::<Problem>(body) {
            Ok(problem) if !status.is_redirection() => {
                ClientError::Refused { problem: Box::new(problem), retry_after }
            }
            _ => self.nonsense(status),
        }
    }

    fn nonsense(&self, status: StatusCode) -> ClientError {
        ClientError::Nonsense { place: self.place.clone(), status: status.as_u16() }
    }
}

/// A name as one segment of a path. `.` and `..` would name another path, and encoding them does not help: so they are
/// sent as what no credential, environment or function is called.
pub(crate) fn segment(name: &str) -> String {
    if matches!(name, "." | ".." | "") {
        return "%00".to_owned();
    }
    utf8_percent_encode(name, NON_ALPHANUMERIC)
        .to_string()
        .replace("%2D", "-")
        .replace("%2E", ".")
        .replace("%5F", "_")
}

/// An answer, unless it is longer than any should be.
pub(crate) async fn whole(mut response: reqwest::Response) -> reqwest::Result<Option<Vec<u8>>> {
    let mut read = Vec::new();
    while let Some(piece) = response.chunk().await? {
        if read.len().saturating_add(piece.len()) > LARGEST_ANSWER {
            return Ok(None);
        }
        read.extend_from_slice(&piece);
    }
    Ok(Some(read))
}

pub(crate) fn innermost(error: &reqwest::Error) -> String {
    let mut reason: &dyn std::error::Error = error;
    while let Some(source) = reason.source() {
        reason = source;
    }
    reason.to_string()
}
