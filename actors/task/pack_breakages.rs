//! What can be broken in a task of the kind `environment`: files around a project that run its tests. Each
//! breakage alone keeps the suite from running whole. Breakages at different places do not touch each
//! other, so a task has one at a place, at most.

use super::draw::TaskRng;
use super::pack_task::run;
use crate::model::{FileSpec, MoveAction, ScriptedMove, TaskFault};

/// The command, and the files that it needs.
pub(super) const COMMAND: &str = "run-tests";
pub(super) const VARIABLES: &str = "tools/env.sh";
pub(super) const SETTINGS: &str = "tools/suite.cfg";
/// What runs the tests. It is right in every task.
pub(super) const SUITE: &str = "tools/suite.py";
/// The place of files that stand in front of a module.
const MODULES: &str = "modules";
/// The place of old copies of packages.
pub(super) const COPIES: &str = "copies";
pub(super) const LOCK: &str = "tools/suite.lock";

/// Where the other machine had its files.
const OLD_PLACES: [&str; 5] =
    ["/srv/ci", "/home/build", "/opt/jobs", "/var/lib/runner", "/data/agent"];
/// Names of other machines.
const HOSTS: [&str; 5] = ["anvil", "birch", "cobalt", "dune", "ember"];

/// What runs the tests of projects, and what can be broken of it.
pub(super) struct SuiteForm {
    /// The files that work: path, text and mode.
    pub(super) files: &'static [(&'static str, &'static str, u32)],
    /// All kinds of breakages, in the order in which they are mended.
    pub(super) kinds: &'static [BreakageKind],
}

/// One kind of breakage.
pub(super) struct BreakageKind {
    pub(super) name: &'static str,
    /// Where it is. A task has one breakage at a place.
    pub(super) place: &'static str,
    pub(super) form: BreakageForm,
    /// What the oracle says when it mends it.
    pub(super) think: &'static str,
}

/// What a breakage does. In texts, words between `@` are drawn or are those of the project.
pub(super) enum BreakageForm {
    /// The file is not executable.
    Mode,
    /// Lines end as on another system.
    Newlines,
    /// The file begins with a mark of its encoding.
    Mark,
    /// The file is a link to one that is not there.
    Link,
    /// Another text stands in the file of the place.
    Text { right: &'static str, wrong: &'static [&'static str] },
    /// A file is there that should not be.
    Added { paths: &'static [&'static str], contents: &'static [&'static str] },
    /// A compiled module without its source stands in front of another one.
    Bytecode { names: &'static [&'static str] },
}

use BreakageForm::{Added, Bytecode, Link, Mark, Mode, Newlines, Text};

/// What runs tests with unittest.
pub(super) static UNITTEST_SUITE: SuiteForm = SuiteForm {
    files: &[
        (COMMAND, include_str!("../pack/environment/run-tests.sh"), 0o755),
        (VARIABLES, include_str!("../pack/environment/env.sh"), 0o644),
        (SETTINGS, include_str!("../pack/environment/suite.cfg"), 0o644),
        (SUITE, include_str!("../pack/environment/suite.py"), 0o644),
    ],
    kinds: &KINDS,
};

