//! `synthd call show`: shows one model call as text, as JSON, or as the bytes of its request or
//! response. The record has no keys: they were redacted before the call was stored.

use super::{beginning, unknown};
use crate::cli::DataDir;
use crate::cli::terminal::output::{print_bytes, print_json, print_line};
use crate::cli::terminal::terminal_text::{
    TextStyle, TextStyler, elide_middle, escape_controls, escape_line,
};
use crate::error::{Code, Error, Result};
use crate::running_engine::{SystemClock, store_error};
use crate::store::{CallSummary, Store};
use clap::Args;
use serde_json::{Value, json};
use std::process::ExitCode;
use std::time::Duration;
use synthd_actors::model::{CallRecord, HeaderList};
use synthd_actors::ports::Clock;

/// The most lines of a body that are shown without `--full`.
const SHOWN: usize = 40;

#[derive(Args)]
#[command(
    after_help = "The record holds no keys. A key that a provider repeats in its answer is left out.

Examples:
  synthd call show ep-4f1c/1/0/0
  synthd call show 4f1c/1/0/0 --request | jq .messages
  synthd call show 4f1c/1/0/0 --response > stream.txt"
)]
pub(in crate::cli) struct CallShowArgs {
    /// The call's id, or a beginning of it that no other call has; the episode's id may be cut short
    id: String,
    /// Print the body of the request, byte for byte
    #[arg(long, conflicts_with_all = ["response", "json"])]
    request: bool,
    /// Print the body of the answer, byte for byte
    #[arg(long, conflicts_with = "json")]
    response: bool,
    /// Print long texts whole
    #[arg(long)]
    full: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(super) data: DataDir,
}

/// Prints the call. With `--request` or `--response` the body is printed byte for byte and without
/// a newline at its end, so that it can be piped into another program.
pub(super) async fn run(store: &Store, args: &CallShowArgs) -> Result<ExitCode> {
    let line = find(store, &args.id).await?;
    if line.pruned {
        let what = format!("a rule of [retention] has removed the bytes of call {}", line.id);
        return Err(Error::new(Code::RecordPruned, what)
            .hint("`synthd call list` still shows its figures; an older backup has the bytes"));
    }
    let call = store.call(&line.id).await.map_err(store_error)?;
    let call = call.ok_or_else(|| unknown(&args.id))?;
    if args.request {
        print_bytes(&call.exchange.request);
    } else if args.response {
        print_bytes(&call.exchange.response);
    } else if args.json {
        print_json(&document(&line, &call))?;
    } else {
        print_line(&page(&line, &call, TextStyler::for_stdout(), args.full));
    }
    Ok(ExitCode::SUCCESS)
}

/// Finds one call: by its whole id, by a beginning that only one call has, or with the episode's
/// part cut short as `call list` shows it (`ep-4f1c/1/0/0`). The error `CallUnknown` means none or
/// several; for several, it lists up to five of them.
async fn find(store: &Store, wanted: &str) -> Result<CallSummary> {
    let mut found = beginning(store, wanted).await?;
    if let Some((episode, rest)) = wanted.split_once('/').filter(|_| found.is_empty()) {
        found = beginning(store, episode).await?;
        found.retain(|call| call.id.split_once('/').is_some_and(|(_, own)| own == rest));
    }
    // An id may also be the beginning of another one: `.../1` and `.../10`. The exact one is meant.
    if let Some(exact) = found.iter().position(|call| call.id == wanted) {
        return Ok(found.swap_remove(exact));
    }
    match found.len() {
        1 => Ok(found.swap_remove(0)),
        0 => Err(unknown(wanted)),
        count => {
            let some: Vec<&str> = found.iter().take(5).map(|call| call.id.as_str()).collect();
            let what = format!("the ids of {count} calls begin with {wanted:?}");
            Err(Error::new(Code::CallUnknown, what)
                .hint(format!("write a longer beginning of the id: {}", some.join(", "))))
        }
    }
}

