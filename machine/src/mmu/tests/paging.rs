//! Translation with its faults, A and D bits, and accesses that cross pages.

use crate::bus::Bus;
use crate::cpu::segment::{CS, DS, SS};
use crate::cpu::{Cpu, cr0, cr4, efer, flags};
use crate::mmu::walk::pte;
use crate::mmu::{self};
use crate::testing::*;

const LINEAR: u64 = 0x40_0000_0000;

fn user(cpu: &mut Cpu) {
    cpu.segments[CS].attributes |= RING3;
    cpu.segments[SS].attributes |= RING3;
}

/// Goal: error codes are exact; method: each kind of access to pages with each right missing.
#[test]
fn error_codes() {
    let (mut cpu, mut bus) = long();
    let error = |cpu: &mut Cpu, bus: &mut Bus, access: &str| {
        let fault = match access {
            "read" => fault(mmu::read_u8(cpu, bus, DS, LINEAR)),
            "write" => fault(mmu::write_u8(cpu, bus, DS, LINEAR, 0)),
            _ => fault(mmu::fetch_page(cpu, bus, LINEAR)),
        };
        assert_eq!((fault.vector, fault.cr2), (14, Some(LINEAR)));
        fault.error.unwrap()
    };
    assert_eq!(error(&mut cpu, &mut bus, "read"), 0);
    assert_eq!(error(&mut cpu, &mut bus, "write"), 2);
    assert_eq!(error(&mut cpu, &mut bus, "fetch"), 0x10);
    map(&mut bus, LINEAR, 0x6000, pte::P | pte::XD, 1);
    assert!(mmu::read_u8(&mut cpu, &mut bus, DS, LINEAR).is_ok());
    assert_eq!(error(&mut cpu, &mut bus, "write"), 3);
    assert_eq!(error(&mut cpu, &mut bus, "fetch"), 0x11);
    user(&mut cpu);
    assert_eq!(error(&mut cpu, &mut bus, "read"), 5);
    assert_eq!(error(&mut cpu, &mut bus, "write"), 7);
    map(&mut bus, LINEAR, 1 << 45 | 0x6000, FULL, 1);
    assert_eq!(error(&mut cpu, &mut bus, "read"), 0xd, "a reserved bit");
    let (mut cpu, mut bus) = long();
    cpu.efer &= !efer::NXE;
    assert_eq!(error(&mut cpu, &mut bus, "fetch"), 0, "I/D is told only with NXE (or SMEP)");
    map(&mut bus, LINEAR, 0x6000, FULL | pte::XD, 1);
    assert_eq!(error(&mut cpu, &mut bus, "read"), 9, "XD without NXE is a reserved bit");
}

/// Goal: the cause says which entry is to blame; method: a read-only PML4 entry above a writable page.
#[test]
fn causes_name_the_entry() {
    let (mut cpu, mut bus) = long();
    map(&mut bus, LINEAR, 0x6000, FULL, 1);
    let entry = word(&bus, ROOT);
    put(&mut bus, ROOT, entry & !pte::RW);
    let cause = fault(mmu::write_u8(&mut cpu, &mut bus, DS, LINEAR, 0)).cause;
    assert!(cause.contains("PML4[0] says so") && cause.contains("CR0.WP"), "{cause}");
    let cause = fault(mmu::read_u8(&mut cpu, &mut bus, DS, LINEAR + 0x1000)).cause;
    assert!(cause.contains("PT[1] is not present"), "{cause}");
}

/// Goal: CR0.WP and SMEP change what the supervisor may do; method: both settings of each.
#[test]
fn supervisor_rules() {
    let (mut cpu, mut bus) = long();
    map(&mut bus, LINEAR, 0x6000, pte::P | pte::US, 1);
    assert_eq!(code(mmu::write_u8(&mut cpu, &mut bus, DS, LINEAR, 0)), (14, Some(3)));
    cpu.cr0 &= !cr0::WP;
    assert!(mmu::write_u8(&mut cpu, &mut bus, DS, LINEAR, 0).is_ok());
    assert!(mmu::fetch_page(&mut cpu, &mut bus, LINEAR).is_ok());
    cpu.cr4 |= cr4::SMEP;
    assert_eq!(code(mmu::fetch_page(&mut cpu, &mut bus, LINEAR)), (14, Some(0x11)));
    cpu.cr4 |= cr4::SMAP;
    assert_eq!(code(mmu::read_u8(&mut cpu, &mut bus, DS, LINEAR)), (14, Some(1)));
    cpu.rflags |= flags::AC;
    assert!(mmu::read_u8(&mut cpu, &mut bus, DS, LINEAR).is_ok());
}

