//! Stage `identity`: a model that says in its own words which model it is, or who made it. Names in the task, in code or
//! in what tools show say nothing: only sentences of the model about itself count.

use super::allow_list::AllowList;
use super::byte_set::{ByteSet, begins_word, ends_word};
use super::gram_filter::GramFilter;
use crate::curation::{TextFinder, TextMatch, TextSource};

/// Whole phrases. `an` and `a` are not looked at: they are part of the phrase.
const PHRASES: &[&str] = &[
    "as an ai language model",
    "as an ai model",
    "as an ai assistant",
    "as an artificial intelligence",
    "as a large language model",
    "as a language model",
    "i am an ai language model",
    "i'm an ai language model",
    "i am an ai model",
    "i'm an ai model",
    "i am an ai assistant",
    "i'm an ai assistant",
    "i am just an ai",
    "i'm just an ai",
    "i am a large language model",
    "i'm a large language model",
    "i am a language model",
    "i'm a language model",
];
/// What stands in front of the model's name.
const NAMING: &[&str] = &["i am ", "i'm ", "i’m ", "my name is ", "i go by ", "call me ", "as "];
/// What stands in front of who made it.
const MAKING: &[&str] = &["i am ", "i'm ", "i’m ", "i was ", "i have been ", "i've been "];
/// Words between, which say no more.
const FILLERS: &[&str] =
    &["called ", "named ", "known as ", "the ", "an ", "a ", "also ", "actually "];
const VERBS: &[&str] =
    &["made by ", "created by ", "developed by ", "trained by ", "built by ", "designed by "];
/// Names of models. A number or a version may follow.
const MODELS: &[&str] = &[
    "claude",
    "chatgpt",
    "gpt",
    "gemini",
    "bard",
    "llama",
    "mistral",
    "mixtral",
    "qwen",
    "tongyi",
    "deepseek",
    "copilot",
    "github copilot",
    "grok",
    "kimi",
    "chatglm",
    "glm",
    "ernie",
    "yi",
    "gemma",
    "palm",
    "codex",
    "devstral",
    "codestral",
    "minimax",
    "nemotron",
    "hunyuan",
    "doubao",
];
const MAKERS: &[&str] = &[
    "openai",
    "anthropic",
    "google",
    "deepmind",
    "meta",
    "mistral ai",
    "mistral",
    "alibaba",
    "alibaba cloud",
    "deepseek",
    "microsoft",
    "xai",
    "moonshot",
    "zhipu",
    "baidu",
    "nvidia",
    "cohere",
    "tencent",
    "bytedance",
    "01.ai",
];
/// How far behind a name its maker may stand, in bytes.
const MAKER_WITHIN: usize = 80;

/// Finds models that name themselves.
pub(super) struct ModelIdentity {
    /// The phrases, and then what stands in front of names and makers.
    filter: GramFilter,
    /// Names of models and makers from the recipe, in lower case.
    names: Vec<String>,
    allowed: AllowList,
}

impl ModelIdentity {
    /// A finder that knows these names besides its own, and leaves what `allow` says.
    pub(super) fn new(names: &[String], allow: &[String]) -> Self {
        let literals = PHRASES.iter().chain(NAMING).chain(MAKING).copied();
        let names = names.iter().map(|name| name.to_ascii_lowercase()).collect();
        let filter = GramFilter::new(literals);
        Self { filter, names, allowed: AllowList::new(allow) }
    }

    /// The passage whose literal begins at `at`.
    fn passage(&self, text: &str, number: usize, at: usize) -> Option<TextMatch> {
        if !begins_word(text.as_bytes(), at) {
            return None;
        }
        let end = at + self.length(&sentence(text, at), number)?;
        let ends = ends_word(text.as_bytes(), end);
        ends.then(|| TextMatch { at: at..end, what: "model-identity" })
    }

    /// The length of the passage at the beginning of a sentence in lower case.
    fn length(&self, lower: &str, number: usize) -> Option<usize> {
        let (namings, makings) = (PHRASES.len(), PHRASES.len() + NAMING.len());
        if number < namings {
            return Some(self.with_maker(lower, PHRASES[number].len()));
        }
        if number < makings {
            let introduction = NAMING[number - namings];
            let end = self.name_at(lower, introduction.len())?;
            // `as Claude` needs the model's `I`: somebody may sign as Claude.
            let rest = lower.get(end..)?;
            let speaks = [", i ", ", i'", ", i’"].iter().any(|begin| rest.starts_with(*begin));
            let is_speech = introduction != "as " || speaks;
            return is_speech.then(|| self.with_maker(lower, end));
        }
        self.maker_at(lower, MAKING[number - makings].len())
    }

    /// The end of a model's name that begins at `at`, with its version.
    fn name_at(&self, lower: &str, at: usize) -> Option<usize> {
        let at = at + lengths_of(FILLERS, lower.get(at..)?);
        let known = self.names.iter().map(String::as_str).chain(MODELS.iter().copied());
        let end = longest(known, lower, at)?;
        let version = ByteSet::WORD.with("-.").run(lower.as_bytes(), end, 24);
        let version = lower.get(end..end + version)?.trim_end_matches(['.', '-']);
        let begins = |letter: char| letter == '-' || letter.is_ascii_digit();
        (version.is_empty() || version.starts_with(begins)).then_some(end + version.len())
    }

