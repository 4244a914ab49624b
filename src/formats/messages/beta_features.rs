//! The features of the header `anthropic-beta`, such as
//! `anthropic-beta: interleaved-thinking-2025-05-14,context-1m-2025-08-07`.
//!
//! Some features have a price of their own, and providers of other formats know none of them. A
//! feature that is in none of the lists below counts as one of both kinds.

/// The header's name in lower case.
pub(crate) const HEADER: &str = "anthropic-beta";

/// Features that change what the model says, or how, and not what a token costs. The names are
/// without their dates.
const PLAIN: [&str; 11] = [
    "claude-code",
    "dev-full-thinking",
    "fine-grained-tool-streaming",
    "interleaved-thinking",
    "model-context-window-exceeded",
    "output-128k",
    "output-300k",
    "prompt-caching",
    "thinking-display-updates",
    "thinking-token-count",
    "token-efficient-tools",
];
/// Features that only allow more keys in the body. The allow-list and the request reader check
/// these keys themselves.
const OF_KEYS: [&str; 11] = [
    "code-execution",
    "computer-use",
    "context-management",
    "extended-cache-ttl",
    "files-api",
    "mcp-client",
    "pdfs",
    "skills",
    "structured-outputs",
    "task-budgets",
    "token-counting",
];
/// The names of `PLAIN` that another format may ignore: they only affect how Anthropic's own
/// models stream, think and cache.
const IDLE_ELSEWHERE: [&str; 5] = [
    "claude-code",
    "fine-grained-tool-streaming",
    "interleaved-thinking",
    "prompt-caching",
    "token-efficient-tools",
];

/// Names in lower case and values of the client's headers that may go on to a provider.
pub(crate) type ForwardedHeaders = [(String, String)];

/// The first feature whose price is unknown.
pub(crate) fn first_unpriced(headers: &ForwardedHeaders) -> Option<&str> {
    said(headers).find(|beta| !is_in(beta, &PLAIN) && !is_in(beta, &OF_KEYS))
}

/// The first feature that another format has not.
pub(crate) fn first_untranslatable(headers: &ForwardedHeaders) -> Option<&str> {
    said(headers).find(|beta| !is_in(beta, &IDLE_ELSEWHERE) && !is_in(beta, &OF_KEYS))
}

/// The features that the client named, each one alone. A header may hold several, separated by
/// commas.
fn said(headers: &ForwardedHeaders) -> impl Iterator<Item = &str> {
    let betas = headers.iter().filter(|(name, _)| name == HEADER);
    betas.flat_map(|(_, value)| value.split(',').map(str::trim)).filter(|beta| !beta.is_empty())
}

/// Whether a list has this feature, whatever its date: `pdfs-2024-09-25` is `pdfs` in the list.
fn is_in(beta: &str, known: &[&str]) -> bool {
    let stem = beta.trim_end_matches(|c: char| c.is_ascii_digit() || c == '-');
    known.contains(&stem)
}
