//! Page tables read from physical memory, entry by entry, and told in words that hold on any machine.
//!
//! A walk of its own, of four levels or five: it shares no code with the machine's or the kernel's.

use anyhow::{Result, ensure};
use std::collections::BTreeSet;

/// kernel/src/memlayout.rs
const DIRECT_MAP_BASE: u64 = 0xffff_8880_0000_0000;
const DIRECT_MAP_BYTES: u64 = 1 << 39;
/// The kernel's image; above it devices.
const IMAGE_BASE: u64 = 0xffff_ffff_8000_0000;
const IMAGE_BYTES: u64 = 1 << 30;
/// The firmware's windows: kernel/src/mm/efi_pgd.rs, and the devices of `efi=old_map`, kernel/src/memlayout.rs.
const EFI_WINDOW: std::ops::Range<u64> = 0xffff_ffef_0000_0000..0xffff_ffff_0000_0000;
const DEVICES: std::ops::Range<u64> = 0xffff_c900_0000_0000..0xffff_c980_0000_0000;
/// Rights of memory that is nobody's but the kernel's.
const KERNELS: &str = "RW- G";
/// More tables than the kernel makes on a PC with little memory.
const MOST_TABLES: usize = 512;

/// What may differ.
pub struct Mask {
    /// What.
    pub what: &'static str,
    /// And why.
    pub why: &'static str,
}

/// What [`Layout::words`] leaves out.
pub const MASKS: &[Mask] = &[
    Mask { what: "physical pages of the kernel's image", why: "the loader takes the ones that are free" },
    Mask { what: "extent of the direct map", why: "as much memory as there is, with the firmware's holes" },
    Mask { what: "page sizes", why: "1 GiB pages where the processor has them; holes and the blob split large pages" },
    Mask { what: "A and D", why: "what was used so far" },
    Mask { what: "physical pages of tables", why: "the kernel's frames come from the free memory that there is" },
    Mask {
        what: "the firmware's regions, where they are mapped",
        why: "each firmware has its own: how many, where, which rights",
    },
];

/// Pages that follow each other with the same rights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    linear: u64,
    phys: u64,
    bytes: u64,
    rights: String,
}

/// A tree.
#[derive(Clone, Debug)]
pub struct Tree {
    root: Vec<u64>,
    /// Ascending.
    ranges: Vec<Range>,
}

/// Reads the tree below a root of 4- or 5-level paging; `page` reads a table.
pub fn read(root: u64, levels: u32, mut page: impl FnMut(u64) -> Result<Vec<u64>>) -> Result<Tree> {
    let table = page(root)?;
    let mut ranges = Vec::new();
    let mut tables = 1;
    // Depth first, so that ranges ascend: (entries, level, linear base, rights so far, next index).
    let mut path = vec![(table.clone(), levels, 0u64, Rights::ALL, 0usize)];
    while let Some((entries, level, base, upper, index)) = path.last_mut() {
        let Some(&entry) = entries.get(*index) else {
            path.pop();
            continue;
        };
        let shift = 3 + 9 * *level;
        let linear = extend(*base | (*index as u64) << shift, levels);
        let (level, rights) = (*level, upper.with(entry));
        *index += 1;
        if entry & 1 == 0 {
            continue;
        }
        if level == 1 || level < 4 && entry & 1 << 7 != 0 {
            let bytes = 1 << shift;
            let phys = entry & 0x000f_ffff_ffff_f000 & !(bytes - 1);
            push(&mut ranges, Range { linear, phys, bytes, rights: rights.words(entry) });
        } else {
            tables += 1;
            ensure!(tables <= MOST_TABLES, "more than {MOST_TABLES} tables: is this a page-table root?");
            path.push((page(entry & 0x000f_ffff_ffff_f000)?, level - 1, linear, rights, 0));
        }
    }
    Ok(Tree { root: table, ranges })
}

