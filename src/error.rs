//! The errors that a user can meet: a stable code, what was wrong and where, and what to do.
//!
//! Every command returns [`Error`]. `cli::main` prints [`Error::report`] on standard error and
//! exits with [`Code::exit_code`]. A report looks like this:
//!
//! ```text
//! error[SYN-0802]: the budget is $0.01, but the first call holds $0.02
//!   help: raise [budget] usd, or choose a cheaper model; `synthd estimate` shows both
//! ```
//!
//! Each code has a page under `docs/errors/`; a test checks that no page is missing. The pages are
//! part of the program: `synthd explain SYN-0802` prints one.

use std::error::Error as StdError;
use std::fmt;

// Defines the enum [`Code`] from one list, so that number, exit code and page cannot get out of
// step. A code without a page does not compile, because of `include_str!`.
macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $number:literal, exit $exit:literal;)*) => {
        /// A stable error code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code {
            $($(#[$doc])* $name,)*
        }

        impl Code {
            /// Every code, in the order of the list.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The code as users see it, such as `SYN-0101`.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => concat!("SYN-", $number),)* }
            }

            /// Finds a code by its exact text, such as `SYN-0101`. None if there is no such code.
            pub fn named(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|code| code.as_str() == text)
            }

            /// The exit code of the process if this error ends it.
            pub fn exit_code(self) -> u8 {
                match self { $(Self::$name => $exit,)* }
            }

            /// The Markdown page that explains the code, the same as in `docs/errors/`.
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
    /// Somebody ended the command before its first episode had begun.
    Interrupted = "0004", exit 130;
    /// An actor died twice of the same message, and the message was set aside.
    SetAside = "0005", exit 1;

    /// A campaign file or a daemon's configuration could not be read.
    ConfigUnreadable = "0101", exit 2;
    /// A configuration file was read and has mistakes. All of them are listed at once.
    ConfigInvalid = "0102", exit 2;
    /// The stored campaign of that name was made with other settings.
    CampaignChanged = "0103", exit 2;
    /// No task is left to run: nothing matches, or the host lacks what all need.
    NothingToRun = "0104", exit 2;
    /// An argument of the command line, or a combination of arguments, is not allowed.
    BadUsage = "0105", exit 2;
    /// A glob of a campaign matches no template.
    GlobUnmatched = "0106", exit 2;
    /// A live check asked a model once, and the model gave no answer.
    ModelSilent = "0107", exit 1;
    /// The templates of a stored campaign have changed, or the file wants fewer tasks than before.
    TemplatesChanged = "0108", exit 2;
    /// No faulted episode matches what a retry asked for.
    NothingToRetry = "0109", exit 2;

    /// A template file cannot be read or has mistakes.
    TemplateInvalid = "0201", exit 2;
    /// No template has the id that was named.
    TemplateUnknown = "0202", exit 2;
    /// `template check` found a template that does not keep its promises; for example, its solution
    /// does not score 1, or an agent that does nothing does.
    TemplateUnproven = "0203", exit 1;
    /// A template states more resources than the campaign grants.
    ResourcesTooSmall = "0204", exit 2;
    /// A service of a task did not become healthy before the agent's first turn.
    ServiceUnhealthy = "0205", exit 1;
    /// A Harbor task folder cannot be read within bounds, or breaks a rule of Harbor's.
    HarborInvalid = "0211", exit 2;
    /// A Harbor task asks for what synthd cannot give, such as services or a GPU.
    HarborUnsupported = "0212", exit 2;
    /// A template makes tasks for which Harbor's format has no words.
    NoHarborForm = "0213", exit 2;
    /// A campaign has tasks of containers that its sandboxes or its agents cannot play.
    ContainersUnplayable = "0214", exit 2;
    /// None of the tasks of containers that a campaign names can be used.
    ContainersRefused = "0215", exit 2;
    /// A pack, or a project for one, cannot be read or has mistakes.
    PackInvalid = "0221", exit 2;
    /// The tests of a project do not allow it to be mined.
    PackUnmined = "0222", exit 1;
    /// `pack check` found that a pack does not keep its promises.
    PackUnproven = "0223", exit 1;
    /// What a sandbox or a workspace shows gives the answer of a task from a pack away.
    AnswerShown = "0224", exit 1;
    /// `template draft` could use no answer of the models.
    DraftUnusable = "0231", exit 1;
    /// `template draft` has no draft that passed the gate and its critic.
    NothingPassed = "0232", exit 1;

    /// Another process holds the lock of the data directory.
    DataDirInUse = "0301", exit 2;
    /// The data directory cannot be created or written.
    DataDirUnwritable = "0302", exit 2;
    /// The disk of the data directory is full.
    DataDirFull = "0303", exit 1;
    /// A newer version of synthd has written the store.
    StoreNewer = "0304", exit 2;
    /// The store's database is corrupt or contradicts itself.
    StoreDamaged = "0305", exit 1;
    /// The store lacks records that its high-water mark knows of.
    StoreIncomplete = "0306", exit 1;
    /// A backup file cannot be written, or cannot be restored from.
    BackupUnusable = "0307", exit 2;
    /// A restore would lose records that the high-water mark knows of, and nobody accepted the
    /// loss.
    RestoreLacks = "0308", exit 2;
    /// No hold has the id that `money reconcile` was given.
    HoldUnknown = "0309", exit 2;
    /// A call cost more than its worst case, and nobody has corrected its record yet.
    CallOverrun = "0310", exit 1;

    /// The host does not enforce a protection that was required.
    HostCannotEnforce = "0401", exit 6;
    /// The process that starts namespace sandboxes did not start.
    LauncherFailed = "0402", exit 6;
    /// A sandbox failed while it was used.
    SandboxFault = "0403", exit 1;
    /// Something that a sandbox is made of does not exist: an image, a runtime, a root directory.
    ImageUnavailable = "0404", exit 2;
    /// There is no container engine, or this user may not use it.
    EngineUnavailable = "0405", exit 6;
    /// The user's agent program ended without one call to its model.
    AgentBroken = "0406", exit 2;

    /// A provider refused the key of one of the campaign's models.
    KeyRejected = "0411", exit 2;
    /// A provider reported more tokens than a call can have.
    CountsImpossible = "0412", exit 1;

    /// Nothing listens on the control socket.
    NoDaemon = "0501", exit 5;
    /// Another process holds the control socket.
    SocketInUse = "0502", exit 2;
    /// A message on the control socket did not follow the protocol.
    ControlProtocol = "0503", exit 1;
    /// The daemon understood the request and declined it.
    ControlRefused = "0504", exit 2;
    /// The control socket cannot be created or opened at its path.
    SocketUnusable = "0505", exit 2;

    /// No episode has the id that was named.
    EpisodeUnknown = "0601", exit 2;
    /// A replayed episode showed other observations than the recorded one.
    ReplayDiffers = "0602", exit 1;
    /// No model call has the id that was named.
    CallUnknown = "0603", exit 2;
    /// The rows of a dataset version have a format that this command does not read.
    DatasetFormat = "0604", exit 2;

    /// A directory is not a version of a dataset.
    NotADataset = "0701", exit 2;
    /// A dataset version does not match its manifest, or breaks a rule.
    DatasetDamaged = "0702", exit 1;
    /// The sources of a recipe cannot give one dataset.
    RecipeSources = "0703", exit 2;
    /// A dataset version cannot be written in the form of a trainer.
    ExportUnwritten = "0704", exit 2;
    /// A review is unknown, damaged, locked, or of another version of the dataset.
    ReviewUnusable = "0705", exit 2;
    /// The answers of judges are missing, or their store cannot be used.
    JudgeAnswers = "0706", exit 2;
    /// A rubric cannot be found or has mistakes.
    RubricUnusable = "0707", exit 2;
    /// The target of a push does not take the version.
    PushRefused = "0708", exit 2;
    /// A push ended before the version was published.
    PushCutOff = "0709", exit 1;
    /// A rule of retention has removed what was asked for.
    RecordPruned = "0710", exit 2;
    /// The archive of a campaign cannot be written, or cannot be read here.
    ArchiveUnusable = "0711", exit 2;

    /// A model of the campaign cannot be called as it is configured; for example, its key is not
    /// set.
    ModelUnusable = "0801", exit 2;
    /// A budget is too small for one call, or for the least that the campaign costs.
    BudgetTooSmall = "0802", exit 2;
    /// A replayed campaign made a request that the recorded campaign did not make.
    NotRecorded = "0803", exit 2;
    /// A provider was silent, failed, or refused the request.
    ProviderFailed = "0804", exit 1;
    /// A budget does not cover the next call.
    BudgetReached = "0805", exit 4;
}

