//! The first IDE channel with up to two disks, by programmed I/O (ATA/ATAPI-4): IDENTIFY DEVICE, READ and WRITE SECTOR(S) and
//! MULTIPLE by LBA28 or cylinder, head and sector. ISA line 14. Disks are infinitely fast: BSY is never seen.

use super::irq::Irq;
use crate::bus::Outbox;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Bytes of a sector.
pub const SECTOR_BYTES: usize = 512;
/// First port of the command block.
pub const COMMAND_BLOCK: u16 = 0x1f0;
/// Alternate status and device control.
pub const CONTROL: u16 = 0x3f6;
/// The ISA line.
const IRQ_LINE: u8 = 14;
/// Geometry that the disks tell: heads and sectors of a track.
const HEADS: u32 = 16;
const SECTORS: u32 = 63;

/// Status: error, data request, seek complete, ready.
const ERR: u8 = 1 << 0;
const DRQ: u8 = 1 << 3;
const DSC: u8 = 1 << 4;
const DRDY: u8 = 1 << 6;
/// Error: command aborted; sector not found.
const ABRT: u8 = 1 << 2;
const IDNF: u8 = 1 << 4;
/// Device control: no interrupts; software reset.
const NIEN: u8 = 1 << 1;
const SRST: u8 = 1 << 2;

/// A disk: the image as it was, and the sectors written since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    image: Arc<[u8]>,
    written: Arc<BTreeMap<u32, [u8; SECTOR_BYTES]>>,
}

impl Disk {
    /// A disk with these contents; the last sector is filled up with zeros.
    pub fn new(image: Arc<[u8]>) -> Self {
        Self { image, written: Arc::default() }
    }

    fn sectors(&self) -> u32 {
        self.image.len().div_ceil(SECTOR_BYTES).min((1 << 28) - 1) as u32
    }

    /// A sector, zeros beyond the end.
    pub fn sector(&self, lba: u32) -> [u8; SECTOR_BYTES] {
        if let Some(sector) = self.written.get(&lba) {
            return *sector;
        }
        let mut sector = [0; SECTOR_BYTES];
        let start = (lba as usize * SECTOR_BYTES).min(self.image.len());
        let from = &self.image[start..(start + SECTOR_BYTES).min(self.image.len())];
        sector[..from.len()].copy_from_slice(from);
        sector
    }

    /// The words of IDENTIFY DEVICE.
    fn identity(&self) -> [u8; SECTOR_BYTES] {
        let mut bytes = [0; SECTOR_BYTES];
        let mut put = |word: usize, value: u16| bytes[2 * word..2 * word + 2].copy_from_slice(&value.to_le_bytes());
        let sectors = self.sectors();
        let cylinders = (sectors / (HEADS * SECTORS)).clamp(1, 16_383) as u16;
        // Fixed disk; geometry, as default and as current; valid words 54 to 58.
        put(0, 0x0040);
        for first in [1, 54] {
            put(first, cylinders);
        }
        for (heads, sectors) in [(3, 6), (55, 56)] {
            put(heads, HEADS as u16);
            put(sectors, SECTORS as u16);
        }
        put(47, 0x8000 | 16);
        // LBA.
        put(49, 1 << 9);
        put(53, 1);
        for (word, value) in [(57, sectors), (60, sectors)] {
            put(word, value as u16);
            put(word + 1, (value >> 16) as u16);
        }
        put(80, 0x1e);
        for (first, text) in
            [(10, "0                   "), (23, "1.0     "), (27, "Firstlight disk                         ")]
        {
            for (word, pair) in text.as_bytes().chunks(2).enumerate() {
                // Text has its bytes swapped in each word.
                put(first + word, u16::from_be_bytes([pair[0], pair[1]]));
            }
        }
        bytes
    }
}

/// The channel's registers, its disks, and the sector under way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ide {
    disks: [Option<Disk>; 2],
    features: u8,
    count: u8,
    lba: [u8; 3],
    device: u8,
    status: u8,
    error: u8,
    control: u8,
    multiple: u8,
    /// Bytes under way, how far they are, and what they are: Some(lba): sectors written from there on.
    buffer: Vec<u8>,
    at: usize,
    writes: Option<u32>,
    /// Sectors that follow those in the buffer.
    left: u32,
    command: u8,
}

