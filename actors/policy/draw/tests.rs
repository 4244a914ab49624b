//! Draws: shares and caps, what a growing draw keeps, and what an informative draw learns.

use super::{DrawCandidate, DrawChoice, InformativeDraw, PassCounts, ShareDraw, share_lines};
use crate::model::{
    CampaignName, DrawAspect, DrawRule, EpisodeId, PlannedEpisode, TaskDraw, TaskId, digest_of,
};
use proptest::prelude::*;
use std::collections::{BTreeMap, HashMap};

/// Templates whose values follow from their numbers.
fn templates(count: usize) -> Vec<DrawCandidate> {
    let one = |number: usize| DrawCandidate {
        template: format!("unit/{number:03}"),
        kind: ["repair", "implement", "test"][number % 3].to_owned(),
        category: format!("category-{}", number % 7),
        difficulty: ["easy", "hard"][number % 2].to_owned(),
        skills: vec![format!("a.skill-{}", number % 5), format!("b.skill-{}", number % 4)],
    };
    (0..count).map(one).collect()
}

/// A draw by these shares of kinds, in thousandths, without caps.
fn by_kind(shares: &[(&str, u32)]) -> TaskDraw {
    let shares: BTreeMap<String, u32> =
        shares.iter().map(|(kind, share)| ((*kind).to_owned(), *share)).collect();
    TaskDraw {
        rule: DrawRule::Shares,
        by: vec![DrawAspect::Kind],
        shares: BTreeMap::from([(DrawAspect::Kind, shares)]),
        caps: BTreeMap::new(),
        ..TaskDraw::default()
    }
}

fn drawn(draw: &mut ShareDraw, count: usize) -> Vec<(usize, u32)> {
    (0..count).filter_map(|_| draw.draw()).collect()
}

proptest! {
    /// At every length, each kind has its share, up to a few tasks.
    #[test]
    fn shares_are_kept(seed: u64, repair in 0u32..=700, implement in 0u32..=300) {
        let shares = [("repair", repair), ("implement", implement)];
        let candidates = templates(21);
        let mut draw = ShareDraw::new(&by_kind(&shares), seed, &candidates);
        let mut counts: HashMap<&str, f64> = HashMap::new();
        for number in 1..=200u32 {
            let (template, _) = draw.draw().unwrap();
            *counts.entry(candidates[template].kind.as_str()).or_default() += 1.0;
            let rest = ("test", 1_000 - repair - implement);
            for (kind, share) in shares.into_iter().chain([rest]) {
                let wanted = f64::from(number) * f64::from(share) / 1_000.0;
                let found = counts.get(kind).copied().unwrap_or(0.0);
                prop_assert!((found - wanted).abs() <= 3.0, "{kind}: {found} of {wanted}");
                prop_assert!(share > 0 || found == 0.0, "{kind} is excluded");
            }
        }
    }

    /// A draw that goes on from a record draws what one draw would have drawn, and each task once.
    #[test]
    fn a_draw_goes_on_where_it_was(seed: u64, first in 0usize..80, more in 0usize..80) {
        let (rules, candidates) = (TaskDraw::default(), templates(17));
        let whole = drawn(&mut ShareDraw::new(&rules, seed, &candidates), first + more);
        let mut draw = ShareDraw::new(&rules, seed, &candidates);
        for (template, index) in &whole[..first] {
            draw.take(&candidates[*template].template, *index);
        }
        prop_assert_eq!(drawn(&mut draw, more), &whole[first..]);
        let places: std::collections::HashSet<_> = whole.iter().collect();
        prop_assert_eq!(places.len(), whole.len());
    }

    /// No value is above its cap, if there are enough others. A draw of any length is a beginning of
    /// every longer one, so this is true at every length.
    #[test]
    fn caps_are_kept(seed: u64, count in 1u32..300, cap in 200u32..600) {
        let caps = BTreeMap::from([(DrawAspect::Category, cap)]);
        // Everything pulls towards one skill.
        let skill = BTreeMap::from([("a.skill-0".to_owned(), 1_000)]);
        let shares = BTreeMap::from([(DrawAspect::Skill, skill)]);
        let rules = TaskDraw { count, by: Vec::new(), shares, caps, ..TaskDraw::default() };
        let (lines, tasks) = share_lines(&rules, seed, &templates(35));
        prop_assert_eq!(tasks.iter().sum::<u32>(), count);
        let most = (u64::from(cap) * u64::from(count)).div_ceil(1_000);
        for line in lines.iter().filter(|line| line.aspect == DrawAspect::Category) {
            prop_assert!(line.tasks <= most && !line.is_above_cap, "{:?}", line);
        }
    }
}

