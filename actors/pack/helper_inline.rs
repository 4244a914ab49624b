//! Helpers that are written out where they are called, so that a task can ask for them back.

use super::ProjectPack;
use super::project_pack::overlapping;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The program that measures how much of sources is written several times. The agent has it, the check
/// has it, and the miner has it.
pub const CLONE_METER: &str = include_str!("sealed/clones.py");

/// A helper without itself: copies of its body stand where it was called. All tests still pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HelperInline {
    pub id: String,
    /// The whole name of the helper, such as `tabq.parser._Parser.expect`.
    pub helper: String,
    /// Whether the helper still stands beside its copies, because others need it.
    pub kept: bool,
    pub parts: Vec<TextChange>,
    /// Tokens that are written several times: in the project, and with the parts.
    pub clones: (u32, u32),
    /// All tokens, of both.
    pub tokens: (u32, u32),
}

/// A byte range of a file, and the text that stands there instead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextChange {
    pub file: String,
    pub at: (usize, usize),
    pub text: String,
}

impl HelperInline {
    /// Checks the entry against its pack.
    pub(super) fn check(&self, pack: &ProjectPack) -> Result<(), String> {
        if pack.inlines.iter().any(|known| known.id == self.id) {
            return Err(format!("the id {:?} is there twice", self.id));
        }
        if self.parts.is_empty() {
            return Err("it has no parts".to_owned());
        }
        for part in &self.parts {
            if pack.check_range(&part.file, part.at)? == part.text {
                return Err("it changes nothing".to_owned());
            }
            if !pack.head.is_source(&part.file) {
                return Err(format!("{} is no source of the pack", part.file));
            }
        }
        if let Some(file) = overlapping(places(&[self]).into_iter()) {
            return Err(format!("two of its parts in {file} overlap"));
        }
        if self.more_clones() == 0 || self.more_tokens() == 0 {
            return Err("it makes nothing longer".to_owned());
        }
        Ok(())
    }

    /// The last part of the helper's name.
    pub fn short_name(&self) -> &str {
        self.helper.rsplit('.').next().unwrap_or_default()
    }

    /// How many tokens more are written several times.
    pub fn more_clones(&self) -> u32 {
        self.clones.1.saturating_sub(self.clones.0)
    }

    /// How many tokens more there are.
    pub fn more_tokens(&self) -> u32 {
        self.tokens.1.saturating_sub(self.tokens.0)
    }

    /// Whether both may stand in one task: they share no bytes, and neither needs a helper that the
    /// other one takes away.
    pub fn is_apart(&self, other: &Self) -> bool {
        overlapping(places(&[self, other]).into_iter()).is_none()
            && !self.needs(other)
            && !other.needs(self)
    }

    /// Whether its copies call a helper that is gone with another one.
    fn needs(&self, other: &Self) -> bool {
        let name = other.short_name();
        !other.kept && self.parts.iter().any(|part| words(&part.text).any(|word| word == name))
    }
}

/// The byte ranges of all parts of some entries.
fn places<'a>(inlines: &[&'a HelperInline]) -> Vec<(&'a str, (usize, usize))> {
    let parts = inlines.iter().flat_map(|inline| &inline.parts);
    parts.map(|part| (part.file.as_str(), part.at)).collect()
}

/// The names and keywords of a program.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
}

impl ProjectPack {
    /// The files that some entries change, with their texts. The entries are apart from each other.
    pub fn written_out(&self, inlines: &[&HelperInline]) -> BTreeMap<&str, String> {
        let mut parts: Vec<&TextChange> = inlines.iter().flat_map(|inline| &inline.parts).collect();
        parts.sort_by_key(|part| std::cmp::Reverse(part.at));
        let mut texts: BTreeMap<&str, String> = BTreeMap::new();
        for part in parts {
            let file = self.files.iter().find(|file| file.path == part.file);
            let Some(file) = file else { continue };
            let text = texts.entry(&file.path).or_insert_with(|| file.content.clone());
            text.replace_range(part.at.0..part.at.1, &part.text);
        }
        texts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pack::PackParts;
    use crate::pack::tests::{CODE, parts};

    /// A line of an index: `twice` is written out at these bytes.
    fn line(id: &str, at: (usize, usize), text: &str) -> String {
        let part = serde_json::json!({"file": "lib.py", "at": at, "text": text});
        let line = serde_json::json!({
            "kind": "inline", "id": id, "helper": "lib.half", "kept": false, "parts": [part],
            "clones": [10, 60], "tokens": [100, 130],
        });
        format!("{line}\n")
    }

    fn with(lines: &[String]) -> PackParts {
        let mut parts = parts();
        parts.index.extend(lines.iter().map(String::as_str));
        parts
    }

    fn problem(lines: &[String]) -> String {
        ProjectPack::read(with(lines)).unwrap_err().to_string()
    }

    #[test]
    fn an_inline_is_read_and_written_out() {
        let at = CODE.find("n + n").unwrap();
        let pack = ProjectPack::read(with(&[line("i1", (at, at + 5), "2 * n")])).unwrap();
        let inline = &pack.inlines[0];
        assert_eq!((inline.more_clones(), inline.more_tokens()), (50, 30));
        assert_eq!(inline.short_name(), "half");
        let texts = pack.written_out(&[inline]);
        assert_eq!(texts["lib.py"], CODE.replace("n + n", "2 * n"));
    }

    #[test]
    fn entries_that_overlap_or_need_each_other_are_not_drawn_together() {
        let lines =
            [line("i1", (0, 3), "a"), line("i2", (2, 5), "b"), line("i3", (6, 9), "half(1)")];
        let pack = ProjectPack::read(with(&lines)).unwrap();
        let [one, two, three] = &pack.inlines[..] else { panic!("{:?}", pack.inlines) };
        assert!(!one.is_apart(two) && !two.is_apart(one), "they share a byte");
        assert!(!one.is_apart(three) && !three.is_apart(one), "the helper of one is gone");
        let kept = HelperInline { kept: true, ..one.clone() };
        let stays = HelperInline { kept: true, ..three.clone() };
        assert!(kept.is_apart(&stays));
    }

    #[test]
    fn what_is_wrong_with_an_inline_is_said() {
        let twice = [line("i1", (0, 3), "a"), line("i1", (4, 5), "b")];
        assert!(problem(&twice).ends_with("the id \"i1\" is there twice"));
        assert!(problem(&[line("i1", (0, 9000), "a")]).contains("are no part of lib.py"));
        assert!(problem(&[line("i1", (0, 3), "def")]).ends_with("it changes nothing"));
        let none = line("i1", (0, 3), "a").replace("[10,60]", "[10,10]");
        assert!(problem(&[none]).ends_with("it makes nothing longer"));
        let test = line("i1", (0, 3), "a").replace("lib.py", "tests/test_lib.py");
        assert!(problem(&[test]).ends_with("tests/test_lib.py is no source of the pack"));
    }
}
