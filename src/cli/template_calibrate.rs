//! `synthd template calibrate`: measures the difficulty of templates from the episodes of finished
//! campaigns, and writes it into the file that the library of templates loads.

use crate::cli::RecordDirs;
use crate::cli::campaign;
use crate::cli::terminal::output::{eprint_line, pluralize, print_json, print_line, table};
use crate::error::{Code, Error, Result};
use crate::running_engine::{SystemClock, run_in_actor_system, store_error};
use crate::store::Store;
use crate::template_calibration::{CalibratedModel, CalibrationFile, TemplateCalibration};
use crate::templates;
use clap::Args;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::process::ExitCode;
use synthd_actors::model::{CampaignName, EpisodeId, EpisodeRecord, Outcome, TemplateEdition};
use synthd_actors::policy::{
    FEWEST_TRIES, MeanInterval, RateInterval, measured_difficulty, usual_turns,
};
use synthd_actors::ports::{Clock, Journal};
use synthd_actors::task::{Catalog, Template};

/// Rows that are in memory at once.
const PAGE: usize = 64;
/// Nano-dollars in a dollar.
const NANOS: f64 = 1e9;

#[derive(Args)]
#[command(
    after_help = "Run a campaign first: its file names the models, the scaffolds, the samples and the budget. Episodes that ended in a fault do not count, nor do those of another edition of a template.

Examples:
  synthd run calibration-campaign.toml
  synthd template calibrate --campaign calibration
  synthd template calibrate --campaign calibration --out my/calibration.toml"
)]
pub(super) struct TemplateCalibrateArgs {
    /// A finished campaign (may be repeated)
    #[arg(long = "campaign", value_name = "NAME", required = true)]
    campaigns: Vec<String>,
    /// Where to write the figures; those of other templates in the file stay
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    dirs: RecordDirs,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// A pair of a model and a scaffold.
type ModelPair = (String, String);

/// The episodes of some campaigns that count, and how many do not.
#[derive(Default)]
struct CalibrationTries {
    /// By template, then by model and scaffold.
    judged: BTreeMap<String, BTreeMap<ModelPair, Vec<EpisodeRecord>>>,
    /// Episodes that are open or ended in a fault.
    faulted: u64,
    /// Episodes of templates that the library has not, or has in another edition.
    other_editions: u64,
}

/// Reads the episodes, measures, writes the file and prints the figures.
pub(super) fn run(args: &TemplateCalibrateArgs) -> Result<ExitCode> {
    let store = Store::open_read_only(&args.dirs.data.data_dir)?;
    let catalog = templates::load(&args.dirs.templates.directories)?;
    let tries = run_in_actor_system(read_tries(&store, &catalog, &args.campaigns))??;
    let date = SystemClock.stamp(SystemClock.now_ms()).chars().take(DATE).collect::<String>();
    let measured = measure(&tries, &catalog, &date, &args.campaigns);
    if measured.is_empty() {
        let what = format!("no template was tried {FEWEST_TRIES} times");
        return Err(Error::new(Code::NothingToRun, what).hint(
            "raise `tasks.per_template` or `tasks.samples` of the campaign and run it again",
        ));
    }
    if let Some(path) = &args.out {
        CalibrationFile::read(path)?.with(measured.clone()).write(path)?;
    }
    tell(&measured, &tries, args)?;
    Ok(ExitCode::SUCCESS)
}

/// The characters of a day in a time stamp.
const DATE: usize = "2026-11-30".len();

/// Reads the episodes of the campaigns.
async fn read_tries(
    store: &Store,
    catalog: &Catalog,
    campaigns: &[String],
) -> Result<CalibrationTries> {
    let mut tries = CalibrationTries::default();
    // A campaign that is named twice counts once.
    for name in campaigns.iter().collect::<BTreeSet<_>>() {
        campaign::find(store, name).await?;
        let name = CampaignName(name.clone());
        let editions = TriedEditions::read(store, &name).await?;
        for episode in store.episodes(&name).await.map_err(store_error)? {
            tries.add(episode, &editions, catalog);
        }
    }
    Ok(tries)
}

/// The editions of templates that the episodes of a campaign were tried with. A campaign whose templates
/// have changed has episodes of several editions, and its record names only the newest one.
struct TriedEditions {
    /// The digest of the template of each judged episode, as its row tells it.
    judged: HashMap<EpisodeId, Option<String>>,
    /// The newest edition of each template.
    newest: Vec<TemplateEdition>,
}

impl TriedEditions {
    /// Reads the rows of a campaign page by page.
    async fn read(store: &Store, campaign: &CampaignName) -> Result<Self> {
        let newest = store.editions(campaign).await.map_err(store_error)?;
        let (mut judged, mut after) = (HashMap::new(), None);
        loop {
            let page = store.rows(campaign, after, PAGE).await.map_err(store_error)?;
            let Some(last) = page.last() else { return Ok(Self { judged, newest }) };
            after = Some(last.ordinal);
            for record in page {
                let row = record.row.as_trajectory();
                judged.insert(record.episode, row.and_then(|row| row.template_digest.clone()));
            }
        }
    }

