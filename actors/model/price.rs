//! What a model costs, by the million tokens.

use super::{Money, Usage};
use serde::{Deserialize, Serialize};

/// A model's prices.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelPrice {
    #[serde(flatten)]
    pub rates: TokenRates,
    /// Of requests that are longer, each for the whole of one; none where length is no matter.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<PriceTier>,
}

/// Per million tokens of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRates {
    pub input_per_million: Money,
    pub output_per_million: Money,
    /// Of what is read from a cache; the input's own where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_per_million: Option<Money>,
    /// Of what is written to one. Where it is not known, no cache is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_per_million: Option<Money>,
    /// Of what was thought; the output's own where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_per_million: Option<Money>,
}

/// The rates of requests whose input is as long as this, or longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceTier {
    pub from_tokens: u64,
    #[serde(flatten)]
    pub rates: TokenRates,
}

impl ModelPrice {
    /// By the length of the input, for the whole request.
    pub fn of(&self, usage: Usage) -> Money {
        let reached = self.tiers.iter().filter(|tier| usage.input_tokens >= tier.from_tokens);
        let dearest = reached.max_by_key(|tier| tier.from_tokens);
        dearest.map_or(&self.rates, |tier| &tier.rates).of(usage)
    }

    /// The most that so many tokens may cost, at whichever rates apply.
    pub fn worst(&self, usage: Usage) -> Money {
        // Fewer tokens than the most may be cheaper by the tier, and dearer by another rate.
        let reached = self.tiers.iter().filter(|tier| usage.input_tokens >= tier.from_tokens);
        let all = reached.map(|tier| &tier.rates).chain([&self.rates]);
        all.map(|rates| rates.worst(usage)).max().unwrap_or_default()
    }

    pub fn is_free(&self) -> bool {
        self.rates.is_free() && self.tiers.iter().all(|tier| tier.rates.is_free())
    }
}

impl TokenRates {
    /// What was read from a cache and written to one is part of the input, what was thought
    /// of the output, at rates of their own where they are known.
    fn of(&self, usage: Usage) -> Money {
        let (input, output) = (self.input_per_million, self.output_per_million);
        let cached = usage.cached_tokens.unwrap_or(0).min(usage.input_tokens);
        let fresh = usage.input_tokens - cached;
        let written = usage.cache_write_tokens.unwrap_or(0).min(fresh);
        let thought = usage.reasoning_tokens.unwrap_or(0).min(usage.output_tokens);
        [
            input.per_million(fresh - written),
            self.cached_per_million.unwrap_or(input).per_million(cached),
            self.cache_write_per_million.unwrap_or(input).per_million(written),
            output.per_million(usage.output_tokens - thought),
            self.reasoning_per_million.unwrap_or(output).per_million(thought),
        ]
        .into_iter()
        .sum()
    }

    fn worst(&self, usage: Usage) -> Money {
        let input =
            [Some(self.input_per_million), self.cached_per_million, self.cache_write_per_million];
        let output = [Some(self.output_per_million), self.reasoning_per_million];
        dearest(&input, usage.input_tokens).saturating_add(dearest(&output, usage.output_tokens))
    }

    fn is_free(&self) -> bool {
        let others =
            [self.cached_per_million, self.cache_write_per_million, self.reasoning_per_million];
        self.input_per_million.is_zero()
            && self.output_per_million.is_zero()
            && others.iter().flatten().all(|rate| rate.is_zero())
    }
}

/// At the dearest of some rates, however the tokens are spread over them.
fn dearest(rates: &[Option<Money>], tokens: u64) -> Money {
    let known = || rates.iter().flatten().copied();
    // Each part is rounded upwards by itself, where a token costs no whole amount.
    let uneven = known().any(|rate| !rate.nanos().is_multiple_of(1_000_000));
    let roundings = if uneven { known().count() as u64 - 1 } else { 0 };
    let most = known().max().unwrap_or_default();
    most.per_million(tokens).saturating_add(Money::from_nanos(roundings))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rates(nanos: [u64; 5]) -> TokenRates {
        let [input, output, cached, write, thought] = nanos.map(Money::from_nanos);
        TokenRates {
            input_per_million: input,
            output_per_million: output,
            cached_per_million: Some(cached),
            cache_write_per_million: Some(write),
            reasoning_per_million: Some(thought),
        }
    }

    proptest! {
        /// Whatever is cached or thought of it, whichever tier it reaches, however it is
        /// rounded, and if it turns out shorter than it might have been.
        #[test]
        fn nothing_costs_more_than_its_worst_case(
            base in prop::array::uniform5(0u64..100_000_000_000),
            longer in prop::array::uniform5(0u64..100_000_000_000),
            from_tokens in 0u64..10_000_000,
            tokens in prop::array::uniform5(0u64..10_000_000),
            shorter in prop::array::uniform2(0u64..10_000_000),
        ) {
            let tiers = vec![PriceTier { from_tokens, rates: rates(longer) }];
            let price = ModelPrice { rates: rates(base), tiers };
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
