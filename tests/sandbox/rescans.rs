//! Scans of a large workspace look only at what the kernel says was written. They must report what
//! a look at everything reports, whatever a program does.

use super::lab::{ENDS_BY_ITSELF, Lab, ok, run, run_python};
use crate::support::skip;
use synthd_actors::model::{ExecEnd, ExecReport, FileChangeKind, WorkspaceChange, WorkspaceScan};
use synthd_actors::ports::Sandbox;

/// 20 directories with 30 empty files each, and one file with content.
const TREE: &str = "for d in $(seq 20); do mkdir d$d; (cd d$d; seq 30 | sed s/^/f/ | xargs touch); done; \
    printf a > d1/full";

const TOOLS: &str = r"
import ctypes, mmap, os, random, shutil, socket
libc = ctypes.CDLL(None, use_errno=True)
OMIT = (1 << 30) - 2
def append(path):
    with open(path, 'a') as file:
        file.write('x')
def exchange(one, other):
    if libc.renameat2(-100, one.encode(), -100, other.encode(), 2) != 0:
        raise OSError(ctypes.get_errno(), one)
def set_times(path, access, modification):
    times = (ctypes.c_long * 4)(5, access, 5, modification)
    if libc.utimensat(-100, path.encode(), times, 0) != 0:
        raise OSError(ctypes.get_errno(), path)
";

/// A sandbox whose workspace is large, and watched if the host lets it be.
async fn large(lab: &Lab) -> Box<dyn Sandbox> {
    let mut sandbox = lab.sandbox().await;
    ok(&mut *sandbox, TREE).await;
    ok(&mut *sandbox, "true").await;
    sandbox
}

/// The scan of a report, after a look at everything has found nothing else.
async fn checked(sandbox: &mut dyn Sandbox, report: ExecReport) -> WorkspaceScan {
    assert_eq!(report.end, ExecEnd::Exited(0), "{report:?}");
    let scan = report.scan.unwrap();
    // While a process is alive, a scan believes no events.
    let all = run(sandbox, "sleep 1000 & echo $! > /tmp/sleeper").await.scan.unwrap();
    assert!(all.changes.is_empty(), "{:?} were missed by {scan:?}", all.changes);
    assert_eq!((all.digest, &all.files), (scan.digest, &scan.files));
    let end = "read pid < /tmp/sleeper; kill $pid; while kill -0 $pid 2> /dev/null; do :; done";
    ok(sandbox, end).await;
    scan
}

fn line(change: &WorkspaceChange) -> String {
    let kind = match change.kind {
        FileChangeKind::Added => '+',
        FileChangeKind::Modified => '~',
        FileChangeKind::Removed => '-',
    };
    format!("{kind}{} {}", change.path, change.size)
}

/// The changes of a command, each as one line.
async fn changes(sandbox: &mut dyn Sandbox, command: &str) -> Vec<String> {
    let report = run(sandbox, command).await;
    checked(sandbox, report).await.changes.iter().map(line).collect()
}

/// The changes of a Python program. None: there is no Python inside.
async fn changes_of(sandbox: &mut dyn Sandbox, program: &str) -> Option<Vec<String>> {
    let program = format!("{TOOLS}{program}");
    let report = run_python(sandbox, "scans of what was written", &program, ENDS_BY_ITSELF).await?;
    Some(checked(sandbox, report).await.changes.iter().map(line).collect())
}

/// Whether the user of these tests may watch as many directories as the tests have.
fn may_watch() -> bool {
    let limit = |name: &str| {
        let text = std::fs::read_to_string(format!("/proc/sys/fs/inotify/{name}")).unwrap();
        text.trim().parse::<usize>().unwrap()
    };
    limit("max_user_watches") / limit("max_user_instances").max(1) >= 32
}

/// A look at a directory sets its access time, if that is not later than its modification time.
const OLDER: &str =
    "import os\nfacts = os.stat('d1')\nprint(facts.st_atime_ns < facts.st_mtime_ns)";
