//! Documents, collections, indexes, imports and exports.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::ejson::{ReadError, documents};
use crate::query::Id;
use crate::statement::Get;

/// The body of the six calls that carry a statement; see [`Statement`](crate::Statement).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScriptRequest {
    /// The environment.
    pub env: String,
    /// The statement.
    pub query: String,
}

/// Where in the whole a page is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Pager {
    /// How many were left out.
    pub offset: u64,
    /// How many were asked for.
    pub limit: u64,
    /// How many there are in all.
    pub total: u64,
}

/// Documents that were read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct QueryAnswer {
    /// Where they are in the whole.
    pub pager: Pager,
    /// Each as a text of JSON.
    pub data: Vec<String>,
}

/// Documents that an aggregation made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AggregateAnswer {
    /// Each as a text of Extended JSON.
    pub data: Vec<String>,
}

impl QueryAnswer {
    /// The documents as one's own type.
    ///
    /// # Errors
    /// One of them is not of that type.
    pub fn documents<T: DeserializeOwned>(&self) -> Result<Vec<T>, ReadError> {
        documents(&self.data)
    }
}

impl AggregateAnswer {
    /// The documents as one's own type.
    ///
    /// # Errors
    /// One of them is not of that type.
    pub fn documents<T: DeserializeOwned>(&self) -> Result<Vec<T>, ReadError> {
        documents(&self.data)
    }
}

/// Documents that were added.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AddAnswer {
    /// Their ids in the order of the documents.
    pub id_list: Vec<Id>,
}

/// Documents that were changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChangeAnswer {
    /// How many fulfilled the filter.
    pub matched: u64,
    /// How many are now different. A document that was added by `set` is not counted.
    pub modified: u64,
    /// The id of a document that was added by `set`, otherwise an empty text.
    pub id: Id,
}

/// Documents that were removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RemoveAnswer {
    /// How many.
    pub deleted: u64,
}

/// Documents that were counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CountAnswer {
    /// How many.
    pub count: u64,
}

/// Makes a collection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddCollection {
    /// The environment.
    pub env: String,
    /// Its name.
    pub collection_name: String,
}

/// Removes a collection and all in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteCollection {
    /// The environment.
    pub env: String,
    /// Its name.
    pub collection_name: String,
}

/// Lists collections.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListCollections {
    /// The environment.
    pub env: String,
    /// How many at most; ten by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// How many to leave out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u32>,
}

/// A page of collections.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Collections {
    /// Where in the whole it is.
    pub pager: Pager,
    /// The collections.
    pub collections: Vec<CollectionInfo>,
}

/// A collection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CollectionInfo {
    /// Its name.
    pub name: String,
    /// How many documents.
    pub count: u64,
    /// Their size in bytes.
    pub size: u64,
    /// How many indexes.
    pub index_count: u64,
    /// Their size in bytes.
    pub index_size: u64,
}

/// Makes and removes indexes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateIndex {
    /// The environment.
    pub env: String,
    /// The collection.
    pub collection_name: String,
    /// To make.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub create_indexes: Vec<CreateIndex>,
    /// To remove.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drop_indexes: Vec<DropIndex>,
}

/// A new index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateIndex {
    /// Its name.
    pub name: String,
    /// Whether no two documents may have the same. A field that is absent counts as null.
    pub unique: bool,
    /// Its fields.
    pub keys: Vec<IndexKey>,
}

/// A field of an index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexKey {
    /// Its path.
    pub name: String,
    /// `1`, `-1` or `2dsphere`.
    pub direction: String,
}

/// An index to remove.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DropIndex {
    /// Its name.
    pub name: String,
}

/// The `file_type` of imports and exports.
pub mod file_type {
    /// One document a line.
    pub const JSON: u8 = 1;
    /// The first line names the fields; an export needs them in its statement.
    pub const CSV: u8 = 2;
}

/// The `conflict_mode` of imports.
pub mod conflict_mode {
    /// An id that is taken is an error.
    pub const INSERT: u8 = 1;
    /// An id that is taken is replaced.
    pub const UPSERT: u8 = 2;
}

/// Imports documents from a file in the storage of the environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    /// The environment.
    pub env: String,
    /// The collection.
    pub collection_name: String,
    /// The path of the file.
    pub file_path: String,
    /// See [`file_type`].
    pub file_type: u8,
    /// Whether to stop at the first error.
    pub stop_on_error: bool,
    /// See [`conflict_mode`].
    pub conflict_mode: u8,
}

/// Exports documents to a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Export {
    /// The environment.
    pub env: String,
    /// The path of the file.
    pub file_path: String,
    /// See [`file_type`].
    pub file_type: u8,
    /// Which documents.
    pub query: String,
}

impl Export {
    /// Exports what a statement reads.
    #[must_use]
    pub fn new(env: impl Into<String>, file_path: impl Into<String>, file_type: u8, query: &Get) -> Export {
        Export { env: env.into(), file_path: file_path.into(), file_type, query: query.text().to_owned() }
    }
}

/// An import or export that has begun.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Migration {
    /// To ask how far it is.
    pub job_id: i64,
}

/// Asks how far an import or export is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MigrationInfo {
    /// The environment.
    pub env: String,
    /// Which one.
    pub job_id: i64,
}

/// How far an import or export is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MigrationAnswer {
    /// `waiting`, `success`, `fail` or others.
    pub status: String,
    /// How many documents succeeded.
    pub record_success: u64,
    /// How many failed.
    pub record_fail: u64,
    /// The platform's words.
    #[serde(alias = "err_msg")]
    pub error_msg: String,
    /// Where an export can be downloaded.
    pub file_url: String,
}
