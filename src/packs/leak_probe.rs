//! Looks into a sandbox of a task for what gives its answer away. What is a finding,
//! `synthd_actors::pack::LeakScan` decides.

use crate::error::{Code, Error, Result};
use crate::running_engine::fault_error;
use std::sync::Arc;
use std::time::Duration;
use synthd_actors::model::{ExecRequest, FileSpec, SandboxSpec, SandboxTree, Task};
use synthd_actors::pack::{AnswerLeak, LeakListing, LeakScan};
use synthd_actors::pool::PoolHandle;

/// The program that lists what is there.
const PROBE: &str = include_str!("leak_probe.py");
/// The most bytes of its answer.
const ANSWER: u32 = 4 << 20;
/// Wall time of the program. It reads the texts of a whole file system.
const TIMEOUT: Duration = Duration::from_secs(300);

/// What in a fresh sandbox gives the answer of a task away. Nothing for a task that is not from a pack.
/// Every text of the sandbox is read, which takes seconds where it has the programs of a whole host.
pub(crate) async fn sandbox_leaks(
    pool: &PoolHandle,
    spec: &Arc<SandboxSpec>,
    task: &Task,
) -> Result<Vec<AnswerLeak>> {
    let Some(scan) = LeakScan::of(task) else { return Ok(Vec::new()) };
    Ok(scan.outside(&listing(pool, spec, &scan).await?))
}

/// What in its workspace gives the answer of a task away. Nothing runs for this.
pub(crate) fn workspace_leaks(task: &Task) -> Vec<AnswerLeak> {
    LeakScan::of(task).map_or_else(Vec::new, |scan| scan.within())
}

/// The error for places that give answers away. `whose` is a pack, or some templates.
pub(crate) fn shown_answers(count: usize, whose: &str) -> Error {
    let what = format!("{count} places give the answers of {whose} away");
    Error::new(Code::AnswerShown, what).hint("`synthd explain SYN-0224` says what to do")
}

/// What the program lists in a fresh sandbox.
async fn listing(
    pool: &PoolHandle,
    spec: &Arc<SandboxSpec>,
    scan: &LeakScan<'_>,
) -> Result<LeakListing> {
    let request = scan.request().map_err(no_json)?;
    let file =
        |path: &str, content: String| FileSpec { path: path.to_owned(), content, mode: 0o644 };
    let files = [file("probe.py", PROBE.to_owned()), file("probe.json", request)];
    let mut lease = pool.acquire(spec).await.map_err(|fault| fault_error(&fault))?;
    let written = lease.sandbox().write_files(SandboxTree::Workspace, &files).await;
    written.map_err(|fault| fault_error(&fault))?;
    let request = ExecRequest {
        command: "python3 -I -B probe.py".to_owned(),
        session: false,
        timeout: TIMEOUT,
        scan: false,
        output_kept: Some(ANSWER),
        joined: false,
    };
    let report = lease.sandbox().exec(&request).await.map_err(|fault| fault_error(&fault))?;
    if !report.end.success() {
        let said = report.stderr.text();
        let last = said.trim_end().lines().last().unwrap_or_default().to_owned();
        let what = format!("the search for answers ended with {:?}: {last}", report.end);
        return Err(Error::new(Code::Unexpected, what));
    }
    serde_json::from_str(report.stdout.text().trim_end()).map_err(no_json)
}

fn no_json(error: serde_json::Error) -> Error {
    Error::new(Code::Unexpected, "the search for answers gave no JSON").with_source(error)
}
