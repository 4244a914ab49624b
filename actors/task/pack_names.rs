//! Draws other names for what a pack does not show to its users. A model that remembers a project from
//! elsewhere then does not find what it remembers.

use super::draw::{self, TaskRng};
use super::pack_spec::{PackKind, PackSpec};
use super::template_error::TemplateProblem;
use crate::pack::{NameSites, ProjectPack};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What syllables begin and end with. Python has no word of three or four of them.
const CONSONANTS: &str = "bdfgklmnprstvz";
const VOWELS: &str = "aeiou";

/// The pack of a task: with drawn names if the template wants it, else as it is.
pub(super) fn for_task(
    spec: &PackSpec,
    pack: Arc<ProjectPack>,
    key: &[u8; 32],
) -> Result<Arc<ProjectPack>, TemplateProblem> {
    // The copies of written out helpers are not among the places of names.
    let may_rename = spec.kind != PackKind::DeDuplicate;
    if !may_rename || !spec.rename.unwrap_or(pack.head.source_sha256.is_some()) {
        return Ok(pack);
    }
    if pack.names.is_empty() && spec.rename == Some(true) {
        let message = format!("the pack {:?} has no names that can be others", pack.head.name);
        return Err(TemplateProblem::at("from_pack.rename", message));
    }
    let new = drawn_names(&pack, &mut draw::derived_rng(key, "names"));
    Ok(Arc::new(pack.renamed(&new)))
}

/// A new name for each name of the pack. None of them is a word of the pack, and no two are equal.
fn drawn_names(pack: &ProjectPack, rng: &mut TaskRng) -> Vec<String> {
    let words = pack.words();
    let mut taken = BTreeSet::new();
    let mut one = |name: &NameSites| {
        loop {
            let new = format!("{}{}", name.kind.prefix(), syllables(rng));
            if !words.contains(new.as_str()) && taken.insert(new.clone()) {
                return new;
            }
        }
    };
    pack.names.iter().map(&mut one).collect()
}

/// Three or four syllables: there are far more than names.
fn syllables(rng: &mut TaskRng) -> String {
    let mut text = String::new();
    for _ in 0..3 + rng.index(2) {
        for letters in [CONSONANTS, VOWELS] {
            text.extend(letters.chars().nth(rng.index(letters.len())));
        }
    }
    text
}
