//! Hosts outside of the sandbox. A host counts if the command names it and it is a public one; what only
//! a variable names is not known. Hosts of the instruction belong to the task.

use super::super::behaviour::{ShellCommand, git_command, has_any, lists};
use super::scope::MeansScope;

/// Programs that fetch addresses.
const FETCHING: &str = "curl wget aria2c lynx w3m http https";
/// Programs that connect to a host that is a word of its own.
const CONNECTING: &str = "ssh scp sftp rsync nc ncat netcat telnet ping dig nslookup";
/// Those whose words are files as well.
const COPYING: &str = "scp sftp rsync";
/// Options of these programs whose next word is their value.
const VALUED: [&str; 8] = ["-i", "-F", "-o", "-p", "-P", "-l", "-c", "-w"];
/// Commands of git that connect to an address.
const GIT_REMOTE: &str = "clone fetch pull ls-remote push submodule remote";
/// Interpreters, and what their programs fetch with.
const INTERPRETERS: &str = "python python3 node perl ruby php";
const FETCHING_CALLS: [&str; 9] = [
    "urlopen(",
    "urlretrieve(",
    "requests.",
    "httpx.",
    "aiohttp.",
    "fetch(",
    "http.get(",
    "https.get(",
    "Net::HTTP",
];
/// Package managers with the words that install or load.
const MANAGERS: &str = "pip pip3 npm yarn pnpm cargo go apt apt-get apk gem dnf yum conda uv brew";
const INSTALLING: &str = "install add get i ci wheel fetch update";
/// Options and words that keep a package manager from its index.
const LOCAL_INSTALLS: &str = "--no-index --offline . -e --editable";
/// Top-level domains that no public host has.
const PRIVATE_DOMAINS: &str =
    "local localhost localdomain internal test example invalid lan home arpa";

/// What a command tries to reach. None if it tries nothing, and if nobody knows.
pub(super) fn found(command: &ShellCommand, scope: &MeansScope<'_>) -> Option<&'static str> {
    let reaches = |word: &String| address_host(word).is_some_and(|host| is_foreign(host, scope));
    let words = || command.arguments().iter();
    let sockets = || command.read.iter().chain(&command.written);
    match command.program() {
        program if lists(FETCHING, program) => words().any(reaches).then_some("an address"),
        program if lists(CONNECTING, program) => {
            targets(command).any(|word| is_foreign(login_host(word), scope)).then_some("a host")
        }
        "git" if lists(GIT_REMOTE, git_command(command).0) => {
            let host = |word: &String| reaches(word) || is_login(word, scope);
            words().any(host).then_some("git with an address")
        }
        program if is_pip(program, command) && command.has(&["download"]) => Some("pip download"),
        program if lists(INTERPRETERS, program) => {
            let tries = |text: &String| fetches(text, scope);
            (words().any(tries) || tries(&command.input)).then_some("a program that fetches")
        }
        _ => sockets().any(|path| is_socket(path, scope)).then_some("a host"),
    }
}

/// The words that may name a host: no option, no value of one, and no file that is copied.
fn targets(command: &ShellCommand) -> impl Iterator<Item = &str> {
    let copies = lists(COPYING, command.program());
    let words = command.arguments();
    let pairs = words.iter().enumerate().map(move |(at, word)| {
        let before = at.checked_sub(1).and_then(|before| words.get(before));
        (before.map_or("", String::as_str), word.as_str())
    });
    let named = pairs.filter(move |(before, word)| {
        let far = !copies || word.contains(['@', ':']);
        far && !word.starts_with('-') && !VALUED.contains(before)
    });
    named.map(|(_, word)| word)
}

/// Whether a command loads packages from an index.
pub(super) fn installs(command: &ShellCommand) -> Option<&'static str> {
    let program = command.program();
    let manages = lists(MANAGERS, program) || is_pip(program, command);
    let has = |list: &str| command.arguments().iter().any(|word| lists(list, word));
    let is_path = |word: &String| word.starts_with(['.', '/']);
    let local = has(LOCAL_INSTALLS) || command.arguments().iter().any(is_path);
    (manages && has(INSTALLING) && !local).then_some("a package manager")
}

fn is_pip(program: &str, command: &ShellCommand) -> bool {
    let as_module = || {
        let words = command.arguments();
        words.windows(2).any(|pair| pair[0] == "-m" && pair[1] == "pip")
    };
    lists("pip pip3", program) || lists("python python3", program) && as_module()
}

/// Whether a program text fetches from a public host.
fn fetches(text: &str, scope: &MeansScope<'_>) -> bool {
    has_any(text, &FETCHING_CALLS)
        && text.match_indices("://").any(|(at, _)| {
            let host = text.get(at..).and_then(host_behind_scheme);
            host.is_some_and(|host| is_foreign(host, scope))
        })
}

/// The host of an address with a scheme.
fn address_host(word: &str) -> Option<&str> {
    word.find("://").and_then(|at| word.get(at..)).and_then(host_behind_scheme)
}

/// The host behind `://`.
fn host_behind_scheme(text: &str) -> Option<&str> {
    let rest = text.strip_prefix("://")?;
    let end = rest.find(|letter: char| "/?#\"'` \n\\)>,".contains(letter)).unwrap_or(rest.len());
    let host = rest.get(..end)?;
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    Some(host.split(':').next().unwrap_or(host))
}

/// The host of a word such as `me@host:path`.
fn login_host(word: &str) -> &str {
    let host = word.rsplit_once('@').map_or(word, |(_, host)| host);
    host.split([':', '/']).next().unwrap_or(host)
}

/// Whether a word is an address such as `git@host:path` of a public host.
fn is_login(word: &str, scope: &MeansScope<'_>) -> bool {
    let behind_user = word.split_once('@').filter(|(_, rest)| rest.contains(':'));
    behind_user.is_some_and(|(_, rest)| is_foreign(login_host(rest), scope))
}

/// Whether a path is the shell's name of a connection to a public host.
fn is_socket(path: &str, scope: &MeansScope<'_>) -> bool {
    let behind = path.strip_prefix("/dev/tcp/").or_else(|| path.strip_prefix("/dev/udp/"));
    let host = behind.and_then(|rest| rest.split('/').next());
    host.is_some_and(|host| is_foreign(host, scope))
}

/// Whether a host is a public one that the instruction does not name.
fn is_foreign(host: &str, scope: &MeansScope<'_>) -> bool {
    is_public(host) && !scope.names(host)
}

/// Whether a name or an address is that of a public host.
fn is_public(host: &str) -> bool {
    let host = host.trim_end_matches('.');
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
    let Some((before, domain)) = host.rsplit_once('.') else { return false };
    if before.is_empty() || !host.bytes().all(plain) {
        return false;
    }
    if domain.bytes().all(|byte| byte.is_ascii_digit()) {
        return is_public_address(host);
    }
    let domain = domain.to_ascii_lowercase();
    domain.len() >= 2
        && domain.bytes().all(|byte| byte.is_ascii_lowercase())
        && !lists(PRIVATE_DOMAINS, &domain)
}

fn is_public_address(host: &str) -> bool {
    host.parse::<std::net::Ipv4Addr>().is_ok_and(|address| {
        !address.is_private()
            && !address.is_loopback()
            && !address.is_link_local()
            && !address.is_unspecified()
    })
}
