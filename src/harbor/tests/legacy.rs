//! Tasks of Terminal-Bench.

use super::Given;
use crate::harbor::HarborImage;
use std::collections::BTreeMap;
use std::time::Duration;

const COMPOSE: &str = "\
services:
  client:
    build:
      dockerfile: Dockerfile
    image: ${T_BENCH_TASK_DOCKER_CLIENT_IMAGE_NAME}
    container_name: ${T_BENCH_TASK_DOCKER_CLIENT_CONTAINER_NAME}
    command: [\"sh\", \"-c\", \"sleep infinity\"]
    environment:
      - TEST_DIR=${T_BENCH_TEST_DIR}
    volumes:
      - ${T_BENCH_TASK_LOGS_PATH}:${T_BENCH_CONTAINER_LOGS_PATH}
";

fn old() -> Given {
    Given(BTreeMap::new())
        .with(
            "task.yaml",
            "instruction: |-\n  # canary\n  Do it.\nmax_agent_timeout_sec: 900\ntags: [a]\n",
        )
        .with("docker-compose.yaml", COMPOSE)
        .with("Dockerfile", "FROM debian\n")
        .with("run-tests.sh", "#!/bin/bash\npytest $TEST_DIR\n")
        .with("tests/test_outputs.py", "")
        .with("solution.sh", "#!/bin/bash\n")
}

#[test]
fn an_old_task_is_understood() {
    let task = old().read().unwrap();
    assert_eq!((task.name.as_str(), task.format.as_str()), ("folder", "terminal-bench"));
    assert_eq!(task.image, HarborImage::Dockerfile("Dockerfile".to_owned()));
    let part = &task.steps[0];
    assert_eq!(part.instruction, "Do it.");
    assert_eq!(
        (part.tests.as_str(), part.solution.as_deref()),
        ("run-tests.sh", Some("solution.sh"))
    );
    let times = (part.agent_timeout, part.tests_timeout);
    assert_eq!(times, (Some(Duration::from_secs(900)), Duration::from_secs(60)));
}

#[test]
fn the_directory_that_is_built_may_be_another_one() {
    for context in ["build: ./client/", "build: {context: client}"] {
        let compose = format!("services:\n  a:\n    {context}\n");
        let given =
            old().with("docker-compose.yaml", &compose).with("client/Dockerfile", "FROM a\n");
        let image = given.read().unwrap().image;
        assert_eq!(image, HarborImage::Dockerfile("client/Dockerfile".to_owned()));
    }
    for context in ["../x", "/x"] {
        let compose = format!("services:\n  a:\n    build: {context}\n");
        let problems = old().with("docker-compose.yaml", &compose).problems();
        let expected = "I docker-compose.yaml: services.a.build: leaves the task's folder";
        assert_eq!(problems, [expected]);
    }
}

#[test]
fn what_needs_a_compose_engine_is_refused() {
    for (compose, place) in [
        ("services:\n  a: {}\n  db: {image: x}\n", ""),
        ("networks: {}\nservices:\n  a: {}\n", ": networks"),
        ("services:\n  a: {ports: [\"80\"]}\n", ": services.a.ports"),
        ("services:\n  a: {volumes: [\"./x:/x\"]}\n", ": services.a.volumes"),
        ("services:\n  a: {environment: {A: \"1\"}}\n", ": services.a.environment"),
        ("services:\n  a: {volumes: [{source: /x}]}\n", ": services.a.volumes"),
        ("services:\n  a: {environment: {A: 1}}\n", ": services.a.environment"),
        ("services:\n  a: {build: {context: ., args: {}}}\n", ": services.a.build.args"),
        ("services:\n  a: {build: {dockerfile: x}}\n", ": services.a.build.dockerfile"),
    ] {
        let problems = old().with("docker-compose.yaml", compose).problems();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(
            problems[0].starts_with(&format!("U docker-compose.yaml{place}: ")),
            "{problems:?}"
        );
    }
}

#[test]
fn what_is_missing_or_broken_is_named() {
    for path in ["docker-compose.yaml", "run-tests.sh", "Dockerfile"] {
        assert_eq!(old().without(path).problems(), [format!("I {path}: is missing")]);
    }
    let given = old().without("solution.sh").with("solution.yaml", "- command: x\n");
    assert!(given.problems()[0].starts_with("U solution.yaml: "));
    assert!(old().without("solution.sh").read().unwrap().steps[0].solution.is_none());
    for text in ["tags: [a]\n", "instruction: [a\n", "{{{{{{"] {
        let problems = old().with("task.yaml", text).problems();
        assert!(problems[0].starts_with("I task.yaml: "), "{text:?}: {problems:?}");
    }
    for compose in ["services: 3\n", "x", "services: [a\n"] {
        let problems = old().with("docker-compose.yaml", compose).problems();
        assert!(problems[0].starts_with("I docker-compose.yaml: "), "{compose:?}: {problems:?}");
    }
}
