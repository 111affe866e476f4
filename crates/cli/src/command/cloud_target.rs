//! Where a download is written on this machine.
//!
//! A file has its name once it is whole, and what is there is replaced only if that is said. What is no file, such as a
//! pipe or a device, is written into and stays what it is.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use tokenward_client::{CallError, Download};

use crate::failure::Failure;

/// A place that a download may be written to.
#[derive(Debug)]
pub struct Target {
    place: PathBuf,
    way: Way,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Output,
    /// Under another name until it is whole.
    File {
        replace: bool,
    },
    /// Into what is there.
    Through,
}

impl Target {
    /// The place of this name; `-` is standard output.
    ///
    /// # Errors
    /// There is a folder, or a file that is not to be replaced.
    pub fn find(named: &Path, replace: bool) -> Result<Target, Failure> {
        let shown = named.display();
        let target = |way| Ok(Target { place: named.to_owned(), way });
        if named == Path::new("-") {
            return target(Way::Output);
        }
        let unusable = |error| {
            Failure::failed(format!("cannot write {shown}: {error}"), "Check the path and its rights.")
        };
        match std::fs::metadata(named) {
            Err(error) if error.kind() == ErrorKind::NotFound && !named.is_symlink() => {
                target(Way::File { replace: false })
            }
            Err(error) => Err(unusable(error)),
            Ok(there) if there.is_dir() => {
                Err(Failure::failed(format!("{shown} is a folder"), "Name the file to write in it."))
            }
            Ok(there) if !there.is_file() => target(Way::Through),
            Ok(_) if !replace => {
                let next = "Name another place, or say --force to replace it.";
                Err(Failure::failed(format!("{shown} is there already"), next))
            }
            // A link stays a link; the file behind it is replaced.
            Ok(_) => {
                let place = std::fs::canonicalize(named).map_err(unusable)?;
                Ok(Target { place, way: Way::File { replace } })
            }
        }
    }

    /// Its path.
    pub fn shown(&self) -> String {
        self.place.display().to_string()
    }

    /// Whether it is standard output, which then has room for nothing else.
    pub fn is_output(&self) -> bool {
        self.way == Way::Output
    }

    /// Writes all of a download; `told` hears how many bytes have passed. Returns how many there were.
    ///
    /// # Errors
    /// It broke off, or it cannot be written.
    pub async fn write(self, download: Download, told: impl FnMut(u64)) -> Result<u64, CallError> {
        match self.way {
            Way::Output => download.write_to(&mut tokio::io::stdout(), told).await,
            Way::Through => {
                let mut out = tokio::fs::File::options().write(true).open(&self.place).await?;
                download.write_to(&mut out, told).await
            }
            Way::File { replace } => write_file(&self.place, replace, download, told).await,
        }
    }
}

async fn write_file(
    place: &Path,
    replace: bool,
    download: Download,
    told: impl FnMut(u64),
) -> Result<u64, CallError> {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = place.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    // What the umask leaves, as for any file that a command makes.
    let permissions = std::fs::Permissions::from_mode(0o666);
    let part = tempfile::Builder::new().prefix(".tokenward-").permissions(permissions).tempfile_in(folder)?;
    let mut file = tokio::fs::File::from_std(part.reopen()?);
    let size = download.write_to(&mut file, told).await?;
    let kept = if replace { part.persist(place) } else { part.persist_noclobber(place) };
    kept.map_err(|error| error.error)?;
    Ok(size)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_there_is_replaced_only_if_that_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        std::fs::write(place("there"), "x").unwrap();
        std::os::unix::fs::symlink(place("there"), place("link")).unwrap();
        std::os::unix::fs::symlink(place("nothing"), place("dangling")).unwrap();
        let way = |name: &str, replace| Target::find(&place(name), replace).ok().map(|target| target.way);
        assert_eq!(way("new", false), Some(Way::File { replace: false }));
        assert_eq!(way("there", false), None);
        assert_eq!(way("there", true), Some(Way::File { replace: true }));
        assert_eq!(way("link", false), None);
        let behind = Target::find(&place("link"), true).unwrap();
        assert_eq!(behind.place, std::fs::canonicalize(place("there")).unwrap(), "the link stays");
        assert_eq!(way("dangling", true), None);
        assert_eq!(way("", true), None, "a folder");
    }

    #[test]
    fn what_is_no_file_is_written_into() {
        assert_eq!(Target::find(Path::new("/dev/null"), false).unwrap().way, Way::Through);
        assert_eq!(Target::find(Path::new("-"), false).unwrap().way, Way::Output);
    }
}
