//! One address of a provider with the key to it: an exchange from the request to the reply,
//! whatever the family. What the provider says is told without the key.

use super::faults;
use super::http::{self, Answer, Patience};
use super::key::{Key, KeyIn};
use reqwest::Client;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use serde_json::Value;
use std::future::Future;
use synthd_actors::model::{CallFault, ChatReply, Endpoint, Fault};

pub(super) struct Provider {
    client: Client,
    url: String,
    key: Option<Key>,
    patience: Patience,
}

impl Provider {
    /// `path` is the family's own, below the endpoint's address.
    pub(super) fn new(
        endpoint: &Endpoint,
        path: &str,
        key: Option<(KeyIn, &str)>,
        patience: Patience,
    ) -> Result<Self, Fault> {
        let key = key.map(|(place, key)| Key::new(place, key)).transpose()?;
        let url = format!("{}/{path}", endpoint.base_url.trim_end_matches('/'));
        Ok(Self { client: http::client()?, url, key, patience })
    }

    /// One attempt; `read` makes a reply of an answer that is no refusal.
    pub(super) async fn exchange<F: Future<Output = Result<ChatReply, CallFault>>>(
        &self,
        body: &Value,
        headers: &[(&str, &str)],
        read: impl FnOnce(Answer) -> F,
    ) -> Result<ChatReply, CallFault> {
        let replied = async {
            let answer = self.send(body, headers).await?;
            if answer.status.is_success() { read(answer).await } else { self.refused(answer).await }
        };
        replied.await.map_err(|fault| Key::hide(self.key.as_ref(), fault))
    }

    async fn send(&self, body: &Value, headers: &[(&str, &str)]) -> Result<Answer, CallFault> {
        let mut post = self.client.post(&self.url).header(CONTENT_TYPE, "application/json");
        post = post.header(ACCEPT, "text/event-stream, application/json").body(body.to_string());
        for (name, value) in headers {
            post = post.header(*name, *value);
        }
        if let Some(key) = &self.key {
            post = key.put(post);
        }
        http::send(post, self.patience).await
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
