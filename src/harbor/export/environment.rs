//! `environment/`: the image of a task. It has the programs, the users of both sides of the judge, and
//! the workspace with its files, prepared.

use super::package_names::package_of;
use super::{ExportRefusal, ExportSettings, FolderWriter, quoted};
use std::collections::{BTreeMap, BTreeSet};
use synthd_actors::model::{FileSpec, Task};

/// The image that a Dockerfile begins with, unless another one is named.
const DEBIAN: &str = "debian:bookworm-slim";
/// What every image has: the shell of the sandboxes, and what the judge and the oracle run.
const ALWAYS: [&str; 2] = ["bash", "python3"];
/// The users: the agent's, who owns the workspace, and that of the checks.
const USERS: &str = "\
RUN printf '%s\\n' 'agent:x:1000:1000::/home/agent:/bin/sh' \\
        'judge:x:1001:1001::/home/judge:/bin/sh' >> /etc/passwd \\
    && printf '%s\\n' 'agent:x:1000:' 'judge:x:1001:' >> /etc/group \\
    && mkdir -p /work /home/agent /home/judge \\
    && chown 1000:1000 /work /home/agent \\
    && chown 1001:1001 /home/judge && chmod 0700 /home/judge
ENV LANG=C.UTF-8 TZ=UTC
WORKDIR /work
";
/// Where the commands lie that prepare the workspace, while the image is built.
const SETUP: &str = "/opt/synthd-setup";
/// The usual mode of a file.
const PLAIN: u32 = 0o644;

/// Writes the Dockerfile and what it copies.
pub(super) fn write(
    task: &Task,
    settings: &ExportSettings,
    folder: &mut FolderWriter,
) -> Result<(), ExportRefusal> {
    let mut text = first_lines(task, settings)?;
    text.push_str(USERS);
    if !task.files.is_empty() {
        text.push_str("COPY --chown=1000:1000 work/ /work/\n");
    }
    for file in &task.files {
        refuse_odd(&file.path)?;
        folder.file(&format!("environment/work/{}", file.path), &file.content, file.mode);
    }
    text.push_str(&modes(&task.files));
    text.push_str(&setup(task, folder));
    folder.text("environment/Dockerfile", text);
    Ok(())
}

/// The image that has the programs.
fn first_lines(task: &Task, settings: &ExportSettings) -> Result<String, ExportRefusal> {
    if let Some(image) = &settings.image {
        return Ok(format!("FROM {image}\nUSER 0:0\n"));
    }
    let mut packages: BTreeSet<&str> = ALWAYS.into();
    for program in &task.requires {
        let package = package_of(program).ok_or_else(|| {
            let what = format!("no package of Debian is known for the program {program:?}");
            ExportRefusal::new(format!("{what}; name an image that has it with --image"))
        })?;
        packages.extend(package.split(' '));
    }
    let packages = packages.into_iter().collect::<Vec<_>>().join(" ");
    Ok(format!(
        "FROM {DEBIAN}\n\
         RUN apt-get update \\\n    \
         && apt-get install -y --no-install-recommends {packages} \\\n    \
         && rm -rf /var/lib/apt/lists/*\n"
    ))
}

/// Refuses a path that a line of a Dockerfile could not have.
fn refuse_odd(path: &str) -> Result<(), ExportRefusal> {
    let is_odd = path.contains('\\') || path.chars().any(char::is_control);
    match is_odd {
        true => Err(ExportRefusal::new(format!("a Dockerfile cannot name its file {path:?}"))),
        false => Ok(()),
    }
}

/// Lines that give files their modes. What carries a folder may lose them.
fn modes(files: &[FileSpec]) -> String {
    let mut by_mode: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for file in files.iter().filter(|file| file.mode != PLAIN) {
        by_mode.entry(file.mode).or_default().push(quoted(&file.path));
    }
    let line = |(mode, paths): (u32, Vec<String>)| {
        format!("RUN chmod {mode:04o} -- {}\n", paths.join(" "))
    };
    by_mode.into_iter().map(line).collect()
}

/// Lines that prepare the workspace as the agent's user. Each command has a shell of its own.
fn setup(task: &Task, folder: &mut FolderWriter) -> String {
    if task.setup.is_empty() {
        return String::new();
    }
    let mut text = format!("COPY setup/ {SETUP}/\nUSER 1000:1000\n");
    for (at, command) in task.setup.iter().enumerate() {
        let name = format!("{:03}.sh", at + 1);
        folder.file(&format!("environment/setup/{name}"), &format!("{command}\n"), PLAIN);
        text.push_str(&format!(
            "RUN if [ -x /bin/bash ]; then bash {SETUP}/{name}; else sh {SETUP}/{name}; fi\n"
        ));
    }
    text.push_str(&format!("USER 0:0\nRUN rm -rf {SETUP}\n"));
    text
}
