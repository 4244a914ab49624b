//! Converts the cells of rows to Arrow, column by column. The values of a nested column are
//! flattened into one array each, and the lists around them are described by their lengths. `read`
//! converts in the other direction.

use super::schema::{
    MONEY_PRECISION, MONEY_SCALE, TableShape, element, present_fields, present_type, table_schema,
};
use arrow::array::{
    ArrayRef, BooleanArray, Decimal128Array, Float64Array, Int32Array, Int64Array, ListArray,
    RecordBatch, StringArray, StructArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::error::ArrowError;
use std::sync::Arc;
use synthd_actors::model::{CellValue, ColumnType, RowColumn};

/// A column, or why its values do not fit the schema.
type ArrayResult = Result<ArrayRef, ArrowError>;

/// Stands for each value inside of a struct that is null.
const NULL: &CellValue<'static> = &CellValue::Null;

/// One batch of rows, each as the cells of its columns. The caller must limit the amount of text
/// (see [`text_bytes`]), because Arrow counts offsets with 32 bits. Fails if a value is not of the
/// type of its column.
pub(super) fn to_batch(
    shape: TableShape,
    rows: &[CellValue<'_>],
) -> Result<RecordBatch, ArrowError> {
    let rows: Vec<&CellValue<'_>> = rows.iter().collect();
    RecordBatch::try_new(table_schema(shape), arrays(shape.columns, &rows)?)
}

/// How many bytes of text a row adds to one column at most: the texts of all columns together. Each
/// item of a list counts some bytes more.
pub(super) fn text_bytes(cell: &CellValue<'_>) -> usize {
    match cell {
        CellValue::Text(text) => text.len(),
        CellValue::List(items) => items.iter().map(|item| text_bytes(item) + 8).sum(),
        CellValue::Struct(cells) => cells.iter().map(text_bytes).sum(),
        _ => 0,
    }
}

/// One array for each column of the structs.
fn arrays(columns: &[RowColumn], structs: &[&CellValue<'_>]) -> Result<Vec<ArrayRef>, ArrowError> {
    let each = columns.iter().enumerate();
    each.map(|(at, column)| {
        let cells: Result<Vec<_>, _> = structs.iter().map(|row| inner(row, at)).collect();
        array(&column.kind, &cells?)
            .map_err(|error| ArrowError::SchemaError(format!("column {}: {error}", column.name)))
    })
    .collect()
}

/// The cell at a position of a struct.
fn inner<'c, 'v>(row: &'c CellValue<'v>, at: usize) -> Result<&'c CellValue<'v>, ArrowError> {
    match row {
        CellValue::Null => Ok(NULL),
        CellValue::Struct(cells) => cells.get(at).ok_or_else(unfit),
        _ => Err(unfit()),
    }
}

/// The error for a value that is not of the type of its column. The columns and the values come from
/// one definition, so it is not expected.
fn unfit() -> ArrowError {
    ArrowError::SchemaError("a value is not of the type of its column".to_owned())
}

/// The array of one column.
fn array(kind: &ColumnType, cells: &[&CellValue<'_>]) -> ArrayResult {
    match kind {
        ColumnType::Text | ColumnType::TextMap => Ok(Arc::new(texts(cells)?)),
        ColumnType::Int32 => Ok(Arc::new(Int32Array::from(values(cells, |cell| match cell {
            CellValue::Int32(value) => Some(*value),
            _ => None,
        })?))),
        ColumnType::Int64 => Ok(Arc::new(Int64Array::from(values(cells, |cell| match cell {
            CellValue::Int64(value) => Some(*value),
            _ => None,
        })?))),
        ColumnType::Float => Ok(Arc::new(Float64Array::from(values(cells, |cell| match cell {
            CellValue::Float(value) => Some(*value),
            _ => None,
        })?))),
        ColumnType::Bool => Ok(Arc::new(BooleanArray::from(values(cells, |cell| match cell {
            CellValue::Bool(value) => Some(*value),
            _ => None,
        })?))),
        ColumnType::Money => moneys(cells),
        ColumnType::List(item) => lists(item, cells),
        ColumnType::Struct(columns) => structs(columns, cells),
    }
}

/// The values of a column without inner columns. `read` returns None for a value of another type.
fn values<'c, 'v, T>(
    cells: &[&'c CellValue<'v>],
    read: impl Fn(&'c CellValue<'v>) -> Option<T>,
) -> Result<Vec<Option<T>>, ArrowError> {
    let value = |cell: &&'c CellValue<'v>| match *cell {
        CellValue::Null => Ok(None),
        cell => read(cell).map(Some).ok_or_else(unfit),
    };
    cells.iter().map(value).collect()
}

/// A text column.
fn texts(cells: &[&CellValue<'_>]) -> Result<StringArray, ArrowError> {
    let texts = values(cells, |cell| match cell {
        CellValue::Text(text) => Some(text.as_ref()),
        _ => None,
    })?;
    Ok(StringArray::from(texts))
}

/// A money column: nano-dollars as a decimal with nine digits after the point.
fn moneys(cells: &[&CellValue<'_>]) -> ArrayResult {
    // Every amount of nano-dollars has 20 digits at most, so it fits into the 38 digits of the
    // type.
    let nanos = values(cells, |cell| match cell {
        CellValue::Money(amount) => Some(i128::from(amount.nanos())),
        _ => None,
    })?;
    let array = Decimal128Array::from(nanos);
    Ok(Arc::new(array.with_precision_and_scale(MONEY_PRECISION, MONEY_SCALE)?))
}

/// A list column, from the lengths of the lists and from all their items in one array.
fn lists(item: &ColumnType, cells: &[&CellValue<'_>]) -> ArrayResult {
    let lists = values(cells, |cell| match cell {
        CellValue::List(items) => Some(items.as_slice()),
        _ => None,
    })?;
    let lengths = lists.iter().map(|list| list.map_or(0, <[CellValue<'_>]>::len));
    let offsets = OffsetBuffer::from_lengths(lengths);
    let items: Vec<&CellValue<'_>> = lists.iter().flatten().copied().flatten().collect();
    let items = array(item, &items)?;
    let nulls = nulls_of(cells);
    Ok(Arc::new(ListArray::try_new(element(present_type(item)), offsets, items, nulls)?))
}

/// A struct column from the columns of its fields.
fn structs(columns: &[RowColumn], cells: &[&CellValue<'_>]) -> ArrayResult {
    let arrays = arrays(columns, cells)?;
    Ok(Arc::new(StructArray::try_new(present_fields(columns), arrays, nulls_of(cells))?))
}

/// Which values are null. None if all are there.
fn nulls_of(cells: &[&CellValue<'_>]) -> Option<NullBuffer> {
    let there = NullBuffer::from_iter(cells.iter().map(|cell| !matches!(cell, CellValue::Null)));
    (there.null_count() > 0).then_some(there)
}
