//! Reads Parquet files as rows, without trusting the files. [`for_each_row`] is what `verify` and
//! `stats` call.
//!
//! A file must have a known schema before a value is read. If the Parquet reader panics because of
//! damaged bytes, this is an error of the file and does not end the process. Files of the first
//! format, and early files of the present format, lack some columns; their values are then unknown.

use super::first_format::first_schema;
use super::schema::{counted_schema, row_schema, without_template_digest};
use arrow::array::{
    Array, BooleanArray, Decimal128Array, Float64Array, Int32Array, Int64Array, ListArray,
    RecordBatch, StringArray, StructArray,
};
use arrow::datatypes::{Field, FieldRef, Schema};
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use std::fs::File;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use synthd_actors::model::{
    Money, PassRate, RowAction, RowCheck, RowState, RowStep, RowVerification, SandboxFingerprint,
    TrajectoryRow,
};

/// How many rows are decoded at once. A long trajectory takes megabytes.
const BATCH_ROWS: usize = 64;

/// Why a file gave no rows, or stopped giving rows.
#[derive(Debug, thiserror::Error)]
pub(super) enum ParquetReadError {
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("not readable as parquet: {0}")]
    Parquet(#[from] parquet::errors::ParquetError),
    #[error("not readable as arrow: {0}")]
    Arrow(#[from] arrow::error::ArrowError),
    /// The differences from the schema, one sentence for each column.
    #[error("the schema is not the canonical one: {}", .0.join("; "))]
    Schema(Vec<String>),
    /// A value that cannot be right. `from` is the number of the first row of its batch.
    #[error("column {column}, among the rows from {from} on: {message}")]
    Value { column: &'static str, from: u64, message: String },
    /// A column with this name is missing, or its array has another type than the schema says.
    #[error("column {0} is not of its declared type")]
    Column(&'static str),
    /// The Parquet reader panicked.
    #[error("the parquet reader gave up on corrupt bytes")]
    Panicked,
}

/// Passes each row of a file with its number (from zero) to `each`, and returns how many rows there
/// were. After an error, `each` may have seen some of the rows already.
pub(super) fn for_each_row(
    path: &Path,
    mut each: impl FnMut(u64, TrajectoryRow),
) -> Result<u64, ParquetReadError> {
    catch_unwind(AssertUnwindSafe(|| read_rows(path, &mut each)))
        .unwrap_or(Err(ParquetReadError::Panicked))
}

/// Like [`for_each_row`], without catching panics.
fn read_rows(
    path: &Path,
    each: &mut impl FnMut(u64, TrajectoryRow),
) -> Result<u64, ParquetReadError> {
    // The Arrow schema that a writer may put into a file is ignored. The types come from the
    // Parquet schema.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let file = File::open(path)?;
    let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options)?;
    check_schema(reader.schema())?;
    let mut seen = 0;
    // One batch at a time, so that memory does not grow with the file.
    for batch in reader.with_batch_size(BATCH_ROWS).build()? {
        for row in from_batch(&batch?, seen)? {
            each(seen, row);
            seen += 1;
        }
    }
    Ok(seen)
}

/// Fails if a file has none of the known schemas. These are the present one, two of early files of
/// this format, and that of the first format. The early files have no `template_digest`; in the
/// earliest, every count is a number. The error names the differences from the present schema.
pub(super) fn check_schema(found: &Schema) -> Result<(), ParquetReadError> {
    let differences = schema_differences(&row_schema(), found);
    let counted = without_template_digest(&counted_schema());
    // Two changes were made to the present format: counts became nullable, and then
    // `template_digest` was added.
    let earlier = [without_template_digest(&row_schema()), counted, first_schema()];
    let is_of = |schema: &Schema| schema_differences(schema, found).is_empty();
    if differences.is_empty() || earlier.iter().any(is_of) {
        return Ok(());
    }
    Err(ParquetReadError::Schema(differences))
}

/// How a file's schema differs from the wanted one, one sentence for each column. Columns are
/// compared by position.
pub(super) fn schema_differences(wanted: &Schema, found: &Schema) -> Vec<String> {
    let count = wanted.fields().len().max(found.fields().len());
    (0..count)
        .filter_map(|i| difference(i, wanted.fields().get(i), found.fields().get(i)))
        .collect()
}

/// How the columns at one position differ. None if they are equal.
fn difference(
    position: usize,
    wanted: Option<&FieldRef>,
    found: Option<&FieldRef>,
) -> Option<String> {
    match (wanted, found) {
        (Some(w), None) => Some(format!("column {} is missing", w.name())),
        (None, Some(f)) => Some(format!("column {} does not belong here", f.name())),
        (Some(w), Some(f)) if w.name() != f.name() => {
            Some(format!("column {position} is {}, not {}", f.name(), w.name()))
        }
        (Some(w), Some(f)) if !same(w, f) => {
            Some(format!("column {} is {}, not {}", w.name(), kind(f), kind(w)))
        }
        _ => None,
    }
}

/// Whether two fields have the same type and the same nullability.
fn same(wanted: &Field, found: &Field) -> bool {
    wanted.data_type() == found.data_type() && wanted.is_nullable() == found.is_nullable()
}

/// The type of a field, for a message.
fn kind(field: &Field) -> String {
    let null = if field.is_nullable() { "nullable " } else { "" };
    format!("{null}{}", field.data_type())
}

/// The rows of a batch. `first` is the number of its first row in the file, for messages.
pub(super) fn from_batch(
    batch: &RecordBatch,
    first: u64,
) -> Result<Vec<TrajectoryRow>, ParquetReadError> {
    let table = StructArray::from(batch.clone());
    let rows = BatchColumns::of(&table, first)?;
    (0..table.len()).map(|i| rows.row(i)).collect()
}

/// The columns of a struct, found by name and type. The methods take the position of a value.
/// `read_rows` has checked the schema before, so a missing column is not expected here.
struct StructColumns<'a> {
    record: &'a StructArray,
    /// The number of the batch's first row, for messages.
    first: u64,
}

impl<'a> StructColumns<'a> {
    /// The column with this name and array type.
    fn get<T: Array + 'static>(&self, name: &'static str) -> Result<&'a T, ParquetReadError> {
        self.record
            .column_by_name(name)
            .and_then(|column| column.as_any().downcast_ref())
            .ok_or(ParquetReadError::Column(name))
    }

    fn text(&self, name: &'static str, i: usize) -> Result<String, ParquetReadError> {
        Ok(self.get::<StringArray>(name)?.value(i).to_owned())
    }

    /// Whether the file has this column. The first format and early files lack some columns.
    fn has(&self, name: &str) -> bool {
        self.record.column_by_name(name).is_some()
    }

    /// A number that may be null. None also if the file does not have the column.
    fn maybe_int64(&self, name: &'static str, i: usize) -> Result<Option<i64>, ParquetReadError> {
        if !self.has(name) {
            return Ok(None);
        }
        let column = self.get::<Int64Array>(name)?;
        Ok(column.is_valid(i).then(|| column.value(i)))
    }

    /// A text that may be null. None also if the file does not have the column.
    fn maybe_text(&self, name: &'static str, i: usize) -> Result<Option<String>, ParquetReadError> {
        if !self.has(name) {
            return Ok(None);
        }
        let column = self.get::<StringArray>(name)?;
        Ok(column.is_valid(i).then(|| column.value(i).to_owned()))
    }

    fn int32(&self, name: &'static str, i: usize) -> Result<i32, ParquetReadError> {
        Ok(self.get::<Int32Array>(name)?.value(i))
    }

    fn int64(&self, name: &'static str, i: usize) -> Result<i64, ParquetReadError> {
        Ok(self.get::<Int64Array>(name)?.value(i))
    }

    fn float64(&self, name: &'static str, i: usize) -> Result<f64, ParquetReadError> {
        Ok(self.get::<Float64Array>(name)?.value(i))
    }

    fn boolean(&self, name: &'static str, i: usize) -> Result<bool, ParquetReadError> {
        Ok(self.get::<BooleanArray>(name)?.value(i))
    }

    /// An amount of money. Fails if it is negative or too large.
    fn money(&self, name: &'static str, i: usize) -> Result<Money, ParquetReadError> {
        let nanos = self.get::<Decimal128Array>(name)?.value(i);
        u64::try_from(nanos).map(Money::from_nanos).map_err(|_| ParquetReadError::Value {
            column: name,
            from: self.first,
            message: "not an amount of money".to_owned(),
        })
    }

    /// A list of texts.
    fn texts(&self, name: &'static str, i: usize) -> Result<Vec<String>, ParquetReadError> {
        let list = self.get::<ListArray>(name)?;
        // The array of all items of all lists; `range` finds those of one list.
        let items = list.values().as_any().downcast_ref::<StringArray>();
        let items = items.ok_or(ParquetReadError::Column(name))?;
        Ok(range(list, i).map(|j| items.value(j).to_owned()).collect())
    }

    /// The columns of an inner struct.
    fn record(&self, name: &'static str) -> Result<StructColumns<'a>, ParquetReadError> {
        Ok(Self { record: self.get(name)?, first: self.first })
    }

    /// A list of structs: the list itself, and the columns of the items of all lists.
    fn records(
        &self,
        name: &'static str,
    ) -> Result<(&'a ListArray, StructColumns<'a>), ParquetReadError> {
        let list = self.get::<ListArray>(name)?;
        let items = list.values().as_any().downcast_ref::<StructArray>();
        let record = items.ok_or(ParquetReadError::Column(name))?;
        Ok((list, StructColumns { record, first: self.first }))
    }
}

