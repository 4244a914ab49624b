//! The reward that tests have written, by Harbor's rules: `reward.json` goes first, then `reward.txt`; the
//! exit code of the tests does not matter. What is missing, empty or no number is no reward. It is never
//! taken for one of 0.

use serde_json::Value;
use std::collections::BTreeMap;

/// The most bytes of a file with rewards.
const MOST: usize = 64 << 10;
/// The name of the reward in a file with one number.
const REWARD: &str = "reward";

/// The rewards of one run of tests by their names.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct TaskRewards(BTreeMap<String, f64>);

impl TaskRewards {
    /// Reads what tests have written. None stands for a file that is not there. Err says in words why
    /// there is no reward.
    pub(super) fn read(json: Option<&[u8]>, text: Option<&[u8]>) -> Result<Self, String> {
        match (json, text) {
            (Some(file), _) | (None, Some(file)) if file.len() > MOST => {
                Err(format!("the file with the reward is larger than {MOST} bytes"))
            }
            (Some(json), _) => read_json(json),
            (None, Some(text)) => read_text(text),
            (None, None) => Err("the tests have written no reward".to_owned()),
        }
    }

    /// The reward that counts: the one of this name, or else the least of all.
    pub(super) fn main(&self) -> f64 {
        let least = self.0.values().copied().fold(f64::INFINITY, f64::min);
        self.0.get(REWARD).copied().unwrap_or(least)
    }
}

fn read_json(bytes: &[u8]) -> Result<TaskRewards, String> {
    if bytes.is_empty() {
        return Err("reward.json is empty".to_owned());
    }
    let value: Value = serde_json::from_slice(bytes)
        .map_err(|error| format!("reward.json cannot be read: {error}"))?;
    let Value::Object(map) = value else {
        return Err("reward.json is no map of names to numbers".to_owned());
    };
    if map.is_empty() {
        return Err("reward.json has no reward".to_owned());
    }
    let number = |(name, value): (String, Value)| match value.as_f64() {
        Some(number) if number.is_finite() => Ok((name, number)),
        _ => Err(format!("reward.json: {name:?} is no number, but {value}")),
    };
    map.into_iter().map(number).collect::<Result<_, _>>().map(TaskRewards)
}

fn read_text(bytes: &[u8]) -> Result<TaskRewards, String> {
    if bytes.is_empty() {
        return Err("reward.txt is empty".to_owned());
    }
    let text = String::from_utf8_lossy(bytes);
    let number = text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
    let shown: String = text.trim().chars().take(40).collect();
    let number = number.ok_or_else(|| format!("reward.txt has no number, but {shown:?}"))?;
    Ok(TaskRewards(BTreeMap::from([(REWARD.to_owned(), number)])))
}

#[cfg(test)]
mod tests {
    use super::TaskRewards;
    use proptest::prelude::*;

    fn main(json: Option<&str>, text: Option<&str>) -> Result<f64, String> {
        let rewards = TaskRewards::read(json.map(str::as_bytes), text.map(str::as_bytes));
        rewards.map(|rewards| rewards.main())
    }

    #[test]
    fn a_reward_is_read_from_the_map_first() {
        assert_eq!(main(None, Some(" 0.5\n")), Ok(0.5));
        assert_eq!(main(Some("{\"reward\": 1, \"style\": 0.2}"), Some("0")), Ok(1.0));
        assert_eq!(main(Some("{\"a\": 0.7, \"b\": 0.2}"), None), Ok(0.2));
    }

    /// What is no reward is told, and is none of 0.
    #[test]
    fn what_is_no_number_is_no_reward() {
        for (json, text) in [
            (None, None),
            (None, Some("")),
            (None, Some("nan")),
            (None, Some("inf")),
            (None, Some("one")),
            (None, Some("1 2")),
            (Some(""), Some("1")),
            (Some("1"), Some("1")),
            (Some("{}"), Some("1")),
            (Some("{\"reward\": \"1\"}"), None),
            (Some("{\"reward\": 1e400}"), None),
            (Some("{\"reward\": null}"), None),
            (Some("{\"reward\": NaN}"), None),
            (Some("{\"a\": 1, \"b\": []}"), None),
            (Some("[1]"), None),
        ] {
            assert!(main(json, text).is_err(), "{json:?} {text:?}");
        }
    }

    #[test]
    fn a_large_file_is_no_reward() {
        let large = format!("1{}", " ".repeat(super::MOST));
        for (json, text) in [(None, Some(large.as_str())), (Some(large.as_str()), Some("1"))] {
            assert!(main(json, text).unwrap_err().contains("larger"));
        }
    }

    proptest! {
        #[test]
        fn no_file_is_too_odd(json in any::<Option<Vec<u8>>>(), text in any::<Option<Vec<u8>>>()) {
            if let Ok(rewards) = TaskRewards::read(json.as_deref(), text.as_deref()) {
                prop_assert!(rewards.main().is_finite());
            }
        }

        #[test]
        fn a_written_number_is_read(number in any::<f64>().prop_filter("finite", |n| n.is_finite())) {
            let text = format!("{number}\n");
            prop_assert_eq!(main(None, Some(&text)), Ok(number));
        }
    }
}
