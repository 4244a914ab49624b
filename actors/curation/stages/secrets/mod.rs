//! Stage `secrets`: keys, tokens, private keys and passwords in texts.
//!
//! One pass over a text looks for literals: how tokens begin, what stands around secrets, and the words of
//! telling names. What is near a literal is then looked at closely, and only so many bytes of it. So the time grows
//! with the length of the text alone.
//!
//! - `token_shape`: tokens of services by their shape.
//! - `carried`: what is known by what stands around it.
//! - `private_key`: keys in PEM.
//! - `assigned`: random values of telling names.
//! - `randomness`: what a random value looks like.
//!
//! A random value that stands alone is none: digests, commits and identifiers are everywhere in the work of agents.

mod assigned;
mod carried;
#[cfg(test)]
mod cases;
mod private_key;
mod randomness;
mod token_shape;

use super::allow_list::AllowList;
use super::gram_filter::GramFilter;
use crate::curation::{TextFinder, TextMatch, TextSource};

/// What services publish in their documentation. It opens nothing, wherever it stands.
const PUBLISHED: &[&str] = &[
    "re:^A[A-Z]{3}[A-Z0-9]{9}EXAMPLE$",
    "re:^[A-Za-z0-9/+]{30}EXAMPLEKEY$",
    // The token of jwt.io.
    "re:^eyJ[A-Za-z0-9_-]+\\.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lI",
    // The storage emulator's account, which is the same everywhere.
    "re:^Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq",
];

/// What is near a literal.
enum SecretClue {
    Shape(&'static token_shape::TokenShape),
    Carried(fn(&str, usize) -> Option<TextMatch>),
    Word(&'static str),
}

/// Finds secrets.
pub(super) struct SecretFinder {
    filter: GramFilter,
    /// By the numbers of the literals.
    clues: Vec<SecretClue>,
    allowed: AllowList,
}

impl SecretFinder {
    /// A finder that leaves what `allow` says, besides what is published.
    pub(super) fn new(allow: &[String]) -> Self {
        let (literals, clues): (Vec<&str>, Vec<SecretClue>) = clues().unzip();
        let published = PUBLISHED.iter().map(|entry| (*entry).to_owned());
        let allowed: Vec<String> = published.chain(allow.iter().cloned()).collect();
        Self { filter: GramFilter::new(literals), clues, allowed: AllowList::new(&allowed) }
    }
}

/// The literals, each with what is near it.
fn clues() -> impl Iterator<Item = (&'static str, SecretClue)> {
    let shapes = token_shape::SHAPES.iter().map(|shape| (shape.prefix, SecretClue::Shape(shape)));
    let carried = carried::CARRIED.iter().map(|(text, check)| (*text, SecretClue::Carried(*check)));
    let words = assigned::WORDS.iter().map(|word| (*word, SecretClue::Word(word)));
    let key = (private_key::BEGIN, SecretClue::Carried(private_key::find));
    shapes.chain(carried).chain(words).chain(std::iter::once(key))
}

impl TextFinder for SecretFinder {
    fn find(&self, text: &str, _: TextSource) -> Vec<TextMatch> {
        let mut found = Vec::new();
        self.filter.scan(text.as_bytes(), |number, at| {
            let passage = match &self.clues[number] {
                SecretClue::Shape(shape) => shape.find(text, at),
                SecretClue::Carried(check) => check(text, at),
                SecretClue::Word(word) => assigned::find(text, at, word),
            };
            found.extend(passage);
        });
        // Of equal passages, the one that says more comes first.
        found.sort_by_key(|one| one.what == assigned::ASSIGNED);
        self.allowed.settle(text, found)
    }
}
