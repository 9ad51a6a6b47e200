//! The architecture as gdbstub wants it: register numbers, the `g` packet, and the target description that tells gdb.

use super::registers::{ACTIVITIES, Feature, MODES, Register, Row, layout};
use crate::cpu::Cpu;
use gdbstub::arch::{Arch, RegId, Registers};
use std::fmt::Write;
use std::num::NonZeroUsize;
use std::sync::OnceLock;

/// x86-64 with control and system registers, in every mode.
#[derive(Debug)]
pub enum X86 {}

impl Arch for X86 {
    type Usize = u64;
    type Registers = AllRegisters;
    type BreakpointKind = usize;
    type RegId = RegisterNumber;

    fn target_description_xml() -> Option<&'static str> {
        static XML: OnceLock<String> = OnceLock::new();
        Some(XML.get_or_init(description))
    }
}

/// A register by its number in [`layout`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegisterNumber(pub usize);

impl RegisterNumber {
    /// Its row.
    pub fn row(self) -> Option<&'static Row> {
        layout().get(self.0)
    }
}

impl RegId for RegisterNumber {
    fn from_raw_id(id: usize) -> Option<(Self, Option<NonZeroUsize>)> {
        let row = layout().get(id)?;
        Some((Self(id), NonZeroUsize::new(row.bytes)))
    }

    fn to_raw_id(&self) -> Option<usize> {
        Some(self.0)
    }
}

/// The answer to `g`: all registers of a CPU, two digits a byte. gdbstub could make it of [`AllRegisters`], but does so
/// digit by digit, and a debugger asks for this at every stop for every CPU.
pub fn all_registers(cpu: &Cpu) -> Vec<u8> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut digits = Vec::with_capacity(4096);
    for row in layout() {
        for byte in &row.register.read(cpu)[..row.bytes] {
            digits.extend_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        }
    }
    digits
}

/// The bytes of a `G` packet. On the way out it stays empty: [`all_registers`] has the answer to `g`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllRegisters(Vec<u8>);

impl AllRegisters {
    /// Number and bytes of each register. None: too few bytes for the layout.
    pub fn rows(&self) -> Option<Vec<(RegisterNumber, &[u8])>> {
        let mut rest = &self.0[..];
        let split = |(number, row): (usize, &Row)| {
            let (bytes, after) = rest.split_at_checked(row.bytes)?;
            rest = after;
            Some((RegisterNumber(number), bytes))
        };
        layout().iter().enumerate().map(split).collect()
    }
}

impl Registers for AllRegisters {
    type ProgramCounter = u64;

    fn pc(&self) -> u64 {
        let rip = |(number, bytes): (RegisterNumber, &[u8])| {
            (number.row()?.register == Register::Rip).then(|| bytes.try_into().map_or(0, u64::from_le_bytes))
        };
        self.rows().and_then(|rows| rows.into_iter().find_map(rip)).unwrap_or(0)
    }

    fn gdb_serialize(&self, mut write_byte: impl FnMut(Option<u8>)) {
        self.0.iter().for_each(|&byte| write_byte(Some(byte)));
    }

    fn gdb_deserialize(&mut self, bytes: &[u8]) -> Result<(), ()> {
        self.0 = bytes.to_vec();
        self.rows().map(|_| ()).ok_or(())
    }
}

/// Named bits: name and position.
type Bits = &'static [(&'static str, u8)];

const EFLAGS: Bits = &[
    ("CF", 0),
    ("PF", 2),
    ("AF", 4),
    ("ZF", 6),
    ("SF", 7),
    ("TF", 8),
    ("IF", 9),
    ("DF", 10),
    ("OF", 11),
    ("NT", 14),
    ("RF", 16),
    ("VM", 17),
    ("AC", 18),
    ("VIF", 19),
    ("VIP", 20),
    ("ID", 21),
];
const CR0: Bits = &[
    ("PE", 0),
    ("MP", 1),
    ("EM", 2),
    ("TS", 3),
    ("ET", 4),
    ("NE", 5),
    ("WP", 16),
    ("AM", 18),
    ("NW", 29),
    ("CD", 30),
    ("PG", 31),
];
const CR4: Bits = &[
    ("VME", 0),
    ("PVI", 1),
    ("TSD", 2),
    ("DE", 3),
    ("PSE", 4),
    ("PAE", 5),
    ("MCE", 6),
    ("PGE", 7),
    ("PCE", 8),
    ("OSFXSR", 9),
    ("OSXMMEXCPT", 10),
    ("UMIP", 11),
    ("LA57", 12),
    ("FSGSBASE", 16),
    ("PCIDE", 17),
    ("OSXSAVE", 18),
    ("SMEP", 20),
    ("SMAP", 21),
];
const EFER: Bits = &[("SCE", 0), ("LME", 8), ("LMA", 10), ("NXE", 11)];
const MXCSR: Bits = &[
    ("IE", 0),
    ("DE", 1),
    ("ZE", 2),
    ("OE", 3),
    ("UE", 4),
    ("PE", 5),
    ("DAZ", 6),
    ("IM", 7),
    ("DM", 8),
    ("ZM", 9),
    ("OM", 10),
    ("UM", 11),
    ("PM", 12),
    ("FZ", 15),
];

