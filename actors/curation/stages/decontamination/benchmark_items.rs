//! The items of a benchmark's file.
//!
//! - A file whose first character is `{` has a JSON object on each line. `id` or `task_id` names the item;
//!   else its line does. Every other key is a part: the strings of its value, one below the other.
//! - Any other file has one item in each block between blank lines, or on each line if no line is blank.
//!   The item is named by its first line's number and has one part, `text`.

use serde_json::Value;

/// The keys that name an item, the first one that is there.
const NAMES: [&str; 4] = ["id", "task_id", "question_id", "name"];

/// An item of a benchmark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BenchmarkItem {
    pub(super) id: String,
    /// The name and the text of each part.
    pub(super) parts: Vec<(String, String)>,
}

/// Reads the items of a file. The fault says which line is wrong, and why.
pub(super) fn benchmark_items(text: &str) -> Result<Vec<BenchmarkItem>, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let items = match text.trim_start().starts_with('{') {
        true => of_json(text)?,
        false => of_text(text),
    };
    match items.is_empty() {
        true => Err("it has no item".to_owned()),
        false => Ok(items),
    }
}

fn of_json(text: &str) -> Result<Vec<BenchmarkItem>, String> {
    let lines = text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty());
    lines
        .map(|(line, number)| match serde_json::from_str(line) {
            Ok(Value::Object(object)) => Ok(of_object(&object, number)),
            Ok(_) => Err(format!("line {number} is no JSON object")),
            Err(error) => Err(format!("line {number} is no JSON: {error}")),
        })
        .collect()
}

fn of_object(object: &serde_json::Map<String, Value>, number: u64) -> BenchmarkItem {
    let name = NAMES.iter().find_map(|key| object.get_key_value(*key));
    let id = match name {
        Some((_, Value::String(id))) => id.clone(),
        Some((_, Value::Number(id))) => id.to_string(),
        _ => format!("line {number}"),
    };
    let others = object.iter().filter(|(key, _)| name.is_none_or(|(named, _)| named != *key));
    let parts = others.map(|(key, value)| {
        let mut text = String::new();
        strings(value, &mut text);
        (key.clone(), text)
    });
    BenchmarkItem { id, parts: parts.filter(|(_, text)| !text.is_empty()).collect() }
}

/// Appends the strings within a value.
fn strings(value: &Value, to: &mut String) {
    match value {
        Value::String(text) => {
            to.push_str(text);
            to.push('\n');
        }
        Value::Array(values) => values.iter().for_each(|value| strings(value, to)),
        Value::Object(object) => object.values().for_each(|value| strings(value, to)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn of_text(text: &str) -> Vec<BenchmarkItem> {
    let is_blank = |line: &str| line.trim().is_empty();
    let in_blocks = text.trim().lines().any(is_blank);
    let mut items: Vec<BenchmarkItem> = Vec::new();
    let mut begins = true;
    for (line, number) in text.lines().zip(1_u64..) {
        if is_blank(line) {
            begins = true;
            continue;
        }
        match items.last_mut() {
            Some(BenchmarkItem { parts, .. }) if in_blocks && !begins => {
                for (_, text) in parts {
                    text.push('\n');
                    text.push_str(line);
                }
            }
            _ => {
                let parts = vec![("text".to_owned(), line.to_owned())];
                items.push(BenchmarkItem { id: format!("line {number}"), parts });
            }
        }
        begins = false;
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, Vec<(String, String)>)> {
        let items = benchmark_items(text).unwrap();
        items.into_iter().map(|item| (item.id, item.parts)).collect()
    }

    fn item(id: &str, parts: &[(&str, &str)]) -> (String, Vec<(String, String)>) {
        let parts = parts.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        (id.to_owned(), parts.collect())
    }

    #[test]
    fn lines_of_json_are_items_with_parts() {
        let text = "\u{feff}{\"task_id\": \"T/1\", \"prompt\": \"Do it.\", \"level\": 3}\n\n\
            {\"id\": 7, \"tests\": [\"a\", {\"b\": \"c\"}]}\n{\"q\": \"x\"}";
        let expected = [
            item("T/1", &[("prompt", "Do it.\n")]),
            item("7", &[("tests", "a\nc\n")]),
            item("line 4", &[("q", "x\n")]),
        ];
        assert_eq!(read(text), expected);
    }

    #[test]
    fn plain_text_has_an_item_on_each_line_or_in_each_block() {
        let lines = [item("line 1", &[("text", "one")]), item("line 2", &[("text", "two")])];
        assert_eq!(read("one\ntwo\n\n"), lines);
        let blocks =
            [item("line 2", &[("text", "one\n two")]), item("line 5", &[("text", "three")])];
        assert_eq!(read("\none\n two\n\nthree\n"), blocks);
    }

    #[test]
    fn what_is_no_item_is_said_with_its_line() {
        let fault = |text: &str| benchmark_items(text).unwrap_err();
        assert_eq!(fault(" \n\n"), "it has no item");
        assert!(fault("{\"a\": \"b\"}\n{\"a\":").starts_with("line 2 is no JSON: "));
        assert_eq!(fault("{\"a\": \"b\"}\n\n[1]"), "line 3 is no JSON object");
    }
}
