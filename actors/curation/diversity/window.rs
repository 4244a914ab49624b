//! The diversity of one window of episodes: what their models wrote, at equal length.

use super::ngrams::words;
use super::sample::{LENGTHS, beginning, distinct};
use super::vendi::vendi;
use crate::model::{ChatRole, Turn, WindowDiversity};

/// What a model wrote in an episode: its texts, its reasoning and the arguments of its calls, as far as they are
/// compared.
pub fn written_text(turns: &[Turn]) -> String {
    let most = 4 * LENGTHS[0];
    let mut text = String::new();
    let messages = turns.iter().flat_map(|turn| &turn.messages);
    for message in messages.filter(|message| message.role == ChatRole::Assistant) {
        let reasoning = message.reasoning.iter().map(|reasoning| &reasoning.text);
        let calls = message.tool_calls.iter().map(|call| &call.arguments);
        for part in std::iter::once(&message.content).chain(reasoning).chain(calls) {
            if text.len() >= most {
                return text;
            }
            text.push_str(part);
            text.push('\n');
        }
    }
    text
}

/// The figures of a window. None if fewer than two texts have words.
pub fn window_diversity(texts: &[String]) -> Option<WindowDiversity> {
    let (texts, length) = equal_length(texts);
    let split: Vec<Vec<String>> = texts.iter().map(|text| words(text)).collect();
    if split.len() < 2 {
        return None;
    }
    Some(WindowDiversity {
        texts: split.len() as u64,
        length: length as u64,
        distinct: distinct(&split, 2)?,
        vendi: vendi(&split)? / split.len() as f64,
    })
}

/// The beginnings of texts at the greatest length that half of them have. If that is none of the usual lengths, at
/// that of the shortest text.
fn equal_length(texts: &[String]) -> (Vec<&str>, usize) {
    let filled = texts.iter().map(|text| text.trim()).filter(|text| !text.is_empty());
    let filled: Vec<&str> = filled.collect();
    let half = filled.len().div_ceil(2);
    let shortest = filled.iter().map(|text| text.chars().count()).min().unwrap_or_default();
    for length in LENGTHS {
        let long = filled.iter().copied().filter_map(|text| beginning(text, length));
        let long: Vec<&str> = long.collect();
        if !long.is_empty() && long.len() >= half {
            return (long, length);
        }
    }
    let cut = filled.iter().copied().filter_map(|text| beginning(text, shortest));
    (cut.collect(), shortest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(count: usize, word: impl Fn(usize, usize) -> usize) -> Vec<String> {
        let text =
            |n: usize| -> String { (0..60).map(|at| format!("w{} ", word(n, at))).collect() };
        (0..count).map(text).collect()
    }

    #[test]
    fn a_model_that_repeats_itself_is_worth_one_text() {
        let same = window_diversity(&texts(8, |_, at| 1_000 + at)).unwrap();
        let other = window_diversity(&texts(8, |n, at| 1_000 + 100 * n + at)).unwrap();
        assert!((same.vendi - 1.0 / 8.0).abs() < 1e-6, "{same:?}");
        assert!((other.vendi - 1.0).abs() < 1e-6, "{other:?}");
        assert!(same.distinct < 0.2 && other.distinct > 0.99, "{same:?} {other:?}");
        assert_eq!(same.length, other.length);
    }

    #[test]
    fn short_texts_are_compared_at_the_shortest() {
        let short = ["give up now", "give up now, please", ""].map(str::to_owned);
        let found = window_diversity(&short).unwrap();
        assert_eq!((found.texts, found.length), (2, 11));
        assert!((found.vendi - 0.5).abs() < 1e-6, "{found:?}");
        assert_eq!(window_diversity(&short[..1]), None);
        assert_eq!(window_diversity(&[]), None);
    }
}
