//! Stage `refusals`: a model that declines. It says so in its finish reason; or a filter of the provider has
//! declined in its place, so the reply has no word; or it says so in words.
//!
//! In words, a refusal stands at the beginning of what the model said to the person: of an answer, or
//! of a step that called no tool or ended the work. `I cannot find the file` is none, and neither is
//! a refusal that is quoted later.

use crate::curation::{RowFinder, StageRemark};
use crate::model::{ActionType, CompletionRow, FinishReason, RowRecord, RowStep, TrajectoryRow};

/// How many characters of a text may have the refusal.
const BEGINNING: usize = 300;
/// Finish reasons of a filter, in rows of other engines.
const FILTERS: [&str; 3] = ["content_filter", "content-filter", "safety"];
/// What a refusal says, in lower case and with plain apostrophes.
const PHRASES: &[&str] = &[
    "i can't help with",
    "i cannot help with",
    "i can't help you with",
    "i cannot help you with",
    "i can't assist",
    "i cannot assist",
    "i can not assist",
    "i can not help with",
    "i can't comply",
    "i cannot comply",
    "i can't fulfill",
    "i cannot fulfill",
    "i can't do that",
    "i cannot do that",
    "i can't engage in",
    "i cannot engage in",
    "i can't participate in",
    "i cannot participate in",
    "i can't in good conscience",
    "i cannot in good conscience",
    "i can't support",
    "i won't help",
    "i will not help",
    "i won't assist",
    "i will not assist",
    "i won't provide",
    "i will not provide",
    "i won't do",
    "i'm unable to assist",
    "i am unable to assist",
    "i'm unable to help",
    "i am unable to help",
    "i'm unable to comply",
    "i am unable to comply",
    "i'm not able to assist",
    "i'm not able to help",
    "i'm not comfortable",
    "i am not comfortable",
    "i must decline",
    "i have to decline",
    "i need to decline",
    "i must refuse",
    "i refuse to",
    "as an ai language model, i can",
    "dabei kann ich nicht helfen",
    "je ne peux pas vous aider",
    "no puedo ayudarte con",
    "我无法协助",
    "抱歉，我不能",
];

/// Finds refusals.
pub struct RefusalFinder;

impl RowFinder for RefusalFinder {
    fn find(&self, record: &RowRecord) -> Vec<StageRemark> {
        let found = match (record.row.as_trajectory(), record.row.as_completion()) {
            (Some(row), _) => of_trajectory(row),
            (_, Some(row)) => of_completion(row),
            _ => None,
        };
        found.into_iter().collect()
    }
}

fn of_completion(row: &CompletionRow) -> Option<StageRemark> {
    let silent = row.response.trim().is_empty();
    let told = reason(&row.finish_reason, silent);
    let told = told.or_else(|| phrase(&row.response).map(in_words));
    told.map(|(label, detail)| remark(label, detail))
}

/// The first refusal of a trajectory.
fn of_trajectory(row: &TrajectoryRow) -> Option<StageRemark> {
    row.trajectory.iter().find_map(|step| {
        let (label, detail) = of_step(step)?;
        Some(remark(label, format!("{detail}, in step {}", step.step)))
    })
}

fn of_step(step: &RowStep) -> Option<(&'static str, String)> {
    let silent = step.reasoning.trim().is_empty();
    let kind = step.action.kind.as_str();
    let declined = kind == ActionType::Refusal.as_str();
    let finish = if declined { FinishReason::Refusal.as_str() } else { finish_of(step) };
    let acts = kind == ActionType::ToolCall.as_str();
    reason(finish, silent).or_else(|| {
        let words = Some(&step.reasoning).filter(|_| !acts);
        words.and_then(|words| phrase(words)).map(in_words)
    })
}

fn finish_of(step: &RowStep) -> &str {
    step.finish_reason.as_deref().unwrap_or_default()
}

/// What a finish reason says. `silent`: the model has said nothing.
fn reason(finish: &str, silent: bool) -> Option<(&'static str, String)> {
    let filtered = FILTERS.contains(&finish);
    if finish != FinishReason::Refusal.as_str() && !filtered {
        return None;
    }
    Some(match filtered || silent {
        true => ("filter", "a filter of the provider declined".to_owned()),
        false => ("finish", "the model declined, by its finish reason".to_owned()),
    })
}

fn in_words(phrase: &str) -> (&'static str, String) {
    ("words", format!("the model declined in words: {phrase}"))
}

fn remark(label: &str, detail: impl Into<String>) -> StageRemark {
    StageRemark::new(detail).labelled(format!("refusals:{label}"))
}

