//! The rules of a completion: the answer is the last message; a known reason why it ended; values
//! without a fixed shape are JSON objects; counts and numbers that can be true.

use super::shared_rules::{broken_messages, is_finish_reason, is_object};
use synthd_actors::model::CompletionRow;

/// The rules that a completion breaks, as sentences.
pub(super) fn broken_completion(row: &CompletionRow) -> Vec<String> {
    let mut broken = Vec::new();
    let last = row.messages.last().filter(|message| message.role == "assistant");
    if last.is_none_or(|message| message.content != row.response) {
        broken.push("the response is not the last message".to_owned());
    }
    if !is_finish_reason(&row.finish_reason) {
        broken.push(format!("finish_reason is {:?}", row.finish_reason));
    }
    let texts = [("fields", row.fields.as_ref()), ("sampling", row.sampling.as_ref())];
    for (name, text) in texts {
        if text.is_some_and(|text| !is_object(text)) {
            broken.push(format!("{name} is not a JSON object"));
        }
    }
    broken.extend(broken_messages(&row.messages));
    if !weighs_the_answer_alone(row) {
        broken.push("the weight is not that of the answer alone".to_owned());
    }
    if row.attempt < 1 || row.calls < 1 {
        broken.push("there is no attempt or no call".to_owned());
    }
    broken.extend(negative(row).map(|name| format!("{name} is negative")));
    broken
}

/// Whether the answer has the only weight. A refusal without a word may have none: the model did not
/// say it.
fn weighs_the_answer_alone(row: &CompletionRow) -> bool {
    let Some((answer, asked)) = row.messages.split_last() else { return true };
    let is_silent = row.finish_reason == "refusal" && row.response.is_empty();
    let weighs = answer.weight == Some(1) || (is_silent && answer.weight.is_none());
    weighs && asked.iter().all(|message| message.weight.is_none())
}

/// The names of the numbers that are below zero.
fn negative(row: &CompletionRow) -> impl Iterator<Item = &'static str> {
    let numbers = [
        ("prompt_index", row.prompt_index),
        ("sample", row.sample.into()),
        ("input_tokens", row.input_tokens.unwrap_or(0)),
        ("output_tokens", row.output_tokens.unwrap_or(0)),
        ("model_ms", row.model_ms),
        ("attempt", row.attempt.into()),
        ("calls", row.calls.into()),
    ];
    numbers.into_iter().filter(|(_, number)| *number < 0).map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::fixture::completion;

    #[test]
    fn each_rule_is_noticed() {
        type Break = fn(&mut CompletionRow);
        let cases: [(Break, &str); 11] = [
            (|r| r.response.push('x'), "the response is not the last message"),
            (|r| r.messages.clear(), "the response is not the last message"),
            (|r| r.finish_reason = "done".into(), "finish_reason is \"done\""),
            (|r| r.fields = Some("[1]".into()), "fields is not a JSON object"),
            (|r| r.calls = 0, "there is no attempt or no call"),
            (|r| r.attempt = 0, "there is no attempt or no call"),
            (|r| r.messages.last_mut().unwrap().weight = None, "not that of the answer alone"),
            (|r| r.sampling = Some("x".into()), "sampling is not a JSON object"),
            (|r| r.messages[0].role = "human".into(), "message 0 has the role \"human\""),
            (|r| r.messages[0].weight = Some(1), "message 0 of \"user\" has the weight 1"),
            (|r| r.output_tokens = Some(-1), "output_tokens is negative"),
        ];
        let mut silent = completion(3);
        silent.response.clear();
        silent.finish_reason = "refusal".into();
        let answer = silent.messages.last_mut().unwrap();
        (answer.content, answer.weight) = (String::new(), None);
        assert_eq!(broken_completion(&silent), [""; 0]);
        for (spoil, message) in cases {
            let mut spoilt = completion(3);
            spoil(&mut spoilt);
            let found = broken_completion(&spoilt);
            assert!(found.iter().any(|m| m.contains(message)), "{message}: {found:?}");
        }
    }
}
