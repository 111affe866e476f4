//! The rules of refreshing, one scenario a test: the test owns the clock and plays platform and store.

mod bench;

use bench::{Answer, Bench, classic, coexisting, minutes, seconds, stable};
use tokenward_core::budget::Cause;
use tokenward_core::credential::{RefreshRefused, ReportAnswer};
use tokenward_core::effect::Happening;
use tokenward_core::event::{Outcome, Verdict};
use tokenward_core::failure::FailureKind;
use tokenward_core::time::{Boot, Span};
use tokenward_core::view::{Reading, State};

#[test]
fn a_new_credential_fetches_once_and_is_live() {
    let mut bench = Bench::new(classic());
    bench.run_for(seconds(1));
    assert_eq!(bench.fetches, 1);
    assert_eq!(bench.state(), State::Live);
    assert_eq!(bench.token(), Some("token-1".into()));
}

#[test]
fn an_exclusive_fetch_waits_for_its_stored_intent() {
    let mut bench = Bench::new(classic());
    bench.run_until_due();
    bench.store_answers = false;
    bench.run_for(seconds(30));
    assert!(bench.intents > 1);
    assert_eq!(bench.fetches, 1);
}

#[test]
fn a_token_is_not_published_before_it_is_kept() {
    let mut bench = Bench::new(classic());
    bench.keep_answers = false;
    bench.run_for(seconds(1));
    assert_eq!((bench.fetches, bench.token()), (1, None));
}

#[test]
fn a_stalled_store_does_not_keep_readers_from_the_only_token_for_long() {
    let mut bench = Bench::new(classic());
    bench.keep_answers = false;
    bench.run_for(seconds(6));
    assert_eq!(bench.token(), Some("token-1".into()));
}

#[test]
fn a_classic_token_is_rotated_an_hour_before_its_end_and_the_told_life_leaves_the_safe_part() {
    let mut bench = Bench::new(classic());
    bench.run_for(seconds(1));
    let told = bench.told_end().unwrap();
    let due = told - Span(150_000);
    bench.run_until(due - Span(1));
    assert_eq!(bench.fetches, 1);
    bench.run_until(due + Span(100));
    assert_eq!((bench.fetches, bench.token()), (2, Some("token-2".into())));
    let left = minutes(120) - (due - Boot(0));
    assert!(left > minutes(58) && left <= minutes(65), "{left:?}");
}

#[test]
fn an_hour_of_outage_is_invisible_and_recovery_makes_one_fetch() {
    let mut bench = Bench::new(classic());
    bench.run_for(seconds(1));
    bench.answer = Answer::NotSent;
    bench.run_for(minutes(117));
    assert_eq!(bench.token(), Some("token-1".into()));
    assert_eq!(bench.state(), State::Retrying);
    let tries = bench.fetches;
    assert!(tries < 250, "{tries} attempts in an hour");
    bench.answer = Answer::Grant;
    bench.run_for(seconds(61));
    assert_eq!((bench.fetches, bench.state()), (tries + 1, State::Live));
}

#[test]
fn an_outage_past_the_end_leaves_nothing_to_hand_out() {
    let mut bench = Bench::new(classic());
    bench.run_for(seconds(1));
    bench.answer = Answer::NotSent;
    bench.run_for(minutes(121));
    assert!(matches!(bench.read(), Reading::Nothing));
    assert_eq!(bench.state(), State::Expired);
}

#[test]
fn a_lost_answer_is_followed_by_a_fetch_only_after_the_safe_part() {
    let mut bench = Bench::new(classic());
    bench.run_until_due();
    bench.answer = Answer::LostAfterIssue;
    let lost_at = bench.run_until_fetch();
    bench.answer = Answer::Grant;
    bench.run_until(lost_at + Span(149_999));
    assert_eq!(bench.token(), Some("token-1".into()), "the old one is served meanwhile");
    assert_eq!(bench.fetches, 2);
    bench.run_for(seconds(2));
    assert_eq!((bench.fetches, bench.token()), (3, Some("token-3".into())));
}

