//! A proxy of the libraries that the gateway is made of, which reads what is asked and what is
//! answered and does nothing else: no money, no limits, no record. It is a program of its own, as
//! the gateway is: this one, asked to be it, with the system's allocator.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::convert::Infallible;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use synthd_actors::supervisor::spawn;
use tokio::net::TcpListener;

/// The argument that asks for it; the provider's address follows.
pub const ASKED: &str = "--floor";

pub struct Floor {
    child: Child,
    pub address: String,
}

impl Floor {
    pub fn start(provider: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([ASKED, provider]).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        Self { child, address: line.trim().to_owned() }
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Says where it listens, and serves until it is killed.
pub fn run(provider: &str) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(serve(provider));
}

async fn serve(provider: &str) {
    rustls::crypto::ring::default_provider().install_default().unwrap();
    let client = reqwest::Client::new();
    let url: reqwest::Url = format!("http://{provider}/v1/chat/completions").parse().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap());
    while let Ok((stream, _)) = listener.accept().await {
        stream.set_nodelay(true).unwrap();
        let (client, url) = (client.clone(), url.clone());
        let service = service_fn(move |request| pass(client.clone(), url.clone(), request));
        let served = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service);
        spawn("connection", served).detach();
    }
}

async fn pass(
    client: reqwest::Client,
    url: reqwest::Url,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let asked = request.into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice::<Value>(&asked).unwrap();
    let sent = client.post(url).header("content-type", "application/json").body(asked);
    let reply = sent.send().await.unwrap().bytes().await.unwrap();
    serde_json::from_slice::<Value>(&reply).unwrap();
    let answer = Response::builder().header("content-type", "application/json");
    Ok(answer.body(Full::new(reply)).unwrap())
}
