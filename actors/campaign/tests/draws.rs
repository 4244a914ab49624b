//! Campaigns that choose their tasks while they run, and those that draw them by shares.

use super::{episodes, options};
use crate::campaign::CampaignProgress;
use crate::model::{
    CampaignConfig, CampaignState, DRAW_AHEAD, DrawAspect, DrawRule, EpisodeId, EpisodeRecord,
    FaultKind, JournalEntry, Outcome, PlannedEpisode, TaskDraw,
};
use crate::task::{Catalog, Template};
use crate::testkit::{Kit, Line, Options, TEMPLATES, campaign, in_test_system, priced};
use crate::work::WorkInputs;
use crate::work::trajectory::TrajectoryWork;
use proptest::prelude::*;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// A campaign that chooses so many times between two models, one of which solves nothing.
fn informative(count: u32) -> CampaignConfig {
    let rule = DrawRule::Informative;
    let mut config = campaign("c", 1);
    config.tasks.draw = TaskDraw { rule, count, caps: BTreeMap::new(), ..TaskDraw::default() };
    config.models.push(priced("fake/two", 0));
    config
}

/// The task and the model of an episode.
type Chosen = (String, u32, String);

fn chosen(plan: &PlannedEpisode) -> Chosen {
    (plan.template.clone(), plan.index, plan.model.clone())
}

/// Runs a campaign in a system of its own, and returns its choices in their order. With `cut`, the
/// system ends so long after the beginning.
fn choices(life: Options, config: CampaignConfig, cut: Option<Duration>) -> Vec<Chosen> {
    let (sent, found) = std::sync::mpsc::channel();
    in_test_system(life, move |kit| async move {
        kit.models.named("fake/two").says(|_| Line::Submit);
        match cut {
            Some(after) => {
                let _handle = kit.submit(&config).await;
                tokio::time::sleep(after).await;
            }
            None => {
                let progress = kit.run(&config).await;
                assert_eq!(progress.state, CampaignState::Complete, "{progress:?}");
            }
        }
        let plans = episodes(&kit, "c").await.into_iter().map(|record| record.plan);
        sent.send(plans.map(|plan| chosen(&plan)).collect()).unwrap();
    });
    found.recv().unwrap()
}

/// The journal has the plan of each episode, with its reason, before its first attempt.
fn assert_reasons_come_first(kit: &Kit) {
    let mut planned: HashSet<EpisodeId> = HashSet::new();
    for entry in kit.journal.log() {
        match entry {
            JournalEntry::Planned(plans) => {
                assert!(plans.iter().all(|plan| plan.reason.is_some()), "{plans:?}");
                planned.extend(plans.into_iter().map(|plan| plan.id));
            }
            JournalEntry::AttemptStarted { episode, .. } => {
                assert!(planned.contains(&episode), "{episode} has no reason");
            }
            _ => {}
        }
    }
}

#[test]
fn choices_go_on_while_the_campaign_runs() {
    in_test_system(options(), |kit| async move {
        kit.models.named("fake/two").says(|_| Line::Submit);
        let progress = kit.run(&informative(90)).await;
        assert_eq!((progress.state, progress.episodes.planned), (CampaignState::Complete, 90));
        assert_eq!(progress.episodes.finished, 90);
        assert_reasons_come_first(&kit);
        let records = episodes(&kit, "c").await;
        let tasks: HashSet<_> = records.iter().map(|record| &record.plan.task).collect();
        assert_eq!(progress.tasks, tasks.len() as u64);
        let all: HashSet<Chosen> = records.iter().map(|record| chosen(&record.plan)).collect();
        assert_eq!(all.len(), 90, "nothing is chosen twice");
        let ordinals: Vec<u64> = records.iter().map(|record| record.plan.ordinal).collect();
        assert_eq!(ordinals, (0..90).collect::<Vec<u64>>());
    });
}

/// A campaign that is cut off and one that grows make the choices of one that does neither.
#[test]
fn the_same_record_gives_the_same_choices() {
    let whole = choices(options(), informative(90), None);
    assert_eq!(whole.len(), 90);
    for after in [30, 150, 400] {
        let life = options();
        let early = choices(life.clone(), informative(90), Some(Duration::from_millis(after)));
        assert_eq!(early[..], whole[..early.len()]);
        assert_eq!(choices(life, informative(90), None), whole, "cut off after {after} ms");
    }
    let life = options();
    assert_eq!(choices(life.clone(), informative(70), None), whole[..70]);
    assert_eq!(choices(life, informative(90), None), whole);
}

