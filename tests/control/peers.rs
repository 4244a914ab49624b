//! Strangers at the socket: whatever one of them does, it alone suffers.

use super::host::{Home, Peer};
use super::sandboxes;
use serde_json::{Value, json};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::process::Command;

fn assert_serves(home: &Home) {
    assert_eq!(home.json(&["status", "--json"])["daemon"]["mode"], "daemon");
}

#[test]
fn garbage_ends_the_connection_it_came_on() {
    if !sandboxes() {
        return;
    }
    let home = Home::new();
    let _daemon = home.serve(&[]);
    for garbage in
        [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\0\0\0\0\n", b"\xff\xfe\n", b"[[[[[[\n", b"{}{}\n"]
    {
        let mut peer = Peer::connect(&home.socket());
        peer.write(garbage).unwrap();
        let reply = peer.reply().expect("a last word");
        assert_eq!(reply["error"]["code"], "SYN-0503", "{garbage:?}: {reply}");
        assert_eq!(peer.reply(), None);
    }
    assert_serves(&home);
}

#[test]
fn a_gigabyte_line_is_not_taken() {
    if !sandboxes() {
        return;
    }
    let home = Home::new();
    let daemon = home.serve(&[]);
    let before = resident(&daemon);
    let mut peer = Peer::connect(&home.socket());
    let chunk = vec![b'x'; 1 << 20];
    let sent = (0..1_024).take_while(|_| peer.write(&chunk).is_ok()).count();
    assert!(sent < 16, "the daemon took {sent} MiB of one line");
    let reply = peer.reply().expect("a last word");
    assert_eq!(reply["error"]["message"], "a request has at most 1048576 bytes");
    assert!(resident(&daemon) < before + (64 << 20), "the line was kept");
    assert_serves(&home);
}

fn resident(process: &super::host::Process) -> u64 {
    let statm = std::fs::read_to_string(format!("/proc/{}/statm", process.pid)).unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4_096
}

#[test]
fn who_leaves_half_way_leaves_nothing_behind() {
    if !sandboxes() {
        return;
    }
    let home = Home::new();
    let daemon = home.serve(&[]);
    assert_serves(&home);
    let before = sockets(&daemon);
    for half in [&b""[..], b"{\"v\":1,\"id\"", b"{\"v\":1,\"id\":1,\"do\":\"status\"}\n"] {
        for _ in 0..20 {
            Peer::connect(&home.socket()).write(half).unwrap();
        }
    }
    home.until("they are forgotten", || {
        home.json(&["status", "--json"])["control"]["clients"] == 1 && sockets(&daemon) <= before
    });
}

fn sockets(process: &super::host::Process) -> usize {
    let open = std::fs::read_dir(format!("/proc/{}/fd", process.pid)).unwrap();
    let links = open.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    links.filter(|link| link.to_string_lossy().starts_with("socket:")).count()
}

#[test]
fn fifty_clients_at_once_are_all_answered() {
    if !sandboxes() {
        return;
    }
    let home = Home::new();
    let _daemon = home.serve(&[]);
    let mut peers: Vec<Peer> = (0..50).map(|_| Peer::connect(&home.socket())).collect();
    for round in 0..3 {
        for (number, peer) in peers.iter_mut().enumerate() {
            let request = json!({ "v": 1, "id": format!("{round}/{number}"), "do": "status" });
            peer.write(format!("{request}\n").as_bytes()).unwrap();
        }
        for (number, peer) in peers.iter_mut().enumerate() {
            let reply = peer.reply().expect("an answer");
            assert_eq!(reply["id"], format!("{round}/{number}"));
            assert!(reply["ok"]["control"]["clients"].as_u64().unwrap() >= 50, "{reply}");
        }
    }
}

#[test]
fn a_mistake_is_answered_and_forgiven() {
    if !sandboxes() {
        return;
    }
    let home = Home::new();
    let _daemon = home.serve(&[]);
    let mut peer = Peer::connect(&home.socket());
    let mut ask = |request: Value| {
        peer.write(format!("{request}\n").as_bytes()).unwrap();
        peer.reply().expect("an answer")
    };
    let future = ask(json!({ "v": 2, "id": 1, "do": "status" }));
    assert_eq!((&future["v"], &future["id"]), (&json!(1), &json!(1)));
    assert_eq!(future["error"]["message"], "this daemon speaks version 1 of the protocol, not 2");
    let misspelt = ask(json!({ "v": 1, "do": "watch", "campain": "a" }));
    assert_eq!(misspelt["error"]["code"], "SYN-0503");
    let unknown = ask(json!({ "v": 1, "do": "pause", "campaign": "\u{0}../../x" }));
    assert_eq!(unknown["error"]["code"], "SYN-0504");
    assert!(ask(json!({ "v": 1, "do": "status" }))["ok"].is_object());
}

#[test]
fn other_users_are_kept_out_twice() {
    if !sandboxes() {
        return;
    }
    if !nix::unistd::geteuid().is_root() {
        return crate::support::skip("another user at the socket", "only root can become one");
    }
    let home = Home::new();
    let _daemon = home.serve(&[]);
    let socket = home.socket();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!(mode(&socket), 0o600);
    // As if somebody had opened everything up.
    for path in [home.path(), &home.data_dir(), &socket] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
    }
    let client = home.path().join("synthd");
    std::fs::copy(crate::support::synthd(), &client).unwrap();
    std::fs::set_permissions(&client, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = Command::new(&client);
    command.args(["status", "--socket"]).arg(&socket).current_dir("/").uid(65_534);
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("user 65534 may not control a daemon of user 0"), "{said}");
    assert_serves(&home);
}
