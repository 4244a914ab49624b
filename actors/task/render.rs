//! Renders the texts of templates with minijinja. It is strict: an undefined name is an error and
//! never an empty text. Each rendering has limited fuel and a limited result, so that no template can
//! make synthd hang. A text may include other files of its template's folder, and nothing else.

use super::template_error::{ErrorExcerpt, FilePlace, TemplateProblem, UnknownWord};
use super::template_folder::TemplateFolder;
use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior};
use serde_json::Value;
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

/// The names that a text may use, and their values.
pub(super) type RenderContext = BTreeMap<String, Value>;

/// The work that one text may cost, in minijinja's instructions: far more than any template needs,
/// and little enough that synthd cannot hang.
const FUEL: u64 = 20_000_000;
/// The most bytes of a rendered text, 16 MiB.
const MAX_RESULT: usize = 16 << 20;

/// A text to be rendered.
#[derive(Clone, Copy)]
pub(super) struct RenderSource<'a> {
    /// The file in the template's folder; none for a text of the YAML.
    pub(super) file: Option<&'a str>,
    pub(super) text: &'a str,
}

/// An environment that is made when it is first used. It can be none.
type LazyEnvironment = OnceCell<Result<Environment<'static>, String>>;

/// Renders the texts of one template.
pub(super) struct TextRenderer {
    folder: Arc<TemplateFolder>,
    plain: LazyEnvironment,
    telling: LazyEnvironment,
}

impl TextRenderer {
    /// A renderer of texts that may include the files of `folder`.
    pub(super) fn new(folder: Arc<TemplateFolder>) -> Self {
        Self { folder, plain: OnceCell::new(), telling: OnceCell::new() }
    }

    /// Renders one text. A text without any template syntax is returned unchanged.
    pub(super) fn render(
        &self,
        source: RenderSource<'_>,
        context: &RenderContext,
    ) -> Result<String, TemplateProblem> {
        if is_constant(source.text) {
            return Ok(source.text.to_owned());
        }
        let work = |environment: &Environment<'static>| render_in(environment, source, context);
        let done = if self.folder.is_directory() {
            self.with_environment(work)
        } else {
            with_environment(work)
        };
        done.map_err(|failure| failure.explain(source, context, Some(&self.folder)))
    }

    /// Runs `work` with an environment that has the files of the folder. See [`with_environment`].
    fn with_environment<T>(
        &self,
        work: impl Fn(&Environment<'static>) -> Result<T, Error>,
    ) -> Result<T, RenderFailure> {
        let made = |telling: bool| -> Result<Environment<'static>, String> {
            let folder = self.folder.clone();
            let mut environment = environment(telling)?;
            environment.set_loader(move |name| included(&folder, name));
            Ok(environment)
        };
        let plain = attempt(self.plain.get_or_init(|| made(false)), &work);
        plain.or_else(|_| attempt(self.telling.get_or_init(|| made(true)), &work))
    }
}

/// The text of an included file. None if the folder has no such file.
fn included(folder: &TemplateFolder, name: &str) -> Result<Option<String>, Error> {
    if !folder.has(name) {
        return Ok(None);
    }
    let text = folder.rendered_text(name).map_err(|problem| {
        // A problem of a file is no problem of the statement that includes it.
        Error::new(ErrorKind::InvalidOperation, problem.message)
    })?;
    Ok(Some(text.to_owned()))
}

/// Whether a text has no template syntax.
fn is_constant(text: &str) -> bool {
    !text.contains("{{") && !text.contains("{%") && !text.contains("{##")
}

/// Renders a text in an environment.
fn render_in(
    environment: &Environment<'_>,
    source: RenderSource<'_>,
    context: &RenderContext,
) -> Result<String, Error> {
    let name = source.file.unwrap_or("<string>");
    let template = environment.template_from_named_str(name, source.text)?;
    let mut result = BoundedResult::default();
    let done = template.render_captured_to(values(context), &mut result).map(|_| ());
    if result.is_full {
        let what = "the text is larger than 16 MiB when it is rendered";
        return Err(Error::new(ErrorKind::InvalidOperation, what));
    }
    done?;
    String::from_utf8(result.bytes)
        .map_err(|error| Error::new(ErrorKind::InvalidOperation, error.to_string()))
}

