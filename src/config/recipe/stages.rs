//! `[[stages]]` of a recipe: kind, action, and the keys that a kind has besides.

use crate::config::reading::reader::{ConfigReader, RawField};
use crate::config::reading::section::ConfigSection;
use crate::config::reading::values::{ValueFault, choice};
use synthd_actors::curation::stages::{StageName, StageSettings};
use synthd_actors::curation::{CurationAction, RecipeStage};

const ACTIONS: [(&str, CurationAction); 4] = [
    ("reject", CurationAction::Reject),
    ("label", CurationAction::Label),
    ("replace", CurationAction::Replace),
    ("score", CurationAction::Score),
];

/// The words of `kind`.
const KINDS: [(&str, StageWord); 8] = [
    ("format", StageWord::Recorded(StageName::Format)),
    ("leak", StageWord::Recorded(StageName::Leak)),
    ("tampering", StageWord::Recorded(StageName::Tampering)),
    ("loops", StageWord::Recorded(StageName::Loops)),
    ("truncation", StageWord::Recorded(StageName::Truncation)),
    ("unresolved", StageWord::Recorded(StageName::Unresolved)),
    ("refusal", StageWord::Recorded(StageName::Refusal)),
    ("duplicates", StageWord::Duplicates),
];

/// A kind, before its own keys are read.
#[derive(Clone, Copy)]
enum StageWord {
    Recorded(StageName),
    Duplicates,
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
    };
    section.finish();
    let RawField::Given(action, span) = action else { return None };
    if action == CurationAction::Replace && !settings.finds_passages() {
        let fault = ValueFault::new(format!("the stage `{}` finds no passages", settings.kind()));
        reader.value(&span, fault.hint("write \"reject\", \"label\" or \"score\""));
    }
    Some(RecipeStage { action, settings })
}
