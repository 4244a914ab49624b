//! What a recipe made of its rows, as metadata and card of a version tell it.

use serde::{Deserialize, Serialize};

/// What a recipe did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CurationReport {
    /// The text of the recipe.
    pub recipe: String,
    pub sources: Vec<CurationSource>,
    /// The stages in their order.
    pub stages: Vec<CuratedStage>,
}

/// Where rows came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CurationSource {
    pub campaign: String,
    /// The digest of what decides the campaign's tasks and calls.
    pub identity: String,
    pub rows: u64,
}

/// What one stage did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CuratedStage {
    pub kind: String,
    pub version: u32,
    pub action: String,
    /// The settings, as JSON.
    pub settings: serde_json::Value,
    /// The rows that it was shown.
    pub seen: u64,
    /// Those with a finding.
    pub found: u64,
    /// Passages that it replaced.
    pub replaced: u64,
    /// The first findings.
    pub examples: Vec<StageExample>,
}

/// A finding for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageExample {
    pub row: String,
    pub detail: String,
}