/// Takes a rendered text up to [`MAX_RESULT`].
#[derive(Default)]
struct BoundedResult {
    bytes: Vec<u8>,
    /// Whether the text is larger.
    is_full: bool,
}

impl io::Write for BoundedResult {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + part.len() > MAX_RESULT {
            self.is_full = true;
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        self.bytes.extend_from_slice(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Renders a text that belongs to no template, such as the prompt template of a campaign. Err says
/// what is wrong, for people.
pub(crate) fn fill(
    source: &str,
    fields: &serde_json::Map<String, Value>,
) -> Result<String, String> {
    let context = fields.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    let source = RenderSource { file: None, text: source };
    if is_constant(source.text) {
        return Ok(source.text.to_owned());
    }
    with_environment(|environment| render_in(environment, source, &context))
        .map_err(|failure| failure.explain(source, &context, None).message)
}

/// Evaluates an expression, such as `count * 2`, to a JSON value.
pub(super) fn evaluate(
    expression: &str,
    context: &RenderContext,
) -> Result<Value, TemplateProblem> {
    let source = RenderSource { file: None, text: expression };
    let value = with_environment(|environment| {
        environment.compile_expression(expression)?.eval(values(context))
    });
    let value = value.map_err(|failure| failure.explain(source, context, None))?;
    if value.is_undefined() {
        return Err(undefined(expression, 0, source, context));
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
    PLAIN
        .with(|environment| attempt(environment, &work))
        .or_else(|_| TELLING.with(|environment| attempt(environment, &work)))
}

/// Runs `work` in an environment, if there is one.
fn attempt<T>(
    environment: &Result<Environment<'static>, String>,
    work: &impl Fn(&Environment<'static>) -> Result<T, Error>,
) -> Result<T, RenderFailure> {
    match environment {
        Ok(environment) => work(environment).map_err(RenderFailure::Render),
        Err(error) => Err(RenderFailure::NoEnvironment(error.clone())),
    }
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
    /// The problem with its place, for the message. The place is in `source`, or in a file that
    /// `source` includes.
    fn explain(
        self,
        source: RenderSource<'_>,
        context: &RenderContext,
        folder: Option<&TemplateFolder>,
    ) -> TemplateProblem {
        let error = match self {
            Self::NoEnvironment(why) => return TemplateProblem::at("", why),
            Self::Render(error) => error,
        };
        let levels = levels(&error);
        if let Some((at, files)) = circle(&levels) {
            let message = format!("files include each other: {}", files.join(", "));
            return problem_at(at, message, source, folder);
        }
        let innermost = levels.last().copied().unwrap_or(&error);
        let text = text_of(innermost, source, folder);
        let detail = innermost.detail().unwrap_or_default();
        let near = innermost.range().map_or(0, |range| range.start);
        if let Some(name) = undefined_name(detail) {
            return undefined(name, near, text, context);
        }
        if innermost.kind() == ErrorKind::TemplateNotFound {
            return not_included(innermost, source, folder);
        }
        let kind = innermost.kind();
        let message =
            if detail.is_empty() { kind.to_string() } else { format!("{kind}: {detail}") };
        problem_at(innermost, message, source, folder)
    }
}

/// The error and the errors inside it, from the text that is rendered to the place at fault. The
/// statement that includes a file and the included file have an error each.
fn levels(error: &Error) -> Vec<&Error> {
    let mut levels = vec![error];
    while let Some(next) = levels.last().copied().and_then(inner) {
        levels.push(next);
    }
    levels
}

/// The error inside an error.
fn inner(outer: &Error) -> Option<&Error> {
    std::error::Error::source(outer)?.downcast_ref::<Error>()
}

/// If files include each other without an end: the error at the statement that closes the circle, and
/// the files of the circle, the first one again at the end.
fn circle<'e>(levels: &[&'e Error]) -> Option<(&'e Error, Vec<&'e str>)> {
    let last = levels.last()?;
    let deep = last.detail().is_some_and(|detail| detail.contains("recursion limit"));
    if !deep && last.kind() != ErrorKind::OutOfFuel {
        return None;
    }
    let names: Vec<&str> = levels.iter().map(|level| level.name().unwrap_or_default()).collect();
    names.iter().enumerate().skip(1).find_map(|(at, name)| {
        let first = names[..at].iter().position(|earlier| earlier == name)?;
        let outer = levels[at - 1];
        let includes = outer.kind() == ErrorKind::BadInclude && !name.is_empty();
        includes.then(|| (outer, names[first..=at].to_vec()))
    })
}

/// The text in which an error arose.
fn text_of<'a>(
    error: &'a Error,
    source: RenderSource<'a>,
    folder: Option<&'a TemplateFolder>,
) -> RenderSource<'a> {
    let file = error.name().filter(|name| source.file != Some(*name));
    match (file, folder) {
        (Some(file), Some(folder)) if folder.has(file) => {
            RenderSource { file: Some(file), text: folder.shown(file) }
        }
        _ => source,
    }
}

/// A problem at the place of an error.
fn problem_at(
    error: &Error,
    message: String,
    source: RenderSource<'_>,
    folder: Option<&TemplateFolder>,
) -> TemplateProblem {
    let text = text_of(error, source, folder);
    let range = error.range().unwrap_or(0..0);
    let marked = text.text.get(range.clone()).unwrap_or_default();
    let marked = marked.lines().next().unwrap_or_default().trim_end();
    text.problem(message, marked, range.start)
}

/// The problem of a statement that includes a file that is not there.
fn not_included(
    error: &Error,
    source: RenderSource<'_>,
    folder: Option<&TemplateFolder>,
) -> TemplateProblem {
    let detail = error.detail().unwrap_or_default();
    let name = detail.split(['"', '\'']).nth(1).unwrap_or_default();
    let Some(folder) = folder.filter(|folder| folder.is_directory()) else {
        let message = "files can be included only in a template that has a folder: \
                       `<name>/template.yaml` with `schema: synthd/template@2`";
        return problem_at(error, message.to_owned(), source, None);
    };
    let missing = folder.missing(name);
    let place = problem_at(error, missing.message, source, Some(folder));
    TemplateProblem { unknown: missing.unknown, ..place }
}

impl RenderSource<'_> {
    /// A problem of `marked`, which begins at the byte `at`.
    fn problem(self, message: String, marked: &str, at: usize) -> TemplateProblem {
        let problem = TemplateProblem::at("", message);
        match self.file {
            Some(file) => {
                let (file, length) = (file.to_owned(), marked.chars().count());
                TemplateProblem { place: Some(FilePlace { file, at, length }), ..problem }
            }
            None => {
                TemplateProblem { spot: Some(Box::new(spot(marked, at, self.text))), ..problem }
            }
        }
    }
}

