//! The formats of exports.

use super::left_reason::{ExportedRow, LeftReason, LostParts};
use super::whole_row::WholeRow;
use super::{atif, chat_formats, hub_trace, otel, share_gpt, step_lines, task_prompt, trl};
use synthd_actors::model::{DatasetRow, DatasetSplit};

/// A form in which a trainer reads rows. `docs/exports.md` says what each keeps and loses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFormat {
    /// The rows as they are.
    Jsonl,
    TrlSft,
    TrlPromptCompletion,
    TrlPreference,
    TrlKto,
    OpenaiFt,
    ShareGpt,
    Axolotl,
    LlamaFactory,
    VerlSft,
    OpenRlhf,
    PrimeRlSft,
    VerlRl,
    SkyRl,
    PrimeRl,
    OpenRlhfRl,
    TrlStepwise,
    StepReward,
    RewardModel,
    BestOfN,
    Atif,
    HubTraces,
    OtelSpans,
}

/// Makes the line of a row.
#[derive(Clone, Copy)]
pub(super) enum RowConverter {
    /// Of the row alone.
    Row(fn(&DatasetRow) -> Result<ExportedRow, LeftReason>),
    /// Of the row and its place in the export.
    Placed(fn(&DatasetRow, LinePlace) -> Result<ExportedRow, LeftReason>),
}

/// Where a line would stand.
#[derive(Clone, Copy)]
pub(super) struct LinePlace {
    pub(super) split: DatasetSplit,
    /// The number of the line in its split, from 0.
    pub(super) index: u64,
}

impl RowConverter {
    /// The line of a row at this place.
    pub(super) fn convert(
        self,
        row: &DatasetRow,
        place: LinePlace,
    ) -> Result<ExportedRow, LeftReason> {
        match self {
            Self::Row(convert) => convert(row),
            Self::Placed(convert) => convert(row, place),
        }
    }
}

impl ExportFormat {
    /// Every format.
    pub const ALL: [Self; 23] = [
        Self::Jsonl,
        Self::TrlSft,
        Self::TrlPromptCompletion,
        Self::TrlPreference,
        Self::TrlKto,
        Self::OpenaiFt,
        Self::ShareGpt,
        Self::Axolotl,
        Self::LlamaFactory,
        Self::VerlSft,
        Self::OpenRlhf,
        Self::PrimeRlSft,
        Self::VerlRl,
        Self::SkyRl,
        Self::PrimeRl,
        Self::OpenRlhfRl,
        Self::TrlStepwise,
        Self::StepReward,
        Self::RewardModel,
        Self::BestOfN,
        Self::Atif,
        Self::HubTraces,
        Self::OtelSpans,
    ];

    /// The word on the command line and in names of directories.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::TrlSft => "trl-sft",
            Self::TrlPromptCompletion => "trl-prompt-completion",
            Self::TrlPreference => "trl-preference",
            Self::TrlKto => "trl-kto",
            Self::OpenaiFt => "openai-ft",
            Self::ShareGpt => "sharegpt",
            Self::Axolotl => "axolotl",
            Self::LlamaFactory => "llama-factory",
            Self::VerlSft => "verl-sft",
            Self::OpenRlhf => "openrlhf",
            Self::PrimeRlSft => "prime-rl-sft",
            Self::VerlRl => "verl-rl",
            Self::SkyRl => "skyrl",
            Self::PrimeRl => "prime-rl",
            Self::OpenRlhfRl => "openrlhf-rl",
            Self::TrlStepwise => "trl-stepwise",
            Self::StepReward => "step-reward",
            Self::RewardModel => "reward-model",
            Self::BestOfN => "best-of-n",
            Self::Atif => "atif",
            Self::HubTraces => "hf-traces",
            Self::OtelSpans => "otel",
        }
    }

    /// Another word for the same format.
    pub fn alias(self) -> Option<&'static str> {
        (self == Self::PrimeRl).then_some("verifiers")
    }

    /// How a line is made of a row. None if a line is made of several rows.
    pub(super) fn converter(self) -> Option<RowConverter> {
        use RowConverter::{Placed, Row};
        match self {
            Self::TrlPreference | Self::RewardModel | Self::BestOfN => None,
            Self::Jsonl => Some(Row(plain)),
            Self::TrlSft => Some(Row(trl::sft)),
            Self::TrlPromptCompletion => Some(Row(trl::prompt_completion)),
            Self::TrlKto => Some(Row(trl::kto)),
            Self::OpenaiFt => Some(Row(chat_formats::openai)),
            Self::ShareGpt => Some(Row(share_gpt::share_gpt)),
            Self::Axolotl => Some(Row(chat_formats::axolotl)),
            Self::LlamaFactory => Some(Row(share_gpt::llama_factory)),
            Self::VerlSft => Some(Row(chat_formats::verl)),
            Self::OpenRlhf => Some(Row(chat_formats::open_rlhf)),
            Self::PrimeRlSft => Some(Row(chat_formats::prime_rl)),
            Self::VerlRl => Some(Placed(task_prompt::verl)),
            Self::SkyRl => Some(Placed(task_prompt::sky_rl)),
            Self::PrimeRl => Some(Placed(task_prompt::prime_rl)),
            Self::OpenRlhfRl => Some(Placed(task_prompt::open_rlhf)),
            Self::TrlStepwise => Some(Row(step_lines::stepwise)),
            Self::StepReward => Some(Row(step_lines::step_reward)),
            Self::Atif => Some(Row(atif::atif)),
            Self::HubTraces => Some(Row(hub_trace::hub_trace)),
            Self::OtelSpans => Some(Row(otel::spans)),
        }
    }

    /// Whether a line is made of two rows of the same task.
    pub fn has_pairs(self) -> bool {
        matches!(self, Self::TrlPreference | Self::RewardModel)
    }

    /// Whether a line is made of several rows of the same task.
    pub fn has_groups(self) -> bool {
        self.converter().is_none()
    }
}

/// The row as it is.
fn plain(row: &DatasetRow) -> Result<ExportedRow, LeftReason> {
    let whole = WholeRow::of(row).map_err(|_| LeftReason::NoJson)?;
    ExportedRow::of(&whole, LostParts::new())
}
