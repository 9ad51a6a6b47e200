//! A handwritten recording of one AP's start, and a peer that answers from it: what the views are tested with, without a
//! machine. CPU 1 has just set CR0.PE; its past lies in the events before, its start of long mode in those after.

use debugger_ui::app::Peer;
use debugger_ui::model::Model;
use debugger_ui::model::connection::Offers;
use debugger_ui::model::inbox::Incoming;
use debugger_ui::model::outbox::{Order, Purpose};
use protocol::breakpoint::{Breakpoint, Condition};
use protocol::cpu::{CS, CpuState, SegmentReg, TableReg};
use protocol::event::{ControlRegister, Delivery, Event, EventKind, Ignored, TableRegister};
use protocol::firmware::{Variable, Variables};
use protocol::page_table::{
    EntryKind, EntryRun, PagingKind, PagingMode, Rights, Table, TlbEntry, Tree, WalkEnd, WalkStep, WalkTrace,
};
use protocol::profile::{Blob, BlobSymbol, ListingLine, Profile, Root, Symbol};
use protocol::request::{
    Answer, Cause, CodeLine, ConsoleText, Direction, Hello, MachineConfig, Request, RootSpec, StopReason, Stopped,
};
use protocol::screen::TextScreen;
use protocol::{Activity, CpuId, LinearAddr, Mode, PhysAddr, Position};
use std::cell::RefCell;
use std::rc::Rc;

/// Base of the blob.
pub const BASE: u64 = 0x9a000;
const TRAMPOLINE_PGD: u64 = 0x9c000;
const INIT_TOP_PGT: u64 = 0x0345_0000;
/// Where the recording stands after the step.
pub const NOW: u64 = 1_204_352;

/// The peer; it remembers the orders it was sent.
#[derive(Clone, Debug)]
pub struct Recording {
    cpus: u16,
    /// What the next stop says.
    pub reason: StopReason,
    /// Every order so far.
    pub orders: Rc<RefCell<Vec<Order>>>,
    /// Done to the model before anything else: what no answer of a machine can bring about.
    pub arrange: Vec<fn(&mut Model)>,
    news: Vec<Incoming>,
    stepped: bool,
}

impl Recording {
    /// A recording of a machine with so many CPUs.
    pub fn new(cpus: u16) -> Self {
        let connected = Incoming::Connected { offers: offers(), hello: Some(hello(cpus)) };
        let connecting = Incoming::Connecting { target: "the machine in this window".into() };
        Self {
            cpus,
            reason: StopReason::Reached,
            orders: Rc::default(),
            arrange: Vec::new(),
            news: vec![connecting, connected],
            stepped: false,
        }
    }

    /// Something happens by itself.
    pub fn tell(&mut self, incoming: Incoming) {
        self.news.push(incoming);
    }

