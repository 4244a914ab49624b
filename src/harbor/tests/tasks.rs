//! Tasks without steps.

use super::Given;
use crate::harbor::HarborImage;
use proptest::prelude::*;
use std::time::Duration;

#[test]
fn the_smallest_task_is_understood() {
    let task = Given::task().read().unwrap();
    assert_eq!((task.name.as_str(), task.format.as_str()), ("folder", "1.4"));
    assert_eq!(task.image, HarborImage::Dockerfile("environment/Dockerfile".to_owned()));
    let [part] = task.steps.as_slice() else { panic!("{task:?}") };
    assert_eq!(part.instruction, "Write hello into out.\n");
    assert_eq!(
        (part.tests.as_str(), part.solution.as_deref()),
        ("tests/test.sh", Some("solution/solve.sh"))
    );
    assert_eq!((part.agent_timeout, part.tests_timeout), (None, Duration::from_secs(600)));
    assert!(task.notes.is_empty(), "{task:?}");
}

#[test]
fn what_a_task_says_is_taken() {
    let text = "version = \"1.0\"\n[task]\nname = \"org/name\"\n[agent]\ntimeout_sec = 90\nuser = 7\n\
                [verifier]\ntimeout_sec = 1.5\nuser = \"root\"\nenv = {A = \"1\"}\n\
                [environment]\ndocker_image = \"a/b:1\"\nworkdir = \"/app\"\nmemory_mb = 512\n";
    let task = Given::task().saying(text).without("environment/Dockerfile").read().unwrap();
    assert_eq!((task.name.as_str(), task.format.as_str()), ("org/name", "1.0"));
    assert_eq!(task.image, HarborImage::Prebuilt("a/b:1".to_owned()));
    let part = &task.steps[0];
    assert_eq!(part.agent_timeout, Some(Duration::from_secs(90)));
    assert_eq!(part.tests_timeout, Duration::from_millis(1_500));
    let users = (part.agent_user.as_deref(), part.tests_user.as_deref());
    assert_eq!(users, (Some("7"), Some("root")));
    assert_eq!((task.workdir.as_deref(), task.memory_mb), (Some("/app"), Some(512)));
    assert_eq!(task.tests_variables["A"], "1");
}

#[test]
fn windows_line_ends_are_read_where_nothing_runs_them() {
    let task = Given::task().saying("schema_version = \"1.2\"\r\n[agent]\r\ntimeout_sec = 5\r\n");
    let task = task.with("instruction.md", "One.\r\nTwo.\r\n").read().unwrap();
    assert_eq!(task.steps[0].instruction, "One.\r\nTwo.\r\n");
    for path in ["tests/test.sh", "solution/solve.sh"] {
        let given = Given::task().with(path, "#!/bin/sh\r\nexit 0\r\n");
        let wrong = "has the line ends of Windows, so its interpreter is not found";
        assert_eq!(given.problems(), [format!("I {path}: {wrong}")]);
        let wrong = "does not begin with `#!`, so it cannot be run";
        assert_eq!(Given::task().with(path, "exit 0\n").problems(), [format!("I {path}: {wrong}")]);
    }
}

#[test]
fn keys_that_nobody_knows_are_told_and_ignored() {
    let text =
        "what = 1\n[agent]\ntimeout = 3\n[metadata]\nanything = 1\n[environment.env]\nA = \"1\"\n";
    let task = Given::task().saying(text).read().unwrap();
    let ignored = |key: &str| format!("task.toml: {key} is no key of Harbor's; it is ignored");
    assert_eq!(task.notes, [ignored("agent.timeout"), ignored("what")]);
}

#[test]
fn a_task_without_a_solution_is_told_of() {
    let task = Given::task().without("solution/solve.sh").read().unwrap();
    assert_eq!(task.steps[0].solution, None);
    assert_eq!(task.notes.len(), 1, "{:?}", task.notes);
}

