//! A sink in Redis, and waiting for it.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::Redis;
use crate::lab::Server;

/// What the SDK is configured with in place of the app's secret.
pub const SECRET_OF_SDK: &str = "what-the-sdk-has";

/// A sink of the credential `shop`.
pub fn sink(redis: &Redis, lines: &str) -> String {
    format!(
        "[credentials.shop.sinks.sdk]\nto = \"redis\"\nurl = {{ inline = \"{}\" }}\n{lines}\n",
        redis.url()
    )
}

/// Waits until the sink stands so, asking for the status each time: that takes its own time.
pub async fn until(server: &Server, what: impl Fn(&Value) -> bool) -> Value {
    let begin = Instant::now();
    loop {
        let status = server.status("shop").await;
        if what(&status["sinks"][0]) {
            return status["sinks"][0].clone();
        }
        assert!(begin.elapsed() < Duration::from_secs(30), "it never came: {status}");
    }
}

/// Waits until the token of this generation is there.
pub async fn delivered(server: &Server, generation: u64) {
    until(server, |sink| sink["generation"].as_u64() >= Some(generation)).await;
}

pub const SDK_SECRET: &str = "sdk_secret = { inline = \"what-the-sdk-has\" }";
