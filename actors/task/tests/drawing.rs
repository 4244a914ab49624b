//! The same seed gives the same task; what is drawn is what was asked for.

use super::{instruction, parse, with};
use crate::testkit::catalog;
use proptest::prelude::*;
use std::collections::HashSet;

proptest! {
    #[test]
    fn whole_numbers_are_in_range(seed in any::<u64>(), index in any::<u32>(), a in -99i64..99, span in 0i64..99) {
        let text = with(&format!("{{n: {{int: {{min: {a}, max: {}}}}}}}", a + span), "{{ n }}");
        let drawn: i64 = instruction(&text, seed, index).unwrap().parse().unwrap();
        prop_assert!((a..=a + span).contains(&drawn));
    }

    #[test]
    fn samples_are_different_entries(seed in any::<u64>(), count in 0usize..7) {
        let text = with(&format!("{{s: {{sample: {{from: [a, b, c, d, e, f], count: {count}}}}}}}"), "{{ s|join(' ') }}.");
        let said = instruction(&text, seed, 0).unwrap();
        let drawn: Vec<&str> = said.trim_end_matches('.').split_whitespace().collect();
        prop_assert_eq!(drawn.len(), count);
        prop_assert_eq!(drawn.iter().collect::<HashSet<_>>().len(), count);
        prop_assert!(drawn.iter().all(|d| "abcdef".contains(d)));
    }

    #[test]
    fn lists_tokens_shuffles_and_records(seed in any::<u64>()) {
        let text = with(
            "{l: {list: {count: {min: 2, max: 4}, of: {record: {k: {token: {length: 5}}, up: {derive: 'k|upper'}}}}}, o: {shuffle: [1, 2, 3]}, b: {bool: {}}}",
            "{% for e in l %}{{ e.k }}={{ e.up }},{% endfor %};{{ o|sort|join('') }};{{ b }}",
        );
        let said = instruction(&text, seed, 0).unwrap();
        let parts: Vec<&str> = said.split(';').collect();
        let pairs: Vec<&str> = parts[0].split_terminator(',').collect();
        prop_assert!((2..=4).contains(&pairs.len()));
        for pair in pairs {
            let (key, upper) = pair.split_once('=').unwrap();
            prop_assert!(key.len() == 5 && key.starts_with(|c: char| c.is_ascii_lowercase()));
            prop_assert_eq!(key.to_uppercase(), upper);
        }
        prop_assert_eq!(parts[1], "123");
        prop_assert!(["True", "False"].contains(&parts[2]));
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes(seed in any::<u64>(), index in any::<u32>()) {
        let catalog = catalog();
        for template in catalog.iter() {
            prop_assert_eq!(template.task(seed, index).unwrap(), template.task(seed, index).unwrap());
        }
    }

    #[test]
    fn seeds_and_indices_differ(seed in any::<u64>(), index in 0u32..1_000) {
        let template = catalog().get("unit/letter").unwrap().clone();
        let task = template.task(seed, index).unwrap();
        for other in [template.task(seed, index + 1), template.task(seed.wrapping_add(1), index)] {
            let other = other.unwrap();
            prop_assert!(task.id != other.id && task.canary != other.canary);
            prop_assert_ne!(&task.verification.canary, &other.verification.canary);
        }
        prop_assert!(i64::try_from(task.seed).is_ok(), "it fits the column");
    }
}

#[test]
fn the_order_of_parameters_matters() {
    let (a, b) = ("a: {token: {length: 9}}", "b: {token: {length: 9}}");
    let one = instruction(&with(&format!("{{{a}, {b}}}"), "{{ a }}"), 1, 0).unwrap();
    let two = instruction(&with(&format!("{{{b}, {a}}}"), "{{ a }}"), 1, 0).unwrap();
    let second = instruction(&with(&format!("{{{b}, {a}}}"), "{{ b }}"), 1, 0).unwrap();
    assert_ne!(one, two);
    assert_eq!(one, second, "the first drawn is the first, whatever its name");
}

/// Rendering must never change silently: these are the bytes of version 1.
#[test]
fn golden() {
    let catalog = catalog();
    let digests: Vec<(String, String)> = catalog
        .iter()
        .map(|template| {
            let task = template.task(42, 3).unwrap();
            (task.id.to_string(), task.cluster[..16].to_owned())
        })
        .collect();
    let digests: Vec<(&str, &str)> =
        digests.iter().map(|(id, cluster)| (id.as_str(), cluster.as_str())).collect();
    assert_eq!(digests, GOLDEN);
}

const GOLDEN: [(&str, &str); 2] = [
    ("unit/coin@612bc305e0b0", "9cf01c0630203fcc"),
    ("unit/letter@6d8dd3460aa8", "ad59545c1708b4a4"),
];

#[test]
fn clusters_join_equal_content_only() {
    let template = catalog().get("unit/coin").unwrap().clone();
    let tasks: Vec<_> = (0..20).map(|index| template.task(5, index).unwrap()).collect();
    for (a, b) in tasks.iter().zip(&tasks[1..]) {
        let face = |t: &crate::model::Task| t.instruction.contains("heads");
        assert_eq!(a.cluster == b.cluster, face(a) == face(b));
        assert_ne!(a.digest, b.digest, "canaries tell them apart");
    }
}

#[test]
fn the_sealed_canary_stands_in_the_programs_that_run() {
    let task = parse(&with("{}", "x")).unwrap().task(1, 0).unwrap();
    let sealed = &task.verification;
    assert_eq!(sealed.files[0].content, format!("exit 1\n# {}\n", sealed.canary));
    let public = serde_json::to_string(&(&task.files, &task.instruction, &task.solution)).unwrap();
    assert!(!public.contains(&sealed.canary) && public.contains(&task.canary));
}
