//! How many tasks a second are drawn from a pack, on one core, beside a template of its own files.

use crate::Figure;
use std::sync::Arc;
use std::time::Instant;
use synthd_actors::task::{Catalog, Template};

/// A template with files of its own.
const PEER: &str = "debugging/off-by-one-pagination";
/// The kinds, by the templates that draw them.
const DRAWN: [(&str, &str); 3] = [
    ("debugging/query-engine-fault", "tasks drawn, one fault"),
    ("debugging/query-engine-faults", "tasks drawn, several faults"),
    ("feature/query-engine-functions", "tasks drawn, missing functions"),
];
/// The number of tasks of one measurement.
const TASKS: u32 = 2_000;

pub fn measure() -> Vec<Figure> {
    let catalog = synthd::templates::load(&[]).unwrap();
    let peer = rate(&template(&catalog, PEER));
    let figure = |(id, what): (&str, &str)| {
        Figure::rate(what, rate(&template(&catalog, id)), peer, "2,000/s")
    };
    DRAWN.into_iter().map(figure).collect()
}

fn template(catalog: &Catalog, id: &str) -> Arc<Template> {
    catalog.get(id).unwrap().clone()
}

/// Tasks a second.
fn rate(template: &Template) -> f64 {
    let started = Instant::now();
    for index in 0..TASKS {
        template.task(7, index).unwrap();
    }
    f64::from(TASKS) / started.elapsed().as_secs_f64()
}
