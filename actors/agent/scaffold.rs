//! The protocol between a model and a sandbox.

use super::AgentLimits;
use super::tool::Toolbox;
use crate::model::{
    ChatMessage, ChatReply, ChatRequest, ChatRole, MoveAction, StepAction, Task, TurnAction,
    USUAL_OUTPUT_TOKENS,
};

/// One action that a reply asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestedAction {
    /// The action in its recorded form. The tool gets its arguments from here.
    pub action: StepAction,
    /// The id of the tool call in the reply.
    pub call_id: String,
}

/// A reply that has no action the scaffold can run. The model gets the reason and may try again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct FormatError {
    /// Shown to the model, for example `the command is empty`.
    pub reason: String,
    /// The tool and the arguments as the model wrote them, if there were any.
    pub tool: String,
    pub arguments: String,
}

/// What the agent sees after a reply that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Correction {
    /// The observation as it is recorded in the step.
    pub text: String,
    /// The messages that go into the conversation. They answer every tool call.
    pub messages: Vec<ChatMessage>,
}

/// The protocol of one native agent. It has no state; what a tool remembers from call to call is in
/// the toolbox of the attempt.
pub trait Scaffold: Send + Sync + 'static {
    /// The name in campaign files and records, for example `minimal`.
    fn name(&self) -> &str;

    /// The first messages of the conversation. They tell the model which limits hold.
    fn open(&self, task: &Task, limits: &AgentLimits) -> Vec<ChatMessage>;

    /// The message with the instruction of a later stage. `task` is the task as it is in that stage.
    fn next_instruction(&self, task: &Task) -> ChatMessage {
        let text = format!("Your next task, in the same workspace:\n\n{}", task.instruction);
        ChatMessage::text(ChatRole::User, text)
    }

    /// Fresh tools for one attempt.
    fn tools(&self) -> Toolbox;

    /// The next request for a history. A scaffold decides what the request keeps of the history; all
    /// of it, unless it says otherwise.
    fn request(&self, history: &[ChatMessage]) -> ChatRequest {
        ChatRequest {
            settings: Default::default(),
            messages: history.to_vec(),
            tools: self.tools().schemas(),
            max_output_tokens: USUAL_OUTPUT_TOKENS,
        }
    }

    /// The actions that a reply asks for, at least one. They run in this order. Err if the reply
    /// cannot be read; this is no fault.
    fn parse(&self, reply: &ChatReply) -> Result<Vec<RequestedAction>, FormatError>;

    /// The messages that answer a reply. `actions` are all of its actions; those behind the one
    /// that ended the episode did not run.
    fn answer(&self, actions: &[TurnAction]) -> Vec<ChatMessage>;

    /// What a model sees in place of the observation of an action that did not run, because an
    /// earlier action of the reply ended the episode.
    fn not_run(&self) -> &'static str {
        "This call was not run: the episode ended with an earlier call of the reply."
    }

    /// The same, if a stage of the task and not the episode may have ended.
    fn not_run_in_stage(&self) -> &'static str {
        "This call was not run: this part of the work ended with an earlier call of the reply."
    }

    /// The answer to a reply that the scaffold could not read. It tells the model how to reply.
    fn correct(&self, reply: &ChatReply, error: &FormatError) -> Correction;

    /// The inverse of `parse`: writes a move in the scaffold's own action format. So replies of
    /// scripted models are parsed like replies of real models.
    fn express(&self, think: &str, scripted: &MoveAction, turn: u32) -> ChatMessage;
}
