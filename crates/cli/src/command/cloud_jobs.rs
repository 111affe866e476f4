//! `tokenward cloud … db collections|export|import`: collections, and what moves whole ones.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use futures_util::TryStreamExt as _;
use serde_json::{Map, Value, json};
use tokenward_client::cloud_statements::Get;
use tokenward_client::cloud_statements::structured::QueryRequest;
use tokenward_client::{CallError, Cloud, ImportOptions, Job, Progress};

use super::cloud::show_rows;
use super::cloud_progress::Bar;
use super::cloud_target::Target;
use crate::failure::Failure;
use crate::output;

/// Makes or removes a collection; without it they are listed.
#[derive(Debug, Subcommand)]
pub enum Collections {
    /// Make a collection
    Add {
        /// Its name
        name: String,
    },
    /// Remove a collection and all in it
    Rm {
        /// Its name
        name: String,
    },
}

/// Where an export goes.
#[derive(Debug, Args)]
pub struct ExportWishes {
    /// The path of the file in the storage [default: tokenward-export/TIME-PID.json]
    #[arg(long, value_name = "PATH")]
    path: Option<String>,
    /// As CSV, which needs --field; else JSON, one document a line
    #[arg(long)]
    csv: bool,
    /// A file to download the result to; - is standard output
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace that file if it is there
    #[arg(long, requires = "out")]
    force: bool,
}

/// What is imported, and how.
#[derive(Debug, Args)]
pub struct ImportWishes {
    /// A file of JSON, one document a line
    file: PathBuf,
    /// The collection
    #[arg(long, value_name = "NAME")]
    collection: String,
    /// The file is CSV, and its first line names the fields
    #[arg(long)]
    csv: bool,
    /// Replace documents whose id is taken; else they are errors
    #[arg(long)]
    upsert: bool,
    /// Stop at the first error
    #[arg(long)]
    stop_on_error: bool,
}

/// Lists collections, makes one or removes one.
pub async fn collections(cloud: &Cloud, what: Option<Collections>, as_json: bool) -> Result<(), Failure> {
    match what {
        None => {
            let all = cloud.collections().await?;
            show_rows(&all.iter().map(|it| json!(it)).collect::<Vec<_>>(), as_json);
        }
        Some(Collections::Add { name }) => cloud.add_collection(&name).await?,
        Some(Collections::Rm { name }) => cloud.delete_collection(&name).await?,
    }
    Ok(())
}

/// The statement of an export: a text, or what the flags say.
pub fn statement(text: Option<String>, built: Map<String, Value>) -> Result<Get, Failure> {
    if let Some(text) = text {
        return Ok(Get::raw(text));
    }
    request(built)?.export().map_err(|error| wrong(&error))
}

fn request(built: Map<String, Value>) -> Result<QueryRequest, Failure> {
    serde_json::from_value(built.into()).map_err(|error| wrong(&error))
}

fn wrong(error: &dyn std::fmt::Display) -> Failure {
    Failure::failed(format!("the statement: {error}"), "Correct the flags; nothing was sent.")
}

/// Reads all documents, however many, and prints each when it comes.
pub async fn every_page(cloud: &Cloud, built: Map<String, Value>) -> Result<(), Failure> {
    let query = request(built)?.query().map_err(|error| wrong(&error))?;
    let mut documents = std::pin::pin!(cloud.documents::<Value>(query));
    while let Some(document) = documents.try_next().await? {
        output::json_line(&document);
    }
    Ok(())
}

/// Exports, waits, and downloads the result if that is wanted.
pub async fn export(cloud: &Cloud, statement: &Get, wishes: ExportWishes) -> Result<(), Failure> {
    let target = wishes.out.as_deref().map(|out| Target::find(out, wishes.force)).transpose()?;
    let kind = if wishes.csv { "csv" } else { "json" };
    let path = wishes.path.unwrap_or_else(|| format!("tokenward-export/{}.{kind}", moment()));
    let job = cloud.export(statement, &path, wishes.csv).await?;
    let done = finished(&job).await?;
    let mut row = result(&job, &done);
    row.insert("path".to_owned(), path.clone().into());
    row.insert("file_url".to_owned(), done.file_url.clone().into());
    let Some(target) = target else {
        output::json_line(&row.into());
        return succeeded(&done);
    };
    let download = match done.file_url.as_str() {
        "" => cloud.download(&cloud.file_id(&path).await?).await?,
        url => cloud.download_from(url).await?,
    };
    let (shown, is_output) = (target.shown(), target.is_output());
    let bar = Bar::of_bytes(download.len().unwrap_or(0));
    let written = target.write(download, bar.part()).await;
    bar.end();
    row.insert("file".to_owned(), shown.into());
    row.insert("size".to_owned(), written?.into());
    if is_output {
        output::json_remark(&row.into())
    } else {
        output::json_line(&row.into())
    }
    succeeded(&done)
}

