//! Agent programs as scaffolds of a campaign, with the real binary: each runs in a sandbox and
//! asks a provider that counts what it charged, through the engine's own gateway.

use super::host::{Act, Heard, delta, finish, status, stream_of, usage};
use super::money::{Provider, cannot, command, recorded, summary, write_campaign};
use crate::support::{skip, synthd};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const OWN: &str = include_str!("../python/own_agent.py");
const MINI: &str = include_str!("../python/agent.py");

/// A campaign whose agent is a program that is brought along in its command.
fn write(directory: &Path, provider: &Provider, tasks: u32, program: &str, more: &str) {
    write_campaign(directory, provider, tasks, "5.00");
    let file = directory.join("paid.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let agent = format!(
        "[scaffolds]\nnames = [\"external/own\"]\n[agents.own]\ncommand = '''\n\
         cat > /tmp/agent.py <<'PROGRAM'\n{program}\nPROGRAM\n\
         exec python3 /tmp/agent.py \"$OPENAI_BASE_URL\" \"$OPENAI_API_KEY\" \"$SYNTHD_MODEL\"\n'''\n"
    );
    std::fs::write(file, text + &agent + more).unwrap();
}

fn look(directory: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(synthd());
    let command = command.args(arguments).args(["--data-dir", "data"]).current_dir(directory);
    String::from_utf8(command.output().unwrap().stdout).unwrap()
}

fn json_of(directory: &Path, arguments: &[&str]) -> Value {
    serde_json::from_str(&look(directory, arguments)).unwrap()
}

fn ran(directory: &Path) -> (Output, Value) {
    let output = command(directory).output().unwrap();
    let summary = summary(&output);
    (output, summary)
}

/// The variable goes to the agent.
fn write_with(directory: &Path, provider: &Provider, tasks: u32, variable: &str) {
    write(directory, provider, tasks, OWN, &format!("environment = {{ {variable} }}\n"));
}

/// How many replies a conversation holds.
fn replies(heard: &Heard) -> usize {
    let messages = heard.body["messages"].as_array().unwrap();
    messages.iter().filter(|message| message["role"] == "assistant").count()
}

#[tokio::test]
async fn an_agent_of_somebody_elses_works_on_a_campaign() {
    if cannot("an agent of a campaign") {
        return;
    }
    let provider = Provider::start(|_| None);
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), &provider, 6, OWN, "");
    let (output, done) = ran(directory.path());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!((&done["episodes"]["resolved"], &done["steps"]), (&json!(6), &json!(12)), "{done}");
    assert_eq!(done["cost_usd"], provider.charged().to_string());
    assert_eq!(recorded(directory.path()).await, provider.charged());
    // Whatever it calls its model, its episode's is asked.
    assert!(provider.host.heard().iter().all(|heard| heard.body["model"] == "m-1"));

    let listed = json_of(directory.path(), &["call", "list", "--json"]);
    let calls = listed["calls"].as_array().unwrap();
    assert_eq!(calls.len(), 12);
    assert!(calls.iter().all(|call| call["status"] == 200 && call["attempt"] == 1), "{listed}");
    let id = calls[0]["episode"].as_str().unwrap();
    let shown = json_of(directory.path(), &["episode", "show", id, "--json"]);
    assert_eq!(shown["row"]["scaffold"], "external/own");
    let steps = shown["row"]["trajectory"].as_array().unwrap();
    assert_eq!(steps[0]["action"]["type"], "tool_call");
    assert_eq!(steps[1]["action"]["type"], "submit");
    assert_eq!(steps[0]["observation"], "0\n");
    assert_eq!(steps[0]["state"]["files"], json!(["words.txt"]));
    assert_eq!(steps[1]["state"]["files"], json!(["count.txt", "words.txt"]));
    assert_eq!(shown["turns"][0]["changes"][0]["path"], "count.txt");
    // What it was offered and what it was told is its own, not a scaffold's of ours.
    assert_eq!(shown["opening"][0]["content"], "You run commands.");
    assert_eq!(shown["tools"][0]["description"], "runs");
    let page = look(directory.path(), &["episode", "show", id]);
    assert!(page.contains("  > bash: n=$(wc -l < words.txt)"), "{page}");
    let replayed = look(directory.path(), &["episode", "replay", id]);
    assert!(replayed.contains("its agent"), "{replayed}");
}

