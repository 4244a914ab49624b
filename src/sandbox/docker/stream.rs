//! Turns an attached container into one byte stream: its standard output is read, its standard
//! input is written.
//!
//! The container engine sends standard output and standard error in frames of its own. This
//! module unpacks them. The frames of the guest protocol are inside and are not touched here.

use bollard::container::{AttachContainerResults, LogOutput};
use bollard::errors::Error;
use futures_util::{Stream, StreamExt, future};
use std::io;
use std::pin::Pin;
use tokio::io::{AsyncRead, AsyncWrite, Join, join};
use tokio_util::io::StreamReader;

/// One piece of standard output, of any size; it may hold a part of a frame or several frames.
type GuestBytes = bytes::Bytes;
/// The container's standard output, without the frames of the container engine.
type GuestOutput = Pin<Box<dyn Stream<Item = io::Result<GuestBytes>> + Send>>;
/// The container's standard input. When it closes, the guest ends and the container with it.
type GuestInput = Pin<Box<dyn AsyncWrite + Send>>;

/// Both directions as one stream, for the client of the guest protocol.
pub(super) type GuestStream = Join<StreamReader<GuestOutput, GuestBytes>, GuestInput>;

/// The stream of a container. It must be attached before the container starts.
pub(super) fn of(attached: AttachContainerResults) -> GuestStream {
    let words = attached.output.filter_map(|item| future::ready(word(item)));
    join(StreamReader::new(Box::pin(words) as GuestOutput), attached.input)
}

/// The bytes of standard output, or `None` for all else. Standard error is what the guest says
/// about itself, so it goes to the log. Mixed into the stream, it would break a frame of the
/// protocol.
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

/// Checked by the compiler: the type meets the bounds that `GuestSandbox` needs.
const fn _is_a_stream<S: AsyncRead + AsyncWrite + Unpin + Send>() {}
const _: () = _is_a_stream::<GuestStream>();
