//! Reading spanned TOML: every mistake is collected with its place, and reading goes on.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde_spanned::Spanned;
use tokenward_core::name::Name;
use tokenward_core::time::Span;
use tokenward_vault::SecretSource;
use toml::de::{DeTable, DeValue};
use zeroize::Zeroizing;

use super::SecretRef;
use super::diagnostic::{ConfigError, ConfigText, Finding};
use super::span_text::parse_span;

/// Collects findings.
pub(super) struct Reader {
    pub(super) folder: PathBuf,
    findings: Vec<Finding>,
}

/// A table, and which of its keys have been looked at.
pub(super) struct Section<'a> {
    path: String,
    table: Option<&'a DeTable<'a>>,
    pub(super) span: Range<usize>,
    seen: BTreeSet<&'a str>,
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Placed<T> {
    pub(super) value: T,
    pub(super) span: Range<usize>,
}

impl Reader {
    pub(super) fn new(folder: PathBuf) -> Reader {
        Reader { folder, findings: Vec::new() }
    }

    pub(super) fn error(&mut self, span: Range<usize>, message: impl Into<String>, fix: impl Into<String>) {
        self.push(span, message.into(), fix.into(), false);
    }

    pub(super) fn warn(&mut self, span: Range<usize>, message: impl Into<String>, fix: impl Into<String>) {
        self.push(span, message.into(), fix.into(), true);
    }

    fn push(&mut self, span: Range<usize>, message: String, fix: String, warning: bool) {
        let (file, source) = (String::new(), None);
        self.findings.push(Finding { file, line: 0, column: 0, message, fix, warning, span, source });
    }

    pub(super) fn has_errors(&self) -> bool {
        self.findings.iter().any(|finding| !finding.warning)
    }

    pub(super) fn into_error(self, text: &str, path: &Path) -> ConfigError {
        let mut findings = self.located(text, path);
        findings.retain(|finding| !finding.warning);
        ConfigError { findings }
    }

    pub(super) fn into_warnings(self, text: &str, path: &Path) -> Vec<Finding> {
        self.located(text, path)
    }

    fn located(mut self, text: &str, path: &Path) -> Vec<Finding> {
        let text = ConfigText::new(text, path);
        for finding in &mut self.findings {
            text.locate(finding);
        }
        self.findings.sort_by_key(|finding| finding.span.start);
        self.findings
    }

    fn wrong_type(&mut self, value: &Spanned<DeValue<'_>>, key: &str, expected: &str, example: &str) {
        let found = value.get_ref().type_str();
        self.error(
            value.span(),
            format!("`{key}` must be {expected}, not {found}"),
            format!("Write {example}."),
        );
    }
}

