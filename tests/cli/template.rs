//! `synthd template`: the library, one's own templates, and what broken ones get.

use super::campaign::templates;
use super::harness::{Ran, snapshot, synthd, synthd_in};
use synthd_actors::task::SKILLS;

fn template(args: &[&str]) -> Ran {
    let own = templates();
    synthd(&[&["template"], args, &["--templates", own.to_str().unwrap()]].concat())
}

/// The same bytes on every machine and with every version: this snapshot never changes.
#[test]
fn a_task_is_the_same_everywhere() {
    let ran = template(&["render", "tests/greeting", "--seed", "7", "--index", "3"]).succeeds();
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!("golden_task", ran.stdout));
    let again = template(&["render", "tests/greeting", "--seed", "7", "--index", "3", "--json"]);
    let task = again.succeeds().document();
    assert_eq!(task["digest"], "79278b16f59d49dbb46d35dcd0006d20a1c02a06e0d3224aeabeea44c439749d");
}

#[test]
fn other_seeds_and_indices_are_other_tasks() {
    let digest = |seed: &str, index: &str| {
        let args = ["render", "tests/greeting", "--json", "--seed", seed, "--index", index];
        template(&args).succeeds().document()["digest"].as_str().unwrap().to_owned()
    };
    assert_eq!(digest("1", "0"), digest("1", "0"));
    assert_ne!(digest("1", "0"), digest("1", "1"));
    assert_ne!(digest("1", "0"), digest("2", "0"));
}

#[test]
fn the_schema_is_as_it_was() {
    let ran = synthd(&["template", "schema"]).succeeds();
    assert!(ran.document()["properties"]["verification"].is_object());
    snapshot("template_schema", &ran.stdout, None);
}

#[test]
fn the_list_has_ones_own() {
    let ran = template(&["list"]).succeeds();
    assert!(ran.stdout.contains("tests/greeting"), "{}", ran.stdout);
    let list = template(&["list", "--json"]).succeeds().document();
    assert!(list.as_array().unwrap().len() >= 16);
    snapshot("template_show", &template(&["show", "tests/greeting"]).succeeds().told(), None);
}

#[test]
fn every_shipped_template_says_its_kind_and_its_skills() {
    let list = synthd(&["template", "list", "--json"]).succeeds().document();
    for template in list.as_array().unwrap() {
        let skills = template["skills"].as_array().unwrap();
        assert!(template["kind"].is_string() && skills.len() >= 2, "{template}");
        let known = |skill: &serde_json::Value| SKILLS.contains(&skill.as_str().unwrap());
        assert!(skills.iter().all(known), "docs/skills.md lacks one of {template}");
    }
}

#[test]
fn the_list_is_filtered() {
    let ids = |args: &[&str]| -> Vec<String> {
        let list = synthd(&[&["template", "list", "--json"], args].concat()).succeeds().document();
        let ids = list.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned());
        ids.collect()
    };
    assert!(ids(&["--kind", "refactor"]).contains(&"refactoring/extract-duplicated-rules".into()));
    let all = ["--kind", "repair", "--category", "debugging", "--difficulty", "easy"];
    assert!(ids(&all).contains(&"debugging/off-by-one-pagination".into()));
    let git = ids(&["--skill", "git.bisect"]);
    assert!(git.contains(&"git/bisect-regression".into()), "{git:?}");
    assert!(!git.contains(&"debugging/off-by-one-pagination".into()), "{git:?}");
    for (filter, word, near) in [
        ("--kind", "repare", "did you mean `repair`?"),
        ("--category", "debuging", "did you mean `debugging`?"),
        ("--skill", "git.bisct", "did you mean `git.bisect`?"),
    ] {
        let ran = synthd(&["template", "list", filter, word]).fails(2, "SYN-0105");
        assert!(ran.stderr.contains(near), "{ran:?}");
    }
}

#[test]
fn an_unknown_template_is_guessed() {
    let ran = template(&["show", "tests/greting"]);
    snapshot("template_unknown", &ran.fails(2, "SYN-0202").told(), None);
}

