//! Memory as instructions see it: through a segment, translated, whole or not at all.
//!
//! An access that faults has changed nothing but A and D bits of pages that it may use, and the TLB. The fast path is an
//! aligned access with its translation in the TLB; the rest is out of line. Called by [`crate::execute`] and
//! [`crate::exception`]. Sources: SDM 3A, "Limit Checking", "Type Checking", "Paging", "Alignment Check Exception".

use super::walk::{self, End, Paging, is_canonical, pte};
use super::{Access, fault, pcid, tlb};
use crate::bus::Bus;
use crate::cpu::segment::{self, Segment, attr};
use crate::cpu::{Cpu, cr0, cr4, efer, flags};
use crate::fault::{Exec, Fault, Trap, vector};
use protocol::page_table::PagingKind;
use protocol::{LinearAddr, Mode};

/// Names of the segment registers, for causes.
const SEGMENT_NAMES: [&str; 6] = ["ES", "CS", "SS", "DS", "FS", "GS"];
/// Bytes in the smallest page.
const PAGE: u64 = 4096;

macro_rules! typed {
    ($($number:ty, $read:ident, $write:ident;)*) => {$(
        #[doc = concat!("Reads a ", stringify!($number), " through a segment.")]
        #[inline]
        pub fn $read(cpu: &mut Cpu, bus: &mut Bus, seg: usize, offset: u64) -> Exec<$number> {
            Ok(<$number>::from_le_bytes(read(cpu, bus, seg, offset)?))
        }

        #[doc = concat!("Writes a ", stringify!($number), " through a segment.")]
        #[inline]
        pub fn $write(cpu: &mut Cpu, bus: &mut Bus, seg: usize, offset: u64, value: $number) -> Exec<()> {
            write(cpu, bus, seg, offset, value.to_le_bytes())
        }
    )*};
}

typed! {
    u8, read_u8, write_u8;
    u16, read_u16, write_u16;
    u32, read_u32, write_u32;
    u64, read_u64, write_u64;
    u128, read_u128, write_u128;
}

/// Reads `N` bytes, a power of two, through a segment.
#[inline]
pub fn read<const N: usize>(cpu: &mut Cpu, bus: &mut Bus, seg: usize, offset: u64) -> Exec<[u8; N]> {
    let linear = linear_address(cpu, seg, offset, N as u64, Access::Read)?;
    let user = cpu.cpl() == 3;
    linear_read(cpu, bus, linear, user)
}

/// Writes `N` bytes, a power of two, through a segment.
#[inline]
pub fn write<const N: usize>(cpu: &mut Cpu, bus: &mut Bus, seg: usize, offset: u64, value: [u8; N]) -> Exec<()> {
    let linear = linear_address(cpu, seg, offset, N as u64, Access::Write)?;
    let user = cpu.cpl() == 3;
    linear_write(cpu, bus, linear, user, value)
}

/// Raises what a write of `size` bytes would raise.
#[inline]
pub fn check_write(cpu: &mut Cpu, bus: &mut Bus, seg: usize, offset: u64, size: u64) -> Exec<()> {
    let linear = linear_address(cpu, seg, offset, size, Access::Write)?;
    let user = cpu.cpl() == 3;
    if size.is_power_of_two() && linear & (size - 1) != 0 {
        check_alignment(cpu, user)?;
    }
    linear_check(cpu, bus, linear, size, Access::Write, user)
}

/// The linear address of `size` bytes at an offset in a loaded segment, after all of segmentation's checks.
#[inline]
pub fn linear_address(cpu: &Cpu, seg: usize, offset: u64, size: u64, access: Access) -> Exec<u64> {
    if cpu.mode() == Mode::Long {
        let linear = if seg >= segment::FS { cpu.segments[seg].base.wrapping_add(offset) } else { offset };
        if is_canonical(linear, cpu.cr4 & cr4::LA57 != 0) { Ok(linear) } else { Err(not_canonical(seg, linear)) }
    } else {
        legacy_linear(cpu.mode(), &cpu.segments[seg], seg, offset, size, access)
    }
}

/// Segmentation outside 64-bit mode. `seg` names the register for the fault; the segment may be one about to be loaded.
pub fn legacy_linear(mode: Mode, segment: &Segment, seg: usize, offset: u64, size: u64, access: Access) -> Exec<u64> {
    let last = offset.wrapping_add(size - 1);
    let limit = u64::from(segment.limit);
    let is_expand_down = segment.attributes & (attr::CODE | attr::EXPAND_DOWN) == attr::EXPAND_DOWN;
    let inside = if is_expand_down {
        let top = if segment.is_big() { 0xffff_ffff } else { 0xffff };
        offset > limit && last <= top
    } else {
        last <= limit && offset <= last
    };
    // In real and virtual-8086 mode only the limit counts, not the type that the hidden part still holds.
    let typed = !matches!(mode, Mode::Real | Mode::V86);
    if !inside || typed && forbids(segment.attributes, access) {
        return Err(segment_fault(mode, segment, seg, offset, size, access));
    }
    Ok(segment.base.wrapping_add(offset) & 0xffff_ffff)
}

