//! The descriptor tables of the selected CPU, read where GDTR and IDTR point: the GDT, the IDT, and in real mode the
//! interrupt vectors. [`decode`] makes entries of bytes.

pub mod decode;

use super::cpus::Cpus;
use super::symbols::Symbols;
use protocol::cpu::{CpuState, SEGMENT_NAMES, SegmentReg, TableReg};
use protocol::request::{Place, Request};
use protocol::{CpuId, LinearAddr};

pub use decode::{Bit, Entry};

/// Which table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Which {
    /// Global descriptor table.
    #[default]
    Gdt,
    /// Interrupt descriptor table; in real mode the interrupt vectors.
    Idt,
}

/// The panel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Descriptors {
    /// The panel is shown: only then tables are read.
    pub shown: bool,
    /// Which table is shown.
    pub which: Which,
    /// "GDT of CPU 1 at linear 0009d000, limit 001f: 4 entries".
    pub title: String,
    /// Top to bottom.
    pub entries: Vec<Entry>,
    /// What is to be known of the table as a whole, and of registers that name no entry of it.
    pub remarks: Vec<String>,
    /// The CPU it was read for and what its register held.
    of: Option<(CpuId, Which, TableReg)>,
    bytes: Vec<u8>,
    unreadable: Option<String>,
}

/// How a CPU reads its tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// CR0.PE.
    pub protected: bool,
    /// EFER.LMA: gates and system descriptors have 16 bytes.
    pub long: bool,
}

impl Reading {
    /// Of a CPU as it stands.
    pub fn of(cpu: &CpuState) -> Self {
        Self { protected: cpu.cr0 & 1 != 0, long: cpu.efer & 1 << 10 != 0 }
    }
}

impl Descriptors {
    /// What to ask for.
    pub(crate) fn request(&mut self, cpu: &CpuState) -> Request {
        let table = register(self.which, cpu);
        self.of = Some((cpu.cpu, self.which, table));
        self.bytes.clear();
        self.unreadable = None;
        let from = Place::Linear { cpu: cpu.cpu, linear: LinearAddr(table.base) };
        Request::Memory { from, len: u32::from(table.limit) + 1 }
    }

    /// Forgets what was read.
    pub(crate) fn forget(&mut self) {
        *self = Self { shown: self.shown, which: self.which, ..Self::default() };
    }

    /// Takes in the bytes of a table.
    pub(crate) fn take(&mut self, bytes: Vec<u8>, unreadable: Option<String>, cpus: &Cpus, symbols: &Symbols) {
        (self.bytes, self.unreadable) = (bytes, unreadable);
        self.arrange(cpus, symbols);
    }

    /// Makes the entries anew.
    pub(crate) fn arrange(&mut self, cpus: &Cpus, symbols: &Symbols) {
        (self.entries, self.remarks) = (Vec::new(), Vec::new());
        let Some((id, which, table)) = self.of else { return };
        let Some(cpu) = cpus.get(id) else { return };
        let reading = Reading::of(cpu);
        let name = match (which, reading.protected) {
            (Which::Gdt, _) => "GDT",
            (Which::Idt, true) => "IDT",
            (Which::Idt, false) => "interrupt vectors",
        };
        let at = LinearAddr(table.base);
        self.title = format!("{name} of {id} at linear {at}, limit {:04x}", table.limit);
        if let Some(why) = &self.unreadable {
            self.remarks.push(format!("Not all of it can be read: {why}."));
        }
        if which == Which::Gdt && !reading.protected {
            self.remarks.push(
                "CR0.PE is 0: no segment register is loaded from this table. A selector times 16 is the base."
                    .to_owned(),
            );
            if table.base == 0 && table.limit == u16::MAX {
                self.remarks.push("Base 0 and limit ffff is what reset left; no LGDT has been executed.".to_owned());
                return;
            }
        }
        match which {
            Which::Gdt => {
                self.entries = decode::gdt(&self.bytes, table, reading);
                let unmatched = mark_users(&mut self.entries, cpu);
                if reading.protected {
                    self.remarks.extend(unmatched);
                }
            }
            Which::Idt => {
                self.entries = decode::idt(&self.bytes, table.base, reading, symbols);
                if self.entries.is_empty() {
                    self.remarks.push(format!(
                        "Limit {:x} holds no entry: no exception or interrupt can be delivered, any ends in shutdown.",
                        table.limit
                    ));
                }
            }
        }
    }
}

