//! A sink that is a file, or a folder of files that change together: [`FilePlace`] writes them.
//!
//! A disk may hang for as long as it likes. Whatever touches one waits for its [`Turn`], so that at most one thread hangs
//! for a file and one for its hook, and writes are made in the order of the deliveries. The hook is carried out when what
//! stands there has become something else than when it was carried out last: a longer life alone is nothing new where no
//! life is written. It runs beside the sink, one at a time: neither the next token nor a look waits for it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::delivery::{Delivery, Subject};
use super::file_hook::Hook;
use super::file_place::{FilePlace, Written};
use super::found::Found;
use super::standing::SinkFailure;
use super::target::Look;
use super::turn::Turn;
use crate::config::FileConfig;

/// A file, and how it was left.
#[derive(Debug)]
pub(crate) struct FileTarget {
    place: Arc<FilePlace>,
    turn: Turn,
    written: Option<Arc<Written>>,
    telling: Option<Telling>,
}

/// The hook, and of what it was carried out.
#[derive(Debug)]
struct Telling {
    hook: Hook,
    /// It and nothing else, while it is carried out: that ends with the sink.
    running: JoinSet<Result<(), SinkFailure>>,
    /// What stood there when it was carried out last, or is being carried out.
    about: Option<Arc<Written>>,
}

/// How long a disk may take.
const PATIENCE: Duration = Duration::from_secs(8);

impl FileTarget {
    pub(super) fn new(config: &FileConfig, subject: Subject) -> FileTarget {
        let hook = config.afterwards.clone().map(|afterwards| Hook::new(afterwards, PATIENCE));
        FileTarget {
            place: Arc::new(FilePlace::new(config, subject)),
            turn: Turn::new(PATIENCE),
            written: None,
            telling: hook.map(|hook| Telling { hook, running: JoinSet::new(), about: None }),
        }
    }

    /// Writes the file. [`FileTarget::finish`] carries out the hook.
    pub(super) async fn deliver(&mut self, delivery: &Delivery) -> Result<(), SinkFailure> {
        let delivery = delivery.clone();
        self.written = Some(Arc::new(self.at_the_disk(move |place| place.write(&delivery)).await?));
        Ok(())
    }

    /// Carries out the hook for what is written, or waits until that is done. Nothing is lost if this is broken off.
    pub(super) async fn finish(&mut self) -> Result<(), SinkFailure> {
        match (&mut self.telling, &self.written) {
            (Some(telling), Some(written)) => telling.tell(written).await,
            _ => Ok(()),
        }
    }

    pub(super) async fn look(&mut self) -> Result<Look, SinkFailure> {
        let Some(written) = self.written.clone() else { return Ok(Look::Gone) };
        let look = self.at_the_disk(move |place| place.look(&written)).await;
        if look != Ok(Look::There) {
            // Nobody knows what was read there meanwhile.
            self.telling.iter_mut().for_each(|telling| telling.about = None);
        }
        look
    }

    pub(super) async fn find(&self) -> Result<Found, SinkFailure> {
        self.at_the_disk(FilePlace::find).await
    }

    async fn at_the_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&FilePlace) -> Result<T, SinkFailure> + Send + 'static,
    ) -> Result<T, SinkFailure> {
        let place = Arc::clone(&self.place);
        let path: &Path = self.place.path();
        self.turn.take(path, move || work(&place)).await
    }
}

