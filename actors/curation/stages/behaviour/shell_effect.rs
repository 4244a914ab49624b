//! What a command does to files, as far as its words tell: it only looks, it changes files, or nobody
//! knows without running it. A program that is not known to either list may do anything.

use super::shell_words::ShellCommand;

/// What an action does to the files of the task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::curation) enum ActionEffect {
    /// It cannot change a file.
    Looks,
    /// It may change files.
    Unknown,
    /// It changes files by what it is.
    Changes,
}

/// Programs that show something and write no file.
const LOOKING: &str = "\
    : [ [[ ag alias awk basename break cal cat cd cksum cmp column comm continue cut date df \
    diff dirname du echo egrep exit export expr false fgrep file find fold for free getconf \
    grep groups head help hexdump hostname id jobs join jq less local locale ls lsof md5sum \
    man more nl nproc od paste popd printenv printf ps pushd pwd read readlink realpath \
    return rev rg sed select seq set sha1sum sha256sum shift sleep sort ss stat strings tac \
    tail test top tr trap tree true type ulimit uname uniq unset uptime wait wc whereis \
    which who whoami xxd zcat";
/// Programs that write files, and name them.
const CHANGING: &str =
    "chgrp chmod chown cp dd install ln mkdir mv rm rmdir shred tee touch truncate unlink";
/// Programs that write files without naming them.
const PATCHING: &str = "ed ex patch unzip";
/// Commands of git that write no file of the work.
const GIT_LOOKING: &str = "\
    blame cat-file check-ignore count-objects describe diff fsck for-each-ref grep help log \
    ls-files ls-tree merge-base name-rev reflog rev-list rev-parse shortlog show show-ref \
    status version whatchanged";
/// Commands of git that write files of the work or of its history.
const GIT_CHANGING: &str = "\
    add am apply checkout cherry-pick clean clone commit gc init merge mv pull rebase reset \
    restore revert rm switch";
/// Interpreters that take a program as a word or as input.
const INTERPRETERS: &str = "python python3 node perl ruby php";
/// What programs of these languages write files with.
const WRITING: &[&str] = &[
    "write_text(",
    "write_bytes(",
    "writeFile",
    "appendFile",
    "os.remove(",
    "os.rename(",
    "os.unlink(",
    "os.replace(",
    "shutil.",
    "File.write(",
    "file_put_contents(",
];
/// How a file that is opened is written.
const WRITING_MODES: &[&str] =
    &["'w", "\"w", "'a'", "\"a\"", "'r+", "\"r+", "'x'", "\"x\"", "'>", "\">"];
/// Options of `find` that do more than look.
const FIND_ACTIONS: &str = "-delete -exec -execdir -ok -okdir -fprint -fprintf";
/// What an awk program does more than look with.
const AWK_ACTIONS: &[&str] = &[">\"", "> \"", "system("];

/// What a script does, from a working directory.
pub(in crate::curation) fn script_effect(commands: &[ShellCommand], cwd: &str) -> ActionEffect {
    let mut scratch = is_scratch(cwd);
    let mut effect = ActionEffect::Looks;
    for command in commands {
        if command.program() == "cd" {
            let to = command.plain().next().unwrap_or_default();
            scratch = is_scratch(to) || scratch && !to.starts_with('/');
        }
        effect = effect.max(command_effect(command, scratch));
    }
    effect
}

/// What one command does. `scratch`: its directory is none of the task's.
fn command_effect(command: &ShellCommand, scratch: bool) -> ActionEffect {
    let written = command.written.iter().map(|path| path_effect(path, scratch));
    let written = written.max().unwrap_or(ActionEffect::Looks);
    written.max(program_effect(command, scratch))
}

fn program_effect(command: &ShellCommand, scratch: bool) -> ActionEffect {
    let program = command.program();
    if is_in_place(command) || lists(CHANGING, program) {
        let paths = changed_paths(command).into_iter().map(|path| path_effect(path, scratch));
        return paths.max().unwrap_or(ActionEffect::Unknown);
    }
    match program {
        "git" => git_effect(command),
        "find" if command.arguments().iter().any(|word| lists(FIND_ACTIONS, word)) => {
            ActionEffect::Unknown
        }
        "sort" if command.arguments().iter().any(|word| word.starts_with("-o")) => {
            ActionEffect::Unknown
        }
        "awk" if command.arguments().iter().any(|word| has_any(word, AWK_ACTIONS)) => {
            ActionEffect::Unknown
        }
        program if program.is_empty() || lists(LOOKING, program) => ActionEffect::Looks,
        program if lists(PATCHING, program) => ActionEffect::Changes,
        program if lists(INTERPRETERS, program) && writes(command) => ActionEffect::Changes,
        _ => ActionEffect::Unknown,
    }
}

/// The command of git, and the words behind it.
pub(in crate::curation) fn git_command(command: &ShellCommand) -> (&str, &[String]) {
    let words = command.arguments();
    let mut at = 0;
    while let Some(word) = words.get(at) {
        match word.as_str() {
            "-C" | "-c" | "--git-dir" | "--work-tree" => at += 2,
            option if option.starts_with('-') => at += 1,
            name => return (name, words.get(at + 1..).unwrap_or_default()),
        }
    }
    ("", &[])
}

