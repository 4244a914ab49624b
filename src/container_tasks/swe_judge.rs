//! The judge of a row in the style of SWE-bench. The test patch is applied over what the agent has left,
//! in a fresh container, and the tests run there. All named tests must pass.
//!
//! The files of the test patch are first as they were at the commit of the row, whatever the agent has
//! made of them.

use super::canary_tests::CanaryTests;
use super::judge_engine::{JudgeEngine, to_its_end};
use super::oracle_moves::shell_word;
use super::swe_report::TestReport;
use super::swe_row::SweRow;
use super::swe_task::TESTS_TIME;
use crate::harbor::{PROVEN_MEMORY_MB, unkept};
use crate::sandbox::docker::{EndedTrial, TrialContainers, TrialRun};
use async_trait::async_trait;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use synthd_actors::container_judge::ContainerJudge;
use synthd_actors::model::{CheckResult, Fault, FaultKind, Verdict};
use synthd_actors::ports::KeptImage;
use tokio::sync::OnceCell;

/// Where the files of the judge are in a container. It begins empty there, and is not kept.
const OURS: &str = "/synthd";
/// Runs the tests and keeps the lines of those that failed, with the line before, and the end of what they
/// print, where the results are. So what is printed behind a failure does not hide it.
const RUN: &str = "sh /synthd/run.sh > /synthd/log.txt 2>&1; \
                   { grep -a -B1 -E '(FAILED|ERROR|FAIL)( |\u{1b}|$)' /synthd/log.txt \
                   | head -c 400000; echo; tail -c 500000 /synthd/log.txt; } \
                   > /synthd/output.txt; exit 0";
/// Writes the commit that the repository has checked out.
const HEAD: &str = "git -c safe.directory='*' rev-parse --verify HEAD > /synthd/head.txt; exit 0";
/// The end of what a run prints if the test patch cannot be applied.
const UNAPPLIED: &str = "synthd: the test patch does not apply";
/// The environment of Python that the images of SWE-bench have, if it is there.
const ACTIVATE: &str = "/opt/miniconda3/bin/activate";
/// The time of the oracle's patch.
const PATCH_TIME: Duration = Duration::from_secs(5 * 60);
/// The check that tells whether a report is believed.
const REPORT: &str = "report";
/// The most names of tests that a check shows.
const SHOWN: usize = 20;

/// The judge of one row.
pub(super) struct SweJudge(pub(super) Arc<SweWork>);

/// A row with the engine that judges it.
pub(super) struct SweWork {
    pub(super) row: SweRow,
    pub(super) engine: Arc<JudgeEngine>,
    /// What the row's image has checked out. None: it has no commit. Only rows without a commit need it.
    head: OnceCell<Option<String>>,
    /// Whether the row's own image reports added tests as they are. Settings of a project may keep them
    /// out. It is asked when they are first missed.
    tells_added: OnceCell<bool>,
}

/// The command that applies a patch, which is a word of the shell, to the working directory.
pub(super) fn applying(patch: &str) -> String {
    format!(
        "git -c safe.directory='*' apply --whitespace=nowarn {patch} || \
         patch -p1 --batch --forward < {patch}"
    )
}

/// The script of the tests. Without a commit, no file of the test patch is there before it.
fn testing(row: &SweRow, commit: Option<&str>, canary: Option<&CanaryTests>) -> String {
    let mut script = String::new();
    for file in row.tested_files() {
        let file = shell_word(file);
        // The agent may have replaced objects of the repository by others.
        let restored = commit.map(|commit| {
            format!(
                "GIT_NO_REPLACE_OBJECTS=1 git -c safe.directory='*' \
                 checkout -q {commit} -- {file} 2>/dev/null || "
            )
        });
        script.push_str(&format!("{}rm -rf {file}\n", restored.unwrap_or_default()));
    }
    let apply = applying("/synthd/test.patch");
    script.push_str(&format!("{{ {apply}; }} || {{ echo '{UNAPPLIED}'; exit 1; }}\n"));
    script.push_str(&format!("if test -f {ACTIVATE}; then . {ACTIVATE} testbed; fi\n"));
    script.push_str(&match canary {
        Some(canary) => canary.writing() + &canary.added_to(&command(row)),
        None => command(row),
    });
    script.push('\n');
    // What activates an environment may be written for bash alone.
    let quoted = shell_word(&script);
    format!("if test -x /bin/bash; then exec /bin/bash -c {quoted}; else exec sh -c {quoted}; fi\n")
}

