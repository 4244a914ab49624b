//! Proves a task folder in containers: its solution must have the whole reward, and doing nothing less.
//!
//! ```text
//!  image ─► [solution] ─► kept as an image ─► tests in a fresh container of it ─► reward
//!                               └─► next step
//!  image ───────────────────────────────────► tests ─► reward of nothing
//! ```
//! The tests run after the solution, in another container: no process of the solution is left, and all of
//! its files are there. `/tests` and `/logs/verifier` are empty before, whatever the solution has left
//! there. Scripts have no network; a build of a Dockerfile has that of the engine, and a limit of time.

use super::dockerfile::workdir_of;
use super::export::quoted;
use super::harbor_task::{HarborImage, HarborPart, HarborTask};
use super::reward_file::TaskRewards;
use super::terminal_folder;
use crate::sandbox::docker::{
    DockerImages, DockerfileRecipe, EndedTrial, ImageRecipe, TrialContainers, TrialFile,
    TrialImage, TrialRun,
};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use synthd_actors::model::{Fault, FaultKind};
use tokio::time::timeout;

/// The time of a solution if the task states none for agents.
const SOLUTION_TIME: Duration = Duration::from_secs(30 * 60);
/// The memory of a container if the task states none, in mebibytes.
pub const PROVEN_MEMORY_MB: u64 = 2_048;
/// Characters of what tests have printed that a problem quotes, from the end.
const QUOTED: usize = 600;
/// The whole reward.
const WHOLE: f64 = 1.0;
/// The name of the images of tasks. Each has a tag of its own.
const IMAGE: &str = "synthd/harbor-task";
/// Directories that begin empty for the solution, and those that do for the tests.
const OF_SOLUTION: [&str; 1] = ["/solution"];
const OF_TESTS: [&str; 2] = ["/tests", "/logs/verifier"];
/// Runs the tests.
const TEST: &str = "/tests/test.sh > /logs/verifier/test-stdout.txt 2>&1; exit 0";
/// What Harbor adds to the tests of Terminal-Bench, which pass by their exit code.
const BY_EXIT_CODE: &str =
    "\nif [ $? -eq 0 ]; then echo 1; else echo 0; fi > /logs/verifier/reward.txt\n";

/// Proves tasks with one container engine.
pub struct TaskProver {
    images: DockerImages,
    containers: TrialContainers,
    /// The directory of the logs of builds.
    logs: PathBuf,
}

/// A task that is being proven.
struct ProvenTask<'t> {
    task: &'t HarborTask,
    folder: &'t Path,
    /// The image of the environment, and its user.
    image: String,
    user: String,
}

/// A script as it is laid into a container.
struct ScriptFile<'t> {
    /// The directory at the root of the container, and the name of the script in it.
    directory: &'t str,
    name: &'t str,
    /// Where the task has it.
    path: &'t str,
    /// Lines behind its own.
    more: &'t str,
}

impl TaskProver {
    /// Connects to the container engine that the environment names. Logs of builds go to `logs`.
    pub async fn connect(logs: PathBuf) -> Result<Self, Fault> {
        let images = DockerImages::connect().await?;
        Ok(Self { images, containers: TrialContainers::connect().await?, logs })
    }

    /// What does not hold of a task; empty if it is proven. Err is a fault of the engine, of an image
    /// that cannot be had, or of one with volumes. If the future is dropped, call [`Self::end`].
    pub async fn prove(&self, task: &HarborTask, folder: &Path) -> Result<Vec<String>, Fault> {
        let (image, user) = self.usable_image(task, folder).await?;
        let proven = ProvenTask { task, folder, image, user };
        let mut problems = Vec::new();
        self.try_nothing(&proven, &mut problems).await?;
        let mut kept = Vec::new();
        let tried = self.try_solution(&proven, &mut kept, &mut problems).await;
        // The newest first: an image that another one is made from cannot be removed.
        for image in kept.iter().rev() {
            self.containers.remove_image(image).await;
        }
        tried.map(|()| problems)
    }

    /// Ends and removes what a proof has left that was dropped in the middle.
    pub async fn end(&self) {
        self.containers.end_all().await;
    }

    /// Sees to it that the image of the environment is there. Err is a fault of the engine, or of an
    /// image that cannot be had.
    pub async fn prepare(&self, task: &HarborTask, folder: &Path) -> Result<(), Fault> {
        self.usable_image(task, folder).await.map(drop)
    }

    /// The image of the environment and its user. Err is a fault of the engine, of an image that cannot
    /// be had, or of one with volumes.
    async fn usable_image(
        &self,
        task: &HarborTask,
        folder: &Path,
    ) -> Result<(String, String), Fault> {
        let image = self.image_of(task, folder).await?;
        let TrialImage { user, volumes } = self.containers.image(&image).await?;
        match unkept(&image, &volumes) {
            Some(why) => Err(Fault::new(FaultKind::SandboxRefused, why)),
            None => Ok((image, user)),
        }
    }

