//! A registry of a test's own, with a user and a password.

use super::skip;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub(crate) const USER: &str = "somebody";
pub(crate) const PASSWORD: &str = "canary-of-a-registry";

pub(crate) struct Registry {
    daemon: Child,
    directory: TempDir,
    /// Where it is behind the door.
    inner: u16,
    port: u16,
    troubles: Arc<AtomicUsize>,
}

impl Registry {
    /// None, said aloud, where there can be none.
    pub(crate) fn start(what: &str) -> Option<Self> {
        let there = |program: &str| {
            let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).output();
            found.is_ok_and(|output| output.status.success())
        };
        if !there("docker-registry") || !there("htpasswd") {
            skip(what, "it needs docker-registry and htpasswd");
            return None;
        }
        let directory = tempfile::tempdir().unwrap();
        let users = Command::new("htpasswd").args(["-Bbn", USER, PASSWORD]).output().unwrap();
        std::fs::write(directory.path().join("users"), users.stdout).unwrap();
        let inner = free_port();
        let at = directory.path().display();
        let config = format!(
            "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {at}/data\n\
             http:\n  addr: 127.0.0.1:{inner}\n\
             auth:\n  htpasswd:\n    realm: test\n    path: {at}/users\n"
        );
        std::fs::write(directory.path().join("config.yml"), config).unwrap();
        let daemon = Command::new("docker-registry")
            .arg("serve")
            .arg(directory.path().join("config.yml"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", inner)).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(60), "no registry");
            std::thread::yield_now();
        }
        let troubles = Arc::new(AtomicUsize::new(0));
        let port = door(inner, troubles.clone());
        Some(Self { daemon, directory, inner, port, troubles })
    }

    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The next so many requests are answered by a server that is overloaded.
    pub(crate) fn trouble(&self, times: usize) {
        self.troubles.store(times, Ordering::SeqCst);
    }

    pub(crate) fn troubles_left(&self) -> usize {
        self.troubles.load(Ordering::SeqCst)
    }

    /// A directory for `DOCKER_CONFIG`, with what `docker login` leaves.
    pub(crate) fn login(&self, below: &Path, password: &str) {
        std::fs::create_dir_all(below).unwrap();
        let entry = serde_json::json!({ "username": USER, "password": password });
        let config = serde_json::json!({ "auths": { self.host(): entry } });
        std::fs::write(below.join("config.json"), config.to_string()).unwrap();
    }

    /// The same through a program that keeps the secrets.
    pub(crate) fn login_by_helper(&self, below: &Path) {
        std::fs::create_dir_all(below).unwrap();
        let config = serde_json::json!({ "credHelpers": { self.host(): "synthd-test" } });
        std::fs::write(below.join("config.json"), config.to_string()).unwrap();
        let answer = serde_json::json!({ "Username": USER, "Secret": PASSWORD });
        let helper = below.join("docker-credential-synthd-test");
        std::fs::write(&helper, format!("#!/bin/sh\ncat >/dev/null\necho '{answer}'\n")).unwrap();
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&helper, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// The port that nothing troubles, for what prepares a test.
    pub(crate) fn quiet_host(&self) -> String {
        format!("127.0.0.1:{}", self.inner)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.daemon.kill().ok();
        self.daemon.wait().ok();
        let _ = &self.directory;
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Lets requests through, but for those that are to fail.
pub(crate) fn door(inner: u16, troubles: Arc<AtomicUsize>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for outside in listener.incoming().map_while(Result::ok) {
            let taken = |left: usize| left.checked_sub(1);
            let fails = troubles.fetch_update(Ordering::SeqCst, Ordering::SeqCst, taken).is_ok();
            std::thread::spawn(
                move || if fails { overloaded(outside) } else { pass(outside, inner) },
            );
        }
    });
    port
}

fn overloaded(mut outside: TcpStream) {
    // The request itself; what it asks for does not matter.
    let Ok(_) = outside.read(&mut [0; 4096]) else { return };
    let answer =
        "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    outside.write_all(answer.as_bytes()).ok();
}

fn pass(outside: TcpStream, inner: u16) {
    let Ok(inside) = TcpStream::connect(("127.0.0.1", inner)) else { return };
    let (Ok(from), Ok(mut to)) = (outside.try_clone(), inside.try_clone()) else { return };
    let there = std::thread::spawn(move || {
        std::io::copy(&mut &from, &mut to).ok();
        to.shutdown(Shutdown::Write).ok();
    });
    std::io::copy(&mut &inside, &mut &outside).ok();
    outside.shutdown(Shutdown::Write).ok();
    there.join().ok();
}
