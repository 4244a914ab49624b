//! Whatever stands in a file, reading it ends with a campaign or with mistakes that are
//! inside of the file.

use super::*;
use crate::config::reading::key_redaction::redact_keys;
use proptest::prelude::*;
use unicode_width::UnicodeWidthChar as _;

const SEEDS: [&str; 4] = [
    include_str!("../../../config/reference.toml"),
    include_str!("../../../config/examples/budgeted.toml"),
    include_str!("../../../config/examples/strict.toml"),
    include_str!("../../../config/daemon.toml"),
];

fn check(text: &str) {
    for result in [parse_campaign("c.toml", text).map(drop), parse_daemon("d.toml", text).map(drop)]
    {
        if let Err(errors) = result {
            check_places(text, &errors);
            check_width(&errors);
        }
    }
}

fn check_places(text: &str, errors: &ConfigErrors) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines: Vec<&str> =
        text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).collect();
    assert!(errors.total() > 0);
    for error in errors.errors() {
        let line = lines.get(error.line - 1).unwrap_or_else(|| panic!("{error:?}"));
        assert!(error.column >= 1, "{error:?}");
        assert!(error.column - 1 + error.length <= line.chars().count(), "{error:?}");
        assert!(redact_keys(line).contains(&error.source_line), "{error:?}");
        assert!(!error.message.is_empty() && !error.message.ends_with('.'), "{error:?}");
    }
}

fn check_width(errors: &ConfigErrors) {
    for line in errors.render().lines() {
        let width: usize = line.chars().map(|letter| letter.width().unwrap_or(1)).sum();
        assert!(width <= 80, "{width}: {line}");
    }
}

/// One change of a file: cut, insert or exchange.
#[derive(Clone, Debug)]
enum Edit {
    Delete(prop::sample::Index, usize),
    Insert(prop::sample::Index, String),
    Copy(prop::sample::Index, prop::sample::Index, usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    let piece = prop_oneof![
        "[\\[\\]{}=\"'.,#\n\r\t \\\\]{1,4}",
        "\\PC{1,3}",
        any::<char>().prop_map(String::from),
        Just("[campaign]\n".to_owned()),
        Just("\"\"\"".to_owned()),
        Just("\n= 1\n".to_owned()),
        Just("-1".to_owned()),
    ];
    prop_oneof![
        (any::<prop::sample::Index>(), 1usize..40).prop_map(|(at, count)| Edit::Delete(at, count)),
        (any::<prop::sample::Index>(), piece).prop_map(|(at, text)| Edit::Insert(at, text)),
        (any::<prop::sample::Index>(), any::<prop::sample::Index>(), 1usize..80)
            .prop_map(|(from, to, count)| Edit::Copy(from, to, count)),
    ]
}

fn apply(text: &mut Vec<char>, edit: &Edit) {
    let place = |index: &prop::sample::Index, length: usize| index.index(length + 1);
    match edit {
        Edit::Delete(at, count) => {
            let at = place(at, text.len());
            let end = (at + count).min(text.len());
            text.drain(at..end);
        }
        Edit::Insert(at, piece) => {
            let at = place(at, text.len());
            text.splice(at..at, piece.chars());
        }
        Edit::Copy(from, to, count) => {
            let from = place(from, text.len());
            let piece: Vec<char> = text[from..(from + count).min(text.len())].to_vec();
            let to = place(to, text.len());
            text.splice(to..to, piece);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_text_is_survived(text in any::<String>()) {
        check(&text);
    }

    #[test]
    fn text_like_toml_is_survived(text in "([\\[\\]{}=\"',.#\n\r\t \\\\]|[a-c]|é|名|[0-9]|true|name|models|campaign|tasks){0,80}") {
        check(&text);
    }

    #[test]
    fn mutated_files_are_survived(
        seed in prop::sample::select(SEEDS.to_vec()),
        edits in prop::collection::vec(edit(), 1..6),
    ) {
        let mut text: Vec<char> = seed.chars().collect();
        edits.iter().for_each(|edit| apply(&mut text, edit));
        check(&text.into_iter().collect::<String>());
    }

    #[test]
    fn arbitrary_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let dir = tempfile::TempDir::new().expect("a directory");
        let path = dir.path().join("c.toml");
        std::fs::write(&path, &bytes).expect("written");
        let errors = load_campaign(&path).expect_err("no campaign");
        let lines = String::from_utf8_lossy(&bytes).split('\n').count();
        prop_assert!(errors.errors().iter().all(|error| error.line <= lines));
    }
}

/// Texts that would take for ever if any step looked at all pairs.
#[test]
fn large_files_take_no_time() {
    let unknown: String = (0..10000).map(|n| format!("k{n}=1\n")).collect();
    let twice = format!("{0}{0}", (0..5000).map(|n| format!("k{n}=1\n")).collect::<String>());
    for text in [
        unknown.clone(),
        format!("{unknown}x"),
        twice,
        "=\n".repeat(50000),
        "x=[\n".repeat(20000),
        "x\n".repeat(50000),
        format!("[tasks]\ntemplates = [{}]", "\"A\",".repeat(25000)),
        format!("{}x = [{}", " ".repeat(50000), "1 ".repeat(20000)),
        "[".repeat(100000),
        "[[models]]\n".repeat(9000),
        "a.".repeat(50000),
    ] {
        check(&text);
    }
}