/// A campaign that stops at its budget chooses nothing more.
#[test]
fn choices_end_with_the_budget() {
    in_test_system(options(), |kit| async move {
        let mut config = informative(500);
        config.models = vec![priced("fake/one", 1_000)];
        config.budget = Some(crate::model::Money::from_nanos(30_000_000));
        let progress = kit.run(&config).await;
        assert_eq!(progress.state, CampaignState::Stopped, "{progress:?}");
        assert!(progress.cost_usd <= config.budget.unwrap());
        assert!(progress.episodes.planned < 500, "{progress:?}");
    });
}

/// A template of which no task can be made.
fn never() -> (&'static str, String) {
    let text = TEMPLATES[0].1.replace("unit/letter", "unit/never");
    ("unit/never", text.replace("Write {{ word }}", "Write {{ nobody }}"))
}

/// A choice whose task cannot be made is on record with its reason, and the others go on. Its template
/// is not chosen again once that counts, and a further start changes nothing.
#[test]
fn a_choice_that_fails_is_recorded_and_drawing_goes_on() {
    in_test_system(options(), |kit| async move {
        let mut config = informative(150);
        config.tasks.templates = vec!["unit/letter".to_owned(), "unit/never".to_owned()];
        let (id, text) = never();
        let catalog = || Catalog::read([TEMPLATES[0], (id, text.as_str())]).unwrap();
        let progress = kit.run_with(&config, catalog()).await;
        let CampaignProgress { state, reason, episodes: counts, .. } = progress;
        assert_eq!((state, reason), (CampaignState::Complete, None));
        assert_eq!((counts.planned, counts.finished), (150, 150));
        assert_reasons_come_first(&kit);
        let records = episodes(&kit, "c").await;
        let failed: Vec<&EpisodeRecord> =
            records.iter().filter(|record| record.plan.task.is_unmade()).collect();
        assert_eq!(counts.faulted, failed.len() as u64);
        let ordinals: Vec<u64> = failed.iter().map(|record| record.plan.ordinal).collect();
        let last = ordinals[0] + DRAW_AHEAD as u64;
        assert!(ordinals.iter().all(|ordinal| *ordinal < last), "{ordinals:?}");
        for record in failed {
            assert!(record.plan.reason.is_some(), "{record:?}");
            let Some(Outcome::Faulted { fault }) = &record.outcome else { panic!("{record:?}") };
            assert_eq!(fault.kind, FaultKind::TaskSetup);
            assert!(fault.message.contains("`nobody` is undefined"), "{fault}");
        }
        let again = kit.run_with(&config, catalog()).await;
        assert_eq!((again.state, again.episodes), (CampaignState::Complete, counts));
        assert_eq!(episodes(&kit, "c").await, records);
    });
}

/// Tasks of the template can be made until the campaign runs. Then one cannot, and nothing is left to
/// draw from.
#[test]
fn a_draw_without_templates_ends_with_the_reason() {
    let text = TEMPLATES[0].1.replace("  word:", "  n: {int: {min: 0, max: 199}}\n  word:");
    let text = text.replace("into letter.", "{% if n == 0 %}{{ nobody }}{% endif %}into letter.");
    let template = Template::parse(TEMPLATES[0].0, &text).unwrap();
    let ahead = DRAW_AHEAD as u32;
    let fails = |seed: u64| (0..2 * ahead).find(|index| template.task(seed, *index).is_err());
    let found = (0..1_000).find_map(|seed| Some((seed, fails(seed)?)).filter(|one| one.1 >= ahead));
    let (seed, first) = found.unwrap();
    in_test_system(options(), move |kit| async move {
        let mut config = informative(500);
        (config.seed, config.models) = (seed, vec![priced("fake/one", 0)]);
        let catalog = || Catalog::read([(TEMPLATES[0].0, text.as_str())]).unwrap();
        for _ in 0..2 {
            let progress = kit.run_with(&config, catalog()).await;
            assert_eq!(progress.state, CampaignState::Complete, "{progress:?}");
            let told = progress.reason.unwrap();
            assert_eq!(FaultKind::at_the_start_of(&told), Some(FaultKind::TaskSetup), "{told}");
            assert!(told.contains("no template is left to draw from"), "{told}");
            assert_eq!(progress.episodes.planned, u64::from(first + ahead));
            assert!(progress.episodes.resolved > 0 && progress.episodes.faulted > 0);
        }
    });
}

