//! What is said around a task: the campaign's own prompts, and those an episode was begun with.

use super::{episodes, options};
use crate::model::{
    AttemptNumber, CampaignConfig, CampaignName, FaultKind, JournalEntry, PromptOverrides,
};
use crate::ports::Journal;
use crate::testkit::{Trap, campaign, in_test_system};

fn with_system(text: &str) -> CampaignConfig {
    let mut config = campaign("c", 1);
    let prompts = PromptOverrides { system: Some(text.to_owned()), instruction: None };
    config.prompts.insert("minimal".to_owned(), prompts);
    config
}

#[test]
fn models_are_told_the_campaigns_own_prompts_and_rows_tell_them_apart() {
    let digest = |text: Option<&'static str>, tasks: u32| {
        let (sent, digests) = std::sync::mpsc::channel();
        in_test_system(options(), move |kit| async move {
            let mut config = text.map_or_else(|| campaign("c", 1), with_system);
            config.tasks.per_template = tasks;
            kit.run(&config).await;
            let openings = kit.models.named("fake/one").openings();
            assert!(openings.iter().all(|first| text.is_none_or(|text| first == text)));
            let name = CampaignName("c".to_owned());
            let rows = kit.journal.rows(&name, None, usize::MAX).await.unwrap();
            let mut found: Vec<_> = rows
                .into_iter()
                .map(|row| row.row.as_trajectory().unwrap().prompt_digest.clone())
                .collect();
            found.dedup();
            assert_eq!(found.len(), 1, "whatever the task, it was asked in the same way");
            sent.send(found.remove(0).unwrap()).unwrap();
        });
        digests.recv().unwrap()
    };
    assert_eq!(digest(Some("Be brief."), 2), digest(Some("Be brief."), 1));
    assert_ne!(digest(Some("Be brief."), 1), digest(None, 1));
}

/// The conversation goes on as it was begun, whatever the scaffold says by now.
#[test]
fn a_resumed_episode_keeps_the_prompts_it_was_begun_with() {
    let life = options();
    let again = life.clone();
    in_test_system(life, |kit| async move {
        let trap = Trap::Fault(FaultKind::ModelPermanent);
        kit.models.named("fake/one").traps.once("turn 1", trap);
        kit.run(&campaign("c", 1)).await;
        let id = episodes(&kit, "c").await.remove(0).plan.id;
        let mut turn = kit.journal.turns(&id, AttemptNumber(1)).await.unwrap().remove(0);
        turn.opening.as_mut().unwrap().messages[0].content = "as it was then".to_owned();
        let (episode, attempt) = (id, AttemptNumber(2));
        let begun = JournalEntry::AttemptStarted {
            episode: episode.clone(),
            attempt,
            resumed_from: None,
            at_ms: 0,
        };
        let taken = JournalEntry::TurnTaken { episode, attempt, turn: Box::new(turn) };
        kit.journal.append(vec![begun, taken]).await.unwrap();
    });
    in_test_system(again, |kit| async move {
        let progress = kit.run(&campaign("c", 1)).await;
        assert_eq!(progress.episodes.resolved, 1);
        let openings = kit.models.named("fake/one").openings();
        let then = openings.iter().filter(|first| *first == "as it was then").count();
        assert_eq!(then, 3, "{openings:?}");
    });
}
