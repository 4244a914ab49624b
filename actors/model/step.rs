//! One turn of an agent and its step: the state, the actions with their observations, and the
//! milestone potential. The episode actor records a [`Turn`] after every model reply. A later
//! attempt replays recorded turns, because they are paid for. Quality makes the steps of a dataset
//! row from them.
//!
//! A reply may ask for several actions. Each is recorded with its own observation, error and time.
//! Turns that older versions recorded had one action for the whole reply; they are read into the
//! same types (`stored_turn.rs`).

use super::stored_turn::StoredTurn;
use super::{
    ChatMessage, ChatReply, ChatRequest, ExecEnd, Money, StepStage, Usage, WorkspaceChange,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The tool name under which one action stands for several: `{"calls": [{"tool": "bash",
/// "arguments": {"command": "ls"}}, ...]}`.
pub const PARALLEL: &str = "parallel";

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

impl StepAction {
    /// An action without a tool.
    pub fn bare(kind: ActionType) -> Self {
        Self { kind, tool: String::new(), arguments: "{}".to_owned() }
    }
}

/// One action of a turn with what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnAction {
    #[serde(flatten)]
    pub request: StepAction,
    /// The id of the tool call in the reply; empty if the action is no call.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub call_id: String,
    /// Whether the tool ran. A replay runs these actions again.
    pub ran: bool,
    /// What the agent was shown after the action.
    pub observation: String,
    /// What went wrong, such as an unreadable reply or a killed command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How the last command of the action ended; none if no command ran. In the last turn of an
    /// external agent it is how the program ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<ExecEnd>,
    /// Whether a part of the output is missing from the observation.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
    /// The time of the action.
    pub duration_ms: u64,
}

impl TurnAction {
    /// An action that did not run and showed the agent nothing.
    pub fn unrun(request: StepAction) -> Self {
        Self {
            request,
            call_id: String::new(),
            ran: false,
            observation: String::new(),
            error: None,
            end: None,
            truncated: false,
            duration_ms: 0,
        }
    }

    /// The action as one entry of [`PARALLEL`]. Arguments that are no JSON become null.
    fn listed(&self) -> Value {
        let arguments: Value = serde_json::from_str(&self.request.arguments).unwrap_or_default();
        json!({ "tool": self.request.tool, "arguments": arguments })
    }
}

/// One step of a trajectory.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    /// The number of the step within the attempt, from zero.
    pub index: u32,
    pub state: StepState,
    /// What the reply asked for, in its order; at least one action.
    pub actions: Vec<TurnAction>,
    /// What the model thought and wrote before it acted, see [`ChatMessage::thoughts`].
    pub reasoning: String,
    /// The milestone potential after the step: the sum of the weights of the milestones that hold.
    /// The rewards are differences of it.
    pub potential: f64,
    /// The names of the milestones that hold after the step, in the order of the template: those that
    /// the potential was measured with. None in turns of versions that did not record them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub milestones: Option<Vec<String>>,
    /// The tokens of the accepted reply.
    pub usage: Usage,
    /// The cost of all tries of the model call.
    pub cost: Money,
    /// The time of the model: the sum of all tries, including failed ones, without the waits
    /// between them. None in turns of versions that did not measure it; then the time of the
    /// actions includes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_ms: Option<u64>,
    /// The part of [`Step::model_ms`] that failed tries took. It does not count as the agent's
    /// time. A try whose answer the agent did not wait for is its own time, and not part of this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed_ms: Option<u64>,
    /// The task stage in which the step was taken. None if the task has no stages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<Box<StepStage>>,
}

impl Step {
    /// The number of the task stage in which the step was taken.
    pub fn stage_index(&self) -> Option<u32> {
        self.stage.as_ref().map(|stage| stage.index)
    }

    /// The kind of the step: `Submit` if an action submitted the work, else that of the first
    /// action.
    pub fn kind(&self) -> ActionType {
        let mut kinds = self.actions.iter().map(|action| action.request.kind);
        let first = kinds.clone().next().unwrap_or(ActionType::Message);
        kinds.find(|kind| *kind == ActionType::Submit).unwrap_or(first)
    }

    /// What the agent did, as one action: a single one as it is, several under [`PARALLEL`].
    pub fn action(&self) -> StepAction {
        match self.actions.as_slice() {
            [] => StepAction::bare(ActionType::Message),
            [action] => action.request.clone(),
            actions => {
                let calls: Vec<Value> = actions.iter().map(TurnAction::listed).collect();
                let arguments = json!({ "calls": calls }).to_string();
                StepAction { kind: self.kind(), tool: PARALLEL.to_owned(), arguments }
            }
        }
    }

    /// What the agent was shown. With several actions, each observation stands between `<call>` and
    /// `</call>`.
    pub fn observation(&self) -> String {
        joined_observation(self.actions.iter().map(|action| action.observation.as_str()))
    }

    /// The first thing that went wrong.
    pub fn error(&self) -> Option<&str> {
        self.actions.iter().find_map(|action| action.error.as_deref())
    }

    /// How the last command of the step ended.
    pub fn end(&self) -> Option<&ExecEnd> {
        self.actions.iter().rev().find_map(|action| action.end.as_ref())
    }

    /// Whether a part of an observation is missing.
    pub fn truncated(&self) -> bool {
        self.actions.iter().any(|action| action.truncated)
    }

    /// The time of all actions.
    pub fn duration_ms(&self) -> u64 {
        self.actions.iter().fold(0, |sum, action| sum.saturating_add(action.duration_ms))
    }

    /// The time of the model and of the actions together.
    pub fn took_ms(&self) -> u64 {
        self.duration_ms().saturating_add(self.model_ms.unwrap_or(0))
    }

    /// The part of this time that counts as the agent's time: all but the failed tries.
    pub fn own_ms(&self) -> u64 {
        self.took_ms().saturating_sub(self.failed_ms.unwrap_or(0))
    }
}

/// The observations of the actions of one step as one text: a single one as it is, several each
/// between `<call>` and `</call>`.
pub fn joined_observation<'a>(observations: impl Iterator<Item = &'a str>) -> String {
    let all: Vec<&str> = observations.collect();
    match all.as_slice() {
        [] => String::new(),
        [one] => (*one).to_owned(),
        several => {
            let each: Vec<String> =
                several.iter().map(|text| format!("<call>\n{text}\n</call>")).collect();
            each.join("\n")
        }
    }
}

/// A turn as it is recorded. It is durable before the next model call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "StoredTurn")]
pub struct Turn {
    pub step: Step,
    /// The reply of the model, unchanged.
    pub reply: ChatReply,
    /// The messages that this turn adds to the conversation. The reply's own message is the first.
    pub messages: Vec<ChatMessage>,
    /// The changes of files in the workspace, as far as they are listed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<WorkspaceChange>,
    /// The number of tries of the model call.
    pub calls: u32,
    /// The model that answered, if it is not the planned model of the episode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The whole request of this turn. It is recorded for the first turn only, because each later
    /// request is the first one plus the messages of the turns in between. It is also recorded for
    /// a later turn whose request is something else, because an external agent has begun a new
    /// conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opening: Option<Box<ChatRequest>>,
}

impl Turn {
    /// The actions that ran in the sandbox, in order.
    pub fn ran(&self) -> impl Iterator<Item = &TurnAction> {
        self.step.actions.iter().filter(|action| action.ran)
    }
}
