//! What speaks against the verdict of a row: another verdict, a partial score, a label, a note of a
//! recipe's stage. Such rows are where wrong labels are.

use crate::model::{DatasetRow, SealedVerdict, TrajectoryRow};

/// Labels that speak against a solved row.
const BAD_LABELS: [&str; 6] = ["format", "leak", "tampering", "loops", "truncation", "refusal"];
/// Stages whose notes speak of the set, not of the row.
const SET_STAGES: [&str; 5] = ["duplicates", "cap", "balance", "pass-rate", "unresolved"];

/// What contradicts the verdict, for people; empty if nothing does. `noted` are the stages whose notes
/// say something of the row.
pub fn contradictions(row: &DatasetRow, noted: &[String]) -> Vec<String> {
    let mut found = row.as_trajectory().map(of_verification).unwrap_or_default();
    let claims_good =
        matches!(SealedVerdict::of(row), SealedVerdict::Resolved | SealedVerdict::Unchecked);
    if claims_good {
        let labels = row.labels().iter().map(String::as_str);
        let labels = labels.filter(|label| BAD_LABELS.contains(label));
        found.extend(labels.map(|label| format!("the label {label}")));
        let notes = noted.iter().filter(|kind| !SET_STAGES.contains(&kind.as_str()));
        found.extend(notes.map(|kind| format!("a note of the stage {kind}")));
    }
    found
}

/// What the verification itself contradicts.
fn of_verification(row: &TrajectoryRow) -> Vec<String> {
    let mut found = Vec::new();
    if row.final_result == "flaky" {
        found.push("the checks contradict each other".to_owned());
    }
    if let Some(later) = row.reverified.as_ref().filter(|later| later.outcome != row.final_result) {
        found.push(format!("a later verdict, {}", later.outcome));
    }
    let score = row.verification.score;
    if row.final_result == "unresolved" && score > 0.0 {
        found.push(format!("a score of {score:.2}"));
    }
    if row.final_result == "unresolved" && row.labels.iter().any(|label| label == "stop:submitted")
    {
        found.push("the model submitted".to_owned());
    }
    found
}
