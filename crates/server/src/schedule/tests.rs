use super::*;
use tokenward_core::time::Span;

fn wall(text: &str) -> Wall {
    Wall(text.parse::<Timestamp>().unwrap().as_millisecond())
}

/// The first `count` firings after a moment, as people there read them.
fn firings(schedule: &str, zone: Option<&str>, after: &str, count: usize) -> Vec<String> {
    let schedule = Schedule::parse(schedule, zone).unwrap();
    let all = std::iter::successors(schedule.next_after(wall(after)), |last| schedule.next_after(*last));
    all.take(count).map(|firing| schedule.show(firing)).collect()
}

fn seven(schedule: &str, count: usize) -> Vec<String> {
    // A Friday, 08:00 in UTC+8.
    let shown = firings(schedule, None, "2026-11-20T00:00:00Z", count);
    shown.iter().map(|text| text.trim_end_matches(" +08:00").to_owned()).collect()
}

fn error(schedule: &str, zone: Option<&str>) -> String {
    Schedule::parse(schedule, zone).unwrap_err().to_string()
}

#[test]
fn every_night_at_two_in_utc_plus_8() {
    let shown = firings("0 0 2 * * * *", None, "2026-11-20T00:00:00Z", 2);
    assert_eq!(shown, ["2026-11-21 02:00:00 +08:00", "2026-11-22 02:00:00 +08:00"]);
}

#[test]
fn every_full_hour() {
    assert_eq!(seven("0 0 * * * * *", 2), ["2026-11-20 09:00:00", "2026-11-20 10:00:00"]);
}

#[test]
fn a_moment_is_not_after_itself() {
    assert_eq!(firings("0 0 8 * * * *", None, "2026-11-20T00:00:00.999Z", 1), ["2026-11-21 08:00:00 +08:00"]);
    assert_eq!(firings("0 0 8 * * * *", None, "2026-11-19T23:59:59.999Z", 1), ["2026-11-20 08:00:00 +08:00"]);
}

#[test]
fn a_start_with_a_step_goes_on_to_the_end_of_the_field() {
    assert_eq!(
        seven("0 1/20 8 * * * *", 4),
        ["2026-11-20 08:01:00", "2026-11-20 08:21:00", "2026-11-20 08:41:00", "2026-11-21 08:01:00"]
    );
}

#[test]
fn sunday_is_nought_and_names_are_known_in_any_case() {
    assert_eq!(seven("0 0 12 * * 0 *", 1), ["2026-11-22 12:00:00"]);
    assert_eq!(seven("0 0 12 * * sun *", 1), ["2026-11-22 12:00:00"]);
    assert_eq!(seven("0 0 12 1 Jan-mar * *", 2), ["2027-01-01 12:00:00", "2027-02-01 12:00:00"]);
}

#[test]
fn day_or_weekday_is_enough_when_both_are_restricted() {
    assert_eq!(
        seven("0 0 0 25 * MON *", 3),
        ["2026-11-23 00:00:00", "2026-11-25 00:00:00", "2026-11-30 00:00:00"]
    );
}

#[test]
fn a_year_and_a_leap_day_are_found() {
    assert_eq!(seven("0 0 0 29 2 * *", 2), ["2028-02-29 00:00:00", "2032-02-29 00:00:00"]);
    assert_eq!(seven("59 59 23 31 12 * 2099", 2), ["2099-12-31 23:59:59"]);
}

#[test]
fn what_never_comes_is_never_found() {
    assert!(seven("0 0 0 31 2,4,6,9,11 * *", 1).is_empty());
    assert!(seven("0 0 0 1 1 * 1999-2020", 1).is_empty());
}

#[test]
fn five_fields_are_read_in_their_time_zone() {
    let shown = firings("0 2 * * *", Some("Europe/Berlin"), "2026-11-20T00:00:00Z", 2);
    assert_eq!(shown, ["2026-11-20 02:00:00 +01:00", "2026-11-21 02:00:00 +01:00"]);
}

#[test]
fn standard_cron_calls_sunday_seven_too() {
    let zone = Some("Europe/Berlin");
    let shown = firings("0 2 * * 5-7", zone, "2026-11-20T12:00:00Z", 3);
    let saturday_to_friday =
        ["2026-11-21 02:00:00 +01:00", "2026-11-22 02:00:00 +01:00", "2026-11-27 02:00:00 +01:00"];
    assert_eq!(shown, saturday_to_friday);
}