#[test]
fn after_a_lost_answer_nobody_is_told_a_life_beyond_the_next_fetch() {
    let mut bench = Bench::new(classic());
    bench.run_until_due();
    bench.answer = Answer::LostAfterIssue;
    let lost_at = bench.run_until_fetch();
    bench.run_for(seconds(100));
    assert_eq!(bench.told_end(), Some(lost_at + Span(150_000)));
}

#[test]
fn a_reader_waits_for_the_fetch_that_may_kill_the_token_it_would_get() {
    let mut bench = Bench::new(classic());
    bench.run_until_due();
    bench.answer = Answer::LostAfterIssue;
    let lost_at = bench.run_until_fetch();
    bench.answer = Answer::Silence;
    bench.run_until(lost_at + Span(151_500));
    assert!(matches!(bench.read(), Reading::Wait(_)));
    bench.run_for(seconds(3));
    assert!(matches!(bench.read(), Reading::Token(..)), "but not for ever");
}

#[test]
fn after_two_lost_answers_the_old_token_is_probed() {
    let mut bench = Bench::new(classic());
    bench.run_until_due();
    bench.answer = Answer::LostAfterIssue;
    bench.verdict = Verdict::Dead;
    bench.run_until_fetch();
    let second = bench.run_until_fetch();
    bench.answer = Answer::Grant;
    bench.run_until(second + seconds(1));
    assert_eq!((bench.probes, bench.fetches), (1, 4));
    assert_eq!(bench.told(&Happening::ForeignRefresh { times_today: 1 }), 0, "it was our own doing");
}

#[test]
fn a_late_answer_is_kept_while_its_attempt_is_the_newest() {
    let mut bench = Bench::new(classic());
    bench.run_until_due();
    bench.answer = Answer::Silence;
    bench.run_until_fetch();
    bench.run_for(seconds(11));
    assert_eq!(bench.state(), State::Retrying);
    bench.grant_late("late");
    assert_eq!((bench.token(), bench.state()), (Some("late".into()), State::Live));
}

#[test]
fn an_answer_to_a_superseded_attempt_changes_nothing() {
    let mut bench = Bench::new(classic());
    bench.run_until_due();
    bench.answer = Answer::Silence;
    bench.run_until_fetch();
    let first = bench.last_attempt;
    bench.answer = Answer::Grant;
    bench.run_until_fetch();
    bench.run_for(seconds(1));
    let token = bench.token();
    bench.grant("late", first);
    assert_eq!(bench.token(), token);
}

#[test]
fn a_report_of_a_live_token_rotates_nothing() {
    let mut bench = Bench::new(classic());
    bench.run_for(seconds(1));
    bench.probe_answers = false;
    for _ in 0..1000 {
        assert_eq!(bench.report(1, false), ReportAnswer::Pending);
    }
    bench.probe_result(Verdict::Alive);
    assert!(bench.is_settled(1));
    assert_eq!(bench.report(1, false), ReportAnswer::Alive, "one more on their heels");
    assert_eq!((bench.fetches, bench.probes), (1, 1));
}

#[test]
fn a_probe_without_a_clear_answer_says_nothing_of_the_token() {
    let mut bench = Bench::new(classic());
    bench.run_for(seconds(1));
    bench.probe_answers = false;
    for (verdict, outcome) in
        [(Verdict::Unclear, ReportAnswer::Unclear), (Verdict::Alive, ReportAnswer::Alive)]
    {
        let since = bench.now.boot;
        bench.report(1, false);
        bench.probe_result(verdict);
        assert!(bench.is_settled(1));
        assert_eq!(bench.outcome(1, since), Some(outcome));
        bench.run_for(seconds(60));
    }
    assert_eq!(bench.outcome(1, bench.now.boot), Some(ReportAnswer::Unclear), "alive, a minute ago");
}

