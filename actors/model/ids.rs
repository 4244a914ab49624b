//! Names of things. Ids are derived from what they name, so that planning the same
//! campaign twice gives the same ids and a restart finds its own work again.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
    };
}

text_id! {
    /// A campaign's name, unique in a data directory.
    CampaignName
}
text_id! {
    /// `<template>@<digest prefix>`: the same bytes have the same id everywhere.
    TaskId
}
text_id! {
    /// One task tried by one (model, scaffold) pair in one campaign.
    EpisodeId
}

/// A try at an episode. It is also the fencing number: whatever arrives with a lower
/// number than the current one comes from a dead attempt and is dropped.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, Default,
)]
#[serde(transparent)]
pub struct Attempt(pub u32);

impl Attempt {
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl EpisodeId {
    /// The id of `task` tried by `model` through `scaffold` in `campaign`.
    pub fn derive(campaign: &CampaignName, task: &TaskId, model: &str, scaffold: &str) -> Self {
        let digest = digest_of(&[campaign.as_str(), task.as_str(), model, scaffold]);
        Self(format!("ep-{}", &digest[..16]))
    }
}

/// A sha256 in hex over length-prefixed parts, so that no two lists of parts collide by
/// concatenation.
pub fn digest_of(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hex::encode(hash.finalize())
}
