//! The network policy of a sandbox: the hosts that programs in the sandbox may reach. Without a
//! policy there is no network at all. The egress proxy (`src/sandbox/egress/`) asks
//! [`NetworkPolicy::allows`] for each connection. Besides, the proxy passes only calls to the agent
//! gateway.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The ports (HTTP and HTTPS) of an allowed host for which the campaign names no port.
const USUAL: [u16; 2] = [80, 443];

/// A named allow-list of hosts. All other hosts are out of reach.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NetworkPolicy {
    /// The name in the campaign file, for messages.
    pub name: String,
    pub allow: Vec<AllowedHost>,
}

impl NetworkPolicy {
    /// The loopback port inside the sandbox on which the egress proxy answers.
    pub const PORT: u16 = 3128;

    /// Whether a program in the sandbox may connect to this host and port. `host` is the name as
    /// the program asked for it; case and a final dot do not matter. The name is not resolved here.
    pub fn allows(&self, host: &str, port: u16) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        self.allow.iter().any(|allowed| allowed.fits(&host, port))
    }
}

/// One entry of the allow-list: a host name with or without a port. Examples: `pypi.org`,
/// `mirror.example:8080`, `*.crates.io`. The prefix `*.` allows every name below the domain, but
/// not the domain itself. Without a port, ports 80 and 443 are allowed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AllowedHost {
    /// In lower case, without the prefix `*.`.
    name: String,
    /// The entry began with `*.`.
    below: bool,
    port: Option<u16>,
}

/// Why a text is not a host that can be allowed. The text is a message for the user.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AllowedHostError(&'static str);

impl AllowedHost {
    /// Whether this entry allows the host. `host` is in lower case and has no final dot. With
    /// `below`, there must be at least one character before the dot: `.crates.io` does not match
    /// `*.crates.io`.
    fn fits(&self, host: &str, port: u16) -> bool {
        let named = match host.strip_suffix(self.name.as_str()) {
            Some(front) if self.below => front.len() > 1 && front.ends_with('.'),
            Some(front) => front.is_empty(),
            None => false,
        };
        named && self.port.map_or(USUAL.contains(&port), |allowed| allowed == port)
    }
}

/// Reads one entry. IP addresses, URLs and empty labels are errors.
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

/// Checks the syntax of a host name: at most 253 characters, labels of 1 to 63 letters, digits, `-`
/// and `_`, of which `-` is not the first. An IP address is an error.
fn check(name: &str) -> Result<(), AllowedHostError> {
    let label = |label: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        (1..=63).contains(&label.len()) && label.chars().all(plain) && !label.starts_with('-')
    };
    if name.len() > 253 || !name.split('.').all(label) {
        return Err(AllowedHostError("a host name has letters, digits, hyphens and dots only"));
    }
    // An address could belong to any machine, also to a private one, and can be written in many
    // forms (`127.1`, `0x7f.1`, `2130706433`). All these forms have a last label that begins with a
    // digit, and no real top-level domain does.
    let last = name.rsplit('.').next().unwrap_or(name);
    if last.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(AllowedHostError("an address is not a host name"));
    }
    Ok(())
}

/// Writes the entry in the form that `FromStr` reads.
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
