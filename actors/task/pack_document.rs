//! Builds tasks of the kind `document`: a module has lost its docstrings, and the agent writes a
//! reference of some of its functions in a form that a program reads. The sealed check takes the facts
//! from the syntax tree of the module; here only names are known.

use super::draw::{self, TaskRng};
use super::pack_docstrings::without_docstrings;
use super::pack_frame::PackWork;
use super::pack_reference_text::{ReferenceForm, ReferenceText};
use super::pack_task::{PackTaskBuilder, quoted, run, sealed_file};
use super::pack_written::{JudgedFile, WrittenTask, in_one_move, stem, writes};
use crate::model::{FileSpec, NamedSolution, ScriptedMove};
use crate::pack::{PackChange, ProjectPack};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// Judges the reference.
const CHECK: &str = include_str!("../pack/sealed/document.py");
/// Finds the facts of functions in the text of a module.
const FACTS: &str = include_str!("../pack/sealed/facts.py");
/// Writes a reference of the facts that the program before it finds.
const WRITE: &str = include_str!("../pack/solution/write_reference.py");
/// The command of the checks and of the milestones.
const COMMAND: &str = "python3 /sealed/check.py";
/// The part for the form and the names. Each entry weighs 1.
const NAMES: (&str, u32) = ("names", 1);
/// The fewest and the most functions of a reference.
const FUNCTIONS: (usize, usize) = (4, 9);
/// The functions of one part.
const IN_PART: usize = 2;
/// What every reference says.
const ALWAYS: &str = "parameters";
/// What it may say of any function.
const OF_ALL: [&str; 5] = ["raises", "returns", "calls", "constants", "imports"];
/// What it may say if it has methods.
const OF_METHODS: [&str; 2] = ["kind", "sets"];
/// How many of these it says.
const FIELDS: usize = 3;

/// What a task is about.
struct DrawnReference<'p> {
    module: &'p str,
    /// Names of functions in the module, sorted.
    names: Vec<&'p str>,
    /// What is said of each, in the order of the columns.
    fields: Vec<&'static str>,
    form: ReferenceForm,
    /// The path of the reference.
    path: String,
    /// Another module with its functions, if the pack has one.
    other: Option<(&'p str, Vec<&'p str>)>,
}

