//! The Arrow schema of a row, format `synthd.trajectory/2`, and the words that describe its
//! columns.
//!
//! Only plain types are used, so that every reader sees the same table: no dictionaries, no large
//! strings, no extension types. Money is `decimal128(38, 9)`: its nine decimals are exactly the
//! nano-dollars of the ledger. Values without a fixed shape (`arguments`, `enforced`) are JSON
//! text. The item of each list has the name `element`, as the Parquet specification says. A column
//! is nullable only if its value may really be absent.

use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema, SchemaRef};
use std::sync::Arc;

/// Decimal digits of a money column.
pub(super) const MONEY_PRECISION: u8 = 38;
/// How many of the digits follow the point.
pub(super) const MONEY_SCALE: i8 = 9;

/// A column that the first files of this format do not have.
const TEMPLATE_DIGEST: &str = "template_digest";

/// Each column with its meaning, in the order of the schema. The dataset card prints this table.
pub(super) const COLUMNS: [(&str, &str); 29] = [
    ("schema_version", "version of this row format, `synthd.trajectory/2`"),
    ("trajectory_id", "unique in the dataset; the episode's id"),
    ("campaign", "the campaign that made the row"),
    ("task_id", "template and digest of the task's bytes; never in two splits"),
    ("template", "the template the task was generated from"),
    (
        "template_digest",
        "digest of the template's own files: its edition; null where no record says",
    ),
    ("task_seed", "seed the task's parameters were drawn from"),
    ("task_instruction", "what the agent was asked to do"),
    ("category", "kind of work"),
    ("difficulty", "`easy`, `medium` or `hard`, as the template's author judged it"),
    (
        "llm_model",
        "the model that acted; the last of several where the label `mixed-models` says so",
    ),
    ("llm_provider", "who served the model; `scripted` means no model at all"),
    ("scaffold", "the protocol between model and sandbox"),
    ("sampling", "how the model was asked: a JSON object; null where no record says"),
    ("prompt_digest", "digest of the prompts and tools around the task; null where no record says"),
    ("sample", "which of the task's samples by this model and scaffold, from 0"),
    ("sandbox", "where it ran; `enforced` is a JSON object: limit to what enforced it"),
    ("trajectory", "the steps in order; see below"),
    ("final_result", "`resolved`, `unresolved` or `flaky`"),
    ("total_reward", "sum of the steps' rewards"),
    ("verification", "score, verdict and single checks of the sealed verification"),
    (
        "pass_rate",
        "of the task by this model and scaffold: samples tried and solved, and the 95 % Wilson \
         interval; null while unknown",
    ),
    ("labels", "what the quality stages noted"),
    (
        "execution_time_seconds",
        "seconds, the sum of `duration_ms` and `model_ms` of all steps: the model's answers, also tries \
         that failed, and the actions. Setup, checks and waiting do not count",
    ),
    ("total_tokens", "tokens in and out; null where a step's are null"),
    ("cost_usd", "exact decimal dollars"),
    ("attempt", "which attempt at the episode this is"),
    ("canary", "unique string that stands in the task; see Canary"),
    ("created_at", "RFC 3339, UTC"),
];

/// Each field of a step with its meaning, in the order of the schema.
pub(super) const STEP_FIELDS: [(&str, &str); 16] = [
    ("step", "index, without gaps"),
    ("state", "working directory and workspace files before the action"),
    ("action", "`type`, `tool`, and `arguments` as a JSON object in text"),
    ("observation", "what the agent was shown"),
    ("reward", "change of the milestone potential; the last step adds the final score"),
    ("reasoning", "what the model said beside its action"),
    ("return_to_go", "this reward and all that follow"),
    ("done", "true for the last step only"),
    (
        "error",
        "what went wrong: an unreadable reply, a refusal, a command that could not be started or \
         was killed; null otherwise, whatever the exit code",
    ),
    ("exit_code", "of the command, or null where none ran"),
    ("truncated", "whether the observation was cut"),
    ("input_tokens", "of the call that chose the action; null where the provider did not count"),
    ("output_tokens", "of the call that chose the action; null where the provider did not count"),
    ("cost_usd", "of the call, exact decimal dollars"),
    ("duration_ms", "of the action alone; of model and action where `model_ms` is null"),
    (
        "model_ms",
        "of the model's answer, retries included; null where an older engine recorded the step",
    ),
];

/// Columns, by their Parquet paths, whose texts hardly ever repeat as a whole. They have no
/// dictionary, because it would cost time and space and save nothing.
pub(super) const LONG_TEXT: [&str; 5] = [
    "task_instruction",
    "trajectory.list.element.observation",
    "trajectory.list.element.reasoning",
    "trajectory.list.element.action.arguments",
    "trajectory.list.element.state.files.list.element",
];

/// Columns that are nullable now and were not in the first files of this format.
const COUNTS: [&str; 3] = ["total_tokens", "input_tokens", "output_tokens"];

/// The present schema, but with every count of tokens a number. The first files of this format have
/// this schema without `template_digest`.
pub(super) fn counted_schema() -> Schema {
    let fields = row_schema().fields().iter().map(counted).collect::<Fields>();
    Schema::new(fields)
}

/// A field with the nullability that it had in these files. The same is done with its inner fields.
fn counted(field: &FieldRef) -> FieldRef {
    let kind = match field.data_type() {
        DataType::List(item) => DataType::List(counted(item)),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(counted).collect()),
        other => other.clone(),
    };
    let nullable = field.is_nullable() && !COUNTS.contains(&field.name().as_str());
    Arc::new(Field::new(field.name(), kind, nullable))
}

