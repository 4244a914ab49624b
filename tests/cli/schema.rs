//! `synthd schema`: the same columns as a table and as a JSON Schema.

use super::harness::{here, on_terminal, synthd};

#[test]
fn the_table_and_the_json_schema_have_the_same_columns() {
    for kind in ["trajectory", "completion"] {
        let text = synthd(&["schema", kind]).succeeds().stdout;
        let document = synthd(&["schema", kind, "--json"]).succeeds().document();
        assert!(text.starts_with(document["title"].as_str().unwrap()), "{text}");
        let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
        for name in document["properties"].as_object().unwrap().keys() {
            assert!(
                lines.iter().any(|line| line.starts_with(&format!("{name} "))),
                "{name}: {text}"
            );
        }
        assert!(text.contains("messages[].tool_calls[].arguments"), "{text}");
    }
}

#[test]
fn the_table_fits_a_terminal() {
    let text = on_terminal(&here(), &["schema", "trajectory"], 70);
    assert!(text.lines().all(|line| line.chars().count() <= 70), "{text}");
}

#[test]
fn a_template_has_the_schema_of_template_schema() {
    let own = synthd(&["template", "schema"]).succeeds().stdout;
    assert_eq!(synthd(&["schema", "template"]).succeeds().stdout, own);
    assert_eq!(synthd(&["schema", "recipe"]).code, Some(2));
}