    fn answer(&mut self, purpose: Purpose, request: &Request) {
        let answer = match (&purpose, request) {
            (Purpose::Profile, _) => Answer::Profile(Some(profile())),
            (Purpose::BlobBase(_), _) => bytes(BASE),
            (Purpose::Root(0), _) => bytes(TRAMPOLINE_PGD),
            (Purpose::Root(_), _) => bytes(INIT_TOP_PGT),
            (_, Request::Code { linear, .. }) => Answer::Code(code(*linear)),
            (_, Request::Tree { root, .. }) => Answer::Tree(tree(*root)),
            (Purpose::Walk(_), Request::Walk { root, linear }) => Answer::Walk(walk(*root, *linear)),
            (Purpose::Memory(at), _) => Answer::Memory { bytes: memory(*at), unreadable: None },
            (Purpose::Descriptors, _) => {
                let mut bytes = memory(0x9d000)[..0x20].to_vec();
                bytes[..8].copy_from_slice(&0x0000_0009_b0a0_0037_u64.to_le_bytes());
                Answer::Memory { bytes, unreadable: None }
            }
            (_, Request::Tlb { .. }) => Answer::Tlb(vec![stale_entry()]),
            (_, Request::Screen) => Answer::Screen(screen()),
            (_, Request::FirmwareVariables) => Answer::FirmwareVariables(Variables {
                at_power_on: Vec::new(),
                now: vec![Variable {
                    name: "Lang".into(),
                    vendor: "8be4df61-93ca-11d2-aa0d-00e098032b8c".into(),
                    attributes: 7,
                    bytes: 3,
                }],
                contents: vec![1, 2, 3],
            }),
            (Purpose::TlbWalk, Request::Walk { root, linear }) => {
                let end = WalkEnd::NotPresent { level: 4 };
                Answer::Walk(WalkTrace { end, tlb: Some(stale_entry()), stale: true, ..walk(*root, *linear) })
            }
            (_, Request::Cause { .. }) => Answer::Cause(Some(Cause {
                position: Position(NOW - 10),
                cpu: Some(CpuId(1)),
                linear: Some(LinearAddr(BASE + 0x1010)),
                what: "mov edx, cs".into(),
                what_att: "mov %cs, %edx".into(),
                old: 0,
                new: 0x9a00,
            })),
            (_, Request::Breakpoints) => Answer::Breakpoints(vec![Breakpoint {
                id: 1,
                cpu: None,
                condition: Condition::Execute(LinearAddr(BASE + 0x103b)),
            }]),
            (_, Request::SetBreakpoint { cpu, condition }) => {
                Answer::BreakpointSet(Breakpoint { id: 2, cpu: *cpu, condition: condition.clone() })
            }
            (_, Request::Events { .. }) => Answer::Events(events(self.cpus)),
            (_, Request::OpenGdb { .. }) => Answer::Gdb { listening: Some("127.0.0.1:41234".into()), attached: false },
            (_, Request::CloseGdb) => Answer::Gdb { listening: None, attached: false },
            _ => Answer::Done,
        };
        self.news.push(Incoming::Answer(purpose, answer));
    }

    /// The state as it is, as a stop.
    pub fn stop(&self) -> Stopped {
        let position = if self.stepped { NOW } else { NOW - 1 };
        let mut cpus = vec![cpu0(), if self.stepped { cpu1_protected() } else { cpu1_real() }];
        cpus.extend((2..self.cpus).map(asleep));
        cpus.truncate(usize::from(self.cpus));
        let text = b"Firstlight kernel\r\nmemory: 128 MiB, 31 812 frames free\r\nsmp: MADT lists 2 CPUs\r\n\
            smp: trampoline at 0009a000, trampoline_pgd at 0009c000\r\nsmp: INIT to APIC 1\r\nsmp: SIPI 9a to APIC 1\r\n";
        Stopped {
            reason: self.reason.clone(),
            position: Position(position),
            end: Position(1_204_420),
            clock_ns: 20_312_520,
            next_cpu: Some(CpuId(1)),
            moved_cpu: self.stepped.then_some(CpuId(1)),
            cpus,
            console: Some(ConsoleText { offset: 0, bytes: text.to_vec(), total: text.len() as u64 }),
            events: events(self.cpus).into_iter().filter(|event| event.position.0 <= position).collect(),
            trees: Vec::new(),
            can_undo: false,
            gdb_attached: false,
            image_changed: false,
            epoch: 1,
        }
    }
}

impl Peer for Recording {
    fn pump(&mut self, model: &mut Model) {
        self.arrange.drain(..).for_each(|arrange| arrange(model));
        loop {
            let orders = model.outbox.take();
            if orders.is_empty() && self.news.is_empty() {
                return;
            }
            for order in orders {
                self.carry_out(order);
            }
            for incoming in std::mem::take(&mut self.news) {
                model.absorb(incoming);
            }
        }
    }
}

