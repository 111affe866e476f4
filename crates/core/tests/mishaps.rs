//! Two things go wrong at once: what the rules still hold then, one scenario a test.

mod bench;

use bench::{Answer, Bench, classic, coexisting, minutes, seconds, stable};
use tokenward_core::budget::Limits;
use tokenward_core::credential::ReportAnswer;
use tokenward_core::effect::Happening;
use tokenward_core::event::{Event, Outcome, Verdict};
use tokenward_core::failure::FailureKind;
use tokenward_core::policy::{Lead, Policy};
use tokenward_core::time::{Boot, Span};
use tokenward_core::view::State;

/// Told lives of a token that may be dead already.
const NEXT_TO_NOTHING: Span = Span::seconds(2);

fn told_life(bench: &Bench) -> Span {
    bench.told_end().expect("a token") - bench.now.boot
}

#[test]
fn a_fetch_for_a_report_that_failed_is_tried_again_soon_and_not_when_the_token_is_due() {
    let mut bench = Bench::new(coexisting());
    bench.run_for(seconds(1));
    bench.answer = Answer::NotSent;
    assert_eq!(bench.report(1, false), ReportAnswer::Pending);
    bench.answer = Answer::Grant;
    bench.run_for(seconds(61));
    assert_eq!(bench.token(), Some("token-3".into()));
}

#[test]
fn a_block_from_before_a_tokens_death_is_waited_for_and_no_longer() {
    let mut bench = Bench::new(stable());
    bench.run_for(seconds(1));
    bench.answer = Answer::Refuse(FailureKind::IpNotAllowed);
    bench.refresh(false).expect("an operator may");
    bench.report(1, true);
    bench.answer = Answer::Grant;
    bench.run_for(minutes(11));
    assert_eq!(bench.state(), State::Live);
}

#[test]
fn a_dead_stable_token_is_not_handed_out_again_after_a_restart() {
    let mut bench = Bench::new(stable());
    bench.run_for(seconds(1));
    bench.answer = Answer::NotSent;
    bench.report(1, true);
    bench.restart();
    bench.answer = Answer::Same(minutes(100));
    bench.run_for(seconds(60));
    assert_eq!((bench.forced, bench.token()), (1, Some("forced-1".into())));
}

#[test]
fn after_a_crash_in_a_forced_fetch_the_platform_is_asked_at_once_and_nobody_relies_on_the_old_token() {
    let mut bench = Bench::new(stable());
    bench.run_for(seconds(1));
    bench.answer = Answer::Silence;
    bench.refresh(true).expect("an operator may");
    bench.crash();
    if bench.token().is_some() {
        assert!(told_life(&bench) <= NEXT_TO_NOTHING);
    }
    bench.answer = Answer::Grant;
    bench.run_for(seconds(2));
    assert_ne!(bench.token(), Some("token-1".into()));
}

#[test]
fn readers_who_wait_do_not_keep_the_last_of_the_budget_from_being_used() {
    let mut bench = Bench::new(Policy { limits: Limits { per_day: 2, ..Limits::default() }, ..classic() });
    bench.run_for(seconds(1));
    bench.report(1, true);
    for _ in 0..12 {
        bench.want();
        bench.run_for(minutes(1));
    }
    assert_eq!((bench.fetches, bench.state()), (2, State::Live));
}

#[test]
fn a_contest_is_not_fought_faster_because_readers_wait() {
    let mut bench = Bench::new(classic());
    bench.run_for(seconds(1));
    for _ in 0..60 {
        bench.report(bench.generation(), true);
        bench.want();
        bench.run_for(seconds(20));
    }
    // The first two are ordinary; then 20 and one each 288 s of 20 minutes.
    assert!(bench.fetches <= 3 + 20 + 5, "{}", bench.fetches);
}

#[test]
fn a_token_that_ends_before_the_safe_part_of_a_lost_fetch_is_replaced_at_its_end() {
    let mut bench = Bench::new(classic());
    bench.run_until_due();
    bench.answer = Answer::NotSent;
    bench.run_until(Boot(0) + minutes(119));
    bench.answer = Answer::LostAfterIssue;
    let lost = bench.run_until_fetch();
    bench.answer = Answer::Grant;
    bench.run_for(minutes(120) - (lost - Boot(0)) + seconds(2));
    assert_eq!(bench.state(), State::Live);
}

#[test]
fn reports_never_use_the_forced_fetches_that_are_kept_for_people() {
    let mut bench = Bench::new(stable());
    bench.run_for(seconds(1));
    for _ in 0..40 {
        bench.answer = Answer::Same(minutes(110));
        bench.report(bench.generation(), true);
        bench.run_for(minutes(3));
    }
    assert_eq!(bench.forced, 15);
}

