//! Chooses a task and a model, where the result teaches most.
//!
//! A pair of a template and a model is an arm. What is known of it is a Beta distribution of its pass
//! rate: the verdicts of the store, and two more at the pass rate of its kind with the same model. An
//! arm teaches much if its pass rate is uncertain, or if it is likely between the bounds; it teaches
//! less with every choice that it had in this campaign.
//!
//! The rules, the first one first:
//!
//! 1. An arm with fewer tries than the minimum.
//! 2. Every tenth choice: the arm that was tried least. So no arm starves.
//! 3. The arm that teaches most.
//!
//! Among the arms of the rules 1 and 3, those go first that bring no value above its cap. Ties are
//! decided by the seed.
//!
//! A choice sees the verdicts of the choices that were made `ahead` or more before it. The others count
//! as open, also if they have ended. So the same verdicts give the same choices, whatever ends first. If
//! a choice whose verdict is needed has not ended, the next choice waits for it.
//!
//! A choice whose task cannot be made has failed. Like a verdict, that counts for the choices that come
//! `ahead` or more after it: they choose no arm of its template. If no arm is left, nothing more is
//! chosen.
//!
//! ```text
//!  choices:   0 1 2 3 4 5 | 6 7 8 next      `ahead` is 4
//!             verdicts    | open
//! ```

use super::aspect_table::AspectTable;
use super::candidate::DrawCandidate;
use super::pass_counts::{PassCount, PassCounts};
use super::teaching_value::{PassBelief, teaching_value};
use super::tie_break;
use crate::model::{DrawAspect, PlannedEpisode, TaskDraw};
use std::cmp::Ordering;
use std::collections::HashMap;

/// One choice out of so many goes to the arm that was tried least.
const LEAST_KNOWN: usize = 10;

/// A chosen task and model.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DrawChoice {
    pub template: String,
    /// Which task of the template.
    pub index: u32,
    pub model: String,
    /// Why it was chosen, for people.
    pub reason: String,
}

/// The choices of a campaign and what came of them.
#[derive(Clone, Debug)]
pub struct InformativeDraw {
    rules: TaskDraw,
    /// How many choices are made before the verdict of an earlier one counts.
    ahead: usize,
    arms: Vec<DrawArm>,
    /// The places of the arms by template and model.
    places: HashMap<(String, String), usize>,
    tables: Vec<AspectTable>,
    choices: Vec<MadeChoice>,
    /// The places of the choices by template, index and model.
    made: HashMap<(String, u32, String), usize>,
    /// The number of choices, from the first one, whose verdicts the arms have.
    counted: usize,
}

/// A template and a model that may try it.
#[derive(Clone, Debug)]
struct DrawArm {
    template: String,
    model: String,
    /// The place of the template among the candidates.
    candidate: usize,
    /// The arms of the same kind and model, by a number.
    group: usize,
    key: u64,
    /// The verdicts of earlier campaigns, and of the choices that count.
    known: PassCount,
    /// The choices of this campaign whose verdicts do not count yet.
    open: u64,
    /// All choices of this campaign.
    chosen: u64,
    /// The index of its next task.
    next: u32,
    /// A task of its template could not be made.
    is_out: bool,
}

/// A choice with what came of it.
#[derive(Clone, Debug)]
struct MadeChoice {
    /// None if the template or the model is not there any more.
    arm: Option<usize>,
    /// Its episodes are planned, or will not be.
    is_planned: bool,
    /// Its episodes that have not ended.
    open: u32,
    verdicts: PassCount,
    /// Its task could not be made.
    has_failed: bool,
}

impl MadeChoice {
    fn has_ended(&self) -> bool {
        self.is_planned && self.open == 0
    }
}

impl InformativeDraw {
    /// A draw without choices. `candidates` are the templates, sorted by id, and `models` the names of
    /// the models that may have tasks. `past` is what was known before the campaign began.
    pub fn new(
        rules: &TaskDraw,
        (seed, ahead): (u64, usize),
        candidates: &[DrawCandidate],
        models: &[String],
        past: &PassCounts,
    ) -> Self {
        let arms = arms(seed, candidates, models, past);
        let place = |(at, arm): (usize, &DrawArm)| ((arm.template.clone(), arm.model.clone()), at);
        let table = |aspect| AspectTable::new(aspect, rules, false, candidates);
        Self {
            rules: rules.clone(),
            ahead: ahead.max(1),
            places: arms.iter().enumerate().map(place).collect(),
            tables: DrawAspect::ALL.into_iter().filter_map(table).collect(),
            arms,
            choices: Vec::new(),
            made: HashMap::new(),
            counted: 0,
        }
    }

