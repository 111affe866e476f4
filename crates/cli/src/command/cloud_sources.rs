//! What `storage put` uploads, and under which paths.
//!
//! A file goes by its name. What is in a folder keeps its path from the folder on, with the folder's own name unless
//! that is `.`. Links are followed for files and not for folders, so that no walk goes round in circles.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use tokenward_client::cloud_statements::wire::check_path;

use crate::failure::Failure;
use crate::output;

/// A file on its way up.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    /// Here.
    pub file: PathBuf,
    /// In the cloud.
    pub path: String,
    /// In bytes, when it was found.
    pub len: u64,
}

/// The files that are named, each once, in the order of their paths within a folder.
pub fn find(named: &[String], single: Option<&str>, prefix: Option<&str>) -> Result<Vec<Source>, Failure> {
    let mut sources = Vec::new();
    for name in named {
        let before = sources.len();
        for place in matching(name)? {
            gather(&place, &mut sources)?;
        }
        if sources.len() == before {
            let message = format!("there is no file in {name}");
            return Err(Failure::failed(message, "Name a file, or a folder that has one."));
        }
    }
    if let Some(single) = single {
        let [only] = sources.as_mut_slice() else {
            let message = format!("--as names one file, and there are {}", sources.len());
            return Err(Failure::failed(message, "Use --prefix for several."));
        };
        only.path = single.to_owned();
    }
    if let Some(prefix) = prefix.map(|prefix| prefix.trim_matches('/')).filter(|prefix| !prefix.is_empty()) {
        sources.iter_mut().for_each(|source| source.path = format!("{prefix}/{}", source.path));
    }
    distinct(sources)
}

/// What is there under this name, else what matches it as a pattern.
fn matching(name: &str) -> Result<Vec<PathBuf>, Failure> {
    let place = PathBuf::from(name);
    if place.exists() {
        return Ok(vec![place]);
    }
    let found = glob::glob(name).map(|found| found.filter_map(Result::ok).filter(|found| found.is_file()));
    let found: Vec<_> = found.map(Iterator::collect).unwrap_or_default();
    if found.is_empty() {
        return Err(Failure::failed(format!("there is no file {name}"), "Check the path."));
    }
    Ok(found)
}

fn gather(place: &Path, sources: &mut Vec<Source>) -> Result<(), Failure> {
    if place.is_dir() {
        let name = place.file_name().map(PathBuf::from).unwrap_or_default();
        return walk(place, &name, sources);
    }
    let name = place.file_name().map(PathBuf::from).unwrap_or_default();
    sources.push(source(place, &name)?);
    Ok(())
}

fn walk(folder: &Path, path: &Path, sources: &mut Vec<Source>) -> Result<(), Failure> {
    let unreadable = |error: std::io::Error| {
        Failure::failed(format!("cannot read the folder {}: {error}", folder.display()), "Check its rights.")
    };
    let mut entries =
        std::fs::read_dir(folder).map_err(unreadable)?.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let (place, path) = (entry.path(), path.join(entry.file_name()));
        if entry.file_type().map_err(unreadable)?.is_dir() {
            walk(&place, &path, sources)?;
        } else if place.is_file() {
            sources.push(source(&place, &path)?);
        } else {
            output::remark(&format!("{} is left out: it is no file", place.display()));
        }
    }
    Ok(())
}

fn source(file: &Path, path: &Path) -> Result<Source, Failure> {
    let shown = file.display();
    let path = path.to_str().ok_or_else(|| {
        Failure::failed(format!("the name of {shown} is not UTF-8"), "Rename it, or name its path with --as.")
    })?;
    let about = std::fs::metadata(file)
        .map_err(|error| Failure::failed(format!("cannot read {shown}: {error}"), "Check its rights."))?;
    if !about.is_file() {
        let next = "Write it to a file first: the storage wants to know the length before the first byte.";
        return Err(Failure::failed(format!("{shown} is no file"), next));
    }
    Ok(Source { file: file.to_owned(), path: path.to_owned(), len: about.len() })
}

/// Before anything is uploaded: every path can be, none is meant twice, and the same file once more is the same file.
fn distinct(sources: Vec<Source>) -> Result<Vec<Source>, Failure> {
    let mut taken: HashMap<String, PathBuf> = HashMap::new();
    let mut kept = Vec::with_capacity(sources.len());
    for source in sources {
        let Source { file, path, .. } = &source;
        check_path(path).map_err(|error| {
            Failure::failed(format!("{path:?}: {error}"), "Name another path with --as or --prefix.")
        })?;
        let real = std::fs::canonicalize(file).unwrap_or_else(|_| file.clone());
        match taken.get(path) {
            Some(other) if *other == real => continue,
            Some(other) => {
                let message = format!("{} and {} would both become {path}", other.display(), file.display());
                let next = "Upload them with two commands, one of them with --prefix or --as.";
                return Err(Failure::failed(message, next));
            }
            None => taken.insert(path.clone(), real),
        };
        kept.push(source);
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("pictures/small")).unwrap();
        for file in ["pictures/b.png", "pictures/small/a.png", "note.txt"] {
            std::fs::write(folder.path().join(file), "xyz").unwrap();
        }
        folder
    }

    fn paths(folder: &tempfile::TempDir, named: &str, prefix: Option<&str>) -> Vec<String> {
        let named = folder.path().join(named).to_str().unwrap().to_owned();
        find(&[named], None, prefix).unwrap().into_iter().map(|source| source.path).collect()
    }

    #[test]
    fn a_folder_keeps_its_name_and_what_is_in_it_keeps_its_path() {
        let folder = folder();
        assert_eq!(paths(&folder, "pictures", None), ["pictures/b.png", "pictures/small/a.png"]);
        assert_eq!(paths(&folder, "note.txt", Some("/in/box/")), ["in/box/note.txt"]);
    }

    #[test]
    fn a_pattern_names_files() {
        let folder = folder();
        assert_eq!(paths(&folder, "**/*.png", None), ["b.png", "a.png"]);
    }

    #[test]
    fn a_folder_without_files_is_no_success() {
        let folder = folder();
        std::fs::create_dir_all(folder.path().join("empty/inside")).unwrap();
        let empty = folder.path().join("empty").to_str().unwrap().to_owned();
        assert!(find(&[empty], None, None).is_err());
    }

    #[test]
    fn nothing_is_uploaded_twice_to_one_path() {
        let folder = folder();
        let note = folder.path().join("note.txt").to_str().unwrap().to_owned();
        assert_eq!(find(&[note.clone(), note], None, None).unwrap().len(), 1, "it is the same file");
        std::fs::write(folder.path().join("pictures/note.txt"), "other").unwrap();
        let both = ["note.txt", "pictures/note.txt"];
        let both = both.map(|name| folder.path().join(name).to_str().unwrap().to_owned());
        assert!(find(&both, None, None).is_err());
        assert!(find(&both, Some("a"), None).is_err(), "--as is for one");
    }
}
