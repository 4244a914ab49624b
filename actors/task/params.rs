//! The kinds of parameters, and how each is drawn. The order of the draws is part of the frozen
//! format of tasks: another order would give other tasks. So parameters keep the order in which
//! they are written.

use super::draw::TaskRng;
use super::render::{self, RenderContext};
use super::template_error::TemplateProblem;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// Parameters in the order they are written, which is the order they are drawn.
#[derive(Clone, Debug, Default, PartialEq, schemars::JsonSchema)]
#[schemars(with = "BTreeMap<String, ParamSpec>")]
pub struct OrderedParams(pub Vec<(String, ParamSpec)>);

/// How one parameter is drawn.
#[derive(Clone, Debug, PartialEq, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum ParamSpec {
    /// One of the entries.
    Choice(Vec<Value>),
    /// A whole number, both ends included.
    Int { min: i64, max: i64 },
    /// True or false.
    Bool {},
    /// Different entries, in drawn order.
    Sample { from: Vec<Value>, count: usize },
    /// All the entries, in drawn order.
    Shuffle(Vec<Value>),
    /// Lower-case letters and digits, a letter first.
    Token { length: usize },
    /// Several draws of one kind.
    List { count: CountSpec, of: Box<ParamSpec> },
    /// A map of drawn fields.
    Record(OrderedParams),
    /// An expression over what is drawn already.
    Derive(String),
}

/// How many entries a list has.
#[derive(Clone, Debug, PartialEq, Deserialize, schemars::JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "Count")]
pub enum CountSpec {
    Exactly(i64),
    Between { min: i64, max: i64 },
}

// The most entries of a drawn list, so that a template cannot use up the memory.
const MAX_LIST: i64 = 10_000;
// The characters of tokens. A token begins with a letter, so that it can be used as a name.
const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz";
const LETTERS_AND_DIGITS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";

impl OrderedParams {
    /// Draws every parameter in order. A `derive` expression sees the parameters before it.
    pub(super) fn draw(&self, draw: &mut TaskRng) -> Result<RenderContext, TemplateProblem> {
        let mut context = RenderContext::new();
        for (name, spec) in &self.0 {
            let value = spec.draw(draw, &context);
            let value = value.map_err(|problem| problem.below(&format!("parameters.{name}")))?;
            context.insert(name.clone(), value);
        }
        Ok(context)
    }

    /// The number of parameters that are really drawn. Derived ones add no variety to the tasks.
    pub fn drawn(&self) -> usize {
        self.0.iter().filter(|(_, spec)| !matches!(spec, ParamSpec::Derive(_))).count()
    }
}

impl ParamSpec {
    /// Draws one value. `context` has the parameters that were drawn before, for `derive`.
    fn draw(&self, draw: &mut TaskRng, context: &RenderContext) -> Result<Value, TemplateProblem> {
        let below = |key: &'static str| move |message: String| TemplateProblem::at(key, message);
        match self {
            Self::Choice(entries) => pick(entries, draw).map_err(below("choice")),
            Self::Int { min, max } if min > max => {
                Err(TemplateProblem::at("int", format!("min {min} is above max {max}")))
            }
            Self::Int { min, max } => Ok(draw.between(*min, *max).into()),
            Self::Bool {} => Ok((draw.below(2) == 1).into()),
            Self::Sample { from, count } => {
                sample(from, *count, draw).map(Value::from).map_err(below("sample"))
            }
            Self::Shuffle(entries) => {
                sample(entries, entries.len(), draw).map(Value::from).map_err(below("shuffle"))
            }
            Self::Token { length } => Ok(token(*length, draw).into()),
            Self::List { count, of } => {
                list(count, of, draw, context).map_err(|problem| problem.below("list"))
            }
            Self::Record(fields) => {
                record(fields, draw, context).map_err(|problem| problem.below("record"))
            }
            Self::Derive(expression) => {
                render::evaluate(expression, context).map_err(|problem| problem.below("derive"))
            }
        }
    }
}

/// One of the entries. Err for an empty list.
fn pick(entries: &[Value], draw: &mut TaskRng) -> Result<Value, String> {
    entries.get(draw.index(entries.len())).cloned().ok_or_else(|| "no entries to choose".to_owned())
}

/// `count` different entries in drawn order. Err if there are not so many.
fn sample(entries: &[Value], count: usize, draw: &mut TaskRng) -> Result<Vec<Value>, String> {
    if count > entries.len() {
        return Err(format!("{count} of only {} entries", entries.len()));
    }
    let mut left = entries.to_vec();
    Ok((0..count).map(|_| left.remove(draw.index(left.len()))).collect())
}

/// A random name of `length` characters.
fn token(length: usize, draw: &mut TaskRng) -> String {
    let mut text = String::with_capacity(length);
    for place in 0..length {
        let letters = if place == 0 { LETTERS } else { LETTERS_AND_DIGITS };
        text.push(char::from(letters[draw.index(letters.len())]));
    }
    text
}

/// A list of drawn values. First the number of entries is drawn, then each entry.
fn list(
    count: &CountSpec,
    of: &ParamSpec,
    draw: &mut TaskRng,
    context: &RenderContext,
) -> Result<Value, TemplateProblem> {
    let count = match count {
        CountSpec::Exactly(count) => *count,
        CountSpec::Between { min, max } if min > max => {
            return Err(TemplateProblem::at("count", "min is above max"));
        }
        CountSpec::Between { min, max } => draw.between(*min, *max),
    };
    if !(0..=MAX_LIST).contains(&count) {
        let what = format!("a list of {count} entries; at most {MAX_LIST} are allowed");
        return Err(TemplateProblem::at("count", what));
    }
    let entries: Result<Vec<Value>, TemplateProblem> =
        (0..count).map(|_| of.draw(draw, context)).collect();
    entries.map(Value::from).map_err(|problem| problem.below("of"))
}

/// A map of drawn fields. A field sees the fields before it.
fn record(
    fields: &OrderedParams,
    draw: &mut TaskRng,
    context: &RenderContext,
) -> Result<Value, TemplateProblem> {
    let mut visible = context.clone();
    let mut map = serde_json::Map::new();
    for (name, spec) in &fields.0 {
        let value = spec.draw(draw, &visible).map_err(|problem| problem.below(name))?;
        visible.insert(name.clone(), value.clone());
        map.insert(name.clone(), value);
    }
    Ok(map.into())
}

impl<'de> Deserialize<'de> for OrderedParams {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // A `BTreeMap` would sort the parameters by name. This visitor keeps their order, and it
        // refuses a name that is given twice.
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = OrderedParams;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of parameters")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut params: Vec<(String, ParamSpec)> = Vec::new();
                while let Some((name, spec)) = map.next_entry::<String, ParamSpec>()? {
                    if params.iter().any(|(known, _)| *known == name) {
                        let twice = format!("parameter {name} is defined twice");
                        return Err(serde::de::Error::custom(twice));
                    }
                    params.push((name, spec));
                }
                Ok(OrderedParams(params))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}
