//! Refusals for the header `anthropic-beta`, with which a client of the Messages format switches on
//! features. A feature whose price is unknown, or that cannot be translated, is refused by its name.
//! `formats/messages/beta_features.rs` has the lists.

use crate::formats::messages::beta_features::{
    ForwardedHeaders, HEADER, first_unpriced, first_untranslatable,
};
use crate::gateway::refusal::GatewayRefusal;

/// For a model with a price: refuses the first feature whose price is unknown. None means that
/// there is no such feature.
pub(in crate::gateway) fn unpriced(headers: &ForwardedHeaders) -> Option<GatewayRefusal> {
    let dear = first_unpriced(headers)?;
    let why = format!(
        "the worst case of this call is unknown, because the price of `{HEADER}: {dear:.60}` is \
         unknown. Leave it out, or ask a model without a price"
    );
    Some(GatewayRefusal { param: Some(HEADER.to_owned()), ..GatewayRefusal::invalid_request(why) })
}

/// For a model that is asked in another format: refuses the first feature that would be lost. None
/// means that nothing would be lost.
pub(in crate::gateway) fn untranslatable(headers: &ForwardedHeaders) -> Option<GatewayRefusal> {
    let lost = first_untranslatable(headers)?;
    let why = format!(
        "the model behind this name speaks another format, which has no `{HEADER}: {lost:.60}`; \
         leave it out, or ask a model of this format"
    );
    let refusal = GatewayRefusal::new(400, "unsupported_parameter", why);
    Some(GatewayRefusal { param: Some(HEADER.to_owned()), ..refusal })
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
