//! What hosts of the OpenAI chat format do in their own way.

use crate::llm::api_key::ApiKeyPlacement;

/// Which field of a message carries reasoning, and whether it goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReasoningField {
    /// Shown, if at all, and never sent back.
    Shown,
    /// `reasoning_content`, wanted back with the calls that came of it.
    BackWithCalls,
    /// `reasoning_details`, wanted back as they came.
    BackVerbatim,
}

/// How it is told how much a model is to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReasoningControl {
    /// `reasoning_effort`, a word.
    Word,
    /// `reasoning`, with a word or a number of tokens.
    Object,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::llm) struct OpenAiDialect {
    pub(super) name: &'static str,
    /// The field that caps the output, reasoning included.
    pub(in crate::llm) cap: &'static str,
    /// The field that caps the reasoning, where the other one does not.
    pub(in crate::llm) thought_cap: Option<&'static str>,
    /// Whether tokens are counted in a stream only where that is asked for.
    pub(in crate::llm) asks_for_usage: bool,
    pub(super) thought: ReasoningField,
    pub(super) thinking: ReasoningControl,
    /// The field of the sampling seed, where there is one.
    pub(super) seed: Option<&'static str>,
    pub(in crate::llm) key_in: ApiKeyPlacement,
    /// Whether requests that begin alike are told to be kept together.
    pub(super) cache_key: bool,
}

const USUAL: OpenAiDialect = OpenAiDialect {
    name: "",
    cap: "max_tokens",
    thought_cap: None,
    asks_for_usage: true,
    thought: ReasoningField::Shown,
    thinking: ReasoningControl::Word,
    seed: Some("seed"),
    key_in: ApiKeyPlacement::Bearer,
    cache_key: false,
};

const ALL: [OpenAiDialect; 11] = [
    OpenAiDialect { name: "openai", cap: "max_completion_tokens", cache_key: true, ..USUAL },
    OpenAiDialect {
        name: "azure",
        cap: "max_completion_tokens",
        key_in: ApiKeyPlacement::Header("api-key"),
        ..USUAL
    },
    OpenAiDialect { name: "deepseek", thought: ReasoningField::BackWithCalls, seed: None, ..USUAL },
    OpenAiDialect { name: "dashscope", thought_cap: Some("thinking_budget"), ..USUAL },
    OpenAiDialect { name: "groq", cap: "max_completion_tokens", ..USUAL },
    OpenAiDialect { name: "together", ..USUAL },
    // Counts always, and refuses fields it does not know.
    OpenAiDialect { name: "mistral", asks_for_usage: false, seed: Some("random_seed"), ..USUAL },
    OpenAiDialect { name: "xai", ..USUAL },
    OpenAiDialect {
        name: "openrouter",
        thought: ReasoningField::BackVerbatim,
        thinking: ReasoningControl::Object,
        ..USUAL
    },
    OpenAiDialect { name: "vllm", ..USUAL },
    OpenAiDialect { name: "ollama", ..USUAL },
];

impl OpenAiDialect {
    pub(super) fn named(name: &str) -> Option<Self> {
        ALL.into_iter().find(|dialect| dialect.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dialect_a_campaign_may_name_is_known() {
        let others = [
            crate::llm::anthropic::AnthropicModel::DIALECT,
            crate::llm::gemini::GeminiModel::DIALECT,
            crate::llm::responses::ResponsesModel::DIALECT,
            crate::llm::ollama::OllamaModel::DIALECT,
        ];
        for name in crate::config::DIALECTS {
            let known = OpenAiDialect::named(name).is_some();
            assert_ne!(known, others.contains(&name), "{name}");
        }
        assert_eq!(ALL.len() + others.len(), crate::config::DIALECTS.len());
        assert_eq!(OpenAiDialect::named("klingon"), None);
    }
}
