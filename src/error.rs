//! Every error a user can meet: a stable code, what was wrong and where, and a way out.
//! Each code has a page under `docs/errors/`, which a test keeps complete. The pages are part
//! of the program: `synthd explain` prints them.

use std::error::Error as StdError;
use std::fmt;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $number:literal, exit $exit:literal;)*) => {
        /// A stable error code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code {
            $($(#[$doc])* $name,)*
        }

        impl Code {
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => concat!("SYN-", $number),)* }
            }

            /// The code that is written so.
            pub fn named(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|code| code.as_str() == text)
            }

            /// The process's exit code when this error ends it.
            pub fn exit_code(self) -> u8 {
                match self { $(Self::$name => $exit,)* }
            }

            /// The page that explains it, as `docs/errors/` has it.
            pub fn page(self) -> &'static str {
                match self {
                    $(Self::$name => {
                        include_str!(concat!("../docs/errors/SYN-", $number, ".md"))
                    })*
                }
            }
        }
    };
}

codes! {
    /// A bug or a host in an unforeseen state.
    Unexpected = "0001", exit 1;
    /// An actor failed more often than its restart intensity allows.
    Escalated = "0002", exit 1;
    /// A file could not be read or written.
    Io = "0003", exit 1;
    /// Somebody ended the command before it had begun its work.
    Interrupted = "0004", exit 130;

    ConfigUnreadable = "0101", exit 2;
    ConfigInvalid = "0102", exit 2;
    /// The stored campaign of that name was made with other settings.
    CampaignChanged = "0103", exit 2;
    /// No task is left to run: nothing matches, or the host lacks what all need.
    NothingToRun = "0104", exit 2;
    BadUsage = "0105", exit 2;
    /// A glob of a campaign matches no template.
    GlobUnmatched = "0106", exit 2;
    /// A model that was asked once, to see whether it answers, gave no answer.
    ModelSilent = "0107", exit 1;
    /// The templates of a stored campaign have other editions now, or fewer tasks are wanted.
    TemplatesChanged = "0108", exit 2;
    /// No faulted episode matches what was to be tried again.
    NothingToRetry = "0109", exit 2;

    TemplateInvalid = "0201", exit 2;
    TemplateUnknown = "0202", exit 2;
    /// `template check` found a template that does not hold what it promises.
    TemplateUnproven = "0203", exit 1;

    DataDirInUse = "0301", exit 2;
    DataDirUnwritable = "0302", exit 2;
    DataDirFull = "0303", exit 1;
    StoreNewer = "0304", exit 2;
    StoreDamaged = "0305", exit 1;
    /// The store lacks what its mark knows of.
    StoreIncomplete = "0306", exit 1;
    /// A file that cannot be restored from, or not be made.
    BackupUnusable = "0307", exit 2;
    /// A restore would lack what its mark knows of, and nobody accepted that.
    RestoreLacks = "0308", exit 2;
    HoldUnknown = "0309", exit 2;
    /// A call cost more than its worst case, and nobody has corrected its record.
    CallOverrun = "0310", exit 1;

    /// The host does not enforce what was asked for.
    HostCannotEnforce = "0401", exit 6;
    LauncherFailed = "0402", exit 6;
    SandboxFault = "0403", exit 1;
    /// What a campaign's sandboxes are made of is not there: an image, a runtime, a root.
    ImageUnavailable = "0404", exit 2;
    /// No container engine, or one that may not be used.
    EngineUnavailable = "0405", exit 6;
    /// A program of the user's that was to be an agent asked no model.
    AgentBroken = "0406", exit 2;

    /// A provider refused the key of one of the campaign's models.
    KeyRejected = "0411", exit 2;
    /// A provider counted more tokens than a call can have.
    CountsImpossible = "0412", exit 1;

    NoDaemon = "0501", exit 5;
    SocketInUse = "0502", exit 2;
    ControlProtocol = "0503", exit 1;
    /// The daemon understood and declined.
    ControlRefused = "0504", exit 2;
    SocketUnusable = "0505", exit 2;

    EpisodeUnknown = "0601", exit 2;
    ReplayDiffers = "0602", exit 1;
    CallUnknown = "0603", exit 2;
    /// A dataset version whose rows are of a format that is not read here.
    DatasetFormat = "0604", exit 2;

    NotADataset = "0701", exit 2;
    DatasetDamaged = "0702", exit 1;

    /// A model of the campaign cannot be called, whatever is asked of it.
    ModelUnusable = "0801", exit 2;
    /// A budget that could not pay for what is asked, whatever happens.
    BudgetTooSmall = "0802", exit 2;
    /// A replayed campaign asks what the recorded one did not.
    NotRecorded = "0803", exit 2;
    /// A provider was silent, failed, or refused what it was asked.
    ProviderFailed = "0804", exit 1;
    /// A budget does not cover the next call.
    BudgetReached = "0805", exit 4;
}

impl Code {
    /// What it means in a few words.
    pub fn title(self) -> &'static str {
        let first = self.page().lines().next().unwrap_or_default();
        first.split_once(": ").map_or(first, |(_, title)| title)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An error as the user meets it. `Display` is the one-line statement; the cause and the
/// hint are printed on their own lines by [`Error::report`].
#[derive(Debug)]
pub struct Error {
    code: Code,
    what: String,
    hint: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
    /// What else is wrong, where several things were looked at together.
    others: Vec<Self>,
}

/// The application's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub fn new(code: Code, what: impl Into<String>) -> Self {
        Self { code, what: what.into(), hint: None, source: None, others: Vec::new() }
    }

    /// Several errors as one. The first decides the exit code. None where there is none.
    pub fn combine(errors: Vec<Self>) -> Option<Self> {
        let mut errors = errors.into_iter();
        let first = errors.next()?;
        Some(first.with_others(errors.collect()))
    }

    /// The same with more that is wrong.
    #[must_use]
    pub fn with_others(mut self, others: Vec<Self>) -> Self {
        self.others.extend(others);
        self
    }

    pub fn others(&self) -> &[Self] {
        &self.others
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// For whom it matters.
    #[must_use]
    pub fn wanted_by(mut self, who: &str) -> Self {
        self.what = format!("{} (wanted by {who})", self.what);
        self
    }

    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    pub fn code(&self) -> Code {
        self.code
    }

    pub fn hint_text(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The whole message: statement, causes, way out; then the same of the other errors.
    pub fn report(&self) -> String {
        let others = self.others.iter().map(|other| format!("\n{}", other.report()));
        std::iter::once(self.own_report()).chain(others).collect()
    }

    fn own_report(&self) -> String {
        let mut text = format!("error[{}]: {}", self.code, self.what);
        let (mut cause, mut said) = (self.source(), self.what.clone());
        while let Some(error) = cause {
            let why = error.to_string();
            // Wrappers often say no more than what they wrap.
            if why != said {
                text.push_str(&format!("\n  cause: {why}"));
            }
            said = why;
            cause = error.source();
        }
        match &self.hint {
            Some(hint) => text.push_str(&format!("\n  help: {hint}")),
            // A list of mistakes comes with a hint for each.
            None if self.code == Code::ConfigInvalid => {}
            None => text.push_str(&format!("\n  help: `synthd explain {}` says more", self.code)),
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|s| &**s as &(dyn StdError + 'static))
    }
}
