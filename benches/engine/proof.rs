//! A proof of every shipped template through the real program, without the engine's own cheats and
//! with them for the first seed.

use crate::{Figure, synthd};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Named by who runs the bench, where it is another number.
const SEEDS: &str = "SYNTHD_BENCH_SEEDS";

pub fn measure() -> Vec<Figure> {
    let seeds = std::env::var(SEEDS).unwrap_or_else(|_| "3".to_owned());
    let templates = synthd::templates::load(&[]).unwrap().ids().count();
    let (without, with) = (proven(&seeds, "none"), proven(&seeds, "first"));
    let cheats = with.saturating_sub(without);
    vec![
        Figure::time(&format!("proof of {templates} templates, {seeds} seeds"), without, None, ""),
        Figure::time("the same with the engine's cheats", with, Some(without), ""),
        Figure::time("the cheats alone", cheats, Some(without), ""),
    ]
}

/// The time of one check of all templates. A template that is not proven is told, and counts.
fn proven(seeds: &str, battery: &str) -> Duration {
    let started = Instant::now();
    let mut command = Command::new(synthd());
    command.args(["template", "check", "--seeds", seeds, "--battery", battery]);
    let status = command.stdout(Stdio::null()).status().unwrap();
    if !status.success() {
        println!("NOT PROVEN with the battery {battery}: {status}");
    }
    started.elapsed()
}
