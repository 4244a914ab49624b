//! Tokens: the secrets that clients show instead of a provider's API key, and the check of a shown
//! token.
//!
//! A [`TokenAuthenticator`] finds the client of a token. The token of a standalone gateway may name
//! a session after a dot: `sgw-3f...9a.alice`. The agent gateway makes a token for each attempt. No
//! token is kept in clear where its digest is enough.

use crate::gateway::ModelGateway;
use crate::gateway::sessions::session::GatewaySession;
use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use std::sync::Arc;
use synthd_actors::model::digest_of;

/// Bytes of a session's name.
const MOST_NAME: usize = 64;
/// The session of clients that name none.
const UNNAMED: &str = "default";

/// The secret that a client shows instead of a provider's API key, such as `sgw-` and 48
/// hexadecimal digits.
#[derive(Clone)]
pub struct GatewayToken {
    secret: SecretString,
    /// The digest of the secret, computed once.
    digest: String,
}

impl GatewayToken {
    /// A token with a text that the user chose.
    pub fn of(text: &str) -> Self {
        Self { secret: SecretString::from(text), digest: digest_of(&["token", text]) }
    }

    /// A new random token with 24 random bytes. It fails if the system gives no random numbers.
    pub fn fresh() -> std::io::Result<Self> {
        let mut random = [0; 24];
        getrandom::fill(&mut random).map_err(|error| std::io::Error::other(error.to_string()))?;
        Ok(Self::of(&format!("sgw-{}", hex::encode(random))))
    }

    /// The secret itself. It is for the user, or for the environment of an agent, and never for a
    /// log.
    pub fn expose(&self) -> &str {
        self.secret.expose_secret()
    }

    /// The name of the session, if `shown` is this token, alone or with a dot and a name. None for
    /// anything else. The tokens are compared by their digests, so the time of the comparison says
    /// nothing about the secret.
    pub(super) fn session<'s>(&self, shown: &'s str) -> Option<&'s str> {
        let own = self.expose();
        let (token, name) = match shown.len() > own.len() && shown.is_char_boundary(own.len()) {
            true => shown.split_at(own.len()),
            false => (shown, ""),
        };
        if digest_of(&["token", token]) != self.digest {
            return None;
        }
        if name.is_empty() {
            return Some(UNNAMED);
        }
        let name = name.strip_prefix('.')?;
        // The name becomes part of the id of a task (`gateway/alice`): only plain characters.
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        (!name.is_empty() && name.len() <= MOST_NAME && name.bytes().all(plain)).then_some(name)
    }
}

/// Why a token stands for no session.
#[derive(Debug)]
pub(in crate::gateway) enum SessionError {
    /// The token is not a valid one.
    Stranger,
}

/// Finds the session of a token. A standalone gateway and the agent gateway implement it.
#[async_trait]
pub(in crate::gateway) trait TokenAuthenticator: Send + Sync + 'static {
    /// The client that showed this token. `shown` may be empty. An error means that it is no valid
    /// token; it says no more than that, so that nobody learns anything about the tokens.
    async fn authenticate(&self, shown: &str) -> Result<AuthenticatedClient, SessionError>;
}

/// A client with a valid token: its session, and the models that it may use.
#[derive(Clone)]
pub(in crate::gateway) struct AuthenticatedClient {
    pub(in crate::gateway) gateway: Arc<ModelGateway>,
    pub(in crate::gateway) session: Arc<GatewaySession>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_may_name_a_session_and_nothing_else_is_one() {
        let token = GatewayToken::of("sgw-1");
        let cases = [
            ("sgw-1", Some("default")),
            ("sgw-1.alice-2", Some("alice-2")),
            ("sgw-1.", None),
            ("sgw-1alice", None),
            ("sgw-1.a b", None),
            ("sgw-2", None),
            ("sgw-", None),
            ("", None),
            ("sgw-é.x", None),
        ];
        for (shown, session) in cases {
            assert_eq!(token.session(shown), session, "{shown}");
        }
        assert_ne!(
            GatewayToken::fresh().unwrap().expose(),
            GatewayToken::fresh().unwrap().expose()
        );
    }
}
