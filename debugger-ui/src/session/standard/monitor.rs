//! QEMU's `info registers -a`: what its packets leave out. Hidden parts of segments, descriptor tables, debug registers, and
//! whether a CPU is halted. Pure; lines that are not understood are left out.

use protocol::cpu::{CpuState, SEGMENT_NAMES, SegmentReg, TableReg};

/// The command.
pub const COMMAND: &str = "info registers -a";

/// What the text tells of one CPU.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// In the order of [`SEGMENT_NAMES`].
    pub segments: [Option<SegmentReg>; 8],
    /// GDTR.
    pub gdtr: Option<TableReg>,
    /// IDTR.
    pub idtr: Option<TableReg>,
    /// DR0 to DR3, DR6, DR7.
    pub dr: [u64; 6],
    /// It executes nothing: HLT, or it waits for a start-up IPI.
    pub halted: bool,
}

impl Told {
    /// Everything that makes the mode certain is there.
    pub fn complete(&self) -> bool {
        self.segments[..6].iter().all(Option::is_some)
    }

    /// Completes a state.
    pub fn complete_state(&self, state: &mut CpuState) {
        for (slot, told) in state.segments.iter_mut().zip(self.segments) {
            *slot = told.unwrap_or(*slot);
        }
        state.gdtr = self.gdtr.unwrap_or_default();
        state.idtr = self.idtr.unwrap_or_default();
        state.dr = self.dr;
    }
}

/// Reads the text: one entry for each CPU, in order.
pub fn parse(text: &str) -> Vec<Told> {
    let parts = text.split("CPU#").skip(1);
    parts.map(one).collect()
}

fn one(text: &str) -> Told {
    let mut told = Told::default();
    for line in text.lines().map(str::trim) {
        told.halted |= line.split_whitespace().any(|word| word == "HLT=1");
        if line.starts_with("DR") {
            for word in line.split_whitespace() {
                let Some((name, value)) = word.split_once('=') else { continue };
                let at = ["DR0", "DR1", "DR2", "DR3", "DR6", "DR7"].iter().position(|known| *known == name);
                if let (Some(at), Some(value)) = (at, hex(value)) {
                    told.dr[at] = value;
                }
            }
            continue;
        }
        let Some((name, rest)) = line.split_once('=') else { continue };
        let name = name.trim().to_ascii_lowercase();
        let words: Vec<&str> = rest.split_whitespace().collect();
        if let [base, limit] = words[..] {
            let table = hex(base).zip(hex(limit)).map(|(base, limit)| TableReg { base, limit: limit as u16 });
            match name.as_str() {
                "gdt" => told.gdtr = table,
                "idt" => told.idtr = table,
                _ => {}
            }
        }
        let name = if name == "ldt" { "ldtr" } else { name.as_str() };
        if let Some(at) = SEGMENT_NAMES.iter().position(|known| *known == name) {
            told.segments[at] = segment(&words);
        }
    }
    told
}

/// Selector, base, limit and the upper half of the descriptor, whose bits 23:8 are the rights and the limit's upper bits.
fn segment(words: &[&str]) -> Option<SegmentReg> {
    let [selector, base, limit, flags, ..] = words else { return None };
    let mut attributes = (hex(flags)? >> 8) as u32 & 0xf0ff;
    let (selector, limit) = (hex(selector)? as u16, hex(limit)? as u32);
    if attributes == 0 {
        attributes = SegmentReg::ATTR_UNUSABLE;
    }
    Some(SegmentReg { selector, base: hex(base)?, limit, attributes })
}

fn hex(digits: &str) -> Option<u64> {
    u64::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::cpu::CS;

    /// As QEMU 7.2 prints it: a CPU in 64-bit mode and one that waits for a start-up IPI.
    pub(crate) const TEXT: &str = "\r\nCPU#0\r\nRAX=0000000000000000 RBX=0000000000000000\r\n\
        RIP=ffffffff80000000 RFL=00000006 [-----P-] CPL=0 II=0 A20=1 SMM=0 HLT=0\r\n\
        ES =0000 0000000000000000 00000000 00000000\r\n\
        CS =0008 0000000000000000 ffffffff 00af9a00 DPL=0 CS64 [-R-]\r\n\
        SS =0010 0000000000000000 ffffffff 00cf9300 DPL=0 DS   [-WA]\r\n\
        DS =0010 0000000000000000 ffffffff 00cf9300 DPL=0 DS   [-WA]\r\n\
        FS =0000 0000000000000000 00000000 00000000\r\n\
        GS =0000 0000000000000000 00000000 00000000\r\n\
        LDT=0000 0000000000000000 0000ffff 00008200 DPL=0 LDT\r\n\
        TR =0000 0000000000000000 0000ffff 00008b00 DPL=0 TSS64-busy\r\n\
        GDT=     000000000e6f2000 00000017\r\n\
        IDT=     0000000000000000 00000000\r\n\
        CR0=80010033 CR2=0000000000000000 CR3=000000000e6f3000 CR4=00000668\r\n\
        DR0=0000000000000000 DR1=0000000000000001 DR2=0000000000000000 DR3=0000000000000000 \r\n\
        DR6=00000000ffff0ff0 DR7=0000000000000400\r\n\r\nCPU#1\r\n\
        EIP=0000fff0 EFL=00000002 [-------] CPL=0 II=0 A20=1 SMM=0 HLT=1\r\n\
        ES =0000 00000000 0000ffff 00009300\r\n\
        CS =f000 ffff0000 0000ffff 00009b00\r\n\
        SS =0000 00000000 0000ffff 00009300\r\n\
        DS =0000 00000000 0000ffff 00009300\r\n\
        FS =0000 00000000 0000ffff 00009300\r\n\
        GS =0000 00000000 0000ffff 00009300\r\n";

    /// Goal: what QEMU prints becomes hidden parts; method: its text of two CPUs.
    #[test]
    fn both() {
        let told = parse(TEXT);
        assert_eq!(told.len(), 2);
        assert!(told.iter().all(Told::complete));
        let cs = told[0].segments[CS].unwrap();
        assert_eq!((cs.selector, cs.attributes & SegmentReg::ATTR_L, cs.limit), (8, SegmentReg::ATTR_L, u32::MAX));
        assert_eq!(told[0].segments[0].unwrap().attributes, SegmentReg::ATTR_UNUSABLE);
        assert_eq!(told[0].gdtr, Some(TableReg { base: 0xe6f_2000, limit: 0x17 }));
        assert_eq!((told[0].dr[1], told[0].dr[5], told[0].halted), (1, 0x400, false));
        assert_eq!((told[1].segments[CS].unwrap().base, told[1].halted), (0xffff_0000, true));
        assert_eq!(told[0].segments[7].unwrap().attributes, 0x8b);
    }

    /// Goal: other text tells nothing; method: a monitor's error.
    #[test]
    fn foreign() {
        assert!(parse("unknown command: 'info'").is_empty());
        assert!(!parse("CPU#0\r\nCS =zz 1 2 3")[0].complete());
    }
}