impl Recording {
    fn carry_out(&mut self, order: Order) {
        match &order {
            Order::Run(advance) => {
                self.stepped = advance.direction == Direction::Forward;
                self.news.push(Incoming::Stopped(Box::new(self.stop())));
            }
            Order::Move(_) => self.news.push(Incoming::Stopped(Box::new(self.stop()))),
            Order::Read(purpose, request) => self.answer(purpose.clone(), request),
            Order::Cancel | Order::Type(_) | Order::Reconnect => {}
        }
        self.orders.borrow_mut().push(order);
    }
}

fn bytes(value: u64) -> Answer {
    Answer::Memory { bytes: value.to_le_bytes().to_vec(), unreadable: None }
}

fn offers() -> Offers {
    Offers {
        vendor: true,
        reverse_step: true,
        reverse_continue: true,
        hidden_state: true,
        control_registers: true,
        story: true,
        reads: false,
        tables: false,
        foreign: None,
    }
}

fn hello(cpus: u16) -> Hello {
    Hello {
        server: "firstlight-machine 0.1.0".into(),
        config: MachineConfig {
            cpus,
            apic_ids: Vec::new(),
            memory_bytes: 128 << 20,
            quantum: 64,
            seed: None,
            options: "bringup=serial".into(),
            cpu_quirks: Vec::new(),
            firmware: Default::default(),
        },
        image_sha256: "5e0c1b2a9f".repeat(7),
        image_path: "target/guest/kernel.elf".into(),
        image_changed: false,
        gdb_attached: false,
    }
}

fn real_segment(selector: u16) -> SegmentReg {
    SegmentReg { selector, base: u64::from(selector) << 4, limit: 0xffff, attributes: 0x93 }
}

fn cpu0() -> CpuState {
    let code = SegmentReg { selector: 8, base: 0, limit: 0xffff_ffff, attributes: 0xa09b };
    let data = SegmentReg { selector: 16, base: 0, limit: 0xffff_ffff, attributes: 0xc093 };
    let mut state = CpuState {
        activity: Activity::Running,
        mode: Mode::Long,
        steps: 1_204_310,
        ip: 0xffff_ffff_8000_41c7,
        rflags: 0x202,
        cr0: 0x8005_0033,
        cr3: INIT_TOP_PGT,
        cr4: 0x6a0,
        efer: 0xd01,
        apic_base: 0xfee0_0900,
        ..CpuState::default()
    };
    state.gpr[0] = 0x0000_4500;
    state.gpr[4] = 0xffff_ffff_8012_3f80;
    state.segments = [data; 8];
    state.segments[CS] = code;
    state
}

fn cpu1_real() -> CpuState {
    let mut state = CpuState {
        cpu: CpuId(1),
        apic_id: 1,
        activity: Activity::Running,
        mode: Mode::Real,
        steps: 14,
        ip: 0x1038,
        rflags: 0x46,
        cr0: 0x6000_0010,
        apic_base: 0xfee0_0800,
        gdtr: TableReg { base: 0x9b0a0, limit: 0x37 },
        idtr: TableReg { base: 0, limit: 0 },
        ..CpuState::default()
    };
    state.gpr[0] = 0x6000_0011;
    state.gpr[2] = 0x0000_9a00;
    state.gpr[4] = 0x0000_2f00;
    state.segments = [real_segment(0x9a00); 8];
    state
}

fn cpu1_protected() -> CpuState {
    CpuState { mode: Mode::Protected16, steps: 15, ip: 0x103b, cr0: 0x6000_0011, ..cpu1_real() }
}

fn asleep(cpu: u16) -> CpuState {
    CpuState {
        cpu: CpuId(cpu),
        apic_id: u32::from(cpu),
        activity: Activity::WaitForSipi,
        ..CpuState { cpu: CpuId(cpu), ..CpuState::default() }
    }
}

