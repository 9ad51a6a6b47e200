//! Where instructions come from: page borders, limits, code that changes.

use crate::lab::{CODE, DATA, HOLE, Lab};
use machine::bus::Bus;
use machine::cpu::gpr::{RAX, RDI};
use machine::cpu::segment::CS;
use machine::fault::vector;

/// Goal: a write to code is seen by the next fetch, from the same page, another CPU's write or a debugger's; method: an
/// instruction that overwrites the one after it, run twice over the same bytes.
#[test]
fn code_that_changes() {
    // mov byte ptr [rdi], 0x42; then mov al, imm8 whose immediate is at rdi
    let code = [0xc6, 0x07, 0x42, 0xb0, 0x11];
    let lab = Lab::new(64, &code).with(RDI, CODE + 4);
    let mut lab = lab.run(2);
    assert_eq!(lab.reg(RAX), 0x42);
    lab.cpu.rip = CODE + 3;
    lab.bus.ram.write_slice(CODE + 4, &[0x55]);
    assert_eq!(lab.run(1).reg(RAX), 0x55);
}

/// Goal: an instruction over two pages is right after either page changes or is mapped elsewhere; method: both halves
/// are rewritten, then the second page is remapped.
#[test]
fn page_border() {
    let at = 0x20_0000 - 2;
    let mut lab = Lab { bus: Bus::new(4 << 20), ..Lab::new(64, &[]) };
    for (table, entry) in [(0x1000, 0x2003u64), (0x2000, 0x3003), (0x3000, 0x83), (0x3008, 0x20_0083)] {
        lab.bus.ram.write(table, entry.to_le_bytes());
    }
    lab.bus.ram.write_slice(at, &[0xb8, 0x01, 0x02, 0x03, 0x04]);
    let run = |lab: &mut Lab| {
        lab.cpu.rip = at;
        *lab = lab.clone().run(1);
        lab.reg(RAX)
    };
    assert_eq!(run(&mut lab), 0x0403_0201);
    lab.bus.ram.write_slice(at + 2, &[0x22]);
    assert_eq!(run(&mut lab), 0x0403_2201);
    lab.bus.ram.write_slice(at + 1, &[0x11]);
    assert_eq!(run(&mut lab), 0x0403_2211);
    let mut unmapped = lab.clone();
    unmapped.bus.ram.write(0x3008, 0u64.to_le_bytes());
    unmapped.cpu.tlb = Default::default();
    unmapped.cpu.rip = at;
    let fault = unmapped.fault();
    assert_eq!((fault.vector, fault.cr2), (vector::PAGE_FAULT, Some(HOLE)));
}

/// Goal: the same bytes decode anew in another code size; method: 64-bit and 32-bit view of one page.
#[test]
fn code_sizes_are_apart() {
    // 64-bit: mov r8, imm64 ...; 32-bit: dec ecx; mov eax, imm32
    let code = [0x49, 0xb8, 1, 0, 0, 0, 0, 0, 0, 0];
    let lab = Lab::new(64, &code).run(1);
    assert_eq!(lab.cpu.rip, CODE + 10);
    let mut lab = Lab { bus: lab.bus, ..Lab::new(32, &code) };
    lab.cpu.cr0 &= !machine::cpu::cr0::PG;
    let lab = lab.run(2);
    assert_eq!((lab.cpu.rip, lab.reg(RAX)), (CODE + 6, 0x1));
}

/// Goal: no byte beyond CS's limit is executed; method: an instruction whose last byte is just inside and outside.
#[test]
fn code_limit() {
    for (limit, reaches) in [(CODE + 4, true), (CODE + 3, false)] {
        let mut lab = Lab::new(32, &[0xb8, 1, 2, 3, 4]);
        lab.cpu.segments[CS].limit = limit as u32;
        if reaches {
            lab.run(1);
        } else {
            assert_eq!(lab.fault().vector, vector::GENERAL_PROTECTION);
        }
    }
}

/// Goal: a relative operand belongs to the address, not to the cached bytes; method: one page at two linear addresses.
#[test]
fn one_page_two_addresses() {
    // lea rax, [rip]
    let mut lab = Lab::new(64, &[0x48, 0x8d, 0x05, 0, 0, 0, 0]);
    lab.bus.ram.write(0x3008, 0x83u64.to_le_bytes());
    let mut lab = lab.run(1);
    assert_eq!(lab.reg(RAX), CODE + 7);
    lab.cpu.rip = HOLE + CODE;
    let lab = lab.with(RDI, DATA).run(1);
    assert_eq!(lab.reg(RAX), HOLE + CODE + 7);
}