impl Ide {
    /// A channel with these disks.
    pub fn new(disks: [Option<Disk>; 2]) -> Self {
        let status = if disks[0].is_some() { DRDY | DSC } else { 0 };
        Self { disks, status, multiple: 1, ..Self::default() }
    }

    fn selected(&self) -> usize {
        usize::from(self.device >> 4 & 1)
    }

    /// IN of `bytes` from the command block (0 to 7), or alternate status (8).
    pub fn read(&mut self, register: u16, bytes: u8, irq: &mut Irq, out: &mut Outbox) -> u32 {
        if self.disks[0].is_none() && self.disks[1].is_none() {
            // Nothing on the cable pulls the lines up.
            return u32::MAX >> (32 - 8 * u32::from(bytes));
        }
        let is_there = self.disks[self.selected()].is_some();
        let value = match register {
            0 => return self.read_data(bytes, irq, out),
            1 => self.error,
            2 => self.count,
            3..=5 => self.lba[usize::from(register - 3)],
            6 => self.device | 0xa0,
            _ if !is_there => 0,
            7 => {
                irq.set_line(IRQ_LINE, false, out);
                self.status
            }
            _ => self.status,
        };
        value.into()
    }

    /// OUT of `bytes` to the command block (0 to 7), or device control (8).
    pub fn write(&mut self, register: u16, value: u32, bytes: u8, irq: &mut Irq, out: &mut Outbox) {
        let byte = value as u8;
        match register {
            0 => self.write_data(value, bytes, irq, out),
            1 => self.features = byte,
            2 => self.count = byte,
            3..=5 => self.lba[usize::from(register - 3)] = byte,
            6 => self.device = byte,
            7 => self.execute(byte, irq, out),
            _ => {
                if byte & SRST != 0 && self.control & SRST == 0 {
                    *self = Self { disks: std::mem::take(&mut self.disks), multiple: 1, ..Self::default() };
                    (self.status, self.error, self.count, self.lba[0]) = (DRDY | DSC, 1, 1, 1);
                }
                self.control = byte;
            }
        }
    }

    fn execute(&mut self, command: u8, irq: &mut Irq, out: &mut Outbox) {
        if self.disks[self.selected()].is_none() {
            return;
        }
        irq.set_line(IRQ_LINE, false, out);
        (self.command, self.error, self.status) = (command, 0, DRDY | DSC);
        (self.buffer, self.at, self.writes, self.left) = (Vec::new(), 0, None, 0);
        match command {
            0xec => {
                let disk = self.disks[self.selected()].as_ref();
                self.buffer = disk.map(|disk| disk.identity().to_vec()).unwrap_or_default();
                self.status |= DRQ;
            }
            0x20 | 0x21 | 0xc4 => {
                self.left = self.sectors_asked();
                self.fill();
            }
            0x30 | 0x31 | 0xc5 => {
                self.left = self.sectors_asked();
                // The first block of data is asked for without an interrupt.
                return self.make_room();
            }
            0xc6 if (1..=16).contains(&self.count) => self.multiple = self.count,
            // Recalibrate, read verify, initialize parameters, features, flush, idle: there is nothing to do.
            0x10..=0x1f | 0x40 | 0x41 | 0x70..=0x7f | 0x91 | 0xef | 0xe7 | 0xe0..=0xe3 => {}
            0x90 => self.error = 1,
            _ => self.fail(ABRT),
        }
        self.interrupt(irq, out);
    }

    fn sectors_asked(&self) -> u32 {
        if self.count == 0 { 256 } else { self.count.into() }
    }

    /// Sectors between two interrupts.
    fn block(&self) -> u32 {
        if matches!(self.command, 0xc4 | 0xc5) { self.multiple.into() } else { 1 }
    }

