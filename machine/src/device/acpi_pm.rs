//! ACPI's fixed hardware as in Intel's PIIX4: event and control registers, the power management timer (ACPI 6.5, "ACPI
//! Hardware Specification"; Intel 82371AB data sheet). Ports from [`BASE`]; writing SLP_EN with S5's type powers off.

/// First port.
pub const BASE: u16 = 0x600;
/// Port of the control register.
pub const CONTROL: u16 = BASE + 4;
/// Port of the timer.
pub const TIMER: u16 = BASE + 8;
/// Sleep type of S5, as the DSDT has it.
pub const S5_TYPE: u8 = 0;
/// Ticks of the timer a second.
const FREQUENCY_HZ: u64 = 3_579_545;
/// Control: enter the sleeping state.
const SLP_EN: u16 = 1 << 13;
/// Control: ACPI mode; set from the start.
const SCI_EN: u16 = 1 << 0;

/// Its registers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AcpiPm {
    enable: u16,
    control: u16,
}

impl AcpiPm {
    /// IN of one byte from [`BASE`] to `BASE` + 11. The timer has 24 bits.
    pub fn read(&self, port: u16, now_ns: u64) -> u8 {
        let byte = |word: u32, offset: u16| (word >> (8 * offset)) as u8;
        match port - BASE {
            offset @ 2..=3 => byte(self.enable.into(), offset - 2),
            offset @ 4..=5 => byte((self.control | SCI_EN).into(), offset - 4),
            offset @ 8..=10 => byte(ticks(now_ns), offset - 8),
            _ => 0,
        }
    }

    /// OUT of one byte to the same. True: the machine powers off.
    pub fn write(&mut self, port: u16, value: u8) -> bool {
        let put =
            |word: &mut u16, offset: u16| *word = *word & !(0xff << (8 * offset)) | u16::from(value) << (8 * offset);
        match port - BASE {
            offset @ 2..=3 => put(&mut self.enable, offset - 2),
            offset @ 4..=5 => {
                put(&mut self.control, offset - 4);
                let asked = self.control & SLP_EN != 0;
                self.control &= !SLP_EN;
                return asked && self.control >> 10 & 7 == u16::from(S5_TYPE);
            }
            _ => {}
        }
        false
    }

    /// Registers for the state hash.
    pub fn state(&self) -> u64 {
        u64::from(self.enable) | u64::from(self.control) << 16
    }
}

fn ticks(now_ns: u64) -> u32 {
    (u128::from(now_ns) * u128::from(FREQUENCY_HZ) / 1_000_000_000) as u32 & 0xff_ffff
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: the timer counts at its frequency, and only S5 powers off; method: a second, S1 and S5.
    #[test]
    fn timer_and_power_off() {
        let mut pm = AcpiPm::default();
        let timer = |now_ns| (0..4).fold(0, |word, byte| word | u32::from(pm.read(TIMER + byte, now_ns)) << (8 * byte));
        assert_eq!((timer(1_000_000_000), timer(5_000_000_000)), (3_579_545, (5 * 3_579_545) & 0xff_ffff));
        assert!(!pm.write(CONTROL, 0) && !pm.write(CONTROL + 1, 0x24), "S1");
        assert!(pm.write(CONTROL + 1, 0x20), "S5");
    }
}
