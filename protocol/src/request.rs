//! The vendor requests: what Firstlight's own programs ask a Firstlight server, and the answers.
//!
//! They travel in `qFirstlight` packets, see [`crate::wire`]. `docs/PROTOCOL.md` tells the same in words.

use crate::addr::{CpuId, LinearAddr, PhysAddr, Position};
use crate::breakpoint::{Breakpoint, Condition, EventFilter};
use crate::cpu::CpuState;
use crate::event::Event;
pub use crate::firmware::{FirmwareConfig, FirmwareQuirk};
use crate::page_table::{PagingMode, TlbEntry, Tree, WalkTrace};
use crate::run::Run;
use alloc::format;
use alloc::{boxed::Box, string::String, vec::Vec};
use serde::{Deserialize, Serialize};

/// Version of requests and answers; an end that sees another says so and stops using them.
pub const VERSION: u16 = 4;

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Who are you, what is the machine? -> [`Answer::Hello`]
    Hello,
    /// Run, in either direction. -> [`Answer::Stopped`]
    Advance(Advance),
    /// Go to a position in the recorded run. -> [`Answer::Stopped`]
    Seek {
        /// Where to.
        position: Position,
        /// What the answer shall carry.
        wanted: Wanted,
    },
    /// The state now. -> [`Answer::Stopped`] with reason [`StopReason::None`]
    State {
        /// What the answer shall carry.
        wanted: Wanted,
    },
    /// Bytes of memory. Reads have no side effects. -> [`Answer::Memory`]
    Memory {
        /// Where.
        from: Place,
        /// How many; at most [`MAX_MEMORY`].
        len: u32,
    },
    /// The tree below a root. -> [`Answer::Tree`]
    Tree {
        /// Which root, read how.
        root: RootSpec,
        /// At most so many tables; at most [`MAX_TABLES`].
        max_tables: u32,
    },
    /// The walk of one address. -> [`Answer::Walk`]
    Walk {
        /// Which root, read how.
        root: RootSpec,
        /// The address.
        linear: LinearAddr,
    },
    /// A CPU's TLB. -> [`Answer::Tlb`]
    Tlb {
        /// Which CPU.
        cpu: CpuId,
    },
    /// Instructions from an address on, decoded in the mode the CPU is in. -> [`Answer::Code`]
    Code {
        /// Whose mode, segments and tables.
        cpu: CpuId,
        /// First linear address.
        linear: LinearAddr,
        /// How many instructions before (best effort) and from there on; together at most [`MAX_CODE`].
        before: u16,
        /// From there on.
        count: u16,
    },
    /// Instructions in physical memory as code of a given width, whatever mode the CPUs are in: code that a CPU has
    /// yet to come to, at linear = physical. -> [`Answer::Code`]
    Listing {
        /// First instruction.
        phys: PhysAddr,
        /// Where the code's offset 0 is: the segment base of 16-bit code, else 0.
        base: PhysAddr,
        /// 16, 32 or 64.
        bits: u8,
        /// How many instructions; at most [`MAX_CODE`].
        count: u16,
    },
    /// Events with `from < position <= to`. -> [`Answer::Events`]
    Events {
        /// After this.
        from: Position,
        /// Up to this.
        to: Position,
        /// At most so many, the newest win; at most [`MAX_EVENTS`].
        limit: u32,
    },
    /// Console output from a byte offset on, up to now. -> [`Answer::Console`]
    Console {
        /// Bytes to leave out from the start.
        offset: u64,
    },
    /// Set a breakpoint. -> [`Answer::BreakpointSet`]
    SetBreakpoint {
        /// Only this CPU.
        cpu: Option<CpuId>,
        /// What hits.
        condition: Condition,
    },
    /// Remove one. -> [`Answer::Done`]
    ClearBreakpoint {
        /// Its number.
        id: u32,
    },
    /// All of them. -> [`Answer::Breakpoints`]
    Breakpoints,
    /// Change a stopped machine. Ends the old future. -> [`Answer::Stopped`]
    Edit {
        /// What.
        edit: Edit,
        /// What the answer shall carry.
        wanted: Wanted,
    },
    /// Take the last edit back: the old future is there again. -> [`Answer::Stopped`]
    Undo {
        /// What the answer shall carry.
        wanted: Wanted,
    },
    /// Power off, new configuration, power on. History is lost. -> [`Answer::Hello`]
    Restart {
        /// The new machine.
        config: MachineConfig,
    },
    /// Read the image and profile from disk again and restart. -> [`Answer::Hello`]
    Reload,
    /// Open the gdb socket. -> [`Answer::Gdb`]
    OpenGdb {
        /// 0: any free port on loopback.
        port: u16,
    },
    /// Close it, ending gdb's session with a message. -> [`Answer::Gdb`]
    CloseGdb,
    /// Become the client that drives; gdb's session ends with a message. -> [`Answer::Done`]
    TakeOver,
    /// The names in the image. -> [`Answer::Profile`]
    Profile,
    /// Makes this client's private copy of the machine as it stands, in place of an older one: the same state, the same
    /// memory, no past and no breakpoints. Nobody else sees what is done to it. -> [`Answer::Done`]
    Copy,
    /// Asks this client's private copy instead of the machine: [`Request::Advance`], `Seek`, `State`, `Memory`, `Tree`,
    /// `Walk`, `Tlb`, `Code`, `Listing`, `Events`, `Console`, `Edit`, `Undo`; anything else is refused. CPUs are always
    /// sent all. Never refused because somebody else drives. -> as for the request in it
    Private(Box<Request>),
    /// Which step gave something the value that it has now. The machine stays where it is. -> [`Answer::Cause`]
    Cause {
        /// Of what.
        of: CauseOf,
    },
    /// Bytes of the image file at an address that it was linked for: what was there before anybody ran or relocated
    /// anything. -> [`Answer::Memory`]
    Image {
        /// First byte, as linked.
        linear: LinearAddr,
        /// How many; at most [`MAX_MEMORY`].
        len: u32,
    },
    /// The run up to its recorded end, as a file has it. -> [`Answer::Run`]
    SaveRun,
    /// Power on with that run's configuration, play it to its end, go to a position of it. -> [`Answer::Stopped`]
    LoadRun {
        /// The run; one of another image is refused.
        run: Box<Run>,
        /// Where to stand afterwards.
        position: Position,
        /// What the answer shall carry.
        wanted: Wanted,
    },
    /// The variables of the machine's EFI firmware. -> [`Answer::FirmwareVariables`]
    FirmwareVariables,
    /// The VGA's screen in text mode. -> [`Answer::Screen`]
    Screen,
}

