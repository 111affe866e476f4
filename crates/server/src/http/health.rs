//! `/healthz`, `/readyz`, `/metrics`.

use http::{Response, StatusCode};
use serde_json::json as value;

use super::Api;
use super::answer::{Body, json, text};
use crate::clients::Caller;

/// The process is alive.
pub fn healthz() -> Response<Body> {
    json(StatusCode::OK, &value!({ "status": "ok" }))
}

/// Whether requests should be sent here: the store works and the server is not shutting down.
pub fn readyz(api: &Api) -> Response<Body> {
    let unkept = api.feed.iter().filter(|entry| entry.view().unkept).count();
    let (status, reason, next_step) = if api.is_draining() {
        ("draining", "the server is shutting down", "Send requests to another node.")
    } else if api.store.is_failing() || unkept > 0 {
        (
            "store_failing",
            "the store fails: tokens are served, but a crash now would cost a fetch each",
            "Free space on the disk that holds data_dir, or make it writable.",
        )
    } else {
        return json(StatusCode::OK, &value!({ "status": "ready" }));
    };
    let body =
        value!({ "status": status, "reason": reason, "next_step": next_step, "unkept_tokens": unkept });
    json(StatusCode::SERVICE_UNAVAILABLE, &body)
}

/// Prometheus metrics of the credentials that the caller may see; of all without a caller.
pub fn metrics(api: &Api, caller: Option<&Caller>) -> Response<Body> {
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    text(
        content_type,
        api.telemetry.metrics.render(
            &api.feed,
            |entry| caller.is_none_or(|caller| caller.sees(entry)),
            &api.callbacks.as_ref().map(|callbacks| callbacks.metrics()).unwrap_or_default(),
        ),
    )
}
