//! Random schedules against a walk over the seconds, with a calendar and a reading of the fields of its own.

use super::*;
use tokenward_core::time::Span;

/// A small generator (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    }

    /// Between the two, both included.
    fn between(&mut self, least: i64, most: i64) -> i64 {
        least + i64::try_from(self.next() % u64::try_from(most - least + 1).unwrap()).unwrap()
    }

    fn percent(&mut self, share: i64) -> bool {
        self.between(1, 100) <= share
    }
}

const MONTHS: [&str; 12] =
    ["jan", "Feb", "MAR", "APR", "may", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "Dec"];
const WEEKDAYS: [&str; 7] = ["sun", "Mon", "TUE", "WED", "THU", "FRI", "SAT"];
/// What may stand in each field: from, to, names, and in how many of a hundred cases it is `*`.
const FIELDS: [(i64, i64, &[&str], i64); 7] = [
    (0, 59, &[], 25),
    (0, 59, &[], 30),
    (0, 23, &[], 40),
    (1, 31, &[], 50),
    (1, 12, &MONTHS, 60),
    (0, 6, &WEEKDAYS, 60),
    (1970, 2099, &[], 75),
];

fn random_value(random: &mut Random, value: i64, (least, _, names, _): (i64, i64, &[&str], i64)) -> String {
    let name = names.get(usize::try_from(value - least).unwrap()).filter(|_| random.percent(40));
    name.map_or_else(|| value.to_string(), |name| (*name).to_owned())
}

fn random_field(random: &mut Random, field: (i64, i64, &[&str], i64)) -> String {
    let (least, most, _, any) = field;
    if random.percent(any) {
        return "*".to_owned();
    }
    let parts = (0..random.between(1, 3)).map(|_| {
        let first = random.between(least, most);
        let last = random.between(first, most);
        let (a, b) = (random_value(random, first, field), random_value(random, last, field));
        let step = random.between(1, (most - least).min(20));
        match random.between(0, 4) {
            0 => a,
            1 => format!("{a}-{b}"),
            2 => format!("*/{step}"),
            3 => format!("{a}/{step}"),
            _ => format!("{a}-{b}/{step}"),
        }
    });
    parts.collect::<Vec<_>>().join(",")
}

/// Whether a field's text allows a value, read from the text each time.
fn allows(text: &str, value: i64, (least, most, names, _): (i64, i64, &[&str], i64)) -> bool {
    let number = |text: &str| {
        let name = names.iter().position(|name| name.to_lowercase() == text.to_lowercase());
        name.map_or_else(|| text.parse().unwrap(), |at| least + i64::try_from(at).unwrap())
    };
    text.split(',').any(|part| {
        let (range, step) = part.split_once('/').map_or((part, None), |(range, step)| (range, Some(step)));
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (least, most),
            Some((first, last)) => (number(first), number(last)),
            None => (number(range), if step.is_some() { most } else { number(range) }),
        };
        let step: i64 = step.map_or(1, |step| step.parse().unwrap());
        (first..=last).contains(&value) && (value - first) % step == 0
    })
}

/// The days from 1970-01-01, a Thursday, to the end of 2099: year, month, day, weekday.
fn days() -> Vec<[i64; 4]> {
    let mut days = Vec::new();
    let mut weekday = 4;
    for year in 1970..=2099 {
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let lengths = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        for (month, length) in (1..).zip(lengths) {
            for day in 1..=length {
                days.push([year, month, day, weekday]);
                weekday = (weekday + 1) % 7;
            }
        }
    }
    days
}

/// The values that each of the seven fields allows.
struct Allowed([Vec<bool>; 7]);

impl Allowed {
    fn read(fields: &[String]) -> Allowed {
        let mut all = fields.iter().zip(FIELDS).map(|(text, field)| {
            (0..=field.1).map(|value| value >= field.0 && allows(text, value, field)).collect()
        });
        Allowed([(); 7].map(|()| all.next().unwrap()))
    }