/// The command of the row, or pytest over the files of the test patch.
fn command(row: &SweRow) -> String {
    row.command.clone().unwrap_or_else(|| {
        let files: Vec<String> = row.tested_files().into_iter().map(shell_word).collect();
        format!("python -m pytest -rA {}", files.join(" "))
    })
}

impl SweWork {
    pub(super) fn new(row: SweRow, engine: Arc<JudgeEngine>) -> Self {
        Self { row, engine, head: OnceCell::new(), tells_added: OnceCell::new() }
    }

    /// The commit of the row, or what its image has checked out: what the agent has is its own to choose.
    async fn commit(&self) -> Result<Option<&str>, Fault> {
        match &self.row.commit {
            Some(commit) => Ok(Some(commit.as_str())),
            None => Ok(self.head.get_or_try_init(|| self.checked_out()).await?.as_deref()),
        }
    }

    /// What the row's image has checked out. None: it has no commit.
    async fn checked_out(&self) -> Result<Option<String>, Fault> {
        let files = archive(&[])?;
        let containers = self.engine.containers().await?;
        let ended = containers.run(&self.trial(&self.row.image, HEAD, files, PATCH_TIME)).await?;
        let read = match ended.exit_code {
            Some(_) => containers.file(&ended, "/synthd/head.txt").await,
            None => {
                let what = "the commit of the row's image is not known after its time";
                Err(Fault::new(FaultKind::TaskSetup, what))
            }
        };
        containers.remove(ended).await;
        let text = read?.map(|file| file.content).unwrap_or_default();
        let commit = String::from_utf8_lossy(&text).trim().to_owned();
        let is_commit = commit.len() >= 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
        Ok(is_commit.then_some(commit))
    }

    /// What the tests say of an image, and whether it is believed.
    async fn test(&self, image: &str, runtime: Option<&str>) -> Result<Vec<CheckResult>, Fault> {
        let canary = CanaryTests::draw(&self.row)?;
        let (mut checks, is_told) = self.tested(image, runtime, canary.as_ref()).await?;
        let is_missed = canary.is_some() && !is_told && checks.iter().all(|check| check.passed);
        let is_forged = is_missed && self.tells_added().await?;
        let (passed, output) = match (is_told, is_forged) {
            (_, true) => (false, "tests that were added are not reported as they are"),
            (true, false) => (true, "tests that were added are reported as they are"),
            (false, false) => (true, "no added test tells whether the report is forged"),
        };
        checks.push(check_of(REPORT, passed, output.to_owned()));
        Ok(checks)
    }

    /// Whether the row's own image reports added tests as they are.
    async fn tells_added(&self) -> Result<bool, Fault> {
        let told = self.tells_added.get_or_try_init(|| Box::pin(self.own_report()));
        told.await.copied()
    }

    async fn own_report(&self) -> Result<bool, Fault> {
        let canary = CanaryTests::draw(&self.row)?;
        Ok(self.tested(&self.row.image, None, canary.as_ref()).await?.1)
    }

    /// What the tests say of an image, and whether the added ones are reported as they are.
    async fn tested(
        &self,
        image: &str,
        runtime: Option<&str>,
        canary: Option<&CanaryTests>,
    ) -> Result<(Vec<CheckResult>, bool), Fault> {
        let script = testing(&self.row, self.commit().await?, canary);
        let files =
            archive(&[("run.sh", script.as_str()), ("test.patch", self.row.test_patch.as_str())])?;
        let containers = self.engine.containers().await?;
        let ended = {
            let run = self.trial(image, RUN, files, TESTS_TIME);
            containers.run(&TrialRun { runtime, ..run }).await?
        };
        let checks = self.checks(containers, &ended, canary).await;
        containers.remove(ended).await;
        checks
    }

