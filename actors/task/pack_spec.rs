//! How a template takes its tasks from a pack (`from_pack`).

use super::template::StepRange;
use super::template_error::{TemplateProblem, UnknownWord};
use crate::pack::{ChangeKind, PackHandle, PackShelf, ProjectPack};
use serde::Deserialize;

/// The most changes of one task.
const MOST_CHANGES: u32 = 4;
/// The most faults, and the most missing functions. Tasks with more than [`MOST_CHANGES`] are made of
/// long groups.
const MOST_TOGETHER: u32 = 10;
/// The most stages of a backlog.
const MOST_STAGES: u32 = 8;

/// The pack, and what kind of task is made of it (@2). It stands instead of everything that says what
/// a task has and how it is judged.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "FromPack")]
pub struct PackSpec {
    /// The name of the pack, or `NAME@VERSION`.
    pub pack: String,
    pub kind: PackKind,
    /// How many faults a task of the kind `repair-many` has, up to 10; 2 or 3 if nothing is said.
    pub faults: Option<StepRange>,
    /// How many functions are missing in a task of the kind `implement`, up to 10; 1 or 2 if nothing is
    /// said.
    pub functions: Option<StepRange>,
    /// How many places are slow in a task of the kind `speed-up`; 1 to 3 if nothing is said.
    pub places: Option<StepRange>,
    /// What the agent is told of a fault.
    pub report: Option<ReportSpec>,
    /// How many things are broken in a task of the kind `environment`; 2 to 4 if nothing is said.
    pub breakages: Option<StepRange>,
    /// How many helpers are written out in a task of the kind `de-duplicate`; 1 to 3 if nothing is
    /// said.
    pub duplicates: Option<StepRange>,
    /// What a task of the kind `backlog` asks for; faults if nothing is said.
    pub work: Option<BacklogWork>,
    /// How many stages a task of the kind `backlog` has, up to 8; 3 or 4 if nothing is said.
    pub stages: Option<StepRange>,
    /// How many faults or functions one stage of the kind `backlog` is about, up to 4; 1 if nothing is said.
    pub changes: Option<StepRange>,
    /// Whether the seed draws other names for private things, variables and tests. If nothing is said,
    /// only packs from an archive have other names: models may remember them.
    pub rename: Option<bool>,
}

/// What is asked of the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PackKind {
    /// One fault is in the sources.
    Repair,
    /// Several faults are in different functions.
    RepairMany,
    /// Functions have no body.
    Implement,
    /// The tests of some functions are missing.
    WriteTests,
    /// A reference of some functions is missing.
    Document,
    /// What runs the tests is broken.
    Environment,
    /// Helpers are written out where they are called.
    DeDuplicate,
    /// A commit of a history brought a fault in: which one is to be found, and the fault to be mended.
    Bisect,
    /// Two branches mended different things at one place, and are to be merged.
    Merge,
    /// Functions need far more work than they should.
    SpeedUp,
    /// Several faults or missing functions are told one after the other, in stages.
    Backlog,
}

/// What the work items of a backlog are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BacklogWork {
    /// Faults are to be mended.
    Faults,
    /// Functions are to be written.
    Functions,
}

/// The forms of a report, one of which is drawn.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Report")]
pub struct ReportSpec {
    pub choice: Vec<FaultReport>,
}

/// What a report says of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FaultReport {
    /// The file in which it is.
    Area,
    /// A test that fails, and what it says.
    Example,
}

impl PackSpec {
    /// The pack on a shelf. Err says what is wrong with it, at the field `pack`.
    pub(super) fn find(&self, shelf: &dyn PackShelf) -> Result<PackHandle, TemplateProblem> {
        let (name, version) = self.wanted();
        let Some(found) = shelf.pack(name) else {
            let unknown = UnknownWord { word: name.to_owned(), known: shelf.names() };
            let problem = TemplateProblem::at("pack", format!("there is no pack {name:?}"));
            let unknown = (!unknown.known.is_empty()).then(|| Box::new(unknown));
            return Err(TemplateProblem { unknown, ..problem });
        };
        let unusable = |why| TemplateProblem::at("pack", why);
        let pack = found.map_err(unusable)?;
        let Some(version) = version else { return Ok(pack) };
        let found = &pack.get().map_err(unusable)?.head.version;
        if version != found {
            let message = format!("the pack {name:?} has the version {found:?}");
            return Err(TemplateProblem::at("pack", message));
        }
        Ok(pack)
    }

    /// The name of the pack, and the version if one is wanted.
    fn wanted(&self) -> (&str, Option<&str>) {
        match self.pack.split_once('@') {
            Some((name, version)) => (name, Some(version)),
            None => (&self.pack, None),
        }
    }

    /// Whether tasks may be made of long groups.
    pub(crate) fn is_long(&self) -> bool {
        self.count().max > MOST_CHANGES
    }

    /// The digest of a pack that counts for the tasks.
    pub(super) fn digest_of(&self, pack: &ProjectPack) -> String {
        pack.digest_for(self.is_long()).to_owned()
    }

    /// Whether the workspace of a task is a git repository.
    pub(super) fn has_history(&self) -> bool {
        matches!(self.kind, PackKind::Bisect | PackKind::Merge)
    }

    /// What the changes of a task are. None if they are not drawn from the pack's faults or stubs alone.
    pub(super) fn change_kind(&self) -> Option<ChangeKind> {
        match (self.kind, self.work) {
            (PackKind::Implement, _) | (PackKind::Backlog, Some(BacklogWork::Functions)) => {
                Some(ChangeKind::Stub)
            }
            (PackKind::Repair | PackKind::RepairMany | PackKind::Backlog, _) => {
                Some(ChangeKind::Fault)
            }
            _ => None,
        }
    }

