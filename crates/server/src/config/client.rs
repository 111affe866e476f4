//! `[clients.*]`: who may ask, for what, and with which key.

use globset::{GlobBuilder, GlobMatcher};
use tokenward_core::name::Name;
use tokenward_core::time::Span;

use super::calls::{self, CallPattern};
use super::reader::{Placed, Reader, Section};
use super::{CredentialConfig, SecretRef};

/// `[clients.NAME]`
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// The client's name.
    pub name: Name,
    /// Its key.
    pub key: SecretRef,
    /// The credentials it may see.
    pub credentials: Vec<Pattern>,
    /// What it may do with them.
    pub may: Vec<Right>,
    /// How much earlier than told its SDK takes a token for expired: added to what the facade tells it.
    pub sdk_lead: Span,
    /// Counted up to revoke all handles of the client.
    pub handle_counter: u32,
    /// The calls it may make through the gateway; `None` for all.
    pub paths: Option<Vec<CallPattern>>,
    span: std::ops::Range<usize>,
}

/// A name, or a pattern of names.
#[derive(Clone, Debug)]
pub enum Pattern {
    /// Exactly this name. The hot path compares it; a matcher would be slower.
    Exact(String),
    /// Every name.
    All,
    /// Names of this form.
    Glob(GlobMatcher),
}

impl Pattern {
    fn parse(text: &str) -> Result<Pattern, globset::Error> {
        if Name::parse(text).is_ok() {
            return Ok(Pattern::Exact(text.to_owned()));
        }
        if text == "*" {
            return Ok(Pattern::All);
        }
        let glob = GlobBuilder::new(text).literal_separator(false).build()?;
        Ok(Pattern::Glob(glob.compile_matcher()))
    }

    fn matches(&self, name: &str) -> bool {
        match self {
            Pattern::Exact(exact) => exact == name,
            Pattern::All => true,
            Pattern::Glob(glob) => glob.is_match(name),
        }
    }

    fn as_str(&self) -> &str {
        match self {
            Pattern::Exact(exact) => exact,
            Pattern::All => "*",
            Pattern::Glob(glob) => glob.glob().glob(),
        }
    }
}

/// What a client may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// Get tokens.
    Token,
    /// Report refused tokens.
    Report,
    /// Call the platform through the gateway.
    Call,
    /// Everything an operator does.
    Admin,
}

impl Right {
    /// All rights.
    pub const ALL: [Right; 4] = [Right::Token, Right::Report, Right::Call, Right::Admin];

    /// Its word in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Right::Token => "token",
            Right::Report => "report",
            Right::Call => "call",
            Right::Admin => "admin",
        }
    }
}

const KNOWN: [&str; 6] = ["key", "credentials", "may", "paths", "sdk_lead", "handle_counter"];
const LATER: [&str; 2] = ["from", "rate"];

impl ClientConfig {
    pub(super) fn read(
        name: &Placed<Name>,
        mut section: Section<'_>,
        reader: &mut Reader,
    ) -> Option<ClientConfig> {
        let keys = section.secrets("key", true, reader);
        if let Some(second) = keys.get(1) {
            reader.error(
                second.span.clone(),
                "a client has one key",
                "Make a client of its own for the second key.",
            );
        }
        let credentials = read_patterns(&mut section, &name.value, reader);
        let may = read_rights(&mut section, reader);
        let paths = calls::patterns(&mut section, "paths", true, reader);
        let sdk_lead = section.duration("sdk_lead", reader).map_or(Span::ZERO, |lead| lead.value);
        let handle_counter = section.count("handle_counter", reader).map_or(0, |counter| counter.value);
        section.later(&LATER, reader);
        section.finish(&KNOWN, reader);
        let key = keys.into_iter().next()?;
        Some(ClientConfig {
            name: name.value.clone(),
            key,
            credentials,
            may,
            sdk_lead,
            handle_counter,
            paths,
            span: name.span.clone(),
        })
    }

    /// Whether the client may see this credential.
    #[must_use]
    pub fn sees(&self, credential: &str) -> bool {
        self.credentials.iter().any(|pattern| pattern.matches(credential))
    }
}

fn read_patterns(section: &mut Section<'_>, client: &Name, reader: &mut Reader) -> Vec<Pattern> {
    let Some(texts) = section.strings("credentials", reader) else {
        reader.error(
            section.span.clone(),
            format!("the client {client} may see no credential"),
            "Add credentials = [\"shop\"], or [\"*\"] for all.",
        );
        return Vec::new();
    };
    let mut patterns = Vec::new();
    for text in texts {
        match Pattern::parse(&text.value) {
            Ok(pattern) => patterns.push(pattern),
            Err(error) => reader.error(
                text.span,
                format!("{:?} is not a pattern: {}", text.value, error.kind()),
                "Write a name, or a pattern like \"baidu-*\".",
            ),
        }
    }
    patterns
}

fn read_rights(section: &mut Section<'_>, reader: &mut Reader) -> Vec<Right> {
    let Some(words) = section.strings("may", reader) else {
        return vec![Right::Token, Right::Report, Right::Call];
    };
    let mut rights = Vec::new();
    for word in words {
        match Right::ALL.into_iter().find(|right| right.as_str() == word.value) {
            Some(right) => rights.push(right),
            None => reader.error(
                word.span,
                format!("{:?} is not a right", word.value),
                "The rights are \"token\", \"report\", \"call\" and \"admin\".",
            ),
        }
    }
    rights
}

/// Patterns that match nothing are most likely misspelt.
pub(super) fn check_together(
    clients: &[ClientConfig],
    credentials: &[CredentialConfig],
    reader: &mut Reader,
) {
    for client in clients {
        for pattern in &client.credentials {
            if !credentials.iter().any(|credential| pattern.matches(credential.name.as_str())) {
                reader.warn(
                    client.span.clone(),
                    format!("{:?} of the client {} matches no credential", pattern.as_str(), client.name),
                    "Check its spelling against the names of [credentials].",
                );
            }
        }
    }
}
