//! A row of any dataset. The format decides the columns; one dataset version has rows of one format
//! only. The store keeps a row as JSON, and the field `schema_version` says which format it has.

use super::{
    COMPLETION_SCHEMA, CellError, CellValue, ColumnValue, CompletionRow, ROW_SCHEMA, RowColumn,
    TrajectoryRow,
};
use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{DeserializeSeed, Error as _, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use std::fmt;
use std::sync::OnceLock;

/// The kinds of rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RowFormat {
    /// One task tried by one model with one scaffold.
    #[default]
    Trajectory,
    /// One answer of one model to one prompt.
    Completion,
}

impl RowFormat {
    /// Every format.
    pub const ALL: [Self; 2] = [Self::Trajectory, Self::Completion];

    /// The format of a name such as `synthd.trajectory/1`, whatever its version is. None if no
    /// format has this name.
    pub fn of(schema_version: &str) -> Option<Self> {
        let (name, _) = schema_version.rsplit_once('/')?;
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// The name without the version.
    fn name(self) -> &'static str {
        self.schema().split_once('/').map_or("", |(name, _)| name)
    }

    /// The name and the version in which rows are written now.
    pub fn schema(self) -> &'static str {
        match self {
            Self::Trajectory => ROW_SCHEMA,
            Self::Completion => COMPLETION_SCHEMA,
        }
    }

    /// The word for people and for commands.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trajectory => "trajectory",
            Self::Completion => "completion",
        }
    }

    /// What a row is about, in a word: rows about the same one are in one split.
    pub fn work(self) -> &'static str {
        match self {
            Self::Trajectory => "task",
            Self::Completion => "prompt",
        }
    }

    /// The columns in their order.
    pub fn columns(self) -> &'static [RowColumn] {
        static TRAJECTORY: OnceLock<Vec<RowColumn>> = OnceLock::new();
        static COMPLETION: OnceLock<Vec<RowColumn>> = OnceLock::new();
        match self {
            Self::Trajectory => TRAJECTORY.get_or_init(TrajectoryRow::columns),
            Self::Completion => COMPLETION.get_or_init(CompletionRow::columns),
        }
    }

    /// A row of this format from its cells. Fails if a cell is not of the type of its column.
    pub fn row(self, cell: CellValue<'_>) -> Result<DatasetRow, CellError> {
        match self {
            Self::Trajectory => TrajectoryRow::from_cell(cell).map(DatasetRow::from),
            Self::Completion => CompletionRow::from_cell(cell).map(DatasetRow::from),
        }
    }
}

/// One row of a dataset.
#[derive(Clone, Debug, PartialEq)]
pub enum DatasetRow {
    Trajectory(Box<TrajectoryRow>),
    Completion(Box<CompletionRow>),
}

impl From<TrajectoryRow> for DatasetRow {
    fn from(row: TrajectoryRow) -> Self {
        Self::Trajectory(Box::new(row))
    }
}

impl From<CompletionRow> for DatasetRow {
    fn from(row: CompletionRow) -> Self {
        Self::Completion(Box::new(row))
    }
}

impl DatasetRow {
    pub fn format(&self) -> RowFormat {
        match self {
            Self::Trajectory(_) => RowFormat::Trajectory,
            Self::Completion(_) => RowFormat::Completion,
        }
    }

    /// The format and the version that the row itself states, such as `synthd.trajectory/1`.
    pub fn schema(&self) -> &str {
        match self {
            Self::Trajectory(row) => &row.schema_version,
            Self::Completion(row) => &row.schema_version,
        }
    }

    /// The columns in their order.
    pub fn columns(&self) -> &'static [RowColumn] {
        self.format().columns()
    }

    /// The id, unique in a dataset.
    pub fn id(&self) -> &str {
        match self {
            Self::Trajectory(row) => &row.trajectory_id,
            Self::Completion(row) => &row.completion_id,
        }
    }

    pub fn campaign(&self) -> &str {
        match self {
            Self::Trajectory(row) => &row.campaign,
            Self::Completion(row) => &row.campaign,
        }
    }

    /// The task or the prompt. Rows with the same one are in one split.
    pub fn work_id(&self) -> &str {
        match self {
            Self::Trajectory(row) => &row.task_id,
            Self::Completion(row) => &row.prompt_id,
        }
    }

    pub fn labels(&self) -> &[String] {
        match self {
            Self::Trajectory(row) => &row.labels,
            Self::Completion(row) => &row.labels,
        }
    }

    pub fn labels_mut(&mut self) -> &mut Vec<String> {
        match self {
            Self::Trajectory(row) => &mut row.labels,
            Self::Completion(row) => &mut row.labels,
        }
    }

    /// Leaves out the tokens of replies, because the texts are no longer those that they stand for.
    pub fn forget_tokens(&mut self) {
        match self {
            Self::Trajectory(row) => {
                for step in &mut row.trajectory {
                    (step.prompt_kept, step.prompt_token_ids) = (None, None);
                    (step.token_ids, step.logprobs) = (None, None);
                }
            }
            Self::Completion(row) => {
                (row.prompt_token_ids, row.token_ids, row.logprobs) = (None, None, None);
            }
        }
    }

    /// The cells of all columns.
    pub fn to_cell(&self) -> CellValue<'_> {
        match self {
            Self::Trajectory(row) => row.to_cell(),
            Self::Completion(row) => row.to_cell(),
        }
    }

    pub fn as_trajectory(&self) -> Option<&TrajectoryRow> {
        match self {
            Self::Trajectory(row) => Some(row),
            Self::Completion(_) => None,
        }
    }

    pub fn as_trajectory_mut(&mut self) -> Option<&mut TrajectoryRow> {
        match self {
            Self::Trajectory(row) => Some(row),
            Self::Completion(_) => None,
        }
    }

    pub fn as_completion(&self) -> Option<&CompletionRow> {
        match self {
            Self::Completion(row) => Some(row),
            Self::Trajectory(_) => None,
        }
    }
}

