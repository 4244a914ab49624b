//! Numbers with a form and a checksum: payment cards (Luhn), accounts (IBAN, mod 97), and the numbers of
//! persons in the United States and the United Kingdom.

use crate::curation::TextMatch;
use crate::curation::stages::byte_set::{ByteSet, before, begins_word, ends_word};

const DIGITS: ByteSet = ByteSet::DIGITS;
/// How the digits of cards are grouped.
const CARD_GROUPS: &[&[usize]] = &[&[4, 4, 4, 4], &[4, 6, 5], &[4, 6, 4]];
/// Cards that payment services publish for tests.
const TEST_CARDS: &[&str] = &[
    "4111111111111111",
    "4242424242424242",
    "4012888888881881",
    "4000056655665556",
    "4222222222222",
    "5555555555554444",
    "5105105105105100",
    "5200828282828210",
    "2223003122003222",
    "378282246310005",
    "371449635398431",
    "378734493671000",
    "6011111111111117",
    "6011000990139424",
    "3530111333300000",
    "3566002020360505",
    "30569309025904",
    "38520000023237",
    "6200000000000005",
];
/// The length of an account number by its country.
const IBAN_LENGTHS: &[(&[u8; 2], usize)] = &[
    (b"AD", 24),
    (b"AE", 23),
    (b"AT", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BR", 29),
    (b"CH", 21),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DK", 18),
    (b"EE", 20),
    (b"ES", 24),
    (b"FI", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GI", 23),
    (b"GR", 27),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"MC", 27),
    (b"MT", 31),
    (b"NL", 18),
    (b"NO", 15),
    (b"PL", 28),
    (b"PT", 25),
    (b"RO", 24),
    (b"RS", 22),
    (b"SA", 24),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"TR", 26),
    (b"UA", 29),
    (b"XK", 20),
];
/// Accounts that documentation uses.
const EXAMPLE_ACCOUNTS: &[&str] = &[
    "GB82WEST12345698765432",
    "GB33BUKB20201555555555",
    "GB29NWBK60161331926819",
    "DE89370400440532013000",
    "DE75512108001245126199",
    "FR1420041010050500013M02606",
    "FR7630006000011234567890189",
    "NL91ABNA0417164300",
    "BE68539007547034",
    "CH9300762011623852957",
    "ES9121000418450200051332",
    "AT611904300234573201",
    "IT60X0542811101000000123456",
    "NO9386011117947",
];
/// The most characters of an account number in groups of four.
const LONGEST_ACCOUNT: usize = 40;

/// The number whose first digits begin at `at`.
pub(super) fn find(text: &str, at: usize) -> Option<TextMatch> {
    card(text, at).or_else(|| account(text, at)).or_else(|| person(text, at))
}

/// Whether a number stands alone: no decimal point, sign or letter touches it.
fn stands_alone(bytes: &[u8], begin: usize, end: usize) -> bool {
    let front = before(bytes, begin);
    let is_free = begins_word(bytes, begin) && !matches!(front, Some(b'.' | b'-' | b'+'));
    let next = |by: usize| bytes.get(end + by).copied();
    let goes_on =
        matches!(next(0), Some(b'.' | b'-')) && next(1).is_some_and(|byte| DIGITS.contains(byte));
    is_free && ends_word(bytes, end) && !goes_on
}

fn card(text: &str, at: usize) -> Option<TextMatch> {
    let bytes = text.as_bytes();
    let end = match DIGITS.run(bytes, at, 20) {
        length @ 13..=19 => at + length,
        4 => CARD_GROUPS.iter().find_map(|groups| end_of_groups(bytes, at, groups))?,
        _ => return None,
    };
    let number: String = text.get(at..end)?.chars().filter(char::is_ascii_digit).collect();
    let is_card = stands_alone(bytes, at, end)
        && is_issued(&number)
        && luhn(number.as_bytes())
        && !TEST_CARDS.contains(&number.as_str());
    is_card.then_some(TextMatch { at: at..end, what: "card-number" })
}

