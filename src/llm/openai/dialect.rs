//! What hosts of the OpenAI chat format do in their own way.

use crate::llm::key::KeyIn;

/// Which field of a message carries reasoning, and whether it goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thought {
    /// Shown, if at all, and never sent back.
    Shown,
    /// `reasoning_content`, wanted back with the calls that came of it.
    BackWithCalls,
    /// `reasoning_details`, wanted back as they came.
    BackVerbatim,
}

/// How it is told how much a model is to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thinking {
    /// `reasoning_effort`, a word.
    Word,
    /// `reasoning`, with a word or a number of tokens.
    Object,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::llm) struct Dialect {
    pub(super) name: &'static str,
    /// The field that caps the output, reasoning included.
    pub(in crate::llm) cap: &'static str,
    /// The field that caps the reasoning, where the other one does not.
    pub(in crate::llm) thought_cap: Option<&'static str>,
    /// Whether tokens are counted in a stream only where that is asked for.
    pub(in crate::llm) asks_for_usage: bool,
    pub(super) thought: Thought,
    pub(super) thinking: Thinking,
    /// The field of the sampling seed, where there is one.
    pub(super) seed: Option<&'static str>,
    pub(in crate::llm) key_in: KeyIn,
    /// Whether requests that begin alike are told to be kept together.
    pub(super) cache_key: bool,
}

const USUAL: Dialect = Dialect {
    name: "",
    cap: "max_tokens",
    thought_cap: None,
    asks_for_usage: true,
    thought: Thought::Shown,
    thinking: Thinking::Word,
    seed: Some("seed"),
    key_in: KeyIn::Bearer,
    cache_key: false,
};

const ALL: [Dialect; 11] = [
    Dialect { name: "openai", cap: "max_completion_tokens", cache_key: true, ..USUAL },
    Dialect {
        name: "azure",
        cap: "max_completion_tokens",
        key_in: KeyIn::Header("api-key"),
        ..USUAL
    },
    Dialect { name: "deepseek", thought: Thought::BackWithCalls, seed: None, ..USUAL },
    Dialect { name: "dashscope", thought_cap: Some("thinking_budget"), ..USUAL },
    Dialect { name: "groq", cap: "max_completion_tokens", ..USUAL },
    Dialect { name: "together", ..USUAL },
    // Counts always, and refuses fields it does not know.
    Dialect { name: "mistral", asks_for_usage: false, seed: Some("random_seed"), ..USUAL },
    Dialect { name: "xai", ..USUAL },
    Dialect {
        name: "openrouter",
        thought: Thought::BackVerbatim,
        thinking: Thinking::Object,
        ..USUAL
    },
    Dialect { name: "vllm", ..USUAL },
    Dialect { name: "ollama", ..USUAL },
];

impl Dialect {
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
            crate::llm::anthropic::Messages::DIALECT,
            crate::llm::gemini::Gemini::DIALECT,
            crate::llm::responses::Responses::DIALECT,
            crate::llm::ollama::Ollama::DIALECT,
        ];
        for name in crate::config::DIALECTS {
            let known = Dialect::named(name).is_some();
            assert_ne!(known, others.contains(&name), "{name}");
        }
        assert_eq!(ALL.len() + others.len(), crate::config::DIALECTS.len());
        assert_eq!(Dialect::named("klingon"), None);
    }
}
