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