/// Where digits in these groups end. The separator is the same everywhere.
fn end_of_groups(bytes: &[u8], at: usize, groups: &[usize]) -> Option<usize> {
    let separator = bytes.get(at + groups.first()?).filter(|byte| matches!(byte, b' ' | b'-'))?;
    let mut end = at;
    for (number, length) in groups.iter().enumerate() {
        if number > 0 {
            end += usize::from(bytes.get(end) == Some(separator));
        }
        if DIGITS.run(bytes, end, length + 1) != *length {
            return None;
        }
        end += length;
    }
    Some(end)
}

/// Whether an issuer has cards that begin like this and have this length.
fn is_issued(number: &str) -> bool {
    let begins = |length: usize| number.get(..length).and_then(|text| text.parse::<u32>().ok());
    let (Some(two), Some(three), Some(four)) = (begins(2), begins(3), begins(4)) else {
        return false;
    };
    match number.len() {
        13 => two / 10 == 4,
        14 => two == 36 || two == 38 || (300..=305).contains(&three),
        15 => two == 34 || two == 37,
        16 => {
            two / 10 == 4
                || (51..=55).contains(&two)
                || (2221..=2720).contains(&four)
                || (3528..=3589).contains(&four)
                || four == 6011
                || two == 65
                || (644..=649).contains(&three)
                || two == 62
        }
        17 | 18 => two == 62,
        19 => two / 10 == 4 || two == 62,
        _ => false,
    }
}

/// Every second digit from the right counts twice; the sum of all digits is a multiple of ten.
fn luhn(digits: &[u8]) -> bool {
    let values = digits.iter().rev().enumerate().map(|(at, digit)| {
        let value = u32::from(digit - b'0') << (at % 2);
        if value > 9 { value - 9 } else { value }
    });
    values.sum::<u32>().is_multiple_of(10)
}

/// An account whose check digits begin at `at`; its country stands in front of them.
fn account(text: &str, at: usize) -> Option<TextMatch> {
    let bytes = text.as_bytes();
    let begin = at.checked_sub(2)?;
    let country = bytes.get(begin..at)?;
    let (_, length) = IBAN_LENGTHS.iter().find(|(code, _)| code.as_slice() == country)?;
    let set = ByteSet::UPPER.with("0123456789 ");
    let said = text.get(begin..begin + set.run(bytes, begin, LONGEST_ACCOUNT))?;
    let (mut number, mut end) = (String::new(), begin);
    for (by, letter) in said.char_indices() {
        let is_group = number.len().is_multiple_of(4);
        match letter {
            ' ' if is_group && !said[..by].ends_with(' ') => {}
            ' ' => break,
            _ => number.push(letter),
        }
        if number.len() == *length {
            end = begin + by + 1;
            break;
        }
    }
    let is_account = end > begin
        && stands_alone(bytes, begin, end)
        && remainder(&number) == 1
        && !EXAMPLE_ACCOUNTS.contains(&number.as_str());
    is_account.then_some(TextMatch { at: begin..end, what: "account-number" })
}

/// The remainder by 97, with the first four characters at the end and letters as numbers from 10.
fn remainder(number: &str) -> u32 {
    let (first, rest) = number.split_at(number.len().min(4));
    rest.chars().chain(first.chars()).filter_map(|letter| letter.to_digit(36)).fold(
        0,
        |sum, value| {
            let shift = if value > 9 { 100 } else { 10 };
            (sum * shift + value) % 97
        },
    )
}

fn person(text: &str, at: usize) -> Option<TextMatch> {
    let bytes = text.as_bytes();
    match DIGITS.run(bytes, at, 7) {
        3 => american(text, at),
        6 => british(text, at),
        _ => None,
    }
}

/// A social security number or a taxpayer's number: `123-45-6789` with the rules of its parts.
fn american(text: &str, at: usize) -> Option<TextMatch> {
    let bytes = text.as_bytes();
    let dashes = [at + 3, at + 6].iter().all(|dash| bytes.get(*dash) == Some(&b'-'));
    let is_long = DIGITS.run(bytes, at + 4, 3) == 2 && DIGITS.run(bytes, at + 7, 5) == 4;
    let end = at + 11;
    if !dashes || !is_long || !stands_alone(bytes, at, end) {
        return None;
    }
    let part = |begin: usize, length: usize| text.get(begin..begin + length)?.parse::<u32>().ok();
    let (area, group, serial) = (part(at, 3)?, part(at + 4, 2)?, part(at + 7, 4)?);
    let is_social = area != 0 && area != 666 && area < 900 && group != 0 && serial != 0;
    let is_tax =
        area >= 900 && matches!(group, 50..=65 | 70..=88 | 90..=92 | 94..=99) && serial != 0;
    // Numbers of advertisements and examples.
    let is_example =
        matches!((area, group, serial), (123, 45, 6789) | (78, 5, 1120) | (219, 9, 9999));
    ((is_social || is_tax) && !is_example)
        .then_some(TextMatch { at: at..end, what: "person-number" })
}

