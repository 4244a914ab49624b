//! Suggests the nearest command for a mistyped one. clap suggests by shared letters in the same
//! places. That misses short words with two letters exchanged, such as `rnu` for `run`.

use crate::word_suggestion::closest;
use clap::Command;
use clap::error::{ContextKind, ContextValue, Error, ErrorKind};

/// Adds the nearest command to clap's error, if clap found none. Other errors stay as they are.
pub(in crate::cli) fn suggest_command(mut error: Error, program: &Command) -> Error {
    if error.kind() != ErrorKind::InvalidSubcommand
        || error.get(ContextKind::SuggestedSubcommand).is_some()
    {
        return error;
    }
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand) else {
        return error;
    };
    let group = group_of(word, program, std::env::args().skip(1));
    let names = group.get_subcommands().map(Command::get_name);
    if let Some(near) = closest(word, names) {
        let near = ContextValue::Strings(vec![near.to_owned()]);
        error.insert(ContextKind::SuggestedSubcommand, near);
    }
    error
}

/// The command whose subcommands `word` was looked for in: for `synthd episode lsit` it is
/// `episode`.
fn group_of<'a>(
    word: &str,
    program: &'a Command,
    args: impl Iterator<Item = String>,
) -> &'a Command {
    args.take_while(|arg| arg != word)
        .fold(program, |group, arg| group.find_subcommand(arg).unwrap_or(group))
}
