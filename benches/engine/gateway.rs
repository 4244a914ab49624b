//! The gateway between clients and a provider that answers at once: what it adds, and how many
//! it serves, with durable holds and the record on; beside the provider asked directly, and
//! LiteLLM's proxy. And the ledger by itself.

use crate::{Figure, synthd};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use synthd::store::Store;
use synthd_actors::collector::CollectorHandle;
use synthd_actors::model::*;
use synthd_actors::ports::Journal;
use synthd_actors::supervisor::spawn;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A Python with `litellm[proxy]` installed.
const PEER: &str = "SYNTHD_BENCH_LITELLM";
const TOKEN: &str = "sgw-bench";
const LASTS: Duration = Duration::from_secs(3);
const WARMS_UP: Duration = Duration::from_millis(1_500);
const AT_ONCE: [usize; 3] = [1, 16, 64];
/// For calls that wait for their model.
const CROWD: usize = 512;
const THINKS: Duration = Duration::from_millis(50);

pub async fn measure() -> Vec<Figure> {
    let mock = provider().await;
    let directory = tempfile::tempdir().unwrap();
    let ours = Ours::start(directory.path(), &mock);
    let mut figures = Vec::new();
    let mut best = 0.0_f64;
    let mut direct_best = 0.0_f64;
    for at_once in AT_ONCE {
        // In turns, so that a machine that slows down slows both.
        let direct = load(&mock, "m-0", at_once).await;
        let through = load(&ours.address, "local/m-0", at_once).await;
        let added = |of: fn(&Load) -> Duration| of(&through).saturating_sub(of(&direct));
        let goal = if at_once <= 16 { "< 0.5 ms" } else { "" };
        figures.push(Figure::time(
            &format!("gateway adds, p50, {at_once} at once"),
            added(|l| l.p50),
            None,
            goal,
        ));
        let goal = if at_once == 16 { "< 2 ms" } else { "" };
        figures.push(Figure::time("the same, p99", added(|l| l.p99), None, goal));
        figures.push(Figure::rate(
            "requests",
            through.rate,
            direct.rate,
            ">= 0.15x of the direct mock's best",
        ));
        best = best.max(through.rate);
        direct_best = direct_best.max(direct.rate);
    }
    figures.push(Figure::rate("the best of them", best, direct_best, ">= 0.15x"));
    figures.extend(crowd(&ours, &mock).await);
    drop(ours);
    for workers in [1, 2] {
        figures.extend(peer(&mock, workers, best).await);
    }
    figures.push(ledger().await);
    figures
}

/// As many calls in flight as wait for a model of known slowness.
async fn crowd(ours: &Ours, mock: &str) -> Vec<Figure> {
    let ideal = CROWD as f64 / THINKS.as_secs_f64();
    let model = format!("m-{}", THINKS.as_millis());
    let direct = load(mock, &model, CROWD).await;
    let through = load(&ours.address, &format!("local/{model}"), CROWD).await;
    let what = format!("{CROWD} in flight at {THINKS:?}");
    vec![
        Figure::rate(&format!("{what}, directly"), direct.rate, ideal, ""),
        Figure::rate(&what, through.rate, ideal, ">= 0.95x of the ideal"),
    ]
}

struct Load {
    p50: Duration,
    p99: Duration,
    rate: f64,
}

/// So many clients, each asking again as soon as it is answered. What they are answered while
/// connections are still made, on either side, does not count.
async fn load(address: &str, model: &str, at_once: usize) -> Load {
    let body = format!(
        "{{\"model\":\"{model}\",\"max_tokens\":100,\"messages\":[{{\"role\":\"user\",\"content\":\"{}\"}}]}}",
        "Say hello. ".repeat(40)
    );
    let request = Arc::new(format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {TOKEN}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ));
    let from = Instant::now() + WARMS_UP;
    let clients: Vec<_> = (0..at_once)
        .map(|_| {
            let (address, request) = (address.to_owned(), request.clone());
            spawn("client", client(address, request, from))
        })
        .collect();
    let mut times = Vec::new();
    for client in clients {
        times.extend(client.await.unwrap());
    }
    times.sort_unstable();
    let at = |share: usize| times[(times.len() * share / 100).min(times.len() - 1)];
    Load { p50: at(50), p99: at(99), rate: times.len() as f64 / LASTS.as_secs_f64() }
}

/// How long each call took that was answered within the time that counts.
async fn client(address: String, request: Arc<String>, from: Instant) -> Vec<Duration> {
    let mut stream = TcpStream::connect(&address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut times, mut buffer) = (Vec::new(), Vec::new());
    loop {
        let begun = Instant::now();
        stream.write_all(request.as_bytes()).await.unwrap();
        let (head, _) = message(&mut stream, &mut buffer).await.unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        let now = Instant::now();
        if now > from + LASTS {
            return times;
        }
        if now >= from {
            times.push(now - begun);
        }
    }
}

/// One message of HTTP with its length: its head and its body.
async fn message(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<(String, Vec<u8>)> {
    loop {
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8(buffer[..end].to_vec()).unwrap();
            let length = head.to_ascii_lowercase();
            let length = length.lines().find_map(|line| line.strip_prefix("content-length: "));
            // What has none asks whether somebody is there.
            let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
            if buffer.len() >= end + 4 + length {
                let body = buffer[end + 4..end + 4 + length].to_vec();
                buffer.drain(..end + 4 + length);
                return Some((head, body));
            }
        }
        buffer.reserve(16 << 10);
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}

/// A provider that answers at once, or after as many milliseconds as its model's name says.
async fn provider() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let serving = spawn("provider", async move {
        while let Ok((stream, _)) = listener.accept().await {
            spawn("connection", answer(stream)).detach();
        }
    });
    serving.detach();
    address
}

