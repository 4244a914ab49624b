//! The high-water mark: a small file (`synthd.db-mark`) beside the database. It records the level
//! of the store at the last sync. A store that is behind its mark has lost records, for example
//! because somebody put back an older copy of the database.
//!
//! ```text
//! cell 0:   the store's id, its epoch, the newest keys, how many cells there are, was it closed
//! cell N:   the sum of the campaign with key N
//! a cell:   two slots, written in turn; each with a generation and a checksum
//! ```
//!
//! The writer first syncs the log of the database, and then writes the mark in place. So the mark
//! never records more than the disk has. Holds, settlements and barriers are answered after that:
//! after a kill of the process, the mark records every one that was answered. Other entries are
//! answered after their commit, so the mark may lack those of the last second. The mark itself is
//! synced within a second, and when the store is closed.
//!
//! The order of the writes inside the file matters too, because a power cut keeps some of the
//! writes since the last sync, in any order. A new cell is synced before the head (cell 0) counts
//! it. So every cell that the head counts is readable, and a cell that the head does not count may
//! be missing or torn.
//!
//! `check`, `verify` and `restore` read a mark. The writer thread moves it ([`MarkFile`]), and
//! `restore` replaces it.

use crate::durable::sync_dir;
use crate::store::error::StoreError;
use crate::store::integrity::level::{LedgerSum, NewestKeys, StoreId, StoreLevel};
use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The size of a slot in bytes: one half of a cell. Layout of every slot, numbers in little-endian:
///
/// ```text
/// 0..8      the magic bytes
/// 8..16     the generation of the slot
/// 16..224   the data, see `head` and `sum`
/// 224..256  the checksum: SHA-256 of the cell's index and of the bytes before
/// ```
const SLOT: usize = 256;
/// The size of a cell in bytes. Cell N begins at N times this size.
const CELL: usize = 2 * SLOT;
/// The first bytes of every slot that was written. The last one is the version of the format.
const MAGIC: &[u8; 8] = b"SYNDmrk1";
/// Where the checksum of a slot begins.
const SUM_AT: usize = SLOT - 32;
/// Where the head records how many cells the file has at least.
const CELLS_AT: usize = 88;
/// The most bytes of a campaign's name that a slot keeps. A longer name is cut.
const NAME: usize = 128;

/// The bytes of one slot.
type MarkSlot = [u8; SLOT];

/// The path of the mark file in a data directory.
pub(in crate::store) fn path(dir: &Path) -> PathBuf {
    dir.join("synthd.db-mark")
}

/// The size and the modification time of the database file when the store was closed. A later write
/// to the file changes its modification time, so an equal stamp is taken to mean that the file is
/// as it was. Damage of the disk, and a modification time that somebody set back, do not show here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::store) struct DatabaseStamp {
    /// In bytes.
    length: u64,
    /// Nanoseconds since 1970, UTC.
    modified_ns: i64,
}

impl DatabaseStamp {
    /// The stamp of the database file as it is now.
    pub(in crate::store) fn of(database: &Path) -> io::Result<Self> {
        let meta = database.metadata()?;
        let modified_ns = meta.mtime().wrapping_mul(1_000_000_000).wrapping_add(meta.mtime_nsec());
        Ok(Self { length: meta.len(), modified_ns })
    }
}

/// The content of a mark file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::store) struct HighWaterMark {
    /// The level of the store at the last sync. The default level means that nothing was recorded
    /// yet.
    pub(in crate::store) level: StoreLevel,
    /// The stamp of the database when the store was closed. None while a writer has the store open,
    /// after a writer that was killed or whose last sync failed, and after a restore.
    pub(in crate::store) closed: Option<DatabaseStamp>,
    /// The newest generation of each cell. Zero for a cell that was never written.
    generations: Vec<u64>,
}