/// The positions of the items of list `i` in the array of all items.
fn range(list: &ListArray, i: usize) -> Range<usize> {
    let at = |i: usize| usize::try_from(list.value_offsets()[i]).unwrap_or(0);
    at(i)..at(i + 1)
}

/// The nested columns of a batch. They are looked up once for the batch and not for each row.
struct BatchColumns<'a> {
    top: StructColumns<'a>,
    sandbox: StructColumns<'a>,
    /// The lists of steps. Their items are in `steps`, `states` and `actions`.
    trajectory: &'a ListArray,
    steps: StructColumns<'a>,
    states: StructColumns<'a>,
    actions: StructColumns<'a>,
    verification: StructColumns<'a>,
    /// The lists of checks. Their items are in `checks`.
    check_list: &'a ListArray,
    checks: StructColumns<'a>,
}

impl<'a> BatchColumns<'a> {
    /// Looks up the nested columns. Fails if one is missing.
    fn of(table: &'a StructArray, first: u64) -> Result<Self, ParquetReadError> {
        let top = StructColumns { record: table, first };
        let (trajectory, steps) = top.records("trajectory")?;
        let verification = top.record("verification")?;
        let (check_list, checks) = verification.records("checks")?;
        Ok(Self {
            sandbox: top.record("sandbox")?,
            states: steps.record("state")?,
            actions: steps.record("action")?,
            top,
            trajectory,
            steps,
            verification,
            check_list,
            checks,
        })
    }

