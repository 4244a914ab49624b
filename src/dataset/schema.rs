//! The Arrow schema of each row format. It is made from the columns of the row, which
//! `actors/model/` defines.
//!
//! Only plain types are used, so that every reader sees the same table: no dictionaries, no large
//! strings, no extension types. Money is `decimal128(38, 9)`: its nine decimals are exactly the
//! nano-dollars of the ledger. Values without a fixed shape (`arguments`, `enforced`) are JSON
//! text. The item of each list has the name `element`, as the Parquet specification says. A column
//! is nullable only if its value may really be absent.

use super::first_format::first_schema;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use std::sync::Arc;
use synthd_actors::model::{ColumnType, RowColumn, RowFormat};

/// Decimal digits of a money column.
pub(super) const MONEY_PRECISION: u8 = 38;
/// How many of the digits follow the point.
pub(super) const MONEY_SCALE: i8 = 9;

/// Columns of trajectories that were not nullable in files of edition 0.
const COUNTS: [&str; 3] = ["total_tokens", "input_tokens", "output_tokens"];

/// The columns of a table, and the name of its format.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TableShape {
    pub(crate) columns: &'static [RowColumn],
    /// The name and the version of the format, such as `synthd.trajectory/2`. Each file has it.
    pub(crate) schema: &'static str,
}

impl TableShape {
    /// The table of rows of a dataset.
    pub(super) fn of(format: RowFormat) -> Self {
        Self { columns: format.columns(), schema: format.schema() }
    }
}

/// The schema of a table that is written now.
pub(super) fn table_schema(shape: TableShape) -> SchemaRef {
    Arc::new(Schema::new(present_fields(shape.columns)))
}

/// The schema of rows that are written now.
pub fn row_schema(format: RowFormat) -> SchemaRef {
    Arc::new(edition_schema(format, u8::MAX))
}

/// The schemas of older files that are still read: the earlier editions of the format, newest first,
/// and for trajectories the first format.
pub(super) fn earlier_schemas(format: RowFormat) -> Vec<Schema> {
    let editions = (0..newest_edition(format.columns())).rev();
    let earlier = editions.map(|edition| edition_schema(format, edition));
    match format {
        RowFormat::Trajectory => earlier.chain([first_schema()]).collect(),
        RowFormat::Completion => earlier.collect(),
    }
}

/// The columns that files of this edition have.
fn edition_schema(format: RowFormat, edition: u8) -> Schema {
    let fields = fields(format.columns(), edition);
    match (format, edition) {
        (RowFormat::Trajectory, 0) => Schema::new(fields.iter().map(counted).collect::<Fields>()),
        _ => Schema::new(fields),
    }
}

/// The newest edition in which one of the columns, or a column inside of them, was added.
fn newest_edition(columns: &[RowColumn]) -> u8 {
    let newest = |column: &RowColumn| column.edition.max(inner_edition(&column.kind));
    columns.iter().map(newest).max().unwrap_or(0)
}

fn inner_edition(kind: &ColumnType) -> u8 {
    match kind {
        ColumnType::List(item) => inner_edition(item),
        ColumnType::Struct(columns) => newest_edition(columns),
        _ => 0,
    }
}

/// The fields of the columns that an edition has.
fn fields(columns: &[RowColumn], edition: u8) -> Fields {
    let there = columns.iter().filter(|column| column.edition <= edition);
    there
        .map(|column| Field::new(column.name, data_type(&column.kind, edition), column.nullable))
        .collect()
}

/// The Arrow type of a column.
fn data_type(kind: &ColumnType, edition: u8) -> DataType {
    match kind {
        ColumnType::Text | ColumnType::TextMap => DataType::Utf8,
        ColumnType::Int32 => DataType::Int32,
        ColumnType::Int64 => DataType::Int64,
        ColumnType::Float => DataType::Float64,
        ColumnType::Bool => DataType::Boolean,
        ColumnType::Money => money_type(),
        ColumnType::List(item) => DataType::List(element(data_type(item, edition))),
        ColumnType::Struct(columns) => DataType::Struct(fields(columns, edition)),
    }
}

/// The type of a present column.
pub(super) fn present_type(kind: &ColumnType) -> DataType {
    data_type(kind, u8::MAX)
}

/// The fields of the present columns of a struct.
pub(super) fn present_fields(columns: &[RowColumn]) -> Fields {
    fields(columns, u8::MAX)
}

/// The item of a list. It is never null.
pub(super) fn element(item: DataType) -> FieldRef {
    Arc::new(Field::new("element", item, false))
}

/// The type of a money column.
pub(super) fn money_type() -> DataType {
    DataType::Decimal128(MONEY_PRECISION, MONEY_SCALE)
}

/// A field with the nullability that it had in edition 0: every count is a number. The same is done
/// with its inner fields.
fn counted(field: &FieldRef) -> FieldRef {
    let kind = match field.data_type() {
        DataType::List(item) => DataType::List(counted(item)),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(counted).collect()),
        other => other.clone(),
    };
    let nullable = field.is_nullable() && !COUNTS.contains(&field.name().as_str());
    Arc::new(Field::new(field.name(), kind, nullable))
}

/// The Parquet paths of columns whose texts hardly ever repeat, such as
/// `trajectory.list.element.observation`. They have no dictionary.
pub(super) fn long_texts(shape: TableShape) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    add_long_texts(shape.columns, &[], &mut found);
    found
}

/// Adds the paths of the columns of a struct at the path `at`.
fn add_long_texts(columns: &[RowColumn], at: &[&str], found: &mut Vec<Vec<String>>) {
    for column in columns {
        let mut path = [at, &[column.name]].concat();
        let mut kind = &column.kind;
        while let ColumnType::List(item) = kind {
            path.extend(["list", "element"]);
            kind = item;
        }
        match kind {
            ColumnType::Struct(inner) => add_long_texts(inner, &path, found),
            _ if column.long_text => found.push(path.into_iter().map(str::to_owned).collect()),
            _ => {}
        }
    }
}