/// If nothing can be drawn at all, the campaign is refused, and nothing is recorded.
#[test]
fn a_draw_from_a_template_without_tasks_is_refused() {
    in_test_system(options(), |kit| async move {
        let mut config = informative(90);
        config.tasks.templates = vec!["unit/never".to_owned()];
        let (id, text) = never();
        let catalog = Arc::new(Catalog::read([(id, text.as_str())]).unwrap());
        let inputs = WorkInputs { catalog, ..WorkInputs::default() };
        let again = crate::campaign::ReopenFilter::Nothing.into();
        let refused =
            kit.engine.submit_with(inputs, Arc::new(config), String::new(), again).await.err();
        let told = refused.unwrap().to_string();
        assert!(told.contains("`nobody` is undefined"), "{told}");
        assert!(episodes(&kit, "c").await.is_empty());
    });
}

/// A planner of a draw by shares over so many templates.
fn planner(count: u32, templates: usize) -> TrajectoryWork {
    let mut config = campaign("c", 1);
    config.tasks.templates = vec!["**".to_owned()];
    config.tasks.draw = TaskDraw {
        rule: DrawRule::Shares,
        count,
        by: vec![DrawAspect::Difficulty],
        ..TaskDraw::default()
    };
    let texts: Vec<(String, String)> = (0..templates).map(numbered).collect();
    let texts = texts.iter().map(|(id, text)| (id.as_str(), text.as_str()));
    TrajectoryWork { config: Arc::new(config), catalog: Arc::new(Catalog::read(texts).unwrap()) }
}

/// A template with a number. Every third one is hard.
fn numbered(number: usize) -> (String, String) {
    let id = format!("unit/letter-{number}");
    let text = TEMPLATES[0].1.replace("unit/letter", &id);
    let text = if number.is_multiple_of(3) {
        text.replace("difficulty: easy", "difficulty: hard")
    } else {
        text
    };
    (id, text)
}

/// The new episodes behind those that are known.
fn planned(work: &TrajectoryWork, known: &[EpisodeRecord]) -> Vec<EpisodeRecord> {
    let plan = work.plan_templates(&work.templates(), known, || true).unwrap();
    plan.episodes.into_iter().map(EpisodeRecord::planned).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// A longer draw begins with the tasks of a shorter one, with a record or without.
    #[test]
    fn a_draw_grows_without_moving(few in 0u32..20, more in 0u32..20) {
        let (short, long) = (planner(few, 7), planner(few + more, 7));
        let whole = planned(&long, &[]);
        let first = planned(&short, &[]);
        prop_assert_eq!(&first[..], &whole[..first.len()]);
        prop_assert_eq!(&planned(&long, &first)[..], &whole[first.len()..]);
        // A campaign that wants fewer has the first ones, and plans nothing.
        prop_assert_eq!(planned(&short, &whole).len(), 0);
    }

    /// Templates that come or go move no task that is planned.
    #[test]
    fn templates_may_come_and_go(count in 1u32..20, more in 1u32..10, other in 4usize..10) {
        let first = planned(&planner(count, 7), &[]);
        let work = planner(count + more, other);
        let added = planned(&work, &first);
        prop_assert_eq!(added.len(), more as usize);
        let ids: HashSet<_> = first.iter().chain(&added).map(|one| &one.plan.id).collect();
        prop_assert_eq!(ids.len(), first.len() + added.len());
        let plan = work.plan_templates(&work.templates(), &first, || true).unwrap();
        for record in &first {
            let is_there = work.catalog.get(&record.plan.template).is_some();
            prop_assert_eq!(plan.tasks.contains(&record.plan.task), is_there);
        }
    }
}

#[test]
fn difficulties_have_equal_shares() {
    let hard = planned(&planner(40, 7), &[]);
    let hard = hard.iter().filter(|record| record.plan.difficulty == "hard").count();
    assert_eq!(hard, 20, "three of seven templates are hard");
}