/// The story, past and recorded future.
pub fn events(cpus: u16) -> Vec<Event> {
    use EventKind as K;
    let at = |position: u64, cpu: u16, kind| Event {
        position: Position(position),
        clock_ns: if position < 1000 { position * 10 } else { 19_000_000 + position },
        cpu: CpuId(cpu),
        kind,
    };
    let ipi = |delivery, ignored| K::Ipi { delivery, from: CpuId(0), to: Some(CpuId(1)), vector: 0x9a, ignored };
    let cr = |register, old, new| K::Cr { register, old, new };
    let mode = |from, to| K::Mode { from, to };
    let far = |from_cs, to_cs, to| K::FarTransfer { from_cs, to_cs, to: LinearAddr(to) };
    let mut events = vec![
        at(120, 0, cr(ControlRegister::Cr3, 0x1000, INIT_TOP_PGT)),
        at(160, 0, K::DescriptorTable { register: TableRegister::Idtr, base: 0xffff_ffff_8010_0000, limit: 0xfff }),
        at(400, 0, K::Online { count: 1 }),
        at(900, 0, ipi(Delivery::Init, None)),
        at(1_204_311, 0, ipi(Delivery::Sipi, None)),
        at(1_204_311, 1, K::Activity { from: Activity::WaitForSipi, to: Activity::Running }),
        at(1_204_311, 1, mode(None, Mode::Real)),
        at(1_204_316, 1, far(0x9a00, 0x9a00, BASE + 0x101f)),
        at(1_204_330, 0, ipi(Delivery::Sipi, Some(Ignored::NotInWaitForSipi))),
        at(1_204_344, 1, K::DescriptorTable { register: TableRegister::Idtr, base: 0, limit: 0 }),
        at(1_204_346, 1, K::DescriptorTable { register: TableRegister::Gdtr, base: 0x9b0a0, limit: 0x37 }),
        at(NOW, 1, cr(ControlRegister::Cr0, 0x6000_0010, 0x6000_0011)),
        at(NOW, 1, mode(Some(Mode::Real), Mode::Protected16)),
        at(1_204_354, 1, far(0x9a00, 8, BASE + 0x1100)),
        at(1_204_354, 1, mode(Some(Mode::Protected16), Mode::Protected32)),
        at(1_204_360, 1, cr(ControlRegister::Cr4, 0, 0xa0)),
        at(1_204_363, 1, cr(ControlRegister::Cr3, 0, TRAMPOLINE_PGD)),
        at(1_204_370, 1, cr(ControlRegister::Efer, 0, 0x901)),
        at(1_204_375, 1, cr(ControlRegister::Cr0, 0x6000_0011, 0xe000_0011)),
        at(1_204_375, 1, mode(Some(Mode::Protected32), Mode::Compat)),
        at(1_204_377, 1, far(8, 0x10, BASE + 0x1200)),
        at(1_204_377, 1, mode(Some(Mode::Compat), Mode::Long)),
        at(1_204_390, 1, cr(ControlRegister::Cr3, TRAMPOLINE_PGD, INIT_TOP_PGT)),
        at(1_204_415, 1, K::Online { count: 2 }),
    ];
    if cpus < 2 {
        events.retain(|event| event.cpu == CpuId(0));
    }
    events
}

fn listing(offset: u64, source: &str, comment: &str, line: u32) -> ListingLine {
    ListingLine { offset, source: source.into(), comment: comment.into(), at: format!("trampoline_start.S:{line}") }
}

