//! What patterns find, and what they cost.

use std::time::Duration;

use super::*;
use crate::cloud::stopwatch::timed;

fn finds(pattern: &str, options: &str, text: &str) -> bool {
    Pattern::compile(pattern, options, &Budget::default()).unwrap().finds(text).unwrap()
}

fn refusal(pattern: &str, options: &str) -> String {
    Pattern::compile(pattern, options, &Budget::default()).unwrap_err().to_string()
}

/// The characters of ASCII that a class has.
fn members(class: &str) -> String {
    (' '..='~').filter(|c| finds(&format!("^{class}$"), "", &c.to_string())).collect()
}

#[test]
fn letters_of_words_are_ascii() {
    assert!(!finds(r"^\w+$", "", "中文"));
    assert!(finds(r"^[\w-]+\b$", "", "a-b"));
}

#[test]
fn options_are_known() {
    assert!(finds("^B.c", "ims", "a\nb\nc"));
}

#[test]
fn an_unknown_option_means_nothing() {
    assert!(finds("a", "gd", "a"));
}

#[test]
fn a_bracket_in_a_class_is_a_character() {
    assert!(finds("^[[a]$", "", "["));
}

#[test]
fn named_classes_mean_what_pcre_means() {
    assert_eq!(members("[[:digit:]]"), "0123456789");
    assert_eq!(members("[x[:digit:]-]"), "-0123456789x");
    assert_eq!(members("[^[:^digit:]5]"), "012346789");
    assert!(refusal("[[:number:]]", "").contains("unknown POSIX class name"));
    assert!(refusal("[:digit:]", "").contains("only within a class"));
}

#[test]
fn what_are_operators_elsewhere_are_characters_in_a_class() {
    assert_eq!(members("[a&&b]"), "&ab");
    assert_eq!(members("[a~~b]"), "ab~");
    assert_eq!(members("[%--]"), "%&'()*+,-");
    assert_eq!(members("[--/]"), "-./");
    assert_eq!(members("[a-c-z]"), "-abcz");
    assert_eq!(members(r"[\d-.]"), "-.0123456789");
    assert_eq!(members("[a^]"), "^a");
    assert_eq!(members("[]a-]"), "-]a");
    assert_eq!(members(r"[a\-c]"), "-ac");
    assert_eq!(members(r"[\x41-\x43]"), "ABC");
}

#[test]
fn spaces_in_a_class_count_whatever_the_options() {
    assert!(finds("^a [ #]$", "x", "a "));
    assert!(finds("^a [ #]$", "x", "a#"));
}

#[test]
fn escaped_angle_brackets_are_characters() {
    assert!(finds(r"^\<a\>$", "", "<a>"));
}

#[test]
fn a_brace_that_is_no_quantifier_is_a_character() {
    assert!(finds(r"^{a}{,2}a{2,}b{1}\x{63}\p{L}$", "", "{a}{,2}aaabcd"));
}

#[test]
fn lengths_can_be_asked_for() {
    assert!(finds("^.{1,500}$", "", &"中".repeat(500)));
}

#[test]
fn text_is_found_in_much_text() {
    let pattern = Pattern::compile("needle", "", &Budget::default()).unwrap();
    let hay = "hay".repeat(1 << 20);
    assert!((0..100).all(|_| !pattern.finds(&hay).unwrap()));
}

#[test]
fn large_patterns_are_refused() {
    assert!(refusal("(a{100}){1000}", "").contains("too large"));
    assert!(refusal(&"a".repeat(40_000), "").contains("too long"));
}

#[test]
fn a_request_has_100_patterns_at_most() {
    let budget = Budget::default();
    let compiled = |n: u32| Pattern::compile(&format!("a{n}"), "", &budget).is_ok();
    assert_eq!((0..101).filter(|n| compiled(*n)).count(), 100);
    assert!(compiled(7), "one that is known is not another one");
}

#[test]
fn a_search_costs_what_pattern_and_text_cost() {
    let pattern = Pattern::compile("[ab]*a[ab]{300}c", "", &Budget::default()).unwrap();
    let text = "abbabaaab".repeat(100_000);
    let first = timed(|| pattern.finds(&text)).0;
    assert!((0..1_000).any(|_| pattern.finds(&text).is_err()), "{first:?}");
}

