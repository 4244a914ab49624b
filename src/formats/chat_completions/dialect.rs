//! The dialects of the OpenAI chat format: what each host does in its own way. A new host of this
//! format needs one entry in `ALL` (and in `config/campaign/names.rs`).

use crate::formats::writing::key_placement::ApiKeyPlacement;

/// Which field of a message carries the reasoning, and whether it goes back in later requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReasoningField {
    /// Some hosts show the reasoning. It is recorded and never sent back.
    Shown,
    /// `reasoning_content`. The host wants it back on messages with tool calls.
    BackWithCalls,
    /// `reasoning_details`. The host wants the details back exactly as they came.
    BackVerbatim,
}

/// How a request says how much the model is to reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReasoningControl {
    /// `"reasoning_effort": "low"`.
    Word,
    /// `"reasoning": {"effort": "low"}` or `"reasoning": {"max_tokens": 2048}`.
    Object,
}

/// How one host speaks the OpenAI chat format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OpenAiDialect {
    /// The dialect's name in a campaign.
    pub(crate) name: &'static str,
    /// The field that caps the output tokens. It includes the reasoning if `thought_cap` is None.
    pub(crate) cap: &'static str,
    /// The field that caps the reasoning, for hosts where `cap` does not include the reasoning.
    pub(crate) thought_cap: Option<&'static str>,
    /// Whether a stream reports token counts only if the request asks for them (`stream_options`).
    pub(crate) asks_for_usage: bool,
    /// Whether the content of a message may be null beside tool calls. The chat templates of some
    /// servers fail on that.
    pub(crate) takes_null: bool,
    /// What becomes of the reasoning in a reply.
    pub(crate) thought: ReasoningField,
    /// How a request sets the reasoning effort.
    pub(crate) thinking: ReasoningControl,
    /// The field of the sampling seed. None if the host has no seed.
    pub(crate) seed: Option<&'static str>,
    /// The header that carries the key.
    pub(crate) key_in: ApiKeyPlacement,
    /// Whether requests carry a key for the prompt cache (`prompt_cache_key`).
    pub(crate) cache_key: bool,
}

/// What most hosts do. Each entry of `ALL` names only its differences.
const USUAL: OpenAiDialect = OpenAiDialect {
    name: "",
    cap: "max_tokens",
    thought_cap: None,
    asks_for_usage: true,
    takes_null: true,
    thought: ReasoningField::Shown,
    thinking: ReasoningControl::Word,
    seed: Some("seed"),
    key_in: ApiKeyPlacement::Bearer,
    cache_key: false,
};

/// Every dialect that the adapter knows.
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
    // Mistral always reports token counts, and refuses requests with unknown fields.
    OpenAiDialect { name: "mistral", asks_for_usage: false, seed: Some("random_seed"), ..USUAL },
    OpenAiDialect { name: "xai", ..USUAL },
    OpenAiDialect {
        name: "openrouter",
        thought: ReasoningField::BackVerbatim,
        thinking: ReasoningControl::Object,
        ..USUAL
    },
    OpenAiDialect { name: "vllm", takes_null: false, ..USUAL },
    OpenAiDialect { name: "ollama", takes_null: false, ..USUAL },
];

impl OpenAiDialect {
    /// The dialect of that name. None if the adapter does not know it.
    pub(crate) fn named(name: &str) -> Option<Self> {
        ALL.into_iter().find(|dialect| dialect.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dialect_a_campaign_may_name_is_known() {
        let others = [
            crate::formats::messages::DIALECT,
            crate::formats::gemini::DIALECT,
            crate::formats::responses::DIALECT,
            crate::formats::ollama::DIALECT,
        ];
        for name in crate::config::DIALECTS {
            let known = OpenAiDialect::named(name).is_some();
            assert_ne!(known, others.contains(&name), "{name}");
        }
        assert_eq!(ALL.len() + others.len(), crate::config::DIALECTS.len());
        assert_eq!(OpenAiDialect::named("klingon"), None);
    }
}
