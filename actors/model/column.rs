//! Columns of dataset rows. A row is a struct that is written once, with `row_columns!`: the doc
//! comment, the name and the type of each field. The columns of the row come from it, and with them
//! the Arrow schema, the writer, the reader, the card, the JSON Schema and `docs/columns.md`.
//!
//! ```text
//! row ──to_cell──► CellValue ──► Arrow array ──► Parquet
//! row ◄─from_cell─ CellValue ◄── Arrow array ◄── Parquet
//! ```

use super::Money;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// One column of a row, or one field of a nested struct.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowColumn {
    pub name: &'static str,
    /// What the column means: the doc comment of the field.
    pub doc: &'static str,
    pub kind: ColumnType,
    /// Whether the value may be absent. Absent is not zero.
    pub nullable: bool,
    /// Whether the texts of the column hardly ever repeat as a whole. A dictionary of them would
    /// cost time and space and save nothing.
    pub long_text: bool,
    /// The edition of the row format that added the column. Files of earlier editions lack it.
    pub edition: u8,
}

/// The type of a column. All types are plain, so that every reader sees the same table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnType {
    Text,
    /// A map from text to text. In Parquet it is a JSON object as text.
    TextMap,
    Int32,
    Int64,
    Float,
    Bool,
    /// Exact dollars with nine decimals.
    Money,
    /// The items are never null.
    List(Box<ColumnType>),
    Struct(Vec<RowColumn>),
}

/// A value of a column on its way into a file or out of one.
#[derive(Clone, Debug, PartialEq)]
pub enum CellValue<'a> {
    /// The value is absent.
    Null,
    /// The file does not have the column at all.
    Missing,
    Text(Cow<'a, str>),
    Int32(i32),
    Int64(i64),
    Float(f64),
    Bool(bool),
    Money(Money),
    List(Vec<CellValue<'a>>),
    /// One value for each column of the struct, in the order of the definition.
    Struct(Vec<CellValue<'a>>),
}

/// Why a value of a file is no value of its column.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {message}")]
pub struct CellError {
    /// The path of the column, such as `trajectory.cost_usd`. Empty for a value alone.
    pub column: String,
    pub message: String,
}

impl CellError {
    /// An error of a value whose column is not known yet.
    pub fn new(message: impl Into<String>) -> Self {
        Self { column: String::new(), message: message.into() }
    }

    /// The same error, inside of the column `name`.
    pub fn within(self, name: &str) -> Self {
        let inner =
            if self.column.is_empty() { String::new() } else { format!(".{}", self.column) };
        Self { column: format!("{name}{inner}"), message: self.message }
    }
}

/// A type of Rust whose values are values of a column.
pub trait ColumnValue: Sized {
    /// Whether the value may be absent.
    const NULLABLE: bool = false;

    /// The type of a column of such values.
    fn column_type() -> ColumnType;

    /// The value for a file.
    fn to_cell(&self) -> CellValue<'_>;

    /// The value from a file. Fails if the cell is of another type.
    fn from_cell(cell: CellValue<'_>) -> Result<Self, CellError>;
}

/// Implements [`ColumnValue`] for types that are copied, each with the variant of its name.
macro_rules! copied_values {
    ($($type:ty => $variant:ident),+) => {
        $(impl ColumnValue for $type {
            fn column_type() -> ColumnType {
                ColumnType::$variant
            }

            fn to_cell(&self) -> CellValue<'_> {
                CellValue::$variant(*self)
            }

            fn from_cell(cell: CellValue<'_>) -> Result<Self, CellError> {
                match cell {
                    CellValue::$variant(value) => Ok(value),
                    other => Err(unfit(stringify!($variant), &other)),
                }
            }
        })+
    };
}

copied_values!(i32 => Int32, i64 => Int64, f64 => Float, bool => Bool, Money => Money);

/// The error for a cell that is not of the wanted type.
fn unfit(wanted: &str, found: &CellValue<'_>) -> CellError {
    let found = match found {
        CellValue::Null => "null",
        CellValue::Missing => "not there",
        _ => "of another type",
    };
    CellError::new(format!("a value of the type {wanted} is {found}"))
}

impl ColumnValue for String {
    fn column_type() -> ColumnType {
        ColumnType::Text
    }

    fn to_cell(&self) -> CellValue<'_> {
        CellValue::Text(Cow::Borrowed(self))
    }

    fn from_cell(cell: CellValue<'_>) -> Result<Self, CellError> {
        match cell {
            CellValue::Text(text) => Ok(text.into_owned()),
            other => Err(unfit("Text", &other)),
        }
    }
}

impl ColumnValue for BTreeMap<String, String> {
    fn column_type() -> ColumnType {
        ColumnType::TextMap
    }

    fn to_cell(&self) -> CellValue<'_> {
        // A map of texts always has a JSON text.
        CellValue::Text(Cow::Owned(serde_json::to_string(self).unwrap_or_default()))
    }

    fn from_cell(cell: CellValue<'_>) -> Result<Self, CellError> {
        let text = String::from_cell(cell)?;
        serde_json::from_str(&text).map_err(|error| CellError::new(error.to_string()))
    }
}