/// The name in a message like "`name` is undefined", whatever stands around it.
fn undefined_name(detail: &str) -> Option<&str> {
    let (before, _) = detail.split_once("` is undefined")?;
    before.rsplit_once('`').map(|(_, name)| name)
}

/// The problem of an undefined name. Its place is the occurrence of the name that is nearest to
/// `near`, where minijinja met the error. Canaries are not suggested as known names.
fn undefined(
    name: &str,
    near: usize,
    source: RenderSource<'_>,
    context: &RenderContext,
) -> TemplateProblem {
    let places = source.text.match_indices(name).map(|(at, _)| at);
    let at = places.min_by_key(|at| at.abs_diff(near)).unwrap_or(near);
    let known = context.keys().filter(|key| !key.ends_with("_canary")).cloned().collect();
    TemplateProblem {
        unknown: Some(Box::new(UnknownWord { word: name.to_owned(), known })),
        ..source.problem(format!("`{name}` is undefined"), name, at)
    }
}

/// The place of `text` at the byte `at` of `source`, given as the number of equal texts before it.
fn spot(text: &str, at: usize, source: &str) -> ErrorExcerpt {
    let before = source.get(..at).unwrap_or_default();
    let nth = if text.is_empty() { 0 } else { before.matches(text).count() };
    ErrorExcerpt { text: text.to_owned(), nth }
}