/// Uploads a file, imports it, waits, and removes what it uploaded, unless the platform may still read it.
pub async fn import(cloud: &Cloud, wishes: ImportWishes) -> Result<(), Failure> {
    let shown = wishes.file.display().to_string();
    let unreadable = |error: std::io::Error| {
        Failure::failed(format!("cannot read {shown}: {error}"), "Check the path and its rights.")
    };
    let file = tokio::fs::File::open(&wishes.file).await.map_err(unreadable)?;
    let len = file.metadata().await.map_err(unreadable)?.len();
    let kind = if wishes.csv { "csv" } else { "json" };
    let path = format!("tokenward-import/{}.{kind}", moment());
    let bar = Bar::of_bytes(len);
    let uploaded = cloud.upload(&path, len, file, bar.part()).await;
    bar.end();
    let id = uploaded?;
    let options =
        ImportOptions { csv: wishes.csv, upsert: wishes.upsert, stop_on_error: wishes.stop_on_error };
    let job = match cloud.import(&wishes.collection, &path, options).await {
        Ok(job) => job,
        Err(error) if error.may_have_had_effect() => return Err(unknown("the job", &path, &error)),
        Err(error) => {
            remove(cloud, &id, &path).await;
            return Err(error.into());
        }
    };
    match finished(&job).await {
        Ok(done) => {
            remove(cloud, &id, &path).await;
            output::json_line(&result(&job, &done).into());
            succeeded(&done)
        }
        Err(error @ CallError::Job(_)) => {
            remove(cloud, &id, &path).await;
            Err(error.into())
        }
        Err(error) => Err(unknown(&format!("the job {}", job.id), &path, &error)),
    }
}

/// Nobody knows whether a job runs: its file stays.
fn unknown(job: &str, path: &str, error: &CallError) -> Failure {
    let message = format!("{error}\n  {job} may still run; its file is left in the storage at {path}");
    let next = format!(
        "Look at the collection before you import again; remove the file with `storage rm {path}` when the job is over."
    );
    Failure::failed(message, next)
}

async fn remove(cloud: &Cloud, id: &str, path: &str) {
    let left = match cloud.delete_files(&[id]).await {
        Ok(removed) => removed.into_iter().find_map(|file| file.outcome.err()).map(|it| it.to_string()),
        Err(error) => Some(error.to_string()),
    };
    if let Some(why) = left {
        output::remark(&format!("{path} is left in the storage: {why}"));
    }
}

/// A job that did not do all of its documents has not succeeded.
fn succeeded(done: &Progress) -> Result<(), Failure> {
    if done.failed == 0 {
        return Ok(());
    }
    let message = format!("{} documents failed, {} succeeded: {}", done.failed, done.succeeded, done.message);
    Err(Failure::failed(
        message,
        "Correct these documents and run it again; import with --upsert replaces those that are there.",
    ))
}

async fn finished(job: &Job) -> Result<Progress, CallError> {
    let bar = Bar::of_documents();
    let done = job.finished(|progress| {
        bar.stands_at(progress.succeeded.saturating_add(progress.failed), &progress.status);
    });
    let done = done.await;
    bar.end();
    done
}

fn result(job: &Job, done: &Progress) -> Map<String, Value> {
    let mut row = Map::new();
    row.insert("job_id".to_owned(), job.id.into());
    row.insert("succeeded".to_owned(), done.succeeded.into());
    row.insert("failed".to_owned(), done.failed.into());
    if done.failed > 0 {
        row.insert("error_msg".to_owned(), done.message.clone().into());
    }
    row
}

/// Now, as it can stand in a path, and in no other one.
fn moment() -> String {
    let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
    format!("{now}-{}", std::process::id())
}
