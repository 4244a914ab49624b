//! Where a format has the API key.

/// Which header carries the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ApiKeyPlacement {
    /// `Authorization: Bearer sk-…`.
    Bearer,
    /// A header of this lower-case name, such as `x-api-key`.
    Header(&'static str),
}
