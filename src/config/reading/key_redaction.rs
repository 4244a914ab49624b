//! Redacts keys in the lines that error messages show. A file must only hold the names of
//! environment variables, but people paste keys into it by mistake. Then the error shows the line
//! with the key replaced by asterisks.
//!
//! This is a heuristic for one line, without the structure of the file, because the file may be
//! broken. It hides too much rather than too little. A value is hidden if:
//! - its key is named like a secret (`TELLING`), and the value is no name of a variable;
//! - it begins like a key of a provider (`sk-`);
//! - it is an address with a password, a query or a fragment, or its key is named like an address
//!   and the value is no plain address;
//! - its key is not in sight (an element of a list over several lines), and the value does not look
//!   like an ordinary word, host or path.
//!
//! Example: `key_env = "sk-live-123"` becomes `key_env = "***********"`; the columns stay the same.
//! Known names, numbers, keys of the file and comments in plain words stay readable.

/// The keys of several providers begin with this.
const PREFIX: &str = "sk-";
/// In a longer line (in bytes), all letters and digits are hidden. People do not write such lines,
/// and searching them would take long.
const LONGEST: usize = 4_000;
/// How many bytes before a value its key is searched. Without the limit, a long line with many
/// values would take quadratic time.
const BACK: usize = 512;
/// Parts of the names of keys whose values may be secrets.
const TELLING: [&str; 5] = ["key", "token", "secret", "password", "auth"];
/// Parts of the names of keys whose values are addresses.
const ADDRESSES: [&str; 2] = ["url", "proxy"];

/// The line with everything hidden that may be a secret. Each character is replaced by one
/// asterisk, so that columns stay the same.
pub(in crate::config) fn redact_keys(line: &str) -> String {
    if line.len() > LONGEST {
        let masked = |c: char| if c.is_alphanumeric() { '*' } else { c };
        return line.chars().map(masked).collect();
    }
    let is_list = is_of_a_list(line);
    let telling = is_list || names_secret(line);
    let mut kept = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, value, after)) = next_string(rest) {
        kept.push_str(&unquoted(before, telling));
        let (near, out_of_sight) = near(&line[..line.len() - rest.len() + before.len()]);
        // Without its key, the value is judged by what it looks like.
        let alone = (is_list || out_of_sight) && !is_plain(value) && !is_file_name(value);
        let secret = (names_secret(near) || alone) && !is_name(value)
            || is_more_than_address(value)
            || names_address(near) && !is_address(value)
            || value.starts_with(PREFIX);
        kept.extend(value.chars().map(|c| if secret { '*' } else { c }));
        let closed = after.chars().next();
        // The closing quote stays, so that the next value is found correctly.
        kept.extend(closed);
        rest = &after[closed.map_or(0, char::len_utf8)..];
    }
    kept + &unquoted(rest, telling)
}

/// The end of the text before a value, and whether the key may be further back than that.
fn near(before: &str) -> (&str, bool) {
    let mut from = before.len().saturating_sub(BACK);
    while !before.is_char_boundary(from) {
        from += 1;
    }
    let near = &before[from..];
    (near, from > 0 && !near.contains('='))
}

/// Redacts the text between quoted values. A key that was pasted without quotes is here. Keys of
/// the file, numbers, and true and false stay readable. Ordinary words stay readable in comments,
/// and in lines that name no secret.
fn unquoted(text: &str, telling: bool) -> String {
    const APART: [char; 10] = [' ', '\t', ',', '[', ']', '{', '}', '=', '#', '"'];
    let mut masked = String::with_capacity(text.len());
    let (mut rest, mut commented) = (text, false);
    while !rest.is_empty() {
        let end = rest.find(APART).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        // A word before `=` is the name of a setting, which is no secret.
        let is_key = !word.is_empty() && after.trim_start().starts_with('=');
        let plain = (is_word(word) || is_file_name(word)) && (commented || !telling);
        let shown = is_key || is_name(word) || is_literal(word) || plain;
        masked.extend(word.chars().map(|c| if shown || c == '\'' { c } else { '*' }));
        let apart = after.chars().next();
        // The rest of the line is a comment from here on.
        commented |= apart == Some('#');
        masked.extend(apart);
        rest = &after[apart.map_or(0, char::len_utf8)..];
    }
    masked
}

/// Whether a word is a number, a date, or true or false.
fn is_literal(word: &str) -> bool {
    let number = word.bytes().all(|b| b.is_ascii_digit() || b"+-_.:".contains(&b));
    number && word.len() < 24 || ["true", "false"].contains(&word)
}

/// Whether it is a short word as people write it, without digits.
fn is_word(word: &str) -> bool {
    word.chars().all(|c| c.is_alphabetic() || "-.;:()`'!?".contains(c))
        && word.len() <= 24
        && !word.starts_with(PREFIX)
}

