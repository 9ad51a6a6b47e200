//! The port map: which device answers at which port (IN and OUT).
//!
//! Called by [`crate::execute`]'s `port_io`. Ports nobody answers read as all ones.

use super::Bus;
use protocol::CpuId;

/// Debug exit: a byte v written here ends the run with status (v << 1) | 1.
pub const DEBUG_EXIT: u16 = 0xf4;
/// A CPU says that it is online (1) or offline (0). Nothing answers here on a PC.
pub const ONLINE: u16 = 0xe4;
/// Reset control register of PC chipsets.
pub const RESET_CONTROL: u16 = 0xcf9;

impl Bus {
    /// IN of 1, 2 or 4 bytes.
    pub fn port_read(&mut self, port: u16, bytes: u8) -> u32 {
        let mut value = 0;
        for index in 0..u16::from(bytes) {
            value |= u32::from(self.port_read_byte(port.wrapping_add(index))) << (8 * index);
        }
        value
    }

    /// OUT of 1, 2 or 4 bytes.
    pub fn port_write(&mut self, cpu: CpuId, port: u16, value: u32, bytes: u8) {
        for index in 0..u16::from(bytes) {
            self.port_write_byte(cpu, port.wrapping_add(index), (value >> (8 * index)) as u8);
        }
    }

    fn port_read_byte(&mut self, port: u16) -> u8 {
        let devices = &mut self.devices;
        match port {
            0x40..=0x43 | 0x61 => devices.pit.read(port, self.clock_ns),
            0x60 | 0x64 => devices.i8042.read(port),
            0x70 | 0x71 => devices.cmos.read(port),
            0x3f8..=0x3ff => devices.uart.read(port - 0x3f8, &mut devices.ioapic, &mut self.out),
            RESET_CONTROL => devices.reset_control,
            _ => 0xff,
        }
    }

    fn port_write_byte(&mut self, cpu: CpuId, port: u16, value: u8) {
        let devices = &mut self.devices;
        match port {
            0x40..=0x43 | 0x61 => devices.pit.write(port, value, self.clock_ns),
            0x60 | 0x64 if devices.i8042.write(port, value) => {
                self.out.reset = Some("the keyboard controller (port 64h, command FEh)");
            }
            0x70 | 0x71 => devices.cmos.write(port, value),
            0x3f8..=0x3ff => devices.uart.write(port - 0x3f8, value, &mut devices.ioapic, &mut self.out),
            ONLINE => self.out.online.push((cpu, value != 0)),
            DEBUG_EXIT => self.out.exit = Some(value),
            RESET_CONTROL => {
                // Bit 2 going from 0 to 1 resets (Intel ICH data sheets, "Reset Control Register").
                if value & !devices.reset_control & 1 << 2 != 0 {
                    self.out.reset = Some("port CF9h");
                }
                devices.reset_control = value;
            }
            _ => {}
        }
    }
}