impl HighWaterMark {
    /// Reads the mark of a data directory. None if there is no file. An empty file gives the
    /// default mark. Fails if the file is damaged.
    pub(in crate::store) fn read(dir: &Path) -> Result<Option<Self>, StoreError> {
        match std::fs::read(path(dir)) {
            Ok(bytes) => Self::parse(&bytes).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Parses the bytes of a mark file. Damage is an error, except in cells that the head does not
    /// count.
    fn parse(bytes: &[u8]) -> Result<Self, StoreError> {
        let (mut mark, mut counted) = (Self::default(), usize::MAX);
        for (index, cell) in bytes.chunks(CELL).enumerate() {
            let newest = match newest(index, cell) {
                // The first write of this cell was cut off before the head counted the cell.
                Err(_) if index >= counted => None,
                newest => newest?,
            };
            mark.generations.push(newest.map_or(0, |slot| generation(&slot)));
            match newest {
                None if index == 0 => return Err(damaged("its head is empty")),
                None => {}
                Some(slot) if index == 0 => {
                    mark.take_head(&slot);
                    counted = cells(&slot)?;
                    if counted > bytes.len() / CELL {
                        return Err(damaged("it is cut"));
                    }
                }
                Some(slot) => {
                    let sum = sum_of(&slot)?;
                    mark.level.campaigns.insert(index as i64, sum);
                }
            }
        }
        Ok(mark)
    }

    /// Takes the data of the head out of its slot. [`head`] has the layout.
    fn take_head(&mut self, slot: &MarkSlot) {
        let mut store = StoreId::default();
        store.copy_from_slice(&slot[16..32]);
        self.level.store = store;
        self.level.epoch = number(slot, 32);
        self.level.keys = NewestKeys {
            attempts: number(slot, 40),
            steps: number(slot, 48),
            calls: number(slot, 56),
        };
        let closed = DatabaseStamp {
            length: number(slot, 72).unsigned_abs(),
            modified_ns: number(slot, 80),
        };
        self.closed = (slot[64] == 1).then_some(closed);
    }
}

/// The error for a mark that cannot be read.
fn damaged(what: &str) -> StoreError {
    StoreError::unreadable(format!("the mark synthd.db-mark is damaged: {what}"))
}

/// The newer one of the sound slots of a cell. If the last write was torn, this is the slot before
/// it. None if the cell was never written. Fails if no slot is sound.
fn newest(index: usize, cell: &[u8]) -> Result<Option<MarkSlot>, StoreError> {
    let slots: Vec<MarkSlot> = cell.chunks(SLOT).map(padded).collect();
    let sound = slots.iter().filter(|slot| is_sound(index, slot));
    if let Some(newest) = sound.max_by_key(|slot| generation(slot)) {
        return Ok(Some(*newest));
    }
    match slots.iter().all(|slot| slot.iter().all(|byte| *byte == 0)) {
        true => Ok(None),
        false => Err(damaged("a checksum does not fit")),
    }
}

/// A slot from its bytes. A slot that is cut at the end of the file is filled with zeros.
fn padded(bytes: &[u8]) -> MarkSlot {
    let mut slot = [0; SLOT];
    slot[..bytes.len()].copy_from_slice(bytes);
    slot
}

/// Whether a slot was written completely and for this cell.
fn is_sound(index: usize, slot: &MarkSlot) -> bool {
    slot[..8] == *MAGIC && slot[SUM_AT..] == checksum(index, slot)
}

/// The checksum of a slot. It includes the cell's index, so that a slot in the wrong place is
/// found.
fn checksum(index: usize, slot: &MarkSlot) -> [u8; 32] {
    let mut digest = Sha256::new();
    digest.update((index as u64).to_le_bytes());
    digest.update(&slot[..SUM_AT]);
    digest.finalize().into()
}

/// The number at a place in a slot.
fn number(slot: &MarkSlot, at: usize) -> i64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&slot[at..at + 8]);
    i64::from_le_bytes(bytes)
}

/// How many cells the head counts. A negative number is damage.
fn cells(head: &MarkSlot) -> Result<usize, StoreError> {
    usize::try_from(number(head, CELLS_AT)).map_err(|_| damaged("it counts less than no cell"))
}

