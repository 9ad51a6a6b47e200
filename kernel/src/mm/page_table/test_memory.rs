//! Page tables in a vector, for tests.

extern crate std;
use super::{Level, TableMemory};
use std::{vec, vec::Vec};
use x86_64::PhysAddr;

/// Tables in a vector; table n lies at physical (n + 1) * 4096. At most `limit` can be made.
pub(crate) struct TestMemory {
    /// The tables.
    pub(crate) tables: Vec<[u64; 512]>,
    limit: usize,
    levels: Level,
}

impl TableMemory for TestMemory {
    fn read_entry(&self, table: PhysAddr, index: usize) -> u64 {
        self.tables[(table.as_u64() / 4096) as usize - 1][index]
    }
    fn write_entry(&mut self, table: PhysAddr, index: usize, entry: u64) {
        self.tables[(table.as_u64() / 4096) as usize - 1][index] = entry;
    }
    fn allocate_table(&mut self) -> Option<PhysAddr> {
        (self.tables.len() < self.limit).then(|| {
            self.tables.push([0; 512]);
            PhysAddr::new(self.tables.len() as u64 * 4096)
        })
    }
    fn levels(&self) -> Level {
        self.levels
    }
}

/// A memory with room for `limit` tables of four levels, and the first of them.
pub(crate) fn new_root(limit: usize) -> (TestMemory, PhysAddr) {
    new_root_of(4, limit)
}

/// The same for tables of so many levels.
pub(crate) fn new_root_of(levels: Level, limit: usize) -> (TestMemory, PhysAddr) {
    let mut memory = TestMemory { tables: vec![], limit, levels };
    let root = memory.allocate_table().expect("the first table");
    (memory, root)
}
