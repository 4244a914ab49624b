//! Folders on the disk: what is read of them, and within which bounds.

use super::told;
use crate::harbor::{find_tasks, read_task};
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;

/// A task in a directory.
fn lay(folder: &Path) {
    for (path, text) in [
        ("task.toml", "[agent]\ntimeout_sec = 60\n"),
        ("instruction.md", "Do it.\n"),
        ("environment/Dockerfile", "FROM debian\n"),
        ("tests/test.sh", "#!/bin/sh\n"),
        ("solution/solve.sh", "#!/bin/sh\n"),
    ] {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

/// The one problem of a task to which something was done.
fn problem(change: impl FnOnce(&Path)) -> String {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("task");
    lay(&folder);
    assert!(read_task(&folder).is_ok());
    change(&folder);
    let problems = read_task(&folder).unwrap_err();
    assert_eq!(problems.len(), 1, "{problems:?}");
    told(&problems[0])
}

#[test]
fn a_folder_and_a_directory_of_folders_are_found() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["b", "a"] {
        lay(&dir.path().join(name));
    }
    fs::create_dir(dir.path().join("empty")).unwrap();
    fs::create_dir(dir.path().join("old")).unwrap();
    fs::write(dir.path().join("old/task.yaml"), "instruction: x\n").unwrap();
    let found = find_tasks(dir.path()).unwrap();
    assert_eq!(found, ["a", "b", "old"].map(|name| dir.path().join(name)));
    let one = dir.path().join("a");
    assert_eq!(find_tasks(&one).unwrap(), std::slice::from_ref(&one));
    assert_eq!(read_task(&one).unwrap().name, "a");
    assert!(find_tasks(&dir.path().join("nowhere")).is_err());
    assert!(find_tasks(&dir.path().join("empty")).unwrap().is_empty());
}

#[test]
fn links_stay_in_the_folder() {
    let leaves = problem(|folder| symlink("/etc/passwd", folder.join("tests/passwd")).unwrap());
    assert_eq!(leaves, "I tests/passwd: is a link that leaves the task's folder");
    let relative = problem(|folder| {
        fs::write(folder.parent().unwrap().join("secret"), "x").unwrap();
        symlink("../../secret", folder.join("environment/secret")).unwrap();
    });
    assert_eq!(relative, "I environment/secret: is a link that leaves the task's folder");
    let nowhere = problem(|folder| symlink("nothing", folder.join("a")).unwrap());
    assert_eq!(nowhere, "I a: is a link that leads nowhere");
    let circle = problem(|folder| symlink(".", folder.join("tests/circle")).unwrap());
    assert!(circle.starts_with("U tests/circle: is a link to a directory"), "{circle}");
    let dir = tempfile::tempdir().unwrap();
    lay(dir.path());
    fs::rename(dir.path().join("tests/test.sh"), dir.path().join("tests/real.sh")).unwrap();
    symlink("real.sh", dir.path().join("tests/test.sh")).unwrap();
    assert!(read_task(dir.path()).is_ok(), "a link to a file of the task is that file");
}

/// A sparse file: nothing of it is read.
#[test]
fn a_large_file_is_refused_by_its_size() {
    let large = problem(|folder| {
        File::create(folder.join("environment/data.bin")).unwrap().set_len(100 << 20).unwrap();
    });
    let size = 100 << 20;
    let expected =
        format!("I environment/data.bin: has {size} bytes; a file of a task has at most 64 MiB");
    assert_eq!(large, expected);
    let text = problem(|folder| {
        File::create(folder.join("instruction.md")).unwrap().set_len(5 << 20).unwrap();
    });
    assert_eq!(text, format!("I instruction.md: has {} bytes; a text has at most 4 MiB", 5 << 20));
    let many = problem(|folder| {
        for at in 0..20 {
            let file = File::create(folder.join(format!("environment/{at}.bin"))).unwrap();
            file.set_len(60 << 20).unwrap();
        }
    });
    assert!(many.ends_with("brings its task above 1024 MiB"), "{many}");
}

#[test]
fn what_is_no_file_is_refused() {
    let pipe = problem(|folder| {
        nix::unistd::mkfifo(&folder.join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    });
    assert_eq!(pipe, "I pipe: is neither a file nor a directory");
    let deep = problem(|folder| {
        let deep = (0..40).fold(folder.to_owned(), |path, _| path.join("d"));
        fs::create_dir_all(&deep).unwrap();
    });
    assert!(deep.ends_with("is deeper than 32 directories"), "{deep}");
    let name = problem(|folder| {
        let name = <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"a\xff");
        fs::write(folder.join(name), "x").unwrap();
    });
    assert!(name.ends_with("has a name that is no text in UTF-8"), "{name}");
}
