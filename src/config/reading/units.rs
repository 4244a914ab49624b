//! Readers of amounts with units: durations (`"1h30m"`), bytes (`"512MiB"`) and money (`"5.00"`).
//! Every error says how to write the amount correctly.

use crate::config::reading::values::{ValueFault, ValueResult, kind, out_of_range, whole_number};
use std::ops::RangeInclusive;
use std::time::Duration;
use synthd_actors::model::{Money, MoneyError};
use toml::de::DeValue;

/// Binary units, the largest first.
const UNITS: [(&str, u64); 5] =
    [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// A shorter name that can be used in constants.
pub(in crate::config) const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

pub(in crate::config) const DAY: Duration = seconds(86_400);
pub(in crate::config) const WEEK: Duration = seconds(7 * 86_400);

/// Reads a duration as text, such as `"30s"`, `"5m"` or `"1h30m"`, within `range`. A number without
/// a unit is refused, because its unit would be a guess.
pub(in crate::config) fn duration(
    range: RangeInclusive<Duration>,
) -> impl Fn(&DeValue<'_>) -> ValueResult<Duration> {
    move |value| {
        let hint = "write a number and a unit: \"500ms\", \"30s\", \"5m\", \"1h30m\"";
        let text = match value {
            DeValue::String(text) => text.trim(),
            DeValue::Integer(number) => {
                let hint = format!("add a unit, in quotes: \"{}s\"", number.as_str());
                return Err(ValueFault::expected("a duration", value).hint(hint));
            }
            other => return Err(ValueFault::expected("a duration", other).hint(hint)),
        };
        // The library accepts several units in one text, such as `1h30m`.
        let parsed = humantime::parse_duration(text).map_err(|_| {
            ValueFault::new(format!("\"{}\" is not a duration", short(text))).hint(hint)
        })?;
        let show = |length: &Duration| humantime::format_duration(*length).to_string();
        if range.contains(&parsed) { Ok(parsed) } else { Err(out_of_range(text, &range, show)) }
    }
}

/// Reads a number of bytes within `range`: a whole number, or a text with a binary unit.
pub(in crate::config) fn bytes(
    range: RangeInclusive<u64>,
) -> impl Fn(&DeValue<'_>) -> ValueResult<u64> {
    move |value| {
        let amount = match value {
            DeValue::String(text) => parse_bytes(text.trim())?,
            DeValue::Integer(number) => whole_number(number)?,
            other => return Err(ValueFault::expected("a size", other).hint(BYTES_HINT)),
        };
        match u64::try_from(amount) {
            Ok(amount) if range.contains(&amount) => Ok(amount),
            _ => Err(out_of_range(&amount.to_string(), &range, |size| show_bytes(*size))),
        }
    }
}

/// The same for an option of a command. The error is the text for the command line.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    let amount = parse_bytes(text.trim()).map_err(|_| BYTES_HINT.to_owned())?;
    u64::try_from(amount).map_err(|_| "the number is too large".to_owned())
}

const BYTES_HINT: &str = "write a whole number and a unit: \"512MiB\", \"64KiB\", \"1GiB\"";

/// Parses a whole number and a unit, such as `512MiB`. A number without a unit means bytes.
fn parse_bytes(text: &str) -> ValueResult<i128> {
    let not_a_size = || ValueFault::new(format!("\"{}\" is not a size in bytes", short(text)));
    let split = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let count: i128 = digits.parse().map_err(|_| not_a_size().hint(BYTES_HINT))?;
    let unit = unit.trim_start();
    let known = UNITS.iter().find(|(name, _)| *name == unit || (unit.is_empty() && *name == "B"));
    let scale = match known {
        Some((_, scale)) => i128::from(*scale),
        None => return Err(not_a_size().hint(unit_hint(digits, unit))),
    };
    count.checked_mul(scale).ok_or_else(|| not_a_size().hint("the number is too large"))
}

/// The hint for an unknown unit. `512MB`, `512M` and `512mib` were all meant as `512MiB`, since
/// memory is counted in powers of two here.
fn unit_hint(digits: &str, unit: &str) -> String {
    let first = unit.chars().next().map(|letter| letter.to_ascii_uppercase());
    let same = |name: &&str| unit.len() <= 3 && name.chars().next() == first;
    match UNITS.iter().map(|(name, _)| *name).find(same) {
        Some(name) => format!("write \"{digits}{name}\""),
        None => BYTES_HINT.to_owned(),
    }
}

/// A number of bytes with the largest unit that divides it.
pub(crate) fn show_bytes(amount: u64) -> String {
    let fits = |(_, scale): &&(&str, u64)| amount >= *scale && amount.is_multiple_of(*scale);
    match UNITS.iter().find(fits) {
        Some((name, scale)) => format!("{}{name}", amount / scale),
        None => format!("{amount}B"),
    }
}

/// Reads dollars as text. A number without quotes is refused: TOML would make a float of it, which
/// is rounded before anyone can check it.
pub(in crate::config) fn money(value: &DeValue<'_>) -> ValueResult<Money> {
    let text = match value {
        DeValue::String(text) => text.as_ref(),
        DeValue::Integer(number) if number.radix() == 10 => {
            return Err(quote(number.as_str(), value));
        }
        DeValue::Float(number) => return Err(quote(number.as_str(), value)),
        other => {
            let fault = ValueFault::expected("an amount in dollars", other);
            return Err(fault.hint("write dollars in quotes, such as \"5.00\""));
        }
    };
    text.parse().map_err(|error| amiss(text, &error))
}

/// The fault for an amount without quotes.
fn quote(digits: &str, value: &DeValue<'_>) -> ValueFault {
    let fault = ValueFault::new(format!("expected dollars in quotes, found {}", kind(value)));
    fault.hint(format!("money is exact and never a float: write \"{digits}\""))
}

/// The fault for a text that is no amount of money.
fn amiss(text: &str, error: &MoneyError) -> ValueFault {
    let hint = match error {
        MoneyError::Malformed => {
            "write digits with at most one point, such as \"5.00\" or \"0.15\""
        }
        MoneyError::TooFine => "a nano-dollar, 0.000000001, is the smallest amount",
        MoneyError::TooLarge => "the largest amount is about 18 billion dollars",
    };
    ValueFault::new(format!("\"{}\" is {error}", short(text))).hint(hint)
}

/// The beginning of a text, long enough to recognise it in an error.
pub(in crate::config) fn short(text: &str) -> String {
    const MAX: usize = 60;
    match text.char_indices().nth(MAX) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
