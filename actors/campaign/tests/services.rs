//! Services of tasks, over sandboxes of a few words: what starts them, and what a failure means.

use super::{episodes, labels, options};
use crate::campaign::{CampaignProgress, ReopenFilter};
use crate::model::FaultKind;
use crate::ports::Journal;
use crate::task::Catalog;
use crate::testkit::{Kit, TEMPLATES, Trap, campaign, in_test_system};
use crate::work::WorkInputs;
use std::sync::Arc;

/// Runs a campaign of one letter beside these services.
async fn run(kit: &Kit, services: &str) -> CampaignProgress {
    let (id, text) = TEMPLATES[0];
    let text = text.replace("template@1", "template@2");
    let text = text.replace("environment:", &format!("services: {services}\nenvironment:"));
    let catalog = Arc::new(Catalog::read([(id, text.as_str())]).unwrap());
    let inputs = WorkInputs { catalog, ..WorkInputs::default() };
    let (config, again) = (Arc::new(campaign("c", 1)), ReopenFilter::Nothing.into());
    let submitted = kit.engine.submit_with(inputs, config, String::new(), again).await;
    let handle = submitted.unwrap_or_else(|error| panic!("not submitted: {error}"));
    handle.wait_until_settled().await
}

/// Each sees what those before it have done.
#[test]
fn services_run_before_the_first_turn() {
    in_test_system(options(), |kit| async move {
        let services = "[{name: first, run: 'put first up', health: 'has start'}, \
             {name: second, run: 'put second up', health: 'has first', judged: true}]";
        assert_eq!(run(&kit, services).await.episodes.resolved, 1);
    });
}

#[test]
fn a_service_that_is_not_healthy_is_a_fault_of_the_template_and_no_label() {
    in_test_system(options(), |kit| async move {
        let services = "[{name: shop, run: 'echo no such luck', health: 'has nothing'}]";
        assert_eq!(run(&kit, services).await.episodes.faulted, 1);
        assert_eq!(labels(&kit, "c").await, ["faulted"]);
        let episode = episodes(&kit, "c").await.remove(0);
        let attempts = kit.journal.attempts(&episode.plan.id).await.unwrap();
        // A busy host may be the reason, so it is tried again.
        assert_eq!(attempts.len(), 3);
        let fault = attempts[0].fault.clone().unwrap();
        assert_eq!(fault.kind, FaultKind::ServiceUnhealthy);
        let said = "the service shop was not healthy within 10 s: it is not up; the end of its log:\n\
             no such luck";
        assert_eq!(fault.message, said);
        assert!(kit.models.named("fake/one").replies().is_empty(), "no agent had a turn");
    });
}

#[test]
fn a_sandbox_that_fails_while_a_service_starts_is_a_fault_of_the_host() {
    in_test_system(options(), |kit| async move {
        kit.backend.traps().once("service shop", Trap::Fault(FaultKind::SandboxLost));
        let services = "[{name: shop, run: 'put shop up', health: 'has shop'}]";
        assert_eq!(run(&kit, services).await.episodes.resolved, 1);
        assert_eq!(episodes(&kit, "c").await[0].failed_attempts, 1);
    });
}
