//! A container engine that is stopped, killed, hung or full under its sandboxes, and one of
//! another host: what is the engine's fault is told as such, and nothing is left.

use super::lab::{RUNTIME, ok, request, works};
use crate::support::{OwnEngine, TINY, skip, synthd};
use nix::sys::signal::Signal;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;
use synthd::sandbox::SandboxBackends;
use synthd::sandbox::docker::DockerAddress;
use synthd_actors::model::{BackendKind, FaultKind, SandboxLimits, SandboxSpec};
use synthd_actors::ports::SandboxBackend;

fn backends(address: DockerAddress) -> SandboxBackends {
    let guest_dir = std::env::temp_dir().join("synthd-test-guest-engines");
    SandboxBackends::with_engine(synthd(), &guest_dir, address)
}

/// Small enough for an engine on a small disk.
fn spec() -> SandboxSpec {
    let limits = SandboxLimits { disk_bytes: 8 << 20, ..SandboxLimits::default() };
    SandboxSpec {
        backend: BackendKind::Docker,
        image: TINY.to_owned(),
        runtime: std::env::var(RUNTIME).ok(),
        limits,
        ..SandboxSpec::default()
    }
}

/// No container, running or not.
fn is_empty(engine: &OwnEngine) -> bool {
    engine.containers().is_empty()
}

#[tokio::test]
async fn a_killed_engine_is_told_apart_and_works_again_after_its_restart() {
    let Some(mut engine) = OwnEngine::start("killing an engine", None, &[]) else { return };
    let backend = backends(engine.address());
    for signal in [Signal::SIGKILL, Signal::SIGTERM] {
        let mut sandbox = backend.create(&spec()).await.unwrap();
        works(&mut *sandbox).await;
        engine.end(signal);
        let lost = sandbox.exec(&request("true", Duration::from_secs(5))).await.unwrap_err();
        assert_eq!(lost.kind, FaultKind::EngineDown, "{lost}");
        let refused = backend.create(&spec()).await.err().unwrap();
        assert_eq!(refused.kind, FaultKind::EngineDown, "{refused}");
        drop(sandbox);
        engine.restart();
        works(&mut *backend.create(&spec()).await.unwrap()).await;
        backend.settle().await.unwrap();
        backend.sweep().await.unwrap();
        assert!(is_empty(&engine), "{}", engine.asked(&["ps", "-a"]));
    }
}

#[tokio::test]
async fn a_hung_engine_is_given_up_at_the_deadline() {
    let Some(engine) = OwnEngine::start("hanging an engine", None, &[]) else { return };
    let backend = backends(engine.address());
    let mut sandbox = backend.create(&spec()).await.unwrap();
    works(&mut *sandbox).await;
    engine.freeze();
    let silent = sandbox.exec(&request("true", Duration::from_secs(1))).await.unwrap_err();
    assert_eq!(silent.kind, FaultKind::EngineDown, "{silent}");
    let late = backend.create(&spec()).await.err().unwrap();
    assert_eq!(late.kind, FaultKind::EngineDown, "{late}");
    engine.signal(Signal::SIGCONT);
    drop(sandbox);
    works(&mut *backend.create(&spec()).await.unwrap()).await;
    backend.settle().await.unwrap();
    // What it was asked for while it hung, it makes when nobody waits any more: perhaps only
    // after a first look.
    backend.sweep().await.unwrap();
    while !is_empty(&engine) {
        backend.sweep().await.unwrap();
    }
}

#[tokio::test]
async fn a_full_engine_is_waited_for() {
    let Some(engine) = OwnEngine::start("filling an engine's disk", Some("48m"), &[]) else {
        return;
    };
    let backend = backends(engine.address());
    works(&mut *backend.create(&spec()).await.unwrap()).await;
    backend.settle().await.unwrap();
    engine.fill_disk();
    let full = backend.create(&spec()).await.err().unwrap();
    assert_eq!(full.kind, FaultKind::EngineDown, "{full}");
    assert!(full.message.contains("free some space"), "{full}");
    engine.free_disk();
    works(&mut *backend.create(&spec()).await.unwrap()).await;
    backend.settle().await.unwrap();
    assert!(is_empty(&engine), "{}", engine.asked(&["ps", "-a"]));
}

/// An engine that cannot be shown a file of this host is sent the guest.
#[tokio::test]
async fn an_engine_behind_tls_works_with_the_right_keys_alone() {
    let files = tempfile::tempdir().unwrap();
    make_certificates(files.path());
    let file = |name: &str| files.path().join(name).display().to_string();
    let port = free_port();
    let arguments = [
        "-H".to_owned(),
        format!("tcp://127.0.0.1:{port}"),
        "--tlsverify".to_owned(),
        format!("--tlscacert={}", file("ca.pem")),
        format!("--tlscert={}", file("server.pem")),
        format!("--tlskey={}", file("server-key.pem")),
    ];
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let Some(engine) = OwnEngine::start("an engine behind TLS", None, &arguments) else { return };
    let host = format!("tcp://127.0.0.1:{port}");
    let trusted = DockerAddress { host: host.clone(), tls: Some(files.path().to_owned()) };
    let backend = backends(trusted);
    for _ in 0..2 {
        let mut sandbox = backend.create(&spec()).await.unwrap();
        works(&mut *sandbox).await;
        assert_eq!(ok(&mut *sandbox, "ls /.sandbox").await, "init\n");
    }
    // The next engine finds the guest there.
    let again = backends(DockerAddress { host: host.clone(), tls: Some(files.path().to_owned()) });
    works(&mut *again.create(&spec()).await.unwrap()).await;
    for backend in [&backend, &again] {
        backend.settle().await.unwrap();
    }
    assert!(is_empty(&engine), "{}", engine.asked(&["ps", "-a"]));
    let strange = tempfile::tempdir().unwrap();
    make_certificates(strange.path());
    for tls in [None, Some(strange.path().to_owned())] {
        let outcome = backends(DockerAddress { host: host.clone(), tls }).create(&spec()).await;
        assert!(outcome.is_err());
    }
}