/// All kinds, in the order in which they are mended.
static KINDS: [BreakageKind; 20] = [
    BreakageKind {
        name: "lost-mode",
        place: COMMAND,
        form: Mode,
        think: "The command is no program: its mode was lost.",
    },
    BreakageKind {
        name: "carriage-returns",
        place: COMMAND,
        form: Newlines,
        think: "The lines of the command end with carriage returns.",
    },
    BreakageKind {
        name: "wrong-directory",
        place: COMMAND,
        form: Text {
            right: "cd \"$(dirname \"$0\")\" || exit 2\n",
            wrong: &[
                "cd \"$(dirname \"$0\")/@tests@\" || exit 2\n",
                "cd \"$(dirname \"$0\")/..\" || exit 2\n",
                "cd @old@/@name@ || exit 2\n",
                "cd \"$HOME/@name@\" || exit 2\n",
            ],
        },
        think: "The command must work in its own directory.",
    },
    BreakageKind {
        name: "wrong-program",
        place: COMMAND,
        form: Text {
            right: "exec python3 tools/suite.py \"$@\"\n",
            wrong: &[
                "exec @old@/bin/python3 tools/suite.py \"$@\"\n",
                "exec python3.4 tools/suite.py \"$@\"\n",
                "exec \"$PYTHON\" tools/suite.py \"$@\"\n",
                "exec python3 tools/run_suite.py \"$@\"\n",
                "exec python3 @old@/@name@/tools/suite.py \"$@\"\n",
            ],
        },
        think: "What the command starts is not there.",
    },
    BreakageKind {
        name: "lost-path",
        place: VARIABLES,
        form: Text {
            right: "PYTHONPATH=.\n",
            wrong: &[
                "PYTHONPATH=@old@/@name@\n",
                "PYTHONPATH=lib\n",
                "PYTHON_PATH=.\n",
                "PYTHONPATH=./@package@\n",
            ],
        },
        think: "The project is not on the path of modules.",
    },
    BreakageKind {
        name: "narrow-encoding",
        place: VARIABLES,
        form: Text {
            right: "LC_ALL=C.UTF-8\n",
            wrong: &[
                "LC_ALL=C\nPYTHONUTF8=0\nPYTHONCOERCECLOCALE=0\nexport PYTHONUTF8 PYTHONCOERCECLOCALE\n",
                "LC_ALL=C.UTF-8\nPYTHONIOENCODING=ascii:strict\nexport PYTHONIOENCODING\n",
                "LC_ALL=C\nPYTHONIOENCODING=us-ascii\nexport PYTHONIOENCODING\n",
            ],
        },
        think: "The encoding has no room for what is read and printed.",
    },
    BreakageKind {
        name: "tight-limit",
        place: VARIABLES,
        form: Text {
            right: "export PYTHONPATH PYTHONHASHSEED PYTHONDONTWRITEBYTECODE LC_ALL\n",
            wrong: &[
                "export PYTHONPATH PYTHONHASHSEED PYTHONDONTWRITEBYTECODE LC_ALL\nulimit -n 3\n",
                "export PYTHONPATH PYTHONHASHSEED PYTHONDONTWRITEBYTECODE LC_ALL\nulimit -v 9000\n",
                "export PYTHONPATH PYTHONHASHSEED PYTHONDONTWRITEBYTECODE LC_ALL\nulimit -f 0\n",
            ],
        },
        think: "A limit leaves the tests no room.",
    },
    BreakageKind {
        name: "bad-variable",
        place: VARIABLES,
        form: Text {
            right: "PYTHONHASHSEED=0\n",
            wrong: &[
                "PYTHONHASHSEED=fixed\n",
                "PYTHONHASHSEED=0\nPYTHONHOME=@old@/python\nexport PYTHONHOME\n",
                "PYTHONHASHSEED=0\nPYTHONMALLOC=fast\nexport PYTHONMALLOC\n",
            ],
        },
        think: "Python does not start with this variable.",
    },
    BreakageKind {
        name: "lost-programs",
        place: VARIABLES,
        form: Text {
            right: "export PYTHONPATH PYTHONHASHSEED PYTHONDONTWRITEBYTECODE LC_ALL\n",
            wrong: &[
                "PATH=@old@/bin\nexport PATH PYTHONPATH PYTHONHASHSEED PYTHONDONTWRITEBYTECODE LC_ALL\n",
                "export PYTHONPATH PYTHONHASHSEED PYTHONDONTWRITEBYTECODE LC_ALL\nPATH=@old@/bin:@old@/tools\n",
            ],
        },
        think: "Programs are looked for where none are.",
    },
    BreakageKind {
        name: "wrong-pattern",
        place: SETTINGS,
        form: Text {
            right: "pattern = test*.py\n",
            wrong: &[
                "pattern = *_test.py\n",
                "pattern = check_*.py\n",
                "pattern = Test*.py\n",
                "pattern = test*.pyc\n",
            ],
        },
        think: "No file has a name of this form.",
    },
    BreakageKind {
        name: "wrong-start",
        place: SETTINGS,
        form: Text {
            right: "start = @tests@\n",
            wrong: &[
                "start = spec\n",
                "start = @package@/checks\n",
                "start = @old@/@name@/@tests@\n",
            ],
        },
        think: "The tests are looked for in another directory.",
    },
    BreakageKind {
        name: "left-filter",
        place: SETTINGS,
        form: Text { right: "only =\n", wrong: &["only = @module@\n"] },
        think: "Somebody has left a filter: not all of the tests run.",
    },
    BreakageKind {
        name: "low-recursion",
        place: SETTINGS,
        form: Text {
            right: "recursion = 1000\n",
            wrong: &["recursion = @small@\n", "recursion = 1 000\n", "recursion =\n"],
        },
        think: "The depth of calls is none that works.",
    },
    BreakageKind {
        name: "bad-setting",
        place: SETTINGS,
        form: Text {
            right: "title = @name@ § all tests\n",
            wrong: &[
                "title = 100% of @name@ § all tests\n",
                "title = @name@ § all tests\ntitle = @name@ on @host@\n",
                "<<<<<<< @host@\ntitle = @name@ § all tests\n",
            ],
        },
        think: "The settings cannot be read because of this line.",
    },
    BreakageKind {
        name: "byte-order-mark",
        place: SETTINGS,
        form: Mark,
        think: "The settings begin with a mark that is no text.",
    },
    BreakageKind {
        name: "dangling-link",
        place: SETTINGS,
        form: Link,
        think: "The settings are a link that leads nowhere; the file lies beside it.",
    },
    BreakageKind {
        name: "shadowing-module",
        place: MODULES,
        form: Added {
            paths: &[
                "configparser.py",
                "fnmatch.py",
                "unittest.py",
                "tools/configparser.py",
                "tools/fnmatch.py",
                "tools/unittest.py",
            ],
            contents: &[
                "\"\"\"Notes from @host@.\"\"\"\n\nDONE = []\n",
                "# From the backup of @host@.\nNUMBER = @number@\n",
                "",
            ],
        },
        think: "This file stands in front of a module of the standard library.",
    },
    BreakageKind {
        name: "stale-bytecode",
        place: MODULES,
        form: Bytecode {
            names: &["configparser", "fnmatch", "unittest", "tools/configparser", "tools/fnmatch"],
        },
        think: "A compiled file without a source stands in front of a module.",
    },
    BreakageKind {
        name: "stale-copy",
        place: COPIES,
        form: Added {
            paths: &["tools/@package@/__init__.py", "tools/@tests@/__init__.py"],
            contents: &[
                "\"\"\"As of release 0.@number@.\"\"\"\n\n__version__ = \"0.@number@\"\n",
                "# Copied to @host@ before release @number@.\n",
                "",
            ],
        },
        think: "An old copy is found first.",
    },
    BreakageKind {
        name: "stale-lock",
        place: LOCK,
        form: Added {
            paths: &[LOCK],
            contents: &["process @number@\n", "process @number@ on @host@\n", ""],
        },
        think: "The process that had this lock is long gone.",
    },
];