    /// Whether functions are missing in a task.
    pub(super) fn lacks_functions(&self) -> bool {
        self.change_kind() == Some(ChangeKind::Stub)
    }

    /// How many stages a backlog has.
    pub(super) fn stages(&self) -> StepRange {
        self.stages.unwrap_or(StepRange { min: 3, max: 4 })
    }

    /// How many changes one stage of a backlog has.
    pub(super) fn stage_changes(&self) -> StepRange {
        self.changes.unwrap_or(StepRange { min: 1, max: 1 })
    }

    /// How many changes the stages of a backlog have together: as many as groups may have.
    fn backlog_count(&self) -> StepRange {
        let (stages, changes) = (self.stages(), self.stage_changes());
        let max = stages.max.saturating_mul(changes.max).min(MOST_TOGETHER);
        StepRange { min: stages.min.saturating_mul(changes.min).min(max), max }
    }

    /// How many changes a task has.
    pub(super) fn count(&self) -> StepRange {
        let (given, usual) = match self.kind {
            PackKind::Repair
            | PackKind::WriteTests
            | PackKind::Document
            | PackKind::Bisect
            | PackKind::Merge => (None, StepRange { min: 1, max: 1 }),
            PackKind::RepairMany => (self.faults, StepRange { min: 2, max: 3 }),
            PackKind::Implement => (self.functions, StepRange { min: 1, max: 2 }),
            PackKind::Environment => (self.breakages, StepRange { min: 2, max: 4 }),
            PackKind::DeDuplicate => (self.duplicates, StepRange { min: 1, max: 3 }),
            PackKind::SpeedUp => (self.places, StepRange { min: 1, max: 3 }),
            PackKind::Backlog => (None, self.backlog_count()),
        };
        given.unwrap_or(usual)
    }

    /// The forms that a report may have.
    pub(super) fn reports(&self) -> Vec<FaultReport> {
        let given = self.report.as_ref().map(|report| report.choice.clone());
        given.unwrap_or_else(|| vec![FaultReport::Example])
    }

    /// Every mistake, below the field of the specification.
    pub(super) fn problems(&self) -> Vec<TemplateProblem> {
        let mut found = Vec::new();
        let mut fail = |field: &str, message: &str| {
            found.push(TemplateProblem::at(field, message));
        };
        if self.faults.is_some() && self.kind != PackKind::RepairMany {
            fail("faults", "only the kind `repair-many` has it");
        }
        if self.functions.is_some() && self.kind != PackKind::Implement {
            fail("functions", "only the kind `implement` has it");
        }
        if self.places.is_some() && self.kind != PackKind::SpeedUp {
            fail("places", "only the kind `speed-up` has it");
        }
        if self.report.is_some() && self.kind == PackKind::Implement {
            fail("report", "the kind `implement` has no faults to report");
        }
        if self.breakages.is_some() && self.kind != PackKind::Environment {
            fail("breakages", "only the kind `environment` has it");
        }
        if self.duplicates.is_some() && self.kind != PackKind::DeDuplicate {
            fail("duplicates", "only the kind `de-duplicate` has it");
        }
        if self.rename == Some(true) && self.kind == PackKind::DeDuplicate {
            fail("rename", "tasks of the kind `de-duplicate` keep the names of the pack");
        }
        let keys = [
            ("work", self.work.is_some()),
            ("stages", self.stages.is_some()),
            ("changes", self.changes.is_some()),
        ];
        for (key, _) in keys.into_iter().filter(|(_, is_there)| *is_there) {
            if self.kind != PackKind::Backlog {
                fail(key, "only the kind `backlog` has it");
            }
        }
        if self.report.is_some() && self.work == Some(BacklogWork::Functions) {
            fail("report", "missing functions have no faults to report");
        }
        let has_no_faults = matches!(
            self.kind,
            PackKind::WriteTests
                | PackKind::Document
                | PackKind::Environment
                | PackKind::DeDuplicate
                | PackKind::Merge
                | PackKind::SpeedUp
        );
        if self.report.is_some() && has_no_faults {
            fail("report", "tasks of this kind have no faults to report");
        }
        if self.report.as_ref().is_some_and(|report| report.choice.is_empty()) {
            fail("report.choice", "there is no form to draw");
        }
        let has_several = matches!(self.kind, PackKind::RepairMany | PackKind::Environment);
        let least = if has_several { 2 } else { 1 };
        let ranges = [
            ("faults", self.faults, least, MOST_TOGETHER),
            ("functions", self.functions, least, MOST_TOGETHER),
            ("breakages", self.breakages, least, MOST_CHANGES),
            ("duplicates", self.duplicates, least, MOST_CHANGES),
            ("places", self.places, least, MOST_CHANGES),
            ("stages", self.stages, 2, MOST_STAGES),
            ("changes", self.changes, 1, MOST_CHANGES),
        ];
        for (field, range, least, most) in ranges {
            let Some(range) = range else { continue };
            if range.min > range.max {
                fail(field, "min is above max");
            } else if range.min < least || range.max > most {
                fail(field, &format!("{least} to {most} are possible"));
            }
        }
        let (stages, changes) = (self.stages().min, self.stage_changes().min);
        if stages.saturating_mul(changes) > MOST_TOGETHER {
            let message =
                format!("{stages} stages with {changes} each have more than {MOST_TOGETHER}");
            fail("changes", &message);
        }
        found
    }
}
