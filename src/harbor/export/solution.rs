//! `solution/`: the oracle's moves as a script that plays them.

use super::{ExportRefusal, FolderWriter, is_submission, quoted};
use synthd_actors::model::{MoveAction, ScriptedMove};

/// What plays one move.
const PLAYER: &str = include_str!("moves.sh");

/// Writes the script and the moves below `directory`, which ends with a slash.
pub(super) fn write(
    moves: &[ScriptedMove],
    directory: &str,
    folder: &mut FolderWriter,
) -> Result<(), ExportRefusal> {
    let mut script = "#!/bin/sh\n. \"$(dirname \"$0\")/moves.sh\"\n".to_owned();
    for (at, step) in moves.iter().filter(|step| !is_submission(step)).enumerate() {
        let number = format!("{:03}", at + 1);
        let mut keep = |ending: &str, content: &str| {
            folder.file(&format!("{directory}moves/{number}.{ending}"), content, 0o644);
        };
        match &step.action {
            MoveAction::Run(command) => {
                keep("sh", &format!("{command}\n"));
                script.push_str(&format!("run {number}.sh\n"));
            }
            MoveAction::Edit { path, search, replace } => {
                keep("old", search);
                keep("new", replace);
                let path = plain(path)?;
                script.push_str(&format!("edit {path} {number}.old {number}.new\n"));
            }
            MoveAction::Write { path, content } => {
                keep("txt", content);
                script.push_str(&format!("put {} {number}.txt\n", plain(path)?));
            }
            MoveAction::Submit => {}
        }
    }
    script.push_str("exit 0\n");
    folder.file(&format!("{directory}solve.sh"), &script, 0o755);
    folder.file(&format!("{directory}moves.sh"), PLAYER, 0o644);
    Ok(())
}

/// A path as a word of the script.
fn plain(path: &str) -> Result<String, ExportRefusal> {
    match path.chars().any(char::is_control) {
        true => Err(ExportRefusal::new(format!("its solution has the odd path {path:?}"))),
        false => Ok(quoted(path)),
    }
}
