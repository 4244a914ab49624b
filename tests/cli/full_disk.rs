//! A disk that fills up under a campaign: a coded error, nothing damaged, and the campaign
//! goes on once there is room.

use super::campaign::{run, run_again};
use super::harness::synthd_in;
use crate::support;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use std::fs::File;
use std::io::Write;
use std::path::Path;

#[test]
fn a_full_disk_stops_a_campaign_and_damages_nothing() {
    // A mount that this thread and what it starts see, and that goes with them.
    let test = std::thread::spawn(|| {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        std::fs::create_dir(&data).unwrap();
        let made = small_disk(&data, "3m");
        if made.is_ok() {
            fills_up(dir.path());
        }
        umount2(&data, MntFlags::MNT_DETACH).ok();
        made
    });
    // Here and not there: a skipped test is known by the name of its thread.
    if let Err(error) = test.join().unwrap() {
        support::skip("a full disk", &format!("no mount of one's own: {error}"));
    }
}

pub(crate) fn small_disk(dir: &Path, size: &str) -> nix::Result<()> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, private, None::<&str>)?;
    let size = format!("size={size}");
    mount(Some("tmpfs"), dir, Some("tmpfs"), MsFlags::empty(), Some(size.as_str()))
}

fn fills_up(dir: &Path) {
    let ballast = dir.join("data/ballast");
    fill(&ballast, 0);
    let ran = run(dir, "full", &["oracle", "loop"], &[]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(ran.stderr.contains("error[SYN-0303]"), "{ran:#?}");

    // Room enough to begin, too little to end.
    std::fs::remove_file(&ballast).unwrap();
    fill(&ballast, 260 << 10);
    let ran = run_again(dir, &[]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(ran.stderr.contains("error[SYN-0303]"), "{ran:#?}");

    std::fs::remove_file(&ballast).unwrap();
    let document = run_again(dir, &["--json"]).succeeds().document();
    assert_eq!(document["episodes"]["finished"], 4, "{document:#}");
    assert_eq!(document["episodes"]["faulted"], 0, "{document:#}");
    let dataset = document["dataset"]["path"].as_str().unwrap();
    synthd_in(dir, &["dataset", "verify", dataset]).succeeds();
    let store = rusqlite::Connection::open(dir.join("data/synthd.db")).unwrap();
    let sound: String = store.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok");
}

/// Takes all the room there is but `left` bytes.
pub(crate) fn fill(path: &Path, left: u64) {
    let mut file = File::create(path).unwrap();
    while file.write_all(&[7; 4096]).is_ok() {}
    let length = file.metadata().unwrap().len();
    file.set_len(length.saturating_sub(left)).unwrap();
}