#[test]
fn missing_files_are_named() {
    for path in ["instruction.md", "tests/test.sh", "environment/Dockerfile"] {
        assert_eq!(Given::task().without(path).problems(), [format!("I {path}: is missing")]);
    }
    let nothing = Given(std::collections::BTreeMap::new());
    assert_eq!(nothing.problems(), ["I there is neither task.toml nor task.yaml"]);
}

#[test]
fn a_file_that_is_no_toml_has_its_line() {
    let problems = Given::task().saying("schema_version = \"1.4\"\n[agent\n").problems();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].starts_with("I task.toml:"), "{problems:?}");
    let problems = Given::task().saying("[agent]\ntimeout_sec = \"soon\"\n").problems();
    assert!(problems[0].starts_with("I task.toml:2: "), "{problems:?}");
}

#[test]
fn a_text_that_is_no_utf_8_is_refused() {
    for path in ["task.toml", "instruction.md", "tests/test.sh", "environment/Dockerfile"] {
        let mut given = Given::task();
        given.0.insert(path.to_owned(), b"#!/bin/sh\n\xff\n".to_vec());
        let problems = given.problems();
        assert!(problems[0].starts_with(&format!("I {path}: is no text in UTF-8")), "{problems:?}");
    }
}

/// What synthd cannot give is refused with the field that asks for it.
#[test]
fn what_cannot_be_honoured_is_refused_by_its_field() {
    for (field, lines) in [
        ("schema_version", "schema_version = \"2.0\""),
        ("environment.os", "[environment]\nos = \"Windows\""),
        ("environment.gpus", "[environment]\ngpus = 1"),
        ("environment.tpu", "[environment.tpu]\ntype = \"v4\"\ntopology = \"2x2\""),
        ("environment.mcp_servers", "[[environment.mcp_servers]]\nname = \"a\"\nurl = \"b\""),
        ("environment.skills_dir", "[environment]\nskills_dir = \"/skills\""),
        ("environment.healthcheck", "[environment.healthcheck]\ncommand = \"true\""),
        ("environment.env.KEY", "[environment.env]\nKEY = \"${KEY:-x}\""),
        ("verifier.env.KEY", "[verifier.env]\nKEY = \"${KEY}\""),
        ("solution.env.KEY", "[solution.env]\nKEY = \"${KEY}\""),
        (
            "environment.allowed_hosts",
            "[environment]\nnetwork_mode = \"allowlist\"\nallowed_hosts = [\"10.0.0.0/8\"]",
        ),
        ("verifier.environment", "[verifier.environment]\ncpus = 2"),
        ("verifier.collect", "[[verifier.collect]]\ncommand = \"x\""),
        ("artifacts", "artifacts = [\"/a\", {source = \"/b\", service = \"db\"}]"),
    ] {
        let problems = Given::task().saying(&format!("{lines}\n")).problems();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].starts_with(&format!("U task.toml: {field}: ")), "{problems:?}");
    }
    for path in ["environment/docker-compose.yaml", "tests/Dockerfile", "trajectory.json"] {
        let problems = Given::task().with(path, "x").problems();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].starts_with(&format!("U {path}: ")), "{problems:?}");
    }
}

