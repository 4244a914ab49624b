//! The quality stages over one row: what would poison a dataset is rejected, the rest is
//! labelled, each as the campaign says. Stages that need all rows at once (duplicates)
//! run when a dataset is written.

use super::row::Judgement;
use crate::model::{Rejection, RowStep, SEALED, StageAction, StopReason, Task, TrajectoryRow};
use std::collections::HashSet;

/// What the stages found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// The first stage that rejected.
    pub rejected: Option<Rejection>,
    pub labels: Vec<String>,
}

impl Findings {
    fn label(&mut self, label: &str) {
        if !self.labels.iter().any(|known| known == label) {
            self.labels.push(label.to_owned());
        }
    }

    fn apply(&mut self, stage: &str, action: StageAction, found: Option<String>) {
        let Some(detail) = found else { return };
        match action {
            StageAction::Off => {}
            StageAction::Label => self.label(stage),
            StageAction::Reject if self.rejected.is_none() => {
                self.rejected = Some(Rejection { stage: stage.to_owned(), detail });
            }
            StageAction::Reject => {}
        }
    }
}

/// Runs every stage in order.
pub fn judge(judged: &Judgement, row: &TrajectoryRow) -> Findings {
    let policy = &judged.policy;
    let mut findings = Findings::default();
    findings.apply("format", policy.format, malformed(row));
    findings.apply("leak", policy.leak, leak(row, &judged.task));
    findings.apply("tampering", policy.tampering, tampering(row));
    findings.apply("loops", policy.loops, looping(row, policy.loop_length));
    findings.apply("truncation", policy.truncation, truncated(judged.stop));
    findings.apply("unresolved", policy.unresolved, unresolved(row));
    for label in plain_labels(judged, row) {
        findings.label(&label);
    }
    findings
}

fn plain_labels(judged: &Judgement, row: &TrajectoryRow) -> Vec<String> {
    let mut labels = vec![row.final_result.clone(), format!("stop:{}", judged.stop.as_str())];
    if row.trajectory.iter().any(|step| step.error.is_some()) {
        labels.push("error-steps".to_owned());
    }
    if row.verification.score > 0.0 && !row.verification.passed {
        labels.push("partial".to_owned());
    }
    labels
}

fn malformed(row: &TrajectoryRow) -> Option<String> {
    if row.trajectory.is_empty() {
        return Some("the trajectory has no step".to_owned());
    }
    row.trajectory.iter().enumerate().find_map(|(at, step)| {
        let object: Result<serde_json::Map<_, _>, _> = serde_json::from_str(&step.action.arguments);
        if usize::try_from(step.step) != Ok(at) {
            Some(format!("step {at} is numbered {}", step.step))
        } else if step.action.kind == "malformed" {
            Some(format!("the reply of step {at} could not be read"))
        } else if object.is_err() {
            Some(format!("the arguments of step {at} are not a JSON object"))
        } else {
            None
        }
    })
}

/// Sealed lines this long are not in a trajectory by chance.
const TELLING_LINE: usize = 40;

fn leak(row: &TrajectoryRow, task: &Task) -> Option<String> {
    let sealed = &task.verification;
    let public: HashSet<&str> = public_lines(task).collect();
    let telling: Vec<&str> = sealed
        .files
        .iter()
        .flat_map(|file| file.content.lines())
        .map(str::trim)
        .filter(|line| line.len() >= TELLING_LINE && !public.contains(line))
        .collect();
    row.trajectory.iter().find_map(|step| {
        let texts = [&step.observation, &step.action.arguments, &step.reasoning];
        if texts.iter().any(|text| text.contains(&sealed.canary)) {
            return Some(format!("step {} shows the sealed canary", step.step));
        }
        // What only the sandbox can have shown; an agent may well write a similar line.
        let shown = telling.iter().find(|line| step.observation.contains(**line));
        let written = |line: &str| written_before(row, step, line);
        shown
            .filter(|line| !written(line))
            .map(|line| format!("step {} shows a sealed line: {line}", step.step))
    })
}

/// Whether the agent wrote the line itself, before or in the step that shows it.
fn written_before(row: &TrajectoryRow, at: &RowStep, line: &str) -> bool {
    let quoted = serde_json::to_string(line).unwrap_or_default();
    let escaped = quoted.trim_matches('"');
    row.trajectory
        .iter()
        .take_while(|step| step.step <= at.step)
        .any(|step| step.action.arguments.contains(escaped))
}

fn public_lines(task: &Task) -> impl Iterator<Item = &str> {
    task.files
        .iter()
        .map(|file| file.content.as_str())
        .chain([task.instruction.as_str()])
        .flat_map(str::lines)
        .map(str::trim)
}

fn tampering(row: &TrajectoryRow) -> Option<String> {
    let reaches = |step: &&RowStep| {
        let text = &step.action.arguments;
        text.match_indices(SEALED).any(|(at, _)| {
            // `/sealed-orders` is another path.
            let next = text[at + SEALED.len()..].bytes().next();
            !next.is_some_and(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        })
    };
    row.trajectory
        .iter()
        .find(reaches)
        .map(|step| format!("the command of step {} reaches for {SEALED}", step.step))
}

fn looping(row: &TrajectoryRow, length: u32) -> Option<String> {
    let mut run = 0;
    let mut last: Option<(&str, &str)> = None;
    for step in &row.trajectory {
        let action = (step.action.tool.as_str(), step.action.arguments.as_str());
        run = if last == Some(action) { run + 1 } else { 1 };
        last = Some(action);
        if run >= length.max(2) {
            return Some(format!("the same action {run} times in a row up to step {}", step.step));
        }
    }
    None
}

fn truncated(stop: StopReason) -> Option<String> {
    matches!(stop, StopReason::StepLimit | StopReason::TimeLimit | StopReason::Truncated)
        .then(|| format!("ended by {}", stop.as_str()))
}

fn unresolved(row: &TrajectoryRow) -> Option<String> {
    (row.final_result != "resolved").then(|| format!("the task is {}", row.final_result))
}