#[tokio::test]
async fn an_agent_that_streams_has_its_turns_too() {
    if cannot("an agent that streams") {
        return;
    }
    let provider = Provider::start(|_| None);
    let directory = tempfile::tempdir().unwrap();
    write_with(directory.path(), &provider, 4, "AGENT_STREAMS = \"1\"");
    let (output, done) = ran(directory.path());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!((&done["episodes"]["resolved"], &done["steps"]), (&json!(4), &json!(8)), "{done}");
    assert_eq!(provider.host.heard().len(), 8);
    assert_eq!(recorded(directory.path()).await, provider.charged());
}

/// Each of its questions is asked twice, and the first time it does not wait for the answer.
#[tokio::test]
async fn an_agent_that_hangs_up_pays_for_what_was_asked() {
    if cannot("an agent that hangs up") {
        return;
    }
    let provider = Provider::start(|_| None);
    let directory = tempfile::tempdir().unwrap();
    write_with(directory.path(), &provider, 6, "AGENT_HANGS_UP = \"1\"");
    let (output, done) = ran(directory.path());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(done["episodes"]["resolved"], 6, "{done}");
    // Every call has a name of its own, so none hides another.
    assert_eq!(recorded(directory.path()).await, provider.charged());
    let listed = json_of(directory.path(), &["call", "list", "--json"]);
    let asked = listed["calls"].as_array().unwrap().iter().filter(|call| call["status"] == 200);
    assert_eq!(asked.count(), provider.host.heard().len());
    assert_eq!(done["cost_usd"], provider.charged().to_string());
}

/// It hangs up 200 times after its first answer. Each such call is paid for, so it does not get
/// far: a turn has at most five calls, whether its answers are heard or not.
#[tokio::test]
async fn an_agent_that_hangs_up_for_ever_is_ended() {
    if cannot("an agent that hangs up for ever") {
        return;
    }
    // Its answers take longer than the agent waits, and than the gateway needs to notice that.
    let provider = Provider::start(|heard| {
        if replies(heard) > 0 {
            std::thread::sleep(Duration::from_secs(1));
        }
        None
    });
    let directory = tempfile::tempdir().unwrap();
    let more = "environment = { AGENT_LEAVES_AFTER = \"1\" }\n[episode]\nmax_turns = 2\n";
    write(directory.path(), &provider, 1, OWN, more);
    let (output, done) = ran(directory.path());
    assert_eq!(
        (output.status.code(), &done["episodes"]["faulted"]),
        (Some(0), &json!(0)),
        "{done}"
    );
    let asked = provider.host.heard().len();
    assert!((2..=12).contains(&asked), "{asked} calls were paid for");
    assert_eq!(recorded(directory.path()).await, provider.charged());
    assert_eq!(done["cost_usd"], provider.charged().to_string());
}

#[test]
fn a_token_is_kept_nowhere() {
    if cannot("an agent that prints its token") {
        return;
    }
    let provider = Provider::start(|_| None);
    let directory = tempfile::tempdir().unwrap();
    write_with(directory.path(), &provider, 1, "AGENT_PRINTS = \"OPENAI_API_KEY\"");
    let (output, done) = ran(directory.path());
    assert_eq!(done["episodes"]["resolved"], 1, "{output:?}");
    let heard = provider.host.heard();
    assert!(heard[1].body.to_string().contains("sgw-"), "it was said");
    let listed = json_of(directory.path(), &["call", "list", "--json"]);
    let call = &listed["calls"][1];
    let (id, episode) = (call["id"].as_str().unwrap(), call["episode"].as_str().unwrap());
    for shown in [
        look(directory.path(), &["call", "show", id, "--request"]),
        look(directory.path(), &["episode", "show", episode, "--json"]),
    ] {
        assert!(shown.contains("[token]") && !shown.contains("sgw-"), "{shown}");
    }
}

