//! `multipart/form-data` as it arrives: chunks go in, parts come out, and nothing larger than a chunk is held.
//!
//! Invariant: how the bytes are cut into chunks makes no difference. A boundary is a boundary wherever it stands, as
//! RFC 2046 has it; a body that ends before its last boundary never yields [`Item::End`].

use bytes::{Bytes, BytesMut};
use memchr::memmem;
use thiserror::Error;

/// The longest head of a part, and the longest text before the first boundary.
const LONGEST_HEAD: usize = 8 * 1024;
const LONGEST_BOUNDARY: usize = 70;
const MOST_PARTS: usize = 100;

/// A form that is being read.
#[derive(Debug)]
pub(crate) struct Form {
    /// A line break, two hyphens, the boundary.
    delimiter: Vec<u8>,
    buffer: BytesMut,
    stage: Stage,
    parts: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Before the first boundary.
    Preamble,
    /// Behind a boundary: a head follows, or the form ends.
    Boundary,
    /// In a head.
    Head,
    /// In a part.
    Body,
    /// What follows the form is nobody's.
    Ended,
}

/// What comes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    /// A part begins.
    Part(Head),
    /// Some of its bytes.
    Bytes(Bytes),
    /// It is over.
    PartEnd,
    /// So is the form.
    End,
}

/// What stands above a part. A file name is not kept: clients put one at texts as well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) name: String,
    pub(crate) content_type: Option<String>,
}

/// What is wrong with a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub(crate) struct FormError(&'static str);

impl Form {
    /// The form that a `Content-Type` announces.
    pub(crate) fn announced(content_type: &str) -> Result<Form, FormError> {
        let (kind, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
        if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
            return Err(FormError("The Content-Type of an upload is multipart/form-data."));
        }
        match parameter(parameters, "boundary") {
            Some(boundary) if (1..=LONGEST_BOUNDARY).contains(&boundary.len()) => Ok(Form {
                delimiter: format!("\r\n--{boundary}").into_bytes(),
                // As if there were a line before the first one: then every boundary begins alike.
                buffer: BytesMut::from(&b"\r\n"[..]),
                stage: Stage::Preamble,
                parts: 0,
            }),
            _ => Err(FormError("The Content-Type needs a boundary of 1 to 70 characters.")),
        }
    }

    /// Takes the next bytes of the body. Whatever [`next`](Self::next) has for them is to be fetched first.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        if self.stage != Stage::Ended {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// What comes next; `None` until more bytes are there.
    pub(crate) fn next(&mut self) -> Result<Option<Item>, FormError> {
        loop {
            match self.stage {
                Stage::Preamble => match memmem::find(&self.buffer, &self.delimiter) {
                    Some(at) => self.pass_delimiter(at),
                    None if self.buffer.len() > LONGEST_HEAD => {
                        return Err(FormError("The body does not begin with its boundary."));
                    }
                    None => return Ok(None),
                },
                Stage::Boundary => {
                    let Some(stage) = self.behind_boundary()? else { return Ok(None) };
                    self.stage = stage;
                    if stage == Stage::Ended {
                        self.buffer.clear();
                        return Ok(Some(Item::End));
                    }
                }
                Stage::Head => return self.head(),
                Stage::Body => return Ok(self.body()),
                Stage::Ended => return Ok(None),
            }
        }
    }

    fn pass_delimiter(&mut self, at: usize) {
        let _ = self.buffer.split_to(at + self.delimiter.len());
        self.stage = Stage::Boundary;
    }

    /// What follows a boundary: two hyphens, or the end of the line, before which some clients put blanks.
    fn behind_boundary(&mut self) -> Result<Option<Stage>, FormError> {
        if self.buffer.starts_with(b"--") {
            return Ok(Some(Stage::Ended));
        }
        let blanks = self.buffer.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        match self.buffer.get(blanks..).unwrap_or_default() {
            [b'\r', b'\n', ..] => {
                // The line break stays: a head without a single line begins with two.
                let _ = self.buffer.split_to(blanks);
                Ok(Some(Stage::Head))
            }
            [] | [b'\r'] | [b'-'] if blanks <= LONGEST_HEAD => Ok(None),
            _ => Err(FormError("A boundary is followed by something else than a line break.")),
        }
    }

    fn head(&mut self) -> Result<Option<Item>, FormError> {
        let Some(at) = memmem::find(&self.buffer, b"\r\n\r\n") else {
            if self.buffer.len() > LONGEST_HEAD {
                return Err(FormError("The head of a part is too long."));
            }
            return Ok(None);
        };
        let text = self.buffer.split_to(at);
        let _ = self.buffer.split_to(4);
        self.parts += 1;
        if at > LONGEST_HEAD || self.parts > MOST_PARTS {
            return Err(FormError("The form has too many parts, or one with too long a head."));
        }
        self.stage = Stage::Body;
        head_of(&String::from_utf8_lossy(&text)).map(|head| Some(Item::Part(head)))
    }

    fn body(&mut self) -> Option<Item> {
        match memmem::find(&self.buffer, &self.delimiter) {
            Some(0) => {
                self.pass_delimiter(0);
                Some(Item::PartEnd)
            }
            Some(at) => Some(Item::Bytes(self.buffer.split_to(at).freeze())),
            None => {
                // The beginning of a boundary may be among the last bytes.
                let sure = (self.buffer.len() + 1).saturating_sub(self.delimiter.len());
                (sure > 0).then(|| Item::Bytes(self.buffer.split_to(sure).freeze()))
            }
        }
    }
}

