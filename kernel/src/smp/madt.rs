//! The MADT: which processors exist and where the interrupt controllers are (ACPI specification, "Multiple APIC
//! Description Table"). The `acpi` crate finds the table and checks its sum; its iterator over the entries trusts their
//! length bytes, so the entries are read here, from a slice, where a bad length is an error.

use crate::memlayout::MAX_CPUS;
use crate::mm::frame::{FRAME_SIZE, Region, RegionKind};

/// What the kernel takes from the MADT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Madt {
    /// Physical address of the local APICs.
    pub local_apic: u64,
    /// The first I/O APIC, if there is one.
    pub io_apic: Option<IoApic>,
    /// The PC also has two 8259s, which must be masked.
    pub has_8259: bool,
    /// Global system interrupt of ISA IRQ 4 (COM1): by default the same number.
    pub com1_gsi: u32,
    /// The same of ISA IRQ 1 (the keyboard).
    pub keyboard_gsi: u32,
    apic_ids: [u8; MAX_CPUS],
    count: usize,
    /// Processors that are usable but not by us: their APIC ID does not fit xAPIC, or there are too many.
    pub left_out: usize,
    /// Processors with the APIC ID of one before.
    pub twice: usize,
    /// Where the table is damaged, so that its rest was not read.
    pub damaged: Option<MadtError>,
}

impl Default for Madt {
    /// What every PC has: local APICs at their usual place. No processor but the one that runs, and no I/O APIC.
    fn default() -> Self {
        Self {
            local_apic: 0xfee0_0000,
            io_apic: None,
            has_8259: false,
            com1_gsi: COM1_IRQ.into(),
            keyboard_gsi: KEYBOARD_IRQ.into(),
            apic_ids: [0; MAX_CPUS],
            count: 0,
            left_out: 0,
            twice: 0,
            damaged: None,
        }
    }
}

/// An I/O APIC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IoApic {
    /// Physical address of its registers.
    pub physical: u64,
    /// Global system interrupt of its pin 0.
    pub gsi_base: u32,
}

/// Why a MADT cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MadtError {
    /// Shorter than its fixed part of 44 bytes.
    TooShort {
        /// Length in bytes.
        length: usize,
    },
    /// An entry ends behind the table, or is shorter than its type needs.
    BadEntry {
        /// Offset of the entry in the table.
        offset: usize,
        /// Its type.
        kind: u8,
        /// The length it claims.
        length: u8,
    },
    /// No processor is enabled.
    NoProcessors,
}

impl core::fmt::Display for MadtError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::TooShort { length } => write!(f, "the MADT has {length} bytes, its fixed part alone needs 44"),
            Self::BadEntry { offset, kind, length } => {
                write!(f, "the MADT's entry of type {kind} at offset {offset:#x} has the impossible length {length}")
            }
            Self::NoProcessors => write!(f, "the MADT lists no enabled processor"),
        }
    }
}

impl core::error::Error for MadtError {}

/// Length of the table's fixed part: the header, the local APICs' address, the flags.
const FIXED_PART: usize = 44;
const PCAT_COMPAT: u32 = 1;
const ENABLED: u32 = 1;
/// The APIC ID that means everybody.
const BROADCAST: u32 = 0xff;
/// ISA IRQ of COM1.
const COM1_IRQ: u8 = 4;
/// ISA IRQ of the keyboard.
const KEYBOARD_IRQ: u8 = 1;

impl Madt {
    /// APIC IDs of the usable processors, in the table's order.
    pub fn apic_ids(&self) -> &[u8] {
        &self.apic_ids[..self.count]
    }

    /// Puts the controllers where they can be: the local APICs at their usual place, if the table has them where there is memory,
    /// at no page or beyond `physical_end`; no I/O APIC at all, if that is so of it. Says what was wrong.
    pub fn mend_places(&mut self, regions: &[Region], physical_end: u64, mut say: impl FnMut(&'static str, u64)) {
        let memory = |at: u64| {
            let holds = |region: &&Region| region.start <= at && at < region.end;
            regions.iter().find(holds).is_some_and(|region| !matches!(region.kind, RegionKind::Reserved(_)))
        };
        let wrong = |at: u64| !at.is_multiple_of(FRAME_SIZE) || at >= physical_end || memory(at);
        if wrong(self.local_apic) {
            say("the local APICs", self.local_apic);
            self.local_apic = Self::default().local_apic;
        }
        if let Some(io_apic) = self.io_apic.filter(|io_apic| wrong(io_apic.physical)) {
            say("the I/O APIC", io_apic.physical);
            self.io_apic = None;
        }
    }

    /// Reads a whole MADT, header included. An entry that is impossible ends it; what came before is kept, if there is a
    /// processor among it.
    ///
    /// # Errors
    /// [`MadtError`]
    pub fn parse(table: &[u8]) -> Result<Self, MadtError> {
        let too_short = MadtError::TooShort { length: table.len() };
        let flags = word(table, 40).ok_or(too_short)?;
        let mut madt = Self {
            local_apic: word(table, 36).ok_or(too_short)?.into(),
            has_8259: flags & PCAT_COMPAT != 0,
            ..Self::default()
        };
        let mut offset = FIXED_PART;
        while offset < table.len() {
            let kind = table[offset];
            let length = table.get(offset + 1).copied().unwrap_or(0);
            let entry = table.get(offset..offset + usize::from(length)).filter(|entry| entry.len() >= 2);
            if entry.and_then(|entry| madt.take(kind, entry)).is_none() {
                madt.damaged = Some(MadtError::BadEntry { offset, kind, length });
                break;
            }
            offset += usize::from(length);
        }
        if madt.count == 0 { Err(madt.damaged.unwrap_or(MadtError::NoProcessors)) } else { Ok(madt) }
    }

    /// Takes one entry; `None` if it is too short for its type.
    fn take(&mut self, kind: u8, entry: &[u8]) -> Option<()> {
        match kind {
            // Processor local APIC: uid, APIC ID, flags.
            0 => self.add_processor((*entry.get(3)?).into(), word(entry, 4)?),
            // I/O APIC: ID, reserved, address, first interrupt.
            1 => {
                let (physical, gsi_base) = (word(entry, 4)?.into(), word(entry, 8)?);
                self.io_apic.get_or_insert(IoApic { physical, gsi_base });
            }
            // Interrupt source override: bus, source, global system interrupt.
            2 if *entry.get(3)? == COM1_IRQ => self.com1_gsi = word(entry, 4)?,
            2 if *entry.get(3)? == KEYBOARD_IRQ => self.keyboard_gsi = word(entry, 4)?,
            // Local APIC address override.
            5 => self.local_apic = u64::from(word(entry, 4)?) | u64::from(word(entry, 8)?) << 32,
            // Processor local x2APIC: reserved, ID, flags, uid. Only IDs that do not fit the other type come this way.
            9 => self.add_processor(word(entry, 4)?, word(entry, 8)?),
            _ => {}
        }
        Some(())
    }

    fn add_processor(&mut self, apic_id: u32, flags: u32) {
        if flags & ENABLED == 0 {
            return;
        }
        match u8::try_from(apic_id) {
            Ok(id) if self.apic_ids().contains(&id) => self.twice += 1,
            Ok(id) if apic_id != BROADCAST && self.count < MAX_CPUS => {
                self.apic_ids[self.count] = id;
                self.count += 1;
            }
            _ => self.left_out += 1,
        }
    }
}

/// A little-endian 32-bit word.
fn word(bytes: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(offset..offset + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests;
