//! The allow-list of the OpenAI chat format, with the additions of hosts that speak it: what a
//! request to a model with a price may hold. It is read from top to bottom, like the format
//! itself: `REQUEST` is the body, and each further constant is an object or a set of types within
//! it.

use super::IMAGE_PART;
use crate::formats::reading::allowed_shape::{
    AllowedKey, AllowedShape, AllowedVariant, TIERS, key, kind, required,
};
use AllowedShape::{
    Budget, Cache, Count, Either, Empty, Flag, Free, Image, Kinds, KindsOrFirst, List, Number,
    Object, Off, SomeText, Text, ThoughtCap, ThoughtFlag, Words,
};

/// The body of `POST /v1/chat/completions`.
pub(in crate::formats) const REQUEST: AllowedShape = Object(&[
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
    key("return_token_ids", Flag),
    key("return_tokens_as_token_ids", Flag),
    key("response_format", Kinds(FORMATS)),
    key("modalities", List(&Words(&["text"]))),
    key("reasoning_effort", Text),
    key("reasoning", Object(REASONING)),
    key("thinking", Kinds(THINKING)),
    // Some providers do not count reasoning against the output limit. Where one caps it,
    // `GatewayRequest::worst` adds the cap.
    key("thinking_budget", ThoughtCap),
    key("enable_thinking", ThoughtFlag),
    key("verbosity", Text),
    key("store", Flag),
    key("usage", Object(&[key("include", Flag)])),
    key("service_tier", Words(&TIERS)),
    key("enable_search", Off),
]);

/// What a stream contains in addition to the reply.
const STREAM: &[AllowedKey] = &[key("include_usage", Flag), key("include_obfuscation", Flag)];

/// `reasoning`, as OpenRouter has it. Its budget must fit into the output limit.
const REASONING: &[AllowedKey] = &[
    key("effort", Text),
    key("max_tokens", Budget),
    key("exclude", Flag),
    key("enabled", Flag),
    key("summary", Text),
];

/// `thinking`, as some hosts have taken it over from Anthropic.
const THINKING: &[AllowedVariant] = &[
    kind("enabled", &[key("budget_tokens", Budget)]),
    kind("disabled", &[]),
    kind("adaptive", &[]),
];

/// `response_format`: the form of the reply. A schema stands in the body and costs its bytes.
const FORMATS: &[AllowedVariant] = &[
    kind("text", &[]),
    kind("json_object", &[]),
    kind("json_schema", &[key("json_schema", Object(SCHEMA))]),
];

/// A JSON schema with its name.
const SCHEMA: &[AllowedKey] =
    &[key("name", Text), key("description", Text), key("schema", Free), key("strict", Flag)];

/// One message of the conversation, of any role.
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

/// The parts of a message's content. Sound, video and files are missing: their size in tokens is
/// not known from the body.
const PARTS: &[AllowedVariant] = &[
    kind("text", &[key("text", Text), key("cache_control", Cache)]),
    kind("refusal", &[key("refusal", Text)]),
    kind(IMAGE_PART, &[required("image_url", Object(IMAGE)), key("cache_control", Cache)]),
];

/// An image in the body, as `data:image/png;base64,...`.
const IMAGE: &[AllowedKey] =
    &[required("url", Image), key("detail", Words(&["auto", "low", "high", "original"]))];

/// Reasoning of earlier replies, as OpenRouter wants it back.
const THOUGHTS: &[AllowedVariant] = &[
    kind("reasoning.text", &[required("text", Text), SIGNATURE, ID, FORMAT, INDEX]),
    kind("reasoning.summary", &[required("summary", Text), ID, FORMAT, INDEX]),
    kind("reasoning.encrypted", &[required("data", SomeText), ID, FORMAT, INDEX]),
];
const SIGNATURE: AllowedKey = key("signature", Text);
const ID: AllowedKey = key("id", Text);
const FORMAT: AllowedKey = key("format", Text);
const INDEX: AllowedKey = key("index", Count);

/// Tool calls of earlier replies. One without a `type` is a function call.
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
/// The signature of a tool call, as Gemini models behind this format want it back.
const SIGNED: AllowedShape = Object(&[key("thought_signature", Text)]);

/// Tools that the client runs itself. Tools that the provider runs have prices of their own.
const TOOLS: &[AllowedVariant] = &[
    kind("function", &[required("function", Object(FUNCTION)), key("cache_control", Cache)]),
    kind("custom", &[required("custom", Object(CUSTOM))]),
];
/// A tool whose arguments are JSON.
const FUNCTION: &[AllowedKey] = &[
    key("name", Text),
    key("description", Text),
    key("parameters", Free),
    key("strict", Flag),
    key("cache_control", Cache),
];
/// A tool whose argument is plain text.
const CUSTOM: &[AllowedKey] = &[key("name", Text), key("description", Text), key("format", Free)];

/// `tool_choice`, where it is an object.
const CHOICES: &[AllowedVariant] = &[
    kind("function", &[key("function", NAMED)]),
    kind("custom", &[key("custom", NAMED)]),
    kind("allowed_tools", &[key("allowed_tools", Object(ALLOWED))]),
];
/// An object that names one tool.
const NAMED: AllowedShape = Object(&[key("name", Text)]);
/// The tools that the model may choose from.
const ALLOWED: &[AllowedKey] =
    &[key("mode", Words(&["auto", "required"])), key("tools", List(&Kinds(NAMES)))];
/// A tool as `allowed_tools` names it.
const NAMES: &[AllowedVariant] =
    &[kind("function", &[key("function", NAMED)]), kind("custom", &[key("custom", NAMED)])];
