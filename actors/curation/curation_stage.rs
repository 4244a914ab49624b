//! What a stage is: a finder, and what is done about its findings. There are three sorts of finders,
//! by what they must see.

use super::recipe::{CurationAction, RecipeStage};
use super::row_note::StageRemark;
use super::row_text::TextSource;
use super::stages::StageSettings;
use crate::model::{RowRecord, digest_of};
use crate::rubric::RubricInputs;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// Looks at one row and remembers nothing. The same row always gives the same remarks.
pub trait RowFinder: Send + Sync {
    fn find(&self, record: &RowRecord) -> Vec<StageRemark>;
}

/// Looks at one text of a row and remembers nothing.
pub trait TextFinder: Send + Sync {
    /// The passages that it finds, in their order. They do not overlap.
    fn find(&self, text: &str, source: TextSource) -> Vec<TextMatch>;
}

/// A passage of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextMatch {
    /// The bytes of the passage, at boundaries of characters.
    pub at: Range<usize>,
    /// What it is, in one word with hyphens, such as `aws-access-key`.
    pub what: &'static str,
}

/// What a stage says of rows, by their ordinals.
pub type WholeRemarks = BTreeMap<u64, Vec<StageRemark>>;

/// Looks at all rows that are left. It sees each once, in the order of their ordinals, and decides
/// when it has seen the last one.
pub trait WholeFinder: Send {
    fn observe(&mut self, record: &RowRecord);
    fn decide(&mut self) -> WholeRemarks;
}

/// What a stage looks at.
pub enum StageFinder {
    Row(Box<dyn RowFinder>),
    Text(Box<dyn TextFinder>),
    Whole(Box<dyn WholeFinder>),
}

/// What stages need besides their settings. The domain reads no files.
#[derive(Clone, Debug, Default)]
pub struct StageInputs {
    /// The recipe's seed.
    pub seed: u64,
    /// The files that the stages name ([`StageSettings::files`]), by the path in the recipe.
    pub files: BTreeMap<String, Arc<str>>,
    /// The rubrics of stages with judges, each with the answers that are stored for it.
    pub rubrics: BTreeMap<String, Arc<RubricInputs>>,
}

impl StageInputs {
    /// The text of a file that a stage names; empty if it was not read.
    pub fn file(&self, path: &str) -> Arc<str> {
        self.files.get(path).cloned().unwrap_or_default()
    }

    /// A rubric with its answers; one without criteria if it was not read.
    pub fn rubric(&self, name: &str) -> Arc<RubricInputs> {
        self.rubrics.get(name).cloned().unwrap_or_default()
    }

    fn digest(&self, path: &str) -> String {
        digest_of(&[&self.file(path)])
    }

    /// What the settings name besides files: a rubric, and what was answered by it.
    fn digest_of_answers(&self, settings: &StageSettings) -> Option<String> {
        let StageSettings::Judge { rubric, .. } = settings else { return None };
        let known = self.rubric(rubric);
        Some(digest_of(&["answers", &known.rubric.digest(), known.answers.digest()]))
    }
}

/// A stage of a recipe, ready to run.
pub struct CurationStage {
    /// The kind, such as `secrets`.
    pub kind: &'static str,
    /// Raised whenever the stage may say something else of the same row.
    pub version: u32,
    /// The label of a row with a finding.
    pub label: String,
    pub action: CurationAction,
    /// The digest of kind, version and settings.
    pub key: String,
    pub finder: StageFinder,
}

impl CurationStage {
    /// The stage that a recipe asks for.
    pub fn of(stage: &RecipeStage, inputs: &StageInputs) -> Self {
        let settings = &stage.settings;
        let (kind, version) = (settings.kind(), settings.version());
        let said = serde_json::to_string(settings).unwrap_or_default();
        let files = settings.files().into_iter().map(|path| inputs.digest(path));
        let files = files.chain(inputs.digest_of_answers(settings));
        let files = files.collect::<Vec<_>>().join("\n");
        let key = digest_of(&["stage", kind, &version.to_string(), &said, &files]);
        let finder = settings.finder(inputs);
        Self { kind, version, label: settings.label(), action: stage.action, key, finder }
    }

    /// Whether it changes rows.
    pub fn replaces(&self) -> bool {
        self.action == CurationAction::Replace
    }
}
