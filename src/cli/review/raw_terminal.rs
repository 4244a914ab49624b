//! Single keys from a terminal. While it is used, keys come without Enter and are not shown. Signals that
//! would end the process are taken as keys, so the terminal is as it was before in any case: the guard
//! puts it back when it is dropped.

use crate::error::{Code, Error, Result};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use nix::sys::signalfd::SignalFd;
use nix::sys::termios::{
    LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcgetattr, tcsetattr,
};
use nix::unistd::read;
use std::io::{self, Stdin};
use std::os::fd::AsFd;

/// Signals that end a process.
const ENDING: [Signal; 4] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT];
const ESCAPE: u8 = 0x1b;
/// What switches a special character of a terminal off.
const DISABLED: u8 = 0;

/// What came from the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TerminalKey {
    Byte(u8),
    /// The terminal is gone.
    End,
    /// Somebody ends the process.
    Interrupted,
}

/// The terminal of stdin, without line editing.
pub(super) struct RawTerminal {
    stdin: Stdin,
    before: Termios,
    mask: SigSet,
    signals: SignalFd,
}

impl RawTerminal {
    /// Takes the terminal.
    pub(super) fn begin() -> Result<Self> {
        let stdin = io::stdin();
        let before = tcgetattr(&stdin).map_err(failed)?;
        let ending: SigSet = ENDING.into_iter().collect();
        let signals = SignalFd::new(&ending).map_err(failed)?;
        let mask = ending.thread_swap_mask(SigmaskHow::SIG_BLOCK).map_err(failed)?;
        let terminal = Self { stdin, before, mask, signals };
        let mut raw = terminal.before.clone();
        raw.local_flags.remove(LocalFlags::ICANON | LocalFlags::ECHO);
        raw.control_chars[SpecialCharacterIndices::VMIN as usize] = 1;
        raw.control_chars[SpecialCharacterIndices::VTIME as usize] = 0;
        // A stopped process would leave the terminal as it is now.
        raw.control_chars[SpecialCharacterIndices::VSUSP as usize] = DISABLED;
        tcsetattr(&terminal.stdin, SetArg::TCSANOW, &raw).map_err(failed)?;
        Ok(terminal)
    }

    /// Waits for a key. Keys that send several bytes, such as arrows, are passed over.
    pub(super) fn key(&self) -> Result<TerminalKey> {
        loop {
            let Some(key) = self.poll(PollTimeout::NONE)? else { continue };
            if key != TerminalKey::Byte(ESCAPE) {
                return Ok(key);
            }
            if let Some(other) = self.pass_sequence()? {
                return Ok(other);
            }
        }
    }

    /// Passes over what belongs to an escape: `[` up to a letter or `~`, `O` and one more, or one byte. It is
    /// there already. Returns what is no byte.
    fn pass_sequence(&self) -> Result<Option<TerminalKey>> {
        let mut first = None;
        while let Some(key) = self.poll(PollTimeout::ZERO)? {
            let TerminalKey::Byte(byte) = key else { return Ok(Some(key)) };
            let ends = match first.replace(byte) {
                None => !matches!(byte, b'[' | b'O'),
                Some(b'O') => true,
                Some(_) => {
                    first = Some(b'[');
                    (0x40..=0x7e).contains(&byte)
                }
            };
            if ends {
                break;
            }
        }
        Ok(None)
    }

    /// A byte or a signal. None if nothing came in time.
    fn poll(&self, timeout: PollTimeout) -> Result<Option<TerminalKey>> {
        let readable = |fd| PollFd::new(fd, PollFlags::POLLIN);
        let mut watched = [readable(self.stdin.as_fd()), readable(self.signals.as_fd())];
        match poll(&mut watched, timeout) {
            Err(Errno::EINTR) => return Ok(None),
            polled => polled.map_err(failed)?,
        };
        let [input, signal] =
            watched.map(|one| one.revents().is_some_and(|found| !found.is_empty()));
        if signal {
            self.signals.read_signal().map_err(failed)?;
            return Ok(Some(TerminalKey::Interrupted));
        }
        if !input {
            return Ok(None);
        }
        let mut byte = [0];
        match read(&self.stdin, &mut byte) {
            Ok(1) => Ok(Some(TerminalKey::Byte(byte[0]))),
            // A terminal whose other end is closed gives an error.
            Ok(_) | Err(Errno::EIO) => Ok(Some(TerminalKey::End)),
            Err(Errno::EINTR | Errno::EAGAIN) => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        if let Err(error) = tcsetattr(&self.stdin, SetArg::TCSANOW, &self.before) {
            tracing::warn!(%error, "the terminal was not put back; `stty sane` does it");
        }
        if let Err(error) = self.mask.thread_set_mask() {
            tracing::warn!(%error, "the signals were not put back");
        }
    }
}

fn failed(error: Errno) -> Error {
    Error::new(Code::Io, "keys cannot be read from the terminal")
        .with_source(error)
        .hint("without a terminal, `synthd review next NAME --json` and `synthd review label` do the same")
}
