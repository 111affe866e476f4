//! Any text at all: made by a grammar, taken from the fixtures, broken, repeated and spliced; evaluated and carried
//! out on a small collection.
//!
//! None may panic, take long, or take much memory. A text is made from its seed, and seeds count up from the first:
//! `TOKENWARD_FUZZ=10m` or `=600s` says how long, `TOKENWARD_FUZZ_SEED=7` where to begin.

mod grammar;
mod mutation;

use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::environment::{Around, Environment, LARGEST_RESULT};
use super::stopwatch::running;
use super::{CloudCall, Done};
use crate::chance::Chance;

/// How long a test of every day takes.
const SHORT: Duration = Duration::from_secs(5);
/// How long one text may take; a build that is not optimised is slower.
const LONGEST: Duration = Duration::from_secs(if cfg!(debug_assertions) { 30 } else { 2 });
/// The most memory that the process may ever have taken, in KiB.
const MOST_MEMORY: u64 = 1024 * 1024;
/// What a thread of the server has.
const STACK: usize = 2 * 1024 * 1024;

const DOCUMENTS: &str = "db.collection('c').add({data:[\
    {_id:'1',a:1,b:'text',n:[1,2,3],at:new Date(0),place:new db.Geo.Point(113,23)},\
    {_id:'2',a:2.5,b:'中文',n:[{x:1},{x:2,y:[1]}],nested:{x:{y:1}},place:new db.Geo.Point(0,0)},\
    {_id:'3',a:null,b:['a','b'],n:[],nested:[{x:[{y:1}]}]},\
    {_id:'4',a:'1',n:[[1],[2,[3]]],b:/x/i},\
    {_id:'5',a:{x:1,y:2},area:db.Geo.Polygon([db.Geo.LineString([db.Geo.Point(0,0),db.Geo.Point(3,0),\
     db.Geo.Point(3,3),db.Geo.Point(0,0)])])},\
    LARGE,DEEP,SIMILAR]})";

/// A document in which a list stands far below.
fn deep() -> String {
    let numbers: Vec<String> = (0..8000).map(|at| at.to_string()).collect();
    format!("{{_id:'7',a:{}[{}]{}}}", "{a:".repeat(88), numbers.join(","), "}".repeat(88))
}

/// A document with a list of objects that are the same but for their last number.
fn similar() -> String {
    let numbers: Vec<String> = (0..400).map(|at| at.to_string()).collect();
    let objects: Vec<String> = (0..40).map(|at| format!("{{x:[{},{at}]}}", numbers.join(","))).collect();
    format!("{{_id:'8',n:[{}]}}", objects.join(","))
}

/// A document in which there is much to look at.
fn large() -> String {
    let numbers: Vec<String> =
        (0..4000).map(|at| if at % 9 == 0 { format!("{{x:{at}}}") } else { at.to_string() }).collect();
    let points: Vec<String> = (0..400).map(|at| format!("db.Geo.Point({},{})", at / 4, at % 7)).collect();
    let corners: Vec<String> = (0..400)
        .map(|at| f64::from(at % 399) / 399.0 * std::f64::consts::TAU)
        .map(|angle| format!("db.Geo.Point({:.6},{:.6})", 20.0 * angle.cos(), 20.0 * angle.sin()))
        .collect();
    format!(
        "{{_id:'6',n:[{}],b:'{}',place:db.Geo.LineString([{}]),area:db.Geo.Polygon([db.Geo.LineString([{}])])}}",
        numbers.join(","),
        "ab中 ".repeat(10_000),
        points.join(","),
        corners.join(",")
    )
}

/// An environment with a small collection.
fn environment() -> Environment {
    let mut environment = Environment::default();
    let mut chance = Chance::seeded(1);
    let documents =
        DOCUMENTS.replace("LARGE", &large()).replace("DEEP", &deep()).replace("SIMILAR", &similar());
    for (call, body) in [
        (CloudCall::CollectionAdd, json!({ "collection_name": "c" })),
        (CloudCall::Add, json!({ "query": documents })),
    ] {
        carry_out(&mut environment, call, &body, &mut chance).unwrap();
    }
    environment
}

