//! Whether a client still waits for its answer. One that has said all it has to say may close its
//! half of the connection, and is answered; one that has closed all of it is gone. On TCP both
//! look the same from this end, so the kernel's table says whether anybody holds the other one:
//! the gateway's clients are on this host.

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, recv};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpStream, UnixStream};
use tokio::time::sleep;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(250);

/// The other end of a connection.
#[derive(Clone)]
pub(super) struct DisconnectMonitor(Arc<ConnectionEnds>);

struct ConnectionEnds {
    ours: OwnedFd,
    /// Ours and theirs, on TCP.
    addresses: Option<(SocketAddr, SocketAddr)>,
}

impl DisconnectMonitor {
    pub(super) fn of_tcp(stream: &TcpStream) -> io::Result<Self> {
        let addresses = Some((stream.local_addr()?, stream.peer_addr()?));
        let ours = stream.as_fd().try_clone_to_owned()?;
        Ok(Self(Arc::new(ConnectionEnds { ours, addresses })))
    }

    pub(super) fn of_unix(stream: &UnixStream) -> io::Result<Self> {
        let ours = stream.as_fd().try_clone_to_owned()?;
        Ok(Self(Arc::new(ConnectionEnds { ours, addresses: None })))
    }

    /// Waits until it is gone.
    pub(super) async fn disconnected(&self) {
        loop {
            sleep(PAUSE).await;
            match self.0.says() {
                PeerStatus::Stays => {}
                PeerStatus::Left => return,
                PeerStatus::Nothing(ours, theirs) => {
                    let looked = tokio::task::spawn_blocking(move || is_held(ours, theirs)).await;
                    if matches!(looked, Ok(Ok(false))) {
                        return;
                    }
                }
            }
        }
    }
}

/// What the socket says of its other end.
#[derive(Debug, PartialEq, Eq)]
enum PeerStatus {
    Stays,
    Left,
    /// It says nothing more, and may listen.
    Nothing(SocketAddr, SocketAddr),
}

impl ConnectionEnds {
    fn says(&self) -> PeerStatus {
        // What has ended both ways is told without being asked for.
        let mut polled = [PollFd::new(self.ours.as_fd(), PollFlags::empty())];
        // Where it cannot be asked, it is answered.
        if poll(&mut polled, PollTimeout::ZERO).is_err() {
            return PeerStatus::Stays;
        }
        if polled[0].revents().is_some_and(|found| !found.is_empty()) {
            return PeerStatus::Left;
        }
        match self.addresses.filter(|_| self.has_said_all()) {
            Some((ours, theirs)) => PeerStatus::Nothing(ours, theirs),
            None => PeerStatus::Stays,
        }
    }

    fn has_said_all(&self) -> bool {
        let flags = MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT;
        recv(self.ours.as_raw_fd(), &mut [0], flags) == Ok(0)
    }
}

/// Whether some process holds their end: sockets that nobody holds have no inode.
fn is_held(ours: SocketAddr, theirs: SocketAddr) -> io::Result<bool> {
    let table = match ours {
        SocketAddr::V4(_) => "/proc/self/net/tcp",
        SocketAddr::V6(_) => "/proc/self/net/tcp6",
    };
    let (theirs, ours) = (written(theirs), written(ours));
    let table = std::fs::read_to_string(table)?;
    let mut entries = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let ends = [theirs.as_str(), ours.as_str()];
    let entry = entries.find(|entry| entry.get(1..3).is_some_and(|found| found == ends));
    Ok(entry.is_some_and(|entry| entry.get(9).is_some_and(|inode| *inode != "0")))
}

/// An address as the table has it.
fn written(address: SocketAddr) -> String {
    let word = |bytes: &[u8]| match bytes {
        [a, b, c, d] => format!("{:08X}", u32::from_ne_bytes([*a, *b, *c, *d])),
        _ => String::new(),
    };
    let host: String = match address.ip() {
        IpAddr::V4(ip) => word(&ip.octets()),
        IpAddr::V6(ip) => ip.octets().chunks(4).map(word).collect(),
    };
    format!("{host}:{:04X}", address.port())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    /// `Some` where the table had to be asked.
    fn is_gone(peer: &DisconnectMonitor) -> bool {
        match peer.0.says() {
            PeerStatus::Stays => false,
            PeerStatus::Left => true,
            PeerStatus::Nothing(ours, theirs) => !is_held(ours, theirs).unwrap(),
        }
    }

    #[tokio::test]
    async fn who_has_said_all_is_not_gone_on_tcp() {
        for at in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(at).await else { continue };
            let address = listener.local_addr().unwrap();
            for says_all_first in [true, false] {
                let mut client = TcpStream::connect(address).await.unwrap();
                let (mut ours, _) = listener.accept().await.unwrap();
                let peer = DisconnectMonitor::of_tcp(&ours).unwrap();
                assert!(!is_gone(&peer));
                if says_all_first {
                    client.shutdown().await.unwrap();
                    assert_eq!(ours.read(&mut [0; 8]).await.unwrap(), 0);
                    assert!(!is_gone(&peer), "it listens");
                }
                drop(client);
                assert_eq!(ours.read(&mut [0; 8]).await.unwrap_or(0), 0);
                assert!(is_gone(&peer));
                peer.disconnected().await;
            }
        }
    }

    #[tokio::test]
    async fn who_has_said_all_is_not_gone_on_a_unix_socket() {
        let (mut client, ours) = UnixStream::pair().unwrap();
        let peer = DisconnectMonitor::of_unix(&ours).unwrap();
        client.shutdown().await.unwrap();
        assert!(!is_gone(&peer), "it listens");
        drop(client);
        assert!(is_gone(&peer));
        peer.disconnected().await;
    }
}
