//! The file of a rubric: what judges are asked about rows. `docs/judges.md` explains each key, and the
//! shipped rubrics in `config/rubrics` are whole ones.

use crate::config::ConfigErrors;
use crate::config::campaign::names;
use crate::config::campaign::validate::entries;
use crate::config::reading::reader::{ConfigReader, RawField};
use crate::config::reading::section::ConfigSection;
use crate::config::reading::source;
use crate::config::reading::values::{
    ValueFault, ValueResult, choice, some_text, text, thousandths, whole,
};
use std::path::Path;
use synthd_actors::rubric::{Rubric, RubricCriterion, RubricForm, RubricScale, ShownPart};

/// The longest prompt, in bytes.
const LONGEST_PROMPT: usize = 32 << 10;
/// The most criteria.
const MOST_CRITERIA: usize = 20;

/// Reads and checks a rubric. Returns every mistake that was found.
pub fn load_rubric(path: &Path) -> Result<Rubric, ConfigErrors> {
    let text = source::read(path)?;
    parse_rubric(&source::name_of(path), &text)
}

/// Checks the text of a rubric. `name` is what errors call it.
pub fn parse_rubric(name: &str, text: &str) -> Result<Rubric, ConfigErrors> {
    super::parse(name, text, |root, reader| {
        let hint = "copy `config/rubrics/task-success.toml`; its comments explain every line";
        read(root.unless_empty("nothing is set in this file", hint), reader)
    })
}

fn read(mut root: ConfigSection<'_, '_>, reader: &ConfigReader) -> Rubric {
    let mut head = root.required_section("rubric");
    let name = head.required("name", "\"my-rubric\"", text(names::campaign));
    let version = head.optional("version", whole(1..=1_000_000));
    let form = head.optional("form", choice(&RubricForm::ALL));
    let prompt = head.required("prompt", "\"Judge whether …\"", text(prompt));
    let shows =
        head.required_list("shows", "[\"instruction\", \"actions\"]", choice(&ShownPart::ALL));
    let most_characters = head.optional("most_characters", whole(1_000..=10_000_000));
    let right_from = head.optional("right_from", thousandths(0.001..=1.0));
    head.finish();
    let form = form.or(RubricForm::One);
    let scale = scale(&mut root, form, reader);
    let criteria = criteria(&mut root, reader);
    root.finish();
    Rubric {
        name: name.or(String::new()),
        version: version.or(1),
        form,
        prompt: prompt.or(String::new()),
        shows: entries(shows, Vec::new),
        scale,
        criteria,
        most_characters: most_characters.or(60_000),
        right_from: right_from.into_option(),
    }
}

/// Reads `[scale]`. A comparison has a scale of its own.
fn scale(root: &mut ConfigSection<'_, '_>, form: RubricForm, reader: &ConfigReader) -> RubricScale {
    let mut section = root.section("scale");
    let low = section.optional("low", whole(-100..=100));
    let high = section.optional("high", whole(-100..=100));
    if section.given() && form == RubricForm::Pair {
        let fault = ValueFault::new("a rubric that compares has no scale");
        reader.value(&section.place(), fault.hint("leave `[scale]` out"));
    }
    if let (RawField::Given(low, _), RawField::Given(high, span)) = (&low, &high)
        && low >= high
    {
        let fault = ValueFault::new("`high` is not larger than `low`");
        reader.value(span, fault.hint(format!("more than {low}")));
    }
    section.finish();
    match form {
        RubricForm::Pair => RubricScale::OF_PAIRS,
        RubricForm::One => {
            let usual = RubricScale::default();
            let (low, high) = (low.or(usual.low), high.or(usual.high));
            // A wrong scale was reported; this one can be counted with.
            if low < high { RubricScale { low, high } } else { usual }
        }
    }
}

/// Reads `[[criteria]]`. Each has a name of its own.
fn criteria(root: &mut ConfigSection<'_, '_>, reader: &ConfigReader) -> Vec<RubricCriterion> {
    let mut criteria: Vec<RubricCriterion> = Vec::new();
    for mut section in root.sections("criteria") {
        let name = section.required("name", "\"done\"", text(names::campaign));
        let asks = section.required("asks", "\"Is the work complete?\"", text(prompt));
        let weight = section.optional("weight", whole(1..=1_000));
        section.finish();
        let RawField::Given(name, span) = name else { continue };
        if criteria.iter().any(|known| known.name == name) {
            let fault = ValueFault::new(format!("the criterion {name:?} is given twice"));
            reader.value(&span, fault.hint("keep one of them"));
            continue;
        }
        if criteria.len() == MOST_CRITERIA {
            let fault = ValueFault::new(format!("more than {MOST_CRITERIA} criteria"));
            reader.value(&span, fault.hint("make several rubrics of them"));
            break;
        }
        criteria.push(RubricCriterion { name, asks: asks.or(String::new()), weight: weight.or(1) });
    }
    criteria
}

/// A text of several lines.
fn prompt(text: &str) -> ValueResult<()> {
    if text.len() > LONGEST_PROMPT {
        return Err(ValueFault::new("longer than 32 KiB").hint("say it in fewer words"));
    }
    some_text(&text.replace(['\n', '\t'], " "))
}
