//! Protection keys: what PKRU and IA32_PKRS take away, through the TLB and past it.

use crate::bus::Bus;
use crate::cpu::segment::{CS, DS, SS};
use crate::cpu::{Cpu, cr0, cr4};
use crate::execute::{control_reg, msr};
use crate::mmu::walk::pte;
use crate::mmu::{self};
use crate::testing::*;

const USER: u64 = 0x40_0000_0000;
const SUPERVISOR: u64 = USER + 0x1000;
/// The key of both pages, and its two bits in a register.
const KEY: u64 = 5;
const AD: u32 = 1 << 10;
const WD: u32 = 1 << 11;

/// Protection keys on for both kinds of page, one page of each.
fn keyed() -> (Cpu, Bus) {
    let (mut cpu, mut bus) = long();
    map(&mut bus, USER, 0x6000, FULL | KEY << 59, 1);
    map(&mut bus, SUPERVISOR, 0x7000, (FULL | KEY << 59) & !pte::US, 1);
    let cr4 = cpu.cr4 | cr4::PKE | cr4::PKS;
    control_reg::write(&mut cpu, &mut bus, 4, cr4).unwrap();
    (cpu, bus)
}

fn set(cpu: &mut Cpu, bus: &mut Bus, pkru: u32, pkrs: u32) {
    cpu.pkru = pkru;
    msr::write(cpu, bus, msr::number::PKRS, pkrs.into()).unwrap();
    cpu.update_keys();
}

/// Error codes of a read and a write, None where it is allowed.
fn tried(cpu: &mut Cpu, bus: &mut Bus, linear: u64) -> [Option<u32>; 2] {
    let read = mmu::read_u8(cpu, bus, DS, linear).err().map(|trap| fault::<()>(Err(trap)));
    let write = mmu::write_u8(cpu, bus, DS, linear, 0).err().map(|trap| fault::<()>(Err(trap)));
    [read, write].map(|fault| fault.and_then(|fault| fault.error))
}

/// Goal: AD forbids data, WD writes, each kind of page by its own register, with the PK bit of the error code; method: all four
/// settings, first with an empty TLB and then with the page in it.
#[test]
fn registers() {
    for warm in [false, true] {
        for (bits, expected) in [
            (0, [None, None]),
            (WD, [None, Some(0x23)]),
            (AD, [Some(0x21), Some(0x23)]),
            (AD | WD, [Some(0x21), Some(0x23)]),
            (!(AD | WD), [None, None]),
        ] {
            let (mut cpu, mut bus) = keyed();
            if warm {
                assert_eq!(tried(&mut cpu, &mut bus, USER), [None, None]);
                assert_eq!(tried(&mut cpu, &mut bus, SUPERVISOR), [None, None]);
            }
            set(&mut cpu, &mut bus, bits, 0);
            assert_eq!(tried(&mut cpu, &mut bus, USER), expected, "PKRU {bits:x}");
            assert_eq!(tried(&mut cpu, &mut bus, SUPERVISOR), [None, None]);
            set(&mut cpu, &mut bus, 0, bits);
            assert_eq!(tried(&mut cpu, &mut bus, USER), [None, None], "no flush is needed to open it again");
            assert_eq!(tried(&mut cpu, &mut bus, SUPERVISOR), expected, "IA32_PKRS {bits:x}");
        }
    }
}

/// Goal: WD holds for user code always and for the supervisor with CR0.WP, fetches are free, CR4 switches all of it off; method:
/// one after the other, on the same TLB.
#[test]
fn whom_it_binds() {
    let (mut cpu, mut bus) = keyed();
    set(&mut cpu, &mut bus, WD, 0);
    assert_eq!(tried(&mut cpu, &mut bus, USER), [None, Some(0x23)]);
    cpu.cr0 &= !cr0::WP;
    assert_eq!(tried(&mut cpu, &mut bus, USER), [None, None]);
    for seg in [CS, SS] {
        cpu.segments[seg].attributes |= RING3;
    }
    assert_eq!(tried(&mut cpu, &mut bus, USER), [None, Some(0x27)]);
    assert_eq!(tried(&mut cpu, &mut bus, SUPERVISOR), [Some(5), Some(7)], "PK is not told where no key forbids it");
    set(&mut cpu, &mut bus, AD, AD);
    assert_eq!(
        tried(&mut cpu, &mut bus, SUPERVISOR),
        [Some(0x25), Some(0x27)],
        "it is told also where it is not the only reason"
    );
    assert!(mmu::fetch_page(&mut cpu, &mut bus, USER).is_ok());
    assert_eq!(tried(&mut cpu, &mut bus, USER), [Some(0x25), Some(0x27)]);
    let (mut cpu, mut bus) = keyed();
    set(&mut cpu, &mut bus, AD, AD);
    let cr4 = cpu.cr4 & !cr4::PKE;
    control_reg::write(&mut cpu, &mut bus, 4, cr4).unwrap();
    assert_eq!(tried(&mut cpu, &mut bus, USER), [None, None]);
    assert_eq!(tried(&mut cpu, &mut bus, SUPERVISOR), [Some(0x21), Some(0x23)]);
}

/// Goal: the key is the leaf's, also of a large page, and no other entry's; method: a key in the entry above, and 2 MiB.
#[test]
fn leaf() {
    let (mut cpu, mut bus) = keyed();
    let large = USER + (1 << 30);
    map(&mut bus, large, 0x20_0000, FULL | KEY << 59, 2);
    set(&mut cpu, &mut bus, AD, 0);
    assert_eq!(tried(&mut cpu, &mut bus, large + 0x1234), [Some(0x21), Some(0x23)]);
    let other = USER + (2 << 30);
    let leaf = map(&mut bus, other, 0x6000, FULL, 1);
    let root = word(&bus, ROOT + (other >> 39) * 8);
    put(&mut bus, ROOT + (other >> 39) * 8, root | KEY << 59);
    assert_eq!((tried(&mut cpu, &mut bus, other), word(&bus, leaf) & pte::A != 0), ([None, None], true));
}
