//! A folder of Harbor: `task.toml`, `instruction.md`, `environment/`, `tests/`, `solution/`, or `steps/`.
//!
//! Each rule looks at one part of the task and adds what it finds, so that everything is told at once.

use super::dockerfile::check_dockerfile;
use super::harbor_config::{
    HarborAgent, HarborConfig, HarborEnvironment, HarborStep, HarborVerifier, read_config,
};
use super::harbor_files::{HarborFiles, TASK_TOML};
use super::harbor_problem::HarborProblem;
use super::harbor_task::{
    BUILD_TIME, HarborImage, HarborPart, HarborTask, check_script, required, seconds,
    without_canary,
};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use toml::Value;

/// The versions of the schema that are understood.
const VERSIONS: [&str; 5] = ["1.0", "1.1", "1.2", "1.3", "1.4"];
const DOCKERFILE: &str = "environment/Dockerfile";
/// Files of an environment or of tests that ask for another engine.
const OTHER_ENGINES: [&str; 2] = ["docker-compose.yaml", "singularity-compose.yaml"];
const NETWORK_MODES: [&str; 3] = ["public", "no-network", "allowlist"];
const STRATEGIES: [&str; 2] = ["mean", "final"];
const VERIFIER_MODES: [&str; 2] = ["shared", "separate"];
/// Seconds that the tests of a task may take if it does not say so.
const TESTS_SECONDS: f64 = 600.0;
/// Characters that no directory has on every host, besides control characters.
const UNPORTABLE: &str = "<>:\"/\\|?*";
/// Names that Windows keeps for devices, besides `COM1` and the like.
const DEVICES: [&str; 6] = ["con", "prn", "aux", "nul", "conin$", "conout$"];
/// The most bytes of the name of a step.
const LONGEST_NAME: usize = 255;

/// The task of the folder, or everything that is wrong with it.
pub(super) fn understand(
    files: &HarborFiles,
    folder: &str,
) -> Result<HarborTask, Vec<HarborProblem>> {
    let mut problems = Vec::new();
    let Some(text) = required(files, TASK_TOML, &mut problems) else { return Err(problems) };
    let (config, unknown) = read_config(text).map_err(|problem| vec![problem])?;
    let rules = FolderRules { files, config: &config, problems };
    let (image, steps, problems) = rules.look();
    match image {
        Some(image) if problems.is_empty() => Ok(HarborTask {
            name: config.task.as_ref().map_or_else(|| folder.to_owned(), |task| task.name.clone()),
            format: version_of(&config).to_owned(),
            image,
            workdir: config.environment.workdir.clone(),
            build_timeout: build_time(&config.environment),
            memory_mb: memory_of(&config.environment),
            variables: config.environment.env.clone(),
            tests_variables: config.verifier.env.clone(),
            solution_variables: config.solution.env.clone(),
            licence: config.stated(&["license", "licence"]),
            authors: config.authors(),
            difficulty: config.stated(&["difficulty"]),
            notes: notes(files, &steps, &unknown),
            steps,
        }),
        _ => Err(problems),
    }
}

/// The version of the schema. The newest one if none is written.
fn version_of(config: &HarborConfig) -> &str {
    let written = config.schema_version.as_deref().or(config.version.as_deref());
    written.unwrap_or(VERSIONS[VERSIONS.len() - 1])
}

/// What is read and has no effect.
fn notes(files: &HarborFiles, steps: &[HarborPart], unknown: &[String]) -> Vec<String> {
    let mut notes: Vec<String> = unknown
        .iter()
        .map(|key| format!("{TASK_TOML}: {key} is no key of Harbor's; it is ignored"))
        .collect();
    if steps.iter().any(|step| step.solution.is_none()) {
        notes.push("there is no solution, so nothing shows that the task can be solved".to_owned());
    }
    if files.paths().any(|path| path.ends_with(".harborignore")) {
        notes.push(".harborignore is not obeyed: all files of tests and solution count".to_owned());
    }
    notes
}

/// Looks at one folder.
struct FolderRules<'t> {
    files: &'t HarborFiles,
    config: &'t HarborConfig,
    problems: Vec<HarborProblem>,
}

