//! The tables `sft` and `preferences`: the rows of an export as Parquet.
//!
//! ```text
//! version ─export─► <split>.jsonl ─line─► record ─cells─► SplitWriter ─► <split>.parquet
//! ```
//! A Parquet column has one type for all rows, and the arguments of tool calls have many. So they are
//! JSON text here, with the keys and digits of the export; an export as JSONL has them as objects.

use super::push_error::local;
use crate::dataset::{FileEntry, ShardLimits, SplitWriter, TableShape};
use crate::error::{Code, Error, Result};
use crate::export::{ExportFilter, ExportFormat, ExportRequest, PairRules, export};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::error::Error as _;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::sync::OnceLock;
use synthd_actors::model::{CellValue, ColumnType, DatasetSplit, RowColumn};

/// How many lines, and how many bytes of them, are in memory at once. One line may be longer.
const LINES: usize = 64;
const BYTES: usize = 32 << 20;
/// How pairs are chosen: solved over not solved, at most four of a task.
const RULES: PairRules = PairRules { margin: 0, per_task: 4, candidates: 2, among_solved: None };

/// A table that is made of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChatTable {
    Sft,
    Preferences,
}

/// A line of `trl-sft`.
#[derive(Deserialize)]
struct SftRecord {
    messages: Vec<MessageRecord>,
    tools: Option<String>,
}

/// A line of `trl-preference`.
#[derive(Deserialize)]
struct PairRecord {
    prompt: Vec<MessageRecord>,
    chosen: Vec<MessageRecord>,
    rejected: Vec<MessageRecord>,
    tools: Option<String>,
}

/// A line of a table.
enum ChatRecord {
    Sft(SftRecord),
    Pair(PairRecord),
}

/// A message of a line.
#[derive(Deserialize)]
struct MessageRecord {
    role: String,
    content: String,
    reasoning_content: Option<String>,
    tool_calls: Option<Vec<ToolRecord>>,
    tool_call_id: Option<String>,
    name: Option<String>,
}

/// A call of a message.
#[derive(Deserialize)]
struct ToolRecord {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    function: FunctionRecord,
}

/// What a call calls.
#[derive(Deserialize)]
struct FunctionRecord {
    name: String,
    arguments: Box<RawValue>,
}

impl ChatTable {
    pub(super) const ALL: [Self; 2] = [Self::Sft, Self::Preferences];

