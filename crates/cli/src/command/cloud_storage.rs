//! `tokenward cloud … storage`: files up, down, away, and their addresses.
//!
//! Bytes go between this machine and the storage; the server is asked for addresses only. What is done with several
//! files goes on when one of them fails, and the exit code tells. Deliberately absent: lists and patterns of what is
//! in the storage, which the platform's HTTP API cannot tell.

use std::collections::HashMap;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Subcommand;
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use tokenward_client::cloud_statements::wire;
use tokenward_client::{CallError, Cloud, Link};

use super::cloud::table;
use super::cloud_progress::Bar;
use super::cloud_sources::{self, Source};
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
        Storage::Get { files, dir, out } => get(cloud, files, &dir, out.as_deref(), as_json).await,
        Storage::Links { files, max_age } => {
            let ids = ids(cloud, &files).await?;
            let links = cloud.download_links(&ids, max_age).await?;
            let rows = links.into_iter().map(|Link { file_id, url }| match url {
                Ok(url) => Ok(json!({ "file_id": file_id, "url": url })),
                Err(refused) => Err(missing(&file_id, refused.status, &refused.message)),
            });
            show(rows.collect(), as_json)
        }
        Storage::Rm { files } => {
            let ids = ids(cloud, &files).await?;
            let removed = cloud.delete_files(&ids).await?;
            let rows = removed.into_iter().map(|file| match file.outcome {
                Ok(()) => Ok(json!({ "file_id": file.file_id, "removed": true })),
                Err(refused) => Err(missing(&file.file_id, refused.status, &refused.message)),
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
            let shown = source.file.display().to_string();
            upload(cloud, source, bar).await.map_err(|error| format!("{shown}: {error}"))
        }
    });
    let rows: Vec<_> = stream::iter(uploads).buffered(AT_ONCE).collect().await;
    bar.end();
    show(rows, as_json)
}

async fn upload(cloud: &Cloud, source: Source, bar: Bar) -> Result<Value, CallError> {
    let file = tokio::fs::File::open(&source.file).await?;
    let told = bar.part();
    let id = cloud.upload(&source.path, source.len, file, told).await?;
    Ok(json!({ "path": source.path, "file_id": id, "size": source.len }))
}

async fn get(
    cloud: &Cloud,
    files: Vec<String>,
    dir: &Path,
    out: Option<&Path>,
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
    if out == Some(Path::new("-")) {
        let id = ids.first().map(String::as_str).unwrap_or_default();
        cloud.download(id).await?.write_to(&mut tokio::io::stdout(), |_| {}).await?;
        return Ok(());
    }
    let bar = Bar::of_bytes(0);
    let downloads = ids.iter().zip(places).map(|(id, place)| {
        let bar = bar.clone();
        async move { download(cloud, id, &place, bar).await.map_err(|error| format!("{id}: {error}")) }
    });
    let rows: Vec<_> = stream::iter(downloads).buffered(AT_ONCE).collect().await;
    bar.end();
    show(rows, as_json)
}

/// Under another name until it is whole, so that nobody takes half of it for the file.
async fn download(cloud: &Cloud, id: &str, place: &Path, bar: Bar) -> Result<Value, CallError> {
    use std::os::unix::fs::PermissionsExt as _;
    let download = cloud.download(id).await?;
    bar.expect(download.len().unwrap_or(0));
    let folder = place.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    // What the umask leaves, as for any file that a command makes.
    let permissions = std::fs::Permissions::from_mode(0o666);
    let part = tempfile::Builder::new().prefix(".tokenward-").permissions(permissions).tempfile_in(folder)?;
    let mut file = tokio::fs::File::from_std(part.reopen()?);
    let size = download.write_to(&mut file, bar.part()).await?;
    part.persist(place).map_err(|error| error.error)?;
    Ok(json!({ "file_id": id, "file": place.display().to_string(), "size": size }))
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

fn missing(file_id: &str, status: i64, message: &str) -> String {
    let known = wire::refusal(&json!({ "errcode": status, "errmsg": message }));
    known.map_or_else(|| format!("{file_id}: {message}"), |error| format!("{file_id}: {error}"))
}

/// What was done, and what was not.
fn show(rows: Vec<Result<Value, String>>, as_json: bool) -> Result<(), Failure> {
    let (all, mut done, mut failed) = (rows.len(), Vec::new(), Vec::new());
    for row in rows {
        match row {
            Ok(row) => done.push(row),
            Err(error) => failed.push(error),
        }
    }
    if as_json || !std::io::stdout().is_terminal() {
        done.iter().for_each(|row| output::text(&row.to_string()));
    } else if !done.is_empty() {
        output::text(&table(&done).trim_fmt());
    }
    match failed.as_slice() {
        [] => Ok(()),
        [only] if all == 1 => Err(Failure::failed(only, "Check the path, the environment and the network.")),
        several => {
            several.iter().for_each(|error| output::remark(error));
            let message = format!("{} of {all} files failed", several.len());
            Err(Failure::failed(
                message,
                "Correct what stands above, and run the command for those files again.",
            ))
        }
    }
}
