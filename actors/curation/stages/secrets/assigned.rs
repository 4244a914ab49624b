//! Values that a telling name is given: `password = "…"`, `"api_key": "…"`, `export TOKEN=…`,
//! `if (secret == "…")`. A name alone is nothing, and so is a random value alone: a digest, a commit, an identifier.

use super::randomness::{entropy, is_placeholder, is_wordy};
use crate::curation::TextMatch;
use crate::curation::stages::byte_set::{ByteSet, before};
use std::ops::Range;

/// What the values are.
pub(super) const ASSIGNED: &str = "assigned-secret";

/// The words of names. Upper and lower case are the same.
pub(super) const WORDS: &[&str] =
    &["password", "passwd", "passphrase", "pwd", "_pass", "secret", "token", "key", "cred", "auth"];

/// What stands in front of `key` if the value is a secret.
const SECRET_KEYS: &[&str] = &[
    "api",
    "auth",
    "access",
    "private",
    "priv",
    "secret",
    "client",
    "service",
    "account",
    "db",
    "database",
    "encryption",
    "encrypt",
    "signing",
    "master",
    "storage",
    "deploy",
    "admin",
    "hmac",
    "crypto",
    "license",
    "session",
];
/// What stands in front of a word if the value is no secret.
const OPEN_BEFORE: &[&str] = &[
    "public",
    "pub",
    "csrf",
    "xsrf",
    "page",
    "continuation",
    "cursor",
    "sync",
    "max",
    "min",
    "num",
    "stop",
    "pad",
    "eos",
    "bos",
    "unk",
    "mask",
    "sep",
    "special",
    "foreign",
    "primary",
];
/// What follows a word if the value is no secret.
const OPEN_BEHIND: &[&str] = &[
    "id",
    "name",
    "length",
    "len",
    "size",
    "count",
    "limit",
    "type",
    "url",
    "uri",
    "path",
    "file",
    "dir",
    "hash",
    "digest",
    "sha",
    "md5",
    "checksum",
    "algorithm",
    "expir",
    "ttl",
    "index",
    "field",
    "label",
    "alias",
    "version",
    "policy",
    "format",
    "pattern",
    "regex",
    "prompt",
    "hint",
    "env",
    "endpoint",
    "usage",
    "budget",
    "arn",
    "vault",
    "pair",
    "signature",
];

/// The most characters of a name on each side of its word.
const LONGEST_NAME: usize = 48;
/// The most bytes of a value.
const LONGEST: usize = 256;
const QUOTES: ByteSet = ByteSet::of("\"'`");
const SPACES: ByteSet = ByteSet::of(" \t");
/// The characters of a name.
const NAME: ByteSet = ByteSet::URL_SAFE;
/// The characters of a value without quotes.
const BARE: ByteSet = ByteSet::BASE64.with(".~!@#$%^*?");
/// What may stand behind a value without quotes.
const BEHIND_BARE: ByteSet = ByteSet::of(" \t\r\n\"'`;,<>)}|&\\");

/// A value that a name is given.
struct AssignedValue {
    at: Range<usize>,
    quoted: bool,
}

/// The value of the name that has a telling word at `at`, if it may be a secret. Most words in a text have no
/// value, so this is looked at first.
pub(super) fn find(text: &str, at: usize, word: &str) -> Option<TextMatch> {
    let (bytes, behind) = (text.as_bytes(), at + word.len());
    let goes_on = bytes.get(behind).is_some_and(u8::is_ascii_lowercase) && word != "cred";
    let is_alone = word == "key" && NAME.run_back(bytes, at, 1) == 0;
    if goes_on || is_alone {
        return None;
    }
    let begin = at - NAME.run_back(bytes, at, LONGEST_NAME);
    let end = behind + NAME.run(bytes, behind, LONGEST_NAME);
    let values = [value_behind(bytes, end), value_in_front(bytes, begin)];
    if values.iter().all(Option::is_none) {
        return None;
    }
    let before = text.get(begin..at)?.to_ascii_lowercase();
    let is_telling = is_telling(&before, word, text.get(behind..end)?);
    let is_password = word.starts_with('p') || word == "_pass";
    let is_secret = |value: &AssignedValue| {
        let said = text.get(value.at.clone());
        said.is_some_and(|said| may_be_secret(said, value.quoted, is_password))
    };
    let value = values.into_iter().flatten().find(is_secret).filter(|_| is_telling)?;
    Some(TextMatch { at: value.at, what: ASSIGNED })
}

