//! Everything a user can do, as data: views push [`Command`]s, [`apply()`] carries them out.
//!
//! [`mod@catalog`] gives each its name, key and words, for buttons, tooltips and the palette alike.

mod apply;
pub mod catalog;

use protocol::breakpoint::Condition;
use protocol::request::{Direction, MachineConfig, Place};
use protocol::{CpuId, LinearAddr, Position};

pub(crate) use apply::FIRST_BUDGET;
pub use apply::apply;
pub use catalog::{Chord, Entry, catalog};

/// One thing that a user does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Step the selected CPU: forwards the schedule runs until it has made one step; backwards that step is taken back.
    StepCpu(Direction),
    /// Step the machine: whichever CPU's turn it is.
    StepMachine(Direction),
    /// Over calls, REP and the closing jump of a loop, on the selected CPU.
    Over(Direction),
    /// Forwards to the return, backwards to the call, on the selected CPU.
    Out(Direction),
    /// To the next or previous event on the selected CPU.
    Event(Direction),
    /// To the next or previous event on any CPU.
    AnyEvent(Direction),
    /// Run until the selected CPU, which waits, is woken.
    RunToWake,
    /// Run until a breakpoint, or the end of what can run.
    Run(Direction),
    /// Stop running.
    Pause,
    /// Run until the CPU (or any) is about to execute there.
    RunTo(Option<CpuId>, LinearAddr),
    /// To position 0.
    GoToStart,
    /// To the last position that was run.
    GoToEnd,
    /// To a position.
    Seek(Position),
    /// To where the user was before, or after, a jump in time.
    History(Direction),
    /// Hold the other CPUs while the selected one runs, or let them run again.
    ToggleHold,
    /// Select a CPU.
    SelectCpu(CpuId),
    /// Select the next or previous CPU.
    SelectNeighbour(Direction),
    /// Set or clear a breakpoint at the instruction shown as current in the code view, on every CPU.
    ToggleBreakpointHere,
    /// Set or clear a breakpoint at an address, on every CPU.
    ToggleBreakpoint(LinearAddr),
    /// Set a breakpoint of any kind.
    SetBreakpoint(Option<CpuId>, Condition),
    /// Remove a breakpoint by its number.
    ClearBreakpoint(u32),
    /// Write a register, by gdb's name for it. The text is parsed as the user typed it.
    EditRegister {
        /// Whose.
        cpu: CpuId,
        /// gdb's name, lower case.
        name: String,
        /// As typed.
        value: String,
    },
    /// Flip one bit of a register.
    ToggleBit {
        /// Whose.
        cpu: CpuId,
        /// gdb's name, lower case.
        name: String,
        /// 0 to 63.
        bit: u8,
    },
    /// Write bytes.
    EditMemory {
        /// Where.
        at: Place,
        /// New bytes.
        bytes: Vec<u8>,
    },
    /// Take the last edit back.
    Undo,
    /// Go where the text says: an address, seg:off, a symbol, or `step 1234`.
    GoTo(String),
    /// Show code from there on; stops following.
    ShowCode(LinearAddr),
    /// Follow the selected CPU's next instruction again, or stop following.
    FollowCode(bool),
    /// Show the page-table panel, or hide it: hidden trees are not read.
    ShowPageTables(bool),
    /// Choose the root in a slot of the page-table panel (0 left, 1 right).
    SelectRoot(usize, crate::model::page_tables::RootKey),
    /// Show a second root beside the first, or not.
    SplitPageTables(bool),
    /// Open or close a row of the tree.
    ToggleTreeRow(usize, crate::model::page_tables::RowKey),
    /// The address whose walk is shown, as typed: empty means the selected CPU's next instruction.
    SetWalkAddress(String),
    /// Show a panel whose content is read from the machine, or hide it: hidden ones are not read.
    ShowReading(Reading, bool),
    /// Show memory from a place on, as typed. True: follow it, working it out again after each stop.
    MemoryAt(String, bool),
    /// Read the memory panel's place as linear or physical.
    MemorySpace(crate::model::memory::Space),
    /// The memory panel's next page, or the one before.
    MemoryPage(Direction),
    /// Write bytes at an address of the memory panel, as typed.
    WriteMemory(u64, String),
    /// Show the GDT or the IDT.
    ShowDescriptorTable(crate::model::descriptors::Which),
    /// Type bytes into the guest's serial console.
    TypeConsole(Vec<u8>),
    /// Press keys of the guest's keyboard: scan codes of set 2.
    PressKeys(Vec<u8>),
    /// The console was looked at: nothing in it is new any more.
    ConsoleSeen,
    /// Open the gdb socket on a free port (0) or the one named.
    OpenGdb(u16),
    /// Close the gdb socket.
    CloseGdb,
    /// Become the one that drives.
    TakeOver,
    /// Power off and on again with the configuration as it is.
    Restart,
    /// Power off and on again with another configuration.
    RestartWith(MachineConfig),
    /// Change the text of the settings panel.
    EditSettings(crate::model::settings::Draft),
    /// Take the configuration as edited in the settings panel and restart with it.
    ApplySettings,
    /// Read the image from disk again and restart.
    Reload,
    /// Connect again after the connection was lost or the machine's thread ended.
    Reconnect,
    /// Open the gap of the lanes that begins at this position, or close it.
    OpenGap(Position, bool),
    /// Bookmark the position where the machine stands.
    SetBookmark,
    /// Give a bookmark, by its number, another name.
    RenameBookmark(u32, String),
    /// Remove a bookmark by its number.
    RemoveBookmark(u32),
    /// Go to a bookmark by its number.
    GoBookmark(u32),
    /// Tell which step gave a value its present one; asked again, go there. None: the focused or pointed-at value, which
    /// the view puts in.
    Why(Option<crate::model::why::Target>),
    /// Change between Intel and AT&T syntax.
    ToggleSyntax,
    /// Read the disassembly in Intel syntax (true) or AT&T (false).
    IntelSyntax(bool),
    /// Dismiss the notice that is shown.
    DismissNotice,
    /// Dismiss the warning about the learner's progress.
    DismissWarning,
    /// Open a lesson, where the learner left it.
    OpenLesson(String),
    /// Close the lesson; the machine stays as it is.
    LeaveLesson,
    /// Do something in the lesson that is open.
    Lesson(lessons::player::orders::Act),
    /// Write the picture of the lesson's end to this file.
    SavePicture(String),
    /// Play the opening film (true), or end it.
    Opening(bool),
    /// Something of the window alone that the model does not know: open a panel, copy a line, quit.
    Ui(UiCommand),
}

