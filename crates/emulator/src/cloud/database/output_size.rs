//! How much is given back. Looked at before it is written as text: an answer that is refused shall not be made.

use super::error::{DatabaseError, Outcome};
use crate::cloud::measure::Measure;
use crate::cloud::value::Document;

/// The largest output in bytes of BSON. As text, which may have 1 MB, it would be longer.
const LARGEST: u64 = 6 * 1024 * 1024;

/// How many bytes of BSON a request gives back.
#[derive(Debug, Default)]
pub(crate) struct OutputSize(u64);

impl OutputSize {
    /// One more document.
    pub(crate) fn add(&mut self, document: &Document) -> Outcome<()> {
        self.0 += Measure::of_document(document).bson;
        if self.0 > LARGEST { Err(DatabaseError::large_result()) } else { Ok(()) }
    }
}