    /// The reward of the tests in a fresh container of `work`, an image that was made from the
    /// environment. The inner Err says why there is no reward. A task with steps has no such tests.
    pub async fn reward_of(
        &self,
        task: &HarborTask,
        folder: &Path,
        work: &str,
        runtime: Option<&str>,
    ) -> Result<Result<f64, String>, Fault> {
        let [part] = task.steps.as_slice() else {
            return Ok(Err("each step of the task needs the work of its own end".to_owned()));
        };
        let (_, user) = self.usable_image(task, folder).await?;
        let proven = ProvenTask { task, folder, image: work.to_owned(), user };
        self.test(&proven, part, work, runtime).await
    }

    /// The reward of the tests over the environment itself, in which nothing was done. The inner Err is as
    /// for [`Self::reward_of`].
    pub async fn reward_of_nothing(
        &self,
        task: &HarborTask,
        folder: &Path,
        runtime: Option<&str>,
    ) -> Result<Result<f64, String>, Fault> {
        let (image, _) = self.usable_image(task, folder).await?;
        self.reward_of(task, folder, &image, runtime).await
    }

    /// The directory in which programs of the environment begin. None: only the image says it.
    pub fn begin_directory(task: &HarborTask, folder: &Path) -> io::Result<Option<String>> {
        match (&task.workdir, &task.image) {
            (Some(directory), _) => Ok(Some(directory.clone())),
            (None, HarborImage::Prebuilt(_)) => Ok(None),
            (None, HarborImage::Dockerfile(path)) => {
                std::fs::read_to_string(folder.join(path)).map(|text| workdir_of(&text))
            }
        }
    }

    /// The name of the image of the environment, whether it is there or not.
    pub fn image_name(task: &HarborTask, folder: &Path) -> io::Result<String> {
        match &task.image {
            HarborImage::Prebuilt(name) => Ok(name.clone()),
            HarborImage::Dockerfile(path) => Ok(recipe_of(&folder.join(path))?.reference()),
        }
    }

    /// The image of the environment, built if it is not there.
    async fn image_of(&self, task: &HarborTask, folder: &Path) -> Result<String, Fault> {
        let path = match &task.image {
            HarborImage::Prebuilt(name) => return Ok(name.clone()),
            HarborImage::Dockerfile(path) => folder.join(path),
        };
        let read = tokio::task::spawn_blocking(move || recipe_of(&path)).await;
        let read = read.unwrap_or_else(|failure| Err(io::Error::other(failure)));
        let recipe = read.map_err(|error| unread(&error))?;
        let reference = recipe.reference();
        if !self.images.has(&reference).await? {
            let log = self.logs.join(format!("{}.log", reference.replace(['/', ':'], "-")));
            self.build(&recipe, &log, task.build_timeout).await?;
        }
        Ok(reference)
    }

    /// Builds an image in its time. The engine ends a build whose client is gone.
    async fn build(&self, recipe: &ImageRecipe, log: &Path, time: Duration) -> Result<(), Fault> {
        let built = timeout(time, self.images.build(recipe, log, &|_: &str| {})).await;
        built.unwrap_or_else(|_| {
            let why = format!("the image is not built after {} seconds", time.as_secs_f64());
            Err(Fault::new(FaultKind::TaskSetup, why))
        })
    }

    /// Doing nothing must not have the whole reward in every step.
    async fn try_nothing(
        &self,
        proven: &ProvenTask<'_>,
        problems: &mut Vec<String>,
    ) -> Result<(), Fault> {
        for part in &proven.task.steps {
            match self.test(proven, part, &proven.image, None).await? {
                Ok(reward) if reward >= WHOLE => {}
                Ok(_) => return Ok(()),
                Err(why) => {
                    problems.push(format!("doing nothing{}: {why}", of_step(part)));
                    return Ok(());
                }
            }
        }
        problems.push("doing nothing has the whole reward".to_owned());
        Ok(())
    }

    /// The solution of each step must have the whole reward. `kept` has the images that it left.
    async fn try_solution(
        &self,
        proven: &ProvenTask<'_>,
        kept: &mut Vec<String>,
        problems: &mut Vec<String>,
    ) -> Result<(), Fault> {
        let mut image = proven.image.clone();
        for part in &proven.task.steps {
            let step = of_step(part);
            let Some(solution) = &part.solution else {
                problems.push(format!("there is no solution{step}"));
                return Ok(());
            };
            match self.solve(proven, part, solution, &image).await? {
                Some(next) => {
                    kept.push(next.clone());
                    image = next;
                }
                None => {
                    problems.push(format!("the solution{step} does not end in its time"));
                    return Ok(());
                }
            }
            match self.test(proven, part, &image, None).await? {
                Ok(reward) if reward >= WHOLE => {}
                Ok(reward) => problems.push(format!("the solution{step} has the reward {reward}")),
                Err(why) => problems.push(format!("the solution{step}: {why}")),
            }
        }
        Ok(())
    }

