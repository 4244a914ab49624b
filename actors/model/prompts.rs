//! Prompt texts of a campaign that replace those of a scaffold.

use serde::{Deserialize, Serialize};

/// The texts for one scaffold. A text that is none is the scaffold's own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PromptOverrides {
    /// The system message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// The user message that presents the task. It may contain variables such as `{{ instruction
    /// }}`, which stands for the instruction of the task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instruction: Option<String>,
}
