//! The control actor with a dispatcher that does what a test says: whatever one client does, the
//! next one is served.

use super::messages::ControlHandle;
use super::protocol::{ControlCommand, ControlReply, ReplyContent};
use super::session::{ControlDispatcher, DispatchError};
use super::{ControlLimits, ReplyWriter};
use async_trait::async_trait;
use serde_json::{Value, json};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Notify;

/// Answers `status`, sends events without end to a client that watches, panics at `pause`, and
/// answers `cancel` only when the test says so.
#[derive(Default)]
struct Trial {
    begun: Notify,
    go_on: Notify,
}

#[async_trait]
impl ControlDispatcher for Trial {
    async fn serve(
        &self,
        order: ControlCommand,
        writer: &mut ReplyWriter,
    ) -> Result<Value, DispatchError> {
        match order {
            ControlCommand::Watch(_) => loop {
                writer.event(&json!({ "noise": "x".repeat(4_096) })).await?;
            },
            ControlCommand::Pause(_) => panic!("injected into a session"),
            ControlCommand::Cancel(_) => {
                self.begun.notify_one();
                self.go_on.notified().await;
                Ok(json!("at last"))
            }
            _ => Ok(json!("fine")),
        }
    }
}

struct Scene {
    control: ControlHandle,
    dispatcher: Arc<Trial>,
    path: PathBuf,
    _home: tempfile::TempDir,
}

fn limits() -> ControlLimits {
    let short = Duration::from_millis(200);
    ControlLimits {
        clients: 4,
        line: 1_000,
        read: short,
        write: short,
        shutdown: short,
        ..ControlLimits::default()
    }
}

/// Runs a test in an actor system, and fails it rather than let it hang.
fn scene<F: Future<Output = ()>>(limits: ControlLimits, test: impl FnOnce(Scene) -> F) {
    actix::System::new().block_on(async {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("s");
        let listener = UnixListener::bind(&path).unwrap();
        let dispatcher = Arc::new(Trial::default());
        let (control, exit) = ControlHandle::start(listener, dispatcher.clone(), limits);
        let scene = Scene { control: control.clone(), dispatcher, path, _home: home };
        tokio::time::timeout(Duration::from_secs(30), test(scene)).await.expect("the test hangs");
        control.close().await;
        tokio::time::timeout(Duration::from_secs(30), exit).await.unwrap().unwrap();
    });
}

struct Peer(BufReader<UnixStream>);

impl Peer {
    async fn connect(path: &Path) -> Self {
        Self(BufReader::new(UnixStream::connect(path).await.unwrap()))
    }

    async fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.0.get_mut().write_all(bytes).await
    }

    async fn order(&mut self, verb: &str) {
        let campaign = match verb {
            "pause" | "cancel" => r#","campaign":"a""#,
            _ => "",
        };
        let line = format!("{{\"v\":1,\"id\":5,\"do\":\"{verb}\"{campaign}}}\n");
        self.write(line.as_bytes()).await.unwrap();
    }

    /// The next reply. None if the server has closed the connection.
    async fn reply(&mut self) -> Option<ControlReply> {
        let mut line = String::new();
        match self.0.read_line(&mut line).await {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(serde_json::from_str(&line).unwrap()),
        }
    }

    async fn complaint(&mut self) -> String {
        match self.reply().await.expect("an answer").content {
            ReplyContent::Error(error) => error.message,
            other => panic!("expected an error, not {other:?}"),
        }
    }
}

async fn assert_serves(path: &Path) {
    let mut peer = Peer::connect(path).await;
    peer.order("status").await;
    let reply = peer.reply().await.expect("an answer");
    assert_eq!((reply.id, reply.content), (json!(5), ReplyContent::Ok(json!("fine"))));
}

#[test]
fn a_client_that_never_reads_is_dropped() {
    scene(limits(), async |scene| {
        let mut deaf = Peer::connect(&scene.path).await;
        deaf.order("watch").await;
        assert_serves(&scene.path).await;
        while scene.control.stats().await.clients > 0 {
            tokio::task::yield_now().await;
        }
        // What was written before it was dropped is still there; then comes the end.
        while deaf.reply().await.is_some() {}
    });
}

#[test]
fn a_line_begun_must_end() {
    scene(limits(), async |scene| {
        let mut slow = Peer::connect(&scene.path).await;
        slow.write(b"{\"v\":1").await.unwrap();
        assert!(slow.complaint().await.contains("must be complete within"));
        assert!(slow.reply().await.is_none());
    });
}

