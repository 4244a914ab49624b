//! Images that come from a registry.

use super::harness::{Ran, command};
use super::images::{RUN, prepare};
use crate::support::{OwnEngine, Registry, TINY};
use std::path::Path;

/// An engine and a registry that has its image `tools/tiny:1`, and not the engine.
fn start(what: &str) -> Option<(OwnEngine, Registry, String)> {
    let engine = OwnEngine::start(what, None, &[])?;
    let registry = Registry::start(what)?;
    let quiet = format!("{}/tools/tiny:1", registry.quiet_host());
    let config = tempfile::tempdir().unwrap();
    let login = ["login", "-u", crate::support::USER, "-p", crate::support::PASSWORD];
    let docker = |arguments: &[&str]| {
        let ran = engine.docker(arguments).env("DOCKER_CONFIG", config.path()).status().unwrap();
        assert!(ran.success(), "{arguments:?}");
    };
    docker(&[&login[..], &[&registry.quiet_host()]].concat());
    docker(&["tag", TINY, &quiet]);
    docker(&["push", &quiet]);
    docker(&["rmi", "-f", &quiet, TINY]);
    let image = format!("{}/tools/tiny:1", registry.host());
    Some((engine, registry, image))
}

fn synthd(engine: &OwnEngine, dir: &Path, arguments: &[&str]) -> Ran {
    let mut command = command(dir, arguments);
    let helpers = dir.join("login").display().to_string();
    let path = format!("{}:{helpers}", std::env::var("PATH").unwrap());
    command.env("DOCKER_HOST", format!("unix://{}", engine.socket().display()));
    command.env("DOCKER_CONFIG", helpers).env("HOME", dir).env("PATH", path);
    Ran::from(command.output().unwrap())
}

#[test]
fn a_pull_takes_the_credentials_of_the_users_own_login() {
    let what = "a pull with credentials";
    let Some((engine, registry, image)) = start(what) else { return };
    let dir = tempfile::tempdir().unwrap();
    let login = dir.path().join("login");
    let pull = ["image", "pull", &image];
    let told = synthd(&engine, dir.path(), &pull).fails(2, "SYN-0404").told();
    assert!(told.contains(&format!("docker login {}", registry.host())), "{told}");

    registry.login(&login, "wrong");
    let told = synthd(&engine, dir.path(), &pull).fails(2, "SYN-0404").told();
    assert!(told.contains("does not take the credentials"), "{told}");

    registry.login_by_helper(&login);
    let ran = synthd(&engine, dir.path(), &[&pull[..], &["--json"]].concat()).succeeds();
    assert!(ran.document()["id"].as_str().unwrap().starts_with("sha256:"));
    assert!(!ran.stderr.contains(crate::support::PASSWORD));

    registry.login(&login, crate::support::PASSWORD);
    synthd(&engine, dir.path(), &pull).succeeds();
    let absent = format!("{}/tools/none:1", registry.host());
    let told = synthd(&engine, dir.path(), &["image", "pull", &absent]).fails(2, "SYN-0404").told();
    assert!(told.contains("tools/none:1"), "{told}");
}

#[test]
fn a_registry_that_is_overloaded_for_a_moment_is_asked_again() {
    let what = "a registry that fails";
    let Some((engine, registry, image)) = start(what) else { return };
    let dir = tempfile::tempdir().unwrap();
    registry.login(&dir.path().join("login"), crate::support::PASSWORD);
    registry.trouble(3);
    synthd(&engine, dir.path(), &["image", "pull", &image]).succeeds();
    assert_eq!(registry.troubles_left(), 0);
}

#[test]
fn a_campaign_pulls_what_is_missing_only_where_it_says_so() {
    let what = "a campaign that pulls";
    let Some((engine, registry, image)) = start(what) else { return };
    let dir = tempfile::tempdir().unwrap();
    registry.login(&dir.path().join("login"), crate::support::PASSWORD);
    let sandbox = |more: &str| {
        format!(
            "backend = \"docker\"\nimage = \"none:1\"\nimages = {{ special = \"{image}\" }}{more}"
        )
    };
    prepare(dir.path(), &sandbox(""));
    let told = synthd(&engine, dir.path(), &RUN).fails(2, "SYN-0404").told();
    assert!(told.contains("wanted by crash/word-count"), "{told}");
    assert!(told.contains("synthd image pull"), "{told}");

    prepare(dir.path(), &sandbox("\npull = \"missing\""));
    let ran = synthd(&engine, dir.path(), &[&RUN[..], &["--json"]].concat()).succeeds();
    assert_eq!(ran.document()["episodes"]["resolved"], 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("pulling 127.0.0.1:"), "{}", ran.stderr);
    assert_eq!(engine.containers(), [""; 0]);
}