fn register(which: Which, cpu: &CpuState) -> TableReg {
    match which {
        Which::Gdt => cpu.gdtr,
        Which::Idt => cpu.idtr,
    }
}

/// Marks the entries that segment registers were loaded from, says where a hidden part differs, and returns a sentence
/// about the registers that name no entry, if there are such.
fn mark_users(entries: &mut [Entry], cpu: &CpuState) -> Option<String> {
    let mut unmatched = Vec::new();
    for (at, segment) in cpu.segments.iter().enumerate() {
        let name = SEGMENT_NAMES[at].to_uppercase();
        let (selector, in_ldt) = (segment.selector & !7, segment.selector & 4 != 0);
        if segment.selector & !3 == 0 || in_ldt {
            continue;
        }
        let entry = entries.iter_mut().find(|entry| entry.index == selector / 8 && !entry.empty);
        let Some(entry) = entry else {
            unmatched.push(format!("{name} {:04x}", segment.selector));
            continue;
        };
        entry.users.push(name.clone());
        if let Some(difference) = difference(&name, *segment, entry, cpu) {
            entry.remarks.push(difference);
        }
    }
    let sentence =
        format!("{}: no entry here. The hidden part was loaded another way, and counts.", unmatched.join(", "));
    (!unmatched.is_empty()).then_some(sentence)
}

