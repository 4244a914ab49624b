//! Finds out whether a client still waits for its answer. A client may close its sending half of
//! the connection after its request, and still gets the answer. A client that has closed the whole
//! connection is gone, and its call should end if its request has not left.
//!
//! On TCP, both cases look the same from this end. So the kernel's table of connections says
//! whether any process still holds the other end. This works because the gateway listens on
//! loopback addresses only: the clients are on this host. On a Unix socket, the kernel reports the
//! difference directly.
//!
//! If the state cannot be found out, the client counts as present: a useless answer is better
//! than a client that is cut off while it waits.

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, recv};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpStream, UnixStream};
use tokio::time::sleep;

/// The time between two checks.
const PAUSE: Duration = Duration::from_millis(250);

/// Watches the other end of one connection.
#[derive(Clone)]
pub(in crate::gateway) struct DisconnectMonitor(Arc<ConnectionEnds>);

/// What is needed to ask the kernel about the connection.
struct ConnectionEnds {
    /// A second descriptor of our socket, because hyper owns the first one.
    ours: OwnedFd,
    /// Our address and the client's, for TCP. None for a Unix socket.
    addresses: Option<(SocketAddr, SocketAddr)>,
}

impl DisconnectMonitor {
    /// For a TCP connection. It fails if the connection has ended, or if too many files are open.
    pub(in crate::gateway) fn of_tcp(stream: &TcpStream) -> io::Result<Self> {
        let addresses = Some((stream.local_addr()?, stream.peer_addr()?));
        let ours = stream.as_fd().try_clone_to_owned()?;
        Ok(Self(Arc::new(ConnectionEnds { ours, addresses })))
    }

    /// For a connection of a Unix socket. It fails if too many files are open.
    pub(in crate::gateway) fn of_unix(stream: &UnixStream) -> io::Result<Self> {
        let ours = stream.as_fd().try_clone_to_owned()?;
        Ok(Self(Arc::new(ConnectionEnds { ours, addresses: None })))
    }

    /// Waits until the client has gone. It never returns while the client is there. The kernel's
    /// table is read on a blocking thread.
    pub(in crate::gateway) async fn disconnected(&self) {
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

/// What our socket says about its other end.
#[derive(Debug, PartialEq, Eq)]
enum PeerStatus {
    /// The client can still send, or its state is unknown. On a Unix socket also a client that
    /// sends nothing more but can still read.
    Stays,
    /// Both directions have ended, or the connection has failed.
    Left,
    /// The client sends nothing more on TCP, but it may still read. The addresses are ours and the
    /// client's.
    Nothing(SocketAddr, SocketAddr),
}

impl ConnectionEnds {
    /// Asks the socket, without waiting.
    fn says(&self) -> PeerStatus {
        // `POLLHUP` and `POLLERR` are reported even if no event is asked for.
        let mut polled = [PollFd::new(self.ours.as_fd(), PollFlags::empty())];
        // If the socket cannot be asked, the client counts as present.
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

    /// Whether the client has closed its sending half and all its bytes were read.
    fn has_said_all(&self) -> bool {
        let flags = MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT;
        recv(self.ours.as_raw_fd(), &mut [0], flags) == Ok(0)
    }
}

/// Whether a process holds the client's end. The table has a line for that end, with the client's
/// address first. A socket that no process holds has the inode 0, or no line at all.
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

/// An address as in the table, such as `0100007F:20B9` for `127.0.0.1:8377`. Each 32-bit word of
/// the address is written in the byte order of the host.
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
