//! Descriptors in words (SDM 3A 3.4.5, 3.5, 6.10 to 6.14). Pure: bytes in, entries out.

use super::Reading;
use crate::model::registers::rights_words;
use crate::model::symbols::Symbols;
use crate::model::timeline::fault_name;
use protocol::cpu::{SegmentReg, TableReg};
use protocol::{LinearAddr, SegOff};

/// One entry of a table, or a run of empty ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Index of the (first) entry.
    pub index: u16,
    /// How many: more than 1 for empty ones in a row.
    pub count: u16,
    /// Linear address of its first byte.
    pub at: LinearAddr,
    /// Its bytes; those of the first where it is a run.
    pub bytes: Vec<u8>,
    /// "08", "vector 0e #PF".
    pub name: String,
    /// What it is, in words.
    pub says: String,
    /// All zeros.
    pub empty: bool,
    /// For code, data and system segments: what a load would put into the hidden part.
    pub segment: Option<SegmentReg>,
    /// Segment registers that were loaded from it.
    pub users: Vec<String>,
    /// Where a register's hidden part differs.
    pub remarks: Vec<String>,
    /// Bits that an edit may flip.
    pub bits: Vec<Bit>,
}

/// A bit of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bit {
    /// "P", "D/B".
    pub name: &'static str,
    /// Its number among the attributes of a segment's hidden part, for the glossary.
    pub attribute: u8,
    /// Byte of the entry.
    pub byte: u8,
    /// Bit of the byte.
    pub bit: u8,
    /// Its value.
    pub set: bool,
}

impl Entry {
    /// The byte to write so that a bit is flipped, and where.
    pub fn flipped(&self, bit: &Bit) -> Option<(LinearAddr, u8)> {
        let byte = self.bytes.get(usize::from(bit.byte))? ^ 1 << bit.bit;
        Some((LinearAddr(self.at.0.wrapping_add(u64::from(bit.byte))), byte))
    }

    /// The whole entry in a line, for lists and screen readers.
    pub fn words(&self) -> String {
        let users =
            if self.users.is_empty() { String::new() } else { format!("{} came from here: ", self.users.join(", ")) };
        let remarks: String = self.remarks.iter().map(|remark| format!(" {remark}")).collect();
        format!("{users}{}: {}{remarks}", self.name, self.says)
    }
}

/// The entries of a GDT.
pub fn gdt(bytes: &[u8], table: TableReg, reading: Reading) -> Vec<Entry> {
    let mut out: Vec<Entry> = Vec::new();
    let mut index = 0;
    while let Some(slot) = bytes.get(index * 8..index * 8 + 8) {
        let at = LinearAddr(table.base.wrapping_add(index as u64 * 8));
        let mut entry = Entry { index: index as u16, count: 1, at, bytes: slot.to_vec(), ..Entry::default() };
        entry.name = format!("{:02x}", index * 8);
        let raw = u64::from_le_bytes(slot.try_into().unwrap_or_default());
        entry.empty = raw == 0;
        let system = raw >> 44 & 1 == 0;
        let wide = reading.long && system && matches!(raw >> 40 & 15, 0x2 | 0x9 | 0xb | 0xc);
        if index == 0 {
            entry.empty = false;
            entry.says = slot_0(raw, table);
        } else if !entry.empty {
            let upper = if wide { bytes.get(index * 8 + 8..index * 8 + 16) } else { None };
            entry.bytes.extend(upper.into_iter().flatten());
            let upper = upper.and_then(|upper| upper[..4].try_into().ok()).map_or(0, u32::from_le_bytes);
            descriptor(&mut entry, raw, upper, reading);
        }
        push(&mut out, entry);
        index += if wide && index != 0 { 2 } else { 1 };
    }
    out
}