/// Splits a line at its next quoted value: the text before it with the quote, the value, and the
/// rest, beginning with the closing quote. A value without a closing quote goes to the end of the
/// line.
fn next_string(line: &str) -> Option<(&str, &str, &str)> {
    let opened = line.find(['"', '\''])?;
    let quote = &line[opened..=opened];
    let inside = &line[opened + 1..];
    let end = inside.find(quote).unwrap_or(inside.len());
    Some((&line[..=opened], &inside[..end], &inside[end..])).filter(|_| !inside.is_empty())
}

/// Whether the last key before a value is named like a secret.
fn names_secret(before: &str) -> bool {
    // In a list, the key is before the opening bracket.
    let before = match (before.rfind('['), before.rfind([']', '{'])) {
        (Some(opened), closed) if closed.is_none_or(|closed| closed < opened) => &before[..opened],
        _ => before,
    };
    let entry = before.rsplit(['{', ',']).next().unwrap_or(before);
    key_has(entry, &TELLING)
}

/// Whether the last key before a value is named like an address.
fn names_address(before: &str) -> bool {
    key_has(before.rsplit(['{', ',']).next().unwrap_or(before), &ADDRESSES)
}

/// Whether the key of an entry holds one of the words.
fn key_has(entry: &str, words: &[&str]) -> bool {
    let Some((key, _)) = entry.split_once('=') else { return false };
    // `max_tokens` is a number of tokens; a `token` is a secret.
    let key = key.to_ascii_lowercase().replace("tokens", "");
    words.iter().any(|word| key.contains(word))
}

/// Whether a line holds elements of a list over several lines, so that the key is not in this line.
fn is_of_a_list(line: &str) -> bool {
    let line = line.trim_start_matches([' ', '\t', ',', '[', ']']);
    line.starts_with(['"', '\''])
        && !line.split_once('=').is_some_and(|(key, _)| is_one_text(key.trim()))
}

/// Whether it is one quoted text, such as a key that is itself in quotes.
fn is_one_text(key: &str) -> bool {
    let inside = key.trim_matches(['"', '\'']);
    key.len() == inside.len() + 2 && !inside.contains(['"', '\'', ','])
}

/// Whether a value looks like an ordinary element of a campaign's lists: a short word, a host, or a
/// path of lower-case words. Keys are none of these.
fn is_plain(value: &str) -> bool {
    const LONGEST: usize = 24;
    let word = |part: &str| {
        part.len() <= LONGEST
            && part
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_*.".contains(&b))
    };
    let letters = |part: &str| part.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
    let is_path = value.contains(['/', '*']) && value.split('/').all(word);
    let is_host = value.rsplit_once('.').is_some_and(|(before, top)| {
        (2..=10).contains(&top.len()) && letters(top) && before.split('.').all(word)
    });
    let is_word = value.len() < 16 && letters(value);
    let is_key = value.split('/').any(|part| part.starts_with(PREFIX));
    !is_key && (is_path || is_host || is_word)
}

/// Whether a value looks like the path of a file as people name files: with a slash or an ending,
/// and of words and small numbers. In keys, letters and digits are mixed.
fn is_file_name(value: &str) -> bool {
    let (name, ending) = value.rsplit_once('.').unwrap_or((value, ""));
    let has_ending = !name.is_empty() && (1..=10).contains(&ending.len());
    let part = |part: &str| part.len() <= 24 && is_word_with_number(part);
    (value.contains('/') || has_ending)
        && value.trim_start_matches("~/").split(['/', '.', '-', '_']).all(part)
        && !value.split(['/', '.']).any(|part| part.starts_with(PREFIX))
}

/// Whether it is letters in one case, or a capital and small letters, followed by at most three
/// digits. A number alone may have five digits.
fn is_word_with_number(part: &str) -> bool {
    let letters = part.trim_end_matches(|c: char| c.is_ascii_digit());
    let digits = part.len() - letters.len();
    let lower = |text: &str| text.bytes().all(|b| b.is_ascii_lowercase());
    let upper = |text: &str| text.bytes().all(|b| b.is_ascii_uppercase());
    let one_case = lower(letters) || upper(letters);
    let capital = letters.get(..1).is_some_and(upper) && letters.get(1..).is_some_and(lower);
    (one_case || capital) && (digits <= 3 || letters.is_empty() && digits <= 5)
}

/// Whether an address also holds a user's name and password, a query or a fragment.
fn is_more_than_address(value: &str) -> bool {
    value.contains("://") && value.contains(['@', '?', '#'])
}

/// Whether a value is a scheme, a host and a short path, and nothing else. A malformed address may
/// be anything, also a key.
fn is_address(value: &str) -> bool {
    const LONGEST: usize = 32;
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:[]".contains(c);
    let part =
        |part: &str| part.len() <= LONGEST && part.chars().all(plain) && !part.starts_with(PREFIX);
    let is_host = |host: &str| {
        let (name, port) = host.rsplit_once(':').unwrap_or((host, "80"));
        let port = port.bytes().all(|byte| byte.is_ascii_digit()) || host.ends_with(']');
        port && !name.is_empty() && name.split('.').all(part)
    };
    let Some((scheme, rest)) = value.split_once("://") else { return false };
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    ["http", "https"].contains(&scheme) && is_host(host) && path.split('/').all(part)
}

