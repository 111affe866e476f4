//! `tokenward cloud … storage`: files up, down, away, and their addresses.
//!
//! Bytes go between this machine and the storage; the server is asked for addresses only. What is done with several
//! files goes on when one of them fails, and the exit code tells. Deliberately absent: lists and patterns of what is
//! in the storage, which the platform's HTTP API cannot tell.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Subcommand;
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use tokenward_client::{CallError, Cloud, Link, Refused};

use super::cloud::show_rows;
use super::cloud_progress::Bar;
use super::cloud_sources::{self, Source};
use super::cloud_target::Target;
use crate::failure::Failure;
use crate::output;

/// What to do with files. A file in the cloud is named by its path, or by its id: cloud://…
#[derive(Debug, Subcommand)]
pub enum Storage {
    /// Upload files and folders
    Put {
        /// Files, folders with all in them, or quoted patterns like 'pictures/**/*.png'
        #[arg(required = true, value_name = "FILE")]
        sources: Vec<String>,
        /// The path of a single file in the cloud, instead of its name here
        #[arg(long = "as", value_name = "PATH", conflicts_with = "prefix")]
        path: Option<String>,
        /// What the paths in the cloud begin with, like pictures/2026
        #[arg(long, value_name = "PATH")]
        prefix: Option<String>,
    },
    /// Download files
    Get {
        /// Paths or ids
        #[arg(required = true, value_name = "PATH")]
        files: Vec<String>,
        /// The folder to put them into
        #[arg(long, value_name = "FOLDER", default_value = ".")]
        dir: PathBuf,
        /// The file to write a single one to; - is standard output
        #[arg(long, short, value_name = "FILE", conflicts_with = "dir")]
        out: Option<PathBuf>,
        /// Replace files that are there
        #[arg(long)]
        force: bool,
    },
    /// Print addresses that files can be downloaded from without a key
    Links {
        /// Paths or ids
        #[arg(required = true, value_name = "PATH")]
        files: Vec<String>,
        /// How long the addresses are to be good
        #[arg(long, value_name = "DURATION", default_value = "2h", value_parser = crate::args::duration)]
        max_age: Duration,
    },
    /// Remove files
    Rm {
        /// Paths or ids
        #[arg(required = true, value_name = "PATH")]
        files: Vec<String>,
    },
}

/// How many files are on their way at once.
const AT_ONCE: usize = 4;

/// Does it.
pub async fn run(cloud: &Cloud, what: Storage, as_json: bool) -> Result<(), Failure> {
    match what {
        Storage::Put { sources, path, prefix } => {
            let sources = cloud_sources::find(&sources, path.as_deref(), prefix.as_deref())?;
            put(cloud, sources, as_json).await
        }
        Storage::Get { files, dir, out, force } => {
            get(cloud, files, &dir, out.as_deref(), force, as_json).await
        }
        Storage::Links { files, max_age } => {
            let ids = ids(cloud, &files).await?;
            let links = cloud.download_links(&ids, max_age).await?;
            let rows = links.into_iter().map(|Link { file_id, url }| match url {
                Ok(url) => Ok(json!({ "file_id": file_id, "url": url })),
                Err(refused) => Err(Undone::refused(file_id, refused)),
            });
            show(rows.collect(), as_json)
        }
        Storage::Rm { files } => {
            let ids = ids(cloud, &files).await?;
            let removed = cloud.delete_files(&ids).await?;
            let rows = removed.into_iter().map(|file| match file.outcome {
                Ok(()) => Ok(json!({ "file_id": file.file_id, "removed": true })),
                Err(refused) => Err(Undone::refused(file.file_id, refused)),
            });
            show(rows.collect(), as_json)
        }
    }
}

async fn put(cloud: &Cloud, sources: Vec<Source>, as_json: bool) -> Result<(), Failure> {
    let bar = Bar::of_bytes(sources.iter().map(|source| source.len).sum());
    let uploads = sources.into_iter().map(|source| {
        let bar = bar.clone();
        async move {
            let file = source.file.display().to_string();
            upload(cloud, source, bar).await.map_err(|error| Undone { file, error })
        }
    });
    let rows: Vec<_> = stream::iter(uploads).buffered(AT_ONCE).collect().await;
    bar.end();
    show(rows, as_json)
}

async fn upload(cloud: &Cloud, source: Source, bar: Bar) -> Result<Value, CallError> {
    let file = tokio::fs::File::open(&source.file).await?;
    // It may have changed since it was found: what counts is the file that is read now.
    let len = file.metadata().await?.len();
    let id = cloud.upload(&source.path, len, file, bar.part()).await?;
    Ok(json!({ "path": source.path, "file_id": id, "size": len }))
}

