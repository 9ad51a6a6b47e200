//! Where things lie in a PC's memory: nothing over anything else, nothing where there is no RAM.

use super::super::boot::BootError;
use super::super::memory_map::{HIGH_MEMORY, LOW_MEMORY_END};
use crate::bus::ram::Ram;
use std::ops::Range;

/// Below this are interrupt vectors and BIOS data.
const LOWEST: u64 = 0x500;
/// Where the boot loader's own data goes first, as QEMU has it.
const LOADER_DATA: u64 = 0x9000;
const PAGE: u64 = 0x1000;

/// Ranges that are taken, in the order they were.
#[derive(Debug)]
pub struct Placed {
    memory_bytes: u64,
    taken: Vec<Range<u64>>,
}

impl Placed {
    /// Nothing is taken yet.
    pub fn new(memory_bytes: u64) -> Self {
        Self { memory_bytes, taken: Vec::new() }
    }

    /// Takes `bytes` of memory at a physical address and puts what the file has for it there. The rest is zero.
    ///
    /// # Errors
    /// In words: there is no RAM, or something else lies there.
    pub fn put(&mut self, what: &str, paddr: u64, file: &[u8], bytes: u64, ram: &mut Ram) -> Result<(), BootError> {
        let bad = |why: String| Err(BootError::Image(format!("{what} wants {bytes:#x} bytes at {paddr:#x}: {why}")));
        if bytes == 0 {
            return Ok(());
        }
        let Some(end) = paddr.checked_add(bytes).filter(|&end| end <= self.memory_bytes) else {
            return bad(format!(
                "there are only {} MiB of memory; --memory gives more, up to 3G",
                self.memory_bytes >> 20
            ));
        };
        if paddr < LOWEST {
            return bad("interrupt vectors and BIOS data lie there".into());
        }
        if paddr < HIGH_MEMORY && end > LOW_MEMORY_END {
            return bad("between 639 KiB and 1 MiB are firmware and display".into());
        }
        if let Some(other) = self.taken.iter().find(|other| paddr < other.end && other.start < end) {
            return bad(format!("{:#x} to {:#x} is taken by another part", other.start, other.end));
        }
        self.taken.push(paddr..end);
        let written = ram.write_slice(paddr, file);
        assert!(written, "it lies in RAM");
        Ok(())
    }

    /// The first page above 1 MiB behind all that is there.
    pub fn high_end(&self) -> u64 {
        let end = self.taken.iter().map(|range| range.end).max().unwrap_or(0);
        end.max(HIGH_MEMORY).next_multiple_of(PAGE)
    }

    /// A place for so many bytes of the boot loader's own: below 1 MiB where it is free, else behind all.
    pub fn loader_data(&self, bytes: u64) -> u64 {
        let free = |&at: &u64| self.taken.iter().all(|other| at >= other.end || other.start >= at + bytes);
        let low = (LOADER_DATA..LOW_MEMORY_END.saturating_sub(bytes)).step_by(PAGE as usize).find(free);
        low.unwrap_or_else(|| self.high_end())
    }

    /// Something that was put holds this address.
    pub fn holds(&self, paddr: u64) -> bool {
        self.taken.iter().any(|range| range.contains(&paddr))
    }
}
