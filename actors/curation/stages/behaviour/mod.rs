//! What stages that look at an agent's behaviour share.
//!
//! - `shell_words`: the commands of a shell script, and their words.
//! - `shell_reader`: reads the text of a script.
//! - `shell_effect`: what they do to files.
//! - `agent_action`: the single actions of a trajectory.
//! - `output_shape`: whether two outputs say the same.

mod agent_action;
mod output_shape;
mod shell_effect;
mod shell_reader;
mod shell_words;
#[cfg(test)]
pub(in crate::curation) mod tests;

pub(in crate::curation) use agent_action::{AgentAction, agent_actions};
pub(in crate::curation) use output_shape::{OutputLines, hash_of, output_hash};
pub(in crate::curation) use shell_effect::{
    ActionEffect, changed_paths, git_command, has_any, lists,
};
pub(in crate::curation) use shell_words::{ShellCommand, name_of};
