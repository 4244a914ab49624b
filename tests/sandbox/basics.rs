//! What every sandbox promises to honest programs.

use crate::support::synthd;
use std::time::Duration;
use synthd::sandbox::namespace::NamespaceBackend;
use synthd_actors::model::{ExecEnd, ExecReport, ExecRequest, SandboxSpec};
use synthd_actors::ports::{Sandbox, SandboxBackend};

pub async fn run(sandbox: &mut dyn Sandbox, command: &str) -> ExecReport {
    let request = ExecRequest {
        command: command.to_owned(),
        session: true,
        timeout: Duration::from_secs(20),
        scan: true,
    };
    sandbox.exec(&request).await.unwrap()
}

pub fn spec() -> SandboxSpec {
    SandboxSpec { image: "base".to_owned(), ..SandboxSpec::default() }
}

#[tokio::test]
async fn state_survives_from_turn_to_turn() {
    let backend = NamespaceBackend::new(synthd());
    let mut sandbox = backend.create(&spec()).await.unwrap();
    let first =
        run(&mut *sandbox, "mkdir sub && cd sub && export A='x y' && echo out; echo err >&2").await;
    assert_eq!(first.end, ExecEnd::Exited(0), "{first:?}");
    assert_eq!(first.stdout.text(), "out\n");
    assert_eq!(first.stderr.text(), "err\n");
    assert_eq!(first.cwd, "/work/sub");
    let second = run(&mut *sandbox, "pwd; echo \"$A\"; id -u; exit 7").await;
    assert_eq!(second.end, ExecEnd::Exited(7));
    assert_eq!(second.stdout.text(), "/work/sub\nx y\n1000\n");
    drop(sandbox);
    backend.settle().await.unwrap();
}