#[inline]
fn forbids(attributes: u32, access: Access) -> bool {
    if attributes & attr::UNUSABLE != 0 {
        return true;
    }
    let is_code = attributes & attr::CODE != 0;
    let bit = attributes & attr::WRITABLE != 0;
    match access {
        // Bit 1 says readable for code, writable for data.
        Access::Read => is_code && !bit,
        Access::Write => is_code || !bit,
        Access::Fetch => !is_code,
    }
}

#[cold]
fn segment_fault(mode: Mode, segment: &Segment, seg: usize, offset: u64, size: u64, access: Access) -> Trap {
    let name = SEGMENT_NAMES[seg];
    let typed = !matches!(mode, Mode::Real | Mode::V86);
    let cause = if typed && segment.is_unusable() {
        format!("{name} holds a null selector")
    } else if typed && forbids(segment.attributes, access) {
        let what = match access {
            Access::Read => "execute-only code",
            Access::Write if segment.attributes & attr::CODE != 0 => "code, never written through",
            Access::Write => "read-only data",
            Access::Fetch => "not code",
        };
        format!("{name} = {:04x} is {what}", segment.selector)
    } else {
        format!(
            "offset {offset:x}, {size} bytes, is outside {name} = {:04x}, whose limit is {:x}",
            segment.selector, segment.limit
        )
    };
    let vector = if seg == segment::SS { vector::STACK_FAULT } else { vector::GENERAL_PROTECTION };
    Fault::with_error(vector, 0, cause).into()
}

#[cold]
fn not_canonical(seg: usize, linear: u64) -> Trap {
    let vector = if seg == segment::SS { vector::STACK_FAULT } else { vector::GENERAL_PROTECTION };
    Fault::with_error(vector, 0, format!("{} is not canonical", LinearAddr(linear))).into()
}

/// Reads at a linear address, with the rights of user or supervisor.
#[inline]
pub fn linear_read<const N: usize>(cpu: &mut Cpu, bus: &mut Bus, linear: u64, user: bool) -> Exec<[u8; N]> {
    const { assert!(N.is_power_of_two()) };
    if linear & (N as u64 - 1) != 0 {
        return read_unaligned(cpu, bus, linear, user);
    }
    let phys = translate(cpu, bus, linear, Access::Read, user)?;
    if bus.watch.active {
        bus.watch.note(cpu.id, linear, N as u64, false);
    }
    Ok(bus.read_phys(cpu, phys))
}

/// Writes at a linear address, with the rights of user or supervisor.
#[inline]
pub fn linear_write<const N: usize>(cpu: &mut Cpu, bus: &mut Bus, linear: u64, user: bool, value: [u8; N]) -> Exec<()> {
    const { assert!(N.is_power_of_two()) };
    if linear & (N as u64 - 1) != 0 {
        return write_unaligned(cpu, bus, linear, user, value);
    }
    let phys = translate(cpu, bus, linear, Access::Write, user)?;
    if bus.watch.active {
        bus.watch.note(cpu.id, linear, N as u64, true);
    }
    bus.write_phys(cpu, phys, value);
    Ok(())
}

#[inline(never)]
fn read_unaligned<const N: usize>(cpu: &mut Cpu, bus: &mut Bus, linear: u64, user: bool) -> Exec<[u8; N]> {
    check_alignment(cpu, user)?;
    let phys = translate(cpu, bus, linear, Access::Read, user)?;
    let first = (PAGE - (linear & (PAGE - 1))) as usize;
    let bytes = if first >= N {
        bus.read_phys(cpu, phys)
    } else {
        let next_page = next_linear(cpu, linear, first as u64);
        let second = translate(cpu, bus, next_page, Access::Read, user)?;
        let mut bytes = [0; N];
        for (index, byte) in bytes.iter_mut().enumerate() {
            let paddr = if index < first { phys + index as u64 } else { second + (index - first) as u64 };
            [*byte] = bus.read_phys(cpu, paddr);
        }
        bytes
    };
    if bus.watch.active {
        bus.watch.note(cpu.id, linear, N as u64, false);
    }
    Ok(bytes)
}