    fn fail(&mut self, error: u8) {
        (self.error, self.left) = (error, 0);
        self.status = DRDY | DSC | ERR;
        self.buffer.clear();
    }

    /// Where the next sector is: LBA28, or by cylinder, head and sector.
    fn position(&self) -> Option<u32> {
        let [low, middle, high] = self.lba.map(u32::from);
        let head = u32::from(self.device & 0xf);
        if self.device & 1 << 6 != 0 {
            return Some(low | middle << 8 | high << 16 | head << 24);
        }
        let track = (middle | high << 8) * HEADS + head;
        Some(track * SECTORS + low.checked_sub(1)?)
    }

    fn advance(&mut self, lba: u32) {
        let next = lba + 1;
        let (low, head) = if self.device & 1 << 6 != 0 {
            (next & 0xff_ffff, next >> 24)
        } else {
            let track = next / SECTORS;
            ((next % SECTORS + 1) | (track / HEADS) << 8, track % HEADS)
        };
        self.lba = [low as u8, (low >> 8) as u8, (low >> 16) as u8];
        self.device = self.device & 0xf0 | head as u8 & 0xf;
    }

    /// Puts the next sectors into the buffer.
    fn fill(&mut self) {
        (self.buffer, self.at) = (Vec::new(), 0);
        for _ in 0..self.block().min(self.left) {
            let disk = self.disks[self.selected()].as_ref();
            let found = disk.zip(self.position()).filter(|(disk, lba)| *lba < disk.sectors());
            let Some((sector, lba)) = found.map(|(disk, lba)| (disk.sector(lba), lba)) else { return self.fail(IDNF) };
            self.buffer.extend_from_slice(&sector);
            self.advance(lba);
            self.left -= 1;
        }
        self.status |= DRQ;
    }

    /// Waits for the next sectors.
    fn make_room(&mut self) {
        let sectors = self.block().min(self.left);
        let size = self.disks[self.selected()].as_ref().map_or(0, Disk::sectors);
        match self.position().filter(|lba| lba.checked_add(sectors).is_some_and(|end| end <= size)) {
            Some(lba) => {
                (self.buffer, self.at) = (vec![0; sectors as usize * SECTOR_BYTES], 0);
                self.writes = Some(lba);
                self.left -= sectors;
                self.status |= DRQ;
            }
            None => self.fail(IDNF),
        }
    }

    fn read_data(&mut self, bytes: u8, irq: &mut Irq, out: &mut Outbox) -> u32 {
        if self.status & DRQ == 0 || self.writes.is_some() {
            return 0;
        }
        let mut word = [0; 4];
        for byte in &mut word[..usize::from(bytes.min(4))] {
            *byte = self.buffer.get(self.at).copied().unwrap_or(0);
            self.at += 1;
        }
        if self.at >= self.buffer.len() {
            self.status &= !DRQ;
            if self.left != 0 {
                self.fill();
                self.interrupt(irq, out);
            }
        }
        u32::from_le_bytes(word)
    }

    fn write_data(&mut self, value: u32, bytes: u8, irq: &mut Irq, out: &mut Outbox) {
        let Some(lba) = self.writes.filter(|_| self.status & DRQ != 0) else { return };
        for byte in &value.to_le_bytes()[..usize::from(bytes.min(4))] {
            if let Some(target) = self.buffer.get_mut(self.at) {
                *target = *byte;
            }
            self.at += 1;
        }
        if self.at < self.buffer.len() {
            return;
        }
        self.status &= !DRQ;
        let (buffer, selected) = (std::mem::take(&mut self.buffer), self.selected());
        for (lba, sector) in (lba..).zip(buffer.as_chunks::<SECTOR_BYTES>().0) {
            if let Some(disk) = &mut self.disks[selected] {
                Arc::make_mut(&mut disk.written).insert(lba, *sector);
            }
            self.advance(lba);
        }
        if self.left == 0 {
            self.writes = None;
        } else {
            self.make_room();
        }
        self.interrupt(irq, out);
    }

    fn interrupt(&mut self, irq: &mut Irq, out: &mut Outbox) {
        irq.set_line(IRQ_LINE, self.control & NIEN == 0, out);
    }

