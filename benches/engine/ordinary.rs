//! Clients and a provider made with hyper.

use crate::load::{PATH, REPLY, Span, TOKEN, think};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::time::{Duration, Instant};
use synthd_actors::supervisor::spawn;
use tokio::net::{TcpListener, TcpStream};

/// How long each call took.
pub async fn client(address: &str, body: String, span: Span) -> Vec<Duration> {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    // It ends when the sender is dropped.
    spawn("connection", connection).detach();
    let (mut times, body) = (Vec::new(), Bytes::from(body));
    loop {
        let begun = Instant::now();
        sender.ready().await.unwrap();
        let answer = sender.send_request(request(body.clone())).await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.into_body().collect().await.unwrap();
        if !span.keep(begun, &mut times) {
            return times;
        }
    }
}

fn request(body: Bytes) -> Request<Full<Bytes>> {
    Request::post(PATH)
        .header(HOST, "h")
        .header(AUTHORIZATION, format!("Bearer {TOKEN}"))
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(body))
        .unwrap()
}

pub async fn provider() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let serving = spawn("provider", async move {
        while let Ok((stream, _)) = listener.accept().await {
            stream.set_nodelay(true).unwrap();
            let served = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service_fn(answer));
            spawn("connection", served).detach();
        }
    });
    serving.detach();
    address
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let asked = request.into_body().collect().await.map(|body| body.to_bytes());
    think(&asked.unwrap_or_default()).await;
    let reply = Response::builder().header(CONTENT_TYPE, "application/json");
    Ok(reply.body(Full::new(Bytes::from_static(REPLY.as_bytes()))).unwrap())
}