async fn get(
    cloud: &Cloud,
    files: Vec<String>,
    dir: &Path,
    out: Option<&Path>,
    force: bool,
    as_json: bool,
) -> Result<(), Failure> {
    let ids = ids(cloud, &files).await?;
    let places = match out {
        Some(out) if files.len() == 1 => vec![out.to_owned()],
        Some(_) => {
            let next = "Name a folder with --dir instead.";
            return Err(Failure::failed("several files do not fit into one --out", next));
        }
        None => local_places(&ids, dir)?,
    };
    // Before anything is written: nothing is replaced unless that was said.
    let targets = places.iter().map(|place| Target::find(place, force)).collect::<Result<Vec<_>, _>>()?;
    let is_output = targets.iter().any(Target::is_output);
    let bar = Bar::of_bytes(0);
    let downloads = ids.iter().zip(targets).map(|(id, target)| {
        let bar = bar.clone();
        async move {
            let file = id.clone();
            download(cloud, id, target, bar).await.map_err(|error| Undone { file, error })
        }
    });
    let mut rows: Vec<_> = stream::iter(downloads).buffered(AT_ONCE).collect().await;
    bar.end();
    if is_output && rows.iter().all(Result::is_ok) {
        rows.clear();
    }
    show(rows, as_json)
}

async fn download(cloud: &Cloud, id: &str, target: Target, bar: Bar) -> Result<Value, CallError> {
    let download = cloud.download(id).await?;
    bar.expect(download.len().unwrap_or(0));
    let file = target.shown();
    let size = target.write(download, bar.part()).await?;
    Ok(json!({ "file_id": id, "file": file, "size": size }))
}

/// Where each file goes: its last name, into the folder. Two of the same name would overwrite each other.
fn local_places(ids: &[String], dir: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut taken: HashMap<&str, &str> = HashMap::new();
    let mut places = Vec::new();
    for id in ids {
        let name = id.rsplit('/').next().unwrap_or_default();
        if matches!(name, "" | "." | "..") || name.chars().any(char::is_control) {
            return Err(Failure::failed(
                format!("{id:?} names no file"),
                "Name the file to write with --out.",
            ));
        }
        if let Some(other) = taken.insert(name, id) {
            let message = format!("{other} and {id} would both be written to {name}");
            return Err(Failure::failed(message, "Get them one by one with --out."));
        }
        places.push(dir.join(name));
    }
    Ok(places)
}

/// The ids of files that are named by paths or by ids.
async fn ids(cloud: &Cloud, files: &[String]) -> Result<Vec<String>, Failure> {
    let paths: Vec<&str> = files.iter().map(String::as_str).filter(|file| !is_id(file)).collect();
    let mut found = cloud.file_ids(&paths).await?.into_iter();
    let ids = files.iter().map(|file| if is_id(file) { Some(file.clone()) } else { found.next() });
    Ok(ids.flatten().collect())
}

fn is_id(file: &str) -> bool {
    file.starts_with("cloud://")
}

/// A file with which nothing came to pass, and why.
struct Undone {
    file: String,
    error: CallError,
}

impl Undone {
    fn refused(file: String, refused: Refused) -> Undone {
        Undone { file: file.clone(), error: CallError::File { file, refused } }
    }

    fn message(&self) -> String {
        match &self.error {
            error @ CallError::File { .. } => error.to_string(),
            error => format!("{}: {error}", self.file),
        }
    }
}

/// What was done, and what was not.
fn show(rows: Vec<Result<Value, Undone>>, as_json: bool) -> Result<(), Failure> {
    let (all, mut done, mut undone) = (rows.len(), Vec::new(), Vec::new());
    for row in rows {
        match row {
            Ok(row) => done.push(row),
            Err(why) => undone.push(why),
        }
    }
    show_rows(&done, as_json);
    match undone.as_slice() {
        [] => Ok(()),
        [only] if all == 1 => Err(Failure::failed(only.message(), only.error.next_step())),
        several => {
            for why in several {
                let (message, next_step) = (why.message(), why.error.next_step());
                if as_json {
                    output::json_remark(
                        &json!({ "file": why.file, "error": message, "next_step": next_step }),
                    );
                } else {
                    output::remark(&format!("{message}\n  {next_step}"));
                }
            }
            let message = format!("{} of {all} files failed", several.len());
            Err(Failure::failed(
                message,
                "Correct what stands above, and run the command for those files again.",
            ))
        }
    }
}
