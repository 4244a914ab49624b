//! Operations on the fake sandbox: its files by their paths, and terminals that run each line.
//!
//! `/work/a/b` is the file `a/b`; a path elsewhere is a file of its whole name. A directory is
//! there if a file is below it. A terminal shows `$ LINE` and the line's output, and ends with
//! the line `exit`.

use super::sandbox::FakeSandbox;
use crate::model::{
    DirectoryEntries, DirectoryEntry, DirectoryEntryKind, DirectoryRead, Fault, FileRead,
    FileWrite, OperationReport, OperationResult, RefusalKind, SandboxOperation, TerminalInput,
    TerminalOutput, WORKSPACE,
};
use crate::ports::Sandbox;
use std::collections::BTreeMap;
use std::time::Duration;

/// The name of a file by its path.
fn key(path: &str) -> &str {
    path.strip_prefix(WORKSPACE).map_or(path, |rest| rest.trim_start_matches('/'))
}

fn report(result: OperationResult) -> OperationReport {
    OperationReport { result, scan: None, duration: Duration::ZERO }
}

fn not_found() -> OperationReport {
    OperationReport::refused(RefusalKind::NotFound, "No such file or directory")
}

fn too_large() -> OperationReport {
    OperationReport::refused(RefusalKind::TooLarge, "File too large")
}

impl FakeSandbox {
    pub(super) async fn perform_operation(
        &mut self,
        operation: &SandboxOperation,
    ) -> Result<OperationReport, Fault> {
        Ok(match operation {
            SandboxOperation::Run(request) => OperationReport::ran(self.exec(request).await?),
            SandboxOperation::SendKeys(input) => {
                self.pass(&format!("keys {}", input.terminal)).await?;
                self.send_keys(input)
            }
            SandboxOperation::ReadFile(read) => {
                self.pass(&format!("read {}", read.path)).await?;
                self.read_file(read)
            }
            SandboxOperation::WriteFile(write) => {
                self.pass(&format!("write {}", write.path)).await?;
                self.write_file(write)
            }
            SandboxOperation::ListDirectory(list) => {
                self.pass(&format!("list {}", list.path)).await?;
                self.list_directory(list)
            }
        })
    }

    fn read_file(&self, read: &FileRead) -> OperationReport {
        match self.files.get(key(&read.path)) {
            Some(text) if text.len() as u64 > read.max_bytes => too_large(),
            Some(text) => report(OperationResult::File(text.clone().into_bytes())),
            None if self.is_directory(&read.path) => {
                OperationReport::refused(RefusalKind::IsDirectory, "Is a directory")
            }
            None => not_found(),
        }
    }

    fn write_file(&mut self, write: &FileWrite) -> OperationReport {
        if self.is_directory(&write.path) {
            return OperationReport::refused(RefusalKind::IsDirectory, "Is a directory");
        }
        if write.content.len() as u64 > FileRead::MAX_BYTES {
            return too_large();
        }
        if self.full {
            return OperationReport::refused(RefusalKind::Failed, "No space left on device");
        }
        let text = String::from_utf8_lossy(&write.content).into_owned();
        self.files.insert(key(&write.path).to_owned(), text);
        OperationReport { scan: Some(self.scan()), ..report(OperationResult::Written) }
    }

    fn is_directory(&self, path: &str) -> bool {
        key(path).is_empty() || self.below(path).next().is_some()
    }

    /// The files below a directory: their paths from there, and their sizes.
    fn below(&self, path: &str) -> impl Iterator<Item = (&str, u64)> {
        let key = key(path).trim_end_matches('/');
        let prefix = if key.is_empty() { String::new() } else { format!("{key}/") };
        self.files
            .iter()
            .filter_map(move |(file, text)| Some((file.strip_prefix(&prefix)?, text.len() as u64)))
    }

    fn list_directory(&self, list: &DirectoryRead) -> OperationReport {
        if !self.is_directory(&list.path) {
            let file = self.files.contains_key(key(&list.path));
            return match file {
                true => OperationReport::refused(RefusalKind::NotDirectory, "Not a directory"),
                false => not_found(),
            };
        }
        let mut found = BTreeMap::new();
        for (path, size) in self.below(&list.path) {
            let parts: Vec<&str> = path.split('/').collect();
            for depth in 1..=parts.len().min(list.depth as usize) {
                let whole = depth == parts.len();
                let entry = if whole {
                    (DirectoryEntryKind::File, size)
                } else {
                    (DirectoryEntryKind::Directory, 0)
                };
                found.insert(parts[..depth].join("/"), entry);
            }
        }
        let most = list.max_entries as usize;
        let left_out = found.len().saturating_sub(most) as u64;
        let entry = |(path, (kind, size))| DirectoryEntry { path, kind, size };
        let entries = found.into_iter().take(most).map(entry).collect();
        report(OperationResult::Listed(DirectoryEntries { entries, left_out }))
    }