impl FolderRules<'_> {
    /// The image, the steps, and what is wrong.
    fn look(mut self) -> (Option<HarborImage>, Vec<HarborPart>, Vec<HarborProblem>) {
        self.top();
        let environment = &self.config.environment;
        self.environment("environment", environment);
        self.agent("agent", &self.config.agent);
        self.verifier("verifier", &self.config.verifier, "tests");
        self.variables("solution.env", &self.config.solution.env);
        self.artifacts("artifacts", &self.config.artifacts);
        let image = self.image();
        let steps = match self.config.steps.as_slice() {
            [] => vec![self.whole()],
            steps => self.steps(steps),
        };
        (image, steps, self.problems)
    }

    fn invalid(&mut self, field: &str, what: impl Into<String>) {
        self.problems.push(HarborProblem::invalid(format!("{TASK_TOML}: {field}"), what));
    }

    fn unsupported(&mut self, field: &str, what: impl Into<String>) {
        self.problems.push(HarborProblem::unsupported(format!("{TASK_TOML}: {field}"), what));
    }

    /// A word that must be one of some.
    fn word(&mut self, field: &str, word: Option<&String>, known: &[&str]) {
        if let Some(word) = word.filter(|word| !known.contains(&word.as_str())) {
            self.invalid(field, format!("{word:?} is none of {}", known.join(", ")));
        }
    }

    /// The version, the name and the strategy.
    fn top(&mut self) {
        let version = version_of(self.config);
        if !VERSIONS.contains(&version) {
            let what = format!("{version:?} is none of {}", VERSIONS.join(", "));
            self.unsupported("schema_version", what);
        }
        if let Some(task) = self.config.task.as_ref().filter(|task| !is_package(&task.name)) {
            self.invalid("task.name", format!("{:?} is no name such as org/name", task.name));
        }
        let strategy = self.config.multi_step_reward_strategy.as_ref();
        self.word("multi_step_reward_strategy", strategy, &STRATEGIES);
    }

    /// What the sandbox of a task is asked for. `section` names it.
    fn environment(&mut self, section: &str, environment: &HarborEnvironment) {
        let field = |key: &str| format!("{section}.{key}");
        match environment.os.as_deref().unwrap_or("linux").to_lowercase().as_str() {
            "linux" => {}
            "windows" => self.unsupported(&field("os"), "there are no sandboxes of Windows"),
            other => self.invalid(&field("os"), format!("{other:?} is no system of Harbor's")),
        }
        if environment.gpus.is_some_and(|gpus| gpus > 0) {
            self.unsupported(&field("gpus"), "no sandbox has a GPU");
        }
        if environment.tpu.is_some() {
            self.unsupported(&field("tpu"), "no sandbox has a TPU");
        }
        if !environment.mcp_servers.is_empty() {
            self.unsupported(&field("mcp_servers"), "no agent is given MCP servers");
        }
        if environment.skills_dir.is_some() {
            self.unsupported(&field("skills_dir"), "no agent is given skills");
        }
        if environment.healthcheck.is_some() {
            let what = "the programs of an image are not started, so nothing becomes healthy";
            self.unsupported(&field("healthcheck"), what);
        }
        let (mode, hosts) = (environment.network_mode.as_ref(), environment.allowed_hosts.as_ref());
        self.network(section, mode, hosts);
        self.variables(&field("env"), &environment.env);
        self.amounts(section, environment);
        if environment.workdir.as_ref().is_some_and(|directory| !directory.starts_with('/')) {
            self.invalid(&field("workdir"), "is no absolute path");
        }
    }

    /// The numbers and sizes of an environment.
    fn amounts(&mut self, section: &str, environment: &HarborEnvironment) {
        let field = |key: &str| format!("{TASK_TOML}: {section}.{key}");
        if let Some(time) = environment.build_timeout_sec {
            seconds(&field("build_timeout_sec"), time, &mut self.problems);
        }
        let whole = |number: Option<i64>| number.map(|number| number as f64);
        let sizes = [
            ("cpus", environment.cpus),
            ("memory_mb", whole(environment.memory_mb)),
            ("storage_mb", whole(environment.storage_mb)),
        ];
        for (key, number) in sizes {
            if let Some(number) = number.filter(|number| !number.is_finite() || *number <= 0.0) {
                self.invalid(&format!("{section}.{key}"), format!("{number} is no amount"));
            }
        }
        let older = [
            ("memory", environment.memory.as_ref(), environment.memory_mb),
            ("storage", environment.storage.as_ref(), environment.storage_mb),
        ];
        for (key, text, newer) in older {
            let Some(text) = text.and_then(Value::as_str) else { continue };
            match megabytes(text) {
                None => self.invalid(&format!("{section}.{key}"), format!("{text:?} is no size")),
                Some(size) if newer.is_some_and(|newer| newer != size) => {
                    let what = format!("{text:?} is another size than {key}_mb");
                    self.invalid(&format!("{section}.{key}"), what);
                }
                Some(_) => {}
            }
        }
    }

    /// What may be reached from an environment, or in one phase of a task.
    fn network(&mut self, section: &str, mode: Option<&String>, hosts: Option<&Vec<String>>) {
        let field = format!("{section}.network_mode");
        self.word(&field, mode, &NETWORK_MODES);
        let allows = mode.is_some_and(|mode| mode == "allowlist");
        let hosts = hosts.map(Vec::as_slice).unwrap_or_default();
        let field = format!("{section}.allowed_hosts");
        if !allows && !hosts.is_empty() {
            self.invalid(&field, "has a meaning only with network_mode = \"allowlist\"");
        }
        let is_address = |host: &&String| host.contains([':', '/']) || is_numeric(host);
        if let Some(address) = hosts.iter().find(is_address) {
            let what = format!("{address:?}: sandboxes reach hosts by their names only");
            self.unsupported(&field, what);
        }
    }

    /// Names that are none, and variables whose values are those of the host, which no sandbox gets.
    fn variables(&mut self, field: &str, variables: &BTreeMap<String, String>) {
        if let Some(name) = variables.keys().find(|name| !is_variable(name)) {
            self.invalid(field, format!("{name:?} is no name of a variable"));
        }
        if let Some((name, _)) = variables.iter().find(|(_, value)| value.contains('\0')) {
            self.invalid(&format!("{field}.{name}"), "has a zero byte");
        }
        let from_host = |(_, value): &(&String, &String)| value.contains("${");
        if let Some((name, value)) = variables.iter().find(from_host) {
            let what = format!("{value:?} is a variable of the host, which no sandbox gets");
            self.unsupported(&format!("{field}.{name}"), what);
        }
    }

    fn agent(&mut self, section: &str, agent: &HarborAgent) {
        self.network(section, agent.network_mode.as_ref(), agent.allowed_hosts.as_ref());
    }

    /// How a task or a step is judged. `tests` is the directory of its tests.
    fn verifier(&mut self, section: &str, verifier: &HarborVerifier, tests: &str) {
        let field = |key: &str| format!("{section}.{key}");
        let mode = verifier.environment_mode.as_ref();
        self.word(&field("environment_mode"), mode, &VERIFIER_MODES);
        self.network(section, verifier.network_mode.as_ref(), verifier.allowed_hosts.as_ref());
        self.variables(&field("env"), &verifier.env);
        if !verifier.collect.is_empty() {
            self.unsupported(&field("collect"), "no command runs between the agent and the tests");
        }
        if let Some(environment) = &verifier.environment {
            if mode.is_some_and(|mode| mode == "shared") {
                self.invalid(&field("environment"), "stands beside environment_mode = \"shared\"");
            }
            self.environment(&field("environment"), environment);
            self.unsupported(&field("environment"), "tests run in the image of the task");
        }
        if self.files.has(&format!("{tests}/Dockerfile")) {
            let what = "tests run in the image of the task, not in one of their own";
            self.problems.push(HarborProblem::unsupported(format!("{tests}/Dockerfile"), what));
        }
    }

    /// Files that are collected for people. Only those of other services are refused.
    fn artifacts(&mut self, field: &str, artifacts: &[Value]) {
        let service =
            |artifact: &Value| artifact.get("service").and_then(Value::as_str).map(str::to_owned);
        if let Some(service) = artifacts.iter().filter_map(service).find(|name| name != "main") {
            let what = format!("{service:?} is a service of compose; only the task's own is run");
            self.unsupported(field, what);
        }
    }

    /// What the environment is made of.
    fn image(&mut self) -> Option<HarborImage> {
        for name in OTHER_ENGINES {
            let path = format!("environment/{name}");
            if self.files.has(&path) {
                let what = "services beside the task's own are not run";
                self.problems.push(HarborProblem::unsupported(path, what));
                return None;
            }
        }
        if let Some(image) = self.config.environment.docker_image.clone() {
            return Some(HarborImage::Prebuilt(image));
        }
        check_dockerfile(self.files, DOCKERFILE, &mut self.problems);
        Some(HarborImage::Dockerfile(DOCKERFILE.to_owned()))
    }

    /// The whole of a task without steps.
    fn whole(&mut self) -> HarborPart {
        self.part(None, "", &HarborAgent::default(), &HarborVerifier::default())
    }

    fn steps(&mut self, steps: &[HarborStep]) -> Vec<HarborPart> {
        let mut names = BTreeSet::new();
        let mut parts = Vec::new();
        for (at, step) in steps.iter().enumerate() {
            let section = format!("steps.{at}");
            if !is_portable(&step.name) {
                let what = format!("{:?} cannot be the name of a directory everywhere", step.name);
                self.invalid(&format!("{section}.name"), what);
                continue;
            }
            if !names.insert(step.name.to_lowercase()) {
                let what = format!("{:?} is the name of another step", step.name);
                self.invalid(&format!("{section}.name"), what);
            }
            parts.push(self.step(&section, step));
        }
        parts
    }

    fn step(&mut self, section: &str, step: &HarborStep) -> HarborPart {
        let directory = format!("steps/{}/", step.name);
        self.agent(&format!("{section}.agent"), &step.agent);
        let tests = format!("{directory}tests");
        self.verifier(&format!("{section}.verifier"), &step.verifier, &tests);
        self.artifacts(&format!("{section}.artifacts"), &step.artifacts);
        if step.min_reward.is_some() {
            let what = "a step goes on whatever the one before it has earned";
            self.unsupported(&format!("{section}.min_reward"), what);
        }
        if step.healthcheck.is_some() {
            let what = "the programs of an image are not started, so nothing becomes healthy";
            self.unsupported(&format!("{section}.healthcheck"), what);
        }
        if self.files.has_below(&format!("{directory}workdir")) {
            let what = "no files are added between two steps";
            self.problems.push(HarborProblem::unsupported(format!("{directory}workdir"), what));
        }
        if !step.verifier.env.is_empty() {
            let what = "the variables of tests are those of the whole task";
            self.unsupported(&format!("{section}.verifier.env"), what);
        }
        self.part(Some(&step.name), &directory, &step.agent, &step.verifier)
    }

    /// A step with its files below `directory`, or the whole. What it does not say of its agent and its
    /// tests, the task says.
    fn part(
        &mut self,
        name: Option<&str>,
        directory: &str,
        own_agent: &HarborAgent,
        own_verifier: &HarborVerifier,
    ) -> HarborPart {
        let path = format!("{directory}instruction.md");
        let instruction = required(self.files, &path, &mut self.problems);
        let trajectory = format!("{directory}trajectory.json");
        if self.files.has(&trajectory) {
            let what = "no conversation goes before the task's own";
            self.problems.push(HarborProblem::unsupported(trajectory, what));
        }
        let (agent, verifier) = (&self.config.agent, &self.config.verifier);
        let field = |key: &str| format!("{TASK_TOML}: {key}.timeout_sec");
        let agent_seconds = own_agent.timeout_sec.or(agent.timeout_sec);
        let agent_timeout =
            agent_seconds.and_then(|time| seconds(&field("agent"), time, &mut self.problems));
        let tests_seconds = own_verifier.timeout_sec.or(verifier.timeout_sec);
        let tests_seconds = tests_seconds.unwrap_or(TESTS_SECONDS);
        let tests_timeout = seconds(&field("verifier"), tests_seconds, &mut self.problems);
        HarborPart {
            name: name.map(str::to_owned),
            instruction: instruction.map(without_canary).unwrap_or_default().to_owned(),
            tests: self.tests(directory),
            solution: self.solution(directory),
            agent_user: own_agent.user.as_ref().or(agent.user.as_ref()).and_then(user_of),
            tests_user: own_verifier.user.as_ref().or(verifier.user.as_ref()).and_then(user_of),
            agent_timeout,
            tests_timeout: tests_timeout.unwrap_or(Duration::ZERO),
        }
    }

    /// The script that judges: that of the step, or that of all steps.
    fn tests(&mut self, directory: &str) -> String {
        let own = format!("{directory}tests/test.sh");
        let path = if self.files.has(&own) { own } else { "tests/test.sh".to_owned() };
        check_script(self.files, &path, &mut self.problems);
        path
    }

    /// The script of the oracle: that of the step, or that of all steps.
    fn solution(&mut self, directory: &str) -> Option<String> {
        let paths = [format!("{directory}solution/solve.sh"), "solution/solve.sh".to_owned()];
        let path = paths.into_iter().find(|path| self.files.has(path))?;
        check_script(self.files, &path, &mut self.problems);
        Some(path)
    }
}

