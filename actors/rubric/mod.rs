//! Rubrics: what judges are asked about rows, and what their answers are worth. A judge is a model with a
//! rubric. Everything here is pure; the application asks the models and keeps their answers.
//!
//! ```text
//!  row ─► view (quoted) ─► request ─► reply ─► answer ─► panel of judges ─► score
//!                            ▲           └ mistake: asked again, then a fault, never a score
//!                            └ tokens that no row can know
//! ```
//! - `rubric_form`: what a rubric says.
//! - `hostile_text`: how text is quoted, so that it cannot steer a judge by its form.
//! - `rubric_view`: what a judge sees of a row.
//! - `rubric_request` and `rubric_answer`: what a judge is asked, and how its answer is read.
//! - `rubric_ask`: one question until its outcome.
//! - `rubric_pairs`: which rows are compared.
//! - `judge_panel`: several judges and samples become one score.
//! - `judge_tally` and `agreement_figures`: counts, cost and agreement.
//!
//! The judges of this folder are models. Those of `judge` are containers that run a task's checks, and
//! their verdict stands: no model overrules it.

mod agreement_figures;
mod hostile_text;
mod judge_panel;
mod judge_tally;
mod rubric_answer;
mod rubric_ask;
mod rubric_form;
mod rubric_pairs;
mod rubric_request;
mod rubric_view;
#[cfg(test)]
mod tests;

pub use judge_panel::{JudgePanel, PanelAnswer, PanelAnswers, PanelRule, PanelScore, PanelVerdict};
pub use judge_tally::{JudgeTally, RubricInputs, row_verdicts};
pub use rubric_answer::{RubricAnswer, RubricMistake};
pub use rubric_ask::{MOST_ASKS, RubricAsk, RubricOutcome};
pub use rubric_form::{Rubric, RubricCriterion, RubricForm, RubricScale, ShownPart};
pub use rubric_pairs::{PairPlan, RowPair};
pub use rubric_request::{RubricToken, rubric_request};
pub use rubric_view::RubricView;