fn description() -> String {
    let mut xml = String::from(
        "<?xml version=\"1.0\"?>\n<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n\
         <target version=\"1.0\">\n<architecture>i386:x86-64</architecture>\n",
    );
    feature(&mut xml, "org.gnu.gdb.i386.core", Feature::Core, |xml| flags(xml, "fl_eflags", 4, EFLAGS));
    feature(&mut xml, "org.gnu.gdb.i386.segments", Feature::SegmentBases, |_| {});
    feature(&mut xml, "org.gnu.gdb.i386.sse", Feature::Sse, |xml| {
        xml.push_str(
            "<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/>\n<vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/>\n\
             <vector id=\"v16i8\" type=\"int8\" count=\"16\"/>\n<vector id=\"v8i16\" type=\"int16\" count=\"8\"/>\n\
             <vector id=\"v4i32\" type=\"int32\" count=\"4\"/>\n<vector id=\"v2i64\" type=\"int64\" count=\"2\"/>\n\
             <union id=\"vec128\">\n<field name=\"v4_float\" type=\"v4f\"/>\n<field name=\"v2_double\" type=\"v2d\"/>\n\
             <field name=\"v16_int8\" type=\"v16i8\"/>\n<field name=\"v8_int16\" type=\"v8i16\"/>\n\
             <field name=\"v4_int32\" type=\"v4i32\"/>\n<field name=\"v2_int64\" type=\"v2i64\"/>\n\
             <field name=\"uint128\" type=\"uint128\"/>\n</union>\n",
        );
        flags(xml, "fl_mxcsr", 4, MXCSR);
    });
    feature(&mut xml, "org.firstlight.control", Feature::Control, |xml| {
        flags(xml, "fl_cr0", 8, CR0);
        flags(xml, "fl_cr4", 8, CR4);
        flags(xml, "fl_efer", 8, EFER);
    });
    feature(&mut xml, "org.firstlight.system", Feature::System, |xml| {
        enumeration(xml, "fl_mode", MODES.iter().map(|mode| mode.word()));
        enumeration(xml, "fl_activity", ACTIVITIES.iter().map(|activity| activity.word()));
    });
    xml.push_str("</target>\n");
    xml
}

fn feature(xml: &mut String, name: &str, feature: Feature, types: impl FnOnce(&mut String)) {
    put(xml, format_args!("<feature name=\"{name}\">\n"));
    types(xml);
    for (number, row) in layout().iter().enumerate().filter(|(_, row)| row.feature == feature) {
        let (name, bits, kind) = (&row.name, row.bytes * 8, row.kind);
        put(xml, format_args!("<reg name=\"{name}\" bitsize=\"{bits}\" type=\"{kind}\" regnum=\"{number}\"/>\n"));
    }
    xml.push_str("</feature>\n");
}

fn flags(xml: &mut String, id: &str, bytes: usize, bits: Bits) {
    put(xml, format_args!("<flags id=\"{id}\" size=\"{bytes}\">\n"));
    for (name, bit) in bits {
        put(xml, format_args!("<field name=\"{name}\" start=\"{bit}\" end=\"{bit}\"/>\n"));
    }
    xml.push_str("</flags>\n");
}

fn enumeration(xml: &mut String, id: &str, words: impl Iterator<Item = &'static str>) {
    put(xml, format_args!("<enum id=\"{id}\" size=\"4\">\n"));
    for (value, word) in words.enumerate() {
        put(xml, format_args!("<evalue name=\"{word}\" value=\"{value}\"/>\n"));
    }
    xml.push_str("</enum>\n");
}

fn put(xml: &mut String, text: std::fmt::Arguments<'_>) {
    xml.write_fmt(text).expect("a String takes everything");
}
