//! Every error code has a page, every page a code, and both say the same exit code.

use super::harness::{snapshot, synthd_in};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use synthd::error::Code;

fn pages() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/errors")
}

fn page(code: Code) -> String {
    let path = pages().join(format!("{code}.md"));
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn every_code_has_a_page_that_is_whole() {
    for &code in Code::ALL {
        let page = page(code);
        assert!(page.starts_with(&format!("# {code}: ")), "{code} has another title");
        let exit = format!("\n\nExit code: {}\n\n", code.exit_code());
        assert!(page.contains(&exit), "{code} ends the program with {}", code.exit_code());
        for part in ["\n## What it means\n", "\n## Common causes\n\n- ", "\n## What to do\n\n- "] {
            assert!(page.contains(part), "{code} lacks {part:?}");
        }
    }
}

#[test]
fn no_page_is_without_a_code() {
    let codes: BTreeSet<String> = Code::ALL.iter().map(|code| format!("{code}.md")).collect();
    assert_eq!(codes.len(), Code::ALL.len(), "two codes have one number");
    let found: BTreeSet<String> = std::fs::read_dir(pages())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "README.md")
        .collect();
    assert_eq!(found, codes);
}

#[test]
fn the_index_lists_every_page_with_its_title_and_exit_code() {
    let index = std::fs::read_to_string(pages().join("README.md")).unwrap();
    for &code in Code::ALL {
        let page = page(code);
        let title = page.lines().next().unwrap().split_once(": ").unwrap().1;
        let line = format!("| [{code}]({code}.md) | {title} | {} |", code.exit_code());
        assert!(index.contains(&line), "the index lacks: {line}");
    }
}

/// A hint that sends people to a page must not send them nowhere.
#[test]
fn pages_named_in_messages_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut open = vec![root.join("src/cli"), root.join("src/error.rs"), root.join("docs/errors")];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        for (at, _) in text.match_indices("SYN-") {
            let code = &text[at..text.len().min(at + 8)];
            let is_code = code.len() == 8 && code[4..].bytes().all(|b| b.is_ascii_digit());
            let known = Code::ALL.iter().any(|known| known.as_str() == code);
            assert!(!is_code || known, "{} names {code}", path.display());
        }
    }
}

/// Users are shown the code that the table of faults names.
#[test]
fn the_table_of_faults_names_codes_that_there_are() {
    for kind in synthd_actors::model::FaultKind::ALL {
        if let Some(code) = kind.policy().code {
            assert!(Code::named(code).is_some(), "{kind} names {code}");
        }
    }
}

/// From the program itself: it is run where no file is.
#[test]
fn an_installed_program_explains_its_codes() {
    let dir = tempfile::tempdir().unwrap();
    let explain = |args: &[&str]| synthd_in(dir.path(), &[&["explain"], args].concat());
    for name in ["SYN-0103", "syn-0103", "103", "SYN103"] {
        assert_eq!(explain(&[name]).succeeds().stdout, page(Code::CampaignChanged), "{name}");
    }
    let one = explain(&["SYN-0103", "--json"]).succeeds().document();
    assert_eq!((&one["code"], &one["exit_code"]), (&"SYN-0103".into(), &2.into()));
    assert_eq!(one["page"].as_str(), Some(page(Code::CampaignChanged).as_str()));
    let all = explain(&["--json"]).succeeds().document();
    assert_eq!(all.as_array().unwrap().len(), Code::ALL.len());
    let listed = explain(&[]).succeeds().stdout;
    assert_eq!(listed.lines().count(), Code::ALL.len() + 1, "{listed}");
    for name in ["SYN-9999", "x", "", "00103", "-1"] {
        let told = explain(&["--", name]).fails(2, "SYN-0105");
        assert!(told.stderr.contains("`synthd explain` lists"), "{told:?}");
    }
    snapshot("explain_unknown", &explain(&["SYN-9999"]).told(), None);
}
