//! Tasks with steps.

use super::Given;

/// A task with two steps, of which only the second has tests of its own.
fn two() -> Given {
    let text = "[agent]\ntimeout_sec = 10\n[[steps]]\nname = \"one\"\n\
                [[steps]]\nname = \"two\"\n[steps.agent]\ntimeout_sec = 20\n";
    Given::task()
        .saying(text)
        .without("instruction.md")
        .with("steps/one/instruction.md", "First.\n")
        .with("steps/two/instruction.md", "# canary\nThen.\n")
        .with("steps/two/tests/test.sh", "#!/bin/sh\n")
        .with("steps/one/solution/solve.sh", "#!/bin/sh\n")
}

#[test]
fn each_step_has_its_own_and_else_what_is_common() {
    let task = two().read().unwrap();
    let told: Vec<_> = task
        .steps
        .iter()
        .map(|step| {
            let seconds = step.agent_timeout.unwrap().as_secs();
            let (name, tests) = (step.name.as_deref().unwrap(), step.tests.as_str());
            (name, step.instruction.as_str(), tests, step.solution.as_deref().unwrap(), seconds)
        })
        .collect();
    let expected = [
        ("one", "First.\n", "tests/test.sh", "steps/one/solution/solve.sh", 10),
        ("two", "Then.\n", "steps/two/tests/test.sh", "solution/solve.sh", 20),
    ];
    assert_eq!(told, expected);
}

#[test]
fn a_step_without_its_files_is_refused() {
    let problems = two().without("steps/two/instruction.md").problems();
    assert_eq!(problems, ["I steps/two/instruction.md: is missing"]);
    let problems = two().without("tests/test.sh").problems();
    assert_eq!(problems, ["I tests/test.sh: is missing"]);
}

#[test]
fn what_a_step_cannot_have_is_refused() {
    let problems = two().with("steps/one/workdir/setup.sh", "#!/bin/sh\n").problems();
    assert!(problems[0].starts_with("U steps/one/workdir: "), "{problems:?}");
    let lines =
        [("min_reward = 0.5", "min_reward"), ("healthcheck = {command = \"x\"}", "healthcheck")];
    for (line, field) in lines {
        let text = format!("[[steps]]\nname = \"one\"\n{line}\n");
        let problems = two().saying(&text).problems();
        assert!(
            problems[0].starts_with(&format!("U task.toml: steps.0.{field}: ")),
            "{problems:?}"
        );
    }
}

#[test]
fn names_of_steps_are_directories_on_every_host() {
    let wrong =
        ["", " ", "..", "a/b", "a.", "a ", "NUL", "nul.txt", "com1", "LPT9.x", "a:b", "a\\\\b"];
    for name in wrong {
        let text = format!("[[steps]]\nname = \"{name}\"\n");
        let problems = two().saying(&text).problems();
        assert!(problems[0].starts_with("I task.toml: steps.0.name: "), "{name}: {problems:?}");
    }
    let text = "[[steps]]\nname = \"one\"\n[[steps]]\nname = \"ONE\"\n";
    let given = two().saying(text).with("steps/ONE/instruction.md", "x");
    assert_eq!(
        given.problems(),
        ["I task.toml: steps.1.name: \"ONE\" is the name of another step"]
    );
    let long = format!("[[steps]]\nname = \"{}\"\n", "é".repeat(128));
    assert_eq!(two().saying(&long).problems().len(), 1);
}
