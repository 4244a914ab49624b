//! The quality stages over one completion, and the labels that every completion has.

use crate::model::{CompletionRow, QualityPolicy, StageAction};
use crate::quality::{RowStage, StageRule};

/// Every label that a completion can have, with its meaning. A label that is named for a stage is
/// there only if the campaign sets this stage to `label`.
pub const COMPLETION_LABELS: [(&str, &str); 9] = [
    ("finish:stop", "the model ended its answer by itself"),
    ("finish:tool_calls", "the model called a tool, though none was offered"),
    ("finish:length", "the answer was cut by its output cap"),
    ("finish:refusal", "the model or its provider declined to answer"),
    ("fallback", "another model than the planned one has answered"),
    ("format", "the answer has no text (stage `format`)"),
    ("truncation", "the answer was cut by its output cap (stage `truncation`)"),
    ("refusal", "the model or its provider declined to answer (stage `refusal`)"),
    (
        "duplicate",
        "the same prompt, number of the sample, reasoning and answer as an earlier row (stage \
         `duplicates`)",
    ),
];

/// The stages in their order.
pub(super) fn stages() -> [RowStage<CompletionRow>; 3] {
    [
        stage("format", |policy| policy.format, empty),
        stage("truncation", |policy| policy.truncation, cut),
        stage("refusal", |policy| policy.refusal, declined),
    ]
}

/// The first version of a stage.
fn stage(
    name: &'static str,
    action: fn(&QualityPolicy) -> StageAction,
    find: fn(&CompletionRow) -> Option<String>,
) -> RowStage<CompletionRow> {
    RowStage { rule: StageRule::new(name, 1, action), find }
}

/// The labels that do not come from a stage.
pub(super) fn plain_labels(row: &CompletionRow, is_fallback: bool) -> Vec<String> {
    let finish = format!("finish:{}", row.finish_reason);
    [Some(finish), is_fallback.then(|| "fallback".to_owned())].into_iter().flatten().collect()
}

/// Stage `format`: there is no text to train on.
fn empty(row: &CompletionRow) -> Option<String> {
    row.response.trim().is_empty().then(|| "the answer has no text".to_owned())
}

/// Stage `truncation`: the output cap cut the answer.
fn cut(row: &CompletionRow) -> Option<String> {
    (row.finish_reason == "length").then(|| "the answer was cut by its output cap".to_owned())
}

/// Stage `refusal`: the model declined.
fn declined(row: &CompletionRow) -> Option<String> {
    (row.finish_reason == "refusal").then(|| "the model declined to answer".to_owned())
}
