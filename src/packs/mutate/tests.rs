//! What is found in small sources of each language.

use super::*;
use proptest::prelude::*;

const C: &str = "#include <stdio.h>
#include <stdlib.h>
#define LIMIT 10
static const int table[3] = {1, 2, 3};

/* The value between two bounds. */
static int clamp(int value, int low, int high) {
    int seen[4];
    if (value < low)
        return low;
    if (value > high && high != 0) {
        value = high;
        count(value, low);
    } else {
        value -= 2;
    }
    switch (value) {
    case 5:
        value = 7;
        break;
    default:
        break;
    }
    return !value;
}
";

const JAVASCRIPT: &str = "'use strict';
const LIMIT = 10;
/** The words of a line. */
function words(line, most) {
  const found = [];
  if (!line) return found;
  for (const word of line.split(' ')) {
    if (found.length >= LIMIT) { break; }
    found.push(word, most);
  }
  return found.length === 0 ? null : found;
}
";

const TYPESCRIPT: &str = "// Clamps.
export function clamp(value: number, low: 1 | 2): number {
  if (value < low) { return low; }
  const list: number[] = [];
  list.push(value);
  return value - low;
}
";

const SHELL: &str = "#!/bin/sh
# Adds the numbers.
sum() {
    total=0
    for n in \"$@\"; do
        [ \"$n\" -lt 0 ] && continue
        if [ -z \"$n\" ]; then
            return 2
        fi
        total=$((total + n))
    done
    echo \"$total\" | tr -d ' ' | sort >&2
}
test \"$1\" = add || exit 3
case \"$1\" in
    add) sum \"$@\" ;;
    *) echo no ;;
esac
";

const GO: &str = "package main

// total adds what is not negative.
func (l *Ledger) total(values []int) (int, error) {
\tsum := 0
\tfor i, value := range values {
\t\tif value < 0 {
\t\t\tcontinue
\t\t} else if i == 3 {
\t\t\tsum -= 1
\t\t}
\t\tif i > 9 {
\t\t\treturn 0, errLong
\t\t}
\t\tl.note(i, value)
\t}
\treturn sum, nil
}
";

const RUST: &str = "#[cfg(unix)]
use std::fmt;

impl Ledger {
    /// Adds what is not negative.
    #[inline]
    pub fn total(&mut self, values: &[i64]) -> i64 {
        let mut sum = 0;
        for (i, value) in values.iter().enumerate() {
            if *value < 0 {
                continue;
            }
            self.note(i, value);
        }
        if sum > 9 || true { return -sum; }
        sum % 7
    }
}
";

const ALL: [(PackLanguage, &str, &str); 6] = [
    (PackLanguage::C, "src/a.c", C),
    (PackLanguage::JavaScript, "src/a.js", JAVASCRIPT),
    (PackLanguage::TypeScript, "src/a.ts", TYPESCRIPT),
    (PackLanguage::Shell, "bin/a", SHELL),
    (PackLanguage::Go, "a.go", GO),
    (PackLanguage::Rust, "src/a.rs", RUST),
];

/// The changes of a source in a language.
fn found(language: PackLanguage) -> Vec<CodeChange> {
    let (language, path, text) = ALL.into_iter().find(|source| source.0 == language).unwrap();
    code_changes(language, path, text)
}

/// Whether a change is found: its operator, the text that goes, and the text that comes.
fn has(language: PackLanguage, operator: &str, old: &str, new: &str) -> bool {
    let text = ALL.into_iter().find(|source| source.0 == language).unwrap().2;
    found(language).iter().any(|change| {
        let place = &text[change.at.0..change.at.1];
        (change.operator, place, change.text.as_str()) == (operator, old, new)
    })
}