#[test]
fn a_pattern_with_the_same_options_is_one_pattern() {
    let budget = Budget::default();
    let options = ["", "i", "ii", "im", "mi", "mgi"];
    assert!(
        options.into_iter().cycle().take(300).all(|options| Pattern::compile("a", options, &budget).is_ok())
    );
    assert_eq!((0..101).filter(|n| Pattern::compile(&format!("a{n}"), "", &budget).is_ok()).count(), 97);
}

/// Patterns that are as much work as patterns of their length can be.
fn laborious() -> Vec<(&'static str, String)> {
    let many = |part: &str| part.repeat(32_000 / part.len());
    let downwards: String =
        (0x4e00..0x4e00 + 10_000_u32).rev().filter_map(|at| char::from_u32(2 * at - 0x4e00)).collect();
    vec![
        ("class of classes", format!("[{}]", many("\\pL"))),
        ("class of negated classes", format!("[{}]", many("\\W"))),
        ("class of ranges", format!("[{}]", many(" -\u{10ffff}"))),
        ("class of characters downwards", format!("[{downwards}]")),
        ("classes", many("\\pL")),
        ("classes in brackets", many("[\\W]")),
        ("ranges in brackets", many("[ -\u{10ffff}]")),
        ("other ranges in brackets", many("[^ -\u{ffff}]")),
        ("groups", many("()")),
        ("options of groups", many("(?i:a?)")),
        ("alternatives", many("中|")),
        ("alternatives of two", many("ab|ba|")),
        ("repetitions", many("(?:a?){9}")),
        ("repeated classes", many("\\pL{9}")),
        ("nested repetitions", format!("{}a{}", "(?:".repeat(200), "{2})".repeat(200))),
        ("dots", many(".*")),
        ("ends", many("$")),
        ("braces in a comment", format!("#{}", many("{"))),
        ("braces", many("{")),
        ("open brackets in a class", format!("[{}]", many("[:^"))),
        ("quotes", many("\\Q\\E")),
        ("one-character options", many("a?")),
        ("one-character options apart", many("a?b?c?d?e?f?")),
        ("unassigned", many("\\pC")),
        ("a few unassigned", "\\pC".repeat(200)),
        ("wide ranges", "[ -\u{10ffff}]".repeat(200)),
        ("large class", "\\pL".repeat(40)),
        ("large dots", ".".repeat(1500)),
        ("captures", "(a?)".repeat(2500)),
        ("some options", "(?:ab|cd)?".repeat(500)),
        ("some letters", "[ab]".repeat(500)),
        ("more letters", "[ab]".repeat(5000)),
        ("numbers", many("\\x{41}")),
        ("properties without an end", many("\\x{")),
    ]
}

/// A build that is not optimised may take this long.
const LONG: Duration = Duration::from_secs(if cfg!(debug_assertions) { 20 } else { 2 });

#[test]
fn laborious_patterns_are_compiled_or_refused_in_time() {
    for (name, pattern) in laborious() {
        for options in ["", "i", "x"] {
            let (_, took) = timed(|| Pattern::compile(&pattern, options, &Budget::default()).is_ok());
            assert!(took < LONG, "{name}, options {options:?}: {took:?}");
        }
    }
}

#[test]
fn patterns_just_below_the_limit_are_compiled_in_time() {
    let budget = Budget::default();
    let (compiled, took) = timed(|| Pattern::compile(&"[ -\u{10ffff}]".repeat(200), "i", &budget).is_ok());
    assert!(compiled && budget.steps() > 25_000_000, "{} steps", budget.steps());
    assert!(took < LONG, "{took:?}");
    assert!(refusal(&"[ -\u{10ffff}]".repeat(220), "i").starts_with("exceeded time limit"));
}

#[test]
fn as_many_large_patterns_as_may_be_are_compiled_in_time() {
    let budget = Budget::default();
    let pattern = |n: usize| format!("{n}{}", "(a?)".repeat(2500));
    let (compiled, took) =
        timed(|| (0..100).filter(|n| Pattern::compile(&pattern(*n), "i", &budget).is_ok()).count());
    assert!(compiled > 50, "{compiled}");
    assert!(took < LONG, "{took:?}");
}

