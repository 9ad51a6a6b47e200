//! What the window knows, as plain data: no egui, no threads. Views read it, [`crate::command::apply`] and
//! [`Model::absorb`] change it.

pub mod breakpoints;
pub mod code;
pub mod connection;
pub mod console;
pub mod control_bits;
pub mod cpus;
pub mod diff;
pub mod input;
pub mod lanes;
pub mod narrator;
pub mod outbox;
pub mod page_tables;
pub mod registers;
pub mod settings;
pub mod symbols;
pub mod timeline;

use breakpoints::Breakpoints;
use code::Code;
use connection::Connection;
use console::Console;
use cpus::Cpus;
use diff::Diff;
use lanes::Lanes;
use narrator::Narrator;
use outbox::Outbox;
use page_tables::PageTables;
use settings::Settings;
use symbols::Symbols;
use timeline::Timeline;

/// Everything that views draw.
#[derive(Debug, Default)]
pub struct Model {
    /// Who answers, and whether.
    pub connection: Connection,
    /// The machine's configuration and the window's few switches.
    pub settings: Settings,
    /// The CPUs as they stand, and which is selected.
    pub cpus: Cpus,
    /// What changed since the previous stop.
    pub diff: Diff,
    /// Position, clock, events, where the user has been.
    pub timeline: Timeline,
    /// The lanes in story time.
    pub lanes: Lanes,
    /// The sentence about the last stop.
    pub narrator: Narrator,
    /// Instructions around the selected CPU's next one.
    pub code: Code,
    /// Trees and walks.
    pub page_tables: PageTables,
    /// What a run stops at.
    pub breakpoints: Breakpoints,
    /// Names.
    pub symbols: Symbols,
    /// The guest's serial console.
    pub console: Console,
    /// What a command could not do and why, until dismissed. Not errors of the guest: those are events.
    pub notice: Option<String>,
    /// What the session must be asked; it empties this.
    pub outbox: Outbox,
}
