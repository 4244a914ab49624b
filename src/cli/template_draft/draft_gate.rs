//! The gate of a draft: the same proof as `synthd template check`, the structures over 40 seeds, and how
//! new the draft is beside the library and the drafts before it.

use crate::cli::TemplateDirs;
use crate::cli::template_check::{BatterySeeds, problems_of, prove_seeds};
use crate::cli::template_variety::mistakes_under;
use crate::error::{Code, Error, Result};
use crate::packs::PackLibrary;
use crate::running_engine::fault_error;
use crate::templates;
use std::sync::Arc;
use synthd_actors::draft::WrittenDraft;
use synthd_actors::model::{Fault, FaultOwner, ScriptedMove};
use synthd_actors::proof::TemplateProver;
use synthd_actors::task::{Catalog, Template, TemplateError};
use synthd_actors::variety::{TemplateFeatures, TemplateNovelty, TemplateVariety, VARIETY_SEEDS};
use tokio::task::spawn_blocking;

/// The seed whose task the critic and the solver see.
const SHOWN_SEED: u64 = 1;
/// The most known words that a mistake lists.
const MOST_KNOWN: usize = 10;

/// What proves drafts.
pub(super) struct DraftGate {
    pub(super) prover: TemplateProver,
    /// The seeds 1 to this one are tried.
    pub(super) seeds: u64,
    /// The fewest structurally different tasks of 40 seeds.
    pub(super) structures: usize,
    /// The library.
    pub(super) catalog: Arc<Catalog>,
    /// Its features, and those of the drafts that were offered before. None until they are needed.
    pub(super) known: Option<Arc<Vec<TemplateFeatures>>>,
    pub(super) packs: PackLibrary,
}

/// What the gate found out of one version of a draft.
#[derive(Clone, Default)]
pub(super) struct GateReport {
    /// What keeps it from being offered, for the builder.
    pub(super) problems: Vec<String>,
    /// The instruction of one of its tasks.
    pub(super) instruction: String,
    /// How many seeds were proven; zero if none could be tried.
    pub(super) seeds: u64,
    pub(super) variety: Option<TemplateVariety>,
    pub(super) novelty: Option<TemplateNovelty>,
}

/// What is known of a version without a sandbox.
struct DraftLook {
    variety: TemplateVariety,
    novelty: TemplateNovelty,
    instruction: String,
}

impl DraftGate {
    /// What drafts are compared with. Templates that make no task have no features.
    async fn known(&mut self) -> Result<&mut Arc<Vec<TemplateFeatures>>> {
        let known = match self.known.take() {
            Some(known) => known,
            None => {
                let catalog = self.catalog.clone();
                let features = move || {
                    let features = catalog.iter().map(|template| TemplateFeatures::of(template));
                    features.filter_map(std::result::Result::ok).collect::<Vec<_>>()
                };
                Arc::new(spawn_blocking(features).await.map_err(panicked)?)
            }
        };
        Ok(self.known.insert(known))
    }

    /// Tries everything that a draft must keep. Err is a fault of the host, never a finding.
    pub(super) async fn examine(&mut self, draft: &WrittenDraft) -> Result<GateReport> {
        let template = match self.read(draft) {
            Ok(template) => template,
            Err(problems) => return Ok(GateReport { problems, ..GateReport::default() }),
        };
        let look = match self.look_at(&template).await? {
            Ok(look) => look,
            Err(problems) => return Ok(GateReport { problems, ..GateReport::default() }),
        };
        let mut problems = self.prove(&template).await?;
        let structures = look.variety.structures;
        if structures < self.structures {
            let fewest = self.structures;
            problems.push(format!(
                "{VARIETY_SEEDS} seeds give only {structures} structurally different tasks; at least \
                 {fewest} are wanted"
            ));
        }
        problems.extend(look.novelty.problems());
        let DraftLook { variety, novelty, instruction } = look;
        let (variety, novelty) = (Some(variety), Some(novelty));
        Ok(GateReport { problems, instruction, seeds: self.seeds, variety, novelty })
    }

