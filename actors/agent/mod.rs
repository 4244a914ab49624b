//! Agents: what acts in an episode. An agent is native or external.
//!
//! - A native agent is a [`Scaffold`]: the pure protocol between a model and a sandbox. It writes
//!   the prompts, reads the actions of a reply, and has tools ([`AgentTool`]). A tool is a pure
//!   state machine: it asks the sandbox for operations and says what the model sees. Nothing here
//!   has I/O or a clock, so everything can be repeated.
//! - An external agent ([`ExternalAgent`]) is a program in the sandbox. It has its own protocol with
//!   its model, which it asks through the gateway.
//!
//! ```text
//!  reply ─► Scaffold::parse ─► actions ─► AgentTool ─► operations ─► sandbox
//!                                             ▲                         │
//!  next request ◄─ Scaffold::answer ◄─ observation ◄─────── reports ◄───┘
//! ```
//! `scaffolds/` has one file for each scaffold, `tools/` one for each tool.

mod agent_limits;
mod external;
mod prompts;
mod scaffold;
mod scaffolds;
#[cfg(test)]
mod tests;
mod tool;
mod tools;

pub use agent_limits::AgentLimits;
pub use external::ExternalAgent;
pub use prompts::{PromptKind, UnknownVariable, variables};
pub use scaffold::{Correction, FormatError, RequestedAction, Scaffold};
pub use scaffolds::{FilesScaffold, MinimalScaffold};
pub use tool::{AgentTool, ToolObservation, ToolStep, Toolbox};
pub use tools::{ListDirectoryTool, ReadFileTool, ReplaceTextTool, ShellTool, WriteFileTool};

use crate::model::{CampaignConfig, ChatMessage, ChatRequest, Task};
use std::sync::Arc;

/// What acts in an episode.
#[derive(Clone)]
pub enum Agent {
    /// A protocol that the engine speaks itself.
    Native(Arc<dyn Scaffold>),
    /// A program that calls its model itself.
    External(ExternalAgent),
}

impl Agent {
    /// The agent with that name. None if there is none. An external name is always accepted here;
    /// whether its program exists is checked elsewhere.
    pub fn by_name(name: &str) -> Option<Self> {
        match name {
            MinimalScaffold::NAME => Some(Self::Native(Arc::new(MinimalScaffold))),
            FilesScaffold::NAME => Some(Self::Native(Arc::new(FilesScaffold))),
            name => ExternalAgent::named(name).map(Self::External),
        }
    }

    /// The name in campaign files and records.
    pub fn name(&self) -> &str {
        match self {
            Self::Native(scaffold) => scaffold.name(),
            Self::External(program) => program.name(),
        }
    }

    /// The protocol in which scripted models write their replies, and by which costs are estimated
    /// before anything is known of a program: its own for a native agent, `minimal` for a program,
    /// because most programs have a shell as a tool.
    pub fn script_format(&self) -> Arc<dyn Scaffold> {
        match self {
            Self::Native(scaffold) => scaffold.clone(),
            Self::External(_) => Arc::new(MinimalScaffold),
        }
    }
}

/// The first messages of a native agent's conversation. The campaign's own prompts replace the
/// scaffold's, if there are any.
pub fn opened(config: &CampaignConfig, scaffold: &dyn Scaffold, task: &Task) -> Vec<ChatMessage> {
    let limits = AgentLimits::of(config, &task.resources);
    let opening = scaffold.open(task, &limits);
    match config.prompts.get(scaffold.name()) {
        Some(prompts) => prompts::over(prompts, opening, task, &limits),
        None => opening,
    }
}

/// The message with the instruction of a later stage. `task` is the task as it is in that stage. The
/// campaign's own prompt for instructions replaces the scaffold's, as in the first message.
pub fn next_instruction(
    config: &CampaignConfig,
    scaffold: &dyn Scaffold,
    task: &Task,
) -> ChatMessage {
    let limits = AgentLimits::of(config, &task.resources);
    let message = scaffold.next_instruction(task);
    match config.prompts.get(scaffold.name()) {
        Some(prompts) => prompts::over_message(prompts, message, task, &limits),
        None => message,
    }
}

/// The first request of a task, as far as it is known before any call. Cost estimates and model
/// assignment use it. None if there is no such agent.
pub fn opening(config: &CampaignConfig, name: &str, task: &Task) -> Option<ChatRequest> {
    let agent = Agent::by_name(name)?;
    let format = agent.script_format();
    Some(match agent {
        Agent::Native(_) => format.request(&opened(config, &*format, task)),
        Agent::External(external) => {
            let limits = AgentLimits::of(config, &task.resources);
            let guess = format.request(&format.open(task, &limits));
            let program = config.agents.get(external.program());
            let max_output_tokens =
                program.map_or(guess.max_output_tokens, |p| p.max_output_tokens);
            ChatRequest { max_output_tokens, ..guess }
        }
    })
}

/// The names of the native agents, for messages and suggestions.
pub const NAMES: [&str; 2] = [MinimalScaffold::NAME, FilesScaffold::NAME];
