//! Tasks that are tried several times: all of the samples, or as many as are needed.

use super::{assert_nothing_lost_or_doubled, episodes, options};
use crate::model::{
    CampaignConfig, CampaignName, CampaignState, EpisodeId, EpisodeRecord, FaultKind, Outcome,
    SamplePolicy, StopReason, Verdict,
};
use crate::ports::Journal;
use crate::testkit::{Kit, Line, Trap, campaign, catalog, in_test_system};
use crate::work::trajectory::TrajectoryWork;
use std::collections::BTreeSet;
use std::sync::Arc;

fn sampled(tasks: u32, samples: SamplePolicy) -> CampaignConfig {
    let mut config = campaign("c", tasks);
    config.tasks.samples = samples;
    config
}

fn most(most: u32) -> SamplePolicy {
    SamplePolicy { most, ..SamplePolicy::default() }
}

async fn numbers(kit: &Kit) -> Vec<u32> {
    let mut numbers: Vec<u32> =
        episodes(kit, "c").await.iter().map(|record| record.plan.id.sample()).collect();
    numbers.sort_unstable();
    numbers
}

/// Solves only in the sample of that number.
fn solves_in(kit: &Kit, number: u32) {
    let line = move |context: &crate::ports::CallContext| {
        if context.episode.sample() == number { Line::Oracle } else { Line::Submit }
    };
    kit.models.named("fake/one").says(line);
}

#[test]
fn each_task_is_tried_as_often_as_is_asked() {
    in_test_system(options(), |kit| async move {
        solves_in(&kit, 1);
        let progress = kit.run(&sampled(2, most(3))).await;
        assert_eq!((progress.tasks, progress.episodes.planned), (2, 6));
        assert_eq!((progress.episodes.resolved, progress.episodes.unresolved), (2, 4));
        assert_eq!(numbers(&kit).await, [0, 0, 1, 1, 2, 2]);
        // Nothing tells the two failed ones of a task apart, and both are wanted.
        assert_eq!((progress.rows.accepted, progress.rows.rejected), (6, 0));
        let rows = kit.journal.rows(&CampaignName("c".to_owned()), None, usize::MAX).await.unwrap();
        for row in &rows {
            assert_eq!(
                row.row.as_trajectory().unwrap().sample,
                i32::try_from(row.episode.sample()).unwrap()
            );
            let others = rows.iter().filter(|other| other.row.work_id() == row.row.work_id());
            assert!(others.map(|other| other.split).all(|split| split == row.split));
        }
        let rates = kit.sink.pass_rates();
        assert_eq!(rates.len(), 6);
        assert!(rates.iter().all(|rate| (rate.tries, rate.solved) == (3, 1)), "{rates:?}");
        assert_nothing_lost_or_doubled(&kit, "c").await;
    });
}

#[test]
fn a_campaign_of_one_sample_each_grows_and_keeps_what_it_has() {
    let life = options();
    let again = life.clone();
    in_test_system(life, |kit| async move {
        let progress = kit.run(&sampled(2, most(1))).await;
        assert_eq!(progress.episodes.planned, 2);
        let config = campaign("c", 2);
        let known: BTreeSet<EpisodeId> =
            episodes(&kit, "c").await.into_iter().map(|record| record.plan.id).collect();
        let derived = |record: &crate::model::PlannedEpisode| {
            EpisodeId::derive(&config.name, &record.task, &record.model, &record.scaffold)
        };
        let plans = episodes(&kit, "c").await.into_iter().map(|record| record.plan);
        assert_eq!(plans.map(|plan| derived(&plan)).collect::<BTreeSet<_>>(), known);
    });
    in_test_system(again, |kit| async move {
        let progress = kit.run(&sampled(2, most(3))).await;
        assert_eq!((progress.state, progress.episodes.planned), (CampaignState::Complete, 6));
        assert_eq!(numbers(&kit).await, [0, 0, 1, 1, 2, 2]);
        assert_eq!(
            kit.models
                .named("fake/one")
                .replies()
                .iter()
                .filter(|(id, _)| id.sample() == 0)
                .count(),
            0
        );
    });
}

