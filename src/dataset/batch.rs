//! Converts rows to Arrow, column by column. The values of a nested column are flattened into one
//! array each, and the lists around them are described by their lengths. `read` converts in the
//! other direction. The order of the columns must be that of `schema`.

use super::schema::{
    MONEY_PRECISION, MONEY_SCALE, action_fields, check_fields, element, pass_rate_fields,
    row_schema, sandbox_fields, state_fields, step_fields, verification_fields,
};
use arrow::array::{
    ArrayRef, BooleanArray, Decimal128Array, Float64Array, Int32Array, Int64Array, ListArray,
    RecordBatch, StringArray, StructArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Fields};
use arrow::error::ArrowError;
use std::sync::Arc;
use synthd_actors::model::{
    Money, PassRate, RowCheck, RowStep, RowVerification, SandboxFingerprint, TrajectoryRow,
};

/// A column, or why its values do not fit the schema.
type ArrayResult = Result<ArrayRef, ArrowError>;

/// One batch of rows. The caller must limit the amount of text (see [`text_bytes`]), because Arrow
/// counts offsets with 32 bits. Fails if the columns do not match the schema.
pub(super) fn to_batch(rows: &[&TrajectoryRow]) -> Result<RecordBatch, ArrowError> {
    let text = |field: fn(&TrajectoryRow) -> &str| texts(rows.iter().map(|r| field(r)));
    let columns = vec![
        text(|r| &r.schema_version),
        text(|r| &r.trajectory_id),
        text(|r| &r.campaign),
        text(|r| &r.task_id),
        text(|r| &r.template),
        maybe_texts(rows.iter().map(|r| r.template_digest.as_deref())),
        int64s(rows.iter().map(|r| r.task_seed)),
        text(|r| &r.task_instruction),
        text(|r| &r.category),
        text(|r| &r.difficulty),
        text(|r| &r.llm_model),
        text(|r| &r.llm_provider),
        text(|r| &r.scaffold),
        maybe_texts(rows.iter().map(|r| r.sampling.as_deref())),
        maybe_texts(rows.iter().map(|r| r.prompt_digest.as_deref())),
        int32s(rows.iter().map(|r| r.sample)),
        sandboxes(rows.iter().map(|r| &r.sandbox))?,
        trajectories(rows)?,
        text(|r| &r.final_result),
        float64s(rows.iter().map(|r| r.total_reward)),
        verifications(rows.iter().map(|r| &r.verification))?,
        pass_rates(rows.iter().map(|r| r.pass_rate))?,
        text_lists(rows.iter().map(|r| r.labels.as_slice()))?,
        float64s(rows.iter().map(|r| r.execution_time_seconds)),
        Arc::new(Int64Array::from_iter(rows.iter().map(|r| r.total_tokens))),
        moneys(rows.iter().map(|r| r.cost_usd))?,
        int32s(rows.iter().map(|r| r.attempt)),
        text(|r| &r.canary),
        text(|r| &r.created_at),
    ];
    RecordBatch::try_new(row_schema(), columns)
}

/// About how many bytes of text a row adds to one column at most. The long texts of all columns are
/// added up, and each item of a list counts some bytes more. Short texts, such as working
/// directories, names and digests, are not measured: a fixed number of bytes stands for them.
pub(super) fn text_bytes(row: &TrajectoryRow) -> usize {
    let steps: usize = row.trajectory.iter().map(step_bytes).sum();
    let labels: usize = row.labels.iter().map(|l| l.len() + 8).sum();
    let checks: usize = row.verification.checks.iter().map(|c| c.name.len() + 8).sum();
    let sampling = row.sampling.as_ref().map_or(0, String::len);
    steps + labels + checks + sampling + row.task_instruction.len() + 1_024
}

/// The same estimate for one step.
fn step_bytes(step: &RowStep) -> usize {
    let files: usize = step.state.files.iter().map(|f| f.len() + 8).sum();
    let error = step.error.as_ref().map_or(0, String::len);
    files
        + error
        + step.observation.len()
        + step.reasoning.len()
        + step.action.arguments.len()
        + 128
}

/// The column `sandbox`. The limits that were enforced become JSON text.
fn sandboxes<'a>(prints: impl Iterator<Item = &'a SandboxFingerprint> + Clone) -> ArrayResult {
    let text = |field: fn(&SandboxFingerprint) -> &str| texts(prints.clone().map(field));
    let enforced = prints
        .clone()
        .map(|p| serde_json::to_string(&p.enforced))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| ArrowError::ExternalError(Box::new(e)))?;
    let columns = vec![
        text(|p| &p.backend),
        text(|p| &p.root),
        text(|p| &p.kernel),
        text(|p| &p.shell),
        texts(enforced.iter().map(String::as_str)),
    ];
    record(sandbox_fields(), columns)
}

/// The column `trajectory`: a list of steps for each row.
fn trajectories(rows: &[&TrajectoryRow]) -> ArrayResult {
    let lengths = rows.iter().map(|r| r.trajectory.len());
    let steps: Vec<&RowStep> = rows.iter().flat_map(|r| &r.trajectory).collect();
    list(DataType::Struct(step_fields()), lengths, record(step_fields(), step_columns(&steps)?)?)
}

