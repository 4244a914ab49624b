//! What can be broken in a task of the kind `environment` if the tests are cases: files around a project that
//! build its program and run its cases. Each breakage alone keeps the cases from running whole.

use super::pack_breakages::BreakageForm::{Added, Link, Mark, Mode, Newlines, Text};
use super::pack_breakages::{
    BreakageKind, COMMAND, COPIES, LOCK, SETTINGS, SuiteForm, SuiteProject, VARIABLES,
};
use crate::pack::{PackTest, ProjectPack, command_file};
use std::collections::BTreeSet;

/// The words of the program, and those of the command that builds it, a word a line.
const PROGRAM: &str = "tools/program";
const BUILD: &str = "tools/build";
/// What runs the cases. It is right in every task.
pub(super) const CASE_SUITE_FILE: &str = "tools/suite.sh";
/// The place of files that stand in front of the project's own Makefile.
const MAKEFILES: &str = "makefiles";
/// The file that tells `make` what to do, in a project that has no other.
const MAKEFILE: &str = "Makefile";

/// What runs cases.
pub(super) static CASE_SUITE: SuiteForm = SuiteForm {
    files: &[
        (COMMAND, include_str!("../pack/environment/case-run-tests.sh"), 0o755),
        (VARIABLES, include_str!("../pack/environment/case-env.sh"), 0o644),
        (SETTINGS, include_str!("../pack/environment/case-suite.cfg"), 0o644),
        (CASE_SUITE_FILE, include_str!("../pack/environment/case-suite.sh"), 0o644),
        (PROGRAM, "@run@", 0o644),
        (BUILD, "@build@", 0o644),
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
            right: "exec sh tools/suite.sh \"$@\"\n",
            wrong: &[
                "exec @old@/bin/sh tools/suite.sh \"$@\"\n",
                "exec \"$SUITE_SHELL\" tools/suite.sh \"$@\"\n",
                "exec sh tools/run_suite.sh \"$@\"\n",
                "exec sh @old@/@name@/tools/suite.sh \"$@\"\n",
            ],
        },
        think: "What the command starts is not there.",
    },
    BreakageKind {
        name: "tight-limit",
        place: VARIABLES,
        form: Text {
            right: "export LC_ALL TZ\n",
            wrong: &["export LC_ALL TZ\nulimit -n 3\n", "export LC_ALL TZ\nulimit -f 0\n"],
        },
        think: "A limit leaves the cases no room.",
    },
    BreakageKind {
        name: "lost-programs",
        place: VARIABLES,
        form: Text {
            right: "export LC_ALL TZ\n",
            wrong: &[
                "PATH=@old@/bin\nexport LC_ALL TZ PATH\n",
                "export LC_ALL TZ\nPATH=@old@/bin:@old@/tools\n",
            ],
        },
        think: "Programs are looked for where none are.",
    },
    BreakageKind {
        name: "lost-scratch",
        place: VARIABLES,
        form: Text {
            right: "export LC_ALL TZ\n",
            wrong: &[
                "TMPDIR=@old@/tmp\nexport LC_ALL TZ TMPDIR\n",
                "export LC_ALL TZ\nexport TMPDIR=@old@/@name@\n",
            ],
        },
        think: "Files that are soon gone have no place.",
    },
    BreakageKind {
        name: "wrong-start",
        place: SETTINGS,
        form: Text {
            right: "cases=@tests@/cases\n",
            wrong: &[
                "cases=@tests@/case\n",
                "cases=spec/cases\n",
                "cases=@old@/@name@/@tests@/cases\n",
            ],
        },
        think: "The cases are looked for in another directory.",
    },
    BreakageKind {
        name: "left-filter",
        place: SETTINGS,
        form: Text { right: "only=\n", wrong: &["only=@module@\n"] },
        think: "Somebody has left a filter: not all of the cases run.",
    },
    BreakageKind {
        name: "bad-setting",
        place: SETTINGS,
        form: Text {
            right: "title=@name@: all cases\n",
            wrong: &[
                "titel=@name@: all cases\n",
                "title = @name@: all cases\n",
                "<<<<<<< @host@\ntitle=@name@: all cases\n",
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
        name: "settings-with-returns",
        place: SETTINGS,
        form: Newlines,
        think: "The lines of the settings end with carriage returns.",
    },
    BreakageKind {
        name: "dangling-link",
        place: SETTINGS,
        form: Link,
        think: "The settings are a link that leads nowhere; the file lies beside it.",
    },
    BreakageKind {
        name: "wrong-words",
        place: PROGRAM,
        form: Text { right: "@run@", wrong: &["@old@/@name@/@run@", "@run@--all\n"] },
        think: "These are not the words of the program.",
    },
    BreakageKind {
        name: "words-with-returns",
        place: PROGRAM,
        form: Newlines,
        think: "The words of the program end with carriage returns.",
    },
    BreakageKind {
        name: "wrong-build",
        place: BUILD,
        form: Text { right: "@build@", wrong: &["@old@/bin/@build@", "@build@--version\n"] },
        think: "This command does not build the program.",
    },
    BreakageKind {
        name: "build-with-returns",
        place: BUILD,
        form: Newlines,
        think: "The words of the build end with carriage returns.",
    },
    BreakageKind {
        name: "shadowing-makefile",
        place: MAKEFILES,
        form: Added {
            paths: &["GNUmakefile", "makefile"],
            contents: &[
                "# From the backup of @host@.\nall:\n\ttrue\n",
                "# Release @number@ is built on @host@ alone.\nall: ;\n",
            ],
        },
        think: "`make` reads this file in the place of the project's own, and builds nothing.",
    },
    BreakageKind {
        name: "stale-copy",
        place: COPIES,
        form: Added {
            paths: &["tools/local/@file@"],
            contents: &[
                "#!/bin/sh\n# As of release 0.@number@.\necho \"release 0.@number@\"\n",
                "#!/bin/sh\necho \"use the one of @host@\" >&2\nexit 1\n",
                "",
            ],
        },
        think: "An old copy of the program is found first.",
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

/// The project of a pack with cases, as far as its names stand in the files around it. `tests` is the directory
/// of its tests.
pub(super) fn case_project(pack: &ProjectPack, tests: &str) -> SuiteProject {
    let head = &pack.head;
    let program = head.run.last().map_or("", |word| word.strip_prefix("./").unwrap_or(word));
    let has_make = head.build.first().is_some_and(|word| word == "make");
    let has_other = ["GNUmakefile", "makefile"].iter().any(|path| pack.text(path).is_some());
    let mut unbroken = Vec::new();
    if head.build.is_empty() {
        unbroken.push(BUILD);
    }
    if !has_make || has_other || pack.text(MAKEFILE).is_none() {
        unbroken.push(MAKEFILES);
    }
    SuiteProject {
        form: &CASE_SUITE,
        name: head.name.clone(),
        package: head.source.first().cloned().unwrap_or_default(),
        tests: tests.to_owned(),
        modules: filters(&pack.tests),
        more: vec![
            ("@run@", command_file(&head.run)),
            ("@build@", command_file(&head.build)),
            ("@file@", program.to_owned()),
        ],
        unbroken,
    }
}

/// First words of the names of cases, each of which leaves out some case as a filter.
fn filters(tests: &[PackTest]) -> Vec<String> {
    let names: Vec<&str> = tests.iter().map(|test| test.name.as_str()).collect();
    let first = |name: &&str| name.split(['-', '_']).next().unwrap_or_default().to_owned();
    let words: BTreeSet<String> = names.iter().map(first).collect();
    let leaves_out =
        |word: &String| !word.is_empty() && names.iter().any(|name| !name.contains(word.as_str()));
    words.into_iter().filter(leaves_out).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pack::case_tests::parts;
    use crate::task::draw::TaskRng;
    use crate::task::pack_breakages::filled;

    /// A project that is built with `make`.
    fn project() -> SuiteProject {
        let mut pack = ProjectPack::read(parts()).unwrap();
        pack.head.build = vec!["make".to_owned()];
        SuiteProject { unbroken: Vec::new(), ..case_project(&pack, "tests") }
    }

    #[test]
    fn every_wrong_text_replaces_one_place_of_the_file_that_works() {
        let project = project();
        let words = project.words(&mut TaskRng::new([7; 32]));
        let healthy = project.healthy();
        for kind in &KINDS {
            let Text { right, wrong } = &kind.form else { continue };
            let file = healthy.iter().find(|file| file.path == kind.place).unwrap();
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
    fn all_kinds_are_drawn_at_different_places() {
        let project = project();
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
    fn nothing_is_broken_that_the_project_does_not_have() {
        let project = case_project(&ProjectPack::read(parts()).unwrap(), "tests");
        assert!(project.healthy().iter().all(|file| file.path != BUILD), "nothing is built");
        let all = (0..200).flat_map(|seed| project.drawn(4, &mut TaskRng::new([seed; 32])));
        let names: BTreeSet<&str> = all.map(|drawn| drawn.name).collect();
        for name in ["wrong-build", "build-with-returns", "shadowing-makefile"] {
            assert!(!names.contains(name), "{name}");
        }
        assert!(names.contains("wrong-words") && names.contains("left-filter"), "{names:?}");
    }
}
