//! Each model is asked with its own sampling parameters, and the rows say which.

use super::options;
use crate::campaign::PrepareError;
use crate::engine::SubmitError;
use crate::model::{
    CampaignConfig, CampaignName, CampaignRecord, CampaignState, Money, SamplingParams,
    USUAL_OUTPUT_TOKENS,
};
use crate::ports::Journal;
use crate::testkit::{Kit, campaign, in_test_system, priced};
use std::sync::Arc;

async fn sampling_of_rows(kit: &Kit) -> Vec<Option<String>> {
    let rows = kit.journal.rows(&CampaignName("c".to_owned()), None, usize::MAX).await.unwrap();
    rows.into_iter().map(|row| row.row.as_trajectory().unwrap().sampling.clone()).collect()
}

#[test]
fn a_row_says_how_its_model_was_asked() {
    in_test_system(options(), |kit| async move {
        let mut config = campaign("c", 1);
        config.models = vec![priced("fake/one", 0), priced("fake/two", 0)];
        config.models[1].sampling =
            SamplingParams { temperature: Some(0.5), seed: Some(7), ..SamplingParams::default() };
        kit.run(&config).await;
        let usual = format!(r#"{{"max_output_tokens":{USUAL_OUTPUT_TOKENS}}}"#);
        let warm =
            format!(r#"{{"temperature":0.5,"seed":7,"max_output_tokens":{USUAL_OUTPUT_TOKENS}}}"#);
        let mut found = sampling_of_rows(&kit).await;
        found.sort();
        assert_eq!(found, [Some(usual), Some(warm)]);
    });
}

/// A hold is computed from the model's own output limit, not from the usual one.
#[test]
fn a_hold_covers_the_models_own_cap() {
    let peak = |cap: Option<u32>| {
        let (sent, held) = std::sync::mpsc::channel();
        in_test_system(options(), move |kit| async move {
            let mut config = campaign("c", 1);
            config.models = vec![priced("fake/one", 10)];
            config.models[0].sampling.max_output_tokens = cap;
            config.budget = Some(Money::from_nanos(10_000_000));
            kit.run(&config).await;
            sent.send(kit.journal.peak().nanos()).unwrap();
        });
        held.recv().unwrap()
    };
    let more = u64::from(USUAL_OUTPUT_TOKENS) * 10;
    assert_eq!(peak(Some(2 * USUAL_OUTPUT_TOKENS)) - peak(None), more);
    assert!(peak(Some(16)) < peak(None));
}

/// Whether the campaign is refused because its settings have changed.
async fn is_refused(kit: &Kit, config: &CampaignConfig) -> bool {
    let asked = kit.engine.submit(Arc::new(config.clone()), String::new()).await;
    let refusal = asked.err();
    let changed =
        |error: &SubmitError| matches!(error, SubmitError::Prepare(PrepareError::Changed(_)));
    refusal.is_some_and(|error| changed(&error))
}

/// Sampling parameters with nothing but a temperature.
fn warm(temperature: f64) -> SamplingParams {
    SamplingParams { temperature: Some(temperature), ..SamplingParams::default() }
}

#[test]
fn a_model_with_sampling_of_its_own_may_join_and_leave_and_is_never_sampled_otherwise() {
    in_test_system(options(), |kit| async move {
        let mut config = campaign("c", 1);
        config.models = vec![priced("fake/one", 0)];
        kit.run(&config).await;
        let alone = config.clone();
        config.models.push(priced("fake/two", 0));
        config.models[1].sampling = warm(0.1 + 0.2);
        assert_eq!(kit.run(&config).await.episodes.resolved, 2);
        let cold = format!(r#"{{"max_output_tokens":{USUAL_OUTPUT_TOKENS}}}"#);
        let mut found = sampling_of_rows(&kit).await;
        found.sort();
        assert_eq!(found[0].as_ref(), Some(&cold));
        assert!(found[1].as_ref().unwrap().contains("0.30000000000000004"), "{found:?}");
        assert_eq!(kit.run(&alone).await.state, CampaignState::Complete);
        for (model, other) in [(0, warm(0.9)), (1, warm(0.3)), (1, SamplingParams::default())] {
            let mut changed = config.clone();
            changed.models[model].sampling = other;
            assert!(is_refused(&kit, &changed).await);
        }
        assert_eq!(kit.run(&config).await.state, CampaignState::Complete);
    });
}

/// The identity that an older synthd stored contains the sampling parameters.
#[test]
fn a_campaign_of_an_older_synthd_goes_on_and_may_grow() {
    in_test_system(options(), |kit| async move {
        let mut config = campaign("c", 1);
        config.models = vec![priced("fake/one", 0)];
        config.models[0].sampling = warm(0.5);
        kit.run(&config).await;
        let name = CampaignName("c".to_owned());
        let now = kit.journal.campaign(&name).await.unwrap().unwrap();
        let older = CampaignRecord { identity: config.settings_digest(), sampling: None, ..now };
        kit.journal.put_campaign(older.clone());
        let mut changed = config.clone();
        changed.models[0].sampling = warm(0.6);
        assert!(is_refused(&kit, &changed).await);
        assert_eq!(kit.run(&config).await.state, CampaignState::Complete);
        kit.journal.put_campaign(older);
        config.models.push(priced("fake/two", 0));
        config.models[1].sampling = warm(0.7);
        assert_eq!(kit.run(&config).await.episodes.resolved, 2);
        assert!(is_refused(&kit, &changed).await);
    });
}