#[test]
fn a_template_that_does_not_parse_is_placed() {
    let dir = tempfile::tempdir().unwrap();
    let bad = dir.path().join("own/bad");
    std::fs::create_dir_all(&bad).unwrap();
    let good = std::fs::read_to_string(templates().join("tests/sum.yaml")).unwrap();
    let renamed = |id: &str| good.replace("tests/sum", id);
    let write = |name: &str, text: &str| std::fs::write(bad.join(name), text).unwrap();
    write("unknown-key.yaml", &renamed("bad/unknown-key").replace("difficulty:", "dificulty:"));
    write("wrong-type.yaml", &renamed("bad/wrong-type").replace("{min: 2, max: 6}", "many"));
    write("not-yaml.yaml", "schema: [synthd/template@1\nid: }");
    write("wrong-id.yaml", &renamed("bad/another"));
    let ran = synthd_in(dir.path(), &["template", "list", "--templates", "own"]);
    let told = ran.fails(2, "SYN-0201").told();
    assert!(told.contains("own/bad/unknown-key.yaml:"), "{told}");
    snapshot("template_broken", &told, None);
    let ran = synthd_in(dir.path(), &["template", "list", "--templates", "nowhere"]);
    snapshot("template_no_directory", &ran.fails(2, "SYN-0201").told(), None);
}

/// The campaign does not start.
#[test]
fn a_campaign_with_a_broken_template_does_not_start() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("own/bad")).unwrap();
    std::fs::write(dir.path().join("own/bad/x.yaml"), "schema: nothing\n").unwrap();
    let campaign = super::campaign::text("broken", &["oracle"], "bad/*");
    std::fs::write(dir.path().join("c.toml"), campaign).unwrap();
    let ran = synthd_in(dir.path(), &["run", "c.toml", "--templates", "own"]);
    assert_eq!(ran.fails(2, "SYN-0201").stdout, "");
    assert!(!dir.path().join("synthd-data").exists());
}

#[test]
fn templates_are_proven_in_real_sandboxes() {
    let ran = template(&["check", "tests/*", "--seeds", "2"]).succeeds();
    assert_eq!(ran.stdout.matches("proven").count(), 2, "{ran:?}");
    let report = template(&["check", "tests/sum", "--seeds", "1", "--json"]).succeeds().document();
    assert_eq!(report[0]["proven"], true, "{report}");
}

#[test]
fn a_template_that_proves_nothing_is_told() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("own/tests")).unwrap();
    let sound = std::fs::read_to_string(templates().join("tests/sum.yaml")).unwrap();
    let weak = sound.replace("run: cmp sum.txt /sealed/sum", "run: test -e numbers.txt");
    std::fs::write(dir.path().join("own/tests/sum.yaml"), weak).unwrap();
    let args = ["template", "check", "tests/sum", "--seeds", "1", "--templates", "own"];
    let ran = synthd_in(dir.path(), &args).fails(1, "SYN-0203");
    snapshot("template_unproven", &ran.told(), None);
}

/// Once for all seeds, with its name, file and line.
#[test]
fn an_undefined_variable_is_told_once_with_its_place() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("own/tests")).unwrap();
    let sound = std::fs::read_to_string(templates().join("tests/sum.yaml")).unwrap();
    let broken = sound.replace("Write the sum", "Write {{ numbrs | length }} and the sum");
    assert_ne!(broken, sound);
    std::fs::write(dir.path().join("own/tests/sum.yaml"), broken).unwrap();
    let args = ["template", "check", "tests/sum", "--templates", "own"];
    let ran = synthd_in(dir.path(), &args).fails(1, "SYN-0203");
    assert_eq!(ran.stderr.matches("`numbrs`").count(), 1, "{ran:?}");
    snapshot("template_undefined", &ran.told(), None);
    let args = ["template", "render", "tests/sum", "--templates", "own"];
    let ran = synthd_in(dir.path(), &args).fails(2, "SYN-0201");
    assert!(ran.stderr.contains("--> own/tests/sum.yaml:"), "{ran:?}");
}

#[test]
fn what_cannot_be_tried_and_what_proves_nothing_is_not_proven() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("own/tests")).unwrap();
    let sound = std::fs::read_to_string(templates().join("tests/sum.yaml")).unwrap();
    let args = ["template", "check", "tests/sum", "--seeds", "2", "--templates", "own"];
    let told = |text: &str| {
        assert_ne!(text, sound);
        std::fs::write(dir.path().join("own/tests/sum.yaml"), text).unwrap();
        synthd_in(dir.path(), &args).fails(1, "SYN-0203").stderr
    };
    let requires = sound.replace("requires: []", "requires: [no-such-program]");
    let said = told(&requires);
    assert!(said.contains("every seed: the template requires no-such-program"), "{said}");
    let checks = "checks: [{name: sum, run: cmp sum.txt /sealed/sum}, {name: idle, run: 'true'}]";
    let said = told(&sound.replace("run: cmp sum.txt /sealed/sum", checks));
    assert!(said.contains("every seed: the check \"idle\" proves nothing"), "{said}");
}

