//! The provider client: one address of a provider with the key to it. It sends a request and reads
//! the answer, for every wire format. All adapters and the gateway's upstreams use it.
//!
//! It adds the headers, puts the key into the request, records the exchange, maps refusals to
//! faults (`faults`), and redacts the key in everything that the provider says.

use crate::formats::reading::events::ReplyBuilder;
use crate::formats::reading::faults;
use crate::formats::writing::key_placement::ApiKeyPlacement;
use crate::llm::replay::ProviderTransport;
use crate::llm::transport::api_key::ApiKey;
use crate::llm::transport::http::{self, ProviderResponse};
use crate::llm::transport::read_reply::read_reply;
use crate::llm::transport::redaction::{self, KeyMatcher, SplitKeyRedactor};
use bytes::Bytes;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Url};
use serde_json::Value;
use std::sync::Arc;
use synthd_actors::model::{
    CallCharge, CallFault, ChatReply, ExchangeRecorder, Fault, FaultKind, HeaderList,
    ProviderEndpoint,
};
use synthd_actors::ports::CallContext;

const JSON: &str = "application/json";
/// The `accept` header. A host that does not stream may answer with plain JSON.
const STREAM_OR_JSON: &str = "text/event-stream, application/json";

/// One address of a provider, with the key.
pub(in crate::llm) struct ProviderClient {
    /// Has a connection pool of its own.
    client: Client,
    url: Url,
    /// The name of the wire format. The record keeps it, so that a replay can choose the adapter.
    dialect: String,
    /// The name of the environment variable that holds the key, for messages to people.
    variable: Option<String>,
    key: Option<ApiKey>,
    /// Over HTTP, or from a replay record.
    transport: ProviderTransport,
}

impl ProviderClient {
    /// `path` is the family's own path below the endpoint's base URL, such as `chat/completions`.
    /// Fails if the URL, the key or the proxy cannot be used.
    pub(in crate::llm) fn new(
        endpoint: &ProviderEndpoint,
        path: &str,
        key: Option<(ApiKeyPlacement, &str)>,
        transport: impl Into<ProviderTransport>,
    ) -> Result<Self, Fault> {
        let key = key.map(|(place, key)| ApiKey::new(place, key)).transpose()?;
        let url = url(&endpoint.base_url, path)?;
        let (dialect, variable) = (endpoint.dialect.clone(), endpoint.key_env.clone());
        Ok(Self {
            client: http::client(endpoint.proxy.as_deref())?,
            url,
            dialect,
            variable,
            key,
            transport: transport.into(),
        })
    }

    /// Makes one attempt: sends `body` and returns the complete reply. `headers` are further
    /// headers of the family. A refusal by a content filter is a reply (with
    /// `FinishReason::Refusal`), every other refusal is a fault.
    pub(in crate::llm) async fn exchange<A: ReplyBuilder>(
        &self,
        body: &Value,
        headers: &[(&str, &str)],
        context: &CallContext,
    ) -> Result<ChatReply, CallFault> {
        // The guard lives until the function ends. If the caller drops this future early (a
        // timeout, a shutdown), the guard's `drop` still redacts the recorded exchange.
        let redactor = self.reply_redactor(&context.recorder, 1);
        let replied = async {
            let answer = self.send(Bytes::from(body.to_string()), headers, context).await?;
            match answer.status.is_success() {
                true => read_reply::<A>(answer).await,
                false => self.refused(answer).await,
            }
        };
        let mut replied = replied.await;
        redactor.redact(&mut replied);
        replied
    }

    /// Sends the request and returns the answer with any status, before its body is read. Fails if
    /// no answer came. With a replay record, nothing is sent and the recorded answer is returned.
    pub(in crate::llm) async fn send(
        &self,
        body: Bytes,
        headers: &[(&str, &str)],
        context: &CallContext,
    ) -> Result<ProviderResponse, CallFault> {
        let timeouts = match &self.transport {
            ProviderTransport::Http(timeouts) => *timeouts,
            ProviderTransport::Replay(record) => return record.answer(&body, context).await,
        };
        let recorder = &context.recorder;
        // A model may have written the key into the conversation (it may have been in a file). It
        // must not go out as text, and it must not be in the record.
        let body = match &self.key {
            Some(key) if !key.secret.is_placeholder() => key.secret.redacted(body.into()).into(),
            _ => body,
        };
        let own = [("content-type", JSON), ("accept", STREAM_OR_JSON)];
        // The recorded headers do not include the header of the key.
        let kept: HeaderList = own.iter().chain(headers).map(|header| self.owned(header)).collect();
        recorder.sent(self.url.as_str(), &self.dialect, kept, &body);
        let mut post = self.client.post(self.url.clone());
        post = post.header(CONTENT_TYPE, HeaderValue::from_static(JSON));
        post = post.header(ACCEPT, HeaderValue::from_static(STREAM_OR_JSON));
        for (name, value) in headers {
            post = post.header(*name, *value);
        }
        if let Some(key) = &self.key {
            post = key.put(post);
        }
        let sent = http::send(post.body(body), timeouts, recorder, self.secret()).await;
        sent.map_err(|fault| self.hide(fault))
    }

