//! Cases of the same shapes as those of gitleaks and detect-secrets, with recall and precision. No value is
//! real: they are drawn here.

use super::SecretFinder;
use crate::curation::{TextFinder, TextMatch, TextSource};
use proptest::prelude::*;
use std::ops::Range;

/// Tokens. `{a36}` stands for 36 drawn characters of the set `a`.
const TOKENS: &[&str] = &[
    "AKIA{u16}",
    "ASIA{u16}",
    "ABIA{u16}",
    "ghp_{a36}",
    "gho_{a36}",
    "ghs_{a36}",
    "ghr_{a36}",
    "github_pat_{a82}",
    "glpat-{s20}",
    "gldt-{s20}",
    "glcbt-{a3}_{s20}",
    "glptt-{h40}",
    "glimt-{s25}",
    "glagent-{s50}",
    "gloas-{s64}",
    "glsoat-{s20}",
    "GR1348941{s20}",
    "xoxb-{d11}-{d11}-{a24}",
    "xoxp-{d10}-{d10}-{d12}-{h32}",
    "xapp-1-A{u10}-{d13}-{h64}",
    "hooks.slack.com/services/T{u9}/B{u9}/{a24}",
    "sk_live_{a24}",
    "rk_live_{a24}",
    "sk_test_{a99}",
    "sk-{a20}T3BlbkFJ{a20}",
    "sk-proj-{s74}T3BlbkFJ{s74}",
    "sk-ant-api03-{s93}AA",
    "sk-ant-admin01-{s93}AA",
    "AIza{s35}",
    "GOCSPX-{s28}",
    "ya29.{s70}",
    "npm_{a36}",
    "pypi-AgEIcHlwaS5vcmc{s90}",
    "hf_{l34}",
    "dop_v1_{h64}",
    "dapi{h32}",
    "SG.{s22}.{s43}",
    "shpat_{h32}",
    "lin_api_{a40}",
    "glsa_{a32}_{h8}",
    "hvs.{s95}",
    "PMAK-{h24}-{h34}",
    "pul-{h40}",
    "AGE-SECRET-KEY-1{u58}",
    "{d9}:AA{s33}",
    "{h32}-us12",
    "{a3}8Q~{s34}",
    "dckr_pat_{s27}",
    "eyJhbGciOiJIUzI1NiJ9.eyJ{a40}.{s43}",
    "gsk_{a52}",
    "rubygems_{h48}",
    "sq0csp-{s43}",
];

/// Where tokens stand.
const CONTEXTS: &[&str] = &[
    "{}",
    "token = \"{}\"",
    "{\"value\":\"{}\"}",
    "run --with={} now\n",
    "first\\n{}\\nlast",
    "- {}\n",
];

/// What gitleaks' cases look like, besides tokens. What stands between « and » is to be found.
const GITLEAKS: &[&str] = &[
    "'access_token': '«{b24}=»'",
    "some_api_token_123 = \"«{a60}»\"",
    "\"user_auth\": \"«{b56}=»\"",
    "\"credentials\" : \"«{h64}»\"",
    "creds = «{a30}»",
    "private-key: «{s100}»",
    "passwd = «{s30}»",
    "\"client_secret\" : \"«{h64}»\",",
    "mySecretString=«{a30}»",
    "todo_secret_do_not_commit = «{a30}»",
    " utils.GetEnvOrDefault(\"api_token\", \"«dafa7817-e246-48f3-91a7-e87653d58d7b»\")",
    "curl -u 'ada:«{a12}»' https://api.corp.dev",
    "curl https://api.corp.dev -H \"Authorization: Bearer «{s40}»\"",
    "Authorization: Basic «YWRhOldvbGYzcjk=»",
    "AccountName=store;AccountKey=«{b86}==»;EndpointSuffix=x",
    "postgres://ada:«{a14}»@db.corp.dev:5432/main",
    "export SESSION_KEY='«{b44}»'",
    "AWS_SECRET_ACCESS_KEY=«{b40}»",
];