    /// Adds a planned episode to its choice. Episodes of a record are added in the order of the plan;
    /// then their choices are those that were made.
    pub fn add_planned(&mut self, plan: &PlannedEpisode) {
        let choice = self.choice_of(plan);
        self.choices[choice].is_planned = true;
        self.choices[choice].open += 1;
    }

    /// An episode has ended, or will not run. `verdict` says whether it has solved its task; none if
    /// nobody knows.
    pub fn add_ended(&mut self, plan: &PlannedEpisode, verdict: Option<bool>) {
        let choice = self.choice_of(plan);
        let made = &mut self.choices[choice];
        made.open = made.open.saturating_sub(1);
        let Some(solved) = verdict else { return };
        made.verdicts.add(solved);
        // The choice counts already, so another sample of it was planned late, or it was reopened.
        if let (true, Some(arm)) = (choice < self.counted, made.arm) {
            self.arms[arm].known.add(solved);
        }
    }

    /// The task of a choice cannot be made. `plan` is the unit that stands for the choice.
    pub fn add_failed(&mut self, plan: &PlannedEpisode) {
        let choice = self.choice_of(plan);
        let made = &mut self.choices[choice];
        (made.is_planned, made.has_failed) = (true, true);
    }

    /// Whether choices are missing and none can be made, because no template is left.
    pub fn is_exhausted(&self) -> bool {
        let is_short = self.choices.len() < self.rules.count as usize;
        is_short && !self.arms.is_empty() && self.arms.iter().all(|arm| arm.is_out)
    }

    /// The episodes of a choice are planned. It may have none.
    pub fn set_planned(&mut self, choice: &DrawChoice) {
        let key = (choice.template.clone(), choice.index, choice.model.clone());
        if let Some(made) = self.made.get(&key) {
            self.choices[*made].is_planned = true;
        }
    }

    /// Makes the next choice. None if all are made, if an earlier choice must end first, or if there
    /// is no arm.
    pub fn choose(&mut self) -> Option<DrawChoice> {
        let number = self.choices.len();
        if number >= self.rules.count as usize || !self.count_verdicts(number) {
            return None;
        }
        let groups = self.groups();
        let (best, reason) = self.best(number, &groups)?;
        let arm = &self.arms[best];
        let choice = DrawChoice {
            template: arm.template.clone(),
            index: arm.next,
            model: arm.model.clone(),
            reason: self.told(best, reason, &groups),
        };
        self.push((choice.template.clone(), choice.index, choice.model.clone()));
        Some(choice)
    }

    /// The choice of an episode. It is made now if it is not known.
    fn choice_of(&mut self, plan: &PlannedEpisode) -> usize {
        let key = (plan.template.clone(), plan.index, plan.model.clone());
        match self.made.get(&key) {
            Some(choice) => *choice,
            None => self.push(key),
        }
    }

    /// Adds a choice behind the others.
    fn push(&mut self, key: (String, u32, String)) -> usize {
        let arm = self.places.get(&(key.0.clone(), key.2.clone())).copied();
        if let Some(arm) = arm.and_then(|arm| self.arms.get_mut(arm)) {
            arm.open += 1;
            arm.chosen += 1;
            arm.next = arm.next.max(key.1.saturating_add(1));
            self.tables.iter_mut().for_each(|table| table.count(arm.candidate));
        }
        let verdicts = PassCount::default();
        let (is_planned, has_failed) = (false, false);
        self.choices.push(MadeChoice { arm, is_planned, open: 0, verdicts, has_failed });
        self.made.insert(key, self.choices.len() - 1);
        self.choices.len() - 1
    }

    /// Gives the arms the verdicts of the choices that count for the choice with this number. Returns
    /// false if one of them has not ended.
    fn count_verdicts(&mut self, number: usize) -> bool {
        let end = (number + 1).saturating_sub(self.ahead);
        while self.counted < end {
            let choice = &self.choices[self.counted];
            if !choice.has_ended() {
                return false;
            }
            let failed = choice.has_failed.then_some(choice.arm).flatten();
            if let Some(arm) = choice.arm.and_then(|arm| self.arms.get_mut(arm)) {
                arm.known = arm.known.plus(choice.verdicts);
                arm.open -= 1;
            }
            self.counted += 1;
            if let Some(failed) = failed {
                self.leave_out(self.arms[failed].candidate);
            }
        }
        true
    }

    /// Chooses no arm of this template any more. Whether a task can be made depends on no model.
    fn leave_out(&mut self, candidate: usize) {
        let arms = self.arms.iter_mut().filter(|arm| arm.candidate == candidate);
        arms.for_each(|arm| arm.is_out = true);
    }

    /// What is known of each kind with each model.
    fn groups(&self) -> Vec<PassCount> {
        let count = self.arms.iter().map(|arm| arm.group + 1).max().unwrap_or(0);
        let mut groups = vec![PassCount::default(); count];
        for arm in &self.arms {
            groups[arm.group] = groups[arm.group].plus(arm.known);
        }
        groups
    }

