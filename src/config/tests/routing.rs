//! How models stand to each other: what a file may say of it, and what it may not.

use super::*;
use insta::assert_snapshot;
use synthd_actors::model::{Difficulty, ModelAbility, ModelAssignment};

#[test]
fn everything_that_can_be_said_is_understood() {
    let config = campaign(
        "[campaign]\nname = \"c\"\n[tasks]\ntemplates = [\"**\"]\n\
         [routing]\nassign = \"difficulty\"\nneeds = [\"tools\"]\n\
         [providers.vllm]\nkey_env = [\"A_KEY\", \"B_KEY\"]\nconcurrency = 7\nfree = true\n\
         [[models]]\nname = \"vllm/a\"\ndifficulty = [\"easy\", \"medium\"]\n\
         tokens_per_minute = 9\nabilities = [\"tools\", \"vision\"]\n\
         fallback = { outage = [\"scripted/oracle\"], context = [\"vllm/b\"] }\n\
         [[models]]\nname = \"vllm/b\"\n\
         [[models]]\nname = \"scripted/oracle\"\nreserve = true\n",
    );
    assert_eq!(
        (config.assign, config.needs),
        (ModelAssignment::Difficulty, [ModelAbility::Tools].into())
    );
    let [a, b, oracle] = &config.models[..] else { panic!("three models") };
    let endpoint = a.endpoint.as_ref().unwrap();
    assert_eq!((endpoint.key_env.as_deref(), endpoint.concurrency), (Some("A_KEY"), Some(7)));
    assert_eq!(endpoint.more_keys, ["B_KEY"]);
    let keys: Vec<_> = a.with_each_key().into_iter().map(|a| a.endpoint.unwrap()).collect();
    assert_eq!(keys.len(), 2);
    assert!(keys.iter().all(|alone| alone.more_keys.is_empty()));
    assert_eq!(a.routing.difficulty, [Difficulty::Easy, Difficulty::Medium]);
    assert_eq!(a.routing.tokens_per_minute, Some(9));
    assert_eq!(a.routing.abilities, Some([ModelAbility::Tools, ModelAbility::Vision].into()));
    assert_eq!(a.routing.fallback.outage, ["scripted/oracle"]);
    assert_eq!(a.routing.fallback.context, ["vllm/b"]);
    assert!(oracle.routing.reserve && b.routing.difficulty.is_empty());
    assert!(!config.models.iter().any(|model| model.routing.tokens_per_minute == Some(0)));
}

#[test]
fn what_does_not_fit_together_is_told() {
    let second = "[[models]]\nname = \"scripted/detour\"\n";
    let found = [
        "fallback = { outage = [\"scripted/detour\"] }".to_owned(),
        format!("fallback = {{ outage = [\"scripted/detuor\"] }}\n{second}"),
        "fallback = { filter = [\"scripted/oracle\"] }".to_owned(),
        "reserve = true".to_owned(),
        format!("{second}reserve = true"),
        "difficulty = [\"easy\"]".to_owned(),
        "difficulty = [\"easy\"]\n[routing]\nassign = \"difficulty\"".to_owned(),
        "[routing]\nneeds = [\"vision\"]".to_owned(),
        "abilities = [\"sight\"]".to_owned(),
        "[routing]\nassign = \"least-latncy\"".to_owned(),
        "[providers.vllm]\nkey_env = [\"A\", \"A\"]".to_owned(),
        "[providers.vllm]\nkey_env = []".to_owned(),
        "[providers.vllm]\nkey_env = [\"A\", \"sk-secret\"]".to_owned(),
        "[providers.vllm]\nconcurrency = 0".to_owned(),
        "[providers.any]\ndialect = \"vllm\"\nbase_url = \"http://h/v1\"".to_owned(),
        "[providers.replay]\nrecord = \"r\"\ncampaign = \"c\"\nconcurrency = 2".to_owned(),
    ]
    .map(|extra| only_mistake(&extra));
    assert!(!found.join("").contains("sk-secret"));
    assert_snapshot!(found.join("\n"));
    let secret = format!("{MINIMAL}[providers.vllm]\nkey_env = [\"A\", \"sk-secret\"]");
    assert!(!errors(&secret).render().contains("sk-secret"));
}
