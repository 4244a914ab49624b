//! The allow-list of the Anthropic Messages format: what a request to a model with a price may
//! hold. `REQUEST` is the body, and each further constant is an object or a set of types within
//! it. The gateway checks the features of the header `anthropic-beta`.

use super::IMAGE_PART;
use crate::formats::reading::allowed_shape::{
    AllowedKey, AllowedShape, AllowedVariant, TIERS, key, kind, required,
};
use AllowedShape::{
    Budget, Cache, Count, Either, Empty, Flag, Free, Kinds, KindsOrFirst, List, Number, Object,
    SomeText, Text, Words,
};

/// The body of `POST /v1/messages`.
pub(in crate::formats) const REQUEST: AllowedShape = Object(&[
    key("model", Text),
    key("messages", List(&Object(MESSAGE))),
    key("system", Either(&[Text, List(&Kinds(TEXTS))])),
    key("tools", List(&KindsOrFirst(TOOLS))),
    key("tool_choice", Kinds(CHOICES)),
    key("temperature", Number),
    key("top_p", Number),
    key("top_k", Number),
    key("stop_sequences", List(&Text)),
    key("max_tokens", Count),
    key("stream", Flag),
    key("metadata", Object(&[key("user_id", Text)])),
    key("thinking", Kinds(THINKING)),
    key("output_config", Object(OUTPUT)),
    key("service_tier", Words(&TIERS)),
    key("speed", Words(&["standard"])),
    key("cache_control", Cache),
]);

/// `thinking`: the reasoning of the model. Its budget must fit into `max_tokens`.
const THINKING: &[AllowedVariant] = &[
    kind("enabled", &[key("budget_tokens", Budget), DISPLAY]),
    kind("disabled", &[]),
    kind("adaptive", &[DISPLAY]),
];
/// Whether the reply shows the reasoning.
const DISPLAY: AllowedKey = key("display", Words(&["summarized", "omitted"]));

/// `output_config`: how much effort the reply gets, and its form.
const OUTPUT: &[AllowedKey] =
    &[key("effort", Text), key("format", Kinds(&[kind("json_schema", &[key("schema", Free)])]))];

/// One turn of the conversation.
const MESSAGE: &[AllowedKey] = &[
    key("role", Words(&["user", "assistant"])),
    required("content", Either(&[Text, List(&Kinds(BLOCKS))])),
];

/// A block of text. Citations refer to documents, which are not allowed.
const TEXT: AllowedVariant = kind("text", &[key("text", Text), key("citations", Empty), CACHE]);
/// The blocks of `system`.
const TEXTS: &[AllowedVariant] = &[TEXT];
/// A mark up to which the provider caches the request.
const CACHE: AllowedKey = key("cache_control", Cache);
/// An image in the body.
const IMAGE: AllowedVariant = kind(IMAGE_PART, &[required("source", Kinds(SOURCES)), CACHE]);

/// Where an image comes from. A URL or a file id is missing: its size is not known from the body.
const SOURCES: &[AllowedVariant] =
    &[kind("base64", &[key("media_type", Words(&PICTURES)), required("data", SomeText)])];
/// Formats of one picture.
const PICTURES: [&str; 4] = ["image/png", "image/jpeg", "image/gif", "image/webp"];

/// The blocks of a turn. Documents, and the blocks of tools that the provider runs, are missing.
const BLOCKS: &[AllowedVariant] = &[
    TEXT,
    IMAGE,
    kind(
        "tool_use",
        &[
            key("id", Text),
            key("name", Text),
            key("input", Free),
            key("caller", Kinds(&[kind("direct", &[])])),
            CACHE,
        ],
    ),
    kind(
        "tool_result",
        &[
            key("tool_use_id", Text),
            key("content", Either(&[Text, List(&Kinds(&[TEXT, IMAGE]))])),
            key("is_error", Flag),
            CACHE,
        ],
    ),
    kind("thinking", &[required("thinking", Text), key("signature", Text)]),
    kind("redacted_thinking", &[required("data", SomeText)]),
];

/// Tools that the client runs itself. One without a `type` is a `custom` tool. The provider
/// describes the others to its model: their types end with the date of their version, such as
/// `bash_20250124`.
const TOOLS: &[AllowedVariant] = &[
    kind(
        "custom",
        &[
            key("name", Text),
            key("description", Text),
            required("input_schema", Free),
            key("input_examples", Free),
            key("strict", Flag),
            key("eager_input_streaming", Flag),
            CACHE,
        ],
    ),
    kind("bash_*", &[NAME, STRICT, CACHE]),
    kind("text_editor_*", &[NAME, STRICT, key("max_characters", Count), CACHE]),
    kind("memory_*", &[NAME, STRICT, CACHE]),
    kind(
        "computer_*",
        &[
            NAME,
            STRICT,
            key("display_width_px", Count),
            key("display_height_px", Count),
            key("display_number", Count),
            key("enable_zoom", Flag),
            CACHE,
        ],
    ),
];
/// The name under which the model calls the tool.
const NAME: AllowedKey = key("name", Text);
/// Whether the arguments must follow the schema.
const STRICT: AllowedKey = key("strict", Flag);

/// `tool_choice`.
const CHOICES: &[AllowedVariant] = &[
    kind("auto", &[ALONE]),
    kind("any", &[ALONE]),
    kind("tool", &[NAME, ALONE]),
    kind("none", &[]),
];
/// Whether the model makes one tool call at a time.
const ALONE: AllowedKey = key("disable_parallel_tool_use", Flag);
