//! Imports and exports: jobs of the platform, begun and waited for.

use std::time::Duration;

use tokenward_cloud::Get;
use tokenward_cloud::wire::{
    Export, Import, MigrationAnswer, MigrationInfo, check_path, conflict_mode, file_type,
};

use super::{Again, CallError, Cloud};

/// An import or export that has begun.
#[derive(Clone, Debug)]
pub struct Job {
    cloud: Cloud,
    /// Its number at the platform.
    pub id: i64,
}

/// How far a job is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The platform's word: `waiting`, `success`, `fail` or others.
    pub status: String,
    /// How many documents succeeded.
    pub succeeded: u64,
    /// How many failed.
    pub failed: u64,
    /// The platform's words.
    pub message: String,
    /// Where an export can be downloaded once it is there.
    pub file_url: String,
}

/// How to import.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportOptions {
    /// The file is CSV, with the names of the fields in its first line; else JSON, one document a line.
    pub csv: bool,
    /// Documents whose id is taken replace what is there; else they are errors.
    pub upsert: bool,
    /// The first error ends the job.
    pub stop_on_error: bool,
}

/// How often a job is asked how far it is: at first this often, and less and less.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

fn file_type(csv: bool) -> u8 {
    if csv { file_type::CSV } else { file_type::JSON }
}

impl Cloud {
    /// Begins to import a file that is in the storage of the environment; its path there, not its id.
    ///
    /// # Errors
    /// The platform refuses.
    pub async fn import(
        &self,
        collection: &str,
        file_path: &str,
        options: ImportOptions,
    ) -> Result<Job, CallError> {
        check_path(file_path)?;
        let request = Import {
            env: self.env.clone(),
            collection_name: collection.to_owned(),
            file_path: file_path.to_owned(),
            file_type: file_type(options.csv),
            stop_on_error: options.stop_on_error,
            conflict_mode: if options.upsert { conflict_mode::UPSERT } else { conflict_mode::INSERT },
        };
        Ok(self.job(self.call(&request).await?.job_id))
    }

    /// Begins to export what a statement reads to a path in the storage. CSV needs the fields in the statement.
    ///
    /// # Errors
    /// The platform refuses.
    pub async fn export(&self, statement: &Get, file_path: &str, csv: bool) -> Result<Job, CallError> {
        check_path(file_path)?;
        let request = Export::new(&self.env, file_path, file_type(csv), statement);
        Ok(self.job(self.call(&request).await?.job_id))
    }

    /// A job that was begun before.
    #[must_use]
    pub fn job(&self, id: i64) -> Job {
        Job { cloud: self.clone(), id }
    }
}

impl Job {
    /// How far it is.
    ///
    /// # Errors
    /// The platform refuses.
    pub async fn progress(&self) -> Result<Progress, CallError> {
        let request = MigrationInfo { env: self.cloud.env.clone(), job_id: self.id };
        let answer: MigrationAnswer = self.cloud.ask(&request, Again::Freely).await?;
        Ok(Progress {
            status: answer.status,
            succeeded: answer.record_success,
            failed: answer.record_fail,
            message: answer.error_msg,
            file_url: answer.file_url,
        })
    }

    /// Waits until it is done; `told` hears how far it is. Wrap it in a timeout if there is a limit to your patience.
    ///
    /// # Errors
    /// The job failed, or the platform refuses to say.
    pub async fn finished(&self, mut told: impl FnMut(&Progress)) -> Result<Progress, CallError> {
        let mut pause = FIRST_PAUSE;
        loop {
            let progress = self.progress().await?;
            told(&progress);
            match progress.status.as_str() {
                "success" => return Ok(progress),
                "fail" | "failed" | "error" => return Err(CallError::Job(progress)),
                _ => tokio::time::sleep(pause).await,
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}
