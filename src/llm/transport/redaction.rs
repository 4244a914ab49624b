//! Redaction: takes the provider's API key out of everything that the provider says, before anyone
//! reads, keeps or passes it on. Some providers repeat the key in errors, and a model may repeat
//! what it has seen. The key is found as plain text and with JSON escapes, at any depth of quoting
//! (a JSON text inside a JSON text).
//!
//! ```text
//!  piece ─► bytes that cannot be part of a key ─► returned at once
//!    └────► an end that may be the beginning of a key ─► kept until the next piece decides
//! ```
//!
//! There are three tools. `KeyMatcher` works on complete bytes. `StreamRedactor` works on a body
//! that arrives in pieces. `SplitKeyRedactor` finds a key that is split over the texts of several
//! events, which no search over the bytes can find.
//!
//! Invariant: no byte of a complete key is returned before the key was replaced. A long beginning
//! of a key at the end of the bytes is replaced, too. All other bytes stay what they are and keep
//! their order.

use crate::formats::reading::events::EventSplitter;
use bytes::Bytes;
use secrecy::{ExposeSecret, SecretString};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use synthd_actors::model::{ChatReply, Fault, Reasoning, ToolCall};

/// The text that replaces a key.
pub(in crate::llm) const INSTEAD: &str = "[the key]";
/// A key with fewer bytes than this is taken for a placeholder, as people give to servers without
/// keys (`none`, `ollama`). A model may well write the same word, so a placeholder is not redacted
/// in the bodies of successful answers and in requests, but in refusals, headers and faults.
const SHORTEST: usize = 8;
/// At most this many backslashes in a row are followed. Each level of quoting doubles them, so 16
/// are at least four levels.
const DEEPEST: usize = 16;
/// How many events after an event that ends with a part of the key are searched for the next part,
/// for each completion that was asked for: the events of several completions are interleaved.
const WINDOW: usize = 2;

/// Finds one key in bytes. In the key itself, several backslashes in a row are stored as one,
/// because `unit` compares a run of backslashes as one character.
pub(in crate::llm) struct KeyMatcher(SecretString);

/// The result of comparing bytes with the key.
enum KeyMatch {
    /// The complete key. It ends before this position.
    Whole(usize),
    /// This many characters of the key match, and then the bytes end.
    Begun(usize),
    /// This many characters of the key match, and then, at the given position, something else
    /// follows.
    Other(usize, usize),
}

/// The result of comparing bytes with one character, plain or escaped.
enum CharMatch {
    /// The character is there and takes this many bytes.
    Is(usize),
    /// Another character is there.
    Other,
    /// The bytes end before it can be decided.
    Ended,
}

impl KeyMatcher {
    /// The matcher of a key. The key should be plain text, as it stands in the environment
    /// variable.
    pub(in crate::llm) fn new(key: &str) -> Self {
        let mut last = ' ';
        // A run of backslashes is compared as one.
        let once = |c: &char| std::mem::replace(&mut last, *c) != '\\' || *c != '\\';
        Self(SecretString::from(key.chars().filter(once).collect::<String>()))
    }

    /// The key itself. It must not leave this module.
    fn bytes(&self) -> &[u8] {
        self.0.expose_secret().as_bytes()
    }

    /// Whether the key is so short that it is not looked for in what a model has written.
    pub(in crate::llm) fn is_placeholder(&self) -> bool {
        self.bytes().len() < SHORTEST
    }

    /// The first position, from `from` on, where the key stands or where the bytes end with a
    /// beginning of the key. Only positions that hold the key's first character or a backslash are
    /// compared.
    fn first(&self, bytes: &[u8], from: usize) -> Option<(usize, KeyMatch)> {
        let start = *self.bytes().first()?;
        let may = |at: &usize| bytes[*at] == start || bytes[*at] == b'\\';
        (from..bytes.len()).filter(may).find_map(|at| match self.compare(bytes, at, 0) {
            KeyMatch::Other(..) => None,
            found => Some((at, found)),
        })
    }

