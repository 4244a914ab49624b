//! Completions: what a campaign says about them, and the prompts that are answered.
//!
//! A prompt is known by the digest of its messages. So prompts may be added to a file, moved in it
//! or removed from it, and every other prompt stays what it was.

use super::{ChatMessage, RowFormat, TaskId, digest_of};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The kind of work of a campaign. The word is that of `[campaign] kind`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WorkName {
    /// Tasks, tried by models with agents in sandboxes.
    #[default]
    Trajectories,
    /// Prompts, answered by models.
    Completions,
}

impl WorkName {
    /// Every kind, in the order of the documents.
    pub const ALL: [Self; 2] = [Self::Trajectories, Self::Completions];

    /// The word in campaign files and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trajectories => "trajectories",
            Self::Completions => "completions",
        }
    }

    /// What one unit of it is called, in the singular.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Trajectories => "episode",
            Self::Completions => "completion",
        }
    }

    /// What one thing to do of it is called, in the singular. Several units may try the same.
    pub const fn task(self) -> &'static str {
        match self {
            Self::Trajectories => "task",
            Self::Completions => "prompt",
        }
    }

    /// Whether its units run in sandboxes.
    pub const fn uses_sandboxes(self) -> bool {
        matches!(self, Self::Trajectories)
    }

    /// The format of its rows.
    pub const fn row_format(self) -> RowFormat {
        match self {
            Self::Trajectories => RowFormat::Trajectory,
            Self::Completions => RowFormat::Completion,
        }
    }

    /// For serde: a campaign of trajectories is stored without its kind, as before kinds existed.
    pub fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

/// The settings of a campaign of completions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompletionSettings {
    /// The files of prompts. Paths say nothing about contents, so they are not serialized and are
    /// not part of the identity.
    #[serde(skip)]
    pub files: Vec<PathBuf>,
    /// The system message of every prompt that has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// The user message, with the fields of a line as `{{ variables }}`. None: each line has its
    /// own prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// At most so many prompts, from the first on. More may be asked for later, so it is not part
    /// of the identity.
    #[serde(skip)]
    pub limit: Option<u64>,
}

/// One prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// Of its messages.
    pub id: TaskId,
    /// The name of its file.
    pub source: String,
    /// The number of its line in the file, from zero. Blank lines count.
    pub index: u32,
    /// The conversation that the model continues.
    pub messages: Vec<ChatMessage>,
    /// What else its line says: a JSON object as text.
    pub fields: String,
}

impl Prompt {
    /// The bytes of its texts: messages and fields.
    pub fn bytes(&self) -> u64 {
        let texts = self.messages.iter().map(|message| message.content.len());
        texts.chain([self.fields.len()]).map(|length| length as u64).sum()
    }

    /// The id of a prompt with these messages.
    pub fn id_of(messages: &[ChatMessage]) -> TaskId {
        let mut parts: Vec<&str> = vec!["prompt"];
        for message in messages {
            parts.push(message.role.as_str());
            parts.push(&message.content);
        }
        TaskId(format!("prompt@{}", &digest_of(&parts)[..16]))
    }
}
