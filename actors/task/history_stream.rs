//! Writes a history as `git fast-import` reads it. Authors, dates and texts come from the seed alone, so
//! that every git makes the same objects of it, with the same hashes.

use super::draw::TaskRng;
use crate::model::FileSpec;

/// The file of the workspace with the history. The command that imports it takes it away.
pub(super) const HISTORY: &str = "history";
/// The command that makes the repository. No hooks and no settings of the host get into it.
pub(super) const IMPORT: &str = "git init -q --template= -b main && git fast-import --quiet < history && \
     rm history && git reset -q --hard";
/// The branch that is checked out.
pub(super) const MAIN: &str = "main";

/// Who writes commits. Three of them work at a project.
const PEOPLE: [&str; 9] =
    ["ines", "jonas", "marek", "lotte", "pavel", "aiko", "ruth", "tomas", "nadia"];
/// How many people write the commits of one history.
const AUTHORS: usize = 3;
/// 2021-01-01 00:00 UTC, in seconds since 1970.
const FIRST_DAY: i64 = 1_609_459_200;
/// The seconds of a day.
const DAY: i64 = 86_400;
/// The first commit is made within so many days after the first one.
const FIRST_DAYS: i64 = 900;

/// A history that is being written. Commits follow each other in time, whatever their branch.
pub(super) struct HistoryStream {
    text: String,
    rng: TaskRng,
    authors: Vec<&'static str>,
    /// The time of the last commit, in seconds since 1970.
    now: i64,
}

impl HistoryStream {
    pub(super) fn new(mut rng: TaskRng) -> Self {
        let mut people = PEOPLE.to_vec();
        let authors = (0..AUTHORS).map(|_| people.swap_remove(rng.index(people.len()))).collect();
        let now = FIRST_DAY + rng.between(0, FIRST_DAYS) * DAY;
        Self { text: String::new(), rng, authors, now }
    }

    /// A commit on a branch, with the files that it writes.
    pub(super) fn commit(&mut self, branch: &str, message: &str, files: &[FileSpec]) {
        self.now += self.rng.between(1_200, DAY);
        let author = self.authors.get(self.rng.index(AUTHORS)).copied().unwrap_or_default();
        let who = format!("{author} <{author}@example.net> {} +0000", self.now);
        let head = format!("commit refs/heads/{branch}\nauthor {who}\ncommitter {who}\n");
        self.text.push_str(&head);
        self.data(&format!("{message}\n"));
        for file in files {
            let mode = if file.mode & 0o100 == 0 { "100644" } else { "100755" };
            self.text.push_str(&format!("M {mode} inline {}\n", quoted_path(&file.path)));
            self.data(&file.content);
        }
        self.text.push('\n');
    }

    /// A tag at the tip of a branch.
    pub(super) fn tag(&mut self, name: &str, branch: &str) {
        self.text.push_str(&format!("reset refs/tags/{name}\nfrom refs/heads/{branch}\n\n"));
    }

    /// A new branch at the tip of another one.
    pub(super) fn branch(&mut self, name: &str, from: &str) {
        self.text.push_str(&format!("reset refs/heads/{name}\nfrom refs/heads/{from}\n\n"));
    }

    /// The whole text.
    pub(super) fn text(self) -> String {
        self.text
    }

    /// Bytes with their number before them.
    fn data(&mut self, content: &str) {
        self.text.push_str(&format!("data {}\n{content}\n", content.len()));
    }
}

/// A path as the stream has it, whatever is in it.
fn quoted_path(path: &str) -> String {
    let escaped = path.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::draw;

    fn stream() -> HistoryStream {
        HistoryStream::new(draw::derived_rng(&draw::key(1, "unit/test", 0), "history"))
    }

    #[test]
    fn a_commit_counts_bytes_and_quotes_paths() {
        let mut stream = stream();
        let file = FileSpec { path: "a \"b\"".into(), content: "é\n".into(), mode: 0o755 };
        stream.commit(MAIN, "First", &[file]);
        stream.tag("v1", MAIN);
        stream.branch("side", MAIN);
        let text = stream.text();
        assert!(text.starts_with("commit refs/heads/main\nauthor "), "{text}");
        assert!(text.contains("\ndata 6\nFirst\n\n"), "{text}");
        assert!(text.contains("M 100755 inline \"a \\\"b\\\"\"\ndata 3\né\n\n"), "{text}");
        let points = "reset refs/tags/v1\nfrom refs/heads/main\n\n\
             reset refs/heads/side\nfrom refs/heads/main\n\n";
        assert!(text.ends_with(points), "{text}");
    }

    #[test]
    fn the_same_seed_has_the_same_people_and_times() {
        let written = || {
            let mut stream = stream();
            (0..20).for_each(|_| stream.commit(MAIN, "More", &[]));
            stream.text()
        };
        let text = written();
        assert_eq!(text, written());
        let times: Vec<i64> = text
            .lines()
            .filter_map(|line| line.strip_prefix("committer ")?.split(' ').nth(2)?.parse().ok())
            .collect();
        assert_eq!(times.len(), 20);
        assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "{times:?}");
    }
}