    /// The name of the table and of its directory.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Sft => "sft",
            Self::Preferences => "preferences",
        }
    }

    /// What the rows are.
    pub(super) fn about(self) -> &'static str {
        match self {
            Self::Sft => {
                "The conversation of each row as messages of chat completions; `tools` and the `arguments` \
                 of calls are JSON text."
            }
            Self::Preferences => {
                "Two tries of one task in each row, the chosen one solved and the rejected one not; `tools` \
                 and the `arguments` of calls are JSON text."
            }
        }
    }

    fn format(self) -> ExportFormat {
        match self {
            Self::Sft => ExportFormat::TrlSft,
            Self::Preferences => ExportFormat::TrlPreference,
        }
    }

    /// The columns, and the name of the format.
    pub(super) fn shape(self) -> TableShape {
        static SFT: OnceLock<Vec<RowColumn>> = OnceLock::new();
        static PREFERENCES: OnceLock<Vec<RowColumn>> = OnceLock::new();
        match self {
            Self::Sft => {
                TableShape { columns: SFT.get_or_init(sft_columns), schema: "synthd.sft/1" }
            }
            Self::Preferences => TableShape {
                columns: PREFERENCES.get_or_init(preference_columns),
                schema: "synthd.preference/1",
            },
        }
    }

    /// Writes the files of the table into an empty directory, and returns their entries. The inner
    /// error says why no row of the version has this form.
    pub(super) fn write(
        self,
        version: &Path,
        dir: &Path,
    ) -> Result<Result<Vec<FileEntry>, String>> {
        let out = dir.join("lines");
        let filter = ExportFilter {
            splits: DatasetSplit::ALL.to_vec(),
            labels: Vec::new(),
            without_labels: Vec::new(),
        };
        let format = self.format();
        let request = ExportRequest { version, out: &out, format, filter, rules: RULES };
        match export(&request, &|_, _| {}) {
            Ok(_) => {}
            // An export that cannot be written has a cause; one without rows has none.
            Err(error) if error.code() == Code::ExportUnwritten && error.source().is_none() => {
                return Ok(Err(error.to_string()));
            }
            Err(error) => return Err(error),
        }
        let mut entries = Vec::new();
        for split in DatasetSplit::ALL {
            let lines = out.join(format!("{}.jsonl", split.as_str()));
            if lines.is_file() {
                entries.extend(self.write_split(&lines, split, dir)?);
            }
        }
        fs::remove_dir_all(&out).map_err(|error| local(&out, error))?;
        Ok(Ok(entries))
    }

    /// Writes the files of one split.
    fn write_split(self, lines: &Path, split: DatasetSplit, dir: &Path) -> Result<Vec<FileEntry>> {
        let mut reader = BufReader::new(File::open(lines).map_err(|error| local(lines, error))?);
        let mut writer = SplitWriter::of_table(dir, split, self.shape(), ShardLimits::default());
        let unwritten = |error: Box<dyn std::error::Error + Send + Sync>| {
            let what = format!("the table {} cannot be written in {}", self.name(), dir.display());
            Error::new(Code::PushCutOff, what)
                .with_source(error)
                .hint("make room, or set TMPDIR to a directory with room")
        };
        loop {
            let texts = next_lines(&mut reader).map_err(|error| local(lines, error))?;
            if texts.is_empty() {
                return writer.finish().map_err(|error| unwritten(error.into()));
            }
            let records: Result<Vec<_>, _> = texts.iter().map(|text| self.record(text)).collect();
            let records = records.map_err(|error| unwritten(error.into()))?;
            let cells: Vec<CellValue<'_>> = records.iter().map(ChatRecord::cells).collect();
            writer.push_cells(&cells).map_err(|error| unwritten(error.into()))?;
        }
    }

    fn record(self, line: &str) -> serde_json::Result<ChatRecord> {
        match self {
            Self::Sft => serde_json::from_str(line).map(ChatRecord::Sft),
            Self::Preferences => serde_json::from_str(line).map(ChatRecord::Pair),
        }
    }
}

/// The next lines of an export. None are left if the list is empty.
fn next_lines(reader: &mut impl BufRead) -> io::Result<Vec<String>> {
    let (mut lines, mut bytes) = (Vec::new(), 0);
    while lines.len() < LINES && bytes < BYTES {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            break;
        }
        bytes += line.len();
        lines.push(line);
    }
    Ok(lines)
}

impl ChatRecord {
    /// The cells, in the order of the columns.
    fn cells(&self) -> CellValue<'_> {
        let cells = match self {
            Self::Sft(line) => vec![messages(&line.messages), maybe(line.tools.as_deref())],
            Self::Pair(line) => vec![
                messages(&line.prompt),
                messages(&line.chosen),
                messages(&line.rejected),
                maybe(line.tools.as_deref()),
            ],
        };
        CellValue::Struct(cells)
    }
}

impl MessageRecord {
    fn cells(&self) -> CellValue<'_> {
        let calls = self.tool_calls.as_deref();
        let calls =
            calls.map(|calls| CellValue::List(calls.iter().map(ToolRecord::cells).collect()));
        CellValue::Struct(vec![
            text(&self.role),
            text(&self.content),
            maybe(self.reasoning_content.as_deref()),
            calls.unwrap_or(CellValue::Null),
            maybe(self.tool_call_id.as_deref()),
            maybe(self.name.as_deref()),
        ])
    }
}

impl ToolRecord {
    fn cells(&self) -> CellValue<'_> {
        let FunctionRecord { name, arguments } = &self.function;
        let function = CellValue::Struct(vec![text(name), text(arguments.get())]);
        CellValue::Struct(vec![text(&self.id), text(&self.kind), function])
    }
}

fn messages(messages: &[MessageRecord]) -> CellValue<'_> {
    CellValue::List(messages.iter().map(MessageRecord::cells).collect())
}

fn text(text: &str) -> CellValue<'_> {
    CellValue::Text(Cow::Borrowed(text))
}

fn maybe(value: Option<&str>) -> CellValue<'_> {
    value.map_or(CellValue::Null, text)
}

fn sft_columns() -> Vec<RowColumn> {
    vec![message_column("messages", "The whole conversation."), tools_column()]
}

