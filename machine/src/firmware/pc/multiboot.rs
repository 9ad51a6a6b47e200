//! Multiboot 1 (Multiboot Specification 0.6.96): the header, the image by ELF or by the addresses in the header, and the
//! information that the kernel gets: memory, command line, modules, memory map, the loader's name.

use super::super::boot::BootError;
use super::super::memory_map::HIGH_MEMORY;
use super::PcImage;
use super::elf::Elf;
use super::place::Placed;
use super::tables::{Kind, memory_map};
use crate::bus::ram::Ram;

/// The header's magic number.
const HEADER_MAGIC: u32 = 0x1bad_b002;
/// What the kernel finds in EAX.
pub const LOADER_MAGIC: u32 = 0x2bad_b002;
/// The header lies in so many bytes from the start.
const SEARCH_BYTES: usize = 8192;
/// Header flags: load by the addresses in the header.
const ADDRESSES: u32 = 1 << 16;
/// Header flags that a loader must know: page-aligned modules, memory information, video mode (of which we have none).
const KNOWN: u32 = 0b111;
/// Bits that refuse the image if they are not known.
const MANDATORY: u32 = 0xffff;

/// The information's flags: memory sizes, boot device, command line, modules, memory map, loader's name.
const INFO_FLAGS: u32 = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 3 | 1 << 6 | 1 << 9;
/// Bytes of it up to the loader's name.
const INFO_BYTES: usize = 88;

/// The header, and where in the file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Header {
    at: usize,
    flags: u32,
    /// header_addr, load_addr, load_end_addr, bss_end_addr, entry_addr; there with [`ADDRESSES`].
    addresses: [u32; 5],
}

fn bad(why: impl Into<String>) -> BootError {
    BootError::Image(why.into())
}

fn word(file: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(file.get(at..at + 4)?.try_into().ok()?))
}

fn header(file: &[u8]) -> Result<Header, BootError> {
    let is_header = |at: &usize| {
        let [magic, flags, checksum] = [0, 4, 8].map(|offset| word(file, at + offset));
        magic == Some(HEADER_MAGIC)
            && flags.zip(checksum).is_some_and(|(flags, sum)| HEADER_MAGIC.wrapping_add(flags).wrapping_add(sum) == 0)
    };
    let last = file.len().min(SEARCH_BYTES).saturating_sub(11);
    let Some(at) = (0..last).step_by(4).find(is_header) else {
        return Err(bad("it has no multiboot header in its first 8 KiB: it is no multiboot kernel"));
    };
    let flags = word(file, at + 4).unwrap_or_default();
    if flags & MANDATORY & !KNOWN != 0 {
        return Err(bad(format!(
            "its multiboot header asks for features {flags:#x}, of which bits 3 to 15 are not known"
        )));
    }
    let mut addresses = [0; 5];
    if flags & ADDRESSES != 0 {
        for (index, address) in addresses.iter_mut().enumerate() {
            *address = word(file, at + 12 + 4 * index).ok_or_else(|| bad("its multiboot header is cut off"))?;
        }
    }
    Ok(Header { at, flags, addresses })
}

/// Loads by the header's addresses. Returns the entry.
fn load_by_addresses(file: &[u8], header: Header, placed: &mut Placed, ram: &mut Ram) -> Result<u64, BootError> {
    let [header_addr, load, load_end, bss_end, entry] = header.addresses;
    let lies = |why: &str| bad(format!("the addresses in its multiboot header make no sense: {why}"));
    let before = header_addr.checked_sub(load).ok_or_else(|| lies("the header lies before what is loaded"))?;
    let start = header.at.checked_sub(before as usize).ok_or_else(|| lies("loading would begin before the file"))?;
    let bytes = if load_end == 0 {
        &file[start..]
    } else {
        let len = load_end.checked_sub(load).ok_or_else(|| lies("load_end_addr is below load_addr"))?;
        file.get(start..start + len as usize).ok_or_else(|| lies("load_end_addr is beyond the file"))?
    };
    let end = u64::from(load) + bytes.len() as u64;
    if bss_end != 0 && u64::from(bss_end) < end {
        return Err(lies("bss_end_addr is below the end of what is loaded"));
    }
    let total = end.max(bss_end.into()) - u64::from(load);
    placed.put("the image", load.into(), bytes, total, ram)?;
    Ok(entry.into())
}