impl PackTaskBuilder<'_> {
    /// A task of the kind `document`. None if no module has enough functions.
    pub(super) fn document(&self) -> Option<PackWork> {
        let mut rng = TaskRng::new(self.key);
        let drawn = drawn(self.pack, &mut rng)?;
        let other_order =
            run("", program(&drawn, drawn.form, (drawn.module, drawn.names.as_slice()), -1));
        let work = WrittenTask {
            entries: self.ids(&drawn),
            files: self.undocumented(&drawn),
            told: self.told_reference(&drawn),
            solution: self.reference_solution(&drawn),
            alternatives: vec![in_one_move("other-order", other_order)],
            cheats: reference_cheats(&drawn),
            judging: self.judged_reference(&drawn),
        };
        Some(self.written(work))
    }

    /// The ids of the entries that name the functions.
    fn ids(&self, drawn: &DrawnReference<'_>) -> Vec<String> {
        let module = dotted(drawn.module);
        let whole = |name: &&str| format!("{module}.{name}");
        let wanted: BTreeSet<String> = drawn.names.iter().map(whole).collect();
        let mut first: BTreeMap<&str, &PackChange> = BTreeMap::new();
        for change in changes(self.pack).filter(|change| wanted.contains(&change.function)) {
            first.entry(&change.function).or_insert(change);
        }
        first.into_values().map(|change| change.id.clone()).collect()
    }

    /// The files of the workspace: the module has no docstrings.
    fn undocumented(&self, drawn: &DrawnReference<'_>) -> Vec<FileSpec> {
        let mut files = self.files_without(&BTreeSet::new());
        for file in files.iter_mut().filter(|file| file.path == drawn.module) {
            file.content = without_docstrings(&file.content);
        }
        files
    }

    /// The name of the drawn wording, and what the agent is told.
    fn told_reference(&self, drawn: &DrawnReference<'_>) -> (String, String) {
        let text = ReferenceText {
            head: &self.pack.head,
            module: drawn.module,
            names: &drawn.names,
            fields: &drawn.fields,
            form: drawn.form,
            path: &drawn.path,
        };
        text.drawn(draw::derived_rng(&self.key, "wording").index(ReferenceText::WORDINGS))
    }

    /// The oracle: it reads the module, and has a program write the reference.
    fn reference_solution(&self, drawn: &DrawnReference<'_>) -> Vec<ScriptedMove> {
        let docs: Vec<String> = self.pack.head.docs.iter().map(|path| quoted(path)).collect();
        let look = format!("ls -R . | head -n 200; cat {} /dev/null", docs.join(" "));
        let (module, path) = (quoted(drawn.module), quoted(&drawn.path));
        let names = format!("grep -nE '^ *(async )?(def|class) ' {module}");
        vec![
            run("First I look at the project and its documentation.", look),
            run("This is the module.", format!("cat {module}")),
            run("Which functions does it have, and where?", names),
            run(
                "All that is asked for stands in the syntax tree, so a program reads it without slips.",
                program(drawn, drawn.form, (drawn.module, drawn.names.as_slice()), 1),
            ),
            run("I compare it with the source.", format!("cat {path}")),
        ]
    }

    /// How the reference is judged: the check, the module, and what is asked for.
    fn judged_reference(&self, drawn: &DrawnReference<'_>) -> JudgedFile {
        let mut parts = vec![(NAMES.0.to_owned(), NAMES.1)];
        let mut members = serde_json::Map::new();
        members.insert(NAMES.0.to_owned(), json!(drawn.names));
        for (names, number) in drawn.names.chunks(IN_PART).zip(1..) {
            let part = format!("entries-{number}");
            members.insert(part.clone(), json!(names));
            parts.push((part, u32::try_from(names.len()).unwrap_or(1)));
        }
        let plan = json!({
            "file": drawn.path, "form": drawn.form.as_str(), "fields": drawn.fields,
            "names": drawn.names, "parts": members,
        });
        let module = self.pack.text(drawn.module).unwrap_or_default();
        let sealed = vec![
            sealed_file("check.py", CHECK.to_owned()),
            sealed_file("facts.py", FACTS.to_owned()),
            sealed_file("module.py", module.to_owned()),
        ];
        JudgedFile { sealed, plan, parts, commands: [COMMAND, COMMAND] }
    }
}

/// All entries of a pack that name functions.
fn changes(pack: &ProjectPack) -> impl Iterator<Item = &PackChange> {
    pack.faults.iter().chain(&pack.stubs)
}

/// The name of a module as entries have it: `tabq.lexer` of `tabq/lexer.py`, and `tabq` of
/// `tabq/__init__.py`.
fn dotted(path: &str) -> String {
    let path = path.strip_suffix(".py").unwrap_or(path);
    path.strip_suffix("/__init__").unwrap_or(path).replace('/', ".")
}

/// The modules with enough functions, by path, with the names that functions have in them.
fn modules(pack: &ProjectPack) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut found: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for change in changes(pack) {
        let module = dotted(&change.file);
        let rest = change.function.strip_prefix(module.as_str());
        if let Some(name) = rest.and_then(|rest| rest.strip_prefix('.')) {
            found.entry(&change.file).or_default().insert(name);
        }
    }
    found.retain(|_, names| names.len() >= FUNCTIONS.0);
    found
}