#[test]
fn the_end_is_also_before_a_last_line_break() {
    assert!(finds("c$", "", "abc\n") && finds(r"c\Z", "", "abc\n") && finds(r"c\Z", "m", "abc\n"));
    assert!(finds("c$", "", "abc") && finds("^$", "", "\n") && finds("^(a$)?$", "", "a\n"));
    assert!(!finds(r"c\z", "", "abc\n") && !finds("c$", "", "abc\n\n"));
    assert!(!finds("a$", "", "a\nb") && finds("a$", "m", "a\nb") && finds("(?m)a$", "", "a\nb"));
    assert!(!finds("(?m:b)a$", "", "ba\nb"));
}

#[test]
fn possessive_quantifiers_are_refused() {
    for pattern in ["a++a", "^a*+a", "a?+", "a{2}+"] {
        assert!(
            refusal(pattern, "").contains("possessive quantifiers like a++ are not emulated"),
            "{pattern}"
        );
    }
}

#[test]
fn a_quantifier_behind_a_quantifier_is_refused() {
    for pattern in ["a**", "a+*", "a{2}{3}", "a+?+", "a+ +"] {
        assert!(Pattern::compile(pattern, "x", &Budget::default()).is_err(), "{pattern}");
    }
    assert!(finds("^a+?b??$", "", "aab") && finds("^(a+)+$", "", "aa") && finds(r"^\Qa+\E+$", "", "a++"));
}

#[test]
fn characters_by_number_are_written_as_in_pcre() {
    assert!(refusal(r"\u4e00", "").contains(r"PCRE does not support \L, \l, \N{name}, \U, or \u"));
    assert!(refusal(r"[\u4e00-\u9fff]", "").contains(r"\x{4e00}"));
    assert!(finds(r"^[\x{4e00}-\x{9fff}]\x{4e2d}\x41\x4\101[\101]\07$", "", "中中A\x04AA\x07"));
}

#[test]
fn boundaries_of_words_are_those_of_ascii() {
    assert!(finds(r"中\B中", "", "中中") && finds(r"a\b中", "", "a中"));
    assert!(finds(r"a\Bb", "", "ab") && !finds(r"a\Bb", "", "a b"));
}

#[test]
fn quoted_text_is_text() {
    assert!(finds(r"^\Qa.b\E.$", "", "a.bc") && !finds(r"^\Qa.b\E$", "", "axb"));
    assert!(finds(r"^\Q[a\E[\Q]\E]\Q#$", "x", "[a]#$") && finds(r"^\Q\E$", "", ""));
}

#[test]
fn spaces_have_their_classes() {
    assert!(finds(r"^a\vb\Vc$", "", "a\nb c") && !finds(r"a\vb", "", "avb"));
    assert!(finds(r"^\h\H[\h]\R\R\N\e$", "", "\u{3000}a\t\r\n\u{2028}x\x1B"));
}

#[test]
fn comments_of_extended_patterns_are_no_part_of_them() {
    assert!(finds("^a # [x\n b \\  c # (", "x", "ab c") && finds("^a(?#[)*b$", "", "aab"));
    assert!(finds("^a(?x: b # [\n)  c$", "", "ab  c") && finds("^(?x) a {2} # *", "", "aa"));
}

#[test]
fn what_is_not_emulated_is_refused_by_name() {
    for (pattern, name) in [
        ("(?>a)", "atomic groups"),
        ("a(?=b)", "look-ahead"),
        ("(?<!a)b", "look-behind"),
        (r"(a)\1", "back-references"),
        (r"(?<n>a)\k<n>", "back-references"),
        ("a(?R)?", "recursion"),
    ] {
        assert!(refusal(pattern, "").contains(name), "{pattern}");
    }
}

#[test]
fn groups_have_names_and_options() {
    assert!(finds("^(?<n>a)(?P<m>b)(?'o'c)(?|d|e)(?i)F(?-i:G)(?U)h$", "", "abcefGh"));
    assert!(!finds("^(?i)F(?-i:G)$", "", "fg"));
}

#[test]
fn characters_have_octal_numbers() {
    assert!(finds(r"^\o{101}[\o{102}]\101$", "", "ABA"));
    for pattern in [r"\o{8}", r"\o{}", r"\o101", r"\x{+41}", r"\x{4g}", r"[\o{+1}]"] {
        assert!(refusal(pattern, "").starts_with("Regular expression is invalid"), "{pattern}");
    }
}

