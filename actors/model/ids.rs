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
pub struct AttemptNumber(pub u32);

impl AttemptNumber {
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for AttemptNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Before the number of a sample, which is part of its episode's id.
const SAMPLE: &str = "-s";

impl EpisodeId {
    /// The id of `task` tried by `model` through `scaffold` in `campaign`.
    pub fn derive(campaign: &CampaignName, task: &TaskId, model: &str, scaffold: &str) -> Self {
        let digest = digest_of(&[campaign.as_str(), task.as_str(), model, scaffold]);
        Self(format!("ep-{}", &digest[..16]))
    }

    /// The same of a sample. The first has no number, so that a campaign of one sample each has
    /// the ids it always had.
    pub fn sampled(
        campaign: &CampaignName,
        task: &TaskId,
        model: &str,
        scaffold: &str,
        sample: u32,
    ) -> Self {
        if sample == 0 {
            return Self::derive(campaign, task, model, scaffold);
        }
        let number = sample.to_string();
        let digest = digest_of(&[campaign.as_str(), task.as_str(), model, scaffold, &number]);
        Self(format!("ep-{}{SAMPLE}{number}", &digest[..16]))
    }

    /// Which of the task's samples it is.
    pub fn sample(&self) -> u32 {
        let number = self.0.rsplit_once(SAMPLE).and_then(|(_, number)| number.parse().ok());
        number.unwrap_or(0)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_have_ids_of_their_own_that_tell_which_they_are() {
        let (campaign, task) = (CampaignName("c".to_owned()), TaskId("t@1".to_owned()));
        let id = |sample| EpisodeId::sampled(&campaign, &task, "m", "minimal", sample);
        assert_eq!(id(0), EpisodeId::derive(&campaign, &task, "m", "minimal"));
        let all: std::collections::HashSet<String> =
            (0..50).map(|sample| id(sample).0[..19].to_owned()).collect();
        assert_eq!(all.len(), 50, "told apart by what stands before the number");
        assert!((0..50).all(|sample| id(sample).sample() == sample));
        assert_eq!(EpisodeId("ep-s".to_owned()).sample(), 0);
    }
}
