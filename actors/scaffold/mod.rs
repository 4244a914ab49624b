//! Scaffolds: the pure protocol between a model and a sandbox. A scaffold writes the prompts and
//! the tools, parses a reply into an action, and renders the result of a command as an observation.
//! A scaffold has no I/O, no clock and no state except the history that it gets, so everything can
//! be repeated.
//!
//! `minimal` is the native scaffold. `external/NAME` stands for an agent that is a program and has
//! its own protocol with its model.

mod calls;
mod external;
mod minimal;
mod prompts;
#[cfg(test)]
mod tests;

pub use calls::{PARALLEL, observe_calls};
pub use external::ExternalScaffold;
pub use minimal::MinimalScaffold;
pub use prompts::{PromptKind, UnknownVariable, variables};

use crate::model::{
    CampaignConfig, ChatMessage, ChatReply, ChatRequest, ExecReport, MoveAction, StepAction, Task,
};
use std::sync::Arc;

/// What a reply asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsedAction {
    /// The action in its recorded form.
    pub action: StepAction,
    /// The command that runs in the sandbox.
    pub command: String,
    /// The id of the tool call of this action.
    pub call_id: String,
    /// The other calls of the same reply. They run after this one, in their order.
    pub rest: Vec<ParsedAction>,
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

/// What the agent sees after a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentObservation {
    /// The observation as it is recorded in the step.
    pub text: String,
    /// The messages that go into the conversation. They answer every tool call.
    pub messages: Vec<ChatMessage>,
    /// The command submitted the work.
    pub submitted: bool,
}

/// The protocol of one scaffold.
pub trait Scaffold: Send + Sync + 'static {
    /// The name in campaign files and records, for example `minimal`.
    fn name(&self) -> &str;

    /// The first messages of the conversation.
    fn open(&self, task: &Task) -> Vec<ChatMessage>;

    /// The next request for a history. The scaffold decides what the request keeps of the history.
    fn request(&self, history: &[ChatMessage]) -> ChatRequest;

    /// The action that a reply asks for. Err if the reply cannot be read; this is no fault.
    fn parse(&self, reply: &ChatReply) -> Result<ParsedAction, FormatError>;

    /// The observation of an action whose command has run. It also tells whether the command
    /// submitted the work.
    fn observe(&self, action: &ParsedAction, report: &ExecReport) -> AgentObservation;

    /// The observation for a reply that the scaffold could not read. It tells the model how to
    /// reply.
    fn correct(&self, reply: &ChatReply, error: &FormatError) -> AgentObservation;

    /// The inverse of `parse`: writes a move in the scaffold's own action format. So replies of
    /// scripted models are parsed like replies of real models.
    fn express(&self, think: &str, deed: &MoveAction, turn: u32) -> ChatMessage;
}

/// The scaffold with that name. None if there is none. An external name is always accepted here;
/// whether its program exists is checked elsewhere.
pub fn by_name(name: &str) -> Option<Arc<dyn Scaffold>> {
    match name {
        MinimalScaffold::NAME => Some(Arc::new(MinimalScaffold)),
        name if name.starts_with(ExternalScaffold::PREFIX) => {
            Some(Arc::new(ExternalScaffold::new(name)))
        }
        _ => None,
    }
}

/// The first messages of the conversation. The campaign's own prompts replace the scaffold's, if
/// there are any.
pub fn opened(config: &CampaignConfig, scaffold: &dyn Scaffold, task: &Task) -> Vec<ChatMessage> {
    let opening = scaffold.open(task);
    match config.prompts.get(scaffold.name()) {
        Some(prompts) => prompts::over(prompts, opening, task),
        None => opening,
    }
}

/// The first request of a task, as far as it is known before any call. Cost estimates and model
/// assignment use it. None if there is no such scaffold.
pub fn opening(config: &CampaignConfig, name: &str, task: &Task) -> Option<ChatRequest> {
    let scaffold = by_name(name)?;
    let opening = scaffold.request(&opened(config, &*scaffold, task));
    let program =
        name.strip_prefix(ExternalScaffold::PREFIX).and_then(|name| config.agents.get(name));
    let max_output_tokens = program.map_or(opening.max_output_tokens, |p| p.max_output_tokens);
    Some(ChatRequest { max_output_tokens, ..opening })
}

/// The names of the built-in scaffolds, for messages and suggestions.
pub const NAMES: [&str; 1] = [MinimalScaffold::NAME];
