//! What a model costs: rates for one million tokens of each kind, and tiers for long requests.
//!
//! `ModelPrice::worst` gives the hold before a call, `ModelPrice::of` gives the true cost after it.
//! The invariant: `of` of the usage is never more than `worst` of the bounds within which the usage
//! lies, whatever part of the tokens was cached or was reasoning, and however parts with rates of
//! their own are rounded.

use super::{Money, Usage};
use serde::{Deserialize, Serialize};

/// The prices of a model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelPrice {
    /// The rates of requests that reach no tier.
    #[serde(flatten)]
    pub rates: TokenRates,
    /// Rates of longer requests; empty if the length does not matter. The highest tier that a
    /// request reaches applies to the whole request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<PriceTier>,
}

/// The price of one million tokens of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRates {
    /// Tokens that the model reads.
    pub input_per_million: Money,
    /// Tokens that the model writes.
    pub output_per_million: Money,
    /// Input that is read from the provider's cache. If it is not known, the input rate applies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_per_million: Option<Money>,
    /// Input that is written to the provider's cache. If it is not known, requests ask for no
    /// cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_per_million: Option<Money>,
    /// Reasoning. If it is not known, the output rate applies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_per_million: Option<Money>,
}

/// The rates of requests whose input is as long as this, or longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceTier {
    /// The least number of input tokens of a request in this tier.
    pub from_tokens: u64,
    #[serde(flatten)]
    pub rates: TokenRates,
}

impl ModelPrice {
    /// The cost of a call with this usage. The length of the input decides which tier applies to
    /// the whole call.
    pub fn of(&self, usage: Usage) -> Money {
        let reached = self.tiers.iter().filter(|tier| usage.input_tokens >= tier.from_tokens);
        let highest = reached.max_by_key(|tier| tier.from_tokens);
        highest.map_or(&self.rates, |tier| &tier.rates).of(usage)
    }

    /// The most that a call may cost if it uses at most the tokens in `usage`.
    pub fn worst(&self, usage: Usage) -> Money {
        // The call may be shorter than `usage` and reach a lower tier only. A lower tier may have a
        // higher rate. So all tiers that could apply are compared, and the base rates too.
        let reached = self.tiers.iter().filter(|tier| usage.input_tokens >= tier.from_tokens);
        let all = reached.map(|tier| &tier.rates).chain([&self.rates]);
        all.map(|rates| rates.worst(usage)).max().unwrap_or_default()
    }

    /// Whether no call can cost anything, at any length.
    pub fn is_free(&self) -> bool {
        self.rates.is_free() && self.tiers.iter().all(|tier| tier.rates.is_free())
    }
}

impl TokenRates {
    /// The cost at these rates. Cache reads and cache writes are parts of the input, and reasoning
    /// is a part of the output. A part whose rate is known is rounded up by itself; any other part
    /// is counted with its whole. A part that is larger than its whole is cut to it.
    fn of(&self, usage: Usage) -> Money {
        let cached = usage.cached_tokens.unwrap_or(0).min(usage.input_tokens);
        let written = usage.cache_write_tokens.unwrap_or(0).min(usage.input_tokens - cached);
        let thought = usage.reasoning_tokens.unwrap_or(0).min(usage.output_tokens);
        let cached = own_part(self.cached_per_million, cached);
        let written = own_part(self.cache_write_per_million, written);
        let thought = own_part(self.reasoning_per_million, thought);
        let read = (self.input_per_million, usage.input_tokens - cached.1 - written.1);
        let said = (self.output_per_million, usage.output_tokens - thought.1);
        let parts = [read, cached, written, said, thought];
        parts.into_iter().map(|(rate, tokens)| rate.per_million(tokens)).sum()
    }

    /// The most at these rates: all input at the highest input rate, all output at the highest
    /// output rate.
    fn worst(&self, usage: Usage) -> Money {
        let input =
            [Some(self.input_per_million), self.cached_per_million, self.cache_write_per_million];
        let output = [Some(self.output_per_million), self.reasoning_per_million];
        most_for(&input, usage.input_tokens).saturating_add(most_for(&output, usage.output_tokens))
    }

    /// Whether every known rate is zero.
    fn is_free(&self) -> bool {
        let others =
            [self.cached_per_million, self.cache_write_per_million, self.reasoning_per_million];
        self.input_per_million.is_zero()
            && self.output_per_million.is_zero()
            && others.iter().flatten().all(|rate| rate.is_zero())
    }
}