/// The generation of a slot. Each write to a cell has a generation that is greater by one.
fn generation(slot: &MarkSlot) -> u64 {
    number(slot, 8).unsigned_abs()
}

/// The campaign's sum in a slot. [`sum`] has the layout.
fn sum_of(slot: &MarkSlot) -> Result<LedgerSum, StoreError> {
    let name = slot.get(33..33 + usize::from(slot[32])).unwrap_or_default();
    let name = String::from_utf8(name.to_vec()).map_err(|_| damaged("a name is no text"))?;
    Ok(LedgerSum { name, moves: number(slot, 16), spent: number(slot, 24) })
}

/// Writes a number into a slot.
fn put(slot: &mut MarkSlot, at: usize, number: i64) {
    slot[at..at + 8].copy_from_slice(&number.to_le_bytes());
}

/// A slot with the head of a mark. Magic bytes, generation, count of cells and checksum come later.
///
/// ```text
/// 16..32  the store's id        32  the epoch
/// 40 48 56  newest key of attempts, steps and calls
/// 64  1 if the store was closed   72  length of the database   80  its modification time
/// 88  how many cells there are at least
/// ```
fn head(level: &StoreLevel, closed: Option<DatabaseStamp>) -> MarkSlot {
    let mut slot = [0; SLOT];
    slot[16..32].copy_from_slice(&level.store);
    put(&mut slot, 32, level.epoch);
    put(&mut slot, 40, level.keys.attempts);
    put(&mut slot, 48, level.keys.steps);
    put(&mut slot, 56, level.keys.calls);
    if let Some(DatabaseStamp { length, modified_ns }) = closed {
        slot[64] = 1;
        put(&mut slot, 72, i64::try_from(length).unwrap_or(i64::MAX));
        put(&mut slot, 80, modified_ns);
    }
    slot
}

/// A slot with the sum of a campaign. A name that is too long is cut between two characters.
///
/// ```text
/// 16  how often the sum has changed   24  the sum in nano-dollars
/// 32  length of the name in bytes     33..  the name
/// ```
fn sum(sum: &LedgerSum) -> MarkSlot {
    let mut slot = [0; SLOT];
    put(&mut slot, 16, sum.moves);
    put(&mut slot, 24, sum.spent);
    let ends = sum.name.char_indices().map(|(at, letter)| at + letter.len_utf8());
    let end = ends.take_while(|end| *end <= NAME).last().unwrap_or(0);
    let name = &sum.name.as_bytes()[..end];
    slot[32] = name.len() as u8;
    slot[33..33 + name.len()].copy_from_slice(name);
    slot
}

/// An open mark file. Only a process that has locked the data directory may have one.
#[derive(Debug)]
pub(in crate::store) struct MarkFile {
    file: File,
    /// The content that was last written.
    mark: HighWaterMark,
    /// What was done to the file, for tests of a power cut.
    #[cfg(test)]
    done: std::cell::RefCell<Vec<tests::Done>>,
}

impl MarkFile {
    /// Creates an empty mark file if there is none, and syncs the directory. It runs before the
    /// schema gives the store an id, so that a store with an id always has a mark.
    pub(in crate::store) fn ensure(dir: &Path) -> io::Result<()> {
        open(dir, true)?;
        sync_dir(dir)
    }

    /// Opens the mark and moves it to `level`, on the disk. The mark then says that the store is
    /// open. Everything in `level` must be on the disk already.
    pub(in crate::store) fn begin(dir: &Path, level: StoreLevel) -> Result<Self, StoreError> {
        let mark = HighWaterMark::read(dir)?.unwrap_or_default();
        let mut opened = Self::of(open(dir, true)?, mark);
        opened.mark.closed = None;
        let (sums, known) = (level.campaigns, std::mem::take(&mut opened.mark.level.campaigns));
        opened.mark.level = StoreLevel { campaigns: known, ..level };
        // The head comes before the sums. If the process is killed in between, the mark is behind
        // the store, which is harmless. A mark with sums and without a head would be damaged.
        opened.put_head()?;
        for (key, sum) in sums {
            opened.put_sum(key, sum)?;
        }
        opened.sync()?;
        // The head again, because it must count the cells that are on the disk now.
        opened.put_head()?;
        opened.sync()?;
        Ok(opened)
    }

