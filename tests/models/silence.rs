//! A provider without a word, behind the router: silence is no failure that is tried again.

use super::host::{Act, Host};
use std::sync::Arc;
use std::time::Duration;
use synthd_actors::model::{AttemptNumber, CampaignName, FaultKind, ModelConfig, ProviderEndpoint};
use synthd_actors::router::{ModelCall, ModelClients};
use synthd_actors::testkit::{self, Options, in_test_system};

/// The one model.
const MODEL: &str = "test/some/model-1";

fn call(campaign: &CampaignName) -> ModelCall {
    ModelCall {
        campaign: campaign.clone(),
        attempt: AttemptNumber(1),
        model: MODEL.to_owned(),
        request: Arc::new(super::request(Vec::new())),
        sample: 0,
        context: super::context(),
        limit: Duration::from_secs(60),
    }
}

#[test]
fn a_provider_without_a_word_is_asked_once_and_costs_one_hold() {
    in_test_system(Options::default(), |kit| async move {
        let host = Host::doing(vec![Act::Stall]);
        let campaign = CampaignName("c".to_owned());
        let endpoint = ProviderEndpoint::new("openai", host.url(), None);
        // With a price, so that each try has a hold.
        let config = ModelConfig { endpoint: Some(endpoint), ..testkit::priced(MODEL, 1) };
        let clients = ModelClients::new(&config, &super::factory()).unwrap();
        let (router, before) = (&kit.services.router, Default::default());
        router.open(campaign.clone(), vec![clients], Default::default(), before).await.unwrap();
        let fault = router.call(call(&campaign)).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::OutOfTime, "{fault}");
        router.wait_until_settled(&campaign).await;
        assert_eq!(kit.journal.holds(), 1, "it is not asked again at another hold");
    });
}
