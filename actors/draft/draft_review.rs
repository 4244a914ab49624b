//! The answers of the critic and of the solver.

use super::fenced_block::{AnswerMistake, FencedBlock, fenced_blocks};
use crate::model::{MoveAction, ScriptedMove};

/// The most bytes of such an answer, 256 KiB.
const MOST_ANSWER: usize = 256 << 10;
/// The most defects that count, and the most characters of one.
const MOST_DEFECTS: usize = 10;
const MOST_DEFECT: usize = 500;
/// The most commands of a solver, and the most bytes of one.
const MOST_COMMANDS: usize = 40;
const MOST_COMMAND: usize = 16 << 10;
/// The beginning of a line that names a defect.
const DEFECT: &str = "defect:";
/// The line of a critic that found none.
const NONE: &str = "no defects";

/// The defects that a critic names: one in each line that begins with `defect:`, or none, if a line
/// says `no defects`. An answer that says both or neither is a mistake.
pub(super) fn read_defects(answer: &str) -> Result<Vec<String>, AnswerMistake> {
    check_length(answer)?;
    let lines = || answer.lines().map(str::trim);
    let none = lines().any(|line| line.trim_end_matches('.').eq_ignore_ascii_case(NONE));
    let named = lines().filter_map(|line| line.strip_prefix(DEFECT)).map(str::trim);
    let named = named.filter(|defect| !defect.is_empty()).take(MOST_DEFECTS);
    let defects: Vec<String> =
        named.map(|defect| defect.chars().take(MOST_DEFECT).collect()).collect();
    match (none, defects.is_empty()) {
        (true, true) | (false, false) => Ok(defects),
        (true, false) => Err(AnswerMistake::new(1, "it names defects, and says `no defects`")),
        (false, true) => {
            Err(AnswerMistake::new(1, "no line begins with `defect:`, and none says `no defects`"))
        }
    }
}

/// The commands that a solver proposes: one in each fenced block.
pub(super) fn read_commands(answer: &str) -> Result<Vec<ScriptedMove>, AnswerMistake> {
    check_length(answer)?;
    let blocks = fenced_blocks(answer)?;
    if blocks.is_empty() {
        return Err(AnswerMistake::new(1, "there is no command in a fenced block"));
    }
    if let Some(block) = blocks.get(MOST_COMMANDS) {
        let what = format!("there are more than {MOST_COMMANDS} commands");
        return Err(AnswerMistake::new(block.line, what));
    }
    let command = |block: &FencedBlock<'_>| {
        if block.body.len() > MOST_COMMAND {
            return Err(AnswerMistake::new(block.line, "this command is longer than 16 KiB"));
        }
        if block.body.contains('\0') {
            return Err(AnswerMistake::new(block.line, "this command has a zero byte"));
        }
        let action = MoveAction::Run(block.body.trim_end().to_owned());
        Ok(ScriptedMove { think: String::new(), action })
    };
    blocks.iter().map(command).collect()
}

fn check_length(answer: &str) -> Result<(), AnswerMistake> {
    match answer.len() > MOST_ANSWER {
        true => Err(AnswerMistake::new(1, "the answer has more than 256 KiB")),
        false => Ok(()),
    }
}
