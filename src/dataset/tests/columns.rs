//! `docs/columns.md` is made from the definition of the rows and from the labels;
//! `SYNTHD_UPDATE_DOCS=1` writes it.

use super::super::column_tables::columns;
use super::super::markdown::{cell, table};
use std::fs;
use std::path::Path;
use synthd_actors::model::RowFormat;
use synthd_actors::quality::LABELS;
use synthd_actors::work::completion::COMPLETION_LABELS;

const HEAD: &str = "\
# Columns and labels

This page is made from the definition of the rows, and a test compares them. `synthd schema` prints
the same as a table or as a JSON Schema. A version keeps its format for ever; rows that an older
synthd stored are carried over into the next version that is written.";

const TRAJECTORIES: &str = "\
## Trajectories: `synthd.trajectory/2`

A row is one trajectory: one task tried by one model with one scaffold. `synthd dataset verify` and
`stats` also read versions of `synthd.trajectory/1`: they lack `template_digest`, `sampling`,
`prompt_digest`, `sample`, `pass_rate` and `model_ms`, and their `error` tells exit codes as well.
Earlier editions of `synthd.trajectory/2` are read too. They lack these columns, which read as null:";

const STEPS: &str = "\
A reply with several tool calls is one step. Its `actions` have each call with its own observation.
Its `action` stands for all of them: its `tool` is `parallel`, its `arguments` list the calls in the
order they ran (`{\"calls\": [{\"tool\": ..., \"arguments\": {...}}]}`), its
`observation` holds what each of them showed, and `exit_code` is of the last command that ran.";

const COMPLETIONS: &str = "\
## Completions: `synthd.completion/1`

A row is one completion: what one model answered to one prompt of a file.";

const LABELS_HEAD: &str = "\
## Labels

A label removes nothing. Those that name a stage are there only where the campaign's `[quality]`
says `label` for it.";

/// The columns that an edition of the format of trajectories added, as lines of a list.
fn editions() -> String {
    let all = RowFormat::Trajectory.columns();
    let step = all.iter().find(|column| column.name == "trajectory").unwrap();
    let synthd_actors::model::ColumnType::List(item) = &step.kind else { panic!("{step:?}") };
    let synthd_actors::model::ColumnType::Struct(fields) = item.as_ref() else {
        panic!("{item:?}")
    };
    let added = |edition: u8| {
        let top = all.iter().filter(|c| c.edition == edition).map(|c| format!("`{}`", c.name));
        let inner = fields.iter().filter(|c| c.edition == edition);
        top.chain(inner.map(|c| format!("`{}` of a step", c.name))).collect::<Vec<_>>()
    };
    let newest = all.iter().map(|column| column.edition).max().unwrap();
    let lines = (1..=newest).map(|edition| (edition, added(edition)));
    let lines = lines.filter(|(_, names)| !names.is_empty());
    lines
        .map(|(edition, names)| format!("- before edition {edition}: {}", names.join(", ")))
        .collect::<Vec<_>>()
        .join("\n")
}

/// The tables of a format, as a part of the page.
fn tables(format: RowFormat) -> String {
    columns(format).replacen("## Columns\n\n", "", 1)
}

/// The rows of a table of labels.
fn labels(all: &'static [(&str, &str)]) -> impl Iterator<Item = Vec<String>> {
    all.iter().map(|(label, about)| vec![format!("`{label}`"), cell(about)])
}

fn page() -> String {
    let parts = [
        HEAD.to_owned(),
        TRAJECTORIES.to_owned(),
        editions(),
        tables(RowFormat::Trajectory),
        STEPS.to_owned(),
        COMPLETIONS.to_owned(),
        tables(RowFormat::Completion),
        LABELS_HEAD.to_owned(),
        "Trajectories:".to_owned(),
        table(&["label", "meaning"], labels(&LABELS)),
        "Completions:".to_owned(),
        table(&["label", "meaning"], labels(&COMPLETION_LABELS)),
    ];
    parts.join("\n\n") + "\n"
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
