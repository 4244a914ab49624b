//! Each model is asked with its own sampling parameters, and the rows say which.

use super::options;
use crate::model::{CampaignName, Money, SamplingParams, USUAL_OUTPUT_TOKENS};
use crate::ports::Journal;
use crate::testkit::{Kit, campaign, in_test_system, priced};

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