#[test]
fn a_thousand_reports_of_a_dead_token_cause_one_fetch() {
    let mut bench = Bench::new(classic());
    bench.run_for(seconds(1));
    bench.verdict = Verdict::Dead;
    for _ in 0..1000 {
        bench.report(1, false);
    }
    bench.run_for(seconds(1));
    assert_eq!((bench.fetches, bench.probes), (2, 1));
    assert_eq!(bench.token(), Some("token-2".into()));
    assert_eq!(bench.told(&Happening::ForeignRefresh { times_today: 1 }), 1);
}

#[test]
fn a_report_of_an_older_generation_does_nothing() {
    let mut bench = Bench::new(classic());
    bench.run_for(seconds(1));
    bench.report(1, true);
    bench.run_for(seconds(1));
    assert_eq!(bench.report(1, true), ReportAnswer::Superseded);
    bench.run_for(seconds(1));
    assert_eq!((bench.fetches, bench.probes), (2, 0));
}

#[test]
fn probes_of_a_live_token_are_ten_seconds_apart() {
    let mut bench = Bench::new(classic());
    bench.run_for(seconds(1));
    for _ in 0..600 {
        bench.report(1, false);
        bench.run_for(Span(100));
    }
    assert!((6..=8).contains(&bench.probes), "{} probes in a minute", bench.probes);
}

#[test]
fn a_coexisting_platform_just_fetches() {
    let mut bench = Bench::new(coexisting());
    bench.run_for(seconds(1));
    bench.answer = Answer::Silence;
    bench.report(1, false);
    assert_eq!(bench.token(), Some("token-1".into()), "the old one stays until the new one is there");
    bench.grant_late("token-2");
    assert_eq!((bench.fetches, bench.probes, bench.token()), (2, 0, Some("token-2".into())));
}

#[test]
fn reports_of_fresh_tokens_run_out_of_fetches() {
    let mut bench = Bench::new(coexisting());
    bench.run_for(seconds(1));
    for _ in 0..500 {
        bench.report(bench.generation(), false);
        bench.run_for(Span(1100));
    }
    assert!(bench.fetches <= 1 + 100 + 5, "{} fetches", bench.fetches);
    assert!(matches!(bench.report(bench.generation(), false), ReportAnswer::Limited { .. }));
    assert_eq!(bench.state(), State::Live);
}

#[test]
fn a_stable_token_that_was_forced_out_elsewhere_is_asked_for_plainly() {
    let mut bench = Bench::new(stable());
    bench.run_for(seconds(1));
    bench.verdict = Verdict::Dead;
    bench.report(1, false);
    bench.run_for(seconds(1));
    assert_eq!((bench.fetches, bench.forced, bench.token()), (2, 0, Some("token-2".into())));
}

#[test]
fn a_stable_token_is_forced_only_if_the_platform_still_returns_the_dead_one() {
    let mut bench = Bench::new(stable());
    bench.run_for(seconds(1));
    bench.verdict = Verdict::Dead;
    bench.answer = Answer::Same(minutes(60));
    bench.report(1, false);
    bench.run_for(seconds(1));
    assert_eq!((bench.fetches, bench.forced), (3, 1));
}

#[test]
fn an_unchanged_stable_token_keeps_its_generation() {
    let mut bench = Bench::new(stable());
    bench.run_until_due();
    bench.answer = Answer::Same(seconds(200));
    bench.run_until_fetch();
    bench.run_for(seconds(1));
    assert_eq!((bench.generation(), bench.state()), (1, State::Live));
    let before = bench.fetches;
    bench.run_for(seconds(30));
    assert!((3..=6).contains(&(bench.fetches - before)), "every 5 to 10 s");
}

