//! Public addresses of hosts, of both versions of IP.

use crate::curation::TextMatch;
use crate::curation::stages::byte_set::{ByteSet, before, ends_word};
use std::net::{Ipv4Addr, Ipv6Addr};

/// What addresses are.
const WHAT: &str = "host-address";
/// Resolvers that everyone uses. They tell nothing of a person.
const RESOLVERS: &[[u8; 4]] =
    &[[8, 8, 8, 8], [8, 8, 4, 4], [1, 1, 1, 1], [1, 0, 0, 1], [9, 9, 9, 9], [208, 67, 222, 222]];

/// The address whose first digit stands at `at`.
pub(super) fn find(text: &str, at: usize) -> Option<TextMatch> {
    let bytes = text.as_bytes();
    if before(bytes, at).is_some_and(|byte| NO_FRONT.contains(byte)) {
        return None;
    }
    match ByteSet::DIGITS.run(bytes, at, 4) {
        1..=3 if bytes.get(at + ByteSet::DIGITS.run(bytes, at, 4)) == Some(&b'.') => v4(text, at),
        _ => v6(text, at),
    }
}

/// What stands in front of no address.
const NO_FRONT: ByteSet = ByteSet::WORD.with(".-:");

fn v4(text: &str, at: usize) -> Option<TextMatch> {
    let bytes = text.as_bytes();
    let length = ByteSet::DIGITS.with(".").run(bytes, at, 17);
    let said = text.get(at..at + length)?.trim_end_matches('.');
    let address: Ipv4Addr = said.parse().ok()?;
    let end = at + said.len();
    let goes_on = !ends_word(bytes, end) || matches!(bytes.get(end), Some(b'-'));
    let is_found = !goes_on && !is_version(text.get(..at)?) && is_public(address);
    is_found.then_some(TextMatch { at: at..end, what: WHAT })
}

/// Whether the text in front says that a version follows, such as `pip==`, `version ` or `Chrome/`.
fn is_version(front: &str) -> bool {
    let bytes = front.as_bytes();
    let of_product = bytes.ends_with(b"/")
        && before(bytes, bytes.len() - 1).is_some_and(|byte| byte.is_ascii_alphabetic());
    let ends = |word: &[u8]| {
        let begin = bytes.len().checked_sub(word.len());
        begin.is_some_and(|begin| bytes[begin..].eq_ignore_ascii_case(word))
    };
    let compared: [&[u8]; 4] = [b"==", b">=", b"<=", b"~="];
    of_product || compared.into_iter().any(ends) || ends(b"version ") || ends(b"version: ")
}

/// Whether an address belongs to a host of the public net.
fn is_public(address: Ipv4Addr) -> bool {
    let [first, second, third, _] = address.octets();
    let is_shared = first == 100 && (64..128).contains(&second);
    let is_for_tests = first == 198 && (18..20).contains(&second);
    let is_protocol = first == 192 && second == 0 && third == 0;
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || is_shared
        || is_for_tests
        || is_protocol
        || first == 0
        || first >= 224
        || RESOLVERS.contains(&address.octets()))
}

/// Global addresses begin with four digits, of which the first is 2 or 3.
fn v6(text: &str, at: usize) -> Option<TextMatch> {
    let bytes = text.as_bytes();
    let begins = matches!(bytes.get(at), Some(b'2' | b'3')) && bytes.get(at + 4) == Some(&b':');
    if !begins {
        return None;
    }
    let length = ByteSet::HEX.with(":").run(bytes, at, 46);
    let said = text.get(at..at + length)?.trim_end_matches(':');
    let address: Ipv6Addr = said.parse().ok()?;
    let groups = said.split(':').filter(|group| !group.is_empty()).count();
    let segments = address.segments();
    let is_documentation = segments[0] == 0x2001 && segments[1] == 0xdb8;
    let end = at + said.len();
    let is_found = groups >= 3 && !is_documentation && ends_word(bytes, end);
    is_found.then_some(TextMatch { at: at..end, what: WHAT })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<&str> {
        let at = text.find(|letter: char| letter.is_ascii_digit()).unwrap();
        find(text, at).map(|one| &text[one.at])
    }

    #[test]
    fn public_addresses_are_found() {
        let cases = [
            ("at 133.21.7.133@x", "133.21.7.133"),
            ("http://93.184.215.14:8080/", "93.184.215.14"),
            ("93.184.215.14.", "93.184.215.14"),
            ("[2a00:1450:4001:812::200e]:443", "2a00:1450:4001:812::200e"),
            ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"),
        ];
        cases.iter().for_each(|(text, address)| assert_eq!(found(text), Some(*address), "{text}"));
    }

    #[test]
    fn private_reserved_and_wrong_ones_and_versions_are_left() {
        let none = [
            "127.0.0.1",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.0.1",
            "169.254.169.254",
            "203.0.113.9",
            "100.64.0.1",
            "256.256.256.256",
            "1.2.3",
            "1.2.3.4.5.6",
            "1.2.3.04",
            "v1.2.3.4",
            "pip==23.1.2.1",
            "Chrome/120.1.0.2",
            "version 12.0.40.1",
            "12.0.40.1-rc",
            "8.8.8.8",
            "0.0.0.0",
            "255.255.255.255",
            "2001:db8::1",
            "2024:01:02",
            "2024::",
            "12:34:56",
        ];
        none.iter().for_each(|text| assert_eq!(found(text), None, "{text}"));
    }
}