    /// Registers and what was written, in a fixed order, for the state hash. (The images are what the machine was made of.)
    pub fn state(&self, mut put: impl FnMut(u64)) {
        let [low, middle, high] = self.lba;
        put(u64::from_le_bytes([self.features, self.count, low, middle, high, self.device, self.status, self.error]));
        put(u64::from_le_bytes([self.control, self.multiple, self.command, 0, 0, 0, 0, 0]));
        put(self.at as u64 | (self.buffer.len() as u64) << 32);
        put(u64::from(self.left) | self.writes.map_or(u64::MAX << 32, |lba| u64::from(lba) << 32));
        self.buffer.iter().for_each(|&byte| put(byte.into()));
        for disk in &self.disks {
            put(disk.as_ref().map_or(u64::MAX, |disk| disk.written.len() as u64));
            for (lba, sector) in disk.iter().flat_map(|disk| disk.written.iter()) {
                put((*lba).into());
                sector.as_chunks::<8>().0.iter().for_each(|word| put(u64::from_le_bytes(*word)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Lab(Ide, Irq, Outbox);

    impl Lab {
        fn new(sectors: usize) -> Self {
            let image: Vec<u8> = (0..sectors * SECTOR_BYTES).map(|at| (at / SECTOR_BYTES) as u8).collect();
            let mut irq = Irq::default();
            irq.pic.initialize(0, 0);
            Self(Ide::new([Some(Disk::new(image.into())), None]), irq, Outbox::default())
        }

        fn out(&mut self, register: u16, value: u8) {
            self.0.write(register, value.into(), 1, &mut self.1, &mut self.2);
        }

        fn input(&mut self, register: u16) -> u8 {
            self.0.read(register, 1, &mut self.1, &mut self.2) as u8
        }

        fn command(&mut self, command: u8, lba: u8, count: u8) {
            for (register, value) in [(2, count), (3, lba), (4, 0), (5, 0), (6, 0xe0), (7, command)] {
                self.out(register, value);
            }
        }
    }

    /// Goal: sectors come one by one, each with its interrupt, and the end is an error; method: two at the end of three.
    #[test]
    fn reads() {
        let mut lab = Lab::new(3);
        lab.command(0x20, 1, 3);
        for sector in 1..=2 {
            assert_eq!(lab.1.pic.request(), Some(0x76));
            assert_eq!(lab.input(7), DRDY | DSC | DRQ);
            assert_eq!(lab.1.pic.request(), None);
            let words: Vec<u32> = (0..128).map(|_| lab.0.read(0, 4, &mut lab.1, &mut lab.2)).collect();
            assert_eq!(words, [sector * 0x0101_0101; 128]);
        }
        assert_eq!((lab.input(7) & ERR, lab.input(1)), (ERR, IDNF));
    }

    /// Goal: what is written is read, and a clone taken before is not touched; method: write sector 2, read both.
    #[test]
    fn writes() {
        let mut lab = Lab::new(3);
        let before = lab.0.clone();
        lab.command(0x30, 2, 1);
        for word in 0..256u32 {
            lab.0.write(0, word, 2, &mut lab.1, &mut lab.2);
        }
        assert_eq!(lab.input(7), DRDY | DSC);
        let read = |ide: &Ide| ide.disks[0].as_ref().unwrap().sector(2)[..4].to_vec();
        assert_eq!((read(&lab.0), read(&before)), (vec![0, 0, 1, 0], vec![2; 4]));
    }

    /// Goal: who looks for a second disk finds none, and the first tells its size; method: status, IDENTIFY DEVICE.
    #[test]
    fn identity() {
        let mut lab = Lab::new(2000);
        lab.out(6, 0xf0);
        assert_eq!(lab.input(7), 0);
        lab.command(0xec, 0, 0);
        let words: Vec<u32> = (0..256).map(|_| lab.0.read(0, 2, &mut lab.1, &mut lab.2)).collect();
        assert_eq!((words[60], words[61], words[49] & 0x200), (2000, 0, 0x200));
    }
}