    fn is(&self, field: usize, value: i64) -> bool {
        self.0[field][usize::try_from(value).unwrap()]
    }
}

const DAY: i64 = 86_400;

/// Walks over the seconds after this one of UTC+8; passes over days, hours and minutes that are not allowed.
fn walk(fields: &[String], days: &[[i64; 4]], after: i64, count: usize) -> Vec<i64> {
    let allowed = Allowed::read(fields);
    let both_restricted = fields[3] != "*" && fields[5] != "*";
    let mut found = Vec::new();
    let first = after.div_euclid(DAY);
    for (number, [year, month, day, weekday]) in (first..).zip(&days[usize::try_from(first).unwrap()..]) {
        let (day, weekday) = (allowed.is(3, *day), allowed.is(5, *weekday));
        let fits = if both_restricted { day || weekday } else { day && weekday };
        if !fits || !allowed.is(4, *month) || !allowed.is(6, *year) {
            continue;
        }
        for hour in (0..24).filter(|hour| allowed.is(2, *hour)) {
            for minute in (0..60).filter(|minute| allowed.is(1, *minute)) {
                for second in 0..60 {
                    let now = number * DAY + hour * 3_600 + minute * 60 + second;
                    if allowed.is(0, second) && now > after {
                        found.push(now);
                        if found.len() == count {
                            return found;
                        }
                    }
                }
            }
        }
    }
    found
}

const UTC_PLUS_8: i64 = 8 * 3_600;

#[test]
fn ten_thousand_random_schedules_fire_when_a_walk_over_the_seconds_finds_them_due() {
    let days = days();
    let mut random = Random(20_261_120);
    let (mut never, mut found) = (0, 0);
    for _ in 0..10_000 {
        let fields: Vec<String> = FIELDS.iter().map(|field| random_field(&mut random, *field)).collect();
        let text = fields.join(" ");
        // From 1997 to 2097, in UTC+8.
        let after = random.between(10_000 * DAY, 46_500 * DAY);
        let milliseconds = random.between(0, 999);
        let schedule = Schedule::parse(&text, None).unwrap_or_else(|error| panic!("{text:?}: {error}"));
        let start = Wall((after - UTC_PLUS_8) * 1_000 + milliseconds);
        let firings = std::iter::successors(schedule.next_after(start), |last| schedule.next_after(*last));
        let firings: Vec<i64> = firings.take(3).map(|at| at.unix_seconds() + UTC_PLUS_8).collect();
        let walked = walk(&fields, &days, after, 3);
        assert_eq!(firings, walked, "{text:?} after {}", schedule.show(start));
        never += u32::from(walked.is_empty());
        found += walked.len();
    }
    assert!(never > 100 && found > 15_000, "both kinds were there: {never} never, {found} firings");
}

#[test]
fn the_longest_pause_of_a_random_schedule_is_that_between_two_of_its_firings() {
    let mut random = Random(4_711);
    let start = Wall(1_795_140_000_000);
    let mut checked = 0;
    while checked < 300 {
        let mut fields: Vec<String> = FIELDS.iter().map(|field| random_field(&mut random, *field)).collect();
        fields[6] = "*".to_owned();
        let schedule = Schedule::parse(&fields.join(" "), None).unwrap();
        if schedule.times_a_day() > 6 {
            continue;
        }
        let Some((shortest, longest)) = schedule.pauses(start) else { continue };
        checked += 1;
        let midnight = Wall(start.0.div_euclid(DAY * 1_000) * DAY * 1_000 - (UTC_PLUS_8 + 1) * 1_000);
        // Pauses that begin within 400 days of today: the longest of them may end much later, or never.
        let horizon = midnight + Span::hours(24 * 401);
        let firings = std::iter::successors(schedule.next_after(midnight), |last| schedule.next_after(*last));
        let pauses: Vec<Span> = firings
            .take_while(|firing| *firing <= horizon || *firing == schedule.next_after(midnight).unwrap())
            .map(|firing| schedule.next_after(firing).map_or(Span(i64::MAX), |next| next - firing))
            .collect();
        let found = (shortest.length, longest.length);
        assert_eq!(Some(found.0), pauses.iter().min().copied(), "{fields:?}");
        assert_eq!(Some(found.1), pauses.iter().max().copied(), "{fields:?}");
    }
}

