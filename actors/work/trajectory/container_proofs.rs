//! Which tasks of containers a campaign can use. Each is proven before its first episode: its solution
//! must pass, and doing nothing must not. A proof holds for what the task was made from, so it is made
//! once for each data directory.
//!
//! ```text
//!  image made or found ─► proof on record? ─► proven now, and put on record ─► used, or left out
//! ```

use crate::model::{BackendKind, Fault, FaultKind};
use crate::task::{ContainerTask, Template};
use crate::work::{EngineServices, SkippedTemplate};
use std::sync::Arc;

/// The reason for a campaign whose sandboxes are no containers.
const NO_CONTAINERS: &str = "it needs [sandbox] backend = \"docker\"";

/// Takes the tasks of containers out of `templates` that cannot be used, and tells why. Err is a fault
/// of the container engine, of which no task is to blame.
pub(super) async fn leave_out_unproven(
    services: &EngineServices,
    backend: BackendKind,
    templates: &mut Vec<Arc<Template>>,
) -> Result<Vec<SkippedTemplate>, Fault> {
    let all = templates.iter().filter(|template| template.container().is_some()).count();
    let (mut kept, mut skipped, mut number) = (Vec::new(), Vec::new(), 0_usize);
    for template in std::mem::take(templates) {
        let why = match (template.container(), backend) {
            (None, _) => None,
            (Some(_), BackendKind::Namespace) => Some(NO_CONTAINERS.to_owned()),
            (Some(container), BackendKind::Docker) => {
                number += 1;
                why_unusable(services, container, (number, all)).await?
            }
        };
        match why {
            None => kept.push(template),
            Some(reason) => skipped.push(SkippedTemplate { template: template.id.clone(), reason }),
        }
    }
    *templates = kept;
    Ok(skipped)
}

/// Why a task cannot be used. None if it is proven and its image is there. `place` is its number among
/// all tasks of containers, for the log.
async fn why_unusable(
    services: &EngineServices,
    container: &ContainerTask,
    place: (usize, usize),
) -> Result<Option<String>, Fault> {
    if let Err(fault) = container.judge.prepare().await {
        return of_the_task(fault);
    }
    let problems = match services.proofs.known(container.origin()).await {
        Some(problems) => problems,
        None => match prove(services, container, place).await {
            Ok(problems) => problems,
            Err(fault) => return of_the_task(fault),
        },
    };
    Ok((!problems.is_empty()).then(|| format!("not proven: {}", problems.join("; "))))
}

/// Proves a task and puts the result on record.
async fn prove(
    services: &EngineServices,
    container: &ContainerTask,
    (number, all): (usize, usize),
) -> Result<Vec<String>, Fault> {
    let task = container.task.template.as_str();
    tracing::info!(task, "proving task {number} of {all}: its solution, and doing nothing");
    let problems = container.judge.prove().await?;
    services.proofs.keep(container.origin(), &problems).await;
    Ok(problems)
}

/// The fault as a reason, if it says nothing of other tasks: an image that cannot be had or built, or a
/// container that does not start.
fn of_the_task(fault: Fault) -> Result<Option<String>, Fault> {
    match fault.kind {
        FaultKind::SandboxRefused | FaultKind::SandboxStart | FaultKind::TaskSetup => {
            Ok(Some(fault.message))
        }
        _ => Err(fault),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::{FakeJudge, Options, container_task, in_test_system};

    /// The template of a task that is judged so.
    fn template(judge: &Arc<FakeJudge>) -> Arc<Template> {
        Arc::new(Template::of_container(container_task("unit/a", judge.clone())))
    }

    #[test]
    fn a_task_is_proven_once_for_each_data_directory() {
        in_test_system(Options::default(), |kit| async move {
            let judge = Arc::new(FakeJudge::default());
            for _ in 0..2 {
                let mut templates = vec![template(&judge)];
                let docker = BackendKind::Docker;
                let skipped = leave_out_unproven(&kit.services, docker, &mut templates).await;
                assert_eq!((skipped.unwrap(), templates.len()), (Vec::new(), 1));
            }
            assert_eq!((judge.prepared(), judge.proven()), (2, 1));
        });
    }

    #[test]
    fn what_is_not_proven_is_left_out_with_the_reason() {
        in_test_system(Options::default(), |kit| async move {
            let judge = Arc::new(FakeJudge::unproven("the solution has the reward 0"));
            let mut templates = vec![template(&judge)];
            let docker = BackendKind::Docker;
            let skipped = leave_out_unproven(&kit.services, docker, &mut templates).await.unwrap();
            assert!(templates.is_empty());
            assert_eq!(skipped[0].reason, "not proven: the solution has the reward 0");
            let mut templates = vec![template(&judge)];
            let namespace = BackendKind::Namespace;
            let skipped = leave_out_unproven(&kit.services, namespace, &mut templates).await;
            assert_eq!(skipped.unwrap()[0].reason, NO_CONTAINERS);
        });
    }

    /// A container engine that is down is nobody's fault.
    #[test]
    fn only_a_fault_of_the_task_leaves_it_out() {
        for (kind, is_of_task) in [
            (FaultKind::TaskSetup, true),
            (FaultKind::SandboxRefused, true),
            (FaultKind::EngineDown, false),
            (FaultKind::SandboxLost, false),
        ] {
            assert_eq!(of_the_task(Fault::new(kind, "why")).is_ok(), is_of_task, "{kind:?}");
        }
    }
}
