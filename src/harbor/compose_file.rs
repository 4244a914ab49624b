//! `docker-compose.yaml` of a Terminal-Bench task. Each of these tasks has one, mostly with one service
//! that only builds the Dockerfile beside it. Everything else asks for a compose engine.

use super::harbor_problem::HarborProblem;
use serde_json::{Map, Value};

/// Keys of the file that have no effect.
const TOP: [&str; 3] = ["services", "version", "name"];
/// Keys of the one service that say what Harbor does anyway.
const SERVICE: [&str; 6] =
    ["build", "image", "container_name", "command", "volumes", "environment"];
/// Volumes and variables of the old harness itself begin with this.
const HARNESS: &str = "${T_BENCH_";

/// The directory with the Dockerfile of a task, relative to its folder. Err has what only a compose
/// engine could do.
pub(super) fn build_directory(path: &str, text: &str) -> Result<String, Vec<HarborProblem>> {
    let file: Value = serde_saphyr::from_str(text).map_err(|error| {
        let what = format!("is no YAML: {error}");
        vec![HarborProblem::invalid(path, what)]
    })?;
    let Some(services) = file.get("services").and_then(Value::as_object) else {
        return Err(vec![HarborProblem::invalid(path, "has no services")]);
    };
    let mut problems = Vec::new();
    if let Some(other) = other_key(file.as_object(), &TOP) {
        let place = format!("{path}: {other}");
        problems.push(HarborProblem::unsupported(place, "only services are understood"));
    }
    let mut named = services.iter();
    let (Some((name, service)), None) = (named.next(), named.next()) else {
        let names: Vec<&str> = services.keys().map(String::as_str).collect();
        let what = format!("has {} services ({}); only one is run", names.len(), names.join(", "));
        problems.push(HarborProblem::unsupported(path, what));
        return Err(problems);
    };
    let place = format!("{path}: services.{name}");
    check_service(&place, service, &mut problems);
    let directory = context_of(&place, service.get("build"), &mut problems);
    if problems.is_empty() { Ok(directory) } else { Err(problems) }
}

/// A key that is not among the known ones.
fn other_key<'m>(map: Option<&'m Map<String, Value>>, known: &[&str]) -> Option<&'m str> {
    map?.keys().map(String::as_str).find(|key| !known.contains(key))
}

/// What of the service is more than a build.
fn check_service(place: &str, service: &Value, problems: &mut Vec<HarborProblem>) {
    if let Some(other) = other_key(service.as_object(), &SERVICE) {
        let place = format!("{place}.{other}");
        problems.push(HarborProblem::unsupported(place, "is for a compose engine"));
    }
    for key in ["volumes", "environment"] {
        let entries: Vec<&Value> = match service.get(key) {
            Some(Value::Array(list)) => list.iter().collect(),
            Some(Value::Object(map)) => map.values().collect(),
            _ => Vec::new(),
        };
        let is_own = |entry: &&&Value| entry.as_str().is_none_or(|text| !text.contains(HARNESS));
        if let Some(own) = entries.iter().find(is_own) {
            let what = format!("{own} is for a compose engine");
            problems.push(HarborProblem::unsupported(format!("{place}.{key}"), what));
        }
    }
}

/// The directory that is built.
fn context_of(place: &str, build: Option<&Value>, problems: &mut Vec<HarborProblem>) -> String {
    let context = match build {
        Some(Value::String(context)) => context.as_str(),
        Some(Value::Object(build)) => {
            if let Some(other) = other_key(Some(build), &["context", "dockerfile"]) {
                let place = format!("{place}.build.{other}");
                problems.push(HarborProblem::unsupported(place, "is for a compose engine"));
            }
            let is_usual = |name: &Value| name == "Dockerfile" || name == "./Dockerfile";
            if build.get("dockerfile").is_some_and(|name| !is_usual(name)) {
                let place = format!("{place}.build.dockerfile");
                problems.push(HarborProblem::unsupported(place, "only Dockerfile is built"));
            }
            build.get("context").and_then(Value::as_str).unwrap_or(".")
        }
        _ => ".",
    };
    let directory = context.trim_start_matches("./").trim_end_matches('/');
    if directory.starts_with('/') || directory.split('/').any(|part| part == "..") {
        let place = format!("{place}.build");
        problems.push(HarborProblem::invalid(place, "leaves the task's folder"));
    }
    if directory == "." { String::new() } else { directory.to_owned() }
}