#[test]
fn a_cap_that_cannot_hold_is_told() {
    let mut rules = TaskDraw { count: 40, by: Vec::new(), ..TaskDraw::default() };
    rules.caps = BTreeMap::from([(DrawAspect::Kind, 200)]);
    let (lines, tasks) = share_lines(&rules, 1, &templates(6));
    assert_eq!(tasks.iter().sum::<u32>(), 40);
    let kinds = lines.iter().filter(|line| line.aspect == DrawAspect::Kind);
    assert!(kinds.clone().count() == 3 && kinds.clone().all(|line| line.is_above_cap), "{lines:?}");
    let spread = kinds.map(|line| line.tasks);
    assert!(spread.clone().max().unwrap() - spread.min().unwrap() <= 2, "{lines:?}");
}

/// A stated share is kept although all categories are to be equal and have a usual cap. A stated cap
/// is kept although the share is missed then.
#[test]
fn stated_shares_go_before_usual_ones() {
    let shares = BTreeMap::from([("repair".to_owned(), 600)]);
    let mut rules = TaskDraw { count: 100, ..TaskDraw::default() };
    rules.shares = BTreeMap::from([(DrawAspect::Kind, shares)]);
    // All repairs are in one category.
    let mut candidates = templates(45);
    let repairs = candidates.iter_mut().filter(|one| one.kind == "repair");
    repairs.for_each(|one| one.category = "debugging".to_owned());
    let of = |rules: &TaskDraw| {
        let (lines, _) = share_lines(rules, 1, &candidates);
        lines.into_iter().find(|line| line.value == "repair").unwrap().tasks
    };
    assert_eq!(of(&rules), 60);
    rules.caps = BTreeMap::from([(DrawAspect::Category, 300)]);
    assert_eq!(of(&rules), 30);
}

/// A share of a skill is that of the tasks that need it, and says nothing of other skills.
#[test]
fn a_skill_has_its_share() {
    let shares = BTreeMap::from([("a.skill-1".to_owned(), 400)]);
    let mut rules = TaskDraw { count: 100, ..TaskDraw::default() };
    rules.shares = BTreeMap::from([(DrawAspect::Skill, shares)]);
    let (lines, _) = share_lines(&rules, 1, &templates(60));
    let skills = lines.iter().filter(|line| line.aspect == DrawAspect::Skill);
    for line in skills {
        let is_stated = line.value == "a.skill-1";
        assert_eq!(line.target, is_stated.then_some(0.4), "{line:?}");
        assert!(!is_stated || (40..=41).contains(&line.tasks), "{line:?}");
    }
    let kinds = lines.iter().filter(|line| line.aspect == DrawAspect::Kind);
    assert!(kinds.clone().all(|line| (32..=35).contains(&line.tasks)), "{lines:?}");
}

#[test]
fn shares_that_exclude_everything_draw_nothing() {
    let rules = by_kind(&[("repair", 0), ("implement", 0), ("test", 0)]);
    assert_eq!(ShareDraw::new(&rules, 1, &templates(9)).draw(), None);
}

#[test]
fn another_seed_draws_others_of_equal_templates() {
    let of = |seed| drawn(&mut ShareDraw::new(&TaskDraw::default(), seed, &templates(42)), 20);
    assert_eq!(of(1), of(1));
    assert_ne!(of(1), of(2));
}

