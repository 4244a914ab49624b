//! A solution as moves of the scripted oracle: files that are written with the shell, and a last command.
//!
//! The files go into `/solution`, or into a directory of their own if the agent's user may not write
//! there. Nothing but `printf` is needed in the image.

use synthd_actors::model::{MoveAction, ScriptedMove};

/// The variable with the directory of the solution, in the commands of the moves.
pub(super) const DIRECTORY: &str = "$SYNTHD_SOLUTION";
/// The most bytes of all files. A larger solution is not played by the scripted oracle.
const MOST_BYTES: usize = 256 << 10;
/// The most bytes of text in one command. Other bytes need four times as many.
const MOST_TEXT: usize = 32 << 10;
const MOST_BINARY: usize = 8 << 10;
/// Makes the directory.
const BEGIN: &str = "export SYNTHD_SOLUTION=/solution; mkdir -p /solution 2>/dev/null && \
                     test -w /solution || SYNTHD_SOLUTION=$(mktemp -d)";

/// The moves that lay the files and run the last command. Empty if the files are too large. Paths are
/// relative to the directory of the solution.
pub(super) fn oracle_moves(files: &[(String, Vec<u8>)], last: &str) -> Vec<ScriptedMove> {
    if files.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() > MOST_BYTES {
        return Vec::new();
    }
    let mut moves = vec![run("I prepare the solution.", BEGIN.to_owned())];
    for (path, bytes) in files {
        let target = format!("\"{DIRECTORY}\"/{}", shell_word(path));
        let begin = format!("mkdir -p \"$(dirname {target})\"; : > {target}");
        moves.push(run("I lay a file of the solution.", begin));
        for piece in pieces(bytes) {
            moves.push(run("I lay a file of the solution.", format!("{piece} >> {target}")));
        }
    }
    moves.push(run("I run the solution.", last.to_owned()));
    moves
}

fn run(think: &str, command: String) -> ScriptedMove {
    ScriptedMove { think: think.to_owned(), action: MoveAction::Run(command) }
}

/// Commands that print the bytes, one after the other.
fn pieces(bytes: &[u8]) -> Vec<String> {
    let is_plain = |c: char| !c.is_control() || c == '\n' || c == '\t';
    match std::str::from_utf8(bytes).ok().filter(|text| text.chars().all(is_plain)) {
        Some(text) => {
            let print = |piece: &str| format!("printf %s {}", shell_word(piece));
            pieces_of_text(text).into_iter().map(print).collect()
        }
        None => bytes.chunks(MOST_BINARY).map(printed).collect(),
    }
}

/// The text in pieces that end between two characters.
fn pieces_of_text(mut text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    while !text.is_empty() {
        let mut end = text.len().min(MOST_TEXT);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let (piece, rest) = text.split_at(end);
        pieces.push(piece);
        text = rest;
    }
    pieces
}

/// The command that prints any bytes. The octal escapes are those of POSIX.
fn printed(bytes: &[u8]) -> String {
    let escaped: String = bytes.iter().map(|byte| format!("\\{byte:03o}")).collect();
    format!("printf '{escaped}'")
}

/// A word of the shell.
pub(super) fn shell_word(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn command(action: &ScriptedMove) -> &str {
        match &action.action {
            MoveAction::Run(command) => command,
            _ => "",
        }
    }

    /// A real shell lays what the moves say, byte for byte.
    #[test]
    fn a_shell_lays_every_byte() {
        let all: Vec<u8> = (0..=255_u8).cycle().take(20_000).collect();
        let text = "it's \\n 100% \"é\"\n".repeat(4_000).into_bytes();
        let files = [("a b/all".to_owned(), all), ("text".to_owned(), text)];
        let moves = oracle_moves(&files, "cat \"$SYNTHD_SOLUTION/text\" > done");
        assert!(moves.iter().all(|one| command(one).len() < 96 << 10));
        let dir = tempfile::tempdir().unwrap();
        let script: Vec<&str> = moves.iter().skip(1).map(command).collect();
        let mut shell = Command::new("/bin/sh");
        shell.arg("-c").arg(". ./script").current_dir(dir.path());
        std::fs::write(dir.path().join("script"), script.join("\n")).unwrap();
        let ran = shell.env("SYNTHD_SOLUTION", dir.path().join("s")).status().unwrap();
        assert!(ran.success());
        for (path, bytes) in &files {
            assert_eq!(std::fs::read(dir.path().join("s").join(path)).unwrap(), *bytes, "{path}");
        }
        assert_eq!(std::fs::read(dir.path().join("done")).unwrap(), files[1].1);
    }

    #[test]
    fn a_large_solution_is_not_played() {
        let large = [("a".to_owned(), vec![b'a'; MOST_BYTES + 1])];
        assert!(oracle_moves(&large, "true").is_empty());
    }
}
