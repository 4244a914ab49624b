//! What a request in the OpenAI chat format may hold where it is paid for.

use super::TIERS;
use super::shape::{AllowedKey, AllowedShape, AllowedVariant, key, kind, required};
use AllowedShape::{
    Budget, Cache, Count, Either, Empty, Flag, Free, Image, Kinds, KindsOrFirst, List, Number,
    Object, Off, SomeText, Text, Words,
};

pub(super) const REQUEST: AllowedShape = Object(&[
    key("model", Text),
    key("messages", List(&Object(MESSAGE))),
    key("tools", List(&Kinds(TOOLS))),
    key("tool_choice", Either(&[Words(&["auto", "none", "required"]), Kinds(CHOICES)])),
    key("parallel_tool_calls", Flag),
    key("temperature", Number),
    key("top_p", Number),
    key("top_k", Number),
    key("min_p", Number),
    key("stop", Either(&[Text, List(&Text)])),
    key("max_tokens", Count),
    key("max_completion_tokens", Count),
    key("stream", Flag),
    key("stream_options", Object(STREAM)),
    key("n", Count),
    key("user", Text),
    key("metadata", Free),
    key("safety_identifier", Text),
    key("prompt_cache_key", Text),
    key("seed", Number),
    key("presence_penalty", Number),
    key("frequency_penalty", Number),
    key("repetition_penalty", Number),
    key("logit_bias", Free),
    key("logprobs", Flag),
    key("top_logprobs", Count),
    key("response_format", Kinds(FORMATS)),
    key("modalities", List(&Words(&["text"]))),
    key("reasoning_effort", Text),
    key("reasoning", Object(REASONING)),
    key("thinking", Kinds(THINKING)),
    // Beside the cap of the output where a provider has it: `Asked::worst` counts it.
    key("thinking_budget", Count),
    key("enable_thinking", Flag),
    key("verbosity", Text),
    key("store", Flag),
    key("usage", Object(&[key("include", Flag)])),
    key("service_tier", Words(&TIERS)),
    key("enable_search", Off),
]);

const STREAM: &[AllowedKey] = &[key("include_usage", Flag), key("include_obfuscation", Flag)];

const REASONING: &[AllowedKey] = &[
    key("effort", Text),
    key("max_tokens", Budget),
    key("exclude", Flag),
    key("enabled", Flag),
    key("summary", Text),
];

const THINKING: &[AllowedVariant] = &[
    kind("enabled", &[key("budget_tokens", Budget)]),
    kind("disabled", &[]),
    kind("adaptive", &[]),
];

const FORMATS: &[AllowedVariant] = &[
    kind("text", &[]),
    kind("json_object", &[]),
    kind("json_schema", &[key("json_schema", Object(SCHEMA))]),
];

const SCHEMA: &[AllowedKey] =
    &[key("name", Text), key("description", Text), key("schema", Free), key("strict", Flag)];

const MESSAGE: &[AllowedKey] = &[
    key("role", Words(&["system", "developer", "user", "assistant", "tool"])),
    key("content", Either(&[Text, List(&Kinds(PARTS))])),
    key("name", Text),
    key("refusal", Text),
    key("tool_calls", List(&KindsOrFirst(CALLS))),
    key("tool_call_id", Text),
    key("reasoning", Text),
    key("reasoning_content", Text),
    key("reasoning_details", List(&Kinds(THOUGHTS))),
    key("annotations", Empty),
    key("cache_control", Cache),
];

const PARTS: &[AllowedVariant] = &[
    kind("text", &[key("text", Text), key("cache_control", Cache)]),
    kind("refusal", &[key("refusal", Text)]),
    kind("image_url", &[required("image_url", Object(IMAGE)), key("cache_control", Cache)]),
];

const IMAGE: &[AllowedKey] =
    &[required("url", Image), key("detail", Words(&["auto", "low", "high", "original"]))];

/// As OpenRouter wants them back.
const THOUGHTS: &[AllowedVariant] = &[
    kind("reasoning.text", &[required("text", Text), SIGNATURE, ID, FORMAT, INDEX]),
    kind("reasoning.summary", &[required("summary", Text), ID, FORMAT, INDEX]),
    kind("reasoning.encrypted", &[required("data", SomeText), ID, FORMAT, INDEX]),
];
const SIGNATURE: AllowedKey = key("signature", Text);
const ID: AllowedKey = key("id", Text);
const FORMAT: AllowedKey = key("format", Text);
const INDEX: AllowedKey = key("index", Count);

const CALLS: &[AllowedVariant] = &[
    kind(
        "function",
        &[
            ID,
            INDEX,
            required("function", Object(&[key("name", Text), key("arguments", Text)])),
            key("extra_content", Object(&[key("google", SIGNED), key("vertex", SIGNED)])),
        ],
    ),
    kind(
        "custom",
        &[ID, INDEX, required("custom", Object(&[key("name", Text), key("input", Text)]))],
    ),
];
const SIGNED: AllowedShape = Object(&[key("thought_signature", Text)]);

/// The client runs these itself.
const TOOLS: &[AllowedVariant] = &[
    kind("function", &[required("function", Object(FUNCTION)), key("cache_control", Cache)]),
    kind("custom", &[required("custom", Object(CUSTOM))]),
];
const FUNCTION: &[AllowedKey] = &[
    key("name", Text),
    key("description", Text),
    key("parameters", Free),
    key("strict", Flag),
    key("cache_control", Cache),
];
const CUSTOM: &[AllowedKey] = &[key("name", Text), key("description", Text), key("format", Free)];

const CHOICES: &[AllowedVariant] = &[
    kind("function", &[key("function", NAMED)]),
    kind("custom", &[key("custom", NAMED)]),
    kind("allowed_tools", &[key("allowed_tools", Object(ALLOWED))]),
];
const NAMED: AllowedShape = Object(&[key("name", Text)]);
const ALLOWED: &[AllowedKey] =
    &[key("mode", Words(&["auto", "required"])), key("tools", List(&Kinds(NAMES)))];
const NAMES: &[AllowedVariant] =
    &[kind("function", &[key("function", NAMED)]), kind("custom", &[key("custom", NAMED)])];
