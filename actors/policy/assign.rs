//! Which models try which task.

use crate::model::{Assignment, ModelConfig, TaskId, digest_of};

/// The models for a task that nobody was chosen for yet, as indices into `models`; `turn`
/// counts such tasks.
pub fn assign(
    how: Assignment,
    models: &[ModelConfig],
    task: &TaskId,
    turn: u64,
    seed: u64,
) -> Vec<usize> {
    if models.is_empty() {
        return Vec::new();
    }
    match how {
        Assignment::Cross => (0..models.len()).collect(),
        Assignment::RoundRobin => vec![(turn % models.len() as u64) as usize],
        Assignment::Weighted => vec![weighted(models, seed, task)],
    }
}

/// Drawn by hash of the task: the same on every machine, whatever else is planned.
fn weighted(models: &[ModelConfig], seed: u64, task: &TaskId) -> usize {
    let total: u64 = models.iter().map(|m| u64::from(m.weight.max(1))).sum();
    let digest = digest_of(&["assign", &seed.to_string(), &task.0]);
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