    /// Compares the bytes from `at` with the key's characters from number `known` on. `known` is 0
    /// except for the later parts of a split key.
    fn compare(&self, bytes: &[u8], mut at: usize, known: usize) -> KeyMatch {
        for (matched, wanted) in self.bytes().iter().enumerate().skip(known) {
            match unit(bytes, at, *wanted) {
                CharMatch::Is(length) => at += length,
                CharMatch::Other => return KeyMatch::Other(matched, at),
                CharMatch::Ended => return KeyMatch::Begun(matched),
            }
        }
        KeyMatch::Whole(at)
    }

    /// Replaces the key in bytes to which nothing is added any more. A long beginning of the key at
    /// the very end is replaced, too.
    pub(in crate::llm) fn redacted(&self, bytes: Vec<u8>) -> Vec<u8> {
        if self.first(&bytes, 0).is_none() {
            return bytes;
        }
        let (mut clean, rest) = self.cleaned(&bytes);
        clean.extend(self.last(&bytes[rest..]));
        clean
    }

    /// The same for a text.
    pub(in crate::llm) fn redacted_text(&self, text: String) -> String {
        match self.first(text.as_bytes(), 0) {
            None => text,
            Some(_) => String::from_utf8_lossy(&self.redacted(text.into_bytes())).into_owned(),
        }
    }

    /// Replaces every complete key. Returns the clean bytes and the position from which on the
    /// bytes may be the beginning of a key, so that more bytes are needed to decide. The position
    /// is the length of the bytes if nothing is open.
    fn cleaned(&self, bytes: &[u8]) -> (Vec<u8>, usize) {
        let (mut clean, mut from) = (Vec::with_capacity(bytes.len()), 0);
        while let Some((at, found)) = self.first(bytes, from) {
            clean.extend_from_slice(&bytes[from..at]);
            let KeyMatch::Whole(end) = found else { return (clean, at) };
            clean.extend_from_slice(INSTEAD.as_bytes());
            from = end;
        }
        clean.extend_from_slice(&bytes[from..]);
        (clean, bytes.len())
    }

    /// Decides on the open end when nothing more follows. If it is a beginning of the key with at
    /// least `SHORTEST` characters, it is replaced: most of a key is as secret as all of it.
    fn last(&self, rest: &[u8]) -> Vec<u8> {
        match self.first(rest, 0) {
            Some((0, KeyMatch::Begun(known))) if known >= SHORTEST => INSTEAD.as_bytes().to_vec(),
            _ => rest.to_vec(),
        }
    }

    /// Takes the key out of every text of a reply: the content, the tool calls, the reasoning, and
    /// the model's name.
    pub(in crate::llm) fn redact_reply(&self, reply: &mut ChatReply) {
        let message = &mut reply.message;
        let mut texts = vec![&mut message.content];
        for ToolCall { id, name, arguments } in &mut message.tool_calls {
            texts.extend([id, name, arguments]);
        }
        if let Some(Reasoning { text, verbatim }) = &mut message.reasoning {
            texts.push(text);
            texts.extend(verbatim.iter_mut().map(|(_, json)| json));
        }
        texts.extend(reply.answered_by.as_mut());
        let found: Vec<bool> = texts.into_iter().map(|text| self.redact_in(text)).collect();
        // The tokens say the same as the texts.
        if found.contains(&true) {
            reply.tokens = None;
        }
    }

    /// Takes the key out of the message of a fault.
    pub(in crate::llm) fn redact_fault(&self, fault: &mut Fault) {
        self.redact_in(&mut fault.message);
    }

    /// Takes the complete key out of one text. Tells whether the text had it.
    fn redact_in(&self, text: &mut String) -> bool {
        let found = matches!(self.first(text.as_bytes(), 0), Some((_, KeyMatch::Whole(_))));
        if found {
            *text = self.redacted_text(std::mem::take(text));
        }
        found
    }
}

