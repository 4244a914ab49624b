//! A client with a limit of 30 s, and an answer that takes 45 s. The provider answers when the test
//! lets it, and the seconds are those of the test's clock. So nobody waits for them.

use super::gateway::{Running, TOKEN, completion, config, list, post, whole};
use super::host::Host;
use async_trait::async_trait;
use serde_json::{Value, json};
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;
use synthd::gateway::{AgentGateway, GatewayServices};
use synthd::llm::AdapterFactory;
use synthd_actors::agent_access::{AgentAccess, AgentSession, AgentSessionSpec};
use synthd_actors::engine::{EngineHandle, EngineResources};
use synthd_actors::model::{
    AgentProgram, AttemptNumber, CallRecord, CampaignConfig, CampaignName, Fault, FaultKind,
    HostAddress, JournalEntry, ModelConfig, Money, Outcome, ProviderEndpoint, StopReason,
};
use synthd_actors::ports::Journal;
use synthd_actors::supervisor::spawn;
use synthd_actors::testkit::{self, FakeBackend, Kit, Options, in_test_system};
use synthd_actors::work::{EngineServices, WorkInputs};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::Notify;

/// How long the client waits.
const LIMIT: Duration = Duration::from_secs(30);
/// How long the answer takes.
const TAKES: Duration = Duration::from_secs(45);
/// The model's last command.
const DONE: &str = "echo COMPLETE_TASK_AND_SUBMIT_FINAL_OUTPUT";
/// The cost of each answer in nano-dollars: 100 tokens in, 20 out, each for one.
const COST: u64 = 120;

/// The one answer that is slow.
struct SlowAnswer {
    is_due: AtomicBool,
    /// The provider has the request.
    asked: Notify,
    /// Lets the provider answer.
    go: mpsc::Sender<()>,
    waits: Mutex<mpsc::Receiver<()>>,
}

impl SlowAnswer {
    fn new() -> Arc<Self> {
        let (go, waits) = mpsc::channel();
        let (is_due, asked, waits) = (AtomicBool::new(true), Notify::new(), Mutex::new(waits));
        Arc::new(Self { is_due, asked, go, waits })
    }

    /// On a thread of the provider: holds the first answer back until the test lets it go.
    fn hold_back(&self) {
        if self.is_due.swap(false, Ordering::SeqCst) {
            self.asked.notify_one();
            self.waits.lock().unwrap().recv().unwrap();
        }
    }

    fn let_go(&self) {
        self.go.send(()).unwrap();
    }

    /// The client leaves when its limit is over, and the provider answers when it has taken its
    /// time. In between the gateway sees that the client is gone.
    async fn outlast(&self, client: UnixStream) {
        tokio::time::pause();
        tokio::time::sleep(LIMIT).await;
        drop(client);
        tokio::time::sleep(TAKES - LIMIT).await;
        tokio::time::resume();
        self.let_go();
    }
}

/// How many replies a conversation holds.
fn replies(messages: &[Value]) -> usize {
    messages.iter().filter(|message| message["role"] == "assistant").count()
}

/// What the model wants run next.
fn command_for(messages: &[Value]) -> String {
    match replies(messages) {
        0 => "get start".to_owned(),
        1 => format!("put letter {}", messages[messages.len() - 1]["content"].as_str().unwrap()),
        2 => "put name me".to_owned(),
        _ => DONE.to_owned(),
    }
}

/// A provider whose second answer of a conversation is slow, the first time.
fn provider(slow: &Arc<SlowAnswer>) -> Host {
    let slow = slow.clone();
    Host::answering(move |heard| {
        let messages = heard.body["messages"].as_array().unwrap();
        if replies(messages) == 1 {
            slow.hold_back();
        }
        let arguments = json!({ "command": command_for(messages) }).to_string();
        let call = json!({ "id": format!("call_{}", replies(messages)), "type": "function",
            "function": { "name": "bash", "arguments": arguments } });
        let message = json!({ "role": "assistant", "content": "I see.", "tool_calls": [call] });
        whole(&completion(message, "tool_calls"))
    })
}

/// Agent programs that ask the real gateway over its socket.
struct HttpAgents {
    gateway: AgentGateway,
    backend: FakeBackend,
    slow: Arc<SlowAnswer>,
}

#[async_trait]
impl AgentAccess for HttpAgents {
    async fn open_session(&self, spec: AgentSessionSpec) -> Result<AgentSession, Fault> {
        let AgentSession { to, token, guard } = self.gateway.open_session(spec).await?;
        let HostAddress::Unix(socket) = to.clone() else { panic!("no Unix socket: {to:?}") };
        let (backend, slow) = (self.backend.clone(), self.slow.clone());
        let program = HttpProgram { socket, token: token.clone(), backend, slow };
        let running = spawn("agent", program.run());
        Ok(AgentSession { to, token, guard: Box::new((running, guard)) })
    }
}