    /// Plays a solution and keeps what it has done. None: it did not end.
    async fn solve(
        &self,
        proven: &ProvenTask<'_>,
        part: &HarborPart,
        solution: &str,
        image: &str,
    ) -> Result<Option<String>, Fault> {
        let (directory, name) = ("solution", "solve.sh");
        let files = proven.files(part, &ScriptFile { directory, name, path: solution, more: "" });
        let script = playing(&proven.task.solution_variables);
        let run = TrialRun {
            image,
            user: Some(part.agent_user.as_deref().unwrap_or(&proven.user)),
            directory: proven.task.workdir.as_deref(),
            variables: listed(&proven.task.variables),
            script: &script,
            files: files.map_err(|error| unread(&error))?,
            fresh: &OF_SOLUTION,
            memory_bytes: proven.memory_bytes(),
            runtime: None,
            timeout: part.agent_timeout.unwrap_or(SOLUTION_TIME),
        };
        let ended = self.containers.run(&run).await?;
        let kept = match ended.exit_code {
            Some(_) => self.containers.keep(&ended).await.map(Some),
            None => Ok(None),
        };
        self.containers.remove(ended).await;
        kept
    }

    /// Runs the tests of a step in a fresh container of an image. The inner Err says why there is no
    /// reward.
    async fn test(
        &self,
        proven: &ProvenTask<'_>,
        part: &HarborPart,
        image: &str,
        runtime: Option<&str>,
    ) -> Result<Result<f64, String>, Fault> {
        let is_legacy = proven.task.format == terminal_folder::FORMAT;
        let more = if is_legacy { BY_EXIT_CODE } else { "" };
        let (directory, name) = ("tests", "test.sh");
        let files = proven.files(part, &ScriptFile { directory, name, path: &part.tests, more });
        // Those of the tests win.
        let mut all = proven.task.variables.clone();
        all.extend(proven.task.tests_variables.clone());
        let run = TrialRun {
            image,
            user: Some(part.tests_user.as_deref().unwrap_or(&proven.user)),
            directory: proven.task.workdir.as_deref(),
            variables: listed(&all),
            script: TEST,
            files: files.map_err(|error| unread(&error))?,
            fresh: &OF_TESTS,
            memory_bytes: proven.memory_bytes(),
            runtime,
            timeout: part.tests_timeout,
        };
        let ended = self.containers.run(&run).await?;
        let reward = self.reward(&ended).await;
        self.containers.remove(ended).await;
        reward
    }

    /// The reward that tests have written.
    async fn reward(&self, ended: &EndedTrial) -> Result<Result<f64, String>, Fault> {
        if ended.exit_code.is_none() {
            return Ok(Err("the tests did not end in their time".to_owned()));
        }
        let file = |name: &'static str| self.containers.file(ended, name);
        // A file of which only a part was read is larger than a reward may be.
        let json = file("/logs/verifier/reward.json").await?.map(|file| file.content);
        let text = file("/logs/verifier/reward.txt").await?.map(|file| file.content);
        let why = match TaskRewards::read(json.as_deref(), text.as_deref()) {
            Ok(rewards) => return Ok(Ok(rewards.main())),
            Err(why) => why,
        };
        let printed = file("/logs/verifier/test-stdout.txt").await?;
        Ok(Err(format!("{why}; {}", told(printed.as_ref()))))
    }
}

/// What the image of a Dockerfile is built from.
fn recipe_of(dockerfile: &Path) -> io::Result<ImageRecipe> {
    let read = DockerfileRecipe::read(IMAGE.to_owned(), dockerfile, None, BTreeMap::new(), None);
    read.map(ImageRecipe::Dockerfile)
}

impl ProvenTask<'_> {
    fn memory_bytes(&self) -> u64 {
        self.task.memory_mb.unwrap_or(PROVEN_MEMORY_MB).saturating_mul(1 << 20)
    }

    /// An archive of a directory of the container: the folder of that name of the task, over it that of
    /// the step, and the script, which can be run. `more` goes behind the script.
    fn files(&self, part: &HarborPart, script: &ScriptFile<'_>) -> io::Result<Vec<u8>> {
        let ScriptFile { directory, name, path, more } = script;
        let mut archive = tar::Builder::new(Vec::new());
        add_directory(&mut archive, "logs/verifier", 0o777)?;
        let of_step = part.name.as_ref().map(|step| self.folder.join("steps").join(step));
        for folder in [Some(self.folder.to_owned()), of_step].into_iter().flatten() {
            if folder.join(directory).is_dir() {
                archive.append_dir_all(directory, folder.join(directory))?;
            }
        }
        let mut text = std::fs::read(self.folder.join(path))?;
        text.extend_from_slice(more.as_bytes());
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o755);
        archive.append_data(&mut header, format!("{directory}/{name}"), text.as_slice())?;
        archive.into_inner()
    }
}

