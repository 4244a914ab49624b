//! Converts decimal text, as price tables write it, into integers. The conversion is exact, or it
//! rounds up. No float is used: a float would round before anyone could check it, and a price that
//! is too low would make a hold too small.

use synthd_actors::model::Money;

/// The power of ten from dollars for one token to nano-dollars for a million tokens.
const SCALE: i32 = 6 + 9;

/// The price of a million tokens, from the price of one token in dollars, such as `4e-07` or
/// `0.0000004` (both are 0.40 dollars). None if the text is no decimal number, is negative, or is
/// too large.
pub(super) fn per_token(text: &str) -> Option<Money> {
    // `4e-07` has the mantissa `4` and the exponent -7.
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], text[at + 1..].parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    // A sign is no digit, so negative prices are refused here.
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() {
        return Some(Money::ZERO);
    }
    let places = i32::try_from(fraction.len()).ok()?;
    // Each digit after the point lowers the power of ten by one.
    let shift = exponent.checked_sub(places)?.checked_add(SCALE)?;
    scaled(digits.parse().ok()?, shift).map(Money::from_nanos)
}

/// `number` times ten to the power of `shift`, rounded up. None if the result is too large.
fn scaled(number: u128, shift: i32) -> Option<u64> {
    let power = 10_u128.checked_pow(shift.unsigned_abs());
    let exact = match (shift >= 0, power) {
        (true, power) => number.checked_mul(power?)?,
        (false, Some(power)) => number.div_ceil(power),
        // The divisor is larger than any number. The result is above zero and below one, so it is
        // rounded up to one: a tiny price must not become free.
        (false, None) => 1,
    };
    u64::try_from(exact).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts_are_what_they_say() {
        let cases = [
            ("4e-07", Some("0.40")),
            ("0.0000004", Some("0.40")),
            ("4.0E-7", Some("0.40")),
            ("1.25e-06", Some("1.25")),
            ("0", Some("0.00")),
            ("0.0", Some("0.00")),
            ("2", Some("2000000.00")),
            ("1e-16", Some("0.000000001")),
            ("1e-400", Some("0.000000001")),
            ("-1e-6", None),
            ("1e-6x", None),
            ("", None),
            (".", None),
            ("1e999", None),
            ("NaN", None),
        ];
        for (text, expected) in cases {
            assert_eq!(
                per_token(text).map(|money| money.to_string()).as_deref(),
                expected,
                "{text}"
            );
        }
    }

    proptest! {
        /// However it is written, the same number is the same price.
        #[test]
        fn notation_is_no_matter(number in 1u64..1_000_000_000, places in 0usize..9) {
            let plain = format!("0.{:0>1$}", number, 9 + places);
            let scientific = format!("{number}e-{}", 9 + places);
            prop_assert_eq!(per_token(&plain), per_token(&scientific));
        }

        #[test]
        fn nothing_is_rounded_down(number in 1u64..1_000_000, places in 0i32..40) {
            let money = per_token(&format!("{number}e-{places}"));
            prop_assert!(money.is_none_or(|money| !money.is_zero()));
        }

        #[test]
        fn any_text_is_a_price_or_none(text in ".{0,40}") {
            let _: Option<Money> = per_token(&text);
        }
    }
}
