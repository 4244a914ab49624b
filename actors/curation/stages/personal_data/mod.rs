//! Stage `personal-data`: mail addresses, phone, card and account numbers, numbers of persons, public addresses
//! of hosts, and given names.
//!
//! One pass over a text stops at `@`, at `+` and where digits begin. What is there is looked at closely: numbers
//! must have their length, their form and their checksum. What documentation uses by rule (RFC 2606, RFC 5737, the test
//! cards of payment services) belongs to nobody.
//!
//! - `mail`: mail addresses.
//! - `phone`: phone numbers in the international form.
//! - `numbers`: cards, accounts (IBAN), numbers of persons.
//! - `host_address`: public IP addresses.

mod host_address;
mod mail;
mod numbers;
mod phone;

use super::allow_list::AllowList;
use super::byte_set::{ByteSet, before};
use super::given_names::GivenNames;
use crate::curation::{TextFinder, TextMatch, TextSource};

/// Finds personal data.
pub(super) struct PersonalData {
    names: GivenNames,
    allowed: AllowList,
}

impl PersonalData {
    /// A finder of personal data and of these names, that leaves what `allow` says.
    pub(super) fn new(names: &[String], allow: &[String]) -> Self {
        Self { names: GivenNames::new(names), allowed: AllowList::new(allow) }
    }
}

impl TextFinder for PersonalData {
    fn find(&self, text: &str, _: TextSource) -> Vec<TextMatch> {
        let bytes = text.as_bytes();
        let mut found = Vec::new();
        let mut at = 0;
        while let Some(stop) = bytes.iter().skip(at).position(|byte| STOPS[usize::from(*byte)]) {
            at += stop;
            let digits = ByteSet::DIGITS.run(bytes, at, bytes.len());
            found.extend(match bytes[at] {
                b'@' => mail::find(text, at),
                b'+' => phone::find(text, at),
                _ if !may_begin(bytes, at, digits) => None,
                _ => host_address::find(text, at).or_else(|| numbers::find(text, at)),
            });
            at += digits.max(1);
        }
        self.names.scan(text, "given-name", &mut found);
        self.allowed.settle(text, found)
    }
}

/// Whether so many digits may begin a number or an address. Most digits in a text do not.
fn may_begin(bytes: &[u8], at: usize, digits: usize) -> bool {
    let next = bytes.get(at + digits);
    let begins = match digits {
        1 | 2 => next == Some(&b'.'),
        3 => matches!(next, Some(b'.' | b'-')),
        4 => matches!(next, Some(b' ' | b'-')),
        _ => (13..=19).contains(&digits),
    };
    // IPv6 has a colon behind the first four; countries and letters of numbers are capitals.
    begins
        || bytes.get(at + 4) == Some(&b':')
        || before(bytes, at).is_some_and(|byte| byte.is_ascii_uppercase())
}

/// Where the pass stops.
static STOPS: [bool; 256] = stops();

const fn stops() -> [bool; 256] {
    let mut stops = [false; 256];
    stops[b'@' as usize] = true;
    stops[b'+' as usize] = true;
    let mut digit = b'0';
    while digit <= b'9' {
        stops[digit as usize] = true;
        digit += 1;
    }
    stops
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(text: &str) -> Vec<(&'static str, &str)> {
        let data = PersonalData::new(&["Ada Quill".to_owned()], &["re:@corp\\.dev$".to_owned()]);
        let all = data.find(text, TextSource::Shown);
        all.into_iter().map(|one| (one.what, &text[one.at])).collect()
    }

    #[test]
    fn each_sort_is_found_in_one_text_in_order() {
        let text = "Ada Quill <ada.q@quill.dev>, +49 170 5550199, from 93.184.215.14 and bob@corp.dev; \
            5212345678901235 is no card, 4539578763621486 is one; ADA QUILL, NADA QUILLS";
        let expected = [
            ("given-name", "Ada Quill"),
            ("mail-address", "ada.q@quill.dev"),
            ("phone-number", "+49 170 5550199"),
            ("host-address", "93.184.215.14"),
            ("card-number", "4539578763621486"),
            ("given-name", "ADA QUILL"),
        ];
        assert_eq!(found(text), expected);
    }

    #[test]
    fn the_numbers_of_agents_work_are_nobodys() {
        let text = "@@ -1,7 +12,8 @@ def f(x):\n+2023111209 rows\n+1700000000\n drwxr-xr-x 2 1000 1000 4096 \
            2024-01-02 12:34:56.123456789 +0200 .\nPython 3.11.4, pip==23.1.2.1 lodash@4.17.21 icon@2x.png \
            1719849600000000000 0.4539578763621486 id 123e4567-e89b-12d3-a456-426614174000 [100%] \
            git@github.com:a/b.git agent@example.com 127.0.0.1:8080 10.1.2.3 ::1 fe80::1 2001:db8::1 \
            sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 v1.2.3.4 1.2.3.4.5 \
            Chrome/120.0.0.0 999.1.2.3 1,234,567 000-12-3456 123-45-6789 4111111111111111 +1 555 0100";
        assert!(found(text).is_empty(), "{:?}", found(text));
    }

    proptest! {
        #[test]
        fn passages_are_in_order_and_at_boundaries_of_characters(
            text in "([a-z0-9.@+:() -]|é|4539578763621486|[A-Z]{2}[0-9]{2}| ){0,80}",
        ) {
            let mut end = 0;
            for one in PersonalData::new(&[], &[]).find(&text, TextSource::Shown) {
                prop_assert!(one.at.start >= end && one.at.end > one.at.start);
                prop_assert!(text.get(one.at.clone()).is_some());
                end = one.at.end;
            }
        }
    }
}
