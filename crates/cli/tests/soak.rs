//! Reads and uses a classic token as fast as it can, for half a minute or for `TOKENWARD_SOAK`: no call is
//! refused for its token, and no more is fetched than rotations were due.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
#![allow(clippy::disallowed_methods, reason = "a soak lasts for a time")]

mod lab;

use std::time::{Duration, Instant};

use lab::{Lab, classic, scaled};

fn length() -> Duration {
    let text = std::env::var("TOKENWARD_SOAK").unwrap_or_else(|_| "30s".to_owned());
    let span = tokenward_server::config::parse_span(&text).unwrap();
    Duration::from_millis(u64::try_from(span.0).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_call_is_refused_and_nothing_is_fetched_beyond_the_plan() {
    let lab = Lab::new(scaled(20, 5)).await;
    let server = lab.serve(&classic("5s"));
    let begun = Instant::now();
    let mut held = server.token("shop").await;
    let mut held_until = Instant::now();
    let (mut uses, mut generation) = (0_u64, 0);
    while begun.elapsed() < length() {
        let answer = server.token("shop").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(
            lab.accepts(server.http(), answer.token()).await,
            "use {uses} of generation {}",
            answer.generation()
        );
        generation = answer.generation();
        // Beside it a holder that keeps each token exactly as long as it was told.
        if Instant::now() >= held_until {
            held = answer;
            held_until = Instant::now() + Duration::from_secs(held.body["expires_in"].as_u64().unwrap());
        } else {
            let accepted = lab.accepts(server.http(), held.token()).await;
            assert!(
                accepted || Instant::now() >= held_until,
                "a held token was refused within its told life"
            );
        }
        uses += 1;
    }
    let fetches = lab.emulator.stats().token_requests;
    assert!(fetches.abs_diff(generation) <= 1, "{fetches} fetches for {generation} generations");
    assert!(uses > 1_000, "{uses} uses");
}
