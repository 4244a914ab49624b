//! Directories with templates of a campaign's own.

use super::*;
use crate::templates::TemplateLibrary;
use std::fs;

const SUM: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/templates/tests/sum.yaml"));

fn write(dir: &Path, id: &str) -> PathBuf {
    let file = dir.join(format!("{id}.yaml"));
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, SUM.replace("tests/sum", id)).unwrap();
    file
}

fn file(dir: &Path, list: &str) -> PathBuf {
    let path = dir.join("campaign.toml");
    let text = MINIMAL.replace("[tasks]\n", &format!("[tasks]\ntemplate_dirs = {list}\n"));
    assert_ne!(text, MINIMAL);
    fs::write(&path, text).unwrap();
    path
}

fn library(directories: &[PathBuf]) -> TemplateLibrary {
    TemplateLibrary::load(directories).unwrap_or_else(|error| panic!("{}", error.report()))
}

#[test]
fn directories_start_at_the_file_and_add_up() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    write(&dir.join("one"), "own/one");
    write(&dir.join("two"), "own/two");
    write(&dir.join("three"), "own/three");
    let path = file(dir, "[\"./one\", \"two\"]");
    let given = library(&[dir.join("three"), dir.join("one")]);
    let loaded = load_campaign_with(&given, &path);
    let (loaded, library) = loaded.unwrap_or_else(|errors| panic!("{errors}"));
    for id in ["own/one", "own/two", "own/three", "debugging/off-by-one-pagination"] {
        assert!(library.catalog.get(id).is_some(), "{id}");
    }
    assert_eq!(loaded.config.tasks.template_dirs, [dir.join("one"), dir.join("two")]);
    // What is kept, or sent to a daemon, means the same from everywhere.
    let again = parse_campaign_with(&TemplateLibrary::default(), "kept", &loaded.source);
    let (again, _) = again.unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(again.config, loaded.config);
    // The place of a directory is no setting that makes another campaign.
    assert_eq!(loaded.config.identity(), campaign(MINIMAL).identity());
}

#[test]
fn a_relative_directory_needs_a_file() {
    let text =
        MINIMAL.replace("[tasks]\n", "[tasks]\ntemplate_dirs = [\"own\", \"~/own\", \"\"]\n");
    let told = brief(&parse_campaign("sent", &text).unwrap_err()).join("\n");
    assert!(told.contains("but this campaign has no file"), "{told}");
    assert!(told.contains("`~` is not expanded"), "{told}");
    assert_eq!(told.matches("template_dirs").count(), 3, "{told}");
}

#[test]
fn every_mistake_is_told_at_once_with_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    fs::create_dir(dir.join("empty")).unwrap();
    fs::write(dir.join("file"), "").unwrap();
    let broken = write(&dir.join("broken"), "own/broken");
    fs::write(&broken, SUM.replace("tests/sum", "own/broken").replace("difficulty:", "dificulty:"))
        .unwrap();
    let first = write(&dir.join("one"), "own/same");
    let second = write(&dir.join("two"), "own/same");
    let list = "[\"nowhere\",\n \"empty\",\n \"file\",\n \"broken\",\n \"one\",\n \"two\"]\nper_template = 0";
    let path = file(dir, list);
    let errors = load_campaign_with(&library(&[]), &path).unwrap_err();
    assert_eq!(errors.code(), Code::ConfigInvalid);
    let start = errors.errors()[0].line;
    let places: Vec<(usize, usize)> =
        errors.errors().iter().map(|error| (error.line - start, error.column)).collect();
    assert_eq!(places, [(0, 18), (1, 2), (2, 2), (3, 2), (5, 2), (6, 16)], "{errors}");
    assert!(errors.errors().iter().all(|error| error.hint.is_some()), "{errors}");
    let said: Vec<&str> = errors.errors().iter().map(|error| error.message.as_str()).collect();
    assert!(said[0].contains("nowhere") && said[0].contains("No such file"), "{said:?}");
    assert_eq!(said[1], "empty has no template");
    assert!(said[2].contains("Not a directory"), "{said:?}");
    assert!(said[3].contains("own/broken.yaml:") && said[3].contains("dificulty"), "{said:?}");
    let (first, second) = (first.display(), second.display());
    assert_eq!(said[4], format!("own/same is in two files: {first} and {second}"));
    assert!(said[5].contains("per_template"), "{said:?}");
}

#[test]
fn an_id_of_the_command_line_is_not_taken_again() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    write(&dir.join("one"), "own/same");
    write(&dir.join("two"), "own/same");
    let path = file(dir, "[\"two\"]");
    let told = load_campaign_with(&library(&[dir.join("one")]), &path).unwrap_err().render();
    assert!(told.contains("own/same is in two files"), "{told}");
    let both = TemplateLibrary::load(&[dir.join("one"), dir.join("two")]).unwrap_err();
    assert_eq!(both.code(), Code::TemplateInvalid);
    assert!(both.to_string().contains("one/own/same.yaml and "), "{both}");
}
