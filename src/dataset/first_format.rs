//! Rows of the first format, `synthd.trajectory/1`, as old versions on the disk contain them. They
//! are read, never written. This file is frozen: it says how such files look, and which text their
//! digest is made of.

use super::schema::{element, money_type};
use arrow::datatypes::{DataType, Field, Fields, Schema};
use serde::ser::{Serialize, SerializeStruct, Serializer};
use synthd_actors::model::{RowStep, TrajectoryRow};

/// The name of the first format.
pub(super) const FIRST_FORMAT: &str = "synthd.trajectory/1";

/// The Arrow schema of a file of the first format.
pub(super) fn first_schema() -> Schema {
    Schema::new(vec![
        text("schema_version"),
        text("trajectory_id"),
        text("campaign"),
        text("task_id"),
        text("template"),
        int64("task_seed"),
        text("task_instruction"),
        text("category"),
        text("difficulty"),
        text("llm_model"),
        text("llm_provider"),
        text("scaffold"),
        record("sandbox", sandbox_fields()),
        list("trajectory", DataType::Struct(step_fields())),
        text("final_result"),
        float64("total_reward"),
        record("verification", verification_fields()),
        list("labels", DataType::Utf8),
        float64("execution_time_seconds"),
        int64("total_tokens"),
        money("cost_usd"),
        int32("attempt"),
        text("canary"),
        text("created_at"),
    ])
}

/// The fields of a step. No count of tokens is nullable, and there is no `model_ms`.
fn step_fields() -> Fields {
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
        int64("input_tokens"),
        int64("output_tokens"),
        money("cost_usd"),
        int64("duration_ms"),
    ])
}

/// The fields of the column `verification`.
fn verification_fields() -> Fields {
    let checks =
        Field::new("checks", DataType::List(element(DataType::Struct(check_fields()))), false);
    Fields::from(vec![float64("score"), boolean("passed"), checks])
}

/// The fields of the column `sandbox`.
fn sandbox_fields() -> Fields {
    ["backend", "root", "kernel", "shell", "enforced"].into_iter().map(text).collect()
}

/// The fields of a step's `state`.
fn state_fields() -> Fields {
    Fields::from(vec![text("cwd"), list("files", DataType::Utf8)])
}

/// The fields of a step's `action`.
fn action_fields() -> Fields {
    ["type", "tool", "arguments"].into_iter().map(text).collect()
}

/// The fields of an item of `verification.checks`.
fn check_fields() -> Fields {
    Fields::from(vec![text("name"), float64("weight"), boolean("passed")])
}

/// A field with text that is never null.
fn text(name: &str) -> Field {
    Field::new(name, DataType::Utf8, false)
}

/// A number field that is never null, like the next functions.
fn int32(name: &str) -> Field {
    Field::new(name, DataType::Int32, false)
}

fn int64(name: &str) -> Field {
    Field::new(name, DataType::Int64, false)
}

fn float64(name: &str) -> Field {
    Field::new(name, DataType::Float64, false)
}

fn boolean(name: &str) -> Field {
    Field::new(name, DataType::Boolean, false)
}

/// A field with an amount of money that is never null.
fn money(name: &str) -> Field {
    Field::new(name, money_type(), false)
}

/// A field with a struct that is never null.
fn record(name: &str, fields: Fields) -> Field {
    Field::new(name, DataType::Struct(fields), false)
}

/// A field with a list that is never null. It may be empty.
fn list(name: &str, item: DataType) -> Field {
    Field::new(name, DataType::List(element(item)), false)
}

/// Writes a row with the fields of the first format only, for the digest.
pub(super) struct FirstFormatRow<'a>(pub(super) &'a TrajectoryRow);

/// Writes a step with the fields of the first format only.
struct FirstFormatStep<'a>(&'a RowStep);

/// Writes fields under their own names, in this order.
macro_rules! write_fields {
    ($struct:ident, $of:expr, $($field:ident),+) => {
        $($struct.serialize_field(stringify!($field), &$of.$field)?;)+
    };
}

impl Serialize for FirstFormatRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let row = self.0;
        let steps: Vec<FirstFormatStep<'_>> = row.trajectory.iter().map(FirstFormatStep).collect();
        let mut fields = serializer.serialize_struct("TrajectoryRow", 24)?;
        write_fields!(fields, row, schema_version, trajectory_id, campaign, task_id, template);
        write_fields!(fields, row, task_seed, task_instruction, category, difficulty, llm_model);
        write_fields!(fields, row, llm_provider, scaffold, sandbox);
        fields.serialize_field("trajectory", &steps)?;
        write_fields!(fields, row, final_result, total_reward, verification, labels);
        write_fields!(fields, row, execution_time_seconds, total_tokens, cost_usd, attempt);
        write_fields!(fields, row, canary, created_at);
        fields.end()
    }
}

impl Serialize for FirstFormatStep<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let step = self.0;
        let mut fields = serializer.serialize_struct("RowStep", 15)?;
        write_fields!(fields, step, step, state, action, observation, reward, reasoning);
        write_fields!(fields, step, return_to_go, done, error, exit_code, truncated);
        write_fields!(fields, step, input_tokens, output_tokens, cost_usd, duration_ms);
        fields.end()
    }
}
