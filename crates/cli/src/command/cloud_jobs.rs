//! `tokenward cloud … db collections|export|import`: collections, and what moves whole ones.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};
use tokenward_client::cloud_statements::Get;
use tokenward_client::cloud_statements::structured::QueryRequest;
use tokenward_client::{Cloud, ImportOptions, Job, Progress};

use super::cloud::show_rows;
use super::cloud_progress::Bar;
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
    /// The path of the file in the storage [default: tokenward-export/TIME.json]
    #[arg(long, value_name = "PATH")]
    path: Option<String>,
    /// As CSV, which needs --field; else JSON, one document a line
    #[arg(long)]
    csv: bool,
    /// A file to download the result to
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
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
    let wrong = |error: &dyn std::fmt::Display| {
        Failure::failed(format!("the statement: {error}"), "Correct the flags; nothing was sent.")
    };
    let request: QueryRequest = serde_json::from_value(built.into()).map_err(|error| wrong(&error))?;
    request.statement().map_err(|error| wrong(&error))
}

/// Exports, waits, and downloads the result if that is wanted.
pub async fn export(cloud: &Cloud, statement: &Get, wishes: ExportWishes) -> Result<(), Failure> {
    let kind = if wishes.csv { "csv" } else { "json" };
    let path = wishes.path.unwrap_or_else(|| format!("tokenward-export/{}.{kind}", moment()));
    let job = cloud.export(statement, &path, wishes.csv).await?;
    let done = finished(&job).await?;
    let mut row = result(&job, &done);
    row.insert("path".to_owned(), path.clone().into());
    row.insert("file_url".to_owned(), done.file_url.clone().into());
    if let Some(out) = wishes.out {
        let download = match done.file_url.as_str() {
            "" => cloud.download(&cloud.file_id(&path).await?).await?,
            url => cloud.download_from(url).await?,
        };
        let size = write(download, &out).await?;
        row.insert("file".to_owned(), out.display().to_string().into());
        row.insert("size".to_owned(), size.into());
    }
    output::text(&Value::from(row).to_string());
    Ok(())
}

/// Uploads a file, imports it, waits, and removes what it uploaded.
pub async fn import(cloud: &Cloud, wishes: ImportWishes) -> Result<(), Failure> {
    let shown = wishes.file.display().to_string();
    let unreadable = |error: std::io::Error| {
        Failure::failed(format!("cannot read {shown}: {error}"), "Check the path and its rights.")
    };
    let file = tokio::fs::File::open(&wishes.file).await.map_err(unreadable)?;
    let len = file.metadata().await.map_err(unreadable)?.len();
    let kind = if wishes.csv { "csv" } else { "json" };
    let path = format!("tokenward-import/{}-{}.{kind}", moment(), std::process::id());
    let bar = Bar::of_bytes(len);
    let uploaded = cloud.upload(&path, len, file, bar.part()).await;
    bar.end();
    let id = uploaded?;
    let options =
        ImportOptions { csv: wishes.csv, upsert: wishes.upsert, stop_on_error: wishes.stop_on_error };
    let outcome = async {
        let job = cloud.import(&wishes.collection, &path, options).await?;
        finished(&job).await.map(|done| result(&job, &done))
    };
    let outcome: Result<_, Failure> = outcome.await;
    if let Err(error) = cloud.delete_files(&[id]).await {
        output::remark(&format!("{path} is left in the storage: {error}"));
    }
    output::text(&Value::from(outcome?).to_string());
    Ok(())
}

async fn finished(job: &Job) -> Result<Progress, Failure> {
    let bar = Bar::of_documents();
    let done = job.finished(|progress| {
        bar.stands_at(progress.succeeded.saturating_add(progress.failed), &progress.status);
    });
    let done = done.await;
    bar.end();
    Ok(done?)
}

fn result(job: &Job, done: &Progress) -> Map<String, Value> {
    let numbers =
        [("job_id", json!(job.id)), ("succeeded", json!(done.succeeded)), ("failed", json!(done.failed))];
    numbers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

async fn write(download: tokenward_client::Download, out: &Path) -> Result<u64, Failure> {
    let bar = Bar::of_bytes(download.len().unwrap_or(0));
    let file = tokio::fs::File::create(out).await;
    let mut file = file.map_err(|error| {
        Failure::failed(format!("cannot write {}: {error}", out.display()), "Check the path and its rights.")
    })?;
    let written = download.write_to(&mut file, bar.part()).await;
    bar.end();
    Ok(written?)
}

/// Now, as it can stand in a path.
fn moment() -> String {
    jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string()
}
