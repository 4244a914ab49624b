//! Prompts of a campaign's own: read with it, looked through, and kept in its text.

use super::*;
use insta::assert_snapshot;
use std::fs;

const OWN: &str = "[prompts.minimal]\nsystem = \"own/system.md\"\ninstruction = \"task.md\"\n";

fn load(own: &str, system: &str, task: &str) -> Result<LoadedCampaign, ConfigErrors> {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("own")).unwrap();
    fs::write(dir.path().join("own/system.md"), system).unwrap();
    fs::write(dir.path().join("task.md"), task).unwrap();
    let path = dir.path().join("campaign.toml");
    fs::write(&path, format!("{MINIMAL}{own}")).unwrap();
    load_campaign(&path)
}

#[test]
fn the_texts_of_prompts_are_part_of_the_campaign() {
    let (system, task) = ("{{ builtin }}\nBe \"brief\"\u{7f}.\n", "Do: {{ instruction }}");
    let loaded = load(OWN, system, task).unwrap_or_else(|errors| panic!("{errors}"));
    let prompts = &loaded.config.prompts["minimal"];
    assert_eq!(prompts.system.as_deref(), Some(system));
    assert_eq!(prompts.instruction.as_deref(), Some(task));
    // What is kept, or sent to a daemon, needs no file any more.
    let again = parse_campaign("kept", &loaded.source).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(again.config, loaded.config);
    let other = load(OWN, "Another.", task).unwrap();
    assert_ne!(other.config.identity(), loaded.config.identity());
    assert_ne!(campaign(MINIMAL).identity(), loaded.config.identity());
}

#[test]
fn prompts_that_cannot_be_used_are_told() {
    let broken = |own: &str, system: &str, task: &str| {
        brief(&load(own, system, task).unwrap_err()).join("\n")
    };
    let good = "{{ instruction }}";
    let found = [
        broken(OWN, "one\n{{ tool }}", good),
        broken(OWN, "{{ builtin", good),
        broken(OWN, "", good),
        broken(OWN, "fine", "no task in here"),
        broken(&OWN.replace("own/system", "own/nowhere"), "fine", good),
        broken(&OWN.replace("minimal]", "minmal]"), "fine", good),
        broken(&OWN.replace("\"task.md\"", "7"), "fine", good),
        only_mistake(&OWN.replace("instruction = \"task.md\"\n", "")),
    ];
    assert_snapshot!(found.join("\n"));
}
