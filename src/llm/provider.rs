//! One address of a provider with the key to it: an exchange from the request to the reply,
//! whatever the family. What the provider says is told, and kept, without the key.

use super::events::{self, Assemble};
use super::faults;
use super::http::{self, Answer};
use super::key::{Key, KeyIn};
use super::tape::Way;
use bytes::Bytes;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Url};
use serde_json::Value;
use synthd_actors::model::{
    CallFault, Charge, ChatReply, Endpoint, Fault, FaultKind, Headers, Witness,
};
use synthd_actors::ports::CallContext;

const JSON: &str = "application/json";
const STREAM_OR_JSON: &str = "text/event-stream, application/json";

pub(super) struct Provider {
    client: Client,
    url: Url,
    dialect: String,
    key: Option<Key>,
    way: Way,
}

impl Provider {
    /// `path` is the family's own, below the endpoint's address.
    pub(super) fn new(
        endpoint: &Endpoint,
        path: &str,
        key: Option<(KeyIn, &str)>,
        way: impl Into<Way>,
    ) -> Result<Self, Fault> {
        let key = key.map(|(place, key)| Key::new(place, key)).transpose()?;
        let url = url(&endpoint.base_url, path)?;
        let dialect = endpoint.dialect.clone();
        Ok(Self { client: http::client()?, url, dialect, key, way: way.into() })
    }

    /// One attempt.
    pub(super) async fn exchange<A: Assemble>(
        &self,
        body: &Value,
        headers: &[(&str, &str)],
        context: &CallContext,
    ) -> Result<ChatReply, CallFault> {
        let witness = &context.witness;
        // Whenever this ends, and however early.
        let _censor = self.censor(witness);
        let replied = async {
            let answer = self.send(Bytes::from(body.to_string()), headers, context).await?;
            match answer.status.is_success() {
                true => events::read::<A>(answer).await,
                false => self.refused(answer).await,
            }
        };
        replied.await.map_err(|fault| self.hide(fault))
    }

    /// Whoever answers, with whatever status.
    pub(super) async fn send(
        &self,
        body: Bytes,
        headers: &[(&str, &str)],
        context: &CallContext,
    ) -> Result<Answer, CallFault> {
        let patience = match &self.way {
            Way::Http(patience) => *patience,
            Way::Tape(tape) => return tape.answer(&body, context).await,
        };
        let witness = &context.witness;
        let own = [("content-type", JSON), ("accept", STREAM_OR_JSON)];
        let kept: Headers = own.iter().chain(headers).map(owned).collect();
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
        http::send(post.body(body), patience, witness).await
    }

    pub(super) fn censor<'a>(&'a self, witness: &'a Witness) -> Censor<'a> {
        Censor { key: self.key.as_ref(), witness }
    }

    pub(super) fn hide(&self, fault: CallFault) -> CallFault {
        Key::hide(self.key.as_ref(), fault)
    }

    /// What a refusal says, and what that means.
    pub(super) async fn complaint(&self, answer: Answer) -> (String, CallFault) {
        let (status, headers) = (answer.status, answer.headers.clone());
        let said = Key::without(self.key.as_ref(), answer.complaint().await);
        let mut fault = self.hide(faults::refused(status, &headers, &said));
        if faults::is_filtered(status, &said) {
            // Some hosts charge for what their filter has read.
            fault.charge = Charge::Unknown;
        }
        (said, fault)
    }

    async fn refused(&self, answer: Answer) -> Result<ChatReply, CallFault> {
        let (status, headers) = (answer.status, answer.headers.clone());
        // Before any of it is cut off.
        let said = Key::without(self.key.as_ref(), answer.complaint().await);
        if faults::is_filtered(status, &said) {
            return Ok(faults::filtered());
        }
        Err(faults::refused(status, &headers, &said))
    }
}

fn url(base: &str, path: &str) -> Result<Url, Fault> {
    let url = format!("{}/{path}", base.trim_end_matches('/'));
    Url::parse(&url).map_err(|error| {
        Fault::new(FaultKind::ModelPermanent, format!("{url} is no address: {error}"))
    })
}

fn owned((name, value): &(&str, &str)) -> (String, String) {
    ((*name).to_owned(), (*value).to_owned())
}

/// Takes the key out of what is kept of an answer: providers repeat what they were sent.
pub(super) struct Censor<'a> {
    key: Option<&'a Key>,
    witness: &'a Witness,
}

impl Drop for Censor<'_> {
    fn drop(&mut self) {
        let Some(key) = self.key else { return };
        self.witness.censor(|exchange| {
            exchange.response = key.out_of(std::mem::take(&mut exchange.response));
            for (_, value) in &mut exchange.response_headers {
                *value = Key::without(Some(key), std::mem::take(value));
            }
        });
    }
}
