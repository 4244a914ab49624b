//! Readers of single values. Each takes a TOML value and returns what it means, or a fault that
//! says what was expected. The position of the value and the name of its key are added by
//! `section`.
//!
//! A reader is a closure, so that a section can be read like this: `section.optional("max_turns",
//! whole(1..=10_000))`.

use crate::config::reading::units::short;
use crate::word_suggestion;
use std::ops::RangeInclusive;
use toml::de::{DeInteger, DeValue};

/// What is wrong with one value.
#[derive(Debug)]
pub(in crate::config) struct ValueFault {
    /// What is wrong, such as `expected a string, found a list`.
    pub(in crate::config) message: String,
    /// What people can do about it.
    pub(in crate::config) hint: Option<String>,
}

/// What a reader returns.
pub(in crate::config) type ValueResult<T> = Result<T, ValueFault>;

impl ValueFault {
    pub(in crate::config) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    /// A value of the wrong type.
    pub(in crate::config) fn expected(what: &str, found: &DeValue<'_>) -> Self {
        Self::new(format!("expected {what}, found {}", kind(found)))
    }

    /// Adds what people can do about it.
    #[must_use]
    pub(in crate::config) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// A value's type in plain words.
pub(in crate::config) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a decimal number",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// A value outside of its range. The hint shows the range.
pub(in crate::config) fn out_of_range<T>(
    found: &str,
    range: &RangeInclusive<T>,
    show: impl Fn(&T) -> String,
) -> ValueFault {
    let hint = format!("anything from {} to {}", show(range.start()), show(range.end()));
    ValueFault::new(format!("{} is out of range", short(found))).hint(hint)
}

/// The number itself, in decimal, hexadecimal, octal or binary notation.
pub(in crate::config) fn whole_number(number: &DeInteger<'_>) -> ValueResult<i128> {
    i128::from_str_radix(number.as_str(), number.radix())
        .map_err(|_| ValueFault::new(format!("{} is too large", short(number.as_str()))))
}

/// Reads a whole number within `range`.
pub(in crate::config) fn whole<T>(
    range: RangeInclusive<T>,
) -> impl Fn(&DeValue<'_>) -> ValueResult<T>
where
    T: TryFrom<i128> + PartialOrd + ToString,
{
    move |value| {
        let number = match value {
            DeValue::Integer(number) => whole_number(number)?,
            other => return Err(not_a_number("a whole number", other)),
        };
        match T::try_from(number) {
            Ok(number) if range.contains(&number) => Ok(number),
            _ => Err(out_of_range(&number.to_string(), &range, T::to_string)),
        }
    }
}

/// Reads a number with decimals within `range`. The result is in thousandths, rounded.
pub(in crate::config) fn thousandths(
    range: RangeInclusive<f64>,
) -> impl Fn(&DeValue<'_>) -> ValueResult<u32> {
    let read = number(range);
    // The range has passed, so the product is small and positive, and the cast loses nothing.
    move |value| read(value).map(|number| (number * 1_000.0).round() as u32)
}

/// Reads a number with decimals within `range`. A whole number is accepted, too.
pub(in crate::config) fn number(
    range: RangeInclusive<f64>,
) -> impl Fn(&DeValue<'_>) -> ValueResult<f64> {
    move |value| {
        let text = match value {
            DeValue::Float(number) => number.as_str().to_owned(),
            DeValue::Integer(number) => whole_number(number)?.to_string(),
            other => return Err(not_a_number("a number", other)),
        };
        match text.parse::<f64>() {
            Ok(number) if range.contains(&number) => Ok(number),
            _ => Err(out_of_range(&text, &range, f64::to_string)),
        }
    }
}

/// The fault for something that is no number. If it is a number in quotes, the hint says so.
fn not_a_number(expected: &str, found: &DeValue<'_>) -> ValueFault {
    let fault = ValueFault::expected(expected, found);
    match found {
        DeValue::String(text) if text.trim().parse::<f64>().is_ok() => {
            fault.hint(format!("remove the quotes: {}", text.trim()))
        }
        _ => fault,
    }
}

/// Reads a text that passes `check`.
pub(in crate::config) fn text(
    check: impl Fn(&str) -> ValueResult<()>,
) -> impl Fn(&DeValue<'_>) -> ValueResult<String> {
    move |value| match value {
        DeValue::String(text) => check(text).map(|()| text.to_string()),
        DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) => {
            Err(ValueFault::expected("a string", value).hint("put it in double quotes"))
        }
        other => Err(ValueFault::expected("a string", other)),
    }
}

/// Reads one of a few words, and returns what the word stands for.
pub(in crate::config) fn choice<T: Copy>(
    words: &[(&'static str, T)],
) -> impl Fn(&DeValue<'_>) -> ValueResult<T> {
    let words = words.to_vec();
    move |value| {
        let names: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
        let text = match value {
            DeValue::String(text) => text.as_ref(),
            other => {
                let fault = ValueFault::expected("a string", other);
                return Err(fault.hint(format!("one of {}", names.join(", "))));
            }
        };
        match words.iter().find(|(name, _)| *name == text) {
            Some((_, meaning)) => Ok(*meaning),
            None => Err(unknown("value", text, &names)),
        }
    }
}

/// Checks that a text is one of the words of a list. `what` is what the words are, for the error.
pub(in crate::config) fn name_of(what: &str, names: &[&str]) -> impl Fn(&str) -> ValueResult<()> {
    move |text| if names.contains(&text) { Ok(()) } else { Err(unknown(what, text, names)) }
}

/// The fault for a word that is not in the list, with the word that was most likely meant.
fn unknown(what: &str, text: &str, names: &[&str]) -> ValueFault {
    let hint = word_suggestion::one_of(text, names);
    ValueFault::new(format!("unknown {what} \"{}\"", short(text))).hint(hint)
}

/// Checks that a text is not empty and has no control characters.
pub(in crate::config) fn some_text(text: &str) -> ValueResult<()> {
    if text.trim().is_empty() {
        return Err(ValueFault::new("an empty string"));
    }
    match text.chars().find(|letter| letter.is_control()) {
        Some(letter) => Err(ValueFault::new(format!("control character {:?}", letter))),
        None => Ok(()),
    }
}
