//! A dataset of the real binary in the hands of other people's readers. CI makes a Python
//! with `tests/python/requirements.txt` and names it in `SYNTHD_TEST_PYTHON`.

use super::campaign::shared;
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
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/check_dataset.py");
    let output =
        Command::new(python).arg(script).arg(shared().dataset()).arg(row).output().unwrap();
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{text}");
    assert!(text.contains("all agree"), "{text}");
}