#[test]
fn an_agent_that_was_cut_off_is_told_again_what_was_paid_for() {
    if cannot("an agent that is cut off") {
        return;
    }
    let holds = Arc::new(AtomicBool::new(true));
    let held = holds.clone();
    let provider = Provider::start(move |heard| {
        (replies(heard) == 1 && held.load(Ordering::SeqCst)).then(|| vec![Act::Stall])
    });
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), &provider, 4, OWN, "");
    let mut run = command(directory.path());
    let mut run = run.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let asked =
        |turn: usize| provider.host.heard().iter().filter(|heard| replies(heard) == turn).count();
    // By then every first turn is in the record.
    while asked(1) < 4 {
        assert!(run.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::yield_now();
    }
    run.kill().unwrap();
    run.wait().unwrap();
    holds.store(false, Ordering::SeqCst);
    let (output, done) = ran(directory.path());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!((&done["episodes"]["resolved"], &done["steps"]), (&json!(4), &json!(8)), "{done}");
    assert_eq!((asked(0), asked(1)), (4, 8), "nothing that was answered is asked again");
}

/// A provider that is silent keeps nobody: what was asked of it counts in full, and is in the
/// record as what it is.
#[tokio::test]
async fn an_attempt_that_is_cancelled_does_not_wait_for_its_agents_provider() {
    if cannot("an agent that is cancelled") {
        return;
    }
    // All three calls are on their way, or one of them, and the others wait for their turn.
    for (at_once, on_their_way) in [("", 3), ("concurrency = 1\n", 1)] {
        is_cancelled_while_its_provider_is_silent(at_once, on_their_way).await;
    }
}

async fn is_cancelled_while_its_provider_is_silent(at_once: &str, on_their_way: usize) {
    let provider = Provider::start(|heard| (replies(heard) == 1).then(|| vec![Act::Stall]));
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), &provider, 3, OWN, "");
    let file = directory.path().join("paid.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let model = "name = \"local/m-1\"\n";
    std::fs::write(file, text.replace(model, &format!("{model}{at_once}"))).unwrap();
    let mut run = command(directory.path());
    let mut run = run.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    while provider.host.heard().iter().filter(|heard| replies(heard) == 1).count() < on_their_way {
        assert!(run.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::yield_now();
    }
    let process = Pid::from_raw(run.id() as i32);
    let interrupt = || kill(process, Signal::SIGINT).unwrap();
    interrupt();
    let mut lines = BufReader::new(run.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.starts_with("stopping")), "it does not say that it stops");
    interrupt();
    let words = lines.collect::<Vec<_>>().join("\n");
    run.wait().unwrap();
    assert!(!words.contains("did not end in time"), "{words}");
    let listed = json_of(directory.path(), &["call", "list", "--json"]);
    let calls = listed["calls"].as_array().unwrap();
    let cut: Vec<&Value> = calls.iter().filter(|call| call["fault"] == "cancelled").collect();
    // With one at a time, nobody says how many were answered before one was not.
    assert_eq!(cut.len(), on_their_way, "{listed}");
    assert!(calls.len() == 6 || !at_once.is_empty(), "{listed}");
    assert!(cut.iter().all(|call| call["cost_usd"] != "0.00"), "{listed}");
    assert!(recorded(directory.path()).await > provider.charged());
}

