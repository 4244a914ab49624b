//! What a recipe says: where rows come from, and the stages in their order.

use super::stages::StageSettings;
use crate::model::{CampaignName, digest_of};
use serde::{Deserialize, Serialize};

/// What a dataset is made of, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// The name of the dataset.
    pub name: CampaignName,
    /// What is drawn, is drawn from it; replaced values get their names from it.
    pub seed: u64,
    pub licence: String,
    pub sources: Vec<RecipeSource>,
    pub stages: Vec<RecipeStage>,
}

/// A campaign whose rows are taken.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RecipeSource {
    pub campaign: CampaignName,
    /// The data directory as the recipe names it. None: the one of the command.
    pub data_dir: Option<String>,
}

/// A stage with what is done about its findings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecipeStage {
    pub action: CurationAction,
    pub settings: StageSettings,
}

/// What is done about a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CurationAction {
    /// The row is left out, and later stages do not see it.
    Reject,
    /// The row gets a label.
    Label,
    /// The found passages are replaced. Only stages that find passages can do so.
    Replace,
    /// The finding is only kept beside the row, with its score.
    Score,
}

impl CurationAction {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reject => "reject",
            Self::Label => "label",
            Self::Replace => "replace",
            Self::Score => "score",
        }
    }
}

impl Recipe {
    /// A digest of everything that changes what the dataset says. Where a data directory lies does
    /// not.
    pub fn digest(&self) -> String {
        let campaigns: Vec<&str> =
            self.sources.iter().map(|source| source.campaign.as_str()).collect();
        let stages = serde_json::to_string(&self.stages).unwrap_or_default();
        let campaigns = campaigns.join("\n");
        digest_of(&["recipe", &self.seed.to_string(), &self.licence, &campaigns, &stages])
    }
}
