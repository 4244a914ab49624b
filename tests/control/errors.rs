//! What users are told when it does not work.

use super::host::{Home, Said};
use super::sandboxes;
use nix::sys::signal::Signal::SIGKILL;
use std::os::unix::net::UnixListener;

/// The words of a failure, without what differs from run to run.
fn words(home: &Home, said: &Said) -> String {
    let place = home.path().canonicalize().unwrap();
    let text = said.err.replace(&place.display().to_string(), "HOME");
    let text = text.replace(&home.path().display().to_string(), "HOME");
    let mut parts = text.split("process ");
    let mut hidden = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        hidden.push_str("process PID");
        hidden.push_str(part.trim_start_matches(|c: char| c.is_ascii_digit()));
    }
    format!("exit {}\n{}", said.code, hidden.trim_end())
}

#[test]
fn no_daemon() {
    let home = Home::new();
    insta::assert_snapshot!(words(&home, &home.ask(&["status"])), @r##"
    exit 5
    error[SYN-0501]: no daemon listens at data/synthd.sock
      help: start a daemon with `synthd serve`, or name its place with --data-dir DIR or --socket PATH
    "##);
    for verb in ["pause", "resume", "cancel"] {
        assert_eq!(home.ask(&[verb, "a"]).code, 5);
    }
    let file = home.campaign("small", super::QUICK, 1);
    for args in [&["watch"][..], &["drain"], &["shutdown"], &["submit", &file]] {
        assert_eq!(home.ask(args).code, 5, "{args:?}");
    }
    // A file that is no socket has no daemon behind it either.
    home.file("s", "");
    assert_eq!(home.ask(&["status", "--socket", "s"]).code, 5);
}

#[test]
fn a_path_too_long_for_a_socket() {
    let home = Home::new();
    let path = "x".repeat(120);
    for command in ["serve", "status"] {
        let said = home.ask(&[command, "--socket", &path]);
        insta::allow_duplicates! {
            insta::assert_snapshot!(words(&home, &said).replace(&path, "XXX"), @r##"
    exit 2
    error[SYN-0505]: the socket's path has 120 bytes, but the system allows 107: XXX
      help: give a shorter path with --socket, such as /run/user/1000/synthd.sock
    "##);
        }
    }
}

#[test]
fn two_daemons_on_one_socket() {
    if !sandboxes() {
        return;
    }
    let (home, other) = (Home::new(), Home::new());
    let daemon = home.serve(&[]);
    insta::assert_snapshot!(words(&home, &home.ask(&["serve"])), @r##"
    exit 2
    error[SYN-0502]: data/synthd.sock is held by process PID, which serves HOME/data
      help: use it with `synthd status --socket data/synthd.sock`, end it with `synthd shutdown --socket data/synthd.sock`, or choose another path
    "##);
    let socket = home.socket().display().to_string();
    let said = other.ask(&["serve", "--socket", &socket]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.err.contains(&format!("process {}", daemon.pid)), "{said:?}");
    assert!(!other.data_dir().exists(), "it looked before it made anything");
    // Another socket does not help: the data directory is taken as well.
    insta::assert_snapshot!(words(&home, &home.ask(&["serve", "--socket", "other.sock"])), @r##"
    exit 2
    error[SYN-0301]: data is in use by process PID
      help: use it with `synthd status --data-dir data`, wait until it ends, or choose another place with --data-dir
    "##);
    assert_eq!(home.json(&["status", "--json"])["daemon"]["pid"], daemon.pid.as_raw());
}

#[test]
fn a_socket_left_by_a_killed_daemon_is_replaced() {
    if !sandboxes() {
        return;
    }
    let home = Home::new();
    let daemon = home.serve(&[]);
    daemon.signal(SIGKILL);
    daemon.wait();
    assert!(home.socket().exists());
    assert_eq!(home.ask(&["status"]).code, 5);
    let next = home.serve(&[]);
    assert_eq!(home.json(&["status", "--json"])["daemon"]["pid"], next.pid.as_raw());
}

#[test]
fn somebodys_file_is_left_alone() {
    if !sandboxes() {
        return;
    }
    let home = Home::new();
    let file = home.file("diary", "dear diary");
    insta::assert_snapshot!(words(&home, &home.ask(&["serve", "--socket", "diary"])), @r##"
    exit 2
    error[SYN-0505]: diary exists and is not a socket
      help: it was not changed; choose another path with --socket, or move it away
    "##);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "dear diary");
    // A stranger's live socket is left alone as well.
    let path = home.path().join("live");
    let _stranger = UnixListener::bind(&path).unwrap();
    let said = home.ask(&["serve", "--socket", "live"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.err.contains("SYN-0502"), "{said:?}");
    assert!(path.exists());
    let nowhere = home.ask(&["serve", "--socket", "no/such/directory/s"]);
    assert!(nowhere.err.contains("SYN-0505"), "{nowhere:?}");
}

#[test]
fn every_mistake_of_a_submitted_file_at_once() {
    if !sandboxes() {
        return;
    }
    let home = Home::new();
    let _daemon = home.serve(&[]);
    home.file("bad.toml", "[campaign]\nname = \"bad\"\nsed = 4\n[tasks]\ntemplates = 3\n");
    let said = home.ask(&["submit", "bad.toml"]);
    insta::assert_snapshot!(words(&home, &said), @r##"
    exit 2
    error: missing `[[models]]`
      --> bad.toml:1:1
       |
     1 | [campaign]
       | ^
       = help: start each entry with `[[models]]`

    error: unknown key `sed` in `[campaign]`
      --> bad.toml:3:1
       |
     3 | sed = 4
       | ^^^
       = help: did you mean `seed`?

    error: `tasks.templates`: expected a list, found a whole number
      --> bad.toml:5:13
       |
     5 | templates = 3
       |             ^
       = help: put it in brackets: [...]

    error[SYN-0102]: bad.toml: 3 errors
    "##);
    let listed = home.ask(&["submit", "bad.toml", "--json"]);
    let listed: serde_json::Value = serde_json::from_str(&listed.out).unwrap();
    assert_eq!(listed["errors"][0]["path"], "bad.toml");
    assert_eq!(home.ask(&["submit", "missing.toml"]).code, 2);
    let nothing = home.campaign("nothing", "\"no/such-template\"", 1);
    insta::assert_snapshot!(words(&home, &home.ask(&["submit", &nothing])), @r##"
    exit 2
    error[SYN-0104]: no template matches no/such-template
      help: `synthd template list` shows all ids
    "##);
}

#[test]
fn campaigns_that_cannot_do_what_they_are_told() {
    if !sandboxes() {
        return;
    }
    let home = Home::new();
    let _daemon = home.serve(&[]);
    insta::assert_snapshot!(words(&home, &home.ask(&["watch"])), @r##"
    exit 2
    error[SYN-0504]: no campaign is running
      help: `synthd submit` starts a campaign; `synthd status` lists all campaigns
    "##);
    insta::assert_snapshot!(words(&home, &home.ask(&["pause", "small"])), @r##"
    exit 2
    error[SYN-0504]: there is no campaign "small" here
      help: there is no campaign yet; `synthd submit` starts one
    "##);
    home.json(&["submit", &home.campaign("small", super::QUICK, 1), "--json"]);
    assert_eq!(home.ask(&["watch"]).code, 0);
    insta::assert_snapshot!(words(&home, &home.ask(&["resume", "small"])), @r##"
    exit 2
    error[SYN-0504]: campaign small is complete and cannot be resumed
      help: `synthd status` shows the state of every campaign
    "##);
    insta::assert_snapshot!(words(&home, &home.ask(&["status", "smal"])), @r##"
    exit 2
    error[SYN-0504]: there is no campaign "smal" here
      help: there are: small
    "##);
}
