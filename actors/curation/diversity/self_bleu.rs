//! Self-BLEU: the mean BLEU of each text with the others as references. 1: each text says what another
//! one says; 0: no two have four words in a row in common.

use super::ngrams::counts;
use std::collections::HashMap;

/// The longest row of words.
const LONGEST: usize = 4;

/// The mean over all texts, each as its words. Fewer than two texts have none.
pub(super) fn self_bleu(texts: &[Vec<String>]) -> Option<f64> {
    if texts.len() < 2 {
        return None;
    }
    let most: Vec<_> = (1..=LONGEST).map(|n| most_counts(texts, n)).collect();
    let sum: f64 = (0..texts.len()).map(|at| bleu(texts, at, &most)).sum();
    Some(sum / texts.len() as f64)
}

/// The two highest counts of a row of words, with the text that has the highest: without this text, the
/// second one counts.
#[derive(Clone, Copy, Default)]
struct HighestCounts {
    first: u32,
    of: usize,
    second: u32,
}

fn most_counts(texts: &[Vec<String>], n: usize) -> HashMap<&[String], HighestCounts> {
    let mut most: HashMap<&[String], HighestCounts> = HashMap::new();
    for (at, text) in texts.iter().enumerate() {
        for (gram, count) in counts(text, n) {
            let high = most.entry(gram).or_default();
            if count > high.first {
                *high = HighestCounts { first: count, of: at, second: high.first };
            } else {
                high.second = high.second.max(count);
            }
        }
    }
    most
}

/// The BLEU of one text against all others. All are of about one length, so nothing is taken off for
/// short ones.
fn bleu(texts: &[Vec<String>], at: usize, most: &[HashMap<&[String], HighestCounts>]) -> f64 {
    let mut product = 1.0;
    for (n, most) in (1..=LONGEST).zip(most) {
        let (mut known, mut all) = (0_u32, 0_u32);
        for (gram, count) in counts(&texts[at], n) {
            let high = most.get(gram).copied().unwrap_or_default();
            known += count.min(if high.of == at { high.second } else { high.first });
            all += count;
        }
        if all == 0 || known == 0 {
            return 0.0;
        }
        product *= f64::from(known) / f64::from(all);
    }
    product.powf(1.0 / LONGEST as f64)
}