impl<'a> Section<'a> {
    pub(super) fn new(path: &str, table: &'a DeTable<'a>, span: Range<usize>) -> Section<'a> {
        Section { path: path.to_owned(), table: Some(table), span, seen: BTreeSet::new() }
    }

    /// What messages call a key of this section.
    pub(super) fn key(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// The value of a key. Whoever takes it has understood it.
    pub(super) fn take(&mut self, key: &'a str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.seen.insert(key);
        self.table?.get(key)
    }

    /// A table below this one; empty if it is absent.
    pub(super) fn section(&mut self, key: &'a str, reader: &mut Reader) -> Section<'a> {
        let path = self.key(key);
        let found = self.take(key);
        let table = found.and_then(|value| value.get_ref().as_table());
        if let (Some(value), None) = (found, table) {
            reader.wrong_type(value, &path, "a table", &format!("[{path}] on a line of its own"));
        }
        let span = found.map(Spanned::span).unwrap_or_default();
        Section { path, table, span, seen: BTreeSet::new() }
    }

    /// The tables `[key.NAME]`, by name.
    pub(super) fn named_sections(
        &mut self,
        key: &'a str,
        reader: &mut Reader,
    ) -> Vec<(Placed<Name>, Section<'a>)> {
        let all = self.section(key, reader);
        let mut found = Vec::new();
        for (name, value) in all.table.into_iter().flatten() {
            let path = all.key(name.get_ref());
            let Some(table) = value.get_ref().as_table() else {
                reader.wrong_type(value, &path, "a table", &format!("[{path}] on a line of its own"));
                continue;
            };
            match Name::parse(name.get_ref()) {
                Ok(parsed) => {
                    let section = Section::new(&path, table, name.span());
                    found.push((Placed { value: parsed, span: name.span() }, section));
                }
                Err(error) => reader.error(
                    name.span(),
                    format!("{:?} cannot be a name: {error}", name.get_ref()),
                    "Use a name like \"shop\" or \"baidu-ocr\".",
                ),
            }
        }
        // In the order of the file, so that messages and listings follow it.
        found.sort_by_key(|(name, _)| name.span.start);
        found
    }

    pub(super) fn string(&mut self, key: &'a str, reader: &mut Reader) -> Option<Placed<String>> {
        let path = self.key(key);
        let value = self.take(key)?;
        match value.get_ref().as_str() {
            Some(text) => Some(Placed { value: text.to_owned(), span: value.span() }),
            None => {
                reader.wrong_type(value, &path, "text", &format!("{key} = \"…\""));
                None
            }
        }
    }

    /// A table of texts, in the order of the file.
    pub(super) fn texts(
        &mut self,
        key: &'a str,
        reader: &mut Reader,
    ) -> Option<Vec<(String, Placed<String>)>> {
        self.take(key)?;
        let mut all = self.section(key, reader);
        let mut names: Vec<_> = all.table.into_iter().flatten().map(|(name, _)| name).collect();
        names.sort_by_key(|name| name.span().start);
        let texts = names.into_iter().map(|name| name.get_ref().as_ref());
        Some(texts.filter_map(|name| Some((name.to_owned(), all.string(name, reader)?))).collect())
    }

    pub(super) fn required_string(
        &mut self,
        key: &'a str,
        what: &str,
        reader: &mut Reader,
    ) -> Option<Placed<String>> {
        if self.table.is_some_and(|table| !table.contains_key(key)) {
            self.seen.insert(key);
            let path = self.path.clone();
            reader.error(
                self.span.clone(),
                format!("`{key}` is missing in [{path}]"),
                format!("Add {what}."),
            );
            return None;
        }
        let found = self.string(key, reader)?;
        if found.value.trim().is_empty() {
            reader.error(found.span, format!("`{}` is empty", self.key(key)), format!("Write {what}."));
            return None;
        }
        Some(found)
    }

    pub(super) fn flag(&mut self, key: &'a str, reader: &mut Reader) -> bool {
        let path = self.key(key);
        let Some(value) = self.take(key) else { return false };
        value.get_ref().as_bool().unwrap_or_else(|| {
            reader.wrong_type(value, &path, "true or false", &format!("{key} = true"));
            false
        })
    }

    pub(super) fn duration(&mut self, key: &'a str, reader: &mut Reader) -> Option<Placed<Span>> {
        let path = self.key(key);
        let value = self.take(key)?;
        let Some(text) = value.get_ref().as_str() else {
            reader.wrong_type(value, &path, "a duration in quotes", &format!("{key} = \"5m\""));
            return None;
        };
        match parse_span(text) {
            Ok(span) => Some(Placed { value: span, span: value.span() }),
            Err(message) => {
                reader.error(
                    value.span(),
                    format!("`{path}`: {message}"),
                    "Write \"90s\", \"5m\" or \"2h\".",
                );
                None
            }
        }
    }

    pub(super) fn count(&mut self, key: &'a str, reader: &mut Reader) -> Option<Placed<u32>> {
        let path = self.key(key);
        let value = self.take(key)?;
        let number = value
            .get_ref()
            .as_integer()
            .and_then(|integer| u32::from_str_radix(integer.as_str(), integer.radix()).ok());
        match number {
            Some(number) => Some(Placed { value: number, span: value.span() }),
            None => {
                reader.wrong_type(value, &path, "a whole number from 0", &format!("{key} = 2000"));
                None
            }
        }
    }

    /// Text or a list of texts.
    pub(super) fn strings(&mut self, key: &'a str, reader: &mut Reader) -> Option<Vec<Placed<String>>> {
        let path = self.key(key);
        let value = self.take(key)?;
        let single = std::slice::from_ref(value);
        let items: &[Spanned<DeValue<'_>>] = value.get_ref().as_array().map_or(single, |array| array);
        let mut texts = Vec::new();
        for item in items {
            match item.get_ref().as_str() {
                Some(text) => texts.push(Placed { value: text.to_owned(), span: item.span() }),
                None => {
                    reader.wrong_type(item, &path, "text or a list of texts", &format!("{key} = [\"…\"]"))
                }
            }
        }
        Some(texts)
    }

    /// A reference to a secret, or a list of them.
    pub(super) fn secrets(&mut self, key: &'a str, required: bool, reader: &mut Reader) -> Vec<SecretRef> {
        let Some(value) = self.take(key) else {
            if required {
                let path = self.path.clone();
                let message = format!("`{key}` is missing in [{path}]");
                reader.error(self.span.clone(), message, format!("Add {key} = {{ env = \"…\" }}."));
            }
            return Vec::new();
        };
        let single = std::slice::from_ref(value);
        let items: &[Spanned<DeValue<'_>>] = value.get_ref().as_array().map_or(single, |array| array);
        if items.is_empty() {
            reader.error(value.span(), format!("`{key}` is an empty list"), "Name at least one secret.");
        }
        let path = self.key(key);
        items.iter().filter_map(|item| secret(item, &path, reader)).collect()
    }

    /// Keys that a later version understands: an error now, because to ignore them would be worse.
    pub(super) fn later(&mut self, keys: &[&'a str], reader: &mut Reader) {
        for key in keys {
            let found = self.table.and_then(|table| table.get_key_value(*key));
            self.seen.insert(key);
            if let Some((name, _)) = found {
                let message =
                    format!("`{}` is not supported by this version of Tokenward yet", self.key(key));
                reader.error(name.span(), message, "Remove it; nothing would happen if it were accepted.");
            }
        }
    }

    /// Reports keys that nobody has looked at.
    pub(super) fn finish(self, known: &[&str], reader: &mut Reader) {
        for (name, _) in self.table.into_iter().flatten() {
            let key: &str = name.get_ref();
            if self.seen.contains(key) {
                continue;
            }
            let place = if self.path.is_empty() { String::new() } else { format!(" in [{}]", self.path) };
            let fix = match nearest(key, known) {
                Some(near) => format!("Did you mean `{near}`?"),
                None => format!("Remove it. Known keys: {}.", known.join(", ")),
            };
            reader.error(name.span(), format!("unknown key `{key}`{place}"), fix);
        }
    }
}

fn secret(item: &Spanned<DeValue<'_>>, path: &str, reader: &mut Reader) -> Option<SecretRef> {
    const FORMS: &str =
        "{ env = \"NAME\" }, { file = \"PATH\" } or { command = [\"program\", \"argument\"] }";
    let Some(table) = item.get_ref().as_table() else {
        let found = item.get_ref().type_str();
        let message = format!("`{path}` must say where the secret is, not {found}");
        reader.error(
            item.span(),
            message,
            format!("Write {FORMS}; {{ inline = \"…\" }} if it must stand here."),
        );
        return None;
    };
    let mut section = Section::new(path, table, item.span());
    let env = section.string("env", reader).map(|name| SecretSource::Env(name.value));
    let file = section.string("file", reader);
    let file = file.map(|file| SecretSource::File(super::resolve(&reader.folder, &file.value)));
    let command = section.strings("command", reader);
    let command =
        command.map(|words| SecretSource::Command(words.into_iter().map(|word| word.value).collect()));
    let inline = section.string("inline", reader);
    let inline = inline.map(|inline| {
        reader.warn(
            item.span(),
            format!("`{path}` stands in the configuration file itself"),
            "Keep it in the environment or in a file that only Tokenward can read.",
        );
        SecretSource::Inline(Zeroizing::new(inline.value))
    });
    section.finish(&["env", "file", "command", "inline"], reader);
    let mut found: Vec<SecretSource> = [env, file, command, inline].into_iter().flatten().collect();
    match (found.pop(), found.is_empty()) {
        (Some(source), true) => Some(SecretRef { source, span: item.span() }),
        _ => {
            let message = format!("`{path}` must name exactly one place");
            reader.error(item.span(), message, format!("Write {FORMS}."));
            None
        }
    }
}

/// The known key that a misspelt one most likely means.
fn nearest<'k>(key: &str, known: &[&'k str]) -> Option<&'k str> {
    let scored = known.iter().map(|candidate| (distance(key, candidate), *candidate));
    scored
        .filter(|(score, candidate)| *score <= candidate.len().div_ceil(3))
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance; keys are short.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, y) in row.iter_mut().skip(1).zip(&b) {
            let substituted = diagonal + usize::from(x != *y);
            diagonal = *cell;
            left = substituted.min(left + 1).min(diagonal + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_key_is_recognised() {
        assert_eq!(nearest("app_secert", &["app_id", "app_secret"]), Some("app_secret"));
        assert_eq!(nearest("colour", &["app_id", "app_secret"]), None);
    }
}
