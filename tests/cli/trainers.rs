//! Exports in the hands of the trainers that they are for: their own code loads the files, applies real
//! chat templates, tokenises and masks. CI installs the trainers with
//! `tests/python/install_trainers.sh` and names the directory in `SYNTHD_TEST_TRAINERS`.

use super::exports::{answers, export};
use super::harness::synthd_in;
use crate::support;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Exports trajectories in the formats `tried` and completions in the formats `answered`, and runs
/// a script on them. A package is taken from the first of the sets that has it.
fn loads(script: &str, sets: &[&str], tried: &[&str], answered: &[&str]) {
    let Some(trainers) = std::env::var_os("SYNTHD_TEST_TRAINERS").map(PathBuf::from) else {
        return support::skip(script, "SYNTHD_TEST_TRAINERS names no directory with trainers");
    };
    let (dir, version) = answers();
    let out = dir.path().join("exports");
    for &format in tried {
        let to = out.join(format!("small.{format}"));
        export(dir.path(), format, &["--out", to.to_str().unwrap()]).succeeds();
    }
    for &format in answered {
        let to = out.join(format!("answers.{format}"));
        let (from, to) = (version.to_str().unwrap(), to.to_str().unwrap());
        let args = ["dataset", "export", from, "--to", format, "--out", to];
        synthd_in(dir.path(), &args).succeeds();
    }
    let packages = std::env::join_paths(sets.iter().map(|set| trainers.join(set))).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python").join(script);
    let mut command = Command::new(trainers.join("python"));
    command.arg(script).arg(&out).current_dir(dir.path()).env("PYTHONPATH", packages);
    // What libraries keep stays in the test's own directory.
    command.env("HF_HOME", dir.path().join("kept")).env("TMPDIR", dir.path());
    let output = command.output().unwrap();
    let told = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{told}");
    assert!(told.contains("rows are trained on as they should be"), "{told}");
}

#[test]
fn trl_trains_on_the_replies() {
    let tried = ["trl-sft", "trl-prompt-completion", "trl-preference", "trl-kto", "reward-model"];
    loads("check_trl.py", &["trl", "base"], &tried, &["trl-sft", "trl-prompt-completion"]);
}

#[test]
fn axolotl_labels_the_replies_of_the_model() {
    loads("check_axolotl.py", &["trl", "base"], &["axolotl"], &["axolotl"]);
}

#[test]
fn llama_factory_labels_the_replies() {
    let format = ["llama-factory"];
    loads("check_llama_factory.py", &["llamafactory", "base"], &format, &format);
}

#[test]
fn verl_masks_all_but_the_replies() {
    let formats = ["verl-sft", "verl-rl"];
    loads("check_verl.py", &["verl", "base"], &formats, &formats);
}

#[test]
fn skyrl_masks_all_but_the_replies() {
    let formats = ["trl-sft", "skyrl"];
    loads("check_skyrl.py", &["verl", "base"], &formats, &formats);
}

#[test]
fn the_renderers_of_prime_rl_mask_all_but_the_replies() {
    let format = ["prime-rl-sft"];
    loads("check_prime_rl.py", &["verl", "base"], &format, &format);
}

/// OpenRLHF gives a column another type under its old name, which `datasets` 4.7 and newer keep from
/// doing where messages have calls. So it has the version of LLaMA-Factory.
#[test]
fn openrlhf_masks_all_but_the_last_reply() {
    let sets = ["openrlhf", "verl", "llamafactory", "base"];
    loads("check_openrlhf.py", &sets, &["reward-model"], &["openrlhf", "openrlhf-rl"]);
}