/// The project around which something is broken.
pub(super) struct SuiteProject {
    pub(super) form: &'static SuiteForm,
    pub(super) name: String,
    /// The first part of the sources' path, as it is imported.
    pub(super) package: String,
    /// The directory of the tests.
    pub(super) tests: String,
    /// The names of modules with tests, or words of names of cases. As a filter, each leaves out some test.
    pub(super) modules: Vec<String>,
    /// More words of texts, and what stands for them. A file that is empty then is not there.
    pub(super) more: Vec<(&'static str, String)>,
    /// Places at which nothing can be broken here.
    pub(super) unbroken: Vec<&'static str>,
}

/// A breakage of a task.
pub(super) struct DrawnBreakage {
    pub(super) name: &'static str,
    /// Files of the workspace, in the places of those that work or beside them.
    pub(super) files: Vec<FileSpec>,
    /// A file that works and is not there.
    pub(super) missing: Option<&'static str>,
    /// Commands that prepare the workspace.
    pub(super) setup: Vec<String>,
    /// The paths that it is in.
    pub(super) paths: Vec<String>,
    /// What must go, if all else is made anew.
    pub(super) added: Option<String>,
    pub(super) think: &'static str,
    pub(super) mend: MoveAction,
    /// The same as a fault, where a text is wrong.
    pub(super) fault: Option<TaskFault>,
}

impl SuiteProject {
    /// The files that run the tests, as they work.
    pub(super) fn healthy(&self) -> Vec<FileSpec> {
        let file = |(path, text, mode): &(&str, &str, u32)| {
            let content = text.replace("@name@", &self.name).replace("@tests@", &self.tests);
            let content = filled(&content, &self.more);
            FileSpec { path: (*path).to_owned(), content, mode: *mode }
        };
        let files = self.form.files.iter().map(file);
        files.filter(|file| !file.content.is_empty()).collect()
    }

