//! The names in a campaign: their grammar, and the providers, dialects and scaffolds that this
//! version knows. A new provider needs an entry in `KNOWN_PROVIDERS`, and a new dialect one in
//! `DIALECTS`.

use crate::config::reading::units::short;
use crate::config::reading::values::{ValueFault, ValueResult, name_of, some_text};
use crate::prices::PriceTable;
use crate::word_suggestion;
use reqwest::Url;
use synthd_actors::agent;

/// A provider that a campaign can name without describing it.
#[derive(Clone, Copy, Debug)]
pub struct KnownProvider {
    /// The part of a model's name before the slash.
    pub name: &'static str,
    /// Its models, if all of them are known. Otherwise any model name is passed on to the provider.
    pub models: Option<&'static [&'static str]>,
    /// Its models cost nothing, so they need no price.
    pub free: bool,
    /// How it is reached. None for scripted and replayed models, which need no network.
    pub speaks: Option<EndpointDefaults>,
}

/// The usual address of a provider and the usual name of its key.
#[derive(Clone, Copy, Debug)]
pub struct EndpointDefaults {
    /// The wire format and its variant, one of [`DIALECTS`].
    pub dialect: &'static str,
    /// None if every customer has an address of their own.
    pub base_url: Option<&'static str>,
    /// The environment variable that holds the key. None if no key is needed.
    pub key_env: Option<&'static str>,
}

/// What a campaign may name. It is a parameter of the reading, so that this module does not depend
/// on the adapters.
#[derive(Clone, Copy, Debug)]
pub struct KnownNames<'a> {
    pub providers: &'a [KnownProvider],
    pub scaffolds: &'a [&'a str],
    /// What models cost if the file does not say it. None means that every price must be in the
    /// file.
    pub prices: Option<&'a PriceTable>,
    /// The text was accepted when its campaign began. No call is paid by it, so what depends on
    /// prices is not checked again: the table may be another one today.
    pub(in crate::config) is_stored: bool,
}

/// The models of the provider `scripted`. Each is named for its behaviour.
pub const SCRIPTED_MODELS: [&str; 24] = [
    "oracle",
    "detour",
    "loop",
    "malformed",
    "refuse",
    "cheat",
    "slow",
    "flaky",
    "give-up",
    "look-first",
    "mistakes",
    "lines-4",
    "lines-16",
    "echo",
    "drafter",
    "drafter-repairs",
    "drafter-stuck",
    "drafter-hostile",
    "judge",
    "judge-first",
    "judge-torn",
    "judge-never",
    "judge-echo",
    "judge-obeys",
];

/// The provider whose models answer from a recorded campaign.
pub(in crate::config) const REPLAY: &str = "replay";

/// All providers that this version knows.
pub const KNOWN_PROVIDERS: [KnownProvider; 15] = [
    KnownProvider { name: "scripted", models: Some(&SCRIPTED_MODELS), free: true, speaks: None },
    KnownProvider { name: REPLAY, models: None, free: true, speaks: None },
    remote("openai", Some("https://api.openai.com/v1"), "OPENAI_API_KEY"),
    remote("anthropic", Some("https://api.anthropic.com/v1"), "ANTHROPIC_API_KEY"),
    remote("gemini", Some("https://generativelanguage.googleapis.com/v1beta"), "GEMINI_API_KEY"),
    remote("azure", None, "AZURE_OPENAI_API_KEY"),
    remote("deepseek", Some("https://api.deepseek.com"), "DEEPSEEK_API_KEY"),
    remote(
        "dashscope",
        Some("https://dashscope-intl.aliyuncs.com/compatible-mode/v1"),
        "DASHSCOPE_API_KEY",
    ),
    remote("groq", Some("https://api.groq.com/openai/v1"), "GROQ_API_KEY"),
    remote("together", Some("https://api.together.xyz/v1"), "TOGETHER_API_KEY"),
    remote("mistral", Some("https://api.mistral.ai/v1"), "MISTRAL_API_KEY"),
    remote("xai", Some("https://api.x.ai/v1"), "XAI_API_KEY"),
    remote("openrouter", Some("https://openrouter.ai/api/v1"), "OPENROUTER_API_KEY"),
    own_host("vllm", "http://127.0.0.1:8000/v1"),
    own_host("ollama", "http://127.0.0.1:11434/v1"),
];

