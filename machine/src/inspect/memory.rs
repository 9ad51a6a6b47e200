//! Memory as a debugger reads and writes it: by physical or linear address, through tables as they are in memory, with
//! no side effect on TLB, A and D bits or devices.

use super::reader::{PhysReader, View};
use crate::bus::ram::PAGE_BYTES;
use crate::machine::Machine;
use crate::mmu::walk::{self, End};
use protocol::page_table::PagingKind;
use protocol::request::Place;
use protocol::{LinearAddr, PhysAddr};

/// The physical address behind a linear one, through the tables this CPU uses. Error: why there is none, in words.
pub fn translate(view: &View, memory: &(impl PhysReader + ?Sized), linear: u64) -> Result<u64, String> {
    if view.paging.mode.kind == PagingKind::Off {
        return Ok(linear);
    }
    let linear = if view.wide { linear } else { linear & 0xffff_ffff };
    let (at, cpu) = (LinearAddr(linear), view.cpu);
    match walk::walk(&view.paging, linear, |paddr| memory.word(paddr)).end {
        End::Page(page) => Ok(page.phys | linear & (page.size - 1)),
        End::NotPresent(level) => {
            let name = crate::mmu::fault::level_name(level);
            Err(format!("linear {at} is not mapped for {cpu}: its {name} entry is not present"))
        }
        End::Malformed(level, why) => {
            let name = crate::mmu::fault::level_name(level);
            Err(format!("linear {at} cannot be used by {cpu}: in its {name} entry, {why}"))
        }
        End::NoMemory(table) => {
            Err(format!("the walk of linear {at} leads to a table at {}, where there is no memory", PhysAddr(table)))
        }
        End::NonCanonical => Err(format!("linear {at} is not canonical: the bits above the top one must equal it")),
    }
}

/// Bytes as far as they can be read, and why they end early.
pub fn read(machine: &Machine, from: Place, len: usize) -> (Vec<u8>, Option<String>) {
    match from {
        Place::Phys(phys) => read_physical(&machine.bus, phys.0, len),
        Place::Linear { cpu, linear } => match super::cpu_of(machine, cpu) {
            Ok(cpu) => read_linear(&View::of(cpu), &machine.bus, linear.0, len),
            Err(why) => (Vec::new(), Some(why)),
        },
    }
}

/// Bytes of physical memory as far as there are any, and why they end early.
pub fn read_physical(memory: &(impl PhysReader + ?Sized), phys: u64, len: usize) -> (Vec<u8>, Option<String>) {
    read_by_page(memory, phys, len, Ok)
}

/// Bytes at a linear address, through a CPU's tables, as far as they can be read, and why they end early.
pub fn read_linear(
    view: &View,
    memory: &(impl PhysReader + ?Sized),
    linear: u64,
    len: usize,
) -> (Vec<u8>, Option<String>) {
    read_by_page(memory, linear, len, |at| translate(view, memory, at))
}

fn read_by_page(
    memory: &(impl PhysReader + ?Sized),
    from: u64,
    len: usize,
    mut place: impl FnMut(u64) -> Result<u64, String>,
) -> (Vec<u8>, Option<String>) {
    let mut bytes = vec![0; len];
    let mut done = 0;
    while done < len {
        let at = from.wrapping_add(done as u64);
        let here = (PAGE_BYTES - at as usize % PAGE_BYTES).min(len - done);
        let found = place(at).and_then(|paddr| match memory.read(paddr, &mut bytes[done..done + here]) {
            0 => Err(format!("physical {} is not RAM", PhysAddr(paddr))),
            read => Ok(read),
        });
        match found {
            Ok(read) => done += read,
            Err(why) => {
                bytes.truncate(done);
                return (bytes, Some(why));
            }
        }
    }
    (bytes, None)
}

/// The stretches of RAM behind a range, page by page: physical address and length. Error: why there are not enough.
fn pieces(machine: &Machine, place: Place, len: usize) -> Result<Vec<(u64, usize)>, String> {
    let mut pieces = Vec::new();
    let mut done = 0;
    while done < len {
        let (at, paddr) = match place {
            Place::Phys(phys) => (phys.0.wrapping_add(done as u64), phys.0.wrapping_add(done as u64)),
            Place::Linear { cpu, linear } => {
                let at = linear.0.wrapping_add(done as u64);
                (at, translate(&View::of(super::cpu_of(machine, cpu)?), &machine.bus, at)?)
            }
        };
        let here = (PAGE_BYTES - at as usize % PAGE_BYTES).min(len - done);
        let room = machine.bus.ram.size().saturating_sub(paddr);
        if room == 0 {
            return Err(format!("physical {} is not RAM", PhysAddr(paddr)));
        }
        pieces.push((paddr, here.min(room as usize)));
        done += here;
    }
    Ok(pieces)
}

/// Writes bytes, all or none. Error in words.
pub(super) fn write(machine: &mut Machine, at: Place, bytes: &[u8]) -> Result<(), String> {
    let pieces = pieces(machine, at, bytes.len())?;
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
pub(super) fn code_bytes<const N: usize>(
    view: &View,
    memory: &(impl PhysReader + ?Sized),
    linear: u64,
) -> ([u8; N], usize) {
    let (mut bytes, mut len) = ([0; N], 0);
    while len < N {
        let at = linear.wrapping_add(len as u64);
        let here = (PAGE_BYTES - at as usize % PAGE_BYTES).min(N - len);
        let Ok(paddr) = translate(view, memory, at) else { break };
        let found = memory.read(paddr, &mut bytes[len..len + here]);
        len += found;
        if found < here {
            break;
        }
    }
    (bytes, len)
}