#[test]
fn what_breaks_a_rule_of_harbors_is_no_task() {
    for (field, lines) in [
        ("task.name", "[task]\nname = \"one\""),
        ("task.name", "[task]\nname = \"a/..b\""),
        ("environment.os", "[environment]\nos = \"plan9\""),
        ("environment.network_mode", "[environment]\nnetwork_mode = \"open\""),
        ("agent.network_mode", "[agent]\nnetwork_mode = \"open\""),
        ("agent.allowed_hosts", "[agent]\nallowed_hosts = [\"a.org\"]"),
        ("environment.workdir", "[environment]\nworkdir = \"app\""),
        ("environment.cpus", "[environment]\ncpus = 0"),
        ("environment.memory", "[environment]\nmemory = \"2X\""),
        ("environment.memory", "[environment]\nmemory = \"2G\"\nmemory_mb = 1024"),
        ("solution.env", "[solution.env]\n\"-i\" = \"1\""),
        ("solution.env", "[solution.env]\n\"A=B\" = \"1\""),
        ("environment.env", "[environment.env]\n\"\" = \"1\""),
        ("verifier.env.A", "[verifier.env]\nA = \"\\u0000\""),
        ("agent.timeout_sec", "[agent]\ntimeout_sec = -1"),
        ("verifier.timeout_sec", "[verifier]\ntimeout_sec = inf"),
        ("verifier.environment_mode", "[verifier]\nenvironment_mode = \"both\""),
        ("multi_step_reward_strategy", "multi_step_reward_strategy = \"best\""),
    ] {
        let problems = Given::task().saying(&format!("{lines}\n")).problems();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].starts_with(&format!("I task.toml: {field}: ")), "{problems:?}");
    }
    let problems = Given::task().with("environment/Dockerfile", "# FROM x\nRUN y\n").problems();
    assert_eq!(problems, ["I environment/Dockerfile: has no FROM"]);
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let text = "[environment]\ngpus = 2\nos = \"windows\"\n[agent]\nnetwork_mode = \"x\"\n";
    let problems = Given::task().saying(text).without("instruction.md").problems();
    assert_eq!(problems.len(), 4, "{problems:?}");
}

#[test]
fn older_sizes_are_read() {
    let text = "[environment]\nmemory = \"2G\"\nmemory_mb = 2048\nstorage = \"512M\"\n";
    assert!(Given::task().saying(text).read().is_ok());
    let task = Given::task().saying("[environment]\nmemory = \"8G\"\n").read().unwrap();
    assert_eq!(task.memory_mb, Some(8_192));
}

#[test]
fn the_time_of_a_build_is_bounded() {
    assert_eq!(Given::task().read().unwrap().build_timeout, Duration::from_secs(600));
    let task = Given::task().saying("[environment]\nbuild_timeout_sec = 7\n").read().unwrap();
    assert_eq!(task.build_timeout, Duration::from_secs(7));
}

#[test]
fn lines_that_mark_a_benchmark_are_not_shown() {
    for (text, shown) in [
        ("<!-- canary GUID 1 -->\n# Canary 2\n\n\nDo it.\n", "Do it.\n"),
        ("Do it.\n# canary\n", "Do it.\n# canary\n"),
        ("# A heading\n", "# A heading\n"),
        ("# canary", ""),
        ("", ""),
    ] {
        let task = Given::task().with("instruction.md", text).read().unwrap();
        assert_eq!(task.steps[0].instruction, shown, "{text:?}");
    }
}

proptest! {
    /// Whatever stands in a file, the answer is a task or problems in words.
    #[test]
    fn no_text_is_too_odd(
        toml in "[a-z_\\[\\]=\"0-9.{}, \n\r#é-]{0,200}",
        instruction in any::<String>(),
        script in any::<Vec<u8>>(),
    ) {
        let mut given = Given::task().saying(&toml).with("instruction.md", &instruction);
        given.0.insert("tests/test.sh".to_owned(), script);
        if let Err(problems) = given.read() {
            prop_assert!(!problems.is_empty());
            prop_assert!(problems.iter().all(|problem| !problem.what.is_empty()));
        }
    }

    /// Sections with right keys and any values.
    #[test]
    fn no_value_is_too_odd(
        section in "(task|agent|verifier|environment|solution|steps|artifacts|metadata)",
        key in "(name|timeout_sec|os|gpus|cpus|memory|memory_mb|env|network_mode|allowed_hosts|user)",
        value in "(-?[0-9]{1,25}|inf|nan|true|\"[a-zé${}]{0,9}\"|\\[\\]|\\[1, \"a\"\\]|\\{a = 1\\})",
    ) {
        for text in [format!("[{section}]\n{key} = {value}\n"), format!("{section} = {value}\n")] {
            match Given::task().saying(&text).read() {
                Ok(task) => prop_assert_eq!(task.steps.len(), 1),
                Err(problems) => prop_assert!(!problems.is_empty()),
            }
        }
    }
}
