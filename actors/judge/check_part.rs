//! A command may decide several checks at once. Each of them is a part of it, which the command names
//! in its output, in the manner of TAP:
//!
//! ```text
//! ok NAME
//! not ok NAME: why
//! ```
//! A part passes if exactly one line names it, and that line says `ok`. So judged output that a check
//! prints can make no failed part pass. Output that is not kept as a whole decides nothing.

use super::JudgedCheck;
use crate::model::ExecEnd;

/// The result of one part of a command that has ended. If the command itself failed, no part passes.
pub(super) fn decide(part: &str, command: &JudgedCheck, stdout: Option<&str>) -> JudgedCheck {
    if !command.end.success() {
        return command.clone();
    }
    let Some(stdout) = stdout else {
        let output = format!("the check wrote more than is kept\n{}", command.output);
        return JudgedCheck { end: ExecEnd::Exited(1), output };
    };
    let refused = stdout.lines().find_map(|line| words_of(line.strip_prefix("not ok ")?, part));
    let says_ok = |line: &&str| line.strip_prefix("ok ") == Some(part);
    let (code, output) = match (refused, stdout.lines().filter(says_ok).count()) {
        (Some(words), _) => (1, words.to_owned()),
        (None, 1) => (0, String::new()),
        (None, 0) => (1, format!("the check says nothing of {part}\n{}", command.output)),
        (None, times) => (1, format!("the check says {times} times that {part} is ok")),
    };
    JudgedCheck { end: ExecEnd::Exited(code), output }
}

/// The words after the name of a part; none if the line is about another one.
fn words_of<'l>(line: &'l str, part: &str) -> Option<&'l str> {
    let words = line.strip_prefix(part)?;
    match words.strip_prefix(':') {
        Some(words) => Some(words.trim()),
        None => words.trim().is_empty().then_some(""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(name: &str, end: ExecEnd, stdout: &str) -> (ExecEnd, String) {
        let command = JudgedCheck { end, output: stdout.to_owned() };
        let found = decide(name, &command, Some(stdout));
        (found.end, found.output)
    }

    const DONE: ExecEnd = ExecEnd::Exited(0);
    const FAILED: ExecEnd = ExecEnd::Exited(1);

    #[test]
    fn a_part_passes_if_the_command_names_it() {
        let stdout = "tried 3\nok right\nnot ok desk: late fees are accepted\nok desks\n";
        assert_eq!(part("right", DONE, stdout), (DONE, String::new()));
        assert_eq!(part("desks", DONE, stdout).0, DONE);
        let late = (FAILED, "late fees are accepted".to_owned());
        assert_eq!(part("desk", DONE, stdout), late);
        assert!(part("money", DONE, stdout).1.starts_with("the check says nothing of money\n"));
    }

    /// What a judged program has written may stand in the output as well.
    #[test]
    fn no_line_makes_a_failed_part_pass() {
        for stdout in [
            "not ok a: no\nok a\n",
            "ok a\nnot ok a\n",
            "ok a\nok a\n",
            "ok a b\n",
            " ok a\n",
            "OK a\n",
        ] {
            assert_eq!(part("a", DONE, stdout).0, FAILED, "{stdout}");
        }
        let command = JudgedCheck { end: DONE, output: "ok a\n".to_owned() };
        assert_eq!(decide("a", &command, None).end, FAILED, "the rest is not known");
        for end in [FAILED, ExecEnd::TimedOut] {
            assert_eq!(part("a", end.clone(), "ok a\n").0, end);
        }
    }
}
