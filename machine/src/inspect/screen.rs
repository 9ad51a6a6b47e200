//! What a monitor would show: the VGA's text memory, from where the CRT controller begins.

use super::memory::read;
use crate::machine::Machine;
use protocol::PhysAddr;
use protocol::request::Place;
use protocol::screen::TextScreen;

/// Text memory: 32 KiB of character and colour pairs.
const TEXT: u64 = 0xb_8000;
const PAIRS: u16 = 0x4000;
/// Mode 3, which firmware leaves.
const COLUMNS: u16 = 80;
const ROWS: u16 = 25;

/// The screen in text mode; whatever mode was programmed, no other is shown.
pub fn screen(machine: &Machine) -> TextScreen {
    let vga = &machine.bus().devices.vga;
    let (bytes, _) = read(machine, Place::Phys(PhysAddr(TEXT)), usize::from(PAIRS) * 2);
    let pair = |at: u16| {
        let at = 2 * usize::from(at % PAIRS);
        bytes.get(at..at + 2).map_or(0, |pair| u16::from_le_bytes([pair[0], pair[1]]))
    };
    let first = vga.first_character();
    let cells: Vec<u16> = (0..COLUMNS * ROWS).map(|cell| pair(first.wrapping_add(cell))).collect();
    let cursor = vga.cursor().map(|at| at.wrapping_sub(first)).filter(|at| *at < COLUMNS * ROWS);
    TextScreen { columns: COLUMNS, rows: ROWS, cells, cursor }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::Bus;
    use crate::cpu::Cpu;
    use crate::schedule::Schedule;
    use protocol::CpuId;

    /// Goal: what a program wrote stands on the screen, also after it scrolled by the start address. Method: two characters in
    /// RAM, the cursor behind them; then a start address one row further.
    #[test]
    fn text_and_cursor() {
        let mut bus = Bus::new(1 << 20);
        bus.ram.write_slice(TEXT + 160, &[b'O', 0x1f, b'K', 0x1f]);
        for (index, value) in [(0x0e, 0), (0x0f, 82)] {
            bus.devices.vga.write(0x3d4, index);
            bus.devices.vga.write(0x3d5, value);
        }
        let shown = screen(&Machine::new(vec![Cpu::power_on(CpuId(0), 0, true)], bus.clone(), Schedule::new(64, None)));
        assert_eq!((shown.line(0), shown.line(1), shown.cursor), (String::new(), "OK".to_owned(), Some(82)));
        assert_eq!(shown.cells[80], 0x1f4f);
        for (index, value) in [(0x0c, 0), (0x0d, 80)] {
            bus.devices.vga.write(0x3d4, index);
            bus.devices.vga.write(0x3d5, value);
        }
        let shown = screen(&Machine::new(vec![Cpu::power_on(CpuId(0), 0, true)], bus, Schedule::new(64, None)));
        assert_eq!((shown.line(0), shown.cursor), ("OK".to_owned(), Some(2)));
    }
}