/// The call as JSON. A body that is JSON is shown as JSON, any other as text.
fn document(line: &CallSummary, call: &CallRecord) -> Value {
    let exchange = &call.exchange;
    let body = |bytes: &[u8]| {
        serde_json::from_slice(bytes)
            .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(bytes).into_owned()))
    };
    json!({
        "call": line,
        "url": exchange.url,
        "dialect": exchange.dialect,
        "provider": call.provider,
        "why": call.why,
        "usage": call.usage,
        "fault": call.fault,
        "request": { "headers": pairs(&exchange.request_headers), "body": body(&exchange.request) },
        "response": {
            "status": exchange.status,
            "headers": pairs(&exchange.response_headers),
            "body": body(&exchange.response),
        },
    })
}

/// Headers as a list of pairs, because a name may occur several times.
fn pairs(headers: &HeaderList) -> Value {
    headers.iter().map(|(name, value)| json!([name, value])).collect()
}

/// The call as text: what was asked of whom, the times, the cost, then headers and body of the
/// request and of the response. All of it came from outside, so control characters are made
/// visible.
fn page(line: &CallSummary, call: &CallRecord, styler: TextStyler, full: bool) -> String {
    let exchange = &call.exchange;
    let campaign = escape_line(&line.campaign);
    let mut lines =
        vec![format!("{} of campaign {campaign}", styler.styled(TextStyle::Strong, &line.id))];
    let mut field = |name: &str, value: String| {
        lines.push(format!("  {} {value}", styler.styled(TextStyle::Faint, &format!("{name:<9}"))));
    };
    let answered =
        line.answered_by.as_deref().map_or_else(String::new, |by| format!(", answered by {by}"));
    field("model", escape_line(&format!("{}{answered}", line.model)));
    if !call.why.is_empty() {
        field("because", escape_line(&call.why));
    }
    if let Some(provider) = &call.provider {
        field("through", escape_line(provider));
    }
    field("asked", escape_line(&format!("{} ({})", exchange.url, exchange.dialect)));
    let status = exchange.status.map_or_else(|| "no answer".to_owned(), |s| format!("status {s}"));
    // Times count from the moment at which the request was sent.
    let ms = |time: Option<Duration>| time.map_or(0, |time| time.as_millis());
    let times = format!(
        "{} ms to the first byte, {} to the last",
        ms(exchange.first_byte),
        ms(exchange.last_byte)
    );
    field("time", format!("{}: {status}, {times}", SystemClock.stamp(call.at_ms)));
    let usage = call.usage.map_or_else(
        || "tokens not counted".to_owned(),
        |usage| format!("{} tokens in, {} out", usage.input_tokens, usage.output_tokens),
    );
    field("cost", format!("${}, {usage}", call.cost));
    if let Some(fault) = &call.fault {
        field("fault", styler.styled(TextStyle::Bad, &escape_line(&fault.to_string())));
    }
    let mut was_cut = false;
    for (title, headers, body) in [
        ("request", &exchange.request_headers, &exchange.request),
        ("response", &exchange.response_headers, &exchange.response),
    ] {
        lines.push(format!("\n{}", styler.styled(TextStyle::Strong, title)));
        lines.extend(
            headers.iter().map(|(k, v)| format!("  {}", escape_line(&format!("{k}: {v}")))),
        );
        // A body that is too long is cut in the middle; a note at the end of the page then names
        // `--full`.
        let text = readable(body);
        let shown = if full { text.clone() } else { elide_middle(&text, SHOWN) };
        was_cut |= shown.len() < text.len();
        lines.push(String::new());
        lines.extend(shown.lines().map(|line| format!("  {}", escape_controls(line))));
    }
    if was_cut {
        lines.push("\nlong bodies are cut in the middle; --full shows all of them".to_owned());
    }
    lines.join("\n")
}

/// A body as text; JSON is indented.
fn readable(body: &[u8]) -> String {
    let parsed: Option<Value> = serde_json::from_slice(body).ok();
    let pretty = parsed.and_then(|json| serde_json::to_string_pretty(&json).ok());
    pretty.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned())
}