#[test]
fn two_foreign_refreshes_within_an_hour_make_a_credential_contested() {
    let mut bench = Bench::new(classic());
    bench.run_for(seconds(1));
    for generation in 1..=2 {
        bench.report(generation, true);
        bench.run_for(seconds(1));
    }
    assert_eq!(bench.state(), State::Contested);
    assert_eq!(bench.told_end(), Some(bench.now.boot + seconds(120)));
    let probes = bench.probes;
    bench.run_for(minutes(5));
    assert_eq!(bench.probes - probes, 10, "one each 30 s");
    bench.run_for(minutes(56));
    assert_eq!(bench.state(), State::Live);
}

#[test]
fn while_contested_two_parties_do_not_burn_the_quota() {
    let mut bench = Bench::new(classic());
    bench.run_for(seconds(1));
    for _ in 0..3000 {
        bench.report(bench.generation(), true);
        bench.run_for(seconds(1));
    }
    assert!(bench.fetches <= 2 + 20 + 12, "{} fetches in 50 minutes", bench.fetches);
}

#[test]
fn a_bad_secret_is_not_tried_twice() {
    let mut bench = Bench::new(classic());
    bench.answer = Answer::Refuse(FailureKind::BadSecret);
    bench.run_for(minutes(600));
    assert_eq!((bench.fetches, bench.state()), (1, State::Blocked));
    bench.answer = Answer::Grant;
    bench.change_secret();
    bench.run_for(seconds(1));
    assert_eq!(bench.state(), State::Live);
}

#[test]
fn a_block_with_a_wait_is_tried_again_when_the_wait_is_over() {
    let mut bench = Bench::new(classic());
    bench.answer = Answer::Refuse(FailureKind::IpNotAllowed);
    bench.run_for(minutes(9));
    assert_eq!(bench.fetches, 1);
    bench.answer = Answer::Grant;
    bench.run_for(minutes(2));
    assert_eq!(bench.state(), State::Live);
}

#[test]
fn a_blocked_credential_serves_its_token_to_the_end() {
    let mut bench = Bench::new(classic());
    bench.run_until_due();
    bench.answer = Answer::Refuse(FailureKind::BadSecret);
    bench.run_until_fetch();
    bench.run_for(minutes(50));
    assert_eq!((bench.state(), bench.token()), (State::Blocked, Some("token-1".into())));
}

#[test]
fn a_used_up_quota_that_is_not_ours_is_asked_again_hourly() {
    let mut bench = Bench::new(classic());
    bench.answer = Answer::Refuse(FailureKind::QuotaUsedUp);
    bench.run_for(minutes(185));
    assert_eq!(bench.fetches, 4);
    assert!(bench.next_step().contains("Someone else"), "{}", bench.next_step());
}

#[test]
fn a_quota_refused_just_after_midnight_is_asked_again_in_five_minutes() {
    let mut bench = Bench::new(classic());
    bench.set_wall_to_midnight_plus(minutes(4));
    bench.answer = Answer::Refuse(FailureKind::QuotaUsedUp);
    bench.run_for(minutes(6));
    assert_eq!(bench.fetches, 2);
}

#[test]
fn an_operators_refresh_does_not_break_a_promise_unless_forced() {
    let mut bench = Bench::new(classic());
    bench.run_for(seconds(1));
    assert!(matches!(bench.refresh(false), Err(RefreshRefused::WouldBreakPromise { .. })));
    assert_eq!(bench.refresh(true), Ok(true));
    bench.run_for(seconds(1));
    assert_eq!(bench.token(), Some("token-2".into()));
}

#[test]
fn an_operators_refresh_leaves_the_safe_part_to_the_token_before() {
    let mut bench = Bench::new(classic());
    bench.run_until_due();
    bench.answer = Answer::NotSent;
    bench.run_for(minutes(1));
    bench.answer = Answer::Grant;
    assert_eq!(bench.refresh(false), Ok(true), "nobody was told of the retry");
    let fetches = bench.fetches;
    let refused = bench.refresh(false);
    assert!(matches!(refused, Err(RefreshRefused::WouldBreakPromise { .. })), "{refused:?}");
    assert_eq!(bench.fetches, fetches);
}