#[test]
fn a_token_that_may_have_killed_the_one_before_does_not_wait_for_a_stalled_store() {
    let mut bench = Bench::new(classic());
    bench.run_until_due();
    bench.answer = Answer::LostAfterIssue;
    bench.run_until_fetch();
    bench.answer = Answer::Grant;
    bench.keep_answers = false;
    bench.run_until_fetch();
    bench.run_for(seconds(3));
    assert_eq!(bench.token(), Some("token-3".into()));
}

#[test]
fn a_death_seen_while_the_next_token_is_being_stored_brings_it_out() {
    let mut bench = Bench::new(classic());
    bench.run_until_due();
    bench.keep_answers = false;
    bench.run_until_fetch();
    bench.report(1, true);
    bench.run_for(seconds(3));
    assert_eq!(bench.token(), Some("token-2".into()));
}

#[test]
fn a_stalled_intent_does_not_stop_a_fetch_when_the_token_is_nearly_over() {
    let mut bench = Bench::new(classic());
    bench.run_until_due();
    bench.store_answers = false;
    bench.run_until(Boot(0) + minutes(111));
    assert_eq!(bench.fetches, 2);
}

#[test]
fn our_own_forced_fetch_is_not_taken_for_somebody_elses() {
    let mut bench = Bench::new(stable());
    bench.run_for(seconds(1));
    bench.answer = Answer::Silence;
    bench.refresh(true).expect("an operator may");
    bench.report(1, true);
    assert_eq!(bench.told(&Happening::ForeignRefresh { times_today: 1 }), 0);
}

#[test]
fn a_token_whose_clock_is_wrong_does_not_make_a_platform_that_asks_for_patience_be_asked_again() {
    let mut bench = Bench::new(stable());
    bench.run_for(seconds(1));
    bench.stop();
    bench.boot_id = 2;
    bench.set_wall_back(minutes(30));
    bench.verdict = Verdict::Unclear;
    bench.answer = Answer::RetryAfter(minutes(5));
    bench.start();
    bench.run_for(minutes(4));
    assert_eq!(bench.fetches, 2);
}

#[test]
fn a_stable_token_whose_end_is_a_guess_is_told_next_to_nothing() {
    let mut bench = Bench::new(stable());
    bench.run_for(seconds(1));
    bench.stop();
    bench.boot_id = 2;
    bench.set_wall_back(minutes(30));
    bench.answer = Answer::NotSent;
    bench.start();
    bench.run_for(seconds(11));
    assert!(told_life(&bench) <= NEXT_TO_NOTHING);
    bench.answer = Answer::Same(minutes(50));
    bench.run_for(seconds(61));
    assert!(told_life(&bench) > minutes(40));
}

#[test]
fn a_report_during_a_planned_fetch_waits_for_it_where_nothing_else_verifies() {
    let mut bench = Bench::new(coexisting());
    bench.run_until_due();
    bench.answer = Answer::Silence;
    bench.run_until_fetch();
    assert_eq!(bench.report(1, false), ReportAnswer::Pending);
    assert!(!bench.is_settled(1));
}

#[test]
fn a_refusal_that_comes_late_ends_the_doubt() {
    let mut bench = Bench::new(classic());
    bench.run_until_due();
    bench.answer = Answer::Silence;
    bench.run_until_fetch();
    bench.run_for(seconds(11));
    let doubtful = told_life(&bench);
    bench.fail(bench.last_attempt, FailureKind::PlatformBusy, Outcome::Refused);
    assert!(told_life(&bench) > doubtful, "{doubtful:?}");
}

#[test]
fn an_answer_to_an_older_probe_is_not_taken_for_the_answer_to_the_newest() {
    let mut bench = Bench::new(classic());
    bench.run_until_due();
    bench.answer = Answer::LostAfterIssue;
    bench.probe_answers = false;
    bench.run_until_fetch();
    bench.report(1, false);
    bench.run_for(seconds(1));
    let older = bench.last_probe;
    bench.answer = Answer::NotSent;
    bench.run_for(minutes(9));
    bench.report(1, false);
    bench.run_for(seconds(1));
    assert_ne!(bench.last_probe, older);
    let doubtful = told_life(&bench);
    bench.handle(Event::Probed { probe: older, verdict: Verdict::Alive });
    assert!(told_life(&bench) <= doubtful, "an old answer says nothing about now");
}

#[test]
fn what_somebody_asks_for_before_the_token_is_due_is_not_fetched_without_an_intent() {
    let mut bench = Bench::new(Policy { lead: Lead::Fixed(minutes(5)), ..classic() });
    bench.run_until(Boot(0) + minutes(112));
    bench.intend_fails = true;
    bench.refresh(true).expect("it begins, and ends at the store");
    assert_eq!(bench.fetches, 1);
    bench.run_until(Boot(0) + minutes(117));
    assert_eq!(bench.fetches, 2);
}
