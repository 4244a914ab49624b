//! Rows of tasks from packs.

use super::good;
use crate::model::{Task, TaskPack};
use crate::quality::row::build_row;
use std::sync::Arc;

/// The licence of a project holds for its files in the row, so the row has it.
#[test]
fn a_row_has_the_pack_of_its_task_with_its_licence() {
    let mut judged = good();
    assert_eq!(build_row(&judged, String::new()).pack, None);
    let pack = TaskPack {
        name: "tabq".to_owned(),
        version: "1.0.0".to_owned(),
        digest: "abc".to_owned(),
        licence: "MIT OR Apache-2.0".to_owned(),
        notices: "Do what you like.\n".to_owned(),
        entries: vec!["f0001".to_owned()],
    };
    judged.task = Arc::new(Task { pack: Some(pack), ..Task::clone(&judged.task) });
    let row = build_row(&judged, String::new());
    let json = serde_json::to_value(&row).unwrap();
    let expected = serde_json::json!({
        "name": "tabq", "version": "1.0.0", "digest": "abc", "licence": "MIT OR Apache-2.0",
        "notices": "Do what you like.\n",
    });
    assert_eq!(json["pack"], expected);
    let again: crate::model::TrajectoryRow = serde_json::from_value(json).unwrap();
    assert_eq!(again, row);
}