    /// The row at position `i` of the batch. A value that the file does not have is None, except
    /// the number of the sample, which is zero then.
    fn row(&self, i: usize) -> Result<TrajectoryRow, ParquetReadError> {
        let top = &self.top;
        Ok(TrajectoryRow {
            schema_version: top.text("schema_version", i)?,
            trajectory_id: top.text("trajectory_id", i)?,
            campaign: top.text("campaign", i)?,
            task_id: top.text("task_id", i)?,
            template: top.text("template", i)?,
            template_digest: top.maybe_text("template_digest", i)?,
            task_seed: top.int64("task_seed", i)?,
            task_instruction: top.text("task_instruction", i)?,
            category: top.text("category", i)?,
            difficulty: top.text("difficulty", i)?,
            llm_model: top.text("llm_model", i)?,
            llm_provider: top.text("llm_provider", i)?,
            scaffold: top.text("scaffold", i)?,
            sampling: top.maybe_text("sampling", i)?,
            prompt_digest: top.maybe_text("prompt_digest", i)?,
            sample: if top.has("sample") { top.int32("sample", i)? } else { 0 },
            sandbox: self.fingerprint(i)?,
            trajectory: range(self.trajectory, i)
                .map(|j| self.step(j))
                .collect::<Result<_, _>>()?,
            final_result: top.text("final_result", i)?,
            total_reward: top.float64("total_reward", i)?,
            verification: self.verdict(i)?,
            pass_rate: self.pass_rate(i)?,
            labels: top.texts("labels", i)?,
            execution_time_seconds: top.float64("execution_time_seconds", i)?,
            total_tokens: top.maybe_int64("total_tokens", i)?,
            cost_usd: top.money("cost_usd", i)?,
            attempt: top.int32("attempt", i)?,
            canary: top.text("canary", i)?,
            created_at: top.text("created_at", i)?,
        })
    }

