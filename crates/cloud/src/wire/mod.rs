//! The calls of the cloud's data plane: paths, bodies, answers.
//!
//! Reading is tolerant: unknown fields are ignored and missing ones have their empty value, because the platform adds
//! fields and leaves out empty ones. [`read`] looks at `errcode` before anything else.

mod database;
mod form;
mod function;
mod storage;

pub mod path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::CloudError;

pub use database::{
    AddAnswer, AddCollection, AggregateAnswer, ChangeAnswer, CollectionInfo, Collections, CountAnswer,
    CreateIndex, DeleteCollection, DropIndex, Export, Import, IndexKey, ListCollections, Migration,
    MigrationAnswer, MigrationInfo, Pager, QueryAnswer, RemoveAnswer, ScriptRequest, UpdateIndex,
    conflict_mode, file_type,
};
pub use form::{Form, FormError, LONGEST_PATH, PathError, check_path, storage_refusal};
pub use function::{
    AddDelayedFunctionTask, FunctionAnswer, InvokeFunction, SendSms, SendSmsAnswer, SendSmsV2,
    SendSmsV2Answer, SmsStatus,
};
pub use storage::{
    BatchDeleteFile, BatchDeleteFileAnswer, BatchDownloadFile, BatchDownloadFileAnswer, DeletedFile,
    DownloadableFile, FileToDownload, GetQcloudToken, QcloudToken, UploadFile, UploadFileAnswer,
};

/// How many documents a query reads without a limit.
pub const DEFAULT_LIMIT: u32 = 10;
/// How many files a call takes.
pub const MOST_FILES: usize = 50;
/// The shortest delay of a function, in seconds.
pub const SHORTEST_DELAY: u32 = 6;
/// The longest delay of a function, in seconds: 30 days.
pub const LONGEST_DELAY: u32 = 2_592_000;
/// How many telephone numbers a call takes.
pub const MOST_PHONE_NUMBERS: usize = 1000;
/// The longest life of temporary keys, in seconds.
pub const LONGEST_LIFESPAN: u32 = 7200;
/// The largest result, in bytes.
pub const LARGEST_RESULT: usize = 1024 * 1024;

/// The body of a call, and what it is answered with.
pub trait Call: Serialize {
    /// Where it goes.
    const PATH: &'static str;
    /// What comes back.
    type Answer: DeserializeOwned;

    /// What stands in the query of the URL, besides the token.
    fn parameters(&self) -> Vec<(&'static str, &str)> {
        Vec::new()
    }

    /// What the platform's documented limits say about it.
    ///
    /// # Errors
    /// It would be refused.
    fn check(&self) -> Result<(), LimitError> {
        Ok(())
    }
}

/// A call beyond the documented limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` must be {least} to {most}, not {given}")]
pub struct LimitError {
    /// The field of the body.
    pub field: &'static str,
    /// The least that is allowed.
    pub least: usize,
    /// The most that is allowed.
    pub most: usize,
    /// What it is.
    pub given: usize,
}

impl LimitError {
    fn check(field: &'static str, given: usize, least: usize, most: usize) -> Result<(), LimitError> {
        let error = LimitError { field, least, most, given };
        if (least..=most).contains(&given) { Ok(()) } else { Err(error) }
    }
}

/// What is wrong with an answer.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// The platform refused.
    #[error(transparent)]
    Refused(#[from] CloudError),
    /// The answer is not the platform's protocol.
    #[error("the answer cannot be read: {0}")]
    Unreadable(#[from] serde_json::Error),
}

/// What an answer says, or how the platform refused.
///
/// # Errors
/// The platform refused, or it is not the platform's protocol.
pub fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, AnswerError> {
    let answer: Value = serde_json::from_slice(body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body))?;
    match refusal(&answer) {
        Some(error) => Err(error.into()),
        None => Ok(serde_json::from_value(answer)?),
    }
}

/// The refusal in an answer, if it is one. A code may be a number or a number in text.
#[must_use]
pub fn refusal(answer: &Value) -> Option<CloudError> {
    let code = match answer.get("errcode")? {
        Value::Number(number) => number.as_i64()?,
        Value::String(text) => text.parse().ok()?,
        _ => return None,
    };
    let message = answer.get("errmsg").and_then(Value::as_str).unwrap_or_default();
    (code != 0).then(|| CloudError::new(code, message))
}