/// The schema of a row.
pub fn row_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        text("schema_version"),
        text("trajectory_id"),
        text("campaign"),
        text("task_id"),
        text("template"),
        Field::new(TEMPLATE_DIGEST, DataType::Utf8, true),
        int64("task_seed"),
        text("task_instruction"),
        text("category"),
        text("difficulty"),
        text("llm_model"),
        text("llm_provider"),
        text("scaffold"),
        Field::new("sampling", DataType::Utf8, true),
        Field::new("prompt_digest", DataType::Utf8, true),
        int32("sample"),
        record("sandbox", sandbox_fields()),
        list("trajectory", DataType::Struct(step_fields())),
        text("final_result"),
        float64("total_reward"),
        record("verification", verification_fields()),
        Field::new("pass_rate", DataType::Struct(pass_rate_fields()), true),
        list("labels", DataType::Utf8),
        float64("execution_time_seconds"),
        Field::new("total_tokens", DataType::Int64, true),
        money("cost_usd"),
        int32("attempt"),
        text("canary"),
        text("created_at"),
    ]))
}

/// A schema without the column `template_digest`, which the first files of this format do not have.
pub(super) fn without_template_digest(schema: &Schema) -> Schema {
    let kept = schema.fields().iter().filter(|field| field.name() != TEMPLATE_DIGEST);
    Schema::new(kept.cloned().collect::<Vec<_>>())
}

/// The fields of the column `sandbox`.
pub(super) fn sandbox_fields() -> Fields {
    ["backend", "root", "kernel", "shell", "enforced"].into_iter().map(text).collect()
}

/// The fields of an item of `trajectory`.
pub(super) fn step_fields() -> Fields {
    Fields::from(vec![
        int32("step"),
        record("state", state_fields()),
        record("action", action_fields()),
        text("observation"),
        float64("reward"),
        text("reasoning"),
        float64("return_to_go"),
        boolean("done"),
        Field::new("error", DataType::Utf8, true),
        Field::new("exit_code", DataType::Int32, true),
        boolean("truncated"),
        Field::new("input_tokens", DataType::Int64, true),
        Field::new("output_tokens", DataType::Int64, true),
        money("cost_usd"),
        int64("duration_ms"),
        Field::new("model_ms", DataType::Int64, true),
    ])
}

/// The fields of a step's `state`.
pub(super) fn state_fields() -> Fields {
    Fields::from(vec![text("cwd"), list("files", DataType::Utf8)])
}

/// The fields of a step's `action`.
pub(super) fn action_fields() -> Fields {
    ["type", "tool", "arguments"].into_iter().map(text).collect()
}

/// The fields of the column `verification`.
pub(super) fn verification_fields() -> Fields {
    Fields::from(vec![
        float64("score"),
        boolean("passed"),
        list("checks", DataType::Struct(check_fields())),
    ])
}

/// The fields of the column `pass_rate`.
pub(super) fn pass_rate_fields() -> Fields {
    Fields::from(vec![int32("tries"), int32("solved"), float64("low"), float64("high")])
}

/// The fields of an item of `verification.checks`.
pub(super) fn check_fields() -> Fields {
    Fields::from(vec![text("name"), float64("weight"), boolean("passed")])
}

/// The item of a list. It is never null.
pub(super) fn element(item: DataType) -> FieldRef {
    Arc::new(Field::new("element", item, false))
}

/// The type of a money column.
pub(super) fn money_type() -> DataType {
    DataType::Decimal128(MONEY_PRECISION, MONEY_SCALE)
}

/// A field with text that is never null.
pub(super) fn text(name: &str) -> Field {
    Field::new(name, DataType::Utf8, false)
}

/// A number field that is never null, like the next functions.
pub(super) fn int32(name: &str) -> Field {
    Field::new(name, DataType::Int32, false)
}

pub(super) fn int64(name: &str) -> Field {
    Field::new(name, DataType::Int64, false)
}

pub(super) fn float64(name: &str) -> Field {
    Field::new(name, DataType::Float64, false)
}

pub(super) fn boolean(name: &str) -> Field {
    Field::new(name, DataType::Boolean, false)
}

/// A field with an amount of money that is never null.
pub(super) fn money(name: &str) -> Field {
    Field::new(name, money_type(), false)
}

/// A field with a struct that is never null.
pub(super) fn record(name: &str, fields: Fields) -> Field {
    Field::new(name, DataType::Struct(fields), false)
}

/// A field with a list that is never null. It may be empty.
pub(super) fn list(name: &str, item: DataType) -> Field {
    Field::new(name, DataType::List(element(item)), false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_and_step_field_is_described_in_order() {
        let schema = row_schema();
        let names: Vec<_> = schema.fields().iter().map(|f| f.name().as_str()).collect();
        assert_eq!(names, COLUMNS.map(|(name, _)| name));
        let fields = step_fields();
        let names: Vec<_> = fields.iter().map(|f| f.name().as_str()).collect();
        assert_eq!(names, STEP_FIELDS.map(|(name, _)| name));
    }

    #[test]
    fn columns_are_the_rows_own_fields_in_their_order() {
        let row = crate::dataset::fixture::row(0);
        let text = serde_json::to_string(&row).unwrap();
        let mut from = 0;
        for (name, _) in COLUMNS {
            let key = format!("\"{name}\":");
            let at = text[from..].find(&key).unwrap_or_else(|| panic!("{name} out of order"));
            from += at + key.len();
        }
    }
}