    /// The end of `made by OpenAI` that begins at `at`.
    fn maker_at(&self, lower: &str, at: usize) -> Option<usize> {
        let rest = lower.get(at..)?;
        let verb = VERBS.iter().find(|verb| rest.starts_with(**verb))?;
        let known = self.names.iter().map(String::as_str).chain(MAKERS.iter().copied());
        let end = longest(known, lower, at + verb.len())?;
        ends_word(lower.as_bytes(), end).then_some(end)
    }

    /// The end of the passage, with a maker that the same sentence names.
    fn with_maker(&self, lower: &str, end: usize) -> usize {
        let near = ByteSet::WORD.with(" ,-'").run(lower.as_bytes(), end, MAKER_WITHIN);
        let places = (end..end + near).filter(|at| begins_word(lower.as_bytes(), *at));
        places.filter_map(|at| self.maker_at(lower, at)).next_back().unwrap_or(end)
    }
}

impl TextFinder for ModelIdentity {
    fn find(&self, text: &str, source: TextSource) -> Vec<TextMatch> {
        if source != TextSource::Written {
            return Vec::new();
        }
        let mut found = Vec::new();
        self.filter
            .scan(text.as_bytes(), |number, at| found.extend(self.passage(text, number, at)));
        self.allowed.settle(text, found)
    }
}

/// The most bytes of a sentence that are looked at.
const SENTENCE: usize = 256;

/// What begins at a place, in lower case and up to the end of a line. Every character keeps its length.
fn sentence(text: &str, at: usize) -> String {
    let rest = text.get(at..).unwrap_or_default();
    let mut end = rest.len().min(SENTENCE);
    while !rest.is_char_boundary(end) {
        end -= 1;
    }
    let line = rest[..end].lines().next().unwrap_or_default();
    line.to_ascii_lowercase()
}

/// The length of the words of a list at the beginning of a text.
fn lengths_of(words: &[&str], text: &str) -> usize {
    let mut length = 0;
    while let Some(word) = words.iter().find(|word| text[length..].starts_with(**word)) {
        length += word.len();
    }
    length
}

/// The end of the longest of these names that begins at `at`.
fn longest<'a>(names: impl Iterator<Item = &'a str>, lower: &str, at: usize) -> Option<usize> {
    let rest = lower.get(at..)?;
    names
        .filter(|name| !name.is_empty() && rest.starts_with(*name))
        .map(|name| at + name.len())
        .max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(text: &str) -> Vec<&str> {
        let names = ["Quillon".to_owned(), "Quill Labs".to_owned()];
        let all = ModelIdentity::new(&names, &[]).find(text, TextSource::Written);
        all.into_iter().map(|one| &text[one.at]).collect()
    }

    #[test]
    fn models_that_name_themselves_are_found() {
        let cases = [
            ("As an AI language model, I cannot.", "As an AI language model"),
            ("Well, I am Claude.", "I am Claude"),
            ("I'm ChatGPT, made by OpenAI. Hello", "I'm ChatGPT, made by OpenAI"),
            (
                "I am a large language model trained by Google.",
                "I am a large language model trained by Google",
            ),
            ("my name is GPT-4o, ask", "my name is GPT-4o"),
            ("I was created by Anthropic to help", "I was created by Anthropic"),
            ("I am Qwen2.5-Coder, a model", "I am Qwen2.5-Coder"),
            (
                "I'm called Quillon and was built by Quill Labs!",
                "I'm called Quillon and was built by Quill Labs",
            ),
            ("As Claude, I should look", "As Claude"),
        ];
        cases.iter().for_each(|(text, all)| assert_eq!(found(text), [*all], "{text}"));
    }

    #[test]
    fn names_of_others_and_in_code_are_left() {
        let none = [
            "claude = Client(model=\"claude-3\")",
            "GPT-4 was developed by OpenAI.",
            "I am cloning the repository",
            "I am claudette",
            "Hi am Claude",
            "as claude.py shows",
            "I am grokking it",
            "I am a language modeller",
            "use the OpenAI client as gpt, in two files",
            "I was asked by Google",
            "I'm done",
            "the AI model",
            "I am yielding",
            "was llama3 loaded?",
        ];
        none.iter().for_each(|text| assert!(found(text).is_empty(), "{text}: {:?}", found(text)));
    }

    #[test]
    fn only_what_the_model_wrote_counts() {
        let finder = ModelIdentity::new(&[], &[]);
        for source in [TextSource::Given, TextSource::Shown, TextSource::Judged] {
            assert!(finder.find("I am Claude.", source).is_empty());
        }
        assert_eq!(finder.find("I am Claude.", TextSource::Written).len(), 1);
    }

    proptest! {
        #[test]
        fn passages_are_in_order_and_at_boundaries_of_characters(
            text in "(I am |i'm |as |Claude|GPT-4|, made by |OpenAI|a language model|as an ai model|é|[ .,a-z]){0,30}",
        ) {
            let mut end = 0;
            for one in ModelIdentity::new(&[], &[]).find(&text, TextSource::Written) {
                prop_assert!(one.at.start >= end && one.at.end > one.at.start);
                prop_assert!(text.get(one.at.clone()).is_some());
                end = one.at.end;
            }
        }
    }
}
