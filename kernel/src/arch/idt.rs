//! The IDT, one for all CPUs: 256 gates to the stubs in `asm/traps.S`.
#![allow(unsafe_code)]

use super::gdt::KERNEL_CS;
use spin::Once;

/// Interrupt stacks of a CPU, as indices into the TSS (IST 1 to 4). Everything else nests on the stack in use.
pub const IST_STACKS: usize = 4;

/// Vectors with a stack of their own: a double fault's stack may be the fault; the others come at any moment.
const IST: [(usize, u64); IST_STACKS] = [(8, 1), (2, 2), (1, 3), (18, 4)];

/// Bytes between two stubs.
const STUB_SPACING: u64 = 16;

/// A 64-bit interrupt gate (SDM volume 3A, "64-Bit IDT Gate Descriptors"), two slots.
fn gate(handler: u64, ist: u64) -> [u64; 2] {
    const PRESENT_INTERRUPT_GATE: u64 = 0x8e << 40;
    let low = handler & 0xffff
        | (KERNEL_CS as u64) << 16
        | ist << 32
        | PRESENT_INTERRUPT_GATE
        | (handler >> 16 & 0xffff) << 48;
    [low, handler >> 32]
}

/// Operand of LIDT: limit and base.
#[repr(C, packed)]
#[derive(Clone, Copy, Debug)]
pub struct Descriptor {
    limit: u16,
    base: u64,
}

unsafe extern "C" {
    static trap_stubs: u8;
}

static IDT: Once<[[u64; 2]; 256]> = Once::new();

/// What `secondary_startup_64` and the boot CPU give to LIDT. Written once, before any other CPU runs.
// SAFETY: no other symbol has this name.
#[unsafe(no_mangle)]
static mut idt_descr: Descriptor = Descriptor { limit: 0, base: 0 };

/// Fills the table and its descriptor. The boot CPU calls it once.
pub fn init() {
    let table = IDT.call_once(|| {
        let stubs = &raw const trap_stubs as u64;
        core::array::from_fn(|vector| {
            let ist = IST.iter().find(|(v, _)| *v == vector).map_or(0, |(_, ist)| *ist);
            gate(stubs + vector as u64 * STUB_SPACING, ist)
        })
    });
    // SAFETY: the boot CPU alone is running, and nothing has read the descriptor yet.
    unsafe { idt_descr = Descriptor { limit: (size_of_val(table) - 1) as u16, base: table.as_ptr() as u64 } };
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: a gate is the SDM's. Method: a handler whose 16-bit parts all differ, IST 2, compared as numbers.
    #[test]
    fn gates_hold_handler_selector_and_ist() {
        assert_eq!(gate(0xffff_8765_4321_0fed, 2), [0x4321_8e02_0010_0fed, 0xffff_8765]);
    }
}
