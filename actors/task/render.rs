//! Rendering with minijinja: strict about undefined names, bounded in work.

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde_json::Value;
use std::collections::BTreeMap;

/// Names and their values.
pub(super) type Context = BTreeMap<String, Value>;

/// Work one string may cost; far above any template's need, far below a hang.
const FUEL: u64 = 20_000_000;

/// Renders one string.
pub(super) fn render(source: &str, context: &Context) -> Result<String, String> {
    if !source.contains("{{") && !source.contains("{%") && !source.contains("{##") {
        return Ok(source.to_owned());
    }
    with_environment(|environment| environment.render_str(source, values(context)))
}

/// Evaluates an expression to a value.
pub(super) fn evaluate(expression: &str, context: &Context) -> Result<Value, String> {
    let value = with_environment(|environment| {
        environment.compile_expression(expression)?.eval(values(context))
    })?;
    if value.is_undefined() {
        return Err(format!("{expression:?} is undefined"));
    }
    serde_json::to_value(&value).map_err(|error| error.to_string())
}

fn values(context: &Context) -> minijinja::Value {
    minijinja::value::Serde(context).into()
}

/// Building an environment costs more than rendering most strings.
fn with_environment<T>(
    work: impl FnOnce(&Environment<'static>) -> Result<T, minijinja::Error>,
) -> Result<T, String> {
    thread_local! {
        static ENVIRONMENT: Result<Environment<'static>, String> = environment();
    }
    ENVIRONMENT.with(|environment| match environment {
        Ok(environment) => work(environment).map_err(explain),
        Err(error) => Err(error.clone()),
    })
}

fn environment() -> Result<Environment<'static>, String> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder()
        // The shell's ${#name} must not open a comment.
        .comment_delimiters("{##", "##}")
        .trim_blocks(true)
        .lstrip_blocks(true)
        .keep_trailing_newline(true)
        .build()
        .map_err(explain)?;
    environment.set_syntax(syntax);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_fuel(Some(FUEL));
    Ok(environment)
}

fn explain(error: minijinja::Error) -> String {
    use std::error::Error;
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(&format!(": {inner}"));
        cause = inner.source();
    }
    match error.line() {
        Some(line) => format!("{text} (line {line} of this string)"),
        None => text,
    }
}
