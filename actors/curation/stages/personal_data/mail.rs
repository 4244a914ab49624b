//! Mail addresses.

use crate::curation::TextMatch;
use crate::curation::stages::byte_set::{ByteSet, before};

const LOCAL: ByteSet = ByteSet::WORD.with(".+%-");
const DOMAIN: ByteSet = ByteSet::ALNUM.with(".-");
/// Domains that belong to nobody (RFC 2606, RFC 6761, RFC 6762).
const RESERVED: &[&str] = &["example.com", "example.net", "example.org", "noreply.github.com"];
/// Last labels of such domains, and of names that only a network of its own knows.
const RESERVED_LAST: &[&str] =
    &["example", "test", "invalid", "localhost", "local", "internal", "lan", "home", "localdomain"];
/// Names of services instead of persons.
const SERVICES: &[&str] =
    &["noreply", "no-reply", "donotreply", "do-not-reply", "git", "hg", "svn", "mailer-daemon"];
/// How files end: `icon@2x.png` is no address.
const FILES: &[&str] = &[
    "png", "jpg", "jpeg", "gif", "svg", "webp", "ico", "css", "scss", "js", "mjs", "jsx", "ts",
    "tsx", "py", "rs", "go", "rb", "sh", "java", "kt", "md", "txt", "json", "toml", "yaml", "yml",
    "xml", "html", "lock", "log", "zip", "gz", "tgz", "service", "timer", "socket",
];

/// The address around the `@` at `at`.
pub(super) fn find(text: &str, at: usize) -> Option<TextMatch> {
    let bytes = text.as_bytes();
    let begin = at - LOCAL.run_back(bytes, at, 64);
    let local = text.get(begin..at)?.trim_start_matches(['.', '-', '+', '%']);
    let begin = at - local.len();
    let length = DOMAIN.run(bytes, at + 1, 253);
    let domain = text.get(at + 1..at + 1 + length)?.trim_end_matches(['.', '-']);
    let (_, last) = domain.rsplit_once('.')?;
    let is_domain = domain.split('.').all(is_label)
        && (2..=24).contains(&last.len())
        && last.bytes().all(|byte| byte.is_ascii_alphabetic());
    let goes_on = before(bytes, begin) == Some(b'@');
    if local.is_empty() || local.ends_with('.') || !is_domain || goes_on || in_url(bytes, begin) {
        return None;
    }
    let end = at + 1 + domain.len();
    is_of_a_person(local, domain, last)
        .then_some(TextMatch { at: begin..end, what: "mail-address" })
}

fn is_label(label: &str) -> bool {
    !label.is_empty() && label.len() < 64 && !label.starts_with('-') && !label.ends_with('-')
}

/// Whether the text in front is the user of a URL.
fn in_url(bytes: &[u8], begin: usize) -> bool {
    let parts = LOCAL.with(":/");
    let length = parts.run_back(bytes, begin, 80);
    bytes[begin - length..begin].windows(3).any(|three| three == b"://")
}

/// Whether an address may be that of a person.
fn is_of_a_person(local: &str, domain: &str, last: &str) -> bool {
    let (local, domain) = (local.to_ascii_lowercase(), domain.to_ascii_lowercase());
    let last = last.to_ascii_lowercase();
    let is_reserved = RESERVED.iter().any(|reserved| {
        let sub = domain.strip_suffix(*reserved);
        sub.is_some_and(|sub| sub.is_empty() || sub.ends_with('.'))
    });
    let is_file = FILES.contains(&last.as_str()) && domain.matches('.').count() == 1;
    !is_reserved
        && !is_file
        && !RESERVED_LAST.contains(&last.as_str())
        && !SERVICES.contains(&local.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<&str> {
        find(text, text.find('@').unwrap()).map(|one| &text[one.at])
    }

    #[test]
    fn addresses_are_found_without_what_stands_around() {
        let cases = [
            ("mailto:ada.quill+x@quill.dev.", "ada.quill+x@quill.dev"),
            ("<a_1@mail.quill.co.uk>", "a_1@mail.quill.co.uk"),
            ("Email:Ada@Quill.DEV,", "Ada@Quill.DEV"),
            ("邮箱：ada@quill.dev。", "ada@quill.dev"),
            ("'ada@quill-lab.io'", "ada@quill-lab.io"),
        ];
        cases.iter().for_each(|(text, address)| assert_eq!(found(text), Some(*address), "{text}"));
    }

    #[test]
    fn examples_services_files_and_users_of_urls_are_left() {
        let none = [
            "agent@example.com",
            "ada@mail.example.org",
            "a@b.test",
            "root@box.local",
            "noreply@quill.dev",
            "12+ada@users.noreply.github.com",
            "git@github.com:a/b",
            "icon@2x.png",
            "lodash@4.17.21",
            "@app.route",
            "https://ada:pw@quill.dev/",
            "user@host",
            "a@b..dev",
            "x@.dev",
            "é@quill.dev",
            "@media.print",
        ];
        none.iter().for_each(|text| assert_eq!(found(text), None, "{text}"));
    }
}
