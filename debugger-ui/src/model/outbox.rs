//! What the session must be asked, in order, and what an answer is for.

use protocol::request::{Advance, Request};

/// Orders for the session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outbox {
    /// Oldest first.
    pub orders: Vec<Order>,
}

/// One order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Run: as many advances as it takes until it stops for another reason than its budget, or is cancelled.
    Run(Advance),
    /// Stop running: send no further advance.
    Cancel,
    /// Bytes for the serial port, with the next advance.
    Type(Vec<u8>),
    /// Ask something that moves or changes the machine.
    Move(Request),
    /// Ask something that only reads.
    Read(Purpose, Request),
    /// Connect again.
    Reconnect,
}

/// What an answer is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The profile.
    Profile,
    /// The value of blob base n.
    BlobBase(usize),
    /// The value of root n.
    Root(usize),
    /// The code panel.
    Code,
    /// The tree in view n.
    Tree(usize),
    /// The walk in view n.
    Walk(usize),
    /// The list of breakpoints, or a change of it.
    Breakpoints,
    /// The gdb socket.
    Gdb,
    /// Events that the last stop did not carry.
    Events,
}
