//! Changes the top-level keys of a JSON object and leaves all its other bytes unchanged. A call
//! that is passed through must reach the provider as the client wrote it. Parsing and writing the
//! whole body could change the spelling of numbers and the order of keys.

use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Value, error::Error};
use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::ops::Range;

/// An object as its keys and the text of their values, in the order of the body. It borrows from
/// the body.
pub(in crate::gateway) struct RawJsonObject<'b>(Vec<(RawJsonKey<'b>, RawJsonValue<'b>)>);

/// A key. It is borrowed from the body unless it contains escapes, such as `"mod\u0065l"`.
#[derive(Deserialize, Serialize)]
#[serde(transparent)]
struct RawJsonKey<'b>(#[serde(borrow)] Cow<'b, str>);

/// The value of a key: the text in the body, or a new value.
enum RawJsonValue<'b> {
    Kept(&'b RawValue),
    Set(Value),
}

impl<'b> RawJsonObject<'b> {
    /// Reads an object. An error means that the body is not JSON or not an object.
    pub(in crate::gateway) fn read(body: &'b [u8]) -> Result<Self, Error> {
        serde_json::from_slice(body)
    }

    /// Where the value of a key stands in `body`, which must be the text that this object was read
    /// from. None if there is no such key, or if its value was replaced.
    pub(in crate::gateway) fn place(&self, key: &str, body: &[u8]) -> Option<Range<usize>> {
        let (_, text) = self.0.iter().find(|(known, _)| known.0 == key)?;
        let RawJsonValue::Kept(raw) = text else { return None };
        let from = raw.get().as_ptr().addr().checked_sub(body.as_ptr().addr())?;
        let place = from..from + raw.get().len();
        // The addresses say where the value is. The comparison proves it, in case of another body.
        (body.get(place.clone())? == raw.get().as_bytes()).then_some(place)
    }

    /// The first key that the object has twice. Programs differ in which of the two counts.
    pub(in crate::gateway) fn repeated(&self) -> Option<&str> {
        let mut seen = HashSet::new();
        self.0.iter().map(|(key, _)| &*key.0).find(|key| !seen.insert(*key))
    }

    /// Replaces the value of a key in its place, or adds the key at the end. A key that occurred
    /// several times occurs once afterwards.
    pub(in crate::gateway) fn set(&mut self, key: &'b str, value: Value) {
        let first = self.0.iter().position(|(known, _)| known.0 == key);
        self.0.retain(|(known, _)| known.0 != key);
        // Only later entries were removed besides the first one, so its index is still right.
        let at = first.unwrap_or(self.0.len()).min(self.0.len());
        self.0.insert(at, (RawJsonKey(Cow::Borrowed(key)), RawJsonValue::Set(value)));
    }

    /// The object as JSON, without the white space between its keys.
    pub(in crate::gateway) fn write(&self) -> Result<Vec<u8>, Error> {
        serde_json::to_vec(self)
    }
}

impl<'de> Deserialize<'de> for RawJsonObject<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = RawJsonObject<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some((key, value)) = map.next_entry::<RawJsonKey<'de>, &RawValue>()? {
                    entries.push((key, RawJsonValue::Kept(value)));
                }
                Ok(RawJsonObject(entries))
            }
        }
        deserializer.deserialize_map(Keys)
    }
}

impl Serialize for RawJsonObject<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, text)| (key, text)))
    }
}

impl Serialize for RawJsonValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Kept(raw) => raw.serialize(serializer),
            Self::Set(value) => value.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_is_changed_changes() {
        let body = br#"{ "b":1.50,"a": [1,  2.0e1], "model":"x","model" : "y" }"#;
        let mut object = RawJsonObject::read(body).unwrap();
        object.set("model", json!("z"));
        object.set("cap", json!(7));
        let written = String::from_utf8(object.write().unwrap()).unwrap();
        assert_eq!(written, r#"{"b":1.50,"a":[1,  2.0e1],"model":"z","cap":7}"#);
        let place = RawJsonObject::read(body).unwrap().place("a", body).unwrap();
        assert_eq!(&body[place], b"[1,  2.0e1]");
        assert_eq!(RawJsonObject::read(body).unwrap().place("c", body), None);
        assert!(RawJsonObject::read(b"[1]").is_err());
        assert!(RawJsonObject::read(b"{\"a\":1").is_err());
    }
}
