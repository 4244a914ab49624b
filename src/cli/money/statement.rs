//! Reads a provider's statement of costs. It is CSV with a header, or JSON lines:
//!
//! ```text
//! id,cost_usd                      {"id":"req-1","cost_usd":0.0123}
//! req-1,0.0123                     {"id":"req-2","cost_usd":"0.5"}
//! ```
//!
//! Other columns and keys are ignored. Blank lines are skipped.

use crate::error::{Code, Error, Result};
use serde_json::Value;
use std::path::Path;
use synthd_actors::model::Money;

/// Reads a statement: ids and costs in the order of the file. One wrong line refuses the whole
/// file, and the error names the line.
pub(super) fn read(path: &Path) -> Result<Vec<(String, Money)>> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Error::new(Code::Io, format!("{} cannot be read", path.display()))
            .with_source(error)
            .hint("name a text file of CSV with the header `id,cost_usd`, or of JSON lines")
    })?;
    parse(&text).map_err(|(line, why)| {
        Error::new(Code::BadUsage, format!("{}:{line}: {why}", path.display())).hint(
            "the file must be CSV with the header `id,cost_usd`, or JSON lines with these \
                   keys",
        )
    })
}

/// A result whose error has the number of the line, beginning at 1, and the reason.
type StatementResult<T> = std::result::Result<T, (usize, String)>;

/// Reads the text. A first line that begins with `{` means JSON lines. A byte order mark is
/// skipped.
fn parse(text: &str) -> StatementResult<Vec<(String, Money)>> {
    let lines = text.trim_start_matches('\u{feff}').lines().enumerate();
    let mut lines = lines.map(|(n, line)| (n + 1, line.trim())).filter(|(_, l)| !l.is_empty());
    let Some((number, first)) = lines.next() else { return Err((1, "it is empty".to_owned())) };
    if first.starts_with('{') {
        // The first line was taken only to find out the form, so it is put back.
        let all = std::iter::once((number, first)).chain(lines);
        return all.map(|(n, line)| of_json(line).map_err(|why| (n, why))).collect();
    }
    let columns =
        columns(first).ok_or((number, "the header `id,cost_usd` is missing".to_owned()))?;
    lines.map(|(n, line)| of_csv(line, columns).map_err(|why| (n, why))).collect()
}

/// Reads one JSON line. The cost is a number or a string.
fn of_json(line: &str) -> std::result::Result<(String, Money), String> {
    let value: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let id = value.get("id").and_then(Value::as_str).ok_or("the text `id` is missing")?;
    let cost = match value.get("cost_usd") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => return Err("the amount `cost_usd` is missing".to_owned()),
    };
    Ok((id.to_owned(), amount(&cost)?))
}

/// The positions of the id and the cost in a CSV header. None if one of them is missing.
fn columns(header: &str) -> Option<(usize, usize)> {
    let names = cells(header);
    let at = |wanted: &str| names.iter().position(|name| name == wanted);
    Some((at("id")?, at("cost_usd")?))
}

/// Reads one line of CSV.
fn of_csv(line: &str, columns: (usize, usize)) -> std::result::Result<(String, Money), String> {
    let cells = cells(line);
    let cell = |at: usize| cells.get(at).ok_or("too few columns");
    Ok((cell(columns.0)?.clone(), amount(cell(columns.1)?)?))
}

/// Reads an amount in dollars, with or without a dollar sign.
fn amount(text: &str) -> std::result::Result<Money, String> {
    let amount = text.trim().trim_start_matches('$');
    amount.parse().map_err(|error| format!("{text:?} is not an amount: {error}"))
}

/// Splits a line of CSV into cells. A quoted cell may contain commas, and doubled quotes for
/// quotes.
fn cells(line: &str) -> Vec<String> {
    let (mut cells, mut cell, mut quoted) = (Vec::new(), String::new(), false);
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => cell.extend(letters.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(std::mem::take(&mut cell).trim().to_owned()),
            letter => cell.push(letter),
        }
    }
    cells.push(cell.trim().to_owned());
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    fn costs(text: &str) -> StatementResult<Vec<(String, u64)>> {
        let parsed = parse(text)?;
        Ok(parsed.into_iter().map(|(id, cost)| (id, cost.nanos())).collect())
    }

    #[test]
    fn both_forms_are_read() {
        let expected = vec![("a,b".to_owned(), 12_300_000), ("c".to_owned(), 0)];
        let csv = "date, id ,cost_usd\n2026-01-01,\"a,b\",0.0123\n\n2026-01-02,c,$0\n";
        assert_eq!(costs(csv), Ok(expected.clone()));
        let lines = "{\"id\":\"a,b\",\"cost_usd\":0.0123}\n{\"id\":\"c\",\"cost_usd\":\"0\"}\n";
        assert_eq!(costs(lines), Ok(expected));
    }

    #[test]
    fn what_is_neither_is_told_with_its_line() {
        for (text, line) in [
            ("", 1),
            ("id,cost\n", 1),
            ("id,cost_usd\na,1\nb,-1\n", 3),
            ("id,cost_usd\na\n", 2),
            ("{\"id\":\"a\",\"cost_usd\":1}\n{\"id\":1}\n", 2),
            ("{\"id\":\"a\",\"cost_usd\":1e-7}\n", 1),
        ] {
            assert_eq!(costs(text).unwrap_err().0, line, "{text:?}");
        }
    }
}
