//! The calls of the cloud API.

use super::Storage;

/// A call under `/tcb/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum CloudCall {
    /// Finds documents.
    Query,
    /// Inserts documents.
    Add,
    /// Changes documents.
    Update,
    /// Removes documents.
    Delete,
    /// Counts documents.
    Count,
    /// Runs a pipeline.
    Aggregate,
    /// Makes a collection.
    CollectionAdd,
    /// Removes a collection.
    CollectionDelete,
    /// Lists collections.
    CollectionGet,
    /// Makes and drops indexes.
    UpdateIndex,
    /// Reads documents from a file.
    Import,
    /// Writes documents into a file.
    Export,
    /// How far an import or export is.
    JobInfo,
    /// A permit to upload a file.
    Upload,
    /// Links to files.
    DownloadLinks,
    /// Removes files.
    DeleteFiles,
    /// Calls a function.
    Invoke,
    /// Calls a function later.
    DelayedTask,
    /// A temporary key of the platform's own cloud.
    CloudKey,
    /// A file itself, at the object storage.
    File,
    /// An action of one of the cloud's own SDKs.
    Sdk,
    /// Something else of the cloud API.
    Other,
}

impl CloudCall {
    /// All calls with their paths.
    const PATHS: [(&'static str, CloudCall); 21] = [
        ("/tcb/databasequery", CloudCall::Query),
        ("/tcb/databaseadd", CloudCall::Add),
        ("/tcb/databaseupdate", CloudCall::Update),
        ("/tcb/databasedelete", CloudCall::Delete),
        ("/tcb/databasecount", CloudCall::Count),
        ("/tcb/databaseaggregate", CloudCall::Aggregate),
        ("/tcb/databasecollectionadd", CloudCall::CollectionAdd),
        ("/tcb/databasecollectiondelete", CloudCall::CollectionDelete),
        ("/tcb/databasecollectionget", CloudCall::CollectionGet),
        ("/tcb/updateindex", CloudCall::UpdateIndex),
        ("/tcb/databasemigrateimport", CloudCall::Import),
        ("/tcb/databasemigrateexport", CloudCall::Export),
        ("/tcb/databasemigratequeryinfo", CloudCall::JobInfo),
        ("/tcb/uploadfile", CloudCall::Upload),
        ("/tcb/batchdownloadfile", CloudCall::DownloadLinks),
        ("/tcb/batchdeletefile", CloudCall::DeleteFiles),
        ("/tcb/invokecloudfunction", CloudCall::Invoke),
        ("/tcb/adddelayedfunctiontask", CloudCall::DelayedTask),
        ("/tcb/getqcloudtoken", CloudCall::CloudKey),
        ("/_storage", CloudCall::File),
        ("/admin", CloudCall::Sdk),
    ];

    /// The call behind a path of the cloud API.
    pub(crate) fn of(path: &str) -> Option<CloudCall> {
        let known = CloudCall::PATHS.into_iter().find(|(known, _)| *known == path);
        match known {
            Some((_, call)) => Some(call),
            None if Storage::is_asked(path) => Some(CloudCall::File),
            None => path.starts_with("/tcb/").then_some(CloudCall::Other),
        }
    }

    /// Its path, as statistics call it.
    pub(crate) fn path(self) -> &'static str {
        let known = CloudCall::PATHS.into_iter().find(|(_, call)| *call == self);
        known.map_or("/tcb", |(path, _)| path)
    }
}
