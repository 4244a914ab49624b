//! The words for settings that some format has no field for.

use synthd_actors::model::{RequestSettings, ToolChoice};

/// A way to end an answer.
pub(in crate::formats) const STOP: &str = "sequences that end an answer (`stop`, `stop_sequences`)";
/// Who asks.
pub(in crate::formats) const END_USER: &str =
    "the user of a request (`user`, `safety_identifier`, `metadata`)";
/// Which tool is to be called.
pub(in crate::formats) const TOOL_CHOICE: &str = "the choice of a tool (`tool_choice`)";
/// Formats allow several tool calls at once anyway. Only the opposite cannot be expressed.
pub(in crate::formats) const ONE_CALL: &str =
    "one tool call at a time (`parallel_tool_calls`, `disable_parallel_tool_use`)";

/// The first of these settings that is set.
pub(in crate::formats) fn first_of(unsaid: &[(bool, &'static str)]) -> Option<&'static str> {
    unsaid.iter().find(|(is_set, _)| *is_set).map(|(_, setting)| *setting)
}

/// Whether the model is not free to choose among its tools.
pub(in crate::formats) fn chooses(settings: &RequestSettings) -> bool {
    settings.tool_choice.as_ref().is_some_and(|choice| *choice != ToolChoice::Auto)
}
