//! How many instructions a second the CPU executes in a loop as compiled code has it: arithmetic, loads, stores, a call
//! and branches, in 64-bit mode with paging. `cargo run --release -p machine --example integer_loop`

use machine::bus::Bus;
use machine::cpu::segment::{CS, Segment, attr};
use machine::cpu::{Cpu, cr0, cr4, efer, flags, gpr};
use machine::{exception, execute};
use protocol::CpuId;
use std::time::Instant;

/// Instructions in all.
const STEPS: u64 = 200_000_000;
/// Plain instructions in a row at most, as many as the machine's schedule gives a CPU.
const ROW: u32 = machine::schedule::DEFAULT_QUANTUM;
const CODE_AT: u64 = 0x8000;

/// Assembled by hand; RSI points at data.
#[rustfmt::skip]
const CODE: &[u8] = &[
    // top:
    0x48, 0x01, 0xd8,             // add rax, rbx
    0x48, 0x31, 0xc3,             // xor rbx, rax
    0x48, 0x89, 0x06,             // mov [rsi], rax
    0x48, 0x8b, 0x4e, 0x08,       // mov rcx, [rsi+8]
    0x48, 0x8d, 0x14, 0x48,       // lea rdx, [rax+rcx*2]
    0xff, 0x46, 0x10,             // inc dword ptr [rsi+16]
    0x48, 0xc1, 0xe2, 0x03,       // shl rdx, 3
    0x0f, 0xb6, 0xfa,             // movzx edi, dl
    0x39, 0xf8,                   // cmp eax, edi
    0x77, 0x00,                   // ja next
    // next:
    0xe8, 0x04, 0x00, 0x00, 0x00, // call leaf
    0x85, 0xc0,                   // test eax, eax
    0xeb, 0xd8,                   // jmp top
    // leaf:
    0x53,                         // push rbx
    0x5b,                         // pop rbx
    0xc3,                         // ret
];

fn main() {
    let mut cpu = Cpu::power_on(CpuId(0), 0, true);
    let mut bus = Bus::new(4 << 20);
    let flat = attr::P | attr::S | attr::WRITABLE | attr::ACCESSED;
    cpu.segments = [Segment { selector: 0x10, attributes: flat | attr::DB, limit: u32::MAX, base: 0 }; 6];
    cpu.segments[CS].attributes = flat | attr::CODE | attr::L;
    for (table, entry) in [(0x1000, 0x2003u64), (0x2000, 0x3003), (0x3000, 0x83)] {
        bus.ram.write(table, entry.to_le_bytes());
    }
    cpu.cr3 = 0x1000;
    cpu.cr4 = cr4::PAE | cr4::OSFXSR;
    cpu.efer = efer::LME | efer::LMA;
    cpu.cr0 = cr0::PE | cr0::PG | cr0::WP;
    cpu.rflags = flags::RESERVED_ONE;
    cpu.update_mode();
    cpu.rip = CODE_AT;
    cpu.gpr[gpr::RSP] = 0x7000;
    cpu.gpr[gpr::RBX] = 0x9e37_79b9_7f4a_7c15;
    cpu.gpr[gpr::RSI] = 0x9000;
    bus.ram.write_slice(CODE_AT, CODE);

    let start = Instant::now();
    let mut made = 0;
    while made < STEPS {
        if exception::service_pending(&mut cpu, &mut bus) {
            made += 1;
            continue;
        }
        let (count, result) = execute::step_instructions(&mut cpu, &mut bus, ROW);
        made += u64::from(count);
        if let Err(trap) = result {
            eprintln!("the loop left its way at rip {:x}: {trap:?}", cpu.rip);
            std::process::exit(1);
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    println!("{:.1} million instructions a second (rax {:016x})", made as f64 / seconds / 1e6, cpu.gpr[gpr::RAX]);
}
