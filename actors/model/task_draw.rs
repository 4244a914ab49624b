//! How a campaign chooses its tasks: so many of each template, by stated shares, or where they teach
//! most. `policy::draw` has the rules that choose.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A thousand thousandths: all tasks.
pub const WHOLE_SHARE: u32 = 1_000;

/// How many choices an informative draw makes before the verdict of an earlier one counts, if not
/// more episodes run at once. It must not depend on the host, because the choices depend on it.
pub const DRAW_AHEAD: usize = 64;

/// The caps of a draw that states none.
const USUAL_CAPS: [(DrawAspect, u32); 2] = [(DrawAspect::Kind, 200), (DrawAspect::Category, 80)];

/// The rule by which tasks are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DrawRule {
    /// The same number of tasks of each template.
    #[default]
    Each,
    /// Tasks are drawn, so that kinds, categories, skills and difficulties have their shares.
    Shares,
    /// A task and a model are chosen while the campaign runs, where the result teaches most.
    Informative,
}

/// What tasks are told apart by in a draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DrawAspect {
    Kind,
    Category,
    Skill,
    Difficulty,
}

impl DrawAspect {
    /// Every aspect, in the order of reports.
    pub const ALL: [Self; 4] = [Self::Kind, Self::Category, Self::Skill, Self::Difficulty];

    /// The word in campaigns and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kind => "kind",
            Self::Category => "category",
            Self::Skill => "skill",
            Self::Difficulty => "difficulty",
        }
    }
}

/// How a campaign chooses its tasks. Shares and caps are in thousandths of all tasks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TaskDraw {
    pub rule: DrawRule,
    /// The number of tasks. For the informative draw, the number of choices of a task and a model.
    pub count: u32,
    /// The aspects whose values get their shares.
    pub by: Vec<DrawAspect>,
    /// The stated shares. The values of an aspect that are not named share the rest equally.
    pub shares: BTreeMap<DrawAspect, BTreeMap<String, u32>>,
    /// The stated caps: the most that one value of an aspect may have. Aspects without one have the
    /// usual caps.
    pub caps: BTreeMap<DrawAspect, u32>,
    /// The pass rates that teach most. Only for the informative draw.
    pub between: [u32; 2],
    /// The least tries of each template by each model. Only for the informative draw.
    pub least: u32,
}

impl Default for TaskDraw {
    fn default() -> Self {
        Self {
            rule: DrawRule::Each,
            count: 0,
            by: vec![DrawAspect::Kind, DrawAspect::Category],
            shares: BTreeMap::new(),
            caps: BTreeMap::new(),
            between: [200, 800],
            least: 1,
        }
    }
}

impl TaskDraw {
    /// Whether the campaign takes the same number of tasks of each template, which is the default.
    pub fn is_each(&self) -> bool {
        self.rule == DrawRule::Each
    }

    /// The stated share of a value.
    pub fn share(&self, aspect: DrawAspect, value: &str) -> Option<u32> {
        self.shares.get(&aspect)?.get(value).copied()
    }

    /// Whether the campaign states the cap of an aspect.
    pub fn states_cap(&self, aspect: DrawAspect) -> bool {
        self.caps.contains_key(&aspect)
    }

    /// The most that each value of an aspect may have.
    fn cap_of(&self, aspect: DrawAspect) -> Option<u32> {
        let usual = USUAL_CAPS.iter().find(|(of, _)| *of == aspect).map(|(_, cap)| *cap);
        self.caps.get(&aspect).copied().or(usual)
    }

    /// The most that a value may have. A stated share may be above the usual cap of its aspect, and
    /// then takes its place.
    pub fn cap(&self, aspect: DrawAspect, value: &str) -> Option<u32> {
        let cap = self.cap_of(aspect)?;
        match self.share(aspect, value) {
            Some(share) if share > cap => None,
            _ => Some(cap),
        }
    }

    /// Whether an aspect matters: its values get shares, or have a cap.
    pub fn minds(&self, aspect: DrawAspect) -> bool {
        self.steers(aspect) || self.cap_of(aspect).is_some()
    }

    /// Whether the values of an aspect get shares.
    pub fn steers(&self, aspect: DrawAspect) -> bool {
        self.by.contains(&aspect) || self.shares.contains_key(&aspect)
    }
}
