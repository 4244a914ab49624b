//! The prompts of a campaign, and how a line of a file becomes one.
//!
//! ```text
//! {"prompt": "Why is the sky blue?", "topic": "physics"}      `.jsonl`: a prompt and its fields
//! {"messages": [{"role": "user", "content": "..."}]}          `.jsonl`: a whole conversation
//! Why is the sky blue?                                        any other file: one prompt a line
//! ```
//! With `[completions] template`, a line has only fields, and the template makes the prompt. Reading
//! is strict: a line that is no prompt is an error with its reason, never a prompt with a hole.

use crate::model::{ChatMessage, ChatRole, CompletionSettings, Prompt, TaskId};
use crate::task::fill;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::sync::Arc;

/// The prompts of a campaign, in the order of their files. A prompt that occurs twice is kept once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PromptSet {
    prompts: Vec<Arc<Prompt>>,
    places: HashMap<TaskId, usize>,
    repeated: u64,
    bytes: u64,
}

impl PromptSet {
    /// Adds a prompt behind the others. A repeated prompt is only counted.
    pub fn push(&mut self, prompt: Prompt) {
        if self.places.contains_key(&prompt.id) {
            self.repeated += 1;
            return;
        }
        self.bytes += prompt.bytes();
        self.places.insert(prompt.id.clone(), self.prompts.len());
        self.prompts.push(Arc::new(prompt));
    }

    pub fn iter(&self) -> impl Iterator<Item = &Arc<Prompt>> {
        self.prompts.iter()
    }

    /// The first `limit` prompts; None means all.
    pub fn up_to(&self, limit: Option<u64>) -> impl Iterator<Item = &Arc<Prompt>> {
        let limit = limit.and_then(|limit| usize::try_from(limit).ok());
        self.prompts.iter().take(limit.unwrap_or(usize::MAX))
    }

    /// The prompt with this id. None if the files do not have it (any more).
    pub fn get(&self, id: &TaskId) -> Option<&Arc<Prompt>> {
        self.prompts.get(*self.places.get(id)?)
    }

    /// The number of different prompts.
    pub fn len(&self) -> usize {
        self.prompts.len()
    }

    pub fn is_empty(&self) -> bool {
        self.prompts.is_empty()
    }

    /// The bytes of all texts of the prompts.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many lines repeated an earlier prompt.
    pub fn repeated(&self) -> u64 {
        self.repeated
    }
}

/// The form of a file of prompts. Its name says which it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PromptFormat {
    /// One JSON object a line.
    JsonLines,
    /// One prompt a line.
    Text,
}

impl PromptFormat {
    /// The form of a file with this name.
    pub fn of(name: &str) -> Self {
        let end = name.rsplit_once('.').map(|(_, end)| end.to_ascii_lowercase());
        match end.as_deref() {
            Some("jsonl" | "ndjson") => Self::JsonLines,
            _ => Self::Text,
        }
    }
}

/// Reads line `index` of a file that people call `source`. None for a blank line. Err says what is
/// wrong with the line, for people.
pub fn read_prompt(
    settings: &CompletionSettings,
    format: PromptFormat,
    source: &str,
    index: u32,
    line: &str,
) -> Result<Option<Prompt>, String> {
    if line.trim().is_empty() {
        return Ok(None);
    }
    let mut fields = match format {
        PromptFormat::JsonLines => object(line)?,
        PromptFormat::Text => Map::from_iter([("prompt".to_owned(), Value::from(line.trim()))]),
    };
    let messages = match &settings.template {
        Some(template) => vec![ChatMessage::text(ChatRole::User, filled(template, &fields)?)],
        None => conversation(&mut fields)?,
    };
    let messages = with_system(settings.system.as_deref(), messages);
    Ok(Some(Prompt {
        id: Prompt::id_of(&messages),
        source: source.to_owned(),
        index,
        messages,
        fields: Value::Object(fields).to_string(),
    }))
}

/// The JSON object of a line.
fn object(line: &str) -> Result<Map<String, Value>, String> {
    match serde_json::from_str(line) {
        Ok(Value::Object(fields)) => match long_integer(line) {
            None => Ok(fields),
            Some((column, number)) => Err(format!(
                "the integer {number} at column {column} has more than 64 bits and would lose \
                 digits; write it as a text"
            )),
        },
        Ok(_) => Err("the line is no JSON object".to_owned()),
        Err(error) => {
            // serde counts the lines of the text it was given, which is one line.
            let what = error.to_string();
            let what = what.split(" at line ").next().unwrap_or_default();
            Err(format!("the line is no JSON: {what}, at column {}", error.column()))
        }
    }
}