/// Where who stands in fails as well, the program is told the refusal, and that is its turn.
#[tokio::test]
async fn a_refusal_that_nobody_stands_in_for_is_a_turn() {
    if cannot("an agent that is refused") {
        return;
    }
    let provider = Provider::start(|heard| {
        let refusal = [delta(json!({ "content": "No." })), finish("content_filter")];
        Some(match heard.body["model"] == "m-1" {
            true => stream_of(&[&refusal[..], &[usage(1_000, 50)]].concat()),
            false => status("500 Internal Server Error", "", "{}"),
        })
    });
    let directory = tempfile::tempdir().unwrap();
    let other = "[[models]]\nname = \"local/m-2\"\nreserve = true\n\
                 price = { input = \"1.00\", output = \"2.00\" }\n";
    write(directory.path(), &provider, 1, OWN, other);
    let file = directory.path().join("paid.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let name = "name = \"local/m-1\"\n";
    let stands_in = "fallback = { filter = [\"local/m-2\"] }\n";
    std::fs::write(file, text.replace(name, &format!("{name}{stands_in}"))).unwrap();
    let (output, done) = ran(directory.path());
    assert_eq!((output.status.code(), &done["steps"]), (Some(0), &json!(1)), "{output:?}");
    let asked = provider.host.heard().iter().map(|heard| heard.body["model"].clone()).collect();
    assert_eq!(Value::Array(asked), json!(["m-1", "m-2"]), "nobody is asked again");
    let listed = json_of(directory.path(), &["episode", "list", "--json"]);
    let episode = listed["episodes"][0]["id"].as_str().unwrap();
    let shown = json_of(directory.path(), &["episode", "show", episode, "--json"]);
    let turn = &shown["turns"][0];
    assert_eq!((&turn["reply"]["finish"], &turn["model"]), (&json!("refusal"), &Value::Null));
}

/// Nor for longer than the episode has; its silence is no episode's failure.
#[tokio::test]
async fn an_attempt_whose_provider_is_silent_ends_with_its_time() {
    if cannot("an agent whose time is up") {
        return;
    }
    let silent = AtomicBool::new(true);
    let provider = Provider::start(move |heard| {
        let stalls = replies(heard) == 1 && silent.swap(false, Ordering::SeqCst);
        stalls.then(|| vec![Act::Stall])
    });
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), &provider, 1, OWN, "[episode]\ntimeout = \"15s\"\n");
    let (output, done) = ran(directory.path());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!((&done["episodes"]["resolved"], &done["steps"]), (&json!(1), &json!(2)), "{done}");
    let listed = json_of(directory.path(), &["call", "list", "--json"]);
    let calls = listed["calls"].as_array().unwrap();
    let faults: Vec<&Value> = calls.iter().map(|call| &call["fault"]).collect();
    // What was answered before is told again, and not asked.
    assert_eq!(faults, [&Value::Null, &json!("out_of_time"), &Value::Null], "{listed}");
    assert_ne!(calls[1]["cost_usd"], "0.00", "what it cost nobody knows: {listed}");
    assert!(recorded(directory.path()).await > provider.charged());
}

#[test]
fn where_a_sandbox_has_a_network_its_agent_has_its_model_too() {
    if cannot("an agent with a network") {
        return;
    }
    let provider = Provider::start(|_| None);
    let directory = tempfile::tempdir().unwrap();
    let network = "[networks]\noutside = [\"example.com\"]\n[sandbox]\nnetwork = \"outside\"\n";
    write(directory.path(), &provider, 2, OWN, network);
    let (output, done) = ran(directory.path());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(done["episodes"]["resolved"], 2, "{done}");
}

#[test]
fn limits_of_an_episode_are_an_agents_too() {
    if cannot("limits of an agent") {
        return;
    }
    // One call is held at more than it costs; a second one would not fit.
    let cases = [
        ("[episode]\nmax_turns = 1\n", "stop:step_limit"),
        ("[budget]\nepisode_usd = \"0.0188\"\n", "stop:cost_limit"),
    ];
    for (limit, label) in cases {
        let provider = Provider::start(|_| None);
        let directory = tempfile::tempdir().unwrap();
        write(directory.path(), &provider, 1, OWN, limit);
        let file = directory.path().join("paid.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text.replace("[budget]\nusd = \"5.00\"\n", "")).unwrap();
        let (output, done) = ran(directory.path());
        assert_eq!(output.status.code(), Some(0), "{label}: {output:?}");
        assert_eq!(done["steps"], 1, "{label}: {done}");
        let listed = json_of(directory.path(), &["episode", "list", "--json"]);
        let id = listed["episodes"][0]["id"].as_str().unwrap().to_owned();
        let shown = json_of(directory.path(), &["episode", "show", &id, "--json"]);
        let labels = shown["row"]["labels"].to_string();
        assert!(labels.contains(label), "{labels}");
    }
}

