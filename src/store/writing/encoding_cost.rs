//! Estimates how many bytes of an entry must be encoded and compressed. The store asks this before
//! it prepares an append: heavy entries go to a blocking thread, because they would delay the other
//! tasks of an async thread. The estimate adds up lengths and encodes nothing.

use synthd_actors::model::{
    ChatMessage, ChatRequest, DatasetRow, JournalEntry, Outcome, RowMessage, Turn, TurnAction,
    Verdict,
};

/// The entries of one append are heavy if they have more bytes than this together.
const HEAVY_BYTES: usize = 64 * 1024;
/// About how many bytes JSON adds to the path of a changed file, its digest included.
const PER_CHANGE: usize = 128;

/// Whether the entries must be prepared on a blocking thread.
pub(in crate::store) fn are_heavy(entries: &[JournalEntry]) -> bool {
    entries.iter().map(of_entry).sum::<usize>() > HEAVY_BYTES
}

/// The estimated size of what must be encoded for an entry. Entries of the other kinds have no body.
fn of_entry(entry: &JournalEntry) -> usize {
    match entry {
        JournalEntry::TurnTaken { turn, .. } => of_turn(turn),
        JournalEntry::Judged(record) => of_row(&record.row),
        JournalEntry::Called(call) => call.exchange.request.len() + call.exchange.response.len(),
        JournalEntry::Finished { outcome, .. } => of_outcome(outcome),
        JournalEntry::Reverified(again) => of_verdict(&again.verdict),
        _ => 0,
    }
}

/// The estimated size of a row. A whole trajectory is always heavy.
fn of_row(row: &DatasetRow) -> usize {
    let Some(row) = row.as_completion() else { return HEAVY_BYTES + 1 };
    let message = |message: &RowMessage| {
        let calls = message.tool_calls.iter().flatten().map(|call| call.arguments.len());
        message.content.len() + of_text(&message.reasoning) + calls.sum::<usize>()
    };
    let texts = row.response.len() + of_text(&row.reasoning) + of_text(&row.fields);
    texts + row.messages.iter().map(message).sum::<usize>()
}

fn of_text(text: &Option<String>) -> usize {
    text.as_ref().map_or(0, String::len)
}

/// The estimated size of a turn: all texts in it that can be long.
fn of_turn(turn: &Turn) -> usize {
    let step = &turn.step;
    let texts = [&step.reasoning, &step.state.cwd];
    let files = step.state.files.iter();
    texts.into_iter().chain(files).map(String::len).sum::<usize>()
        + of_message(&turn.reply.message)
        + turn.messages.iter().map(of_message).sum::<usize>()
        + step.actions.iter().map(of_action).sum::<usize>()
        + turn.changes.iter().map(|change| change.path.len() + PER_CHANGE).sum::<usize>()
        + turn.opening.as_deref().map_or(0, of_request)
}

/// The estimated size of an action: its arguments and its observation.
fn of_action(action: &TurnAction) -> usize {
    action.request.arguments.len() + action.observation.len()
}

/// The estimated size of a message with its tool calls and its reasoning.
fn of_message(message: &ChatMessage) -> usize {
    let thought = message.reasoning.as_ref().map_or(0, |reasoning| {
        reasoning.text.len() + reasoning.verbatim.as_ref().map_or(0, |(_, json)| json.len())
    });
    message.content.len()
        + message.tool_calls.iter().map(|call| call.arguments.len()).sum::<usize>()
        + thought
}

/// The estimated size of a request. The schemas of its tools are short and are not counted.
fn of_request(request: &ChatRequest) -> usize {
    request.messages.iter().map(of_message).sum()
}

/// The estimated size of an outcome: what the checks printed, or the message of the fault.
fn of_outcome(outcome: &Outcome) -> usize {
    match outcome {
        Outcome::Judged { verdict, .. } => of_verdict(verdict),
        Outcome::Answered { .. } => 0,
        Outcome::Faulted { fault } => fault.message.len(),
    }
}

/// The estimated size of a verdict: what its checks printed.
fn of_verdict(verdict: &Verdict) -> usize {
    verdict.checks.iter().map(|check| check.output.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::samples::{finished, id, turn_of};
    use synthd_actors::model::{AttemptNumber, ChatRole, Reasoning, ToolCall};

    fn heavy(change: impl FnOnce(&mut Turn)) -> bool {
        let mut turn = turn_of(0, 0, "");
        change(&mut turn);
        let turn = Box::new(turn);
        are_heavy(&[JournalEntry::TurnTaken {
            episode: id("c", 0),
            attempt: AttemptNumber(1),
            turn,
        }])
    }

    fn long() -> String {
        "x".repeat(HEAVY_BYTES + 1)
    }

    /// Wherever in a turn a megabyte is, no async thread compresses it.
    #[test]
    fn every_text_of_a_turn_is_weighed() {
        assert!(!heavy(|_| ()));
        assert!(heavy(|turn| turn.step.actions[0].observation = long()));
        assert!(heavy(|turn| turn.step.reasoning = long()));
        assert!(heavy(|turn| turn.step.actions[0].request.arguments = long()));
        assert!(heavy(|turn| turn.step.state.files = vec![long()]));
        assert!(heavy(|turn| turn.reply.message.content = long()));
        assert!(heavy(|turn| {
            let (id, name, arguments) = ("1".to_owned(), "bash".to_owned(), long());
            turn.reply.message.tool_calls = vec![ToolCall { id, name, arguments }];
        }));
        assert!(heavy(|turn| {
            turn.reply.message.reasoning = Some(Reasoning { text: long(), verbatim: None });
        }));
        assert!(heavy(|turn| {
            let verbatim = Some(("family".to_owned(), long()));
            turn.reply.message.reasoning = Some(Reasoning { text: String::new(), verbatim });
        }));
        assert!(heavy(|turn| turn.messages = vec![ChatMessage::text(ChatRole::Tool, long())]));
    }

    #[test]
    fn what_checks_printed_is_weighed() {
        let mut entry = finished("c", 0, 1);
        assert!(!are_heavy(std::slice::from_ref(&entry)));
        let JournalEntry::Finished { outcome, .. } = &mut entry else { panic!("{entry:?}") };
        let Outcome::Judged { verdict, .. } = outcome.as_mut() else { panic!("{outcome:?}") };
        verdict.checks.iter_mut().for_each(|check| check.output = long());
        assert!(!verdict.checks.is_empty() && are_heavy(&[entry]));
    }
}