#[derive(Clone, Copy)]
struct Rights {
    write: bool,
    user: bool,
    execute: bool,
}

impl Rights {
    const ALL: Self = Self { write: true, user: true, execute: true };

    /// Each level can only take away.
    fn with(self, entry: u64) -> Self {
        let bit = |at: u32| entry >> at & 1 != 0;
        Self { write: self.write && bit(1), user: self.user && bit(2), execute: self.execute && !bit(63) }
    }

    fn words(self, leaf: u64) -> String {
        let sign = |is: bool, sign: char| if is { sign } else { '-' };
        let mut words: String = [sign(true, 'R'), sign(self.write, 'W'), sign(self.execute, 'X')].iter().collect();
        for (is, word) in [(self.user, " user"), (leaf >> 8 & 1 != 0, " G"), (leaf & 0x18 != 0, " uncached")] {
            words.push_str(if is { word } else { "" });
        }
        words
    }
}

/// The bits that are not translated repeat the highest that is.
fn extend(linear: u64, levels: u32) -> u64 {
    let unused = 64 - (12 + 9 * levels);
    ((linear << unused) as i64 >> unused) as u64
}

fn push(ranges: &mut Vec<Range>, next: Range) {
    match ranges.last_mut() {
        Some(last)
            if last.linear.wrapping_add(last.bytes) == next.linear
                && last.phys + last.bytes == next.phys
                && last.rights == next.rights =>
        {
            last.bytes += next.bytes;
        }
        _ => ranges.push(next),
    }
}

/// Slots in which two roots point at the same lower table, and the low half's slots that show the direct map.
pub fn shared(trampoline: &Tree, init: &Tree) -> String {
    let address = |entry: u64| entry & 0x000f_ffff_ffff_f001;
    let mut words: Vec<String> = (0..512)
        .filter(|&slot| trampoline.root[slot] & 1 != 0 && address(trampoline.root[slot]) == address(init.root[slot]))
        .map(|slot| slot.to_string())
        .collect();
    let direct = (DIRECT_MAP_BASE >> 39 & 0x1ff) as usize;
    if trampoline.root[0] & 1 != 0 && address(trampoline.root[0]) == address(init.root[direct]) {
        words.push(format!("0 with {direct}"));
    }
    words.join(", ")
}

/// Where things are in this run.
pub struct Layout {
    /// Physical.
    pub blob: u64,
    /// Whole pages.
    pub blob_size: u64,
    /// The firmware's regions are in these tables.
    pub has_firmware: bool,
}

