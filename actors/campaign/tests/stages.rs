//! Tasks with stages: each stage is verified when it ends, the next instruction follows in the same
//! conversation, and nothing is paid or verified twice.

use super::apart::assert_apart;
use super::{assert_nothing_lost_or_doubled, episodes, options};
use crate::campaign::CampaignProgress;
use crate::model::{
    AttemptNumber, CampaignConfig, FaultKind, Outcome, TrajectoryRow, Turn, Verdict,
};
use crate::ports::Journal;
use crate::task::Catalog;
use crate::testkit::{Kit, Line, STAGED, Trap, campaign, in_test_system};

/// One episode of the template with three stages.
fn one() -> CampaignConfig {
    let mut config = campaign("c", 1);
    config.tasks.templates = vec![STAGED.0.to_owned()];
    config
}

async fn run(kit: &Kit, config: &CampaignConfig) -> CampaignProgress {
    let progress = kit.run_with(config, Catalog::read([STAGED]).unwrap()).await;
    assert_nothing_lost_or_doubled(kit, "c").await;
    progress
}

pub(super) async fn row(kit: &Kit) -> TrajectoryRow {
    let row = kit.journal.rows(&one().name, None, 9).await.unwrap().remove(0);
    row.row.as_trajectory().unwrap().clone()
}

pub(super) async fn verdict(kit: &Kit) -> Verdict {
    let record = episodes(kit, "c").await.remove(0);
    let Some(Outcome::Judged { verdict, .. }) = record.outcome else { panic!("{record:?}") };
    verdict
}

/// Each check with its weight and whether it passed.
fn checks(verdict: &Verdict) -> Vec<(&str, f64, bool)> {
    verdict.checks.iter().map(|c| (c.name.as_str(), c.weight, c.passed)).collect()
}

pub(super) async fn turns(kit: &Kit) -> Vec<Turn> {
    let record = episodes(kit, "c").await.remove(0);
    kit.journal.turns(&record.plan.id, record.attempt).await.unwrap()
}

/// The stage of each step.
pub(super) fn stages(row: &TrajectoryRow) -> Vec<&str> {
    row.trajectory.iter().map(|step| step.stage.as_deref().unwrap()).collect()
}

fn lost() -> Trap {
    Trap::Fault(FaultKind::SandboxLost)
}

#[test]
fn the_oracle_solves_every_stage_in_one_conversation() {
    in_test_system(options(), |kit| async move {
        let progress = run(&kit, &one()).await;
        assert_eq!((progress.episodes.resolved, progress.steps), (1, 7));
        let verdict = verdict(&kit).await;
        let expected = [
            ("copy/letter", 0.1875, true),
            ("copy/kept", 0.0625, true),
            ("sign/verified", 0.5, true),
            ("send/verified", 0.25, true),
        ];
        assert_eq!(checks(&verdict), expected);
        assert_eq!((verdict.score, verdict.passed), (1.0, true));
        let row = row(&kit).await;
        assert_eq!(stages(&row), ["copy", "copy", "copy", "sign", "sign", "send", "send"]);
        let rewards: Vec<f64> = row.trajectory.iter().map(|step| step.reward).collect();
        assert_eq!(rewards, [0.0, 0.25, 0.0, 0.5, 0.0, 0.0, 0.25]);
        assert_eq!(row.total_reward, 1.0);
        let changed = |at: usize| row.trajectory[at].milestones_changed.clone().unwrap();
        assert_eq!((changed(1), changed(2)), (vec!["+copy/begun".to_owned()], Vec::new()));
        assert_eq!((changed(3), changed(5)), (vec!["+sign/signed".to_owned()], Vec::new()));
        // The instructions stand in the conversation as they were sent; nothing tells a verdict.
        let messages = row.messages.unwrap();
        let told: Vec<&str> = (messages.iter().filter(|message| message.role == "user"))
            .map(|message| message.content.as_str())
            .collect();
        assert_eq!(told.len(), 3);
        assert!(told[0].contains(row.task_instruction.as_str()), "{}", told[0]);
        let next = format!(
            "Your next task, in the same workspace:\n\nSign the letter.\n\n[{}]\n",
            row.canary
        );
        assert_eq!(told[1], next);
        assert!(messages[0].content.contains("Then you get the next task"), "{messages:?}");
        assert_apart(&kit);
    });
}

#[test]
fn a_stage_whose_turns_are_used_up_is_given_up() {
    in_test_system(options(), |kit| async move {
        kit.models.named("fake/one").says(|context| match context.turn {
            0..=2 => Line::Oracle,
            3..=5 => Line::Run("echo on".to_owned()),
            6 => Line::Run("put sent yes".to_owned()),
            _ => Line::Submit,
        });
        let progress = run(&kit, &one()).await;
        assert_eq!((progress.episodes.unresolved, progress.steps), (1, 8));
        let verdict = verdict(&kit).await;
        assert_eq!((verdict.score, verdict.passed), (0.5, false));
        let row = row(&kit).await;
        assert_eq!(stages(&row)[3..], ["sign", "sign", "sign", "send", "send"]);
        assert_eq!(row.total_reward, 0.5);
        assert!(row.labels.contains(&"stop:submitted".to_owned()), "{:?}", row.labels);
        let last = turns(&kit).await[5].messages.last().cloned().unwrap();
        assert!(last.content.contains("Send the letter."), "{last:?}");
    });
}

