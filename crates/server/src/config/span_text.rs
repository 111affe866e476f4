//! Spans of time as text: `"90s"`, `"5m"`, `"2h"`, `"1h30m"`, `"250ms"`, `"7d"`.

use tokenward_core::time::Span;

const UNITS: [(&str, i64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// Reads a span of time. Never negative.
///
/// # Errors
/// Says what is expected.
pub fn parse_span(text: &str) -> Result<Span, String> {
    let mut rest = text.trim();
    let mut total = 0_i64;
    let wrong = || format!("{text:?} is not a duration");
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, tail) = rest.split_at(digits);
        let number: i64 = number.parse().map_err(|_| wrong())?;
        let letters = tail.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, tail) = tail.split_at(letters);
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
        total = number.checked_mul(*factor).and_then(|part| total.checked_add(part)).ok_or_else(wrong)?;
        rest = tail.trim_start();
    }
    Ok(Span(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        assert_eq!(parse_span("90s"), Ok(Span::seconds(90)));
        assert_eq!(parse_span("1h30m"), Ok(Span::minutes(90)));
        assert_eq!(parse_span("250ms"), Ok(Span(250)));
        assert_eq!(parse_span("0s"), Ok(Span::ZERO));
    }

    #[test]
    fn a_number_without_unit_is_refused() {
        for text in ["90", "", "h", "-5s", "5 weeks", "99999999999999999d", "五分"] {
            assert!(parse_span(text).is_err(), "{text}");
        }
    }
}
