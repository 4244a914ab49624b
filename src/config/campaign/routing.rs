//! Checks how the models of a file relate to each other: which model gets which tasks, which one
//! can do what a campaign needs, and which one is asked if another one fails.

use crate::config::campaign::names::KnownNames;
use crate::config::campaign::raw_models::{RawFallback, RawModel, RawRouting};

use crate::config::campaign::validate::entries;
use crate::config::reading::reader::ConfigReader;
use crate::config::reading::source::Span;
use crate::config::reading::values::ValueFault;
use crate::prices::ListedModel;
use crate::word_suggestion;
use synthd_actors::model::{Difficulty, FallbackModels, ModelAssignment, ModelRouting};

/// Runs all checks. `routing` is the section of a campaign; a gateway has none.
pub(in crate::config) fn check(
    models: &[RawModel],
    routing: Option<&RawRouting>,
    known_names: &KnownNames<'_>,
    reader: &ConfigReader,
) {
    models.iter().for_each(|model| check_fallback(model, models, reader));
    check_reserves(models, reader);
    let assign = routing.and_then(|routing| routing.assign.given()).copied().unwrap_or_default();
    check_difficulty(models, assign, reader);
    let Some(routing) = routing else { return };
    if let (ModelAssignment::Difficulty, Some(span)) = (assign, routing.assign.span()) {
        check_tiers(models, span, reader);
    }
    check_needs(models, routing, known_names, reader);
}

/// The model's name, if it is valid.
fn named(model: &RawModel) -> Option<&str> {
    model.name.given().map(String::as_str)
}

/// Whether the model is only a fallback of others.
fn is_reserve(model: &RawModel) -> bool {
    model.reserve.given() == Some(&true)
}

/// Reports fallbacks that are not in the file, and a model that is its own fallback.
fn check_fallback(model: &RawModel, models: &[RawModel], reader: &ConfigReader) {
    // A fallback must be a model of the same file, because it needs an endpoint and a price.
    let names: Vec<&str> = models.iter().filter_map(named).collect();
    for (wanted, span) in model.fallback.all() {
        if named(model) == Some(wanted) {
            let fault = ValueFault::new("a model cannot be its own fallback");
            reader.value(span, fault.hint("name another model"));
        } else if !names.contains(&wanted.as_str()) {
            let hint = match word_suggestion::closest(wanted, names.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("add `[[models]]` with `name = \"{wanted}\"` and `reserve = true`"),
            };
            reader.value(
                span,
                ValueFault::new(format!("this file has no model {wanted:?}")).hint(hint),
            );
        }
    }
}

/// Reports a reserve that is no fallback of any model, and a file in which all models are reserves.
/// In both cases a model is never asked.
fn check_reserves(models: &[RawModel], reader: &ConfigReader) {
    let all = !models.is_empty() && models.iter().all(is_reserve);
    for model in models.iter().filter(|model| is_reserve(model)) {
        let (Some(name), Some(span)) = (named(model), model.reserve.span()) else { continue };
        let wanted = models.iter().any(|other| other.fallback.all().any(|(one, _)| one == name));
        // One report is enough: every other model has the same mistake.
        if all {
            let fault = ValueFault::new("every model is a reserve, so no model is ever asked");
            reader.value(span, fault.hint("remove `reserve` from one of them"));
            return;
        }
        if !wanted {
            let fault = ValueFault::new(
                "this reserve model is no fallback of another model, so it is \
                                    never asked",
            );
            let hint = format!(
                "add for example `fallback = {{ outage = [\"{name}\"] }}` to another \
                         model"
            );
            reader.value(span, fault.hint(hint));
        }
    }
}

/// Reports a `difficulty` that has no effect, because tasks are not assigned by difficulty.
fn check_difficulty(models: &[RawModel], assign: ModelAssignment, reader: &ConfigReader) {
    if assign == ModelAssignment::Difficulty {
        return;
    }
    for span in models.iter().filter_map(|model| model.difficulty.span()) {
        let fault = ValueFault::new(
            "`difficulty` has no effect, because tasks are not assigned by \
                                difficulty",
        );
        reader.value(span, fault.hint("set `assign = \"difficulty\"` under [routing]"));
    }
}

/// Reports a difficulty that no model takes. Tasks of this difficulty would have no model.
fn check_tiers(models: &[RawModel], span: &Span, reader: &ConfigReader) {
    let takes = |model: &RawModel, level: Difficulty| match model.difficulty.given() {
        Some(levels) => levels.iter().any(|(one, _)| *one == level),
        // The key is absent, so the model takes any task, or it is wrong and was already reported.
        None => true,
    };
    let levels = [Difficulty::Easy, Difficulty::Medium, Difficulty::Hard];
    let left =
        |level: &Difficulty| !models.iter().any(|model| !is_reserve(model) && takes(model, *level));
    let left: Vec<&str> = levels.into_iter().filter(left).map(Difficulty::as_str).collect();
    if !left.is_empty() && !models.is_empty() {
        let fault = ValueFault::new(format!("no model takes tasks that are {}", left.join(" or ")));
        let hint = "name them in a model's `difficulty`; or leave `difficulty` out of one model, and \
             this model takes the rest";
        reader.value(span, fault.hint(hint));
    }
}

/// Reports abilities that no model has. Reserves do not count, since they get no tasks. The price
/// table says what a model can do, so a stored text is not checked.
fn check_needs(
    models: &[RawModel],
    routing: &RawRouting,
    known_names: &KnownNames<'_>,
    reader: &ConfigReader,
) {
    let (Some(needs), Some(span)) = (routing.needs.given(), routing.needs.span()) else { return };
    let needs = needs.iter().map(|(ability, _)| *ability).collect();
    let able = |model: &&RawModel| {
        let listed = named(model).and_then(|name| known_names.prices?.get(name));
        !is_reserve(model) && model_routing(model, listed).has(&needs)
    };
    if !known_names.is_stored && !models.is_empty() && !models.iter().any(|model| able(&model)) {
        let fault = ValueFault::new("no model here can do all of this");
        let hint = "say what a model can do: `abilities = [\"tools\", \"vision\", \"reasoning\"]`";
        reader.value(span, fault.hint(hint));
    }
}

/// What the router has to know of a model besides its price. Abilities come from the file, or else
/// from the price table.
pub(in crate::config) fn model_routing(
    raw: &RawModel,
    listed: Option<&ListedModel>,
) -> ModelRouting {
    let abilities = raw.abilities.given().map(|all| all.iter().map(|(one, _)| *one).collect());
    ModelRouting {
        tokens_per_minute: raw.tokens_per_minute.given().copied(),
        abilities: abilities.or_else(|| listed?.abilities.clone()),
        difficulty: entries(raw.difficulty.clone(), Vec::new),
        reserve: is_reserve(raw),
        budget: raw.budget.given().copied(),
        fallback: fallback(&raw.fallback),
    }
}

/// The fallbacks by their reasons.
fn fallback(raw: &RawFallback) -> FallbackModels {
    FallbackModels {
        context: entries(raw.context.clone(), Vec::new),
        filter: entries(raw.filter.clone(), Vec::new),
        outage: entries(raw.outage.clone(), Vec::new),
        budget: entries(raw.budget.clone(), Vec::new),
    }
}