/// Something whose value has a cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CauseOf {
    /// A register, by the name gdb has for it, as in [`Edit::Register`].
    Register {
        /// Whose.
        cpu: CpuId,
        /// Name, lower case.
        name: String,
    },
    /// Bytes of physical memory.
    Memory {
        /// First byte.
        phys: PhysAddr,
        /// How many, at most 16.
        len: u8,
    },
}

/// The step that gave something its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// Position after that step (or of the edit): the first one at which the value is what it is now.
    pub position: Position,
    /// The CPU that made the step; None: a device, or a debugger's edit.
    pub cpu: Option<CpuId>,
    /// Linear address of the instruction that was executed.
    pub linear: Option<LinearAddr>,
    /// What did it, in words: the instruction in Intel syntax, "INIT", "SIPI 9A", "an edit".
    pub what: String,
    /// The same in AT&T syntax where it is an instruction.
    pub what_att: String,
    /// Value before, little endian for memory (the first 8 bytes).
    pub old: u64,
    /// Value now.
    pub new: u64,
}

/// Largest memory read.
pub const MAX_MEMORY: u32 = 1 << 16;
/// Largest tree.
pub const MAX_TABLES: u32 = 4096;
/// Most events in one answer.
pub const MAX_EVENTS: u32 = 16384;
/// Most instructions in one answer.
pub const MAX_CODE: u16 = 1024;

/// A run of the machine, bounded, so that nobody waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advance {
    /// Which CPU's steps count; None: the machine's.
    pub cpu: Option<CpuId>,
    /// Run only this CPU: the others are held (journaled as schedule by hand). Needs `cpu`.
    pub hold_others: bool,
    /// Forwards or backwards.
    pub direction: Direction,
    /// Where to stop.
    pub until: Until,
    /// At most so many machine steps; then [`StopReason::Budget`].
    pub budget: u64,
    /// Bytes for the serial port, journaled at the position where the run starts. Only forwards.
    pub serial_input: Vec<u8>,
    /// What the keyboard sends, scan codes of set 2: journaled like the bytes for the serial port.
    pub keys: Vec<u8>,
    /// What the answer shall carry.
    pub wanted: Wanted,
}

/// Which way time runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Direction {
    /// Towards the future.
    Forward,
    /// Towards the past.
    Backward,
}

/// Where a run stops, beside breakpoints, budget and the ends of time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Until {
    /// After so many steps (of the CPU, if one is named).
    Steps(u64),
    /// Until that CPU is about to execute the instruction after this one: over calls, REP and the closing jump of a
    /// loop. Backwards: to before the call that returned here.
    Over,
    /// Forwards: until the current function has returned. Backwards: to the call.
    Out,
    /// The next (or previous) event that the filter takes, on `cpu` or sent to it, or any CPU's.
    Event(EventFilter),
    /// The CPU (or any) is about to execute the instruction at this address.
    Address(LinearAddr),
    /// A breakpoint.
    Breakpoint,
}

