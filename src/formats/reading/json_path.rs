//! The path of a value in a JSON text, such as `messages[0].content`. Errors show it, so that a
//! client sees which part of its request was refused.

use std::fmt;

/// Characters of a key that are kept. A client may send keys of any length.
const SHOWN: usize = 60;

/// A path, stored from its end to its start: code that returns from a nested value adds where that
/// value was. The empty path is the outermost value.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct JsonPath(Vec<JsonPathSegment>);

/// One step of a path: the key of an object, or the index in a list.
#[derive(Debug, PartialEq, Eq)]
enum JsonPathSegment {
    Key(String),
    Index(usize),
}

impl JsonPath {
    /// Whether it is the outermost value. `parse_json` uses the empty path for "nothing found".
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds that the value was found under this key.
    pub(crate) fn below_key(&mut self, key: &str) {
        self.0.push(JsonPathSegment::Key(key.chars().take(SHOWN).collect()));
    }

    /// Adds that the value was found at this index of a list.
    pub(crate) fn below_index(&mut self, index: usize) {
        self.0.push(JsonPathSegment::Index(index));
    }
}

impl fmt::Display for JsonPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, segment) in self.0.iter().rev().enumerate() {
            match segment {
                JsonPathSegment::Key(key) if place == 0 => f.write_str(key)?,
                JsonPathSegment::Key(key) => write!(f, ".{key}")?,
                JsonPathSegment::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}
