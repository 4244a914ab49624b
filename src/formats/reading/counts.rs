//! The token counts that a provider reports. Some providers report them several times, early in the
//! stream, or in parts. The greatest value of each count is taken. If the counts cannot be complete
//! (no input, or no output for a reply that has text), or can be read in two ways (reasoning beside
//! the output, and no total), the usage is unknown, and the call costs its whole hold.
//!
//! The reply builders of all families call this module.

use serde_json::Value;
use synthd_actors::model::{ChatMessage, Usage};

/// Merges new counts into the known ones and keeps the greater value of each. Nested objects are
/// merged as well. A null changes nothing, and neither does a value that is no object where an
/// object is known.
///
/// Example: `{"output": 1}` and then `{"output": 7, "input": 3}` give `{"output": 7, "input": 3}`.
pub(crate) fn keep_most(known: &mut Value, said: Value) {
    match (known, said) {
        (_, Value::Null) => {}
        (Value::Object(_), said) if !said.is_object() => {}
        (Value::Object(known), Value::Object(said)) => {
            for (name, count) in said {
                keep_most(known.entry(name).or_insert(Value::Null), count);
            }
        }
        (known, said) => {
            if known.as_u64().is_none() || said.as_u64() > known.as_u64() {
                *known = said;
            }
        }
    }
}

/// Corrects the output by the total and by the reasoning tokens. If there are more reasoning tokens
/// than output tokens, the host counts them separately, and they are added. If the total exceeds
/// input plus output, the difference counts as output.
pub(crate) fn with_total(usage: Usage, total: Option<u64>) -> Usage {
    let thought = usage.reasoning_tokens.unwrap_or(0);
    let apart = if thought > usage.output_tokens { thought } else { 0 };
    let output = usage.output_tokens.saturating_add(apart);
    let rest = total.unwrap_or(0).saturating_sub(usage.input_tokens);
    Usage { output_tokens: output.max(rest), ..usage }
}

/// The same for hosts of which nobody knows whether their output includes the reasoning: a total
/// tells it. None without a total, if the reasoning fits into the output: then both may be.
pub(crate) fn with_known_total(usage: Usage, total: Option<u64>) -> Option<Usage> {
    let inside = 1..=usage.output_tokens;
    let may_be_inside = usage.reasoning_tokens.is_some_and(|thought| inside.contains(&thought));
    let least = usage.input_tokens.saturating_add(usage.output_tokens);
    let is_told = total.is_some_and(|total| total >= least);
    (is_told || !may_be_inside).then(|| with_total(usage, total))
}

/// Corrects the input by the cached tokens. If there are more cached tokens than input tokens, the
/// host counts them separately, and they are added to the input.
fn with_cached(usage: Usage) -> Usage {
    let [read, written] = [usage.cached_tokens, usage.cache_write_tokens].map(|n| n.unwrap_or(0));
    let cached = read.saturating_add(written);
    let apart = if cached > usage.input_tokens { cached } else { 0 };
    Usage { input_tokens: usage.input_tokens.saturating_add(apart), ..usage }
}

/// The usage, and whether it is unknown (true). Every request has some input. Every reply with
/// text, reasoning or tool calls has some output. A usage without them is not believed: the result
/// is zero and true, and the caller charges the whole hold.
pub(crate) fn counted(usage: Option<Usage>, message: &ChatMessage) -> (Usage, bool) {
    let thought = message.reasoning.as_ref().is_some_and(|reasoning| !reasoning.text.is_empty());
    let spoke = thought || !message.content.is_empty() || !message.tool_calls.is_empty();
    let usage = usage.filter(|usage| usage.input_tokens > 0);
    let usage = usage.filter(|usage| usage.output_tokens > 0 || !spoke).map(with_cached);
    (usage.unwrap_or_default(), usage.is_none())
}

/// The usage that the body of a refusal reports, in the field names of any family and at any depth.
/// Returns None if the body is no JSON or reports no tokens. Tokens that were read from a cache
/// count as plain input tokens here, so the cost is never too low.
pub(crate) fn in_refusal(said: &str) -> Option<Usage> {
    let said: Value = serde_json::from_str(said).ok()?;
    let mut most = Value::Null;
    gather(&said, &mut most);
    let count = |name: &str| most[name].as_u64().unwrap_or(0);
    let sum = |names: &[&str]| names.iter().fold(0u64, |sum, name| sum.saturating_add(count(name)));
    let written = count("cache_creation_input_tokens");
    // Anthropic reports cached tokens beside `input_tokens`; the other families include them.
    let read = sum(&["input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"]);
    let of_input =
        [read, count("prompt_tokens"), count("promptTokenCount"), count("prompt_eval_count")];
    let of_output = [
        count("output_tokens"),
        count("completion_tokens"),
        sum(&["candidatesTokenCount", "thoughtsTokenCount"]),
        count("eval_count"),
    ];
    let most_of = |counts: &[u64]| counts.iter().copied().max().unwrap_or(0);
    let usage = Usage::of(most_of(&of_input), most_of(&of_output));
    let usage = Usage { cache_write_tokens: (written > 0).then_some(written), ..usage };
    (usage.input_tokens > 0 || usage.output_tokens > 0).then_some(usage)
}

