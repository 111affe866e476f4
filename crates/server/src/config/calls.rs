//! Which calls may be made: `paths` of a client, `[credentials.NAME.gateway]`.

use globset::{GlobBuilder, GlobMatcher};
use http::Method;
use tokenward_core::time::Span;

use super::reader::{Reader, Section};

/// A pattern of calls: `"POST /cgi-bin/message/*"`, or without a method for all of them. `*` also stands for
/// slashes.
#[derive(Clone, Debug)]
pub struct CallPattern {
    method: Option<Method>,
    path: GlobMatcher,
}

/// `[credentials.NAME.gateway]`
#[derive(Clone, Debug)]
pub struct CallRules {
    /// Only these calls are made, if there are any.
    pub allow: Vec<CallPattern>,
    /// These calls are never made.
    pub deny: Vec<CallPattern>,
    /// The largest body that is sent, in bytes.
    pub max_body: u64,
    /// How many bytes of a body are kept for a second sending.
    pub replay_buffer: usize,
    /// How long the platform may take until its answer begins.
    pub timeout: Span,
}

impl Default for CallRules {
    fn default() -> CallRules {
        CallRules {
            allow: Vec::new(),
            deny: Vec::new(),
            max_body: 1 << 30,
            replay_buffer: 1 << 20,
            timeout: Span::seconds(60),
        }
    }
}

impl CallPattern {
    /// `strict` tells capitals from small letters.
    fn parse(text: &str, strict: bool) -> Result<CallPattern, String> {
        let (method, path) = match text.split_once(' ') {
            Some((method, path)) => (Some(method), path.trim_start()),
            None => (None, text),
        };
        let method = match method {
            Some(method) if method.bytes().all(|byte| byte.is_ascii_uppercase()) => {
                Some(Method::from_bytes(method.as_bytes()).map_err(|error| error.to_string())?)
            }
            Some(method) => return Err(format!("{method:?} is not a method in capitals")),
            None => None,
        };
        if !path.starts_with('/') {
            return Err("the path does not begin with a slash".to_owned());
        }
        let glob = GlobBuilder::new(path).literal_separator(false).case_insensitive(!strict).build();
        let path = glob.map_err(|error| error.kind().to_string())?.compile_matcher();
        Ok(CallPattern { method, path })
    }

    /// Whether a call is meant; the path decoded, with its leading slash.
    #[must_use]
    pub fn matches(&self, method: &Method, path: &str) -> bool {
        self.method.as_ref().is_none_or(|own| own == method) && self.path.is_match(path)
    }
}

impl CallRules {
    pub(super) fn read(mut section: Section<'_>, reader: &mut Reader) -> CallRules {
        let defaults = CallRules::default();
        let allow = patterns(&mut section, "allow", true, reader).unwrap_or_default();
        let deny = patterns(&mut section, "deny", false, reader).unwrap_or_default();
        let max_body = size(&mut section, "max_body", reader).unwrap_or(defaults.max_body);
        let replay_buffer = size(&mut section, "replay_buffer", reader);
        let replay_buffer =
            replay_buffer.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(defaults.replay_buffer);
        let timeout = section.duration("timeout", reader).map_or(defaults.timeout, |timeout| timeout.value);
        section.finish(&["allow", "deny", "max_body", "replay_buffer", "timeout"], reader);
        CallRules { allow, deny, max_body, replay_buffer, timeout }
    }

    /// Whether there is anything to look up.
    #[must_use]
    pub fn has_patterns(&self) -> bool {
        !self.allow.is_empty() || !self.deny.is_empty()
    }

    /// Whether the credential's own rules allow a call. `generous` is the path as a server that overlooks much would
    /// read it, without its leading slash: what is denied is denied in every spelling.
    #[must_use]
    pub fn allows(&self, method: &Method, path: &str, generous: &str) -> bool {
        let any = |patterns: &[CallPattern], path: &str| {
            patterns.iter().any(|pattern| pattern.matches(method, path))
        };
        (self.allow.is_empty() || any(&self.allow, path))
            && !any(&self.deny, path)
            && !any(&self.deny, &format!("/{generous}"))
    }
}

/// A list of patterns, if there is one.
pub(super) fn patterns(
    section: &mut Section<'_>,
    key: &'static str,
    strict: bool,
    reader: &mut Reader,
) -> Option<Vec<CallPattern>> {
    let texts = section.strings(key, reader)?;
    let mut patterns = Vec::new();
    for text in texts {
        match CallPattern::parse(&text.value, strict) {
            Ok(pattern) => patterns.push(pattern),
            Err(why) => reader.error(
                text.span,
                format!("{:?} is not a pattern of calls: {why}", text.value),
                "Write \"POST /cgi-bin/message/*\", or \"/cgi-bin/user/*\" for every method.",
            ),
        }
    }
    Some(patterns)
}

/// A number of bytes: `"64KiB"`, `"1MiB"`, `"1GiB"`, `"512B"`.
fn size(section: &mut Section<'_>, key: &'static str, reader: &mut Reader) -> Option<u64> {
    let text = section.string(key, reader)?;
    let units = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("B", 0)];
    let parsed = units.into_iter().find_map(|(unit, shift)| {
        let number: u64 = text.value.strip_suffix(unit)?.trim().parse().ok()?;
        number.checked_shl(shift).filter(|bytes| bytes >> shift == number)
    });
    if parsed.is_none() {
        let message = format!("`{key}` is {:?}, not a number of bytes", text.value);
        reader.error(text.span, message, "Write a size like \"64KiB\", \"1MiB\" or \"1GiB\".");
    }
    parsed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_names_a_method_or_stands_for_all() {
        let sends = CallPattern::parse("POST /cgi-bin/message/*", true).unwrap();
        assert!(sends.matches(&Method::POST, "/cgi-bin/message/custom/send"));
        assert!(!sends.matches(&Method::GET, "/cgi-bin/message/custom/send"));
        assert!(!sends.matches(&Method::POST, "/cgi-bin/user/get"));
        let all = CallPattern::parse("/cgi-bin/user/*", true).unwrap();
        assert!(all.matches(&Method::DELETE, "/cgi-bin/user/get"));
    }

    #[test]
    fn what_is_no_pattern_says_why() {
        for text in ["post /a", "cgi-bin/*", "GET", "GET /a[", ""] {
            assert!(CallPattern::parse(text, true).is_err(), "{text}");
        }
    }
}
