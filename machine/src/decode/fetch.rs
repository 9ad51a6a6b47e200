//! Gets the instruction at CS:IP: from the cache where its page did not change, else from memory.

use super::{Insn, MAX_INSN_BYTES, Place, translate};
use crate::bus::Bus;
use crate::bus::ram::PAGE_BYTES;
use crate::cpu::{Cpu, segment};
use crate::fault::{Exec, Fault, Trap};
use crate::mmu;
use protocol::Mode;

/// Width of the code that the CPU is executing: 16, 32 or 64 bits.
#[inline]
pub fn code_bits(cpu: &Cpu) -> u32 {
    match cpu.mode() {
        Mode::Long => 64,
        Mode::V86 => 16,
        _ if cpu.segments[segment::CS].is_big() => 32,
        _ => 16,
    }
}

/// Finds the instruction at CS:IP, or the fault that its fetch raises. [`mmu::fetch_page`] checks the first byte; the
/// last one is checked against CS's limit by [`check_end`].
#[inline]
pub fn fetch(cpu: &mut Cpu, bus: &mut Bus) -> Exec<Place> {
    let bits = code_bits(cpu);
    let linear = cpu.linear_pc();
    let base = mmu::fetch_page(cpu, bus, linear)?;
    let (page, offset) = (base as usize / PAGE_BYTES, linear as usize % PAGE_BYTES);
    if base >= bus.ram.size() {
        let insn = decode_bytes(cpu, bus, linear, bits)?;
        return Ok(bus.code.hold(insn));
    }
    match bus.code.find(page, bus.ram.generation(page), bits, offset) {
        Some(place) => Ok(place),
        None => decode_ram(cpu, bus, linear, page, bits),
    }
}

/// #GP(0) where the instruction's last byte is beyond CS's limit.
#[inline]
pub fn check_end(cpu: &Cpu, insn: &Insn) -> Exec<()> {
    let last = cpu.rip.wrapping_add(u64::from(insn.len)).wrapping_sub(1);
    if last > u64::from(cpu.segments[segment::CS].limit) && cpu.mode() != Mode::Long {
        return Err(beyond_limit(cpu, last));
    }
    Ok(())
}

/// Decodes from RAM and remembers what lies wholly in its page. What goes on in the next page is decoded afresh each
/// time, since it depends on that page's mapping and contents too.
#[cold]
fn decode_ram(cpu: &mut Cpu, bus: &mut Bus, linear: u64, page: usize, bits: u32) -> Exec<Place> {
    let offset = linear as usize % PAGE_BYTES;
    let start = page * PAGE_BYTES + offset;
    let len = MAX_INSN_BYTES.min(PAGE_BYTES - offset);
    match translate(bus.ram.slice(start as u64, len), bits) {
        Some(insn) => {
            bus.ram.mark_code(page);
            Ok(bus.code.insert(page, bus.ram.generation(page), bits, offset, insn))
        }
        None => {
            let insn = decode_bytes(cpu, bus, linear, bits)?;
            Ok(bus.code.hold(insn))
        }
    }
}

/// Decodes from up to two pages, RAM or not.
#[cold]
fn decode_bytes(cpu: &mut Cpu, bus: &mut Bus, linear: u64, bits: u32) -> Exec<Insn> {
    let mut bytes = [0; MAX_INSN_BYTES];
    let first = (PAGE_BYTES - linear as usize % PAGE_BYTES).min(MAX_INSN_BYTES);
    fetch_bytes(cpu, bus, linear, &mut bytes[..first])?;
    if let Some(insn) = translate(&bytes[..first], bits) {
        return Ok(insn);
    }
    let next = linear.wrapping_add(first as u64) & if bits == 64 { u64::MAX } else { 0xffff_ffff };
    fetch_bytes(cpu, bus, next, &mut bytes[first..])?;
    translate(&bytes, bits).ok_or_else(|| Fault::ud("the bytes at CS:IP are not an instruction").into())
}

/// Reads instruction bytes of one page with the checks of a fetch.
fn fetch_bytes(cpu: &mut Cpu, bus: &mut Bus, linear: u64, bytes: &mut [u8]) -> Exec<()> {
    let physical = mmu::fetch_page(cpu, bus, linear)? + linear % PAGE_BYTES as u64;
    for (index, byte) in bytes.iter_mut().enumerate() {
        [*byte] = bus.read_phys(cpu, physical + index as u64);
    }
    Ok(())
}

#[cold]
fn beyond_limit(cpu: &Cpu, last: u64) -> Trap {
    let limit = cpu.segments[segment::CS].limit;
    Fault::gp(0, format!("the instruction's last byte, at offset {last:x}, is beyond CS's limit {limit:x}")).into()
}

/// What the instruction at CS:IP is called and its bytes, for messages. Empty where it cannot be read.
#[cold]
pub fn describe(cpu: &mut Cpu, bus: &mut Bus) -> String {
    let (bits, linear) = (code_bits(cpu), cpu.linear_pc());
    let mut bytes = [0; MAX_INSN_BYTES];
    let first = (PAGE_BYTES - linear as usize % PAGE_BYTES).min(MAX_INSN_BYTES);
    if fetch_bytes(cpu, bus, linear, &mut bytes[..first]).is_err() {
        return String::new();
    }
    let mut len = first;
    if translate(&bytes[..first], bits).is_none() {
        let next = linear.wrapping_add(first as u64);
        if fetch_bytes(cpu, bus, next, &mut bytes[first..]).is_ok() {
            len = MAX_INSN_BYTES;
        }
    }
    let line = crate::disasm::decode_line(&bytes[..len], bits, cpu.rip);
    // Of bytes that are no instruction, enough to be found in a listing.
    let shown = if line.is_valid { line.len } else { len.min(8) };
    let hex: Vec<String> = bytes[..shown].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("`{}` ({})", line.intel, hex.join(" "))
}
