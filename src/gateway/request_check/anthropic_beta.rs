//! The header `anthropic-beta`, with which a client of the Messages format switches on features,
//! such as `anthropic-beta: interleaved-thinking-2025-05-14,context-1m-2025-08-07`.
//!
//! Some features have a price of their own, and providers of other formats know none of them. A
//! feature whose price is unknown, or that cannot be translated, is refused by its name. A new
//! feature is refused until somebody has added it to one of the lists below.

use crate::gateway::refusal::GatewayRefusal;

/// In lower case, as `routes` writes the names of forwarded headers.
const HEADER: &str = "anthropic-beta";

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
/// Features that only allow more keys in the body. The allow-list and the translation check these
/// keys themselves.
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

/// Names and values of the client's headers that may go on to a provider.
type ForwardedHeaders = [(String, String)];

/// For a model with a price: refuses the first feature whose price is unknown. None means that
/// there is no such feature.
pub(in crate::gateway) fn unpriced(headers: &ForwardedHeaders) -> Option<GatewayRefusal> {
    let dear = said(headers).find(|beta| !is_in(beta, &PLAIN) && !is_in(beta, &OF_KEYS))?;
    let why = format!(
        "the worst case of this call is unknown, because the price of `{HEADER}: {dear:.60}` is \
         unknown. Leave it out, or ask a model without a price"
    );
    Some(GatewayRefusal { param: Some(HEADER.to_owned()), ..GatewayRefusal::invalid_request(why) })
}

/// For a model that is asked in another format: refuses the first feature that would be lost. None
/// means that nothing would be lost.
pub(in crate::gateway) fn untranslatable(headers: &ForwardedHeaders) -> Option<GatewayRefusal> {
    let lost = |beta: &&str| !is_in(beta, &IDLE_ELSEWHERE) && !is_in(beta, &OF_KEYS);
    let lost = said(headers).find(lost)?;
    let why = format!(
        "the model behind this name speaks another format, which has no `{HEADER}: {lost:.60}`; \
         leave it out, or ask a model of this format"
    );
    let refusal = GatewayRefusal::new(400, "unsupported_parameter", why);
    Some(GatewayRefusal { param: Some(HEADER.to_owned()), ..refusal })
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

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(betas: &str) -> Vec<(String, String)> {
        vec![
            ("anthropic-version".to_owned(), "2023-06-01".to_owned()),
            (HEADER.to_owned(), betas.to_owned()),
        ]
    }

    #[test]
    fn what_has_a_price_of_its_own_is_refused_by_name() {
        let plain = "claude-code-20250219,interleaved-thinking-2025-05-14, output-128k-2025-02-19";
        assert_eq!(unpriced(&headers(plain)), None);
        for dear in ["context-1m-2025-08-07", "fast-mode-2026-02-01", "tomorrow", "skills-x"] {
            let told = unpriced(&headers(&format!("{plain},{dear}"))).unwrap();
            assert!(told.message.contains(dear), "{}", told.message);
        }
        assert_eq!(unpriced(&headers("")), None);
    }

    #[test]
    fn what_another_format_has_not_is_refused_by_name() {
        let idle = "claude-code-20250219,fine-grained-tool-streaming-2025-05-14";
        assert_eq!(untranslatable(&headers(idle)), None);
        for lost in ["output-128k-2025-02-19", "context-1m-2025-08-07"] {
            let told = untranslatable(&headers(lost)).unwrap();
            assert!(told.message.contains(lost) && told.code == "unsupported_parameter");
        }
    }
}