impl Code {
    /// The title of the code's page, without the code; for `SYN-0105` it is `bad usage`.
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

/// An error for the user. `Display` gives only the statement on one line. [`Error::report`] gives
/// the statement, the causes and the hint, each on its own line.
#[derive(Debug)]
pub struct Error {
    /// Decides the page and, if the error ends the process, the exit code.
    code: Code,
    /// The statement: what was wrong and where, on one line.
    what: String,
    /// What the user can do. Without a hint, the report points to `synthd explain`.
    hint: Option<String>,
    /// The cause, which may have causes of its own.
    source: Option<Box<dyn StdError + Send + Sync>>,
    /// Further errors that were found together with this one, for example by `synthd check`.
    others: Vec<Self>,
}

/// The result type of the commands and of everything below them.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error with a code and a statement. Hint and cause are added with the methods below.
    pub fn new(code: Code, what: impl Into<String>) -> Self {
        Self { code, what: what.into(), hint: None, source: None, others: Vec::new() }
    }

    /// Joins several errors into one. The first error decides the exit code. None if the list is
    /// empty.
    pub fn combine(errors: Vec<Self>) -> Option<Self> {
        let mut errors = errors.into_iter();
        let first = errors.next()?;
        Some(first.with_others(errors.collect()))
    }

    /// Adds further errors, which the report shows after this one.
    #[must_use]
    pub fn with_others(mut self, others: Vec<Self>) -> Self {
        self.others.extend(others);
        self
    }