/// Merges every object of counts into `most`. Ollama puts its counts directly beside the error
/// instead of into an object.
fn gather(said: &Value, most: &mut Value) {
    let parts: Vec<&Value> = match said {
        Value::Array(items) => items.iter().collect(),
        Value::Object(fields) => fields.values().collect(),
        _ => return,
    };
    for name in ["usage", "usageMetadata"] {
        if let Some(counts) = said.get(name).filter(|counts| counts.is_object()) {
            keep_most(most, counts.clone());
        }
    }
    for name in ["prompt_eval_count", "eval_count"] {
        if let Some(count) = said.get(name) {
            keep_most(most, serde_json::json!({ name: count }));
        }
    }
    parts.into_iter().for_each(|part| gather(part, most));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;
    use synthd_actors::model::ChatRole;

    proptest! {
        /// In whatever order counts come, and in whatever parts: none is lost to a smaller one.
        #[test]
        fn the_most_that_was_said_counts(
            said in prop::collection::vec((0usize..3, prop::option::of(0u64..1_000)), 1..20),
        ) {
            let mut known = Value::Null;
            let mut most = [None::<u64>; 3];
            for (which, count) in said {
                let name = ["a", "b", "c"][which];
                keep_most(&mut known, json!({ name: count, "in": { name: count } }));
                most[which] = most[which].max(count);
            }
            for (which, most) in most.into_iter().enumerate() {
                let name = ["a", "b", "c"][which];
                prop_assert_eq!(known[name].as_u64(), most);
                prop_assert_eq!(known["in"][name].as_u64(), most);
            }
        }
    }

    /// In the field names of any family, and the greatest value of a count that is given twice.
    #[test]
    fn a_refusal_may_count() {
        let cases = [
            (json!({ "error": { "message": "no" } }), None),
            (
                json!({ "error": "no", "usage": { "prompt_tokens": 0, "completion_tokens": 0 } }),
                None,
            ),
            (json!({ "error": "no", "usage": { "requests": 7 } }), None),
            (
                json!({ "error": { "usage": { "prompt_tokens": 7 } },
                "usage": { "prompt_tokens": 5, "completion_tokens": 2 } }),
                Some((7, 2)),
            ),
            (
                json!({ "type": "error", "usage": { "input_tokens": 5, "output_tokens": 2,
                "cache_read_input_tokens": 3, "cache_creation_input_tokens": 4 } }),
                Some((12, 2)),
            ),
            (
                json!([{ "error": {}, "usageMetadata": { "promptTokenCount": 5,
                "candidatesTokenCount": 2, "thoughtsTokenCount": 4 } }]),
                Some((5, 6)),
            ),
            (json!({ "error": "no", "prompt_eval_count": 5, "eval_count": 2 }), Some((5, 2))),
            (json!({ "usage": { "prompt_tokens": "5" } }), None),
        ];
        for (said, expected) in cases {
            let usage = in_refusal(&said.to_string());
            let usage = usage.map(|usage| (usage.input_tokens, usage.output_tokens));
            assert_eq!(usage, expected, "{said}");
        }
        assert_eq!(in_refusal("usage"), None);
    }

    #[test]
    fn what_cannot_be_the_whole_is_unknown() {
        let said = ChatMessage::text(ChatRole::Assistant, "yes");
        assert!(counted(None, &said).1 && counted(Some(Usage::of(0, 3)), &said).1);
        assert!(counted(Some(Usage::of(3, 0)), &said).1);
        assert!(!counted(Some(Usage::of(3, 0)), &ChatMessage::text(ChatRole::Assistant, "")).1);
        assert_eq!(counted(Some(Usage::of(3, 1)), &said), (Usage::of(3, 1), false));
    }

    #[test]
    fn what_was_cached_apart_is_input() {
        let said = ChatMessage::text(ChatRole::Assistant, "yes");
        let of = |cached| Usage { cached_tokens: Some(cached), ..Usage::of(10, 5) };
        assert_eq!(counted(Some(of(10)), &said).0.input_tokens, 10);
        assert_eq!(counted(Some(of(500)), &said).0.input_tokens, 510);
    }

    #[test]
    fn reasoning_that_is_counted_apart_is_output() {
        let thought = Usage { reasoning_tokens: Some(50), ..Usage::of(10, 5) };
        assert_eq!(with_total(thought, None).output_tokens, 55);
        assert_eq!(with_total(thought, Some(65)).output_tokens, 55);
        let inside = Usage { reasoning_tokens: Some(4), ..Usage::of(10, 5) };
        assert_eq!(with_total(inside, Some(15)).output_tokens, 5);
        assert_eq!(with_total(inside, Some(19)).output_tokens, 9);
    }

    #[test]
    fn reasoning_that_may_be_inside_or_apart_is_known_by_a_total_alone() {
        let usage = Usage { reasoning_tokens: Some(40), ..Usage::of(10, 50) };
        let output = |usage, total| with_known_total(usage, total).map(|usage| usage.output_tokens);
        assert_eq!(output(usage, None), None);
        assert_eq!(output(usage, Some(0)), None, "less than its parts is no total");
        assert_eq!(output(usage, Some(60)), Some(50));
        assert_eq!(output(usage, Some(100)), Some(90));
        // These can be read in one way.
        let of = |thought| Usage { reasoning_tokens: thought, ..usage };
        assert_eq!([None, Some(0)].map(|thought| output(of(thought), None)), [Some(50); 2]);
        assert_eq!(output(of(Some(60)), None), Some(110));
    }
}
