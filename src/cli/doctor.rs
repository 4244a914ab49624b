//! `synthd doctor`: shows what this host can run and enforce, before a campaign depends on it.
//!
//! The command asks both sandbox backends for their facts and runs one real sandbox. The exit code
//! is 6 if no namespace sandbox runs; container engines are optional.

use crate::cli::terminal::output::{print_json, print_line, table};
use crate::error::{Code, Error, Result};
use crate::running_engine::{host_facts, run_in_actor_system};
use crate::sandbox::docker::{DockerImages, MADE_HERE};
use crate::sandbox::guest;
use crate::sandbox::{HostFacts, SandboxBackends};
use clap::Args;
use serde_json::json;
use std::process::ExitCode;
use std::time::Duration;
use synthd_actors::model::BASE_IMAGE;
use synthd_actors::model::{BackendKind, ExecRequest, Fault, SandboxProtection, SandboxSpec};
use synthd_actors::ports::{Sandbox, SandboxBackend};

#[derive(Args)]
#[command(after_help = "Examples:
  synthd doctor
  synthd doctor --json | jq .host.enforced")]
pub(super) struct DoctorArgs {
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Looks at the host and prints the result. The JSON document is printed even if a backend is
/// unusable. The command fails only if namespace sandboxes do not run: a container engine is
/// optional.
pub(super) fn run(args: &DoctorArgs) -> Result<ExitCode> {
    let (facts, trial, containers) = run_in_actor_system(examine())??;
    if args.json {
        let trial = trial.as_ref().map_or_else(
            |why| json!({ "ok": false, "why": why }),
            |tools| json!({ "ok": true, "tools": tools }),
        );
        print_json(&json!({
            "version": env!("CARGO_PKG_VERSION"),
            "backend": "namespace",
            "host": facts.as_ref().ok(),
            "guest": guest::LINKAGE,
            "trial": trial,
            "docker": containers.as_ref().map_or_else(
                |fault| json!({ "ok": false, "why": fault.message }),
                |facts| json!({ "ok": true, "host": facts }),
            ),
        }))?;
    } else {
        if let Ok(facts) = &facts {
            show(facts, &trial);
        }
        show_containers(&containers);
    }
    match facts {
        Err(error) if !args.json => Err(error),
        Err(error) => Ok(code(error.code())),
        Ok(_) if trial.is_err() => Ok(code(Code::HostCannotEnforce)),
        Ok(_) => Ok(ExitCode::SUCCESS),
    }
}

/// The exit code of an error code.
fn code(code: Code) -> ExitCode {
    ExitCode::from(code.exit_code())
}

/// The tools that a test sandbox had, or why no sandbox ran.
type SandboxTrial = std::result::Result<Vec<String>, String>;

/// The facts of the container engine, or why there is none.
type ContainerFacts = std::result::Result<HostFacts, Fault>;

/// Looks at the container backend, then at the namespace backend, and runs a sandbox in the latter.
/// The three parts of the result are independent: one backend may be usable without the other.
async fn examine() -> Result<(Result<HostFacts>, SandboxTrial, ContainerFacts)> {
    let backend = SandboxBackends::new(this_executable()?, &guest_dir());
    let mut containers = backend.host_facts(BackendKind::Docker).await;
    if let Ok(facts) = &mut containers {
        try_gvisor(&backend, facts).await;
    }
    Ok(match host_facts(&backend, BackendKind::Namespace).await {
        Ok(mut facts) => {
            let trial = trial(&backend).await;
            // Only a sandbox shows whether this user can make namespaces.
            if let Err(why) = &trial {
                let why = format!("no sandbox runs: {why}");
                facts.enforced.insert(SandboxProtection::Namespaces, Err(why));
            }
            (Ok(facts), trial, containers)
        }
        Err(error) => {
            let why = error.report();
            (Err(error), Err(why), containers)
        }
    })
}

/// The key of the gVisor runtime (`runsc`) in the facts of a container engine.
const GVISOR: &str = "gvisor";

/// Runs a container with gVisor, if the engine knows that runtime. A registered runtime may still
/// start nothing, so the facts say yes only after a container has run.
async fn try_gvisor(backend: &SandboxBackends, facts: &mut HostFacts) {
    let Some(Ok(how)) = facts.engine.get(GVISOR) else { return };
    // Nothing is pulled for a test, so an image that synthd has made is used.
    let tried = match made_here().await {
        None => Err("it is registered, but was not tried, because synthd made no image here \
                     (`synthd image build`)"
            .to_owned()),
        Some(image) => {
            let spec = SandboxSpec {
                backend: BackendKind::Docker,
                image: image.clone(),
                runtime: Some("runsc".to_owned()),
                ..SandboxSpec::default()
            };
            match run_once(backend, &spec).await {
                Ok(_) => Ok(format!("{how}: {image} ran")),
                Err(why) => Err(format!("it is registered, but {image} did not run: {why}")),
            }
        }
    };
    facts.engine.insert(GVISOR.to_owned(), tried);
}

/// The name of some image that `synthd image build` has made. None if there is no engine or no
/// image.
async fn made_here() -> Option<String> {
    let listed = DockerImages::connect().await.ok()?.list().await.ok()?;
    let ours = listed.into_iter().filter(|image| image.labels.contains_key(MADE_HERE));
    ours.flat_map(|image| image.repo_tags).next()
}

/// The tools that templates commonly require.
const TOOLS: [&str; 7] = ["sh", "bash", "python3", "git", "make", "awk", "sed"];

/// Runs a sandbox of the namespace backend with the base image.
async fn trial(backend: &SandboxBackends) -> SandboxTrial {
    let spec = SandboxSpec { image: BASE_IMAGE.to_owned(), ..SandboxSpec::default() };
    run_once(backend, &spec).await
}

/// Creates one sandbox, lists its tools, and waits until it is gone.
async fn run_once(backend: &SandboxBackends, spec: &SandboxSpec) -> SandboxTrial {
    let mut sandbox = backend.create(spec).await.map_err(|fault| fault.message)?;
    let tools = tools(&mut *sandbox).await.map_err(|fault| fault.message)?;
    drop(sandbox);
    backend.settle().await.map_err(|fault| fault.message)?;
    Ok(tools)
}

/// The tools of [`TOOLS`] that a sandbox has. A fault means that the sandbox did not answer.
pub(super) async fn tools(sandbox: &mut dyn Sandbox) -> Result<Vec<String>, Fault> {
    let mut tools = Vec::new();
    for tool in TOOLS {
        let request = ExecRequest {
            command: format!("command -v {tool}"),
            session: false,
            timeout: Duration::from_secs(10),
            scan: false,
            output_kept: None,
            joined: false,
        };
        if sandbox.exec(&request).await?.end.success() {
            tools.push(tool.to_owned());
        }
    }
    Ok(tools)
}

/// The directory for the guest program of containers, for commands without a data directory. It
/// belongs to the user, so that two users of a host do not share it.
pub(super) fn guest_dir() -> std::path::PathBuf {
    std::env::temp_dir().join(format!("synthd-guest-{}", nix::unistd::geteuid()))
}

/// The path of the running binary, from which the launcher is started. `/proc/self/exe` is the
/// running file itself, even if another version has replaced it on the disk since.
pub(super) fn this_executable() -> Result<std::path::PathBuf> {
    let own = std::path::PathBuf::from("/proc/self/exe");
    if own.exists() {
        return Ok(own);
    }
    std::env::current_exe().map_err(|e| {
        Error::new(Code::Unexpected, "cannot find the program's own path")
            .with_source(e)
            .hint("mount /proc where synthd runs")
    })
}

/// Prints the facts of the container engine, or why there is none.
fn show_containers(containers: &ContainerFacts) {
    match containers {
        Ok(facts) => {
            let by = facts.engine.get("engine").and_then(|name| name.as_ref().ok());
            let engine = by.map_or("an engine", String::as_str);
            let (kernel, cgroups) = (&facts.kernel, &facts.cgroup_version);
            print_line(&format!("\ncontainers: {engine} on Linux {kernel}; cgroups: {cgroups}"));
            show_enforced(facts);
        }
        Err(fault) => print_line(&format!("\ncontainers: none here ({})", fault.message)),
    }
}

/// Prints a table: each protection, yes or NO, and how it is enforced or why not.
fn show_enforced(facts: &HostFacts) {
    let mut rows = table(&["protection", "", "by, or why not"]);
    let enforced = facts.enforced.iter().map(|(what, how)| (what.as_str(), how));
    let engine = facts.engine.iter().map(|(what, how)| (what.as_str(), how));
    // The entry `engine` is the name of the container engine; it is in the heading already.
    for (what, how) in enforced.chain(engine.filter(|(what, _)| *what != "engine")) {
        let (mark, text) = match how {
            Ok(how) => ("yes", how),
            Err(why) => ("NO", why),
        };
        rows.add_row([what, mark, text]);
    }
    print_line(&rows.to_string());
}

/// Prints the facts of the namespace backend, the result of the test sandbox, what is hidden from
/// sandboxes, and how many leftovers of dead engines were removed.
fn show(facts: &HostFacts, trial: &SandboxTrial) {
    print_line(&format!(
        "synthd {} on Linux {} as {}; cgroups: {}; guest: {}",
        env!("CARGO_PKG_VERSION"),
        facts.kernel,
        if facts.root { "root" } else { "an ordinary user" },
        facts.cgroup_version,
        guest::LINKAGE,
    ));
    show_enforced(facts);
    if let Some(warning) = facts.memory_warning() {
        print_line(&warning);
    }
    match trial {
        Ok(tools) => print_line(&format!("a sandbox ran; it has {}", tools.join(", "))),
        Err(why) => print_line(&format!(
            "NO SANDBOX RUNS HERE: {why}\n`synthd explain SYN-0401` says what to do"
        )),
    }
    if !facts.hidden.is_empty() {
        print_line(&format!("hidden from sandboxes: {}", facts.hidden.join(", ")));
    }
    if facts.swept > 0 {
        print_line(&format!("{} sandboxes of dead engines were removed", facts.swept));
    }
}
