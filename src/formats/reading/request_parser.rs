//! What the parsers of requests share. A parser reads all that it can: what it cannot read, or what
//! the engine's own form has no place for, is noted as a loss with its place.
//!
//! ```text
//!  JSON ─► parse ─► ChatRequest, as far as it can be read
//!             └───► losses: none means that the request says nothing else
//! ```
//! It never fails. A part that is no text stands in the text as its type in brackets, such as
//! `[image_url]`. A setting without a place of its own is kept in `RequestSettings::extra`, and a
//! tool without one in `ToolSchema::sent`.

use super::losses::{FormatLoss, LossKind};
use serde_json::{Map, Value, json};
use synthd_actors::model::{
    ChatMessage, ChatRequest, ChatRole, ReasoningEffort, RequestSettings, ToolChoice, ToolSchema,
};

/// A request as far as it was understood, and what was lost.
pub(crate) struct ParsedRequest {
    pub(crate) request: ChatRequest,
    /// In the order of the request's keys.
    pub(crate) lost: Vec<FormatLoss>,
}

/// Top-level keys that are read in every format.
pub(in crate::formats) const COMMON_KEYS: [&str; 6] =
    ["model", "tools", "tool_choice", "temperature", "top_p", "stream"];

/// Reads the value of `tool_choice`.
pub(in crate::formats) type ChoiceReader = fn(&mut RequestParser, &Value) -> Option<ToolChoice>;

/// Losses that are kept with their places. A request may have millions.
const MOST_LOSSES: usize = 64;

/// The state of a parser: where it reads, and what it has lost.
#[derive(Default)]
pub(in crate::formats) struct RequestParser {
    place: Vec<String>,
    lost: Vec<FormatLoss>,
    /// How many losses there were, also those behind [`MOST_LOSSES`].
    count: usize,
}

impl RequestParser {
    /// The parsed request.
    pub(in crate::formats) fn finish(self, request: ChatRequest) -> ParsedRequest {
        ParsedRequest { request, lost: self.lost }
    }

    /// Notes a loss at the present place.
    pub(in crate::formats) fn lose(&mut self, kind: LossKind) {
        self.count += 1;
        if self.lost.len() < MOST_LOSSES {
            self.lost.push(FormatLoss { place: self.place.join("."), kind });
        }
    }

    /// Notes a value that means nothing.
    pub(in crate::formats) fn malformed(&mut self, what: impl Into<String>) {
        self.lose(LossKind::Malformed(what.into()));
    }

    /// Reads something at a place below the present one.
    pub(in crate::formats) fn within<T>(
        &mut self,
        place: impl Into<String>,
        read: impl FnOnce(&mut Self) -> T,
    ) -> T {
        self.place.push(place.into());
        let read = read(self);
        self.place.pop();
        read
    }

    /// Reads each item of a list, at places such as `tools[2]`.
    pub(in crate::formats) fn each<T>(
        &mut self,
        name: &str,
        items: &[Value],
        mut read: impl FnMut(&mut Self, &Value) -> T,
    ) -> Vec<T> {
        let numbered = items.iter().enumerate();
        numbered.map(|(at, item)| self.within(format!("{name}[{at}]"), |p| read(p, item))).collect()
    }

    /// Reads each item of a list that must be there.
    pub(in crate::formats) fn each_required<T>(
        &mut self,
        json: &Value,
        key: &str,
        read: impl FnMut(&mut Self, &Value) -> T,
    ) -> Vec<T> {
        if json[key].is_null() {
            self.malformed(format!("`{key}` is not a list"));
        }
        self.each_of(json, key, read)
    }

    /// Reads each item of an optional list.
    pub(in crate::formats) fn each_of<T>(
        &mut self,
        json: &Value,
        key: &str,
        read: impl FnMut(&mut Self, &Value) -> T,
    ) -> Vec<T> {
        match &json[key] {
            Value::Null => Vec::new(),
            Value::Array(items) => self.each(key, items, read),
            _ => {
                self.malformed(format!("`{key}` is not a list"));
                Vec::new()
            }
        }
    }

