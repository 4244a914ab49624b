//! What a judge sees of a row: the parts that its rubric names, quoted. It never sees verdict, checks,
//! labels, or which model did the work.

use super::hostile_text::quoted_lines;
use super::rubric_form::{Rubric, ShownPart};
use crate::model::{CompletionRow, DatasetRow, RowStep, TrajectoryRow, digest_of};
use serde_json::{Map, Value};

/// A row as a judge sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RubricView {
    /// Lines that begin with `| ` are quoted; those that begin with `* ` are headings and notes.
    pub text: String,
    pub digest: String,
}

/// The parts of a row, each with its title and its text.
type ViewParts = Vec<(String, String)>;

impl RubricView {
    /// The view. None if the row has nothing of what the rubric shows besides the instruction, unless it
    /// shows the instruction alone.
    pub fn of(row: &DatasetRow, rubric: &Rubric) -> Option<Self> {
        let shows = |part| rubric.shows.contains(&part);
        let mut parts = match row {
            DatasetRow::Trajectory(row) => of_trajectory(row, &shows),
            DatasetRow::Completion(row) => of_completion(row, &shows),
        };
        parts.retain(|(_, text)| !text.trim().is_empty());
        let is_of_work = rubric.shows.iter().any(|part| *part != ShownPart::Instruction);
        let work = parts.iter().filter(|(title, _)| !title.starts_with(ASKED)).count();
        if parts.is_empty() || (is_of_work && work == 0) {
            return None;
        }
        let most = usize::try_from(rubric.most_characters).unwrap_or(usize::MAX);
        let sections = parts.into_iter().map(|part| section(part, most / 4)).collect();
        let text = fitted(sections, most, "sections");
        let digest = digest_of(&["view", &text]);
        Some(Self { text, digest })
    }
}

/// The beginning of the titles of what was asked.
const ASKED: &str = "asked";

/// A part as its heading and its quoted lines.
fn section((title, text): (String, String), most: usize) -> String {
    format!("* {title}\n{}", fitted(quoted_lines(&text), most, "lines"))
}

/// The pieces as one text of about `most` bytes. Pieces in the middle are left out, with a note.
fn fitted(pieces: Vec<String>, most: usize, what: &str) -> String {
    if pieces.iter().map(String::len).sum::<usize>() <= most {
        return pieces.concat();
    }
    let front = fitting(pieces.iter(), most / 2);
    let back = fitting(pieces[front..].iter().rev(), most / 2);
    let behind = pieces.len() - back;
    let note = format!("* {} {what} are left out here\n", behind - front);
    [pieces[..front].concat(), note, pieces[behind..].concat()].concat()
}

/// How many pieces have room.
fn fitting<'a>(pieces: impl Iterator<Item = &'a String>, room: usize) -> usize {
    let mut used = 0;
    let fits = |piece: &&String| {
        used += piece.len();
        used <= room
    };
    pieces.take_while(fits).count()
}

fn of_trajectory(row: &TrajectoryRow, shows: &dyn Fn(ShownPart) -> bool) -> ViewParts {
    let mut parts = ViewParts::new();
    if shows(ShownPart::Instruction) {
        parts.push((ASKED.to_owned(), row.task_instruction.clone()));
    }
    for step in &row.trajectory {
        let number = step.step;
        if shows(ShownPart::Thoughts) {
            parts.push((format!("step {number}, thought"), step.reasoning.clone()));
        }
        of_step(step, shows, &mut parts);
    }
    parts
}

fn of_step(step: &RowStep, shows: &dyn Fn(ShownPart) -> bool, parts: &mut ViewParts) {
    let number = step.step;
    let mut act = |said: String, shown: String| {
        if shows(ShownPart::Actions) {
            parts.push((format!("step {number}, action"), said));
        }
        if shows(ShownPart::Observations) {
            parts.push((format!("step {number}, observation"), shown));
        }
    };
    match &step.actions {
        Some(actions) => {
            for one in actions {
                let shown = observed(&one.observation, one.error.as_deref(), one.exit_code);
                act(called(&one.tool, &one.kind, &one.arguments), shown);
            }
        }
        None => {
            let (one, error) = (&step.action, step.error.as_deref());
            let shown = observed(&step.observation, error, step.exit_code);
            act(called(&one.tool, &one.kind, &one.arguments), shown);
        }
    }
}

/// An action: its tool, or its kind if it is no call, and its arguments with their texts as they are.
fn called(tool: &str, kind: &str, arguments: &str) -> String {
    let name = if tool.is_empty() { kind } else { tool };
    let Ok(fields) = serde_json::from_str::<Map<String, Value>>(arguments) else {
        return format!("{name} {arguments}");
    };
    let field = |(key, value): (&String, &Value)| match value.as_str() {
        Some(text) => format!("{key}: {text}"),
        None => format!("{key}: {value}"),
    };
    let fields: Vec<String> = fields.iter().map(field).collect();
    format!("{name}\n{}", fields.join("\n"))
}

fn observed(observation: &str, error: Option<&str>, exit_code: Option<i32>) -> String {
    let mut lines = vec![observation.trim_end_matches('\n').to_owned()];
    lines.extend(error.map(|error| format!("error: {error}")));
    lines.extend(exit_code.filter(|code| *code != 0).map(|code| format!("exit code {code}")));
    lines.retain(|line| !line.is_empty());
    lines.join("\n")
}

fn of_completion(row: &CompletionRow, shows: &dyn Fn(ShownPart) -> bool) -> ViewParts {
    let mut parts = ViewParts::new();
    if shows(ShownPart::Instruction) {
        // The last message is the answer, which is a part of its own.
        let asked = row.messages.iter().filter(|message| message.weight.is_none());
        let asked = asked
            .filter(|message| !(message.role == "assistant" && message.content == row.response));
        let role = |role: &str| match role {
            "system" => "system",
            "assistant" => "assistant",
            "tool" => "tool",
            _ => "user",
        };
        let asked = asked
            .map(|message| (format!("{ASKED}, {}", role(&message.role)), message.content.clone()));
        parts.extend(asked);
    }
    if shows(ShownPart::Thoughts) {
        parts.push(("thought".to_owned(), row.reasoning.clone().unwrap_or_default()));
    }
    if shows(ShownPart::Answer) {
        parts.push(("answer".to_owned(), row.response.clone()));
    }
    parts
}
