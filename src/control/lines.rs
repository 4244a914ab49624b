//! Reads the lines of a client that may send anything. The length of a line is limited. Once a line
//! has begun, its time is limited too, so a client cannot keep its place by sending a byte now and
//! then.

use super::limits::ControlLimits;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::{Instant, timeout_at};

/// The bytes that one read asks for. The buffer grows by this much at a time.
const CHUNK: usize = 16 * 1024;

/// Why a client sends no more lines.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ClientInputEnd {
    /// The client closed its end between two lines. This is the usual end.
    Closed,
    /// The client closed its end within a line. The half line is not a request.
    HalfLine,
    /// A line is longer than the limit.
    TooLong,
    /// The client began a line and did not finish it in time.
    Slow,
    /// The client sent nothing for too long, or only blank lines.
    Idle,
    /// Reading from the connection failed.
    Broken,
}

/// Splits a stream of bytes into lines. Several lines may arrive in one read; they stay in the
/// buffer until they are asked for.
pub(super) struct LineReader<R> {
    /// The client's end of the connection, or bytes in tests.
    reader: R,
    /// Bytes that were read and not yet returned as lines.
    buffer: Vec<u8>,
    /// Where the next line begins in the buffer.
    start: usize,
    /// The end of the part of the buffer in which the next line has no newline. The search goes on
    /// from here, so each byte is looked at once. It is never smaller than `start`.
    searched: usize,
}

impl<R: AsyncRead + Unpin> LineReader<R> {
    /// A reader with an empty buffer.
    pub(super) fn new(reader: R) -> Self {
        Self { reader, buffer: Vec::new(), start: 0, searched: 0 }
    }

    /// The next line that is not blank, without its newline. Blank lines are skipped.
    pub(super) async fn next(&mut self, limits: &ControlLimits) -> Result<Vec<u8>, ClientInputEnd> {
        let idle = Instant::now() + limits.idle;
        let mut begun = None;
        loop {
            while let Some(line) = self.take() {
                if line.len() > limits.line {
                    return Err(ClientInputEnd::TooLong);
                }
                if !line.iter().all(u8::is_ascii_whitespace) {
                    return Ok(line.to_vec());
                }
            }
            // The buffer has no whole line left. The lines that were returned are removed.
            self.buffer.drain(..self.start);
            (self.start, self.searched) = (0, self.buffer.len());
            // A line without a newline is given up as soon as it is too long; it is never collected
            // to its end.
            if self.buffer.len() > limits.line {
                return Err(ClientInputEnd::TooLong);
            }
            // From the first byte of a line on, the limit for a request counts. Between lines it is
            // the idle limit, which blank lines do not prolong.
            begun = match self.buffer.is_empty() {
                true => None,
                false => begun.or_else(|| Some(Instant::now() + limits.read)),
            };
            self.fill(begun.unwrap_or(idle)).await?;
        }
    }

    /// The next whole line in the buffer; None if its newline has not arrived yet.
    fn take(&mut self) -> Option<&[u8]> {
        let found = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n')?;
        let (from, to) = (self.start, self.searched + found);
        (self.start, self.searched) = (to + 1, to + 1);
        Some(&self.buffer[from..to])
    }

    /// Reads more bytes into the buffer, until the deadline.
    async fn fill(&mut self, deadline: Instant) -> Result<(), ClientInputEnd> {
        let begun = !self.buffer.is_empty();
        if !begun {
            // The memory of a long line is given back before the client sends the next one.
            self.buffer.shrink_to(CHUNK);
        }
        self.buffer.reserve(CHUNK);
        match timeout_at(deadline, self.reader.read_buf(&mut self.buffer)).await {
            Ok(Ok(0)) => Err(if begun { ClientInputEnd::HalfLine } else { ClientInputEnd::Closed }),
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(ClientInputEnd::Broken),
            Err(_) => Err(if begun { ClientInputEnd::Slow } else { ClientInputEnd::Idle }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::future::Future;
    use std::time::Duration;
    use tokio::io::AsyncWriteExt;

    fn limits() -> ControlLimits {
        ControlLimits { line: 32, ..ControlLimits::default() }
    }

    async fn read_all(input: &[u8]) -> (Vec<Vec<u8>>, ClientInputEnd) {
        let mut lines = LineReader::new(input);
        let mut read = Vec::new();
        loop {
            match lines.next(&limits()).await {
                Ok(line) => read.push(line),
                Err(ended) => return (read, ended),
            }
        }
    }

    fn in_paused_time<T>(work: impl Future<Output = T>) -> T {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().start_paused(true).build().unwrap().block_on(work)
    }

    proptest! {
        #[test]
        fn lines_come_as_they_were_cut(input in proptest::collection::vec(
            prop_oneof![Just(b'\n'), any::<u8>()], 0..400,
        )) {
            let (read, ended) = in_paused_time(read_all(&input));
            let whole = input.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
            let all: Vec<&[u8]> = input[..whole]
                .split_inclusive(|b| *b == b'\n')
                .map(|line| &line[..line.len() - 1])
                .collect();
            let fits = all.iter().take_while(|line| line.len() <= 32).copied();
            let expected: Vec<&[u8]> =
                fits.filter(|line| !line.iter().all(u8::is_ascii_whitespace)).collect();
            prop_assert_eq!(&read, &expected);
            let too_long = all.iter().any(|line| line.len() > 32) || input.len() - whole > 32;
            prop_assert_eq!(ended == ClientInputEnd::TooLong, too_long);
        }
    }

    #[test]
    fn half_a_line_is_no_line() {
        assert_eq!(
            in_paused_time(read_all(b"one\ntwo")),
            (vec![b"one".to_vec()], ClientInputEnd::HalfLine)
        );
        assert_eq!(in_paused_time(read_all(b"")), (vec![], ClientInputEnd::Closed));
    }

    #[test]
    fn a_line_without_an_end_is_not_collected() {
        in_paused_time(async {
            let mut lines = LineReader::new(tokio::io::repeat(b'x'));
            assert_eq!(lines.next(&limits()).await, Err(ClientInputEnd::TooLong));
            assert!(lines.buffer.len() <= 32 + CHUNK);
        });
    }

    #[test]
    fn silence_is_allowed_between_lines_and_not_within() {
        in_paused_time(async {
            let (mut client, server) = tokio::io::duplex(64);
            let limits = ControlLimits {
                read: Duration::from_secs(1),
                idle: Duration::from_secs(60),
                ..limits()
            };
            let mut lines = LineReader::new(server);
            let started = Instant::now();
            assert_eq!(lines.next(&limits).await, Err(ClientInputEnd::Idle));
            assert_eq!(started.elapsed().as_secs(), 60);
            client.write_all(b"half").await.unwrap();
            let started = Instant::now();
            assert_eq!(lines.next(&limits).await, Err(ClientInputEnd::Slow));
            assert_eq!(started.elapsed().as_secs(), 1);
        });
    }

    #[test]
    fn a_blank_line_that_comes_in_parts_leaves_the_idle_limit_as_it_is() {
        in_paused_time(async {
            // The pipe holds one byte, so each byte is read by itself.
            let (mut client, server) = tokio::io::duplex(1);
            let limits = ControlLimits {
                read: Duration::from_secs(1),
                idle: Duration::from_secs(60),
                ..limits()
            };
            let mut lines = LineReader::new(server);
            let started = Instant::now();
            let (read, sent) = tokio::join!(lines.next(&limits), client.write_all(b" \n"));
            sent.unwrap();
            assert_eq!(read, Err(ClientInputEnd::Idle));
            assert_eq!(started.elapsed().as_secs(), 60);
        });
    }
}
