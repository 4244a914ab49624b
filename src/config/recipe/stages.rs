//! `[[stages]]` of a recipe: kind, action, and the keys that a kind has besides.

use super::behaviour;
use super::judging;
use super::passages;
use crate::config::campaign::raw_draw::between as two_rates;
use crate::config::campaign::raw_models::truth;
use crate::config::campaign::validate::entries;
use crate::config::reading::reader::{ConfigReader, RawField};
use crate::config::reading::section::ConfigSection;
use crate::config::reading::values::{ValueFault, choice, some_text, text, thousandths, whole};
use synthd_actors::curation::stages::{
    BenchmarkOverlap, ComparedText, KeepRule, RowAspect, StageName, StageSettings,
};
use synthd_actors::curation::{CurationAction, RecipeStage};
use synthd_actors::model::ReviewValue;

const ACTIONS: [(&str, CurationAction); 4] = [
    ("reject", CurationAction::Reject),
    ("label", CurationAction::Label),
    ("replace", CurationAction::Replace),
    ("score", CurationAction::Score),
];

/// The words of `kind`.
const KINDS: [(&str, StageWord); 27] = [
    ("format", StageWord::Recorded(StageName::Format)),
    ("leak", StageWord::Recorded(StageName::Leak)),
    ("tampering", StageWord::Recorded(StageName::Tampering)),
    ("loops", StageWord::Recorded(StageName::Loops)),
    ("truncation", StageWord::Recorded(StageName::Truncation)),
    ("unresolved", StageWord::Recorded(StageName::Unresolved)),
    ("refusal", StageWord::Recorded(StageName::Refusal)),
    ("duplicates", StageWord::Duplicates),
    ("pass-rate", StageWord::PassRate),
    ("cap", StageWord::Cap),
    ("balance", StageWord::Balance),
    ("secrets", StageWord::Secrets),
    ("personal-data", StageWord::PersonalData),
    ("host-leaks", StageWord::HostLeaks),
    ("identity", StageWord::Identity),
    ("stalls", StageWord::Stalls),
    ("error-spirals", StageWord::ErrorSpirals),
    ("idle", StageWord::Idle),
    ("late-actions", StageWord::LateActions),
    ("forbidden-means", StageWord::ForbiddenMeans),
    ("length", StageWord::Length),
    ("language", StageWord::Language),
    ("refusals", StageWord::Refusals),
    ("review", StageWord::Review),
    ("near-duplicates", StageWord::NearDuplicates),
    ("decontamination", StageWord::Decontamination),
    ("judge", StageWord::Judge),
];

/// A kind, before its own keys are read.
#[derive(Clone, Copy)]
enum StageWord {
    Recorded(StageName),
    Duplicates,
    PassRate,
    Cap,
    Balance,
    Secrets,
    PersonalData,
    HostLeaks,
    Identity,
    Stalls,
    ErrorSpirals,
    Idle,
    LateActions,
    ForbiddenMeans,
    Length,
    Language,
    Refusals,
    Review,
    NearDuplicates,
    Decontamination,
    Judge,
}

/// Reads one stage. None if its kind or its action is missing or wrong, which was reported.
pub(super) fn read(
    mut section: ConfigSection<'_, '_>,
    reader: &ConfigReader,
) -> Option<RecipeStage> {
    let kind = section.required("kind", "\"duplicates\"", choice(&KINDS));
    let action = section.required("action", "\"reject\"", choice(&ACTIONS));
    let settings = match kind.into_option()? {
        StageWord::Recorded(stage) => StageSettings::Recorded { stage },
        StageWord::Duplicates => StageSettings::Duplicates,
        StageWord::PassRate => pass_rate(&mut section),
        StageWord::Cap => cap(&mut section),
        StageWord::Balance => balance(&mut section),
        StageWord::Secrets => passages::secrets(&mut section),
        StageWord::PersonalData => passages::personal_data(&mut section),
        StageWord::HostLeaks => passages::host_leaks(&mut section),
        StageWord::Identity => passages::identity(&mut section),
        StageWord::Stalls => behaviour::stalls(&mut section),
        StageWord::ErrorSpirals => behaviour::error_spirals(&mut section),
        StageWord::Idle => behaviour::idle(&mut section),
        StageWord::LateActions => behaviour::late_actions(&mut section),
        StageWord::ForbiddenMeans => behaviour::forbidden_means(&mut section),
        StageWord::Length => behaviour::length(&mut section, reader),
        StageWord::Language => behaviour::language(&mut section),
        StageWord::Refusals => StageSettings::Refusals,
        StageWord::Review => review(&mut section),
        StageWord::NearDuplicates => near_duplicates(&mut section),
        StageWord::Decontamination => decontamination(&mut section),
        StageWord::Judge => {
            let is_score = action.given().is_none_or(|action| *action == CurationAction::Score);
            judging::judge(&mut section, is_score, reader)
        }
    };
    section.finish();
    let RawField::Given(action, span) = action else { return None };
    if action == CurationAction::Replace && !settings.finds_passages() {
        let fault = ValueFault::new(format!("the stage `{}` finds no passages", settings.kind()));
        reader.value(&span, fault.hint("write \"reject\", \"label\" or \"score\""));
    }
    Some(RecipeStage { action, settings })
}

