//! The keys of `judge`: a rubric, the judges, and which scores are found.

use crate::config::campaign::validate::entries;
use crate::config::reading::reader::{ConfigReader, RawField};
use crate::config::reading::section::ConfigSection;
use crate::config::reading::values::{
    ValueFault, ValueResult, choice, some_text, text, thousandths, whole,
};
use synthd_actors::curation::stages::StageSettings;
use synthd_actors::rubric::{JudgePanel, PanelRule};

/// Reads them. Rows are rejected or labelled by a bound, so one of the bounds must be there then.
pub(super) fn judge(
    section: &mut ConfigSection<'_, '_>,
    is_score: bool,
    reader: &ConfigReader,
) -> StageSettings {
    let rubric = section.required("rubric", "\"task-success\"", text(some_text));
    let models = section.required_list("models", "[\"openai/gpt-5\"]", text(model));
    let samples = section.optional("samples", whole(1..=100));
    let rule = section.optional("rule", choice(&PanelRule::ALL));
    let quorum = section.optional("quorum", whole(1..=100));
    let below = section.optional("below", thousandths(0.0..=1.0));
    let from = section.optional("from", thousandths(0.0..=1.0));
    let review = section.optional("review", text(some_text));
    if !is_score && below.is_absent() && from.is_absent() && section.given() {
        let fault = ValueFault::new("neither `below` nor `from` is set");
        let hint = "set one of them, such as `below = 0.5`, or write `action = \"score\"`";
        reader.value(&section.place(), fault.hint(hint));
    }
    let models = entries(models, Vec::new);
    let judges = u32::try_from(models.len()).unwrap_or(u32::MAX);
    if let RawField::Given(quorum, span) = &quorum
        && *quorum > judges
        && judges > 0
    {
        let fault = ValueFault::new("`quorum` is larger than the number of judges");
        reader.value(span, fault.hint(format!("at most {judges}")));
    }
    StageSettings::Judge {
        rubric: rubric.or(String::new()),
        panel: JudgePanel {
            models,
            samples: samples.or(1),
            rule: rule.or(PanelRule::default()),
            quorum: quorum.or(judges / 2 + 1),
        },
        below: below.into_option(),
        from: from.into_option(),
        review: review.into_option(),
    }
}

/// A model's name as campaigns have it. Whether it can be asked is known when it is.
fn model(name: &str) -> ValueResult<()> {
    some_text(name)?;
    let is_odd = name.contains(['"', '\\']);
    match name.split_once('/') {
        Some((provider, model)) if !provider.is_empty() && !model.is_empty() && !is_odd => Ok(()),
        _ => Err(ValueFault::new("not the name of a model")
            .hint("write `PROVIDER/MODEL`; `synthd models list` shows models")),
    }
}