impl Layout {
    /// The tree in words, [`MASKS`] left out.
    pub fn words(&self, tree: &Tree) -> Vec<String> {
        let mut lines = Vec::new();
        let mut elsewhere: [BTreeSet<String>; 2] = Default::default();
        let mut image: Vec<Range> = Vec::new();
        let mut firmware: BTreeSet<&str> = BTreeSet::new();
        for range in &tree.ranges {
            let (name, base, all) = if range.linear < DIRECT_MAP_BYTES {
                ("low memory", 0, &mut elsewhere[0])
            } else if range.linear.wrapping_sub(DIRECT_MAP_BASE) < DIRECT_MAP_BYTES {
                ("direct map", DIRECT_MAP_BASE, &mut elsewhere[1])
            } else if range.linear.wrapping_sub(IMAGE_BASE) < IMAGE_BYTES {
                // Whatever the physical pages.
                match image.last_mut() {
                    Some(last) if last.linear + last.bytes == range.linear && last.rights == range.rights => {
                        last.bytes += range.bytes;
                    }
                    _ => image.push(range.clone()),
                }
                continue;
            } else if self.has_firmware && EFI_WINDOW.contains(&range.linear) {
                firmware.insert("the EFI window");
                continue;
            } else if self.has_firmware && DEVICES.contains(&range.linear) {
                firmware.insert("the devices' addresses");
                continue;
            } else {
                lines.push(format!("{:016x} +{:x} -> {:x} {}", range.linear, range.bytes, range.phys, range.rights));
                continue;
            };
            if range.linear - base != range.phys {
                lines.push(format!("{name}: {:016x} -> {:x}: another page", range.linear, range.phys));
            }
            let (start, end) = (range.phys, range.phys + range.bytes);
            let (from, to) = (start.max(self.blob), end.min(self.blob + self.blob_size));
            if from < to {
                lines.push(format!("{name}: blob+{:x} +{:x} {}", from - self.blob, to - from, range.rights));
            }
            if self.has_firmware && range.rights != KERNELS {
                firmware.insert(name);
            } else if start < self.blob || end > self.blob + self.blob_size {
                all.insert(range.rights.clone());
            }
        }
        for (name, all) in ["low memory", "direct map"].iter().zip(elsewhere) {
            if !all.is_empty() {
                let all: Vec<String> = all.into_iter().collect();
                lines.push(format!("{name} but for the blob: {}", all.join("; ")));
            }
        }
        lines.extend(
            image.iter().map(|range| format!("image: {:016x} +{:x} {}", range.linear, range.bytes, range.rights)),
        );
        lines.extend(firmware.iter().map(|place| format!("the firmware is in {place}")));
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const P_RW: u64 = 3;
    const NX_G: u64 = 1 << 63 | 1 << 8;

    /// Goal: ranges, rights over levels and what is shared are told; method: small tables with a large page, a blob's
    /// page in the middle of 4 KiB ones, and an image page.
    #[test]
    fn words() {
        let mut memory = std::collections::BTreeMap::new();
        let mut put = |table: u64, index: usize, entry: u64| {
            memory.entry(table).or_insert_with(|| vec![0u64; 512])[index] = entry;
        };
        for (root, slot) in [(0x1000, 273), (0x2000, 273), (0x2000, 0)] {
            put(root, slot, 0x3000 | P_RW);
        }
        for root in [0x1000, 0x2000] {
            put(root, 511, 0x6000 | P_RW);
        }
        put(0x3000, 0, 0x4000 | P_RW);
        put(0x4000, 0, 0x5000 | P_RW);
        put(0x4000, 1, 0x20_0000 | P_RW | 1 << 7 | NX_G);
        for page in 0..512u64 {
            let rights = if page == 0x9b { 1 | 1 << 8 } else { P_RW | NX_G };
            put(0x5000, page as usize, page << 12 | rights);
        }
        put(0x6000, 510, 0x7000 | P_RW);
        put(0x7000, 0, 0x8000 | 1);
        put(0x8000, 0, 0x9_9000 | P_RW | 1 << 8);
        put(0x9000, 511, 0x1000 | P_RW);
        let page = |at: u64| memory.get(&at).cloned().ok_or_else(|| anyhow::anyhow!("no table at {at:x}"));
        let (init, trampoline) = (read(0x1000, 4, page).unwrap(), read(0x2000, 4, page).unwrap());
        let layout = Layout { blob: 0x9_a000, blob_size: 0x3000, has_firmware: false };
        let expected = [
            "low memory: blob+0 +1000 RW- G",
            "low memory: blob+1000 +1000 R-X G",
            "low memory: blob+2000 +1000 RW- G",
            "direct map: blob+0 +1000 RW- G",
            "direct map: blob+1000 +1000 R-X G",
            "direct map: blob+2000 +1000 RW- G",
            "low memory but for the blob: RW- G",
            "direct map but for the blob: RW- G",
            "image: ffffffff80000000 +1000 R-X G",
        ];
        assert_eq!(layout.words(&trampoline), expected);
        assert_eq!(layout.words(&init).len(), 5, "{:?}", layout.words(&init));
        assert_eq!(shared(&trampoline, &init), "273, 511, 0 with 273");
        // A level more, above: no address changes.
        assert_eq!(read(0x9000, 5, page).unwrap().ranges, init.ranges);
    }
}