/// What detect-secrets' cases look like. Some are not found, and count against the recall: values with blanks,
/// and values with brackets that have no quotes.
const DETECT_SECRETS: &[&str] = &[
    "password = \"«a value with blanks»\"",
    "apikey = «w{q}u)i$c{k(f[ox>-_$#jumps8}»",
    "apikey = \"«w{q}u)i$c{k(f[ox>-_$#jumps8}»\"",
    "my_password_super_secure = \"«w{q}u)i$c{k(f[ox8}»\"",
    "api_key: '«w{q}u)i$c{k(f[ox8}»'",
    "aws_secret_access_key := `«w{q}u)i$c{k(f[ox8}»`",
    "if (apikey == \"«w{q}u)i$c{k(f[ox8}»\") {",
    "if (db_pass !== \"«w{q}u)i$c{k(f[ox8}»\") {",
    "if (\"«w{q}u)i$c{k(f[ox8}»\" === private_key) {",
    "if (\"«w{q}u)i$c{k(f[ox8}»\" != my_super_password) {",
    "password = @\"«w{q}u)i$c{k(f[ox8}»\";",
    "char secret[25] = \"«w{q}u)i$c{k(f[ox8}»\";",
    "secret[] = \"«w{q}u)i$c{k(f[ox8}»\";",
    "std::string secret(\"«w{q}u)i$c{k(f[ox8}»\");",
    "password => \"«w{q}u)i$c{k(f[ox8}»\"",
    "password \"«w{q}u)i$c{k(f[ox8}»\";",
    "db_pass: '«B,.:-*@?!»'",
    "https://ada:«Wolf3r9k»@corp.dev",
    "//registry.npmjs.org/:_authToken=«{h8}-cd03-11ec-9d64-{h12}»",
    "//registry.npmjs.org/:_authToken= «{h8}-a672-4668-a892-{h12}»",
    "api_secret = '«{h32}»'",
    "secret_key = '«{b44}»'",
    "xoxb-«{d8}-{h18}»",
    "password: «hunter2x9»",
];

/// What looks like secrets, and is none.
const NONE: &[&str] = &[
    // As in gitleaks' cases.
    "key = AKIAXXXXXXXXXXXXXXXX",
    "aws_access_key: AKIAIOSFODNN7EXAMPLE",
    "TODAYINASIAASACKOFRICEFELLOVER",
    "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "glpat-XXXXXXXXXXX-XXXXXXXX",
    "apiKey: \"AIza{x35}\"",
    "\"accessor\":\"rA1wk0Y45YCufyfq\",",
    "report_access_id: {h8}-2054-49b0-ab1c-{h12}",
    "accessibilityYesOptionId = \"{h8}-88e8-499a-80cc-{h12}\"",
    "API_VERSION=rc0.13.0_20230412_0712-SNAPSHOT",
    "author = \"ada.l0velace@corp.dev\",",
    "credentialsId: '{h8}-7804-4ef1-80e4-{h12}'",
    "keyword: \"Begriff_P2\"",
    "public_key = \"{a43}\"",
    "|| pIdxKey->default_rc==0",
    "primaryKey={a30}",
    "foreignKey={a30}",
    "IceSSL.KeyFile=s_rsa1024_priv.pem",
    "\"bucket_key\": \"SalesResults-1.2\"",
    "schemaKey = 'DOC_Vector_5_32'",
    "const validKeyChars = \"0123456789abcdefghijklmnopqrstuvwxyz_-.\"",
    "key_length = XSalsa20.key_length",
    "BlindKeySignatures = Ed25519.BlindKeySignatures",
    "PuttyPassword=0",
    "LLM_SECRET_NAME = \"NEXUS-GPT4-KEY\"",
    "<UserSecretsId>{h8}-2092-40a2-a04d-{h12}</UserSecretsId>",
    "secret_length = X25519.secret_length",
    "access_token_url='https://corp.dev/login/oauth/access_token',",
    "csrf-token={b86}==",
    "publicToken = \"{a43}\"",
    "notes = \"Maven - io.jsonwebtoken:jjwt-jackson-0.11.2\"",
    "clientId = \"{h8}-1f09-405b-80d0-{h12}\"",
    "GITHUB_API_KEY=\nDYNATRACE_API_KEY=",
    "SRCREV_moby = \"{h40}\"",
    "client_secret=bP88Q~xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    ".ui.visible.right.sidebar~.ui.visible.left.sidebar~.pusher{transform:none}",
    "sk-ant-api03-{s20}",
    // As in detect-secrets' cases.
    "api_key = \"\"",
    "secret: ''",
    "password = \"somefakekey\"",
    "password: ${link}",
    "some_key = \"real_secret\"",
    "private_key \"hopenobodyfindsthis1';",
    "http://localhost:5000/<%= @variable %>",
    "\"https://url:8000\";@something else",
    "https://url:8000 @something else",
    "sk_live_",
    "foo_{a36}",
    "glpat_{s20}",
    "gldt-{s10}",
    "password = ,.:-*?!",
    "//registry.npmjs.org/:_authToken=${NPM_TOKEN}",
    "AKIA{u15}",
    "AKIA{u17}",
    // Of the engine and of agents' work.
    "[synthd-canary-{h32}]",
    "token: synthd-canary-{h32}",
    "secret = \"synthd-sealed-{h32}\"",
    "{h64}  dist/app.tar.gz",
    "commit {h40}\nAuthor: Agent <agent@example.com>",
    "index {h7}..{h7} 100644",
    "integrity sha512-{b86}==",
    "ETag: \"{h32}\"",
    "id = \"{h8}-1f09-405b-80d0-{h12}\"",
    "expected sha256:{h64}, got sha256:{h64}",
    "max_tokens: 4096, stop_token_id: 128009",
    "tokenizer = Tokenizer.from_file(\"tokenizer-v2.json\")",
    "def login(user, password=None): return check_password(user, password)",
    "the secret is out, and the key is lost",
    "for token in tokens[1:]: print(token, key=lambda t: t.start)",
    "password = os.environ[\"DB_PASSWORD\"]",
    "-----BEGIN CERTIFICATE-----\n{b64}\n-----END CERTIFICATE-----",
    "PRIMARY KEY (id), KEY idx_2 (name)",
    "if (event.key === \"ArrowLeft2\") {",
    "Authorization: Bearer <token>",
    "Authorization: Bearer $API_TOKEN_V2",
    "cache_key = f\"user:{uid}:v2\"",
    "password must be at least 12 characters",
    "sorted(items, key=itemgetter(1))",
];

