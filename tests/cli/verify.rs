//! `synthd episode verify`: a kept workspace is judged again.

use super::campaign::{copy, shared, templates};
use super::harness::{Ran, synthd_in};
use std::path::Path;

fn verify(dir: &Path, own: &Path, id: &str) -> Ran {
    let data = shared().data();
    let args = ["episode", "verify", id, "--json", "--templates", own.to_str().unwrap()];
    synthd_in(dir, &[&args[..], &["--data-dir", data.to_str().unwrap()]].concat())
}

#[test]
fn a_solved_episode_is_judged_again() {
    let id = shared().id_of("oracle", "tests/greeting");
    let document = verify(&shared().dir, &templates(), &id).succeeds().document();
    assert_eq!(document["same"], true, "{document:#}");
    assert_eq!(document["task_changed"], false, "{document:#}");
    assert_eq!(document["found"]["checks"].as_array().unwrap().len(), 2, "{document:#}");
    let own = templates();
    let text = shared().synthd(&["episode", "verify", &id, "--templates", own.to_str().unwrap()]);
    let text = text.succeeds().stdout;
    assert!(text.contains("recorded  resolved, score 1.000"), "{text}");
    assert!(text.contains("today     resolved, score 1.000"), "{text}");
}

/// The checks are those of today, and the difference is an error.
#[test]
fn checks_that_have_changed_judge_anew() {
    let dir = tempfile::tempdir().unwrap();
    let own = dir.path().join("own");
    copy(&templates(), &own);
    let edited = own.join("tests/sum.yaml");
    let text = std::fs::read_to_string(&edited).unwrap();
    let stricter = text.replace("run: cmp sum.txt /sealed/sum", "run: echo never; exit 3");
    assert_ne!(stricter, text);
    std::fs::write(&edited, stricter).unwrap();
    let id = shared().id_of("oracle", "tests/sum");
    let ran = verify(dir.path(), &own, &id).fails(1, "SYN-0602");
    let document = ran.document();
    assert_eq!(document["same"], false, "{document:#}");
    assert_eq!(document["task_changed"], true, "{document:#}");
    assert_eq!(document["recorded"]["passed"], true);
    assert_eq!(document["found"]["checks"][0]["output"], "never\n");
}

/// Unless the campaign asks for more, only the workspaces of solved episodes are kept.
#[test]
fn a_workspace_that_is_not_kept_is_told() {
    let id = shared().id_of("refuse", "tests/sum");
    let ran = verify(&shared().dir, &templates(), &id);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("is not kept"), "{ran:?}");
}
