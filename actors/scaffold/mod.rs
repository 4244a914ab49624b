//! Scaffolds: the pure protocol between a model and a sandbox. A scaffold has no I/O, no clock and
//! no state except the history that it gets.

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

/// A reply that holds no action the scaffold can run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct FormatError {
    pub reason: String,
    /// The tool and the arguments as the model wrote them, if there were any.
    pub tool: String,
    pub arguments: String,
}

/// What the agent sees after a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentObservation {
    pub text: String,
    pub messages: Vec<ChatMessage>,
    /// The command submitted the work.
    pub submitted: bool,
}

/// The protocol of one scaffold.
pub trait Scaffold: Send + Sync + 'static {
    fn name(&self) -> &str;

    /// The first messages of the conversation.
    fn open(&self, task: &Task) -> Vec<ChatMessage>;

    /// The next request for a history. The scaffold decides what the request keeps of the history.
    fn request(&self, history: &[ChatMessage]) -> ChatRequest;

    fn parse(&self, reply: &ChatReply) -> Result<ParsedAction, FormatError>;

    fn observe(&self, action: &ParsedAction, report: &ExecReport) -> AgentObservation;

    /// The answer to a reply that the scaffold could not read.
    fn correct(&self, reply: &ChatReply, error: &FormatError) -> AgentObservation;

    /// The inverse of `parse`: writes a deed in the scaffold's own action format. So replies of
    /// scripted models are parsed like replies of real models.
    fn express(&self, think: &str, deed: &MoveAction, turn: u32) -> ChatMessage;
}

/// The scaffold with that name.
pub fn by_name(name: &str) -> Option<Arc<dyn Scaffold>> {
    match name {
        MinimalScaffold::NAME => Some(Arc::new(MinimalScaffold)),
        name if name.starts_with(ExternalScaffold::PREFIX) => {
            Some(Arc::new(ExternalScaffold::new(name)))
        }
        _ => None,
    }
}

/// The first messages of the conversation, with the campaign's own prompts.
pub fn opened(config: &CampaignConfig, scaffold: &dyn Scaffold, task: &Task) -> Vec<ChatMessage> {
    let opening = scaffold.open(task);
    match config.prompts.get(scaffold.name()) {
        Some(prompts) => prompts::over(prompts, opening, task),
        None => opening,
    }
}

/// The first request of a task, as far as it is known before any call.
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
