//! `anthropic-beta`: what a client asks for beside its request. Some of it has a price, and a
//! provider of another format knows none of it; whatever cannot be had is refused by name.

use super::refusal::GatewayRefusal;

const HEADER: &str = "anthropic-beta";

/// Without their dates: those that change what is said, or how, and not what a token costs.
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
/// And those that only let keys of a request be said, which are looked at by themselves.
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
/// Of the first kind, those that a model of another format does without: they are about how its
/// own family streams, thinks and caches.
const IDLE_ELSEWHERE: [&str; 5] = [
    "claude-code",
    "fine-grained-tool-streaming",
    "interleaved-thinking",
    "prompt-caching",
    "token-efficient-tools",
];

type ForwardedHeaders = [(String, String)];

/// For a model with a price.
pub(super) fn unpriced(headers: &ForwardedHeaders) -> Option<GatewayRefusal> {
    let dear = said(headers).find(|beta| !is_in(beta, &PLAIN) && !is_in(beta, &OF_KEYS))?;
    let why = format!(
        "the worst case of this call is unknown, because the price of `{HEADER}: {dear:.60}` is \
         unknown. Leave it out, or ask a model without a price"
    );
    Some(GatewayRefusal { param: Some(HEADER.to_owned()), ..GatewayRefusal::invalid_request(why) })
}

/// For a model that is asked in another format.
pub(super) fn untranslatable(headers: &ForwardedHeaders) -> Option<GatewayRefusal> {
    let lost = |beta: &&str| !is_in(beta, &IDLE_ELSEWHERE) && !is_in(beta, &OF_KEYS);
    let lost = said(headers).find(lost)?;
    let why = format!(
        "the model behind this name speaks another format, which has no `{HEADER}: {lost:.60}`; \
         leave it out, or ask a model of this format"
    );
    let refusal = GatewayRefusal::new(400, "unsupported_parameter", why);
    Some(GatewayRefusal { param: Some(HEADER.to_owned()), ..refusal })
}

fn said(headers: &ForwardedHeaders) -> impl Iterator<Item = &str> {
    let betas = headers.iter().filter(|(name, _)| name == HEADER);
    betas.flat_map(|(_, value)| value.split(',').map(str::trim)).filter(|beta| !beta.is_empty())
}

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