fn add_directory(archive: &mut tar::Builder<Vec<u8>>, path: &str, mode: u32) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Directory);
    header.set_size(0);
    header.set_mode(mode);
    archive.append_data(&mut header, path, io::empty())
}

/// Variables as a container takes them.
fn listed(variables: &BTreeMap<String, String>) -> Vec<String> {
    variables.iter().map(|(name, value)| format!("{name}={value}")).collect()
}

/// Plays the solution with its own variables. What it ends with does not matter: its work is judged. The
/// variables are not those of the container, because a kept image has these, and the tests would see them.
fn playing(variables: &BTreeMap<String, String>) -> String {
    let mut script = "mkdir -p /logs/agent 2>/dev/null; env".to_owned();
    for (name, value) in variables {
        script.push(' ');
        script.push_str(&quoted(&format!("{name}={value}")));
    }
    script + " /solution/solve.sh > /dev/null 2>&1; exit 0"
}

/// Why an image with these volumes cannot be judged by. None if what is written into them does not count:
/// those directories begin empty anyway.
pub(crate) fn unkept(image: &str, volumes: &[String]) -> Option<String> {
    let is_fresh = |path: &str| OF_SOLUTION.iter().chain(&OF_TESTS).any(|fresh| *fresh == path);
    let volumes = volumes.iter().map(|path| path.as_str());
    let lost: Vec<&str> = volumes.filter(|path| !is_fresh(path.trim_end_matches('/'))).collect();
    (!lost.is_empty()).then(|| {
        let lost = lost.join(", ");
        format!(
            "the image {image} has volumes ({lost}): what a solution leaves there is not kept, so it \
             cannot be judged; take VOLUME out of the image"
        )
    })
}

/// What the tests have printed, in words: the end of it, or the end of the part that was read.
fn told(printed: Option<&TrialFile>) -> String {
    let Some(TrialFile { content, is_whole }) = printed else {
        return "the tests have printed \"\"".to_owned();
    };
    let part = if *is_whole { "" } else { "much; the part that was read ends with " };
    let end = last_characters(&String::from_utf8_lossy(content));
    format!("the tests have printed {part}{end:?}")
}

/// ` of the step "name"`, or nothing.
fn of_step(part: &HarborPart) -> String {
    part.name.as_ref().map_or_else(String::new, |name| format!(" of the step {name:?}"))
}

fn last_characters(text: &str) -> String {
    let text = text.trim_end();
    let skip = text.chars().count().saturating_sub(QUOTED);
    text.chars().skip(skip).collect()
}

fn unread(error: &io::Error) -> Fault {
    Fault::new(FaultKind::TaskSetup, format!("read the task's files: {error}"))
}

#[cfg(test)]
mod tests {
    use super::{TrialFile, playing, told, unkept};
    use std::collections::BTreeMap;

    /// A kept container has nothing of its volumes.
    #[test]
    fn an_image_with_a_volume_is_refused_by_name() {
        let unkept = |paths: &[&str]| {
            let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
            unkept("some/image", &paths)
        };
        assert_eq!(unkept(&[]), None);
        assert_eq!(unkept(&["/logs/verifier", "/solution/", "/tests"]), None, "they begin empty");
        let told = unkept(&["/data", "/tests", "/tests/a"]).unwrap();
        assert!(told.contains("some/image has volumes (/data, /tests/a)"), "{told}");
    }

    #[test]
    fn a_part_of_what_was_printed_is_told_as_a_part() {
        let file = |is_whole| TrialFile { content: b"all is well\n".to_vec(), is_whole };
        assert_eq!(told(Some(&file(true))), "the tests have printed \"all is well\"");
        assert!(told(Some(&file(false))).contains("read ends with \"all is well\""));
        assert_eq!(told(None), "the tests have printed \"\"");
    }

    #[test]
    fn variables_of_a_solution_are_in_its_script_alone() {
        let variables = [("A", "1"), ("B", "a 'b'; exit")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let script = playing(&BTreeMap::from(variables));
        let expected =
            r"env 'A=1' 'B=a '\''b'\''; exit' /solution/solve.sh > /dev/null 2>&1; exit 0";
        assert_eq!(script, format!("mkdir -p /logs/agent 2>/dev/null; {expected}"));
    }
}
