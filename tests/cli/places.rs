//! Data directories that cannot be used: a coded error, and nothing damaged.

use super::campaign::{copy, run_again, shared, templates, text};
use super::harness::{Ran, command, snapshot, synthd_in};
use crate::support;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;

/// A user without any rights.
const NOBODY: u32 = 65_534;

fn with_campaign() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let campaign = text("places", &["give-up"], "tests/sum");
    std::fs::write(dir.path().join("campaign.toml"), campaign).unwrap();
    dir
}

#[test]
fn a_file_is_no_data_directory() {
    let dir = with_campaign();
    std::fs::write(dir.path().join("data"), "mine").unwrap();
    let ran = run_again(dir.path(), &[]).fails(2, "SYN-0302");
    snapshot("data_dir_file", &ran.told(), None);
    assert_eq!(std::fs::read_to_string(dir.path().join("data")).unwrap(), "mine");
}

#[test]
fn nothing_to_look_at_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let ran = synthd_in(dir.path(), &["episode", "list"]);
    snapshot("data_dir_missing", &ran.fails(2, "SYN-0105").told(), None);
    assert!(!dir.path().join("synthd-data").exists(), "looking makes nothing");
}

/// As nobody where these tests run as root, who may write anywhere.
#[test]
fn a_read_only_directory_is_refused() {
    let dir = with_campaign();
    let data = dir.path().join("data");
    std::fs::create_dir(&data).unwrap();
    std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::set_permissions(&data, PermissionsExt::from_mode(0o555)).unwrap();
    let ran = as_nobody(dir.path(), &["run", "campaign.toml", "--data-dir", "data"]);
    let entries = std::fs::read_dir(&data).unwrap().count();
    std::fs::set_permissions(&data, PermissionsExt::from_mode(0o755)).unwrap();
    let Some(ran) = ran else { return };
    snapshot("data_dir_read_only", &ran.fails(2, "SYN-0302").told(), None);
    assert_eq!(entries, 0);
}

/// The binary may lie where nobody may look, so a copy of it is run.
fn as_nobody(dir: &Path, args: &[&str]) -> Option<Ran> {
    let copy = dir.join("synthd");
    std::fs::copy(support::synthd(), &copy).unwrap();
    std::fs::set_permissions(&copy, PermissionsExt::from_mode(0o755)).unwrap();
    super::campaign::copy(&templates(), &dir.join("own"));
    let template = command(dir, &[]);
    let mut command = std::process::Command::new(&copy);
    command.args(args).args(["--templates", "own"]).current_dir(dir).env_clear();
    for (name, value) in template.get_envs() {
        value.map(|value| command.env(name, value));
    }
    if nix::unistd::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    match command.output() {
        Ok(output) => Some(Ran::from(output)),
        Err(error) => {
            support::skip("a read-only data directory", &format!("cannot run as nobody: {error}"));
            None
        }
    }
}

/// The kernel's lock is what counts; the file says who has it.
#[test]
fn a_directory_in_use_names_its_holder() {
    let dir = with_campaign();
    let data = dir.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let mut lock = std::fs::File::create(data.join("synthd.lock")).unwrap();
    lock.lock().unwrap();
    writeln!(lock, "4242").unwrap();
    let ran = run_again(dir.path(), &[]).fails(2, "SYN-0301");
    assert!(ran.stderr.contains("process 4242"), "{ran:?}");
    drop(lock);
    run_again(dir.path(), &[]).succeeds();
}

#[test]
fn a_newer_store_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    copy(&shared().dir, dir.path());
    let file = dir.path().join("data/synthd.db");
    let store = rusqlite::Connection::open(&file).unwrap();
    store.execute_batch("PRAGMA user_version = 99").unwrap();
    store.close().unwrap();
    let before = std::fs::read(&file).unwrap();
    let ran = run_again(dir.path(), &[]).fails(2, "SYN-0304");
    snapshot("store_newer", &ran.told(), None);
    synthd_in(dir.path(), &["episode", "list", "--data-dir", "data"]).fails(2, "SYN-0304");
    assert_eq!(std::fs::read(&file).unwrap(), before);
}

#[test]
fn what_is_no_store_is_left_alone() {
    let dir = with_campaign();
    std::fs::create_dir(dir.path().join("data")).unwrap();
    let file = dir.path().join("data/synthd.db");
    std::fs::write(&file, "not a database, but as long as the header of one ".repeat(50)).unwrap();
    let before = std::fs::read(&file).unwrap();
    snapshot("store_damaged", &run_again(dir.path(), &[]).fails(1, "SYN-0305").told(), None);
    synthd_in(dir.path(), &["episode", "list", "--data-dir", "data"]).fails(1, "SYN-0305");
    assert_eq!(std::fs::read(&file).unwrap(), before);
}
