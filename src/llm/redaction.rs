//! Redaction: a provider's key taken out of what the provider says, before anybody reads, keeps
//! or passes it on. The key is found as it is and in JSON's escapes, at any depth of quoting.
//!
//! ```text
//!  piece ─► bytes that cannot be part of a key ─► on
//!    └────► an end that may be the beginning of one ─► kept until the next piece decides
//! ```

use super::events::EventSplitter;
use bytes::Bytes;
use secrecy::{ExposeSecret, SecretString};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use synthd_actors::model::{ChatReply, Fault, Reasoning, ToolCall};

/// What stands in place of a key.
pub(super) const INSTEAD: &str = "[the key]";
/// A shorter key is taken for a placeholder, such as servers without keys are given: a model may
/// well say the same word. It is redacted only where a provider refuses.
const SHORTEST: usize = 8;
/// Backslashes in a row that are followed: texts are quoted in texts, but not for ever.
const DEEPEST: usize = 16;
/// Events after one that ends with a part of a key, in which the next part is looked for.
const WINDOW: usize = 2;

/// A key, to be found.
pub(super) struct KeyMatcher(SecretString);

/// What bytes are, compared with the key.
enum KeyMatch {
    /// The key, up to there.
    Whole(usize),
    /// So many characters of the key; then the bytes end.
    Begun(usize),
    /// So many characters of the key; then something else stands there.
    Other(usize, usize),
}

/// One character, as it is or escaped.
enum CharMatch {
    Is(usize),
    Other,
    Ended,
}

impl KeyMatcher {
    pub(super) fn new(key: &str) -> Self {
        let mut last = ' ';
        // A run of backslashes is compared as one.
        let once = |c: &char| std::mem::replace(&mut last, *c) != '\\' || *c != '\\';
        Self(SecretString::from(key.chars().filter(once).collect::<String>()))
    }

    fn bytes(&self) -> &[u8] {
        self.0.expose_secret().as_bytes()
    }

    /// Whether it is looked for in answers that are no refusals.
    pub(super) fn is_placeholder(&self) -> bool {
        self.bytes().len() < SHORTEST
    }

    /// The key, or the beginning of one at the very end.
    fn first(&self, bytes: &[u8], from: usize) -> Option<(usize, KeyMatch)> {
        let start = *self.bytes().first()?;
        let may = |at: &usize| bytes[*at] == start || bytes[*at] == b'\\';
        (from..bytes.len()).filter(may).find_map(|at| match self.compare(bytes, at, 0) {
            KeyMatch::Other(..) => None,
            found => Some((at, found)),
        })
    }

    /// From the key's character `known` on.
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

    /// Bytes that are complete, without the key.
    pub(super) fn redacted(&self, bytes: Vec<u8>) -> Vec<u8> {
        if self.first(&bytes, 0).is_none() {
            return bytes;
        }
        let (mut clean, rest) = self.cleaned(&bytes);
        clean.extend(self.last(&bytes[rest..]));
        clean
    }

    pub(super) fn redacted_text(&self, text: String) -> String {
        match self.first(text.as_bytes(), 0) {
            None => text,
            Some(_) => String::from_utf8_lossy(&self.redacted(text.into_bytes())).into_owned(),
        }
    }

    /// The clean bytes, and from where on more must be known.
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

    /// The beginning of a key at the end of everything: most of a key is as good as all of it.
    fn last(&self, rest: &[u8]) -> Vec<u8> {
        match self.first(rest, 0) {
            Some((0, KeyMatch::Begun(known))) if known >= SHORTEST => INSTEAD.as_bytes().to_vec(),
            _ => rest.to_vec(),
        }
    }

    /// A reply without the key; whether it was there.
    pub(super) fn redact_reply(&self, reply: &mut ChatReply) -> bool {
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
        let mut found = false;
        for text in texts {
            found |= self.redact_in(text);
        }
        found
    }

    pub(super) fn redact_fault(&self, fault: &mut Fault) {
        self.redact_in(&mut fault.message);
    }

    fn redact_in(&self, text: &mut String) -> bool {
        let found = matches!(self.first(text.as_bytes(), 0), Some((_, KeyMatch::Whole(_))));
        if found {
            *text = self.redacted_text(std::mem::take(text));
        }
        found
    }
}

/// Whether a character stands there, as it is or escaped.
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

/// The four digits after `\u`.
fn code_point(digits: &[u8], run: usize, wanted: u8) -> CharMatch {
    let expected = format!("{wanted:04x}").into_bytes();
    let same = digits.iter().zip(&expected).all(|(is, want)| is.to_ascii_lowercase() == *want);
    match (same, digits.len() < expected.len()) {
        (false, _) => CharMatch::Other,
        (true, true) => CharMatch::Ended,
        (true, false) => CharMatch::Is(run + 1 + expected.len()),
    }
}

/// Redacts an answer that comes in pieces.
pub(super) struct StreamRedactor {
    secret: Arc<KeyMatcher>,
    kept: Vec<u8>,
}

impl StreamRedactor {
    pub(super) fn new(secret: Arc<KeyMatcher>) -> Self {
        Self { secret, kept: Vec::new() }
    }

