//! The tables of columns on a card and in `docs/columns.md`. They are made from the definition of the
//! row, so they never say anything else than the files.

use super::markdown::{cell, table};
use synthd_actors::model::{ColumnType, RowColumn, RowFormat};

/// The section on the columns of a row, and of each struct inside of it.
pub(super) fn columns(format: RowFormat) -> String {
    let first = column_table("column", format.columns());
    let inner = inner_tables("", format.columns());
    format!("## Columns\n\n{}", [vec![first], inner].concat().join("\n\n"))
}

/// A table of these columns.
fn column_table(title: &str, columns: &[RowColumn]) -> String {
    let rows = columns.iter().map(|column| {
        let null = if column.nullable { ", nullable" } else { "" };
        let kind = format!("{}{null}", kind(&column.kind));
        vec![format!("`{}`", column.name), kind, cell(column.doc)]
    });
    table(&[title, "type", "meaning"], rows)
}

/// The tables of the structs inside of these columns. `at` is the path before their names.
fn inner_tables(at: &str, columns: &[RowColumn]) -> Vec<String> {
    let mut tables = Vec::new();
    for column in columns {
        let path = format!("{at}{}", column.name);
        let (kind, what) = match &column.kind {
            ColumnType::List(item) => (item.as_ref(), "Each item of"),
            kind => (kind, "The fields of"),
        };
        if let ColumnType::Struct(fields) = kind {
            tables.push(format!("{what} `{path}`:\n\n{}", column_table("field", fields)));
            tables.extend(inner_tables(&format!("{path}."), fields));
        }
    }
    tables
}

/// The type of a column in the words of the card.
fn kind(kind: &ColumnType) -> String {
    let name = match kind {
        ColumnType::Text | ColumnType::TextMap => "string",
        ColumnType::Int32 => "int32",
        ColumnType::Int64 => "int64",
        ColumnType::Float => "float64",
        ColumnType::Bool => "bool",
        ColumnType::Money => "decimal(38, 9)",
        ColumnType::List(item) => return format!("list of {}", items(item)),
        ColumnType::Struct(columns) => return record(columns),
    };
    name.to_owned()
}

/// The items of a list in the words of the card.
fn items(item: &ColumnType) -> String {
    match item {
        ColumnType::Struct(_) => "structs".to_owned(),
        item => kind(item),
    }
}

/// A struct in the words of the card, with the names of its fields.
fn record(columns: &[RowColumn]) -> String {
    let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
    format!("struct<{}>", names.join(", "))
}
