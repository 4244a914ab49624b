//! One client, from its first line to its last. Whatever it does wrong ends here: other
//! clients and the engine do not notice.

use super::limits::Limits;
use super::lines::{Ended, Lines};
use super::outlet::{Gone, Outlet};
use super::protocol::{Content, ErrorBody, Order, Request};
use crate::error::{Code, Error};
use async_trait::async_trait;
use serde_json::Value;
use std::sync::Arc;
use tokio::net::UnixStream;
use tokio_util::sync::CancellationToken;

/// What stands behind the socket.
#[async_trait]
pub trait Desk: Send + Sync + 'static {
    /// Does what is wanted; events on the way go through the outlet.
    async fn serve(&self, order: Order, outlet: &mut Outlet) -> Result<Value, Stop>;
}

/// Why there is no answer.
#[derive(Debug)]
pub enum Stop {
    Refused(Box<ErrorBody>),
    /// Nobody is left to be answered.
    Gone,
}

impl From<Gone> for Stop {
    fn from(_: Gone) -> Self {
        Self::Gone
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Refused(Box::new(ErrorBody::from(&error)))
    }
}

/// What a session needs.
#[derive(Clone)]
pub(super) struct Counter {
    pub(super) desk: Arc<dyn Desk>,
    pub(super) limits: Arc<Limits>,
    /// Cancelled when the socket closes.
    pub(super) closing: CancellationToken,
}

/// Serves a client until it leaves, misbehaves, or the socket closes.
pub(super) async fn serve(stream: UnixStream, counter: Counter) {
    let (reader, writer) = stream.into_split();
    let Counter { desk, limits, closing } = counter;
    let mut outlet = Outlet::new(writer, limits.clone(), closing.clone());
    let mut lines = Lines::new(reader);
    loop {
        let line = tokio::select! {
            line = lines.next(&limits) => line,
            () = closing.cancelled() => return,
        };
        let served = match line {
            Ok(line) => answer(&line, &*desk, &mut outlet).await,
            Err(ended) => return part(&ended, &limits, &mut outlet).await,
        };
        if served.is_err() {
            return;
        }
    }
}

/// Tells a client that is none of ours, or one too many, why it is let go.
pub(super) async fn refuse(stream: UnixStream, limits: Arc<Limits>, error: Error) {
    let (_, writer) = stream.into_split();
    let mut outlet = Outlet::new(writer, limits, CancellationToken::new());
    outlet.reply(Content::Error(ErrorBody::from(&error))).await.ok();
}

/// Whether the client may go on.
async fn answer(line: &[u8], desk: &dyn Desk, outlet: &mut Outlet) -> Result<(), Gone> {
    let Request { id, order } = match Request::parse(line) {
        Ok(request) => request,
        Err(rejection) => {
            outlet.answering(rejection.id);
            outlet.reply(Content::Error(*rejection.error)).await?;
            return if rejection.garbage { Err(Gone) } else { Ok(()) };
        }
    };
    outlet.answering(id);
    let content = match desk.serve(order, outlet).await {
        Ok(answer) => Content::Ok(answer),
        Err(Stop::Refused(error)) => Content::Error(*error),
        Err(Stop::Gone) => return Err(Gone),
    };
    outlet.reply(content).await
}

/// A last word to a client that may not know why it is dropped.
async fn part(ended: &Ended, limits: &Limits, outlet: &mut Outlet) {
    let why = match ended {
        Ended::Closed | Ended::HalfLine | Ended::Broken => return,
        Ended::TooLong => format!("a request has at most {} bytes", limits.line),
        Ended::Slow => {
            format!("a request must be complete within {} s", limits.read.as_secs())
        }
        Ended::Idle => format!("there was no request for {} s", limits.idle.as_secs()),
    };
    let error = Error::new(Code::ControlProtocol, why);
    outlet.answering(Value::Null);
    // It may be gone already; then there is nobody to tell.
    outlet.reply(Content::Error(ErrorBody::from(&error))).await.ok();
}
