//! What searches find, and what they cost.

use std::time::Duration;

use super::super::testing::random;
use super::*;
use crate::cloud::stopwatch::timed;

/// A build that is not optimised may take this long.
const LONG: Duration = Duration::from_secs(if cfg!(debug_assertions) { 30 } else { 2 });

/// Searches a text within a budget of its own, and says what was found and how many steps it took.
fn searched(pattern: &str, text: &str) -> (Outcome<bool>, u64) {
    let budget = Budget::default();
    let pattern = Pattern::compile(pattern, "", &budget).unwrap();
    let before = budget.steps();
    let (found, took) = timed(|| pattern.finds(text));
    assert!(took < LONG, "{took:?}");
    (found, budget.steps() - before)
}

#[test]
fn ordinary_patterns_cost_next_to_nothing() {
    let words = "tea and sho ps are sold here, 13 of them; 商店里有茶和书 ".repeat(40);
    for pattern in [
        "(?i)delivery",
        "^t.*,x",
        "shop$",
        r"\bshop\b",
        "tea.*shop",
        r"^1[3-9]\d{9}$",
        "tea.{0,50}coffee",
        r"\p{L}{2,20}x",
        "茶.{0,20}店",
        r"\d{3}",
        "[书茶]店|shop",
    ] {
        let budget = Budget::default();
        let compiled = Pattern::compile(pattern, "", &budget).unwrap();
        assert!((0..5_000).all(|_| compiled.finds(&words) == Ok(false)), "{pattern}");
        assert!(budget.steps() < 2_000_000, "{pattern}: {} steps", budget.steps());
    }
}

/// Patterns that lead to new states with nearly every character of a text of `a` and `b`.
fn without_end() -> Vec<String> {
    let many = |part: &str, times: usize| part.repeat(times);
    vec![
        "a[ab]{180}c".to_owned(),
        "a[ab]{600}c".to_owned(),
        "a[ab]{2000}c".to_owned(),
        "[ab]*a[ab]{300}c".to_owned(),
        "a.{0,50}zz9".to_owned(),
        "(?m)^.*a.{100}$9".to_owned(),
        "[^a]*a[^b]*b.{40}9".to_owned(),
        r"a[\pL\pN]{20}9".to_owned(),
        format!("{}a[ab]{{100}}9", many("(?:a?)", 160)),
        format!("{}9", many("(?:ab|ba|)", 800)),
        format!("a{}[ab]{{20}}9", many("(?:|||||||||||)", 300)),
    ]
}

#[test]
fn searches_spend_their_steps_in_time() {
    let text = random("ab", 4_000_000);
    for pattern in without_end() {
        let budget = Budget::default();
        let compiled = Pattern::compile(&pattern, "", &budget).unwrap();
        let parts = || text.as_bytes().chunks(50_000).map(|part| std::str::from_utf8(part).unwrap());
        let (found, took) = timed(|| parts().find_map(|part| compiled.finds(part).err()));
        assert!(found.is_some(), "{pattern}: {} steps", budget.steps());
        assert!(took < LONG, "{pattern}: {took:?}");
    }
}

#[test]
fn states_that_were_forgotten_are_found_again() {
    let text = random("ab", 100_000) + "a" + &"b".repeat(300) + "c";
    assert_eq!(searched("a[ab]{300}c", &text).0, Ok(true));
    assert_eq!(searched("a[ab]{300}d", &text).0, Ok(false));
}

#[test]
fn nothing_is_found_inside_of_a_character() {
    assert_eq!(searched(r"\B", "a中a").0, Ok(false));
    assert_eq!(searched(r"\B", "a中中a").0, Ok(true));
}

#[test]
fn what_a_pattern_begins_with_is_found_wherever_it_stands() {
    for (pattern, text) in [
        ("tea", "a te tea"),
        ("tea$", "teas te tea"),
        ("(?:tea|cup)s", "tea cup xcups"),
        ("te+a", "t te tx teea"),
        ("tetea", "tetetea"),
    ] {
        assert_eq!(searched(pattern, text).0, Ok(true), "{pattern}");
        assert_eq!(searched(pattern, &text[..text.len() - 1]).0, Ok(false), "{pattern}");
    }
}
