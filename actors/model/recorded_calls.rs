//! Recorded calls, found by what was asked. A replay plays them instead of asking a model.

use sha2::{Digest, Sha256};

/// The first half of the SHA-256 of a request's body.
pub type RequestDigest = [u8; 16];

/// The digest by which a recorded call is found. The body is taken as it was sent, byte for byte.
pub fn request_digest(request: &[u8]) -> RequestDigest {
    let mut digest = RequestDigest::default();
    digest.copy_from_slice(&Sha256::digest(request)[..16]);
    digest
}

/// One page of the calls of a model that were answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnsweredCalls {
    /// What was asked, and the call's key.
    pub calls: Vec<(RequestDigest, i64)>,
    /// The key at which the page ends. The next page begins after it.
    pub until: i64,
}