    /// The keys of an object that are not `known`, which are lost. Keys that are `null`, or that
    /// have a value in `idle`, ask for nothing and are no loss.
    pub(in crate::formats) fn other_keys(
        &mut self,
        json: &Value,
        known: &[&str],
        idle: &[(&str, Value)],
    ) -> Map<String, Value> {
        let asks = |key: &str, value: &Value| {
            let is_idle = value.is_null() || idle.iter().any(|(k, v)| *k == key && v == value);
            !known.contains(&key) && !is_idle
        };
        let keys = json.as_object().into_iter().flatten();
        let others: Map<String, Value> = keys
            .filter(|(key, value)| asks(key, value))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        if !others.is_empty() {
            self.lose(LossKind::Keys(others.keys().cloned().collect()));
        }
        others
    }

    /// An optional text.
    pub(in crate::formats) fn word(&mut self, json: &Value, key: &str) -> Option<String> {
        let is_text = json[key].is_null() || json[key].is_string();
        if !is_text {
            self.malformed(format!("`{key}` is not a text"));
        }
        json[key].as_str().map(str::to_owned)
    }

    /// An optional flag.
    pub(in crate::formats) fn flag(&mut self, json: &Value, key: &str) -> Option<bool> {
        let is_flag = json[key].is_null() || json[key].is_boolean();
        if !is_flag {
            self.malformed(format!("`{key}` is neither true nor false"));
        }
        json[key].as_bool()
    }

    /// An optional number.
    pub(in crate::formats) fn number(&mut self, json: &Value, key: &str) -> Option<f64> {
        let number = json[key].as_f64();
        if number.is_none() && !json[key].is_null() {
            self.malformed(format!("`{key}` is not a number"));
        }
        number
    }

    /// One text or a list of texts, such as `"stop": "END"` or `"stop": ["END"]`. Empty if the key
    /// is missing.
    pub(in crate::formats) fn words(&mut self, json: &Value, key: &str) -> Vec<String> {
        let values = match &json[key] {
            Value::Null => return Vec::new(),
            Value::Array(list) => list.as_slice(),
            one => std::slice::from_ref(one),
        };
        let texts: Vec<String> =
            values.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        if texts.len() < values.len() {
            self.malformed(format!("`{key}` is neither a text nor a list of texts"));
        }
        texts
    }

    /// The role of a message, if its format has it. Another one counts as the user's, as far as it
    /// is not known from other formats.
    pub(in crate::formats) fn role(
        &mut self,
        json: &Value,
        known: &[(&str, ChatRole)],
    ) -> ChatRole {
        let name = json["role"].as_str();
        if let Some((_, role)) = known.iter().find(|(known, _)| Some(*known) == name) {
            return *role;
        }
        self.malformed("a message has an unknown role");
        match name {
            Some("system" | "developer") => ChatRole::System,
            Some("assistant") => ChatRole::Assistant,
            Some("tool") => ChatRole::Tool,
            _ => ChatRole::User,
        }
    }

    /// The text of a message's content: a text, or a list of text parts, which are joined by empty
    /// lines.
    pub(in crate::formats) fn text(&mut self, content: &Value) -> String {
        match content {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            Value::Array(parts) => self.each("content", parts, Self::part).join("\n\n"),
            other => {
                self.malformed("a message's content is neither a text nor a list");
                other.to_string()
            }
        }
    }

    /// The text of one part. Another part is its type in brackets.
    pub(in crate::formats) fn part(&mut self, part: &Value) -> String {
        let kind = part["type"].as_str().unwrap_or_default();
        let (text, refusal) = (part["text"].as_str(), part["refusal"].as_str());
        let known = match kind {
            "text" | "input_text" | "output_text" => text,
            "refusal" => refusal,
            _ => None,
        };
        let Some(known) = known else {
            self.lose(LossKind::Part(kind.to_owned()));
            let kind = part["type"].as_str().unwrap_or("unknown");
            return text.or(refusal).map_or_else(|| format!("[{kind}]"), str::to_owned);
        };
        // `cache_control` is a hint for the cache of its own provider. It changes no answer.
        let keys = ["type", "text", "refusal", "cache_control"];
        let idle = ["annotations", "logprobs", "citations"].map(|key| (key, json!([])));
        self.other_keys(part, &keys, &idle);
        known.to_owned()
    }

