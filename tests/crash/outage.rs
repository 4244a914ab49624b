//! A container engine killed in the middle of a campaign: the campaign waits, goes on when
//! the engine is back, and no episode pays for it.

use crate::support::{OwnEngine, synthd};
use nix::sys::signal::Signal;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, Command, Stdio};
use synthd::store::Store;
use synthd_actors::model::{CampaignName, FaultKind};
use synthd_actors::ports::Journal;

const CAMPAIGN: &str = r#"
[campaign]
name = "outage"
concurrency = 4

[tasks]
templates = ["crash/*"]
per_template = 60

[[models]]
name = "scripted/oracle"

[sandbox]
backend = "docker"
image = "synthd-test/tiny"
disk = "8 MiB"
"#;

struct Run {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStderr>>,
}

impl Run {
    fn start(directory: &std::path::Path, engine: &OwnEngine) -> Self {
        let mut child = Command::new(synthd())
            .args(["run", "outage.toml", "--data-dir", "data", "--json", "--templates"])
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/templates"))
            .current_dir(directory)
            .env("DOCKER_HOST", engine.address().host)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, lines }
    }

    /// Reads on until a line begins so.
    fn until(&mut self, beginning: &str) -> String {
        let mut read = Vec::new();
        for line in self.lines.by_ref().map_while(Result::ok) {
            if line.starts_with(beginning) {
                return line;
            }
            read.push(line);
        }
        panic!("no line begins with {beginning:?}: {read:#?}");
    }

    fn result(mut self) -> (Option<i32>, serde_json::Value) {
        let rest: Vec<String> = self.lines.map_while(Result::ok).collect();
        let mut said = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        let code = self.child.wait().unwrap().code();
        let value = serde_json::from_str(&said).unwrap_or_else(|e| panic!("{e}: {said} {rest:#?}"));
        (code, value)
    }
}

#[tokio::test]
async fn a_campaign_outlives_its_engine() {
    let Some(mut engine) = OwnEngine::start("a campaign that outlives its engine", None, &[])
    else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("outage.toml"), CAMPAIGN).unwrap();
    let mut run = Run::start(directory.path(), &engine);
    // Some are finished, and others are in the middle.
    run.until("[");
    engine.end(Signal::SIGKILL);
    run.until("waiting for docker: ");
    engine.restart();
    run.until("going on");
    let (code, summary) = run.result();
    assert_eq!(code, Some(0), "{summary}");
    let episodes = &summary["episodes"];
    assert_eq!((&episodes["planned"], &episodes["finished"]), (&60.into(), &60.into()));
    assert_eq!((&episodes["resolved"], &episodes["faulted"]), (&60.into(), &0.into()));
    assert_eq!(engine.containers(), [""; 0]);
    let store = Store::open(&directory.path().join("data")).unwrap();
    for episode in store.episodes(&CampaignName("outage".to_owned())).await.unwrap() {
        assert_eq!(episode.failed_attempts, 0, "{:?}", episode.plan.id);
        for attempt in store.attempts(&episode.plan.id).await.unwrap() {
            let kind = attempt.fault.map(|fault| fault.kind);
            assert!(kind.is_none_or(|kind| kind == FaultKind::EngineDown), "{kind:?}");
        }
    }
}

/// A daemon that was killed is started again while its engine is down: it takes the campaign
/// up as soon as the engine is there, and says meanwhile what it waits for.
#[test]
fn a_campaign_is_taken_up_when_its_engine_is_back() {
    let what = "a campaign whose engine comes back later";
    let Some(mut engine) = OwnEngine::start(what, None, &[]) else { return };
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("outage.toml"), CAMPAIGN).unwrap();
    let mut run = Run::start(directory.path(), &engine);
    run.until("[");
    run.child.kill().unwrap();
    run.child.wait().unwrap();
    engine.end(Signal::SIGTERM);

    let host = engine.address().host;
    let synthd_in = |arguments: &[&str]| {
        let mut command = Command::new(synthd());
        command.args(arguments).args(["--data-dir", "data"]).current_dir(directory.path());
        command.env("DOCKER_HOST", &host).stdin(Stdio::null());
        command
    };
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/templates");
    let mut serve = synthd_in(&["serve", "--templates", fixtures, "--log-format", "human"]);
    let mut daemon = serve.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut words = BufReader::new(daemon.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(words.any(|line| line.contains("waiting to resume a campaign")));
    std::thread::spawn(move || words.for_each(drop));
    // It answers meanwhile.
    assert!(synthd_in(&["status"]).output().unwrap().status.success());
    engine.restart();
    assert!(words_of(synthd_in(&["watch", "outage", "--json"])).contains("\"complete\""));
    let ended = synthd_in(&["shutdown"]).output().unwrap();
    assert!(ended.status.success(), "{ended:?}");
    assert!(daemon.wait().unwrap().success());
    assert_eq!(engine.containers(), [""; 0]);
}

/// What a command says that is asked until it has something to say.
fn words_of(mut command: Command) -> String {
    loop {
        let output = command.output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        if said.contains("\"complete\"") {
            return said;
        }
    }
}
