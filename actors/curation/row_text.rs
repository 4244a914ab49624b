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

    /// Whether the text is the name of a tool.
    fn is_name(&self) -> bool {
        matches!(self.field, "name" | "tool_calls.name" | "action.tool" | "actions.tool")
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
                        if let Some(second) = &$($m)? check.second {
                            see(TextPlace::element(Judged, "verification.checks", at, "second.output"), &$($m)? second.output);
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
            see(place(Written, "action.tool"), &$($m)? step.action.tool);
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
            see(place(Written, "actions.tool"), &$($m)? action.tool);
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
            if let Some(name) = &$($m)? message.name {
                see(place("name"), name);
            }
            for call in (&$($m)? message.tool_calls).into_iter().flatten() {
                see(place("tool_calls.name"), &$($m)? call.name);
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

/// A text as a finder of passages sees it.
#[derive(Clone, Copy, Debug)]
pub struct SeenText<'a> {
    pub place: TextPlace,
    /// The key whose value the text is, within JSON.
    pub name: Option<&'a str>,
    pub text: &'a str,
}

/// Visits every string of a row as people read it: those within JSON are unescaped. Names of tools and numbers are none.
pub fn visit_strings(row: &DatasetRow, see: &mut dyn FnMut(TextPlace, &str)) {
    visit_texts(row, &mut |place, text| match place.json {
        _ if place.is_name() => {}
        true => {
            let strings = json_strings(text).into_iter();
            strings
                .filter(|string| string.form != JsonForm::Number)
                .for_each(|string| see(place, &string.text));
        }
        false => see(place, text),
    });
}

/// Visits all in which a passage may be: strings, names of tools, and long numbers within JSON.
pub fn visit_passages(row: &DatasetRow, see: &mut dyn FnMut(SeenText<'_>)) {
    visit_texts(row, &mut |place, text| match place.json {
        true => json_strings(text).iter().for_each(|string| see(string.seen(place))),
        false => see(SeenText { place, name: None, text }),
    });
}

/// Changes everything that [`visit_passages`] shows, and for which `change` returns another text. The tokens of a
/// changed row are left out: they say what its texts said.
pub fn edit_passages(row: &mut DatasetRow, change: &mut dyn FnMut(SeenText<'_>) -> Option<String>) {
    let mut any = false;
    edit_texts(row, &mut |place, text| {
        let changed = match place.json {
            true => edited_json(text, &mut |string| change(string.seen(place))),
            false => change(SeenText { place, name: None, text }),
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

/// How a string stands in a JSON text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum JsonForm {
    /// Between its quotes, which belong to it.
    Quoted,
    /// As it is: a part that could not be read.
    Raw,
    /// A number of many digits.
    Number,
}

/// A string within JSON.
struct JsonString {
    /// Where it stands.
    at: std::ops::Range<usize>,
    /// What it says.
    text: String,
    /// The key whose value it is.
    name: Option<String>,
    form: JsonForm,
}

impl JsonString {
    fn raw(text: &str, at: std::ops::Range<usize>) -> Self {
        Self { text: text[at.clone()].to_owned(), at, name: None, form: JsonForm::Raw }
    }

    fn seen(&self, place: TextPlace) -> SeenText<'_> {
        SeenText { place, name: self.name.as_deref(), text: &self.text }
    }
}

/// The fewest digits of a number that may be more than a number, such as that of a card.
const LONG_NUMBER: usize = 9;

/// The strings of a JSON text. Whatever cannot be read is one, as it stands: a string with half a surrogate pair,
/// and in a text that is no JSON, such as one that was cut, also what stands between the strings.
fn json_strings(text: &str) -> Vec<JsonString> {
    let is_json = serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
    let (mut found, mut name) = (Vec::new(), None);
    let bytes = text.as_bytes();
    let mut at = 0;
    loop {
        let begin = bytes[at..].iter().position(|byte| *byte == b'"').map(|by| at + by);
        between(text, at..begin.unwrap_or(text.len()), is_json, &mut name, &mut found);
        let Some(begin) = begin else { return found };
        let Some(end) = end_of_string(bytes, begin) else {
            found.push(JsonString::raw(text, begin + 1..text.len()));
            return found;
        };
        match serde_json::from_str::<String>(&text[begin..end]) {
            Ok(string) if is_key(bytes, end) => {
                let key =
                    JsonString { at: begin..end, text: string, name: None, form: JsonForm::Quoted };
                name = Some(key.text.clone());
                found.push(key);
            }
            Ok(string) => {
                let name = name.take();
                found.push(JsonString {
                    at: begin..end,
                    text: string,
                    name,
                    form: JsonForm::Quoted,
                });
            }
            Err(_) => found.push(JsonString::raw(text, begin + 1..end - 1)),
        }
        at = end;
    }
}

/// What stands between two strings: long numbers, or all of it if the text is no JSON.
fn between(
    text: &str,
    at: std::ops::Range<usize>,
    is_json: bool,
    name: &mut Option<String>,
    found: &mut Vec<JsonString>,
) {
    let part = &text[at.clone()];
    if !is_json {
        if !part.is_empty() {
            found.push(JsonString::raw(text, at));
        }
        return;
    }
    let mut begin = 0;
    for token in part.split_inclusive(|c: char| !c.is_ascii_alphanumeric() && !"+-.".contains(c)) {
        let digits = token.bytes().take_while(u8::is_ascii_digit).count();
        let whole = token
            .trim_end_matches(|c: char| !c.is_ascii_alphanumeric() && !"+-.".contains(c))
            .len();
        if digits >= LONG_NUMBER && digits == whole {
            let at = at.start + begin..at.start + begin + digits;
            let (text, name) = (text[at.clone()].to_owned(), name.clone());
            found.push(JsonString { at, text, name, form: JsonForm::Number });
        }
        begin += token.len();
    }
    // A value that is no string ends what the key names.
    if part.contains([',', '}', ']']) {
        *name = None;
    }
}

/// Whether a colon follows, so that the string before is a key.
fn is_key(bytes: &[u8], end: usize) -> bool {
    bytes[end..].iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b':')
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

/// The JSON text with changed strings; none if none changed. All other bytes stay. A number that changes becomes a
/// string.
fn edited_json(
    text: &str,
    change: &mut dyn FnMut(&JsonString) -> Option<String>,
) -> Option<String> {
    let (mut edited, mut copied, mut any) = (String::new(), 0, false);
    for string in json_strings(text) {
        let Some(changed) = change(&string) else { continue };
        any = true;
        edited.push_str(&text[copied..string.at.start]);
        match string.form {
            JsonForm::Raw => edited.push_str(&changed),
            _ => edited.push_str(&serde_json::Value::String(changed).to_string()),
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

    fn upper(string: &JsonString) -> Option<String> {
        string.text.contains("key").then(|| string.text.replace("key", "<\"KEY\">"))
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
        for (broken, expected) in [
            (r#"{"command": "echo a key"#, r#"{"command": "echo a <"KEY">"#),
            (r#"{"a": "b", "command": "a key"#, r#"{"a": "b", "command": "a <"KEY">"#),
            (r#"{"a": "\ud800 key", "b": 1}"#, r#"{"a": "\ud800 <"KEY">", "b": 1}"#),
            (r#"{"a": "\x key"}"#, r#"{"a": "\x <"KEY">"}"#),
            (r#"key "a" key"#, r#"<"KEY"> "a" <"KEY">"#),
        ] {
            assert_eq!(edited_json(broken, &mut upper).unwrap(), expected);
        }
    }

    #[test]
    fn a_value_is_known_by_its_key_and_long_numbers_are_seen() {
        let text = r#"{"card": 4539578763621486, "n": 12, "password": "x y", "list": ["a"], "f": 1234567890.5}"#;
        let seen: Vec<(Option<String>, String)> =
            json_strings(text).into_iter().map(|one| (one.name, one.text)).collect();
        let value = |name: &str, text: &str| (Some(name.to_owned()), text.to_owned());
        assert!(seen.contains(&value("card", "4539578763621486")), "{seen:?}");
        assert!(seen.contains(&value("password", "x y")), "{seen:?}");
        assert!(seen.iter().all(|(_, text)| text != "12" && !text.starts_with("123")), "{seen:?}");
        let mut hide =
            |string: &JsonString| (string.form == JsonForm::Number).then(|| "[card]".to_owned());
        let edited = edited_json(text, &mut hide).unwrap();
        let value: serde_json::Value = serde_json::from_str(&edited).unwrap();
        assert_eq!((&value["card"], &value["n"]), (&"[card]".into(), &12.into()));
    }

    proptest! {
        #[test]
        fn json_stays_json(strings in proptest::collection::vec(".*", 1..6)) {
            let text = serde_json::to_string(&strings).unwrap();
            let mut change = |string: &JsonString| Some(format!("<{}>", string.text));
            let edited = edited_json(&text, &mut change).unwrap();
            let read: Vec<String> = serde_json::from_str(&edited).unwrap();
            let expected: Vec<String> = strings.iter().map(|s| format!("<{s}>")).collect();
            prop_assert_eq!(read, expected);
        }
    }
}