/// Panels whose content is read from the machine after each stop, while they are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Memory.
    Memory,
    /// GDT and IDT.
    Descriptors,
    /// TLB.
    Tlb,
    /// The firmware's variables, in the machine's settings.
    Firmware,
    /// The guest's screen.
    Screen,
}

/// Commands that concern the window only; the app carries them out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UiCommand {
    /// Command palette.
    Palette,
    /// To the next or previous row where two page-table roots differ.
    Difference(Direction),
    /// Put the focus on a panel.
    Focus(Panel),
    /// Explain the focused thing.
    Explain,
    /// Put the narrator's line on the clipboard.
    CopyNarration,
    /// Open the go-to field.
    GoToField,
    /// Larger or smaller text.
    Zoom(Direction),
    /// Machine settings.
    Settings,
    /// Check the answer, or go on to the next step.
    CheckOrNext,
    /// Arrange the panels.
    Layout(Layout),
    /// The window's own settings: theme, text size, keys.
    Preferences,
    /// Find in the list that has the focus, or had it last.
    Find,
    /// Leave.
    Quit,
}

/// How the panels are arranged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// The lesson at the left.
    Lesson,
    /// No lesson: page tables at the left.
    Explore,
    /// For a projector: the lanes, the narrator and one big panel.
    Lecture,
}

impl Layout {
    /// All.
    pub const ALL: [Self; 3] = [Self::Lesson, Self::Explore, Self::Lecture];

    /// Its name in the settings file.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Lesson => "lesson",
            Self::Explore => "explore",
            Self::Lecture => "lecture",
        }
    }
}

/// The panels that a key goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Panel {
    /// The lesson.
    Lesson,
    /// The lanes.
    Lanes,
    /// The code.
    Code,
    /// The CPU card.
    Cpu,
    /// Page tables.
    PageTables,
    /// The guest's console.
    Console,
    /// Event list.
    Events,
    /// Breakpoints.
    Breakpoints,
    /// Memory.
    Memory,
    /// GDT and IDT.
    Descriptors,
    /// TLB.
    Tlb,
    /// The glossary.
    Glossary,
    /// The guest's screen.
    Screen,
    /// Bookmarks.
    Bookmarks,
}
