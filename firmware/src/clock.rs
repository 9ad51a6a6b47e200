//! The real-time clock of a PC: what its registers mean (Motorola MC146818A data sheet; ACPI for the century).

use uefi_raw::time::{Daylight, Time};

/// Indices of registers.
pub mod register {
    /// Seconds.
    pub const SECONDS: u8 = 0x00;
    /// Minutes.
    pub const MINUTES: u8 = 0x02;
    /// Hours; bit 7 is PM where hours are counted to 12.
    pub const HOURS: u8 = 0x04;
    /// Day of the month.
    pub const DAY: u8 = 0x07;
    /// Month.
    pub const MONTH: u8 = 0x08;
    /// Year, two digits.
    pub const YEAR: u8 = 0x09;
    /// Status A; bit 7: an update is going on.
    pub const STATUS_A: u8 = 0x0a;
    /// Status B; bit 1: hours to 24, bit 2: numbers are binary.
    pub const STATUS_B: u8 = 0x0b;
    /// Century, two digits.
    pub const CENTURY: u8 = 0x32;
}

/// The time that the registers tell; None if that is none, which a clock without a battery may say.
pub fn time(read: impl Fn(u8) -> u8) -> Option<Time> {
    const PM: u8 = 1 << 7;
    let status = read(register::STATUS_B);
    let (to_24, binary) = (status & 1 << 1 != 0, status & 1 << 2 != 0);
    let number = |raw: u8| if binary { raw } else { (raw >> 4).wrapping_mul(10).wrapping_add(raw & 0xf) };
    let get = |register| number(read(register));
    let raw_hour = read(register::HOURS);
    let hour =
        if to_24 { number(raw_hour) } else { number(raw_hour & !PM) % 12 + if raw_hour & PM != 0 { 12 } else { 0 } };
    let time = Time {
        year: u16::from(get(register::CENTURY)) * 100 + u16::from(get(register::YEAR)),
        month: get(register::MONTH),
        day: get(register::DAY),
        hour,
        minute: get(register::MINUTES),
        second: get(register::SECONDS),
        pad1: 0,
        nanosecond: 0,
        time_zone: Time::UNSPECIFIED_TIMEZONE,
        daylight: Daylight::empty(),
        pad2: 0,
    };
    time.is_valid().then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: both ways of counting are understood, and nonsense is none. Method: the same time in BCD to 12 and binary to 24.
    #[test]
    fn registers() {
        let clock = |status: u8, values: [u8; 7]| {
            time(move |register| match register {
                register::CENTURY => values[0],
                register::YEAR => values[1],
                register::MONTH => values[2],
                register::DAY => values[3],
                register::HOURS => values[4],
                register::MINUTES => values[5],
                register::SECONDS => values[6],
                register::STATUS_B => status,
                _ => 0,
            })
        };
        let seen = |time: Option<Time>| time.map(|t| (t.year, t.month, t.day, t.hour, t.minute, t.second));
        let expected = Some((2026, 11, 26, 13, 24, 59));
        assert_eq!(seen(clock(0x06, [20, 26, 11, 26, 13, 24, 59])), expected);
        assert_eq!(seen(clock(0x00, [0x20, 0x26, 0x11, 0x26, 0x81, 0x24, 0x59])), expected);
        assert_eq!(seen(clock(0x00, [0x20, 0x26, 0x11, 0x26, 0x12, 0x24, 0x59])), Some((2026, 11, 26, 0, 24, 59)));
        assert_eq!(seen(clock(0x06, [0; 7])), None);
    }
}
