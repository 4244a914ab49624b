//! The texts of a row: what a person or a model may read in it, one after the other, each with its
//! place. Texts that are JSON, such as the arguments of a call, are seen string by string, so that a
//! change never breaks them.

use crate::model::{DatasetRow, RowMessage, RowStep, RowStepAction};
use std::fmt;

/// Who wrote a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TextSource {
    /// The campaign: instructions, prompts, tools.
    Given,
    /// The model: its thoughts, its words, its calls.
    Written,
    /// The sandbox: observations and paths.
    Shown,
    /// The judge: what checks said.
    Judged,
}

/// Where a text stands in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextPlace {
    pub source: TextSource,
    /// The column.
    pub column: &'static str,
    /// The number of the element, if the column is a list.
    pub at: Option<usize>,
    /// The field of the element; empty if the column is the text itself.
    pub field: &'static str,
    /// Whether the text is JSON.
    pub json: bool,
}

impl TextPlace {
    const fn column(source: TextSource, column: &'static str) -> Self {
        Self { source, column, at: None, field: "", json: false }
    }

    const fn element(
        source: TextSource,
        column: &'static str,
        at: usize,
        field: &'static str,
    ) -> Self {
        Self { source, column, at: Some(at), field, json: false }
    }

    const fn as_json(self) -> Self {
        Self { json: true, ..self }
    }
}

impl fmt::Display for TextPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            Some(at) => write!(f, "{}[{at}].{}", self.column, self.field),
            None => f.write_str(self.column),
        }
    }
}

/// Makes the functions that visit all texts of a row, to read them or to change them.
macro_rules! visits {
    ($row_fn:ident, $step_fn:ident, $action_fn:ident, $message_fn:ident $(, $m:tt)?) => {
        /// Visits every text of a row, in the order of its columns.
        fn $row_fn(row: &$($m)? DatasetRow, see: &mut dyn FnMut(TextPlace, &$($m)? String)) {
            use TextSource::{Given, Judged, Written};
            match row {
                DatasetRow::Trajectory(row) => {
                    see(TextPlace::column(Given, "task_instruction"), &$($m)? row.task_instruction);
                    if let Some(tools) = &$($m)? row.tools {
                        see(TextPlace::column(Given, "tools").as_json(), tools);
                    }
                    for (at, step) in (&$($m)? row.trajectory).into_iter().enumerate() {
                        $step_fn(at, step, see);
                    }
                    let messages = (&$($m)? row.messages).into_iter().flatten();
                    for (at, message) in messages.enumerate() {
                        $message_fn(at, message, see);
                    }
                    for (at, check) in (&$($m)? row.verification.checks).into_iter().enumerate() {
                        if let Some(output) = &$($m)? check.output {
                            see(TextPlace::element(Judged, "verification.checks", at, "output"), output);
                        }
                    }
                }
                DatasetRow::Completion(row) => {
                    for (at, message) in (&$($m)? row.messages).into_iter().enumerate() {
                        $message_fn(at, message, see);
                    }
                    see(TextPlace::column(Written, "response"), &$($m)? row.response);
                    if let Some(reasoning) = &$($m)? row.reasoning {
                        see(TextPlace::column(Written, "reasoning"), reasoning);
                    }
                    if let Some(fields) = &$($m)? row.fields {
                        see(TextPlace::column(Given, "fields").as_json(), fields);
                    }
                }
            }
        }

        fn $step_fn(at: usize, step: &$($m)? RowStep, see: &mut dyn FnMut(TextPlace, &$($m)? String)) {
            use TextSource::{Shown, Written};
            let place = |source, field| TextPlace::element(source, "trajectory", at, field);
            see(place(Shown, "state.cwd"), &$($m)? step.state.cwd);
            for file in &$($m)? step.state.files {
                see(place(Shown, "state.files"), file);
            }
            see(place(Written, "reasoning"), &$($m)? step.reasoning);
            see(place(Written, "action.arguments").as_json(), &$($m)? step.action.arguments);
            see(place(Shown, "observation"), &$($m)? step.observation);
            if let Some(error) = &$($m)? step.error {
                see(place(Shown, "error"), error);
            }
            for action in (&$($m)? step.actions).into_iter().flatten() {
                $action_fn(at, action, see);
            }
        }

        fn $action_fn(
            at: usize,
            action: &$($m)? RowStepAction,
            see: &mut dyn FnMut(TextPlace, &$($m)? String),
        ) {
            use TextSource::{Shown, Written};
            let place = |source, field| TextPlace::element(source, "trajectory", at, field);
            see(place(Written, "actions.arguments").as_json(), &$($m)? action.arguments);
            see(place(Shown, "actions.observation"), &$($m)? action.observation);
            if let Some(error) = &$($m)? action.error {
                see(place(Shown, "actions.error"), error);
            }
        }

        fn $message_fn(
            at: usize,
            message: &$($m)? RowMessage,
            see: &mut dyn FnMut(TextPlace, &$($m)? String),
        ) {
            let source = source_of(&message.role);
            let place = |field| TextPlace::element(source, "messages", at, field);
            see(place("content"), &$($m)? message.content);
            if let Some(reasoning) = &$($m)? message.reasoning {
                see(place("reasoning"), reasoning);
            }
            for call in (&$($m)? message.tool_calls).into_iter().flatten() {
                see(place("tool_calls.arguments").as_json(), &$($m)? call.arguments);
            }
        }
    };
}

