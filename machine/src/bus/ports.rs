//! The port map: which device answers at which port (IN and OUT).
//!
//! Called by [`crate::execute`]'s `port_io`. Ports nobody answers read as all ones. Most devices are eight bits wide, and a
//! wider access is one of each byte; the exceptions come first.

use super::{Bus, Outbox};
use crate::device::{Devices, acpi_pm, fw_cfg, ide};
use protocol::CpuId;

/// Debug exit: a byte v written here ends the run with status (v << 1) | 1.
pub const DEBUG_EXIT: u16 = 0xf4;
/// Debug console: bytes written here go where the serial port's go; reads tell that it is there.
pub const DEBUG_CONSOLE: u16 = 0xe9;
/// A CPU says that it is online (1) or offline (0), with one byte. Nothing answers here on a PC; on a machine with QEMU's
/// pc-testdev, four bytes ask to remap a page, which is nothing that could be seen.
pub const ONLINE: u16 = 0xe4;
/// Reset control register of PC chipsets.
pub const RESET_CONTROL: u16 = 0xcf9;
/// PCI configuration: address, and data in the four ports from [`PCI_DATA`].
pub const PCI_ADDRESS: u16 = 0xcf8;
/// See [`PCI_ADDRESS`]. There is nothing on the bus: all registers read as all ones.
pub const PCI_DATA: u16 = 0xcfc;
/// QEMU's pc-testdev: a byte written to port 2000h + n sets interrupt line n.
const TEST_LINES: u16 = 0x2000;
/// Lines of it.
const TEST_LINE_COUNT: u16 = 24;

impl Bus {
    /// IN of 1, 2 or 4 bytes.
    pub fn port_read(&mut self, port: u16, bytes: u8) -> u32 {
        let Devices { ide, irq, pci_address, .. } = &mut self.devices;
        match (port, bytes) {
            (ide::COMMAND_BLOCK, _) => return ide.read(0, bytes, irq, &mut self.out),
            (PCI_ADDRESS, 4) => return *pci_address,
            _ => {}
        }
        let mut value = 0;
        for index in 0..u16::from(bytes) {
            value |= u32::from(self.port_read_byte(port.wrapping_add(index))) << (8 * index);
        }
        value
    }

    /// OUT of 1, 2 or 4 bytes.
    pub fn port_write(&mut self, cpu: CpuId, port: u16, value: u32, bytes: u8) {
        let Devices { ide, irq, pci_address, fw_cfg, .. } = &mut self.devices;
        match (port, bytes) {
            (ide::COMMAND_BLOCK, _) => return ide.write(0, value, bytes, irq, &mut self.out),
            (PCI_ADDRESS, 4) => return *pci_address = value,
            (fw_cfg::SELECTOR, 2) => return fw_cfg.select(value as u16),
            (ONLINE, 4) => return,
            _ => {}
        }
        for index in 0..u16::from(bytes) {
            self.port_write_byte(cpu, port.wrapping_add(index), (value >> (8 * index)) as u8);
        }
    }

    fn port_read_byte(&mut self, port: u16) -> u8 {
        let (devices, out, now_ns) = (&mut self.devices, &mut self.out, self.clock_ns);
        match port {
            0x20 | 0x21 | 0xa0 | 0xa1 | 0x4d0 | 0x4d1 => {
                out.lines_changed = true;
                devices.irq.pic.read(port)
            }
            0x40..=0x43 | 0x61 => devices.pit.read(port, now_ns),
            0x60 | 0x64 => devices.i8042.read(port, &mut devices.irq, out),
            0x70 | 0x71 => devices.cmos.read(port, now_ns, &mut devices.irq, out),
            0x80 => devices.post_code,
            0x92 => devices.i8042.read_port92(),
            0xe0..=0xe3 | 0xe8 | 0xea | 0xeb => devices.test_bytes[usize::from(port & 3)],
            DEBUG_CONSOLE => DEBUG_CONSOLE as u8,
            0x1f1..=0x1f7 => devices.ide.read(port - ide::COMMAND_BLOCK, 1, &mut devices.irq, out) as u8,
            ide::CONTROL => devices.ide.read(8, 1, &mut devices.irq, out) as u8,
            0x3c0..=0x3df => devices.vga.read(port),
            0x3f8..=0x3ff => devices.uart.read(port - 0x3f8, &mut devices.irq, out),
            0x511 => devices.fw_cfg.read(),
            acpi_pm::BASE..=0x60b => devices.acpi_pm.read(port, now_ns),
            RESET_CONTROL => devices.reset_control,
            _ => 0xff,
        }
    }

    fn port_write_byte(&mut self, cpu: CpuId, port: u16, value: u8) {
        let (devices, out, now_ns) = (&mut self.devices, &mut self.out, self.clock_ns);
        match port {
            0x20 | 0x21 | 0xa0 | 0xa1 | 0x4d0 | 0x4d1 => {
                devices.irq.pic.write(port, value);
                out.lines_changed = true;
            }
            0x40..=0x43 | 0x61 => {
                devices.pit.write(port, value, now_ns);
                out.timers_changed = true;
            }
            0x60 | 0x64 => {
                let pulled = devices.i8042.write(port, value, &mut devices.irq, out);
                let by =
                    ["the keyboard controller (its output port)", "the keyboard controller (port 64h, command FEh)"];
                out.reset = out.reset.or(pulled.then_some(by[usize::from(port == 0x64)]));
            }
            0x70 | 0x71 => devices.cmos.write(port, value, now_ns, &mut devices.irq, out),
            0x80 => devices.post_code = value,
            0x92 => {
                let pulled = devices.i8042.write_port92(value);
                out.reset = out.reset.or(pulled.then_some("port 92h"));
            }
            0xe0..=0xe3 | 0xe8 | 0xea | 0xeb => devices.test_bytes[usize::from(port & 3)] = value,
            DEBUG_CONSOLE => out.console.push(value),
            0x1f1..=0x1f7 => {
                devices.ide.write(port - ide::COMMAND_BLOCK, value.into(), 1, &mut devices.irq, out);
            }
            ide::CONTROL => devices.ide.write(8, value.into(), 1, &mut devices.irq, out),
            0x3c0..=0x3df => devices.vga.write(port, value),
            0x3f8..=0x3ff => devices.uart.write(port - 0x3f8, value, &mut devices.irq, out),
            acpi_pm::BASE..=0x60b => out.power_off |= devices.acpi_pm.write(port, value),
            TEST_LINES.. if port - TEST_LINES < TEST_LINE_COUNT => {
                set_test_line(devices, (port - TEST_LINES) as u8, value != 0, out);
            }
            ONLINE => out.online.push((cpu, value != 0)),
            DEBUG_EXIT => out.exit = Some(value),
            RESET_CONTROL => {
                // Bit 2 going from 0 to 1 resets (Intel ICH data sheets, "Reset Control Register").
                if value & !devices.reset_control & 1 << 2 != 0 {
                    out.reset = Some("port CF9h");
                }
                devices.reset_control = value;
            }
            _ => {}
        }
    }
}

/// The first 16 are ISA's, the rest are pins of the I/O APIC alone.
fn set_test_line(devices: &mut Devices, line: u8, high: bool, out: &mut Outbox) {
    if line < 16 {
        devices.irq.set_line(line, high, out);
    } else {
        devices.irq.ioapic.set_line(line, high, out);
    }
}
