//! Where a call goes: the client's path and query, checked and with the token put in.
//!
//! Nothing is normalised. A path that would mean something else to another reader (dot segments, encoded
//! slashes, empty segments) is refused; what passes reaches the platform byte for byte, and of the query only
//! the token's own parameter changes.

use std::fmt;

use percent_encoding::percent_decode_str;

/// A path and query that may be sent to a platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// The path without its leading slash.
    pub path: &'a str,
    /// The query without its question mark.
    pub query: Option<&'a str>,
}

/// Why a path or query is not sent on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTarget {
    /// A segment is `.` or `..`, encoded or not.
    #[error("the path has a dot segment")]
    DotSegment,
    /// A segment is empty: two slashes in a row.
    #[error("the path has two slashes in a row")]
    EmptySegment,
    /// A segment has an encoded slash, a backslash or a control character.
    #[error("the path has an encoded slash, a backslash or a control character")]
    OddSegment,
    /// A percent sign is not followed by two hexadecimal digits.
    #[error("the path has a broken percent encoding")]
    BrokenEncoding,
    /// The parameter stands in the query more than once.
    #[error("the query has a parameter of the credential twice")]
    Twice,
}

impl<'a> Target<'a> {
    /// Splits and checks what stands after the credential's name.
    ///
    /// # Errors
    /// It could mean something else to the platform than it does here.
    pub fn parse(path_and_query: &'a str) -> Result<Target<'a>, BadTarget> {
        let (path, query) = match path_and_query.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (path_and_query, None),
        };
        check_encoding(path)?;
        let mut segments = path.split('/').peekable();
        while let Some(segment) = segments.next() {
            check_segment(segment, segments.peek().is_none())?;
        }
        Ok(Target { path, query })
    }

    /// The value of a parameter as it stands in the query.
    ///
    /// # Errors
    /// It stands there twice.
    pub fn parameter(&self, name: &str) -> Result<Option<&'a str>, BadTarget> {
        let mut found = pairs(self.query).filter(|(key, _)| is(key, name)).map(|(_, value)| value);
        let first = found.next();
        if found.next().is_some() { Err(BadTarget::Twice) } else { Ok(first) }
    }

    /// The target on the wire, with each of `parameters` (names, and values that are encoded already) put in:
    /// in the place of the client's own, else at the end.
    ///
    /// # Errors
    /// One of them stands in the query twice.
    pub fn with(&self, prefix: &str, parameters: &[(&str, &str)]) -> Result<String, BadTarget> {
        let added: usize = parameters.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
        let query_len = self.query.map_or(0, |query| query.len() + 1);
        let mut out = String::with_capacity(prefix.len() + 1 + self.path.len() + query_len + added);
        out.extend([prefix, "/", self.path]);
        let mut separator = '?';
        for (name, _) in parameters {
            self.parameter(name)?;
        }
        for pair in self.query.into_iter().flat_map(|query| query.split('&')) {
            out.push(separator);
            separator = '&';
            let key = pair.split_once('=').map_or(pair, |(key, _)| key);
            match parameters.iter().find(|(name, _)| is(key, name)) {
                Some((name, value)) => out.extend([*name, "=", *value]),
                None => out.push_str(pair),
            }
        }
        for (name, value) in parameters {
            if !pairs(self.query).any(|(key, _)| is(key, name)) {
                out.push(separator);
                separator = '&';
                out.extend([*name, "=", *value]);
            }
        }
        Ok(out)
    }
}

impl fmt::Display for Target<'_> {
    /// The path alone: a query may carry what nobody should read.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}", self.path)
    }
}

fn pairs(query: Option<&str>) -> impl Iterator<Item = (&str, &str)> {
    let pairs = query.into_iter().flat_map(|query| query.split('&'));
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// Whether an encoded key means this name: `access%5Ftoken` does.
fn is(key: &str, name: &str) -> bool {
    key == name || (key.contains('%') && percent_decode_str(key).eq(name.bytes()))
}

fn check_encoding(text: &str) -> Result<(), BadTarget> {
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        let digits = rest.as_bytes().get(at + 1..at + 3).ok_or(BadTarget::BrokenEncoding)?;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(BadTarget::BrokenEncoding);
        }
        rest = rest.get(at + 3..).unwrap_or_default();
    }
    Ok(())
}

