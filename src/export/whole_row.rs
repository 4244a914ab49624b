//! A row as JSON with all its columns, null where it has no value.
//!
//! The row of a store leaves out what newer columns do not know. Readers derive a table from the lines, and
//! `datasets` takes objects with different keys for something else: it writes them anew, and numbers lose digits.

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;
use synthd_actors::model::{ColumnType, DatasetRow, RowColumn};

/// A row of a dataset as its columns are.
pub(super) struct WholeRow {
    value: Value,
    columns: &'static [RowColumn],
}

impl WholeRow {
    pub(super) fn of(row: &DatasetRow) -> serde_json::Result<Self> {
        Ok(Self { value: serde_json::to_value(row)?, columns: row.format().columns() })
    }
}

impl Serialize for WholeRow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        WholeObject { value: &self.value, columns: self.columns }.serialize(serializer)
    }
}

/// An object with these columns.
struct WholeObject<'a> {
    value: &'a Value,
    columns: &'a [RowColumn],
}

impl Serialize for WholeObject<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(Some(self.columns.len()))?;
        for column in self.columns {
            let value = self.value.get(column.name).unwrap_or(&Value::Null);
            object.serialize_entry(column.name, &WholeColumn { value, kind: &column.kind })?;
        }
        object.end()
    }
}

/// The value of a column.
struct WholeColumn<'a> {
    value: &'a Value,
    kind: &'a ColumnType,
}

impl Serialize for WholeColumn<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (self.kind, self.value) {
            (ColumnType::Struct(columns), value @ Value::Object(_)) => {
                WholeObject { value, columns }.serialize(serializer)
            }
            (ColumnType::List(kind), Value::Array(items)) => {
                serializer.collect_seq(items.iter().map(|value| WholeColumn { value, kind }))
            }
            (_, value) => value.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::fixture::row;
    use std::collections::BTreeSet;

    /// The keys of all objects at each place.
    fn keys(value: &Value, place: &str, found: &mut BTreeSet<(String, String)>) {
        match value {
            Value::Object(object) => {
                let names: Vec<&str> = object.keys().map(String::as_str).collect();
                found.insert((place.to_owned(), names.join(" ")));
                object
                    .iter()
                    .for_each(|(name, value)| keys(value, &format!("{place}.{name}"), found));
            }
            Value::Array(items) => items.iter().for_each(|item| keys(item, place, found)),
            _ => {}
        }
    }

    #[test]
    fn every_object_at_a_place_has_the_same_keys() {
        let mut found = BTreeSet::new();
        for n in 0..24 {
            let row = DatasetRow::from(row(n));
            let line = serde_json::to_string(&WholeRow::of(&row).unwrap()).unwrap();
            keys(&serde_json::from_str(&line).unwrap(), "", &mut found);
            assert_eq!(serde_json::from_str::<DatasetRow>(&line).unwrap(), row);
        }
        let places: BTreeSet<&String> = found.iter().map(|(place, _)| place).collect();
        let varying: Vec<_> =
            found.iter().filter(|(place, _)| !place.ends_with(".enforced")).collect();
        assert_eq!(
            varying.len(),
            places.iter().filter(|place| !place.ends_with(".enforced")).count(),
            "{varying:#?}"
        );
    }
}
