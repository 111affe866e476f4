//! The paths of the calls, below `https://api.weixin.qq.com`. All are POST.

/// Calls a function; `env` and `name` stand in the query, the body is the event.
pub const INVOKE_CLOUD_FUNCTION: &str = "/tcb/invokecloudfunction";
/// Calls a function later.
pub const ADD_DELAYED_FUNCTION_TASK: &str = "/tcb/adddelayedfunctiontask";
/// Adds documents.
pub const DATABASE_ADD: &str = "/tcb/databaseadd";
/// Reads documents.
pub const DATABASE_QUERY: &str = "/tcb/databasequery";
/// Changes documents.
pub const DATABASE_UPDATE: &str = "/tcb/databaseupdate";
/// Removes documents.
pub const DATABASE_DELETE: &str = "/tcb/databasedelete";
/// Counts documents.
pub const DATABASE_COUNT: &str = "/tcb/databasecount";
/// Aggregates documents.
pub const DATABASE_AGGREGATE: &str = "/tcb/databaseaggregate";
/// Makes a collection.
pub const DATABASE_COLLECTION_ADD: &str = "/tcb/databasecollectionadd";
/// Removes a collection.
pub const DATABASE_COLLECTION_DELETE: &str = "/tcb/databasecollectiondelete";
/// Lists collections.
pub const DATABASE_COLLECTION_GET: &str = "/tcb/databasecollectionget";
/// Makes and removes indexes.
pub const UPDATE_INDEX: &str = "/tcb/updateindex";
/// Imports documents from a file.
pub const DATABASE_MIGRATE_IMPORT: &str = "/tcb/databasemigrateimport";
/// Exports documents to a file.
pub const DATABASE_MIGRATE_EXPORT: &str = "/tcb/databasemigrateexport";
/// How far an import or export is.
pub const DATABASE_MIGRATE_QUERY_INFO: &str = "/tcb/databasemigratequeryinfo";
/// Prepares an upload.
pub const UPLOAD_FILE: &str = "/tcb/uploadfile";
/// Addresses to download files from.
pub const BATCH_DOWNLOAD_FILE: &str = "/tcb/batchdownloadfile";
/// Removes files.
pub const BATCH_DELETE_FILE: &str = "/tcb/batchdeletefile";
/// Temporary keys for the cloud behind.
pub const GET_QCLOUD_TOKEN: &str = "/tcb/getqcloudtoken";
/// Sends short messages.
pub const SEND_SMS_V2: &str = "/tcb/sendsmsv2";
/// Sends short messages with a text of one's own.
pub const SEND_SMS: &str = "/tcb/sendsms";
