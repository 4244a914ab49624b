//! The shapes of tokens: how the tokens of a service begin, and what follows.

use super::randomness::{entropy, is_mixed, is_placeholder};
use crate::curation::TextMatch;
use crate::curation::stages::byte_set::{ByteSet, before, begins_word};

/// The least entropy of what follows, in bits for each character. What people write by hand has less.
const LEAST_ENTROPY: f64 = 3.0;

/// How tokens of a service look.
pub(super) struct TokenShape {
    what: &'static str,
    /// How they begin, in this case.
    pub(super) prefix: &'static str,
    /// The characters of what follows.
    body: ByteSet,
    /// The length of what follows.
    least: usize,
    most: usize,
    /// What is somewhere in it.
    within: &'static str,
}

/// A shape whose body has any content.
const fn shape(
    what: &'static str,
    prefix: &'static str,
    body: ByteSet,
    least: usize,
    most: usize,
) -> TokenShape {
    TokenShape { what, prefix, body, least, most, within: "" }
}

impl TokenShape {
    const fn within(self, within: &'static str) -> Self {
        Self { within, ..self }
    }

    /// The token whose prefix begins at `at`, if it has this shape.
    pub(super) fn find(&self, text: &str, at: usize) -> Option<TextMatch> {
        let bytes = text.as_bytes();
        let begin = at + self.prefix.len();
        let goes_on = self.body.contains(b'-') && before(bytes, at) == Some(b'-');
        if text.get(at..begin)? != self.prefix || !begins_word(bytes, at) || goes_on {
            return None;
        }
        let length = self.body.run(bytes, begin, self.most + 1);
        if !(self.least..=self.most).contains(&length) {
            return None;
        }
        let body = text.get(begin..begin + length)?;
        let body = body.trim_end_matches('.');
        let is_drawn = body.len() >= self.least
            && is_mixed(body.as_bytes())
            && entropy(body.as_bytes()) >= LEAST_ENTROPY
            && body.contains(self.within)
            && !is_placeholder(body);
        // What ends with `=` is the name of the token, and no part of it.
        let start = if self.prefix.ends_with('=') { begin } else { at };
        is_drawn.then(|| TextMatch { at: start..begin + body.len(), what: self.what })
    }
}

const ALNUM: ByteSet = ByteSet::ALNUM;
const WORD: ByteSet = ByteSet::WORD;
const URL_SAFE: ByteSet = ByteSet::URL_SAFE;
const BASE64: ByteSet = ByteSet::BASE64;
const HEX: ByteSet = ByteSet::HEX;
/// Base64 in parts, such as `header.payload.signature`.
const PARTS: ByteSet = URL_SAFE.with(".");
const UPPER: ByteSet = ByteSet::UPPER.with("0123456789");

