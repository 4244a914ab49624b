//! The canonical conversation: what a scaffold sends and a model answers.

use super::Money;
use serde::{Deserialize, Serialize};

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    System,
    User,
    Assistant,
    Tool,
}

/// One tool call as the model wrote it: the arguments are its own bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    pub id: String,
    pub name: String,
    pub arguments: String,
}

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    pub role: Role,
    pub content: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_call_id: Option<String>,
    /// What a model thought before it spoke, where its provider shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<Reasoning>,
}

/// A model's reasoning.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reasoning {
    pub text: String,
    /// What must go back exactly as it came: JSON of the family named first. Another family
    /// is sent none of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verbatim: Option<(String, String)>,
}

impl Message {
    pub fn text(role: Role, content: impl Into<String>) -> Self {
        Self {
            role,
            content: content.into(),
            tool_calls: Vec::new(),
            tool_call_id: None,
            reasoning: None,
        }
    }

    /// What the model thought and said before it acted.
    pub fn thoughts(&self) -> String {
        let thought = self.reasoning.as_ref().map_or("", |reasoning| reasoning.text.as_str());
        let parts = [thought, self.content.as_str()];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        parts.join("\n\n")
    }

    pub fn tool_result(call_id: &str, content: impl Into<String>) -> Self {
        Self { tool_call_id: Some(call_id.to_owned()), ..Self::text(Role::Tool, content) }
    }
}

/// A tool as it is offered to the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolSchema {
    pub name: String,
    pub description: String,
    pub parameters: serde_json::Value,
}

/// What is sent: the whole conversation so far and an explicit output cap.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChatRequest {
    pub messages: Vec<Message>,
    pub tools: Vec<ToolSchema>,
    pub max_output_tokens: u32,
    #[serde(default, skip_serializing_if = "Settings::are_usual")]
    pub settings: Settings,
}

/// What a request may ask of a model besides; what is none is the provider's own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    pub temperature: Option<f64>,
    pub top_p: Option<f64>,
    pub stop: Vec<String>,
    pub tool_choice: Option<ToolChoice>,
    pub parallel_calls: Option<bool>,
}

/// Whether tools are called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolChoice {
    Auto,
    None,
    Required,
    Tool(String),
}

impl Settings {
    pub fn are_usual(&self) -> bool {
        *self == Self::default()
    }
}

/// Why the model stopped writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    Stop,
    ToolCalls,
    /// The output cap cut the reply: whatever it holds is not a whole action.
    Length,
    Refusal,
}

/// Tokens as the provider counted them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// All that was read, from a cache too.
    pub input_tokens: u64,
    /// All that was written, reasoning too.
    pub output_tokens: u64,
    /// Of the input; none where the provider does not say, which is not zero.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_tokens: Option<u64>,
    /// Of the input, written to a cache for the next request; likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_tokens: Option<u64>,
    /// Of the output, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_tokens: Option<u64>,
}

impl Usage {
    /// Of which nothing more is known.
    pub fn of(input_tokens: u64, output_tokens: u64) -> Self {
        Self { input_tokens, output_tokens, ..Self::default() }
    }

    pub fn total(self) -> u64 {
        self.input_tokens.saturating_add(self.output_tokens)
    }

    pub fn plus(self, other: Self) -> Self {
        Self {
            input_tokens: self.input_tokens.saturating_add(other.input_tokens),
            output_tokens: self.output_tokens.saturating_add(other.output_tokens),
            cached_tokens: sum(self.cached_tokens, other.cached_tokens),
            cache_write_tokens: sum(self.cache_write_tokens, other.cache_write_tokens),
            reasoning_tokens: sum(self.reasoning_tokens, other.reasoning_tokens),
        }
    }
}

/// None only where neither was counted.
fn sum(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.saturating_add(other)),
        (one, other) => one.or(other),
    }
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatReply {
    pub message: Message,
    pub finish: FinishReason,
    pub usage: Usage,
    /// The provider did not say what it counted: the usage is not known, which is not zero.
    #[serde(default, skip_serializing_if = "is_false")]
    pub uncounted: bool,
    /// What the provider calls the model that answered, where it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_by: Option<String>,
}