    /// The further errors that were found together with this one.
    pub fn others(&self) -> &[Self] {
        &self.others
    }

    /// Sets what the user can do. A later hint replaces an earlier one.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds to the statement who needs the missing thing: `... (wanted by git/undo-commit)`.
    #[must_use]
    pub fn wanted_by(mut self, who: &str) -> Self {
        self.what = format!("{} (wanted by {who})", self.what);
        self
    }

    /// Sets the cause. The report prints its text, and the texts of its own causes.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The code, for decisions and for the exit code.
    pub fn code(&self) -> Code {
        self.code
    }

    /// The hint, if there is one.
    pub fn hint_text(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The whole message for a terminal: statement, causes, hint; then the same for the other
    /// errors.
    pub fn report(&self) -> String {
        let others = self.others.iter().map(|other| format!("\n{}", other.report()));
        std::iter::once(self.own_report()).chain(others).collect()
    }

    /// The report of this error alone, without the other errors.
    fn own_report(&self) -> String {
        let mut text = format!("error[{}]: {}", self.code, self.what);
        // The causes follow from the outermost to the innermost, one on each line.
        let (mut cause, mut said) = (self.source(), self.what.clone());
        while let Some(error) = cause {
            let why = error.to_string();
            // A wrapper often has the same text as the error inside it. The text is printed once.
            if why != said {
                text.push_str(&format!("\n  cause: {why}"));
            }
            said = why;
            cause = error.source();
        }
        match &self.hint {
            Some(hint) => text.push_str(&format!("\n  help: {hint}")),
            // The list of mistakes in a file already has a hint for each mistake.
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