fn set_of(name: char) -> &'static str {
    match name {
        'd' => "0123456789",
        'h' => "0123456789abcdef",
        'u' => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567",
        'l' => "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
        's' => "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-",
        'b' => "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
        'x' => "x",
        _ => "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
    }
}

/// Draws so many characters of a set.
fn drawn(set: &str, length: usize, state: &mut u64) -> String {
    let set = set.as_bytes();
    let mut next = || {
        *state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(set[(*state >> 33) as usize % set.len()])
    };
    (0..length).map(|_| next()).collect()
}

/// The pattern with drawn values in place of `{a36}`.
fn filled(pattern: &str, seed: u64) -> String {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(pattern.len() as u64);
    let (mut text, mut rest) = (String::new(), pattern);
    while let Some(begin) = rest.find('{') {
        text.push_str(&rest[..begin]);
        let inner = &rest[begin + 1..];
        let end = inner.find('}').unwrap_or(0);
        let length = inner.get(1..end).and_then(|digits| digits.parse().ok());
        match (inner.chars().next(), length) {
            (Some(set), Some(length)) => {
                text.push_str(&drawn(set_of(set), length, &mut state));
                rest = &inner[end + 1..];
            }
            _ => {
                text.push('{');
                rest = inner;
            }
        }
    }
    text.push_str(rest);
    text
}

/// A text with the place of its secret.
struct CaseText {
    text: String,
    secret: Option<Range<usize>>,
}

/// A text whose secret stands between « and ».
fn marked(text: &str) -> CaseText {
    let Some((before, rest)) = text.split_once('«') else {
        return CaseText { text: text.to_owned(), secret: None };
    };
    let (secret, after) = rest.split_once('»').unwrap();
    let at = before.len()..before.len() + secret.len();
    CaseText { text: format!("{before}{secret}{after}"), secret: Some(at) }
}

/// All cases like those of a tool, each drawn several times.
fn cases(patterns: &[String]) -> Vec<CaseText> {
    let all = patterns.iter().flat_map(|one| (1..=5).map(move |seed| marked(&filled(one, seed))));
    all.collect()
}

#[derive(Default)]
struct CaseCounts {
    secrets: u32,
    found: u32,
    passages: u32,
    wrong: Vec<String>,
    missed: Vec<String>,
}

impl CaseCounts {
    fn add(&mut self, case: &CaseText, passages: &[TextMatch]) {
        let touches =
            |one: &TextMatch, at: &Range<usize>| one.at.start < at.end && at.start < one.at.end;
        let wraps =
            |one: &TextMatch, at: &Range<usize>| one.at.start <= at.start && at.end <= one.at.end;
        let is_right = |one: &&TextMatch| case.secret.as_ref().is_some_and(|at| touches(one, at));
        self.passages += passages.len() as u32;
        for wrong in passages.iter().filter(|one| !is_right(one)) {
            self.wrong.push(format!("{} in {:?}", wrong.what, case.text));
        }
        if let Some(at) = &case.secret {
            self.secrets += 1;
            match passages.iter().any(|one| wraps(one, at)) {
                true => self.found += 1,
                false => self.missed.push(case.text.clone()),
            }
        }
    }