/// Whether the character `wanted` stands at `at`: plain, with backslashes before it (`\/`, `\"`),
/// or as a code point (`\u002f`). Several levels of quoting give several backslashes; the whole run
/// counts as one escape.
fn unit(bytes: &[u8], at: usize, wanted: u8) -> CharMatch {
    let Some(first) = bytes.get(at) else { return CharMatch::Ended };
    if *first != b'\\' {
        return if *first == wanted { CharMatch::Is(1) } else { CharMatch::Other };
    }
    let run = bytes[at..].iter().take(DEEPEST).take_while(|byte| **byte == b'\\').count();
    if wanted == b'\\' {
        return CharMatch::Is(run);
    }
    match bytes.get(at + run) {
        None => CharMatch::Ended,
        Some(b'u') => code_point(&bytes[at + run + 1..], run, wanted),
        Some(plain) if *plain == wanted && b"\"/".contains(plain) => CharMatch::Is(run + 1),
        Some(_) => CharMatch::Other,
    }
}

/// Compares the four hex digits after `\u` with the character. Upper and lower case are the same.
fn code_point(digits: &[u8], run: usize, wanted: u8) -> CharMatch {
    let expected = format!("{wanted:04x}").into_bytes();
    let same = digits.iter().zip(&expected).all(|(is, want)| is.to_ascii_lowercase() == *want);
    match (same, digits.len() < expected.len()) {
        (false, _) => CharMatch::Other,
        (true, true) => CharMatch::Ended,
        (true, false) => CharMatch::Is(run + 1 + expected.len()),
    }
}

/// Redacts an answer that arrives in pieces. Call `push` for each piece and `end` once.
pub(in crate::llm) struct StreamRedactor {
    secret: Arc<KeyMatcher>,
    /// Bytes that may be the beginning of a key. They are returned with a later piece or by `end`.
    kept: Vec<u8>,
}

impl StreamRedactor {
    pub(in crate::llm) fn new(secret: Arc<KeyMatcher>) -> Self {
        Self { secret, kept: Vec::new() }
    }

    /// The bytes that may be passed on now. Usually this is the piece itself, without a copy.
    pub(in crate::llm) fn push(&mut self, piece: Bytes) -> Bytes {
        // The usual case: no key and no beginning of one, so nothing is copied.
        if self.kept.is_empty() && self.secret.first(&piece, 0).is_none() {
            return piece;
        }
        self.kept.extend_from_slice(&piece);
        let (clean, rest) = self.secret.cleaned(&self.kept);
        self.kept.drain(..rest);
        Bytes::from(clean)
    }

    /// The bytes that were kept back, when no more pieces arrive.
    pub(in crate::llm) fn end(&mut self) -> Bytes {
        Bytes::from(self.secret.last(&std::mem::take(&mut self.kept)))
    }
}

/// Redacts a key that is split over the texts of several events, for example `"sk-ab` in the text
/// of one event and `cdef"` in the text of the next. Each event must have gone through a
/// [`StreamRedactor`] before, so that no event holds a complete key.
///
/// An event is held back only if one of its texts ends with a beginning of the key, and then for at
/// most `WINDOW` events of each completion, or longer if those hold further parts.
pub(in crate::llm) struct SplitKeyRedactor {
    secret: Arc<KeyMatcher>,
    /// How many events are searched for the next part.
    window: usize,
    /// Events that are held back, oldest first.
    held: VecDeque<Bytes>,
}

/// The parts of a split key: the number of the held event, and the bytes in it.
type KeySpans = Vec<(usize, std::ops::Range<usize>)>;
/// Searches that have failed: the event and the number of known characters from which the rest of
/// the key was not found. The value is the last event that may hold a part of the key.
type DeadEnds = HashMap<(usize, usize), usize>;

impl SplitKeyRedactor {
    /// The redactor of a stream with this many completions.
    pub(in crate::llm) fn new(secret: Arc<KeyMatcher>, choices: usize) -> Self {
        let window = WINDOW.saturating_mul(choices);
        Self { secret, window, held: VecDeque::new() }
    }

    /// Adds an event and returns the events that may be passed on now, in their order.
    pub(in crate::llm) fn push(&mut self, event: Bytes) -> Vec<Bytes> {
        self.held.push_back(event);
        self.release(self.window)
    }

    /// All events that are held back, when no more events arrive.
    pub(in crate::llm) fn end(&mut self) -> Vec<Bytes> {
        self.release(0)
    }

