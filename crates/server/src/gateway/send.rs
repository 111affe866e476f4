//! A call on the wire: the request as the platform wants it, sent to the first base URL that can be reached.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, Uri, Version, header};
use tokenward_api::{ErrorCode, Problem};
use tokenward_core::time::Span;
use tokenward_providers::{PathRule, Placement, encode};

use super::Place;
use super::body::{CallBody, Copy};
use super::headers;
use super::origin::{Relay, SendError};
use super::prepared::{Held, Prepared, malformed, too_large};
use crate::clock;
use crate::http::Refusal;

enum Failed {
    Sending(SendError),
    TimedOut,
}

impl Prepared<'_> {
    /// Sends the call to the first base URL that can be connected to.
    pub(super) async fn send(
        &self,
        held: Option<&Held>,
        body: CallBody,
        bodyless: bool,
        copy: &Arc<Copy>,
    ) -> Result<Response<Relay>, Refusal> {
        let preferred = self.route.material.places().map(|(index, _)| index);
        let mut body = Some(body);
        let mut last = None;
        for index in preferred {
            let Some(place) = self.route.places.get(index) else { continue };
            let Some(unsent) = body.take() else { break };
            let mut request = Some(self.request(place, held, unsent)?);
            match self.exchange(place, held, &mut request, bodyless, copy).await {
                Ok(response) => {
                    self.route.material.prefer_place(index);
                    return Ok(response);
                }
                Err(error) => last = Some(error),
            }
            // Still there if nothing was sent: the next place may be better.
            body = request.map(Request::into_body);
        }
        Err(self.explain(last, copy))
    }

    async fn exchange(
        &self,
        place: &Place,
        held: Option<&Held>,
        request: &mut Option<Request<CallBody>>,
        bodyless: bool,
        copy: &Arc<Copy>,
    ) -> Result<Response<Relay>, Failed> {
        let again = || self.request(place, held, CallBody::whole(Bytes::new())).ok();
        let repeatable = bodyless && self.method.is_safe();
        let again: Option<&(dyn Fn() -> Option<Request<CallBody>> + Sync)> =
            if repeatable { Some(&again) } else { None };
        let sending = place.origin.send(request, again, copy);
        let mut sending = std::pin::pin!(sending);
        // The platform's time to answer begins when the body has passed, and a body that keeps coming takes none of
        // it.
        loop {
            let left = copy.progress() + self.route.rules.timeout - clock::boot();
            if left <= Span::ZERO {
                return Err(Failed::TimedOut);
            }
            let patience = Duration::from_millis(u64::try_from(left.0).unwrap_or(0));
            if let Ok(sent) = tokio::time::timeout(patience, &mut sending).await {
                return sent.map_err(Failed::Sending);
            }
        }
    }

    fn request(
        &self,
        place: &Place,
        held: Option<&Held>,
        body: CallBody,
    ) -> Result<Request<CallBody>, Box<Problem>> {
        let mut headers = headers::of_request(&self.headers);
        headers.insert(header::HOST, place.origin.host.clone());
        if matches!(self.rule, PathRule::SecretInBody { .. }) {
            headers.remove(header::CONTENT_LENGTH);
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let target = self.target_with(place, held, &mut headers)?;
        let uri = if place.origin.connector().wants_whole_url(&place.origin.authority) {
            if let Some(authorization) = place.origin.connector().proxy_authorization() {
                headers.extend(
                    headers::sensitive(authorization.to_owned())
                        .map(|value| (header::PROXY_AUTHORIZATION, value)),
                );
            }
            format!("http://{}{target}", place.origin.authority)
        } else {
            target
        };
        let uri = Uri::try_from(uri)
            .map_err(|_| malformed("the path or the query has characters that no URL has"))?;
        let mut request = Request::new(body);
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = uri;
        *request.version_mut() = Version::HTTP_11;
        *request.headers_mut() = headers;
        Ok(request)
    }

    fn target_with(
        &self,
        place: &Place,
        held: Option<&Held>,
        headers: &mut HeaderMap,
    ) -> Result<String, Box<Problem>> {
        let material = &self.route.material;
        let put = |parameters: &[(&str, &str)]| {
            self.target.with(&place.prefix, parameters).map_err(|bad| malformed(&bad.to_string()))
        };
        match (self.rule, held) {
            // The secret is in the body; a client may have written its key into the query.
            (PathRule::SecretInBody { .. }, _) => Ok(format!("{}/{}", place.prefix, self.target.path)),
            (PathRule::Secret { id, secret }, _) => {
                let app_id = encode(self.provider().app_id());
                let secrets = material.secrets();
                let value = secrets.first().map(|secret| encode(secret.expose())).unwrap_or_default();
                match secret {
                    Some(secret) => put(&[(id, &app_id), (secret, &value)]),
                    None => put(&[(id, &app_id)]),
                }
            }
            (_, Some(held)) => match self.provider().placement() {
                Placement::Query(name) => put(&[(name, &encode(held.token.expose()))]),
                Placement::Bearer => {
                    let value = headers::sensitive(format!("Bearer {}", held.token.expose()));
                    headers.extend(value.map(|value| (header::AUTHORIZATION, value)));
                    put(&[])
                }
            },
            (_, None) => put(&[]),
        }
    }

    fn explain(&self, failed: Option<Failed>, copy: &Copy) -> Refusal {
        let name = &self.route.material.name;
        if copy.is_too_large() {
            return too_large(self.route.rules.max_body).into();
        }
        let problem = match failed {
            Some(Failed::TimedOut) => {
                let seconds = self.route.rules.timeout.whole_seconds();
                ErrorCode::CallTimedOut
                    .problem(format!("the platform of {name} did not answer within {seconds} s"))
            }
            Some(Failed::Sending(error @ SendError::Broken(_))) => {
                ErrorCode::CallBroken.problem(format!("the call of {name} may have arrived: {error}"))
            }
            Some(Failed::Sending(error @ (SendError::NotSent(_) | SendError::Unsent(_)))) => {
                ErrorCode::Unreachable.problem(format!("the call of {name} was not made: {error}"))
            }
            Some(Failed::Sending(SendError::Taken)) | None => {
                ErrorCode::Unreachable.problem(format!("{name} has nowhere to call"))
            }
        };
        problem.into()
    }
}
