//! Reading answers: the parts that all platforms share.

use serde_json::Value;
use tokenward_core::event::{Grant, Outcome};
use tokenward_core::failure::{Failure, FailureKind, Refusal};
use tokenward_core::secret::Secret;
use tokenward_core::time::Span;

use crate::exchange::Answer;

/// What an answer to a token request means.
pub type Reading = Result<Grant, (Failure, Outcome)>;

/// The longest message of a platform that is shown.
const MESSAGE_CHARS: usize = 300;
/// Longer lives than this are taken for mistakes.
const LONGEST_LIFE: Span = Span::hours(24 * 400);

/// A refusal that the platform put into words.
#[must_use]
pub fn refused(kind: FailureKind, code: &str, message: &str) -> Failure {
    Failure {
        refusal: Some(Refusal { code: clip(code), message: clip(message) }),
        ..Failure::new(kind, format!("the platform refused: {} {}", clip(code), clip(message)))
    }
}

/// What HTTP says before the body is looked at: server errors, limits, pages for people.
#[must_use]
pub fn http_trouble(answer: &Answer) -> Option<(Failure, Outcome)> {
    let status = answer.status;
    let with_wait = |failure: Failure| Failure { retry_after: answer.retry_after(), ..failure };
    match status {
        500.. => {
            let detail = format!("the platform answered HTTP {status}");
            Some((with_wait(Failure::new(FailureKind::PlatformError, detail)), Outcome::Unknown))
        }
        429 => {
            let detail = "the platform answered HTTP 429 (too many requests)";
            Some((with_wait(Failure::new(FailureKind::RateLimited, detail)), Outcome::Refused))
        }
        // A token in JSON that is merely labelled as HTML has been issued all the same.
        _ if answer.is_html() && answer.json().is_none() => {
            Some(nonsense(answer, "an HTML page instead of JSON"))
        }
        300..=399 => Some(nonsense(answer, "a redirect, which is never followed with a secret")),
        _ => None,
    }
}

/// An answer that is not the platform's protocol. A success status leaves open whether a token was issued.
#[must_use]
pub fn nonsense(answer: &Answer, what: &str) -> (Failure, Outcome) {
    let detail = format!("the platform answered HTTP {} with {what}", answer.status);
    let outcome = if answer.status < 300 { Outcome::Unknown } else { Outcome::Refused };
    (Failure::new(FailureKind::Nonsense, detail), outcome)
}

/// A token and its life, as most platforms put them: `access_token` and `expires_in`.
///
/// # Errors
/// The answer is not of that form.
pub fn grant(answer: &Answer, body: &Value, assumed: Span, longest: Span) -> Reading {
    grant_of("access_token", answer, body, assumed, longest)
}

/// The same, where the token has another name.
///
/// # Errors
/// The answer is not of that form.
pub fn grant_of(name: &str, answer: &Answer, body: &Value, assumed: Span, longest: Span) -> Reading {
    let token = match body.get(name).and_then(Value::as_str) {
        Some(token) if is_sound_token(token) => Secret::new(token),
        Some(_) => {
            return Err(nonsense(
                answer,
                &format!("a value of `{name}` that is empty or not printable ASCII"),
            ));
        }
        None => return Err(nonsense(answer, &format!("JSON without `{name}`"))),
    };
    match life(body.get("expires_in"), assumed, longest) {
        Ok(life) => Ok(Grant { token, life }),
        Err(what) => Err(nonsense(answer, &what)),
    }
}

/// Tokens go into URLs and headers: anything else than printable ASCII would break there.
fn is_sound_token(token: &str) -> bool {
    !token.is_empty() && token.len() <= 65_536 && token.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A life in seconds: a number, a number in a string, or missing. More than is documented is cut, because a
/// token that dies early is worse than one refreshed early.
fn life(value: Option<&Value>, assumed: Span, longest: Span) -> Result<Span, String> {
    let seconds = match value {
        None | Some(Value::Null) => return Ok(assumed),
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => text.trim().parse::<f64>().ok(),
        Some(_) => None,
    };
    match seconds {
        Some(seconds) if seconds.is_finite() && seconds >= 1.0 => {
            let cap = longest.min(LONGEST_LIFE);
            let capped = seconds.min(cap.whole_seconds() as f64);
            Ok(Span::seconds(capped as i64))
        }
        Some(seconds) => Err(format!("`expires_in` {seconds}: a token that is over at once")),
        None => Err("an `expires_in` that is not a number".to_owned()),
    }
}

/// A short text without line breaks or control characters.
#[must_use]
pub fn clip(text: &str) -> Box<str> {
    let printable = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    printable.take(MESSAGE_CHARS).collect::<String>().into()
}

/// A number or text as text: platforms are not consistent.
#[must_use]
pub fn loose_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const TWO_HOURS: Span = Span::hours(2);

    fn read(value: Value) -> Result<i64, String> {
        life(Some(&value), TWO_HOURS, TWO_HOURS).map(Span::whole_seconds)
    }

    #[test]
    fn lives_come_as_numbers_and_as_text() {
        assert_eq!(read(json!(7200)), Ok(7200));
        assert_eq!(read(json!("3600")), Ok(3600));
        assert_eq!(read(json!(59.9)), Ok(59));
    }

    #[test]
    fn a_missing_life_is_the_documented_one() {
        assert_eq!(life(None, TWO_HOURS, TWO_HOURS), Ok(TWO_HOURS));
        assert_eq!(read(Value::Null), Ok(7200));
    }

    #[test]
    fn a_huge_life_is_cut_to_the_documented_one() {
        assert_eq!(read(json!(99_999_999_999_i64)), Ok(7200));
        assert_eq!(read(json!(1e300)), Ok(7200));
    }

    #[test]
    fn zero_and_negative_lives_are_refused() {
        assert!(read(json!(0)).is_err());
        assert!(read(json!(-5)).is_err());
        assert!(read(json!("soon")).is_err());
        assert!(read(json!([])).is_err());
    }
}
