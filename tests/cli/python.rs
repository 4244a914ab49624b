//! A dataset of the real binary in the hands of other people's readers. CI makes a Python
//! with `tests/python/requirements.txt` and names it in `SYNTHD_TEST_PYTHON`; older majors of
//! `datasets` lie in directories of their own, which `SYNTHD_TEST_DATASETS` lists.

use super::campaign::{run_again, shared, text};
use super::harness::synthd;
use crate::support;
use std::path::Path;
use std::process::Command;

#[test]
fn datasets_pandas_polars_and_duckdb_read_what_was_written() {
    let Some(python) = std::env::var_os("SYNTHD_TEST_PYTHON") else {
        return support::skip("other readers", "SYNTHD_TEST_PYTHON names no Python");
    };
    let dir = tempfile::tempdir().unwrap();
    let id = shared().id_of("oracle", "tests/greeting");
    let shown = shared().synthd(&["episode", "show", &id, "--json"]).succeeds();
    let row = dir.path().join("row.json");
    std::fs::write(&row, shown.stdout).unwrap();
    let schema = dir.path().join("schema.json");
    std::fs::write(&schema, synthd(&["schema", "trajectory", "--json"]).succeeds().stdout).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/check_dataset.py");
    let mut command = Command::new(python);
    let output = command.arg(script).arg(shared().dataset()).arg(row).arg(schema).output().unwrap();
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{text}");
    assert!(text.contains("all agree"), "{text}");
}

/// `datasets` keeps what it loaded under the name of the directory, which is `v1` for every
/// campaign, and takes all files below a directory for one dataset.
#[test]
fn datasets_never_mixes_campaigns_or_versions() {
    let Some(python) = std::env::var_os("SYNTHD_TEST_PYTHON") else {
        return support::skip("majors of datasets", "SYNTHD_TEST_PYTHON names no Python");
    };
    let dir = tempfile::tempdir().unwrap();
    let run = |name: &str, model: &str, count: &str| {
        let text = text(name, &[model], "tests/greeting");
        let text = text.replace("per_template = 1", &format!("per_template = {count}"));
        std::fs::write(dir.path().join("campaign.toml"), text).unwrap();
        run_again(dir.path(), &[]).succeeds();
    };
    run("one", "oracle", "1");
    run("two", "give-up", "1");
    run("two", "give-up", "2");
    let datasets = dir.path().join("data/datasets");
    let older = std::env::var_os("SYNTHD_TEST_DATASETS").unwrap_or_default();
    let older = std::env::split_paths(&older).map(Some);
    for library in older.chain([None]) {
        let mut command = Command::new(&python);
        if let Some(library) = &library {
            command.env("PYTHONPATH", library);
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/check_mixing.py");
        let output = command.arg(script).arg(&datasets).args(["one", "two"]).output().unwrap();
        let told = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(output.status.success(), "{library:?}: {told}");
        assert!(told.contains("nothing is mixed"), "{told}");
    }
}