/// A program that runs what its model says, and gives up on an answer that is too slow.
struct HttpProgram {
    socket: PathBuf,
    token: String,
    backend: FakeBackend,
    slow: Arc<SlowAnswer>,
}

impl HttpProgram {
    async fn run(self) {
        let jobs = self.backend.jobs();
        jobs.started(&self.token).await;
        let code = i32::from(self.work().await.is_none());
        jobs.end(&self.token, code);
    }

    /// None: it was refused.
    async fn work(&self) -> Option<()> {
        let mut messages = vec![json!({ "role": "user", "content": "the task" })];
        loop {
            let said = self.ask(&messages).await?;
            let call = &said["tool_calls"][0];
            let arguments = call["function"]["arguments"].as_str()?;
            let arguments: Value = serde_json::from_str(arguments).ok()?;
            let command = arguments["command"].as_str()?;
            if command == DONE {
                return Some(());
            }
            let told = self.backend.jobs().run(&self.token, command).await;
            let result = json!({ "role": "tool", "tool_call_id": call["id"], "content": told });
            messages.extend([said, result]);
        }
    }

    /// Asks until it has not given up.
    async fn ask(&self, messages: &[Value]) -> Option<Value> {
        loop {
            let client = self.post(messages).await.ok()?;
            if let Some(answer) = self.hear(client).await {
                return message_of(&answer);
            }
        }
    }

    async fn post(&self, messages: &[Value]) -> std::io::Result<UnixStream> {
        let body = json!({ "model": "any", "messages": messages }).to_string();
        let asked = request(&self.token, &body);
        let mut client = UnixStream::connect(&self.socket).await?;
        client.write_all(asked.as_bytes()).await?;
        Ok(client)
    }

    /// The answer. None: it has given up.
    async fn hear(&self, mut client: UnixStream) -> Option<String> {
        let mut answer = String::new();
        tokio::select! {
            read = client.read_to_string(&mut answer) => {
                drop(read);
                return Some(answer);
            }
            () = self.slow.asked.notified() => {}
        }
        self.slow.outlast(client).await;
        None
    }
}

fn request(token: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {token}\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

/// The message of an answer. None: it is a refusal.
fn message_of(answer: &str) -> Option<Value> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let body: Value = serde_json::from_str(body).ok()?;
    let message = &body["choices"][0]["message"];
    let (content, calls) = (&message["content"], &message["tool_calls"]);
    head.starts_with("HTTP/1.1 200")
        .then(|| json!({ "role": "assistant", "content": content, "tool_calls": calls }))
}

/// One episode of an agent program, with a model at the provider.
fn campaign(provider: &Host) -> CampaignConfig {
    let program = AgentProgram {
        command: "agent".to_owned(),
        environment: Default::default(),
        port: AgentProgram::PORT,
        max_output_tokens: 100,
    };
    let endpoint = Some(ProviderEndpoint::new("openai", provider.url(), None));
    CampaignConfig {
        scaffolds: vec!["external/agent".to_owned()],
        agents: [("agent".to_owned(), program)].into(),
        models: vec![ModelConfig { endpoint, ..testkit::priced("fake/one", 1) }],
        ..testkit::campaign("c", 1)
    }
}

/// The real gateway over the services of the test.
fn agent_gateway(kit: &Kit, socket: PathBuf) -> AgentGateway {
    let EngineServices { router, collector, journal, clock, .. } = kit.services.clone();
    let services = GatewayServices { router, collector, journal, clock };
    let factory = AdapterFactory::new(synthd::store::open_archive);
    AgentGateway::new(services, factory, Box::new(move || Ok(socket.clone())))
}

/// Runs the campaign with agents that ask over HTTP, until nothing is left of it.
async fn run(kit: &Kit, provider: &Host, slow: Arc<SlowAnswer>, socket: PathBuf) {
    let (gateway, backend) = (agent_gateway(kit, socket), kit.backend.clone());
    let agents = Arc::new(HttpAgents { gateway: gateway.clone(), backend, slow });
    let (engine, life) = EngineHandle::start(EngineResources {
        services: EngineServices { agents, ..kit.services.clone() },
        inputs: WorkInputs { catalog: Arc::new(testkit::catalog()), ..WorkInputs::default() },
        models: Arc::new(AdapterFactory::new(synthd::store::open_archive)),
        slots: kit.slots.clone(),
    });
    let campaign = engine.submit(Arc::new(campaign(provider)), String::new()).await.unwrap();
    let progress = campaign.wait_until_settled().await;
    assert_eq!((progress.episodes.resolved, progress.steps), (1, 4), "{progress:?}");
    assert_eq!((progress.episodes.faulted, progress.rows.accepted), (0, 1), "{progress:?}");
    engine.drain(true).await;
    engine.wait_until_settled().await;
    gateway.close().await;
    drop((campaign, engine));
    life.await.unwrap();
}