impl ChatReply {
    pub fn new(message: Message, finish: FinishReason, usage: Usage) -> Self {
        Self { message, finish, usage, uncounted: false, answered_by: None }
    }
}

fn is_false(flag: &bool) -> bool {
    !flag
}

/// A model's price per million tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    pub input_per_million: Money,
    pub output_per_million: Money,
    /// Of what is read from a cache; the input's own where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_per_million: Option<Money>,
    /// Of what is written to one. Where it is not known, no cache is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_per_million: Option<Money>,
}

impl Price {
    /// What was read from a cache and written to one is part of the input, at rates of its
    /// own where they are known.
    pub fn of(&self, usage: Usage) -> Money {
        let input = self.input_per_million;
        let cached = usage.cached_tokens.unwrap_or(0).min(usage.input_tokens);
        let fresh = usage.input_tokens - cached;
        let written = usage.cache_write_tokens.unwrap_or(0).min(fresh);
        [
            input.per_million(fresh - written),
            self.cached_per_million.unwrap_or(input).per_million(cached),
            self.cache_write_per_million.unwrap_or(input).per_million(written),
            self.output_per_million.per_million(usage.output_tokens),
        ]
        .into_iter()
        .sum()
    }

    /// The most that so many tokens may cost, at whichever rate applies.
    pub fn worst(&self, usage: Usage) -> Money {
        let rates = [self.cached_per_million, self.cache_write_per_million];
        let input = rates.into_iter().flatten().fold(self.input_per_million, Money::max);
        // Each part is rounded upwards by itself, where a token costs no whole amount.
        let all = rates.into_iter().flatten().chain([self.input_per_million]);
        let uneven = all.into_iter().any(|rate| !rate.nanos().is_multiple_of(1_000_000));
        let rounding = Money::from_nanos(if uneven { 2 } else { 0 });
        let output = self.output_per_million.per_million(usage.output_tokens);
        input.per_million(usage.input_tokens).saturating_add(rounding).saturating_add(output)
    }

    pub fn is_free(&self) -> bool {
        let rates = [self.cached_per_million, self.cache_write_per_million];
        self.input_per_million.is_zero()
            && self.output_per_million.is_zero()
            && rates.iter().flatten().all(|rate| rate.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever is cached of it, and however it is rounded.
        #[test]
        fn nothing_costs_more_than_its_worst_case(
            rates in prop::array::uniform4(0u64..100_000_000_000),
            tokens in prop::array::uniform4(0u64..10_000_000),
        ) {
            let [input, output, cached, write] = rates.map(Money::from_nanos);
            let price = Price {
                input_per_million: input,
                output_per_million: output,
                cached_per_million: Some(cached),
                cache_write_per_million: Some(write),
            };
            let usage = Usage {
                cached_tokens: Some(tokens[2]),
                cache_write_tokens: Some(tokens[3]),
                ..Usage::of(tokens[0], tokens[1])
            };
            prop_assert!(price.of(usage) <= price.worst(Usage::of(tokens[0], tokens[1])));
        }
    }

    #[test]
    fn thoughts_are_what_was_thought_and_said() {
        let said = Message::text(Role::Assistant, "said");
        assert_eq!(said.thoughts(), "said");
        let reasoning = Reasoning { text: "thought".to_owned(), verbatim: None };
        let both = Message { reasoning: Some(reasoning), ..said };
        assert_eq!(both.thoughts(), "thought\n\nsaid");
        assert_eq!(Message { content: String::new(), ..both }.thoughts(), "thought");
    }

    #[test]
    fn parts_of_the_input_have_their_own_rates() {
        let dollars = |amount: u64| Money::from_nanos(amount * 1_000_000_000);
        let price = Price {
            input_per_million: dollars(10),
            output_per_million: dollars(50),
            cached_per_million: Some(dollars(1)),
            cache_write_per_million: Some(dollars(20)),
        };
        let usage = Usage {
            cached_tokens: Some(600_000),
            cache_write_tokens: Some(100_000),
            ..Usage::of(1_000_000, 100_000)
        };
        assert_eq!(price.of(usage).to_string(), "10.60");
        let plain = Price { cached_per_million: None, cache_write_per_million: None, ..price };
        assert_eq!(plain.of(usage).to_string(), "15.00");
    }
}
