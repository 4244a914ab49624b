//! A client that sends a part of many bodies and stops: other clients are still served. It runs
//! over real sockets.

use crate::config::ListenAddress;
use crate::gateway::listener::body_memory::BodyMemory;
use crate::gateway::listener::http_listener::{HttpListener, serve};
use crate::gateway::sessions::session::StandaloneGateway;
use crate::gateway::sessions::token_authenticator::GatewayToken;
use crate::gateway::{GatewayServices, ModelGateway};
use crate::llm::AdapterFactory;
use std::sync::Arc;
use synthd_actors::model::{CampaignName, ModelConfig};
use synthd_actors::supervisor::spawn;
use synthd_actors::testkit::{self, Kit, Options, in_test_system};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A gateway with 1 MiB of common memory for bodies.
fn small(kit: &Kit) -> (Arc<ModelGateway>, StandaloneGateway) {
    let services = kit.services.clone();
    let (router, collector) = (services.router, services.collector);
    let tools =
        GatewayServices { router, collector, journal: services.journal, clock: services.clock };
    let model = testkit::campaign("c", 1).models.remove(0);
    let echo = ModelConfig { name: "scripted/echo".to_owned(), ..model };
    let mut gateway =
        ModelGateway::new(&tools, &[echo], 100, &AdapterFactory::new(crate::store::open_archive))
            .unwrap();
    gateway.rooms = BodyMemory::of(1 << 10, 1);
    let gateway = Arc::new(gateway);
    let campaign = CampaignName("gateway".to_owned());
    (gateway.clone(), StandaloneGateway::new(gateway, tools, campaign, GatewayToken::of("sgw")))
}

fn head(session: &str, length: usize) -> String {
    format!(
        "POST /v1/messages/count_tokens HTTP/1.1\r\nHost: h\r\nX-Api-Key: sgw.{session}\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n"
    )
}

#[test]
fn a_session_whose_bodies_stall_holds_no_other_one_up() {
    in_test_system(Options::default(), |kit| async move {
        // The patience of the gateway must not pass while bytes are under way.
        tokio::time::resume();
        let (gateway, state) = small(&kit);
        let listener =
            HttpListener::open(&ListenAddress::Tcp("127.0.0.1:0".parse().unwrap())).await.unwrap();
        let address = listener.address().unwrap().replace("http://", "");
        let _serving = spawn("gateway", serve(Arc::new(state), listener));
        let mut stalled = Vec::new();
        // More and more of them, until one is kept waiting for memory.
        while gateway.rooms.waiting() == 0 {
            let mut stream = TcpStream::connect(&address).await.unwrap();
            stream.write_all(head("greedy", 16 << 20).as_bytes()).await.unwrap();
            stream.write_all(&[b' '; 32 << 10]).await.unwrap();
            stalled.push(stream);
        }
        let text = "x".repeat(200 << 10);
        let body = format!(
            "{{\"model\":\"scripted/echo\",\"messages\":[{{\"role\":\"user\",\"content\":\"{text}\"}}]}}"
        );
        let mut honest = TcpStream::connect(&address).await.unwrap();
        let (asked, mut answer) = (head("honest", body.len()) + &body, String::new());
        honest.write_all(asked.as_bytes()).await.unwrap();
        honest.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(gateway.rooms.waiting() > 0, "the others are still open");
        drop(stalled);
    });
}
