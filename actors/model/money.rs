//! Money as an integer number of nano-dollars. It is never a float. Where an amount must be
//! rounded, it is rounded up, so that a cap never allows more than it says.
//!
//! In JSON and in TOML an amount is a decimal string in dollars, such as `"1.25"`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::iter::Sum;
use std::str::FromStr;

const NANOS_PER_DOLLAR: u64 = 1_000_000_000;
/// Prices are given for this many tokens.
const TOKENS_PER_MILLION: u128 = 1_000_000;

/// A non-negative amount in nano-dollars (one nano-dollar is 0.000000001 dollars). The largest
/// amount is about 18 billion dollars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(u64);

impl Money {
    pub const ZERO: Self = Self(0);

    /// The amount of `nanos` nano-dollars.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// The amount in nano-dollars, as the store keeps it.
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// Whether the amount is exactly zero.
    pub fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The sum, or `None` if it would overflow. The ledger uses this: it refuses a hold that does
    /// not fit and never wraps around.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The sum, or the largest amount if the sum would overflow. For totals: one that is too large
    /// still exceeds every cap.
    pub fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference, or zero if `other` is larger.
    pub fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// The cost of `tokens` tokens, where `self` is the price of one million tokens. It is rounded
    /// up to a whole nano-dollar.
    pub fn per_million(self, tokens: u64) -> Self {
        let exact = u128::from(self.0) * u128::from(tokens);
        let rounded = exact.div_ceil(TOKENS_PER_MILLION);
        Self(u64::try_from(rounded).unwrap_or(u64::MAX))
    }
}

/// The total of all amounts. It saturates instead of overflowing.
impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Self::saturating_add)
    }
}

/// Dollars with as many decimals as needed, but at least two: `0.00`, `1.25`, `0.000012`. `FromStr`
/// reads the same text back.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fraction = format!("{:09}", self.0 % NANOS_PER_DOLLAR);
        let kept = fraction.trim_end_matches('0').len().max(2);
        write!(f, "{}.{}", self.0 / NANOS_PER_DOLLAR, &fraction[..kept])
    }
}

/// Why a text is not an amount of money.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// A sign, an exponent, a missing digit or any other character, for example `-1`, `1e3`, `1.`.
    #[error("not a decimal amount in dollars")]
    Malformed,
    /// The text is more precise than a nano-dollar.
    #[error("more than nine decimals")]
    TooFine,
    /// More than 64 bits of nano-dollars.
    #[error("too large")]
    TooLarge,
}

/// Reads dollars such as `12`, `0.5` or `0.000000001`. There is no sign, no exponent and no
/// currency symbol.
impl FromStr for Money {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(fraction) || text.ends_with('.') {
            return Err(MoneyError::Malformed);
        }
        if fraction.len() > 9 {
            return Err(MoneyError::TooFine);
        }
        let whole: u64 = whole.parse().map_err(|_| MoneyError::TooLarge)?;
        // Missing decimals are filled with zeros on the right: `5` becomes 500000000 nano-dollars.
        let nanos: u64 = format!("{fraction:0<9}").parse().map_err(|_| MoneyError::Malformed)?;
        whole
            .checked_mul(NANOS_PER_DOLLAR)
            .and_then(|w| w.checked_add(nanos))
            .map(Self)
            .ok_or(MoneyError::TooLarge)
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn text_round_trips(nanos in any::<u64>()) {
            let money = Money::from_nanos(nanos);
            prop_assert_eq!(money.to_string().parse::<Money>(), Ok(money));
        }

        #[test]
        fn per_million_never_rounds_down(price in 0u64..1_000_000_000_000, tokens in 0u64..10_000_000) {
            let cost = Money::from_nanos(price).per_million(tokens);
            let exact = u128::from(price) * u128::from(tokens);
            prop_assert!(u128::from(cost.nanos()) * 1_000_000 >= exact);
            prop_assert!(u128::from(cost.nanos()) * 1_000_000 < exact + 1_000_000);
        }
    }

    #[test]
    fn refuses_what_is_not_an_amount() {
        for (text, error) in [
            ("", MoneyError::Malformed),
            ("-1", MoneyError::Malformed),
            ("1e3", MoneyError::Malformed),
            ("1.", MoneyError::Malformed),
            ("0.0000000001", MoneyError::TooFine),
            ("99999999999999999999", MoneyError::TooLarge),
            ("18446744074", MoneyError::TooLarge),
        ] {
            assert_eq!(text.parse::<Money>(), Err(error), "{text}");
        }
    }
}
