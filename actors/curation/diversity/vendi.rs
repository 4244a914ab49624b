//! The Vendi score: how many entirely different texts a sample is worth. It is the exponential of the
//! entropy of the eigenvalues of the similarities between all texts.

use super::ngrams::counts;
use std::collections::HashMap;

/// Rounds of the eigenvalue method. Ten are enough for some hundred texts; more would change nothing
/// that is shown.
const ROUNDS: usize = 30;
/// Where the rest of the matrix counts as nothing.
const TINY: f64 = 1e-10;

/// The score of texts, each as its words; none without a text. Texts are compared by the cosine of the
/// counts of two words in a row.
pub(super) fn vendi(texts: &[Vec<String>]) -> Option<f64> {
    if texts.is_empty() {
        return None;
    }
    let size = texts.len() as f64;
    let mut matrix = similarities(texts);
    matrix.iter_mut().flatten().for_each(|value| *value /= size);
    let entropy: f64 = eigenvalues(matrix)
        .into_iter()
        .filter(|value| *value > TINY)
        .map(|value| -value * value.ln())
        .sum();
    Some(entropy.exp())
}

fn similarities(texts: &[Vec<String>]) -> Vec<Vec<f64>> {
    let vectors: Vec<HashMap<&[String], u32>> = texts.iter().map(|text| counts(text, 2)).collect();
    let norms: Vec<f64> = vectors.iter().map(|vector| dot(vector, vector).sqrt()).collect();
    let similarity = |a: usize, b: usize| match (a == b, norms[a] * norms[b]) {
        (true, _) => 1.0,
        (false, norm) if norm > 0.0 => dot(&vectors[a], &vectors[b]) / norm,
        (false, _) => 0.0,
    };
    let row = |a: usize| (0..texts.len()).map(|b| similarity(a, b)).collect();
    (0..texts.len()).map(row).collect()
}

fn dot(a: &HashMap<&[String], u32>, b: &HashMap<&[String], u32>) -> f64 {
    let (small, large) = if a.len() < b.len() { (a, b) } else { (b, a) };
    let common = small.iter().filter_map(|(gram, count)| Some((count, large.get(gram)?)));
    common.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

/// The eigenvalues of a symmetric matrix, by Jacobi's rotations.
fn eigenvalues(mut matrix: Vec<Vec<f64>>) -> Vec<f64> {
    let size = matrix.len();
    for _ in 0..ROUNDS {
        let mut rest = 0.0;
        for p in 0..size {
            for q in p + 1..size {
                rest += matrix[p][q] * matrix[p][q];
                rotate(&mut matrix, p, q);
            }
        }
        if rest < TINY * TINY {
            break;
        }
    }
    (0..size).map(|at| matrix[at][at]).collect()
}

/// Makes the element of one row and one column zero.
fn rotate(matrix: &mut [Vec<f64>], p: usize, q: usize) {
    let off = matrix[p][q];
    if off.abs() < TINY {
        return;
    }
    let theta = (matrix[q][q] - matrix[p][p]) / (2.0 * off);
    let tangent = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
    let tangent = if theta == 0.0 { 1.0 } else { tangent };
    let cosine = 1.0 / (tangent * tangent + 1.0).sqrt();
    let sine = tangent * cosine;
    for row in matrix.iter_mut() {
        (row[p], row[q]) = (cosine * row[p] - sine * row[q], sine * row[p] + cosine * row[q]);
    }
    let turned = |a: &[f64], b: &[f64], first: f64, second: f64| -> Vec<f64> {
        a.iter().zip(b).map(|(a, b)| first * a + second * b).collect()
    };
    let upper = turned(&matrix[p], &matrix[q], cosine, -sine);
    let lower = turned(&matrix[p], &matrix[q], sine, cosine);
    (matrix[p], matrix[q]) = (upper, lower);
}