#[test]
fn a_line_too_long_is_told_of_and_not_collected() {
    scene(limits(), async |scene| {
        let mut endless = Peer::connect(&scene.path).await;
        let chunk = [b'x'; 64 * 1024];
        while endless.write(&chunk).await.is_ok() {}
        assert_eq!(endless.complaint().await, "a request has at most 1000 bytes");
        assert_serves(&scene.path).await;
    });
}

#[test]
fn garbage_ends_a_session_and_a_mistake_does_not() {
    scene(limits(), async |scene| {
        let mut peer = Peer::connect(&scene.path).await;
        peer.order("dance").await;
        assert_eq!(peer.complaint().await, "cannot do \"dance\"");
        peer.write(b"\n \n\0\xff\xfe\n").await.unwrap();
        assert!(peer.complaint().await.starts_with("not a request"));
        assert!(peer.reply().await.is_none());
    });
}

#[test]
fn requests_are_answered_in_their_order_and_after_the_client_said_its_last() {
    scene(limits(), async |scene| {
        let mut peer = Peer::connect(&scene.path).await;
        let request = |id: u32| format!("{{\"v\":1,\"id\":{id},\"do\":\"status\"}}\n");
        let all: String = (0..20).map(request).collect();
        peer.write(all.as_bytes()).await.unwrap();
        peer.0.get_mut().shutdown().await.unwrap();
        for id in 0..20 {
            assert_eq!(peer.reply().await.expect("an answer").id, json!(id));
        }
        assert!(peer.reply().await.is_none());
    });
}

#[test]
fn one_client_too_many_is_told_so() {
    scene(limits(), async |scene| {
        let mut peers = Vec::new();
        for _ in 0..4 {
            let mut peer = Peer::connect(&scene.path).await;
            peer.order("status").await;
            peer.reply().await.unwrap();
            peers.push(peer);
        }
        let mut fifth = Peer::connect(&scene.path).await;
        assert_eq!(fifth.complaint().await, "4 clients are connected");
        let stats = scene.control.stats().await;
        assert_eq!((stats.clients, stats.refused), (4, 1));
        drop(peers);
        while scene.control.stats().await.clients > 0 {
            tokio::task::yield_now().await;
        }
        assert_serves(&scene.path).await;
    });
}

#[test]
fn a_panic_in_a_session_ends_that_session() {
    scene(limits(), async |scene| {
        let mut other = Peer::connect(&scene.path).await;
        let mut unlucky = Peer::connect(&scene.path).await;
        unlucky.order("pause").await;
        assert!(unlucky.reply().await.is_none());
        while scene.control.stats().await.panicked < 1 {
            tokio::task::yield_now().await;
        }
        other.order("status").await;
        assert!(other.reply().await.is_some());
    });
}

#[test]
fn the_actor_is_rebuilt_after_a_panic_and_goes_on_listening() {
    scene(limits(), async |scene| {
        let mut orphan = Peer::connect(&scene.path).await;
        orphan.order("status").await;
        orphan.reply().await.unwrap();
        scene.control.crash().await;
        assert!(orphan.reply().await.is_none(), "its session went with the actor");
        assert_serves(&scene.path).await;
    });
}

#[test]
fn closing_waits_for_an_answer_in_progress() {
    scene(ControlLimits { shutdown: Duration::from_secs(20), ..limits() }, async |scene| {
        let mut idle = Peer::connect(&scene.path).await;
        let mut busy = Peer::connect(&scene.path).await;
        busy.order("cancel").await;
        scene.dispatcher.begun.notified().await;
        let release = async {
            assert!(idle.reply().await.is_none(), "nobody waits for an idle client");
            scene.dispatcher.go_on.notify_one();
            busy.reply().await.expect("the answer").content
        };
        let ((), answered) = tokio::join!(scene.control.close(), release);
        assert_eq!(answered, ReplyContent::Ok(json!("at last")));
        assert!(UnixStream::connect(&scene.path).await.is_err(), "nobody listens any more");
    });
}

#[test]
fn closing_does_not_wait_for_ever() {
    scene(limits(), async |scene| {
        let mut busy = Peer::connect(&scene.path).await;
        busy.order("cancel").await;
        scene.dispatcher.begun.notified().await;
        scene.control.close().await;
        assert!(busy.reply().await.is_none());
    });
}