fn git_effect(command: &ShellCommand) -> ActionEffect {
    let (name, rest) = git_command(command);
    let only_options = rest.iter().all(|word| word.starts_with('-'));
    match name {
        name if name.is_empty() || lists(GIT_LOOKING, name) => ActionEffect::Looks,
        "branch" | "tag" | "remote" if only_options => ActionEffect::Looks,
        "stash" if rest.first().is_some_and(|word| word == "list" || word == "show") => {
            ActionEffect::Looks
        }
        "stash" => ActionEffect::Changes,
        name if lists(GIT_CHANGING, name) => ActionEffect::Changes,
        _ => ActionEffect::Unknown,
    }
}

/// Whether the program of an interpreter writes files.
fn writes(command: &ShellCommand) -> bool {
    let writes = |text: &String| has_any(text, WRITING) || text.contains("open(") && has_mode(text);
    command.arguments().iter().any(writes) || writes(&command.input)
}

/// Whether a text has a mode that writes where a mode stands: behind a comma or `=`. So the name of a file
/// is none.
fn has_mode(text: &str) -> bool {
    WRITING_MODES.iter().any(|mode| {
        text.match_indices(mode).any(|(at, _)| {
            let before = text.get(..at).unwrap_or_default().trim_end();
            before.ends_with([',', '='])
        })
    })
}

/// Whether a word is in a list of words.
pub(in crate::curation) fn lists(words: &str, word: &str) -> bool {
    words.split_ascii_whitespace().any(|listed| listed == word)
}

/// Whether a text has one of these.
pub(in crate::curation) fn has_any(text: &str, parts: &[&str]) -> bool {
    parts.iter().any(|part| text.contains(part))
}

/// Whether `sed` or `perl` writes into the files that it reads.
fn is_in_place(command: &ShellCommand) -> bool {
    let flagged = |word: &String| match word.strip_prefix('-') {
        Some(long) if long.starts_with('-') => long.starts_with("-in-place"),
        Some(flags) => !flags.starts_with(['M', 'I']) && flags.contains('i'),
        None => false,
    };
    matches!(command.program(), "sed" | "perl") && command.arguments().iter().any(flagged)
}

/// The paths that a command writes or removes by its words. Paths of redirections are not among them.
pub(in crate::curation) fn changed_paths(command: &ShellCommand) -> Vec<&str> {
    let plain = command.plain();
    match command.program() {
        "rm" | "rmdir" | "mkdir" | "touch" | "truncate" | "tee" | "unlink" | "shred" | "mv" => {
            plain.collect()
        }
        "chmod" | "chown" | "chgrp" => plain.skip(1).collect(),
        "cp" | "ln" | "install" => plain.last().into_iter().collect(),
        "dd" => plain.filter_map(|word| word.strip_prefix("of=")).collect(),
        // The first word is the program, or each word behind such an option is a part of it.
        "sed" | "perl" if is_in_place(command) => {
            let is_program = |word: &&String| matches!(word.as_str(), "-e" | "-f");
            let programs = command.arguments().iter().filter(is_program).count();
            plain.skip(programs.max(1)).collect()
        }
        _ => Vec::new(),
    }
}

/// What writing a path does to the files of the task.
fn path_effect(path: &str, scratch: bool) -> ActionEffect {
    if is_scratch(path) {
        return ActionEffect::Looks;
    }
    match path.chars().next() {
        None | Some('$') => ActionEffect::Unknown,
        Some('/') => ActionEffect::Changes,
        Some(_) if scratch => ActionEffect::Looks,
        Some(_) => ActionEffect::Changes,
    }
}

/// Whether a path is none of the task's: what is written there is thrown away.
fn is_scratch(path: &str) -> bool {
    ["/tmp", "/var/tmp", "/dev"].iter().any(|scratch| {
        path.strip_prefix(scratch).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

#[cfg(test)]
mod tests {
    use super::super::shell_words::shell_commands;
    use super::*;

    #[test]
    fn words_tell_what_a_script_does() {
        use ActionEffect::{Changes, Looks, Unknown};
        for (script, expected) in [
            ("ls -la && cat a.py | head -n 20", Looks),
            ("grep -rn 'rm -rf' . 2>/dev/null", Looks),
            ("find . -name '*.py'", Looks),
            ("find . -name '*.pyc' -delete", Unknown),
            ("git log --oneline; git status; git diff HEAD", Looks),
            ("git stash", Changes),
            ("git commit -qam done", Changes),
            ("git branch", Looks),
            ("git branch other", Unknown),
            ("sed -n 1,20p a.py", Looks),
            ("sed -i 's/a/b/' a.py", Changes),
            ("sed -i.bak -e s/a/b/ /tmp/x", Looks),
            ("echo x > a.txt", Changes),
            ("echo x > /tmp/a.txt; cd /tmp && touch b; rm -r /tmp/b", Looks),
            ("cd /tmp; cd /srv && touch b", Changes),
            ("cp a.py /tmp/kept.py", Looks),
            ("mv a.py /tmp/kept.py", Changes),
            ("rm \"$f\"", Unknown),
            ("echo y > \"$out\"", Unknown),
            ("python3 -m pytest -q", Unknown),
            ("python3 - <<'E'\nopen('a', 'w').write('x')\nE", Changes),
            ("python3 - <<'E'\nprint(open('a').read())\nE", Unknown),
            ("python3 - <<'E'\nprint(open('words', 'r').read())\nE", Unknown),
            ("make", Unknown),
            ("tee a.txt < b", Changes),
            ("X=1", Looks),
        ] {
            assert_eq!(script_effect(&shell_commands(script), "/workspace"), expected, "{script}");
        }
        assert_eq!(script_effect(&shell_commands("touch a"), "/tmp/x"), Looks);
    }
}