/// Lists the shipped templates and those of one's own.
const LIST: [&str; 4] = ["template", "list", "--templates", "own"];

/// A template in a folder as `template new` writes it, in a directory of its own.
fn started() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    synthd_in(dir.path(), &["template", "new", "my/first", "--dir", "own"]).succeeds();
    dir
}

/// Replaces a text in a file of the template.
fn replace(dir: &tempfile::TempDir, file: &str, from: &str, to: &str) {
    let path = dir.path().join("own/my/first").join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{from}");
    std::fs::write(path, text.replacen(from, to, 1)).unwrap();
}

#[test]
fn a_new_template_is_proven() {
    let dir = started();
    let args = ["template", "check", "my/first", "--templates", "own", "--seeds", "2"];
    let ran = synthd_in(dir.path(), &args).succeeds();
    assert!(ran.stdout.contains("proven    my/first (2 seeds)"), "{ran:?}");
    let args = ["template", "show", "my/first", "--templates", "own", "--json"];
    let shown = synthd_in(dir.path(), &args).succeeds().document();
    assert_eq!(shown["wordings"], serde_json::json!(["complete", "terse"]));
    assert_eq!(shown["judge"], "apart");
    let again = synthd_in(dir.path(), &["template", "new", "my/first", "--dir", "own"]);
    assert!(again.fails(2, "SYN-0105").stderr.contains("already there"));
    for id in ["first", "my/../first", "My/first", "/tmp/x", "a/b/c"] {
        let ran = synthd_in(dir.path(), &["template", "new", id, "--dir", "own"]);
        assert!(ran.fails(2, "SYN-0105").stderr.contains("is no id"), "{id}");
    }
}

/// Once each, with the file of the folder, the line and a caret.
#[test]
fn ten_mistakes_are_listed_with_their_places() {
    let dir = started();
    replace(&dir, "files/total.sh.j2", "fault.column", "fault.colum");
    replace(&dir, "files/prices.txt.j2", "in prices", "in price");
    replace(&dir, "sealed/total.txt.j2", "| sum", "| summ");
    for (from, to) in [
        ("title: The total", "title: The {{ total }}"),
        ("    `total.sh` prints a", "    {{ script }} prints a"),
        ("cat README.md", "cat {{ readme }}"),
        ("steps: [{edit: {fault: column}}]", "steps: [{edit: {fault: column}, run: x}]"),
        ("from: sealed/check.sh, raw: true", "from: sealed/check.sh, mode: '9'"),
        ("{path: total.txt, as: total.txt,", "{path: '{{ out }}', as: total.txt,"),
        ("echo item1 1", "echo {{ item }} 1"),
    ] {
        replace(&dir, "template.yaml", from, to);
    }
    let args = ["template", "render", "my/first", "--templates", "own"];
    let ran = synthd_in(dir.path(), &args).fails(2, "SYN-0201");
    assert_eq!(ran.stderr.matches("--> own/my/first/").count(), 10, "{}", ran.stderr);
    snapshot("template_ten_mistakes", &ran.told(), None);
}

/// The rules of the form, and paths that are not in the folder.
#[test]
fn a_folder_that_does_not_fit_is_placed() {
    let dir = started();
    for (from, to) in [
        ("- {tree: files}", "- {tree: file}"),
        ("from: lib/rewritten.sh", "from: rewritten.sh"),
        ("from: sealed/check.sh", "from: ../check.sh"),
        ("unchanged: [prices.txt]", "unchanged: [], run: x"),
        ("  terse: |", "  \"very terse\": |"),
        ("right: \"$2\"", "right: \"$1\""),
    ] {
        replace(&dir, "template.yaml", from, to);
    }
    let ran = synthd_in(dir.path(), &LIST).fails(2, "SYN-0201");
    snapshot("template_folder_rules", &ran.told(), None);
    let dir = started();
    replace(&dir, "template.yaml", "template@2", "template@1");
    let ran = synthd_in(dir.path(), &LIST).fails(2, "SYN-0201");
    assert!(ran.stderr.contains("a template in a folder needs synthd/template@2"), "{ran:?}");
    assert!(ran.stderr.contains("`faults`: it needs synthd/template@2"), "{ran:?}");
}