#[test]
fn expressions_of_all_languages_are_changed() {
    use PackLanguage::{C, Go, JavaScript, Rust, Shell, TypeScript};
    for (language, operator, old, new) in [
        (C, "cmp_boundary", "<", "<="),
        (C, "cmp_negate", "!=", "=="),
        (C, "bool_swap", "&&", "||"),
        (C, "bool_drop_term", "value > high && high != 0", "high != 0"),
        (C, "arith_swap", "-=", "+="),
        (C, "int_off_by_one", "7", "8"),
        (C, "arg_swap", "value, low", "low, value"),
        (C, "return_const", "!value", "0"),
        (C, "not_drop", "!value", "value"),
        (JavaScript, "cmp_negate", "===", "!=="),
        (JavaScript, "branch_swap", "null : found", "found : null"),
        (JavaScript, "int_off_by_one", "10", "9"),
        (TypeScript, "cmp_boundary", "<", "<="),
        (TypeScript, "operand_swap", "value - low", "low - value"),
        (Shell, "cmp_boundary", "-lt", "-le"),
        (Shell, "arith_swap", "+", "-"),
        (Go, "cmp_negate", "==", "!="),
        (Go, "arg_swap", "i, value", "value, i"),
        (Rust, "cmp_boundary", ">", ">="),
        (Rust, "bool_const", "true", "false"),
        (Rust, "neg_drop", "-sum", "sum"),
        (Rust, "arith_swap", "%", "/"),
    ] {
        assert!(has(language, operator, old, new), "{language:?} {operator}: {old} to {new}");
    }
}

#[test]
fn statements_are_forgotten_with_their_lines() {
    use PackLanguage::{C, Go, JavaScript, Rust, Shell, TypeScript};
    for (language, operator, old) in [
        (C, "guard_drop", "    if (value < low)\n        return low;\n"),
        (C, "else_drop", " else {\n        value -= 2;\n    }"),
        (C, "stmt_drop", "        value = high;\n"),
        (C, "case_drop", "    case 5:\n        value = 7;\n        break;\n"),
        (JavaScript, "guard_drop", "  if (!line) return found;\n"),
        (JavaScript, "stmt_drop", "    found.push(word, most);\n"),
        (TypeScript, "guard_drop", "  if (value < low) { return low; }\n"),
        (TypeScript, "stmt_drop", "  list.push(value);\n"),
        (Shell, "guard_drop", "        [ \"$n\" -lt 0 ] && continue\n"),
        (Shell, "guard_drop", "        if [ -z \"$n\" ]; then\n            return 2\n        fi\n"),
        (Shell, "stmt_drop", "    total=0\n"),
        (Shell, "stage_drop", " | tr -d ' '"),
        (Shell, "case_drop", "    add) sum \"$@\" ;;\n"),
        (Go, "guard_drop", "\t\tif i > 9 {\n\t\t\treturn 0, errLong\n\t\t}\n"),
        (Go, "else_drop", " else if i == 3 {\n\t\t\tsum -= 1\n\t\t}"),
        (Go, "stmt_drop", "\t\tl.note(i, value)\n"),
        (
            Rust,
            "guard_drop",
            "            if *value < 0 {\n                continue;\n            }\n",
        ),
        (Rust, "stmt_drop", "            self.note(i, value);\n"),
    ] {
        assert!(has(language, operator, old, ""), "{language:?} {operator}: {old}");
    }
    assert!(has(C, "break_continue", "break;", "continue;"));
    assert!(has(Rust, "break_continue", "continue", "break"));
}

#[test]
fn the_shell_has_changes_of_its_own() {
    for (operator, old, new) in [
        ("test_negate", "-z", "-n"),
        ("test_negate", "=", "!="),
        ("bool_swap", "&&", "||"),
        ("quote_drop", "\"$total\"", "$total"),
        ("break_continue", "continue", "break"),
    ] {
        assert!(has(PackLanguage::Shell, operator, old, new), "{operator}: {old} to {new}");
    }
    // A `test` of the shell knows no `==`, and arithmetic no comparison `=`.
    let text = "f() {\n    [ \"$a\" != b ]\n    echo $((a != b))\n}\n";
    let changes = code_changes(PackLanguage::Shell, "f", text);
    let negated = changes.iter().filter(|change| change.operator == "cmp_negate");
    let new: Vec<&str> = negated.map(|change| change.text.as_str()).collect();
    assert_eq!(new, ["=", "=="]);
}