/// A template that was removed does not count.
#[test]
fn shares_are_those_of_the_templates_that_are_there() {
    let (rules, candidates) = (by_kind(&[("repair", 500)]), templates(6));
    let mut draw = ShareDraw::new(&rules, 3, &candidates);
    (0..10).for_each(|index| draw.take("unit/gone", index));
    let later = drawn(&mut draw, 10);
    let repairs = later.iter().filter(|(at, _)| candidates[*at].kind == "repair").count();
    assert_eq!(repairs, 5);
}

fn models() -> Vec<String> {
    vec!["fake/one".to_owned(), "fake/two".to_owned()]
}

fn informative(count: u32, seed: u64, past: &PassCounts) -> InformativeDraw {
    let rule = DrawRule::Informative;
    let rules = TaskDraw { rule, count, caps: BTreeMap::new(), ..TaskDraw::default() };
    InformativeDraw::new(&rules, (seed, 8), &templates(6), &models(), past)
}

fn episode(choice: &DrawChoice, ordinal: usize) -> PlannedEpisode {
    PlannedEpisode {
        id: EpisodeId(format!("ep-{ordinal}")),
        campaign: CampaignName("c".to_owned()),
        ordinal: ordinal as u64,
        task: TaskId(format!("{}@{}", choice.template, choice.index)),
        template: choice.template.clone(),
        index: choice.index,
        category: "unit".to_owned(),
        difficulty: "easy".to_owned(),
        model: choice.model.clone(),
        scaffold: "minimal".to_owned(),
        reason: Some(choice.reason.clone()),
    }
}

/// What comes of a choice: some templates are always solved, some never, the others sometimes, and
/// some episodes are lost.
fn verdict(plan: &PlannedEpisode) -> Option<bool> {
    let digest = digest_of(&[&plan.template, &plan.model, &plan.index.to_string()]);
    let word = u64::from_str_radix(&digest[..8], 16).unwrap();
    let solved = match plan.template.as_str() {
        "unit/000" => true,
        "unit/001" => false,
        _ => word.is_multiple_of(2),
    };
    (!word.is_multiple_of(13)).then_some(solved)
}

/// Runs a draw to its end. `order` says which of the open episodes ends next. After `cut` choices
/// the process is killed, and the draw is made again from the record.
fn run(count: u32, seed: u64, order: &[usize], cut: usize) -> Vec<DrawChoice> {
    let past = PassCounts::default();
    let mut draw = informative(count, seed, &past);
    let (mut choices, mut plans, mut open) = (Vec::new(), Vec::new(), Vec::new());
    let mut ended = Vec::new();
    for step in 0.. {
        while let Some(choice) = draw.choose() {
            plans.push(episode(&choice, plans.len()));
            draw.add_planned(&plans[plans.len() - 1]);
            open.push(plans.len() - 1);
            choices.push(choice);
        }
        if open.is_empty() {
            break;
        }
        let next = open.remove(order[step % order.len()] % open.len());
        ended.push(next);
        draw.add_ended(&plans[next], verdict(&plans[next]));
        if step == cut {
            draw = informative(count, seed, &past);
            plans.iter().for_each(|plan| draw.add_planned(plan));
            ended.iter().for_each(|at| draw.add_ended(&plans[*at], verdict(&plans[*at])));
        }
    }
    choices
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever ends first, and whenever the process is killed, the choices are the same.
    #[test]
    fn the_same_record_gives_the_same_choices(
        seed: u64,
        order in prop::collection::vec(0usize..8, 1..20),
        cut in 0usize..100,
    ) {
        let one_by_one = run(60, seed, &[0], usize::MAX);
        prop_assert_eq!(one_by_one.len(), 60);
        prop_assert_eq!(run(60, seed, &order, cut), one_by_one.clone());
        // A longer campaign begins with the same choices.
        prop_assert_eq!(&run(80, seed, &order, cut)[..60], &one_by_one[..]);
    }

    /// Every template is tried by every model, also those that teach nothing, again and again.
    #[test]
    fn no_arm_starves(seed: u64) {
        let choices = run(600, seed, &[0], usize::MAX);
        let mut counts: HashMap<(&str, &str), usize> = HashMap::new();
        for choice in &choices {
            *counts.entry((choice.template.as_str(), choice.model.as_str())).or_default() += 1;
        }
        prop_assert_eq!(counts.len(), 12);
        prop_assert!(counts.values().all(|count| *count >= 5), "{:?}", counts);
        let of = |template: &str| counts.iter().filter(|((t, _), _)| *t == template).map(|(_, n)| n).sum::<usize>();
        for middle in ["unit/002", "unit/003", "unit/004", "unit/005"] {
            prop_assert!(of(middle) > of("unit/000") && of(middle) > of("unit/001"), "{:?}", counts);
        }
    }
}

