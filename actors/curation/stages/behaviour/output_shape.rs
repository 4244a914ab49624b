//! Compares outputs. What differs between two runs of the same command by itself does not count: times,
//! durations and addresses.

use std::collections::BTreeSet;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

/// How many lines of an output are compared at most: those with the smallest hashes.
const COMPARED: usize = 64;
/// Outputs with fewer different lines are not compared line by line.
const FEWEST: usize = 3;

/// The hash of a value.
pub(in crate::curation) fn hash_of(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// The hash of an output without what differs by itself.
pub(in crate::curation) fn output_hash(output: &str) -> u64 {
    let (bytes, mut at) = (output.as_bytes(), 0);
    let mut hasher = DefaultHasher::new();
    while let Some(byte) = bytes.get(at) {
        let length = volatile_length(bytes, at);
        if length > 0 {
            hasher.write_u8(b'#');
            at += length;
        } else if byte.is_ascii_digit() {
            let digits = digits_at(bytes, at);
            hasher.write(bytes.get(at..at + digits).unwrap_or_default());
            at += digits;
        } else {
            hasher.write_u8(*byte);
            at += 1;
        }
    }
    hasher.finish()
}

/// The length of a time, a decimal number or an address that begins here. 0 if none does.
fn volatile_length(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    if let Some(address) = rest.strip_prefix(b"0x") {
        let digits = address.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        return if digits >= 6 { digits + 2 } else { 0 };
    }
    let mut length = digits_at(bytes, at);
    let mut parts = 0;
    while length > 0 && matches!(bytes.get(at + length), Some(b'.' | b':')) {
        let digits = digits_at(bytes, at + length + 1);
        if digits == 0 {
            break;
        }
        length += digits + 1;
        parts += 1;
    }
    if parts > 0 { length } else { 0 }
}

fn digits_at(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// Some lines of an output, as hashes in order. Outputs are compared by them.
pub(in crate::curation) struct OutputLines(Vec<u64>);

impl OutputLines {
    /// The lines of an output. None if it has too few to compare.
    pub(in crate::curation) fn of(output: &str) -> Option<Self> {
        let mut hashes = BTreeSet::new();
        for line in output.lines().map(str::trim).filter(|line| !is_frame(line)) {
            hashes.insert(output_hash(line));
            if hashes.len() > COMPARED {
                hashes.pop_last();
            }
        }
        (hashes.len() >= FEWEST).then(|| Self(hashes.into_iter().collect()))
    }

    /// Whether at least nine of ten lines stand in both outputs.
    pub(in crate::curation) fn is_near(&self, other: &Self) -> bool {
        let (mut left, mut right) = (self.0.iter().peekable(), other.0.iter().peekable());
        let (mut common, mut all) = (0, 0);
        while all < COMPARED {
            match (left.peek().copied(), right.peek().copied()) {
                (None, None) => break,
                (Some(one), Some(two)) if one == two => {
                    common += 1;
                    left.next();
                    right.next();
                }
                (Some(one), Some(two)) if one > two => {
                    right.next();
                }
                (None, Some(_)) => {
                    right.next();
                }
                (Some(_), _) => {
                    left.next();
                }
            }
            all += 1;
        }
        10 * common >= 9 * all
    }
}

/// Whether a line is only what a scaffold puts around an output.
fn is_frame(line: &str) -> bool {
    line.is_empty()
        || line.starts_with("<returncode>")
        || matches!(
            line,
            "<output>" | "</output>" | "<content>" | "</content>" | "<call>" | "</call>"
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_and_addresses_do_not_count_and_counts_do() {
        let same = [
            ("1 failed in 0.12s", "1 failed in 13.4s"),
            ("at 12:00:01 <obj at 0x7f00aa11>", "at 13:59:59 <obj at 0x7f99bb22>"),
        ];
        for (one, two) in same {
            assert_eq!(output_hash(one), output_hash(two), "{one}");
        }
        assert_ne!(output_hash("1 failed in 0.12s"), output_hash("2 failed in 0.12s"));
        assert_ne!(output_hash("exit 1"), output_hash("exit 12"));
    }

    #[test]
    fn outputs_are_near_if_nine_of_ten_lines_are_the_same() {
        let lines = |from: u32, to: u32| {
            let text: String = (from..to).map(|n| format!("line {n}\n")).collect();
            OutputLines::of(&text).unwrap()
        };
        assert!(lines(0, 20).is_near(&lines(0, 20)));
        assert!(lines(0, 20).is_near(&lines(1, 21)));
        assert!(!lines(0, 20).is_near(&lines(4, 24)));
        assert!(!lines(0, 1_000).is_near(&lines(500, 1_500)));
        assert!(OutputLines::of("<returncode>1</returncode>\n<output>\nno\n</output>").is_none());
    }

    proptest! {
        #[test]
        fn an_output_is_like_itself(output in "[a-c0-9.:x\n ]{0,400}") {
            prop_assert_eq!(output_hash(&output), output_hash(&output.clone()));
            if let Some(lines) = OutputLines::of(&output) {
                prop_assert!(lines.is_near(&lines));
            }
        }
    }
}