impl Telling {
    async fn tell(&mut self, written: &Arc<Written>) -> Result<(), SinkFailure> {
        loop {
            let outcome = self.running.join_next().await;
            let is_told = self.about.as_ref().is_some_and(|about| about.says_the_same(written));
            match outcome {
                // What failed for something older is carried out for this.
                Some(Ok(Err(failure))) if is_told => {
                    self.about = None;
                    return Err(failure);
                }
                Some(Ok(Ok(()))) | None if is_told => return Ok(()),
                Some(Err(_)) => {
                    self.about = None;
                    let next_step = "Report this as a defect of Tokenward.";
                    return Err(SinkFailure::new("what follows a change was broken off", next_step));
                }
                _ => {}
            }
            self.about = Some(Arc::clone(written));
            let hook = self.hook.clone();
            self.running.spawn(async move { hook.carry_out().await });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::PathBuf;
    use std::sync::mpsc;

    use tempfile::TempDir;
    use tokenward_core::secret::Secret;
    use tokenward_core::time::Span;

    use super::super::delivery::testing;
    use super::super::file_format::FileFormat;
    use super::super::file_hook::Afterwards;
    use super::*;

    /// A target at `place` in a folder of its own, whose hook writes a line to `told`.
    struct Bench(TempDir, FileTarget);

    impl Bench {
        fn new(format: FileFormat) -> Bench {
            let folder = tempfile::tempdir().unwrap();
            let told = folder.path().join("told").display().to_string();
            let line = ["/bin/sh", "-c", "echo >> $0", &told].map(str::to_owned);
            let config = FileConfig {
                path: folder.path().join("place"),
                format,
                mode: 0o640,
                owner: None,
                afterwards: Some(Afterwards::Run(line.into())),
            };
            let target = FileTarget::new(&config, testing::subject());
            Bench(folder, target)
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        async fn deliver(&mut self, delivery: &Delivery) {
            self.1.deliver(delivery).await.unwrap();
            self.1.finish().await.unwrap();
        }

        async fn look(&mut self) -> Look {
            self.1.look().await.unwrap()
        }

        fn told(&self) -> usize {
            fs::read_to_string(self.path("told")).unwrap().lines().count()
        }

        fn mode(&self, name: &str) -> u32 {
            fs::metadata(self.path(name)).unwrap().permissions().mode() & 0o777
        }
    }

    fn first() -> Delivery {
        testing::delivery()
    }

    fn second() -> Delivery {
        let now = first().now + Span::seconds(1);
        Delivery { token: Secret::new("second"), generation: 18, now, ..first() }
    }

    fn longer() -> Delivery {
        Delivery { told_end: first().told_end + Span::minutes(1), ..first() }
    }

    #[tokio::test]
    async fn nothing_is_written_while_a_write_hangs_and_then_only_the_newest() {
        let mut bench = Bench::new(FileFormat::Plain);
        bench.1.turn = Turn::new(Duration::from_millis(50));
        let (release, released) = mpsc::channel::<()>();
        let old = first();
        let hung = bench.1.at_the_disk(move |place| {
            let _ = released.recv();
            place.write(&old)
        });
        assert!(hung.await.is_err());
        let late = bench.1.deliver(&Delivery { token: Secret::new("never"), ..first() }).await.unwrap_err();
        assert!(late.detail.contains("place has not been reached"), "{late:?}");
        assert!(!bench.path("place").exists());
        drop(release);
        bench.1.turn.be_patient();
        bench.deliver(&second()).await;
        assert_eq!(fs::read_to_string(bench.path("place")).unwrap(), "second");
    }

    #[tokio::test]
    async fn a_longer_life_is_nothing_new_to_a_hook_where_no_life_is_written() {
        let mut bench = Bench::new(FileFormat::Plain);
        bench.deliver(&first()).await;
        bench.deliver(&longer()).await;
        assert_eq!(bench.told(), 1);
        bench.deliver(&second()).await;
        assert_eq!(bench.told(), 2);
    }

    #[tokio::test]
    async fn a_longer_life_that_is_written_is_told() {
        let mut bench = Bench::new(FileFormat::WechatTxt);
        bench.deliver(&first()).await;
        bench.deliver(&longer()).await;
        assert_eq!(bench.told(), 2);
    }

    #[tokio::test]
    async fn what_is_written_over_somebody_elses_is_told() {
        let mut bench = Bench::new(FileFormat::Plain);
        bench.deliver(&first()).await;
        fs::write(bench.path("place"), "theirs").unwrap();
        assert_eq!(bench.look().await, Look::Foreign);
        bench.deliver(&first()).await;
        assert_eq!(bench.told(), 2);
    }

    #[tokio::test]
    async fn a_hook_that_failed_is_carried_out_again() {
        let mut bench = Bench::new(FileFormat::Plain);
        fs::create_dir(bench.path("told")).unwrap();
        bench.1.deliver(&first()).await.unwrap();
        assert!(bench.1.finish().await.is_err());
        fs::remove_dir(bench.path("told")).unwrap();
        bench.1.finish().await.unwrap();
        assert_eq!(bench.told(), 1);
    }

    /// Until the hook has begun, whoever waits for it is broken off again and again.
    async fn break_off(bench: &mut Bench, has_begun: &Path) {
        let begun = async {
            while !has_begun.exists() {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            _ = bench.1.finish() => panic!("it does not end by itself"),
            () = begun => {}
        }
    }

    #[tokio::test]
    async fn the_file_is_written_while_a_hook_runs_and_then_it_is_carried_out_for_the_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name).display().to_string();
        // It notes what it has read when it is let go on.
        let script = "cat $0 >> $1; touch $2; while [ ! -e $3 ]; do :; done";
        let words = ["/bin/sh", "-c", script, &place("place"), &place("read"), &place("begun"), &place("go")];
        let config = FileConfig {
            path: folder.path().join("place"),
            format: FileFormat::Plain,
            mode: 0o640,
            owner: None,
            afterwards: Some(Afterwards::Run(words.map(str::to_owned).into())),
        };
        let mut bench = Bench(folder, FileTarget::new(&config, testing::subject()));
        bench.1.deliver(&first()).await.unwrap();
        let begun = bench.path("begun");
        break_off(&mut bench, &begun).await;
        bench.1.deliver(&second()).await.unwrap();
        assert_eq!(fs::read_to_string(bench.path("place")).unwrap(), "second");
        fs::write(bench.path("go"), "").unwrap();
        bench.1.finish().await.unwrap();
        assert_eq!(fs::read_to_string(bench.path("read")).unwrap(), "tok\"ensecond", "one after the other");
    }

    #[tokio::test]
    async fn a_file_that_was_only_touched_is_still_there() {
        let mut bench = Bench::new(FileFormat::Plain);
        bench.deliver(&first()).await;
        let later = fs::FileTimes::new().set_modified(std::time::SystemTime::UNIX_EPOCH);
        fs::File::options().write(true).open(bench.path("place")).unwrap().set_times(later).unwrap();
        assert_eq!(bench.look().await, Look::There);
    }

    #[tokio::test]
    async fn a_file_that_others_may_read_now_is_not_as_it_was_left() {
        let mut bench = Bench::new(FileFormat::Plain);
        bench.deliver(&first()).await;
        fs::set_permissions(bench.path("place"), fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(bench.look().await, Look::Foreign);
        bench.deliver(&first()).await;
        assert_eq!((bench.look().await, bench.mode("place")), (Look::There, 0o640));
    }

    #[tokio::test]
    async fn what_is_removed_or_changed_beneath_current_is_noticed() {
        let mut bench = Bench::new(FileFormat::Folder);
        for name in ["token", "expires_at", "token.json"] {
            let path = bench.path("place/current").join(name);
            bench.deliver(&first()).await;
            assert_eq!(bench.look().await, Look::There);
            fs::remove_file(&path).unwrap();
            assert_eq!(bench.look().await, Look::Gone, "{name}");
            bench.deliver(&first()).await;
            let changed = fs::read_to_string(&path).unwrap().replace('1', "2").replace("tok", "kot");
            fs::write(&path, changed).unwrap();
            assert_eq!(bench.look().await, Look::Foreign, "{name}");
        }
    }

    #[tokio::test]
    async fn what_cannot_be_cleared_stands_in_nobodys_way() {
        let mut bench = Bench::new(FileFormat::Folder);
        fs::create_dir_all(bench.path("place/v1-2/token")).unwrap();
        bench.deliver(&first()).await;
        assert_eq!((bench.look().await, bench.told()), (Look::There, 1));
        assert!(bench.path("place/v1-2/token").exists());
    }

    #[tokio::test]
    async fn a_link_that_points_elsewhere_is_noticed_and_replaced() {
        let mut bench = Bench::new(FileFormat::Folder);
        bench.deliver(&first()).await;
        for theirs in ["elsewhere", "a file"] {
            let current = bench.path("place/current");
            fs::remove_file(&current).unwrap();
            if theirs == "elsewhere" {
                std::os::unix::fs::symlink(theirs, &current).unwrap();
            } else {
                fs::write(&current, theirs).unwrap();
            }
            assert_eq!(bench.look().await, Look::Foreign, "{theirs}");
            bench.deliver(&first()).await;
            assert_eq!(bench.look().await, Look::There, "{theirs}");
        }
    }

    #[tokio::test]
    async fn a_folder_that_was_there_keeps_its_mode_and_a_new_one_gets_it() {
        let mut theirs = Bench::new(FileFormat::Folder);
        fs::create_dir(theirs.path("place")).unwrap();
        fs::set_permissions(theirs.path("place"), fs::Permissions::from_mode(0o705)).unwrap();
        theirs.deliver(&first()).await;
        assert_eq!((theirs.mode("place"), theirs.mode("place/current")), (0o705, 0o750));
        let mut ours = Bench::new(FileFormat::Folder);
        ours.deliver(&first()).await;
        assert_eq!((ours.mode("place"), ours.mode("place/current/token")), (0o750, 0o640));
    }

    #[tokio::test]
    async fn what_others_keep_in_the_folder_stays() {
        let mut bench = Bench::new(FileFormat::Folder);
        fs::create_dir_all(bench.path("place/v1-2")).unwrap();
        fs::write(bench.path("place/v1-2/theirs"), "").unwrap();
        fs::write(bench.path("place/v3-4"), "").unwrap();
        for at in 0..3 {
            let now = first().now + Span::seconds(at);
            bench.deliver(&Delivery { now, ..first() }).await;
        }
        assert!(bench.path("place/v1-2/theirs").exists() && bench.path("place/v3-4").exists());
        let ours = fs::read_dir(bench.path("place")).unwrap();
        assert_eq!(ours.count(), 2 + 3, "two versions and the link");
    }
}
