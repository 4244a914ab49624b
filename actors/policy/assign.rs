//! Which models try which task.

use crate::model::{Assignment, ModelConfig, digest_of};

/// The models for the `ordinal`-th task of a plan, as indices into `models`.
pub fn assign(how: Assignment, models: &[ModelConfig], seed: u64, ordinal: u64) -> Vec<usize> {
    if models.is_empty() {
        return Vec::new();
    }
    match how {
        Assignment::Cross => (0..models.len()).collect(),
        Assignment::RoundRobin => vec![(ordinal % models.len() as u64) as usize],
        Assignment::Weighted => vec![weighted(models, seed, ordinal)],
    }
}

/// Drawn by hash, so that growing the plan moves no earlier choice.
fn weighted(models: &[ModelConfig], seed: u64, ordinal: u64) -> usize {
    let total: u64 = models.iter().map(|m| u64::from(m.weight.max(1))).sum();
    let digest = digest_of(&["assign", &seed.to_string(), &ordinal.to_string()]);
    let word = u64::from_str_radix(&digest[..15], 16).unwrap_or(0);
    let mut left = word % total;
    models
        .iter()
        .position(|model| {
            let weight = u64::from(model.weight.max(1));
            let hit = left < weight;
            left = left.saturating_sub(weight);
            hit
        })
        .unwrap_or(0)
}
