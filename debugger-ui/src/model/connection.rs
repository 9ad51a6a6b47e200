//! Who answers at the other end, what it can tell, and whether it still does.

use protocol::request::Hello;

/// The state of the connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Link {
    /// Not yet there.
    #[default]
    Connecting,
    /// Stopped, ready for commands.
    Ready,
    /// Running.
    Running {
        /// Towards the past.
        back: bool,
        /// A run, which ends when something happens; not a step, which ends at once.
        long: bool,
    },
    /// The connection ended or never came about. Reconnect is offered.
    Lost {
        /// What happened and what to do, in words.
        why: String,
    },
    /// The machine's own thread ended with a panic. Restart is offered.
    Crashed {
        /// The panic's message.
        message: String,
    },
}

/// What the server offers. A server that is not ours offers less, and views show the rest as not available.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Offers {
    /// Firstlight's vendor packets: everything.
    pub vendor: bool,
    /// Step back.
    pub reverse_step: bool,
    /// Run back.
    pub reverse_continue: bool,
    /// Activity, mode and hidden segment parts of each CPU are told, not worked out or unknown.
    pub hidden_state: bool,
    /// Control registers and EFER are told.
    pub control_registers: bool,
    /// Events, console and positions are told.
    pub story: bool,
    /// It is not ours, but code and memory can be read from it.
    pub reads: bool,
    /// It is not ours, but page tables can be read from it.
    pub tables: bool,
    /// What is different with a server that is not ours, in words.
    pub foreign: Option<Foreign>,
}

impl Offers {
    /// Code and memory can be shown.
    pub fn reads_memory(&self) -> bool {
        self.vendor || self.reads
    }

    /// Page tables can be shown.
    pub fn reads_tables(&self) -> bool {
        self.vendor || self.tables
    }

    /// Hidden parts of segments and descriptor-table registers are known.
    pub fn tells_hidden(&self) -> bool {
        self.vendor || self.hidden_state
    }
}

/// What a server that is not ours does not tell, and how the rest comes about: sentences for the panels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Foreign {
    /// Modes, segments, activities.
    pub cpus: String,
    /// Memory and page tables.
    pub memory: String,
    /// The guest's console.
    pub console: String,
}

/// The gdb socket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GdbSocket {
    /// Where it listens, None: closed.
    pub listening: Option<String>,
    /// A gdb is attached and drives; the window observes.
    pub attached: bool,
}

/// The connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Connection {
    /// Its state.
    pub link: Link,
    /// The other end in words: "the machine in this window", "localhost:1234".
    pub target: String,
    /// What it offers.
    pub offers: Offers,
    /// Who it says it is.
    pub hello: Option<Hello>,
    /// The gdb socket.
    pub gdb: GdbSocket,
    /// The image on disk is not the one that runs: Reload is offered.
    pub image_changed: bool,
}

impl Connection {
    /// Commands can be given.
    pub fn ready(&self) -> bool {
        self.link == Link::Ready
    }

    /// A run is on that may last: steps are not taken, Pause is.
    pub fn long_run(&self) -> bool {
        matches!(self.link, Link::Running { long: true, .. })
    }

    /// The machine runs now, be it for a step.
    pub fn running(&self) -> bool {
        matches!(self.link, Link::Running { .. })
    }

    /// The line to paste into gdb, while the socket is open.
    pub fn gdb_line(&self) -> Option<String> {
        self.gdb.listening.as_ref().map(|at| format!("target remote {at}"))
    }
}