    /// The moves that write all files which work anew, without the program that runs the tests. What should
    /// not be there is taken away before.
    pub(super) fn written_anew(&self, broken: &[DrawnBreakage], suite: &str) -> Vec<ScriptedMove> {
        let mut healthy = self.healthy();
        healthy.retain(|file| file.path != suite);
        let added = broken.iter().filter_map(|one| one.added.as_deref());
        let paths: Vec<&str> = added.chain(healthy.iter().map(|file| file.path.as_str())).collect();
        let mut moves = vec![run("", format!("rm -rf {}", paths.join(" ")))];
        moves.extend(healthy.into_iter().map(|file| ScriptedMove {
            think: String::new(),
            action: MoveAction::Write { path: file.path, content: file.content },
        }));
        moves.push(run("", format!("chmod 755 {COMMAND}")));
        moves
    }

    /// Draws breakages at different places: first the place, so that all are as likely.
    pub(super) fn drawn(&self, count: usize, rng: &mut TaskRng) -> Vec<DrawnBreakage> {
        let mut left: Vec<(usize, &BreakageKind)> = self.form.kinds.iter().enumerate().collect();
        left.retain(|(_, kind)| kind.name != "left-filter" || !self.modules.is_empty());
        left.retain(|(_, kind)| !self.unbroken.contains(&kind.place));
        let mut chosen = Vec::new();
        while chosen.len() < count && !left.is_empty() {
            let mut places: Vec<&str> = left.iter().map(|(_, kind)| kind.place).collect();
            places.dedup();
            let place = places[rng.index(places.len())];
            let here: Vec<_> = left.iter().filter(|(_, kind)| kind.place == place).collect();
            chosen.push(*here[rng.index(here.len())]);
            left.retain(|(_, kind)| kind.place != place);
        }
        chosen.sort_by_key(|(at, _)| *at);
        chosen.into_iter().map(|(_, kind)| self.broken(kind, rng)).collect()
    }

    /// Draws what is open of a breakage.
    fn broken(&self, kind: &BreakageKind, rng: &mut TaskRng) -> DrawnBreakage {
        match &kind.form {
            Mode => self.without_mode(kind),
            Newlines => {
                let mend = MoveAction::Run(format!("sed -i 's/\\r$//' {}", kind.place));
                self.converted(kind, |text| text.replace('\n', "\r\n"), mend)
            }
            Mark => {
                let mend = format!("LC_ALL=C sed -i '1s/^\\xef\\xbb\\xbf//' {}", kind.place);
                self.converted(kind, |text| format!("\u{feff}{text}"), MoveAction::Run(mend))
            }
            Link => self.linked(kind, rng),
            Text { right, wrong } => self.written(kind, right, wrong, rng),
            Added { paths, contents } => self.added(kind, paths, contents, rng),
            Bytecode { names } => self.compiled(kind, names, rng),
        }
    }