    /// The pass rate of row `i`. None if it is null, or if the file does not have the column.
    fn pass_rate(&self, i: usize) -> Result<Option<PassRate>, ParquetReadError> {
        if !self.top.has("pass_rate") {
            return Ok(None);
        }
        let rate = self.top.record("pass_rate")?;
        if rate.record.is_null(i) {
            return Ok(None);
        }
        let (tries, solved) = (rate.int32("tries", i)?, rate.int32("solved", i)?);
        let (low, high) = (rate.float64("low", i)?, rate.float64("high", i)?);
        Ok(Some(PassRate { tries, solved, low, high }))
    }

    /// The sandbox of row `i`. Fails if the enforced limits are not JSON.
    fn fingerprint(&self, i: usize) -> Result<SandboxFingerprint, ParquetReadError> {
        let enforced = self.sandbox.text("enforced", i)?;
        Ok(SandboxFingerprint {
            backend: self.sandbox.text("backend", i)?,
            root: self.sandbox.text("root", i)?,
            kernel: self.sandbox.text("kernel", i)?,
            shell: self.sandbox.text("shell", i)?,
            enforced: serde_json::from_str(&enforced).map_err(|e| ParquetReadError::Value {
                column: "sandbox.enforced",
                from: self.top.first,
                message: e.to_string(),
            })?,
        })
    }

    /// The step at position `i` of all steps in the batch.
    fn step(&self, i: usize) -> Result<RowStep, ParquetReadError> {
        let steps = &self.steps;
        let error = steps.get::<StringArray>("error")?;
        let exit_code = steps.get::<Int32Array>("exit_code")?;
        Ok(RowStep {
            step: steps.int32("step", i)?,
            state: RowState {
                cwd: self.states.text("cwd", i)?,
                files: self.states.texts("files", i)?,
            },
            action: RowAction {
                kind: self.actions.text("type", i)?,
                tool: self.actions.text("tool", i)?,
                arguments: self.actions.text("arguments", i)?,
            },
            observation: steps.text("observation", i)?,
            reward: steps.float64("reward", i)?,
            reasoning: steps.text("reasoning", i)?,
            return_to_go: steps.float64("return_to_go", i)?,
            done: steps.boolean("done", i)?,
            error: error.is_valid(i).then(|| error.value(i).to_owned()),
            exit_code: exit_code.is_valid(i).then(|| exit_code.value(i)),
            truncated: steps.boolean("truncated", i)?,
            input_tokens: steps.maybe_int64("input_tokens", i)?,
            output_tokens: steps.maybe_int64("output_tokens", i)?,
            cost_usd: steps.money("cost_usd", i)?,
            duration_ms: steps.int64("duration_ms", i)?,
            model_ms: steps.maybe_int64("model_ms", i)?,
        })
    }

    /// The verification of row `i`.
    fn verdict(&self, i: usize) -> Result<RowVerification, ParquetReadError> {
        let check = |j: usize| -> Result<RowCheck, ParquetReadError> {
            Ok(RowCheck {
                name: self.checks.text("name", j)?,
                weight: self.checks.float64("weight", j)?,
                passed: self.checks.boolean("passed", j)?,
            })
        };
        Ok(RowVerification {
            score: self.verification.float64("score", i)?,
            passed: self.verification.boolean("passed", i)?,
            checks: range(self.check_list, i).map(check).collect::<Result<_, _>>()?,
        })
    }
}
