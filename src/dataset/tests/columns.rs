//! `docs/columns.md` is made from the schema and the labels; `SYNTHD_UPDATE_DOCS=1` writes it.

use super::super::card::columns;
use super::super::markdown::{cell, table};
use std::fs;
use std::path::Path;
use synthd_actors::quality::LABELS;

const HEAD: &str = "\
# Columns and labels

A row of a dataset is one trajectory: one task tried by one model with one scaffold. This page is
made from the definition of the row, `synthd.trajectory/2`, and a test compares them. `synthd dataset
verify` and `stats` read versions of `synthd.trajectory/1` too: they lack `template_digest`,
`sampling`, `prompt_digest`, `sample`, `pass_rate` and `model_ms`, and their `error` tells exit codes
as well. Early versions of `synthd.trajectory/2` lack `template_digest` alone.
A version keeps its format for ever; rows that an older synthd stored are carried over into the
next version that is written.";

const STEPS: &str = "\
A reply with several tool calls is one step: its `tool` is `parallel`, its `arguments` list the
calls in the order they ran (`{\"calls\": [{\"tool\": ..., \"arguments\": {...}}]}`), its
`observation` holds what each of them showed, and `exit_code` is of the last command that ran.";

const LABELS_HEAD: &str = "\
## Labels

A label removes nothing. Those that name a stage are there only where the campaign's `[quality]`
says `label` for it.";

fn page() -> String {
    let labels = LABELS.iter().map(|(label, about)| vec![format!("`{label}`"), cell(about)]);
    let labels = table(&["label", "meaning"], labels);
    format!("{HEAD}\n\n{}\n\n{STEPS}\n\n{LABELS_HEAD}\n\n{labels}\n", columns())
}

#[test]
fn the_page_of_columns_is_the_definition() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/columns.md");
    if std::env::var_os("SYNTHD_UPDATE_DOCS").is_some() {
        fs::write(&path, page()).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page(), "run this test with SYNTHD_UPDATE_DOCS=1 to write {path:?}");
}
