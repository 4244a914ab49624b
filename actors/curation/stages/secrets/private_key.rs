//! Private keys in PEM, also with line breaks that are written as `\n`.

use crate::curation::TextMatch;
use crate::curation::stages::byte_set::ByteSet;

/// How they begin.
pub(super) const BEGIN: &str = "-----BEGIN ";
/// The most bytes of a key that are looked at.
const LONGEST: usize = 16 * 1_024;
/// A key has at least so many characters of base64. Documentation has fewer.
const LEAST: usize = 48;
/// The characters of a key's lines.
const LINES: ByteSet = ByteSet::BASE64.with(" \t\r\n\\:,.\"'");

/// The key whose first line begins at `at`, up to its last line. A key that is cut ends with its text.
pub(super) fn find(text: &str, at: usize) -> Option<TextMatch> {
    let bytes = text.as_bytes();
    let name = at + BEGIN.len();
    let length = ByteSet::UPPER.with("0123456789 ").run(bytes, name, 60);
    let kind = text.get(name..name + length)?;
    if !kind.ends_with("PRIVATE KEY") && !kind.ends_with("PRIVATE KEY BLOCK") {
        return None;
    }
    let begin = name + length + 5;
    if bytes.get(name + length..begin)? != b"-----" {
        return None;
    }
    // The next dashes end it, also those of another key. So no text is looked at twice.
    let rest = bytes.get(begin..bytes.len().min(begin + LONGEST))?;
    let dashes = rest.windows(5).position(|five| five == b"-----");
    let body = LINES.run(bytes, begin, dashes.unwrap_or(rest.len()));
    let lines = text.get(begin..begin + body)?;
    let key = lines.bytes().filter(|byte| ByteSet::BASE64.contains(*byte)).count();
    if key < LEAST {
        return None;
    }
    let end = last_line(text, begin + lines.len()).unwrap_or(begin + lines.trim_end().len());
    Some(TextMatch { at: at..end, what: "private-key" })
}

/// Where the line `-----END … KEY-----` that begins at `at` ends.
fn last_line(text: &str, at: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let name = at + "-----END ".len();
    if text.get(at..name)? != "-----END " {
        return None;
    }
    let end = name + ByteSet::UPPER.with("0123456789 ").run(bytes, name, 60);
    (bytes.get(end..end + 5)? == b"-----").then_some(end + 5)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = "MC4CAQAwBQYDK2VwBCIEIGq7h0v3sT9\nYc2ZbXw5Jr1Ln8Kd4Fm6Pt0Ue";

    fn key(dashes: &str, body: &str) -> String {
        format!("{dashes}BEGIN PRIVATE KEY{dashes}\n{body}\n{dashes}END PRIVATE KEY{dashes}")
    }

    #[test]
    fn a_key_ends_with_its_last_line_and_escapes_are_seen_through() {
        let plain = key("-----", BODY);
        for text in [plain.clone(), plain.replace('\n', "\\n")] {
            let passage = find(&format!("{text}\" and more"), 0).unwrap();
            assert_eq!(passage.at, 0..text.len());
        }
        let cut = plain.split("\n-----END").next().unwrap();
        assert_eq!(find(cut, 0).unwrap().at, 0..cut.len());
    }

    #[test]
    fn public_keys_and_keys_without_content_are_none() {
        let key = key("-----", BODY);
        assert_eq!(find(&key.replace("PRIVATE", "PUBLIC"), 0), None);
        assert_eq!(find(&key.replace(BODY, "..."), 0), None);
        assert_eq!(find("-----BEGIN PRIVATE KEY-----", 0), None);
    }
}
