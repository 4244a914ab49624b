//! Which templates this host can run. A template is skipped if a sandbox lacks a program that the
//! template requires.

use super::TrajectoryWork;
use crate::judge::engine_commands::{ensure_exited, run_engine_command};
use crate::model::{Fault, SandboxSpec};
use crate::pool::PoolHandle;
use crate::task::Template;
use crate::work::SkippedTemplate;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
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

/// Divides the campaign's templates: those that this host's sandboxes can run, and the others with
/// the reason. It takes one sandbox for each image and looks for the required programs in it.
pub async fn runnable_templates(
    pool: &PoolHandle,
    work: &TrajectoryWork,
) -> Result<(Vec<Arc<Template>>, Vec<SkippedTemplate>), Fault> {
    let all = work.templates();
    let mut wanted: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for template in &all {
        let programs = template.requires.iter().map(String::as_str);
        wanted.entry(&template.environment.image).or_default().extend(programs);
    }
    let mut missing = HashMap::new();
    for (image, programs) in wanted {
        // An image that the campaign maps to nothing is reported for each template, in `lacking`.
        if let Some(spec) = work.config.sandbox_for(image) {
            missing.insert(image.to_owned(), missing_programs(pool, &spec, &programs).await?);
        }
    }
    let mut skipped = Vec::new();
    let mut kept = Vec::new();
    for template in all {
        match lacking(&template, &missing) {
            None => kept.push(template),
            Some(reason) => skipped.push(SkippedTemplate { template: template.id.clone(), reason }),
        }
    }
    Ok((kept, skipped))
}

/// Why a template cannot run here. None if it can. `missing` has the programs that each image
/// lacks.
fn lacking(template: &Template, missing: &HashMap<String, HashSet<String>>) -> Option<String> {
    let image = &template.environment.image;
    let Some(missing) = missing.get(image) else {
        return Some(format!("[sandbox] names no image for {image}"));
    };
    let lacks = template.requires.iter().map(String::as_str).filter(|r| missing.contains(*r));
    let lacks: Vec<&str> = lacks.collect();
    (!lacks.is_empty()).then(|| format!("the sandbox has no {}", lacks.join(", ")))
}
