//! The tokens of a reply in the OpenAI chat format, event by event: `logprobs.content` of a choice, and
//! the ids that vLLM adds (`prompt_token_ids`, `token_ids`). What cannot be read is left out as a whole,
//! because a list with a gap is worth less than none.

use serde_json::{Number, Value};
use synthd_actors::model::ReplyTokens;

/// How vLLM writes the id of a token in place of its text, if it is asked to.
const NAMED: &str = "token_id:";

/// The tokens of a reply that is being put together.
#[derive(Debug)]
pub(in crate::formats) struct TokenReader {
    prompt: TokenList<i32>,
    ids: TokenList<i32>,
    /// Ids that stand in place of the texts of tokens.
    named: TokenList<i32>,
    logprobs: TokenList<Number>,
}

/// The values of one sort that came so far.
#[derive(Debug)]
enum TokenList<T> {
    /// There are none.
    Missing,
    Known(Vec<T>),
    /// Something among them could not be read.
    Odd,
}

impl Default for TokenReader {
    fn default() -> Self {
        let (ids, named) = (TokenList::Missing, TokenList::Missing);
        Self { prompt: TokenList::Missing, ids, named, logprobs: TokenList::Missing }
    }
}

impl<T> TokenList<T> {
    /// Adds the values of an event. None: they cannot be read.
    fn add(&mut self, more: Option<Vec<T>>) {
        let Some(more) = more else {
            *self = Self::Odd;
            return;
        };
        match self {
            Self::Odd => {}
            Self::Known(known) => known.extend(more),
            Self::Missing => *self = Self::Known(more),
        }
    }

    fn finished(self) -> Option<Vec<T>> {
        match self {
            Self::Known(known) => Some(known),
            Self::Missing | Self::Odd => None,
        }
    }
}

impl TokenReader {
    /// Takes the ids of the prompt. A host that repeats them in each event says the same again.
    pub(in crate::formats) fn prompt(&mut self, ids: Option<&Value>) {
        let Some(ids) = ids.filter(|ids| !ids.is_null()) else { return };
        if matches!(self.prompt, TokenList::Missing) {
            self.prompt.add(ids_of(ids));
        }
    }

    /// Takes the next ids of the reply.
    pub(in crate::formats) fn ids(&mut self, ids: Option<&Value>) {
        if let Some(ids) = ids.filter(|ids| !ids.is_null()) {
            self.ids.add(ids_of(ids));
        }
    }

    /// Takes the next logprobs of the reply.
    pub(in crate::formats) fn logprobs(&mut self, logprobs: Option<&Value>) {
        let content = logprobs.and_then(|logprobs| logprobs.get("content"));
        let Some(content) = content.filter(|content| !content.is_null()) else { return };
        let entries = content.as_array().map(Vec::as_slice);
        let number = |entry: &Value| entry.get("logprob")?.as_number().cloned();
        let named =
            |entry: &Value| entry.get("token")?.as_str()?.strip_prefix(NAMED)?.parse::<i32>().ok();
        self.logprobs.add(entries.and_then(|all| all.iter().map(number).collect()));
        self.named.add(entries.and_then(|all| all.iter().map(named).collect()));
    }

    /// The tokens. None if the provider gave none that can be read.
    pub(in crate::formats) fn finished(self) -> Option<Box<ReplyTokens>> {
        let tokens = ReplyTokens {
            prompt_ids: self.prompt.finished(),
            ids: self.ids.finished().or_else(|| self.named.finished()),
            logprobs: self.logprobs.finished(),
        };
        (!tokens.is_empty()).then(|| Box::new(tokens))
    }
}

/// A list of ids. None if it is no list, or one with something else in it.
fn ids_of(ids: &Value) -> Option<Vec<i32>> {
    let id = |id: &Value| i32::try_from(id.as_i64()?).ok().filter(|id| *id >= 0);
    ids.as_array()?.iter().map(id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn said(tokens: &[(&str, f64)]) -> Value {
        let each =
            tokens.iter().map(|(token, logprob)| json!({ "token": token, "logprob": logprob }));
        json!({ "content": each.collect::<Vec<_>>() })
    }

    #[test]
    fn the_parts_of_a_stream_become_one_list() {
        let mut reader = TokenReader::default();
        reader.prompt(Some(&json!([1, 2])));
        reader.prompt(Some(&json!([1, 2])));
        for (ids, logprobs) in [
            (json!([5]), said(&[("a", -0.5)])),
            (Value::Null, Value::Null),
            (json!([6, 7]), said(&[("b", -1e-3), ("c", -9999.0)])),
        ] {
            reader.ids(Some(&ids));
            reader.logprobs(Some(&logprobs));
        }
        let tokens = reader.finished().unwrap();
        assert_eq!(
            (tokens.prompt_ids.as_deref(), tokens.ids.as_deref()),
            (Some(&[1, 2][..]), Some(&[5, 6, 7][..]))
        );
        assert_eq!(tokens.logprob_values(), Some(vec![-0.5, -1e-3, -9999.0]));
    }

    #[test]
    fn a_list_with_a_gap_is_none() {
        for (ids, logprobs) in [
            (json!([1, "x"]), json!({ "content": [{ "token": "a" }] })),
            (json!([-1]), json!({ "content": 7 })),
            (json!([1_u64 << 40]), json!({ "content": [{ "logprob": null }] })),
            (json!("1"), json!([])),
            (Value::Null, Value::Null),
        ] {
            let mut reader = TokenReader::default();
            reader.ids(Some(&ids));
            reader.logprobs(Some(&logprobs));
            reader.ids(None);
            assert_eq!(reader.finished(), None, "{ids} {logprobs}");
        }
        let mut reader = TokenReader::default();
        reader.ids(Some(&json!(["odd"])));
        reader.ids(Some(&json!([1])));
        assert_eq!(reader.finished(), None, "what came later does not close the gap");
    }

    #[test]
    fn ids_may_stand_in_place_of_texts() {
        let mut reader = TokenReader::default();
        reader.logprobs(Some(&said(&[("token_id:17", -0.25), ("token_id:0", 0.0)])));
        assert_eq!(reader.finished().unwrap().ids, Some(vec![17, 0]));
        let mut reader = TokenReader::default();
        reader.logprobs(Some(&said(&[("token_id:17", -0.25), ("plain", 0.0)])));
        assert_eq!(reader.finished().unwrap().ids, None);
    }
}