    fn recall(&self) -> f64 {
        f64::from(self.found) / f64::from(self.secrets)
    }

    fn precision(&self) -> f64 {
        1.0 - self.wrong.len() as f64 / f64::from(self.passages)
    }
}

fn counted(patterns: &[String]) -> CaseCounts {
    let (finder, mut counts) = (SecretFinder::new(&[]), CaseCounts::default());
    let none: Vec<String> = NONE.iter().map(|text| (*text).to_owned()).collect();
    for case in cases(patterns).iter().chain(&cases(&none)) {
        counts.add(case, &finder.find(&case.text, TextSource::Shown));
    }
    counts
}

#[test]
#[expect(clippy::print_stdout, reason = "recall and precision are what the cases are for")]
fn recall_and_precision_are_above_their_floors() {
    let owned = |all: &[&str]| all.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let tokens = TOKENS.iter().flat_map(|token| {
        CONTEXTS.iter().map(move |context| context.replace("{}", &format!("«{token}»")))
    });
    let tokens: Vec<String> = tokens.collect();
    let tools = [
        ("tokens", tokens, 0.98),
        ("gitleaks", owned(GITLEAKS), 0.95),
        ("detect-secrets", owned(DETECT_SECRETS), 0.85),
    ];
    for (name, patterns, floor) in tools {
        let counts = counted(&patterns);
        let (recall, precision) = (counts.recall(), counts.precision());
        println!("{name}: recall {recall:.3} of {}, precision {precision:.3}", counts.secrets);
        assert!(recall >= floor, "{name}: {recall:.3}: {:#?}", counts.missed);
        assert!(precision >= 0.97, "{name}: {precision:.3}: {:#?}", counts.wrong);
    }
}

#[test]
fn what_is_published_and_what_is_allowed_is_left() {
    let finder = SecretFinder::new(&["re:^ghp_0".to_owned(), "Wolf3r9k".to_owned()]);
    let found = |text: &str| finder.find(text, TextSource::Written);
    let token = filled("ghp_1{a35}", 3);
    assert_eq!(found(&token).len(), 1);
    assert!(found(&token.replace("_1", "_0")).is_empty());
    assert!(found("https://ada:Wolf3r9k@corp.dev").is_empty());
    let payload = "eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIn0";
    let published = format!("eyJhbGciOiJIUzI1NiJ9.{payload}.{}", filled("{s43}", 1));
    assert!(found(&published).is_empty());
}

#[test]
fn a_private_key_is_one_passage() {
    let dashes = "-".repeat(5);
    let body = filled("{b64}\n{b64}\n{b40}==", 1);
    let key = format!(
        "{dashes}BEGIN RSA PRIVATE KEY{dashes}\n{body}\n{dashes}END RSA PRIVATE KEY{dashes}"
    );
    let text = format!("{{\"private_key\": \"{}\", \"n\": 1}}", key.replace('\n', "\\n"));
    let found = SecretFinder::new(&[]).find(&text, TextSource::Shown);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(&text[found[0].at.clone()], key.replace('\n', "\\n"));
}

#[test]
fn what_takes_the_place_of_a_secret_is_none() {
    let finder = SecretFinder::new(&[]);
    for pattern in GITLEAKS.iter().chain(DETECT_SECRETS) {
        let case = marked(&filled(pattern, 2));
        let mut text = case.text;
        text.replace_range(case.secret.unwrap(), "[assigned-secret-0a1b2c3d]");
        let found = finder.find(&text, TextSource::Shown);
        assert!(found.is_empty(), "{found:?} in {text}");
    }
}

proptest! {
    /// Passages are in order, overlap nowhere, and can be cut out of any text.
    #[test]
    fn passages_are_in_order_and_at_boundaries_of_characters(
        parts in proptest::collection::vec(
            prop_oneof![
                ".{0,12}",
                "(password|token|api_key|://|eyJ|sk_live_|-----BEGIN |Bearer | -u |8Q~|:AA|-us)",
                "[\"'`=:@ \\\\\n]{1,3}",
                "[a-zA-Z0-9_-]{8,70}",
            ],
            0..20,
        ),
    ) {
        let text = parts.concat();
        let mut end = 0;
        for found in SecretFinder::new(&[]).find(&text, TextSource::Shown) {
            prop_assert!(found.at.start >= end && found.at.end > found.at.start);
            prop_assert!(text.get(found.at.clone()).is_some());
            end = found.at.end;
        }
    }
}
