//! Keys of a request's body that a campaign sets as its provider names them.

use serde_json::{Map, Value};

/// Puts them into the body; objects are merged, whatever else stands there is replaced. Which
/// keys may stand there at all is decided where a campaign is read (`config`).
pub(super) fn merge(body: &mut Value, extra: &Map<String, Value>) {
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