    /// The arm for the choice with this number, with the rule that it was chosen by.
    fn best(&self, number: usize, groups: &[PassCount]) -> Option<(usize, ChoiceRule)> {
        let arms = &self.arms;
        let all = || (0..arms.len()).filter(move |arm| !arms[*arm].is_out);
        let least = u64::from(self.rules.least);
        let few = |arm: &usize| self.arms[*arm].tries() < least;
        if all().any(|arm| few(&arm)) {
            let best = all().filter(few).min_by(|a, b| self.by_value(*a, *b, number, groups))?;
            return Some((best, ChoiceRule::Minimum));
        }
        if number % LEAST_KNOWN == LEAST_KNOWN - 1 {
            let tries = |arm: usize| self.arms[arm].tries();
            let by_tries = |a: &usize, b: &usize| {
                let order = tries(*a).cmp(&tries(*b));
                order.then_with(|| self.by_value(*a, *b, number, groups))
            };
            return Some((all().min_by(by_tries)?, ChoiceRule::LeastKnown));
        }
        let best = all().min_by(|a, b| self.by_value(*a, *b, number, groups))?;
        Some((best, ChoiceRule::TeachesMost))
    }

    /// The order of two arms for the choice with this number: the better one is less.
    fn by_value(&self, a: usize, b: usize, number: usize, groups: &[PassCount]) -> Ordering {
        let excess = |arm: usize| self.excess(arm, number as u64);
        let value = |arm: usize| {
            let chosen = self.arms[arm].chosen;
            teaching_value(&self.belief(arm, groups), self.rules.between, chosen)
        };
        let tie = |arm: usize| tie_break::at_place(self.arms[arm].key, number as u64);
        excess(a)
            .cmp(&excess(b))
            .then_with(|| value(b).total_cmp(&value(a)))
            .then_with(|| tie(a).cmp(&tie(b)))
            .then_with(|| a.cmp(&b))
    }

    /// By how many tasks an arm would bring one of its values above its cap.
    fn excess(&self, arm: usize, number: u64) -> u64 {
        let candidate = self.arms[arm].candidate;
        self.tables.iter().map(|table| table.excess(candidate, number)).max().unwrap_or(0)
    }

    /// What is believed of an arm.
    fn belief(&self, arm: usize, groups: &[PassCount]) -> PassBelief {
        let arm = &self.arms[arm];
        PassBelief::of(arm.known, groups[arm.group], arm.open)
    }

    /// The reason of a choice as people read it.
    fn told(&self, best: usize, rule: ChoiceRule, groups: &[PassCount]) -> String {
        let arm = &self.arms[best];
        let belief = self.belief(best, groups);
        let rule = match rule {
            ChoiceRule::Minimum => format!("below the minimum of {}", self.rules.least),
            ChoiceRule::LeastKnown => "tried least".to_owned(),
            ChoiceRule::TeachesMost if belief.is_within(self.rules.between) => {
                "pass rate between the bounds".to_owned()
            }
            ChoiceRule::TeachesMost => "pass rate uncertain".to_owned(),
        };
        let open = match arm.open {
            0 => String::new(),
            open => format!(", {open} open"),
        };
        let (solved, tries) = (arm.known.solved, arm.known.tries());
        let (mean, spread) = (belief.mean(), belief.spread());
        format!("{rule}: {solved} of {tries} solved{open}, {mean:.2} ± {spread:.2}")
    }
}

impl DrawArm {
    /// Its verdicts, and its choices that may bring one. A choice that brought none counts too:
    /// otherwise an arm whose sandbox never starts would be below the minimum for ever.
    fn tries(&self) -> u64 {
        (self.known.tries() + self.open).max(self.chosen)
    }
}

/// Why an arm was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ChoiceRule {
    Minimum,
    LeastKnown,
    TeachesMost,
}

/// Every pair of a template and a model.
fn arms(
    seed: u64,
    candidates: &[DrawCandidate],
    models: &[String],
    past: &PassCounts,
) -> Vec<DrawArm> {
    let mut groups: HashMap<(&str, &str), usize> = HashMap::new();
    let mut arms = Vec::new();
    for (candidate, one) in candidates.iter().enumerate() {
        for model in models {
            let number = groups.len();
            let group = *groups.entry((one.kind.as_str(), model.as_str())).or_insert(number);
            arms.push(DrawArm {
                template: one.template.clone(),
                model: model.clone(),
                candidate,
                group,
                key: tie_break::key(seed, &format!("{} {model}", one.template)),
                known: past.of(&one.template, model),
                open: 0,
                chosen: 0,
                next: 0,
                is_out: false,
            });
        }
    }
    arms
}
