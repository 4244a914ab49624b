//! Services and resources of templates, in real sandboxes. The template is the example of
//! `docs/templates.md`.

use super::campaign::text;
use super::harness::{Ran, synthd_in};
use crate::support::skip;
use std::path::Path;
use tempfile::TempDir;

/// The example of the page: a server that an agent must mend.
fn example() -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/templates.md");
    let page = std::fs::read_to_string(page).unwrap();
    let begin = page.find("schema: synthd/template@2\nid: web/shop").unwrap();
    let rest = &page[begin..];
    rest[..rest.find("\n```").unwrap()].to_owned() + "\n"
}

/// A directory with the example, in which each text is replaced by another one.
fn shop(changes: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("own/web/shop");
    std::fs::create_dir_all(&folder).unwrap();
    let mut yaml = example();
    for (from, to) in changes {
        assert!(yaml.contains(from), "{from}");
        yaml = yaml.replacen(from, to, 1);
    }
    std::fs::write(folder.join("template.yaml"), yaml).unwrap();
    dir
}

/// Whether this host has what the example needs; skips aloud where it does not.
fn has_python(what: &str) -> bool {
    let there = Path::new("/usr/bin/python3").exists();
    if !there {
        skip(what, "no python3 on this host");
    }
    there
}

fn check(dir: &TempDir, seeds: &str) -> Ran {
    let args = ["template", "check", "web/shop", "--templates", "own", "--seeds", seeds];
    synthd_in(dir.path(), &[&args[..], &["--battery", "none"]].concat())
}

/// A campaign of the oracle over the example, with these lines of `[episode]` and after it.
fn run(dir: &TempDir, command: &str, episode: &str, more: &str) -> Ran {
    let own = text("shop", &["oracle"], "web/*");
    let own = own.replace("max_turns = 8", &format!("max_turns = 8\n{episode}"));
    std::fs::write(dir.path().join("c.toml"), format!("{own}{more}")).unwrap();
    let args = [command, "c.toml", "--data-dir", "data", "--templates", "own"];
    synthd_in(dir.path(), &args)
}

#[test]
fn the_documented_template_with_a_service_is_proven() {
    if has_python("a service that is proven") {
        let ran = check(&shop(&[]), "2").succeeds();
        assert!(ran.stdout.contains("proven    web/shop (2 seeds)"), "{ran:?}");
    }
}

#[test]
fn the_documented_template_runs_with_its_resources() {
    if !has_python("a campaign with a service") {
        return;
    }
    let dir = shop(&[]);
    run(&dir, "run", "", "").succeeds();
    let in_dir = |args: &[&str]| {
        synthd_in(dir.path(), &[args, &["--data-dir", "data", "--json"]].concat()).succeeds()
    };
    let episodes = in_dir(&["episode", "list"]).document()["episodes"].clone();
    assert_eq!(episodes[0]["score"], 1.0, "{episodes:#}");
    let shown = in_dir(&["episode", "show", episodes[0]["id"].as_str().unwrap()]).document();
    // What holds is recorded where limits are, and told to the agent.
    let told = shown.to_string();
    assert!(told.contains("67108864 by tmpfs"), "{told}");
    assert!(told.contains("The workspace has room for 64 MiB"), "{told}");
    assert!(told.contains("or after 1200 s"), "{told}");
}

const FAILS: (&str, &str) = ("exec python3 server.py {{ port }}", "echo no such luck >&2; exit 3");
const ONCE: (&str, &str) = ("judged: true", "judged: true\n    restart: never");

#[test]
fn a_service_that_does_not_start_is_the_templates_fault() {
    let changes = [FAILS, ONCE, ("requires: [python3]", "requires: []")];
    let dir = shop(&changes);
    let words = "the service shop was not healthy within 30 s: its program ended: exit code 3; \
         the end of its log:";
    let said = check(&dir, "1").fails(1, "SYN-0203").stderr;
    assert!(said.contains(words) && said.contains("no such luck"), "{said}");
    let ran = run(&dir, "run", "attempts = 1", "");
    assert_eq!(ran.code, Some(3), "{ran:?}");
    let list = ["episode", "list", "--data-dir", "data", "--json"];
    let episodes = synthd_in(dir.path(), &list).succeeds().document()["episodes"].clone();
    assert!(episodes[0]["score"].is_null(), "a fault is no label: {episodes:#}");
    let id = episodes[0]["id"].as_str().unwrap();
    let show = ["episode", "show", id, "--data-dir", "data", "--json"];
    let shown = synthd_in(dir.path(), &show).succeeds().document();
    assert_eq!(shown["attempts"][0]["fault"]["kind"], "service_unhealthy");
    let replay = ["episode", "replay", id, "--data-dir", "data", "--templates", "own"];
    synthd_in(dir.path(), &replay).fails(1, "SYN-0205");
}

/// After the agent's work it is the agent who is to blame.
#[test]
fn a_service_that_the_agent_broke_fails_the_check() {
    if !has_python("a broken service") {
        return;
    }
    let broken = "alternatives:\n  - name: broken\n    steps:\n      \
         - {run: \"echo 'raise SystemExit(3)' > server.py\"}\nverification:";
    let dir = shop(&[ONCE, ("verification:", broken)]);
    let said = check(&dir, "1").fails(1, "SYN-0203").stderr;
    assert!(
        said.contains("the alternative \"broken\" does not solve the task: totals ("),
        "{said}"
    );
    assert!(said.contains("the service shop was not healthy within 30 s"), "{said}");
    assert!(said.contains("its program ended: exit code 3"), "{said}");
}

/// Before anything runs, with all values that are too small.
#[test]
fn a_campaign_that_grants_less_does_not_begin() {
    let dir = shop(&[]);
    for command in ["check", "run"] {
        let small = "[sandbox]\nmemory = \"128MiB\"\ndisk = \"1GiB\"\n";
        let ran = run(&dir, command, "timeout = \"10m\"", small).fails(2, "SYN-0204");
        for said in [
            "web/shop states memory 256MiB, but the campaign grants 128MiB with [sandbox] memory",
            "write memory = \"256MiB\" under [sandbox]",
            "web/shop states time 20m, but the campaign grants 10m with [episode] timeout",
        ] {
            assert!(ran.stderr.contains(said), "{said}: {ran:?}");
        }
        assert!(!ran.stderr.contains("states disk"), "{ran:?}");
    }
}