/// Where a hidden part is not what the entry says now.
fn difference(name: &str, hidden: SegmentReg, entry: &Entry, cpu: &CpuState) -> Option<String> {
    let segment = entry.segment?;
    let mut parts = Vec::new();
    let long = cpu.mode == protocol::Mode::Long;
    let system = matches!(name, "LDTR" | "TR");
    // In 64-bit mode base and limit of CS, DS, ES and SS are not used, those of FS and GS come from MSRs as well.
    if hidden.base != segment.base && (!long || system || matches!(name, "FS" | "GS")) {
        parts.push(format!("base {:x}, the entry says {:x}", hidden.base, segment.base));
    }
    if hidden.limit != segment.limit && (!long || system) {
        parts.push(format!("limit {:x}, the entry says {:x}", hidden.limit, segment.limit));
    }
    // The processor sets "accessed" or "busy" itself while it loads.
    let own: u32 = if segment.attributes & SegmentReg::ATTR_S != 0 { 1 } else { 2 };
    let usable = hidden.attributes & SegmentReg::ATTR_UNUSABLE == 0;
    if usable && (hidden.attributes ^ segment.attributes) & 0xf0ff & !own != 0 {
        let (now, says) = (super::registers::rights_words(hidden, 1), super::registers::rights_words(segment, 1));
        let (now, says) = if now == says {
            (format!("{:05x}", hidden.attributes), format!("{:05x}", segment.attributes))
        } else {
            (now, says)
        };
        parts.push(format!("rights \"{now}\", the entry says \"{says}\""));
    }
    if parts.is_empty() {
        return None;
    }
    let why = match (name, long) {
        ("FS" | "GS", true) => "WRMSR sets its base without the table.",
        _ => "The hidden part counts until the register is loaded again.",
    };
    Some(format!("{name} holds {}. {why}", parts.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::Mode;
    use protocol::cpu::CS;

    /// `tr_gdt`: its own pseudo-descriptor in slot 0, 32-bit code, 64-bit code, data.
    fn tr_gdt() -> Vec<u8> {
        let mut bytes = vec![0x1f, 0, 0, 0xd0, 9, 0, 0, 0];
        for descriptor in [0x00cf_9b00_0000_ffff_u64, 0x00af_9b00_0000_ffff, 0x00cf_9300_0000_ffff] {
            bytes.extend(descriptor.to_le_bytes());
        }
        bytes
    }

    fn cpu(cs: SegmentReg) -> Cpus {
        let gdtr = TableReg { base: 0x9d000, limit: 0x1f };
        let mut cpu = CpuState { mode: Mode::Protected16, cr0: 0x11, gdtr, ..CpuState::default() };
        cpu.segments[CS] = cs;
        Cpus { states: vec![cpu], ..Cpus::default() }
    }

    fn read(cs: SegmentReg) -> Descriptors {
        let cpus = cpu(cs);
        let mut panel = Descriptors { shown: true, ..Descriptors::default() };
        let request = panel.request(&cpus.states[0]);
        assert!(matches!(request, Request::Memory { len: 0x20, .. }), "{request:?}");
        panel.take(tr_gdt(), None, &cpus, &Symbols::default());
        panel
    }

    /// Goal: right after PE nothing of the table is in use yet, and it says so; method: CS as real mode left it.
    #[test]
    fn after_pe_cs_names_no_entry() {
        let panel = read(SegmentReg { selector: 0x9a00, base: 0x9a000, limit: 0xffff, attributes: 0x9b });
        assert_eq!(panel.entries.len(), 4);
        assert!(panel.entries.iter().all(|entry| entry.users.is_empty()));
        assert!(panel.remarks.iter().any(|remark| remark.starts_with("CS 9a00: no entry here")), "{:?}", panel.remarks);
        assert!(panel.entries[0].says.contains("pseudo-descriptor"), "{}", panel.entries[0].says);
    }

    /// Goal: the entry that CS came from is marked, and a hidden part that differs is told; method: equal, then P
    /// cleared in the table after CS was loaded.
    #[test]
    fn users_and_differences() {
        let cs = SegmentReg { selector: 8, base: 0, limit: u32::MAX, attributes: 0xc09b };
        let panel = read(cs);
        assert_eq!((&panel.entries[1].users[..], &panel.entries[1].remarks[..]), (&["CS".to_owned()][..], &[][..]));
        let cpus = cpu(cs);
        let mut panel = Descriptors::default();
        panel.request(&cpus.states[0]);
        let mut bytes = tr_gdt();
        bytes[8 + 5] = 0x1b;
        panel.take(bytes, None, &cpus, &Symbols::default());
        assert!(panel.entries[1].says.contains("not present"), "{}", panel.entries[1].says);
        assert!(panel.entries[1].remarks[0].contains("until the register is loaded again"));
    }

    /// Goal: an empty IDT says what that means; method: limit 0, as the trampoline loads it.
    #[test]
    fn no_idt() {
        let mut cpus = cpu(SegmentReg::default());
        cpus.states[0].idtr = TableReg { base: 0, limit: 0 };
        let mut panel = Descriptors { which: Which::Idt, ..Descriptors::default() };
        panel.request(&cpus.states[0]);
        panel.take(vec![0], None, &cpus, &Symbols::default());
        assert!(panel.entries.is_empty() && panel.remarks[0].contains("shutdown"));
    }

    /// Goal: what reset left in GDTR is not taken for a table; method: real mode, base 0, limit ffff.
    #[test]
    fn real_mode_has_no_gdt() {
        let mut cpus = cpu(SegmentReg::default());
        (cpus.states[0].cr0, cpus.states[0].gdtr) = (0x10, TableReg { base: 0, limit: 0xffff });
        let mut panel = Descriptors::default();
        panel.request(&cpus.states[0]);
        panel.take(vec![1; 0x1_0000], None, &cpus, &Symbols::default());
        assert!(panel.entries.is_empty() && panel.remarks[1].contains("reset left"));
    }
}