/// What an answer shall carry beside the stop itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// CPUs: only those that differ from what this client was sent last, or all.
    pub all_cpus: bool,
    /// Console output after this offset.
    pub console_from: Option<u64>,
    /// Events after this position, up to now.
    pub events_from: Option<Position>,
    /// Trees of these roots, where any of their tables changed since this client was sent them.
    pub trees: Vec<RootSpec>,
}

/// A page-table root and how to read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RootSpec {
    /// What this CPU uses now.
    Cpu(CpuId),
    /// Any physical address, read this way.
    Phys {
        /// The root table.
        root: PhysAddr,
        /// How.
        mode: PagingMode,
    },
}

/// An address with its space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Place {
    /// Physical memory.
    Phys(PhysAddr),
    /// Linear, through this CPU's tables as they are in memory (the TLB is neither used nor filled).
    Linear {
        /// Whose tables.
        cpu: CpuId,
        /// The address.
        linear: LinearAddr,
    },
}

/// A change to a stopped machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Edit {
    /// A register, by the name gdb has for it (`rax`, `rip`, `cs_base`, `cr4`, `efer`, ...). `rip` takes IP, not linear.
    Register {
        /// Whose.
        cpu: CpuId,
        /// Name, lower case.
        name: String,
        /// New value.
        value: u64,
    },
    /// Bytes.
    Memory {
        /// Where.
        at: Place,
        /// New bytes.
        bytes: Vec<u8>,
    },
}

/// The configuration of a machine: with image, seed and journal it determines every byte of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineConfig {
    /// Number of CPUs, 1 to 255.
    pub cpus: u16,
    /// APIC IDs, one for each CPU; empty: 0, 1, 2, ...
    pub apic_ids: Vec<u8>,
    /// RAM in bytes, a multiple of 4096.
    pub memory_bytes: u64,
    /// Steps before the next CPU's turn in round-robin; the mean run length of a seeded schedule.
    pub quantum: u32,
    /// Some: run lengths and order are drawn from this seed.
    pub seed: Option<u64>,
    /// Text for the kernel, in the ramdisk.
    pub options: String,
    /// How this machine's processors differ from the usual ones. Runs that were kept before there was this have none.
    #[serde(default)]
    pub cpu_quirks: Vec<CpuQuirk>,
    /// The firmware.
    #[serde(default)]
    pub firmware: FirmwareConfig,
}

/// A peculiarity of real processors and firmware that history's mistakes needed to show. `docs/QUIRKS.md` has the sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum CpuQuirk {
    /// WRMSR that sets EFER.LMA where it is 0 is #GP(0), as on some of AMD's; others ignore the bit.
    EferLmaGp,
    /// Firmware has set IA32_MISC_ENABLE bit 34 (XD Bit Disable) on all processors but the first: CPUID hides NX there.
    XdDisable,
    /// After an INIT a processor takes a while, drawn from the seed, before it accepts a SIPI; earlier ones are lost.
    SlowInit,
    /// Firmware left the first processor in x2APIC mode; the others come out of reset in xAPIC mode.
    X2apicOn,
    /// The processors have no NX: CPUID does not tell it, EFER.NXE and bit 63 of an entry are reserved.
    NoNx,
    /// The processors have no x2APIC mode: CPUID does not tell it, IA32_APIC_BASE.EXTD is reserved.
    NoX2apic,
}

impl CpuQuirk {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::EferLmaGp, Self::XdDisable, Self::SlowInit, Self::X2apicOn, Self::NoNx, Self::NoX2apic];

    /// Its word on command lines.
    pub const fn word(self) -> &'static str {
        match self {
            Self::EferLmaGp => "efer-lma-gp",
            Self::XdDisable => "xd-disable",
            Self::SlowInit => "slow-init",
            Self::X2apicOn => "x2apic-on",
            Self::NoNx => "no-nx",
            Self::NoX2apic => "no-x2apic",
        }
    }
}

