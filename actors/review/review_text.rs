//! What a reviewer is shown of a row, as sections of text. What tells the verdict or who did the work is
//! apart: it is shown after the decision. The texts are untrusted; who prints them makes them safe.

use crate::model::{CompletionRow, DatasetRow, RowStep, SealedVerdict, TrajectoryRow};
use serde::Serialize;
use serde_json::{Map, Value};

/// A piece of what is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReviewSection {
    pub title: String,
    pub text: String,
}

impl ReviewSection {
    fn new(title: impl Into<String>, text: impl Into<String>) -> Self {
        Self { title: title.into(), text: text.into() }
    }
}

/// What is shown before the decision: what was asked, and what was done.
pub fn shown_sections(row: &DatasetRow) -> Vec<ReviewSection> {
    match row {
        DatasetRow::Trajectory(row) => of_trajectory(row),
        DatasetRow::Completion(row) => of_completion(row),
    }
}

/// What is shown after the decision: verdict, checks, labels and model.
pub fn hidden_sections(row: &DatasetRow, contradictions: &[String]) -> Vec<ReviewSection> {
    let mut sections = vec![ReviewSection::new("verdict", verdict(row))];
    if let DatasetRow::Trajectory(row) = row {
        sections.push(ReviewSection::new("checks", checks(row)));
    }
    sections.push(ReviewSection::new("model", model(row)));
    sections.push(ReviewSection::new("labels", row.labels().join(", ")));
    sections.push(ReviewSection::new("against the verdict", contradictions.join("\n")));
    sections.retain(|section| !section.text.is_empty());
    sections
}

fn of_trajectory(row: &TrajectoryRow) -> Vec<ReviewSection> {
    let mut sections = vec![ReviewSection::new("instruction", row.task_instruction.clone())];
    let steps = row.trajectory.iter();
    sections
        .extend(steps.map(|step| ReviewSection::new(format!("step {}", step.step), of_step(step))));
    sections
}

fn of_step(step: &RowStep) -> String {
    let mut parts = vec![step.reasoning.clone()];
    match &step.actions {
        Some(actions) => {
            for action in actions {
                parts.push(called(&action.tool, &action.kind, &action.arguments));
                parts.push(action.observation.clone());
                parts.extend(action.error.iter().map(|error| format!("error: {error}")));
            }
        }
        None => {
            parts.push(called(&step.action.tool, &step.action.kind, &step.action.arguments));
            parts.push(step.observation.clone());
            parts.extend(step.error.iter().map(|error| format!("error: {error}")));
        }
    }
    joined(parts)
}

/// An action: its tool, and each argument with its text as it is.
fn called(tool: &str, kind: &str, arguments: &str) -> String {
    let name = if tool.is_empty() { kind } else { tool };
    let Ok(fields) = serde_json::from_str::<Map<String, Value>>(arguments) else {
        return format!("> {name} {arguments}");
    };
    let field = |(key, value): (&String, &Value)| match value {
        Value::String(text) => format!("{key}: {text}"),
        other => format!("{key}: {other}"),
    };
    let fields: Vec<String> = fields.iter().map(field).collect();
    format!("> {name}\n{}", fields.join("\n"))
}

fn of_completion(row: &CompletionRow) -> Vec<ReviewSection> {
    // The last message is the answer, which has a section of its own.
    let asked = row.messages.iter().filter(|message| message.weight.is_none());
    let mut sections: Vec<_> = asked
        .filter(|message| !(message.role == "assistant" && message.content == row.response))
        .map(|message| ReviewSection::new(message.role.clone(), message.content.clone()))
        .collect();
    if let Some(reasoning) = &row.reasoning {
        sections.push(ReviewSection::new("reasoning", reasoning.clone()));
    }
    sections.push(ReviewSection::new("answer", row.response.clone()));
    sections
}

fn verdict(row: &DatasetRow) -> String {
    let verdict = SealedVerdict::of(row).as_str();
    match row {
        DatasetRow::Trajectory(row) => format!("{verdict}, score {:.3}", row.verification.score),
        DatasetRow::Completion(row) => format!("{verdict}, ended by {}", row.finish_reason),
    }
}

fn checks(row: &TrajectoryRow) -> String {
    let check = |check: &crate::model::RowCheck| {
        let mark = if check.passed { "pass" } else { "FAIL" };
        let output = check.output.as_deref().unwrap_or_default().trim_end();
        joined(vec![format!("{mark}  {}", check.name), output.to_owned()])
    };
    row.verification.checks.iter().map(check).collect::<Vec<_>>().join("\n")
}

fn model(row: &DatasetRow) -> String {
    match row {
        DatasetRow::Trajectory(row) => {
            format!("{}/{} through {}", row.llm_provider, row.llm_model, row.scaffold)
        }
        DatasetRow::Completion(row) => format!("{}/{}", row.llm_provider, row.llm_model),
    }
}

/// The parts that are not empty, each on lines of its own.
fn joined(parts: Vec<String>) -> String {
    let parts = parts.iter().map(|part| part.trim_end_matches('\n'));
    parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
}
