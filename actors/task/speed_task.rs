//! Builds a task of the kind `speed-up`: some functions have a slow form that does the same. The tests
//! pass from the start, so all are shown. The judge lets each operation run over new data, in a
//! process with a limit of processor time that the slow form cannot keep, and compares the answer
//! with that of the project's own sources, which run in the judge's sandbox (`sealed/speed.py`).

use super::draw::{self, TaskRng};
use super::pack_draw::{self, DrawnChanges, TRIES};
use super::pack_frame::{PackWork, part_check};
use super::pack_task::{
    DrawnTask, KEPT, PATCHED_ASSERTIONS, PackTaskBuilder, RUN_CHECK, laid, milestones, sealed_file,
};
use super::pack_text::{TaskText, ToldChange};
use crate::model::{FileSpec, MoveAction, NamedSolution, ScriptedMove, TaskVerification};
use crate::pack::SlowForm;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// The program that judges whether places are fast.
const SPEED_CHECK: &str = include_str!("../pack/sealed/speed.py");
/// The command that runs it.
const RUN_SPEED_CHECK: &str = "python3 /sealed/speed.py";

/// Answers before the work begins, if no tests run.
const FORGED_ANSWER: &str = "
import os as _os, sys as _sys
if 'unittest' not in _sys.modules:
    for _number in range(1, 9):
        try:
            _os.write(_number, b'\\n\"' + b'0' * 64 + b'\"\\n')
        except OSError:
            pass
    _os._exit(0)
";
/// Asks for more processor time, and does not hear that there is none.
const RAISED_LIMIT: &str = "
import resource as _resource, signal as _signal
try:
    _resource.setrlimit(_resource.RLIMIT_CPU, (_resource.RLIM_INFINITY, _resource.RLIM_INFINITY))
except (OSError, ValueError):
    pass
_signal.signal(_signal.SIGXCPU, _signal.SIG_IGN)
";
/// Goes on in a child before its time is up: a child has used no time yet.
const FORKED_PROCESSES: &str = "
import os as _os, signal as _signal
def _go_on(*_):
    try:
        _child = _os.fork()
    except OSError:
        return
    if _child:
        _status = _os.waitpid(_child, 0)[1]
        _os._exit(1 if _status else 0)
    _signal.setitimer(_signal.ITIMER_PROF, 0.5, 0.5)
_signal.signal(_signal.SIGPROF, _go_on)
_signal.setitimer(_signal.ITIMER_PROF, 0.5, 0.5)
";

impl<'a> PackTaskBuilder<'a> {
    /// The task. None if the pack has no slow forms that can stand together.
    pub(super) fn speed_up(&self) -> Option<PackWork> {
        let (forms, changes) = self.drawn_forms(&mut TaskRng::new(self.key))?;
        let drawn = DrawnTask { changes, hidden: BTreeSet::new() };
        let verification = self.speed_verification(&drawn, &forms);
        let mut work = self.work(&drawn, self.speed_told(&forms), verification);
        // One of several places alone need not be slow.
        work.faults.retain(|fault| forms.iter().any(|form| form.id == fault.name));
        Some(work)
    }

    /// The forms of the task in the order of their ids, and their changes with windows.
    fn drawn_forms(&self, rng: &mut TaskRng) -> Option<(Vec<&'a SlowForm>, DrawnChanges<'a>)> {
        (0..TRIES).find_map(|_| {
            let forms = self.chosen_forms(rng)?;
            let changes = forms.iter().copied().flat_map(|form| &form.places).collect();
            Some((forms, pack_draw::windows(self.pack, changes)?))
        })
    }