    /// The digest of the template with which an episode was tried. None if nobody knows it.
    fn of(&self, episode: &EpisodeRecord) -> Option<&str> {
        let plan = &episode.plan;
        match &episode.outcome {
            Some(Outcome::Judged { .. }) => self.judged.get(&plan.id)?.as_deref(),
            _ => {
                let newest = self.newest.iter().find(|edition| edition.template == plan.template);
                newest.map(|edition| edition.digest.as_str())
            }
        }
    }
}

impl CalibrationTries {
    /// Sorts an episode in. What is known of a template holds only for the edition that was tried.
    fn add(&mut self, episode: EpisodeRecord, editions: &TriedEditions, catalog: &Catalog) {
        let plan = &episode.plan;
        let known = catalog.get(&plan.template).map(|template| template.digest());
        if known.is_none() || editions.of(&episode) != known.as_deref() {
            self.other_editions += 1;
        } else if !matches!(episode.outcome, Some(Outcome::Judged { .. })) {
            self.faulted += 1;
        } else {
            let pair = (plan.model.clone(), plan.scaffold.clone());
            let of_template = self.judged.entry(plan.template.clone()).or_default();
            of_template.entry(pair).or_default().push(episode);
        }
    }
}

/// The calibrations of all templates that were tried often enough, sorted by id.
fn measure(
    tries: &CalibrationTries,
    catalog: &Catalog,
    date: &str,
    campaigns: &[String],
) -> Vec<TemplateCalibration> {
    let often = tries
        .judged
        .iter()
        .filter(|(_, models)| models.values().map(Vec::len).sum::<usize>() >= FEWEST_TRIES);
    let one = |(id, models): (&String, &BTreeMap<ModelPair, Vec<EpisodeRecord>>)| {
        let template = catalog.get(id)?;
        measure_one(template, models, date, campaigns)
    };
    often.filter_map(one).collect()
}

/// The calibration of one template.
fn measure_one(
    template: &Template,
    models: &BTreeMap<ModelPair, Vec<EpisodeRecord>>,
    date: &str,
    campaigns: &[String],
) -> Option<TemplateCalibration> {
    let measured: Vec<CalibratedModel> =
        models.iter().filter_map(|(pair, episodes)| measure_model(pair, episodes)).collect();
    let rates: Vec<f64> = measured.iter().map(|model| model.pass_rate.rate).collect();
    let solved = models.values().flatten().filter(|episode| is_solved(episode));
    let turns = usual_turns(solved.map(|episode| episode.steps).collect());
    Some(TemplateCalibration {
        id: template.id.clone(),
        digest: template.digest(),
        date: date.to_owned(),
        difficulty: measured_difficulty(&rates)?,
        expected_steps: turns.map(|(min, max)| [min, max]),
        campaigns: campaigns.to_vec(),
        models: measured,
    })
}

/// How one model with one scaffold did. None without an episode.
fn measure_model(
    (model, scaffold): &ModelPair,
    episodes: &[EpisodeRecord],
) -> Option<CalibratedModel> {
    let mean = |value: fn(&EpisodeRecord) -> f64| {
        MeanInterval::of(&episodes.iter().map(value).collect::<Vec<_>>())
    };
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let tries = count(episodes.len());
    let solved = count(episodes.iter().filter(|episode| is_solved(episode)).count());
    let is_counted = episodes.iter().all(|episode| episode.uncounted_calls == 0);
    let tokens = mean(|episode| episode.usage.total() as f64);
    Some(CalibratedModel {
        model: model.clone(),
        scaffold: scaffold.clone(),
        tries,
        solved,
        pass_rate: RateInterval::of(solved, tries),
        turns: mean(|episode| f64::from(episode.steps))?,
        tokens: tokens.filter(|_| is_counted),
        cost_usd: mean(|episode| episode.cost.nanos() as f64 / NANOS)?,
    })
}

/// Whether an episode solved its task in both verifications.
fn is_solved(episode: &EpisodeRecord) -> bool {
    matches!(&episode.outcome, Some(Outcome::Judged { verdict, .. }) if verdict.passed)
}

/// Prints the figures, and to stderr what was left out.
fn tell(
    measured: &[TemplateCalibration],
    tries: &CalibrationTries,
    args: &TemplateCalibrateArgs,
) -> Result<()> {
    if args.json {
        print_json(&json!({
            "templates": measured, "out": args.out, "faulted": tries.faulted,
            "other_editions": tries.other_editions,
        }))?;
    } else {
        print_line(&figures(measured));
    }
    let left_out = [
        (tries.faulted, "that is open or ended in a fault"),
        (tries.other_editions, "of another edition of a template"),
    ];
    for (count, what) in left_out.into_iter().filter(|(count, _)| *count > 0) {
        eprint_line(&format!("left out: {} {what}", pluralize(count, "episode")));
    }
    Ok(())
}

/// The table of the figures: one row for each template, model and scaffold.
fn figures(measured: &[TemplateCalibration]) -> String {
    let header =
        ["template", "difficulty", "model", "scaffold", "solved", "pass rate", "turns", "cost"];
    let mut rows = table(&header);
    for template in measured {
        for model in &template.models {
            let RateInterval { rate, low, high } = model.pass_rate;
            rows.add_row([
                template.id.clone(),
                template.difficulty.as_str().to_owned(),
                model.model.clone(),
                model.scaffold.clone(),
                format!("{} of {}", model.solved, model.tries),
                format!("{rate:.2} ({low:.2} to {high:.2})"),
                interval(model.turns, 1),
                format!("${}", interval(model.cost_usd, 4)),
            ]);
        }
    }
    rows.to_string()
}

/// A mean with its interval, if it has one.
fn interval(of: MeanInterval, decimals: usize) -> String {
    let MeanInterval { mean, low, high } = of;
    match (low, high) {
        (Some(low), Some(high)) => {
            format!("{mean:.decimals$} ({low:.decimals$} to {high:.decimals$})")
        }
        _ => format!("{mean:.decimals$}"),
    }
}
