//! Texts of a campaign's own around its tasks.

use serde::{Deserialize, Serialize};

/// The texts for one scaffold; what is none is the scaffold's own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PromptOverrides {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instruction: Option<String>,
}