    /// The file of a place as it works.
    fn right(&self, place: &str) -> FileSpec {
        let mut files = self.healthy();
        files.retain(|file| file.path == place);
        let nothing = || FileSpec { path: place.to_owned(), content: String::new(), mode: 0o644 };
        files.pop().unwrap_or_else(nothing)
    }

    fn without_mode(&self, kind: &BreakageKind) -> DrawnBreakage {
        let file = FileSpec { mode: 0o644, ..self.right(kind.place) };
        let mend = MoveAction::Run(format!("chmod 755 {}", kind.place));
        DrawnBreakage { files: vec![file], ..kind.at(kind.place, mend) }
    }

    fn converted(
        &self,
        kind: &BreakageKind,
        convert: impl Fn(&str) -> String,
        mend: MoveAction,
    ) -> DrawnBreakage {
        let right = self.right(kind.place);
        let file = FileSpec { content: convert(&right.content), ..right };
        DrawnBreakage { files: vec![file], ..kind.at(kind.place, mend) }
    }

    fn linked(&self, kind: &BreakageKind, rng: &mut TaskRng) -> DrawnBreakage {
        let host = HOSTS[rng.index(HOSTS.len())];
        let beside = format!("tools/suite-{host}.cfg");
        let target = format!("suite-{}.cfg", rng.between(2015, 2024));
        let file = FileSpec { path: beside.clone(), ..self.right(kind.place) };
        let mend = MoveAction::Run(format!("ln -sfn suite-{host}.cfg {}", kind.place));
        let broken = kind.at(kind.place, mend);
        DrawnBreakage {
            files: vec![file],
            missing: Some(kind.place),
            setup: vec![format!("ln -s {target} {}", kind.place)],
            paths: vec![kind.place.to_owned(), beside],
            ..broken
        }
    }

    fn written(
        &self,
        kind: &BreakageKind,
        right: &str,
        wrong: &[&str],
        rng: &mut TaskRng,
    ) -> DrawnBreakage {
        let (words, number) = (self.words(rng), rng.index(wrong.len()));
        let (right, wrong) = (filled(right, &words), filled(wrong[number], &words));
        let file = self.right(kind.place);
        let content = file.content.replacen(&right, &wrong, 1);
        let fault = TaskFault {
            name: kind.name.to_owned(),
            variant: number.to_string(),
            path: kind.place.to_owned(),
            right,
            wrong,
        };
        let broken = kind.at(kind.place, fault.repair());
        DrawnBreakage { files: vec![FileSpec { content, ..file }], fault: Some(fault), ..broken }
    }

    fn added(
        &self,
        kind: &BreakageKind,
        paths: &[&str],
        contents: &[&str],
        rng: &mut TaskRng,
    ) -> DrawnBreakage {
        let words = self.words(rng);
        let path = filled(paths[rng.index(paths.len())], &words);
        let content = filled(contents[rng.index(contents.len())], &words);
        let whole = path.strip_suffix("/__init__.py").unwrap_or(&path).to_owned();
        let mend = MoveAction::Run(format!("rm -r {whole}"));
        let broken = kind.at(&whole, mend);
        DrawnBreakage {
            files: vec![FileSpec { path, content, mode: 0o644 }],
            added: Some(whole),
            ..broken
        }
    }

    fn compiled(&self, kind: &BreakageKind, names: &[&str], rng: &mut TaskRng) -> DrawnBreakage {
        let path = format!("{}.pyc", names[rng.index(names.len())]);
        let number = rng.between(1000, 9999);
        let compile = format!(
            "echo 'NUMBER = {number}' > /tmp/old.py && python3 -c 'import py_compile; \
             py_compile.compile(\"/tmp/old.py\", cfile=\"{path}\", doraise=True)' && rm /tmp/old.py"
        );
        let mend = MoveAction::Run(format!("rm {path}"));
        let broken = kind.at(&path, mend);
        DrawnBreakage { setup: vec![compile], added: Some(path), ..broken }
    }

