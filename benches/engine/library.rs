//! What all templates and packs add to a start of the program, and its size.

use crate::{Figure, median, synthd};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const ROUNDS: usize = 40;

pub fn measure() -> Vec<Figure> {
    let (mut with, mut without, mut loads) = (Vec::new(), Vec::new(), Vec::new());
    let mut count = 0;
    // In turns, so that all of them see the same machine.
    for _ in 0..ROUNDS {
        with.push(run(&["template", "list"]));
        without.push(run(&["--version"]));
        let started = Instant::now();
        count = synthd::templates::load(&[]).unwrap().ids().count();
        loads.push(started.elapsed());
    }
    let (with, without) = (median(&mut with), median(&mut without));
    let added = with.saturating_sub(without);
    let megabytes = std::fs::metadata(synthd()).unwrap().len() as f64 / 1e6;
    let listed = format!("`template list` of {count}, p50");
    vec![
        Figure::time(&listed, with, Some(without), ""),
        Figure::time("added to a start without them", added, None, "< 20 ms"),
        Figure::time("the library read again, p50", median(&mut loads), None, ""),
        Figure::plain("size of the program", format!("{megabytes:.1} MB"), "< 60 MB"),
    ]
}

/// The time of the program with these arguments.
fn run(arguments: &[&str]) -> Duration {
    let started = Instant::now();
    let status = Command::new(synthd()).args(arguments).stdout(Stdio::null()).status().unwrap();
    assert!(status.success(), "{arguments:?}: {status}");
    started.elapsed()
}
