//! What programs in a sandbox may reach, where a campaign lets them reach anything.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Ports of a host that is allowed without one.
const USUAL: [u16; 2] = [80, 443];

/// A named list of hosts. All else is out of reach.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NetworkPolicy {
    pub name: String,
    pub allow: Vec<AllowedHost>,
}

impl NetworkPolicy {
    /// Of a sandbox's loopback, where the way out begins.
    pub const PORT: u16 = 3128;

    /// Whether somebody inside may connect there. `host` is a name as it was asked for.
    pub fn allows(&self, host: &str, port: u16) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        self.allow.iter().any(|allowed| allowed.fits(&host, port))
    }
}

/// A host's name with or without a port; `*.` in front of it stands for every name below.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AllowedHost {
    /// Lower-case.
    name: String,
    below: bool,
    port: Option<u16>,
}

/// Why a text is no host that can be allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AllowedHostError(&'static str);

impl AllowedHost {
    fn fits(&self, host: &str, port: u16) -> bool {
        let named = match host.strip_suffix(self.name.as_str()) {
            Some(front) if self.below => front.len() > 1 && front.ends_with('.'),
            Some(front) => front.is_empty(),
            None => false,
        };
        named && self.port.map_or(USUAL.contains(&port), |allowed| allowed == port)
    }
}

impl FromStr for AllowedHost {
    type Err = AllowedHostError;

    fn from_str(text: &str) -> Result<Self, AllowedHostError> {
        let (name, port) = match text.rsplit_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (text, None),
        };
        let port = match port.map(str::parse) {
            None => None,
            Some(Ok(port)) if port != 0 => Some(port),
            Some(_) => return Err(AllowedHostError("the text after the colon is not a port")),
        };
        let (below, name) = match name.strip_prefix("*.") {
            Some(rest) => (true, rest),
            None => (false, name),
        };
        check(name)?;
        Ok(Self { name: name.to_ascii_lowercase(), below, port })
    }
}

fn check(name: &str) -> Result<(), AllowedHostError> {
    let label = |label: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        (1..=63).contains(&label.len()) && label.chars().all(plain) && !label.starts_with('-')
    };
    if name.len() > 253 || !name.split('.').all(label) {
        return Err(AllowedHostError("a host name has letters, digits, hyphens and dots only"));
    }
    // Addresses could be any machine's, and written in many ways.
    let last = name.rsplit('.').next().unwrap_or(name);
    if last.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(AllowedHostError("an address is not a host name"));
    }
    Ok(())
}

impl fmt::Display for AllowedHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let below = if self.below { "*." } else { "" };
        write!(f, "{below}{}", self.name)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl TryFrom<String> for AllowedHost {
    type Error = AllowedHostError;

    fn try_from(text: String) -> Result<Self, AllowedHostError> {
        text.parse()
    }
}

impl From<AllowedHost> for String {
    fn from(host: AllowedHost) -> Self {
        host.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn network(allow: &[&str]) -> NetworkPolicy {
        let allow = allow.iter().map(|text| text.parse().unwrap()).collect();
        NetworkPolicy { name: "n".to_owned(), allow }
    }

    #[test]
    fn only_what_is_named_is_allowed() {
        let some = network(&["pypi.org", "*.crates.io", "mirror.example:8080"]);
        for (host, port) in [("pypi.org", 443), ("PyPI.org.", 80), ("static.crates.io", 443)] {
            assert!(some.allows(host, port), "{host}:{port}");
        }
        assert!(some.allows("a.b.crates.io", 443) && some.allows("mirror.example", 8080));
        let refused = [
            ("crates.io", 443),
            ("pypi.org", 22),
            ("notpypi.org", 443),
            ("x.pypi.org", 443),
            ("notcrates.io", 443),
            (".crates.io", 443),
            ("mirror.example", 443),
            ("pypi.org.evil.example", 443),
            ("", 443),
        ];
        for (host, port) in refused {
            assert!(!some.allows(host, port), "{host}:{port}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        let wrong =
            ["", "*", "*.", "a..b", "a b", "http://a", "a/b", "a:x", "a:0", "-a", "a:70000"];
        for text in wrong {
            assert!(text.parse::<AllowedHost>().is_err(), "{text}");
        }
        for text in ["10.0.0.1", "169.254.169.254", "0x7f.1", "2130706433", "[::1]", "1.1:80"] {
            assert!(text.parse::<AllowedHost>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_host_is_written_as_it_is_read(text in "(\\*\\.)?[a-z][a-z0-9]{0,5}(\\.[a-z]{2,5}){0,2}(:[1-9][0-9]{0,3})?") {
            let host: AllowedHost = text.parse().unwrap();
            prop_assert_eq!(host.to_string(), text);
        }
    }
}