#[test]
fn a_hostile_folder_is_refused_with_the_place() {
    let refused = |make: &dyn Fn(&std::path::Path), said: &str| {
        let dir = started();
        make(&dir.path().join("own/my/first"));
        let ran = synthd_in(dir.path(), &LIST).fails(2, "SYN-0201");
        assert!(ran.stderr.contains("own/my/first/"), "{said}: {ran:?}");
        assert!(ran.stderr.contains(said), "{said}: {ran:?}");
    };
    let link = |to: &'static str| {
        move |folder: &std::path::Path| {
            std::os::unix::fs::symlink(to, folder.join("files/link")).unwrap();
        }
    };
    refused(&link("/etc/passwd"), "leaves the template's directory");
    refused(&link("../../../../secret"), "leads nowhere");
    refused(&link("link"), "leads nowhere");
    refused(&link("../lib"), "a link to a directory");
    refused(
        &|folder| {
            let file = std::fs::File::create(folder.join("files/large")).unwrap();
            file.set_len(100 << 20).unwrap();
        },
        "larger than a file of a template may be",
    );
    refused(
        &|folder| {
            for part in 0..5 {
                let file = std::fs::File::create(folder.join(format!("files/{part}"))).unwrap();
                file.set_len(16 << 20).unwrap();
            }
        },
        "brings its template above 64 MiB",
    );
    refused(
        &|folder| {
            let deep = folder.join("files").join("d/".repeat(40));
            std::fs::create_dir_all(deep).unwrap();
        },
        "deeper than 32 directories",
    );
    refused(
        &|folder| {
            let path = folder.join("files/pipe");
            nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        },
        "neither a file nor a directory",
    );
}

/// A link inside of the folder is as good as its file.
#[test]
fn a_link_in_the_folder_is_followed() {
    let dir = started();
    let folder = dir.path().join("own/my/first");
    std::os::unix::fs::symlink("../lib/rewritten.sh", folder.join("files/linked.sh")).unwrap();
    let args = ["template", "render", "my/first", "--templates", "own"];
    let ran = synthd_in(dir.path(), &args).succeeds();
    assert!(ran.stdout.contains("--- linked.sh (0644)\n# Prints the sum"), "{}", ran.stdout);
}

/// A single file may have the name that a folder's YAML has.
#[test]
fn a_single_file_may_be_named_template() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("own/my")).unwrap();
    let sound = std::fs::read_to_string(templates().join("tests/sum.yaml")).unwrap();
    let renamed = sound.replace("id: tests/sum", "id: my/template");
    std::fs::write(dir.path().join("own/my/template.yaml"), renamed).unwrap();
    let args = ["template", "show", "my/template", "--templates", "own"];
    synthd_in(dir.path(), &args).succeeds();
}

#[test]
fn a_file_and_a_folder_of_one_id_are_a_conflict() {
    let dir = started();
    let yaml = std::fs::read(dir.path().join("own/my/first/template.yaml")).unwrap();
    std::fs::write(dir.path().join("own/my/first.yaml"), yaml).unwrap();
    let ran = synthd_in(dir.path(), &LIST).fails(2, "SYN-0201");
    assert!(ran.stderr.contains("my/first is in two files: "), "{ran:?}");
}

#[test]
fn a_fault_that_no_check_sees_and_an_alternative_that_fails_are_told() {
    let dir = started();
    let check = "    - {name: script, weight: 2, run: \"sh /sealed/check.sh\"}\n";
    replace(&dir, "template.yaml", check, "");
    replace(&dir, "lib/rewritten.sh", "sum + price", "sum + 1");
    let args = ["template", "check", "my/first", "--seeds", "1", "--templates", "own"];
    let said = synthd_in(dir.path(), &args).fails(1, "SYN-0203").stderr;
    assert!(said.contains("put back into the oracle's work solves the task"), "{said}");
    assert!(
        said.contains("the alternative \"rewritten\" does not solve the task: output"),
        "{said}"
    );
}

#[test]
fn a_watch_needs_a_directory() {
    let ran = synthd(&["template", "check", "--watch"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stderr.contains("--templates"), "{ran:?}");
}