    /// A mark file with the content that is known to be in it.
    fn of(file: File, mark: HighWaterMark) -> Self {
        Self {
            file,
            mark,
            #[cfg(test)]
            done: Default::default(),
        }
    }

    /// Puts a new mark in the place of any mark that was there. It is written under another name,
    /// synced and renamed, so a kill leaves the old mark or the new one.
    pub(in crate::store) fn replace(dir: &Path, level: &StoreLevel) -> Result<(), StoreError> {
        let spare = dir.join("synthd.db-mark-new");
        std::fs::remove_file(&spare).or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => Ok(()),
            _ => Err(error),
        })?;
        let mut new = Self::of(open_at(&spare, true)?, HighWaterMark::default());
        new.mark.level = StoreLevel { campaigns: Default::default(), ..level.clone() };
        for (key, sum) in &level.campaigns {
            new.put_sum(*key, sum.clone())?;
        }
        new.put_head()?;
        new.file.sync_all()?;
        std::fs::rename(&spare, path(dir))?;
        Ok(sync_dir(dir)?)
    }

    /// Moves the mark. Everything it is moved to must be on the disk already. `sums` are the sums
    /// of the campaigns whose money has changed since the mark was last moved.
    pub(in crate::store) fn advance(
        &mut self,
        keys: NewestKeys,
        sums: Vec<(i64, LedgerSum)>,
    ) -> Result<(), StoreError> {
        let cells = self.mark.generations.len();
        for (key, sum) in sums {
            self.put_sum(key, sum)?;
        }
        // A cell must be on the disk before a head that counts it.
        let is_longer = cells != self.mark.generations.len();
        if is_longer {
            self.sync()?;
        }
        if keys != self.mark.level.keys || is_longer {
            self.mark.level.keys = keys;
            self.put_head()?;
        }
        Ok(())
    }

    /// Syncs the file to the disk.
    pub(in crate::store) fn sync(&self) -> io::Result<()> {
        self.file.sync_all()?;
        #[cfg(test)]
        self.done.borrow_mut().push(tests::Done::Synced);
        Ok(())
    }

    /// Records that the store was closed and that the database file contains all of it.
    pub(in crate::store) fn close(mut self, database: &Path) -> Result<(), StoreError> {
        self.mark.closed = Some(DatabaseStamp::of(database)?);
        self.put_head()?;
        Ok(self.sync()?)
    }

    /// Writes the head. It counts all cells that were written so far.
    fn put_head(&mut self) -> io::Result<()> {
        let mut slot = head(&self.mark.level, self.mark.closed);
        put(&mut slot, CELLS_AT, self.mark.generations.len().max(1) as i64);
        self.put(0, slot)
    }

    /// Writes the sum of the campaign with row key `key`, unless the mark has this sum already.
    fn put_sum(&mut self, key: i64, new: LedgerSum) -> Result<(), StoreError> {
        if self.mark.level.campaigns.get(&key) == Some(&new) {
            return Ok(());
        }
        let cell = usize::try_from(key).map_err(|_| StoreError::refused("a key below zero"))?;
        self.put(cell, sum(&new))?;
        self.mark.level.campaigns.insert(key, new);
        Ok(())
    }

    /// Writes a slot of a cell, with its generation and checksum. It goes over the older one of the
    /// two slots, so the newest slot stays readable if this write is torn.
    fn put(&mut self, cell: usize, mut slot: MarkSlot) -> io::Result<()> {
        let known = self.mark.generations.get(cell).copied().unwrap_or(0);
        let generation = known + 1;
        slot[..8].copy_from_slice(MAGIC);
        put(&mut slot, 8, i64::try_from(generation).unwrap_or(i64::MAX));
        let sum = checksum(cell, &slot);
        slot[SUM_AT..].copy_from_slice(&sum);
        let at = cell * CELL + (generation % 2) as usize * SLOT;
        self.file.write_all_at(&slot, at as u64)?;
        #[cfg(test)]
        self.done.borrow_mut().push(tests::Done::Wrote(at, Box::new(slot)));
        if self.mark.generations.len() <= cell {
            self.mark.generations.resize(cell + 1, 0);
        }
        self.mark.generations[cell] = generation;
        Ok(())
    }
}