    /// What finds the key, if there is a key.
    fn secret(&self) -> Option<Arc<KeyMatcher>> {
        self.key.as_ref().map(|key| key.secret.clone())
    }

    /// A header as the record keeps it: without the key.
    fn owned(&self, (name, value): &(&str, &str)) -> (String, String) {
        let value = (*value).to_owned();
        let value = match &self.key {
            Some(key) => key.secret.redacted_text(value),
            None => value,
        };
        ((*name).to_owned(), value)
    }

    /// The redactor for the events of a stream that are passed on one by one. None without a key,
    /// and for a key that is so short that it is only a placeholder.
    pub(in crate::llm) fn split_key_redactor(&self, choices: usize) -> Option<SplitKeyRedactor> {
        let secret = self.secret().filter(|secret| !secret.is_placeholder());
        secret.map(|secret| SplitKeyRedactor::new(secret, choices))
    }

    /// The guard that redacts the parsed reply and, when it is dropped, the recorded exchange.
    /// `choices` is how many completions were asked for.
    pub(in crate::llm) fn reply_redactor<'a>(
        &self,
        recorder: &'a ExchangeRecorder,
        choices: usize,
    ) -> ReplyRedactor<'a> {
        let secret = self.secret().filter(|secret| !secret.is_placeholder());
        ReplyRedactor { secret, choices, recorder }
    }

    /// Takes the key out of a fault's message.
    fn hide(&self, mut fault: CallFault) -> CallFault {
        if let Some(key) = &self.key {
            key.secret.redact_fault(&mut fault.fault);
        }
        fault
    }

    /// Completes the fault of a refused key with the environment variable that holds the key, so
    /// that people know what to change.
    fn told(&self, mut failure: CallFault) -> CallFault {
        let fault = &mut failure.fault;
        if fault.kind == FaultKind::KeyRejected {
            let host = self.url.origin().ascii_serialization();
            let key = match &self.variable {
                Some(variable) => format!("does not take the key in {variable}"),
                None => "wants a key, and key_env names none".to_owned(),
            };
            fault.message = format!("{host} {key}: {}", fault.message);
        }
        self.hide(failure)
    }

    /// Reads the body of a refusal. Returns the body's text for the client and the fault that it
    /// means. Used by the gateway's upstream.
    pub(in crate::llm) async fn read_error(&self, answer: ProviderResponse) -> (String, CallFault) {
        let (status, headers) = (answer.status, answer.headers.clone());
        let said = answer.read_error_text().await;
        let mut fault = self.told(faults::refused(status, &headers, &said));
        if faults::is_filtered(status, &said) {
            // Some hosts charge for what their filter has read.
            fault.charge = CallCharge::Unknown;
        }
        (said, fault)
    }

    /// What a refusal means for an adapter: the reply of a content filter, or a fault.
    async fn refused(&self, answer: ProviderResponse) -> Result<ChatReply, CallFault> {
        let (status, headers) = (answer.status, answer.headers.clone());
        let said = answer.read_error_text().await;
        if faults::is_filtered(status, &said) {
            return Ok(faults::filtered());
        }
        Err(self.told(faults::refused(status, &headers, &said)))
    }
}

/// The address of `path` below the base URL, with exactly one slash between them.
fn url(base: &str, path: &str) -> Result<Url, Fault> {
    let url = format!("{}/{path}", base.trim_end_matches('/'));
    Url::parse(&url).map_err(|error| {
        // What is no address may be a key, and is not repeated.
        let what = format!("the provider's base_url is not an address: {error}");
        Fault::new(FaultKind::ModelPermanent, what)
    })
}

/// A guard that takes a key out of a parsed reply and out of the recorded exchange.
///
/// The bytes of an answer are redacted while they arrive. That does not find a key that is split
/// over several events of a stream (`"sk-ab"` in one event, `"cdef"` in the next). The parsed reply
/// has both parts joined, so the key is found there. The record is always searched, because an
/// answer may say more than the parsed reply has, for example further completions. This happens on
/// drop, so that no early return skips it.
pub struct ReplyRedactor<'a> {
    /// None if there is no key to look for; then the guard does nothing.
    secret: Option<Arc<KeyMatcher>>,
    /// How many completions were asked for.
    choices: usize,
    recorder: &'a ExchangeRecorder,
}

impl ReplyRedactor<'_> {
    /// Takes the key out of a reply or out of a fault's message.
    pub fn redact(&self, replied: &mut Result<ChatReply, CallFault>) {
        let Some(secret) = &self.secret else { return };
        match replied {
            Ok(reply) => secret.redact_reply(reply),
            Err(failure) => secret.redact_fault(&mut failure.fault),
        }
    }
}

impl Drop for ReplyRedactor<'_> {
    /// Redacts the recorded response.
    fn drop(&mut self) {
        let Some(secret) = &self.secret else { return };
        self.recorder.redact(|exchange| {
            exchange.response =
                redaction::redact_split_keys(secret, self.choices, &exchange.response);
        });
    }
}
