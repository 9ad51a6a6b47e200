//! The guest of the tests, in real mode: the bootstrap processor wakes the others, counts, answers serial input, and
//! halts until its timer fires; the others share a counter, write all over a page, and halt for good in the end.

use machine::bus::Bus;
use machine::cpu::{Cpu, segment};
use machine::firmware::boot;
use machine::machine::Machine;
use machine::schedule::Schedule;
use machine::timeline::Timeline;
use protocol::CpuId;
use protocol::request::{Advance, Direction, MachineConfig, StopReason, Until, Wanted};

/// Where the bootstrap processor begins.
pub const START: u64 = 0x7c00;
/// `call work` in its main loop: 3 bytes.
pub const CALL_WORK: u64 = 0x7c57;
/// Its function. `rep stosb` is at 9, the call of `leaf` ends at 13h.
pub const WORK: u64 = 0x7c71;
/// Called by `work`.
pub const LEAF: u64 = 0x7c86;
/// Its timer handler.
pub const TIMER: u64 = 0x7d00;
/// 16 bits that the other processors count up.
pub const COUNTER: u64 = 0x5006;

/// At 7C00h; FS base is the local APIC's.
/// ```text
///         xor ax, ax          ; DS = ES = SS = 0, stack below 7000h
///         mov ds, ax
///         mov es, ax
///         mov ss, ax
///         mov sp, 0x7000
///         mov word ptr [0x100], 0x7d00        ; vector 40h: timer
///         mov [0x102], ax
///         mov dword ptr fs:[0xf0], 0x1ff      ; SVR: enable
///         mov dword ptr fs:[0x3e0], 0xb       ; divide by 1
///         mov dword ptr fs:[0x320], 0x20040   ; periodic, vector 40h
///         mov dword ptr fs:[0x380], 20000     ; 20 us
///         mov dword ptr fs:[0x300], 0xc4500   ; INIT to all others
///         mov dword ptr fs:[0x300], 0xc4608   ; SIPI, vector 08h
///         mov al, 1
///         mov dx, 0xe4
///         out dx, al          ; online
///         sti
/// main:   call work
///         mov dx, 0x3fd
///         in al, dx
///         test al, 1
///         jz quiet
///         mov dx, 0x3f8
///         in al, dx
///         out dx, al          ; echo
/// quiet:  inc bx
///         test bx, 0x3f
///         jnz main
///         hlt
///         jmp main
/// work:   push cx
///         mov di, 0x6000
///         mov cx, 16
///         mov al, bl
///         rep stosb
///         lock inc word ptr [0x5004]
///         call leaf
///         pop cx
///         ret
/// leaf:   mov ax, [0x5004]
///         imul ax, ax, 31
///         xor [0x5008], ax
///         ret
/// ```
const BSP: &[u8] = &[
    0x31, 0xc0, 0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xd0, 0xbc, 0x00, 0x70, 0xc7, 0x06, 0x00, 0x01, 0x00, 0x7d, 0xa3, 0x02,
    0x01, 0x64, 0x66, 0xc7, 0x06, 0xf0, 0x00, 0xff, 0x01, 0x00, 0x00, 0x64, 0x66, 0xc7, 0x06, 0xe0, 0x03, 0x0b, 0x00,
    0x00, 0x00, 0x64, 0x66, 0xc7, 0x06, 0x20, 0x03, 0x40, 0x00, 0x02, 0x00, 0x64, 0x66, 0xc7, 0x06, 0x80, 0x03, 0x20,
    0x4e, 0x00, 0x00, 0x64, 0x66, 0xc7, 0x06, 0x00, 0x03, 0x00, 0x45, 0x0c, 0x00, 0x64, 0x66, 0xc7, 0x06, 0x00, 0x03,
    0x08, 0x46, 0x0c, 0x00, 0xb0, 0x01, 0xba, 0xe4, 0x00, 0xee, 0xfb, 0xe8, 0x17, 0x00, 0xba, 0xfd, 0x03, 0xec, 0xa8,
    0x01, 0x74, 0x05, 0xba, 0xf8, 0x03, 0xec, 0xee, 0x43, 0xf7, 0xc3, 0x3f, 0x00, 0x75, 0xe9, 0xf4, 0xeb, 0xe6, 0x51,
    0xbf, 0x00, 0x60, 0xb9, 0x10, 0x00, 0x88, 0xd8, 0xf3, 0xaa, 0xf0, 0xff, 0x06, 0x04, 0x50, 0xe8, 0x02, 0x00, 0x59,
    0xc3, 0xa1, 0x04, 0x50, 0x6b, 0xc0, 0x1f, 0x31, 0x06, 0x08, 0x50, 0xc3,
];