/// Adds an entry; empty ones in a row become one.
fn push(out: &mut Vec<Entry>, mut entry: Entry) {
    match out.last_mut().filter(|last| last.empty && entry.empty) {
        Some(last) => {
            last.count += 1;
            last.says = format!("{} empty entries: P is 0, every use faults", last.count);
        }
        None => {
            if entry.empty {
                entry.says = "empty: P is 0, every use faults".to_owned();
            }
            out.push(entry);
        }
    }
}

/// Slot 0 is never used as a descriptor.
fn slot_0(raw: u64, table: TableReg) -> String {
    let (limit, base) = (raw as u16, raw >> 16 & 0xffff_ffff);
    if raw == 0 {
        "null descriptor: selectors 0 to 3 load nothing, the register becomes unusable".to_owned()
    } else if (limit, base) == (table.limit, table.base & 0xffff_ffff) {
        format!(
            "used as this table's own pseudo-descriptor: limit {limit:04x}, base {base:08x}, what LGDT reads. \
             The processor never reads slot 0 as a descriptor, so the room is free"
        )
    } else {
        format!("never read by the processor; holds {raw:016x}")
    }
}

fn descriptor(entry: &mut Entry, raw: u64, upper: u32, reading: Reading) {
    let kind = (raw >> 40 & 15) as u8;
    if raw >> 44 & 1 == 0 && matches!(kind, 0x4..=0x7 | 0xc | 0xe | 0xf) {
        let offset = raw & 0xffff | raw >> 48 << 16 | u64::from(upper) << 32;
        let selector = (raw >> 16) as u16;
        entry.says = format!("{}, to {selector:04x}:{offset:x}{}", gate_name(kind, reading), rights(raw));
        entry.bits = bits(raw, &GATE_BITS);
        return;
    }
    let segment = segment(raw, upper);
    let granular = segment.attributes & SegmentReg::ATTR_G != 0;
    let mut words = rights_words(segment, 1);
    if raw >> 44 & 1 == 1 && kind & 8 == 0 && raw >> 54 & 1 == 1 {
        words.push_str(", B (32-bit stack)");
    }
    if kind & 1 == 0 && raw >> 44 & 1 == 1 {
        words.push_str(", not accessed");
    }
    entry.says = format!(
        "{words}   base {:08x}   limit {:x}{}",
        segment.base,
        u64::from(segment.limit),
        if granular { " bytes (G)" } else { " bytes" }
    );
    entry.segment = Some(segment);
    entry.bits = bits(raw, &SEGMENT_BITS);
}

/// What loading the descriptor would put into the hidden part.
fn segment(raw: u64, upper: u32) -> SegmentReg {
    let limit = (raw & 0xffff | raw >> 32 & 0xf_0000) as u32;
    let granular = raw >> 55 & 1 == 1;
    SegmentReg {
        selector: 0,
        base: raw >> 16 & 0xff_ffff | raw >> 56 << 24 | u64::from(upper) << 32,
        limit: if granular { limit << 12 | 0xfff } else { limit },
        attributes: (raw >> 40 & 0xff | raw >> 40 & 0xf000) as u32,
    }
}

const SEGMENT_BITS: [(&str, u8); 12] = [
    ("P", 7),
    ("DPL.1", 6),
    ("DPL.0", 5),
    ("S", 4),
    ("code", 3),
    ("E/C", 2),
    ("W/R", 1),
    ("A", 0),
    ("G", 15),
    ("D/B", 14),
    ("L", 13),
    ("AVL", 12),
];
const GATE_BITS: [(&str, u8); 3] = [("P", 7), ("DPL.1", 6), ("DPL.0", 5)];

