//! One turn and what came of it: state, action, observation, reward.

use super::{ChatMessage, ChatReply, ChatRequest, ExecEnd, Money, Usage, WorkspaceChange};
use serde::{Deserialize, Serialize};

/// The state an action was chosen in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepState {
    pub cwd: String,
    pub files: Vec<String>,
}

/// What kind of action a reply was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionType {
    ToolCall,
    /// The agent handed its work in.
    Submit,
    /// A text without a call, from a model whose program reads its replies itself.
    Message,
    /// A reply the scaffold could not read.
    Malformed,
    /// The model declined.
    Refusal,
}

impl ActionType {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ToolCall => "tool_call",
            Self::Submit => "submit",
            Self::Message => "message",
            Self::Malformed => "malformed",
            Self::Refusal => "refusal",
        }
    }
}

/// What the agent did, in the scaffold's own terms; `arguments` is a JSON object as text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepAction {
    #[serde(rename = "type")]
    pub kind: ActionType,
    pub tool: String,
    pub arguments: String,
}

/// One step of a trajectory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    pub index: u32,
    pub state: StepState,
    pub action: StepAction,
    pub observation: String,
    pub reasoning: String,
    /// The milestone potential after the step, for the dense reward.
    pub potential: f64,
    pub end: Option<ExecEnd>,
    pub error: Option<String>,
    pub truncated: bool,
    pub usage: Usage,
    pub cost: Money,
    /// What the action took; in turns recorded without [`Step::model_ms`], the model's time too.
    pub duration_ms: u64,
    /// What the model took to answer, retries included: the sum of all tries, without the waits
    /// between them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_ms: Option<u64>,
    /// What of [`Step::model_ms`] tries took that failed. The agent's time does not count it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_ms: Option<u64>,
}

impl Step {
    /// What the model and the action took together.
    pub fn took_ms(&self) -> u64 {
        self.duration_ms.saturating_add(self.model_ms.unwrap_or(0))
    }

    /// What of that counts towards the agent's time: all but the tries that failed.
    pub fn own_ms(&self) -> u64 {
        self.took_ms().saturating_sub(self.failed_ms.unwrap_or(0))
    }
}

/// A turn as it is recorded: durable before the next model call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    pub step: Step,
    pub reply: ChatReply,
    /// The messages this turn added to the history, the reply's own first.
    pub messages: Vec<ChatMessage>,
    /// The command that ran, for replay; none where nothing ran.
    pub command: Option<String>,
    /// The commands of further calls in the same reply, which ran after it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more_commands: Vec<String>,
    /// What the turn did to the files of the workspace, as far as it is listed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<WorkspaceChange>,
    /// The number of model calls this turn took, retries included.
    pub calls: u32,
    /// Who answered, where it is not the model that the episode was planned for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The whole request of the first turn: a later one is this and the messages of the turns in
    /// between. And of any turn whose request is not that, because an agent of somebody else's
    /// has begun anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opening: Option<Box<ChatRequest>>,
}

impl Turn {
    /// What ran in the sandbox, in order.
    pub fn commands(&self) -> impl Iterator<Item = &String> {
        self.command.iter().chain(&self.more_commands)
    }
}
