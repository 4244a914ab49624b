//! The tunnel's host end against a guest made of bytes.

use crate::support::Upstream;
use std::time::Duration;
use synthd::sandbox::guest::GuestClient;
use synthd::sandbox::guest::wire::{
    GuestFrame, PayloadWriter, TUNNELLED, WINDOW, body_length, decode, encode, kind,
};
use synthd_actors::model::FaultKind;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

const FIRST: u32 = TUNNELLED | 1;

/// A client with an open tunnel to `upstream`, and the guest's end of its stream.
async fn tunnelled(upstream: &Upstream) -> (GuestClient<DuplexStream>, DuplexStream) {
    let (ours, mut guest) = duplex(1 << 20);
    let mut client = GuestClient::new(ours);
    let open = client.tunnel(80, upstream.address());
    let answer = async {
        let asked = read(&mut guest).await;
        assert_eq!((asked.kind, asked.payload), (kind::TUNNEL, 80_u32.to_le_bytes().to_vec()));
        guest.write_all(&encode(asked.id, kind::DONE, &[0; 4])).await.unwrap();
    };
    tokio::join!(async { open.await.unwrap() }, answer);
    (client, guest)
}

async fn read(guest: &mut DuplexStream) -> GuestFrame {
    let mut prefix = [0; 4];
    guest.read_exact(&mut prefix).await.unwrap();
    let mut body = vec![0; body_length(prefix).unwrap()];
    guest.read_exact(&mut body).await.unwrap();
    decode(body).unwrap()
}

fn credit(bytes: u32) -> Vec<u8> {
    let mut writer = PayloadWriter::default();
    writer.u32(bytes);
    writer.0
}

#[tokio::test]
async fn frames_that_break_the_tunnel_are_told() {
    let upstream = Upstream::start().await;
    let open = encode(FIRST, kind::OPEN, b"");
    let after_open = |bytes: Vec<u8>| [open.clone(), bytes].concat();
    let broken = [
        encode(FIRST, kind::DATA, b"x"),
        encode(FIRST, kind::RESET, b""),
        encode(FIRST, kind::OPEN, b"x"),
        after_open(open.clone()),
        after_open(encode(TUNNELLED, kind::OPEN, b"")),
        after_open(encode(TUNNELLED | 2, kind::DATA, b"")),
        after_open(encode(FIRST, kind::DATA, &vec![0; WINDOW + 1])),
        after_open([encode(FIRST, kind::EOF, b""), encode(FIRST, kind::DATA, b"x")].concat()),
        after_open(encode(FIRST, kind::EOF, b"x")),
        after_open(encode(FIRST, kind::RESET, b"x")),
        after_open(encode(FIRST, kind::CREDIT, b"")),
        after_open(encode(FIRST, kind::CREDIT, &credit(1))),
        after_open(encode(FIRST, kind::CREDIT, &credit(u32::MAX))),
        after_open(encode(FIRST, kind::EXITED, b"")),
        after_open(encode(FIRST, 99, b"")),
        4_u32.to_le_bytes().to_vec(),
    ];
    for bytes in broken {
        let (mut client, mut guest) = tunnelled(&upstream).await;
        guest.write_all(&bytes).await.unwrap();
        let told = client.ping().await.unwrap_err();
        assert_eq!(told.kind, FaultKind::SandboxProtocol, "{bytes:?}: {told}");
        assert_eq!(client.ping().await.unwrap_err(), told);
    }
}

/// What a connection holds back is bounded by its window, on the way in and out.
#[tokio::test]
async fn no_more_than_a_window_goes_out_uncredited() {
    let upstream = Upstream::start().await;
    let (_client, mut guest) = tunnelled(&upstream).await;
    let asked = b"GET /bytes/1000000 HTTP/1.1\r\n\r\n";
    guest.write_all(&encode(FIRST, kind::OPEN, b"")).await.unwrap();
    guest.write_all(&encode(FIRST, kind::DATA, asked)).await.unwrap();
    let (mut uncredited, mut received, mut credited) = (0, 0, false);
    loop {
        let frame = read(&mut guest).await;
        match frame.kind {
            kind::CREDIT => {
                assert_eq!(frame.payload, (asked.len() as u32).to_le_bytes());
                credited = true;
            }
            kind::DATA => {
                uncredited += frame.payload.len();
                received += frame.payload.len();
                assert!(uncredited <= WINDOW);
                // Only when nothing more may come.
                if uncredited == WINDOW {
                    guest
                        .write_all(&encode(FIRST, kind::CREDIT, &credit(WINDOW as u32)))
                        .await
                        .unwrap();
                    uncredited = 0;
                }
            }
            kind::EOF => break,
            other => panic!("kind {other}"),
        }
    }
    assert!(credited && received > 1_000_000);
}

#[tokio::test]
async fn connections_beyond_the_bound_are_reset_and_the_others_live() {
    let upstream = Upstream::start().await;
    let (mut client, mut guest) = tunnelled(&upstream).await;
    for number in 1..=300_u32 {
        guest.write_all(&encode(TUNNELLED | number, kind::OPEN, b"")).await.unwrap();
    }
    for _ in 0..300 - 256 {
        let frame = read(&mut guest).await;
        assert_eq!(frame.kind, kind::RESET, "{frame:?}");
    }
    upstream.accepted(256).await;
    let answer = async {
        let asked = read(&mut guest).await;
        let mut pong = PayloadWriter::default();
        pong.u32(synthd::sandbox::guest::wire::PROTOCOL).u8(1);
        guest.write_all(&encode(asked.id, kind::PONG, &pong.0)).await.unwrap();
    };
    tokio::join!(async { client.ping().await.unwrap() }, answer);
    drop(client);
    upstream.all_closed().await;
}

/// A reset ends the host's connection at once, whatever it was doing.
#[tokio::test]
async fn a_reset_ends_the_connection() {
    let upstream = Upstream::start().await;
    let (_client, mut guest) = tunnelled(&upstream).await;
    guest.write_all(&encode(FIRST, kind::OPEN, b"")).await.unwrap();
    upstream.accepted(1).await;
    guest.write_all(&encode(FIRST, kind::RESET, b"")).await.unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(60), upstream.all_closed());
    ended.await.expect("it is still open");
}