/// Whether the value of a name is a secret, by what stands around the word.
fn is_telling(before: &str, word: &str, behind: &str) -> bool {
    let joined = ['_', '-'];
    let before = before.trim_end_matches(joined);
    let last = before.rsplit(joined).next().unwrap_or(before);
    let is_open = |open: &str| last == open || (open.len() > 3 && last.ends_with(open));
    if OPEN_BEFORE.iter().any(|open| is_open(open)) {
        return false;
    }
    // Another word, such as `tokenizer`, `keyboard` or `author`.
    let goes_on = behind.starts_with(|letter: char| letter.is_ascii_lowercase());
    let goes_on = goes_on && !(word == "cred" && is_credential(behind));
    if goes_on || (word == "auth" && !behind.is_empty()) {
        return false;
    }
    if word == "key" && !SECRET_KEYS.iter().any(|kind| before.ends_with(*kind)) {
        return false;
    }
    let behind = behind.to_ascii_lowercase();
    let behind = behind.trim_matches(joined);
    !OPEN_BEHIND.iter().any(|open| behind.starts_with(*open) || behind.ends_with(*open))
}

/// `creds`, `credential` and `credentials`.
fn is_credential(behind: &str) -> bool {
    ["s", "ential", "entials"].iter().any(|rest| {
        let more = behind.strip_prefix(rest);
        more.is_some_and(|more| !more.starts_with(|letter: char| letter.is_ascii_lowercase()))
    })
}

/// The value behind a name that ends at `end`.
fn value_behind(bytes: &[u8], end: usize) -> Option<AssignedValue> {
    let mut at = end + ByteSet::of("\"'`\\)]").run(bytes, end, 4);
    // The length of an array in C.
    if bytes.get(at) == Some(&b'[') {
        at += 1 + ByteSet::DIGITS.with("]").run(bytes, at + 1, 8);
    }
    at += SPACES.run(bytes, at, 24);
    let operator = bytes.get(at..at + ByteSet::of("=:>!,(").run(bytes, at, 4))?;
    at += operator.len();
    at += SPACES.run(bytes, at, 24);
    if let Some(value) = quoted(bytes, at) {
        // Words in front of a quote are no assignment, but `password "…"` of a configuration is one.
        let is_given = !operator.is_empty() || before(bytes, at) == Some(b' ');
        return is_given.then_some(value);
    }
    let is_given = matches!(operator, b"=" | b":" | b":=" | b"=>" | b">" | b"?=" | b"::");
    let value = bare(bytes, at).filter(|_| is_given)?;
    // A type stands between a name and its value: `password: str = "…"`.
    let behind_type = value.at.end + SPACES.run(bytes, value.at.end, 4);
    let is_type = operator == b":" && bytes.get(behind_type) == Some(&b'=');
    if !is_type {
        return Some(value);
    }
    quoted(bytes, behind_type + 1 + SPACES.run(bytes, behind_type + 1, 4))
}

/// A value in quotes that begins at `at`. The quotes may be escaped, or have a letter in front.
fn quoted(bytes: &[u8], at: usize) -> Option<AssignedValue> {
    let is_quote = |at: usize| bytes.get(at).is_some_and(|byte| QUOTES.contains(*byte));
    let has_letter = bytes.get(at).is_some_and(|byte| b"@bruf".contains(byte)) && is_quote(at + 1);
    let at = at + usize::from(has_letter);
    let escaped = bytes.get(at) == Some(&b'\\') && is_quote(at + 1);
    let at = at + usize::from(escaped);
    let quote = bytes.get(at).copied().filter(|byte| QUOTES.contains(*byte))?;
    let begin = at + 1;
    let ends = |byte: u8| byte == quote || byte == b'\n' || (escaped && byte == b'\\');
    let rest = bytes.get(begin..bytes.len().min(begin + LONGEST))?;
    let length = rest.iter().position(|byte| ends(*byte))?;
    (rest[length] != b'\n').then(|| AssignedValue { at: begin..begin + length, quoted: true })
}

/// A value without quotes that begins at `at`.
fn bare(bytes: &[u8], at: usize) -> Option<AssignedValue> {
    let length = BARE.with("&").run(bytes, at, LONGEST);
    let value = bytes.get(at..at + length)?;
    // The next field of a query.
    let amp = value.iter().skip(1).position(|byte| *byte == b'&').map_or(length, |by| by + 1);
    let dots = value[..amp].iter().rev().take_while(|byte| **byte == b'.').count();
    let end = at + amp - dots;
    let ends = bytes.get(at + amp).is_none_or(|byte| BEHIND_BARE.contains(*byte));
    (ends && end > at).then_some(AssignedValue { at: at..end, quoted: false })
}

