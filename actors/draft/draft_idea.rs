//! The idea of a draft, as the ideator answers it.
//!
//! ```text
//! id: shell/price-list
//! title: The total of a price list
//! idea: A script adds the wrong column. ...
//! ```
//! The idea may have several lines; it is the rest of the answer. Lines before `id:` are left out.

use super::fenced_block::AnswerMistake;
use serde::Serialize;
use std::collections::BTreeSet;

/// The most bytes of an id, of a title, and of an idea.
const MOST_ID: usize = 80;
const MOST_TITLE: usize = 100;
const MOST_IDEA: usize = 8 << 10;

/// What a template is to be about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DraftIdea {
    /// The id of the template: `<category>/<name>`.
    pub id: String,
    pub title: String,
    /// The idea in words, for the builder.
    pub idea: String,
}

impl DraftIdea {
    /// Reads an answer. The ids in `taken` are those of other templates.
    pub fn parse(answer: &str, taken: &BTreeSet<String>) -> Result<Self, AnswerMistake> {
        let (line, id, rest) = keyed(answer, 1, "id:")?;
        check_id(id, taken).map_err(|what| AnswerMistake::new(line, what))?;
        let (line, title, rest) = keyed(rest, line + 1, "title:")?;
        check_text("title", title, MOST_TITLE).map_err(|what| AnswerMistake::new(line, what))?;
        let (line, first, rest) = keyed(rest, line + 1, "idea:")?;
        let idea = format!("{first}\n{rest}").trim().to_owned();
        check_text("idea", &idea, MOST_IDEA).map_err(|what| AnswerMistake::new(line, what))?;
        Ok(Self { id: id.to_owned(), title: title.to_owned(), idea })
    }

    /// The idea in the form in which an answer has it.
    pub fn written(&self) -> String {
        format!("id: {}\ntitle: {}\nidea: {}\n", self.id, self.title, self.idea)
    }

    /// The first part of the id.
    pub fn category(&self) -> &str {
        self.id.split('/').next().unwrap_or_default()
    }
}

/// The first line of a text that begins with `key`: its number, its value, and the text behind it.
/// `first` is the number of the first line of the text.
fn keyed<'a>(
    text: &'a str,
    first: usize,
    key: &str,
) -> Result<(usize, &'a str, &'a str), AnswerMistake> {
    let mut rest = text;
    for number in first.. {
        let Some((line, after)) =
            rest.split_once('\n').or((!rest.is_empty()).then_some((rest, "")))
        else {
            return Err(AnswerMistake::new(number, format!("no line begins with `{key}`")));
        };
        if let Some(value) = line.trim_start().strip_prefix(key) {
            return Ok((number, value.trim(), after));
        }
        rest = after;
    }
    Err(AnswerMistake::new(first, format!("no line begins with `{key}`")))
}

/// Whether a text can be the id of a template: two parts of lower-case letters, digits and hyphens, which
/// begin with a letter.
pub fn is_template_id(id: &str) -> bool {
    let is_plain = |part: &str| {
        part.starts_with(|letter: char| letter.is_ascii_lowercase())
            && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    id.len() <= MOST_ID
        && id.split_once('/').is_some_and(|(category, name)| is_plain(category) && is_plain(name))
}

fn check_id(id: &str, taken: &BTreeSet<String>) -> Result<(), String> {
    if !is_template_id(id) {
        let shown: String = id.chars().take(MOST_ID).collect();
        return Err(format!(
            "{shown:?} is no id: write `<category>/<name>` in lower-case letters, digits and hyphens"
        ));
    }
    match taken.contains(id) {
        true => Err(format!("another template has the id {id}")),
        false => Ok(()),
    }
}

fn check_text(what: &str, text: &str, most: usize) -> Result<(), String> {
    if text.is_empty() {
        return Err(format!("the {what} is empty"));
    }
    if text.len() > most {
        return Err(format!("the {what} has {} bytes, more than {most}", text.len()));
    }
    let is_odd = |letter: char| letter.is_control() && !['\n', '\t', '\r'].contains(&letter);
    match text.chars().any(is_odd) {
        true => Err(format!("the {what} has control characters")),
        false => Ok(()),
    }
}