fn profile() -> Profile {
    let blob = |name: &str, offset, bits, lines: Vec<ListingLine>| BlobSymbol {
        name: name.into(),
        offset,
        bits,
        listing: lines,
    };
    let kernel = |name: &str, linear, size, code| Symbol { name: name.into(), linear, size, code, listing: Vec::new() };
    Profile {
        version: protocol::profile::VERSION,
        image_sha256: "5e0c1b2a9f".repeat(7),
        symbols: vec![
            kernel("secondary_startup_64", 0xffff_ffff_8000_1000, 0, true),
            kernel("start_secondary", 0xffff_ffff_8000_3000, 0x200, true),
            kernel("kernel::smp::bringup::wait_for_callin", 0xffff_ffff_8000_4180, 0x90, true),
            kernel("real_mode_base", 0xffff_ffff_8010_2000, 8, false),
            kernel("trampoline_pgd_paddr", 0xffff_ffff_8010_2008, 8, false),
            kernel("init_top_pgt_paddr", 0xffff_ffff_8010_2010, 8, false),
        ],
        blobs: vec![Blob {
            name: "realmode".into(),
            base_symbol: "real_mode_base".into(),
            size: 0x3000,
            image_linear: 0,
            symbols: vec![
                blob(
                    "trampoline_start",
                    0x1000,
                    16,
                    vec![listing(0, "cli", "no IDT yet: nothing may interrupt", 41), listing(1, "wbinvd", "", 42)],
                ),
                blob("tr_lidt", 0x102a, 16, vec![listing(0, "lidtl tr_idt", "limit 0: any fault now is shutdown", 66)]),
                blob("tr_lgdt", 0x1030, 16, vec![listing(0, "lgdtl tr_gdt", "66h: all 32 bits of the base", 68)]),
                blob(
                    "tr_set_pe",
                    0x1038,
                    16,
                    vec![listing(0, "movl %eax, %cr0", "PE: from here on a selector means a descriptor", 72)],
                ),
                blob(
                    "tr_enter_32",
                    0x103b,
                    16,
                    vec![listing(0, "ljmpl $__KERNEL32_CS, $pa_startup_32", "loads CS: 32-bit from the next byte", 75)],
                ),
                blob("startup_32", 0x1100, 32, Vec::new()),
                blob("startup_64", 0x1200, 64, Vec::new()),
            ],
        }],
        roots: vec![
            Root { name: "trampoline_pgd".into(), symbol: "trampoline_pgd_paddr".into() },
            Root { name: "init_top_pgt".into(), symbol: "init_top_pgt_paddr".into() },
        ],
    }
}

/// Offset, bytes, Intel, AT&T.
const CODE: [(u64, &[u8], &str, &str); 11] = [
    (0x1000, &[0xfa], "cli", "cli"),
    (0x1001, &[0x0f, 0x09], "wbinvd", "wbinvd"),
    (0x1003, &[0xea, 0x1f, 0x10, 0x00, 0x9a], "jmp 9A00h:101Fh", "ljmpw $0x9a00, $0x101f"),
    (0x101f, &[0x8c, 0xc8], "mov ax,cs", "movw %cs, %ax"),
    (0x1021, &[0x8e, 0xd8], "mov ds,ax", "movw %ax, %ds"),
    (0x102a, &[0x0f, 0x01, 0x1e, 0x9a, 0x10], "lidt [109Ah]", "lidt 0x109a"),
    (0x1030, &[0x66, 0x0f, 0x01, 0x16, 0xa0, 0x10], "lgdt [10A0h]", "lgdtl 0x10a0"),
    (0x1038, &[0x0f, 0x22, 0xc0], "mov cr0,eax", "movl %eax, %cr0"),
    (0x103b, &[0x66, 0xea, 0x00, 0xb1, 0x09, 0x00, 0x08, 0x00], "jmp 0008h:0009B100h", "ljmpl $0x8, $0x9b100"),
    (0x1043, &[0xf4], "hlt", "hlt"),
    (0x1044, &[0xeb, 0xfd], "jmp short 1043h", "jmp 0x1043"),
];

fn code(from: LinearAddr) -> Vec<CodeLine> {
    if from.0 > 0xffff_ffff_0000_0000 {
        let texts = ["pause", "mov eax,[rdi+10h]", "test eax,eax", "je short 0FFFFFFFF800041C7h", "ret"];
        return texts
            .iter()
            .enumerate()
            .map(|(at, text)| CodeLine {
                linear: LinearAddr(0xffff_ffff_8000_41c7 + at as u64 * 3),
                bytes: vec![0x90, 0x90, 0x90],
                intel: (*text).into(),
                att: (*text).into(),
                bits: 64,
                target: None,
            })
            .collect();
    }
    let line = |(offset, bytes, intel, att): &(u64, &[u8], &str, &str)| CodeLine {
        linear: LinearAddr(BASE + offset),
        bytes: bytes.to_vec(),
        intel: (*intel).into(),
        att: (*att).into(),
        bits: 16,
        target: (*offset == 0x103b).then_some(LinearAddr(BASE + 0x1100)),
    };
    CODE.iter().map(line).collect()
}