/// Whether a value is the name of an environment variable, as it should be.
fn is_name(value: &str) -> bool {
    value.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_be_a_secret_is_blotted_out() {
        let cases = [
            (r#"key_env = "sk-secret" # or so"#, r#"key_env = "*********" # or so"#),
            (r#"key_env = "OPENAI_API_KEY""#, r#"key_env = "OPENAI_API_KEY""#),
            (r#"key_env = ["A_KEY", "sk-1"]"#, r#"key_env = ["A_KEY", "****"]"#),
            (r#"key_env = ["sk-1", 'sk-2', "B"] #"#, r#"key_env = ["****", '****', "B"] #"#),
            (r#"    "sk-1", "A_KEY","#, r#"    "****", "A_KEY","#),
            (r#"    "0123456789abcdef""#, r#"    "****************""#),
            (r#"    "debugging/by-hand","#, r#"    "debugging/by-hand","#),
            (r#"    "pypi.org", "memory-cgroup""#, r#"    "pypi.org", "memory-cgroup""#),
            (r#"    "./My_Tasks/agent-2.py","#, r#"    "./My_Tasks/agent-2.py","#),
            (r#"    "README.md", 'Dockerfile.dev'"#, r#"    "README.md", 'Dockerfile.dev'"#),
            (r#"    "~/models/prices_2026.toml""#, r#"    "~/models/prices_2026.toml""#),
            (r#"program = agents/run_2.sh"#, r#"program = agents/run_2.sh"#),
            (r#"templates = debugging/off-by-one"#, r#"templates = debugging/off-by-one"#),
            (r#"    "a8F3k2/x91kd0", "AIzaSyB.x""#, r#"    "*************", "*********""#),
            (r#"    "x/sk-abc/def""#, r#"    "************""#),
            (r#"tokens_per_minute = "60kk""#, r#"tokens_per_minute = "60kk""#),
            (r#"api_key = keys/mine.txt"#, r#"api_key = *************"#),
            (r#"    "eyJh.bGci.OiJI", # x = 1"#, r#"    "**************", # x = 1"#),
            (r#"    "ab+/cdef123456==""#, r#"    "****************""#),
            (r#"key_env = ["sk-1, "sk-2"]"#, r#"key_env = ["******"****"*"#),
            (r#"  , "sk-secret""#, r#"  , "*********""#),
            (r#"], "sk-secret""#, r#"], "*********""#),
            (
                r#"m = [{ name = "x", api_key = "k-1" }]"#,
                r#"m = [{ name = "x", api_key = "***" }]"#,
            ),
            (r#"a = { api_key = k-123 }"#, r#"a = { api_key = ***** }"#),
            (r#"    sk-secret,"#, r#"    *********,"#),
            (r#"    "sk-abc/def", "sk-abc.prod""#, r#"    "**********", "***********""#),
            (r#"concurrency = 64 # of the host"#, r#"concurrency = 64 # of the host"#),
            (r#"    "k1", 'A_KEY'"#, r#"    "**", 'A_KEY'"#),
            (r#""node-20" = "registry.example/node""#, r#""node-20" = "registry.example/node""#),
            (
                r#"a = { dialect = "vllm", api_key = 'sk-é' }"#,
                r#"a = { dialect = "vllm", api_key = '****' }"#,
            ),
            (r#"api_key = "sk-open"#, r#"api_key = "*******"#),
            ("api_key = sk-secret", "api_key = *********"),
            (r#"base_url = "https://u:sk@h/v1""#, r#"base_url = "*****************""#),
            (r#"base_url = "https://h/v1""#, r#"base_url = "https://h/v1""#),
            (r#"base_url = "http://127.0.0.1:80/v1""#, r#"base_url = "http://127.0.0.1:80/v1""#),
            (r#"base_url = "http://[::1]:8000/v1""#, r#"base_url = "http://[::1]:8000/v1""#),
            (r#"base_url = "https://h/v1#sk-1""#, r#"base_url = "*****************""#),
            (r#"base_url = "https://h/sk-1""#, r#"base_url = "**************""#),
            (r#"base_url = "https:/u:pw@h/v1""#, r#"base_url = "****************""#),
            (r#"base_url = "http://h:hunter2/v1""#, r#"base_url = "*******************""#),
            (r#"p = { base_url = "u:pw@h" }"#, r#"p = { base_url = "******" }"#),
            (r#"proxy = "http://u:pw@h:1""#, r#"proxy = "***************""#),
            (r#"dialect = "sk-secret""#, r#"dialect = "*********""#),
            (r#"token = ""#, r#"token = ""#),
            (r#"# a key that's "open""#, r#"# a key that's "open""#),
        ];
        for (line, shown) in cases {
            assert_eq!(redact_keys(line), shown);
        }
    }
}