/// The value in quotes that a name at `begin` is compared with: `"…" == password`.
fn value_in_front(bytes: &[u8], begin: usize) -> Option<AssignedValue> {
    let mut at = begin - SPACES.run_back(bytes, begin, 4);
    let operator = ByteSet::of("=!").run_back(bytes, at, 3);
    if operator < 2 {
        return None;
    }
    at -= operator;
    at -= SPACES.run_back(bytes, at, 4);
    let quote = before(bytes, at).filter(|byte| QUOTES.contains(*byte))?;
    let end = at - 1;
    let rest = bytes.get(end.saturating_sub(LONGEST)..end)?;
    let length = rest.iter().rev().position(|byte| *byte == quote || *byte == b'\n')?;
    Some(AssignedValue { at: end - length..end, quoted: true })
}

/// Whether a value may be a secret, by itself.
fn may_be_secret(value: &str, quoted: bool, is_password: bool) -> bool {
    let bytes = value.as_bytes();
    let least = if is_password && quoted { 6 } else { 8 };
    let entropy_of_words = if is_password { 2.5 } else { 3.0 };
    let any = |set: ByteSet| bytes.iter().any(|byte| set.contains(*byte));
    let is_strong = any(ByteSet::DIGITS) || (quoted && any(ByteSet::of("!@#$%^&*+=?~[]{}|()")));
    let looks_right = bytes.len() >= least
        && bytes.iter().all(|byte| *byte > b' ')
        && any(ByteSet::LETTERS)
        && is_strong
        && entropy(bytes) >= entropy_of_words;
    looks_right && !is_code(value) && !is_placeholder(value) && !is_words(value, is_password)
}

/// Whether a value is a place, a call or another expression.
fn is_code(value: &str) -> bool {
    let begins = ["./", "../", "~/", "synthd-canary-", "synthd-sealed-"];
    let is_call = value.ends_with(')') && value.contains('(');
    value.contains("://") || begins.iter().any(|begin| value.starts_with(begin)) || is_call
}

/// Whether a value is words. People make passwords of one word with a number.
fn is_words(value: &str, is_password: bool) -> bool {
    let is_one = !value.contains(['-', '_', '.', ':', '/', ',']);
    is_wordy(value) && !(is_password && is_one)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values that all words of a text are given.
    fn values(text: &str) -> Vec<&str> {
        let folded = text.to_ascii_lowercase();
        let places = WORDS.iter().flat_map(|word| {
            folded.match_indices(word).map(|(at, word)| (at, word.len())).collect::<Vec<_>>()
        });
        let mut found: Vec<Range<usize>> = places
            .filter_map(|(at, length)| Some(find(text, at, &folded[at..at + length])?.at))
            .collect();
        found.sort_unstable_by_key(|at| at.start);
        found.dedup();
        found.into_iter().map(|at| &text[at]).collect()
    }

    #[test]
    fn values_of_telling_names_are_found_in_many_notations() {
        let notations = [
            "password = \"V\"",
            "\"api_key\": \"V\"",
            "export API_TOKEN=V\n",
            "secret: V",
            "let client_secret = 'V';",
            "{\\\"auth_token\\\": \\\"V\\\"}",
            "db_pass := `V`",
            "password: str = \"V\"",
            "<password>V</password>",
            "config['secret'] = b'V'",
            "char secret[25] = \"V\";",
            "get(\"api_token\", \"V\")",
            "if (secret != \"V\") {",
            "if (\"V\" == private_key) {",
            "password \"V\";",
            "url?token=V&page=2",
            "passwd => \"V\"",
            "user_credentials = \"V\"",
            "AWS_SECRET_ACCESS_KEY=V",
        ];
        for notation in notations {
            let text = notation.replace('V', "q7Rw2xLp9TzK");
            assert_eq!(values(&text), ["q7Rw2xLp9TzK"], "{text}");
        }
    }

    #[test]
    fn names_and_values_that_tell_nothing_are_left() {
        let none = [
            "token = tokenizer.next_token(2)",
            "\"max_tokens\": 4096",
            "\"token_id\": \"q7Rw2xLp9TzK\"",
            "public_key = \"q7Rw2xLp9TzK\"",
            "keyboard = \"q7Rw2xLp9TzK\"",
            "password = \"${DB_PASSWORD}\"",
            "password = getpass(\"Password1: \")",
            "secret = os.environ[\"APP_SECRET_1\"]",
            "the password must have 8 characters",
            "author = \"q7Rw2xLp9TzK\"",
            "secret = \"synthd-canary-9f8e7d6c5b4a\"",
            "\"token_model\": \"cl100k_base\"",
            "password_hash = \"q7Rw2xLp9TzK\"",
            "token = \"<q7Rw2xLp9TzK>\"",
            "token: Option<u64>,",
            "api_key = \"[assigned-secret-1a2b3c4d]\"",
            "cache_key = \"q7Rw2xLp9TzK\"",
        ];
        none.iter().for_each(|text| assert_eq!(values(text), [""; 0], "{text}"));
    }
}
