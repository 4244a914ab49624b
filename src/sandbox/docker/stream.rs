//! An attached container as one stream of bytes: its standard output to be read, its
//! standard input to be written.

use bollard::container::{AttachContainerResults, LogOutput};
use bollard::errors::Error;
use futures_util::{Stream, StreamExt, future};
use std::io;
use std::pin::Pin;
use tokio::io::{AsyncRead, AsyncWrite, Join, join};
use tokio_util::io::StreamReader;

type GuestBytes = bytes::Bytes;
type GuestOutput = Pin<Box<dyn Stream<Item = io::Result<GuestBytes>> + Send>>;
type GuestInput = Pin<Box<dyn AsyncWrite + Send>>;

/// The guest's words and ours.
pub(super) type GuestStream = Join<StreamReader<GuestOutput, GuestBytes>, GuestInput>;

pub(super) fn of(attached: AttachContainerResults) -> GuestStream {
    let words = attached.output.filter_map(|item| future::ready(word(item)));
    join(StreamReader::new(Box::pin(words) as GuestOutput), attached.input)
}

/// What the guest says of itself on standard error is for the log; mixed into the stream it
/// would be a broken frame.
fn word(item: Result<LogOutput, Error>) -> Option<io::Result<GuestBytes>> {
    match item {
        Ok(LogOutput::StdOut { message } | LogOutput::Console { message }) => Some(Ok(message)),
        Ok(LogOutput::StdErr { message }) => {
            tracing::warn!(guest = %String::from_utf8_lossy(&message).trim(), "a guest complains");
            None
        }
        Ok(LogOutput::StdIn { .. }) => None,
        Err(error) => Some(Err(io::Error::other(error))),
    }
}

const fn _is_a_stream<S: AsyncRead + AsyncWrite + Unpin + Send>() {}
const _: () = _is_a_stream::<GuestStream>();
