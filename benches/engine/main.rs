//! The engine's speed as ratios measured in one run: each figure beside a floor or a peer on
//! the same machine at the same time. `cargo bench` prints the table; nothing is asserted.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    unreachable_pub,
    reason = "a bench that cannot go on stops and says why"
)]

mod bare;
mod commands;
mod completions;
mod containers;
mod cpu_meter;
mod crowd;
mod curation_stages;
mod episodes;
mod floor;
mod gateway;
mod library;
mod load;
mod mining;
mod ordinary;
mod packs;
mod peak_memory;
mod proof;
mod recipes;
mod server;
mod similar_rows;
mod starts;
mod steps;
mod store;
mod verification;
mod written_rows;

use cpu_meter::CpuMeter;
use std::path::PathBuf;
use std::time::Duration;
use synthd::running_engine::run_in_actor_system;

/// One line of the table.
pub struct Figure {
    what: String,
    ours: String,
    floor: String,
    ratio: String,
    goal: &'static str,
}

impl Figure {
    /// Times, where less is better.
    pub fn time(what: &str, ours: Duration, floor: Option<Duration>, goal: &'static str) -> Self {
        // Beside nothing there is no ratio.
        let ratio = floor.filter(|floor| !floor.is_zero());
        let ratio = ratio.map(|floor| ours.as_secs_f64() / floor.as_secs_f64());
        Self {
            what: what.to_owned(),
            ours: show(ours),
            floor: floor.map_or_else(|| "-".to_owned(), show),
            ratio: ratio.map_or_else(|| "-".to_owned(), |r| format!("{r:.2}x")),
            goal,
        }
    }

    /// Rates, where more is better.
    pub fn rate(what: &str, ours: f64, floor: f64, goal: &'static str) -> Self {
        Self {
            what: what.to_owned(),
            ours: format!("{ours:.0}/s"),
            floor: format!("{floor:.0}/s"),
            ratio: format!("{:.2}x", ours / floor),
            goal,
        }
    }

    /// The same where there are few a second.
    pub fn rate_of_few(what: &str, ours: f64, floor: f64, goal: &'static str) -> Self {
        let (ours_shown, floor_shown) = (format!("{ours:.2}/s"), format!("{floor:.2}/s"));
        Self { ours: ours_shown, floor: floor_shown, ..Self::rate(what, ours, floor, goal) }
    }

    pub fn plain(what: &str, ours: String, goal: &'static str) -> Self {
        Self { what: what.to_owned(), ours, floor: "-".into(), ratio: "-".into(), goal }
    }
}

fn show(time: Duration) -> String {
    if time < Duration::from_millis(1) {
        return format!("{} us", time.as_micros());
    }
    if time >= Duration::from_secs(10) {
        return format!("{:.1} s", time.as_secs_f64());
    }
    format!("{:.2} ms", time.as_secs_f64() * 1_000.0)
}

/// The binary the launcher is re-executed from.
pub fn synthd() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_synthd"))
}

pub fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn main() {
    // `cargo test --benches` only wants to know that it links.
    if std::env::args().any(|arg| arg == "--test") {
        return;
    }
    if let Some(provider) = std::env::args().skip_while(|arg| arg != floor::ASKED).nth(1) {
        return floor::run(&provider);
    }
    let mut server = std::env::args().skip_while(|arg| arg != server::ASKED).skip(1);
    if let (Some(thinks), Some(command)) = (server.next(), server.next()) {
        return server::run(&thinks, &command);
    }
    // `cargo bench -- store crowd` measures only those.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|w| w == name);
    let mut figures = Vec::new();
    if is_wanted("commands") {
        figures.extend(run_in_actor_system(commands::measure()).unwrap());
    }
    if is_wanted("starts") {
        figures.extend(run_in_actor_system(starts::measure()).unwrap());
    }
    if is_wanted("steps") {
        figures.extend(run_in_actor_system(steps::measure()).unwrap());
    }
    if is_wanted("store") {
        figures.extend(run_in_actor_system(store::measure()).unwrap());
    }
    if is_wanted("crowd") {
        figures.extend(run_in_actor_system(crowd::measure()).unwrap());
    }
    if is_wanted("completions") {
        figures.extend(run_in_actor_system(completions::measure()).unwrap());
    }
    if is_wanted("containers") {
        figures.extend(run_in_actor_system(containers::measure()).unwrap());
    }
    if is_wanted("packs") {
        figures.extend(packs::measure());
    }
    if is_wanted("packs") || is_wanted("mining") {
        figures.extend(mining::measure());
    }
    if is_wanted("library") {
        figures.extend(library::measure());
    }
    if is_wanted("curation") {
        figures.extend(curation_stages::measure());
    }
    if is_wanted("gateway") {
        figures.extend(run_in_actor_system(gateway::measure()).unwrap());
    }
    let is_counted = is_wanted("verification") || is_wanted("episodes");
    let meter = is_counted.then(CpuMeter::start).flatten();
    if is_wanted("verification") {
        figures.extend(run_in_actor_system(verification::measure(meter.as_ref())).unwrap());
    }
    if is_wanted("episodes") {
        figures.extend(run_in_actor_system(episodes::measure(meter.as_ref())).unwrap());
    }
    // Every launcher has ended with its actor system.
    drop(meter);
    if is_wanted("proof") {
        figures.extend(proof::measure());
    }
    if is_wanted("similar") {
        figures.extend(similar_rows::measure());
    }
    if is_wanted("rows") {
        figures.extend(run_in_actor_system(written_rows::measure()).unwrap());
    }
    if is_wanted("recipes") {
        figures.extend(run_in_actor_system(recipes::measure()).unwrap());
    }
    println!("{:<40} {:>10} {:>10} {:>7}  goal", "", "measured", "beside", "ratio");
    for figure in figures {
        let Figure { what, ours, floor, ratio, goal } = figure;
        println!("{what:<40} {ours:>10} {floor:>10} {ratio:>7}  {goal}");
    }
}
