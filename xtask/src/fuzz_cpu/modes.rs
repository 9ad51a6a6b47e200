//! The modes that programs run in, and the way there from real mode: tables and a few instructions in the first 64 KiB, the
//! same on both machines.
//!
//! ```text
//! 0000 IVT   1000, 2000, 3000, F000 page tables   4000 IDT   5000 GDT   6000 TSS   7000 the way   8000 program   9000 data
//! A000 stack   B000 handlers, 16 bytes for each vector (never executed)   C000 stack of ring 0 in outer rings
//! ```

pub const CODE: u64 = 0x8000;
pub const DATA: u64 = 0x9000;
pub const STACK: u64 = 0xa000;
/// Where the stack pointer begins.
pub const STACK_TOP: u64 = 0xae00;
pub const HANDLERS: u64 = 0xb000;
/// Stack of ring 0 while outer rings run.
pub const INNER_STACK: u64 = 0xc000;
const INNER_TOP: u64 = 0xce00;
/// The first instruction of the way.
pub const WAY: u64 = 0x7000;
const WAY_32: u64 = 0x7100;
const IDT: u64 = 0x4000;
const GDT: u64 = 0x5000;
const TSS: u64 = 0x6000;

/// Where a program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Real,
    V86,
    Protected { ring: u8 },
    Long { ring: u8 },
}

pub const ALL: [Mode; 6] = [
    Mode::Real,
    Mode::V86,
    Mode::Protected { ring: 0 },
    Mode::Protected { ring: 3 },
    Mode::Long { ring: 0 },
    Mode::Long { ring: 3 },
];

impl Mode {
    /// Width of the code.
    pub fn bits(self) -> u32 {
        match self {
            Self::Real | Self::V86 => 16,
            Self::Protected { .. } => 32,
            Self::Long { .. } => 64,
        }
    }

    fn is_long(self) -> bool {
        self.bits() == 64
    }

    /// Offset and bytes of the flags in the frame of an exception, from the stack pointer after its delivery.
    pub fn flags_in_frame(self, has_error: bool) -> (u64, usize) {
        let word = match self {
            Self::Real => return (4, 2),
            Self::V86 | Self::Protected { .. } => 4,
            Self::Long { .. } => 8,
        };
        (word * (2 + u64::from(has_error)), word as usize)
    }

    /// What stands in memory: address and bytes.
    pub fn memory(self) -> Vec<(u64, Vec<u8>)> {
        let (way, way_32) = self.way();
        let mut parts = vec![(0, vectors()), (WAY, way), (WAY_32, way_32), (GDT, self.gdt()), (IDT, self.idt())];
        let mut tss = vec![0; 0x68];
        tss[4..8].copy_from_slice(&(INNER_TOP as u32).to_le_bytes());
        if !self.is_long() {
            tss[8] = 0x10;
        }
        // No I/O permission bitmap.
        tss[0x66] = 0x68;
        parts.push((TSS, tss));
        // The first 68 KiB mapped to themselves for all rings, nothing else: what lies beyond differs.
        let upper = if self.is_long() { [(0x1000u64, 0x2007u64), (0x2000, 0x3007)].as_slice() } else { &[] };
        for (table, entry) in upper.iter().chain(&[(0x3000, 0xf007)]) {
            parts.push((*table, entry.to_le_bytes().to_vec()));
        }
        let bytes = if self.is_long() { 8 } else { 4 };
        let leaves = (0..0x11u64).flat_map(|page| (page << 12 | 7).to_le_bytes().into_iter().take(bytes));
        parts.push((0xf000, leaves.collect()));
        // Operands of LGDT and LIDT.
        let pointer = |limit: u16, base: u64| [&limit.to_le_bytes()[..], &(base as u32).to_le_bytes()].concat();
        parts.push((0x7f00, pointer(0x4f, GDT)));
        parts.push((0x7f08, if self == Self::Real { pointer(0x3ff, 0) } else { pointer(0xfff, IDT) }));
        parts
    }

    /// 08 code and 10 data of ring 0, 18 64-bit code; 20 data, 28 code, 30 64-bit code of ring 3; 38 the TSS.
    fn gdt(self) -> Vec<u8> {
        let segment = |access: u64, flags: u64| 0xffff | access << 40 | 0xf << 48 | flags << 52;
        let entries = [
            0,
            segment(0x9b, 0xc),
            segment(0x93, 0xc),
            segment(0x9b, 0xa),
            segment(0xf3, 0xc),
            segment(0xfb, 0xc),
            segment(0xfb, 0xa),
            0x67 | TSS << 16 | 0x89 << 40,
            0,
            0,
        ];
        entries.into_iter().flat_map(u64::to_le_bytes).collect()
    }