#[test]
fn a_program_that_is_not_there_is_told_and_labels_nothing() {
    if cannot("an agent that is not there") {
        return;
    }
    let provider = Provider::start(|_| None);
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), &provider, 30, OWN, "");
    let file = directory.path().join("paid.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let text = text.replace("exec python3 /tmp/agent.py", "exec no-such-agent");
    std::fs::write(file, text).unwrap();
    let (output, done) = ran(directory.path());
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{words}");
    assert!(words.contains("agent_broken") && words.contains("no-such-agent"), "{words}");
    assert_eq!((&done["rows"]["accepted"], &done["cost_usd"]), (&json!(0), &json!("0.00")));
    assert!(provider.host.heard().is_empty());
}

/// A record answers an agent as it answered then, and nobody is asked.
#[test]
fn a_record_answers_agents_too() {
    if cannot("a replay for an agent") {
        return;
    }
    for variable in ["", "AGENT_STREAMS = \"1\""] {
        let provider = Provider::start(|_| None);
        let directory = tempfile::tempdir().unwrap();
        write_with(directory.path(), &provider, 3, variable);
        let (_, paid) = ran(directory.path());
        assert_eq!(paid["episodes"]["resolved"], 3, "{paid}");
        let heard = provider.host.heard().len();

        super::replay::replayed(directory.path(), |text| text);
        let output = command(directory.path()).env_remove("SYNTHD_TEST_KEY").output().unwrap();
        let again = summary(&output);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert_eq!(again["episodes"], paid["episodes"]);
        assert_eq!((&again["tokens"], &again["cost_usd"]), (&paid["tokens"], &json!("0.00")));
        assert_eq!(provider.host.heard().len(), heard, "nobody is asked");

        // Another agent asks something else.
        let file = directory.path().join("paid.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        let text = text.replace("name = \"again\"", "name = \"other\"");
        std::fs::write(file, text.replace("You run commands.", "You run other commands.")).unwrap();
        let output = command(directory.path()).env_remove("SYNTHD_TEST_KEY").output().unwrap();
        let words = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{words}");
        assert!(words.contains("it says") && words.contains("other commands"), "{words}");
    }
}

/// CI installs mini-swe-agent where sandboxes see it, and names the place.
#[tokio::test]
async fn mini_swe_agent_works_on_a_campaign() {
    let Ok(packages) = std::env::var("SYNTHD_TEST_AGENT") else {
        return skip("mini-swe-agent", "SYNTHD_TEST_AGENT names no place it is installed in");
    };
    if cannot("mini-swe-agent") {
        return;
    }
    let provider = Provider::start(|_| None);
    let directory = tempfile::tempdir().unwrap();
    let more = format!(
        "environment = {{ PYTHONPATH = {packages:?}, MSWEA_GLOBAL_CONFIG_DIR = \"/tmp/agent\", \
         MSWEA_SILENT_STARTUP = \"1\", LITELLM_LOCAL_MODEL_COST_MAP = \"True\" }}\n\
         [sandbox]\nmemory = \"2GiB\"\n"
    );
    write(directory.path(), &provider, 2, MINI, &more);
    let (output, done) = ran(directory.path());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!((&done["episodes"]["resolved"], &done["steps"]), (&json!(2), &json!(4)), "{done}");
    assert_eq!(recorded(directory.path()).await, provider.charged());
    let heard = provider.host.heard();
    let told = heard.iter().find(|heard| replies(heard) == 0).unwrap().body["messages"].to_string();
    assert!(told.contains("words.txt"), "its task is the campaign's: {told}");
}