/// The minutes of three days, each as the zone's clocks show it.
fn minutes_around(zone: &TimeZone, change: Timestamp) -> Vec<(i64, jiff::civil::DateTime)> {
    let first = change.as_second() - 2_160 * 60;
    let stamps = (0..4_320).map(|minute| first + minute * 60);
    stamps.map(|at| (at, zone.to_datetime(Timestamp::from_second(at).unwrap()))).collect()
}

fn fits(fields: &[String], moment: jiff::civil::DateTime) -> bool {
    let [minute, hour, day, month, weekday] = [
        (0, moment.minute().into(), FIELDS[1]),
        (1, moment.hour().into(), FIELDS[2]),
        (2, moment.day().into(), FIELDS[3]),
        (3, moment.month().into(), FIELDS[4]),
        (4, moment.weekday().to_sunday_zero_offset().into(), FIELDS[5]),
    ]
    .map(|(at, value, field)| allows(&fields[at], value, field));
    let both_restricted = fields[2] != "*" && fields[4] != "*";
    minute && hour && month && if both_restricted { day || weekday } else { day && weekday }
}

#[test]
fn where_clocks_are_changed_random_schedules_fire_when_a_walk_over_the_minutes_finds_them_due() {
    let mut random = Random(310);
    for name in ["Europe/Berlin", "America/New_York", "America/St_Johns", "Australia/Lord_Howe"] {
        let zone = TimeZoneDatabase::bundled().get(name).unwrap();
        for change in zone.following("2026-01-01T00:00:00Z".parse().unwrap()).take(2) {
            let minutes = minutes_around(&zone, change.timestamp());
            for _ in 0..40 {
                let kinds = [FIELDS[1], FIELDS[2], FIELDS[3], FIELDS[4], FIELDS[5]];
                let mut fields = kinds.map(|field| random_field(&mut random, field));
                fields[3] = "*".to_owned();
                let mut walked = Vec::new();
                for ((_, before), (at, shown)) in minutes.iter().zip(minutes.iter().skip(1)) {
                    let skipped = std::iter::successors(Some(*before), |last| {
                        Some(last.saturating_add(jiff::Span::new().minutes(1)))
                    });
                    let mut skipped = skipped.skip(1).take_while(|skipped| skipped < shown);
                    if fits(&fields, *shown) || skipped.any(|skipped| fits(&fields, skipped)) {
                        walked.push(*at);
                    }
                }
                let schedule = Schedule::parse(&fields.join(" "), Some(name)).unwrap();
                let (first, last) = (minutes[0].0, minutes.last().unwrap().0);
                let start = schedule.next_after(Wall(first * 1_000));
                let firings = std::iter::successors(start, |last| schedule.next_after(*last));
                let firings: Vec<i64> =
                    firings.map(Wall::unix_seconds).take_while(|firing| *firing <= last).collect();
                assert_eq!(firings, walked, "{fields:?} in {name} around {}", change.timestamp());
            }
        }
    }
}

#[test]
fn what_is_no_schedule_is_refused_whatever_it_is() {
    let mut random = Random(99);
    let letters: Vec<char> = "0123456789*/-, LW#?@abcé\u{0}中".chars().collect();
    for _ in 0..20_000 {
        let length = random.between(0, 40);
        let any = |_| letters[usize::try_from(random.next() % letters.len() as u64).unwrap()];
        let text: String = (0..length).map(any).collect();
        if let Ok(schedule) = Schedule::parse(&text, None) {
            assert_eq!(text.split_whitespace().count(), 7, "{text:?}");
            schedule.next_after(Wall(i64::MAX));
            schedule.next_after(Wall(i64::MIN));
        }
    }
}