/// The columns of all steps, in the order of `schema::step_fields`.
fn step_columns(steps: &[&RowStep]) -> Result<Vec<ArrayRef>, ArrowError> {
    let each = || steps.iter().copied();
    Ok(vec![
        int32s(each().map(|s| s.step)),
        states(steps)?,
        actions(steps)?,
        texts(each().map(|s| s.observation.as_str())),
        float64s(each().map(|s| s.reward)),
        texts(each().map(|s| s.reasoning.as_str())),
        float64s(each().map(|s| s.return_to_go)),
        booleans(each().map(|s| s.done)),
        maybe_texts(each().map(|s| s.error.as_deref())),
        Arc::new(Int32Array::from_iter(each().map(|s| s.exit_code))),
        booleans(each().map(|s| s.truncated)),
        Arc::new(Int64Array::from_iter(each().map(|s| s.input_tokens))),
        Arc::new(Int64Array::from_iter(each().map(|s| s.output_tokens))),
        moneys(each().map(|s| s.cost_usd))?,
        int64s(each().map(|s| s.duration_ms)),
        Arc::new(Int64Array::from_iter(each().map(|s| s.model_ms))),
    ])
}

/// The column `state` of the steps.
fn states(steps: &[&RowStep]) -> ArrayResult {
    let cwd = texts(steps.iter().map(|s| s.state.cwd.as_str()));
    let files = text_lists(steps.iter().map(|s| s.state.files.as_slice()))?;
    record(state_fields(), vec![cwd, files])
}

/// The column `action` of the steps.
fn actions(steps: &[&RowStep]) -> ArrayResult {
    let columns = vec![
        texts(steps.iter().map(|s| s.action.kind.as_str())),
        texts(steps.iter().map(|s| s.action.tool.as_str())),
        texts(steps.iter().map(|s| s.action.arguments.as_str())),
    ];
    record(action_fields(), columns)
}

/// The column `verification`, with a list of checks for each row.
fn verifications<'a>(verdicts: impl Iterator<Item = &'a RowVerification> + Clone) -> ArrayResult {
    let checks: Vec<&RowCheck> = verdicts.clone().flat_map(|v| &v.checks).collect();
    let columns = vec![
        texts(checks.iter().map(|c| c.name.as_str())),
        float64s(checks.iter().map(|c| c.weight)),
        booleans(checks.iter().map(|c| c.passed)),
    ];
    let items = record(check_fields(), columns)?;
    let lengths = verdicts.clone().map(|v| v.checks.len());
    let columns = vec![
        float64s(verdicts.clone().map(|v| v.score)),
        booleans(verdicts.map(|v| v.passed)),
        list(DataType::Struct(check_fields()), lengths, items)?,
    ];
    record(verification_fields(), columns)
}

/// The column `pass_rate`. A row without a rate is null, and its inner values are zero.
fn pass_rates(rates: impl Iterator<Item = Option<PassRate>> + Clone) -> ArrayResult {
    let each =
        |field: fn(PassRate) -> i32| int32s(rates.clone().map(move |rate| rate.map_or(0, field)));
    let bound = |field: fn(PassRate) -> f64| {
        float64s(rates.clone().map(move |rate| rate.map_or(0.0, field)))
    };
    // The order is that of the fields in `schema::pass_rate_fields`. Arrow needs a value also where
    // the struct is null; no reader sees it.
    let columns = vec![each(|r| r.tries), each(|r| r.solved), bound(|r| r.low), bound(|r| r.high)];
    let known = NullBuffer::from_iter(rates.clone().map(|rate| rate.is_some()));
    Ok(Arc::new(StructArray::try_new(pass_rate_fields(), columns, Some(known))?))
}

/// A column of lists of texts.
fn text_lists<'a>(lists: impl Iterator<Item = &'a [String]> + Clone) -> ArrayResult {
    let items = texts(lists.clone().flatten().map(String::as_str));
    list(DataType::Utf8, lists.map(<[String]>::len), items)
}

/// A list column from the lengths of the lists and from all their items in one array.
fn list(item: DataType, lengths: impl Iterator<Item = usize>, items: ArrayRef) -> ArrayResult {
    let offsets = OffsetBuffer::from_lengths(lengths);
    Ok(Arc::new(ListArray::try_new(element(item), offsets, items, None)?))
}

/// A struct column from the columns of its fields. No value is null.
fn record(fields: Fields, columns: Vec<ArrayRef>) -> ArrayResult {
    Ok(Arc::new(StructArray::try_new(fields, columns, None)?))
}

/// A text column without nulls.
fn texts<'a>(values: impl Iterator<Item = &'a str>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

/// A text column in which None is null.
fn maybe_texts<'a>(values: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(StringArray::from_iter(values))
}

fn int32s(values: impl Iterator<Item = i32>) -> ArrayRef {
    Arc::new(Int32Array::from_iter_values(values))
}

fn int64s(values: impl Iterator<Item = i64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values))
}

fn float64s(values: impl Iterator<Item = f64>) -> ArrayRef {
    Arc::new(Float64Array::from_iter_values(values))
}

fn booleans(values: impl Iterator<Item = bool>) -> ArrayRef {
    Arc::new(BooleanArray::from_iter(values.map(Some)))
}

/// A money column: nano-dollars as a decimal with nine digits after the point.
fn moneys(amounts: impl Iterator<Item = Money>) -> ArrayResult {
    // Every amount of nano-dollars has 20 digits at most, so it fits into the 38 digits of the
    // type.
    let nanos = amounts.map(|m| i128::from(m.nanos()));
    let array = Decimal128Array::from_iter_values(nanos);
    Ok(Arc::new(array.with_precision_and_scale(MONEY_PRECISION, MONEY_SCALE)?))
}
