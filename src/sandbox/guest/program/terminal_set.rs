//! The terminals of the agent by their names.

use crate::agent_terminal::AgentTerminal;
use crate::launch;
use crate::operation_refusal::GuestRefusal;
use crate::shell_session::ShellSession;
use crate::spawn::CommandSpawner;
use crate::sys::{self, PollFd};
use crate::terminal_input::KeysRequest;
use crate::terminal_pair::TerminalPair;
use crate::wire::refusal;

/// Terminals at once.
const MAX_TERMINALS: usize = 4;

/// All terminals. One whose shell has died stays until its end is told.
#[derive(Default)]
pub struct TerminalSet(Vec<AgentTerminal>);

impl TerminalSet {
    /// Opens the terminal of a request and gives it its size. If there is none, its shell is
    /// started, in the directory and with the environment of the shell session.
    pub fn open(
        &mut self,
        request: &KeysRequest,
        session: &ShellSession,
        spawner: &mut CommandSpawner,
    ) -> Result<(), GuestRefusal> {
        let (columns, rows) = request.size;
        if let Some(known) = self.get(&request.name) {
            known.resize(columns, rows);
            return Ok(());
        }
        if self.0.len() >= MAX_TERMINALS {
            // Those that have ended make room.
            self.0.retain(|known| known.alive);
        }
        if self.0.len() >= MAX_TERMINALS {
            return Err(GuestRefusal::new(refusal::FAILED, "Four terminals are open already"));
        }
        let pair = TerminalPair::open()?;
        sys::resize_terminal(&pair.master, columns, rows)?;
        let shell = launch::start_terminal(request, session, &pair.slave, spawner)?;
        self.0.push(AgentTerminal::new(&request.name, pair.master, shell));
        Ok(())
    }

    /// The terminal of a name.
    pub fn get(&mut self, name: &[u8]) -> Option<&mut AgentTerminal> {
        self.0.iter_mut().find(|known| known.name == name)
    }

    /// Forgets a terminal whose end was told. This hangs up on what still uses it.
    pub fn forget_dead(&mut self, name: &[u8]) {
        self.0.retain(|known| known.alive || known.name != name);
    }

    /// Forgets all terminals.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// What to wait for.
    pub fn watch(&self) -> impl Iterator<Item = PollFd> {
        self.0.iter().map(AgentTerminal::watch)
    }

    /// Serves every terminal.
    pub fn attend(&mut self, buffer: &mut [u8]) {
        self.0.iter_mut().for_each(|terminal| terminal.attend(buffer));
    }

    /// Notes a process that has died.
    pub fn note(&mut self, pid: i32) {
        self.0.iter_mut().for_each(|terminal| terminal.note(pid));
    }

    /// Notes that every process was killed.
    pub fn note_killed(&mut self) {
        self.0.iter_mut().for_each(|terminal| terminal.alive = false);
    }
}
