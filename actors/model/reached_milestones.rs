//! When the milestone potential changed, and which milestones it means. Steps of older versions have
//! only the potential. Then a sum of weights that several sets of milestones have names none of them.

use super::{RowMilestone, Step, TaskCheck};

/// With more milestones than this, the sets are not looked through.
const MOST_MILESTONES: usize = 12;

/// The changes of the potential over the steps of a trajectory.
pub fn reached_milestones(milestones: &[TaskCheck], steps: &[Step]) -> Vec<RowMilestone> {
    let mut before = 0.0;
    let mut found = Vec::new();
    for step in steps.iter().filter(|step| step.potential.is_finite()) {
        if step.potential != before {
            before = step.potential;
            found.push(RowMilestone {
                step: i32::try_from(step.index).unwrap_or(i32::MAX),
                potential: before,
                reached: step.milestones.clone().or_else(|| names_of(milestones, before)),
            });
        }
    }
    found
}

/// Which milestones a step changed: `-name` for each that held before it and no longer does, `+name`
/// for each that holds since then. `before` is the step before it; nothing holds before the first
/// step, nor at the begin of a stage of the task, which has milestones of its own. None if one of the
/// two steps does not tell its milestones.
pub fn milestone_changes(before: Option<&Step>, step: &Step) -> Option<Vec<String>> {
    let was: &[String] = match before {
        Some(before) if before.stage_index() != step.stage_index() => &[],
        Some(before) => before.milestones.as_deref()?,
        None => &[],
    };
    let now: &[String] = step.milestones.as_deref()?;
    let lost = was.iter().filter(|name| !now.contains(name)).map(|name| format!("-{name}"));
    let reached = now.iter().filter(|name| !was.contains(name)).map(|name| format!("+{name}"));
    Some(lost.chain(reached).collect())
}

/// The names of the milestones whose weights have this sum. None if no set or several sets have it.
/// A potential of zero may also mean that nothing could be measured, so it names none.
fn names_of(milestones: &[TaskCheck], potential: f64) -> Option<Vec<String>> {
    if potential == 0.0 || milestones.len() > MOST_MILESTONES {
        return None;
    }
    let mut fitting =
        (0..1_u32 << milestones.len()).filter(|set| sum(milestones, *set) == potential);
    let set = fitting.next()?;
    fitting.next().is_none().then(|| chosen(milestones, set).map(|m| m.name.clone()).collect())
}

/// The sum of the weights of a set. It is added up in the order in which the engine measures, so it
/// is equal to the last bit.
fn sum(milestones: &[TaskCheck], set: u32) -> f64 {
    chosen(milestones, set).fold(0.0, |sum, milestone| sum + milestone.weight)
}

/// The milestones of a set: bit `n` stands for milestone `n`.
fn chosen(milestones: &[TaskCheck], set: u32) -> impl Iterator<Item = &TaskCheck> {
    milestones.iter().enumerate().filter(move |(at, _)| set >> at & 1 == 1).map(|(_, m)| m)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(weights: &[f64], potential: f64) -> Option<Vec<String>> {
        let milestone = |(at, weight): (usize, &f64)| TaskCheck {
            name: at.to_string(),
            weight: *weight,
            run: String::new(),
            part: None,
            compare: None,
        };
        let milestones: Vec<_> = weights.iter().enumerate().map(milestone).collect();
        names_of(&milestones, potential)
    }

    #[test]
    fn a_sum_names_the_milestones_only_if_one_set_has_it() {
        let named = |names: &[&str]| Some(names.iter().map(|n| (*n).to_owned()).collect());
        assert_eq!(names(&[0.1, 0.2, 0.4], 0.1 + 0.2), named(&["0", "1"]));
        assert_eq!(names(&[0.1, 0.2, 0.4], 0.4), named(&["2"]));
        assert_eq!(names(&[0.25, 0.25], 0.25), None, "either of the two");
        assert_eq!(names(&[0.25, 0.25], 0.5), named(&["0", "1"]));
        assert_eq!(names(&[0.25], 0.3), None, "no set");
        assert_eq!(names(&[0.25], 0.0), None, "perhaps not measured");
    }
}