const RWX: Rights = Rights { write: true, user: false, execute: true };
const RW: Rights = Rights { write: true, user: false, execute: false };
const RX: Rights = Rights { write: false, user: false, execute: true };
const RO: Rights = Rights { write: false, user: false, execute: false };

fn paging() -> PagingMode {
    PagingMode { kind: PagingKind::Level4, nxe: true, wp: true, pse: false }
}

fn table(phys: u64, level: u8, linear: u64, runs: Vec<EntryRun>) -> Table {
    Table { phys: PhysAddr(phys), level, linear: LinearAddr(linear), runs }
}

fn next(index: u16, linear: u64, next: u64) -> EntryRun {
    EntryRun {
        first_index: index,
        count: 1,
        linear: LinearAddr(linear),
        raw: next | 0x63,
        kind: EntryKind::Table { next: PhysAddr(next) },
        rights: RWX,
        effective: RWX,
    }
}

fn pages(index: u16, count: u16, linear: u64, phys: u64, size: u64, rights: Rights) -> EntryRun {
    let kind = EntryKind::Page { phys: PhysAddr(phys), size };
    let raw = phys | 0x1e1 | u64::from(rights.write) << 1 | u64::from(!rights.execute) << 63;
    EntryRun { first_index: index, count, linear: LinearAddr(linear), raw, kind, rights, effective: rights }
}

fn tree(spec: RootSpec) -> Tree {
    let root = match spec {
        RootSpec::Phys { root, .. } => root,
        RootSpec::Cpu(_) => PhysAddr(INIT_TOP_PGT),
    };
    const KERNEL: u64 = 0xffff_ffff_8000_0000;
    let mut tables = Vec::new();
    if root.0 == TRAMPOLINE_PGD {
        tables.push(table(
            TRAMPOLINE_PGD,
            4,
            0,
            vec![next(0, 0, 0x9d000), next(511, 0xffff_ff80_0000_0000, 0x0345_2000)],
        ));
        tables.push(table(0x9d000, 3, 0, vec![next(0, 0, 0x9e000)]));
        tables.push(table(0x9e000, 2, 0, vec![next(0, 0, 0x9f000), pages(1, 63, 0x20_0000, 0x20_0000, 2 << 20, RW)]));
        let low = vec![
            pages(0, 0x9a, 0, 0, 4096, RW),
            pages(0x9a, 1, 0x9a000, 0x9a000, 4096, RO),
            pages(0x9b, 1, 0x9b000, 0x9b000, 4096, RX),
            pages(0x9c, 0x64, 0x9c000, 0x9c000, 4096, RW),
        ];
        tables.push(table(0x9f000, 1, 0, low));
    } else {
        let direct = 0xffff_8880_0000_0000;
        let top = vec![next(273, direct, 0x0345_1000), next(511, 0xffff_ff80_0000_0000, 0x0345_2000)];
        tables.push(table(INIT_TOP_PGT, 4, 0, top));
        tables.push(table(0x0345_1000, 3, direct, vec![next(0, direct, 0x0345_5000)]));
        tables.push(table(0x0345_5000, 2, direct, vec![pages(0, 64, direct, 0, 2 << 20, RW)]));
    }
    tables.push(table(0x0345_2000, 3, 0xffff_ff80_0000_0000, vec![next(510, KERNEL, 0x0345_3000)]));
    tables.push(table(0x0345_3000, 2, KERNEL, vec![next(0, KERNEL, 0x0345_4000)]));
    let image = vec![
        pages(0, 48, KERNEL, 0x40_0000, 4096, RX),
        pages(48, 20, KERNEL + 0x3_0000, 0x43_0000, 4096, RO),
        pages(68, 160, KERNEL + 0x4_4000, 0x44_4000, 4096, RW),
    ];
    tables.push(table(0x0345_4000, 1, KERNEL, image));
    Tree { root, mode: paging(), tables, truncated: false }
}

