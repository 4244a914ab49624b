//! One turn of an agent and its step: the state, the action, the observation and the milestone
//! potential. The episode actor records a [`Turn`] after every model reply. A later attempt replays
//! recorded turns, because they are paid for. Quality makes the steps of a dataset row from them.

use super::{ChatMessage, ChatReply, ChatRequest, ExecEnd, Money, Usage, WorkspaceChange};
use serde::{Deserialize, Serialize};

/// The state of the sandbox in which the action was chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepState {
    /// The working directory of the session.
    pub cwd: String,
    /// The files of the workspace as far as they are listed.
    pub files: Vec<String>,
}

/// The kind of action that a reply was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionType {
    /// The reply called a tool.
    ToolCall,
    /// The agent submitted its work.
    Submit,
    /// A text without a tool call, from the model of an external agent, which interprets replies
    /// itself.
    Message,
    /// A reply that the scaffold could not read.
    Malformed,
    /// The model declined to act.
    Refusal,
}

impl ActionType {
    /// The word in rows.
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

/// What the agent did, in the words of the scaffold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepAction {
    /// The kind of the action.
    #[serde(rename = "type")]
    pub kind: ActionType,
    /// The name of the tool; empty if the reply called none.
    pub tool: String,
    /// The arguments of the tool. A JSON object as text, unless the reply was malformed.
    pub arguments: String,
}

/// One step of a trajectory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// The number of the step within the attempt, from zero.
    pub index: u32,
    pub state: StepState,
    pub action: StepAction,
    /// What the agent was shown after the action.
    pub observation: String,
    /// What the model thought and wrote before it acted, see [`ChatMessage::thoughts`].
    pub reasoning: String,
    /// The milestone potential after the step: the sum of the weights of the milestones that hold.
    /// The rewards are differences of it.
    pub potential: f64,
    /// How the last command of the step ended; none if no command ran. In the last step of an
    /// external agent it is how the program ended.
    pub end: Option<ExecEnd>,
    /// What went wrong, such as an unreadable reply or a killed command.
    pub error: Option<String>,
    /// Whether a part of a command's output is missing.
    pub truncated: bool,
    /// The tokens of the accepted reply.
    pub usage: Usage,
    /// The cost of all tries of the model call.
    pub cost: Money,
    /// The time of the action. In turns that were recorded without [`Step::model_ms`] it includes
    /// the time of the model.
    pub duration_ms: u64,
    /// The time of the model: the sum of all tries, including failed ones, without the waits
    /// between them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_ms: Option<u64>,
    /// The part of [`Step::model_ms`] that failed tries took. It does not count as the agent's
    /// time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_ms: Option<u64>,
}

impl Step {
    /// The time of the model and of the action together.
    pub fn took_ms(&self) -> u64 {
        self.duration_ms.saturating_add(self.model_ms.unwrap_or(0))
    }

    /// The part of this time that counts as the agent's time: all but the failed tries.
    pub fn own_ms(&self) -> u64 {
        self.took_ms().saturating_sub(self.failed_ms.unwrap_or(0))
    }
}

/// A turn as it is recorded. It is durable before the next model call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Turn {
    pub step: Step,
    /// The reply of the model, unchanged.
    pub reply: ChatReply,
    /// The messages that this turn adds to the conversation. The reply's own message is the first.
    pub messages: Vec<ChatMessage>,
    /// The first command that ran. A replay runs it again. None if nothing ran.
    pub command: Option<String>,
    /// The commands of further tool calls in the same reply. They ran after `command`, in this
    /// order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more_commands: Vec<String>,
    /// The changes of files in the workspace, as far as they are listed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<WorkspaceChange>,
    /// The number of tries of the model call.
    pub calls: u32,
    /// The model that answered, if it is not the planned model of the episode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The whole request of this turn. It is recorded for the first turn only, because each later
    /// request is the first one plus the messages of the turns in between. It is also recorded for
    /// a later turn whose request is something else, because an external agent has begun a new
    /// conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opening: Option<Box<ChatRequest>>,
}

impl Turn {
    /// All commands that ran in the sandbox, in order.
    pub fn commands(&self) -> impl Iterator<Item = &String> {
        self.command.iter().chain(&self.more_commands)
    }
}