/// For example, its sandbox never starts. Such tries have no verdict, and others must not wait for
/// one.
#[test]
fn an_arm_without_verdicts_gets_no_more_than_its_minimum() {
    let rule = DrawRule::Informative;
    let rules =
        TaskDraw { rule, count: 600, least: 8, caps: BTreeMap::new(), ..TaskDraw::default() };
    let past = PassCounts::default();
    let mut draw = InformativeDraw::new(&rules, (1, 8), &templates(6), &models(), &past);
    let mut silent = 0;
    for at in 0..600 {
        let Some(choice) = draw.choose() else { panic!("choice {at} waits") };
        let plan = episode(&choice, at);
        draw.add_planned(&plan);
        let is_silent = plan.template == "unit/000";
        silent += usize::from(is_silent);
        draw.add_ended(&plan, (!is_silent).then_some(at % 2 == 0));
    }
    assert!(silent < 200, "{silent} of 600");
}

/// The host may lack the programs of all templates of a kind.
#[test]
fn shares_of_everything_exclude_the_rest_also_where_a_value_is_absent() {
    let rules = by_kind(&[("repair", 500), ("forensics", 500)]);
    let candidates = templates(21);
    let mut draw = ShareDraw::new(&rules, 1, &candidates);
    let kinds = drawn(&mut draw, 40).into_iter().map(|(at, _)| candidates[at].kind.clone());
    assert!(kinds.clone().count() > 0 && kinds.clone().all(|kind| kind == "repair"));
}

#[test]
fn a_choice_waits_for_the_end_of_an_earlier_one() {
    let mut draw = informative(100, 1, &PassCounts::default());
    let first: Vec<DrawChoice> = std::iter::from_fn(|| draw.choose()).collect();
    assert_eq!(first.len(), 8, "so many choices are made ahead");
    let plans: Vec<PlannedEpisode> =
        first.iter().enumerate().map(|(at, choice)| episode(choice, at)).collect();
    plans.iter().for_each(|plan| draw.add_planned(plan));
    plans[1..].iter().for_each(|plan| draw.add_ended(plan, Some(true)));
    assert_eq!(draw.choose(), None, "the first choice is open");
    draw.add_ended(&plans[0], None);
    assert_eq!(std::iter::from_fn(|| draw.choose()).count(), 8);
    // A choice without episodes keeps nobody waiting.
    let mut draw = informative(9, 1, &PassCounts::default());
    let all: Vec<DrawChoice> = std::iter::from_fn(|| draw.choose()).collect();
    all.iter().for_each(|choice| draw.set_planned(choice));
    assert_eq!(std::iter::from_fn(|| draw.choose()).count(), 1, "nine are wanted");
}

/// What earlier campaigns know counts as tries, so a campaign begins with what they do not know.
#[test]
fn earlier_campaigns_count() {
    let mut past = PassCounts::default();
    for template in templates(6) {
        for model in models() {
            let solved = template.template != "unit/003";
            (0..9).for_each(|_| past.add(&template.template, &model, solved));
        }
    }
    (0..9).for_each(|_| past.add("unit/003", "fake/two", true));
    let choice = informative(100, 1, &past).choose().unwrap();
    assert_eq!((choice.template.as_str(), choice.model.as_str()), ("unit/003", "fake/two"));
    assert_eq!(choice.reason, "pass rate between the bounds: 9 of 18 solved, 0.52 ± 0.11");
    let choice = informative(100, 1, &PassCounts::default()).choose().unwrap();
    assert_eq!(choice.reason, "below the minimum of 1: 0 of 0 solved, 0.50 ± 0.29");
}