/// Makes the modification time of a directory later than its access time.
const YOUNGER: &str = "import os
n = 0
while True:
    n += 1
    open(f'd1/new{n}', 'w').close()
    if os.stat('d1').st_mtime_ns > os.stat('d1').st_atime_ns:
        break";

#[tokio::test]
async fn a_directory_in_which_a_file_was_made_is_not_read() {
    if !may_watch() {
        return skip("scans of what was written", "this user has too few watches of inotify");
    }
    let lab = Lab::new().await;
    let mut sandbox = large(&lab).await;
    let what = "scans of what was written";
    let Some(made) = run_python(&mut *sandbox, what, YOUNGER, ENDS_BY_ITSELF).await else { return };
    let changes = made.scan.unwrap().changes;
    assert!(changes.iter().any(|change| line(change) == "+d1/new1 0"), "{changes:?}");
    let told = run_python(&mut *sandbox, what, OLDER, ENDS_BY_ITSELF).await.unwrap();
    assert_eq!(told.stdout.text(), "True\n", "the scan has read the directory");
    ok(&mut *sandbox, "sleep 1000 &").await;
    let told = run_python(&mut *sandbox, what, OLDER, ENDS_BY_ITSELF).await.unwrap();
    assert_eq!(told.stdout.text(), "False\n", "a process was alive, and events were believed");
}

#[tokio::test]
async fn what_was_written_is_told_in_a_large_workspace() {
    let lab = Lab::new().await;
    let mut sandbox = large(&lab).await;
    assert_eq!(changes(&mut *sandbox, "true").await, [""; 0]);
    let write = "echo c > c; echo a > d2/f1; cat d3/f3";
    assert_eq!(changes(&mut *sandbox, write).await, ["+c 2", "~d2/f1 2"]);
    let replace = "rm d2/f2; echo new > d2/s; mv d2/s d2/f3; mv c d3/c";
    let told = ["-c 0", "-d2/f2 0", "~d2/f3 4", "+d3/c 2"];
    assert_eq!(changes(&mut *sandbox, replace).await, told);
    // Written again with what it held.
    assert_eq!(changes(&mut *sandbox, "echo a > d2/f1").await, [""; 0]);
    assert_eq!(changes(&mut *sandbox, "chmod +x d2/f1").await, ["~d2/f1 2"]);
    let directories = "mkdir -p n/m; echo 1 > n/m/f; rm -r d20; mv d19 d21";
    let told = changes(&mut *sandbox, directories).await;
    assert_eq!(told.len(), 30 + 60 + 1);
    assert_eq!(changes(&mut *sandbox, "echo 12 > n/m/f").await, ["~n/m/f 3"]);
    let replaced = "rm d2/f1 && ln -s /etc/passwd d2/f1 && mkfifo pipe";
    assert_eq!(changes(&mut *sandbox, replaced).await, ["-d2/f1 0"]);
}