/// The provider was slow, so the attempt is a fault and its agent is not judged. The next attempt
/// goes on after the last answer that was heard.
async fn was_the_providers_fault(kit: &Kit) {
    let episodes = kit.journal.episodes(&CampaignName("c".to_owned())).await.unwrap();
    let outcome = &episodes[0].outcome;
    assert!(
        matches!(outcome, Some(Outcome::Judged { stop: StopReason::Submitted, .. })),
        "{outcome:?}"
    );
    let attempts = kit.journal.attempts(&episodes[0].plan.id).await.unwrap();
    let faults: Vec<Option<FaultKind>> =
        attempts.iter().map(|attempt| attempt.fault.as_ref().map(|fault| fault.kind)).collect();
    assert_eq!(faults, [Some(FaultKind::OutOfTime), None]);
    let why = &attempts[0].fault.as_ref().unwrap().message;
    assert!(why.starts_with("the agent gave up after"), "{why}");
    assert_eq!(attempts[1].resumed_from, Some(AttemptNumber(1)));
}

/// Four turns, and the answer that nobody heard: each is asked once, counted and recorded.
async fn is_paid_and_recorded(kit: &Kit, provider: &Host) {
    assert_eq!(provider.heard().len(), 5, "what it asked again did not leave");
    let spent = kit.journal.spent(&CampaignName("c".to_owned())).await.unwrap();
    assert_eq!((spent, kit.journal.unsettled()), (Money::from_nanos(5 * COST), 0));
    let calls: Vec<Arc<CallRecord>> = kit.journal.log().into_iter().filter_map(called).collect();
    assert_eq!(calls.len(), 5);
    let is_late =
        |call: &&Arc<CallRecord>| (call.place.attempt, call.place.turn) == (AttemptNumber(1), 1);
    let late = calls.iter().find(is_late).unwrap();
    assert_eq!((late.cost, &late.fault), (Money::from_nanos(COST), &None));
    assert_eq!(late.exchange.status, Some(200));
    assert!(String::from_utf8_lossy(&late.exchange.response).contains("put letter"), "{late:?}");
}

fn called(entry: JournalEntry) -> Option<Arc<CallRecord>> {
    match entry {
        JournalEntry::Called(call) => Some(call),
        _ => None,
    }
}

#[test]
fn an_agent_that_gives_up_on_a_slow_answer_is_not_judged_by_it() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("agents.sock");
    in_test_system(Options::default(), |kit| async move {
        // What is under way over sockets takes real time.
        tokio::time::resume();
        let slow = SlowAnswer::new();
        let provider = provider(&slow);
        run(&kit, &provider, slow, socket).await;
        was_the_providers_fault(&kit).await;
        is_paid_and_recorded(&kit, &provider).await;
    });
}

/// With the real binary: the answer is paid as the provider counts it, though nobody hears it, and
/// who asks again is answered, by another call.
#[test]
fn a_client_that_gives_up_pays_and_may_ask_again() {
    let slow = SlowAnswer::new();
    let holds = slow.clone();
    let host = Host::answering(move |_| {
        holds.hold_back();
        whole(&completion(json!({ "role": "assistant", "content": "late" }), "stop"))
    });
    let directory = tempfile::tempdir().unwrap();
    let gateway = Running::start(directory.path(), &config(&host, &host, "1.00"));
    let messages = json!([{ "role": "user", "content": "hello" }]);
    let body = json!({ "model": "local/chat-1", "messages": messages }).to_string();
    let mut client =
        std::net::TcpStream::connect(gateway.url.strip_prefix("http://").unwrap()).unwrap();
    client.write_all(request(TOKEN, &body).as_bytes()).unwrap();
    while host.heard().is_empty() {
        std::thread::yield_now();
    }
    drop(client);
    slow.let_go();
    let answer = post(&gateway.url, "/v1/chat/completions", &body);
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("late"), "{answer}");
    gateway.stop();
    let listed = list(directory.path(), &[]);
    let calls = listed["calls"].as_array().unwrap();
    let paid = |call: &Value| call["status"] == 200 && call["cost_usd"] == "0.00014";
    assert!(calls.len() == 2 && calls.iter().all(paid), "{listed}");
    assert!(calls.iter().all(|call| call["fault"].is_null()), "{listed}");
}