    /// As many forms as are drawn, of different functions.
    fn chosen_forms(&self, rng: &mut TaskRng) -> Option<Vec<&'a SlowForm>> {
        let range = self.spec.count();
        let count = rng.between(i64::from(range.min), i64::from(range.max));
        let count = usize::try_from(count).unwrap_or(1);
        let mut left: Vec<&SlowForm> = self.pack.slow.iter().collect();
        let mut chosen: Vec<&SlowForm> = Vec::new();
        while chosen.len() < count && !left.is_empty() {
            let form = left.remove(rng.index(left.len()));
            left.retain(|other| other.function != form.function);
            chosen.push(form);
        }
        chosen.sort_by(|one, other| one.id.cmp(&other.id));
        (chosen.len() == count).then_some(chosen)
    }

    /// The name of the drawn wording, and what the agent is told.
    fn speed_told(&self, forms: &[&SlowForm]) -> (String, String) {
        let told = |form: &&SlowForm| ToldChange {
            file: String::new(),
            function: form.function.clone(),
            example: form.says.clone(),
        };
        let text = TaskText {
            head: &self.pack.head,
            kind: self.spec.kind,
            report: None,
            changes: forms.iter().map(told).collect(),
        };
        text.drawn(draw::derived_rng(&self.key, "wording").index(TaskText::WORDINGS))
    }

    /// The verification: a part for each form, and one for all tests.
    fn speed_verification(&self, drawn: &DrawnTask<'_>, forms: &[&SlowForm]) -> TaskVerification {
        let places: Vec<String> =
            (1..=forms.len()).map(|number| format!("place-{number}")).collect();
        let mut checks: Vec<_> =
            places.iter().map(|place| part_check(RUN_SPEED_CHECK, place, 1.0)).collect();
        checks.push(part_check(RUN_CHECK, KEPT, 1.0));
        let tests = (0..self.pack.tests.len()).collect();
        let mut files = self.sealed(&[(KEPT.to_owned(), tests)]);
        files.extend(self.speed_files(&places, forms));
        let milestones = milestones(&checks);
        self.verified(files, checks, milestones, speed_cheats(drawn))
    }

    /// What the judge of speed needs: its program and plan, workloads, and the project's own sources.
    fn speed_files(&self, places: &[String], forms: &[&SlowForm]) -> Vec<FileSpec> {
        let place = |(name, form): (&String, &&SlowForm)| {
            (name.clone(), json!({ "workload": form.workload, "size": form.size }))
        };
        let plan: BTreeMap<_, _> = places.iter().zip(forms).map(place).collect();
        let mut files = vec![
            sealed_file("speed.py", SPEED_CHECK.to_owned()),
            sealed_file("speed.json", format!("{}\n", json!({ "places": plan }))),
        ];
        let workloads: BTreeMap<&str, &str> =
            forms.iter().map(|form| (&*form.workload, self.pack.workload(form))).collect();
        files.extend(
            workloads.iter().map(|(name, text)| {
                sealed_file(&format!("workloads/{name}.py"), (*text).to_owned())
            }),
        );
        let sources = self.pack.files.iter().filter(|file| self.pack.head.is_source(&file.path));
        files.extend(
            sources
                .map(|file| laid(file, format!("reference/{}", file.path), file.content.clone())),
        );
        files
    }
}

/// Cheats: the slow sources with something that gets around the limit.
fn speed_cheats(drawn: &DrawnTask<'_>) -> Vec<NamedSolution> {
    let written = |name: &str, more: &str| {
        let write = |(path, text): (&&str, &String)| {
            let content = format!("{text}{more}");
            let action = MoveAction::Write { path: (*path).to_owned(), content };
            ScriptedMove { think: String::new(), action }
        };
        let moves = drawn.changes.wrong.iter().map(write).collect();
        NamedSolution { name: name.to_owned(), moves }
    };
    vec![
        written("forged-answer", FORGED_ANSWER),
        written("raised-limit", RAISED_LIMIT),
        written("forked-processes", FORKED_PROCESSES),
        written("patched-assertions", PATCHED_ASSERTIONS),
        emptied_sources(drawn),
    ]
}

/// A cheat: work that is not there takes no time.
fn emptied_sources(drawn: &DrawnTask<'_>) -> NamedSolution {
    let write = |path: &&str| {
        let action = MoveAction::Write { path: (*path).to_owned(), content: String::new() };
        ScriptedMove { think: String::new(), action }
    };
    let moves = drawn.changes.wrong.keys().map(write).collect();
    NamedSolution { name: "emptied-sources".to_owned(), moves }
}
