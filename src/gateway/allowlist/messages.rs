//! What a request in the Anthropic Messages format may hold where it is paid for.

use super::TIERS;
use super::shape::{AllowedKey, AllowedShape, AllowedVariant, key, kind, required};
use AllowedShape::{
    Budget, Cache, Count, Either, Empty, Flag, Free, Kinds, KindsOrFirst, List, Number, Object,
    SomeText, Text, Words,
};

pub(super) const REQUEST: AllowedShape = Object(&[
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

const THINKING: &[AllowedVariant] = &[
    kind("enabled", &[key("budget_tokens", Budget), DISPLAY]),
    kind("disabled", &[]),
    kind("adaptive", &[DISPLAY]),
];
const DISPLAY: AllowedKey = key("display", Words(&["summarized", "omitted"]));

const OUTPUT: &[AllowedKey] =
    &[key("effort", Text), key("format", Kinds(&[kind("json_schema", &[key("schema", Free)])]))];

const MESSAGE: &[AllowedKey] = &[
    key("role", Words(&["user", "assistant"])),
    required("content", Either(&[Text, List(&Kinds(BLOCKS))])),
];

const TEXT: AllowedVariant = kind("text", &[key("text", Text), key("citations", Empty), CACHE]);
const TEXTS: &[AllowedVariant] = &[TEXT];
const CACHE: AllowedKey = key("cache_control", Cache);
const IMAGE: AllowedVariant = kind("image", &[required("source", Kinds(SOURCES)), CACHE]);

const SOURCES: &[AllowedVariant] =
    &[kind("base64", &[key("media_type", Words(&PICTURES)), required("data", SomeText)])];
const PICTURES: [&str; 4] = ["image/png", "image/jpeg", "image/gif", "image/webp"];

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

/// The client runs these itself.
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
const NAME: AllowedKey = key("name", Text);
const STRICT: AllowedKey = key("strict", Flag);

const CHOICES: &[AllowedVariant] = &[
    kind("auto", &[ALONE]),
    kind("any", &[ALONE]),
    kind("tool", &[NAME, ALONE]),
    kind("none", &[]),
];
const ALONE: AllowedKey = key("disable_parallel_tool_use", Flag);
