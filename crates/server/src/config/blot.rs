//! The configuration's text without anything that may be a secret: what findings point into.
//!
//! Only values of keys that are known to be harmless are shown. A secret often stands where it was not meant
//! to: without its quotes, under a misspelt key, in a comment, in a URL.

/// Keys whose values are shown. Everything else is starred out.
const HARMLESS: [&str; 53] = [
    "allow_plaintext",
    "allow_private",
    "app_id",
    "cert",
    "assumed_life",
    "audience",
    "base_url",
    "bind",
    "ca_file",
    "client_auth",
    "contested_burst",
    "client_id",
    "credentials",
    "daily_budget",
    "data_dir",
    "from",
    "hand_out",
    "handle_counter",
    "lead",
    "listen",
    "log_format",
    "may",
    "metrics_listen",
    "on",
    "overlap",
    "paths",
    "platform",
    "proxy",
    "rate",
    "relay_refusals",
    "renew_window",
    "safe_part",
    "schedule",
    "scope",
    "sdk_lead",
    "skew",
    "time_zone",
    "to",
    "token_api",
    "token_url",
    "trusted_proxies",
    "accept_app_secret",
    "allow_paths",
    "deny_paths",
    "max_body",
    "replay_buffer",
    "timeout",
    "answer",
    "events",
    "mode",
    "replay_window",
    "retry_for",
    "refused_before_effect",
];
/// Words of a reference to a secret, shown so that the reference can be recognised.
const REFERENCES: [&str; 4] = ["env", "file", "command", "inline"];

/// Byte for byte as long as the text, so that spans still fit.
pub(super) fn blot(text: &str) -> String {
    let mut blotted = String::with_capacity(text.len());
    let mut shown = false;
    let mut long_quote: Option<&str> = None;
    for line in text.split_inclusive('\n') {
        if let Some(quote) = long_quote {
            blotted.push_str(&stars(line));
            long_quote = Some(quote).filter(|quote| !line.contains(quote));
            continue;
        }
        let start = line.trim_start();
        let value_at = if start.starts_with('[') && !start.contains('=') { None } else { key_of(line) };
        let (head, value) = match value_at {
            Some((key, at)) => {
                shown = HARMLESS.contains(&key);
                line.split_at(at)
            }
            None if start.starts_with('[') && table_header(start) => {
                let end = line.rfind(']').map_or(line.len(), |at| at + 1);
                line.split_at(line.find('#').map_or(end, |at| at.min(end)))
            }
            None => line.split_at(0),
        };
        blotted.push_str(head);
        blotted.push_str(&if shown { show(value) } else { hide(value) });
        long_quote = ["\"\"\"", "'''"].into_iter().find(|quote| value.matches(quote).count() % 2 == 1);
    }
    blotted
}

/// `[server]`, `[[alerts]]`: names only.
fn table_header(line: &str) -> bool {
    let names = line.trim_start_matches('[');
    names.find(']').is_some_and(|end| {
        names
            .chars()
            .take(end)
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ' ' | '"' | '*'))
    })
}

/// The last part of the key at the start of a line, and where the value begins.
fn key_of(line: &str) -> Option<(&str, usize)> {
    let (key, _) = line.split_once('=')?;
    let name = key.rsplit('.').next()?.trim().trim_matches('"');
    let is_key =
        !name.is_empty() && key.trim().chars().all(|c| c.is_ascii_alphanumeric() || "-_.\" ".contains(c));
    is_key.then_some((name, key.len() + 1))
}

/// A harmless value, without comments and without what may stand in a URL.
fn show(value: &str) -> String {
    let mut quote = None;
    let comment = value.char_indices().find(|(_, c)| {
        match quote {
            None if matches!(c, '"' | '\'') => quote = Some(*c),
            Some(open) if open == *c => quote = None,
            _ => {}
        }
        quote.is_none() && *c == '#'
    });
    let (value, comment) = value.split_at(comment.map_or(value.len(), |(at, _)| at));
    let mut out = String::with_capacity(value.len());
    // A URL's user information ends at an @; its query may carry a key.
    for part in value.split_inclusive(',') {
        let secret_end = part.rfind('@').map_or(0, |at| at);
        let secret_start = part.find("://").map_or(0, |at| at + 3).min(secret_end);
        let (scheme, rest) = part.split_at(secret_start);
        let (user, rest) = rest.split_at(secret_end - secret_start);
        let (rest, query) = rest.split_at(rest.find('?').unwrap_or(rest.len()));
        out.push_str(scheme);
        out.push_str(&stars(user));
        out.push_str(rest);
        out.push_str(&hide(query));
    }
    out + &stars(comment)
}

/// Structure only: brackets, quotes, commas, and the words of references.
fn hide(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(first) = rest.chars().next() {
        let word = rest.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(rest.len());
        let (head, tail) = rest.split_at(word.max(first.len_utf8()));
        let reference = REFERENCES.contains(&head) && tail.trim_start().starts_with('=');
        if reference || "{}[]=,\"'".contains(first) {
            out.push_str(head);
        } else {
            out.push_str(&stars(head));
        }
        rest = tail;
    }
    out
}

fn stars(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_ascii_whitespace() { c.to_string() } else { "*".repeat(c.len_utf8()) })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn hides(text: &str) {
        let blotted = blot(text);
        assert!(!blotted.contains("HUNTER"), "{blotted}");
        assert_eq!(blotted.len(), text.len());
    }

    #[test]
    fn what_may_be_a_secret_is_starred_out() {
        for text in [
            "app_secret = \"HUNTERü\" # \"x\"\n",
            "app_secret = HUNTER2\n",
            "app_secret = { inlin = \"p4ss\\\"HUNTER\" }\n",
            "app_secret = [\n  \"HUNTER\",\n  { inline = 'HUNTER' },\n]\n",
            "key = '''\nHUNTER\n'''\n",
            "app_secret = \"HUNTER\n",
            "aps_secret = HUNTER\n",
            "base_url = \"https://user:HUNTER@example.com\"\n",
            "base_url = [\"https://a.example.com\", \"https://HUNTER@b.example.com\"]\n",
            "proxy = http://user:HUNTER@10.0.0.5\n",
            "token_url = \"https://id.example.com/token?key=HUNTER\"\n",
            "# app_secret = HUNTER\n",
            "listen = \"127.0.0.1:1\" # HUNTER\n",
            "[credentials.x] # HUNTER\n",
            "[credentials.x.extra]\nclient_assertion = \"HUNTER\"\n",
            "HUNTER\n",
            "[HUNTER\n",
        ] {
            hides(text);
        }
    }

    #[test]
    fn what_is_harmless_is_shown() {
        for text in [
            "platform = \"wechat\"\nscope = \"read write\"\n",
            "[credentials.shop]\nbase_url = \"https://api.weixin.qq.com\"\n",
            "credentials = [\n  \"shop\",\n  \"baidu-*\",\n]\n",
            "refresh.lead = \"65m\"\n",
        ] {
            assert_eq!(blot(text), text);
        }
        assert_eq!(blot("key = { env = \"X\" }\n"), "key = { env = \"*\" }\n");
    }
}
