//! A sandbox with a project and the miner in it. Each step of the miner is one command; what it has
//! found stays in the sandbox for the next step.

use crate::error::{Code, Error, Result};
use crate::running_engine::fault_error;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use synthd_actors::model::{
    BASE_IMAGE, ExecRequest, FileSegment, FileSpec, SandboxLimits, SandboxSpec, SandboxTree,
    TreeEntryKind,
};
use synthd_actors::pack::{CLONE_METER, PackFile};
use synthd_actors::pool::{PoolHandle, SandboxLease};

/// The program that mines projects in Python.
const MINER: &str = include_str!("miner.py");
/// The part of it that writes helpers out where they are called.
const INLINER: &str = include_str!("inliner.py");
/// Wall time and processor time of one step. The miner bounds each test by itself.
const STEP: Duration = Duration::from_secs(4 * 60 * 60);
/// The most bytes of a step's answer.
const ANSWER: u32 = 4 << 20;

/// What the miner is told of a project.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct MiningSettings {
    pub(crate) source: Vec<String>,
    pub(crate) tests: Vec<String>,
    /// Tests that are left out whatever they do.
    pub(crate) deselected: Vec<String>,
}

/// A sandbox in which a project is mined.
pub(crate) struct MinerSandbox(SandboxLease);

impl MinerSandbox {
    /// Takes a sandbox and lays the project, the miner and the files of its state.
    pub(crate) async fn start(
        pool: &PoolHandle,
        project: &[PackFile],
        settings: &MiningSettings,
        state: Vec<(&str, String)>,
    ) -> Result<Self> {
        let mut files: Vec<FileSpec> = project.iter().map(laid).collect();
        files.push(file("miner.py", MINER.to_owned()));
        files.push(file("inliner.py", INLINER.to_owned()));
        files.push(file("clones.py", CLONE_METER.to_owned()));
        let settings = serde_json::to_string(settings).map_err(no_json)?;
        files.push(file("state/settings.json", settings));
        files.extend(state.into_iter().map(|(name, text)| file(&format!("state/{name}"), text)));
        Self::with_files(pool, &files).await
    }

    /// Takes a sandbox and lays files.
    pub(super) async fn with_files(pool: &PoolHandle, files: &[FileSpec]) -> Result<Self> {
        let lease = pool.acquire(&Arc::new(spec())).await.map_err(|f| fault_error(&f))?;
        let mut miner = Self(lease);
        miner.write(files).await?;
        Ok(miner)
    }

    /// Writes files; those that are there already are replaced.
    pub(super) async fn write(&mut self, files: &[FileSpec]) -> Result<()> {
        let written = self.0.sandbox().write_files(SandboxTree::Workspace, files).await;
        written.map_err(|fault| fault_error(&fault))
    }

    /// Performs one step and returns its answer. An answer with an `error` is an error.
    pub(crate) async fn step(&mut self, arguments: &str) -> Result<Value> {
        self.answer("miner.py", arguments).await
    }

    /// Runs a program in Python, and returns what it says last. An answer with an `error` is an error.
    pub(super) async fn answer(&mut self, program: &str, arguments: &str) -> Result<Value> {
        let request = ExecRequest {
            command: format!("python3 -B {program} {arguments}"),
            session: false,
            timeout: STEP,
            scan: false,
            output_kept: Some(ANSWER),
            joined: false,
        };
        let report = self.0.sandbox().exec(&request).await.map_err(|f| fault_error(&f))?;
        if !report.end.success() {
            let said = report.stderr.text();
            let last = said.trim_end().lines().last().unwrap_or_default().to_owned();
            let what = format!("the step `{arguments}` ended with {:?}: {last}", report.end);
            return Err(unmined(what));
        }
        let text = report.stdout.text();
        let last = text.trim_end().lines().last().unwrap_or_default();
        let answer: Value = serde_json::from_str(last).map_err(no_json)?;
        match answer.get("error").and_then(Value::as_str) {
            Some(why) => Err(unmined(why.to_owned())),
            None => Ok(answer),
        }
    }

    /// The files of the state that the miner has left. It ends every program in the sandbox.
    pub(crate) async fn state(&mut self) -> Result<BTreeMap<String, String>> {
        let copy = self.0.sandbox().pack(true).await.map_err(|fault| fault_error(&fault))?;
        let mut state = BTreeMap::new();
        for entry in &copy.entries {
            let TreeEntryKind::File { content, .. } = &entry.kind else { continue };
            let Some(name) = entry.path.strip_prefix("state/") else { continue };
            state.insert(name.to_owned(), text_of(content));
        }
        Ok(state)
    }
}

/// The content of a file that the miner wrote. It has no holes.
fn text_of(content: &[FileSegment]) -> String {
    let mut bytes = Vec::new();
    for segment in content {
        if let FileSegment::Bytes(part) = segment {
            bytes.extend_from_slice(part);
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The sandboxes of the miner: more memory and time than an agent has.
fn spec() -> SandboxSpec {
    let limits = SandboxLimits {
        memory_bytes: 2 << 30,
        disk_bytes: 512 << 20,
        processes: 256,
        command_cpu: STEP,
        command_timeout: STEP,
        ..SandboxLimits::default()
    };
    SandboxSpec { image: BASE_IMAGE.to_owned(), limits, ..SandboxSpec::default() }
}

/// A file of the project in the miner's sandbox.
pub(super) fn laid(project: &PackFile) -> FileSpec {
    let mode = if project.executable { 0o755 } else { 0o644 };
    let path = format!("project/{}", project.path);
    FileSpec { path, content: project.content.clone(), mode }
}

pub(super) fn file(path: &str, content: String) -> FileSpec {
    FileSpec { path: path.to_owned(), content, mode: 0o644 }
}

/// The error for a project that cannot be mined.
pub(super) fn unmined(why: String) -> Error {
    Error::new(Code::PackUnmined, why).hint("`synthd explain SYN-0222` lists the usual causes")
}

/// The error for an answer of the miner that is no JSON.
pub(super) fn no_json(error: serde_json::Error) -> Error {
    Error::new(Code::Unexpected, "an answer of the miner is no JSON").with_source(error)
}