    /// A script in a container of an image, in the directory of the repository.
    fn trial<'a>(
        &'a self,
        image: &'a str,
        script: &'a str,
        files: Vec<u8>,
        timeout: Duration,
    ) -> TrialRun<'a> {
        TrialRun {
            image,
            user: None,
            directory: Some(self.row.directory.as_str()),
            variables: Vec::new(),
            script,
            files,
            fresh: &[OURS],
            memory_bytes: PROVEN_MEMORY_MB << 20,
            runtime: None,
            timeout,
        }
    }

    /// The checks of an ended run, and whether the added tests are reported as they are. Tests that do not
    /// end in their time have not passed.
    async fn checks(
        &self,
        containers: &TrialContainers,
        ended: &EndedTrial,
        canary: Option<&CanaryTests>,
    ) -> Result<(Vec<CheckResult>, bool), Fault> {
        let file = match ended.exit_code {
            Some(_) => "/synthd/output.txt",
            None => "/synthd/log.txt",
        };
        let read = containers.file(ended, file).await?;
        let is_whole = read.as_ref().is_none_or(|read| read.is_whole);
        let output = read.map(|read| read.content).unwrap_or_default();
        let output = String::from_utf8_lossy(&output);
        let report = TestReport::read(&output);
        let why = match ended.exit_code {
            None => "the tests did not end in their time\n",
            Some(_) if !is_whole => "the tests printed more than is read\n",
            Some(_) if output.trim_end().ends_with(UNAPPLIED) => "the test patch does not apply\n",
            Some(_) => "",
        };
        let row = &self.row;
        let all = [("fail_to_pass", &row.fail_to_pass), ("pass_to_pass", &row.pass_to_pass)];
        let some = all.into_iter().filter(|(_, tests)| !tests.is_empty());
        let checks = some.map(|(name, tests)| check(name, tests, &report, why)).collect();
        Ok((checks, canary.is_some_and(|canary| canary.are_told(&report))))
    }

    /// What does not hold of the row: its patch must pass, and doing nothing must not.
    async fn prove(&self) -> Result<Vec<String>, Fault> {
        let mut problems = Vec::new();
        if self.test(&self.row.image, None).await?.iter().all(|check| check.passed) {
            problems.push("doing nothing passes the tests".to_owned());
        }
        match self.patched().await? {
            None => problems.push("the patch does not apply".to_owned()),
            Some(image) => {
                let tested = self.test(&image, None).await;
                self.engine.containers().await?.remove_image(&image).await;
                let failed = tested?.into_iter().filter(|check| !check.passed);
                problems.extend(failed.map(|check| format!("the patch: {}", check.output)));
            }
        }
        Ok(problems)
    }

    /// An image with the oracle's patch. None: it does not apply.
    async fn patched(&self) -> Result<Option<String>, Fault> {
        let files = archive(&[("fix.patch", self.row.patch.as_str())])?;
        let script = applying("/synthd/fix.patch");
        let containers = self.engine.containers().await?;
        let ended =
            containers.run(&self.trial(&self.row.image, &script, files, PATCH_TIME)).await?;
        let kept = match ended.exit_code {
            Some(0) => containers.keep(&ended).await.map(Some),
            _ => Ok(None),
        };
        containers.remove(ended).await;
        kept
    }

    /// The verdict of two runs over the same image.
    async fn judge(&self, image: &str, runtime: Option<&str>) -> Result<Verdict, Fault> {
        let first = self.test(image, runtime).await?;
        let second = self.test(image, runtime).await?;
        let verdict = Verdict::agree(first, &second);
        // All tests or nothing: a part of them earns nothing.
        let score = if verdict.passed { 1.0 } else { 0.0 };
        Ok(Verdict { score, ..verdict })
    }
}

