//! How diverse a set of rows is. The figures are those of a sample at equal length, because most of them
//! favour short texts. The seed draws the sample by the ids of rows, so their order changes nothing.
//!
//! - `sample`: what is kept of the rows.
//! - `ngrams`: counts of words in a row.
//! - `self_bleu`: how well each text of the sample is told by the others.
//! - `window`: the newest episodes of a campaign, while it runs.
//! - `vendi`: how many different texts the sample is worth.

mod ngrams;
mod sample;
mod self_bleu;
#[cfg(test)]
mod tests;
mod vendi;
mod window;

pub use sample::DiversitySample;
pub use window::{window_diversity, written_text};
