//! `[completions]`: the prompts of a campaign of completions, and how they are asked.

use crate::config::campaign::raw::{MOST_SAMPLES, RawList};
use crate::config::campaign::whole_paths;
use crate::config::reading::reader::RawField;
use crate::config::reading::section::ConfigSection;
use crate::config::reading::units::{DAY, duration, seconds};
use crate::config::reading::values::{some_text, text, whole};
use std::time::Duration;
use synthd_actors::model::{CompletionSettings, EpisodeLimits};

/// How long a call may take, if the file does not say it.
const TIMEOUT: Duration = Duration::from_secs(600);

/// The section.
pub(in crate::config) struct RawCompletions {
    /// Absolute paths of the files.
    prompts: RawList<String>,
    system: RawField<String>,
    template: RawField<String>,
    limit: RawField<u64>,
    /// Answers of each model to each prompt.
    pub(in crate::config) samples: RawField<u32>,
    timeout: RawField<Duration>,
    attempts: RawField<u32>,
}

impl RawCompletions {
    /// Reads the section.
    pub(in crate::config) fn read(mut section: ConfigSection<'_, '_>) -> Self {
        let raw = Self {
            prompts: section.required_list(
                "prompts",
                "[\"prompts.jsonl\"]",
                text(whole_paths::whole_path),
            ),
            system: section.optional("system", text(some_text)),
            template: section.optional("template", text(some_text)),
            limit: section.optional("limit", whole(1..=1_000_000_000)),
            samples: section.optional("samples", whole(1..=MOST_SAMPLES)),
            timeout: section.optional("timeout", duration(seconds(1)..=DAY)),
            attempts: section.optional("attempts", whole(1..=100)),
        };
        section.finish();
        raw
    }

    /// The limits of one completion.
    pub(in crate::config) fn limits(&self) -> EpisodeLimits {
        let default = EpisodeLimits::default();
        EpisodeLimits {
            max_turns: 1,
            timeout: self.timeout.clone().or(TIMEOUT),
            attempts: self.attempts.clone().or(default.attempts),
            ..default
        }
    }

    /// The settings of the campaign.
    pub(in crate::config) fn settings(self) -> CompletionSettings {
        let files = self.prompts.into_option().unwrap_or_default();
        CompletionSettings {
            files: files.into_iter().map(|(path, _)| path.into()).collect(),
            system: self.system.into_option(),
            template: self.template.into_option(),
            limit: self.limit.into_option(),
        }
    }
}
