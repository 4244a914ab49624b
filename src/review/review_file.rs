//! The file of a review. It is made whole under another name and then gets its own. Afterwards lines are
//! only added, each synced to the disk, under a lock (`flock`) that is held for one line. Whoever adds a
//! line reads those of others before, so several reviewers can work at once.
//!
//! A process that died while it wrote leaves a torn last line. It was never confirmed to anybody, so
//! readers ignore it and say so, and the next writer removes it.

use crate::durable::{create_dir, sync_dir};
use crate::error::{Code, Error, Result};
use nix::poll::poll;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use synthd_actors::review::{ReviewBook, ReviewFault, ReviewHead, ReviewItem, ReviewRecord};

/// The directory of reviews below a data directory.
const REVIEWS: &str = "reviews";
/// The largest file that is read.
const LARGEST: u64 = 1 << 30;
/// The longest name of a review.
const LONGEST_NAME: usize = 64;
/// How often a lock is tried, and how many milliseconds lie between. It is held for one line only.
const TRIES: u32 = 100;
const BETWEEN_MS: u16 = 50;

/// A review on the disk.
#[derive(Debug)]
pub struct ReviewFile {
    path: PathBuf,
    name: String,
    file: File,
    book: ReviewBook,
    /// Where the last whole line ends.
    end: u64,
    /// How many bytes of a torn line stand behind it.
    torn: u64,
}

/// Makes the file of a new review. Fails if the name is taken.
pub fn create_review(
    data_dir: &Path,
    head: &ReviewHead,
    items: Vec<ReviewItem>,
) -> Result<PathBuf> {
    let path = path_of(data_dir, &head.name)?;
    let dir = data_dir.join(REVIEWS);
    let unmade = |error: io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            unusable(&head.name, "it is there already").hint("take another name for the new review")
        }
        _ => unwritten(&head.name, &path, error),
    };
    create_dir(&dir, 0o700).map_err(unmade)?;
    let draft = dir.join(format!(".{}.tmp-{}", head.name, std::process::id()));
    let made = write_new(&draft, head, items).and_then(|()| fs::hard_link(&draft, &path));
    // The draft is removed in any case; an error of the link says more than one of this.
    fs::remove_file(&draft).ok();
    made.and_then(|()| sync_dir(&dir)).map_err(unmade)?;
    Ok(path)
}

fn write_new(draft: &Path, head: &ReviewHead, items: Vec<ReviewItem>) -> io::Result<()> {
    let mut text = line_of(&ReviewRecord::Review(head.clone()))?;
    for item in items {
        text.extend(line_of(&ReviewRecord::Item(item))?);
    }
    let mut file = File::create(draft)?;
    file.write_all(&text)?;
    file.sync_all()
}

/// The names of the reviews of a data directory, in their order.
pub fn review_names(data_dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(data_dir.join(REVIEWS)).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let names = names.filter_map(|name| name.strip_suffix(".jsonl").map(str::to_owned));
    let mut names: Vec<String> = names.filter(|name| is_name(name)).collect();
    names.sort();
    names
}

