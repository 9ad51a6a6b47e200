//! Memory type range registers: kept and checked as a processor does, and without effect, since memory is always coherent
//! here (docs/QUIRKS.md). RDMSR and WRMSR ([`crate::execute`]) read and write them, the loaders set what firmware would.
//!
//! Source: SDM 3A, "Memory Type Range Registers (MTRRs)".

use crate::mmu::walk::MAXPHYADDR;

/// Their numbers, by Intel's names.
pub mod number {
    /// IA32_MTRRCAP.
    pub const CAP: u32 = 0xfe;
    /// IA32_MTRR_PHYSBASE0; the mask of each range follows its base.
    pub const PHYSBASE0: u32 = 0x200;
    /// IA32_MTRR_PHYSMASK7.
    pub const PHYSMASK7: u32 = 0x20f;
    /// IA32_MTRR_DEF_TYPE.
    pub const DEF_TYPE: u32 = 0x2ff;
    /// IA32_MTRR_FIX64K_00000, IA32_MTRR_FIX16K_80000 and _A0000, IA32_MTRR_FIX4K_C0000 to _F8000.
    pub const FIXED: [u32; 11] = [0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f];
}

/// IA32_MTRRCAP: eight variable ranges, fixed ranges, write combining.
pub const CAP: u64 = RANGES as u64 | 1 << 8 | 1 << 10;
const RANGES: usize = 8;
/// IA32_MTRR_DEF_TYPE: FE and E.
const ENABLES: u64 = 3 << 10;
/// IA32_MTRR_PHYSMASKn: the range counts.
const VALID: u64 = 1 << 11;
const WRITE_PROTECTED: u8 = 5;
const WRITE_BACK: u8 = 6;
/// Physical addresses that there are.
const ADDRESS: u64 = (1 << MAXPHYADDR) - 0x1000;

/// All of them, as power-up leaves them by default: switched off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mtrrs {
    /// IA32_MTRR_DEF_TYPE.
    pub default_type: u64,
    /// In the order of [`number::FIXED`], a byte for each stretch.
    pub fixed: [u64; 11],
    /// Base and mask of each variable range.
    pub variable: [[u64; 2]; RANGES],
}

impl Mtrrs {
    /// As a PC's firmware leaves them on each processor: write-back, but for VGA memory, the BIOS below 1 MiB and what lies
    /// between 3 and 4 GiB.
    pub fn as_firmware_leaves_them() -> Self {
        let all = |memory_type: u8| u64::from_le_bytes([memory_type; 8]);
        let mut mtrrs = Self { default_type: ENABLES | u64::from(WRITE_BACK), ..Self::default() };
        mtrrs.fixed = [all(WRITE_PROTECTED); 11];
        mtrrs.fixed[..3].copy_from_slice(&[all(WRITE_BACK), all(WRITE_BACK), 0]);
        mtrrs.variable[0] = [0xc000_0000, ADDRESS & !0x3fff_ffff | VALID];
        mtrrs
    }

    /// The value of an MSR, None: it is none of these.
    pub fn read(&self, index: u32) -> Option<u64> {
        match index {
            number::CAP => Some(CAP),
            number::DEF_TYPE => Some(self.default_type),
            number::PHYSBASE0..=number::PHYSMASK7 => {
                let which = (index - number::PHYSBASE0) as usize;
                Some(self.variable[which / 2][which % 2])
            }
            _ => Some(self.fixed[number::FIXED.iter().position(|&number| number == index)?]),
        }
    }

    /// Writes one that [`Mtrrs::read`] knows.
    ///
    /// # Errors
    /// What the value has that raises #GP.
    pub fn write(&mut self, index: u32, value: u64) -> Result<(), &'static str> {
        let is_known = |memory_type: u8| matches!(memory_type, 0 | 1 | 4..=6);
        let has_type = is_known(value as u8);
        let reserved = match index {
            number::CAP => return Err("IA32_MTRRCAP cannot be written"),
            number::DEF_TYPE => !(0xff | ENABLES),
            number::PHYSBASE0..=number::PHYSMASK7 if index.is_multiple_of(2) => !(0xff | ADDRESS),
            number::PHYSBASE0..=number::PHYSMASK7 => !(VALID | ADDRESS),
            _ => 0,
        };
        if value & reserved != 0 {
            return Err("a reserved bit of an MTRR was written");
        }
        let unknown = Err("there is no such memory type");
        match index {
            number::DEF_TYPE if !has_type => return unknown,
            number::DEF_TYPE => self.default_type = value,
            number::PHYSBASE0..=number::PHYSMASK7 => {
                let which = (index - number::PHYSBASE0) as usize;
                if which.is_multiple_of(2) && !has_type {
                    return unknown;
                }
                self.variable[which / 2][which % 2] = value;
            }
            _ if !value.to_le_bytes().into_iter().all(is_known) => return unknown,
            _ => {
                let slots = number::FIXED.iter().zip(&mut self.fixed);
                slots.filter(|(number, _)| **number == index).for_each(|(_, slot)| *slot = value);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: each is kept for itself, and refuses what processors refuse; method: write all of them, then bad values.
    #[test]
    fn kept_and_checked() {
        let mut mtrrs = Mtrrs::default();
        let all = || (number::PHYSBASE0..=number::PHYSMASK7).chain(number::FIXED).chain([number::DEF_TYPE]);
        let value = |index: u32| match index {
            number::DEF_TYPE => 0xc06,
            number::PHYSBASE0..=number::PHYSMASK7 => {
                u64::from(index) << 12 | if index.is_multiple_of(2) { 4 } else { VALID }
            }
            _ => 0x0605_0401_0000_0000 | u64::from(index % 2),
        };
        for index in all() {
            mtrrs.write(index, value(index)).expect("it is a value");
        }
        for index in all() {
            assert_eq!(mtrrs.read(index), Some(value(index)), "{index:x}");
        }
        for (index, bad) in [
            (number::CAP, CAP),
            (number::DEF_TYPE, 2),
            (number::DEF_TYPE, 1 << 9),
            (number::PHYSBASE0, 0x1007),
            (number::PHYSBASE0, 0x100),
            (number::PHYSBASE0, 1 << MAXPHYADDR),
            (number::PHYSMASK7, 1),
            (0x250, 0x0300),
        ] {
            assert!(mtrrs.write(index, bad).is_err(), "{index:x} {bad:x}");
        }
        assert_eq!(mtrrs.read(number::DEF_TYPE), Some(0xc06));
        assert_eq!((mtrrs.read(0x210), mtrrs.read(0x251)), (None, None));
    }

    /// Goal: what firmware leaves is what it may write; method: write it.
    #[test]
    fn firmware_writes_nothing_reserved() {
        let firmware = Mtrrs::as_firmware_leaves_them();
        let mut mtrrs = Mtrrs::default();
        for index in (number::PHYSBASE0..=number::PHYSMASK7).chain(number::FIXED).chain([number::DEF_TYPE]) {
            mtrrs.write(index, firmware.read(index).expect("there is one")).expect("it is a value");
        }
        assert_eq!(mtrrs, firmware);
    }
}
