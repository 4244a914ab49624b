//! Keys that were written into a file where only the name of an environment variable
//! belongs: errors show their line, and not them.

/// What keys of several providers begin with.
const PREFIX: &str = "sk-";
/// Nobody writes longer lines, and to look through them takes too long: all of one is blotted.
const LONGEST: usize = 4_000;
/// So far back a value's key is looked for: all of a long line each time would take too long.
const BACK: usize = 512;
/// What a line's key is called where its value may be a secret.
const TELLING: [&str; 5] = ["key", "token", "secret", "password", "auth"];
/// What a line's key is called where its value is an address, and shown only as far as it is one.
const ADDRESSES: [&str; 2] = ["url", "proxy"];

/// The line with what may be a secret blotted out, character for character, so that columns
/// stay what they are.
pub(super) fn redact_keys(line: &str) -> String {
    if line.len() > LONGEST {
        let blotted = |c: char| if c.is_alphanumeric() { '*' } else { c };
        return line.chars().map(blotted).collect();
    }
    let is_list = is_of_a_list(line);
    let telling = is_list || names_secret(line);
    let mut kept = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, value, after)) = next_string(rest) {
        kept.push_str(&unquoted(before, telling));
        let (near, out_of_sight) = near(&line[..line.len() - rest.len() + before.len()]);
        let alone = (is_list || out_of_sight) && !is_plain(value) && !is_file_name(value);
        let secret = (names_secret(near) || alone) && !is_name(value)
            || is_more_than_address(value)
            || names_address(near) && !is_address(value)
            || value.starts_with(PREFIX);
        kept.extend(value.chars().map(|c| if secret { '*' } else { c }));
        let closed = after.chars().next();
        kept.extend(closed);
        rest = &after[closed.map_or(0, char::len_utf8)..];
    }
    kept + &unquoted(rest, telling)
}

/// The end of what stands before a value, and whether its key may stand before that.
fn near(before: &str) -> (&str, bool) {
    let mut from = before.len().saturating_sub(BACK);
    while !before.is_char_boundary(from) {
        from += 1;
    }
    let near = &before[from..];
    (near, from > 0 && !near.contains('='))
}

/// What stands between quoted texts. Where there should be quotes and are none, words may be
/// secrets all the same; keys, numbers and words of the language are none.
fn unquoted(text: &str, telling: bool) -> String {
    const APART: [char; 10] = [' ', '\t', ',', '[', ']', '{', '}', '=', '#', '"'];
    let mut veiled = String::with_capacity(text.len());
    let (mut rest, mut commented) = (text, false);
    while !rest.is_empty() {
        let end = rest.find(APART).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let is_key = !word.is_empty() && after.trim_start().starts_with('=');
        let plain = (is_word(word) || is_file_name(word)) && (commented || !telling);
        let shown = is_key || is_name(word) || is_literal(word) || plain;
        veiled.extend(word.chars().map(|c| if shown || c == '\'' { c } else { '*' }));
        let apart = after.chars().next();
        commented |= apart == Some('#');
        veiled.extend(apart);
        rest = &after[apart.map_or(0, char::len_utf8)..];
    }
    veiled
}

fn is_literal(word: &str) -> bool {
    let number = word.bytes().all(|b| b.is_ascii_digit() || b"+-_.:".contains(&b));
    number && word.len() < 24 || ["true", "false"].contains(&word)
}

/// Of letters, as people write them.
fn is_word(word: &str) -> bool {
    word.chars().all(|c| c.is_alphabetic() || "-.;:()`'!?".contains(c))
        && word.len() <= 24
        && !word.starts_with(PREFIX)
}

/// What stands before the next quoted text with its quote, the text, and the rest from its
/// other quote on.
fn next_string(line: &str) -> Option<(&str, &str, &str)> {
    let opened = line.find(['"', '\''])?;
    let quote = &line[opened..=opened];
    let inside = &line[opened + 1..];
    let end = inside.find(quote).unwrap_or(inside.len());
    Some((&line[..=opened], &inside[..end], &inside[end..])).filter(|_| !inside.is_empty())
}

/// Whether the last key before a value is called like one of a secret.
fn names_secret(before: &str) -> bool {
    // Of a list, the key is the one before it.
    let before = match (before.rfind('['), before.rfind([']', '{'])) {
        (Some(opened), closed) if closed.is_none_or(|closed| closed < opened) => &before[..opened],
        _ => before,
    };
    let entry = before.rsplit(['{', ',']).next().unwrap_or(before);
    key_has(entry, &TELLING)
}

/// Whether the last key before a value is called like one of an address.
fn names_address(before: &str) -> bool {
    key_has(before.rsplit(['{', ',']).next().unwrap_or(before), &ADDRESSES)
}

fn key_has(entry: &str, words: &[&str]) -> bool {
    let Some((key, _)) = entry.split_once('=') else { return false };
    // Tokens are counted; a token is a secret.
    let key = key.to_ascii_lowercase().replace("tokens", "");
    words.iter().any(|word| key.contains(word))
}

/// Whether a line holds texts of a list over several lines, whose key is not in sight.
fn is_of_a_list(line: &str) -> bool {
    let line = line.trim_start_matches([' ', '\t', ',', '[', ']']);
    line.starts_with(['"', '\''])
        && !line.split_once('=').is_some_and(|(key, _)| is_one_text(key.trim()))
}

/// Whether it is a single quoted text: a key that is quoted itself.
fn is_one_text(key: &str) -> bool {
    let inside = key.trim_matches(['"', '\'']);
    key.len() == inside.len() + 2 && !inside.contains(['"', '\'', ','])
}

/// Whether it is a short word, a host, or a path of lower-case words, as lists of a campaign have
/// them; keys are none of these.
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

/// Whether it is the path of a file as people name files: with a slash or an ending, and of
/// words and small numbers. In keys, letters and digits are mixed.
fn is_file_name(value: &str) -> bool {
    let (name, ending) = value.rsplit_once('.').unwrap_or((value, ""));
    let has_ending = !name.is_empty() && (1..=10).contains(&ending.len());
    let part = |part: &str| part.len() <= 24 && is_word_with_number(part);
    (value.contains('/') || has_ending)
        && value.trim_start_matches("~/").split(['/', '.', '-', '_']).all(part)
        && !value.split(['/', '.']).any(|part| part.starts_with(PREFIX))
}

/// Whether it is letters in one case, or a capital and small ones, and at most three digits
/// after them; a number alone may have five digits.
fn is_word_with_number(part: &str) -> bool {
    let letters = part.trim_end_matches(|c: char| c.is_ascii_digit());
    let digits = part.len() - letters.len();
    let lower = |text: &str| text.bytes().all(|b| b.is_ascii_lowercase());
    let upper = |text: &str| text.bytes().all(|b| b.is_ascii_uppercase());
    let one_case = lower(letters) || upper(letters);
    let capital = letters.get(..1).is_some_and(upper) && letters.get(1..).is_some_and(lower);
    (one_case || capital) && (digits <= 3 || letters.is_empty() && digits <= 5)
}

/// Whether somebody's name and key, or a question, stand in an address.
fn is_more_than_address(value: &str) -> bool {
    value.contains("://") && value.contains(['@', '?', '#'])
}

/// Whether it is a scheme, a host and a short path, and nothing else; a malformed one may be
/// anything.
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

/// Whether it is the name of an environment variable, as it should be.
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