/// The keys of `pass-rate`.
fn pass_rate(section: &mut ConfigSection<'_, '_>) -> StageSettings {
    let between = section.required("between", "[0.2, 0.8]", two_rates);
    let least = section.optional("least", whole(1..=1_000_000));
    StageSettings::PassRate { between: between.or([0, 1_000]), least: least.or(2) }
}

/// The keys of `cap`.
fn cap(section: &mut ConfigSection<'_, '_>) -> StageSettings {
    let by = section.required_list("by", "[\"task\"]", choice(&aspects()));
    let most = section.required("most", "4", whole(1..=1_000_000_000));
    let keep = section.optional("keep", choice(&KeepRule::ALL));
    StageSettings::Cap {
        by: entries(by, Vec::new),
        most: most.or(1),
        keep: keep.or(KeepRule::default()),
    }
}

/// The keys of `balance`.
fn balance(section: &mut ConfigSection<'_, '_>) -> StageSettings {
    let by = section.required("by", "\"difficulty\"", choice(&aspects()));
    let ratio = section.optional("ratio", thousandths(1.0..=1_000.0));
    StageSettings::Balance { by: by.or(RowAspect::Difficulty), ratio: ratio.or(1_000) }
}

/// The keys of `review`.
fn review(section: &mut ConfigSection<'_, '_>) -> StageSettings {
    let file = section.required("file", "\"review.jsonl\"", text(some_text));
    let decision = section.required("decision", "\"wrong\"", choice(&ReviewValue::ALL));
    let least = section.optional("least", whole(1..=1_000));
    StageSettings::Review {
        file: file.or(String::new()),
        decision: decision.or(ReviewValue::Wrong),
        least: least.or(1),
    }
}

/// The keys of `near-duplicates`.
fn near_duplicates(section: &mut ConfigSection<'_, '_>) -> StageSettings {
    let of = section.optional("of", choice(&ComparedText::ALL));
    let threshold = section.optional("threshold", thousandths(0.5..=1.0));
    let words = section.optional("words", whole(1..=32));
    let keep = section.optional("keep", choice(&KeepRule::ALL));
    StageSettings::NearDuplicates {
        of: of.or(ComparedText::default()),
        threshold: threshold.or(800),
        words: words.or(5),
        keep: keep.or(KeepRule::Solved),
    }
}

/// The keys of `decontamination`.
fn decontamination(section: &mut ConfigSection<'_, '_>) -> StageSettings {
    let benchmarks = section.required_list("benchmarks", "[\"human-eval.jsonl\"]", text(some_text));
    let by = section.list("by", 1, choice(&BenchmarkOverlap::ALL));
    let observations = section.optional("observations", truth);
    StageSettings::Decontamination {
        benchmarks: entries(benchmarks, Vec::new),
        by: entries(by, || BenchmarkOverlap::ALL.map(|(_, by)| by).to_vec()),
        observations: observations.or(false),
    }
}

fn aspects() -> [(&'static str, RowAspect); 9] {
    RowAspect::ALL.map(|aspect| (aspect.as_str(), aspect))
}