/// Through the program itself, as a user would.
#[test]
fn an_engine_behind_ssh_works() {
    let Some(engine) = OwnEngine::start("an engine behind ssh", None, &[]) else { return };
    let Some(server) = Sshd::start(engine.path()) else {
        return skip("an engine behind ssh", "it needs sshd");
    };
    let check = |keys: &str| {
        let host = format!("ssh://127.0.0.1:{}{}", server.port, engine.socket().display());
        let mut command = Command::new(synthd());
        command.args(["image", "check", TINY]).env("DOCKER_HOST", host);
        let path = format!("{}:{}", server.wrapper(keys).display(), std::env::var("PATH").unwrap());
        command.env("PATH", path).output().unwrap()
    };
    let checked = check("client");
    let (told, complaint) =
        (String::from_utf8_lossy(&checked.stdout), String::from_utf8_lossy(&checked.stderr));
    assert!(told.contains("runs; it has sh"), "{told}{complaint}");
    assert!(is_empty(&engine), "{}", engine.asked(&["ps", "-a"]));
    let refused = check("stranger");
    let complaint = String::from_utf8_lossy(&refused.stderr);
    assert!(complaint.contains("Permission denied"), "{complaint}");
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// An authority, and a key for the server and one for the client, of it.
fn make_certificates(directory: &Path) {
    let script = r#"
set -e; cd "$0"
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout ca-key.pem -out ca.pem
sign() {
  openssl req -newkey rsa:2048 -nodes -subj "/CN=$1" -keyout "$2-key.pem" -out "$2.csr"
  printf 'subjectAltName=IP:127.0.0.1\nextendedKeyUsage=%s\n' "$3" > "$2.ext"
  openssl x509 -req -days 2 -in "$2.csr" -CA ca.pem -CAkey ca-key.pem -CAcreateserial \
    -extfile "$2.ext" -out "$2.pem"
}
sign server server serverAuth
sign client client clientAuth
cp client.pem cert.pem; cp client-key.pem key.pem
"#;
    let output = Command::new("sh").args(["-c", script]).arg(directory).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// An SSH server of this test's own, for one key.
struct Sshd {
    server: Child,
    port: u16,
    directory: PathBuf,
}

impl Sshd {
    fn start(directory: &Path) -> Option<Self> {
        let program = Path::new("/usr/sbin/sshd");
        if !program.exists() {
            return None;
        }
        let directory = directory.join("ssh");
        let script = r#"
set -e; mkdir -p "$0" /run/sshd; cd "$0"
for key in host client stranger; do ssh-keygen -q -t ed25519 -N '' -f "$key"; done
cp client.pub authorized
printf '[127.0.0.1]:%s %s\n' "$1" "$(cat host.pub)" > known
for key in client stranger; do
  mkdir "with-$key"
  printf '#!/bin/sh\nexec /usr/bin/ssh -F /dev/null -o UserKnownHostsFile=%s/known -o IdentitiesOnly=yes -i %s/%s "$@"\n' \
    "$0" "$0" "$key" > "with-$key/ssh"
  chmod +x "with-$key/ssh"
done
"#;
        let port = free_port();
        let made =
            Command::new("sh").args(["-c", script]).arg(&directory).arg(port.to_string()).output();
        let made = made.unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let mut server = Command::new(program);
        server.args(["-D", "-q", "-f", "/dev/null", "-p", &port.to_string()]);
        server.arg("-h").arg(directory.join("host"));
        let keys = format!("AuthorizedKeysFile={}", directory.join("authorized").display());
        for option in [keys.as_str(), "StrictModes=no", "PermitRootLogin=yes", "UsePAM=no"] {
            server.args(["-o", option]);
        }
        let server = server.spawn().unwrap();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            std::thread::yield_now();
        }
        Some(Self { server, port, directory })
    }

    /// A directory whose `ssh` uses one key and knows this server.
    fn wrapper(&self, key: &str) -> PathBuf {
        self.directory.join(format!("with-{key}"))
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.server.kill().ok();
        self.server.wait().ok();
    }
}

/// The root of its containers is nobody on the host; nothing else is different.
#[tokio::test]
async fn an_engine_that_maps_users_works_and_is_told_apart() {
    let what = "an engine that maps users";
    let Some(engine) = OwnEngine::start(what, None, &["--userns-remap=default"]) else { return };
    let backend = backends(engine.address());
    let facts = backend.host_facts(BackendKind::Docker).await.unwrap();
    assert_eq!(facts.engine["user-remapping"], Ok("userns-remap".to_owned()));
    let mut sandbox = backend.create(&spec()).await.unwrap();
    let outside = ok(&mut *sandbox, "id -u; cut -c 1-22 /proc/self/uid_map").await;
    let mapped: Vec<u32> = outside.split_whitespace().map(|n| n.parse().unwrap()).collect();
    assert!(mapped[0] == 1000 && mapped[1] == 0 && mapped[2] > 1000, "{mapped:?}");
    ok(&mut *sandbox, "echo x > /work/a; echo x > ~/a; echo x > /tmp/a").await;
    drop(sandbox);
    backend.settle().await.unwrap();
    assert!(is_empty(&engine), "{}", engine.asked(&["ps", "-a"]));
}
