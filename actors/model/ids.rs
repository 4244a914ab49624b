//! Ids of campaigns, tasks, episodes and attempts. The ids of tasks and episodes are digests of
//! what they name. So planning the same campaign twice gives the same ids, and after a restart the
//! engine recognizes the episodes that it has recorded already.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;

/// Defines an id that is a string: in JSON it is the bare string, and `Display` prints it
/// unchanged.
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
            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
    };
}

text_id! {
    /// The name of a campaign, for example `nightly-shell`. It is unique in a data directory.
    CampaignName
}
text_id! {
    /// `TEMPLATE@PREFIX`: a template's id and the first hex digits of the task's digest. Tasks with
    /// the same bytes have the same id everywhere.
    TaskId
}
text_id! {
    /// The id of one task tried by one pair of model and scaffold in one campaign, for example
    /// `ep-0123456789abcdef`, or `ep-0123456789abcdef-s2` for sample 2.
    EpisodeId
}

impl TaskId {
    /// Stands in an id in place of the digest of a task that could not be made.
    const UNMADE: &'static str = "@unmade-";

    /// The id of a task that could not be made: there are no bytes to take a digest of. For example
    /// `text/words@unmade-3`.
    pub fn unmade(template: &str, index: u32) -> Self {
        Self(format!("{template}{}{index}", Self::UNMADE))
    }

    /// Whether the task could not be made.
    pub fn is_unmade(&self) -> bool {
        self.0.contains(Self::UNMADE)
    }
}

/// The number of an attempt at an episode. Zero means that there was no attempt yet; the first
/// attempt has number 1. It is also the fencing number: starts, turns and ends of attempts with a
/// lower number than the current one come from a dead attempt and are dropped.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, Default,
)]
#[serde(transparent)]
pub struct AttemptNumber(pub u32);

impl AttemptNumber {
    /// The number of the attempt that follows.
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for AttemptNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Separates the digest from the sample number in the id of an episode.
const SAMPLE: &str = "-s";

impl EpisodeId {
    /// The id of the first sample: `task` tried by `model` through `scaffold` in `campaign`.
    pub fn derive(campaign: &CampaignName, task: &TaskId, model: &str, scaffold: &str) -> Self {
        let digest = digest_of(&[campaign.as_str(), task.as_str(), model, scaffold]);
        Self(format!("ep-{}", &digest[..16]))
    }

    /// The id of any sample; samples count from zero. Sample 0 has no number in its id. So a
    /// campaign with one sample per task has the same ids as before samples existed.
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

    /// The id of a completion: `prompt` answered by `model` in `campaign`, for example
    /// `co-0123456789abcdef`, or `co-0123456789abcdef-s2` for sample 2.
    pub fn of_completion(
        campaign: &CampaignName,
        prompt: &TaskId,
        model: &str,
        sample: u32,
    ) -> Self {
        let number = sample.to_string();
        let digest = digest_of(&["completion", campaign.as_str(), prompt.as_str(), model, &number]);
        match sample {
            0 => Self(format!("co-{}", &digest[..16])),
            _ => Self(format!("co-{}{SAMPLE}{number}", &digest[..16])),
        }
    }

    /// Whether it is the id of a completion.
    pub fn is_completion(&self) -> bool {
        self.0.starts_with("co-")
    }

    /// The sample number in this id. An id without a number is sample 0.
    pub fn sample(&self) -> u32 {
        let number = self.0.rsplit_once(SAMPLE).and_then(|(_, number)| number.parse().ok());
        number.unwrap_or(0)
    }
}

/// SHA-256 in hex over all `parts`. The length of each part is hashed before the part. So two
/// different lists never have the same input, even if their concatenations are equal (`["ab", "c"]`
/// and `["a", "bc"]`).
pub fn digest_of(parts: &[&str]) -> String {
    let parts: Vec<&[u8]> = parts.iter().map(|part| part.as_bytes()).collect();
    digest_of_bytes(&parts)
}

/// The same digest over parts that need not be text.
pub fn digest_of_bytes(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
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
