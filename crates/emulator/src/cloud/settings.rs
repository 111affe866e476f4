//! What can be set on the emulated cloud before it starts.

use std::path::PathBuf;

use super::FilePartFirst;
use super::Function;

/// Settings of the emulated cloud. By default every environment that is named exists, nothing in it lasts, and no
/// function answers.
#[derive(Clone, Debug, Default)]
pub struct CloudSettings {
    /// Where documents and files are kept. `None` (the default): until the emulator stops.
    pub folder: Option<PathBuf>,
    /// The environments that exist. Empty (the default): every one that is named.
    pub environments: Vec<String>,
    /// What happens to an upload whose file stands before the fields that permit it.
    pub file_part_first: FilePartFirst,
    /// The functions that exist.
    pub functions: Vec<Function>,
}