/// Programs that try to keep a change from the events, and what is told all the same.
const SLY: [(&str, &[&str]); 14] = [
    // Under another name, which is gone again.
    ("os.link('d1/f1', 'd2/b'); append('d2/b'); os.unlink('d2/b')", &["~d1/f1 1"]),
    (
        "os.link('d1/f2', 'd2/b'); exchange('d2/b', 'd2/f9'); append('d2/f9'); os.unlink('d2/f9')",
        &["~d1/f2 1", "+d2/b 0", "-d2/f9 0"],
    ),
    (
        "os.mkdir('n'); os.link('d1/f3', 'n/b'); append('n/b'); os.unlink('n/b'); os.rmdir('n')",
        &["~d1/f3 1"],
    ),
    (
        "os.link('d1/f4', 'd2/c'); file = os.open('d2/c', os.O_WRONLY); os.unlink('d2/c'); \
         os.write(file, b'x')",
        &["~d1/f4 1"],
    ),
    (
        "os.link('d1/f5', 'd2/c'); os.rename('d2/c', 'd2/d'); append('d2/d'); \
         os.rename('d2/f8', 'd2/d')",
        &["~d1/f5 1", "+d2/d 0", "-d2/f8 0"],
    ),
    // In memory, by a file that is kept open without a process.
    (
        "file = os.open('d1/full', os.O_RDWR); memory = mmap.mmap(file, 1); \
         one, other = socket.socketpair(); \
         socket.send_fds(one, [b'x'], [file, one.fileno(), other.fileno()]); \
         memory[0] = 66; os._exit(0)",
        &["~d1/full 1"],
    ),
    // Behind more events than the kernel keeps.
    (
        "[os.truncate(f'd1/f{6 + n % 2}', 0) for n in range(20_000)]; os.truncate('d1/f8', 3)",
        &["~d1/f8 3"],
    ),
    // In a directory that is elsewhere or closed meanwhile.
    ("os.rename('d3', 'e'); append('e/f1'); os.rename('e', 'd3')", &["~d3/f1 1"]),
    ("os.chmod('d3', 0o311); append('d3/f2'); os.chmod('d3', 0o755)", &["~d3/f2 1"]),
    (
        "os.mkdir('n'); os.rename('d3/f3', 'n/x'); append('n/x'); os.rename('n/x', 'd3/f3'); \
         os.rmdir('n')",
        &["~d3/f3 1"],
    ),
    // With the time that the file had, or with nothing but a time.
    (
        "facts = os.stat('d1/full'); open('d1/full', 'w').write('C'); \
         os.utime('d1/full', ns=(facts.st_atime_ns, facts.st_mtime_ns))",
        &["~d1/full 1"],
    ),
    ("set_times('d3/f5', 0, OMIT)", &["~d3/f5 0"]),
    ("set_times('d3/f6', OMIT, 0)", &["~d3/f6 0"]),
    ("exchange('d3/f7', 'd4/f7')", &["~d3/f7 0", "~d4/f7 0"]),
];

#[tokio::test]
async fn a_program_cannot_hide_what_it_writes() {
    let lab = Lab::new().await;
    let mut sandbox = large(&lab).await;
    for (program, told) in SLY {
        let Some(found) = changes_of(&mut *sandbox, program).await else { return };
        assert_eq!(found, told, "{program}");
    }
}

#[tokio::test]
async fn a_file_with_two_names_is_told_under_both() {
    let lab = Lab::new().await;
    let mut sandbox = large(&lab).await;
    let linked = changes(&mut *sandbox, "ln d5/f1 d6/l").await;
    assert_eq!(linked, ["~d5/f1 0", "+d6/l 0"]);
    assert_eq!(changes(&mut *sandbox, "echo x >> d6/l").await, ["~d5/f1 2", "~d6/l 2"]);
    // The name of a file that has two is given to another file that gets two by it.
    let moved = "rm d6/l; ln d5/f2 d6/l; echo y >> d6/l";
    assert_eq!(changes(&mut *sandbox, moved).await, ["~d5/f2 2", "~d6/l 2"]);
    assert_eq!(changes(&mut *sandbox, "rm d6/l").await, ["-d6/l 0"]);
}

