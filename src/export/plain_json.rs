//! JSON texts of a row, such as the arguments of a call, as part of another JSON document. The text
//! stays as the model wrote it: the order of the keys and the digits of numbers. Only blanks
//! between its tokens are left out, because a line of an export has no line breaks.

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::collections::HashSet;
use std::fmt;

/// The text as a JSON object. None if it is none, or one that not every reader takes: a key stands
/// twice in an object, a text has half a surrogate pair, a number is too large, or it is too deep.
pub(super) fn plain_object(text: &str) -> Option<Box<RawValue>> {
    let mut reader = serde_json::Deserializer::from_str(text);
    reader.deserialize_map(PlainVisitor).ok()?;
    reader.end().ok()?;
    RawValue::from_string(compacted(text)).ok()
}

/// The text as a JSON list. None where [`plain_object`] has none.
pub(super) fn plain_list(text: &str) -> Option<Box<RawValue>> {
    let mut reader = serde_json::Deserializer::from_str(text);
    reader.deserialize_seq(PlainVisitor).ok()?;
    reader.end().ok()?;
    RawValue::from_string(compacted(text)).ok()
}

/// A JSON text without the blanks between its tokens.
fn compacted(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let (mut is_text, mut is_escape) = (false, false);
    for c in text.chars() {
        match c {
            _ if is_escape => is_escape = false,
            '\\' if is_text => is_escape = true,
            '"' => is_text = !is_text,
            ' ' | '\t' | '\n' | '\r' if !is_text => continue,
            _ => {}
        }
        kept.push(c);
    }
    kept
}

/// A value that was looked at.
struct PlainValue;

impl<'de> Deserialize<'de> for PlainValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PlainVisitor)
    }
}

/// Looks at every value and keeps none. Fails at a key that an object has twice.
struct PlainVisitor;

impl<'de> Visitor<'de> for PlainVisitor {
    type Value = PlainValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON that every reader takes")
    }

    fn visit_unit<E>(self) -> Result<PlainValue, E> {
        Ok(PlainValue)
    }

    fn visit_bool<E>(self, _: bool) -> Result<PlainValue, E> {
        Ok(PlainValue)
    }

    fn visit_i64<E>(self, _: i64) -> Result<PlainValue, E> {
        Ok(PlainValue)
    }

    fn visit_u64<E>(self, _: u64) -> Result<PlainValue, E> {
        Ok(PlainValue)
    }

    fn visit_f64<E>(self, _: f64) -> Result<PlainValue, E> {
        Ok(PlainValue)
    }

    fn visit_str<E>(self, _: &str) -> Result<PlainValue, E> {
        Ok(PlainValue)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<PlainValue, A::Error> {
        while items.next_element::<PlainValue>()?.is_some() {}
        Ok(PlainValue)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<PlainValue, A::Error> {
        let mut keys = HashSet::new();
        while let Some(key) = members.next_key::<String>()? {
            members.next_value::<PlainValue>()?;
            if !keys.insert(key) {
                return Err(A::Error::custom("a key stands there twice"));
            }
        }
        Ok(PlainValue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_stays_as_it_was_written() {
        for (text, kept) in [
            ("{}", "{}"),
            ("{ \"b\" : 1,\n\t\"a\" : [ 1.50, null ] }", "{\"b\":1,\"a\":[1.50,null]}"),
            (r#"{"a b": " \" { \\", "c": " d "}"#, r#"{"a b":" \" { \\","c":" d "}"#),
            (r#"{"n": 12345678901234567890123}"#, r#"{"n":12345678901234567890123}"#),
            (r#"{"pair": "\ud83e\udd80", "ü": "🦀"}"#, r#"{"pair":"\ud83e\udd80","ü":"🦀"}"#),
        ] {
            assert_eq!(plain_object(text).map(|raw| raw.get().to_owned()), Some(kept.to_owned()));
        }
    }

    #[test]
    fn what_some_reader_refuses_is_no_object() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(500), "]".repeat(500));
        for text in [
            "",
            "ls -l",
            "[]",
            "\"{}\"",
            "null",
            "{\"a\":1",
            "{\"a\":1} {}",
            "{\"a\":1,\"a\":2}",
            "{\"a\":{\"b\":1,\"b\":1}}",
            "{\"a\":\"\\ud800\"}",
            "{\"a\":1e999}",
            deep.as_str(),
        ] {
            assert!(plain_object(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_list_is_a_list_alone() {
        assert_eq!(plain_list(" [ {} ] ").map(|raw| raw.get().to_owned()).as_deref(), Some("[{}]"));
        for text in ["{}", "", "[1,]", "[{\"a\":1,\"a\":1}]"] {
            assert!(plain_list(text).is_none(), "{text}");
        }
    }
}
