//! Scaffolds: the pure protocol between a model and a sandbox. No I/O, no clock, no state
//! beyond the history they are given.

mod calls;
mod external;
mod minimal;
mod prompts;
#[cfg(test)]
mod tests;

pub use calls::{PARALLEL, observe_calls};
pub use external::External;
pub use minimal::Minimal;
pub use prompts::{PromptKind, UnknownVariable, variables};

use crate::model::{
    CampaignConfig, ChatReply, ChatRequest, Deed, ExecReport, Message, StepAction, Task,
};
use std::sync::Arc;

/// What a reply asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsedAction {
    /// As it is recorded.
    pub action: StepAction,
    /// What runs in the sandbox.
    pub command: String,
    /// The call it answers.
    pub call_id: String,
    /// Further calls of the same reply, which run after it in their order.
    pub rest: Vec<ParsedAction>,
}

/// A reply that holds no action the scaffold can run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct FormatError {
    pub reason: String,
    /// The tool and the arguments as written, where there were any.
    pub tool: String,
    pub arguments: String,
}

/// What the agent is shown of a command's end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    pub text: String,
    pub messages: Vec<Message>,
    /// The command handed the work in.
    pub submitted: bool,
}

/// The protocol of one scaffold.
pub trait Scaffold: Send + Sync + 'static {
    fn name(&self) -> &str;

    /// The conversation's opening.
    fn open(&self, task: &Task) -> Vec<Message>;

    /// The next request over a history; the scaffold's own context policy.
    fn request(&self, history: &[Message]) -> ChatRequest;

    fn parse(&self, reply: &ChatReply) -> Result<ParsedAction, FormatError>;

    fn observe(&self, action: &ParsedAction, report: &ExecReport) -> Observed;

    /// What the agent is told of a reply that could not be read.
    fn correct(&self, reply: &ChatReply, error: &FormatError) -> Observed;

    /// The inverse of `parse`: a deed in the scaffold's own action format, so that scripted
    /// models travel the same way as real ones.
    fn express(&self, think: &str, deed: &Deed, turn: u32) -> Message;
}

/// The scaffold of that name.
pub fn by_name(name: &str) -> Option<Arc<dyn Scaffold>> {
    match name {
        Minimal::NAME => Some(Arc::new(Minimal)),
        name if name.starts_with(External::PREFIX) => Some(Arc::new(External::new(name))),
        _ => None,
    }
}

/// The conversation's opening, with the campaign's own prompts.
pub fn opened(config: &CampaignConfig, scaffold: &dyn Scaffold, task: &Task) -> Vec<Message> {
    let opening = scaffold.open(task);
    match config.prompts.get(scaffold.name()) {
        Some(prompts) => prompts::over(prompts, opening, task),
        None => opening,
    }
}

/// What a task begins with, as far as that is known before anybody was asked.
pub fn opening(config: &CampaignConfig, name: &str, task: &Task) -> Option<ChatRequest> {
    let scaffold = by_name(name)?;
    let opening = scaffold.request(&opened(config, &*scaffold, task));
    let program = name.strip_prefix(External::PREFIX).and_then(|name| config.agents.get(name));
    let max_output_tokens = program.map_or(opening.max_output_tokens, |p| p.max_output_tokens);
    Some(ChatRequest { max_output_tokens, ..opening })
}

/// Every scaffold of our own, for messages and did-you-mean.
pub const NAMES: [&str; 1] = [Minimal::NAME];