/// The last stage ends the episode, whatever ends it.
#[test]
fn the_turns_of_the_last_stage_end_the_episode() {
    in_test_system(options(), |kit| async move {
        let text = STAGED.1.replace("name: send\n", "name: send\n    turns: 1\n");
        let catalog = Catalog::read([(STAGED.0, text.as_str())]).unwrap();
        kit.run_with(&one(), catalog).await;
        let row = row(&kit).await;
        assert_eq!((row.trajectory.len(), row.verification.passed), (6, true));
        assert!(row.labels.contains(&"stop:step_limit".to_owned()), "{:?}", row.labels);
    });
}

/// The stage in which a limit ends the episode is verified; stages without a turn are not reached.
#[test]
fn a_limit_in_the_middle_leaves_the_later_stages_unreached() {
    for (max_turns, score, sign, unreached) in [
        (3, 0.25, false, vec!["sign/verified", "send/verified"]),
        (4, 0.75, true, vec!["send/verified"]),
        (5, 0.75, true, vec!["send/verified"]),
    ] {
        in_test_system(options(), move |kit| async move {
            let mut config = one();
            config.episode.max_turns = max_turns;
            run(&kit, &config).await;
            let verdict = verdict(&kit).await;
            assert_eq!((verdict.score, verdict.passed), (score, false), "{max_turns}");
            assert_eq!(verdict.checks[2].passed, sign, "{max_turns}");
            let found: Vec<&str> = (verdict.checks.iter())
                .filter(|check| check.output == "not reached")
                .map(|check| check.name.as_str())
                .collect();
            assert_eq!(found, unreached, "{max_turns}");
            let row = row(&kit).await;
            assert_eq!(row.total_reward, score, "{max_turns}");
            assert!(row.labels.contains(&"stop:step_limit".to_owned()), "{:?}", row.labels);
        });
    }
}

/// A sandbox that is lost while a stage is verified says nothing of the agent: the next attempt
/// replays what was paid for, and verifies then.
#[test]
fn a_fault_of_a_verification_is_a_fault_of_the_attempt() {
    for event in ["exec is letter", "exec is name", "exec is sent"] {
        in_test_system(options(), move |kit| async move {
            kit.backend.traps().once(event, lost());
            let progress = run(&kit, &one()).await;
            assert_eq!((progress.episodes.resolved, progress.episodes.faulted), (1, 0), "{event}");
            let record = episodes(&kit, "c").await.remove(0);
            assert_eq!(record.attempt, AttemptNumber(2), "{event}");
            let attempts = kit.journal.attempts(&record.plan.id).await.unwrap();
            assert_eq!(attempts[1].resumed_from, Some(AttemptNumber(1)), "{event}");
            assert_eq!(row(&kit).await.total_reward, 1.0, "{event}");
        });
    }
}

#[test]
fn an_attempt_that_is_cut_off_anywhere_goes_on_in_its_stage() {
    for turn in 0..7 {
        in_test_system(options(), move |kit| async move {
            let model = kit.models.named("fake/one");
            model.traps.once(&format!("turn {turn}"), Trap::Panic);
            // The verdict over a stage is recorded: it is reached in two runs, and never again.
            if turn > 3 {
                kit.backend.traps().set("exec is letter", 2, 9, lost());
            }
            let progress = run(&kit, &one()).await;
            assert_eq!((progress.episodes.resolved, progress.steps), (1, 7), "turn {turn}");
            let row = row(&kit).await;
            assert_eq!(row.attempt, 2, "turn {turn}");
            assert_eq!(stages(&row), ["copy", "copy", "copy", "sign", "sign", "send", "send"]);
            let told: Vec<Option<String>> = turns(&kit)
                .await
                .into_iter()
                .map(|turn| turn.step.stage.unwrap().before.map(|before| before.stage))
                .collect();
            let (copy, sign) = (Some("copy".to_owned()), Some("sign".to_owned()));
            assert_eq!(told, [None, None, None, copy, None, sign, None], "turn {turn}");
        });
    }
}

/// A workspace that cannot be copied while its programs are still fails the stage, not the episode.
#[test]
fn a_stage_whose_workspace_does_not_stand_still_is_not_solved() {
    // Milestones are measured once in the first stage, before it is verified.
    for event in ["freeze", "pack", "thaw"] {
        in_test_system(options(), move |kit| async move {
            kit.backend.traps().set(event, 1, 1, Trap::Fault(FaultKind::SandboxCopy));
            run(&kit, &one()).await;
            let verdict = verdict(&kit).await;
            assert_eq!(checks(&verdict)[0], ("copy/workspace-copied", 0.25, false), "{event}");
            assert_eq!((verdict.score, verdict.checks.len()), (0.75, 3), "{event}");
            assert_apart(&kit);
        });
    }
}

/// What stands behind the call that ended a stage is told that not the episode has ended, also by a
/// later attempt.
#[test]
fn calls_behind_the_end_of_a_stage_are_not_run() {
    in_test_system(options(), |kit| async move {
        let model = kit.models.named("fake/one");
        model.says(|context| match context.turn {
            2 => Line::RunAll(vec![
                "echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT".to_owned(),
                "put letter nothing".to_owned(),
            ]),
            _ => Line::Oracle,
        });
        model.traps.once("turn 4", Trap::Panic);
        let progress = run(&kit, &one()).await;
        assert_eq!(progress.episodes.resolved, 1);
        let record = episodes(&kit, "c").await.remove(0);
        assert_eq!(record.attempt, AttemptNumber(2), "the observation repeats");
        let turns = turns(&kit).await;
        let told = &turns[2].step.actions[1].observation;
        assert!(told.contains("this part of the work ended"), "{told}");
    });
}
