//! Clients that ask without a pause, and a provider that answers at once: written by hand, so
//! that next to none of the machine is theirs, or made with hyper, as most are.

use crate::{bare, ordinary};
use std::time::{Duration, Instant};
use synthd_actors::supervisor::spawn;

pub const TOKEN: &str = "sgw-bench";
pub const PATH: &str = "/v1/chat/completions";
pub const REPLY: &str = r#"{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hello there."},"finish_reason":"stop"}],"usage":{"prompt_tokens":100,"completion_tokens":10,"total_tokens":110}}"#;
const LASTS: Duration = Duration::from_secs(3);
const WARMS_UP: Duration = Duration::from_millis(1_500);

/// How clients and provider are made.
#[derive(Clone, Copy)]
pub enum Made {
    ByHand,
    WithHyper,
}

pub struct Load {
    pub p50: Duration,
    pub p99: Duration,
    pub rate: f64,
}

/// When calls count. What is answered while connections are still made, on either side, does
/// not.
#[derive(Clone, Copy)]
pub struct Span {
    from: Instant,
}

impl Span {
    /// Keeps how long a call took that has just been answered; false once it is over.
    pub fn keep(&self, begun: Instant, times: &mut Vec<Duration>) -> bool {
        let now = Instant::now();
        if now >= self.from && now <= self.from + LASTS {
            times.push(now - begun);
        }
        now <= self.from + LASTS
    }
}

/// So many clients, each asking again as soon as it is answered.
pub async fn load(made: Made, address: &str, model: &str, at_once: usize) -> Load {
    let body = format!(
        "{{\"model\":\"{model}\",\"max_tokens\":100,\"messages\":[{{\"role\":\"user\",\"content\":\"{}\"}}]}}",
        "Say hello. ".repeat(40)
    );
    let span = Span { from: Instant::now() + WARMS_UP };
    let clients: Vec<_> = (0..at_once)
        .map(|_| {
            let (address, body) = (address.to_owned(), body.clone());
            spawn("client", async move {
                match made {
                    Made::ByHand => bare::client(&address, &body, span).await,
                    Made::WithHyper => ordinary::client(&address, body, span).await,
                }
            })
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

/// A provider that answers at once, or after as many milliseconds as its model's name says.
pub async fn provider(made: Made) -> String {
    match made {
        Made::ByHand => bare::provider().await,
        Made::WithHyper => ordinary::provider().await,
    }
}

/// Waits as long as the model that is asked thinks.
pub async fn think(asked: &[u8]) {
    let asked = String::from_utf8_lossy(asked);
    let thinks = asked.split("m-").nth(1).and_then(|rest| rest.split('"').next());
    let thinks: u64 = thinks.and_then(|millis| millis.parse().ok()).unwrap_or(0);
    if thinks > 0 {
        tokio::time::sleep(Duration::from_millis(thinks)).await;
    }
}