/// Opens the mark of a data directory for reading and writing.
fn open(dir: &Path, create: bool) -> io::Result<File> {
    open_at(&path(dir), create)
}

/// Opens a file without truncating it. A new file can be read by its owner only.
fn open_at(path: &Path, create: bool) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(create).truncate(false).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What is done to the file of a mark.
    #[derive(Clone, Debug)]
    pub(super) enum Done {
        Wrote(usize, Box<MarkSlot>),
        Synced,
    }

    fn write(bytes: &mut Vec<u8>, at: usize, slot: &[u8]) {
        bytes.resize(bytes.len().max(at + slot.len()), 0);
        bytes[at..at + slot.len()].copy_from_slice(slot);
    }

    /// The file after a power cut: what was synced, and those of the later writes that `kept`
    /// has a bit for. The last write that is kept may be torn.
    fn after_a_cut(done: &[Done], kept: u32, is_torn: bool) -> Vec<u8> {
        let synced = done.iter().rposition(|done| matches!(done, Done::Synced));
        let (synced, loose) = done.split_at(synced.map_or(0, |at| at + 1));
        let mut bytes = Vec::new();
        for done in synced {
            if let Done::Wrote(at, slot) = done {
                write(&mut bytes, *at, &slot[..]);
            }
        }
        let kept = loose.iter().enumerate().filter(|(index, _)| kept & (1 << index) != 0);
        let mut kept = kept.peekable();
        while let Some((_, done)) = kept.next() {
            let Done::Wrote(at, slot) = done else { continue };
            match is_torn && kept.peek().is_none() {
                true => write(&mut bytes, *at, &slot[..100]),
                false => write(&mut bytes, *at, &slot[..]),
            }
        }
        bytes
    }

    /// Whatever the disk has of what was not synced, a mark that was written once is read, and
    /// says something that it once said.
    #[test]
    fn a_power_cut_after_a_new_cell_leaves_a_mark_that_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let first = level(&[(1, 10)]);
        let mut open = MarkFile::begin(dir.path(), first.clone()).unwrap();
        let begun = open.done.borrow().len();
        let then =
            [level(&[(2, 20)]), level(&[(2, 20), (1, 5)]), level(&[(3, 30), (1, 5), (1, 7)])];
        for level in &then {
            open.advance(level.keys, level.campaigns.clone().into_iter().collect()).unwrap();
        }
        let done = open.done.borrow().clone();
        let said = |key: &i64, sum: &LedgerSum| {
            [&first].into_iter().chain(&then).any(|level| level.campaigns.get(key) == Some(sum))
        };
        for until in begun..=done.len() {
            for kept in 0..64 {
                for is_torn in [false, true] {
                    let bytes = after_a_cut(&done[..until], kept, is_torn);
                    let mark = HighWaterMark::parse(&bytes);
                    let mark = mark.unwrap_or_else(|e| panic!("{until} {kept:b} {is_torn}: {e}"));
                    assert!(mark.level.campaigns.iter().all(|(key, sum)| said(key, sum)));
                    assert!(mark.level.campaigns.contains_key(&1), "{until} {kept:b}");
                }
            }
        }
    }

    fn level(moves: &[(i64, i64)]) -> StoreLevel {
        let sums = moves.iter().enumerate().map(|(index, (moves, spent))| {
            let key = index as i64 + 1;
            (key, LedgerSum { name: format!("c{key}"), moves: *moves, spent: *spent })
        });
        let keys = NewestKeys { attempts: 1, steps: moves.len() as i64, calls: 3 };
        StoreLevel { store: [7; 16], epoch: 2, keys, campaigns: sums.collect() }
    }

    fn moves() -> impl Strategy<Value = Vec<(i64, i64)>> {
        proptest::collection::vec((0i64..9, 0i64..9), 0..4)
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(first in moves(), then in moves()) {
            let dir = tempfile::tempdir().unwrap();
            drop(MarkFile::begin(dir.path(), level(&first)).unwrap());
            let mut open = MarkFile::begin(dir.path(), level(&first)).unwrap();
            let new = level(&then);
            open.advance(new.keys, new.campaigns.clone().into_iter().collect()).unwrap();
            let mut expected = StoreLevel { keys: new.keys, ..level(&first) };
            expected.campaigns.extend(new.campaigns);
            prop_assert_eq!(&HighWaterMark::read(dir.path()).unwrap().unwrap().level, &expected);
            MarkFile::replace(dir.path(), &level(&first)).unwrap();
            prop_assert_eq!(HighWaterMark::read(dir.path()).unwrap().unwrap().level, level(&first));
        }

        /// However one slot is damaged, the mark is refused or says what it once said.
        #[test]
        fn a_damaged_slot_is_never_believed(at in any::<proptest::sample::Index>(), bit in 0u8..8) {
            let dir = tempfile::tempdir().unwrap();
            let all: Vec<StoreLevel> = (1..4).map(|n| level(&[(n, n * 10)])).collect();
            let mut open = MarkFile::begin(dir.path(), all[0].clone()).unwrap();
            for level in &all[1..] {
                open.advance(level.keys, level.campaigns.clone().into_iter().collect()).unwrap();
            }
            let mut bytes = std::fs::read(path(dir.path())).unwrap();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            if let Ok(mark) = HighWaterMark::parse(&bytes) {
                prop_assert!(all.contains(&mark.level), "{mark:?}");
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            drop(HighWaterMark::parse(&bytes));
        }
    }

    #[test]
    fn a_store_that_was_closed_is_told_by_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("db");
        std::fs::write(&file, "whole").unwrap();
        MarkFile::begin(dir.path(), StoreLevel::default()).unwrap().close(&file).unwrap();
        let closed = || HighWaterMark::read(dir.path()).unwrap().unwrap().closed;
        assert_eq!(closed(), Some(DatabaseStamp::of(&file).unwrap()));
        std::fs::write(&file, "changed").unwrap();
        assert_ne!(closed(), Some(DatabaseStamp::of(&file).unwrap()));
        drop(MarkFile::begin(dir.path(), StoreLevel::default()).unwrap());
        assert_eq!(closed(), None);
    }

    #[test]
    fn an_empty_file_says_nothing_and_a_cut_one_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(HighWaterMark::read(dir.path()).unwrap(), None);
        MarkFile::ensure(dir.path()).unwrap();
        assert_eq!(HighWaterMark::read(dir.path()).unwrap(), Some(HighWaterMark::default()));
        drop(MarkFile::begin(dir.path(), level(&[(1, 1)])).unwrap());
        let bytes = std::fs::read(path(dir.path())).unwrap();
        for length in [100, 300, 512, 700] {
            assert!(HighWaterMark::parse(&bytes[..length]).is_err(), "{length}");
        }
    }

    /// A store that was upgraded and killed at once has a mark that lags, and is not refused.
    #[test]
    fn the_head_is_written_before_any_sum_and_after_it() {
        let dir = tempfile::tempdir().unwrap();
        MarkFile::ensure(dir.path()).unwrap();
        drop(MarkFile::begin(dir.path(), level(&[(1, 1), (2, 2)])).unwrap());
        let bytes = std::fs::read(path(dir.path())).unwrap();
        assert_eq!(HighWaterMark::parse(&bytes).unwrap().generations, [2, 1, 1]);
        // As it was after the first write: the first generation is in the second slot.
        let mut first = bytes[..CELL].to_vec();
        first[..SLOT].fill(0);
        let killed = HighWaterMark::parse(&first).unwrap();
        assert_eq!(
            killed.level,
            StoreLevel { campaigns: Default::default(), ..level(&[(1, 1), (2, 2)]) }
        );
    }
}