/// The first integer of a JSON text that no 64 bits hold, and its column. Such an integer would
/// become a floating-point number, which has fewer digits.
fn long_integer(json: &str) -> Option<(usize, &str)> {
    let is_part = |c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E');
    let (mut rest, mut is_text) = (json, false);
    while let Some(next) = rest.chars().next() {
        let length = match next {
            '"' => {
                is_text = !is_text;
                1
            }
            // The character behind it ends no text.
            '\\' => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
            '-' | '0'..='9' if !is_text => {
                let number = rest.split(|c| !is_part(c)).next().unwrap_or_default();
                let is_integer = !number.contains(['.', 'e', 'E']);
                if is_integer && number.parse::<i64>().is_err() && number.parse::<u64>().is_err() {
                    return Some((json.len() - rest.len() + 1, number));
                }
                number.len()
            }
            other => other.len_utf8(),
        };
        rest = &rest[length..];
    }
    None
}

/// The template with the fields of a line.
fn filled(template: &str, fields: &Map<String, Value>) -> Result<String, String> {
    // A null would be written as a word. Left out, it is a mistake if the template asks for it.
    let known = fields.iter().filter(|(_, value)| !value.is_null());
    let known = known.map(|(name, value)| (name.clone(), value.clone())).collect();
    let text = fill(template, &known)?;
    match text.trim().is_empty() {
        true => Err("the template makes an empty prompt of it".to_owned()),
        false => Ok(text),
    }
}

/// Takes the conversation out of a line: `prompt`, or `messages`, and `system`.
fn conversation(fields: &mut Map<String, Value>) -> Result<Vec<ChatMessage>, String> {
    let system = fields.get("system").cloned();
    let system = system.map(|value| text_of("system", value)).transpose()?;
    let taken = (fields.get("prompt").cloned(), fields.get("messages").cloned());
    // The other fields keep their order.
    fields.retain(|key, _| !["system", "prompt", "messages"].contains(&key.as_str()));
    let messages = match taken {
        (Some(prompt), None) => {
            vec![ChatMessage::text(ChatRole::User, text_of("prompt", prompt)?)]
        }
        (None, Some(messages)) => messages_of(messages)?,
        (Some(_), Some(_)) => return Err("the line has both `prompt` and `messages`".to_owned()),
        (None, None) => {
            return Err("the line has neither `prompt` nor `messages`; to make prompts of other \
                        fields, write `template` in [completions]"
                .to_owned());
        }
    };
    let has_own = messages.first().is_some_and(|first| first.role == ChatRole::System);
    match has_own && system.is_some() {
        true => Err("the line has a `system` and a system message".to_owned()),
        false => Ok(with_system(system.as_deref(), messages)),
    }
}

/// A text that is not blank.
fn text_of(key: &str, value: Value) -> Result<String, String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Ok(text),
        Value::String(_) => Err(format!("`{key}` is empty")),
        _ => Err(format!("`{key}` is no text")),
    }
}

/// The messages of a line. They are texts, and the last one is the user's: a model answers it.
fn messages_of(value: Value) -> Result<Vec<ChatMessage>, String> {
    let Value::Array(list) = value else { return Err("`messages` is no list".to_owned()) };
    let messages: Vec<ChatMessage> =
        list.into_iter().enumerate().map(message_of).collect::<Result<_, _>>()?;
    match messages.last() {
        Some(last) if last.role == ChatRole::User => Ok(messages),
        Some(_) => Err("the last of `messages` is not the user's".to_owned()),
        None => Err("`messages` is empty".to_owned()),
    }
}

/// One message of a line: its role and its text, and nothing else.
fn message_of((at, value): (usize, Value)) -> Result<ChatMessage, String> {
    let Value::Object(mut message) = value else {
        return Err(format!("message {at} is no JSON object"));
    };
    let roles = [ChatRole::System, ChatRole::User, ChatRole::Assistant];
    let name = message.remove("role");
    let role = roles.into_iter().find(|role| name.as_ref() == Some(&Value::from(role.as_str())));
    let role = role.ok_or_else(|| {
        format!("the role of message {at} is none of `system`, `user` and `assistant`")
    })?;
    let content = message.remove("content").unwrap_or_default();
    let content = text_of("content", content).map_err(|what| format!("message {at}: {what}"))?;
    match message.keys().next() {
        Some(key) => Err(format!("message {at} has `{key}`, which would be lost")),
        None => Ok(ChatMessage::text(role, content)),
    }
}

/// The messages with a system message before them, unless they have one.
fn with_system(system: Option<&str>, mut messages: Vec<ChatMessage>) -> Vec<ChatMessage> {
    let has = messages.first().is_some_and(|first| first.role == ChatRole::System);
    if let (Some(system), false) = (system, has) {
        messages.insert(0, ChatMessage::text(ChatRole::System, system));
    }
    messages
}
