//! What holds over restarts and crashes, with clocks that are set and a store that fails.

mod bench;

use bench::{Answer, Bench, classic, minutes, seconds};
use tokenward_core::event::Verdict;
use tokenward_core::failure::FailureKind;
use tokenward_core::time::Span;
use tokenward_core::view::State;

#[test]
fn after_a_crash_without_a_token_the_lost_request_gets_a_second_to_arrive() {
    let mut bench = Bench::new(classic());
    bench.keep_fails = true;
    bench.run_for(seconds(1));
    bench.crash();
    bench.want();
    bench.run_for(Span(900));
    assert_eq!(bench.fetches, 1);
    bench.run_for(Span(200));
    assert_eq!(bench.fetches, 2);
}

#[test]
fn after_a_crash_near_the_end_nobody_is_told_to_rely_on_the_token() {
    let mut bench = Bench::new(classic());
    bench.run_until_due();
    bench.intend_fails = true;
    bench.answer = Answer::Silence;
    bench.run_for(minutes(56));
    assert_eq!(bench.fetches, 2, "without a stored intent");
    bench.crash();
    assert_eq!(bench.token(), Some("token-1".into()));
    assert!(bench.told_end() <= Some(bench.now.boot + seconds(2)));
}

#[test]
fn a_store_that_fails_keeps_a_fetched_token_back_until_the_old_one_dies() {
    let mut bench = Bench::new(classic());
    bench.run_until_due();
    bench.keep_fails = true;
    let at = bench.run_until_fetch();
    bench.run_until(at + Span(149_000));
    assert_eq!(bench.token(), Some("token-1".into()));
    bench.run_until(at + Span(150_100));
    assert_eq!(bench.token(), Some("token-2".into()));
    assert!(bench.is_unkept());
    bench.keep_fails = false;
    bench.run_for(minutes(1));
    assert!(!bench.is_unkept());
}

#[test]
fn without_a_stored_intent_nothing_is_fetched_while_there_is_life_left() {
    let mut bench = Bench::new(classic());
    bench.run_until_due();
    bench.intend_fails = true;
    bench.run_for(minutes(40));
    assert_eq!(bench.fetches, 1);
    bench.run_for(minutes(16));
    assert_eq!(bench.fetches, 2, "an embedded store does not let the last ten minutes pass");
}

#[test]
fn a_restart_serves_the_stored_token_without_a_fetch() {
    let mut bench = Bench::new(classic());
    bench.run_for(minutes(10));
    let told = bench.told_end();
    bench.restart();
    bench.run_for(seconds(1));
    assert_eq!((bench.fetches, bench.token()), (1, Some("token-1".into())));
    assert_eq!(bench.told_end(), told, "the due time is the stored one");
}

#[test]
fn a_restart_after_the_end_hands_out_nothing_stale() {
    let mut bench = Bench::new(classic());
    bench.run_for(seconds(1));
    bench.stop();
    bench.pass(minutes(130));
    bench.answer = Answer::Silence;
    bench.start();
    bench.run_for(seconds(1));
    assert_eq!(bench.token(), None);
}

#[test]
fn a_restart_with_another_identity_does_not_serve_the_old_token() {
    let mut bench = Bench::new(classic());
    bench.run_for(seconds(1));
    bench.stop();
    bench.fingerprint = [9; 32];
    bench.start();
    bench.run_for(seconds(1));
    assert_eq!((bench.fetches, bench.token()), (2, Some("token-2".into())));
    assert!(bench.generation() > 1, "generations are never repeated");
}

#[test]
fn a_crash_between_intent_and_answer_is_treated_as_a_lost_answer() {
    let mut bench = Bench::new(classic());
    bench.run_until_due();
    bench.answer = Answer::Silence;
    let begun = bench.run_until_fetch();
    bench.crash();
    bench.answer = Answer::Grant;
    bench.run_until(begun + Span(149_000));
    assert_eq!((bench.fetches, bench.token()), (2, Some("token-1".into())));
    assert_eq!(bench.told_end(), Some(begun + Span(150_000)));
    // A slow store may have let it out up to five seconds after it was decided.
    bench.run_until(begun + Span(157_000));
    assert_eq!((bench.fetches, bench.token()), (3, Some("token-3".into())));
}

#[test]
fn a_block_holds_over_a_restart_and_ends_with_a_new_configuration() {
    let mut bench = Bench::new(classic());
    bench.answer = Answer::Refuse(FailureKind::BadSecret);
    bench.run_for(seconds(1));
    bench.restart();
    bench.run_for(minutes(5));
    assert_eq!(bench.fetches, 1);
    bench.stop();
    bench.config_mark = [7; 16];
    bench.answer = Answer::Grant;
    bench.start();
    bench.run_for(seconds(1));
    assert_eq!((bench.fetches, bench.state()), (2, State::Live));
}

#[test]
fn a_clock_set_back_across_a_restart_makes_the_token_probed_before_it_is_served() {
    let mut bench = Bench::new(classic());
    bench.run_for(minutes(1));
    bench.stop();
    bench.set_wall_back(minutes(120));
    bench.boot_id = 2;
    bench.probe_answers = false;
    bench.start();
    bench.run_for(seconds(1));
    assert_eq!((bench.token(), bench.fetches), (None, 1));
    bench.answer = Answer::Silence;
    bench.probe_result(Verdict::Alive);
    assert_eq!(bench.token(), Some("token-1".into()));
    bench.run_for(minutes(3));
    assert_eq!(bench.fetches, 2, "nobody knows how long it still lives");
}

#[test]
fn a_clock_that_was_set_between_two_runs_of_one_boot_changes_nothing() {
    for jump in [minutes(-600), minutes(600)] {
        let mut bench = Bench::new(classic());
        bench.run_for(minutes(1));
        let told = bench.told_end();
        bench.stop();
        bench.set_wall_back(jump);
        bench.start();
        bench.run_for(seconds(1));
        assert_eq!((bench.fetches, bench.told_end()), (1, told));
    }
}

#[test]
fn a_wall_clock_that_jumps_changes_nothing_for_a_running_process() {
    let mut bench = Bench::new(classic());
    bench.run_for(seconds(1));
    let told = bench.told_end();
    bench.set_wall_back(minutes(-600));
    bench.run_for(seconds(10));
    assert_eq!((bench.token(), bench.told_end()), (Some("token-1".into()), told));
    bench.set_wall_back(minutes(1200));
    bench.run_for(seconds(10));
    assert_eq!((bench.fetches, bench.told_end()), (1, told));
}