    /// The user that a request names for its provider. Two keys may name it, and other formats have
    /// only one.
    pub(in crate::formats) fn end_user(&mut self, said: &[&Value]) -> Option<String> {
        let said = said.iter().filter(|said| !said.is_null());
        let users: Vec<Option<&str>> = said.map(|said| said.as_str()).collect();
        if users.contains(&None) {
            self.malformed("the user of the request is not a text");
        }
        let mut users = users.into_iter().flatten();
        let first = users.next();
        if users.any(|other| Some(other) != first) {
            self.lose(LossKind::Users);
        }
        first.map(str::to_owned)
    }

    /// The settings that have the same names in every format. A choice of a tool of which something
    /// was lost is kept in `others` as it was sent.
    pub(in crate::formats) fn settings(
        &mut self,
        json: &Value,
        others: &mut Map<String, Value>,
        choice: ChoiceReader,
    ) -> RequestSettings {
        let (temperature, top_p) = (self.number(json, "temperature"), self.number(json, "top_p"));
        let before = self.count;
        let tool_choice = self.within("tool_choice", |parser| choice(parser, &json["tool_choice"]));
        if self.count > before {
            others.insert("tool_choice".to_owned(), json["tool_choice"].clone());
        }
        RequestSettings { temperature, top_p, tool_choice, ..RequestSettings::default() }
    }

    /// The tools. One of which something was lost is kept as it was sent.
    pub(in crate::formats) fn tools(
        &mut self,
        json: &Value,
        read: fn(&mut Self, &Value) -> ToolSchema,
    ) -> Vec<ToolSchema> {
        self.each_of(json, "tools", |parser, tool| {
            let before = parser.count;
            let read = read(parser, tool);
            let sent = (parser.count > before).then(|| Box::new(tool.clone()));
            ToolSchema { sent, ..read }
        })
    }

    /// A tool that is no function with a name, as far as it says what it is called.
    pub(in crate::formats) fn odd_tool(&mut self, tool: &Value, why: &str) -> ToolSchema {
        self.malformed(why);
        let said = |key: &str| {
            let places = [tool, &tool["function"], &tool["custom"]];
            places.into_iter().find_map(|place| place[key].as_str()).unwrap_or_default().to_owned()
        };
        ToolSchema::new(said("name"), said("description"), json!({}))
    }
}

/// Puts settings without a place of their own into `settings`: the seed and the effort if they are
/// those of the engine, and all others as they were sent.
pub(in crate::formats) fn keep_others(
    settings: &mut RequestSettings,
    mut others: Map<String, Value>,
) {
    let seed = others.get("seed").and_then(Value::as_u64);
    settings.seed = seed.inspect(|_| drop(others.shift_remove("seed")));
    let word = others.get("reasoning_effort").and_then(Value::as_str);
    let effort = ReasoningEffort::ALL.into_iter().find(|effort| Some(effort.as_str()) == word);
    settings.reasoning_effort = effort.inspect(|_| drop(others.shift_remove("reasoning_effort")));
    settings.extra = others;
}

/// Appends a text, with an empty line between two texts.
pub(in crate::formats) fn join(text: &mut String, more: &str) {
    if !text.is_empty() && !more.is_empty() {
        text.push_str("\n\n");
    }
    text.push_str(more);
}

/// The parameters of a function. One without parameters takes an empty object.
pub(in crate::formats) fn parameters(json: &Value) -> Value {
    match json {
        Value::Null => json!({ "type": "object", "properties": {} }),
        parameters => parameters.clone(),
    }
}

/// The message of the assistant that is being put together, or a new one. Items of one reply follow
/// each other directly; any other message ends it.
pub(in crate::formats) fn reply_of(messages: &mut Vec<ChatMessage>) -> &mut ChatMessage {
    let goes_on = messages.last().is_some_and(|last| last.role == ChatRole::Assistant);
    if !goes_on {
        messages.push(ChatMessage::text(ChatRole::Assistant, ""));
    }
    let last = messages.len() - 1;
    &mut messages[last]
}