impl<T: ColumnValue> ColumnValue for Option<T> {
    const NULLABLE: bool = true;

    fn column_type() -> ColumnType {
        T::column_type()
    }

    fn to_cell(&self) -> CellValue<'_> {
        self.as_ref().map_or(CellValue::Null, T::to_cell)
    }

    fn from_cell(cell: CellValue<'_>) -> Result<Self, CellError> {
        match cell {
            CellValue::Null | CellValue::Missing => Ok(None),
            other => T::from_cell(other).map(Some),
        }
    }
}

impl<T: ColumnValue> ColumnValue for Vec<T> {
    fn column_type() -> ColumnType {
        ColumnType::List(Box::new(T::column_type()))
    }

    fn to_cell(&self) -> CellValue<'_> {
        CellValue::List(self.iter().map(T::to_cell).collect())
    }

    fn from_cell(cell: CellValue<'_>) -> Result<Self, CellError> {
        match cell {
            CellValue::List(items) => items.into_iter().map(T::from_cell).collect(),
            other => Err(unfit("List", &other)),
        }
    }
}

/// The cells of a struct. Fails if the cell is no struct of `count` columns.
pub(super) fn struct_cells(
    cell: CellValue<'_>,
    count: usize,
) -> Result<std::vec::IntoIter<CellValue<'_>>, CellError> {
    match cell {
        CellValue::Struct(cells) if cells.len() == count => Ok(cells.into_iter()),
        other => Err(unfit("Struct", &other)),
    }
}

/// The value of the column `name` of a struct. `missing` gives the value for a file that does not
/// have the column.
pub(super) fn column_value<T: ColumnValue>(
    name: &str,
    cell: Option<CellValue<'_>>,
    missing: Option<fn() -> T>,
) -> Result<T, CellError> {
    match (cell.unwrap_or(CellValue::Missing), missing) {
        (CellValue::Missing, Some(value)) => Ok(value()),
        (cell, _) => T::from_cell(cell).map_err(|error| error.within(name)),
    }
}

/// Defines a struct of a row: its serde traits and its columns. Attributes of a field, in this
/// order, all optional:
///
/// * `#[named("type")]`: the name of the column, if Rust does not allow it.
/// * `#[missing(default)]`: rows of older formats do not have the field; it is its default then.
/// * `#[since(2)]`: the edition of the format that added the column. The field is an `Option`, and
///   JSON leaves it out while it is none, so that the digests of older versions stay the same.
/// * `#[long_text(true)]`: see [`RowColumn::long_text`].
macro_rules! row_columns {
    (
        $(#[doc = $about:literal])+
        #[derive($($derive:ident),+ $(,)?)]
        pub struct $name:ident {
            $(
                $(#[doc = $doc:literal])+
                $(#[named($key:literal)])?
                $(#[missing($missing:ident)])?
                $(#[since($edition:literal)])?
                $(#[long_text($long:literal)])?
                pub $field:ident: $type:ty,
            )+
        }
    ) => {
        $(#[doc = $about])+
        #[derive($($derive),+)]
        pub struct $name {
            $(
                $(#[doc = $doc])+
                $(#[serde(rename = $key)])?
                $(#[serde($missing)])?
                $(
                    #[doc = concat!("\n\nSince edition ", $edition, " of the format.")]
                    #[serde(default, skip_serializing_if = "Option::is_none")]
                )?
                pub $field: $type,
            )+
        }

        impl $name {
            /// The columns of the row, in the order of the fields.
            pub fn columns() -> Vec<$crate::model::RowColumn> {
                use $crate::model::ColumnValue;
                vec![$($crate::model::RowColumn {
                    name: [$($key,)? stringify!($field)][0],
                    doc: concat!($($doc),+).trim_ascii(),
                    kind: <$type as ColumnValue>::column_type(),
                    nullable: <$type as ColumnValue>::NULLABLE,
                    long_text: [$($long,)? false][0],
                    edition: [$($edition,)? 0][0],
                }),+]
            }
        }

        impl $crate::model::ColumnValue for $name {
            fn column_type() -> $crate::model::ColumnType {
                $crate::model::ColumnType::Struct(Self::columns())
            }

            fn to_cell(&self) -> $crate::model::CellValue<'_> {
                use $crate::model::ColumnValue;
                $crate::model::CellValue::Struct(vec![$(ColumnValue::to_cell(&self.$field)),+])
            }

            fn from_cell(
                cell: $crate::model::CellValue<'_>,
            ) -> Result<Self, $crate::model::CellError> {
                const COLUMNS: &[&str] = &[$([$($key,)? stringify!($field)][0]),+];
                let mut cells = $crate::model::column::struct_cells(cell, COLUMNS.len())?;
                let mut names = COLUMNS.iter();
                Ok(Self {
                    $($field: {
                        let missing: Option<fn() -> $type> =
                            [$(Some(<$type>::$missing as fn() -> $type),)? None][0];
                        let name = names.next().copied().unwrap_or_default();
                        $crate::model::column::column_value(name, cells.next(), missing)?
                    },)+
                })
            }
        }
    };
}

pub(crate) use row_columns;
