//! Rendering with minijinja: strict about undefined names, bounded in work.

use super::template_error::{ErrorExcerpt, TemplateProblem, UnknownWord};
use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, Error, UndefinedBehavior};
use serde_json::Value;
use std::collections::BTreeMap;

/// Names and their values.
pub(super) type RenderContext = BTreeMap<String, Value>;

/// Work one string may cost; far above any template's need, far below a hang.
const FUEL: u64 = 20_000_000;

/// Renders one string.
pub(super) fn render(source: &str, context: &RenderContext) -> Result<String, TemplateProblem> {
    if !source.contains("{{") && !source.contains("{%") && !source.contains("{##") {
        return Ok(source.to_owned());
    }
    with_environment(|environment| environment.render_str(source, values(context)))
        .map_err(|failure| failure.explain(source, context))
}

/// Evaluates an expression to a value.
pub(super) fn evaluate(
    expression: &str,
    context: &RenderContext,
) -> Result<Value, TemplateProblem> {
    let value = with_environment(|environment| {
        environment.compile_expression(expression)?.eval(values(context))
    });
    let value = value.map_err(|failure| failure.explain(expression, context))?;
    if value.is_undefined() {
        return Err(undefined(expression, 0, expression, context));
    }
    serde_json::to_value(&value).map_err(|error| TemplateProblem::at("", error.to_string()))
}

fn values(context: &RenderContext) -> minijinja::Value {
    minijinja::value::Serde(context).into()
}

/// Why there is no result.
enum RenderFailure {
    NoEnvironment(String),
    Render(Error),
}

/// Building an environment costs more than rendering most strings. What fails is done again
/// where undefined values remember their names, which costs too much to be done always.
fn with_environment<T>(
    work: impl Fn(&Environment<'static>) -> Result<T, Error>,
) -> Result<T, RenderFailure> {
    thread_local! {
        static PLAIN: Result<Environment<'static>, String> = environment(false);
        static TELLING: Result<Environment<'static>, String> = environment(true);
    }
    let run = |environment: &Result<Environment<'static>, String>| match environment {
        Ok(environment) => work(environment).map_err(RenderFailure::Render),
        Err(error) => Err(RenderFailure::NoEnvironment(error.clone())),
    };
    PLAIN.with(run).or_else(|_| TELLING.with(run))
}

fn environment(telling: bool) -> Result<Environment<'static>, String> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder()
        // The shell's ${#name} must not open a comment.
        .comment_delimiters("{##", "##}")
        .trim_blocks(true)
        .lstrip_blocks(true)
        .keep_trailing_newline(true)
        .build()
        .map_err(|error| error.to_string())?;
    environment.set_syntax(syntax);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_fuel(Some(FUEL));
    environment.set_debug(telling);
    Ok(environment)
}

impl RenderFailure {
    fn explain(self, source: &str, context: &RenderContext) -> TemplateProblem {
        let error = match self {
            Self::NoEnvironment(why) => return TemplateProblem::at("", why),
            Self::Render(error) => error,
        };
        let range = error.range().unwrap_or(0..0);
        let detail = error.detail().unwrap_or_default();
        if let Some(name) = undefined_name(detail) {
            return undefined(name, range.start, source, context);
        }
        let kind = error.kind();
        let message =
            if detail.is_empty() { kind.to_string() } else { format!("{kind}: {detail}") };
        let text = source.get(range.clone()).unwrap_or_default();
        let text = text.lines().next().unwrap_or_default().trim_end();
        let spot = Some(spot(text, range.start, source));
        TemplateProblem { spot, ..TemplateProblem::at("", message) }
    }
}

/// The name in "`name` is undefined", however that is wrapped.
fn undefined_name(detail: &str) -> Option<&str> {
    let (before, _) = detail.split_once("` is undefined")?;
    before.rsplit_once('`').map(|(_, name)| name)
}

/// A name that stands for nothing, at its place nearest to where the error was met.
fn undefined(name: &str, near: usize, source: &str, context: &RenderContext) -> TemplateProblem {
    let places = source.match_indices(name).map(|(at, _)| at);
    let at = places.min_by_key(|at| at.abs_diff(near)).unwrap_or(near);
    let known = context.keys().filter(|key| !key.ends_with("_canary")).cloned().collect();
    TemplateProblem {
        unknown: Some(Box::new(UnknownWord { word: name.to_owned(), known })),
        spot: Some(spot(name, at, source)),
        ..TemplateProblem::at("", format!("`{name}` is undefined"))
    }
}

/// How often a text stands in a string before a place.
fn spot(text: &str, at: usize, source: &str) -> ErrorExcerpt {
    let before = source.get(..at).unwrap_or_default();
    let nth = if text.is_empty() { 0 } else { before.matches(text).count() };
    ErrorExcerpt { text: text.to_owned(), nth }
}
