//! What a quality stage found in a row. Findings stand beside rows and never in them.

use serde::{Deserialize, Serialize};

/// One finding of one stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageFinding {
    /// The name of the stage, such as `loops`.
    pub stage: String,
    /// The version of the stage that found it.
    pub version: u32,
    /// What the stage found, for people.
    pub detail: String,
}