/// The phrase with which the beginning of a text declines.
fn phrase(text: &str) -> Option<&'static str> {
    let beginning = text.trim_start().chars().take(BEGINNING);
    let plain =
        beginning.map(|letter| if matches!(letter, '’' | '‘' | 'ʼ') { '\'' } else { letter });
    let beginning = plain.collect::<String>().to_lowercase();
    PHRASES.iter().copied().find(|phrase| says(&beginning, phrase))
}

/// Whether a text says a phrase as words of its own, outside of quotes and code.
fn says(text: &str, phrase: &str) -> bool {
    text.match_indices(phrase).any(|(at, _)| {
        let before = text.get(..at).unwrap_or_default();
        let part = before
            .chars()
            .next_back()
            .is_some_and(|letter| letter.is_alphanumeric() && phrase.is_ascii());
        let quoted = ['"', '`', '“', '«'].iter().any(|quote| {
            let count = before.matches(*quote).count();
            // A quote that opens and closes by one sign is open if their number is odd.
            let closing = match *quote {
                '“' => before.matches('”').count(),
                '«' => before.matches('»').count(),
                _ => return count % 2 == 1,
            };
            count > closing
        });
        !part && !quoted
    })
}

#[cfg(test)]
mod tests {
    use super::super::behaviour::tests::{
        any_trajectory, found, ran, record, step, submitted, with_steps,
    };
    use super::*;
    use crate::curation::tests::row;
    use crate::model::DatasetRow;
    use proptest::prelude::*;

    /// The label of an answer.
    fn label(answer: &str, finish: &str) -> Option<String> {
        let mut record = row(0, answer);
        if let DatasetRow::Completion(row) = &mut record.row {
            row.finish_reason = finish.to_owned();
        }
        RefusalFinder.find(&record).pop().and_then(|remark| remark.label)
    }

    #[test]
    fn refusals_are_found() {
        for answer in [
            "I'm sorry, but I can't assist with that request.",
            "I’m sorry — I cannot help with creating malware.",
            "Sorry. As an AI language model, I can't judge this.",
            "I must decline. This could hurt somebody.",
            "Es tut mir leid, dabei kann ich nicht helfen.",
            "抱歉，我不能提供这些内容。",
        ] {
            assert_eq!(label(answer, "stop").as_deref(), Some("refusals:words"), "{answer}");
        }
        assert_eq!(label("No, that harms people.", "refusal").as_deref(), Some("refusals:finish"));
        assert_eq!(label("", "refusal").as_deref(), Some("refusals:filter"));
        assert_eq!(label("half a sent", "content_filter").as_deref(), Some("refusals:filter"));
    }

    #[test]
    fn what_is_no_refusal_is_not_found() {
        for answer in [
            "I cannot find the file, so I look elsewhere.",
            "I can't reproduce the failure yet.",
            "The assistant must answer \"I can't assist with that\" to such requests.",
            "Print `I must decline` if the number is odd.",
            "",
        ] {
            assert_eq!(label(answer, "stop"), None, "{answer}");
        }
        let late = format!("{} I can't assist with that.", "A long answer. ".repeat(40));
        assert_eq!(label(&late, "stop"), None);
    }

    #[test]
    fn a_step_declines_only_if_it_does_not_act() {
        let saying =
            |step: RowStep| RowStep { reasoning: "I can't help with that.".to_owned(), ..step };
        let message = || step(ActionType::Message, "", "{}", "");
        let details = |steps| {
            let remarks = found(&RefusalFinder, steps);
            remarks.into_iter().map(|remark| remark.detail).collect::<Vec<_>>()
        };
        let words = "the model declined in words: i can't help with, in step 1";
        assert_eq!(details(vec![ran("ls", 0, ""), saying(message())]), [words]);
        assert_eq!(details(vec![ran("ls", 0, ""), saying(submitted())]), [words]);
        assert_eq!(details(vec![saying(ran("ls", 0, ""))]), Vec::<String>::new());
        let refused = step(ActionType::Refusal, "", "{}", "");
        let filtered = "a filter of the provider declined, in step 0";
        assert_eq!(details(vec![refused]), [filtered]);
    }

    proptest! {
        #[test]
        fn every_row_is_judged_and_always_the_same(row in any_trajectory()) {
            let row = record(row);
            prop_assert_eq!(RefusalFinder.find(&row), RefusalFinder.find(&row));
        }

        #[test]
        fn every_answer_is_judged(answer in "\\PC{0,400}", finish in "(stop|refusal|length|)") {
            let first = label(&answer, &finish);
            prop_assert_eq!(&first, &label(&answer, &finish));
            prop_assert!(finish != "refusal" || first.is_some());
        }

        /// Steps that act never decline in words.
        #[test]
        fn acting_steps_do_not_matter(acting in 0..6_usize) {
            let steps = vec![ran("ls", 0, ""); acting];
            prop_assert_eq!(RefusalFinder.find(&record(with_steps(steps))), Vec::new());
        }
    }
}