/// An answer that says nothing but "done".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Done {}

macro_rules! calls {
    ($($body:ty => $path:ident, $answer:ty;)+) => {$(
        impl Call for $body {
            const PATH: &'static str = path::$path;
            type Answer = $answer;
        }
    )+};
}

calls! {
    AddCollection => DATABASE_COLLECTION_ADD, Done;
    DeleteCollection => DATABASE_COLLECTION_DELETE, Done;
    ListCollections => DATABASE_COLLECTION_GET, Collections;
    UpdateIndex => UPDATE_INDEX, Done;
    Import => DATABASE_MIGRATE_IMPORT, Migration;
    Export => DATABASE_MIGRATE_EXPORT, Migration;
    MigrationInfo => DATABASE_MIGRATE_QUERY_INFO, MigrationAnswer;
    UploadFile => UPLOAD_FILE, UploadFileAnswer;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_answered_with_texts_and_a_pager_in_capitals() {
        let answer: QueryAnswer = read(
            br#"{"errcode":0,"errmsg":"ok","pager":{"Offset":1,"Limit":10,"Total":2},"data":["{\"a\":1}"],"new":1}"#,
        )
        .unwrap();
        assert_eq!(answer.pager, Pager { offset: 1, limit: 10, total: 2 });
        assert_eq!(answer.documents::<Value>().unwrap(), [serde_json::json!({"a": 1})]);
    }

    #[test]
    fn a_refusal_comes_before_the_data() {
        let error = read::<CountAnswer>(br#"{"errcode":-502005,"errmsg":"x"}"#).unwrap_err();
        assert!(matches!(error, AnswerError::Refused(CloudError { code: -502_005, .. })), "{error}");
        let error = read::<CountAnswer>(br#"{"errcode":"40001","errmsg":"x"}"#).unwrap_err();
        assert!(matches!(error, AnswerError::Refused(CloudError { code: 40_001, .. })), "{error}");
        assert!(matches!(read::<CountAnswer>(b"<html>"), Err(AnswerError::Unreadable(_))));
    }

    #[test]
    fn limits_are_known_before_the_call() {
        let files = vec!["cloud://x/y".to_owned(); 51];
        let call = BatchDeleteFile { env: "e".into(), fileid_list: files };
        assert_eq!(call.check().unwrap_err().to_string(), "`fileid_list` must be 1 to 50, not 51");
        let soon = AddDelayedFunctionTask::new("e", "f", &serde_json::json!({}), 5);
        assert!(soon.check().is_err());
        assert_eq!(soon.data, "{}");
    }

    #[test]
    fn a_function_is_named_in_the_query_and_its_event_is_the_body() {
        let call = InvokeFunction { env: "e".into(), name: "f".into(), event: serde_json::json!({"a": 1}) };
        assert_eq!(call.parameters(), [("env", "e"), ("name", "f")]);
        assert_eq!(serde_json::to_string(&call).unwrap(), r#"{"a":1}"#);
        let bare = InvokeFunction { event: Value::Null, ..call };
        assert_eq!(serde_json::to_string(&bare).unwrap(), "{}");
    }

    #[test]
    fn keys_are_not_shown() {
        let token =
            QcloudToken { secretkey: "hunter2".into(), token: "hunter2".into(), ..QcloudToken::default() };
        let upload = UploadFileAnswer { authorization: "hunter2".into(), ..UploadFileAnswer::default() };
        assert!(!format!("{token:?} {upload:?}").contains("hunter2"));
        assert_eq!(upload.form("a/b")[1], ("Signature", "hunter2"));
    }

    #[test]
    fn what_a_function_returns_is_json_in_a_text() {
        let answer: FunctionAnswer = read(br#"{"errcode":0,"errmsg":"ok","resp_data":"\"abc\""}"#).unwrap();
        assert_eq!(answer.result::<String>().unwrap(), "abc");
    }
}