/// Loads the image with its modules. Returns the entry and the physical address of the information.
pub(super) fn load(image: &PcImage, memory_bytes: u64, ram: &mut Ram) -> Result<(u64, u64), BootError> {
    let file = &image.image;
    let header = header(file)?;
    let mut placed = Placed::new(memory_bytes);
    let entry = if header.flags & ADDRESSES != 0 {
        load_by_addresses(file, header, &mut placed, ram)?
    } else {
        Elf::parse(file)?.load(&mut placed, ram)?
    };
    if !placed.holds(entry) {
        return Err(bad(format!("its entry {entry:#x} lies outside of what is loaded")));
    }
    let mut modules = Vec::new();
    for module in &image.modules {
        let start = placed.high_end();
        let what = format!("module {:?}", module.text);
        placed.put(&what, start, &module.bytes, module.bytes.len() as u64, ram)?;
        modules.push((start, start + module.bytes.len() as u64));
    }
    let size = information(image, &modules, memory_bytes, 0).len() as u64;
    let info = placed.loader_data(size);
    let bytes = information(image, &modules, memory_bytes, info as u32);
    placed.put("the boot information", info, &bytes, size, ram)?;
    Ok((entry, info))
}

/// The information and all that it points to, for a place in memory.
fn information(image: &PcImage, modules: &[(u64, u64)], memory_bytes: u64, paddr: u32) -> Vec<u8> {
    let mut bytes = vec![0; INFO_BYTES];
    let put = |bytes: &mut Vec<u8>, at: usize, value: u32| bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    let append = |bytes: &mut Vec<u8>, text: &str| {
        let at = paddr + bytes.len() as u32;
        bytes.extend_from_slice(text.as_bytes());
        bytes.push(0);
        at
    };
    put(&mut bytes, 0, INFO_FLAGS);
    put(&mut bytes, 4, 640);
    put(&mut bytes, 8, ((memory_bytes - HIGH_MEMORY) >> 10) as u32);
    // The first disk, no partition.
    put(&mut bytes, 12, 0x80ff_ffff);
    let map = paddr + bytes.len() as u32;
    for (start, end, kind) in memory_map(memory_bytes) {
        bytes.extend_from_slice(&20u32.to_le_bytes());
        bytes.extend_from_slice(&start.to_le_bytes());
        bytes.extend_from_slice(&(end - start).to_le_bytes());
        let kind: u32 = if kind == Kind::Usable { 1 } else { 2 };
        bytes.extend_from_slice(&kind.to_le_bytes());
    }
    let map_bytes = paddr + bytes.len() as u32 - map;
    put(&mut bytes, 44, map_bytes);
    put(&mut bytes, 48, map);
    let list = bytes.len();
    bytes.resize(list + 16 * modules.len(), 0);
    put(&mut bytes, 20, modules.len() as u32);
    put(&mut bytes, 24, paddr + list as u32);
    for (index, (module, (start, end))) in image.modules.iter().zip(modules).enumerate() {
        let text = append(&mut bytes, &module.text);
        for (field, value) in [*start as u32, *end as u32, text].into_iter().enumerate() {
            put(&mut bytes, list + 16 * index + 4 * field, value);
        }
    }
    let cmdline = append(&mut bytes, &image.cmdline);
    put(&mut bytes, 16, cmdline);
    let name = append(&mut bytes, "firstlight");
    put(&mut bytes, 64, name);
    bytes
}
