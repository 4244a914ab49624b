//! The Dockerfile of a task, as far as it can be judged without building it.

use super::harbor_files::HarborFiles;
use super::harbor_problem::HarborProblem;
use super::harbor_task::required;
use std::collections::BTreeMap;

/// Looks at a Dockerfile: it must begin an image.
pub(super) fn check_dockerfile(files: &HarborFiles, path: &str, problems: &mut Vec<HarborProblem>) {
    let Some(text) = required(files, path, problems) else { return };
    let mut lines = text.lines().map(str::trim_start).filter(|line| !line.starts_with('#'));
    let is_from = |line: &str| line.split_whitespace().next().is_some_and(is_from_word);
    if !lines.any(is_from) {
        problems.push(HarborProblem::invalid(path, "has no FROM"));
    }
}

/// The directory in which programs of the image begin, as far as the Dockerfile itself says it: the last
/// `WORKDIR` of its last stage, or of the stage from which that begins.
pub(super) fn workdir_of(text: &str) -> Option<String> {
    let mut stages: BTreeMap<String, Option<String>> = BTreeMap::new();
    let (mut name, mut current): (Option<String>, Option<String>) = (None, None);
    for line in text.lines().map(str::trim) {
        let mut words = line.split_whitespace();
        let Some(first) = words.next() else { continue };
        if is_from_word(first) {
            if let Some(name) = name.take() {
                stages.insert(name, current.take());
            }
            let words: Vec<&str> = words.filter(|word| !word.starts_with("--")).collect();
            current = words.first().and_then(|base| stages.get(&base.to_lowercase())?.clone());
            name = match words.as_slice() {
                [_, word, name, ..] if word.eq_ignore_ascii_case("as") => Some(name.to_lowercase()),
                _ => None,
            };
        } else if first.eq_ignore_ascii_case("WORKDIR") {
            current = entered(current.as_deref(), line[first.len()..].trim());
        }
    }
    current
}

/// The directory after a `WORKDIR`. None: it depends on what only a build knows.
fn entered(current: Option<&str>, path: &str) -> Option<String> {
    let path = path.trim_matches(['"', '\'']);
    if path.is_empty() || path.contains('$') || path.ends_with('\\') {
        return None;
    }
    let path = match path.starts_with('/') {
        true => path.to_owned(),
        false => format!("{}/{path}", current?.trim_end_matches('/')),
    };
    let plain = path.trim_end_matches('/');
    Some(if plain.is_empty() { "/".to_owned() } else { plain.to_owned() })
}

fn is_from_word(word: &str) -> bool {
    word.eq_ignore_ascii_case("FROM")
}

#[cfg(test)]
mod tests {
    use super::workdir_of;

    #[test]
    fn the_last_directory_of_the_last_stage_counts() {
        for (text, expected) in [
            ("FROM a\nWORKDIR /app\n", Some("/app")),
            ("FROM a\nworkdir /app/\nRUN x\nWORKDIR src\n", Some("/app/src")),
            ("FROM a AS b\nWORKDIR /b\nFROM --platform=x B\n", Some("/b")),
            ("FROM a AS b\nWORKDIR /b\nFROM c\n", None),
            ("FROM a\nWORKDIR \"/a b\"\n", Some("/a b")),
            ("FROM a\nWORKDIR $HOME\n", None),
            ("FROM a\nWORKDIR src\n", None),
            ("FROM a\nWORKDIR /\n", Some("/")),
            ("FROM a\n", None),
        ] {
            assert_eq!(workdir_of(text).as_deref(), expected, "{text}");
        }
    }
}
