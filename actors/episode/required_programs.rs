//! Whether a sandbox has the programs that a template requires. A template whose programs are
//! missing is skipped on this host.

use super::engine_commands::{ensure_exited, run_engine_command};
use crate::model::{Fault, SandboxSpec};
use crate::pool::PoolHandle;
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// The time limit for the search for one program.
const PROBE: Duration = Duration::from_secs(10);

/// Which of these programs a sandbox of this kind lacks. It asks a real sandbox, with `command -v`.
/// A name with characters that programs do not have counts as missing and is never passed to the
/// shell. If no program is wanted, no sandbox is taken. Err means that no sandbox could be had, or
/// that it failed.
pub(crate) async fn missing_programs(
    pool: &PoolHandle,
    spec: &SandboxSpec,
    wanted: &BTreeSet<&str>,
) -> Result<HashSet<String>, Fault> {
    let mut missing = HashSet::new();
    if wanted.is_empty() {
        return Ok(missing);
    }
    let mut lease = pool.acquire(&Arc::new(spec.clone())).await?;
    for program in wanted {
        // The name goes into a shell command, so only harmless characters are allowed.
        let plain = program.bytes().all(|b| b.is_ascii_alphanumeric() || b"._+-".contains(&b));
        let found = plain && {
            let command = format!("command -v {program}");
            ensure_exited(run_engine_command(lease.sandbox(), &command, PROBE).await?)?
                .end
                .success()
        };
        if !found {
            missing.insert((*program).to_owned());
        }
    }
    Ok(missing)
}
