//! Reads the arrays of a batch as cells. Each array is found by its name and its type once, and not
//! for each row.

use super::read::ParquetReadError;
use arrow::array::{
    Array, BooleanArray, Decimal128Array, Float64Array, Int32Array, Int64Array, ListArray,
    StringArray, StructArray,
};
use std::borrow::Cow;
use std::ops::Range;
use synthd_actors::model::{CellError, CellValue, ColumnType, Money, RowColumn};

/// The array of a column.
pub(super) enum ArrayReader<'a> {
    /// The file does not have the column.
    Missing,
    Text(&'a StringArray),
    Int32(&'a Int32Array),
    Int64(&'a Int64Array),
    Float(&'a Float64Array),
    Bool(&'a BooleanArray),
    Money(&'a Decimal128Array),
    /// The lists, and the array of all their items.
    List(&'a ListArray, Box<ArrayReader<'a>>),
    /// The structs, and their columns with their names.
    Struct(&'a StructArray, Vec<(&'static str, ArrayReader<'a>)>),
}

impl<'a> ArrayReader<'a> {
    /// The columns of a struct. `check_schema` was called before, so a column that is not there is
    /// one that an older file lacks.
    pub(super) fn of_columns(
        columns: &[RowColumn],
        table: &'a StructArray,
    ) -> Result<Self, ParquetReadError> {
        let column = |column: &RowColumn| {
            let reader = match table.column_by_name(column.name) {
                None => Self::Missing,
                Some(array) => Self::of(column.name, &column.kind, array.as_ref())?,
            };
            Ok((column.name, reader))
        };
        let columns: Result<Vec<_>, ParquetReadError> = columns.iter().map(column).collect();
        Ok(Self::Struct(table, columns?))
    }

    /// The array of the column `name`. Fails if it is not of the type of the column.
    fn of(name: &str, kind: &ColumnType, array: &'a dyn Array) -> Result<Self, ParquetReadError> {
        Ok(match kind {
            ColumnType::Text | ColumnType::TextMap => Self::Text(typed(name, array)?),
            ColumnType::Int32 => Self::Int32(typed(name, array)?),
            ColumnType::Int64 => Self::Int64(typed(name, array)?),
            ColumnType::Float => Self::Float(typed(name, array)?),
            ColumnType::Bool => Self::Bool(typed(name, array)?),
            ColumnType::Money => Self::Money(typed(name, array)?),
            ColumnType::List(item) => {
                let lists: &ListArray = typed(name, array)?;
                let items = Self::of(name, item, lists.values().as_ref())?;
                Self::List(lists, Box::new(items))
            }
            ColumnType::Struct(columns) => Self::of_columns(columns, typed(name, array)?)?,
        })
    }

    /// The value at a position. Fails if it is no value of the column, such as a negative amount.
    pub(super) fn cell(&self, at: usize) -> Result<CellValue<'a>, CellError> {
        if self.is_null(at) {
            return Ok(CellValue::Null);
        }
        Ok(match self {
            Self::Missing => CellValue::Missing,
            Self::Text(array) => CellValue::Text(Cow::Borrowed(array.value(at))),
            Self::Int32(array) => CellValue::Int32(array.value(at)),
            Self::Int64(array) => CellValue::Int64(array.value(at)),
            Self::Float(array) => CellValue::Float(array.value(at)),
            Self::Bool(array) => CellValue::Bool(array.value(at)),
            Self::Money(array) => CellValue::Money(money(array.value(at))?),
            Self::List(lists, items) => {
                let cells: Result<_, _> = range(lists, at).map(|item| items.cell(item)).collect();
                CellValue::List(cells?)
            }
            Self::Struct(_, columns) => {
                let cell = |(name, column): &(&str, Self)| {
                    column.cell(at).map_err(|error| error.within(name))
                };
                CellValue::Struct(columns.iter().map(cell).collect::<Result<_, _>>()?)
            }
        })
    }

    /// Whether the value at a position is null.
    fn is_null(&self, at: usize) -> bool {
        match self {
            Self::Missing => false,
            Self::Text(array) => array.is_null(at),
            Self::Int32(array) => array.is_null(at),
            Self::Int64(array) => array.is_null(at),
            Self::Float(array) => array.is_null(at),
            Self::Bool(array) => array.is_null(at),
            Self::Money(array) => array.is_null(at),
            Self::List(lists, _) => lists.is_null(at),
            Self::Struct(table, _) => table.is_null(at),
        }
    }
}

/// An array as one of this type. Fails if it is another one.
fn typed<'a, T: 'static>(name: &str, array: &'a dyn Array) -> Result<&'a T, ParquetReadError> {
    array.as_any().downcast_ref().ok_or_else(|| ParquetReadError::Column(name.to_owned()))
}

/// An amount of money. Fails if it is negative or too large.
fn money(nanos: i128) -> Result<Money, CellError> {
    let nanos = u64::try_from(nanos).map_err(|_| CellError::new("not an amount of money"))?;
    Ok(Money::from_nanos(nanos))
}

/// The positions of the items of a list in the array of all items.
fn range(lists: &ListArray, at: usize) -> Range<usize> {
    let offset = |at: usize| usize::try_from(lists.value_offsets()[at]).unwrap_or(0);
    offset(at)..offset(at + 1)
}
