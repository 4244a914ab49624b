//! Rows of the first format, `synthd.trajectory/1`, as old versions on the disk contain them. They
//! are read, never written. This file is frozen: it says how such files look, and which text their
//! digest is made of.

use super::schema::{
    action_fields, boolean, check_fields, element, float64, int32, int64, list, money, record,
    sandbox_fields, state_fields, text,
};
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
