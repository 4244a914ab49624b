//! Services and resources of templates: what they become, and every way they can be wrong.

use super::{KEYS, in_folder, mistakes, parse, second, with};
use crate::model::{ServiceRestart, Task, TaskResources, TaskService};
use std::time::Duration;

/// The YAML of a template with these services and these resources.
fn text(services: &str, resources: &str) -> String {
    let keys = format!("services: [{services}]\nresources: {resources}\n{KEYS}");
    second(&keys, "[]", "run: 'true'")
}

fn task(services: &str, resources: &str) -> Task {
    in_folder(&text(services, resources), &[]).unwrap().task(1, 0).unwrap()
}

#[test]
fn services_are_rendered() {
    let whole = "{name: shop, run: 'serve {{ n }}', health: 'ask {{ n }}', healthy_within: 3s, \
         restart: never, judged: true}";
    let task = task(&format!("{whole}, {{name: b-2, run: x, health: y}}"), "{}");
    let shop = TaskService {
        name: "shop".to_owned(),
        run: "serve 7".to_owned(),
        health: "ask 7".to_owned(),
        healthy_within: Duration::from_secs(3),
        restart: ServiceRestart::Never,
        judged: true,
    };
    let other = TaskService {
        name: "b-2".to_owned(),
        run: "x".to_owned(),
        health: "y".to_owned(),
        healthy_within: Duration::from_secs(10),
        restart: ServiceRestart::OnFailure,
        judged: false,
    };
    assert_eq!(task.services, [shop, other]);
    assert!(task.resources.is_empty());
}

#[test]
fn resources_are_numbers() {
    let stated = "{network: none, memory: 256MiB, disk: 512MiB, time: 20m}";
    let resources = TaskResources {
        memory_bytes: Some(256 << 20),
        disk_bytes: Some(512 << 20),
        time: Some(Duration::from_secs(1_200)),
    };
    assert_eq!(task("", stated).resources, resources);
    assert_eq!(in_folder(&text("", stated), &[]).unwrap().resources(), resources);
}

/// A task without services and resources is what it was: its digest has no trace of them.
#[test]
fn a_task_without_them_does_not_mention_them() {
    let plain = in_folder(&second(KEYS, "[]", "run: 'true'"), &[]).unwrap().task(1, 0).unwrap();
    let json = serde_json::to_string(&plain).unwrap();
    assert!(!json.contains("services") && !json.contains("resources"), "{json}");
    let clusters = [
        plain.cluster,
        task("{name: a, run: x, health: y}", "{}").cluster,
        task("{name: a, run: z, health: y}", "{}").cluster,
    ];
    assert!(clusters[0] != clusters[1] && clusters[1] != clusters[2], "{clusters:?}");
}

#[test]
fn every_mistake_is_told_with_its_place() {
    let services = "{name: Shop, run: ' ', health: x}, {name: a, run: x, health: y, \
         healthy_within: soon}, {name: a, run: x, health: '', healthy_within: 1h}";
    let resources = "{network: open, memory: 256MB, disk: 1KiB, time: 0s}";
    let errors = mistakes(&text(services, resources), &[]);
    let expected = [
        "`services.0.name`: \"Shop\" is no name of a service",
        "`services.0.run`: there is no command",
        "`services.1.healthy_within`: \"soon\"; write a whole number and a unit",
        "`services.2.name`: \"a\" is there twice",
        "`services.2.health`: there is no command",
        "`services.2.healthy_within`: \"1h\"; write a whole number and a unit, from 100ms to 5m",
        "`resources.network`: \"open\"; only `none` is possible",
        "`resources.memory`: \"256MB\"; write a whole number and a unit, such as 256MiB",
        "`resources.disk`: \"1KiB\"",
        "`resources.time`: \"0s\"",
    ];
    assert_eq!(errors.len(), expected.len(), "{errors:#?}");
    for said in expected {
        let told = errors.iter().find(|error| error.message.starts_with(said));
        assert!(told.is_some_and(|error| error.location.is_some()), "{said}: {errors:#?}");
    }
    let many = ["{name: a, run: x, health: y}"; 9].join(", ");
    let errors = mistakes(&text(&many, "{}"), &[]);
    assert!(errors[0].message.starts_with("`services`: 9 services; at most 8"), "{errors:?}");
    let unknown = mistakes(&text("{name: a, run: x, health: '{{ nobody }}'}", "{}"), &[]);
    assert_eq!(unknown[0].message, "`services.0.health`: `nobody` is undefined");
    let restart = mistakes(&text("{name: a, run: x, health: y, restart: always}", "{}"), &[]);
    assert_eq!(restart[0].unknown.clone().unwrap().known, ["on-failure", "never"]);
}

#[test]
fn the_first_format_has_neither() {
    let first = with("{}", "x");
    for (keys, field) in [
        ("services: [{name: a, run: x, health: y}]", "services"),
        ("resources: {memory: 64MiB}", "resources"),
    ] {
        let text = first.replacen("solution:", &format!("{keys}\nsolution:"), 1);
        let said = parse(&text).unwrap_err().message;
        assert_eq!(said, format!("`{field}`: it needs synthd/template@2"));
    }
}
