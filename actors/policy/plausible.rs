//! Whether a provider's counts can be true: a provider that counts wrongly must not empty a budget.
//!
//! A call may honestly use more than its worst case, for instance where a host adds a prompt of its
//! own or ignores the output cap. Such a call is recorded in full, and it stops the campaign
//! (`CallOverrun`). Counts beyond the bounds here were never read or written.

use crate::model::Usage;

/// An honest count is at most so many times the worst case, and the slack.
const FACTOR: u64 = 16;
const SLACK: u64 = 65_536;
/// Where nobody says how much a model holds: more than any writes in one answer.
const LARGE_CONTEXT: u64 = 262_144;
/// Where nothing is held, a request may name what is kept elsewhere. No model has so long a context.
const MOST: u64 = 1 << 30;

/// What is known of a call before its provider counts.
#[derive(Clone, Copy, Debug)]
pub struct UsageBounds {
    pub worst: Usage,
    /// What the model reads at most, if that is known.
    pub context: Option<u64>,
    /// Nothing is held for the call, so its bytes do not bound its input.
    pub is_free: bool,
}

/// Whether so many tokens may have been read and written.
///
/// - Input: at most the worst case, or what the model reads, and within factor and slack.
/// - Output: within factor and slack, or within what the model can hold.
pub fn is_plausible(usage: Usage, expected: UsageBounds) -> bool {
    let UsageBounds { worst, context, is_free } = expected;
    if is_free {
        return usage.total() <= MOST;
    }
    let most = |worst: u64| worst.saturating_mul(FACTOR).saturating_add(SLACK);
    let read = context.unwrap_or(u64::MAX).min(most(worst.input_tokens)).max(worst.input_tokens);
    let written = most(worst.output_tokens).max(context.unwrap_or(LARGE_CONTEXT));
    usage.input_tokens <= read && usage.output_tokens <= written
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever a request may use is plausible; what is counted beyond every bound is not.
        #[test]
        fn the_worst_case_is_plausible_and_a_multiple_of_it_is_not(
            worst in prop::array::uniform2(0u64..10_000_000),
            context in prop::option::of(1u64..10_000_000),
            beyond in 1u64..u64::MAX / 2,
        ) {
            let [input, output] = worst;
            let expected = UsageBounds { worst: Usage::of(input, output), context, is_free: false };
            prop_assert!(is_plausible(expected.worst, expected));
            let most = |worst: u64| worst * FACTOR + SLACK;
            let absurd = |usage| !is_plausible(usage, expected);
            let written = most(output).max(context.unwrap_or(LARGE_CONTEXT));
            prop_assert!(absurd(Usage::of(most(input).saturating_add(beyond), output)));
            prop_assert!(absurd(Usage::of(input, written.saturating_add(beyond))));
        }
    }

    fn expected(context: Option<u64>) -> UsageBounds {
        UsageBounds { worst: Usage::of(1_000, 100), context, is_free: false }
    }

    #[test]
    fn nothing_is_read_beyond_the_context_and_the_bytes() {
        let known = expected(Some(2_000));
        assert!(is_plausible(Usage::of(2_000, 100), known));
        assert!(!is_plausible(Usage::of(2_001, 100), known));
        assert!(is_plausible(Usage::of(1_000, 100), expected(Some(500))));
        assert!(!is_plausible(Usage::of(1 << 39, 1), expected(None)));
    }

    /// A model that ignores its output cap is paid for what it wrote.
    #[test]
    fn a_whole_context_may_be_written() {
        assert!(is_plausible(Usage::of(1_000, 200_000), expected(None)));
        assert!(is_plausible(Usage::of(1_000, 1_000_000), expected(Some(1_000_000))));
        assert!(!is_plausible(Usage::of(1_000, 1 << 39), expected(Some(1_000_000))));
    }

    #[test]
    fn what_is_free_is_bounded_too() {
        let free = UsageBounds { is_free: true, ..expected(Some(2_000)) };
        assert!(is_plausible(Usage::of(3_000_000, 5), free));
        assert!(!is_plausible(Usage::of(1 << 39, 5), free));
    }
}
