//! What a schedule does to the plan, one scenario a test: the test owns the clock and plays platform and store.

mod bench;

use bench::{Answer, Bench, also_every, classic, coexisting, every, minutes, seconds, stable};
use tokenward_core::budget::Limits;
use tokenward_core::failure::FailureKind;
use tokenward_core::policy::Policy;
use tokenward_core::time::{Boot, Span};

fn at(minute: i64) -> Boot {
    Boot(0) + minutes(minute)
}

#[test]
fn a_scheduled_refresh_happens_at_its_time_and_not_before() {
    let mut bench = Bench::new(every(minutes(90), classic()));
    bench.run_until(at(90) - Span(1));
    assert_eq!(bench.fetches, 1);
    bench.run_until(at(90));
    assert_eq!((bench.fetches, bench.token()), (2, Some("token-2".into())));
}

#[test]
fn holders_are_told_until_the_scheduled_refresh_and_its_safe_part() {
    let mut bench = Bench::new(every(minutes(90), classic()));
    bench.run_for(seconds(1));
    assert_eq!(bench.told_end(), Some(at(90) + Span(150_000)));
}

#[test]
fn a_scheduled_refresh_stores_its_intent_and_is_booked_like_any_other() {
    let mut bench = Bench::new(every(minutes(90), classic()));
    bench.run_until(at(89));
    bench.store_answers = false;
    bench.run_until(at(91));
    assert!(bench.intents > 1, "{} intents", bench.intents);
    assert_eq!(bench.fetches, 1);
}

#[test]
fn a_schedule_waits_for_the_next_day_when_the_budget_is_used_up() {
    let limits = Limits { per_day: 2, ..Limits::default() };
    let mut bench = Bench::new(Policy { limits, ..every(minutes(30), coexisting()) });
    bench.run_until(at(119));
    assert_eq!(bench.fetches, 2);
}

#[test]
fn a_refresh_that_was_missed_while_the_process_was_down_is_made_once() {
    let mut bench = Bench::new(every(minutes(30), classic()));
    bench.run_until(at(10));
    bench.stop();
    bench.pass(minutes(95));
    bench.start();
    bench.run_for(seconds(1));
    assert_eq!((bench.fetches, bench.generation()), (2, 2), "those of 30, 60 and 90 minutes in one");
    bench.run_until(at(120) - Span(1));
    assert_eq!(bench.fetches, 2);
    bench.run_until(at(120));
    assert_eq!(bench.fetches, 3);
}

#[test]
fn a_refresh_that_was_missed_while_the_machine_slept_is_made_once() {
    let mut bench = Bench::new(every(minutes(30), classic()));
    bench.run_until(at(10));
    bench.pass(minutes(95));
    bench.run_for(seconds(1));
    assert_eq!((bench.fetches, bench.generation()), (2, 2));
}

#[test]
fn nothing_is_missed_by_a_restart_between_two_firings() {
    let mut bench = Bench::new(every(minutes(30), classic()));
    bench.run_until(at(10));
    bench.restart();
    bench.run_until(at(30) - Span(1));
    assert_eq!(bench.fetches, 1);
}

#[test]
fn a_scheduled_refresh_that_fails_is_tried_again_and_the_token_is_served() {
    let mut bench = Bench::new(every(minutes(60), classic()));
    bench.run_until(at(59));
    bench.answer = Answer::Refuse(FailureKind::PlatformBusy);
    bench.run_until(at(60) + seconds(1));
    assert_eq!(bench.token(), Some("token-1".into()));
    bench.answer = Answer::Grant;
    bench.run_until(at(62));
    assert_eq!(bench.generation(), 2);
}

#[test]
fn a_scheduled_refresh_at_the_stable_api_is_a_plain_ask_and_keeps_the_token() {
    let mut bench = Bench::new(also_every(minutes(30), stable()));
    bench.run_until(at(29));
    bench.answer = Answer::Same(minutes(90));
    bench.run_until(at(31));
    assert_eq!((bench.fetches, bench.forced, bench.generation()), (2, 0, 1));
    bench.answer = Answer::Same(minutes(60));
    bench.run_until(at(61));
    assert_eq!((bench.fetches, bench.forced, bench.generation()), (3, 0, 1));
}

#[test]
fn a_scheduled_ask_at_the_stable_api_finds_what_somebody_else_forced() {
    let mut bench = Bench::new(also_every(minutes(30), stable()));
    bench.run_until(at(31));
    assert_eq!((bench.forced, bench.token()), (0, Some("token-2".into())));
}

#[test]
fn a_new_schedule_reaches_a_token_whose_refresh_harms_nobody_at_once() {
    let mut bench = Bench::new(coexisting());
    bench.run_until(at(10));
    bench.restart_with(also_every(minutes(30), coexisting()));
    bench.run_until(at(30));
    assert_eq!(bench.fetches, 2);
}

#[test]
fn a_new_schedule_does_not_break_what_holders_were_told() {
    let mut bench = Bench::new(classic());
    bench.run_until(at(10));
    let told = bench.told_end();
    bench.restart_with(also_every(minutes(15), classic()));
    bench.run_until(at(20));
    assert_eq!((bench.fetches, bench.told_end()), (1, told));
}
