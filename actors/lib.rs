//! The part of synthd that decides: domain types, pure policies, ports and actors.
//!
//! The dependency has one direction. The `synthd` package depends on this package, never the other
//! way. So the compiler keeps databases, container engines and file formats out of this package.
//!
//! - `model` has the domain types: campaign, episode, task, fault, money, journal entry.
//! - `policy` has pure functions: retries, limits, the ledger, model assignment, estimates.
//! - `pack` has projects with tests, from which tasks are made.
//! - `task` and `agent` are pure as well: how a task is drawn, and what a model is shown.
//! - `curation` has what a recipe makes of finished rows: stages, their notes, and the passes.
//! - `review` has what people say of finished rows: the sample, the decisions, the figures.
//! - `rubric` has what models are asked about finished rows as judges, and what their answers are worth.
//! - `draft` has the state machine of templates that models write.
//! - `variety` compares the tasks of a template, and templates with each other.
//! - `ports` and `agent_access` are the traits that the `synthd` package implements: store,
//!   sandboxes, models, datasets, the clock, and the agent gateway.
//! - `judge` runs the checks of a task apart from what they judge.
//! - `container_judge` has the ports for tasks whose environment is a container image.
//! - `work` has the kinds of work (trajectories, completions) behind one port.
//! - `engine`, `campaign`, `router`, `pool`, `collector` and `quality` are the actors, with
//!   `work::UnitActor` for each attempt.
//! - `supervisor` starts actors and tasks, and restarts actors after a panic.
//! - `testkit` has scripted implementations of the ports, for tests only.

pub mod agent;
pub mod agent_access;
pub mod campaign;
pub mod collector;
pub mod container_judge;
pub mod curation;
pub mod draft;
pub mod engine;
pub mod judge;
pub mod model;
pub mod pack;
pub mod policy;
pub mod pool;
pub mod ports;
pub mod proof;
pub mod quality;
pub mod review;
pub mod router;
pub mod rubric;
pub mod supervisor;
pub mod task;
#[cfg(any(test, feature = "testkit"))]
pub mod testkit;
pub mod variety;
pub mod work;
