//! Extra fields of a request's body. A campaign sets them for a model under the provider's own
//! names (`extra = { top_k = 40 }`), for settings that synthd does not know.

use serde_json::{Map, Value};

/// Puts the extra fields into the body. Objects are merged, any other value is replaced. It does
/// not check the names: `config` has already refused fields that cost money or that synthd sets
/// itself.
pub(in crate::formats) fn merge(body: &mut Value, extra: &Map<String, Value>) {
    let Value::Object(body) = body else { return };
    for (key, value) in extra {
        match (body.get_mut(key), value) {
            (Some(known @ Value::Object(_)), Value::Object(more)) => merge(known, more),
            _ => {
                body.insert(key.clone(), value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn objects_are_merged_and_the_rest_is_replaced() {
        let mut body = json!({ "model": "m", "options": { "num_ctx": 1 }, "list": [1] });
        let extra = json!({ "options": { "top_k": 2 }, "list": [3], "user": "u" });
        merge(&mut body, extra.as_object().unwrap());
        let merged = json!({ "model": "m", "options": { "num_ctx": 1, "top_k": 2 }, "list": [3],
            "user": "u" });
        assert_eq!(body, merged);
    }
}
