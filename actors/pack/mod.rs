//! Packs: projects with tests, from which templates make tasks without a model. What may be wrong in
//! a project, and which tests tell, was found out when the pack was mined (`synthd pack mine`). Here
//! a pack is only data: files, tests, and an index of entries. An entry is a byte range of a file and
//! the text that stands there in a task, so that a task depends on no parser and no test runner.
//!
//! ```text
//!  NAME/pack.toml      what the pack is                      PackHead
//!       project/…      the files of the project              PackFile
//!       map.jsonl      one test a line, and where it stands  PackTest
//!       index.jsonl    one entry a line                      PackChange, TestTwin, ChangeGroup, HelperInline
//!       long.jsonl     one long group a line                 ChangeGroup
//!       names.jsonl    one name a line that can be another   NameSites
//!       slow.jsonl     one slow form a line, by hand         SlowForm
//!       workloads/…    programs that show that they are slow
//!       notices        licences, as they came
//! ```
//!
//! The tests of a project in Python are methods. Those of other projects are cases of a command-line
//! program (`cases.rs`): directories with arguments, input, and the output that is right.
//!
//! The application reads the folder; [`ProjectPack::read`] checks every line against the files. The
//! tasks are made in `actors/task/pack_task.rs` and beside it. Authors of packs read `docs/packs.md`.

#[cfg(test)]
pub(crate) mod case_tests;
mod cases;
mod head;
mod helper_inline;
mod index;
mod leaks;
mod long_group;
mod names;
mod project_pack;
mod renaming;
mod shelf;
mod slow;
#[cfg(test)]
pub(crate) mod tests;

pub use cases::{
    BUILD_FILE, CASE_DRIVER, CASE_RUNNER, CASE_RUNNER_FILE, CASES_DIRECTORY, PROGRAM_FILE,
    ProgramCase, case_name, command_file, program_cases, result_file,
};
pub use head::{PACK_FILE, PACK_SCHEMA, PackHead, PackLanguage, PackRunner};
pub use helper_inline::{CLONE_METER, HelperInline, TextChange};
pub use index::{ChangeGroup, ChangeKind, FailureSign, PackChange, PackTest, TestTwin};
pub use leaks::{AlikeFile, AnswerLeak, LeakListing, LeakReason, LeakScan};
pub use long_group::{LONG_FILE, LONG_SIZES, long_group_tells, own_tests};
pub use names::{NAMES_FILE, NameKind, NameSites};
pub use project_pack::{
    INDEX_FILE, MAP_FILE, NOTICES_FILE, PROJECT_DIRECTORY, PackFile, PackParts, PackProblem,
    ProjectPack, project_digest,
};
pub use shelf::{EmptyShelf, PackHandle, PackShelf};
pub use slow::{SLOW_FILE, SlowForm, SlowParts, WORKLOAD_DIRECTORY};
