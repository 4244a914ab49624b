//! Decides whether the token counts of a provider can be true, so that a wrong count does not use
//! up a budget.
//!
//! An honest call may use more than its worst case, for example if a host adds its own prompt or
//! ignores the output limit. Such a call is recorded in full, and it stops the campaign
//! (`CallOverrun`). Counts beyond the bounds here cannot be true: the call costs its whole hold,
//! and the fault is `ModelMiscounted`.

use crate::model::Usage;

/// An honest count of input is at most the worst case times this factor, plus [`SLACK`]. A count of
/// output may also be as large as the context.
const FACTOR: u64 = 16;
/// Tokens that are added to the multiple of the worst case, for short calls.
const SLACK: u64 = 65_536;
/// The context for the bound of the output, if the campaign does not say it: more tokens than any
/// model writes in one answer.
const LARGE_CONTEXT: u64 = 262_144;
/// The bound for free models, in tokens. Such a request may refer to content that the provider
/// keeps, so its own bytes are no bound. No model has such a long context.
const MOST: u64 = 1 << 30;

/// What is known about a call before its provider counts.
#[derive(Clone, Copy, Debug)]
pub struct UsageBounds {
    /// The worst case, for which money was held.
    pub worst: Usage,
    /// The most tokens that the model can read, if that is known.
    pub context: Option<u64>,
    /// The model costs nothing, so nothing was held, and the bytes of the request do not bound its
    /// input.
    pub is_free: bool,
}

/// Whether the usage can be true.
///
/// - Input: at most the worst case, or what the model can read if that is more, but never beyond
///   factor and slack.
/// - Output: within factor and slack, or within the context of the model.
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