/// The inner row alone, without a mark of the format.
impl Serialize for DatasetRow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Trajectory(row) => row.serialize(serializer),
            Self::Completion(row) => row.serialize(serializer),
        }
    }
}

/// The name of the field that says which format a row has.
const SCHEMA_VERSION: &str = "schema_version";

/// Reads the row whose format `schema_version` names. If this field comes first, as in every row that
/// is written, the row is read at once; otherwise it is read into memory before.
impl<'de> Deserialize<'de> for DatasetRow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RowVisitor)
    }
}

struct RowVisitor;

impl<'de> Visitor<'de> for RowVisitor {
    type Value = DatasetRow;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row with its schema_version")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<DatasetRow, A::Error> {
        let first = fields.next_key::<String>()?;
        if first.as_deref() != Some(SCHEMA_VERSION) {
            return read_buffered(first, fields);
        }
        let version: String = fields.next_value()?;
        let format = format_of::<A::Error>(&version)?;
        read(format, MapAccessDeserializer::new(VersionFirst { version, state: 0, rest: fields }))
    }
}

/// Reads a row of a known format.
fn read<'de, D: Deserializer<'de>>(format: RowFormat, fields: D) -> Result<DatasetRow, D::Error> {
    match format {
        RowFormat::Trajectory => TrajectoryRow::deserialize(fields).map(DatasetRow::from),
        RowFormat::Completion => CompletionRow::deserialize(fields).map(DatasetRow::from),
    }
}

/// Reads a row whose first field, `key`, is another one.
fn read_buffered<'de, A: MapAccess<'de>>(
    mut key: Option<String>,
    mut fields: A,
) -> Result<DatasetRow, A::Error> {
    let mut row = Map::new();
    while let Some(name) = key {
        row.insert(name, fields.next_value()?);
        key = fields.next_key()?;
    }
    let version = row.get(SCHEMA_VERSION).and_then(Value::as_str);
    let version = version.ok_or_else(|| A::Error::missing_field(SCHEMA_VERSION))?;
    let format = format_of::<A::Error>(version)?;
    read(format, Value::Object(row)).map_err(A::Error::custom)
}

/// The format of this name. Fails if no format has it.
fn format_of<E: serde::de::Error>(version: &str) -> Result<RowFormat, E> {
    let unknown = || E::custom(format!("{version:?} is no row format that this synthd reads"));
    RowFormat::of(version).ok_or_else(unknown)
}

/// The fields of a row from the beginning, after the first one has been read.
struct VersionFirst<A> {
    version: String,
    /// How many parts of the first field were given again: 0, 1 (its name) or 2 (its value).
    state: u8,
    rest: A,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for VersionFirst<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        if self.state > 0 {
            return self.rest.next_key_seed(seed);
        }
        self.state = 1;
        let name: StrDeserializer<'_, A::Error> = SCHEMA_VERSION.into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        if self.state > 1 {
            return self.rest.next_value_seed(seed);
        }
        self.state = 2;
        seed.deserialize(std::mem::take(&mut self.version).into_deserializer())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_before_the_version_is_the_format() {
        for (name, format) in [
            ("synthd.trajectory/1", Some(RowFormat::Trajectory)),
            (ROW_SCHEMA, Some(RowFormat::Trajectory)),
            (COMPLETION_SCHEMA, Some(RowFormat::Completion)),
            ("synthd.trajectory", None),
            ("other/1", None),
        ] {
            assert_eq!(RowFormat::of(name), format, "{name}");
        }
    }

    #[test]
    fn a_row_without_a_known_format_is_refused() {
        for text in ["{}", r#"{"id":1}"#, r#"{"schema_version":"other/1"}"#, "[]"] {
            assert!(serde_json::from_str::<DatasetRow>(text).is_err(), "{text}");
        }
    }
}
