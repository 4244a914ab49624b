//! `docs/columns.md` is made from the definition of the rows and from the labels;
//! `SYNTHD_UPDATE_DOCS=1` writes it.

use super::super::column_tables::columns;
use super::super::markdown::{cell, table};
use std::fs;
use std::path::Path;
use synthd_actors::model::{ColumnType, RowColumn, RowFormat};
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
    let all = added("", RowFormat::Trajectory.columns());
    let newest = all.iter().map(|(edition, _)| *edition).max().unwrap();
    let names = |edition: u8| {
        let own = all.iter().filter(|(of, _)| *of == edition);
        own.map(|(_, name)| name.as_str()).collect::<Vec<_>>()
    };
    let lines = (1..=newest).map(|edition| (edition, names(edition)));
    let lines = lines.filter(|(_, names)| !names.is_empty());
    lines
        .map(|(edition, names)| format!("- before edition {edition}: {}", names.join(", ")))
        .collect::<Vec<_>>()
        .join("\n")
}

/// The columns that later editions added, each with its edition. `of` says what they belong to.
fn added(of: &str, columns: &[RowColumn]) -> Vec<(u8, String)> {
    let later = columns.iter().filter(|column| column.edition > 0);
    let mut found: Vec<_> = later.map(|c| (c.edition, format!("`{}`{of}", c.name))).collect();
    for column in columns {
        let kind = match &column.kind {
            ColumnType::List(item) => item.as_ref(),
            kind => kind,
        };
        if let ColumnType::Struct(inner) = kind {
            found.extend(added(&owner(column.name), inner));
        }
    }
    found
}

/// What the columns inside of a column belong to, in words.
fn owner(column: &str) -> String {
    match column {
        "trajectory" => " of a step".to_owned(),
        "checks" => " of a check".to_owned(),
        other => format!(" of `{other}`"),
    }
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
