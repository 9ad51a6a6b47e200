//! What the session must be asked, in order, and what an answer is for.

use super::typed::Typed;
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
    /// Bytes for the serial port and keys, with the next advance of the run.
    Type(Typed),
    /// Ask something that moves or changes the machine.
    Move(Request),
    /// Ask something that only reads, or changes the server but not the machine.
    Read(Purpose, Request),
    /// Connect again.
    Reconnect,
}

/// What an answer is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The profile.
    Profile,
    /// The state, because time has passed and another client may have moved the machine.
    Watch,
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
    /// Memory from this address on.
    Memory(u64),
    /// The descriptor table that is shown.
    Descriptors,
    /// The TLB of this CPU.
    Tlb(protocol::CpuId),
    /// What the tables say about a page that the TLB holds.
    TlbWalk,
    /// The firmware's variables.
    Firmware,
    /// The guest's screen.
    Screen,
    /// Why this has its value.
    Why(super::why::Target),
    /// The list of breakpoints.
    Breakpoints,
    /// The removal of this breakpoint.
    Cleared(u32),
    /// The gdb socket.
    Gdb,
    /// The window drives again.
    TakeOver,
    /// The lesson's player, by its ticket.
    Lesson(lessons::player::orders::Ticket),
    /// Events around an edit or an undo, which end what was known of the future.
    Events {
        /// They are complete up to here.
        to: protocol::Position,
    },
}

impl Outbox {
    /// Adds an order.
    pub fn push(&mut self, order: Order) {
        self.orders.push(order);
    }

    /// Asks something that only reads.
    pub fn read(&mut self, purpose: Purpose, request: Request) {
        self.orders.push(Order::Read(purpose, request));
    }

    /// Takes all orders out.
    pub fn take(&mut self) -> Vec<Order> {
        std::mem::take(&mut self.orders)
    }
}
