//! What is written is read again by the readers, and has everything of the task.

use super::told;
use crate::harbor::harbor_files::HarborFiles;
use crate::harbor::harbor_task::understand;
use crate::harbor::{ExportSettings, HarborExport, HarborTask, export_task};
use crate::templates;
use std::sync::Arc;
use synthd_actors::model::{BASE_IMAGE, Task};
use synthd_actors::task::{Catalog, TemplateFolder};

fn catalog() -> Arc<Catalog> {
    templates::load(&[]).unwrap()
}

fn read(export: &HarborExport) -> HarborTask {
    let files = export.files.iter().map(|(path, file)| (path.as_str(), file.content.as_bytes()));
    understand(&HarborFiles::of(files), &export.name)
        .unwrap_or_else(|problems| panic!("{:?}", problems.iter().map(told).collect::<Vec<_>>()))
}

fn with_image() -> ExportSettings {
    ExportSettings { image: Some("synthd-test/base".to_owned()) }
}

/// A task of the first template that can be written.
fn some_task() -> Task {
    catalog().get("debugging/broken-pipeline").unwrap().task(3, 0).unwrap()
}

#[test]
fn every_template_without_services_is_written_and_read() {
    let mut written = 0;
    for template in catalog().iter() {
        let task = template.task(1, 0).unwrap();
        let export = match export_task(&task, 1, &with_image()) {
            Ok(export) => export,
            Err(why) => {
                let is_told = !task.services.is_empty() || !task.stages.is_empty();
                assert!(is_told, "{}: {why}", template.id);
                continue;
            }
        };
        if task.image == BASE_IMAGE {
            let debian = export_task(&task, 1, &ExportSettings::default());
            assert!(debian.is_ok(), "{}: {debian:?}", template.id);
        }
        let read = read(&export);
        assert_eq!(read.name, format!("synthd/{}", export.name));
        assert!(read.notes.is_empty(), "{}: {:?}", template.id, read.notes);
        assert_eq!(read.steps.len(), task.stages.len().max(1));
        assert_eq!(read.steps[0].instruction, task.instruction);
        written += 1;
    }
    assert!(written > 15, "{written}");
}

const STAGED: &str = r#"
schema: synthd/template@2
id: my/two
title: Two steps
category: my
difficulty: easy
expected_steps: {min: 2, max: 9}
environment: {files: [{path: a, content: "0\n"}]}
stages:
  - name: first
    instruction: Write 1 into a.
    solution: [{run: "echo 1 > a"}]
    verification:
      files: [{path: one, content: "1\n"}]
      checks: [{name: one, same: {path: a, as: one}}]
      cheats: [{name: two, steps: [{run: "echo 2 > a"}]}]
  - name: second
    instruction: Write 2 into b, and leave a alone.
    solution: [{write: {path: b, content: "2\n"}}]
    verification:
      files: [{path: two, content: "2\n"}]
      checks: [{name: two, same: {path: b, as: two}}]
      cheats: [{name: three, steps: [{run: "echo 3 > b"}]}]
"#;

#[test]
fn stages_are_steps_with_their_own_checks() {
    let folder = TemplateFolder::single(STAGED.as_bytes().to_vec());
    let catalog = Catalog::read_folders([("my/two", Arc::new(folder))]).unwrap();
    let mut task = catalog.get("my/two").unwrap().task(1, 0).unwrap();
    let export = export_task(&task, 1, &with_image()).unwrap();
    let steps = read(&export).steps;
    let named: Vec<_> = steps.iter().map(|step| step.name.as_deref().unwrap()).collect();
    assert_eq!(named, ["first", "second"]);
    for (at, (name, sealed, other)) in
        [("first", "\"one\"", "\"two\""), ("second", "\"two\"", "\"one\"")].into_iter().enumerate()
    {
        assert_eq!(steps[at].instruction, task.stages[at].instruction);
        assert_eq!(steps[at].tests, "tests/test.sh");
        assert_eq!(
            steps[at].solution.as_deref(),
            Some(format!("steps/{name}/solution/solve.sh").as_str())
        );
        let plan = &export.files[&format!("steps/{name}/tests/checks.json")].content;
        assert!(plan.contains(sealed) && !plan.contains(other), "{plan}");
        assert!(plan.contains(&format!("\"goes_on\": {}", at == 0)), "{plan}");
    }
    task.stages[0].weight = 2.0;
    let refused = export_task(&task, 1, &with_image()).unwrap_err().to_string();
    assert!(refused.contains("different weights"), "{refused}");
}

#[test]
fn nothing_sealed_is_where_the_agent_is() {
    let task = some_task();
    let export = export_task(&task, 3, &ExportSettings::default()).unwrap();
    let public = export
        .files
        .iter()
        .filter(|(path, _)| path.starts_with("environment/") || *path == "instruction.md");
    for (path, file) in public {
        assert!(!file.content.contains(&task.verification.canary), "{path}");
    }
    let plan = &export.files["tests/checks.json"].content;
    assert!(plan.contains(&task.verification.canary));
}

#[test]
fn the_folder_says_where_it_comes_from_and_what_its_label_is_worth() {
    let task = some_task();
    let export = export_task(&task, 3, &ExportSettings::default()).unwrap();
    assert_eq!(export.name, "debugging-broken-pipeline-s3");
    let manifest: toml::Table = export.files["task.toml"].content.parse().unwrap();
    let metadata = manifest["metadata"].as_table().unwrap();
    let seed = task.seed.to_string();
    for (key, value) in [
        ("template", "debugging/broken-pipeline"),
        ("label", "shared-judge"),
        ("digest", task.digest.as_str()),
        ("seed", seed.as_str()),
    ] {
        assert_eq!(metadata[key].as_str(), Some(value), "{key}");
    }
    assert_eq!(export.files["solution/solve.sh"].mode, 0o755);
    let dockerfile = &export.files["environment/Dockerfile"].content;
    assert!(
        dockerfile.starts_with("FROM debian:bookworm-slim\nRUN apt-get update"),
        "{dockerfile}"
    );
}

#[test]
fn what_harbor_has_no_words_for_is_refused() {
    let refused = |change: &dyn Fn(&mut Task), settings: &ExportSettings| {
        let mut task = some_task();
        change(&mut task);
        export_task(&task, 1, settings).unwrap_err().to_string()
    };
    let debian = ExportSettings::default();
    let program = refused(&|task| task.requires = vec!["frobnicate".to_owned()], &debian);
    assert!(program.contains("\"frobnicate\"") && program.contains("--image"), "{program}");
    let image = refused(&|task| task.image = "rust".to_owned(), &debian);
    assert!(image.contains("\"rust\"") && image.contains("--image"), "{image}");
    let path = refused(&|task| task.files[0].path = "a\nRUN b".to_owned(), &with_image());
    assert!(path.contains("a Dockerfile cannot name"), "{path}");
}

/// A word with a quote is one word for the shell.
#[test]
fn odd_names_of_files_stay_words() {
    let mut task = some_task();
    task.files[0].path = "it's here; rm x".to_owned();
    task.files[0].mode = 0o755;
    let export = export_task(&task, 1, &with_image()).unwrap();
    let dockerfile = &export.files["environment/Dockerfile"].content;
    assert!(dockerfile.contains(r"chmod 0755 -- 'it'\''s here; rm x'"), "{dockerfile}");
    assert!(export.files.contains_key("environment/work/it's here; rm x"));
}