#[test]
fn a_number_behind_a_backslash_is_a_group_if_it_can_be() {
    assert!(finds(r"^\81$", "", "81") && finds(r"^\8$", "", "8"));
    assert!(refusal(r"(a)(b)(c)(d)(e)(f)(g)(h)\8", "").contains("back-references"));
}

#[test]
fn what_has_no_width_cannot_be_repeated() {
    for pattern in ["^*a", r"\b*a", "$*", "a|*", "(*a)", "(?:+a)", r"\A?", "*", "(?i)+a"] {
        assert!(Pattern::compile(pattern, "", &Budget::default()).is_err(), "{pattern}");
    }
    assert!(finds("^(?:^)*a(|b)+$", "", "ab"));
}

#[test]
fn a_number_of_line_breaks_is_refused() {
    assert!(refusal(r"^\R{2}$", "").contains(r"numbers of \R are not emulated"));
    assert!(finds(r"^\R+$", "", "\r\n\n") && finds(r"^a\R?b$", "", "ab"));
}

#[test]
fn quantifiers_and_names_stand_behind_a_backslash_and_n() {
    assert!(finds(r"^\N{3}$", "", "abc") && !finds(r"^\N{3}$", "", "a\nc"));
    assert!(refusal(r"\N{name}", "").contains("PCRE does not support"));
}

#[test]
fn properties_have_the_names_of_pcre() {
    assert!(finds(r"^\p{^Lu}\P{^Lu}\p{L&}\pL\p{Han}\p{Xan}\p{Any}$", "", "aBbc中1!"));
    assert!(!finds(r"^\p{L&}$", "", "中") && !finds(r"^\P{Xwd}$", "", "_"));
    for pattern in [r"\p{Alphabetic}", r"\p{han}", r"\p{sc=Han}", r"\p{Lu", r"\p", r"\p1"] {
        assert!(Pattern::compile(pattern, "", &Budget::default()).is_err(), "{pattern}");
    }
}

#[test]
fn each_script_is_known() {
    assert!(finds(r"^\p{Latin}\p{Canadian_Aboriginal}?\p{Nko}?\p{Phags_Pa}?\p{Meroitic_Cursive}?$", "", "a"));
}

#[test]
fn patterns_may_say_that_they_are_in_utf8() {
    assert!(finds("(*UTF8)^中$", "", "中"));
    assert!(refusal("(*UCP)a", "").contains("verbs like (*UCP) are not emulated"));
}

#[test]
fn groups_have_different_names_unless_they_may_be_the_same() {
    assert!(refusal("(?<a>x)(?<a>y)", "").contains("two named subpatterns have the same name"));
    assert!(finds("^(?J)(?<a>x)(?<a>y)$", "", "xy"));
    assert!(refusal("(?<1>a)", "").contains("syntax error in subpattern name"));
}

#[test]
fn of_an_option_that_is_set_and_taken_back_the_last_counts() {
    assert!(!finds("^(?i-i:a)$", "", "A") && finds("^(?i-s:a)$", "", "A"));
}

#[test]
fn case_means_nothing_to_sets() {
    for pattern in [r"^\w$", r"^[\w]$", r"^[\w1]$", "^[[:alpha:]]$", r"^\p{Lu}$"] {
        assert!(finds(pattern, "i", "S"), "{pattern}");
        assert!(!finds(pattern, "i", "\u{17f}") && !finds(pattern, "i", "\u{212a}x"), "{pattern}");
    }
    assert!(!finds(r"^\p{Lu}$", "i", "s") && finds(r"^[a\d]$", "i", "A") && finds(r"^[a\d]$", "i", "1"));
    assert!(finds("^[[:upper:]][[:^lower:]]$", "i", "s1") && !finds("^[[:upper:]]$", "", "s"));
    assert!(finds(r"^[^\W]$", "i", "s") && !finds(r"^[^\w]$", "i", "s"));
}

#[test]
fn refusals_show_nothing_that_was_not_written() {
    assert_eq!(refusal("(a$", ""), "Regular expression is invalid: unclosed group");
}