/// A national insurance number: two letters, six digits and a letter from A to D.
fn british(text: &str, at: usize) -> Option<TextMatch> {
    let bytes = text.as_bytes();
    let begin = at.checked_sub(2)?;
    let (first, second) = (*bytes.get(begin)?, *bytes.get(begin + 1)?);
    let end = at + 7;
    let letters = ByteSet::of("ABCEGHJKLMNOPRSTWXYZ");
    let pair = [first, second];
    let is_open = [b"BG", b"GB", b"NK", b"KN", b"TN", b"NT", b"ZZ"].contains(&&pair);
    let is_number = letters.contains(first)
        && letters.contains(second)
        && second != b'O'
        && !is_open
        && matches!(bytes.get(at + 6), Some(b'A'..=b'D'))
        && stands_alone(bytes, begin, end)
        && text.get(begin..end)? != "AB123456C";
    is_number.then_some(TextMatch { at: begin..end, what: "person-number" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(text: &str) -> Option<(&'static str, &str)> {
        let at = text.find(|letter: char| letter.is_ascii_digit()).unwrap();
        find(text, at).map(|one| (one.what, &text[one.at]))
    }

    #[test]
    fn numbers_with_their_checksums_are_found() {
        let cases = [
            ("card: 4539578763621486.", "card-number", "4539578763621486"),
            ("4539 5787 6362 1486 12", "card-number", "4539 5787 6362 1486"),
            ("3714-496353-98126", "card-number", "3714-496353-98126"),
            ("2712345678901871", "card-number", "2712345678901871"),
            ("IBAN DE70512345000098765432,", "account-number", "DE70512345000098765432"),
            ("GB32 QUIL 6016 1331 9268 19", "account-number", "GB32 QUIL 6016 1331 9268 19"),
            ("ssn=212-34-5678;", "person-number", "212-34-5678"),
            ("912-70-1234", "person-number", "912-70-1234"),
            ("JG103759A", "person-number", "JG103759A"),
        ];
        for (text, what, number) in cases {
            assert_eq!(found(text), Some((what, number)), "{text}");
        }
    }

    #[test]
    fn wrong_checksums_forms_and_published_numbers_are_left() {
        let none = [
            "4539578763621487",
            "4539 5787-6362 1486",
            "1.4539578763621486",
            "14539578763621486",
            "x4539578763621486",
            "4539578763621486.5",
            "4111 1111 1111 1111",
            "9539578763621489",
            "DE71512345000098765432",
            "GB82 WEST 1234 5698 7654 32",
            "GB32 QUIL  6016 1331 9268 19",
            "QQ70512345000098765432",
            "000-12-3456",
            "666-12-3456",
            "123-00-4567",
            "123-45-0000",
            "123-45-6789",
            "900-12-3456",
            "1-212-34-5678",
            "212-34-56789",
            "ZZ103759A",
            "JG103759E",
            "DG103759A",
            "103759",
        ];
        none.iter().for_each(|text| assert_eq!(found(text), None, "{text}"));
    }

    proptest! {
        #[test]
        fn one_wrong_digit_breaks_the_checksum(
            number in "4[0-9]{15}", account in "[A-Z0-9]{18}", at in 0..16_usize, by in 1..10_u8,
        ) {
            let digits = number.as_bytes().to_vec();
            let mut other = digits.clone();
            other[at] = b'0' + (other[at] - b'0' + by) % 10;
            prop_assert!(!(luhn(&digits) && luhn(&other)));
            let check = 98 - remainder(&format!("DE00{account}"));
            prop_assert_eq!(remainder(&format!("DE{check:02}{account}")), 1);
        }
    }
}