    fn send_keys(&mut self, input: &TerminalInput) -> OperationReport {
        let keys = String::from_utf8_lossy(&input.keys).into_owned();
        let mut shown = TerminalOutput { alive: true, ..TerminalOutput::default() };
        for line in keys.split(['\n', '\r']).filter(|line| !line.is_empty()) {
            let (_, output) = self.run(line);
            shown.bytes.extend_from_slice(format!("$ {line}\r\n{output}").as_bytes());
            shown.alive &= line.split(' ').next() != Some("exit");
        }
        OperationReport { scan: Some(self.scan()), ..report(OperationResult::Shown(shown)) }
    }
}

#[cfg(test)]
mod tests {
    use crate::model::{
        DirectoryRead, FileRead, FileWrite, OperationResult, RefusalKind, SandboxOperation,
        SandboxSpec, TerminalInput,
    };
    use crate::ports::SandboxBackend;
    use crate::testkit::FakeBackend;
    use std::time::Duration;

    async fn results(operations: Vec<SandboxOperation>) -> Vec<OperationResult> {
        let mut sandbox = FakeBackend::default().create(&SandboxSpec::default()).await.unwrap();
        let mut results = Vec::new();
        for operation in operations {
            results.push(sandbox.perform(&operation).await.unwrap().result);
        }
        results
    }

    fn read(path: &str) -> SandboxOperation {
        SandboxOperation::ReadFile(FileRead { path: path.to_owned(), max_bytes: 4 })
    }

    fn write(path: &str, text: &str) -> SandboxOperation {
        let (path, content) = (path.to_owned(), text.as_bytes().to_vec());
        SandboxOperation::WriteFile(FileWrite { path, content })
    }

    fn refused(result: &OperationResult) -> Option<RefusalKind> {
        match result {
            OperationResult::Refused(refusal) => Some(refusal.kind),
            _ => None,
        }
    }

    #[tokio::test]
    async fn what_is_written_is_read_and_listed() {
        let (path, depth, max_entries) = ("/work".to_owned(), 2, 2);
        let list = SandboxOperation::ListDirectory(DirectoryRead { path, depth, max_entries });
        let files = vec![
            write("/work/a/b", "text"),
            write("/work/z", "longer"),
            read("/work/a/b"),
            list,
            read("/work/a"),
            read("/work/none"),
            read("/work/z"),
        ];
        let results = results(files).await;
        assert_eq!(results[2], OperationResult::File(b"text".to_vec()));
        let OperationResult::Listed(listed) = &results[3] else { panic!("{:?}", results[3]) };
        let paths: Vec<&str> = listed.entries.iter().map(|entry| entry.path.as_str()).collect();
        assert_eq!((paths, listed.left_out), (vec!["a", "a/b"], 1));
        let kinds: Vec<_> = results[4..].iter().map(refused).collect();
        let expected = [RefusalKind::IsDirectory, RefusalKind::NotFound, RefusalKind::TooLarge];
        assert_eq!(kinds, expected.map(Some));
    }

    #[tokio::test]
    async fn a_terminal_runs_each_line_until_it_ends() {
        let keys = |keys: &str| {
            SandboxOperation::SendKeys(TerminalInput {
                terminal: "main".to_owned(),
                keys: keys.as_bytes().to_vec(),
                size: (80, 24),
                quiet: Duration::from_millis(1),
                timeout: Duration::from_secs(1),
            })
        };
        for (typed, text, alive) in
            [("echo hi\n", "$ echo hi\r\nhi\n", true), ("exit 0\n", "$ exit 0\r\n", false)]
        {
            let shown = results(vec![keys(typed)]).await.remove(0);
            let OperationResult::Shown(shown) = shown else { panic!("{shown:?}") };
            assert_eq!((shown.bytes.as_slice(), shown.alive), (text.as_bytes(), alive));
        }
    }
}