impl ReviewFile {
    /// Opens a review to read it and to add to it.
    pub fn open(data_dir: &Path, name: &str) -> Result<Self> {
        let path = path_of(data_dir, name)?;
        let file = OpenOptions::new().read(true).append(true).open(&path);
        let mut file = file.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => unknown(data_dir, name),
            _ => unwritten(name, &path, error),
        })?;
        let length = file.metadata().map_err(|error| unwritten(name, &path, error))?.len();
        if length > LARGEST {
            let what = format!("it has {length} bytes, and {LARGEST} are allowed");
            return Err(unusable(name, &what).hint("this is no file that synthd has written"));
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(|error| unwritten(name, &path, error))?;
        let whole = whole_lines(&bytes);
        let (book, torn) = (book_of(name, &bytes[..whole])?, bytes.len() - whole);
        let file =
            Self { path, name: name.to_owned(), file, book, end: wide(whole), torn: wide(torn) };
        file.tell_torn();
        Ok(file)
    }

    pub fn book(&self) -> &ReviewBook {
        &self.book
    }

    /// How many bytes of a torn last line were ignored.
    pub fn torn(&self) -> u64 {
        self.torn
    }

    fn tell_torn(&self) {
        if self.torn > 0 {
            let (path, bytes) = (self.path.display(), self.torn);
            tracing::warn!(%path, bytes, "the last line of the review is torn and is ignored");
        }
    }

    /// Reads what others have added since.
    pub fn refresh(&mut self) -> Result<()> {
        let failed = |error| unwritten(&self.name, &self.path, error);
        self.file.seek(SeekFrom::Start(self.end)).map_err(failed)?;
        let mut bytes = Vec::new();
        (&self.file).take(LARGEST).read_to_end(&mut bytes).map_err(failed)?;
        let whole = whole_lines(&bytes);
        for line in lines(&bytes[..whole]) {
            let record = parsed(&self.name, line)?;
            self.book.apply(record).map_err(|fault| damaged(&self.name, &fault.to_string()))?;
        }
        self.end += wide(whole);
        self.torn = wide(bytes.len() - whole);
        Ok(())
    }

    /// Adds the records that `make` makes of the newest state. All of them are on the disk afterwards, or
    /// none follows from the state and nothing is written.
    pub fn add(
        &mut self,
        make: impl FnOnce(&ReviewBook) -> std::result::Result<Vec<ReviewRecord>, ReviewFault>,
    ) -> Result<()> {
        self.lock()?;
        let added = self.add_locked(make);
        // Closing the file unlocks as well, so an error here costs nothing.
        self.file.unlock().ok();
        added
    }

    fn add_locked(
        &mut self,
        make: impl FnOnce(&ReviewBook) -> std::result::Result<Vec<ReviewRecord>, ReviewFault>,
    ) -> Result<()> {
        self.refresh()?;
        let refused = |fault: ReviewFault| {
            unusable(&self.name, &fault.to_string())
                .hint(format!("`synthd review stats {}` shows how far it is", self.name))
        };
        let records = make(&self.book).map_err(refused)?;
        let (mut next, mut text) = (self.book.clone(), Vec::new());
        for record in records {
            let line = line_of(&record);
            text.extend(line.map_err(|error| unwritten(&self.name, &self.path, error))?);
            next.apply(record).map_err(refused)?;
        }
        self.write(&text).map_err(|error| unwritten(&self.name, &self.path, error))?;
        self.end += wide(text.len());
        self.torn = 0;
        self.book = next;
        Ok(())
    }

    /// Removes a torn line and writes behind the last whole one. A write that fails leaves at most a torn
    /// line.
    fn write(&self, text: &[u8]) -> io::Result<()> {
        if self.torn > 0 {
            self.file.set_len(self.end)?;
        }
        (&self.file).write_all(text)?;
        self.file.sync_all()
    }

    /// Waits a few seconds for another writer.
    fn lock(&self) -> Result<()> {
        for _ in 0..TRIES {
            match self.file.try_lock() {
                Ok(()) => return Ok(()),
                Err(TryLockError::Error(error)) => {
                    return Err(unwritten(&self.name, &self.path, error));
                }
                // A signal only ends the wait early.
                Err(TryLockError::WouldBlock) => {
                    poll(&mut [], BETWEEN_MS).ok();
                }
            }
        }
        Err(unusable(&self.name, "another process has locked it")
            .hint("look for a `synthd review` that hangs, and end it"))
    }
}

/// Reads all lines.
fn book_of(name: &str, bytes: &[u8]) -> Result<ReviewBook> {
    let mut lines = lines(bytes);
    let first = lines.next().ok_or_else(|| damaged(name, "it is empty"))?;
    let wrong = |fault: ReviewFault| damaged(name, &fault.to_string());
    let mut book = ReviewBook::begin(parsed(name, first)?).map_err(wrong)?;
    for (at, line) in lines.enumerate() {
        let wrong = |fault: ReviewFault| damaged(name, &format!("line {}: {fault}", at + 2));
        book.apply(parsed(name, line)?).map_err(wrong)?;
    }
    book.whole().map_err(wrong)?;
    if book.head().name != name {
        return Err(damaged(name, "it states another name"));
    }
    Ok(book)
}

/// The length of all whole lines.
fn whole_lines(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1)
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

fn parsed(name: &str, line: &[u8]) -> Result<ReviewRecord> {
    serde_json::from_slice(line)
        .map_err(|error| damaged(name, "a line is no record").with_source(error))
}

/// A record as a line.
fn line_of(record: &ReviewRecord) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(record)?;
    line.push(b'\n');
    Ok(line)
}

/// The path of a review.
fn path_of(data_dir: &Path, name: &str) -> Result<PathBuf> {
    if !is_name(name) {
        let what = format!("{name:?} is no name of a review");
        return Err(Error::new(Code::ReviewUnusable, what).hint(
            "use up to 64 small letters, digits, `-` and `_`, and begin with a letter or digit",
        ));
    }
    Ok(data_dir.join(REVIEWS).join(format!("{name}.jsonl")))
}

fn is_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    name.bytes().next().is_some_and(is_plain)
        && name.len() <= LONGEST_NAME
        && name.bytes().all(|byte| is_plain(byte) || b"-_".contains(&byte))
}

fn unusable(name: &str, why: &str) -> Error {
    Error::new(Code::ReviewUnusable, format!("the review {name} cannot be used: {why}"))
}

fn damaged(name: &str, why: &str) -> Error {
    unusable(name, &format!("it is damaged: {why}"))
        .hint("take the file from a backup, or remove the line if it is the last one")
}

fn unwritten(name: &str, path: &Path, error: io::Error) -> Error {
    unusable(name, &format!("{} cannot be read or written", path.display()))
        .with_source(error)
        .hint("look at the permissions and the space of the disk")
}

fn unknown(data_dir: &Path, name: &str) -> Error {
    let hint = match review_names(data_dir).as_slice() {
        [] => "this data directory has no review; `synthd review create` makes one".to_owned(),
        names => format!("this data directory has {}", names.join(", ")),
    };
    unusable(name, "there is none").hint(hint)
}

fn wide(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
