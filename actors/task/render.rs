//! Renders the texts of templates with minijinja. It is strict: an undefined name is an error and
//! never an empty text. Each rendering has limited fuel, so that no template can make synthd hang.

use super::template_error::{ErrorExcerpt, TemplateProblem, UnknownWord};
use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, Error, UndefinedBehavior};
use serde_json::Value;
use std::collections::BTreeMap;

/// The names that a text may use, and their values.
pub(super) type RenderContext = BTreeMap<String, Value>;

/// The work that one text may cost, in minijinja's instructions: far more than any template needs,
/// and little enough that synthd cannot hang.
const FUEL: u64 = 20_000_000;

/// Renders one text. A text without any template syntax is returned unchanged.
pub(super) fn render(source: &str, context: &RenderContext) -> Result<String, TemplateProblem> {
    if !source.contains("{{") && !source.contains("{%") && !source.contains("{##") {
        return Ok(source.to_owned());
    }
    with_environment(|environment| environment.render_str(source, values(context)))
        .map_err(|failure| failure.explain(source, context))
}

/// Renders a text that belongs to no template, such as the prompt template of a campaign. Err says
/// what is wrong, for people.
pub(crate) fn fill(
    source: &str,
    fields: &serde_json::Map<String, Value>,
) -> Result<String, String> {
    let context = fields.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    render(source, &context).map_err(|problem| problem.message)
}

/// Evaluates an expression, such as `count * 2`, to a JSON value.
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

/// The context as minijinja takes it.
fn values(context: &RenderContext) -> minijinja::Value {
    minijinja::value::Serde(context).into()
}

/// Why there is no result.
enum RenderFailure {
    /// minijinja itself could not be set up.
    NoEnvironment(String),
    /// The text or the expression is wrong.
    Render(Error),
}

/// Runs `work` with an environment of this thread; building one costs more than rendering most
/// texts. Work that fails runs again in a second environment with debug information, in which
/// undefined values remember their names. That is too slow to be used always.
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

/// A minijinja environment. `telling` switches the debug information on.
fn environment(telling: bool) -> Result<Environment<'static>, String> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder()
        // With the usual delimiter, `${#name}` of the shell would begin a comment.
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
    /// The problem with its place in the text, for the message.
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

/// The name in a message like "`name` is undefined", whatever stands around it.
fn undefined_name(detail: &str) -> Option<&str> {
    let (before, _) = detail.split_once("` is undefined")?;
    before.rsplit_once('`').map(|(_, name)| name)
}

/// The problem of an undefined name. Its place is the occurrence of the name that is nearest to
/// `near`, where minijinja met the error. Canaries are not suggested as known names.
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

/// The place of `text` at the byte `at` of `source`, given as the number of equal texts before it.
fn spot(text: &str, at: usize, source: &str) -> ErrorExcerpt {
    let before = source.get(..at).unwrap_or_default();
    let nth = if text.is_empty() { 0 } else { before.matches(text).count() };
    ErrorExcerpt { text: text.to_owned(), nth }
}
