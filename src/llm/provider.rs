//! One address of a provider with the key to it: an exchange from the request to the reply,
//! whatever the family. What the provider says is told, and kept, without the key.

use super::api_key::{ApiKey, ApiKeyPlacement};
use super::events::{self, ReplyBuilder};
use super::faults;
use super::http::{self, ProviderResponse};
use super::redaction::{self, KeyMatcher, SplitKeyRedactor};
use super::replay::ProviderTransport;
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
const STREAM_OR_JSON: &str = "text/event-stream, application/json";

pub(super) struct ProviderClient {
    client: Client,
    url: Url,
    dialect: String,
    /// The variable that holds the key.
    variable: Option<String>,
    key: Option<ApiKey>,
    way: ProviderTransport,
}

impl ProviderClient {
    /// `path` is the family's own, below the endpoint's address.
    pub(super) fn new(
        endpoint: &ProviderEndpoint,
        path: &str,
        key: Option<(ApiKeyPlacement, &str)>,
        way: impl Into<ProviderTransport>,
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
            way: way.into(),
        })
    }

    /// One attempt.
    pub(super) async fn exchange<A: ReplyBuilder>(
        &self,
        body: &Value,
        headers: &[(&str, &str)],
        context: &CallContext,
    ) -> Result<ChatReply, CallFault> {
        // Whenever this ends, and however early.
        let mut censor = self.reply_redactor(&context.witness);
        let replied = async {
            let answer = self.send(Bytes::from(body.to_string()), headers, context).await?;
            match answer.status.is_success() {
                true => events::read::<A>(answer).await,
                false => self.refused(answer).await,
            }
        };
        let mut replied = replied.await;
        censor.redact(&mut replied);
        replied
    }

    /// Returns the answer with any status.
    pub(super) async fn send(
        &self,
        body: Bytes,
        headers: &[(&str, &str)],
        context: &CallContext,
    ) -> Result<ProviderResponse, CallFault> {
        let patience = match &self.way {
            ProviderTransport::Http(patience) => *patience,
            ProviderTransport::Replay(record) => return record.answer(&body, context).await,
        };
        let witness = &context.witness;
        // The key may be in what was said before, and has no place there.
        let body = match &self.key {
            Some(key) if !key.secret.is_placeholder() => key.secret.redacted(body.into()).into(),
            _ => body,
        };
        let own = [("content-type", JSON), ("accept", STREAM_OR_JSON)];
        let kept: HeaderList = own.iter().chain(headers).map(|header| self.owned(header)).collect();
        witness.sent(self.url.as_str(), &self.dialect, kept, &body);
        let mut post = self.client.post(self.url.clone());
        post = post.header(CONTENT_TYPE, HeaderValue::from_static(JSON));
        post = post.header(ACCEPT, HeaderValue::from_static(STREAM_OR_JSON));
        for (name, value) in headers {
            post = post.header(*name, *value);
        }
        if let Some(key) = &self.key {
            post = key.put(post);
        }
        let sent = http::send(post.body(body), patience, witness, self.secret()).await;
        sent.map_err(|fault| self.hide(fault))
    }

    fn secret(&self) -> Option<Arc<KeyMatcher>> {
        self.key.as_ref().map(|key| key.secret.clone())
    }

    fn owned(&self, (name, value): &(&str, &str)) -> (String, String) {
        let value = (*value).to_owned();
        let value = match &self.key {
            Some(key) => key.secret.redacted_text(value),
            None => value,
        };
        ((*name).to_owned(), value)
    }

    /// For the events of a stream that go on one by one.
    pub(super) fn split_key_redactor(&self) -> Option<SplitKeyRedactor> {
        self.secret().filter(|secret| !secret.is_placeholder()).map(SplitKeyRedactor::new)
    }

    pub(super) fn reply_redactor<'a>(&self, witness: &'a ExchangeRecorder) -> ReplyRedactor<'a> {
        let secret = self.secret().filter(|secret| !secret.is_placeholder());
        ReplyRedactor { secret, witness, found: None }
    }

    fn hide(&self, mut fault: CallFault) -> CallFault {
        if let Some(key) = &self.key {
            key.secret.redact_fault(&mut fault.fault);
        }
        fault
    }

    /// A key that is refused is told with the variable that holds it.
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

    /// What a refusal says, and what that means.
    pub(super) async fn read_error(&self, answer: ProviderResponse) -> (String, CallFault) {
        let (status, headers) = (answer.status, answer.headers.clone());
        let said = answer.read_error_text().await;
        let mut fault = self.told(faults::refused(status, &headers, &said));
        if faults::is_filtered(status, &said) {
            // Some hosts charge for what their filter has read.
            fault.charge = CallCharge::Unknown;
        }
        (said, fault)
    }

    async fn refused(&self, answer: ProviderResponse) -> Result<ChatReply, CallFault> {
        let (status, headers) = (answer.status, answer.headers.clone());
        let said = answer.read_error_text().await;
        if faults::is_filtered(status, &said) {
            return Ok(faults::filtered());
        }
        Err(self.told(faults::refused(status, &headers, &said)))
    }
}

fn url(base: &str, path: &str) -> Result<Url, Fault> {
    let url = format!("{}/{path}", base.trim_end_matches('/'));
    Url::parse(&url).map_err(|error| {
        // What is no address may be a key, and is not repeated.
        let what = format!("the provider's base_url is not an address: {error}");
        Fault::new(FaultKind::ModelPermanent, what)
    })
}

/// What is heard of an answer is already without the key, but for one that is spread over the
/// events of a stream: this takes that out of the reply, and out of the record.
pub struct ReplyRedactor<'a> {
    secret: Option<Arc<KeyMatcher>>,
    witness: &'a ExchangeRecorder,
    /// Whether the key was in what was understood; none before that is known.
    found: Option<bool>,
}

impl ReplyRedactor<'_> {
    pub fn redact(&mut self, replied: &mut Result<ChatReply, CallFault>) {
        let Some(secret) = &self.secret else { return };
        match replied {
            Ok(reply) => {
                let found = secret.redact_reply(reply);
                self.found = Some(found || self.found == Some(true));
            }
            Err(failure) => {
                secret.redact_fault(&mut failure.fault);
                self.found = Some(true);
            }
        }
    }
}

impl Drop for ReplyRedactor<'_> {
    fn drop(&mut self) {
        let Some(secret) = self.secret.as_ref().filter(|_| self.found != Some(false)) else {
            return;
        };
        self.witness.censor(|exchange| {
            exchange.response = redaction::redact_split_keys(secret, &exchange.response);
        });
    }
}