visits!(visit_texts, visit_step, visit_action, visit_message);
visits!(edit_texts, edit_step, edit_action, edit_message, mut);

/// Who wrote a message of this role.
fn source_of(role: &str) -> TextSource {
    match role {
        "assistant" => TextSource::Written,
        "tool" => TextSource::Shown,
        _ => TextSource::Given,
    }
}

/// Visits every string of a row as people read it: those within JSON are unescaped.
pub fn visit_strings(row: &DatasetRow, see: &mut dyn FnMut(TextPlace, &str)) {
    visit_texts(row, &mut |place, text| match place.json {
        true => json_strings(text).for_each(|string| see(place, &string.text)),
        false => see(place, text),
    });
}

/// Changes every string of a row for which `change` returns another one. The tokens of a changed row
/// are left out: they say what its texts said.
pub fn edit_strings(
    row: &mut DatasetRow,
    change: &mut dyn FnMut(TextPlace, &str) -> Option<String>,
) {
    let mut any = false;
    edit_texts(row, &mut |place, text| {
        let changed = match place.json {
            true => edited_json(text, &mut |string| change(place, string)),
            false => change(place, text),
        };
        if let Some(changed) = changed {
            *text = changed;
            any = true;
        }
    });
    if any {
        row.forget_tokens();
    }
}

/// A string within JSON.
struct JsonString {
    /// Where it stands, with its quotes.
    at: std::ops::Range<usize>,
    /// What it says.
    text: String,
}

/// The strings of a JSON text. A text that is no JSON may have some too; all that can be read count.
/// What has no string, such as a text that is cut within its first one, is one string as it stands.
fn json_strings(text: &str) -> impl Iterator<Item = JsonString> {
    let mut found = Vec::new();
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(begin) = bytes[at..].iter().position(|byte| *byte == b'"').map(|by| at + by) {
        let Some(end) = end_of_string(bytes, begin) else { break };
        if let Ok(string) = serde_json::from_str::<String>(&text[begin..end]) {
            found.push(JsonString { at: begin..end, text: string });
        }
        at = end;
    }
    if found.is_empty() && serde_json::from_str::<serde::de::IgnoredAny>(text).is_err() {
        found.push(JsonString { at: 0..text.len(), text: text.to_owned() });
    }
    found.into_iter()
}

/// The end of the string that begins at `begin`, behind its closing quote.
fn end_of_string(bytes: &[u8], begin: usize) -> Option<usize> {
    let mut at = begin + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return Some(at + 1),
            _ => at += 1,
        }
    }
    None
}

/// The JSON text with changed strings; none if none changed. All other bytes stay.
fn edited_json(text: &str, change: &mut dyn FnMut(&str) -> Option<String>) -> Option<String> {
    let (mut edited, mut copied, mut any) = (String::new(), 0, false);
    let is_json = serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
    for string in json_strings(text) {
        let Some(changed) = change(&string.text) else { continue };
        any = true;
        edited.push_str(&text[copied..string.at.start]);
        match is_json || string.at.len() < text.len() {
            true => edited.push_str(&serde_json::Value::String(changed).to_string()),
            // It was no string, but a text that could not be read.
            false => edited.push_str(&changed),
        }
        copied = string.at.end;
    }
    edited.push_str(&text[copied..]);
    any.then_some(edited)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn upper(text: &str) -> Option<String> {
        text.contains("key").then(|| text.replace("key", "<\"KEY\">"))
    }

    #[test]
    fn strings_within_json_are_changed_and_nothing_else() {
        let text = r#"{ "command": "echo \"key\"\n", "n": 1.50, "é": ["a key", null] }"#;
        let edited = edited_json(text, &mut upper).unwrap();
        let value: serde_json::Value = serde_json::from_str(&edited).unwrap();
        assert_eq!(value["command"], "echo \"<\"KEY\">\"\n");
        assert_eq!(value["é"][0], "a <\"KEY\">");
        assert!(edited.contains("\"n\": 1.50,"), "{edited}");
        assert_eq!(edited_json(r#"{"a": "b"}"#, &mut upper), None);
    }

    #[test]
    fn a_text_that_is_no_json_is_still_seen() {
        assert_eq!(edited_json("the key", &mut upper).unwrap(), "the <\"KEY\">");
        let cut = r#"{"command": "echo a key"#;
        let edited = edited_json(cut, &mut upper);
        assert!(edited.is_none_or(|edited| !edited.contains("a key")));
    }

    proptest! {
        #[test]
        fn json_stays_json(strings in proptest::collection::vec(".*", 1..6)) {
            let text = serde_json::to_string(&strings).unwrap();
            let mut change = |string: &str| Some(format!("<{string}>"));
            let edited = edited_json(&text, &mut change).unwrap();
            let read: Vec<String> = serde_json::from_str(&edited).unwrap();
            let expected: Vec<String> = strings.iter().map(|s| format!("<{s}>")).collect();
            prop_assert_eq!(read, expected);
        }
    }
}