#[test]
fn what_the_clocks_skip_in_spring_fires_when_they_go_on() {
    let shown = firings("30 2 * * *", Some("Europe/Berlin"), "2026-03-28T12:00:00Z", 2);
    assert_eq!(shown, ["2026-03-29 03:00:00 +02:00", "2026-03-30 02:30:00 +02:00"]);
}

#[test]
fn what_the_clocks_repeat_in_autumn_fires_twice() {
    let shown = firings("0 * * * *", Some("Europe/Berlin"), "2026-10-24T23:30:00Z", 3);
    let hour_by_hour =
        ["2026-10-25 02:00:00 +02:00", "2026-10-25 02:00:00 +01:00", "2026-10-25 03:00:00 +01:00"];
    assert_eq!(shown, hour_by_hour);
}

#[test]
fn an_error_names_the_field_and_the_reason() {
    assert_eq!(error("0 60 * * * * *", None), "minute: \"60\" is not 0 to 59");
    assert_eq!(error("0 0 24 * * * *", None), "hour: \"24\" is not 0 to 23");
    assert_eq!(error("0 0 0 0 * * *", None), "day: \"0\" is not 1 to 31");
    assert_eq!(error("0 0 0 1 FOO * *", None), "month: \"FOO\" is not 1 to 12 or JAN to DEC");
    assert_eq!(error("0 0 0 * * 7 *", None), "weekday: \"7\" is not 0 to 6 or SUN to SAT");
    assert_eq!(error("0 0 0 * * * 1969", None), "year: \"1969\" is not 1970 to 2099");
    assert_eq!(error("0 30-10 * * * * *", None), "minute: \"30-10\" ends before it begins");
    assert_eq!(error("0 */0 * * * * *", None), "minute: \"*/0\" has a step that is not 1 to 59");
    assert_eq!(error("0 0,,1 * * * * *", None), "minute: \"\" lacks a value that is 0 to 59");
    assert_eq!(
        error("0 +5 * * * * *", None),
        "minute: \"+5\" has '+'; beside numbers and names only , - * / are known"
    );
}

#[test]
fn what_other_dialects_know_is_refused() {
    for (field, expression) in [
        ("day", "0 0 0 ? * * *"),
        ("day", "0 0 0 L * * *"),
        ("day", "0 0 0 15W * * *"),
        ("weekday", "0 0 0 * * 5#2 *"),
        ("weekday", "0 0 0 * * 5L *"),
        ("hour", "0 0 H * * * *"),
    ] {
        assert!(error(expression, None).starts_with(field), "{expression}: {}", error(expression, None));
    }
    assert_eq!(error("@daily", None), "a schedule has five or seven fields, this has 1");
    assert_eq!(error("0 0 2 * * *", None), "a schedule has five or seven fields, this has 6");
}

#[test]
fn five_fields_have_a_time_zone_and_seven_have_none() {
    assert_eq!(error("0 2 * * *", None), "five fields need a time zone");
    assert_eq!(error("0 2 * * *", Some("Europe/Bonn")), "the time zone \"Europe/Bonn\" is not known");
    assert_eq!(error("0 0 2 * * * *", Some("Asia/Shanghai")), ScheduleError::NeedlessZone.to_string());
}

#[test]
fn pauses_are_found_within_a_day_and_between_days() {
    let pauses = |text: &str| {
        let found = Schedule::parse(text, None).unwrap().pauses(wall("2026-11-20T00:00:00Z"));
        found.map(|(shortest, longest)| (shortest.length, longest.length))
    };
    assert_eq!(pauses("0 0 * * * * *"), Some((Span::hours(1), Span::hours(1))));
    assert_eq!(pauses("0 0 8-20 * * MON-FRI *"), Some((Span::hours(1), Span::hours(60))));
    assert_eq!(pauses("0 0 2 1 * * *"), Some((Span::hours(28 * 24), Span::hours(31 * 24))));
    assert_eq!(pauses("0 0 2 30 2 * *"), None);
    assert_eq!(pauses("0 0 2 1 1 * 2027"), Some((Span(i64::MAX), Span(i64::MAX))));
}
