//! Which entries may have changed, as the kernel's events of their directories tell it.
//!
//! Events name a directory and a name in it. So they miss one thing: a file that is written under
//! another name, where that name is gone again. `ln f g; echo x > g; rm g` changes `f`, and no event
//! names `f`. A new name of a file looks like a new file. So a new name that goes away again ends
//! the trust in the events, and so does every change of the directories themselves.

use crate::inotify::{
    ATTRIB, CREATE, DELETE, DirectoryEvent, IGNORED, IS_DIRECTORY, MOVED_FROM, MOVED_TO, OVERFLOW,
    UNMOUNT,
};
use std::collections::{BTreeSet, HashMap, HashSet};

/// Events after which nobody knows what else has happened.
const LOST: u32 = OVERFLOW | UNMOUNT | IGNORED;
/// Events of names. They change the directory too.
const NAMES: u32 = CREATE | DELETE | MOVED_FROM | MOVED_TO;

/// The entries that events have named so far.
#[derive(Default)]
pub struct WrittenPaths {
    /// Paths below the workspace to be looked at again.
    again: BTreeSet<Vec<u8>>,
    /// Paths at which there may be a file that is new, or that has got a new name.
    fresh: HashSet<Vec<u8>>,
    /// Renames of which only the first event has come, and whether the old path was fresh.
    moving: HashMap<u32, bool>,
}

impl WrittenPaths {
    /// Takes the next event. `prefix` is the path of its directory with a slash at the end, empty for
    /// the workspace. None: the events do not tell everything.
    pub fn note(&mut self, prefix: &[u8], event: &DirectoryEvent<'_>) -> Option<()> {
        let of_directory = event.what & IS_DIRECTORY != 0 && event.what & (NAMES | ATTRIB) != 0;
        if event.what & LOST != 0 || of_directory {
            return None;
        }
        if event.name.is_empty() {
            // The watch of the directory above names it too. Nobody reports the workspace itself.
            return Some(());
        }
        let path = [prefix, event.name].concat();
        if event.what & NAMES != 0 {
            if let Some(directory) = prefix.strip_suffix(b"/") {
                self.again.insert(directory.to_vec());
            }
            self.follow(&path, event)?;
        }
        self.again.insert(path);
        Some(())
    }

    /// Follows the fresh files through their names. A path stays fresh, also if the file has moved
    /// on: an exchange of two files looks like two renames.
    fn follow(&mut self, path: &[u8], event: &DirectoryEvent<'_>) -> Option<()> {
        let fresh = self.fresh.contains(path);
        if fresh && event.what & (DELETE | MOVED_TO) != 0 {
            return None;
        }
        let comes = if event.what & MOVED_FROM != 0 {
            self.moving.insert(event.rename, fresh);
            false
        } else if event.what & MOVED_TO != 0 {
            self.moving.remove(&event.rename)?
        } else {
            event.what & CREATE != 0
        };
        if comes {
            self.fresh.insert(path.to_vec());
        }
        Some(())
    }

    /// The paths to be looked at again. None: a file has moved to where nobody watches.
    pub fn finish(self) -> Option<BTreeSet<Vec<u8>>> {
        self.moving.is_empty().then_some(self.again)
    }
}
