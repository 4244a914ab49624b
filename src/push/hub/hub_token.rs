//! The token of the Hub, from where the Hub's own programs have it. It goes into a header and nowhere
//! else.

use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use std::path::PathBuf;

/// A token, and the header that shows it.
pub(super) struct HubToken {
    secret: SecretString,
    header: HeaderValue,
}

/// Reads an environment variable, which counts as absent if it is empty.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

/// The file in which `hf auth login` keeps the token.
fn token_file() -> PathBuf {
    if let Some(path) = variable("HF_TOKEN_PATH") {
        return PathBuf::from(path);
    }
    let cache = variable("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.unwrap_or_else(|| std::env::home_dir().unwrap_or_default().join(".cache"));
    let home = variable("HF_HOME").map_or_else(|| cache.join("huggingface"), PathBuf::from);
    home.join("token")
}

impl HubToken {
    /// The token of `HF_TOKEN`, or else of the file. None if there is none, or if a header cannot hold it.
    pub(super) fn find() -> Option<Self> {
        let of_file = || std::fs::read_to_string(token_file()).ok();
        let text = variable("HF_TOKEN").or_else(of_file)?;
        Self::of(text.trim())
    }

    /// A token from its text.
    pub(super) fn of(text: &str) -> Option<Self> {
        if text.is_empty() {
            return None;
        }
        let mut header = HeaderValue::from_str(&format!("Bearer {text}")).ok()?;
        header.set_sensitive(true);
        Some(Self { secret: SecretString::from(text.to_owned()), header })
    }

    pub(super) fn header(&self) -> HeaderValue {
        self.header.clone()
    }

    /// A text without the token: a server may repeat what it was sent.
    pub(super) fn redacted(&self, text: &str) -> String {
        text.replace(self.secret.expose_secret(), "[token]")
    }
}

/// The address of the Hub: that of `HF_ENDPOINT`, or the public one.
pub(super) fn endpoint() -> String {
    let given = variable("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".to_owned());
    given.trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_in_its_header_alone() {
        let token = HubToken::of("hf_canary").unwrap();
        assert_eq!(token.header().to_str().unwrap(), "Bearer hf_canary");
        assert!(!format!("{:?}", token.header()).contains("canary"));
        assert_eq!(token.redacted("Bearer hf_canary is bad"), "Bearer [token] is bad");
        assert!(HubToken::of("").is_none());
        assert!(HubToken::of("two\nlines").is_none());
    }
}