fn carry_out(environment: &mut Environment, call: CloudCall, body: &Json, chance: &mut Chance) -> Done {
    environment.carry_out(
        call,
        body,
        &mut Around { env: "test", now: 0, chance, journal: None, largest_result: LARGEST_RESULT },
    )
}

/// The call that a text seems to be for.
fn call_of(text: &str) -> CloudCall {
    let calls = [
        (".get(", CloudCall::Query),
        (".count(", CloudCall::Count),
        (".add(", CloudCall::Add),
        (".update(", CloudCall::Update),
        (".set(", CloudCall::Update),
        (".remove(", CloudCall::Delete),
        (".end(", CloudCall::Aggregate),
    ];
    let last = calls.into_iter().filter_map(|(word, call)| Some((text.rfind(word)?, call)));
    last.max_by_key(|(at, _)| *at).map_or(CloudCall::Query, |(_, call)| call)
}

/// Carries out the texts of all seeds from the first, and says so after each of them.
fn carry_out_all(first: u64) -> Receiver<bool> {
    // One text at a time, so that the one that fails is known.
    let (done, dones) = sync_channel(0);
    let work = move || {
        let filled = environment();
        for seed in first.. {
            let text = mutation::text(seed);
            let body = json!({ "query": text });
            let mut chance = Chance::seeded(seed);
            let result = carry_out(&mut filled.clone(), call_of(&text), &body, &mut chance);
            if done.send(result.is_ok()).is_err() {
                return;
            }
        }
    };
    std::thread::Builder::new().name("fuzz".to_owned()).stack_size(STACK).spawn(work).unwrap();
    dones
}

/// The most memory that this process has taken so far, in KiB; nothing where nobody counts it.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok()).unwrap_or(0)
}

/// A number of the surroundings, with one of these units behind it.
fn setting(name: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(measured(&text, units).unwrap_or_else(|| panic!("{name}={text} cannot be read")))
}

fn measured(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    units.iter().find_map(|(unit, size)| text.strip_suffix(unit)?.parse::<u64>().ok()?.checked_mul(*size))
}

const TIMES: [(&str, u64); 3] = [("s", 1), ("m", 60), ("h", 3600)];

#[test]
fn settings_have_units() {
    assert_eq!(measured("10m", &TIMES), Some(600));
    assert_eq!(measured("60s", &TIMES), Some(60));
    assert_eq!(measured("60", &TIMES), None);
    assert_eq!(measured("7", &[("", 1)]), Some(7));
}

#[test]
fn any_text_is_answered() {
    let first = setting("TOKENWARD_FUZZ_SEED", &[("", 1)]).unwrap_or(1);
    let duration = setting("TOKENWARD_FUZZ", &TIMES).map_or(SHORT, Duration::from_secs);
    let (so_far, dones) = (running(), carry_out_all(first));
    let (mut accepted, mut slowest) = (0_u64, Duration::ZERO);
    let mut seed = first;
    let repeat = |seed: u64| {
        format!(
            "TOKENWARD_FUZZ_SEED={seed} cargo nextest run -p tokenward-emulator -E 'test(any_text_is_answered)'"
        )
    };
    while so_far() < duration {
        if (seed - first).is_multiple_of(1000) {
            eprintln!("from here: {}", repeat(seed));
        }
        let shown = || mutation::text(seed).chars().take(2000).collect::<String>();
        let one = running();
        match dones.recv_timeout(LONGEST) {
            Ok(is_accepted) => accepted += u64::from(is_accepted),
            Err(RecvTimeoutError::Timeout) => {
                panic!("longer than {LONGEST:?}\n{}\n{}", repeat(seed), shown())
            }
            Err(RecvTimeoutError::Disconnected) => panic!("a panic\n{}\n{}", repeat(seed), shown()),
        }
        slowest = slowest.max(one());
        let memory = peak_memory();
        assert!(memory < MOST_MEMORY, "{memory} KiB\n{}\n{}", repeat(seed), shown());
        seed += 1;
    }
    let texts = seed - first;
    let memory = peak_memory() / 1024;
    eprintln!(
        "{texts} texts, {accepted} of them carried out, {slowest:?} for one and {memory} MiB at the most"
    );
    // A grammar that makes nothing but mistakes would find nothing.
    assert!(accepted * 20 > texts, "{accepted} of {texts} texts were carried out");
}
