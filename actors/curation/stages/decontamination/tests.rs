//! Items of a real benchmark, planted in several ways, and texts that have none.

use super::*;
use crate::curation::tests::row;
use crate::quality::tests::trajectory;
use proptest::prelude::*;
use serde_json::{Value, json};

/// Twelve items of HumanEval with variants. Its licence stands beside it.
const ITEMS: &str = include_str!("human-eval.jsonl");

fn items() -> Vec<Value> {
    ITEMS.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn text<'a>(item: &'a Value, key: &str) -> &'a str {
    item[key].as_str().unwrap()
}

fn finder_of(benchmark: &str, by: &[BenchmarkOverlap]) -> BenchmarkText {
    let files = [("bench".to_owned(), benchmark.into())].into_iter().collect();
    let inputs = StageInputs { files, ..StageInputs::default() };
    BenchmarkText::new(&["bench".to_owned()], by, false, &inputs)
}

/// What finds the items as the benchmark has them.
fn finder(by: &[BenchmarkOverlap]) -> BenchmarkText {
    let parts = ["task_id", "prompt", "canonical_solution"];
    let line = |item: &Value| {
        let parts = parts.map(|part| (part.to_owned(), item[part].clone()));
        format!("{}\n", Value::Object(parts.into_iter().collect()))
    };
    finder_of(&items().iter().map(line).collect::<String>(), by)
}

fn all() -> Vec<BenchmarkOverlap> {
    BenchmarkOverlap::ALL.map(|(_, by)| by).to_vec()
}

/// How many items are found by name if each is planted in an answer.
fn recall(planted: impl Fn(&Value) -> String) -> usize {
    let (items, finder) = (items(), finder(&all()));
    let is_found = |item: &&Value| {
        let answer = format!("Here it is:\n```python\n{}\n```\nIt works.", planted(item));
        let name = format!("bench {}: ", text(item, "task_id"));
        finder.find(&row(0, &answer)).iter().any(|remark| remark.detail.starts_with(&name))
    };
    items.iter().filter(is_found).count()
}

#[test]
#[allow(clippy::print_stdout, reason = "the recall of each kind is what the test is read for")]
fn planted_items_are_found() {
    let whole = |item: &Value| text(item, "prompt").to_owned() + text(item, "canonical_solution");
    let count = items().len();
    let verbatim = recall(whole);
    let renamed = recall(|item| text(item, "renamed").to_owned());
    let reformatted = recall(|item| text(item, "reformatted").to_uppercase());
    let paraphrased = recall(|item| text(item, "paraphrased").to_owned());
    println!(
        "of {count} items: verbatim {verbatim}, renamed {renamed}, reformatted {reformatted}, \
         paraphrased {paraphrased}"
    );
    assert_eq!((verbatim, reformatted), (count, count));
    // These are the shortest items; of all 164, 153 are found.
    assert!(renamed * 3 >= count * 2, "{renamed} of {count}");
}

#[test]
fn a_remark_names_the_item_the_part_and_the_overlap() {
    let items = items();
    let item = items.iter().find(|item| item["task_id"] == "HumanEval/52").unwrap();
    let remarks = finder(&all()).find(&row(0, text(item, "prompt")));
    assert_eq!(remarks.len(), 1, "{remarks:?}");
    let said = &remarks[0].detail;
    assert!(said.starts_with("bench HumanEval/52: "), "{said}");
    assert!(said.ends_with(" rows of 13 words of its prompt"), "{said}");
    assert_eq!((remarks[0].score, remarks[0].label.as_deref()), (Some(1.0), None));
    let code = finder(&[BenchmarkOverlap::Code]).find(&row(0, text(item, "renamed")));
    assert_eq!(code[0].label.as_deref(), Some("benchmark-like"));
}

#[test]
fn idioms_and_other_texts_are_no_items() {
    let clean = [
        "for i in range(len(xs)):\n    for j in range(i + 1, len(xs)):\n        pass",
        "Return the length of the list, or 0 if it is empty. Use no loop and no library.",
        "if __name__ == '__main__':\n    main()",
        "with open(path) as file:\n    for line in file:\n        print(line.strip())",
        "fn main() {\n    let mut sum = 0;\n    for n in 1..=10 { sum += n; }\n}",
        "The tests pass now. I have changed the order of the two loops, so that the first one ends \
         before the second one begins.",
        "",
    ];
    let finder = finder(&all());
    for text in clean {
        assert_eq!(finder.find(&row(0, text)), [], "{text}");
    }
}

#[test]
fn observations_are_compared_if_the_setting_says_so() {
    let items = items();
    let prompt = text(&items[0], "prompt");
    let benchmark = json!({ "id": "a", "prompt": prompt }).to_string();
    let find = |observations: bool, record: &RowRecord| {
        let mut finder = finder_of(&benchmark, &all());
        finder.observations = observations;
        !finder.find(record).is_empty()
    };
    let of = |change: &dyn Fn(&mut crate::model::TrajectoryRow)| {
        let mut trajectory = trajectory();
        change(&mut trajectory);
        RowRecord { row: trajectory.into(), ..row(0, "") }
    };
    let observed = of(&|row| row.trajectory[0].observation = prompt.to_owned());
    assert!(find(true, &observed) && !find(false, &observed));
    let asked = of(&|row| row.task_instruction = prompt.to_owned());
    assert!(find(false, &asked));
    let arguments = json!({ "command": prompt }).to_string();
    let written = of(&|row| row.trajectory[0].action.arguments.clone_from(&arguments));
    assert!(find(false, &written), "the strings of arguments are compared unescaped");
}

#[test]
fn a_phrase_of_the_whole_file_finds_nothing() {
    let phrase = "You are given a task. Write a function that solves it and print no other text.";
    let items =
        (0..40).map(|at| format!("{}\n", json!({ "id": at, "q": format!("{phrase} {at}") })));
    let finder = finder_of(&items.collect::<String>(), &[BenchmarkOverlap::Words]);
    assert_eq!(finder.find(&row(0, phrase)), []);
    assert_eq!(finder.find(&row(0, &format!("{phrase} 7"))).len(), 1);
}

#[test]
fn a_file_that_is_no_benchmark_is_said() {
    let fault = |text: &str| {
        let files = [("b".to_owned(), text.into())].into_iter().collect();
        fault_of(&["b".to_owned()], &StageInputs { files, ..StageInputs::default() })
    };
    assert_eq!(fault("").unwrap(), "the benchmark b cannot be used: it has no item");
    assert!(fault("one two three\n").unwrap().ends_with("has 8 words, so none can be found"));
    assert_eq!(fault("one two three four five six seven eight\n"), None);
}

proptest! {
    #[test]
    fn thirteen_words_in_a_row_are_always_found(
        item in proptest::collection::vec("[a-z]{5,9}", 13..40),
        before in "\\PC{0,80}",
        begin in 0..27_usize,
    ) {
        let begin = begin.min(item.len() - 13);
        let finder = finder_of(&item.join(" "), &[BenchmarkOverlap::Words]);
        let planted = item[begin..begin + 13].join(",\n\t").to_uppercase();
        let found = finder.find(&row(0, &format!("{before} {planted}. The end.")));
        prop_assert_eq!(found.len(), 1);
        let short = item[begin..begin + 12].join(" ");
        prop_assert_eq!(finder.find(&row(0, &short)), []);
    }
}