/// A process that is alive at a scan may write later without opening anything.
#[tokio::test]
async fn a_file_that_was_open_at_a_scan_is_told_when_it_is_written() {
    let lab = Lab::new().await;
    let mut sandbox = large(&lab).await;
    let keeps = "(exec 3>> d7/f1; : > /tmp/open; until [ -e /tmp/go ]; do :; done; \
        echo x >&3; : > /tmp/done) & until [ -e /tmp/open ]; do :; done";
    assert_eq!(changes(&mut *sandbox, keeps).await, [""; 0]);
    let writes = ": > /tmp/go; until [ -e /tmp/done ]; do :; done";
    assert_eq!(changes(&mut *sandbox, writes).await, ["~d7/f1 2"]);
    // The open file has lost its second name, which another file has got.
    let keeps = "rm /tmp/open /tmp/go /tmp/done; ln d7/f2 d7/b; \
        (exec 3>> d7/b; rm d7/b; : > /tmp/open; until [ -e /tmp/go ]; do :; done; \
        echo x >&3; : > /tmp/done) & until [ -e /tmp/open ]; do :; done";
    assert_eq!(changes(&mut *sandbox, keeps).await, ["~d7/f2 0"]);
    let writes = "echo other > d7/b; : > /tmp/go; until [ -e /tmp/done ]; do :; done";
    assert_eq!(changes(&mut *sandbox, writes).await, ["+d7/b 6", "~d7/f2 2"]);
}

/// Some operations by chance: plain ones, with further names of files, or with changes of
/// directories too.
const CHANCE: &str = r#"
def below():
    return [f'{where}/{name}' for where, names, _ in os.walk('.') for name in names]
def directory():
    return random.choice(below())
def file():
    return random.choice([f'{where}/{name}' for where, _, names in os.walk('.') for name in names])
def name():
    return f'{random.choice(["."] + below())}/{random.choice("abcde")}{random.randrange(5)}'
def write(path, how):
    with open(path, how) as out:
        out.write('y' * random.randrange(9))
def in_memory(path):
    with open(path, 'r+b') as out:
        os.ftruncate(out.fileno(), 4096)
        mmap.mmap(out.fileno(), 4096)[random.randrange(4096)] = 1
def alias(path, other):
    os.link(path, other)
    append(other)
    os.unlink(other)
def for_a_time(path):
    write(path, 'x')
    os.unlink(path)
def replace(path):
    shutil.copytree(path, 'copy', symlinks=True)
    shutil.rmtree(path)
    os.rename('copy', path)
PLAIN = [
    lambda: write(file(), 'w'), lambda: append(file()), lambda: write(name(), 'w'),
    lambda: in_memory(file()), lambda: os.truncate(file(), random.randrange(9)),
    lambda: os.unlink(file()), lambda: os.rename(file(), name()), lambda: os.rename(file(), file()),
    lambda: exchange(file(), file()), lambda: os.symlink(file(), name()),
    lambda: os.chmod(file(), random.choice([0o600, 0o644, 0o755])), lambda: os.utime(file(), (1, 1)),
    lambda: set_times(file(), 0, OMIT), lambda: set_times(file(), OMIT, 0),
    lambda: open(file()).close(), lambda: os.listdir(directory()),
]
LINKS = PLAIN + 4 * [
    lambda: os.link(file(), name()), lambda: alias(file(), name()), lambda: for_a_time(name()),
]
ALL = LINKS + [
    lambda: os.mkdir(name()), lambda: shutil.rmtree(directory()), lambda: os.utime(directory(), (1, 1)),
    lambda: os.rename(directory(), name()), lambda: exchange(directory(), file()),
    lambda: exchange(directory(), directory()), lambda: replace(directory()),
    lambda: os.chmod(directory(), random.choice([0o700, 0o755])),
]
for _ in range(random.randint(1, 16)):
    try:
        random.choice(OPERATIONS)()
    except OSError:
        pass
"#;

#[tokio::test]
async fn what_was_written_by_chance_is_told_as_a_look_at_everything_tells_it() {
    let lab = Lab::new().await;
    let mut sandbox = large(&lab).await;
    for seed in 0..120_usize {
        if seed % 15 == 14 {
            // Some operations remove whole directories, and only a large workspace is watched.
            sandbox = large(&lab).await;
        }
        let operations = ["PLAIN", "LINKS", "ALL"][seed % 3];
        let program = CHANCE.replace("OPERATIONS", operations);
        let program = format!("random.seed({seed}){program}");
        if changes_of(&mut *sandbox, &program).await.is_none() {
            return;
        }
    }
}
