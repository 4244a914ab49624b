//! A campaign whose agents reach a host of the outside, and whose checks do not.
//!
//! There is no outside here that one could rely on: the whole of it is a network namespace
//! in which one public address is ours.

use super::harness::{Ran, command};
use crate::support::{skip, synthd};
use std::process::Command;

const TEMPLATE: &str = r#"schema: synthd/template@1
id: own/fetch
title: Fetch a page
category: own
difficulty: easy
expected_steps: {min: 2, max: 9}
requires: [python3]
environment:
  files: [{path: note, content: "nothing"}]
instruction: Fetch http://mirror.example/page into page.
solution:
  - run: "python3 -c \"import urllib.request as u; open('page', 'wb').write(u.urlopen('http://mirror.example/page').read())\""
verification:
  checks:
    - {name: fetched, weight: 1, run: "test \"$(cat page)\" = from-outside"}
    - {name: offline, weight: 1, run: "test -z \"$http_proxy\""}
  cheats:
    - {name: nothing, steps: [{run: ":"}]}
"#;

const CAMPAIGN: &str = "[campaign]\nname = \"fetch\"\n[tasks]\ntemplates = [\"own/fetch\"]\n\
    per_template = 2\n[[models]]\nname = \"scripted/oracle\"\n";

/// One address of the outside, one name for it, and a server.
const WORLD: &str = "ip link set lo up && ip addr add 93.184.216.34/32 dev lo
echo '93.184.216.34 mirror.example' > hosts && mount --bind hosts /etc/hosts
python3 -m http.server 80 --bind 93.184.216.34 --directory served >/dev/null 2>&1 &
until python3 -c 'import socket; socket.create_connection((\"93.184.216.34\", 80))' 2>/dev/null
do :; done
\"$@\"
code=$?
kill %1
exit $code";

#[test]
fn agents_reach_what_is_named_and_checks_reach_nothing() {
    let what = "a network with a host outside";
    let alone = ["-nm", "sh", "-c", "ip link set lo up && command -v python3"];
    let can = Command::new("unshare").args(alone).output();
    if !can.is_ok_and(|output| output.status.success()) {
        return skip(what, "it needs root, unshare, ip and python3");
    }
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("served")).unwrap();
    std::fs::create_dir_all(dir.path().join("own/own")).unwrap();
    std::fs::write(dir.path().join("served/page"), "from-outside").unwrap();
    std::fs::write(dir.path().join("own/own/fetch.yaml"), TEMPLATE).unwrap();
    let run = |networks: &str, data: &str| {
        std::fs::write(dir.path().join("c.toml"), format!("{CAMPAIGN}{networks}")).unwrap();
        let program = synthd().display().to_string();
        let arguments = [
            "-nm",
            "bash",
            "-c",
            WORLD,
            "world",
            &program,
            "run",
            "c.toml",
            "--templates",
            "own",
            "--json",
            "--data-dir",
            data,
        ];
        // The harness's own environment, with another program.
        let mut command = command(dir.path(), &[]);
        let environment: Vec<_> =
            command.get_envs().map(|(k, v)| (k.to_owned(), v.map(ToOwned::to_owned))).collect();
        command = Command::new("unshare");
        command.args(arguments).current_dir(dir.path()).env_clear();
        command.envs(environment.into_iter().filter_map(|(k, v)| Some((k, v?))));
        Ran::from(command.output().unwrap())
    };
    let named = "[networks]\nmirror = [\"mirror.example\"]\n[sandbox]\nnetwork = \"mirror\"\n";
    let ran = run(named, "named");
    assert_eq!(ran.document()["episodes"]["resolved"], 2, "{ran:#?}");
    let other = "[networks]\nmirror = [\"other.example\"]\n[sandbox]\nnetwork = \"mirror\"\n";
    assert_eq!(run(other, "other").document()["episodes"]["resolved"], 0);
    assert_eq!(run("", "none").document()["episodes"]["resolved"], 0);
}