fn preference_columns() -> Vec<RowColumn> {
    vec![
        message_column("prompt", "What the model was asked, in both tries."),
        message_column("chosen", "The better try: everything from its first reply on."),
        message_column("rejected", "The worse try: everything from its first reply on."),
        tools_column(),
    ]
}

fn tools_column() -> RowColumn {
    long(nullable(column(
        "tools",
        "The tools that the model was given, as JSON text.",
        ColumnType::Text,
    )))
}

fn message_column(name: &'static str, doc: &'static str) -> RowColumn {
    let words = |name, doc| column(name, doc, ColumnType::Text);
    let message = vec![
        words("role", "Whose message it is."),
        long(words("content", "The text of the message.")),
        long(nullable(words("reasoning_content", "What the model thought."))),
        nullable(column("tool_calls", "What the model called.", list_of(call_columns()))),
        nullable(words("tool_call_id", "The call that a result answers.")),
        nullable(words("name", "The tool of a result.")),
    ];
    column(name, doc, list_of(message))
}

fn call_columns() -> Vec<RowColumn> {
    let words = |name, doc| column(name, doc, ColumnType::Text);
    let function = vec![
        words("name", "The name of the tool."),
        long(words("arguments", "The arguments as JSON text.")),
    ];
    vec![
        words("id", "The id of the call."),
        words("type", "Always `function`."),
        column("function", "What is called.", ColumnType::Struct(function)),
    ]
}

fn column(name: &'static str, doc: &'static str, kind: ColumnType) -> RowColumn {
    RowColumn { name, doc, kind, nullable: false, long_text: false, edition: 0 }
}

fn nullable(column: RowColumn) -> RowColumn {
    RowColumn { nullable: true, ..column }
}

fn long(column: RowColumn) -> RowColumn {
    RowColumn { long_text: true, ..column }
}

fn list_of(columns: Vec<RowColumn>) -> ColumnType {
    ColumnType::List(Box::new(ColumnType::Struct(columns)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Array, AsArray};
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    const LINE: &str = r#"{"messages":[{"role":"user","content":"Do it."},{"role":"assistant","content":"","tool_calls":[{"id":"a","type":"function","function":{"name":"bash","arguments":{"n":1.50,"b":[]}}}]},{"role":"tool","content":"done","tool_call_id":"a","name":"bash"}],"tools":"[]"}"#;

    #[test]
    fn a_line_becomes_a_row_with_its_arguments_as_text() {
        let dir = tempfile::tempdir().unwrap();
        let lines = dir.path().join("train.jsonl");
        fs::write(&lines, format!("{LINE}\n{LINE}\n")).unwrap();
        let entries = ChatTable::Sft.write_split(&lines, DatasetSplit::Train, dir.path()).unwrap();
        assert_eq!((entries.len(), entries[0].rows), (1, Some(2)));
        let file = File::open(dir.path().join(&entries[0].path)).unwrap();
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        let batch = reader.build().unwrap().next().unwrap().unwrap();
        let first = batch.column(0).as_list::<i32>().value(0);
        let messages = first.as_struct();
        assert_eq!(messages.len(), 3);
        let calls = messages.column_by_name("tool_calls").unwrap().as_list::<i32>();
        assert!(calls.is_null(0) && calls.is_valid(1));
        let call = calls.value(1);
        let function = call.as_struct().column_by_name("function").unwrap().as_struct();
        let arguments = function.column_by_name("arguments").unwrap().as_string::<i32>();
        assert_eq!(arguments.value(0), r#"{"n":1.50,"b":[]}"#);
    }

    #[test]
    fn lines_are_read_a_few_at_a_time() {
        let text = "x\n".repeat(LINES + 1);
        let mut reader = text.as_bytes();
        assert_eq!(next_lines(&mut reader).unwrap().len(), LINES);
        assert_eq!(next_lines(&mut reader).unwrap().len(), 1);
        assert!(next_lines(&mut reader).unwrap().is_empty());
    }

    #[test]
    fn the_columns_are_those_of_the_cells() {
        let record = ChatTable::Sft.record(LINE).unwrap();
        let CellValue::Struct(cells) = record.cells() else { panic!("a struct") };
        assert_eq!(cells.len(), ChatTable::Sft.shape().columns.len());
        assert_eq!(ChatTable::Preferences.shape().columns.len(), 4);
    }
}