/// Whether all of these tests have passed, with the names of those that have not.
fn check(name: &str, tests: &[String], report: &TestReport, why: &str) -> CheckResult {
    let failed = report.not_passed(tests);
    let shown: Vec<&str> = failed.iter().copied().take(SHOWN).collect();
    let more = failed.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    let output = match failed.is_empty() {
        true => format!("{} passed", tests.len()),
        false => {
            let (count, all) = (failed.len(), tests.len());
            format!("{why}{count} of {all} not passed: {}{more}", shown.join(", "))
        }
    };
    check_of(name, failed.is_empty(), output)
}

fn check_of(name: &str, passed: bool, output: String) -> CheckResult {
    CheckResult { name: name.to_owned(), weight: 1.0, passed, output, end: None, second: None }
}

/// An archive of files below [`OURS`], in which every user may write.
fn archive(files: &[(&str, &str)]) -> Result<Vec<u8>, Fault> {
    let packed = pack(files);
    packed.map_err(|error| Fault::new(FaultKind::TaskSetup, format!("pack the tests: {error}")))
}

fn pack(files: &[(&str, &str)]) -> io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    let directory = OURS.trim_start_matches('/');
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Directory);
    header.set_size(0);
    header.set_mode(0o777);
    archive.append_data(&mut header, directory, io::empty())?;
    for (name, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o755);
        archive.append_data(&mut header, format!("{directory}/{name}"), text.as_bytes())?;
    }
    archive.into_inner()
}

#[async_trait]
impl ContainerJudge for SweJudge {
    async fn prepare(&self) -> Result<(), Fault> {
        let containers = self.0.engine.containers().await?;
        let image = &self.0.row.image;
        let found = containers.image(image).await?;
        match unkept(image, &found.volumes) {
            Some(why) => Err(Fault::new(FaultKind::SandboxRefused, why)),
            None => Ok(()),
        }
    }

    async fn prove(&self) -> Result<Vec<String>, Fault> {
        let judged = self.0.clone();
        to_its_end(async move { judged.prove().await }).await
    }

    async fn judge(
        &self,
        image: Box<dyn KeptImage>,
        runtime: Option<&str>,
    ) -> Result<Verdict, Fault> {
        let (judged, runtime) = (self.0.clone(), runtime.map(str::to_owned));
        to_its_end(async move { judged.judge(image.id(), runtime.as_deref()).await }).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container_tasks::tests::row;

    #[test]
    fn all_named_tests_must_pass() {
        let tests = ["a::x", "a::y"].map(str::to_owned);
        let report = TestReport::read("PASSED a::x\nFAILED a::y - why\n");
        let half = check("fail_to_pass", &tests, &report, "");
        assert_eq!((half.passed, half.output.as_str()), (false, "1 of 2 not passed: a::y"));
        assert!(check("fail_to_pass", &tests[..1], &report, "").passed);
        let nothing = check("fail_to_pass", &tests, &TestReport::default(), "the patch\n");
        assert_eq!(nothing.output, "the patch\n2 of 2 not passed: a::x, a::y");
    }

    /// What the row says becomes words of the shell.
    #[test]
    fn the_files_of_the_test_patch_are_first_as_they_were() {
        let mut row = row();
        row.test_patch = "--- a/tests/it's.py\n+++ b/tests/it's.py\n@@ -1 +1 @@\n".to_owned();
        row.command = None;
        let script = testing(&row, Some("abc123"), None);
        let inner = r"checkout -q abc123 -- '\''tests/it'\''\'\'''\''s.py'\''";
        assert!(script.contains(inner), "{script}");
        assert!(script.contains("GIT_NO_REPLACE_OBJECTS=1 git "), "{script}");
        assert!(script.contains("python -m pytest -rA"), "{script}");
        assert!(!testing(&row, None, None).contains("checkout"));
        let canary = CanaryTests::draw(&row).unwrap();
        let script = testing(&row, None, canary.as_ref());
        let (written, run) = (script.find("printf %s"), script.find("python -m pytest -rA"));
        assert!(written.is_some() && written < run, "{script}");
    }
}