/// A part with its own rate. Without one it is empty.
fn own_part(rate: Option<Money>, tokens: u64) -> (Money, u64) {
    rate.map_or((Money::ZERO, 0), |rate| (rate, tokens))
}

/// The most that `tokens` may cost, however they are divided among the known `rates`.
fn most_for(rates: &[Option<Money>], tokens: u64) -> Money {
    let known = || rates.iter().flatten().copied();
    // `of` rounds each part up by itself. A part adds less than one nano-dollar by this, so n parts
    // may cost n - 1 nano-dollars more than the sum rounded once. Nothing is rounded if the price
    // of each token is a whole number of nano-dollars.
    let uneven = known().any(|rate| !rate.nanos().is_multiple_of(1_000_000));
    let roundings = if uneven { known().count() as u64 - 1 } else { 0 };
    let most = known().max().unwrap_or_default();
    most.per_million(tokens).saturating_add(Money::from_nanos(roundings))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Rates of which any part may be unknown. Many are small, so that the roundings weigh.
    fn any_rates() -> impl Strategy<Value = TokenRates> {
        let nanos =
            || prop_oneof![0u64..2_000_000, 0u64..100_000_000_000].prop_map(Money::from_nanos);
        let own = || prop::option::of(nanos());
        (nanos(), nanos(), own(), own(), own()).prop_map(
            |(input, output, cached, write, thought)| TokenRates {
                input_per_million: input,
                output_per_million: output,
                cached_per_million: cached,
                cache_write_per_million: write,
                reasoning_per_million: thought,
            },
        )
    }

    proptest! {
        /// Whatever is cached or thought of it, whichever tier it reaches, however it is
        /// rounded, and if it turns out shorter than it might have been.
        #[test]
        fn nothing_costs_more_than_its_worst_case(
            base in any_rates(),
            longer in any_rates(),
            from_tokens in 0u64..10_000_000,
            tokens in prop::array::uniform5(0u64..10_000_000),
            shorter in prop_oneof![Just([0, 0]), prop::array::uniform2(0u64..10_000_000)],
        ) {
            let tiers = vec![PriceTier { from_tokens, rates: longer }];
            let price = ModelPrice { rates: base, tiers };
            let usage = Usage {
                cached_tokens: Some(tokens[2]),
                cache_write_tokens: Some(tokens[3]),
                reasoning_tokens: Some(tokens[4]),
                ..Usage::of(tokens[0].saturating_sub(shorter[0]), tokens[1].saturating_sub(shorter[1]))
            };
            prop_assert!(price.of(usage) <= price.worst(Usage::of(tokens[0], tokens[1])));
        }
    }

    fn dollars(amount: u64) -> Money {
        Money::from_nanos(amount * 1_000_000_000)
    }

    #[test]
    fn parts_have_their_own_rates() {
        let rates = TokenRates {
            input_per_million: dollars(10),
            output_per_million: dollars(50),
            cached_per_million: Some(dollars(1)),
            cache_write_per_million: Some(dollars(20)),
            reasoning_per_million: Some(dollars(100)),
        };
        let price = ModelPrice { rates, tiers: Vec::new() };
        let usage = Usage {
            cached_tokens: Some(600_000),
            cache_write_tokens: Some(100_000),
            ..Usage::of(1_000_000, 100_000)
        };
        assert_eq!(price.of(usage).to_string(), "10.60");
        let thoughtful = Usage { reasoning_tokens: Some(40_000), ..usage };
        assert_eq!(price.of(thoughtful).to_string(), "12.60");
        let plain = TokenRates {
            input_per_million: dollars(10),
            output_per_million: dollars(50),
            ..TokenRates::default()
        };
        let plain = ModelPrice { rates: plain, tiers: Vec::new() };
        assert_eq!(plain.of(thoughtful).to_string(), "15.00");
    }

    #[test]
    fn a_tier_is_the_whole_requests() {
        let flat = |input, output| TokenRates {
            input_per_million: dollars(input),
            output_per_million: dollars(output),
            ..TokenRates::default()
        };
        let tiers = vec![
            PriceTier { from_tokens: 200_000, rates: flat(2, 15) },
            PriceTier { from_tokens: 500_000, rates: flat(4, 15) },
        ];
        let price = ModelPrice { rates: flat(1, 10), tiers };
        assert_eq!(price.of(Usage::of(199_999, 0)).to_string(), "0.199999");
        assert_eq!(price.of(Usage::of(200_000, 100_000)).to_string(), "1.90");
        assert_eq!(price.of(Usage::of(1_000_000, 0)).to_string(), "4.00");
    }
}
