//! Estimates what calls and episodes cost before any call is made: the least, the likely and the
//! most. The worst case of one call is also the amount of its hold, so it must never be too low.

use crate::model::{ChatRequest, EpisodeLimits, ModelPrice, Money, Usage};

/// Bytes of a token in usual English text and code.
const BYTES_PER_TOKEN: u64 = 4;
/// Bytes of a token in text that needs very few tokens.
const MOST_BYTES_PER_TOKEN: u64 = 8;
/// Tokens of a usual reply.
const REPLY: u64 = 150;
/// Tokens of what a command usually prints.
const OBSERVED: u64 = 300;
/// Tokens that providers add to the input if tools are offered.
const TOOLS_OVERHEAD: u64 = 1_024;

/// Three estimates of the same cost. They are in ascending order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CostEstimate {
    /// One call with a very short reply, for a text that needs few tokens.
    pub least: Money,
    /// The expected turns with replies of usual length.
    pub likely: Money,
    /// Every attempt and every turn at its worst case, with one try for each call. Failed tries
    /// that are charged and fallback models can make an episode cost more.
    pub most: Money,
}

impl CostEstimate {
    /// The estimate of two things together.
    pub fn plus(self, other: Self) -> Self {
        Self {
            least: self.least.saturating_add(other.least),
            likely: self.likely.saturating_add(other.likely),
            most: self.most.saturating_add(other.most),
        }
    }

    /// The estimate of `count` such things.
    pub fn times(self, count: u64) -> Self {
        let times = |money: Money| Money::from_nanos(money.nanos().saturating_mul(count));
        Self { least: times(self.least), likely: times(self.likely), most: times(self.most) }
    }
}

/// The most tokens that a request can use. The input is counted in bytes, because no tokenizer
/// makes more tokens than there are bytes. The output is the request's output limit.
pub fn worst_case(request: &ChatRequest) -> Usage {
    let messages: usize = request
        .messages
        .iter()
        .map(|m| {
            let calls: usize = m.tool_calls.iter().map(|c| c.name.len() + c.arguments.len()).sum();
            let thought = m.reasoning.as_ref().map_or(0, |r| {
                r.text.len() + r.verbatim.as_ref().map_or(0, |(_, json)| json.len())
            });
            m.content.len() + calls + thought + 16
        })
        .sum();
    let tools: usize = request
        .tools
        .iter()
        .map(|t| t.name.len() + t.description.len() + t.parameters.to_string().len() + 16)
        .sum();
    let overhead = if request.tools.is_empty() { 0 } else { TOOLS_OVERHEAD };
    // Some additional keys, such as the JSON schema of an answer, count as input.
    let extra = match request.settings.extra.is_empty() {
        true => 0,
        false => serde_json::json!(request.settings.extra).to_string().len(),
    };
    Usage::of((messages + tools + extra) as u64 + overhead, u64::from(request.max_output_tokens))
}

/// The tokens that a call takes from the limit of tokens a minute while it is in flight. The input
/// is a likely number and not the worst case: the bytes would be about four times too much.
pub fn reserved(worst: Usage) -> u64 {
    (worst.input_tokens / BYTES_PER_TOKEN).saturating_add(worst.output_tokens)
}

/// The likely length of the whole conversation in tokens, with a last reply of the greatest length.
pub fn likely_length(opening: &ChatRequest, (least, most): (u32, u32)) -> u64 {
    let steps = u64::from(least.midpoint(most).max(1)) - 1;
    let said = worst_case(opening).input_tokens / BYTES_PER_TOKEN + steps * (REPLY + OBSERVED);
    said + u64::from(opening.max_output_tokens)
}

/// The cost of one episode that begins with the request `opening`. `output_kept` is the kept number
/// of bytes of each output stream of a command.
pub fn episode(
    price: &ModelPrice,
    opening: &ChatRequest,
    expected_steps: (u32, u32),
    limits: &EpisodeLimits,
    output_kept: u32,
) -> CostEstimate {
    let first = worst_case(opening);
    CostEstimate {
        least: price.of(Usage::of(first.input_tokens / MOST_BYTES_PER_TOKEN, 1)),
        likely: likely(price, first.input_tokens / BYTES_PER_TOKEN, expected_steps),
        most: most(price, first, limits, u64::from(output_kept)),
    }
}

/// The likely cost. Each call sends the conversation so far again. If the price has a rate for
/// cached input, what was sent before is charged at that rate.
fn likely(price: &ModelPrice, opening: u64, (least, most): (u32, u32)) -> Money {
    let steps = u64::from(least.midpoint(most).max(1));
    let calls = (0..steps).map(|step| {
        let input = opening + step * (REPLY + OBSERVED);
        let said_before = if step == 0 { 0 } else { input - (REPLY + OBSERVED) };
        let cached = price.rates.cached_per_million.map(|_| said_before);
        price.of(Usage { cached_tokens: cached, ..Usage::of(input, REPLY) })
    });
    calls.sum()
}

/// The cost if every attempt and every turn is used, with each call at its worst case. Each turn
/// adds a reply of the greatest length and twice the kept output: a program of another maker may
/// show the two streams of a command apart.
fn most(price: &ModelPrice, first: Usage, limits: &EpisodeLimits, output_kept: u64) -> Money {
    let grows =
        first.output_tokens.saturating_add(output_kept.saturating_mul(2)).saturating_add(64);
    let call = |turn: u32| {
        let input = first.input_tokens.saturating_add(grows.saturating_mul(u64::from(turn)));
        price.worst(Usage::of(input, first.output_tokens))
    };
    let attempt: Money = (0..limits.max_turns).map(call).sum();
    Money::from_nanos(attempt.nanos().saturating_mul(u64::from(limits.attempts.max(1))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ChatMessage, ChatRole, TokenRates};
    use proptest::prelude::*;

    fn price(input: u64, output: u64, cached: Option<u64>) -> ModelPrice {
        let rates = TokenRates {
            input_per_million: Money::from_nanos(input),
            output_per_million: Money::from_nanos(output),
            cached_per_million: cached.map(Money::from_nanos),
            ..TokenRates::default()
        };
        ModelPrice { rates, tiers: Vec::new() }
    }

    proptest! {
        /// The least is no more than the likely, and that no more than the most.
        #[test]
        fn they_stand_in_their_order(
            rates in prop::array::uniform2(0u64..10_000_000_000),
            cached in prop::option::of(0u64..10_000_000_000),
            text in ".{0,2000}",
            steps in (1u32..50, 0u32..50),
        ) {
            let price = price(rates[0], rates[1], cached.map(|cached| cached.min(rates[0])));
            let opening = ChatRequest {
                messages: vec![ChatMessage::text(ChatRole::User, text)],
                tools: Vec::new(),
                max_output_tokens: 4_096,
                settings: Default::default(),
            };
            let limits = EpisodeLimits { max_turns: 100, ..EpisodeLimits::default() };
            let range = (steps.0, steps.0 + steps.1);
            let estimate = episode(&price, &opening, range, &limits, 16_384);
            prop_assert!(estimate.least <= estimate.likely, "{:?}", estimate);
            prop_assert!(estimate.likely <= estimate.most, "{:?}", estimate);
        }
    }

    #[test]
    fn a_cache_makes_long_episodes_cheaper() {
        let without = likely(&price(1_000_000_000, 0, None), 1_000, (20, 20));
        let with = likely(&price(1_000_000_000, 0, Some(100_000_000)), 1_000, (20, 20));
        assert!(with.nanos() * 3 < without.nanos(), "{with} {without}");
    }
}