/// A page of memory: `tr_gdt` at 9d000, zeros elsewhere.
fn memory(at: u64) -> Vec<u8> {
    let mut bytes = vec![0; 0x1000];
    if at == 0x9d000 {
        let table = [0x0000_0009_d000_001f_u64, 0x00cf_9b00_0000_ffff, 0x00af_9b00_0000_ffff, 0x00cf_9300_0000_ffff];
        for (slot, descriptor) in table.into_iter().enumerate() {
            bytes[slot * 8..slot * 8 + 8].copy_from_slice(&descriptor.to_le_bytes());
        }
    }
    bytes
}

/// A line in grey, one in white on blue, and the cursor behind a prompt.
fn screen() -> TextScreen {
    let (columns, rows) = (80, 25);
    let mut cells = vec![0x0720; usize::from(columns * rows)];
    for (row, colours, text) in [(0, 0x0700, "xv6..."), (1, 0x1f00, "cpu1: starting 1"), (2, 0x0700, "$ ")] {
        let at = usize::from(row * columns);
        cells[at..at + text.len()]
            .iter_mut()
            .zip(text.bytes())
            .for_each(|(cell, byte)| *cell = colours | u16::from(byte));
    }
    TextScreen { columns, rows, cells, cursor: Some(2 * columns + 2) }
}

/// What a TLB keeps of the low map that is gone.
fn stale_entry() -> TlbEntry {
    TlbEntry {
        linear: LinearAddr(0x9b000),
        phys: PhysAddr(0x9b000),
        size: 0x1000,
        rights: RX,
        global: true,
        dirty: false,
        pcid: 0,
    }
}

fn walk(spec: RootSpec, linear: LinearAddr) -> WalkTrace {
    let root = match spec {
        RootSpec::Phys { root, .. } => root,
        RootSpec::Cpu(_) => PhysAddr(INIT_TOP_PGT),
    };
    let step = |level, table: u64, index: u16, next: u64, kind| WalkStep {
        level,
        table: PhysAddr(table),
        index,
        raw: if next == 0 { 0 } else { next | 0x63 },
        kind,
        effective: RWX,
    };
    let table_step =
        |level, table, index, to: u64| step(level, table, index, to, EntryKind::Table { next: PhysAddr(to) });
    let page = EntryKind::Page { phys: PhysAddr(0x9b000), size: 4096 };
    let low = linear.0 < 1 << 20;
    let (steps, end) = match (low, root.0 == TRAMPOLINE_PGD) {
        (true, true) => (
            vec![
                table_step(4, TRAMPOLINE_PGD, 0, 0x9d000),
                table_step(3, 0x9d000, 0, 0x9e000),
                table_step(2, 0x9e000, 0, 0x9f000),
                WalkStep { effective: RX, ..step(1, 0x9f000, 0x9b, 0x9b000, page) },
            ],
            WalkEnd::Mapped { phys: PhysAddr(linear.0), size: 4096, rights: RX, global: true },
        ),
        (true, false) => (vec![step(4, INIT_TOP_PGT, 0, 0, EntryKind::NotPresent)], WalkEnd::NotPresent { level: 4 }),
        (false, _) => (
            vec![
                table_step(4, root.0, 511, 0x0345_2000),
                table_step(3, 0x0345_2000, 510, 0x0345_3000),
                table_step(2, 0x0345_3000, 0, 0x0345_4000),
                WalkStep { effective: RX, ..step(1, 0x0345_4000, 4, 0x40_4000, page) },
            ],
            WalkEnd::Mapped { phys: PhysAddr(0x40_0000 + (linear.0 & 0xfffff)), size: 4096, rights: RX, global: true },
        ),
    };
    WalkTrace { linear, root, mode: paging(), steps, end, tlb: None, stale: false }
}