#[inline(never)]
fn write_unaligned<const N: usize>(cpu: &mut Cpu, bus: &mut Bus, linear: u64, user: bool, value: [u8; N]) -> Exec<()> {
    check_alignment(cpu, user)?;
    let phys = translate(cpu, bus, linear, Access::Write, user)?;
    let first = (PAGE - (linear & (PAGE - 1))) as usize;
    if first >= N {
        bus.write_phys(cpu, phys, value);
    } else {
        // Both pages are translated before the first byte is written.
        let next_page = next_linear(cpu, linear, first as u64);
        let second = translate(cpu, bus, next_page, Access::Write, user)?;
        for (index, byte) in value.into_iter().enumerate() {
            let paddr = if index < first { phys + index as u64 } else { second + (index - first) as u64 };
            bus.write_phys(cpu, paddr, [byte]);
        }
    }
    if bus.watch.active {
        bus.watch.note(cpu.id, linear, N as u64, true);
    }
    Ok(())
}

/// Raises what an access of `size` bytes at a linear address would raise, page by page.
pub fn linear_check(cpu: &mut Cpu, bus: &mut Bus, linear: u64, size: u64, access: Access, user: bool) -> Exec<()> {
    translate(cpu, bus, linear, access, user)?;
    let mut done = PAGE - (linear & (PAGE - 1));
    while done < size {
        let next_page = next_linear(cpu, linear, done);
        translate(cpu, bus, next_page, access, user)?;
        done += PAGE;
    }
    Ok(())
}

/// Linear addresses wrap at 32 bits outside IA-32e mode. (Descriptor tables may lie anywhere also in compatibility mode.)
#[inline]
fn next_linear(cpu: &Cpu, linear: u64, distance: u64) -> u64 {
    let next = linear.wrapping_add(distance);
    if cpu.efer & efer::LMA != 0 { next } else { next & 0xffff_ffff }
}

/// #AC for a misaligned access of user code that asked for it.
#[inline]
fn check_alignment(cpu: &Cpu, user: bool) -> Exec<()> {
    if user && cpu.rflags & flags::AC != 0 && cpu.cr0 & cr0::AM != 0 {
        return Err(
            Fault::with_error(vector::ALIGNMENT_CHECK, 0, "misaligned, and CR0.AM and RFLAGS.AC are set").into()
        );
    }
    Ok(())
}

/// Linear to physical.
#[inline]
pub fn translate(cpu: &mut Cpu, bus: &mut Bus, linear: u64, access: Access, user: bool) -> Exec<u64> {
    match remembered(cpu, linear, access, user) {
        Some(physical) => Ok(physical),
        None => translate_by_walk(cpu, bus, linear, access, user),
    }
}

/// The physical address, as far as no table need be read for it.
#[inline]
fn remembered(cpu: &mut Cpu, linear: u64, access: Access, user: bool) -> Option<u64> {
    if cpu.cr0 & cr0::PG == 0 {
        return Some(linear & 0xffff_ffff);
    }
    let mut need = if user { tlb::right::USER } else { 0 };
    let mut bars = tlb::right::KEY_NO_DATA;
    if access != Access::Fetch && fault::smap_bars(cpu, user) {
        bars |= tlb::right::USER;
    }
    match access {
        Access::Read => {}
        Access::Write => {
            need |= tlb::right::DIRTY;
            if user || cpu.cr0 & cr0::WP != 0 {
                need |= tlb::right::WRITE;
                bars |= tlb::right::KEY_NO_WRITE;
            }
        }
        Access::Fetch => {
            need |= tlb::right::EXECUTE;
            bars = 0;
            if !user && cpu.cr4 & cr4::SMEP != 0 {
                bars = tlb::right::USER;
            }
        }
    }
    let context = pcid(cpu);
    let slot = cpu.tlb.lookup(linear, context)?;
    (slot.flags() & need == need && slot.flags() & bars == 0).then(|| slot.physical(linear))
}

/// Where elements of `size` bytes from an offset on lie in one page: the first one's physical address, and how many there
/// are, at most `most`. Only where accesses to them raise nothing, fill nothing and need no more than this.
pub fn row_of_elements(
    cpu: &mut Cpu,
    seg: usize,
    offset: u64,
    size: u64,
    most: u64,
    access: Access,
) -> Option<(u64, u64)> {
    let first = linear_address(cpu, seg, offset, size, access).ok()?;
    let count = most.min((PAGE - (first & (PAGE - 1))) / size);
    if first & (size - 1) != 0 || count == 0 {
        return None;
    }
    linear_address(cpu, seg, offset.checked_add((count - 1) * size)?, size, access).ok()?;
    let user = cpu.cpl() == 3;
    Some((remembered(cpu, first, access, user)?, count))
}

