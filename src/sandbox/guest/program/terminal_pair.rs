//! A new pseudo-terminal: its two ends. Every sandbox has terminals of its own.

use crate::files::{O_NOCTTY, O_NONBLOCK};
use crate::sys;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;

/// The two ends of a terminal.
pub struct TerminalPair {
    /// The guest's end: what is written here is typed, and what is read was shown. It does not
    /// block.
    pub master: File,
    /// The programs' end.
    pub slave: File,
}

impl TerminalPair {
    /// Opens a terminal. It fails where programs hold all that the sandbox may have.
    pub fn open() -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).custom_flags(O_NOCTTY | O_NONBLOCK);
        let master = options.open("/dev/ptmx")?;
        sys::unlock_terminal(&master)?;
        let path = format!("/dev/pts/{}", sys::terminal_number(&master)?);
        // Programs get this end as it is, so it must block.
        let slave = options.custom_flags(O_NOCTTY).open(path)?;
        Ok(Self { master, slave })
    }
}
