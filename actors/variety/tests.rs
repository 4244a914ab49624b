//! What counts as different, on small templates.

use super::{
    MOST_ALIKE, TemplateFeatures, TemplateNovelty, TemplateSkeleton, TemplateVariety,
    nearest_skeletons,
};
use crate::task::Template;

const PLAIN: &str = "\
schema: synthd/template@1
id: unit/plain
title: A list
category: unit
difficulty: easy
expected_steps: {min: 2, max: 9}
parameters:
  entity: {choice: [orders, tickets, claims, permits]}
  limit: {int: {min: 10, max: 99}}
  code: {token: {length: 6}}
  rows: {list: {count: {min: 3, max: 9}, of: {choice: [red, green, blue]}}}
  path: {derive: \"'data/' ~ entity ~ '.csv'\"}
environment:
  files:
    - {path: '{{ path }}', content: \"{% for row in rows %}{{ loop.index }},{{ row }},{{ limit }}\\n{% endfor %}\"}
    - {path: list.py, content: \"def {{ entity }}(rows):\\n    return [r for r in rows if r < {{ limit }}]\\n\"}
instruction: Count the {{ entity }} of {{ code }} in {{ path }} and write the number to the file count.txt, please.
solution:
  - {run: 'wc -l {{ path }}'}
  - {run: 'echo {{ rows | length }} > count.txt'}
verification:
  checks:
    - {name: counted, run: 'test \"$(cat count.txt)\" = {{ rows | length }}'}
  cheats:
    - {name: empty, steps: [{run: 'touch count.txt'}]}
";

fn template(from: &str, to: &str) -> Template {
    assert!(PLAIN.contains(from));
    Template::parse("unit/plain", &PLAIN.replacen(from, to, 1)).unwrap()
}

#[test]
fn numbers_and_names_are_no_structure() {
    let variety = TemplateVariety::of(&template("A list", "A list"), 40).unwrap();
    assert_eq!((variety.structures, variety.environments, variety.oracles), (1, 1, 1));
    assert_eq!(variety.choices, 4, "the names are chosen, and still no structure");
    assert_eq!((variety.moves.least, variety.moves.most), (2, 2));
    assert_eq!((variety.files.least, variety.files.most), (2, 2));
    assert!(variety.bytes.least < variety.bytes.most, "{:?}", variety.bytes);
    let alike = variety.instructions;
    assert!(0.2 < alike.mean && alike.mean < alike.most && alike.most < 1.0, "{alike:?}");
}

#[test]
fn a_fault_at_another_place_is_another_structure() {
    let place = "  place: {choice: [filter, sign, both]}\n  entity:";
    let wrong = "if r <{{ '=' if place != 'sign' else '' }} {{ limit }}\
                 {{ ' and -r' if place != 'filter' else '' }}]";
    let text = PLAIN.replacen("  entity:", place, 1).replacen("if r < {{ limit }}]", wrong, 1);
    let template = Template::parse("unit/plain", &text).unwrap();
    let variety = TemplateVariety::of(&template, 40).unwrap();
    assert_eq!((variety.structures, variety.environments, variety.oracles), (3, 3, 1));
    assert!(variety.choices > 4, "the places are chosen beside the names");
}

#[test]
fn another_move_of_the_oracle_is_another_structure() {
    let template =
        template("'wc -l {{ path }}'", "'{{ \"wc -l\" if limit > 50 else \"ls\" }} {{ path }}'");
    let variety = TemplateVariety::of(&template, 40).unwrap();
    assert_eq!((variety.structures, variety.environments, variety.oracles), (2, 1, 2));
}

#[test]
fn a_template_that_makes_no_task_has_no_variety() {
    let template = template("wc -l {{ path }}", "wc -l {{ nothing }}");
    assert!(TemplateVariety::of(&template, 2).is_err());
    assert!(TemplateSkeleton::of(&template).is_err());
}

#[test]
fn a_template_in_other_words_has_the_same_skeleton() {
    let one = TemplateSkeleton::of(&template("A list", "A list")).unwrap();
    let renamed = PLAIN.replace("unit/plain", "unit/twin").replace("count.txt", "sum.md");
    let twin = TemplateSkeleton::of(&Template::parse("unit/twin", &renamed).unwrap()).unwrap();
    let other = PLAIN
        .replace("unit/plain", "unit/other")
        .replace("'wc -l {{ path }}'", "'for f in *; do sort \"$f\" | uniq -c; done'")
        .replace("echo {{ rows | length }} > count.txt", "awk -F, \"{ n += $2 } END { print n }\"");
    let other = TemplateSkeleton::of(&Template::parse("unit/other", &other).unwrap()).unwrap();
    assert!((one.likeness(&twin) - 1.0).abs() < 1e-9);
    assert!(one.likeness(&other) < 0.5, "{}", one.likeness(&other));
    let nearest = nearest_skeletons(&[one, other, twin]);
    let names: Vec<&str> = nearest.iter().flatten().map(|one| one.template.as_str()).collect();
    assert_eq!(names[0], "unit/twin");
    assert_eq!(names[2], "unit/plain");
}

#[test]
fn a_template_with_other_words_is_not_new() {
    let features = |template: &Template| TemplateFeatures::of(template).unwrap();
    let old = features(&template("A list", "A list"));
    let twin = PLAIN.replace("unit/plain", "unit/twin").replace("count.txt", "number.txt");
    let twin = features(&Template::parse("unit/twin", &twin).unwrap());
    let found = twin.novelty([&old].into_iter());
    let skeleton = found.skeleton.clone().unwrap();
    assert_eq!(skeleton.template, "unit/plain");
    assert!(skeleton.likeness > MOST_ALIKE, "{skeleton:?}");
    assert!(found.problems()[0].contains("unit/plain"), "{found:?}");
    let alone = twin.novelty([&twin].into_iter());
    assert_eq!(alone, TemplateNovelty::default(), "nobody is compared with itself");
    assert!(alone.problems().is_empty());
}