    /// What may go on now.
    pub(super) fn push(&mut self, piece: Bytes) -> Bytes {
        if self.kept.is_empty() && self.secret.first(&piece, 0).is_none() {
            return piece;
        }
        self.kept.extend_from_slice(&piece);
        let (clean, rest) = self.secret.cleaned(&self.kept);
        self.kept.drain(..rest);
        Bytes::from(clean)
    }

    /// What was kept, when nothing more comes.
    pub(super) fn end(&mut self) -> Bytes {
        Bytes::from(self.secret.last(&std::mem::take(&mut self.kept)))
    }
}

/// Redacts a key that is spread over the texts of several events. Each event has gone through
/// a [`Redactor`] before.
pub(super) struct SplitKeyRedactor {
    secret: Arc<KeyMatcher>,
    held: VecDeque<Bytes>,
}

/// Which bytes of which event are part of the key.
type KeySpans = Vec<(usize, std::ops::Range<usize>)>;
/// An event and how much of the key is known there, from where the rest is not found; and the
/// last event that may hold a part of it.
type DeadEnds = HashMap<(usize, usize), usize>;

impl SplitKeyRedactor {
    pub(super) fn new(secret: Arc<KeyMatcher>) -> Self {
        Self { secret, held: VecDeque::new() }
    }

    /// The events that may go on now.
    pub(super) fn push(&mut self, event: Bytes) -> Vec<Bytes> {
        self.held.push_back(event);
        self.release(WINDOW)
    }

    /// All that is held, when nothing more comes.
    pub(super) fn end(&mut self) -> Vec<Bytes> {
        self.release(0)
    }

    fn release(&mut self, window: usize) -> Vec<Bytes> {
        let mut free = Vec::new();
        while !self.held.is_empty() {
            match self.joined() {
                Ok(parts) => self.take_out(&parts),
                Err(last) if last.is_none_or(|last| self.held.len() > last + window) => {
                    free.extend(self.held.pop_front());
                }
                Err(_) => break,
            }
        }
        free
    }

    /// A key that begins in the first event; else the last event that may hold a part of it.
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

    /// Where texts of an event end with the beginning of the key: from, to, how much of it.
    fn begun(&self, event: &[u8]) -> Vec<(usize, usize, usize)> {
        let start = self.secret.bytes().first().copied().unwrap_or_default();
        let may = |at: &usize| event[*at] == start || event[*at] == b'\\';
        let ends = |at: usize| match self.secret.compare(event, at, 0) {
            KeyMatch::Other(known, end) if known > 0 && event.get(end) == Some(&b'"') => {
                Some((at, end, known))
            }
            _ => None,
        };
        (0..event.len()).filter(may).filter_map(ends).collect()
    }

    /// The rest of the key in the events after one; else the last that may hold a part of it.
    /// What has failed once is not tried again: a provider could double the tries with each
    /// event otherwise.
    fn rest(&self, after: usize, known: usize, failed: &mut DeadEnds) -> Result<KeySpans, usize> {
        if let Some(last) = failed.get(&(after, known)) {
            return Err(*last);
        }
        let mut last = after;
        for (number, event) in self.held.iter().enumerate().skip(after + 1).take(WINDOW) {
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

    fn take_out(&mut self, parts: &KeySpans) {
        for (turn, (number, part)) in parts.iter().enumerate() {
            let Some(event) = self.held.get_mut(*number) else { continue };
            let instead = if turn == 0 { INSTEAD } else { "" };
            let (before, after) = (&event[..part.start], &event[part.end..]);
            *event = Bytes::from([before, instead.as_bytes(), after].concat());
        }
    }
}

/// Where values begin that are texts.
fn texts(event: &[u8]) -> impl Iterator<Item = usize> {
    let begins = |at: usize| {
        let before = event[..at].trim_ascii_end().last();
        event[at] == b'"' && before.is_some_and(|byte| b":[,".contains(byte))
    };
    (0..event.len()).filter(move |at| begins(*at)).map(|at| at + 1)
}

/// A recorded answer without a key that is spread over its events.
pub(super) fn redact_split_keys(secret: &Arc<KeyMatcher>, answer: &[u8]) -> Vec<u8> {
    let (mut splitter, mut joint) =
        (EventSplitter::default(), SplitKeyRedactor::new(secret.clone()));
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
            let clean = String::from_utf8(redact_split_keys(&secret(), stream.as_bytes())).unwrap();
            let said: String = clean.lines().filter_map(|line| line.strip_prefix("data: {"))
                .map(|json| serde_json::from_str::<Value>(&format!("{{{json}")).unwrap())
                .map(|json| json["delta"]["text"].as_str().unwrap().to_owned()).collect();
            prop_assert_eq!(said, format!("it is {INSTEAD}, yes"));
            prop_assert!(clean.ends_with("data: [DONE]\n\n"));
        }
    }

    /// A stream that only looks like it is held up by two events at most, and altered by nothing.
    #[test]
    fn a_stream_is_held_up_by_two_events_at_most() {
        let mut joint = SplitKeyRedactor::new(secret());
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
        let mut joint = SplitKeyRedactor::new(secret);
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