/// A provider on the internet. Its dialect has the provider's name.
const fn remote(
    name: &'static str,
    base_url: Option<&'static str>,
    key_env: &'static str,
) -> KnownProvider {
    let speaks = EndpointDefaults { dialect: name, base_url, key_env: Some(key_env) };
    KnownProvider { name, models: None, free: false, speaks: Some(speaks) }
}

/// A server on the user's own machine. Its tokens cost nothing, and it needs no key.
const fn own_host(name: &'static str, base_url: &'static str) -> KnownProvider {
    let speaks = EndpointDefaults { dialect: name, base_url: Some(base_url), key_env: None };
    KnownProvider { name, models: None, free: true, speaks: Some(speaks) }
}

/// The dialects that a provider of the file can have: one for each known host, and the formats that
/// a known host offers in addition.
pub const DIALECTS: [&str; 15] = [
    "openai",
    "anthropic",
    "azure",
    "deepseek",
    "dashscope",
    "groq",
    "together",
    "mistral",
    "xai",
    "openrouter",
    "vllm",
    "ollama",
    "gemini",
    "responses",
    "ollama-native",
];

/// What this version offers, without prices.
pub const OFFER: KnownNames<'static> = KnownNames {
    providers: &KNOWN_PROVIDERS,
    scaffolds: &agent::NAMES,
    prices: None,
    is_stored: false,
};

/// What a text of the store may name.
pub(in crate::config) const STORED: KnownNames<'static> = KnownNames { is_stored: true, ..OFFER };

/// What this version offers, with the price table of this process.
pub(in crate::config) fn known_names() -> KnownNames<'static> {
    KnownNames { prices: Some(PriceTable::current()), ..OFFER }
}

impl KnownNames<'_> {
    /// Whether the model's provider is known to cost nothing. A file may have moved the provider to
    /// another address; `providers` checks that.
    pub(in crate::config) fn is_free(&self, model: &str) -> bool {
        let provider = model.split_once('/').map_or(model, |(provider, _)| provider);
        self.providers.iter().any(|known| known.name == provider && known.free)
    }
}

/// The most characters of a campaign's name.
const MAX_NAME: usize = 63;

/// Checks the name of a campaign: `[a-z0-9][a-z0-9-]{0,62}`. It becomes the name of a directory and
/// is typed in commands. Providers and agents have the same kind of name.
pub(in crate::config) fn campaign(name: &str) -> ValueResult<()> {
    let hint = "lower-case letters, digits and hyphens, such as \"my-campaign-2\"";
    if name.is_empty() {
        return Err(ValueFault::new("an empty name").hint(hint));
    }
    if name.len() > MAX_NAME {
        return Err(ValueFault::new(format!("longer than {MAX_NAME} characters")).hint(hint));
    }
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    match name.chars().find(|letter| !allowed(*letter)) {
        Some(letter) => Err(ValueFault::new(format!("{letter:?} cannot be in a name")).hint(hint)),
        None if name.starts_with('-') => Err(ValueFault::new("starts with a hyphen").hint(hint)),
        None => Ok(()),
    }
}

