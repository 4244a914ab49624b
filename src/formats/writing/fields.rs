//! Optional fields of a request's body.

use serde_json::Value;

/// Puts the fields that have a value into an object. The last of two with one name stands.
pub(in crate::formats) fn put_fields(
    object: &mut Value,
    fields: impl IntoIterator<Item = (&'static str, Option<Value>)>,
) {
    for (key, value) in fields {
        if let Some(value) = value {
            object[key] = value;
        }
    }
}