    /// Interrupt gates. In IA-32e mode all may be used by software: QEMU's error code for those that may not is wrong.
    fn idt(self) -> Vec<u8> {
        let gate = |vector: u64| {
            let handler = HANDLERS + 16 * vector;
            let dpl = if self.is_long() || vector.is_multiple_of(2) { 3 } else { 0 };
            let selector = if self.is_long() { 0x18 } else { 0x08 };
            (handler & 0xffff) | selector << 16 | (0x8e | dpl << 5) << 40
        };
        (0..256)
            .flat_map(|vector| {
                let upper = if self.is_long() { vec![0; 8] } else { Vec::new() };
                [gate(vector).to_le_bytes().to_vec(), upper].concat()
            })
            .collect()
    }

    /// The instructions from real mode to the program, in 16- and in 32-bit code.
    fn way(self) -> (Vec<u8>, Vec<u8>) {
        let to_code = |from: u64| (CODE.wrapping_sub(from + 3) as u16).to_le_bytes();
        if self == Self::Real {
            // lidt [7f08h]; jmp 8000h
            let [low, high] = to_code(WAY + 5);
            return (vec![0x0f, 0x01, 0x1e, 0x08, 0x7f, 0xe9, low, high], Vec::new());
        }
        // lgdt [7f00h]; lidt [7f08h]
        let mut way = vec![0x0f, 0x01, 0x16, 0x00, 0x7f, 0x0f, 0x01, 0x1e, 0x08, 0x7f];
        if self.is_long() {
            // mov eax, 10020h (PAE, FSGSBASE); mov cr4, eax; mov eax, 1000h; mov cr3, eax
            way.extend([0x66, 0xb8, 0x20, 0x00, 0x01, 0x00, 0x0f, 0x22, 0xe0]);
            way.extend([0x66, 0xb8, 0x00, 0x10, 0x00, 0x00, 0x0f, 0x22, 0xd8]);
            // mov ecx, c0000080h; mov eax, 100h (LME); xor edx, edx; wrmsr
            way.extend([0x66, 0xb9, 0x80, 0x00, 0x00, 0xc0, 0x66, 0xb8, 0x00, 0x01, 0x00, 0x00]);
            way.extend([0x66, 0x31, 0xd2, 0x0f, 0x30]);
        } else {
            // mov eax, 3000h; mov cr3, eax
            way.extend([0x66, 0xb8, 0x00, 0x30, 0x00, 0x00, 0x0f, 0x22, 0xd8]);
        }
        // mov eax, 80010011h (PG, WP, PE); mov cr0, eax; jmp 08:7100h
        way.extend([0x66, 0xb8, 0x11, 0x00, 0x01, 0x80, 0x0f, 0x22, 0xc0, 0xea, 0x00, 0x71, 0x08, 0x00]);
        (way, self.way_32())
    }

    /// With 32-bit code, also where 64-bit code comes after it.
    fn way_32(self) -> Vec<u8> {
        // mov ax, 10h; mov ds, ax; mov es, ax; mov ss, ax; mov fs, ax; mov gs, ax
        let load_segments = |selector: u8| [0x66, 0xb8, selector, 0, 0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xe0, 0x8e, 0xe8];
        let mut way = load_segments(0x10).to_vec();
        // mov ss, ax; mov esp, STACK_TOP; mov ax, 38h; ltr ax
        way.extend([0x8e, 0xd0, 0xbc]);
        way.extend((STACK_TOP as u32).to_le_bytes());
        way.extend([0x66, 0xb8, 0x38, 0, 0x0f, 0x00, 0xd8]);
        let push = |way: &mut Vec<u8>, value: u64| {
            way.push(0x68);
            way.extend((value as u32).to_le_bytes());
        };
        match self {
            Self::Real => {}
            Self::V86 => {
                // GS, FS, DS, ES, SS, ESP, EFLAGS (VM, IOPL 3), CS, EIP; iretd
                for value in [0, 0, 0, 0, 0, STACK_TOP, 0x2_3002, 0, CODE] {
                    push(&mut way, value);
                }
                way.push(0xcf);
            }
            Self::Protected { ring: 0 } | Self::Long { ring: 0 } => {
                // jmp SELECTOR:8000h
                way.push(0xea);
                way.extend((CODE as u32).to_le_bytes());
                way.extend([if self.is_long() { 0x18 } else { 0x08 }, 0]);
            }
            Self::Protected { .. } | Self::Long { .. } => {
                way.extend(load_segments(0x23));
                let code = if self.is_long() { 0x33 } else { 0x2b };
                for value in [0x23, STACK_TOP, 2, code, CODE] {
                    push(&mut way, value);
                }
                way.push(0xcf);
            }
        }
        way
    }
}

/// The table of real mode: each vector to 0000:handler.
fn vectors() -> Vec<u8> {
    (0..256).flat_map(|vector| ((HANDLERS + 16 * vector) as u32).to_le_bytes()).collect()
}