/// Checks a glob over template ids. `*` matches any text without `/`, and `**` matches any text. A
/// glob that could never match an id is refused.
pub(in crate::config) fn template_glob(glob: &str) -> ValueResult<()> {
    let hint = "such as \"debugging/*\", \"log-analysis/error-report\" or \"**\" for all";
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_/*".contains(c);
    let never = if glob.is_empty() {
        Some("an empty pattern matches nothing".to_owned())
    } else if let Some(letter) = glob.chars().find(|letter| !allowed(*letter)) {
        Some(format!("a template's id never has {letter:?}"))
    } else if glob.starts_with('/') || glob.ends_with('/') || glob.contains("//") {
        Some("a template's id never has an empty part".to_owned())
    } else if glob.contains("***") {
        Some("`***` is not a wildcard".to_owned())
    } else {
        None
    };
    never.map_or(Ok(()), |what| Err(ValueFault::new(what).hint(hint)))
}

/// Checks a model's name: `<provider>/<model>`. The provider must be known, or be one of the file's
/// own (`own`). A model's name is only checked if all models of the provider are known.
pub(in crate::config) fn model(
    name: &str,
    known_names: &KnownNames<'_>,
    own: &[String],
) -> ValueResult<()> {
    some_text(name)?;
    let Some((provider, model)) = name.split_once('/') else {
        let fault = ValueFault::new(format!("\"{}\" names no provider", short(name)));
        return Err(fault.hint(provider_hint(name, known_names)));
    };
    // Both the known providers and those of the file may be meant, also for the hint.
    let known = known_names.providers.iter().map(|known| known.name);
    let names: Vec<&str> = known.chain(own.iter().map(String::as_str)).collect();
    name_of("provider", &names)(provider)?;
    let known = known_names.providers.iter().find(|known| known.name == provider);
    match known.and_then(|known| known.models) {
        Some(models) => name_of(&format!("{provider} model"), models)(model),
        None if model.is_empty() => Err(ValueFault::new("no model after the provider")),
        None => Ok(()),
    }
}

/// The hint for a name without a provider: the provider that has such a model, or the general form.
fn provider_hint(name: &str, known_names: &KnownNames<'_>) -> String {
    let mut fixed =
        known_names.providers.iter().filter_map(|known| Some((known.name, known.models?)));
    let near = fixed.find_map(|(provider, models)| {
        word_suggestion::closest(name, models.iter().copied())
            .map(|model| format!("{provider}/{model}"))
    });
    match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => "write <provider>/<model>, such as \"scripted/oracle\"".to_owned(),
    }
}

/// Checks the identifier of a licence. It goes into the header of the dataset card, which is YAML,
/// so only a few characters are allowed.
pub(in crate::config) fn licence(name: &str) -> ValueResult<()> {
    some_text(name)?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-.+".contains(c);
    let hint = "an identifier such as \"apache-2.0\", \"cc-by-4.0\" or \"other\"";
    match name.chars().find(|letter| !allowed(*letter)) {
        Some(letter) => {
            Err(ValueFault::new(format!("{letter:?} cannot be in a licence's identifier"))
                .hint(hint))
        }
        None => Ok(()),
    }
}

/// Checks the address of a provider.
pub(in crate::config) fn base_url(text: &str) -> ValueResult<()> {
    let hint = "such as \"http://127.0.0.1:8000/v1\"";
    address(text, hint)
}

/// Checks the address of a proxy, which has no path.
pub(in crate::config) fn proxy(text: &str) -> ValueResult<()> {
    let hint = "such as \"http://proxy.example:3128\"";
    address(text, hint)?;
    let path =
        text.split_once("://").and_then(|(_, rest)| rest.trim_end_matches('/').split_once('/'));
    match path {
        Some(_) => Err(ValueFault::new("a proxy has no path").hint(hint)),
        None => Ok(()),
    }
}

/// Checks an HTTP address without user, query or fragment. No error repeats the text: what is no
/// address may be a key that was pasted into the wrong place.
fn address(text: &str, hint: &str) -> ValueResult<()> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let Some(rest) = rest else {
        return Err(ValueFault::new("it must begin with http:// or https://").hint(hint));
    };
    if rest.split('/').next().is_none_or(str::is_empty) {
        return Err(ValueFault::new("it names no host").hint(hint));
    }
    if rest.contains(['?', '#', ' ']) || rest.split('/').next().is_some_and(|h| h.contains('@')) {
        let fault = ValueFault::new("it must be an address alone, without a key");
        return Err(fault.hint("name the variable that holds the key: key_env = \"...\""));
    }
    if Url::parse(text).is_err() {
        return Err(ValueFault::new("it is not a valid address").hint(hint));
    }
    Ok(())
}

/// Checks the name of an environment variable. The error does not repeat the text, because it may
/// be the key itself.
pub(in crate::config) fn variable(name: &str) -> ValueResult<()> {
    let plain = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    if !name.is_empty()
        && name.chars().all(plain)
        && !name.starts_with(|c: char| c.is_ascii_digit())
    {
        return Ok(());
    }
    // What is written there may be the key itself, and is not repeated.
    let fault = ValueFault::new("it is not the name of an environment variable");
    Err(fault.hint("such as \"MY_PROVIDER_KEY\"; never write the key itself into a file"))
}