/// At 7D00h.
/// ```text
/// timer:  inc word ptr cs:[0x5000]
///         mov dword ptr fs:[0xb0], 0          ; EOI
///         iret
/// ```
const TIMER_CODE: &[u8] =
    &[0x2e, 0xff, 0x06, 0x00, 0x50, 0x64, 0x66, 0xc7, 0x06, 0xb0, 0x00, 0x00, 0x00, 0x00, 0x00, 0xcf];

/// At 8000h.
/// ```text
/// ap:     xor ax, ax
///         mov ds, ax
///         mov al, 1
///         mov dx, 0xe4
///         out dx, al          ; online
/// loop:   mov ax, 1
///         lock xadd [0x5006], ax
///         mov si, ax
///         and si, 0xfff
///         xor [si + 0x9000], ax
///         pause
///         cmp ax, 0xfff0
///         jb loop
///         hlt
///         jmp loop
/// ```
const AP: &[u8] = &[
    0x31, 0xc0, 0x8e, 0xd8, 0xb0, 0x01, 0xba, 0xe4, 0x00, 0xee, 0xb8, 0x01, 0x00, 0xf0, 0x0f, 0xc1, 0x06, 0x06, 0x50,
    0x89, 0xc6, 0x81, 0xe6, 0xff, 0x0f, 0x31, 0x84, 0x00, 0x90, 0xf3, 0x90, 0x83, 0xf8, 0xf0, 0x72, 0xe6, 0xf4, 0xeb,
    0xe3,
];

/// The machine with that guest.
pub fn machine(cpus: u16, seed: Option<u64>) -> Machine {
    build(cpus, seed, BSP)
}

/// A machine whose bootstrap processor halts at once, with interrupts disabled.
pub fn halted(cpus: u16) -> Machine {
    build(cpus, None, &[0xf4])
}

/// A machine of one processor that runs this code.
pub fn with_code(code: &[u8]) -> Machine {
    build(1, None, code)
}

fn build(cpus: u16, seed: Option<u64>, code: &[u8]) -> Machine {
    let mut bus = Bus::new(1 << 20);
    for (paddr, code) in [(START, code), (TIMER, TIMER_CODE), (0x8000, AP)] {
        assert!(bus.ram.write_slice(paddr, code));
    }
    let mut cpus: Vec<Cpu> = (0..cpus).map(|id| Cpu::power_on(CpuId(id), id.into(), id == 0)).collect();
    cpus[0].segments[segment::CS].selector = 0;
    cpus[0].segments[segment::CS].base = 0;
    cpus[0].segments[segment::FS].base = 0xfee0_0000;
    cpus[0].rip = START;
    Machine::new(cpus, bus, Schedule::new(64, seed))
}

/// A machine with the kernel.
pub fn kernel(image: &[u8], cpus: u16, seed: Option<u64>) -> Machine {
    kernel_with_memory(image, cpus, seed, 64 << 20)
}

/// The same with so many bytes of RAM.
pub fn kernel_with_memory(image: &[u8], cpus: u16, seed: Option<u64>, memory_bytes: u64) -> Machine {
    let (apic_ids, options) = (Vec::new(), String::new());
    let config = MachineConfig {
        cpus,
        apic_ids,
        memory_bytes,
        quantum: 64,
        seed,
        options,
        cpu_quirks: Vec::new(),
        firmware: Default::default(),
    };
    boot::machine(image, &config).unwrap_or_else(|error| panic!("the kernel does not boot: {error}"))
}

/// A timeline around the guest.
pub fn timeline(cpus: u16, seed: Option<u64>) -> Timeline {
    timeline_of(machine(cpus, seed))
}

/// A timeline with room for everything.
pub fn timeline_of(machine: Machine) -> Timeline {
    Timeline::new(machine, 1 << 30)
}

/// A run forwards of all CPUs.
pub fn forward(until: Until) -> Advance {
    Advance {
        cpu: None,
        hold_others: false,
        direction: Direction::Forward,
        until,
        budget: 10_000_000,
        serial_input: Vec::new(),
        keys: Vec::new(),
        wanted: Wanted::default(),
    }
}

/// The same backwards.
pub fn back(until: Until) -> Advance {
    Advance { direction: Direction::Backward, ..forward(until) }
}

/// Makes a request that must make sense.
pub fn advance(timeline: &mut Timeline, request: &Advance) -> StopReason {
    timeline.advance(request).unwrap_or_else(|refusal| panic!("{request:?}: {refusal:?}"))
}

/// Runs forwards to a position.
pub fn run_to(timeline: &mut Timeline, position: u64) {
    let steps = position - timeline.position().0;
    assert_eq!(advance(timeline, &forward(Until::Steps(steps))), StopReason::Reached);
    assert_eq!(timeline.position().0, position);
}
