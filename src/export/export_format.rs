//! The formats of exports.

use super::left_reason::{ExportedRow, LeftReason, LostParts};
use super::{chat_formats, share_gpt, trl};
use synthd_actors::model::DatasetRow;

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
}

/// Makes the line of a row.
pub(super) type RowConverter = fn(&DatasetRow) -> Result<ExportedRow, LeftReason>;

impl ExportFormat {
    /// Every format.
    pub const ALL: [Self; 11] = [
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
        }
    }

    /// How a line is made of a row. None if a line is made of two rows.
    pub(super) fn converter(self) -> Option<RowConverter> {
        match self {
            Self::Jsonl => Some(plain),
            Self::TrlSft => Some(trl::sft),
            Self::TrlPromptCompletion => Some(trl::prompt_completion),
            Self::TrlPreference => None,
            Self::TrlKto => Some(trl::kto),
            Self::OpenaiFt => Some(chat_formats::openai),
            Self::ShareGpt => Some(share_gpt::share_gpt),
            Self::Axolotl => Some(chat_formats::axolotl),
            Self::LlamaFactory => Some(share_gpt::llama_factory),
            Self::VerlSft => Some(chat_formats::verl),
            Self::OpenRlhf => Some(chat_formats::open_rlhf),
        }
    }

    /// Whether the format is of rows with others of the same task.
    pub fn has_pairs(self) -> bool {
        self.converter().is_none()
    }
}

/// The row as it is.
fn plain(row: &DatasetRow) -> Result<ExportedRow, LeftReason> {
    ExportedRow::of(row, LostParts::new())
}
