//! The words in which an allow-list is written, and the check of a JSON value against it. A list
//! is a constant tree of [`AllowedShape`]s: each says what a value may be. What is on no list is
//! refused with its path, such as `messages[0].content[1].image_url.url`.
//!
//! The check never guesses: a value of another JSON type, an unknown key and an unknown `type` are
//! all refused. Only a key with the value `null` is ignored, because it asks for nothing.

use crate::formats::reading::json_path::JsonPath;
use serde_json::{Map, Value};

/// Service tiers that cost no more than the price of the model.
pub(in crate::formats) const TIERS: [&str; 4] = ["auto", "default", "flex", "standard_only"];

/// What a value may be.
#[derive(Debug)]
pub(in crate::formats) enum AllowedShape {
    /// Any value. The model reads it as text, whose bytes are counted, or nobody reads it.
    Free,
    /// Any text, also an empty one.
    Text,
    /// A text that is not empty. The provider would look an empty one up elsewhere.
    SomeText,
    /// Any number.
    Number,
    /// A whole number that is not negative.
    Count,
    /// A whole number of tokens, at most the output limit.
    Budget,
    /// A whole number of tokens of reasoning beside the output limit. It is allowed only if the
    /// provider caps the reasoning with this key; then it is a part of the worst case.
    ThoughtCap,
    /// `false`, or what switches reasoning on. The latter is allowed as in `ThoughtCap`.
    ThoughtFlag,
    /// True or false.
    Flag,
    /// `false`, which asks for nothing. `true` would cost more than the tokens.
    Off,
    /// A list without items.
    Empty,
    /// One of these texts.
    Words(&'static [&'static str]),
    /// An image that stands in the body, as a `data:` URL.
    Image,
    /// A mark of a provider's prompt cache, such as `{"type": "ephemeral"}`. It is allowed only if
    /// the price of writing to the cache is known.
    Cache,
    /// A list whose items all have this shape.
    List(&'static AllowedShape),
    /// An object with these keys and no others.
    Object(&'static [AllowedKey]),
    /// An object whose `type` says which keys it may have.
    Kinds(&'static [AllowedVariant]),
    /// An object as in `Kinds`. If it has no `type`, it is of the first kind.
    KindsOrFirst(&'static [AllowedVariant]),
    /// The first of these shapes that takes the JSON type of the value. Only this one is checked.
    Either(&'static [AllowedShape]),
}

/// A key of an object, with the shape of its value.
#[derive(Debug)]
pub(in crate::formats) struct AllowedKey {
    name: &'static str,
    shape: AllowedShape,
    /// Whether the provider would look the value up elsewhere if the key were missing or null.
    required: bool,
}

/// A key that may be missing.
pub(in crate::formats) const fn key(name: &'static str, shape: AllowedShape) -> AllowedKey {
    AllowedKey { name, shape, required: false }
}

/// A key that must be there, because the provider would look its value up elsewhere.
pub(in crate::formats) const fn required(name: &'static str, shape: AllowedShape) -> AllowedKey {
    AllowedKey { name, shape, required: true }
}

/// One value of `type`, and the keys that an object of this type may have. A name that ends with
/// `*` stands for all its dates: `bash_*` allows `bash_20250124`.
#[derive(Debug)]
pub(in crate::formats) struct AllowedVariant {
    name: &'static str,
    keys: &'static [AllowedKey],
}

/// A variant of an object.
pub(in crate::formats) const fn kind(
    name: &'static str,
    keys: &'static [AllowedKey],
) -> AllowedVariant {
    AllowedVariant { name, keys }
}

impl AllowedVariant {
    /// Whether this is the variant for a value of `type`.
    fn is(&self, said: &str) -> bool {
        match self.name.strip_suffix('*') {
            Some(stem) => said.strip_prefix(stem).is_some_and(is_date),
            None => said == self.name,
        }
    }
}

/// Whether the text is eight digits, such as `20250124`.
fn is_date(text: &str) -> bool {
    text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// What the check needs to know of the call and of its model.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ShapeContext {
    /// The output limit in tokens that will be sent.
    pub(crate) cap: u64,
    /// Whether the price of writing to a prompt cache is known.
    pub(crate) writes_priced: bool,
    /// Whether the provider has a cap of the reasoning beside the output limit, and gets it.
    pub(crate) caps_thought: bool,
}

/// A value that is not allowed: where it is, and why.
#[derive(Debug)]
pub(crate) struct ShapeViolation {
    pub(crate) path: JsonPath,
    /// For the client, as the second half of a sentence after the path.
    pub(crate) why: String,
}

impl ShapeViolation {
    /// A violation by the value that is being checked. Its path grows while the check returns.
    fn new(why: impl Into<String>) -> Self {
        Self { path: JsonPath::default(), why: why.into() }
    }

    /// The value was found under this key.
    fn below_key(mut self, key: &str) -> Self {
        self.path.below_key(key);
        self
    }

    /// The value was found at this index of a list.
    fn below_index(mut self, index: usize) -> Self {
        self.path.below_index(index);
        self
    }
}

/// Ok if the value is allowed.
pub(crate) type ShapeResult = Result<(), ShapeViolation>;

impl AllowedShape {
    /// Checks a value and everything in it. It returns the first violation.
    pub(in crate::formats) fn check(&self, value: &Value, limits: ShapeContext) -> ShapeResult {
        match (self, value) {
            (Self::List(each), Value::Array(items)) => list(each, items, limits),
            (Self::Object(keys), Value::Object(object)) => all_keys(keys, object, limits),
            (Self::Kinds(kinds), Value::Object(object)) => tagged(kinds, object, None, limits),
            (Self::KindsOrFirst(kinds), Value::Object(object)) => {
                tagged(kinds, object, kinds.first(), limits)
            }
            (Self::Either(shapes), value) => either(shapes, value, limits),
            (Self::Budget, value) => budget(value, limits.cap),
            (Self::ThoughtCap, Value::Number(_)) | (Self::ThoughtFlag, Value::Bool(true))
                if !limits.caps_thought =>
            {
                Err(thought_apart())
            }
            (Self::Image, Value::String(url)) => image(url),
            (Self::Cache, value) => cache(value, limits.writes_priced),
            (Self::Words(words), Value::String(said)) => word(words, said),
            (shape, value) if shape.takes(value) => Ok(()),
            (shape, _) => Err(ShapeViolation::new(format!("it must be {}", shape.name()))),
        }
    }

    /// Whether a value is of the JSON type that this shape is about. What is inside is checked
    /// later.
    fn takes(&self, value: &Value) -> bool {
        match self {
            Self::Free => true,
            Self::Text | Self::Words(_) | Self::Image => value.is_string(),
            Self::SomeText => value.as_str().is_some_and(|text| !text.is_empty()),
            Self::Number => value.is_number(),
            Self::Count | Self::Budget | Self::ThoughtCap => value.is_u64(),
            Self::Flag | Self::ThoughtFlag => value.is_boolean(),
            Self::Off => *value == Value::Bool(false),
            Self::Empty => value.as_array().is_some_and(Vec::is_empty),
            Self::List(_) => value.is_array(),
            Self::Object(_) | Self::Kinds(_) | Self::KindsOrFirst(_) | Self::Cache => {
                value.is_object()
            }
            Self::Either(shapes) => shapes.iter().any(|shape| shape.takes(value)),
        }
    }

    /// What this shape allows, for messages such as "it must be a text".
    fn name(&self) -> &'static str {
        match self {
            Self::Free => "anything",
            Self::Text => "a text",
            Self::SomeText => "a text that is not empty",
            Self::Words(_) => "one of the known words",
            Self::Image => "an image in the body, as a `data:` URL",
            Self::Number => "a number",
            Self::Count | Self::Budget | Self::ThoughtCap => "a whole number",
            Self::Flag | Self::ThoughtFlag => "true or false",
            Self::Off => "false or left out",
            Self::Empty => "empty or left out",
            Self::List(_) => "a list",
            Self::Object(_) | Self::Cache => "an object",
            Self::Kinds(_) | Self::KindsOrFirst(_) => "an object with a `type`",
            Self::Either(_) => "of a known type",
        }
    }
}

/// Checks a value against the first shape of its JSON type.
fn either(shapes: &'static [AllowedShape], value: &Value, limits: ShapeContext) -> ShapeResult {
    match shapes.iter().find(|shape| shape.takes(value)) {
        Some(shape) => shape.check(value, limits),
        None => {
            let names: Vec<&str> = shapes.iter().map(AllowedShape::name).collect();
            Err(ShapeViolation::new(format!("it must be {}", names.join(" or "))))
        }
    }
}

/// Checks each item of a list.
fn list(each: &AllowedShape, items: &[Value], limits: ShapeContext) -> ShapeResult {
    items.iter().enumerate().try_for_each(|(index, item)| {
        each.check(item, limits).map_err(|strange| strange.below_index(index))
    })
}

/// Checks an object that has no `type`.
fn all_keys(keys: &[AllowedKey], object: &Map<String, Value>, limits: ShapeContext) -> ShapeResult {
    keys_but(None, keys, object, limits)
}

/// Checks the keys of an object: those that are required, and then each key that it has. `tag` is
/// a key that was looked at before.
fn keys_but(
    tag: Option<&str>,
    keys: &[AllowedKey],
    object: &Map<String, Value>,
    limits: ShapeContext,
) -> ShapeResult {
    for key in keys.iter().filter(|key| key.required) {
        if object.get(key.name).is_none_or(Value::is_null) {
            let missing = ShapeViolation::new(
                "it is missing, and the provider may take it from another \
                                        place",
            );
            return Err(missing.below_key(key.name));
        }
    }
    // A key with the value `null` asks for nothing.
    let said = object.iter().filter(|(_, value)| !value.is_null());
    said.filter(|(name, _)| tag != Some(name.as_str())).try_for_each(|(name, value)| {
        let known = keys.iter().find(|key| key.name == name);
        let checked = match known {
            Some(key) => key.shape.check(value, limits),
            None => Err(unknown(value)),
        };
        checked.map_err(|strange| strange.below_key(name))
    })
}

/// The violation of a key that is on no list. A short beginning of its value is shown.
fn unknown(value: &Value) -> ShapeViolation {
    let value = value.as_str().map_or_else(String::new, |value| format!(" ({value:.40})"));
    ShapeViolation::new(format!("this key{value} may have a price of its own"))
}

/// Checks an object by its `type`. `untyped` is the variant of an object without a `type`, if that
/// is allowed.
fn tagged(
    kinds: &'static [AllowedVariant],
    object: &Map<String, Value>,
    untyped: Option<&'static AllowedVariant>,
    limits: ShapeContext,
) -> ShapeResult {
    let found = match object.get("type") {
        Some(Value::String(said)) => kinds.iter().find(|kind| kind.is(said)),
        None | Some(Value::Null) => untyped,
        Some(_) => None,
    };
    match found {
        Some(kind) => keys_but(Some("type"), kind.keys, object, limits),
        None => Err(no_kind(kinds, object.get("type")).below_key("type")),
    }
}

/// The violation of a missing or unknown `type`. It names the known ones.
fn no_kind(kinds: &[AllowedVariant], said: Option<&Value>) -> ShapeViolation {
    let names: Vec<&str> = kinds.iter().map(|kind| kind.name).collect();
    let said = match said.and_then(Value::as_str) {
        Some(said) => format!("the price of {said:.40?} is unknown"),
        None => "the price of an object without a `type` is unknown".to_owned(),
    };
    ShapeViolation::new(format!("{said}; known are {}", names.join(", ")))
}

/// Checks that a text is one of these words.
fn word(words: &[&str], said: &str) -> ShapeResult {
    if words.contains(&said) {
        return Ok(());
    }
    let known = words.join(", ");
    Err(ShapeViolation::new(format!("the price of {said:.40?} is unknown; known are {known}")))
}

/// Checks that a budget of tokens is not above the output limit. Beyond it, the worst cost would
/// be too small.
fn budget(value: &Value, cap: u64) -> ShapeResult {
    match value.as_u64() {
        Some(tokens) if tokens <= cap => Ok(()),
        Some(tokens) => Err(ShapeViolation::new(format!(
            "{tokens} tokens are more than the output limit, {cap}: lower it, or raise the limit"
        ))),
        None => Err(ShapeViolation::new("it must be a whole number")),
    }
}

/// The violation of reasoning that nothing caps. Some providers do not count it against the output
/// limit.
fn thought_apart() -> ShapeViolation {
    ShapeViolation::new(
        "this model's provider has no limit of reasoning that is known here, so reasoning may come \
         beside the output limit",
    )
}

/// Formats with one picture. A file with pages may cost as much as several images.
const PICTURES: [&str; 5] = ["png", "jpeg", "jpg", "gif", "webp"];

/// Checks that an image stands in the body, in one of the known formats.
fn image(url: &str) -> ShapeResult {
    let picture = url.strip_prefix("data:image/").and_then(|rest| rest.split_once(";base64,"));
    match picture {
        Some((format, _)) if PICTURES.contains(&format) => Ok(()),
        _ => Err(ShapeViolation::new(
            "the size of content outside the body is unknown: send an image in the body, as \
             `data:image/png;base64,...` (or jpeg, gif, webp)",
        )),
    }
}

/// Checks a mark of the prompt cache. Only the cache of five minutes has the known price.
fn cache(value: &Value, writes_priced: bool) -> ShapeResult {
    const KINDS: &[AllowedVariant] =
        &[kind("ephemeral", &[key("ttl", AllowedShape::Words(&["5m"]))])];
    if !writes_priced {
        let what = "this model has no `cache_write` price: leave it out, or name the price";
        return Err(ShapeViolation::new(what));
    }
    let limits = ShapeContext { cap: 0, writes_priced, caps_thought: false };
    AllowedShape::Kinds(KINDS).check(value, limits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const LIMITS: ShapeContext =
        ShapeContext { cap: 100, writes_priced: true, caps_thought: false };

    fn told(shape: &AllowedShape, value: Value) -> String {
        let strange = shape.check(&value, LIMITS).err();
        strange.map(|ShapeViolation { path, why }| format!("`{path}`: {why}")).unwrap_or_default()
    }

    #[test]
    fn the_path_leads_to_what_is_strange() {
        const PART: &[AllowedKey] = &[key("text", AllowedShape::Text)];
        const SHAPE: AllowedShape = AllowedShape::Object(&[key(
            "a",
            AllowedShape::List(&AllowedShape::Kinds(&[kind("text", PART)])),
        )]);
        assert_eq!(told(&SHAPE, json!({ "a": [{ "type": "text", "text": "x" }] })), "");
        assert_eq!(told(&SHAPE, json!({ "a": null, "b": null })), "", "a null says nothing");
        let strange = told(&SHAPE, json!({ "a": [{ "type": "text", "text": "x", "b": 1 }] }));
        assert!(strange.starts_with("`a[0].b`: "), "{strange}");
        let strange = told(&SHAPE, json!({ "a": [{ "type": "sound" }] }));
        assert!(strange.starts_with("`a[0].type`: ") && strange.contains("sound"), "{strange}");
        let strange = told(&SHAPE, json!({ "a": [null] }));
        assert!(strange.starts_with("`a[0]`: "), "{strange}");
    }

    #[test]
    fn a_date_stands_for_every_date() {
        let bash = kind("bash_*", &[]);
        for (said, is) in [
            ("bash_20250124", true),
            ("bash_", false),
            ("bash_code_execution", false),
            ("bash_2025012é", false),
        ] {
            assert_eq!(bash.is(said), is, "{said}");
        }
    }

    #[test]
    fn only_pictures_in_the_body_are_images() {
        for (url, is) in [
            ("data:image/png;base64,AAAA", true),
            ("data:image/png,AAAA", false),
            ("data:application/pdf;base64,AAAA", false),
            ("data:video/mp4;base64,AAAA", false),
            ("data:image/tiff;base64,AAAA", false),
            ("https://h/i.png", false),
            ("file-123", false),
        ] {
            assert_eq!(image(url).is_ok(), is, "{url}");
        }
    }

    #[test]
    fn a_cache_is_marked_where_its_price_is_known() {
        let short = json!({ "type": "ephemeral" });
        assert!(cache(&short, true).is_ok() && cache(&short, false).is_err());
        assert!(cache(&json!({ "type": "ephemeral", "ttl": "5m" }), true).is_ok());
        assert!(cache(&json!({ "type": "ephemeral", "ttl": "1h" }), true).is_err());
        assert!(cache(&json!({ "ttl": "1h" }), true).is_err());
    }

    #[test]
    fn reasoning_beside_the_output_needs_a_provider_that_caps_it() {
        let capped = ShapeContext { caps_thought: true, ..LIMITS };
        for (shape, value) in
            [(AllowedShape::ThoughtCap, json!(9)), (AllowedShape::ThoughtFlag, json!(true))]
        {
            assert!(shape.check(&value, capped).is_ok() && shape.check(&value, LIMITS).is_err());
        }
        assert!(AllowedShape::ThoughtFlag.check(&json!(false), LIMITS).is_ok());
        assert!(AllowedShape::ThoughtCap.check(&json!("9"), capped).is_err());
    }

    #[test]
    fn a_budget_is_no_more_than_the_cap() {
        assert!(budget(&json!(100), 100).is_ok());
        for bad in [json!(101), json!(1.0), json!("1"), json!(-1)] {
            assert!(budget(&bad, 100).is_err(), "{bad}");
        }
    }
}