/// Draws what a task is about. None if no module has enough functions.
fn drawn<'p>(pack: &'p ProjectPack, rng: &mut TaskRng) -> Option<DrawnReference<'p>> {
    let modules: Vec<(&str, BTreeSet<&str>)> = modules(pack).into_iter().collect();
    let at = rng.index(modules.len());
    let (module, all) = modules.get(at).map(|(module, all)| (*module, all))?;
    let most = all.len().min(FUNCTIONS.1);
    let count = FUNCTIONS.0 + rng.index(most - FUNCTIONS.0 + 1);
    let mut names = some(all.iter().copied().collect(), count, rng);
    names.sort_unstable();
    let has_methods = names.iter().any(|name| name.contains('.'));
    let more = OF_METHODS.into_iter().filter(|_| has_methods);
    let mut fields = vec![ALWAYS];
    fields.extend(some(OF_ALL.into_iter().chain(more).collect(), FIELDS, rng));
    let form = *ReferenceForm::ALL.get(rng.index(ReferenceForm::ALL.len()))?;
    let path = format!("docs/{}.{}", stem(module), form.ending());
    let other = modules.iter().cycle().nth(at + 1).filter(|(path, _)| *path != module);
    let other = other.map(|(path, names)| (*path, names.iter().copied().collect()));
    Some(DrawnReference { module, names, fields, form, path, other })
}

/// Some of these, in the order in which they are drawn.
fn some<'t>(mut left: Vec<&'t str>, count: usize, rng: &mut TaskRng) -> Vec<&'t str> {
    let mut found = Vec::new();
    while !left.is_empty() && found.len() < count {
        found.push(left.swap_remove(rng.index(left.len())));
    }
    found
}

/// The command that writes the reference of a module, in the order of the names or in the other one.
fn program(
    drawn: &DrawnReference<'_>,
    form: ReferenceForm,
    (module, names): (&str, &[&str]),
    order: i32,
) -> String {
    let (module, path) = (json!(module), json!(drawn.path));
    let (form, names, fields) = (json!(form.as_str()), json!(names), json!(drawn.fields));
    format!(
        "python3 - <<'PROGRAM'\n{FACTS}\n\n\
         MODULE, REFERENCE, FORM, ORDER = {module}, {path}, {form}, {order}\n\
         NAMES = {names}\nFACTS = {fields}\n{WRITE}PROGRAM"
    )
}

/// Cheats: references that say nothing, or something else.
fn reference_cheats(drawn: &DrawnReference<'_>) -> Vec<NamedSolution> {
    let directory = drawn.path.rsplit_once('/').map_or(".", |(directory, _)| directory);
    let written = |name: &str, content: String| {
        let moves = vec![
            run("", format!("mkdir -p {}", quoted(directory))),
            writes("", &drawn.path, content),
        ];
        NamedSolution { name: name.to_owned(), moves }
    };
    let form = drawn.form.other();
    let mut cheats = vec![
        written("empty-reference", String::new()),
        written("names-only", names_only(drawn)),
        in_one_move(
            "another-form",
            run("", program(drawn, form, (drawn.module, drawn.names.as_slice()), 1)),
        ),
    ];
    if let Some((module, names)) = &drawn.other {
        let step = run("", program(drawn, drawn.form, (*module, names.as_slice()), 1));
        cheats.push(in_one_move("another-module", step));
    }
    cheats
}

/// A reference in the right form that says nothing of any function.
fn names_only(drawn: &DrawnReference<'_>) -> String {
    let rows = |row: &dyn Fn(&str) -> String| -> String {
        drawn.names.iter().map(|name| row(name)).collect()
    };
    match drawn.form {
        ReferenceForm::Json => {
            let nothing: BTreeMap<&str, [&str; 0]> =
                drawn.fields.iter().map(|field| (*field, [])).collect();
            let all: BTreeMap<&str, _> = drawn.names.iter().map(|name| (*name, &nothing)).collect();
            format!("{}\n", json!(all))
        }
        ReferenceForm::Table => {
            let head = format!("| name | {} |\n", drawn.fields.join(" | "));
            let line = format!("{}|\n", "| --- ".repeat(drawn.fields.len() + 1));
            let cells = " - |".repeat(drawn.fields.len());
            format!("{head}{line}{}", rows(&|name| format!("| {name} |{cells}\n")))
        }
        ReferenceForm::Sections => {
            let lines: String =
                drawn.fields.iter().map(|field| format!("- {field}: -\n")).collect();
            rows(&|name| format!("## {name}\n\n{lines}\n"))
        }
    }
}