    /// Returns events from the front, as long as they cannot be part of a key. A key that is found
    /// is taken out first, and the search begins again. `window` is how many events must follow
    /// before the search for a next part ends; 0 at the end of the stream.
    fn release(&mut self, window: usize) -> Vec<Bytes> {
        let mut free = Vec::new();
        while !self.held.is_empty() {
            match self.joined() {
                Ok(parts) => self.take_out(&parts),
                // The first event may go on if no key can begin in it: either no text of it ends
                // with a beginning, or enough events have come after the last possible part.
                Err(last) if last.is_none_or(|last| self.held.len() > last + window) => {
                    free.extend(self.held.pop_front());
                }
                Err(_) => break,
            }
        }
        free
    }

    /// Searches for a key that begins in the first held event. Returns its parts, or as the error
    /// the last event that may hold a part (None if the first event ends with no beginning of the
    /// key).
    fn joined(&self) -> Result<KeySpans, Option<usize>> {
        let (mut last, mut failed) = (None, DeadEnds::new());
        for (at, end, known) in self.held.front().map(|e| self.begun(e)).unwrap_or_default() {
            match self.rest(0, known, &mut failed) {
                Ok(rest) => return Ok(std::iter::once((0, at..end)).chain(rest).collect()),
                Err(reached) => last = last.max(Some(reached)),
            }
        }
        Err(last)
    }

    /// The texts of an event that end with a beginning of the key: where the beginning starts,
    /// where it ends, and how many characters of the key it has. A text ends with a quote.
    fn begun(&self, event: &[u8]) -> Vec<(usize, usize, usize)> {
        let start = self.secret.bytes().first().copied().unwrap_or_default();
        let may = |at: &usize| event[*at] == start || event[*at] == b'\\';
        let ends = |at: usize| match self.secret.compare(event, at, 0) {
            // The closing quote must follow at once. Then the text ends with a part of the key, and
            // the next text may go on with it.
            KeyMatch::Other(known, end) if known > 0 && event.get(end) == Some(&b'"') => {
                Some((at, end, known))
            }
            _ => None,
        };
        (0..event.len()).filter(may).filter_map(ends).collect()
    }

    /// Searches the events after number `after` for the rest of the key, of which `known`
    /// characters are there already. Returns the parts, or as the error the last event that may
    /// hold a part. A search that has failed is remembered in `failed` and not repeated. Without
    /// this, a provider could send events so that the number of searches doubles with each event.
    fn rest(&self, after: usize, known: usize, failed: &mut DeadEnds) -> Result<KeySpans, usize> {
        if let Some(last) = failed.get(&(after, known)) {
            return Err(*last);
        }
        let mut last = after;
        for (number, event) in self.held.iter().enumerate().skip(after + 1).take(self.window) {
            for at in texts(event) {
                let (end, rest) = match self.secret.compare(event, at, known) {
                    KeyMatch::Whole(end) => (end, Ok(KeySpans::new())),
                    KeyMatch::Other(more, end) if more > known && event.get(end) == Some(&b'"') => {
                        (end, self.rest(number, more, failed))
                    }
                    _ => continue,
                };
                match rest {
                    Ok(rest) => {
                        return Ok(std::iter::once((number, at..end)).chain(rest).collect());
                    }
                    Err(reached) => last = last.max(reached),
                }
            }
        }
        failed.insert((after, known), last);
        Err(last)
    }

    /// Removes the parts from the held events. The replacement text stands in place of the first
    /// part.
    fn take_out(&mut self, parts: &KeySpans) {
        for (turn, (number, part)) in parts.iter().enumerate() {
            let Some(event) = self.held.get_mut(*number) else { continue };
            let instead = if turn == 0 { INSTEAD } else { "" };
            let (before, after) = (&event[..part.start], &event[part.end..]);
            *event = Bytes::from([before, instead.as_bytes(), after].concat());
        }
    }
}

/// The positions where the JSON texts of an event begin that may be values: after a `:`, a `[` or a
/// `,`. A key after a `,` looks the same and is among them.
fn texts(event: &[u8]) -> impl Iterator<Item = usize> {
    let begins = |at: usize| {
        let before = event[..at].trim_ascii_end().last();
        event[at] == b'"' && before.is_some_and(|byte| b":[,".contains(byte))
    };
    (0..event.len()).filter(move |at| begins(*at)).map(|at| at + 1)
}