/// Attribute bits by name: 0 to 7 lie in byte 5, 12 to 15 in byte 6.
fn bits(raw: u64, names: &[(&'static str, u8)]) -> Vec<Bit> {
    let bit = |&(name, attribute): &(&'static str, u8)| {
        let (byte, bit) = if attribute < 8 { (5, attribute) } else { (6, attribute - 8) };
        Bit { name, attribute, byte, bit, set: raw >> (byte * 8 + bit) & 1 == 1 }
    };
    names.iter().map(bit).collect()
}

fn gate_name(kind: u8, reading: Reading) -> &'static str {
    match (kind, reading.long) {
        (0x4, _) => "16-bit call gate",
        (0x5, _) => "task gate",
        (0x6, _) => "16-bit interrupt gate",
        (0x7, _) => "16-bit trap gate",
        (0xc, true) => "64-bit call gate",
        (0xe, true) => "64-bit interrupt gate",
        (0xf, true) => "64-bit trap gate",
        (0xc, false) => "32-bit call gate",
        (0xe, false) => "32-bit interrupt gate",
        (0xf, false) => "32-bit trap gate",
        _ => "no gate: a type that is reserved here",
    }
}

fn rights(raw: u64) -> String {
    let absent = if raw >> 47 & 1 == 0 { ", not present" } else { "" };
    format!(", DPL {}{absent}", raw >> 45 & 3)
}

/// The entries of an IDT, or in real mode the interrupt vectors.
pub fn idt(bytes: &[u8], base: u64, reading: Reading, symbols: &Symbols) -> Vec<Entry> {
    let size = match (reading.protected, reading.long) {
        (false, _) => 4,
        (true, false) => 8,
        (true, true) => 16,
    };
    let mut out = Vec::new();
    for (index, slot) in bytes.chunks_exact(size).take(256).enumerate() {
        let at = LinearAddr(base.wrapping_add((index * size) as u64));
        let known = if index < 32 { format!(" {}", fault_name(index as u8, None)) } else { String::new() };
        let mut entry = Entry { index: index as u16, count: 1, at, bytes: slot.to_vec(), ..Entry::default() };
        entry.name = format!("vector {index:02x}{known}");
        entry.empty = slot.iter().all(|byte| *byte == 0);
        if size == 4 {
            // In real mode an empty vector is a far pointer like any other: 0000:0000.
            entry.empty = false;
            let word = |at: usize| u16::from_le_bytes([slot[at], slot[at + 1]]);
            let target = SegOff { selector: word(2), offset: u64::from(word(0)) };
            let linear = LinearAddr((u64::from(target.selector) << 4) + target.offset);
            entry.says = format!("{target} = linear {linear}");
        } else if !entry.empty {
            gate(&mut entry, slot, reading, symbols);
        }
        push(&mut out, entry);
    }
    out
}

fn gate(entry: &mut Entry, slot: &[u8], reading: Reading, symbols: &Symbols) {
    let raw = slot[..8].try_into().map_or(0, u64::from_le_bytes);
    let upper = slot.get(8..12).and_then(|upper| upper.try_into().ok()).map_or(0, u32::from_le_bytes);
    let offset = raw & 0xffff | raw >> 48 << 16 | u64::from(upper) << 32;
    let name = symbols.at(LinearAddr(offset)).map(|symbol| format!(" {symbol}")).unwrap_or_default();
    let ist = match (reading.long, raw >> 32 & 7) {
        (true, ist) if ist != 0 => format!(", on stack IST {ist}"),
        _ => String::new(),
    };
    let kind = if raw >> 44 & 1 == 1 { 0 } else { (raw >> 40 & 15) as u8 };
    entry.says = format!(
        "{}, to {:04x}:{}{name}{ist}{}",
        gate_name(kind, reading),
        (raw >> 16) as u16,
        LinearAddr(offset),
        rights(raw)
    );
    entry.bits = bits(raw, &GATE_BITS);
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROTECTED: Reading = Reading { protected: true, long: false };
    const LONG: Reading = Reading { protected: true, long: true };

    fn table(descriptors: &[u64]) -> Vec<u8> {
        descriptors.iter().flat_map(|raw| raw.to_le_bytes()).collect()
    }

    /// Goal: code and data read as they are, limits in bytes; method: flat code, 64-bit code, a small data segment.
    #[test]
    fn segments() {
        let bytes = table(&[0, 0x00cf_9b00_0000_ffff, 0x00af_9b00_0000_ffff, 0x1040_9312_3456_0fff]);
        let entries = gdt(&bytes, TableReg { base: 0x9d000, limit: 0x1f }, PROTECTED);
        assert!(entries[0].says.starts_with("null descriptor"));
        assert_eq!(entries[1].says, "code, execute/read, 32-bit, DPL 0   base 00000000   limit ffffffff bytes (G)");
        assert!(entries[2].says.contains("64-bit"));
        assert_eq!(entries[3].segment.map(|segment| (segment.base, segment.limit)), Some((0x1012_3456, 0xfff)));
        assert_eq!((entries[1].name.as_str(), entries[1].at), ("08", LinearAddr(0x9d008)));
    }

    /// Goal: flipping P writes the right byte; method: entry 08 of a table, 9b becomes 1b.
    #[test]
    fn flipping_p() {
        let bytes = table(&[0, 0x00cf_9b00_0000_ffff]);
        let entries = gdt(&bytes, TableReg { base: 0x9d000, limit: 0xf }, PROTECTED);
        let p = entries[1].bits.iter().find(|bit| bit.name == "P").unwrap();
        assert_eq!(entries[1].flipped(p), Some((LinearAddr(0x9d00d), 0x1b)));
        let g = entries[1].bits.iter().find(|bit| bit.name == "G").unwrap();
        assert_eq!(entries[1].flipped(g), Some((LinearAddr(0x9d00e), 0x4f)));
    }

    /// Goal: a TSS takes two slots in long mode, empty entries fold; method: a table with both.
    #[test]
    fn wide_and_empty() {
        let bytes = table(&[0, 0, 0, 0, 0x8000_8b00_0000_0067 | 0x10 << 16, 0xffff_ffff, 0x00cf_9300_0000_ffff]);
        let entries = gdt(&bytes, TableReg { base: 0, limit: 55 }, LONG);
        let shape: Vec<_> = entries.iter().map(|entry| (entry.index, entry.count, entry.bytes.len())).collect();
        assert_eq!(shape, [(0, 1, 8), (1, 3, 8), (4, 1, 16), (6, 1, 8)]);
        assert_eq!(entries[2].segment.unwrap().base, 0xffff_ffff_8000_0010);
        assert!(entries[2].says.starts_with("TSS, busy"), "{}", entries[2].says);
    }

    /// Goal: gates and real-mode vectors read as they are; method: one of each.
    #[test]
    fn gates_and_vectors() {
        let symbols = crate::model::symbols::tests::sample();
        let mut bytes = vec![0; 16];
        bytes.extend([0x00, 0x01, 0x10, 0, 1, 0x8e, 0x00, 0x80, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
        let entries = idt(&bytes, 0, LONG, &symbols);
        assert_eq!((entries[0].empty, entries[1].name.as_str()), (true, "vector 01 #DB"));
        assert_eq!(
            entries[1].says,
            "64-bit interrupt gate, to 0010:ffff_ffff_8000_0100 start_secondary, on stack IST 1, DPL 0"
        );
        let vectors = idt(&[0x53, 0xff, 0, 0xf0], 0, Reading { protected: false, long: false }, &symbols);
        assert_eq!(vectors[0].says, "f000:ff53 = linear 000fff53");
    }

    /// Goal: bytes of any length and content make no panic; method: all lengths up to 64 of a few patterns.
    #[test]
    fn any_bytes() {
        for reading in [PROTECTED, LONG, Reading { protected: false, long: false }] {
            for fill in [0x00, 0x5a, 0x82, 0x8c, 0xff] {
                for len in 0..64 {
                    let bytes = vec![fill; len];
                    let table = TableReg { base: u64::MAX - 8, limit: 63 };
                    let words: usize = gdt(&bytes, table, reading).iter().map(|entry| entry.words().len()).sum();
                    assert_eq!(words == 0, len < 8);
                    idt(&bytes, u64::MAX, reading, &Symbols::default());
                }
            }
        }
    }
}