    /// Whether a solver's commands solve the shown task of a draft. None if they cannot be tried.
    pub(super) async fn try_moves(
        &self,
        draft: &WrittenDraft,
        moves: &[ScriptedMove],
    ) -> Result<Option<bool>> {
        let Ok(template) = self.read(draft) else { return Ok(None) };
        match Box::pin(self.prover.solves(&template, SHOWN_SEED, moves)).await {
            Ok(solved) => Ok(solved),
            // The commands made it themselves, for example by filling the workspace.
            Err(fault) if fault.kind.policy().owner == FaultOwner::Agent => Ok(Some(false)),
            Err(fault) => Err(fault_error(&fault)),
        }
    }

    /// Counts an offered draft among what later drafts are compared with.
    pub(super) async fn remember(&mut self, draft: &WrittenDraft) -> Result<()> {
        let Ok(template) = self.read(draft) else { return Ok(()) };
        let features = spawn_blocking(move || TemplateFeatures::of(&template)).await;
        let features = features.map_err(panicked)?;
        // Nobody else holds the list between two versions of drafts.
        if let (Ok(features), Some(known)) = (features, Arc::get_mut(self.known().await?)) {
            known.push(features);
        }
        Ok(())
    }

    /// The template of a draft, or its mistakes with their places.
    fn read(&self, draft: &WrittenDraft) -> Result<Arc<Template>, Vec<String>> {
        let folder = Arc::new(draft.files.folder());
        match Template::read_with_packs(&draft.idea.id, folder, &self.packs) {
            Ok(template) => Ok(Arc::new(template)),
            Err(mistakes) => Err(mistakes.iter().map(placed).collect()),
        }
    }

    /// Renders the tasks of 40 seeds, and compares. The inner Err has the mistakes under a seed that
    /// makes no task.
    async fn look_at(
        &mut self,
        template: &Arc<Template>,
    ) -> Result<Result<DraftLook, Vec<String>>> {
        let (template, known) = (template.clone(), self.known().await?.clone());
        let work = move || {
            look(&template, &known).map_err(|_| {
                let mistakes = mistakes_under(&template, VARIETY_SEEDS);
                vec![templates::render_errors(&template, &mistakes, &[])]
            })
        };
        spawn_blocking(work).await.map_err(panicked)
    }

    /// Proves the seeds. A fault that the draft itself made is a problem of it.
    async fn prove(&self, template: &Arc<Template>) -> Result<Vec<String>> {
        let proved = prove_seeds(&self.prover, template, self.seeds, BatterySeeds::First);
        match Box::pin(proved).await? {
            Ok(proofs) => Ok(problems_of(template, &proofs, &TemplateDirs::default())),
            Err(fault) if is_own(&fault) => Ok(vec![fault.message]),
            Err(fault) => Err(fault_error(&fault)),
        }
    }
}

/// Whether what a draft contains made this fault.
fn is_own(fault: &Fault) -> bool {
    matches!(fault.kind.policy().owner, FaultOwner::Template | FaultOwner::Agent)
}

/// The variety and the novelty of a template, and the instruction of one of its tasks.
fn look(template: &Template, known: &[TemplateFeatures]) -> Result<DraftLook, TemplateError> {
    let variety = TemplateVariety::of(template, VARIETY_SEEDS)?;
    let novelty = TemplateFeatures::of(template)?.novelty(known.iter());
    let task = template.task(SHOWN_SEED, 0)?;
    let stages = task.stages.iter().map(|stage| stage.instruction.as_str());
    let instruction = match task.stages.is_empty() {
        true => task.instruction.clone(),
        false => stages.collect::<Vec<_>>().join("\n\n"),
    };
    Ok(DraftLook { variety, novelty, instruction })
}

/// A mistake of a template with its place: `template.yaml:3:1: unknown key`.
fn placed(mistake: &TemplateError) -> String {
    let place = mistake.location.map_or(String::new(), |(line, at)| format!(":{line}:{at}"));
    let known = mistake.unknown.as_ref().map_or(String::new(), |unknown| {
        let known: Vec<&str> = unknown.known.iter().take(MOST_KNOWN).map(String::as_str).collect();
        format!(" (known: {})", known.join(", "))
    });
    format!("{}{place}: {}{known}", mistake.file, mistake.message)
}

/// The error for work that panicked.
fn panicked(error: tokio::task::JoinError) -> Error {
    Error::new(Code::Unexpected, "the examination of a draft panicked").with_source(error)
}