#[test]
fn a_refresh_that_the_store_does_not_allow_is_not_made_later_either() {
    let mut bench = Bench::new(classic());
    bench.run_until_due();
    bench.keep_fails = true;
    bench.run_until_fetch();
    bench.run_for(minutes(3));
    assert!(bench.is_unkept());
    let refused = bench.refresh(true);
    assert_eq!(refused, Err(RefreshRefused::StoreFails));
    let fetches = bench.fetches;
    bench.keep_fails = false;
    bench.run_for(minutes(20));
    assert_eq!(bench.fetches, fetches);
}

#[test]
fn a_failed_refresh_promises_holders_no_more_than_the_safe_part() {
    let mut bench = Bench::new(classic());
    bench.run_until_due();
    bench.answer = Answer::Refuse(FailureKind::RateLimited);
    bench.run_until_fetch();
    bench.run_for(seconds(1));
    assert_eq!(bench.told_end(), Some(bench.now.boot + Span(150_000)), "a restart fetches at once");
}

#[test]
fn an_operators_refresh_gets_past_a_block() {
    let mut bench = Bench::new(classic());
    bench.answer = Answer::Refuse(FailureKind::IpNotAllowed);
    bench.run_for(seconds(1));
    bench.answer = Answer::Grant;
    assert_eq!(bench.refresh(false), Ok(true));
    bench.run_for(seconds(1));
    assert_eq!(bench.state(), State::Live);
}

#[test]
fn a_single_use_refresh_token_in_doubt_is_never_redeemed_again() {
    let mut bench = Bench::new(bench::single_use());
    bench.run_until_due();
    bench.answer = Answer::LostAfterIssue;
    bench.run_until_fetch();
    bench.answer = Answer::Grant;
    bench.run_for(minutes(20));
    assert_eq!((bench.fetches, bench.state()), (2, State::Blocked));
    assert_eq!(bench.token(), Some("token-1".into()), "the access token is served to its end");
}

#[test]
fn a_reader_who_waits_makes_a_fetch_of_its_own_only_when_none_is_planned() {
    let mut bench = Bench::new(classic());
    bench.answer = Answer::NotSent;
    bench.run_for(seconds(1));
    let (fetches, wait) = (bench.fetches, bench.wakeup());
    bench.want();
    assert_eq!(bench.fetches, fetches, "the backoff is respected until {wait:?}");
}

#[test]
fn retry_after_is_obeyed() {
    let mut bench = Bench::new(coexisting());
    bench.answer = Answer::RetryAfter(minutes(7));
    bench.run_for(minutes(7) - seconds(1));
    assert_eq!(bench.fetches, 1);
    bench.run_for(seconds(2));
    assert_eq!(bench.fetches, 2);
}

#[test]
fn a_planned_refresh_tells_how_late_it_is() {
    let mut bench = Bench::new(classic());
    bench.run_until_due();
    bench.run_until_fetch();
    let late = bench.happenings.iter().rev().find_map(|happening| match happening {
        Happening::FetchBegun { cause: Cause::Planned, late, .. } => Some(*late),
        _ => None,
    });
    assert_eq!(late, Some(Span::ZERO));
}

#[test]
fn duplicate_and_contradictory_events_change_nothing() {
    let mut bench = Bench::new(classic());
    bench.run_for(seconds(1));
    let attempt = bench.last_attempt;
    bench.grant("again", attempt);
    bench.fail(attempt, FailureKind::BadSecret, Outcome::Refused);
    bench.keep_failed(attempt);
    bench.probe_result(Verdict::Dead);
    assert_eq!((bench.generation(), bench.fetches, bench.state()), (1, 1, State::Live));
}