async fn answer(mut stream: TcpStream) {
    stream.set_nodelay(true).unwrap();
    let body = r#"{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hello there."},"finish_reason":"stop"}],"usage":{"prompt_tokens":100,"completion_tokens":10,"total_tokens":110}}"#;
    let reply = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut buffer = Vec::new();
    while let Some((_, asked)) = message(&mut stream, &mut buffer).await {
        let asked = String::from_utf8_lossy(&asked);
        let thinks = asked.split("m-").nth(1).and_then(|rest| rest.split('"').next());
        let thinks: u64 = thinks.and_then(|millis| millis.parse().ok()).unwrap_or(0);
        if thinks > 0 {
            tokio::time::sleep(Duration::from_millis(thinks)).await;
        }
        if stream.write_all(reply.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// The real program.
struct Ours {
    child: Child,
    address: String,
}

impl Ours {
    fn start(directory: &Path, mock: &str) -> Self {
        let models: String = [0, THINKS.as_millis()]
            .map(|millis| {
                format!(
                    "[[models]]\nname = \"local/m-{millis}\"\nconcurrency = 4096\n\
                     price = {{ input = \"0.10\", output = \"0.20\" }}\n"
                )
            })
            .concat();
        let config = format!(
            "[gateway]\nlisten = \"127.0.0.1:0\"\n[budget]\nusd = \"1000000\"\n\
             [providers.local]\ndialect = \"vllm\"\nbase_url = \"http://{mock}/v1\"\n{models}"
        );
        std::fs::write(directory.join("gateway.toml"), config).unwrap();
        let mut command = Command::new(synthd());
        command.args(["gateway", "gateway.toml", "--data-dir", "data"]).current_dir(directory);
        command.env("SYNTHD_GATEWAY_TOKEN", TOKEN).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().rsplit("http://").next().unwrap().to_owned();
        Self { child, address }
    }
}

impl Drop for Ours {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// LiteLLM's proxy with so many workers, its logging off.
async fn peer(mock: &str, workers: usize, ours: f64) -> Vec<Figure> {
    let Ok(python) = std::env::var(PEER) else {
        println!("SKIPPED LiteLLM: name a Python that has litellm[proxy] in {PEER}");
        return Vec::new();
    };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/litellm_proxy.py");
    let mut command = Command::new(python);
    command.args([script, &format!("http://{mock}/v1"), &workers.to_string()]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().to_owned();
    let mut figures = Vec::new();
    let mut best = 0.0_f64;
    for at_once in AT_ONCE {
        let direct = load(mock, "m-0", at_once).await;
        let through = load(&address, "m-0", at_once).await;
        let added = through.p50.saturating_sub(direct.p50);
        let what = format!("LiteLLM ({workers}) adds, p50, {at_once} at once");
        figures.push(Figure::time(&what, added, None, ""));
        best = best.max(through.rate);
    }
    figures.push(Figure::rate(
        &format!("our best beside LiteLLM's ({workers})"),
        ours,
        best,
        ">= 40x",
    ));
    // It ends when nobody holds its input open any more.
    child.stdin.take().unwrap().flush().unwrap();
    child.wait().unwrap();
    figures
}

/// Hold and settlement, each durable before it is answered.
async fn ledger() -> Figure {
    const PAIRS: u64 = 200_000;
    const TASKS: u64 = 1_024;
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let campaign = CampaignName("bench".to_owned());
    let episode = EpisodeId("ep-0".to_owned());
    let plan = PlannedEpisode {
        id: episode.clone(),
        campaign: campaign.clone(),
        ordinal: 0,
        task: TaskId("t".to_owned()),
        template: "t".to_owned(),
        index: 0,
        category: String::new(),
        difficulty: String::new(),
        model: String::new(),
        scaffold: String::new(),
    };
    let record = CampaignRecord {
        name: campaign.clone(),
        identity: "x".to_owned(),
        config: String::new(),
        images: Default::default(),
        price_table: None,
        state: CampaignState::Running,
        reason: None,
        created_at_ms: 0,
    };
    let opened = vec![Entry::CampaignOpened(record), Entry::Planned(vec![plan])];
    store.append(opened).await.unwrap();
    let (collector, _life) = CollectorHandle::start(Arc::new(store.clone()));
    let next = Arc::new(AtomicU64::new(0));
    let begun = Instant::now();
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let (collector, next) = (collector.clone(), next.clone());
            let (campaign, episode) = (campaign.clone(), episode.clone());
            spawn("pairs", async move {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= PAIRS {
                        return;
                    }
                    let (id, amount) = (format!("ep-0/1/{number}/0"), Money::from_nanos(10));
                    let held = Entry::Held {
                        id: id.clone(),
                        campaign: campaign.clone(),
                        episode: episode.clone(),
                        attempt: Attempt(1),
                        amount,
                        model: "vllm/m".to_owned(),
                        at_ms: 0,
                    };
                    collector.record(vec![held]).await.unwrap();
                    let settled = Entry::Settled { id, amount: Money::from_nanos(7) };
                    collector.record(vec![settled]).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let rate = PAIRS as f64 / begun.elapsed().as_secs_f64();
    assert_eq!(store.spent(&campaign).await.unwrap(), Money::from_nanos(7 * PAIRS));
    Figure::plain("holds settled, durable", format!("{rate:.0}/s"), ">= 50,000/s")
}
