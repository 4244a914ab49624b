//! The packages of Debian that have the programs which templates require.

/// Programs and their packages, separated by spaces.
const PACKAGES: [(&str, &str); 45] = [
    ("ar", "binutils"),
    ("awk", "mawk"),
    ("bash", "bash"),
    ("bc", "bc"),
    ("cargo", "cargo"),
    ("cc", "gcc libc6-dev"),
    ("cmp", "diffutils"),
    ("curl", "curl"),
    ("diff", "diffutils"),
    ("file", "file"),
    ("find", "findutils"),
    ("flock", "util-linux"),
    ("g++", "g++"),
    ("gawk", "gawk"),
    ("gcc", "gcc libc6-dev"),
    ("gdb", "gdb"),
    ("git", "git"),
    ("go", "golang-go"),
    ("grep", "grep"),
    ("gzip", "gzip"),
    ("jq", "jq"),
    ("make", "make"),
    ("nm", "binutils"),
    ("node", "nodejs"),
    ("npm", "npm"),
    ("objdump", "binutils"),
    ("openssl", "openssl"),
    ("patch", "patch"),
    ("perl", "perl"),
    ("pgrep", "procps"),
    ("ps", "procps"),
    ("pytest", "python3-pytest"),
    ("python3", "python3"),
    ("rsync", "rsync"),
    ("rustc", "rustc"),
    ("sed", "sed"),
    ("sh", "dash"),
    ("sqlite3", "sqlite3"),
    ("tar", "tar"),
    ("unzip", "unzip"),
    ("xargs", "findutils"),
    ("xxd", "xxd"),
    ("xz", "xz-utils"),
    ("zip", "zip"),
    ("zstd", "zstd"),
];

/// Programs of the package `coreutils`, separated by spaces.
const COREUTILS: &str = "basename cat chmod chown cksum comm cp cut date dd df dirname du env \
    expand expr fold head id install join ln ls md5sum mkdir mkfifo mktemp mv nl od paste printf \
    readlink realpath rm rmdir seq sha1sum sha256sum shuf sleep sort split stat stdbuf tac tail tee \
    timeout touch tr truncate uniq wc";

/// The packages of a program. None if they are not known.
pub(super) fn package_of(program: &str) -> Option<&'static str> {
    if COREUTILS.split_whitespace().any(|name| name == program) {
        return Some("coreutils");
    }
    PACKAGES.iter().find(|(name, _)| *name == program).map(|(_, packages)| *packages)
}