fn check_segment(segment: &str, last: bool) -> Result<(), BadTarget> {
    if segment.is_empty() {
        return if last { Ok(()) } else { Err(BadTarget::EmptySegment) };
    }
    let mut decoded = percent_decode_str(segment);
    if decoded.clone().any(|byte| matches!(byte, b'/' | b'\\' | 0..=31 | 127)) {
        return Err(BadTarget::OddSegment);
    }
    // Some servers cut a segment at a semicolon before they look for dots.
    let plain: Vec<u8> = decoded.by_ref().take_while(|byte| *byte != b';').take(3).collect();
    if plain == b"." || plain == b".." { Err(BadTarget::DotSegment) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_token(text: &str) -> Result<String, BadTarget> {
        Target::parse(text).and_then(|target| target.with("", &[("access_token", "NEW")]))
    }

    #[test]
    fn the_token_takes_the_place_of_the_clients_or_goes_to_the_end() {
        for (given, sent) in [
            ("cgi-bin/user/get", "/cgi-bin/user/get?access_token=NEW"),
            ("a?b=1", "/a?b=1&access_token=NEW"),
            ("a?access_token=old&b=1", "/a?access_token=NEW&b=1"),
            ("a?b=1&access_token=&c=%E4%BD%A0+x", "/a?b=1&access_token=NEW&c=%E4%BD%A0+x"),
            ("a?access%5Ftoken=old", "/a?access_token=NEW"),
            ("a?access_token", "/a?access_token=NEW"),
            ("a?", "/a?&access_token=NEW"),
            ("a/", "/a/?access_token=NEW"),
            ("", "/?access_token=NEW"),
        ] {
            assert_eq!(with_token(given).as_deref(), Ok(sent), "{given}");
        }
    }

    #[test]
    fn the_rest_of_the_query_stays_byte_for_byte() {
        let odd = "a?z=1&a=%7e~&=x&&sign=AbC%2B/==&b";
        assert_eq!(with_token(odd).unwrap(), format!("/{odd}&access_token=NEW"));
    }

    #[test]
    fn a_token_that_stands_there_twice_is_refused() {
        assert_eq!(with_token("a?access_token=1&access_token=2"), Err(BadTarget::Twice));
        assert_eq!(with_token("a?access_token=1&access%5ftoken=2"), Err(BadTarget::Twice));
    }

    #[test]
    fn paths_that_could_escape_are_refused() {
        for path in ["..", "a/../b", "a/%2e%2e/b", "a/.%2E", "./a", "%2e", "a/..;x/b"] {
            assert_eq!(Target::parse(path), Err(BadTarget::DotSegment), "{path}");
        }
        for path in ["/host/a", "a//b", "//"] {
            assert_eq!(Target::parse(path), Err(BadTarget::EmptySegment), "{path}");
        }
        for path in ["a%2fb", "a%5Cb", "a\\b", "a%00b", "a%0d%0ab"] {
            assert_eq!(Target::parse(path), Err(BadTarget::OddSegment), "{path}");
        }
        for path in ["a%", "a%2", "a%zz"] {
            assert_eq!(Target::parse(path), Err(BadTarget::BrokenEncoding), "{path}");
        }
    }

    #[test]
    fn what_only_looks_odd_passes() {
        for path in ["...", "a.b/..c", "%252e%252e", "a?b=../..", "a?u=//host", "a?b=100%"] {
            assert!(Target::parse(path).is_ok(), "{path}");
        }
    }

    #[test]
    fn several_parameters_are_put_in_at_once() {
        let target = Target::parse("sns/jscode2session?secret=x&js_code=1").unwrap();
        let sent = target.with("/base", &[("appid", "wx1"), ("secret", "s3")]).unwrap();
        assert_eq!(sent, "/base/sns/jscode2session?secret=s3&js_code=1&appid=wx1");
    }
}
