//! Limits, rights and canonical form.

use crate::cpu::segment::{self, DS, ES, FS, SS, Segment, attr};
use crate::fault::vector::{GENERAL_PROTECTION as GP, STACK_FAULT};
use crate::mmu;
use crate::testing::*;

/// Goal: a real-mode segment ends at 64 KiB, and SS has its own fault; method: words around offset FFFFh.
#[test]
fn real_mode_limit() {
    let (mut cpu, mut bus) = real();
    assert!(mmu::read_u16(&mut cpu, &mut bus, DS, 0xfffe).is_ok());
    assert_eq!(code(mmu::read_u16(&mut cpu, &mut bus, DS, 0xffff)), (GP, Some(0)));
    assert_eq!(code(mmu::write_u16(&mut cpu, &mut bus, SS, 0xffff, 0)), (STACK_FAULT, Some(0)));
    assert_eq!(code(mmu::read_u8(&mut cpu, &mut bus, DS, 0x1_0000)), (GP, Some(0)));
    assert_eq!(code(mmu::read_u64(&mut cpu, &mut bus, DS, u64::MAX - 2)), (GP, Some(0)), "no wrap around");
}

/// Goal: "unreal" mode: a limit loaded in protected mode stays; method: real-mode load over a 4 GiB hidden limit.
#[test]
fn unreal_mode_reaches_beyond_64_kib() {
    let (mut cpu, mut bus) = real();
    cpu.segments[DS].limit = u32::MAX;
    crate::execute::segment_load::load(&mut cpu, &mut bus, DS, 0x100).unwrap();
    assert_eq!((cpu.segments[DS].base, cpu.segments[DS].limit), (0x1000, u32::MAX));
    mmu::write_u32(&mut cpu, &mut bus, DS, 0x20_0000, 0x1234).unwrap();
    assert_eq!(word(&bus, 0x20_1000), 0x1234);
}

/// Goal: type and limit checks of protected mode; method: segments of each kind, expand-down included.
#[test]
fn protected_mode_checks() {
    let (mut cpu, mut bus) = protected();
    let set = |cpu: &mut crate::cpu::Cpu, attributes, limit| {
        cpu.segments[ES] = Segment { selector: 0x10, attributes, limit, base: 0x1000 };
    };
    let data = attr::P | attr::S | attr::DB;
    set(&mut cpu, data, 0xfff);
    assert!(mmu::read_u8(&mut cpu, &mut bus, ES, 0xfff).is_ok());
    assert_eq!(code(mmu::read_u16(&mut cpu, &mut bus, ES, 0xfff)), (GP, Some(0)));
    assert_eq!(code(mmu::write_u8(&mut cpu, &mut bus, ES, 0, 0)), (GP, Some(0)), "read-only");
    set(&mut cpu, attr::P | attr::S | attr::CODE, 0xfff);
    assert_eq!(code(mmu::read_u8(&mut cpu, &mut bus, ES, 0)), (GP, Some(0)), "execute-only");
    set(&mut cpu, attr::P | attr::S | attr::CODE | attr::WRITABLE, 0xfff);
    assert!(mmu::read_u8(&mut cpu, &mut bus, ES, 0).is_ok());
    assert_eq!(code(mmu::write_u8(&mut cpu, &mut bus, ES, 0, 0)), (GP, Some(0)), "code");
    set(&mut cpu, data | attr::WRITABLE | attr::EXPAND_DOWN, 0xfff);
    assert_eq!(code(mmu::read_u8(&mut cpu, &mut bus, ES, 0xfff)), (GP, Some(0)));
    assert!(mmu::write_u8(&mut cpu, &mut bus, ES, 0x1000, 1).is_ok());
    set(&mut cpu, (data | attr::WRITABLE | attr::EXPAND_DOWN) & !attr::DB, 0xfff);
    assert_eq!(code(mmu::read_u16(&mut cpu, &mut bus, ES, 0xffff)), (GP, Some(0)), "top at 64 KiB without B");
    set(&mut cpu, attr::UNUSABLE, 0);
    assert!(fault(mmu::read_u8(&mut cpu, &mut bus, ES, 0)).cause.contains("null selector"));
}

/// Goal: linear addresses wrap at 4 GiB outside 64-bit mode; method: a base near the top.
#[test]
fn linear_addresses_wrap() {
    let (mut cpu, mut bus) = protected();
    cpu.segments[ES].base = 0xffff_f000;
    mmu::write_u32(&mut cpu, &mut bus, ES, 0x3000, 0xabcd).unwrap();
    assert_eq!(word(&bus, 0x2000), 0xabcd);
}

/// Goal: 64-bit mode ignores bases and limits but for FS and GS, and checks canonical form; method: one access each.
#[test]
fn long_mode_is_flat() {
    let (mut cpu, mut bus) = long();
    cpu.segments[DS] = Segment { selector: 0, attributes: attr::UNUSABLE, limit: 0, base: 0x5000 };
    cpu.segments[FS] = Segment { base: 0x3000, ..cpu.segments[DS] };
    mmu::write_u64(&mut cpu, &mut bus, DS, 0x2000, 1).unwrap();
    mmu::write_u64(&mut cpu, &mut bus, FS, 0x2000, 2).unwrap();
    assert_eq!((word(&bus, 0x2000), word(&bus, 0x5000)), (1, 2));
    assert_eq!(code(mmu::read_u8(&mut cpu, &mut bus, DS, 1 << 47)), (GP, Some(0)));
    assert_eq!(code(mmu::read_u8(&mut cpu, &mut bus, SS, 1 << 47)), (STACK_FAULT, Some(0)));
    assert_eq!(code(mmu::read_u64(&mut cpu, &mut bus, DS, (1 << 47) - 4)).0, 14, "the first page faults first");
}

/// Goal: a fetch is checked against CS's limit; method: 64 KiB of real-mode code.
#[test]
fn fetch_ends_at_the_limit() {
    let (mut cpu, mut bus) = real();
    cpu.segments[segment::CS].base = 0x1_0000;
    let mut bytes = [0; 15];
    assert_eq!(mmu::fetch(&mut cpu, &mut bus, 0x1_fffd, &mut bytes).unwrap(), 3);
    assert_eq!(code(mmu::fetch(&mut cpu, &mut bus, 0x2_0000, &mut bytes)), (GP, Some(0)));
}
