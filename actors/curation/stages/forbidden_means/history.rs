//! The history of a project: commits that the task did not give may have the fix. What an agent has
//! committed itself, it may look at, and the newest commit is what it was given.

use super::super::behaviour::{ShellCommand, git_command};
use super::scope::MeansScope;

/// Options that show more than what leads to the newest commit.
const EVERYTHING: [&str; 7] =
    ["--all", "--reflog", "-g", "--walk-reflogs", "--branches", "--remotes", "--tags"];
/// Options with which the newest commit is shown alone.
const NEWEST: [&str; 3] = ["-1", "-n1", "--max-count=1"];
/// Options of `git fsck` that list what no branch has.
const LOST: [&str; 4] = ["--lost-found", "--unreachable", "--dangling", "--no-reflogs"];
/// Files of git that tell of its history.
const FILES: [&str; 4] = [".git/logs", ".git/objects", ".git/packed-refs", ".git/ORIG_HEAD"];

/// What a command reads of the history. None if it reads nothing, and if the task is about it.
pub(super) fn found(command: &ShellCommand, scope: &mut MeansScope<'_>) -> Option<&'static str> {
    if scope.history_is_work {
        return None;
    }
    let of_git = |word: &String| FILES.iter().any(|file| is_file(word, file));
    match command.program() {
        "git" => of_command(command, scope),
        "echo" | "printf" => None,
        _ if command.arguments().iter().chain(&command.read).any(of_git) => Some("files of git"),
        _ => None,
    }
}

/// Whether a word is a file of git.
fn is_file(word: &str, file: &str) -> bool {
    word.starts_with(file)
        || word.rsplit_once(file).is_some_and(|(before, _)| before.ends_with('/'))
}

fn of_command(command: &ShellCommand, scope: &mut MeansScope<'_>) -> Option<&'static str> {
    let (name, rest) = git_command(command);
    let has = |options: &[&str]| rest.iter().any(|word| options.contains(&word.as_str()));
    let mut plain = rest.iter().filter(|word| !word.starts_with('-'));
    match name {
        "commit" => {
            scope.has_committed = true;
            None
        }
        "reflog" => Some("git reflog"),
        "fsck" if has(&LOST) => Some("git fsck"),
        "log" | "rev-list" | "shortlog" | "whatchanged" if has(&EVERYTHING) => {
            Some("git log of everything")
        }
        _ if scope.has_committed => None,
        "log" if is_newest(rest) => None,
        "log" | "rev-list" | "whatchanged" => Some("git log"),
        "show" => plain.any(|word| !is_given(word)).then_some("git show"),
        "cat-file" if has(&["-p", "--batch", "--batch-all-objects"]) => {
            plain.all(|word| !is_given(word)).then_some("git cat-file")
        }
        "diff" | "checkout" | "restore" | "cherry-pick" => {
            plain.any(|word| is_commit(word)).then_some("git with another commit")
        }
        _ => None,
    }
}

/// Whether `git log` shows the newest commit alone, without its changes.
fn is_newest(rest: &[String]) -> bool {
    let has = |options: &[&str]| rest.iter().any(|word| options.contains(&word.as_str()));
    let counted = rest.windows(2).any(|pair| pair[0] == "-n" && pair[1] == "1");
    (counted || has(&NEWEST)) && !has(&["-p", "--patch", "-u"])
}

/// Whether a word names what the agent was given: the newest commit or a file of it.
fn is_given(word: &str) -> bool {
    matches!(word, "HEAD" | "@") || word.starts_with("HEAD:") || word.starts_with("@:")
}

/// Whether a word names a commit other than the newest.
fn is_commit(word: &str) -> bool {
    let hex = |word: &str| {
        (7..=40).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    hex(word.split([':', '^', '~', '.']).next().unwrap_or_default())
        || word.starts_with("HEAD@{")
        || word.starts_with("ORIG_HEAD")
        || word.starts_with("FETCH_HEAD")
}
