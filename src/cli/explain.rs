//! `synthd explain`: prints the page of an error code, or lists all codes. The pages are part of
//! the program, so the command works without the repository.

use crate::cli::terminal::layout::{TableColumn, lines};
use crate::cli::terminal::output::{print_json, print_line, width};
use crate::error::{Code, Error, Result};
use clap::Args;
use serde_json::{Value, json};
use std::process::ExitCode;

#[derive(Args)]
#[command(after_help = "Without a code, the command lists all codes.

Examples:
  synthd explain
  synthd explain SYN-0103
  synthd explain 103 --json | jq -r .page")]
pub(super) struct ExplainArgs {
    /// The code, as an error shows it
    code: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Prints the page of a code. Without a code it lists all of them.
pub(super) fn run(args: &ExplainArgs) -> Result<ExitCode> {
    match (&args.code, args.json) {
        (Some(name), json) => {
            let code = typed(name).ok_or_else(|| unknown(name))?;
            if json { print_json(&entry(code))? } else { print_line(code.page().trim_end()) }
        }
        (None, true) => print_json(&Code::ALL.iter().map(|code| entry(*code)).collect::<Vec<_>>())?,
        (None, false) => print_line(&list()),
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads a code as people type it: `SYN-0103`, `syn0103`, `0103` and `103` are the same. None if
/// there is no such code.
fn typed(name: &str) -> Option<Code> {
    let name = name.to_ascii_uppercase();
    let digits = name.strip_prefix("SYN-").or_else(|| name.strip_prefix("SYN")).unwrap_or(&name);
    let plain = (1..=4).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    Code::named(&format!("SYN-{digits:0>4}")).filter(|_| plain)
}

/// One code as JSON.
fn entry(code: Code) -> Value {
    json!({ "code": code.as_str(), "title": code.title(), "exit_code": code.exit_code(),
        "page": code.page() })
}

/// The table of all codes with their titles and exit codes.
fn list() -> String {
    let columns = [
        TableColumn::new("code"),
        TableColumn::new("what").at_least(20),
        TableColumn::right("exit").spare(1),
    ];
    let cells = |code: &Code| {
        vec![code.as_str().to_owned(), code.title().to_owned(), code.exit_code().to_string()]
    };
    lines(&columns, &Code::ALL.iter().map(cells).collect::<Vec<_>>(), width())
}

/// The error for a text that is no code.
fn unknown(name: &str) -> Error {
    Error::new(Code::BadUsage, format!("there is no error code {name:?}"))
        .hint("`synthd explain` lists the codes; they look like SYN-0103")
}