#[test]
fn no_further_sample_is_begun_once_one_has_solved_it() {
    in_test_system(options(), |kit| async move {
        solves_in(&kit, 2);
        let samples = SamplePolicy { stop_after_solved: Some(1), ..most(8) };
        let progress = kit.run(&sampled(2, samples)).await;
        assert_eq!((progress.state, progress.episodes.planned), (CampaignState::Complete, 6));
        assert_eq!(progress.episodes.resolved, 2);
        assert_eq!(numbers(&kit).await, [0, 0, 1, 1, 2, 2]);
        assert!(kit.sink.pass_rates().iter().all(|rate| (rate.tries, rate.solved) == (3, 1)));
    });
}

#[test]
fn samples_go_on_until_the_rate_is_known_well_enough() {
    let tried = |solved: Option<u32>, width: u32| {
        let (sent, planned) = std::sync::mpsc::channel();
        in_test_system(options(), move |kit| async move {
            if let Some(solved) = solved {
                solves_in(&kit, solved);
            }
            let samples = SamplePolicy { pass_rate_width: Some(width), ..most(30) };
            sent.send(kit.run(&sampled(1, samples)).await.episodes.planned).unwrap();
        });
        planned.recv().unwrap()
    };
    // Always solved: the interval of 6 of 6 is 0.39 wide, that of 5 of 5 is 0.43.
    assert_eq!(tried(None, 400), 6);
    // One that differs makes it wider: more are needed.
    assert!(tried(Some(0), 400) > 6);
    assert_eq!(tried(None, 10), 30, "never more than the most");
}

/// What ended in a fault says nothing, and another one is tried in its place.
#[test]
fn a_lost_sample_is_no_verdict() {
    in_test_system(options(), |kit| async move {
        let traps = &kit.models.named("fake/one").traps;
        traps.set("unit/letter 0 turn 0", 0, 3, Trap::Fault(FaultKind::ModelRejected));
        let samples = SamplePolicy { stop_after_solved: Some(1), ..most(3) };
        let mut config = sampled(1, samples);
        config.episode.attempts = 1;
        let progress = kit.run(&config).await;
        let faulted = progress.episodes.faulted;
        assert!(faulted > 0, "{progress:?}");
        assert_eq!(progress.episodes.planned, 3.min(faulted + progress.episodes.resolved));
    });
}

fn planner(samples: SamplePolicy) -> TrajectoryWork {
    TrajectoryWork { config: Arc::new(sampled(1, samples)), catalog: Arc::new(catalog()) }
}

/// Samples that were planned with an earlier edition of a template and that nobody asks for any
/// more are not waited for: what is decided is not tried again with the new edition.
#[test]
fn samples_that_are_left_out_leave_nothing_undecided() {
    let before = planner(most(4));
    let plans = before.plan_templates(&before.templates(), &[], || true).unwrap().episodes;
    let tried = |solved: &[bool]| -> Vec<EpisodeRecord> {
        let outcome = |passed: &bool| {
            let score = f64::from(u8::from(*passed));
            let verdict =
                Verdict { score, passed: *passed, flaky: false, checks: Vec::new(), judge: None };
            Outcome::Judged { stop: StopReason::Submitted, verdict }
        };
        let records = plans.iter().cloned().zip(0..).map(|(mut plan, number): (_, usize)| {
            plan.id.0.push('x');
            plan.task.0.push('x');
            EpisodeRecord {
                outcome: solved.get(number).map(outcome),
                ..EpisodeRecord::planned(plan)
            }
        });
        records.collect()
    };
    let planned = |samples: SamplePolicy, known: &[EpisodeRecord]| {
        let planner = planner(samples);
        planner.plan_templates(&planner.templates(), known, || true).unwrap().episodes.len()
    };
    let solves = |most_of: u32| SamplePolicy { stop_after_solved: Some(1), ..most(most_of) };
    assert_eq!(planned(most(4), &tried(&[true, false])), 4, "two of four were tried");
    assert_eq!(planned(most(2), &tried(&[true, false])), 0);
    assert_eq!(planned(solves(2), &tried(&[true])), 0, "it is solved, and no more is wanted");
    assert_eq!(planned(solves(2), &tried(&[false, false])), 0, "two were tried in vain");
    assert_eq!(planned(solves(2), &tried(&[false])), 1, "one more may solve it");
    assert_eq!(planned(solves(2), &tried(&[])), 1, "nothing was tried");
}
