//! Secrets that are known by what stands around them: in URLs, in headers, in the arguments of `curl`, and
//! tokens whose telling part is in their middle.

use super::randomness::{entropy, is_mixed, is_placeholder};
use crate::curation::TextMatch;
use crate::curation::stages::byte_set::{ByteSet, before, begins_word, ends_word, is_escape};

/// A literal with what looks at its place.
pub(super) type CarriedCheck = (&'static str, fn(&str, usize) -> Option<TextMatch>);

/// The literals, and what looks at their places. Upper and lower case are the same.
pub(super) const CARRIED: &[CarriedCheck] = &[
    ("://", url_password),
    ("basic ", basic),
    ("bearer ", bearer),
    (" -u ", curl_user),
    (" --user ", curl_user),
    ("eyJ", json_web_token),
    (":AA", telegram),
    ("-us", mailchimp),
    ("0Q~", azure_client),
    ("1Q~", azure_client),
    ("2Q~", azure_client),
    ("3Q~", azure_client),
    ("4Q~", azure_client),
    ("5Q~", azure_client),
    ("6Q~", azure_client),
    ("7Q~", azure_client),
    ("8Q~", azure_client),
    ("9Q~", azure_client),
];

/// The most bytes of a name or a password that are looked at.
const LONGEST: usize = 256;
/// What ends the user and the password of a URL.
const URL_END: ByteSet = ByteSet::of("/?#@ \t\r\n\"'`<>\\|");
/// What ends an argument of a command.
const ARGUMENT_END: ByteSet = ByteSet::of(" \t\r\n\"'\\`;|&");
/// How far in front of ` -u ` the word `curl` may stand.
const CURL_WITHIN: usize = 200;

fn found(what: &'static str, begin: usize, end: usize) -> Option<TextMatch> {
    Some(TextMatch { at: begin..end, what })
}

/// The password of `scheme://user:password@host`.
fn url_password(text: &str, at: usize) -> Option<TextMatch> {
    let bytes = text.as_bytes();
    let begin = at + 3;
    let end = until(bytes, begin, URL_END);
    if bytes.get(end) != Some(&b'@') || !ByteSet::ALNUM.contains(before(bytes, at)?) {
        return None;
    }
    let colon = begin + text.get(begin..end)?.find(':')?;
    let (user, password) = (text.get(begin..colon)?, text.get(colon + 1..end)?);
    let is_host = ByteSet::ALNUM.with("[_").contains(bytes.get(end + 1).copied()?);
    let is_found = is_host && is_password(user, password);
    is_found.then(|| TextMatch { at: colon + 1..end, what: "url-password" })
}

/// Where bytes that are not in `stop` end.
fn until(bytes: &[u8], begin: usize, stop: ByteSet) -> usize {
    let rest = bytes.iter().skip(begin).take(LONGEST);
    begin + rest.take_while(|byte| !stop.contains(**byte)).count()
}

/// Whether a password is none that documentation and tests write.
fn is_password(user: &str, password: &str) -> bool {
    let common = [
        "pass",
        "pwd",
        "pw",
        "secret",
        "token",
        "user",
        "x-oauth-basic",
        "x",
        "xxx",
        "yyy",
        "test",
        "foo",
        "bar",
    ];
    let lower = password.to_ascii_lowercase();
    let is_masked = password.bytes().all(|byte| byte == b'*');
    !is_masked && password != user && !common.contains(&lower.as_str()) && !is_placeholder(password)
}

/// `Basic` with the base64 of `user:password`.
fn basic(text: &str, at: usize) -> Option<TextMatch> {
    let (bytes, begin) = (text.as_bytes(), at + "basic ".len());
    let length = ByteSet::BASE64.run(bytes, begin, LONGEST);
    let value = text.get(begin..begin + length)?;
    if length < 8 || !begins_word(bytes, at) {
        return None;
    }
    let decoded = decoded(value.as_bytes());
    let is_printed = decoded.iter().all(|byte| (0x20..0x7f).contains(byte));
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    let decoded = std::str::from_utf8(&decoded).ok()?;
    let is_secret = is_printed && is_password(decoded.get(..colon)?, decoded.get(colon + 1..)?);
    is_secret.then(|| TextMatch { at: begin..begin + length, what: "basic-auth" })
}

/// `Bearer` with a token.
fn bearer(text: &str, at: usize) -> Option<TextMatch> {
    let (bytes, begin) = (text.as_bytes(), at + "bearer ".len());
    let length = ByteSet::BASE64.with(".~").run(bytes, begin, 4 * LONGEST);
    let value = text.get(begin..begin + length)?.trim_end_matches('.');
    let is_token = value.len() >= 16
        && begins_word(bytes, at)
        && value.bytes().any(|byte| byte.is_ascii_digit())
        && entropy(value.as_bytes()) >= 3.0
        && !is_placeholder(value);
    is_token.then(|| TextMatch { at: begin..begin + value.len(), what: "bearer-token" })
}

/// The password of `curl -u user:password`, or the key of `curl -u key:`.
fn curl_user(text: &str, at: usize) -> Option<TextMatch> {
    let bytes = text.as_bytes();
    if !follows_curl(bytes, at) {
        return None;
    }
    let quotes = ByteSet::of("\"'\\");
    let flag = at + 1 + text.get(at + 1..)?.find(' ')?;
    let begin = flag + quotes.with(" ").run(bytes, flag, 5);
    let name = until(bytes, begin, ARGUMENT_END.with(":"));
    let colon = name + quotes.run(bytes, name, 2);
    let value = colon + 1 + quotes.run(bytes, colon + 1, 2);
    let end = until(bytes, value, ARGUMENT_END);
    let (user, password) = (text.get(begin..name)?, text.get(value..end)?);
    if bytes.get(colon) != Some(&b':') {
        return None;
    }
    if password.len() >= 3 {
        return if is_password(user, password) { found("basic-auth", value, end) } else { None };
    }
    let is_key = password.is_empty() && user.len() >= 8 && is_mixed(user.as_bytes());
    let is_key = is_key && entropy(user.as_bytes()) >= 3.0 && !is_placeholder(user);
    if is_key { found("basic-auth", begin, name) } else { None }
}

/// Whether `curl` stands in front in the same line. A line goes on behind a backslash at its end.
fn follows_curl(bytes: &[u8], at: usize) -> bool {
    let near = bytes.get(at.saturating_sub(CURL_WITHIN)..at).unwrap_or_default();
    let ends = |two: &[u8]| two[1] == b'\n' && two[0] != b'\\';
    let line = &near[near.windows(2).rposition(ends).map_or(0, |end| end + 2)..];
    line.ends_with(b"curl") || line.windows(5).any(|word| word == b"curl ")
}

/// Three parts in base64 for URLs. The first is JSON and names its algorithm.
fn json_web_token(text: &str, at: usize) -> Option<TextMatch> {
    let bytes = text.as_bytes();
    if !begins_word(bytes, at) || before(bytes, at) == Some(b'-') {
        return None;
    }
    let mut end = at;
    let mut parts = [0; 3];
    for (number, length) in parts.iter_mut().enumerate() {
        if number > 0 && bytes.get(end) != Some(&b'.') {
            return None;
        }
        let begin = end + usize::from(number > 0);
        *length = ByteSet::URL_SAFE.run(bytes, begin, 16 * LONGEST);
        end = begin + *length;
    }
    let is_long = parts.iter().all(|length| *length >= 10);
    if !is_long || text.get(at..at + 3)? != "eyJ" {
        return None;
    }
    let head = decoded(bytes.get(at..at + parts[0].min(4 * LONGEST))?);
    let names = |key: &[u8]| head.windows(key.len()).any(|part| part == key);
    let is_token = head.starts_with(b"{") && (names(b"\"alg\"") || names(b"\"typ\""));
    (is_token && ends_word(bytes, end)).then_some(TextMatch { at: at..end, what: "json-web-token" })
}

/// `123456789:AA…`, where 33 characters follow.
fn telegram(text: &str, at: usize) -> Option<TextMatch> {
    let bytes = text.as_bytes();
    let number = ByteSet::DIGITS.run_back(bytes, at, 11);
    let length = ByteSet::URL_SAFE.run(bytes, at + 3, 34);
    let begin = at.checked_sub(number)?;
    let is_token = (8..=10).contains(&number)
        && length == 33
        && text.get(at..at + 3)? == ":AA"
        && begins_word(bytes, begin)
        && entropy(bytes.get(at + 3..at + 36)?) >= 3.0;
    is_token.then(|| TextMatch { at: begin..at + 36, what: "telegram-token" })
}

/// 32 hexadecimal digits in front of `-us12`.
fn mailchimp(text: &str, at: usize) -> Option<TextMatch> {
    let bytes = text.as_bytes();
    let key = ByteSet::HEX.run_back(bytes, at, 33);
    let number = ByteSet::DIGITS.run(bytes, at + 3, 3);
    let end = at + 3 + number;
    let begin = at.checked_sub(key)?;
    let is_key = key == 32
        && (1..=2).contains(&number)
        && begins_word(bytes, begin)
        && ends_word(bytes, end)
        && entropy(bytes.get(begin..at)?) >= 3.0;
    if is_key { found("mailchimp-key", begin, end) } else { None }
}

/// Three characters, a digit, `Q~` and 31 to 34 characters.
fn azure_client(text: &str, at: usize) -> Option<TextMatch> {
    let bytes = text.as_bytes();
    let body = ByteSet::WORD.with("~.-");
    let head = body.run_back(bytes, at, 4);
    let length = body.run(bytes, at + 3, 35);
    let begin = at.checked_sub(3)?;
    let value = bytes.get(begin..at + 3 + length)?;
    let is_secret = (head == 3 || is_escape(bytes, begin))
        && (31..=34).contains(&length)
        && text.get(at + 1..at + 3)? == "Q~"
        && entropy(value) >= 3.0
        && is_mixed(value)
        && !is_placeholder(text.get(at + 3..at + 3 + length)?);
    if is_secret { found("azure-client-secret", begin, at + 3 + length) } else { None }
}

/// What stands in base64, of either alphabet. It ends where the text is none.
fn decoded(text: &[u8]) -> Vec<u8> {
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0_u32, 0_u32);
    for byte in text {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => break,
        };
        bits = ((bits << 6) | u32::from(value)) & 0xffff;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(((bits >> held) & 0xff) as u8);
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_both_alphabets_is_read() {
        assert_eq!(decoded(b"YWRhOldvbGYzcjk="), b"ada:Wolf3r9");
        assert_eq!(decoded(b"-_-_"), decoded(b"+/+/"));
        assert_eq!(decoded(b"eyJhbGciOiJIUzI1NiJ9"), br#"{"alg":"HS256"}"#);
    }

    #[test]
    fn the_password_of_a_url_is_found_and_nothing_else_of_it() {
        let text = "clone https://ada:Wolf3r9k@git.corp.dev/x and https://ada@git.corp.dev";
        let at = text.find("://").unwrap();
        let passage = url_password(text, at).unwrap();
        assert_eq!((&text[passage.at], passage.what), ("Wolf3r9k", "url-password"));
        let none =
            ["https://url:8000\";@x.y", "http://u:${PW}@h.io", "http://h:80/a@b", "s://u:@h"];
        none.iter().for_each(|text| {
            assert_eq!(url_password(text, text.find("://").unwrap()), None, "{text}");
        });
    }
}