/// Goal: A is set in all entries used, D by writes in the leaf only; method: read, then write, then look at memory.
#[test]
fn accessed_and_dirty() {
    let (mut cpu, mut bus) = long();
    let leaf = map(&mut bus, LINEAR, 0x6000, FULL, 1);
    mmu::read_u8(&mut cpu, &mut bus, DS, LINEAR).unwrap();
    assert_eq!(word(&bus, leaf) & (pte::A | pte::D), pte::A);
    assert_eq!(word(&bus, ROOT) & (pte::A | pte::D), pte::A);
    assert!(!cpu.tlb.lookup_quiet(LINEAR, 0).unwrap().dirty);
    mmu::write_u8(&mut cpu, &mut bus, DS, LINEAR, 1).unwrap();
    assert_eq!(word(&bus, leaf) & (pte::A | pte::D), pte::A | pte::D);
    assert_eq!(word(&bus, ROOT) & pte::D, 0);
    assert!(cpu.tlb.lookup_quiet(LINEAR, 0).unwrap().dirty);
    put(&mut bus, leaf, 0x6000 | FULL);
    mmu::write_u8(&mut cpu, &mut bus, DS, LINEAR, 2).unwrap();
    assert_eq!(word(&bus, leaf) & pte::D, 0, "the TLB knows the page as dirty and does not look again");
}

/// Goal: a denied access leaves no A or D; method: a user read of a supervisor page.
#[test]
fn denied_access_marks_nothing() {
    let (mut cpu, mut bus) = long();
    let leaf = map(&mut bus, LINEAR, 0x6000, pte::P, 1);
    user(&mut cpu);
    assert_eq!(code(mmu::read_u8(&mut cpu, &mut bus, DS, LINEAR)), (14, Some(5)));
    assert_eq!(word(&bus, leaf) & pte::A, 0);
}

/// Goal: more rights need no flush, as on real processors; method: read-only becomes writable behind the TLB.
#[test]
fn gained_rights_are_seen() {
    let (mut cpu, mut bus) = long();
    map(&mut bus, LINEAR, 0x6000, pte::P, 1);
    mmu::read_u8(&mut cpu, &mut bus, DS, LINEAR).unwrap();
    map(&mut bus, LINEAR, 0x6000, FULL, 1);
    assert!(mmu::write_u8(&mut cpu, &mut bus, DS, LINEAR, 0).is_ok());
}

/// Goal: an access across two pages is whole or not at all; method: the second page absent, then present elsewhere.
#[test]
fn page_crossing() {
    let (mut cpu, mut bus) = long();
    map(&mut bus, LINEAR, 0x6000, FULL, 1);
    bus.ram.write(0x6ffc, [0xaau8; 4]);
    let refused = fault(mmu::write_u64(&mut cpu, &mut bus, DS, LINEAR + 0xffc, 0x1122_3344_5566_7788));
    assert_eq!((refused.vector, refused.error, refused.cr2), (14, Some(2), Some(LINEAR + 0x1000)));
    assert_eq!(bus.ram.read(0x6ffc), Some([0xaau8; 4]), "nothing was written");
    map(&mut bus, LINEAR + 0x1000, 0x3000, FULL, 1);
    mmu::write_u64(&mut cpu, &mut bus, DS, LINEAR + 0xffc, 0x1122_3344_5566_7788).unwrap();
    assert_eq!(bus.ram.read(0x6ffc), Some(0x5566_7788u32.to_le_bytes()));
    assert_eq!(bus.ram.read(0x3000), Some(0x1122_3344u32.to_le_bytes()));
    assert_eq!(mmu::read_u64(&mut cpu, &mut bus, DS, LINEAR + 0xffc).unwrap(), 0x1122_3344_5566_7788);
    assert!(mmu::check_write(&mut cpu, &mut bus, DS, LINEAR + 0x1ffc, 8).is_err());
}

/// Goal: user code that asks for it gets #AC; method: a misaligned read with AC and AM, in both rings.
#[test]
fn alignment_check() {
    let (mut cpu, mut bus) = long();
    cpu.cr0 |= cr0::AM;
    cpu.rflags |= flags::AC;
    assert!(mmu::read_u32(&mut cpu, &mut bus, DS, 0x2001).is_ok());
    user(&mut cpu);
    assert_eq!(code(mmu::read_u32(&mut cpu, &mut bus, DS, 0x2001)), (17, Some(0)));
    assert!(mmu::read_u32(&mut cpu, &mut bus, DS, 0x2004).is_ok());
}

/// Goal: watchpoints see data accesses at their linear address; method: a write beside and one on the watched bytes.
#[test]
fn watchpoints_are_told() {
    use protocol::LinearAddr;
    use protocol::breakpoint::{Breakpoint, Condition};
    let (mut cpu, mut bus) = long();
    bus.watch.active = true;
    let condition = Condition::Write { linear: LinearAddr(0x2004), len: 4 };
    bus.watch.points.push(Breakpoint { id: 7, cpu: None, condition });
    mmu::write_u32(&mut cpu, &mut bus, DS, 0x2000, 1).unwrap();
    mmu::read_u32(&mut cpu, &mut bus, DS, 0x2004).unwrap();
    assert_eq!(bus.watch.hit, None);
    mmu::write_u16(&mut cpu, &mut bus, DS, 0x2007, 1).unwrap();
    assert_eq!(bus.watch.hit, Some((7, cpu.id)));
}
