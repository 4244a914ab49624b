//! Images that are made by a Dockerfile, and how they are removed again.

use super::harness::{Ran, command};
use super::images::{RUN, prepare};
use crate::support::{OwnEngine, TINY};
use std::fs;
use std::path::Path;
use synthd::store::Store;
use synthd_actors::model::CampaignName;
use synthd_actors::ports::Journal;

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

/// A name that means another image by now changes nothing for what has begun.
#[tokio::test]
async fn a_campaign_goes_on_with_the_image_it_began_with() {
    let Some(engine) = OwnEngine::start("an image whose name moves", None, &[]) else { return };
    let dir = tempfile::tempdir().unwrap();
    let make = |word: &str| {
        write(dir.path(), "Dockerfile", &format!("FROM {TINY}\nRUN echo {word} > /word\n"));
        synthd(&engine, dir.path(), &BUILD).succeeds();
        engine.asked(&["inspect", "-f", "{{.Id}}", "test/made:latest"]).trim().to_owned()
    };
    let run = |tasks: u32| {
        prepare(dir.path(), SANDBOX);
        let campaign = fs::read_to_string(dir.path().join("c.toml")).unwrap();
        let campaign = campaign.replace("per_template = 2", &format!("per_template = {tasks}"));
        fs::write(dir.path().join("c.toml"), campaign).unwrap();
        synthd(&engine, dir.path(), &[&RUN[..], &["--json"]].concat())
    };
    let first = make("first");
    assert_eq!(run(2).succeeds().document()["episodes"]["resolved"], 2);
    let second = make("second");
    assert_ne!(first, second);
    assert_eq!(run(4).succeeds().document()["episodes"]["resolved"], 4);
    let store = Store::open(&dir.path().join("data")).unwrap();
    let episodes = store.episodes(&CampaignName("images".to_owned())).await.unwrap();
    let prints = episodes.iter().filter_map(|episode| episode.fingerprint.as_ref()?.image());
    assert_eq!(prints.collect::<Vec<_>>(), [("test/made", first.as_str()); 4]);
    drop(store);

    assert!(engine.docker(&["rmi", "-f", &first]).status().unwrap().success());
    let told = run(6).fails(2, "SYN-0404").told();
    assert!(told.contains("was sha256:") && told.contains("another name"), "{told}");
}

const SANDBOX: &str =
    "backend = \"docker\"\nimage = \"none\"\nimages = { special = \"test/made\" }\ndisk = \"8MiB\"";
