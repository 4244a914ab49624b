//! Reads JSON and reports the first key that occurs twice in its object, such as `n` in `{"n": 1,
//! "n": 9}`. Two programs may read different values of such a key: the gateway one, the provider
//! the other. So the allow-list refuses it everywhere in a request to a model with a price. At the
//! top level `request` refuses every such key for all models. A second key that occurs twice
//! is not reported.

use crate::formats::reading::json_path::JsonPath;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::map::Entry;
use serde_json::{Error, Map, Number, Value};
use std::fmt;

/// The value, in which the last of two equal keys counts, and the path of the first key that
/// occurs twice. An error means that the body is not JSON.
pub(in crate::gateway) fn parse_json(body: &[u8]) -> Result<(Value, Option<JsonPath>), Error> {
    let mut twice = JsonPath::default();
    let mut text = serde_json::Deserializer::from_slice(body);
    let value = DuplicateKeyVisitor { twice: &mut twice }.deserialize(&mut text)?;
    // Anything but white space after the value is an error.
    text.end()?;
    Ok((value, Some(twice).filter(|path| !path.is_empty())))
}

/// Reads one value, as serde's own visitor does, and looks for repeated keys in it.
struct DuplicateKeyVisitor<'t> {
    /// The path of the repeated key, seen from the value that is being read. Empty if none was
    /// found yet.
    twice: &'t mut JsonPath,
}

impl DuplicateKeyVisitor<'_> {
    /// Whether a repeated key was found. Only the first one is reported.
    fn is_found(&self) -> bool {
        !self.twice.is_empty()
    }
}

impl<'de> DeserializeSeed<'de> for DuplicateKeyVisitor<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for DuplicateKeyVisitor<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::from(number))
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Value, E> {
        let number = Number::from_f64(number).ok_or_else(|| E::custom("a number out of range"))?;
        Ok(Value::Number(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::String(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        loop {
            let was_found = self.is_found();
            let Some(item) = items.next_element_seed(DuplicateKeyVisitor { twice: self.twice })?
            else {
                return Ok(Value::Array(list));
            };
            // It was found within this item: the path gets the item's index in front.
            if !was_found && self.is_found() {
                self.twice.below_index(list.len());
            }
            list.push(item);
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let was_found = self.is_found();
            let value = entries.next_value_seed(DuplicateKeyVisitor { twice: self.twice })?;
            // It was found within this value: the path gets the value's key in front.
            if !was_found && self.is_found() {
                self.twice.below_key(&key);
            }
            match object.entry(key) {
                Entry::Vacant(free) => drop(free.insert(value)),
                // The key occurs for the second time. Its path begins here.
                Entry::Occupied(mut taken) => {
                    if !self.is_found() {
                        self.twice.below_key(taken.key());
                    }
                    taken.insert(value);
                }
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_first_key_that_stands_twice_is_found() {
        for (body, path) in [
            (r#"{"a":1,"b":[{"a":1}]}"#, None),
            (r#"{"a":1,"\u0061":2}"#, Some("a")),
            (r#"{"x":[0,{"b":{"c":1,"c":2}}],"x":1}"#, Some("x[1].b.c")),
            (r#"[{"a":1},{"a":1,"a":1}]"#, Some("[1].a")),
        ] {
            let (_, twice) = parse_json(body.as_bytes()).unwrap();
            assert_eq!(twice.map(|path| path.to_string()).as_deref(), path, "{body}");
        }
        for bad in ["", "{", "{} {}", "[1,]", "{\"a\":NaN}", &"[".repeat(200)] {
            assert!(parse_json(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_serde_reads(text in "[\\[\\]{}\",:0-9a-z\\-.eE ]{0,40}") {
            let own = parse_json(text.as_bytes()).ok().map(|(value, _)| value);
            prop_assert_eq!(own, serde_json::from_str(&text).ok());
        }
    }
}