/// Takes a key that is split over events out of a complete recorded answer with this many
/// completions.
pub(in crate::llm) fn redact_split_keys(
    secret: &Arc<KeyMatcher>,
    choices: usize,
    answer: &[u8],
) -> Vec<u8> {
    let (mut splitter, mut joint) =
        (EventSplitter::default(), SplitKeyRedactor::new(secret.clone(), choices));
    let mut clean: Vec<Bytes> = Vec::new();
    for event in splitter.push(answer) {
        clean.extend(joint.push(event));
    }
    clean.extend(joint.push(splitter.rest()));
    clean.extend(joint.end());
    clean.concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    const KEY: &str = "sk-canary-/5e1f";

    fn secret() -> Arc<KeyMatcher> {
        Arc::new(KeyMatcher::new(KEY))
    }

    /// One of the ways in which JSON may write a character.
    fn written(c: char, how: u8) -> String {
        match how % 4 {
            0 => format!("\\u{:04x}", c as u32),
            1 => format!("\\u{:04X}", c as u32),
            2 if c == '/' => "\\/".to_owned(),
            _ => c.to_string(),
        }
    }

    fn quoted(text: &str, how: &[u8]) -> String {
        let chars = text.chars().enumerate();
        let body: String = chars.map(|(at, c)| written(c, how[at % how.len()])).collect();
        format!("\"{body}\"")
    }

    fn in_pieces(bytes: &[u8], cuts: &[usize]) -> Vec<u8> {
        let (mut redactor, mut said, mut at) = (StreamRedactor::new(secret()), Vec::new(), 0);
        for cut in cuts.iter().chain([&bytes.len()]) {
            let to = (at + cut).min(bytes.len());
            said.extend_from_slice(&redactor.push(Bytes::copy_from_slice(&bytes[at..to])));
            at = to;
        }
        said.extend_from_slice(&redactor.end());
        said
    }

    proptest! {
        /// However it is escaped, quoted in quotes, and cut: no key comes through, and the rest
        /// stays what it was.
        #[test]
        fn no_writing_of_the_key_comes_through(
            before in "[a-zsk\\-]{0,12}",
            after in "[a-zsk\\-]{0,12}",
            how in prop::collection::vec(0u8..8, 1..8),
            depth in 0usize..3,
            cuts in prop::collection::vec(1usize..9, 0..60),
        ) {
            let (mut said, mut expected) =
                (quoted(&format!("{before}{KEY}{after}"), &how), json!(format!("{before}{INSTEAD}{after}")).to_string());
            for _ in 0..depth {
                said = json!(said).to_string();
                expected = json!(expected).to_string();
            }
            let mut clean: Value = serde_json::from_slice(&in_pieces(said.as_bytes(), &cuts)).unwrap();
            let mut wanted: Value = serde_json::from_str(&expected).unwrap();
            for _ in 0..depth {
                clean = serde_json::from_str(clean.as_str().unwrap()).unwrap();
                wanted = serde_json::from_str(wanted.as_str().unwrap()).unwrap();
            }
            prop_assert_eq!(clean, wanted);
        }

        /// What is no key is not altered, however much of one it looks like.
        #[test]
        fn nothing_else_is_altered(
            bytes in prop::collection::vec(prop::sample::select(b"sk-canry\\u0073\"/5e\n".to_vec()), 0..200),
            cuts in prop::collection::vec(1usize..9, 0..60),
        ) {
            prop_assume!(!matches!(secret().first(&bytes, 0), Some((_, KeyMatch::Whole(_)))));
            let clean = in_pieces(&bytes, &cuts);
            let cut = clean.strip_suffix(INSTEAD.as_bytes()).unwrap_or(&clean);
            prop_assert!(bytes.starts_with(cut));
            prop_assert!(clean.len() == cut.len() + INSTEAD.len() || clean == bytes);
        }

        /// Spread over the deltas of a stream, with other events in between.
        #[test]
        fn a_key_in_parts_does_not_come_through(
            cuts in prop::collection::btree_set(1usize..KEY.len(), 1..4),
            pings in prop::collection::vec(any::<bool>(), 4),
        ) {
            let cuts: Vec<usize> = cuts.into_iter().collect();
            let from = std::iter::once(0).chain(cuts.iter().copied());
            let to = cuts.iter().copied().chain([KEY.len()]);
            let event = |text: &str| format!("data: {}\n\n", json!({ "delta": { "text": text }, "type": "t" }));
            let mut stream = event("it is ");
            for ((from, to), ping) in from.zip(to).zip(&pings) {
                stream += &event(&KEY[from..to]);
                stream += if *ping { ": ping\n\n" } else { "" };
            }
            stream += &event(", yes");
            stream += "data: [DONE]\n\n";
            let clean = String::from_utf8(redact_split_keys(&secret(), 1, stream.as_bytes())).unwrap();
            let said: String = clean.lines().filter_map(|line| line.strip_prefix("data: {"))
                .map(|json| serde_json::from_str::<Value>(&format!("{{{json}")).unwrap())
                .map(|json| json["delta"]["text"].as_str().unwrap().to_owned()).collect();
            prop_assert_eq!(said, format!("it is {INSTEAD}, yes"));
            prop_assert!(clean.ends_with("data: [DONE]\n\n"));
        }
    }

    /// The events of several completions are interleaved.
    #[test]
    fn a_key_in_parts_of_one_of_many_completions_does_not_come_through() {
        for choices in [1, 2, 5, 128] {
            let event = |index: usize, text: &str| {
                format!("data: {{\"index\":{index},\"text\":\"{text}\"}}\n\n")
            };
            let round = |text: &str| -> String {
                (0..choices)
                    .map(|index| event(index, if index + 1 == choices { text } else { "so" }))
                    .collect()
            };
            let (one, two) = KEY.split_at(KEY.len() / 2);
            let stream = [round(one), round(two), round(".")].concat();
            let clean = redact_split_keys(&secret(), choices, stream.as_bytes());
            let clean = String::from_utf8(clean).unwrap();
            assert!(
                clean.contains(INSTEAD) && !clean.contains(one) && !clean.contains(two),
                "{clean}"
            );
        }
    }

    /// A stream that only looks like it is held up by two events at most, and altered by nothing.
    #[test]
    fn a_stream_is_held_up_by_two_events_at_most() {
        let mut joint = SplitKeyRedactor::new(secret(), 1);
        let event = |text: &str| Bytes::from(format!("data: {{\"text\":\"{text}\"}}\n\n"));
        assert_eq!(joint.push(event("no")), [event("no")]);
        assert!(joint.push(event("it is")).is_empty());
        assert!(joint.push(event("so")).is_empty());
        assert_eq!(joint.push(event("there")).len(), 3);
        assert!(joint.push(event("what is")).is_empty());
        assert_eq!(joint.end(), [event("what is")]);
    }

    /// Two texts of each event go on with the key. To follow each of them anew would take twice
    /// as long with each event, and with this key would never end.
    #[test]
    fn a_key_that_is_spread_over_two_texts_of_each_event_is_followed_once() {
        let key: String = ('a'..='z').chain('A'..='Z').collect();
        let secret = Arc::new(KeyMatcher::new(&key));
        let mut joint = SplitKeyRedactor::new(secret, 1);
        let event = |c: char| Bytes::from(format!("data: {{\"a\":\"{c}\",\"b\":\"{c}\"}}\n\n"));
        // Its last character does not come.
        let mut said: Vec<Bytes> =
            key[..key.len() - 1].chars().flat_map(|c| joint.push(event(c))).collect();
        said.extend(joint.push(Bytes::from_static(b"data: [DONE]\n\n")));
        said.extend(joint.end());
        assert_eq!(said.len(), key.len());
    }

    #[test]
    fn most_of_a_key_at_the_end_is_as_good_as_all_of_it() {
        assert_eq!(in_pieces(b"so: sk-canary-", &[]), b"so: [the key]");
        assert_eq!(in_pieces(b"so: sk-", &[]), b"so: sk-");
        assert!(KeyMatcher::new("EMPTY").is_placeholder() && !secret().is_placeholder());
    }
}
