//! Counts letters by script and frequent words by language, and says which languages they are.

use super::prose::words_of_prose;
use super::text_language::{FrequentWords, TextLanguage, WritingScript};
use std::collections::BTreeMap;

/// Fewer words in Latin letters tell no language.
const FEWEST_WORDS: u64 = 15;
/// At least so many of a thousand words are frequent ones of the language.
const FREQUENT_SHARE: u64 = 150;
/// The longest word that is looked up, in bytes.
const LONGEST_WORD: usize = 16;

/// What was counted in the texts of a row.
pub(super) struct LanguageCount<'w> {
    frequent: &'w FrequentWords,
    letters: BTreeMap<WritingScript, u64>,
    /// Words in Latin letters.
    words: u64,
    hits: BTreeMap<TextLanguage, u64>,
    /// Letters that only Japanese has.
    syllables: u64,
    /// Letters that only Russian has, and only Ukrainian.
    russian: u64,
    ukrainian: u64,
    /// Arabic letters that Arabic does not have.
    persian: u64,
}

impl<'w> LanguageCount<'w> {
    pub(super) fn new(frequent: &'w FrequentWords) -> Self {
        Self {
            frequent,
            letters: BTreeMap::new(),
            words: 0,
            hits: BTreeMap::new(),
            syllables: 0,
            russian: 0,
            ukrainian: 0,
            persian: 0,
        }
    }

    pub(super) fn add(&mut self, text: &str) {
        let mut lower = String::new();
        words_of_prose(text, &mut |word| {
            self.add_letters(word);
            lower.clear();
            if word.len() <= LONGEST_WORD {
                lower.extend(word.chars().flat_map(char::to_lowercase));
            }
            self.add_word(word, &lower);
        });
    }

    fn add_letters(&mut self, word: &str) {
        for letter in word.chars().filter(|letter| letter.is_alphabetic()) {
            *self.letters.entry(WritingScript::of(letter)).or_default() += 1;
            match letter {
                '\u{3040}'..='\u{30FF}' => self.syllables += 1,
                'ы' | 'э' | 'ё' | 'ъ' | 'Ы' | 'Э' | 'Ё' | 'Ъ' => self.russian += 1,
                'і' | 'ї' | 'є' | 'ґ' | 'І' | 'Ї' | 'Є' | 'Ґ' => self.ukrainian += 1,
                'پ' | 'چ' | 'ژ' | 'گ' => self.persian += 1,
                _ => {}
            }
        }
    }

    fn add_word(&mut self, word: &str, lower: &str) {
        if word.chars().next().is_some_and(|first| WritingScript::of(first) == WritingScript::Latin)
        {
            self.words += 1;
            for language in self.frequent.of(lower) {
                *self.hits.entry(*language).or_default() += 1;
            }
        }
    }

    /// All letters of prose.
    pub(super) fn letters(&self) -> u64 {
        self.letters.values().sum()
    }

    /// The languages or scripts of the texts that are not wanted, each with its share of the letters in
    /// thousandths.
    pub(super) fn languages(&self, wanted: &[TextLanguage]) -> Vec<(&'static str, u32)> {
        let all = self.letters().max(1);
        let each = self.letters.iter().filter_map(|(script, letters)| {
            let name = self.unwanted(*script, wanted)?;
            let share = u32::try_from(letters.saturating_mul(1_000) / all).unwrap_or(1_000);
            Some((name, share))
        });
        each.collect()
    }

    /// What the letters of a script are, if nobody wants it. None as well if it is not certain.
    fn unwanted(&self, script: WritingScript, wanted: &[TextLanguage]) -> Option<&'static str> {
        let possible = wanted.iter().any(|language| language.script() == script);
        match self.language(script, wanted) {
            Some(language) if wanted.contains(&language) => None,
            Some(language) => Some(language.as_str()),
            // A script that no wanted language has is found even if its language is not certain.
            None if possible || script == WritingScript::Other => None,
            // Names and programs are in Latin letters in every language.
            None if script == WritingScript::Latin => None,
            None => Some(script.as_str()),
        }
    }

    /// The language of the letters of a script. None if it is not certain.
    fn language(&self, script: WritingScript, wanted: &[TextLanguage]) -> Option<TextLanguage> {
        let letters = self.letters.get(&script).copied().unwrap_or_default();
        match script {
            WritingScript::Latin => self.latin(wanted),
            WritingScript::Cyrillic if self.ukrainian * 50 >= letters => Some(TextLanguage::Uk),
            WritingScript::Cyrillic if self.russian * 100 >= letters => Some(TextLanguage::Ru),
            WritingScript::Arabic if self.persian * 50 >= letters => None,
            WritingScript::Cyrillic | WritingScript::Other => None,
            WritingScript::Han if self.syllables * 10 >= letters => Some(TextLanguage::Ja),
            WritingScript::Han => Some(TextLanguage::Zh),
            WritingScript::Greek => Some(TextLanguage::El),
            WritingScript::Hangul => Some(TextLanguage::Ko),
            WritingScript::Arabic => Some(TextLanguage::Ar),
            WritingScript::Hebrew => Some(TextLanguage::He),
            WritingScript::Devanagari => Some(TextLanguage::Hi),
            WritingScript::Thai => Some(TextLanguage::Th),
        }
    }

    /// The language in Latin letters that has the most frequent words. It must have half as many
    /// again as each wanted one.
    fn latin(&self, wanted: &[TextLanguage]) -> Option<TextLanguage> {
        let best = self.hits.iter().max_by_key(|(_, hits)| **hits);
        let (language, hits) = best.map(|(language, hits)| (*language, *hits))?;
        let of_wanted = |wanted: &&TextLanguage| **wanted != language;
        let others = wanted.iter().filter(of_wanted).filter_map(|wanted| self.hits.get(wanted));
        let near = others.max().copied().unwrap_or_default();
        let certain = self.words >= FEWEST_WORDS
            && hits.saturating_mul(1_000) >= self.words.saturating_mul(FREQUENT_SHARE)
            && (wanted.contains(&language) || hits * 2 >= near * 3);
        certain.then_some(language)
    }
}
