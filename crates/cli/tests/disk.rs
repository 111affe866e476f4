//! The disk is full, the store is locked, the key ring is gone.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod lab;

use std::path::PathBuf;
use std::process::Command;

use lab::{Lab, Server, classic, documented, scaled};
use tokenward_emulator::{Fault, FaultKind};

/// A disk of one megabyte for `data_dir`, which can be filled and emptied.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(lab: &Lab) -> SmallDisk {
        let path = lab.folder.path().join("data");
        std::fs::create_dir(&path).unwrap();
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(&path).status();
        assert!(mounted.unwrap().success(), "a small disk needs the right to mount");
        SmallDisk(path)
    }

    fn fill(&self) {
        // Until not even one more byte fits.
        let mut ballast = std::fs::File::create(self.0.join("ballast")).unwrap();
        for size in [65_536, 4_096, 1] {
            while std::io::Write::write_all(&mut ballast, &vec![0; size]).is_ok() {}
        }
    }

    fn empty(&self) {
        std::fs::remove_file(self.0.join("ballast")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(&self.0).status());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_full_disk_tokens_rotate_unkept_and_are_kept_when_there_is_room() {
    let lab = Lab::new(scaled(6, 2)).await;
    let disk = SmallDisk::mount(&lab);
    let server = lab.serve(&classic("2s"));
    let first = server.token("shop").await;
    disk.fill();
    server.wait_for_line("the store fails");
    let second = server.next_token("shop", first.generation()).await;
    assert!(lab.accepts(server.http(), second.token()).await);
    let ready = server.send(server.http().get(format!("{}/readyz", server.url))).await;
    assert_eq!((ready.status, ready.body["status"].as_str()), (503, Some("store_failing")));
    assert!(ready.body["next_step"].as_str().unwrap().contains("Free space"));
    disk.empty();
    server.wait_for_line("the store works again");
    let third = server.next_token("shop", second.generation()).await;
    assert!(lab.accepts(server.http(), third.token()).await);
    assert_eq!(server.send(server.http().get(format!("{}/readyz", server.url))).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_store_does_not_stop_reads() {
    let lab = Lab::new(scaled(6, 2)).await;
    let server = lab.serve(&classic("2s"));
    server.token("shop").await;
    let lock = Lock::take(&server.data_dir.join("store.db"));
    server.wait_for_line("the store fails");
    let answer = server.token("shop").await;
    assert_eq!(answer.status, 200);
    assert!(lab.accepts(server.http(), answer.token()).await);
    drop(lock);
    server.wait_for_line("the store works again");
}

/// Somebody else's write transaction.
struct Lock(std::process::Child);

impl Lock {
    fn take(store: &std::path::Path) -> Lock {
        let program = "import sqlite3, sys\n\
                       db = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=10)\n\
                       db.execute('BEGIN IMMEDIATE')\n\
                       print('locked', flush=True)\n\
                       sys.stdin.read()";
        let mut child = Command::new("python3")
            .args(["-c", program])
            .arg(store)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = child.stdout.take().unwrap();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line).unwrap();
        assert_eq!(line.trim(), "locked");
        Lock(child)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generation_that_was_handed_out_unkept_never_names_another_token() {
    let lab = Lab::new(scaled(8, 3)).await;
    let server = lab.serve(&classic("3s"));
    server.token("shop").await;
    let (store, config) = (server.data_dir.join("store.db"), lab.folder.path().join("tokenward.toml"));
    let lock = Lock::take(&store);
    let unkept = server.next_token("shop", 1).await;
    drop(lock);
    assert!(server.stop().success());
    let server = Server::start(&config, &[]);
    let after = server.token("shop").await;
    assert!(
        after.generation() > unkept.generation() || after.token() == unkept.token(),
        "{unkept:?} {after:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_ends_while_the_store_fails_does_not_count_as_ended_well() {
    let lab = Lab::new(scaled(8, 3)).await;
    let server = lab.serve(&classic("3s"));
    server.token("shop").await;
    let (store, config) = (server.data_dir.join("store.db"), lab.folder.path().join("tokenward.toml"));
    let lock = Lock::take(&store);
    let unkept = server.next_token("shop", 1).await;
    assert!(tokio::task::block_in_place(|| server.stop()).success());
    drop(lock);
    let server = Server::start(&config, &[]);
    assert!(server.token("shop").await.generation() >= unkept.generation() + 1000);
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_returns_by_itself_when_the_store_works_again() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&classic("5m"));
    server.token("shop").await;
    let lock = Lock::take(&server.data_dir.join("store.db"));
    lab.control().invalidate(Some("wxclassic")).unwrap();
    lab.control().inject(Fault::new(FaultKind::Frozen).on("/cgi-bin/token")).unwrap();
    assert_eq!(server.report("shop", 1).await.status, 503);
    server.wait_for_line("the store fails");
    drop(lock);
    server.wait_for_line("the store works again");
}

fn refuses_to_start(server_config: &std::path::Path) -> String {
    let output = lab::tokenward().arg("-c").arg(server_config).arg("serve").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    String::from_utf8(output.stderr).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_key_ring_is_not_made_anew_beside_a_store() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&classic("5m"));
    server.token("shop").await;
    let (data_dir, config) = (server.data_dir.clone(), lab.folder.path().join("tokenward.toml"));
    assert!(server.stop().success());
    std::fs::rename(data_dir.join("key-ring"), data_dir.join("elsewhere")).unwrap();
    let said = refuses_to_start(&config);
    assert!(said.contains("is missing") && said.contains("from your backup"), "{said}");
    std::fs::rename(data_dir.join("elsewhere"), data_dir.join("key-ring")).unwrap();
    let server = Server::start(&config, &[]);
    assert_eq!((server.token("shop").await.generation(), lab.issued()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_ring_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&classic("5m"));
    let key_ring = server.data_dir.join("key-ring");
    assert!(server.stop().success());
    std::fs::set_permissions(&key_ring, std::fs::Permissions::from_mode(0o644)).unwrap();
    let said = refuses_to_start(&lab.folder.path().join("tokenward.toml"));
    assert!(said.contains("can be read by others"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_ring_of_another_store_is_refused() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&classic("5m"));
    server.token("shop").await;
    let (data_dir, config) = (server.data_dir.clone(), lab.folder.path().join("tokenward.toml"));
    assert!(server.stop().success());
    let other = Lab::new(documented()).await;
    let other_server = other.serve(&classic("5m"));
    std::fs::copy(other_server.data_dir.join("key-ring"), data_dir.join("key-ring")).unwrap();
    let said = refuses_to_start(&config);
    assert!(said.contains("another store's key ring") && said.contains("server.key_ring"), "{said}");
    assert_eq!(lab.issued(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_no_store_is_named() {
    let lab = Lab::new(documented()).await;
    let server = lab.serve(&classic("5m"));
    let data_dir = server.data_dir.clone();
    assert!(server.stop().success());
    std::fs::write(data_dir.join("store.db"), vec![b'x'; 8192]).unwrap();
    let said = refuses_to_start(&lab.folder.path().join("tokenward.toml"));
    assert!(said.contains("cannot open the store") && said.contains("restore a backup"), "{said}");
}