fn head_of(text: &str) -> Result<Head, FormError> {
    let header = |wanted: &str| {
        text.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.trim().eq_ignore_ascii_case(wanted).then(|| value.trim())
        })
    };
    let disposition = header("content-disposition").and_then(|value| value.split_once(';'));
    match disposition {
        Some((kind, parameters)) if kind.trim().eq_ignore_ascii_case("form-data") => {
            let name = parameter(parameters, "name").ok_or(FormError("A part has no name."))?;
            Ok(Head { name, content_type: header("content-type").map(str::to_owned) })
        }
        _ => Err(FormError("A part has no Content-Disposition: form-data; name=….")),
    }
}

/// The value of a parameter in `a=b; c="d;e"`, where a backslash takes away what a quotation mark means.
fn parameter(text: &str, wanted: &str) -> Option<String> {
    let mut chars = text.chars();
    while !chars.as_str().is_empty() {
        let name: String = chars.by_ref().take_while(|c| *c != '=').collect();
        let mut value = String::new();
        let (mut is_quoted, mut is_escaped) = (false, false);
        for c in chars.by_ref() {
            match c {
                _ if is_escaped => {
                    value.push(c);
                    is_escaped = false;
                }
                '\\' if is_quoted => is_escaped = true,
                '"' => is_quoted = !is_quoted,
                ';' if !is_quoted => break,
                c => value.push(c),
            }
        }
        if name.trim_matches([' ', '\t', ';']).eq_ignore_ascii_case(wanted) {
            return Some(value.trim().to_owned());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPE: &str = "multipart/form-data; boundary=\"x y\"";

    /// Everything that comes out, with the bytes of a part in one piece.
    fn read(body: &[u8], chunk: usize) -> Result<Vec<Item>, FormError> {
        let mut form = Form::announced(TYPE).unwrap();
        let (mut items, mut bytes) = (Vec::new(), Vec::new());
        for chunk in body.chunks(chunk.max(1)) {
            form.feed(chunk);
            while let Some(item) = form.next()? {
                match item {
                    Item::Bytes(more) => bytes.extend_from_slice(&more),
                    item => {
                        if !bytes.is_empty() {
                            items.push(Item::Bytes(std::mem::take(&mut bytes).into()));
                        }
                        items.push(item);
                    }
                }
            }
        }
        Ok(items)
    }

    fn part(name: &str) -> Item {
        Item::Part(Head { name: name.to_owned(), content_type: None })
    }

    const TWO_PARTS: &[u8] = b"--x y\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--x \r\n--x\
        \r\n--x y \r\ncontent-disposition:form-data; filename=\"\\\";name=b\"; name=f\r\nContent-Type: text/css\r\n\
        \r\n\r\n--x y--\r\nand more";

    #[test]
    fn a_form_is_the_same_in_chunks_of_any_size() {
        let css = Head { name: "f".to_owned(), content_type: Some("text/css".to_owned()) };
        let expected = [
            part("a"),
            Item::Bytes(Bytes::from_static(b"1\r\n--x \r\n--x")),
            Item::PartEnd,
            Item::Part(css),
            Item::PartEnd,
            Item::End,
        ];
        for chunk in 1..=TWO_PARTS.len() {
            assert_eq!(read(TWO_PARTS, chunk).unwrap(), expected, "chunks of {chunk}");
        }
    }

    #[test]
    fn half_a_form_has_no_end() {
        let end = TWO_PARTS.windows(4).rposition(|bytes| bytes == b"y--\r").unwrap() + 3;
        for length in 0..end {
            let items = read(&TWO_PARTS[..length], 7).unwrap();
            assert!(!items.contains(&Item::End), "{length} bytes");
        }
    }

    #[test]
    fn what_is_no_form_is_an_error() {
        let long = vec![b'x'; 2 * LONGEST_HEAD];
        let long_head = [b"--x y\r\nA: ".as_slice(), &long].concat();
        let many = b"--x y\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n".repeat(MOST_PARTS + 1);
        for bad in [
            long.as_slice(),
            &long_head,
            &many,
            b"--x yz\r\n",
            b"--x y\r\n\r\nno head",
            b"--x y\r\nContent-Disposition: form-data\r\n\r\n",
            b"--x y\r\nContent-Disposition: attachment; name=a\r\n\r\n",
        ] {
            assert!(read(bad, 1000).is_err(), "{}", String::from_utf8_lossy(bad));
        }
    }

    #[test]
    fn only_forms_are_announced() {
        for bad in [
            "",
            "text/plain",
            "multipart/form-data",
            "multipart/form-data; boundary=",
            "multipart/mixed; boundary=a",
        ] {
            assert!(Form::announced(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn nothing_larger_than_a_chunk_is_held() {
        let mut form = Form::announced(TYPE).unwrap();
        form.feed(b"--x y\r\nContent-Disposition: form-data; name=file\r\n\r\n");
        for _ in 0..100 {
            form.feed(&[b'\r'; 1000]);
            while form.next().unwrap().is_some() {}
            assert!(form.buffer.len() < 10);
        }
    }
}
