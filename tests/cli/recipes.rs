//! Images that are made by a Dockerfile, and how they are removed again.

use super::harness::{Ran, command};
use crate::support::{OwnEngine, TINY};
use std::fs;
use std::path::Path;

fn synthd(engine: &OwnEngine, dir: &Path, arguments: &[&str]) -> Ran {
    let mut command = command(dir, arguments);
    command.env("DOCKER_HOST", format!("unix://{}", engine.socket().display()));
    command.env("HOME", dir);
    Ran::from(command.output().unwrap())
}

const BUILD: [&str; 6] =
    ["image", "build", "test/made", "--dockerfile", "made/Dockerfile", "--json"];

fn write(dir: &Path, name: &str, text: &str) {
    fs::create_dir_all(dir.join("made")).unwrap();
    fs::write(dir.join("made").join(name), text).unwrap();
}

#[test]
fn an_image_is_built_by_a_dockerfile_and_only_when_something_changed() {
    let Some(engine) = OwnEngine::start("a build by a Dockerfile", None, &[]) else { return };
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "Dockerfile", &format!("FROM {TINY}\nCOPY word /word\nRUN cat /word\n"));
    write(dir.path(), "word", "first");
    write(dir.path(), ".dockerignore", "*.tmp\n");
    let build = || synthd(&engine, dir.path(), &BUILD).succeeds().document();
    let first = build();
    assert_eq!(first["built"], true);
    let log = fs::read_to_string(first["log"].as_str().unwrap()).unwrap();
    assert!(log.contains("first"), "{log}");
    write(dir.path(), "ignored.tmp", "x");
    assert_eq!(build()["built"], false);

    write(dir.path(), "word", "second");
    let second = build();
    assert_eq!(second["built"], true);
    assert_ne!(second["image"], first["image"]);
    let checked =
        synthd(&engine, dir.path(), &["image", "check", "test/made", "--json"]).succeeds();
    assert!(checked.document()["tools"].as_array().unwrap().iter().any(|tool| tool == "sh"));

    prune(&engine, dir.path(), first["image"].as_str().unwrap());
}

/// Oldest first, what is in use never, and nothing that was not made here.
fn prune(engine: &OwnEngine, dir: &Path, first: &str) {
    assert!(engine.docker(&["create", first, "sh"]).status().unwrap().success());
    let listed = |more: &[&str]| {
        let ran = synthd(engine, dir, &[&["image", "prune", "--json"], more].concat()).succeeds();
        ran.document()["removed"].as_array().unwrap().len()
    };
    assert_eq!(listed(&["--older-than", "1d"]), 0);
    assert_eq!(listed(&["--keep", "0B", "--dry-run"]), 1);
    assert_eq!(listed(&["--keep", "0B"]), 1);
    assert_eq!(listed(&["--keep", "0B"]), 0);
    let left = synthd(engine, dir, &["image", "list", "--json"]).succeeds().stdout;
    assert!(left.contains(first) && left.contains(TINY), "{left}");
    assert!(!left.contains("test/made:latest"), "{left}");
}

#[test]
fn a_build_that_fails_says_what_the_builder_said_last() {
    let Some(engine) = OwnEngine::start("a build that fails", None, &[]) else { return };
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "Dockerfile", &format!("FROM {TINY}\nRUN echo so far; false\n"));
    let told = synthd(&engine, dir.path(), &BUILD[..5]).fails(2, "SYN-0404").told();
    assert!(told.contains("so far") && told.contains("false"), "{told}");
    write(dir.path(), "Dockerfile", &format!("FROM {TINY}\nRUN --mount=type=cache,target=/c :\n"));
    let told = synthd(&engine, dir.path(), &BUILD[..5]).fails(2, "SYN-0404").told();
    assert!(told.contains("docker buildx build"), "{told}");
    let told = synthd(&engine, dir.path(), &["image", "build", "a", "--dockerfile", "none"]);
    assert!(told.fails(1, "SYN-0003").told().contains("none"));
    assert_eq!(engine.containers(), [""; 0]);
}
