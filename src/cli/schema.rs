//! `synthd schema`: prints what a row of a dataset, or a template, consists of. It is made from the
//! definitions that the engine itself uses.

use crate::cli::terminal::output::{print_json, print_line, table};
use crate::dataset::json_schema;
use crate::error::Result;
use clap::{Args, ValueEnum};
use std::process::ExitCode;
use synthd_actors::model::{ColumnType, RowColumn, RowFormat};
use synthd_actors::task::Template;

#[derive(Args)]
#[command(
    after_help = "With --json, the command prints a JSON Schema. Templates always have one. \
docs/columns.md has the meaning of each column.

Examples:
  synthd schema trajectory
  synthd schema completion --json | jq .properties.messages
  synthd schema template > template.schema.json"
)]
pub(super) struct SchemaArgs {
    /// What to describe
    name: SchemaName,
    /// Print one JSON document: the JSON Schema
    #[arg(long)]
    json: bool,
}

/// What has a schema.
#[derive(Clone, Copy, ValueEnum)]
enum SchemaName {
    /// A row of a campaign whose models act in sandboxes
    Trajectory,
    /// A row of a campaign whose models answer prompts
    Completion,
    /// A template of tasks
    Template,
}

/// Prints the schema.
pub(super) fn run(args: &SchemaArgs) -> Result<ExitCode> {
    match (args.name, args.json) {
        (SchemaName::Template, _) => print_json(&schemars::schema_for!(Template))?,
        (SchemaName::Trajectory, json) => show(RowFormat::Trajectory, json)?,
        (SchemaName::Completion, json) => show(RowFormat::Completion, json)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints the columns of a row as a table, or the JSON Schema of a row.
fn show(format: RowFormat, json: bool) -> Result<()> {
    if json {
        return print_json(&json_schema(format));
    }
    print_line(format.schema());
    let mut rows = table(&["column", "type", "null"]);
    for (name, column) in all_columns("", format.columns()) {
        let null = if column.nullable { "yes" } else { "" };
        rows.add_row([name.as_str(), type_name(&column.kind), null]);
    }
    print_line(&rows.to_string());
    Ok(())
}

/// Each column with its path, and after it the columns inside of it. `[]` stands for the items of a
/// list.
fn all_columns<'a>(at: &str, columns: &'a [RowColumn]) -> Vec<(String, &'a RowColumn)> {
    let mut found = Vec::new();
    for column in columns {
        let mut path = format!("{at}{}", column.name);
        found.push((path.clone(), column));
        let mut kind = &column.kind;
        while let ColumnType::List(item) = kind {
            path.push_str("[]");
            kind = item;
        }
        if let ColumnType::Struct(fields) = kind {
            found.extend(all_columns(&format!("{path}."), fields));
        }
    }
    found
}

/// The type of a column in a word.
fn type_name(kind: &ColumnType) -> &'static str {
    match kind {
        ColumnType::Text => "string",
        ColumnType::TextMap => "JSON object",
        ColumnType::Int32 => "int32",
        ColumnType::Int64 => "int64",
        ColumnType::Float => "float64",
        ColumnType::Bool => "bool",
        ColumnType::Money => "decimal",
        ColumnType::List(_) => "list",
        ColumnType::Struct(_) => "struct",
    }
}
