//! What a parser of a request could not put into the engine's own form. A translated call is
//! refused for the first loss; a record keeps what could be read.

/// One loss, and its place in the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FormatLoss {
    /// The path to the value, such as `messages[1].content[0]`. Empty for the request itself.
    pub(crate) place: String,
    pub(crate) kind: LossKind,
}

/// What was lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LossKind {
    /// A value that means nothing in its own format, in words.
    Malformed(String),
    /// Keys of one object that no other format has.
    Keys(Vec<String>),
    /// A part that is no text, by its type.
    Part(String),
    /// The choice of a tool that the client's own provider runs, such as `web_search`, by its type.
    HostedTool(String),
    /// An item of a conversation that no other format has, by its type.
    Item(String),
    /// Reasoning that only the model that produced it can read. The text says what it is.
    Reasoning(String),
    /// A schema that the provider is to enforce.
    Strict,
    /// Two keys name the user of the request, and they differ.
    Users,
    /// More than one answer is asked for.
    Choices,
}