/// The user of a key: a name or a number.
fn user_of(value: &Value) -> Option<String> {
    match value {
        Value::String(name) => Some(name.clone()),
        Value::Integer(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Whether a text is `org/name` as Harbor wants it.
fn is_package(name: &str) -> bool {
    let is_plain = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphanumeric())
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
    };
    let parts = name.split_once('/');
    parts.is_some_and(|(org, name)| is_plain(org) && is_plain(name)) && !name.contains("..")
}

/// Whether the name of a step can be a directory on every host.
fn is_portable(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end_matches(' ').to_lowercase();
    let is_port = |device: &str| {
        let number = stem.strip_prefix(device).unwrap_or_default();
        matches!(number, "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" | "¹" | "²" | "³")
    };
    let is_plain = |c: char| !UNPORTABLE.contains(c) && !c.is_ascii_control();
    !name.trim().is_empty()
        && name.len() <= LONGEST_NAME
        && !name.ends_with(['.', ' '])
        && name.chars().all(is_plain)
        && !DEVICES.contains(&stem.as_str())
        && !is_port("com")
        && !is_port("lpt")
}

/// Whether a host is an address of IPv4 and no name.
fn is_numeric(host: &str) -> bool {
    host.chars().all(|c| c.is_ascii_digit() || c == '.')
}

/// Whether a program can have a variable of this name, and `env` can set it.
fn is_variable(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('-') && !name.contains(['=', '\0'])
}

fn build_time(environment: &HarborEnvironment) -> Duration {
    let stated = environment.build_timeout_sec;
    stated.and_then(|time| Duration::try_from_secs_f64(time).ok()).unwrap_or(BUILD_TIME)
}

/// The memory in mebibytes, also by its older key.
fn memory_of(environment: &HarborEnvironment) -> Option<u64> {
    let older = environment.memory.as_ref().and_then(Value::as_str).and_then(megabytes);
    let size = environment.memory_mb.or(older).filter(|size| *size > 0)?;
    u64::try_from(size).ok()
}

/// A size of older files, such as `2G`, in whole mebibytes.
fn megabytes(text: &str) -> Option<i64> {
    let text = text.trim().to_uppercase();
    let (number, factor) = match text.chars().next_back()? {
        'G' => (text.strip_suffix('G')?, 1024.0),
        'M' => (text.strip_suffix('M')?, 1.0),
        'K' => (text.strip_suffix('K')?, 1.0 / 1024.0),
        _ => return None,
    };
    let size = number.parse::<f64>().ok()? * factor;
    (size.is_finite() && size >= 0.0).then_some(size as i64)
}
