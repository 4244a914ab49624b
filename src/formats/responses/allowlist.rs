//! The allow-list of the OpenAI Responses format: what a request to a model with a price may hold.
//! `REQUEST` is the body, and each further constant is an object or a set of types within it.
//!
//! Much of what this format can name is stored by the provider (`previous_response_id`, items by
//! their ids, files), and its length is not known here. So all of that is missing in the list.

use super::IMAGE_PART;
use crate::formats::reading::allowed_shape::{
    AllowedKey, AllowedShape, AllowedVariant, TIERS, key, kind, required,
};
use AllowedShape::{
    Budget, Count, Either, Flag, Free, Image, Kinds, KindsOrFirst, List, Number, Object, Off,
    SomeText, Text, Words,
};

/// The body of `POST /v1/responses`.
pub(in crate::formats) const REQUEST: AllowedShape = Object(&[
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

/// Further content of a reply that has no price of its own.
const INCLUDED: &[&str] = &["reasoning.encrypted_content", "message.output_text.logprobs"];

/// `reasoning`: its effort and its summary. A budget must fit into the output limit.
const REASONING: &[AllowedKey] = &[
    key("effort", Text),
    key("summary", Text),
    key("generate_summary", Text),
    key("max_tokens", Budget),
    key("mode", Words(&["standard"])),
];

/// `text.format`: the form of the reply. A schema stands in the body and costs its bytes.
const FORMATS: &[AllowedVariant] = &[
    kind("text", &[]),
    kind("json_object", &[]),
    kind(
        "json_schema",
        &[NAME, key("description", Text), key("schema", Free), key("strict", Flag)],
    ),
];
/// The name of a tool or of a schema.
const NAME: AllowedKey = key("name", Text);

/// The items of the conversation. An item without a `type` is a message.
const ITEMS: &[AllowedVariant] = &[
    kind(
        "message",
        &[
            required("role", Words(&["user", "assistant", "system", "developer"])),
            // Without its content, the provider would look the item up by its id, with an unknown
            // length.
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
            // Without it, the provider would look the item up by its id. A client gets it with
            // `"include": ["reasoning.encrypted_content"]`.
            required("encrypted_content", SomeText),
            key("summary", List(&Kinds(&[kind("summary_text", &[key("text", Text)])]))),
            key("content", List(&Kinds(&[kind("reasoning_text", &[key("text", Text)])]))),
            ID,
            STATUS,
        ],
    ),
];
/// The id of an item. It is harmless as long as the item has its content.
const ID: AllowedKey = key("id", Text);
/// Whether the item is complete.
const STATUS: AllowedKey = key("status", Text);
/// Joins a tool call and its result.
const CALL: AllowedKey = key("call_id", Text);
/// Who made the tool call: the model itself, not code that the provider runs.
const CALLER: AllowedKey = key("caller", Kinds(&[kind("direct", &[])]));
/// The result of a tool call.
const OUTPUT: AllowedShape = Either(&[Text, List(&Kinds(PARTS))]);

/// The parts of a content. Files and sound are missing: their size is not known from the body.
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
        IMAGE_PART,
        &[required("image_url", Image), key("detail", Words(&["auto", "low", "high", "original"]))],
    ),
];

/// Sources that an earlier reply has named. The provider does not read them again.
const CITATIONS: &[AllowedVariant] = &[kind(
    "url_citation",
    &[key("url", Text), key("title", Text), key("start_index", Count), key("end_index", Count)],
)];
/// The probability of one token of an earlier reply.
const LOGPROB: &[AllowedKey] =
    &[key("token", Text), key("bytes", Free), key("logprob", Number), key("top_logprobs", Free)];

/// Tools that the client runs itself. Tools that the provider runs have prices of their own.
const TOOLS: &[AllowedVariant] = &[
    kind(
        "function",
        &[NAME, key("description", Text), key("parameters", Free), key("strict", Flag)],
    ),
    kind("custom", &[NAME, key("description", Text), key("format", Free)]),
];

/// `tool_choice`, where it is an object.
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
