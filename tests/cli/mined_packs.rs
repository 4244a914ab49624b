//! `packs-mined/`: the pins of public projects, and the templates over them. Nothing is downloaded here.

use serde::Deserialize;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Licences that let tasks carry the project anywhere, with its notices.
const PERMISSIVE: [&str; 6] =
    ["MIT", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "ISC", "PSF-2.0"];
/// The fewest packs that are pinned.
const FEWEST: usize = 8;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PinList {
    pack: Vec<ProjectPin>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProjectPin {
    name: String,
    version: String,
    sdist: String,
    sha256: String,
    licence: String,
    summary: String,
    source: Vec<String>,
    tests: Vec<String>,
    docs: Vec<String>,
    deselected: Vec<String>,
}

fn place() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packs-mined")
}

fn pins() -> Vec<ProjectPin> {
    let text = fs::read_to_string(place().join("pins.toml")).unwrap();
    toml::from_str::<PinList>(&text).unwrap().pack
}

/// The files `template.yaml` below a directory.
fn templates(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(templates(&path));
        } else if path.ends_with("template.yaml") {
            found.push(path);
        }
    }
    found
}

/// The value of a key that stands on a line of its own.
fn value<'a>(text: &'a str, key: &str) -> &'a str {
    let line = text.lines().find_map(|line| line.strip_prefix(key));
    line.unwrap_or_else(|| panic!("no line begins with {key:?} in\n{text}")).trim()
}

#[test]
fn every_pin_says_one_archive_and_a_permissive_licence() {
    let pins = pins();
    assert!(pins.len() >= FEWEST, "{} packs are pinned", pins.len());
    let names: Vec<&str> = pins.iter().map(|pin| pin.name.as_str()).collect();
    assert!(names.is_sorted_by(|one, two| one < two), "sorted, each once: {names:?}");
    for pin in &pins {
        let name = &pin.name;
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        assert!(name.chars().all(is_plain), "{name}: the name of a pack");
        let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        assert!(pin.sha256.len() == 64 && pin.sha256.chars().all(hex), "{name}: {}", pin.sha256);
        // As the registry writes it: a name of letters, digits and underscores.
        let archive = format!("{}-{}.tar.gz", name.replace('-', "_"), pin.version);
        assert_eq!(pin.sdist, archive, "{name}");
        let is_permissive = |licence: &str| PERMISSIVE.contains(&licence);
        assert!(pin.licence.split(" OR ").all(is_permissive), "{name}: {}", pin.licence);
        assert!(pin.summary.starts_with('`') && pin.summary.ends_with('.'), "{name}: a sentence");
        assert!(!pin.source.is_empty() && !pin.tests.is_empty(), "{name}: sources and tests");
        assert!(!pin.docs.is_empty(), "{name}: something says what is right");
        let tests: BTreeSet<&String> = pin.deselected.iter().collect();
        assert_eq!(tests.len(), pin.deselected.len(), "{name}: a test is deselected once");
    }
    let archives: BTreeSet<&str> = pins.iter().map(|pin| pin.sha256.as_str()).collect();
    assert_eq!(archives.len(), pins.len(), "no archive is pinned twice");
}

#[test]
fn templates_stand_below_the_pack_that_they_name() {
    let place = place().join("templates");
    let pins = pins();
    for directory in fs::read_dir(&place).unwrap() {
        let name = directory.unwrap().file_name().into_string().unwrap();
        assert!(pins.iter().any(|pin| pin.name == name), "no pack {name} is pinned");
    }
    let mut ids = BTreeSet::new();
    for pin in &pins {
        let root = place.join(&pin.name);
        let files = templates(&root);
        assert!(files.len() >= 2, "{} has {} templates", pin.name, files.len());
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            assert_eq!(value(&text, "  pack: "), pin.name, "{}", file.display());
            let id = value(&text, "id: ").to_owned();
            assert_eq!(root.join(&id).join("template.yaml"), file, "the id is the path");
            assert_eq!(value(&text, "category: "), id.split('/').next().unwrap());
            assert!(ids.insert(id.clone()), "{id} is there twice");
        }
    }
}

/// The quickstart, CI's campaigns and the program itself need none of these packs.
#[test]
fn nothing_that_is_shipped_needs_a_pinned_pack() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for pin in pins() {
        assert!(!root.join("packs").join(&pin.name).exists(), "{} is not shipped", pin.name);
    }
    for entry in fs::read_dir(root.join("config")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let text = fs::read_to_string(&path).unwrap();
            assert!(!text.contains("packs-mined"), "{} needs a pinned pack", path.display());
        }
    }
}
