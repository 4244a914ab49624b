//! What a request in the OpenAI Responses format may hold where it is paid for. Much of what this
//! format may name lies with the provider, where nobody here knows how long it is.

use super::TIERS;
use super::shape::{AllowedKey, AllowedShape, AllowedVariant, key, kind, required};
use AllowedShape::{
    Budget, Count, Either, Flag, Free, Image, Kinds, KindsOrFirst, List, Number, Object, Off,
    SomeText, Text, Words,
};

pub(super) const REQUEST: AllowedShape = Object(&[
    key("model", Text),
    key("input", Either(&[Text, List(&KindsOrFirst(ITEMS))])),
    key("instructions", Text),
    key("tools", List(&Kinds(TOOLS))),
    key("tool_choice", Either(&[Words(&["auto", "none", "required"]), Kinds(CHOICES)])),
    key("parallel_tool_calls", Flag),
    key("max_tool_calls", Count),
    key("temperature", Number),
    key("top_p", Number),
    key("top_logprobs", Count),
    key("max_output_tokens", Count),
    key("stream", Flag),
    key("stream_options", Object(&[key("include_obfuscation", Flag)])),
    key("user", Text),
    key("metadata", Free),
    key("safety_identifier", Text),
    key("prompt_cache_key", Text),
    key("store", Flag),
    key("include", List(&Words(INCLUDED))),
    key("truncation", Words(&["auto", "disabled"])),
    key("reasoning", Object(REASONING)),
    key("text", Object(&[key("format", Kinds(FORMATS)), key("verbosity", Text)])),
    key("background", Off),
    key("service_tier", Words(&TIERS)),
]);

const INCLUDED: &[&str] = &["reasoning.encrypted_content", "message.output_text.logprobs"];

const REASONING: &[AllowedKey] = &[
    key("effort", Text),
    key("summary", Text),
    key("generate_summary", Text),
    key("max_tokens", Budget),
    key("mode", Words(&["standard"])),
];

const FORMATS: &[AllowedVariant] = &[
    kind("text", &[]),
    kind("json_object", &[]),
    kind(
        "json_schema",
        &[NAME, key("description", Text), key("schema", Free), key("strict", Flag)],
    ),
];
const NAME: AllowedKey = key("name", Text);

const ITEMS: &[AllowedVariant] = &[
    kind(
        "message",
        &[
            required("role", Words(&["user", "assistant", "system", "developer"])),
            // Without it, the provider would look it up by the item's name.
            required("content", Either(&[Text, List(&Kinds(PARTS))])),
            key("phase", Text),
            ID,
            STATUS,
        ],
    ),
    kind("function_call", &[CALL, NAME, required("arguments", Text), ID, STATUS, CALLER]),
    kind("custom_tool_call", &[CALL, NAME, required("input", Text), ID, STATUS, CALLER]),
    kind("function_call_output", &[CALL, required("output", OUTPUT), ID, STATUS, CALLER]),
    kind("custom_tool_call_output", &[CALL, required("output", OUTPUT), ID, STATUS, CALLER]),
    kind(
        "reasoning",
        &[
            // Ask for it by `include: ["reasoning.encrypted_content"]`.
            required("encrypted_content", SomeText),
            key("summary", List(&Kinds(&[kind("summary_text", &[key("text", Text)])]))),
            key("content", List(&Kinds(&[kind("reasoning_text", &[key("text", Text)])]))),
            ID,
            STATUS,
        ],
    ),
];
const ID: AllowedKey = key("id", Text);
const STATUS: AllowedKey = key("status", Text);
const CALL: AllowedKey = key("call_id", Text);
const CALLER: AllowedKey = key("caller", Kinds(&[kind("direct", &[])]));
const OUTPUT: AllowedShape = Either(&[Text, List(&Kinds(PARTS))]);

const PARTS: &[AllowedVariant] = &[
    kind("input_text", &[key("text", Text)]),
    kind(
        "output_text",
        &[
            key("text", Text),
            key("annotations", List(&Kinds(CITATIONS))),
            key("logprobs", List(&Object(LOGPROB))),
        ],
    ),
    kind("refusal", &[key("refusal", Text)]),
    kind(
        "input_image",
        &[required("image_url", Image), key("detail", Words(&["auto", "low", "high", "original"]))],
    ),
];

const CITATIONS: &[AllowedVariant] = &[kind(
    "url_citation",
    &[key("url", Text), key("title", Text), key("start_index", Count), key("end_index", Count)],
)];
const LOGPROB: &[AllowedKey] =
    &[key("token", Text), key("bytes", Free), key("logprob", Number), key("top_logprobs", Free)];

/// The client runs these itself.
const TOOLS: &[AllowedVariant] = &[
    kind(
        "function",
        &[NAME, key("description", Text), key("parameters", Free), key("strict", Flag)],
    ),
    kind("custom", &[NAME, key("description", Text), key("format", Free)]),
];

const CHOICES: &[AllowedVariant] = &[
    kind("function", &[NAME]),
    kind("custom", &[NAME]),
    kind(
        "allowed_tools",
        &[
            key("mode", Words(&["auto", "required"])),
            key("tools", List(&Kinds(&[kind("function", &[NAME]), kind("custom", &[NAME])]))),
        ],
    ),
];
