//! The two notations of messages, read as far as it takes to know what they are about.
//!
//! Bounded: a few hundred elements; no document types, so no entities either.

use roxmltree::{Document as Xml, ParsingOptions};
use serde_json::Value;

use super::Refused;

/// How a message is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// As XML.
    Xml,
    /// As JSON.
    Json,
}

impl Format {
    /// Its word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Format::Xml => "xml",
            Format::Json => "json",
        }
    }

    /// What HTTP calls it.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Xml => "text/xml; charset=utf-8",
            Format::Json => "application/json; charset=utf-8",
        }
    }
}

/// A message that was read.
pub(super) enum Document<'a> {
    Xml(Xml<'a>),
    Json(Value),
}

/// More than any message has.
const MOST_NODES: u32 = 4_096;
/// The kind of a message that says nothing about itself.
const OTHER: &str = "other";
const LONGEST_KIND: usize = 64;

impl<'a> Document<'a> {
    pub(super) fn read(text: &'a str) -> Result<Document<'a>, Refused> {
        if text.trim_start_matches('\u{feff}').trim_start().starts_with('<') {
            let options =
                ParsingOptions { allow_dtd: false, nodes_limit: MOST_NODES, ..ParsingOptions::default() };
            let xml = Xml::parse_with_options(text, options);
            return xml.map(Document::Xml).map_err(|_| Refused::Malformed("this is no XML that is taken"));
        }
        match serde_json::from_str(text) {
            Ok(value @ Value::Object(_)) => Ok(Document::Json(value)),
            _ => Err(Refused::Malformed("this is neither XML nor a JSON object")),
        }
    }

    pub(super) fn format(&self) -> Format {
        match self {
            Document::Xml(_) => Format::Xml,
            Document::Json(_) => Format::Json,
        }
    }

    /// The text of a field right below the root.
    pub(super) fn field(&self, name: &str) -> Option<String> {
        match self {
            Document::Xml(xml) => {
                let field = xml.root_element().children().find(|child| child.has_tag_name(name))?;
                Some(field.children().filter_map(|part| part.text()).collect())
            }
            Document::Json(value) => value.get(name)?.as_str().map(str::to_owned),
        }
    }

    /// What the message is about.
    pub(super) fn kind(&self) -> String {
        let word = |name: &str| {
            let text = self.field(name)?;
            let text = text.trim();
            let is_word = text.chars().all(|c| c.is_ascii_graphic()) && text.len() <= LONGEST_KIND;
            Some(text.to_owned()).filter(|text| !text.is_empty() && is_word)
        };
        match (word("MsgType"), word("Event"), word("InfoType")) {
            (Some(kind), Some(event), _) if kind.eq_ignore_ascii_case("event") => format!("event:{event}"),
            (Some(kind), _, _) => kind,
            (None, Some(event), _) => format!("event:{event}"),
            (None, None, Some(info)) => format!("info:{info}"),
            (None, None, None) => OTHER.to_owned(),
        }
    }
}
