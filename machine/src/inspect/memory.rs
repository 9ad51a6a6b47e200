//! Memory as a debugger reads and writes it: by physical or linear address, through tables as they are in memory, with
//! no side effect on TLB, A and D bits or devices.

use crate::bus::Bus;
use crate::bus::ram::PAGE_BYTES;
use crate::cpu::Cpu;
use crate::machine::Machine;
use crate::mmu::walk::{self, End, Paging};
use protocol::page_table::PagingKind;
use protocol::request::Place;
use protocol::{LinearAddr, PhysAddr};

/// The physical address behind a linear one, through the tables this CPU uses. Error: why there is none, in words.
pub fn translate(cpu: &Cpu, bus: &Bus, linear: u64) -> Result<u64, String> {
    let paging = Paging::of(cpu);
    if paging.mode.kind == PagingKind::Off {
        return Ok(linear);
    }
    let linear = if cpu.efer & crate::cpu::efer::LMA == 0 { linear & 0xffff_ffff } else { linear };
    let at = LinearAddr(linear);
    match walk::walk(&paging, linear, |paddr| read_entry(bus, paddr)).end {
        End::Page(page) => Ok(page.phys | linear & (page.size - 1)),
        End::NotPresent(level) => {
            let name = crate::mmu::fault::level_name(level);
            Err(format!("linear {at} is not mapped for {}: its {name} entry is not present", cpu.id))
        }
        End::Malformed(level, why) => {
            let name = crate::mmu::fault::level_name(level);
            Err(format!("linear {at} cannot be used by {}: in its {name} entry, {why}", cpu.id))
        }
        End::NoMemory(table) => {
            Err(format!("the walk of linear {at} leads to a table at {}, where there is no memory", PhysAddr(table)))
        }
        End::NonCanonical => Err(format!("linear {at} is not canonical: the bits above the top one must equal it")),
    }
}

/// 8 aligned bytes of RAM, as a walk reads them.
pub(super) fn read_entry(bus: &Bus, paddr: u64) -> Option<u64> {
    bus.ram.read(paddr).map(u64::from_le_bytes)
}

/// The stretches of RAM behind a range, page by page: physical address and length. The last one may be the reason why
/// there are no more.
fn pieces(machine: &Machine, place: Place, len: usize) -> Vec<Result<(u64, usize), String>> {
    let mut pieces = Vec::new();
    let mut done = 0;
    while done < len {
        let (at, found) = match place {
            Place::Phys(phys) => (phys.0.wrapping_add(done as u64), Ok(phys.0.wrapping_add(done as u64))),
            Place::Linear { cpu, linear } => {
                let at = linear.0.wrapping_add(done as u64);
                let found = super::cpu_of(machine, cpu).and_then(|cpu| translate(cpu, &machine.bus, at));
                (at, found)
            }
        };
        let here = (PAGE_BYTES - at as usize % PAGE_BYTES).min(len - done);
        let found = found.and_then(|paddr| match machine.bus.ram.size().saturating_sub(paddr) {
            0 => Err(format!("physical {} is not RAM", PhysAddr(paddr))),
            room => Ok((paddr, here.min(room as usize))),
        });
        let stop = found.is_err();
        pieces.push(found);
        if stop {
            break;
        }
        done += here;
    }
    pieces
}

/// Bytes as far as they can be read, and why they end early.
pub fn read(machine: &Machine, from: Place, len: usize) -> (Vec<u8>, Option<String>) {
    let mut bytes = Vec::with_capacity(len);
    for piece in pieces(machine, from, len) {
        match piece {
            Ok((paddr, len)) => bytes.extend_from_slice(machine.bus.ram.slice(paddr, len)),
            Err(why) => return (bytes, Some(why)),
        }
    }
    (bytes, None)
}

/// Writes bytes, all or none. Error in words.
pub(super) fn write(machine: &mut Machine, at: Place, bytes: &[u8]) -> Result<(), String> {
    let pieces: Vec<(u64, usize)> = pieces(machine, at, bytes.len()).into_iter().collect::<Result<_, _>>()?;
    if pieces.iter().map(|&(_, len)| len).sum::<usize>() != bytes.len() {
        return Err("the range reaches beyond the end of RAM".into());
    }
    let mut rest = bytes;
    for (paddr, len) in pieces {
        let (here, after) = rest.split_at(len);
        machine.bus.ram.write_slice(paddr, here);
        rest = after;
    }
    Ok(())
}

/// Up to `N` bytes of code at a linear address, as one CPU sees them.
pub(super) fn code_bytes<const N: usize>(cpu: &Cpu, bus: &Bus, linear: u64) -> ([u8; N], usize) {
    let (mut bytes, mut len) = ([0; N], 0);
    while len < N {
        let at = linear.wrapping_add(len as u64);
        let here = (PAGE_BYTES - at as usize % PAGE_BYTES).min(N - len);
        let Ok(paddr) = translate(cpu, bus, at) else { break };
        let found = bus.ram.slice(paddr, here);
        bytes[len..len + found.len()].copy_from_slice(found);
        len += found.len();
        if found.len() < here {
            break;
        }
    }
    (bytes, len)
}