    /// The words of texts, and what stands for them. All are drawn, whatever the text needs.
    pub(super) fn words(&self, rng: &mut TaskRng) -> Vec<(&'static str, String)> {
        let module = self.modules.get(rng.index(self.modules.len()));
        let drawn = [
            ("@name@", self.name.clone()),
            ("@package@", self.package.clone()),
            ("@tests@", self.tests.clone()),
            ("@module@", module.cloned().unwrap_or_default()),
            ("@old@", OLD_PLACES[rng.index(OLD_PLACES.len())].to_owned()),
            ("@host@", HOSTS[rng.index(HOSTS.len())].to_owned()),
            ("@number@", rng.between(1000, 9999).to_string()),
            ("@small@", rng.between(24, 34).to_string()),
        ];
        drawn.into_iter().chain(self.more.iter().cloned()).collect()
    }
}

impl BreakageKind {
    /// A breakage at a path without anything that was drawn.
    fn at(&self, path: &str, mend: MoveAction) -> DrawnBreakage {
        DrawnBreakage {
            name: self.name,
            files: Vec::new(),
            missing: None,
            setup: Vec::new(),
            paths: vec![path.to_owned()],
            added: None,
            think: self.think,
            mend,
            fault: None,
        }
    }
}

/// A text with the words that stand for something.
pub(super) fn filled(text: &str, words: &[(&'static str, String)]) -> String {
    words.iter().fold(text.to_owned(), |text, (word, value)| text.replace(word, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn project(modules: &[&str]) -> SuiteProject {
        SuiteProject {
            form: &UNITTEST_SUITE,
            name: "lib".to_owned(),
            package: "lib".to_owned(),
            tests: "tests".to_owned(),
            modules: modules.iter().map(|name| (*name).to_owned()).collect(),
            more: Vec::new(),
            unbroken: Vec::new(),
        }
    }

    #[test]
    fn every_wrong_text_replaces_one_place_of_the_file_that_works() {
        let project = project(&["test_one", "test_two"]);
        let words = project.words(&mut TaskRng::new([7; 32]));
        for kind in &KINDS {
            let Text { right, wrong } = &kind.form else { continue };
            let file = project.right(kind.place);
            let right = filled(right, &words);
            assert_eq!(file.content.matches(&right).count(), 1, "{}", kind.name);
            for wrong in *wrong {
                let wrong = filled(wrong, &words);
                let broken = file.content.replacen(&right, &wrong, 1);
                assert_eq!(broken.matches(&wrong).count(), 1, "{}: {wrong}", kind.name);
                assert!(!wrong.contains('@') || wrong.contains("\"$@\""), "{wrong}");
            }
        }
    }

    #[test]
    fn breakages_are_drawn_at_different_places() {
        let project = project(&["test_one", "test_two"]);
        let mut seen = BTreeSet::new();
        for seed in 0..200 {
            let drawn = project.drawn(4, &mut TaskRng::new([seed; 32]));
            let paths: BTreeSet<String> = drawn.iter().flat_map(|one| one.paths.clone()).collect();
            let count: usize = drawn.iter().map(|one| one.paths.len()).sum();
            assert_eq!((drawn.len(), paths.len()), (4, count), "seed {seed}");
            seen.extend(drawn.iter().map(|one| one.name));
        }
        assert_eq!(seen.len(), KINDS.len(), "{seen:?}");
    }

    #[test]
    fn there_is_no_filter_without_a_module_for_it() {
        let project = project(&[]);
        let mut all = (0..200).flat_map(|seed| project.drawn(4, &mut TaskRng::new([seed; 32])));
        assert!(all.all(|drawn| drawn.name != "left-filter"));
    }
}
