//! The names of types, and the glossary: no name twice, and each name of the glossary is there.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;

const TYPES: [&str; 5] = ["struct ", "enum ", "trait ", "type ", "union "];

/// The files of a package that are compiled into a release, by path.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if !["tests", "testkit", "target"].contains(&name.as_str()) {
                sources(&path, found);
            }
        } else if name.ends_with(".rs") {
            found.push(path);
        }
    }
}

/// The modules that a file declares for tests alone: `#[cfg(test)] mod x;`.
fn test_modules(file: &Path, text: &str) -> Vec<PathBuf> {
    let stem = file.file_stem().unwrap().to_string_lossy();
    let is_root = ["mod", "lib", "main"].contains(&&*stem);
    let folder = if is_root { file.parent().unwrap().into() } else { file.with_extension("") };
    let lines: Vec<&str> = text.lines().collect();
    let pairs = lines.windows(2).filter(|pair| pair[0].starts_with("#[cfg(test)]"));
    pairs
        .filter_map(|pair| pair[1].rsplit_once("mod ")?.1.strip_suffix(';'))
        .map(|name| folder.join(format!("{name}.rs")))
        .collect()
}

/// The name of the type that a line at the left margin defines.
fn defined(line: &str) -> Option<String> {
    let rest = match line.strip_prefix("pub") {
        Some(rest) => rest.strip_prefix('(').map_or(Some(rest), |r| Some(r.split_once(')')?.1))?,
        None => line,
    };
    let rest = rest.strip_prefix(' ').filter(|_| line.starts_with("pub")).unwrap_or(rest);
    let rest = rest.trim_start_matches("unsafe ");
    let rest = TYPES.iter().find_map(|keyword| rest.strip_prefix(keyword))?;
    let end = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
    Some(rest[..end].to_owned())
}

/// All files of both packages.
pub(super) fn texts() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    sources(&root.join("src"), &mut files);
    sources(&root.join("actors"), &mut files);
    files.into_iter().map(|file| (file.clone(), std::fs::read_to_string(file).unwrap())).collect()
}

/// Each type of both packages with the files that define it.
fn types() -> BTreeMap<String, Vec<PathBuf>> {
    let texts = texts();
    let for_tests: BTreeSet<PathBuf> =
        texts.iter().flat_map(|(file, text)| test_modules(file, text)).collect();
    let mut found: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for (file, text) in texts.iter().filter(|(file, _)| !for_tests.contains(file)) {
        for name in text.lines().filter_map(defined) {
            found.entry(name).or_default().push(file.clone());
        }
    }
    found
}

fn words(name: &str) -> usize {
    let starts = |(at, c): (usize, char)| {
        c.is_uppercase() && (at == 0 || !name[..at].ends_with(char::is_uppercase))
    };
    name.char_indices().filter(|&found| starts(found)).count()
}

#[test]
fn no_type_name_is_there_twice() {
    let types = types();
    assert!(types.len() > 800, "only {} types were found", types.len());
    let twice: Vec<_> = types.iter().filter(|(_, files)| files.len() > 1).collect();
    assert!(twice.is_empty(), "these names have several types: {twice:#?}");
}

#[test]
fn few_type_names_are_one_word() {
    let types = types();
    let short: Vec<&String> = types.keys().filter(|name| words(name) == 1).collect();
    assert!(short.len() * 20 < types.len(), "{} of {}: {short:?}", short.len(), types.len());
}

#[test]
fn the_glossary_names_types_that_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let glossary = std::fs::read_to_string(root.join("docs/GLOSSARY.md")).unwrap();
    let texts = texts();
    // Some types are made by a macro or inside of another item.
    let defines = |text: &str, name: &str| {
        TYPES.iter().any(|keyword| text.contains(&format!("{keyword}{name}")))
    };
    let is_there =
        |name: &str| name == "EpisodeId" || texts.iter().any(|(_, text)| defines(text, name));
    let table = glossary.lines().filter(|line| line.starts_with("| "));
    let names = table.flat_map(|line| line.split('`').skip(1).step_by(2));
    let names =
        names.map(|name| name.split("::").find(|part| part.starts_with(char::is_uppercase)));
    let (mut seen, mut missing) = (0, Vec::new());
    for name in names.flatten().filter(|name| name.chars().all(char::is_alphanumeric)) {
        seen += 1;
        if !is_there(name) {
            missing.push(name);
        }
    }
    assert!(seen > 200, "only {seen} names were found");
    assert!(missing.is_empty(), "the glossary names what is not there: {missing:?}");
}