#[test]
fn a_documented_function_can_lose_its_body() {
    for (language, function, part) in [
        (
            PackLanguage::C,
            "a.clamp",
            "    (void)high;\n    fprintf(stderr, \"not implemented\\n\");\n",
        ),
        (PackLanguage::JavaScript, "a.words", "throw new Error(\"not implemented\");"),
        (PackLanguage::TypeScript, "a.clamp", "throw new Error(\"not implemented\");"),
        (PackLanguage::Shell, "a.sum", "return 70"),
        (PackLanguage::Go, "a.Ledger.total", "panic(\"not implemented\")"),
        (PackLanguage::Rust, "a.Ledger.total", "unimplemented!()"),
    ] {
        let all = found(language);
        let stubs: Vec<&CodeChange> =
            all.iter().filter(|change| change.kind == ChangeKind::Stub).collect();
        let [stub] = stubs.as_slice() else { panic!("{language:?}: {stubs:?}") };
        assert_eq!((stub.function.as_str(), stub.operator), (function, "stub"));
        assert!(stub.text.contains(part), "{}", stub.text);
    }
    let bare = C.replace("/* The value between two bounds. */\n", "");
    let changes = code_changes(PackLanguage::C, "a.c", &bare);
    assert!(changes.iter().all(|change| change.kind == ChangeKind::Fault));
    // Without its headers, C does not know what the stub calls.
    let lone = C.replace("#include <stdlib.h>\n", "");
    let changes = code_changes(PackLanguage::C, "a.c", &lone);
    let stub = changes.iter().find(|change| change.kind == ChangeKind::Stub).unwrap();
    assert!(stub.text.contains("__builtin_trap();"), "{}", stub.text);
}

/// Tables, the lengths of arrays, what the preprocessor defines, types, and where messages go.
#[test]
fn what_is_no_behaviour_is_left_alone() {
    let numbers = |language, old: &str| has(language, "int_off_by_one", old, &plus_one(old));
    for word in ["10", "3", "4"] {
        assert!(!numbers(PackLanguage::C, word), "{word}");
    }
    assert!(!numbers(PackLanguage::TypeScript, "1"), "it is a type");
    let redirected = found(PackLanguage::Shell);
    let place = SHELL.find(">&2").unwrap() + 2;
    assert!(redirected.iter().all(|change| change.at != (place, place + 1)));
}

fn plus_one(word: &str) -> String {
    (word.parse::<u64>().unwrap() + 1).to_string()
}

#[test]
fn what_is_no_source_of_the_language_has_no_changes() {
    assert!(code_changes(PackLanguage::C, "src/a.txt", C).is_empty());
    assert!(code_changes(PackLanguage::Python, "a.py", "x = 1 < 2\n").is_empty());
    assert!(code_changes(PackLanguage::Go, "a.go", "").is_empty());
}

/// Every change of a text: it differs, it is in the text, and it parses as well as the original.
fn check(language: PackLanguage, path: &str, text: &str) {
    let most = mistakes(&parsed(language, text).unwrap());
    let changes = code_changes(language, path, text);
    let mut seen = BTreeSet::new();
    for change in &changes {
        let (start, end) = change.at;
        assert_ne!(&text[start..end], change.text, "{change:?}");
        assert!(seen.insert((change.at, &change.text)), "{change:?} is there twice");
        let changed = format!("{}{}{}", &text[..start], change.text, &text[end..]);
        assert!(mistakes(&parsed(language, &changed).unwrap()) <= most, "{change:?}");
    }
    assert!(changes.is_sorted_by_key(|change| change.at), "{path}");
    assert_eq!(changes, code_changes(language, path, text));
}

#[test]
fn every_change_of_a_sound_source_is_sound() {
    for (language, path, text) in ALL {
        check(language, path, text);
        assert!(code_changes(language, path, text).len() > 5, "{language:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// A source that lost some lines may be no program any more. It is looked at all the same.
    #[test]
    fn every_change_of_a_broken_source_is_no_worse(
        source in 0..ALL.len(),
        kept in prop::collection::vec(prop::bool::weighted(0.9), 40),
    ) {
        let (language, path, text) = ALL[source];
        let lines = text.lines().zip(kept).filter(|(_, is_kept)| *is_kept);
        let text: String = lines.map(|(line, _)| format!("{line}\n")).collect();
        check(language, path, &text);
    }
}
