//! The keys of a model that say how it is asked (temperature, seed, output cap and so on), as they
//! are in a file. `sampling` checks which of them the model's format accepts.

use crate::config::reading::reader::RawField;
use crate::config::reading::section::ConfigSection;
use crate::config::reading::source::Span;
use crate::config::reading::values::{
    ValueFault, ValueResult, choice, number, text, whole, whole_number,
};
use serde_json::{Map, Value};
use synthd_actors::model::{MOST_SEED, ReasoningEffort, SamplingParams};
use toml::de::DeValue;

/// The most stop sequences. No provider accepts more.
const MOST_STOPS: usize = 16;
/// The most output tokens that a file may ask for.
const MOST_OUTPUT: u32 = 10_000_000;

/// The sampling keys of one model. An absent key means the provider's default.
pub(in crate::config) struct RawSampling {
    pub(in crate::config) temperature: RawField<f64>,
    pub(in crate::config) top_p: RawField<f64>,
    pub(in crate::config) seed: RawField<u64>,
    /// Texts before which the answer ends.
    pub(in crate::config) stop: RawField<Vec<String>>,
    pub(in crate::config) reasoning_effort: RawField<ReasoningEffort>,
    /// The most tokens of thinking.
    pub(in crate::config) thinking_budget: RawField<u32>,
    /// The output cap of one call, thinking included.
    pub(in crate::config) max_output_tokens: RawField<u32>,
    /// Further fields of the request's body, under the provider's names.
    pub(in crate::config) extra: RawField<Vec<RawExtra>>,
}

/// A field of `extra`, at any depth, with its position.
#[derive(Clone, Debug)]
pub(in crate::config) struct RawExtra {
    pub(in crate::config) key: String,
    pub(in crate::config) place: Span,
    pub(in crate::config) value: RawValue,
}

/// The value of such a field.
#[derive(Clone, Debug)]
pub(in crate::config) enum RawValue {
    /// A value without fields of its own (also a list).
    Plain(Value),
    /// A table; its fields are checked one by one.
    Table(Vec<RawExtra>),
}

impl RawSampling {
    /// Reads the sampling keys out of a model's section.
    pub(in crate::config) fn read(section: &mut ConfigSection<'_, '_>) -> Self {
        let efforts = ReasoningEffort::ALL.map(|effort| (effort.as_str(), effort));
        Self {
            temperature: section.optional("temperature", number(0.0..=2.0)),
            top_p: section.optional("top_p", number(0.0..=1.0)),
            seed: section.optional("seed", whole(0..=MOST_SEED)),
            stop: section.optional("stop", stops),
            reasoning_effort: section.optional("reasoning_effort", choice(&efforts)),
            thinking_budget: section.optional("thinking_budget", whole(0..=MOST_OUTPUT)),
            max_output_tokens: section.optional("max_output_tokens", whole(1..=MOST_OUTPUT)),
            extra: section.optional("extra", extras),
        }
    }

    /// The keys that the file has, with their positions.
    pub(in crate::config) fn given(&self) -> Vec<(&'static str, &Span)> {
        let all = [
            ("temperature", self.temperature.span()),
            ("top_p", self.top_p.span()),
            ("seed", self.seed.span()),
            ("stop", self.stop.span()),
            ("reasoning_effort", self.reasoning_effort.span()),
            ("thinking_budget", self.thinking_budget.span()),
            ("max_output_tokens", self.max_output_tokens.span()),
            ("extra", self.extra.span()),
        ];
        all.into_iter().filter_map(|(key, span)| Some((key, span?))).collect()
    }

    /// The parameters for the adapters.
    pub(in crate::config) fn sampling(self) -> SamplingParams {
        SamplingParams {
            temperature: self.temperature.into_option(),
            top_p: self.top_p.into_option(),
            seed: self.seed.into_option(),
            stop: self.stop.or(Vec::new()),
            reasoning_effort: self.reasoning_effort.into_option(),
            thinking_budget: self.thinking_budget.into_option(),
            max_output_tokens: self.max_output_tokens.into_option(),
            extra: self.extra.into_option().map(object).unwrap_or_default(),
        }
    }
}

/// The fields as a JSON object.
fn object(extras: Vec<RawExtra>) -> Map<String, Value> {
    let value = |value| match value {
        RawValue::Plain(value) => value,
        RawValue::Table(inner) => Value::Object(object(inner)),
    };
    extras.into_iter().map(|extra| (extra.key, value(extra.value))).collect()
}

/// Reads `stop`: one text, or a list of texts. None of them may be empty.
fn stops(value: &DeValue<'_>) -> ValueResult<Vec<String>> {
    let some = |stop: &str| match stop.is_empty() {
        true => Err(ValueFault::new("an empty string ends every answer at once")),
        false => Ok(()),
    };
    let DeValue::Array(list) = value else { return Ok(vec![text(some)(value)?]) };
    if list.is_empty() || list.len() > MOST_STOPS {
        let fault = ValueFault::new(format!("{} sequences", list.len()));
        return Err(fault.hint(format!("anything from 1 to {MOST_STOPS} of them")));
    }
    list.iter().map(|one| text(some)(one.get_ref())).collect()
}

/// Reads the table `extra` with its positions.
fn extras(value: &DeValue<'_>) -> ValueResult<Vec<RawExtra>> {
    let DeValue::Table(table) = value else {
        let fault = ValueFault::expected("a table", value);
        return Err(fault.hint("write it as `{ key = value }`"));
    };
    let one = |(key, value): (&toml::Spanned<_>, &toml::Spanned<DeValue<'_>>)| {
        let name: &std::borrow::Cow<'_, str> = key.get_ref();
        let value = match value.get_ref() {
            table @ DeValue::Table(_) => RawValue::Table(extras(table)?),
            plain => RawValue::Plain(json(plain)?),
        };
        Ok(RawExtra { key: name.to_string(), place: key.span(), value })
    };
    table.iter().map(one).collect()
}

/// A TOML value as JSON. Fails for values that JSON does not have: dates, and numbers that are not
/// finite or too large.
fn json(value: &DeValue<'_>) -> ValueResult<Value> {
    Ok(match value {
        DeValue::String(text) => Value::from(text.as_ref()),
        DeValue::Boolean(truth) => Value::from(*truth),
        DeValue::Integer(whole) => {
            let number = whole_number(whole)?;
            let number =
                i64::try_from(number).map_err(|_| ValueFault::new("a number too large"))?;
            Value::from(number)
        }
        DeValue::Float(number) => {
            let number: Option<f64> = number.as_str().parse().ok().filter(|n: &f64| n.is_finite());
            Value::from(number.ok_or_else(|| ValueFault::new("a number that JSON does not have"))?)
        }
        DeValue::Array(list) => {
            let items: ValueResult<Vec<Value>> =
                list.iter().map(|item| json(item.get_ref())).collect();
            Value::from(items?)
        }
        DeValue::Table(_) => Value::Object(object(extras(value)?)),
        DeValue::Datetime(_) => {
            let fault = ValueFault::expected("a value that JSON has", value);
            return Err(fault.hint("put the date in quotes"));
        }
    })
}