/// All shapes.
pub(super) const SHAPES: &[TokenShape] = &[
    shape("aws-access-key", "AKIA", UPPER, 16, 16),
    shape("aws-access-key", "ASIA", UPPER, 16, 16),
    shape("aws-access-key", "ABIA", UPPER, 16, 16),
    shape("aws-access-key", "ACCA", UPPER, 16, 16),
    shape("aws-bedrock-key", "ABSK", BASE64, 109, 271),
    shape("github-token", "ghp_", ALNUM, 36, 36),
    shape("github-token", "gho_", ALNUM, 36, 36),
    shape("github-token", "ghu_", ALNUM, 36, 36),
    shape("github-token", "ghs_", ALNUM, 36, 36),
    shape("github-token", "ghr_", ALNUM, 36, 76),
    shape("github-token", "github_pat_", WORD, 82, 82),
    shape("gitlab-token", "glpat-", PARTS, 20, 310),
    shape("gitlab-token", "gldt-", URL_SAFE, 20, 50),
    shape("gitlab-token", "glrt-", PARTS, 20, 310),
    shape("gitlab-token", "glft-", URL_SAFE, 20, 50),
    shape("gitlab-token", "glsoat-", URL_SAFE, 20, 50),
    shape("gitlab-token", "glffct-", URL_SAFE, 20, 50),
    shape("gitlab-token", "glcbt-", URL_SAFE, 20, 50),
    shape("gitlab-token", "glimt-", URL_SAFE, 25, 25),
    shape("gitlab-token", "glptt-", URL_SAFE, 40, 40),
    shape("gitlab-token", "glagent-", URL_SAFE, 50, 1_024),
    shape("gitlab-token", "gloas-", URL_SAFE, 64, 64),
    shape("gitlab-token", "GR1348941", URL_SAFE, 20, 50),
    shape("slack-token", "xoxb-", URL_SAFE, 16, 250),
    shape("slack-token", "xoxp-", URL_SAFE, 16, 250),
    shape("slack-token", "xoxa-", URL_SAFE, 16, 250),
    shape("slack-token", "xoxr-", URL_SAFE, 16, 250),
    shape("slack-token", "xoxs-", URL_SAFE, 16, 250),
    shape("slack-token", "xoxo-", URL_SAFE, 16, 250),
    shape("slack-token", "xoxe-", URL_SAFE, 16, 250),
    shape("slack-token", "xoxe.xox", PARTS, 16, 250),
    shape("slack-token", "xapp-", URL_SAFE, 20, 250),
    shape("slack-webhook", "hooks.slack.com/services/", ALNUM.with("/"), 40, 90).within("/"),
    shape("slack-webhook", "hooks.slack.com/workflows/", ALNUM.with("/"), 40, 90).within("/"),
    shape("stripe-key", "sk_live_", ALNUM, 16, 247),
    shape("stripe-key", "sk_test_", ALNUM, 16, 247),
    shape("stripe-key", "rk_live_", ALNUM, 16, 247),
    shape("stripe-key", "rk_test_", ALNUM, 16, 247),
    shape("stripe-key", "sk_prod_", ALNUM, 16, 247),
    shape("stripe-key", "rk_prod_", ALNUM, 16, 247),
    shape("stripe-key", "whsec_", BASE64, 24, 100),
    shape("openai-key", "sk-", URL_SAFE, 40, 300).within("T3BlbkFJ"),
    shape("openai-key", "sk-proj-", URL_SAFE, 40, 300),
    shape("openai-key", "sk-svcacct-", URL_SAFE, 40, 300),
    shape("openai-key", "sk-admin-", URL_SAFE, 40, 300),
    shape("anthropic-key", "sk-ant-api03-", URL_SAFE, 80, 120),
    shape("anthropic-key", "sk-ant-admin01-", URL_SAFE, 80, 120),
    shape("anthropic-key", "sk-ant-oat01-", URL_SAFE, 80, 120),
    shape("anthropic-key", "sk-ant-ort01-", URL_SAFE, 80, 120),
    shape("google-key", "AIza", URL_SAFE, 35, 35),
    shape("google-token", "ya29.", URL_SAFE, 30, 500),
    shape("google-client-secret", "GOCSPX-", URL_SAFE, 28, 28),
    shape("azure-storage-key", "AccountKey=", BASE64, 86, 88).within("=="),
    shape("huggingface-token", "hf_", ALNUM, 34, 40),
    shape("huggingface-token", "api_org_", ALNUM, 34, 40),
    shape("npm-token", "npm_", ALNUM, 36, 36),
    shape("pypi-token", "pypi-AgEIcHlwaS5vcmc", URL_SAFE, 70, 1_000),
    shape("pypi-token", "pypi-AgENdGVzdC5weXBpLm9yZw", URL_SAFE, 70, 1_000),
    shape("rubygems-token", "rubygems_", HEX, 48, 48),
    shape("crates-token", "cio", ALNUM, 32, 32),
    shape("docker-token", "dckr_pat_", URL_SAFE, 27, 40),
    shape("docker-token", "dckr_oat_", URL_SAFE, 27, 40),
    shape("digitalocean-token", "dop_v1_", HEX, 64, 64),
    shape("digitalocean-token", "doo_v1_", HEX, 64, 64),
    shape("digitalocean-token", "dor_v1_", HEX, 64, 64),
    shape("databricks-token", "dapi", HEX, 32, 32),
    shape("sendgrid-key", "SG.", PARTS, 66, 66).within("."),
    shape("shopify-token", "shpat_", HEX, 32, 32),
    shape("shopify-token", "shpca_", HEX, 32, 32),
    shape("shopify-token", "shppa_", HEX, 32, 32),
    shape("shopify-token", "shpss_", HEX, 32, 32),
    shape("square-token", "sq0atp-", URL_SAFE, 22, 22),
    shape("square-token", "sq0csp-", URL_SAFE, 43, 43),
    shape("linear-key", "lin_api_", ALNUM, 40, 40),
    shape("grafana-token", "glsa_", WORD, 41, 41).within("_"),
    shape("grafana-token", "glc_", BASE64, 32, 400),
    shape("vault-token", "hvs.", URL_SAFE, 24, 300),
    shape("vault-token", "hvb.", URL_SAFE, 100, 400),
    shape("doppler-token", "dp.pt.", ALNUM, 43, 43),
    shape("postman-key", "PMAK-", URL_SAFE, 59, 59).within("-"),
    shape("age-key", "AGE-SECRET-KEY-1", UPPER, 58, 58),
    shape("artifactory-key", "AKCp", ALNUM, 69, 69),
    shape("newrelic-key", "NRAK-", ALNUM, 27, 27),
    shape("atlassian-token", "ATATT3", BASE64, 100, 300),
    shape("groq-key", "gsk_", ALNUM, 52, 52),
    shape("xai-key", "xai-", ALNUM, 80, 80),
    shape("replicate-token", "r8_", ALNUM, 37, 37),
    shape("perplexity-key", "pplx-", ALNUM, 48, 48),
    shape("notion-token", "ntn_", ALNUM, 46, 46),
    shape("pulumi-token", "pul-", HEX, 40, 40),
    shape("prefect-token", "pnu_", ALNUM, 36, 36),
    shape("planetscale-token", "pscale_tkn_", PARTS, 32, 64),
    shape("planetscale-token", "pscale_pw_", PARTS, 32, 64),
    shape("heroku-key", "HRKU-", URL_SAFE, 60, 60),
    shape("supabase-token", "sbp_", HEX, 40, 40),
];
