//! What the window knows, as plain data: no egui, no threads. Views read it, [`crate::command::apply`] and
//! [`Model::absorb`] change it.

pub mod bookmarks;
pub mod breakpoints;
pub mod code;
pub mod connection;
pub mod console;
pub mod control_bits;
pub mod cpus;
pub mod descriptors;
pub mod diff;
pub mod event_rows;
pub(crate) mod follow_up;
pub mod glossary;
pub mod inbox;
pub mod input;
pub mod lanes;
pub mod lesson;
pub mod memory;
pub mod narrator;
pub mod outbox;
pub mod page_tables;
pub mod registers;
pub mod scan_codes;
pub mod screen;
pub mod settings;
pub mod symbols;
pub mod timeline;
pub mod tlb;
pub mod typed;
pub mod why;

use crate::command::Command;
use bookmarks::Bookmarks;
use breakpoints::Breakpoints;
use code::Code;
use connection::Connection;
use console::Console;
use cpus::Cpus;
use descriptors::Descriptors;
use diff::Diff;
use lanes::Lanes;
use lesson::Lessons;
use memory::Memory;
use narrator::Narrator;
use outbox::{Order, Outbox};
use page_tables::PageTables;
use protocol::request::{Advance, Direction};
use protocol::{CpuId, Position};
use screen::Screen;
use settings::Settings;
use std::collections::VecDeque;
use symbols::Symbols;
use timeline::Timeline;
use tlb::Tlb;
use why::Why;

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
    /// Bytes.
    pub memory: Memory,
    /// GDT and IDT.
    pub descriptors: Descriptors,
    /// The selected CPU's TLB.
    pub tlb: Tlb,
    /// What a run stops at.
    pub breakpoints: Breakpoints,
    /// Named positions.
    pub bookmarks: Bookmarks,
    /// The last question for a cause.
    pub why: Why,
    /// Names.
    pub symbols: Symbols,
    /// The guest's serial console.
    pub console: Console,
    /// The guest's screen.
    pub screen: Screen,
    /// The lesson that is open, if one is.
    pub lessons: Lessons,
    /// What a command could not do and why, until dismissed. Not errors of the guest: those are events.
    pub notice: Option<String>,
    /// What the session must be asked; it empties this.
    pub outbox: Outbox,
    /// What the machine was last asked to do, until it stops.
    pub(crate) asked: Option<Asked>,
    /// The change of the past that is under way takes one back.
    pub(crate) undoing: bool,
    /// Keys struck while a step was under way: carried out one by one when it has ended.
    pub(crate) deferred: VecDeque<Command>,
}

/// What the machine was asked to do, for the sentence about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// Where it stood.
    pub from: Position,
    /// Which CPU shall move; None: the machine.
    pub cpu: Option<CpuId>,
    /// Which way.
    pub direction: Direction,
    /// The instruction that the CPU whose turn it was was about to execute, in words, where it is known.
    pub instruction: Option<(CpuId, String)>,
    /// Steps that each CPU had made.
    pub steps: Vec<u64>,
    /// In which way.
    pub how: How,
}

/// The ways in which the machine is moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// It runs.
    Run,
    /// It goes to a position.
    Jump,
    /// Another run is put in its place.
    Load,
    /// The user changes it, or takes that back: what is to be said.
    Change(String),
}

/// How many keys are remembered while a step is under way.
const DEFERRED: usize = 64;

impl Model {
    /// Has the machine run. `long` says that it may last.
    pub(crate) fn advance(&mut self, mut advance: Advance, long: bool) {
        let cpu = advance.cpu;
        self.begin(cpu, advance.direction, How::Run);
        if advance.direction == Direction::Forward {
            // What the user typed before comes before what a lesson types.
            std::mem::take(&mut self.console.typed).put_before(&mut advance);
        }
        self.connection.link = connection::Link::Running { back: advance.direction == Direction::Backward, long };
        self.outbox.push(Order::Run(advance));
    }

    /// Remembers where the machine stands before it is moved or changed.
    pub(crate) fn begin(&mut self, cpu: Option<CpuId>, direction: Direction, how: How) {
        let mover = cpu.or(self.timeline.next_cpu).and_then(|cpu| self.cpus.get(cpu));
        let instruction = mover.and_then(|cpu| {
            let line = self.code.instruction_at(cpu.linear_pc())?;
            Some((cpu.cpu, if self.settings.intel { line.intel.clone() } else { line.att.clone() }))
        });
        let steps = self.cpus.states.iter().map(|cpu| cpu.steps).collect();
        self.asked = Some(Asked { from: self.timeline.position, cpu, direction, instruction, steps, how });
        self.cpus.before = self.cpus.states.clone();
        self.notice = None;
    }

    /// How many steps a CPU had made when the machine was last asked to move.
    pub(crate) fn steps_before(&self, cpu: usize) -> Option<u64> {
        self.asked.as_ref()?.steps.get(cpu).copied()
    }

    /// Puts off a command until the step under way has ended.
    pub(crate) fn defer(&mut self, command: Command) {
        if self.deferred.len() < DEFERRED {
            self.deferred.push_back(command);
        }
    }

    fn next_deferred(&mut self) {
        while self.connection.ready() {
            let Some(command) = self.deferred.pop_front() else { return };
            crate::command::apply(command, self);
        }
    }
}
