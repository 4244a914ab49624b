//! Converts rows that an older engine judged to the present row format, when a dataset is written.
//! Values that the older engine did not record stay unknown. Its decisions stay as they are: a
//! rejected row stays rejected.

use super::first_format::FIRST_FORMAT;
use synthd_actors::model::{ROW_SCHEMA, RowStep, TrajectoryRow};
use synthd_actors::quality::{ERROR_STEPS, MALFORMED_STEPS};

/// Converts a row of the first format. Rows of the present format stay as they are.
pub(super) fn carry_over(row: &mut TrajectoryRow) {
    if row.schema_version != FIRST_FORMAT {
        return;
    }
    row.schema_version = ROW_SCHEMA.to_owned();
    // The exit code of an agent that is a program is a real error, then and now.
    if !row.scaffold.starts_with("external/") {
        row.trajectory.iter_mut().for_each(forget_exit_code);
    }
    // The labels follow from the steps, so they are decided again after the errors were removed.
    set_label(row, ERROR_STEPS, |step| step.error.is_some());
    set_label(row, MALFORMED_STEPS, |step| step.action.kind == "malformed");
}

/// Removes an error that only repeats the exit code. The first format reported each exit code as an
/// error too.
fn forget_exit_code(step: &mut RowStep) {
    let told = step.exit_code.map(|code| format!("exit code {code}"));
    if told.is_some() && step.error == told {
        step.error = None;
    }
}

/// Sets or removes a label, by whether one of the steps is of this kind.
fn set_label(row: &mut TrajectoryRow, label: &str, is_such: fn(&RowStep) -> bool) {
    row.labels.retain(|known| known != label);
    if row.trajectory.iter().any(is_such) {
        row.labels.push(label.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::fixture::row;

    fn older() -> TrajectoryRow {
        let mut row = row(3);
        row.schema_version = FIRST_FORMAT.to_owned();
        row.labels = vec![ERROR_STEPS.to_owned(), "resolved".to_owned()];
        for step in &mut row.trajectory {
            (step.error, step.exit_code) = (Some("exit code 1".to_owned()), Some(1));
        }
        row
    }

    #[test]
    fn an_exit_code_is_no_error_any_more() {
        let mut row = older();
        carry_over(&mut row);
        assert_eq!(
            (row.schema_version.as_str(), &row.labels[..]),
            (ROW_SCHEMA, &["resolved".to_owned()][..])
        );
        assert!(
            row.trajectory.iter().all(|step| step.error.is_none() && step.exit_code == Some(1))
        );
    }

    #[test]
    fn what_did_go_wrong_stays() {
        let mut row = older();
        row.trajectory[0].error = Some("timeout".to_owned());
        row.trajectory[1].action.kind = "malformed".to_owned();
        carry_over(&mut row);
        assert_eq!(row.labels, ["resolved", ERROR_STEPS, MALFORMED_STEPS]);
        let mut external = older();
        external.scaffold = "external/own".to_owned();
        carry_over(&mut external);
        assert!(external.trajectory[0].error.is_some());
    }

    #[test]
    fn a_row_of_today_is_left_alone() {
        let mut row = row(3);
        row.labels = vec![ERROR_STEPS.to_owned()];
        let before = row.clone();
        carry_over(&mut row);
        assert_eq!(row, before);
    }
}
