//! Files, and temporary keys.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Call, LONGEST_LIFESPAN, LimitError, MOST_FILES, path};

/// Prepares an upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadFile {
    /// The environment.
    pub env: String,
    /// The path of the file, without a slash at its beginning.
    pub path: String,
}

/// Where and how to upload: a `multipart/form-data` POST to `url` with the fields of [`UploadFileAnswer::form`] and
/// `file` as the last part. It is answered with 204.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UploadFileAnswer {
    /// Where to.
    pub url: String,
    /// For the field `x-cos-security-token`.
    pub token: String,
    /// For the field `Signature`.
    pub authorization: String,
    /// The id of the file once it is there.
    pub file_id: String,
    /// For the field `x-cos-meta-fileid`.
    pub cos_file_id: String,
}

impl UploadFileAnswer {
    /// The fields before `file`, for the path that was asked for.
    #[must_use]
    pub fn form<'a>(&'a self, path: &'a str) -> [(&'static str, &'a str); 4] {
        [
            ("key", path),
            ("Signature", &self.authorization),
            ("x-cos-security-token", &self.token),
            ("x-cos-meta-fileid", &self.cos_file_id),
        ]
    }
}

/// Shows no keys.
impl fmt::Debug for UploadFileAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let UploadFileAnswer { url, file_id, .. } = self;
        f.debug_struct("UploadFileAnswer").field("url", url).field("file_id", file_id).finish_non_exhaustive()
    }
}

/// Asks for addresses to download files from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchDownloadFile {
    /// The environment.
    pub env: String,
    /// Up to 50.
    pub file_list: Vec<FileToDownload>,
}

impl Call for BatchDownloadFile {
    const PATH: &'static str = path::BATCH_DOWNLOAD_FILE;
    type Answer = BatchDownloadFileAnswer;

    fn check(&self) -> Result<(), LimitError> {
        LimitError::check("file_list", self.file_list.len(), 1, MOST_FILES)
    }
}

/// A file to download.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileToDownload {
    /// Its id.
    pub fileid: String,
    /// How long the address is to be good, in seconds.
    pub max_age: u32,
}

/// Addresses to download files from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BatchDownloadFileAnswer {
    /// One for each file.
    pub file_list: Vec<DownloadableFile>,
}

/// Where a file is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DownloadableFile {
    /// Its id.
    pub fileid: String,
    /// Its address.
    pub download_url: String,
    /// 0, or something else if there is no such file.
    pub status: i64,
    /// In words.
    pub errmsg: String,
}

/// Removes files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchDeleteFile {
    /// The environment.
    pub env: String,
    /// Up to 50.
    pub fileid_list: Vec<String>,
}

impl Call for BatchDeleteFile {
    const PATH: &'static str = path::BATCH_DELETE_FILE;
    type Answer = BatchDeleteFileAnswer;

    fn check(&self) -> Result<(), LimitError> {
        LimitError::check("fileid_list", self.fileid_list.len(), 1, MOST_FILES)
    }
}

/// What became of files that were to be removed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BatchDeleteFileAnswer {
    /// One for each file.
    pub delete_list: Vec<DeletedFile>,
}

/// What became of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeletedFile {
    /// Its id.
    pub fileid: String,
    /// 0, or something else if it is not removed.
    pub status: i64,
    /// In words.
    pub errmsg: String,
}

/// Asks for temporary keys. Ten calls an hour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetQcloudToken {
    /// How long they are to be good, in seconds; two hours at most.
    pub lifespan: u32,
}

impl Call for GetQcloudToken {
    const PATH: &'static str = path::GET_QCLOUD_TOKEN;
    type Answer = QcloudToken;

    fn check(&self) -> Result<(), LimitError> {
        let [given, most] =
            [self.lifespan, LONGEST_LIFESPAN].map(|it| usize::try_from(it).unwrap_or(usize::MAX));
        LimitError::check("lifespan", given, 1, most)
    }
}

/// Temporary keys for the cloud behind.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct QcloudToken {
    /// The name of the key.
    pub secretid: String,
    /// The key.
    pub secretkey: String,
    /// Goes with the key.
    pub token: String,
    /// When they end, in seconds since 1970.
    pub expired_time: i64,
}

/// Shows no keys.
impl fmt::Debug for QcloudToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QcloudToken").field("expired_time", &self.expired_time).finish_non_exhaustive()
    }
}
