//! Where a value stands in a JSON text, as `messages[0].content`.

use std::fmt;

/// Of a key name, so much is shown.
const SHOWN: usize = 60;

/// A path, put together from its end: who returns from a value adds where that stood.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct JsonPath(Vec<JsonPathSegment>);

#[derive(Debug, PartialEq, Eq)]
enum JsonPathSegment {
    Key(String),
    Index(usize),
}

impl JsonPath {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value stood below that key.
    pub(super) fn below_key(&mut self, key: &str) {
        self.0.push(JsonPathSegment::Key(key.chars().take(SHOWN).collect()));
    }

    /// The value stood at that place of a list.
    pub(super) fn below_index(&mut self, index: usize) {
        self.0.push(JsonPathSegment::Index(index));
    }

    /// Whether it is a key of the outermost object.
    pub(super) fn is_outermost(&self) -> bool {
        self.0.len() == 1
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