/// No translation in the TLB, or one that does not allow this: memory decides, and the TLB remembers it. So a page that
/// got more rights is used without a flush, one that got fewer needs one (docs/QUIRKS.md, "TLB").
#[inline(never)]
fn translate_by_walk(cpu: &mut Cpu, bus: &mut Bus, linear: u64, access: Access, user: bool) -> Exec<u64> {
    let paging = Paging::of(cpu);
    let walk = walk::walk(&paging, linear, |paddr| bus.ram.read(paddr).map(u64::from_le_bytes));
    let context = pcid(cpu);
    let denied = match &walk.end {
        End::Page(page) => match fault::denied(cpu, page, access, user) {
            None => {
                let dirty = mark_used(bus, &paging, &walk, access);
                let global = page.global && cpu.cr4 & cr4::PGE != 0;
                return Ok(cpu.tlb.fill(linear, page, context, dirty, global).physical(linear));
            }
            why => why,
        },
        _ => None,
    };
    if walk.end != End::NonCanonical {
        // A page fault makes the CPU forget the page (SDM 3A, "Operations that Invalidate TLBs").
        cpu.tlb.flush_page(linear, context);
    }
    Err(fault::page_fault(cpu, &walk, linear, access, user, denied))
}

/// Sets A in the entries used and D in the leaf of a write; returns whether D is set now.
fn mark_used(bus: &mut Bus, paging: &Paging, walk: &walk::Walk, access: Access) -> bool {
    let mut dirty = false;
    for (index, step) in walk.steps().iter().enumerate() {
        let is_leaf = index + 1 == walk.steps().len();
        let set = pte::A | if is_leaf && access == Access::Write { pte::D } else { 0 };
        dirty = is_leaf && (step.raw | set) & pte::D != 0;
        if step.is_register || step.raw & set == set {
            continue;
        }
        let at = walk::entry_address(paging.mode, step.table, step.index);
        let raw = step.raw | set;
        if paging.mode.kind == PagingKind::Bits32 {
            bus.ram.write(at, (raw as u32).to_le_bytes());
        } else {
            bus.ram.write(at, raw.to_le_bytes());
        }
    }
    dirty
}

/// Physical address of the page that holds this instruction byte. Checks the CS limit, canonical form and the right to
/// execute. Also for cached instructions: the TLB must see each fetch.
#[inline]
pub fn fetch_page(cpu: &mut Cpu, bus: &mut Bus, linear: u64) -> Exec<u64> {
    if cpu.mode() != Mode::Long {
        let cs = &cpu.segments[segment::CS];
        if linear.wrapping_sub(cs.base) & 0xffff_ffff > u64::from(cs.limit) {
            return Err(fetch_beyond_limit(cpu, linear));
        }
    }
    let user = cpu.cpl() == 3;
    Ok(translate(cpu, bus, linear, Access::Fetch, user)? & !(PAGE - 1))
}

#[cold]
fn fetch_beyond_limit(cpu: &Cpu, linear: u64) -> Trap {
    let cs = &cpu.segments[segment::CS];
    let ip = linear.wrapping_sub(cs.base) & 0xffff_ffff;
    Fault::gp(0, format!("IP {ip:x} is beyond the limit {:x} of CS = {:04x}", cs.limit, cs.selector)).into()
}

/// Instruction bytes from a linear address on, up to the end of the page, of the segment or of `buf`; at least one.
/// Where the decoder wants more, the next page is fetched by another call: no page is touched (A bit, TLB) that the
/// instruction does not reach, whatever was cached.
pub fn fetch(cpu: &mut Cpu, bus: &mut Bus, linear: u64, buf: &mut [u8]) -> Exec<usize> {
    let page = fetch_page(cpu, bus, linear)?;
    let in_page = linear & (PAGE - 1);
    let mut len = (PAGE - in_page).min(buf.len() as u64);
    if cpu.mode() != Mode::Long {
        let cs = &cpu.segments[segment::CS];
        let ip = linear.wrapping_sub(cs.base) & 0xffff_ffff;
        len = len.min(u64::from(cs.limit) - ip + 1);
    }
    let len = len as usize;
    let bytes = bus.ram.slice(page + in_page, len);
    buf[..bytes.len()].copy_from_slice(bytes);
    // Nobody there reads as all ones.
    buf[bytes.len()..len].fill(0xff);
    Ok(len)
}

/// INVLPG: forgets the page of this address, also if global, on this CPU only. A non-canonical address does nothing.
pub fn invlpg(cpu: &mut Cpu, _bus: &mut Bus, seg: usize, offset: u64) -> Exec<()> {
    if cpu.cpl() != 0 {
        return Err(Fault::gp(0, "INVLPG needs CPL 0").into());
    }
    let base = if cpu.mode() == Mode::Long && seg < segment::FS { 0 } else { cpu.segments[seg].base };
    let linear = base.wrapping_add(offset) & if cpu.mode() == Mode::Long { u64::MAX } else { 0xffff_ffff };
    let context = pcid(cpu);
    cpu.tlb.flush_page(linear, context);
    Ok(())
}
