//! Did-you-mean for commands. The parser guesses by shared letters in the same places, which
//! misses short words with two letters exchanged, such as `rnu`.

use crate::word_suggestion::closest;
use clap::Command;
use clap::error::{ContextKind, ContextValue, Error, ErrorKind};

/// The parser's error with the command that was most likely meant, where it has none.
pub(super) fn suggest_command(mut error: Error, program: &Command) -> Error {
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

/// The command below which `word` was looked for.
fn group_of<'a>(
    word: &str,
    program: &'a Command,
    args: impl Iterator<Item = String>,
) -> &'a Command {
    args.take_while(|arg| arg != word)
        .fold(program, |group, arg| group.find_subcommand(arg).unwrap_or(group))
}
