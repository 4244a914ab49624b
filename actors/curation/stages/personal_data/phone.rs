//! Phone numbers in the international form: `+`, the code of a country, and digits with separators (E.164).

use crate::curation::TextMatch;
use crate::curation::stages::byte_set::{ByteSet, before, ends_word};

/// The most bytes of a number with its separators.
const LONGEST: usize = 24;
const PARTS: ByteSet = ByteSet::DIGITS.with(" -.()/");

/// The number whose `+` stands at `at`.
pub(super) fn find(text: &str, at: usize) -> Option<TextMatch> {
    let bytes = text.as_bytes();
    let front = before(bytes, at);
    let goes_on = front.is_some_and(|byte| ByteSet::WORD.with("+)]").contains(byte));
    let length = PARTS.run(bytes, at + 1, LONGEST);
    let said = text.get(at + 1..at + 1 + length)?;
    let said = said.trim_end_matches(|letter: char| !letter.is_ascii_digit());
    let end = at + 1 + said.len();
    if goes_on || !ends_word(bytes, end) || !has_form(said) {
        return None;
    }
    // A line that begins with `+` is one that a patch adds. There, a number must be in groups.
    let is_of_patch = front.is_none_or(|byte| byte == b'\n');
    let first = ByteSet::DIGITS.run(said.as_bytes(), 0, said.len());
    let is_grouped = first < 4 && first < said.len();
    let is_number = is_grouped || (!is_of_patch && first == said.len());
    let digits: String = said.chars().filter(char::is_ascii_digit).collect();
    let is_number = is_number && is_assigned(&digits, is_grouped.then_some(first));
    is_number.then_some(TextMatch { at: at..end, what: "phone-number" })
}

/// Whether digits and separators take turns: no two separators follow each other, but around brackets.
fn has_form(said: &str) -> bool {
    let pairs = said.as_bytes().windows(2);
    let both = |pair: &[u8]| !pair[0].is_ascii_digit() && !pair[1].is_ascii_digit();
    let in_brackets = |pair: &[u8]| matches!(pair, b" (" | b") " | b")-" | b"-(");
    said.starts_with(|letter: char| ('1'..='9').contains(&letter))
        && pairs.filter(|pair| both(pair)).all(in_brackets)
}

/// Whether the code of the country exists, and the number has a length that is in use there. Numbers
/// that are kept for films and books belong to nobody.
fn is_assigned(digits: &str, code: Option<usize>) -> bool {
    let length = country_code(digits);
    let is_code = length > 0 && code.is_none_or(|code| code == length);
    let is_long = (10..=15).contains(&digits.len());
    let is_american = digits.starts_with('1');
    is_code && is_long && (!is_american || is_american_number(&digits[1..]))
}

/// The number of digits in the code of the country; 0 if there is no such country.
fn country_code(digits: &str) -> usize {
    let two = digits.get(..2).unwrap_or_default();
    match two.as_bytes() {
        [b'1' | b'7', _] => 1,
        b"20" | b"27" | b"28" | b"36" | b"39" => 2,
        b"21" | b"22" | b"23" | b"24" | b"25" | b"26" | b"29" => 3,
        b"35" | b"37" | b"38" | b"42" | b"50" | b"59" | b"67" | b"68" | b"69" => 3,
        b"80" | b"85" | b"87" | b"88" | b"96" | b"97" | b"99" => 3,
        b"83" | b"89" => 0,
        [b'3' | b'4' | b'5' | b'6' | b'8' | b'9', _] => 2,
        _ => 0,
    }
}

/// Ten digits; neither area nor exchange begins with 0 or 1; not 555-0100 to 555-0199.
fn is_american_number(rest: &str) -> bool {
    let bytes = rest.as_bytes();
    let is_fiction = rest.get(3..8) == Some("55501");
    bytes.len() == 10 && bytes[0] > b'1' && bytes[3] > b'1' && !is_fiction
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<&str> {
        find(text, text.find('+').unwrap()).map(|one| &text[one.at])
    }

    #[test]
    fn numbers_in_usual_notations_are_found() {
        let cases = [
            ("call +49 170 5550199, now", "+49 170 5550199"),
            ("tel:+491705550199", "+491705550199"),
            ("+1 (212) 867-4309", "+1 (212) 867-4309"),
            ("is +44 20 7946 0018.", "+44 20 7946 0018"),
            ("\"+352 26 12 34 56 78\"", "+352 26 12 34 56 78"),
        ];
        cases.iter().for_each(|(text, number)| assert_eq!(found(text), Some(*number), "{text}"));
    }

    #[test]
    fn sums_patches_times_and_numbers_of_films_are_left() {
        let none = [
            "+20231112090000",
            "\n+2023-11-12 10:00",
            "1+17005550100",
            "12:00:00 +0200",
            "x +1700000000",
            "+123",
            "+1 212 555 0123",
            "+49  170  5550199",
            "@@ -1,7 +12,8 @@",
            "+1.5e10",
            "+00 123 456 7890",
            "a++1234567890",
        ];
        none.iter().for_each(|text| assert_eq!(found(text), None, "{text}"));
    }
}