impl core::str::FromStr for CpuQuirk {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|quirk| quirk.word() == word).ok_or_else(|| {
            let known = Self::ALL.map(Self::word).join(", ");
            format!("{word:?} is no quirk of a processor; there are {known}")
        })
    }
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// To [`Request::Hello`], [`Request::Restart`], [`Request::Reload`].
    Hello(Hello),
    /// To everything that moves the machine.
    Stopped(Box<Stopped>),
    /// Bytes; `unreadable` tells from which offset on there was nothing to read.
    Memory {
        /// The bytes that could be read.
        bytes: Vec<u8>,
        /// Why it ends early, in words.
        unreadable: Option<String>,
    },
    /// A tree.
    Tree(Tree),
    /// A walk.
    Walk(WalkTrace),
    /// A TLB, oldest entry first.
    Tlb(Vec<TlbEntry>),
    /// Instructions.
    Code(Vec<CodeLine>),
    /// Events, oldest first.
    Events(Vec<Event>),
    /// Console output.
    Console(ConsoleText),
    /// The number of the new breakpoint.
    BreakpointSet(Breakpoint),
    /// All breakpoints.
    Breakpoints(Vec<Breakpoint>),
    /// The gdb socket.
    Gdb {
        /// Where it listens, None: closed.
        listening: Option<String>,
        /// A gdb is attached and drives.
        attached: bool,
    },
    /// The profile; None: the image has none.
    Profile(Option<crate::profile::Profile>),
    /// It was done.
    Done,
    /// It was not done.
    Refused(Refusal),
    /// What gave something its value; None: nothing in the recorded past, it has it since power-on.
    Cause(Option<Cause>),
    /// A run.
    Run(Box<Run>),
    /// The firmware's variables.
    FirmwareVariables(crate::firmware::Variables),
    /// The screen.
    Screen(crate::screen::TextScreen),
}

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// gdb is attached and drives; take over first.
    GdbDrives,
    /// The request makes no sense here; what, where and why in words.
    Invalid(String),
    /// There is no edit to undo.
    NothingToUndo,
    /// The machine's thread ended with a panic; the message. The server stays.
    Crashed(String),
    /// Client and server differ in [`VERSION`]; this is the server's.
    Version(u16),
}

/// Who answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// "firstlight-machine 0.1.0".
    pub server: String,
    /// The machine.
    pub config: MachineConfig,
    /// SHA-256 of the image, lower-case hex.
    pub image_sha256: String,
    /// Path of the image, for people; empty if embedded.
    pub image_path: String,
    /// The image on disk is not the one that runs.
    pub image_changed: bool,
    /// A gdb is attached and drives.
    pub gdb_attached: bool,
}

/// Where and why a run stopped, and what changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopped {
    /// Why.
    pub reason: StopReason,
    /// Where.
    pub position: Position,
    /// The last position that is recorded: the present's future, as far as it was run.
    pub end: Position,
    /// The clock, in nanoseconds since power-on.
    pub clock_ns: u64,
    /// The CPU whose turn is next, None if all wait.
    pub next_cpu: Option<CpuId>,
    /// The CPU that made the last step (backwards: whose step was taken back).
    pub moved_cpu: Option<CpuId>,
    /// State of the CPUs, as wanted.
    pub cpus: Vec<CpuState>,
    /// Output, as wanted.
    pub console: Option<ConsoleText>,
    /// Events, as wanted.
    pub events: Vec<Event>,
    /// Trees, as wanted.
    pub trees: Vec<Tree>,
    /// The last edit can be taken back.
    pub can_undo: bool,
    /// A gdb is attached and drives.
    pub gdb_attached: bool,
    /// The image on disk is not the one that runs.
    pub image_changed: bool,
    /// Goes up with every restart, edit and undo: what a client recorded of the future is void.
    pub epoch: u64,
}

/// Console output up to now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsoleText {
    /// Offset of the first byte here.
    pub offset: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// How many bytes there are up to now: less than a client has shown after going back.
    pub total: u64,
}

/// Why a run stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StopReason {
    /// It did not run.
    None,
    /// What was asked for in [`Until`] came true.
    Reached,
    /// A breakpoint or watchpoint.
    Breakpoint {
        /// Its number.
        id: u32,
        /// The CPU.
        cpu: CpuId,
    },
    /// The budget was used up; ask again to go on.
    Budget,
    /// The CPU that should step waits, and nothing in the machine can wake it. Nothing ran.
    CannotStep {
        /// In words: what it waits for, and what would wake it.
        why: String,
    },
    /// Position 0; of a private copy, the place where it was made.
    StartOfTime,
    /// A server that only replays a recording is at an end of it. Firstlight's own machine runs on past what is recorded.
    EndOfRecording,
    /// All CPUs wait and no timer runs. Serial input could go on.
    AllWaiting,
    /// A CPU shut down.
    TripleFault {
        /// Which.
        cpu: CpuId,
    },
    /// An instruction or device that this machine lacks.
    Unsupported {
        /// Which CPU.
        cpu: CpuId,
        /// What.
        what: String,
    },
    /// The guest wrote the debug exit port.
    Exit {
        /// Value written.
        value: u8,
    },
    /// The client asked for an interruption.
    Interrupted,
    /// The guest switched the machine off.
    PowerOff,
}

/// One decoded instruction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeLine {
    /// Linear address.
    pub linear: LinearAddr,
    /// Its bytes; empty: not readable.
    pub bytes: Vec<u8>,
    /// Intel syntax; "(not mapped)" where there is nothing to read.
    pub intel: String,
    /// AT&T syntax.
    pub att: String,
    /// 16, 32 or 64.
    pub bits: u8,
    /// Where a direct jump or call goes, linear.
    pub target: Option<LinearAddr>,
}
