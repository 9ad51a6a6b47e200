//! PVH: an ELF image entered in 32-bit protected mode with EBX at an `hvm_start_info` (Xen's public/arch-x86/hvm/start_info.h,
//! version 1).

use super::super::boot::BootError;
use super::super::memory_map::FIRMWARE_AREA;
use super::PcImage;
use super::elf::Elf;
use super::place::Placed;
use super::tables::{Kind, memory_map};
use crate::bus::ram::Ram;

/// "xEn3" with bit 7 of the E.
const MAGIC: u32 = 0x336e_c578;
/// Bytes of the structure, of a module's entry, and of the memory map's.
const INFO_BYTES: u64 = 56;
const MODULE_BYTES: u64 = 32;
const MAP_BYTES: u64 = 24;

/// Loads the image with its modules. Returns the entry and the physical address of the information.
pub(super) fn load(image: &PcImage, memory_bytes: u64, ram: &mut Ram) -> Result<(u64, u64), BootError> {
    let elf = Elf::parse(&image.image)?;
    let entry = elf.pvh_entry()?;
    let mut placed = Placed::new(memory_bytes);
    elf.load(&mut placed, ram)?;
    if !placed.holds(entry) {
        return Err(BootError::Image(format!("its PVH entry {entry:#x} lies outside of what is loaded")));
    }
    let mut modules = Vec::new();
    for module in &image.modules {
        let start = placed.high_end();
        placed.put(&format!("module {:?}", module.text), start, &module.bytes, module.bytes.len() as u64, ram)?;
        modules.push((start, module.bytes.len() as u64));
    }
    let map = memory_map(memory_bytes);
    let fixed = INFO_BYTES + MODULE_BYTES * modules.len() as u64 + MAP_BYTES * map.len() as u64;
    let texts: usize = image.modules.iter().map(|module| module.text.len() + 1).sum();
    let size = fixed + texts as u64 + image.cmdline.len() as u64 + 1;
    let info = placed.loader_data(size);
    let (list, table) = (info + INFO_BYTES, info + INFO_BYTES + MODULE_BYTES * modules.len() as u64);
    let mut text_at = info + fixed;
    let mut strings = Vec::new();
    let mut text = |text: &str| {
        let at = text_at;
        strings.extend_from_slice(text.as_bytes());
        strings.push(0);
        text_at += text.len() as u64 + 1;
        at
    };
    let cmdline = text(&image.cmdline);
    let mut words = Vec::new();
    for ((start, bytes), module) in modules.iter().zip(&image.modules) {
        words.extend([*start, *bytes, text(&module.text), 0]);
    }
    for (start, end, kind) in &map {
        words.extend([*start, end - start, if *kind == Kind::Usable { 1 } else { 2 }]);
    }
    let mut bytes = Vec::new();
    for half in [MAGIC, 1, 0, modules.len() as u32] {
        bytes.extend_from_slice(&half.to_le_bytes());
    }
    for word in [list, cmdline, FIRMWARE_AREA, table, map.len() as u64].into_iter().chain(words) {
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    bytes.extend_from_slice(&strings);
    placed.put("the boot information", info, &bytes, size, ram)?;
    Ok((entry, info))
}
