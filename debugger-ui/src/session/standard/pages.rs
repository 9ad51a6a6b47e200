//! Memory of a machine that is not ours, as far as it was read since it stopped.
//!
//! What decodes it ([`crate::session::hosted::decode`]) does no I/O: it reads here, what is not here yet is noted, the
//! session fetches that and has it decoded again. A page is fetched once a stop.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// Bytes of a page.
pub const PAGE: usize = 4096;

/// Pages by address; None: the server cannot read it.
#[derive(Debug, Default)]
pub struct Pages {
    known: BTreeMap<u64, Option<Vec<u8>>>,
    missing: RefCell<BTreeSet<u64>>,
}

impl Pages {
    /// Fills the buffer as far as there is memory; how many bytes. A page that is not known counts as none, and is noted.
    pub fn read(&self, address: u64, buffer: &mut [u8]) -> usize {
        let mut done = 0;
        while done < buffer.len() {
            let at = address.wrapping_add(done as u64);
            let page = at & !(PAGE as u64 - 1);
            let Some(known) = self.known.get(&page) else {
                self.missing.borrow_mut().insert(page);
                break;
            };
            let Some(bytes) = known.as_ref().and_then(|bytes| bytes.get((at - page) as usize..)) else { break };
            let here = bytes.len().min(buffer.len() - done);
            buffer[done..done + here].copy_from_slice(&bytes[..here]);
            done += here;
        }
        done
    }

    /// The pages that were wanted and are not known.
    pub fn take_missing(&self) -> BTreeSet<u64> {
        std::mem::take(&mut self.missing.borrow_mut())
    }

    /// Takes a page in.
    pub fn put(&mut self, page: u64, bytes: Option<Vec<u8>>) {
        self.known.insert(page, bytes);
    }

    /// The machine has moved: nothing is known any more.
    pub fn forget(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: what is missing is noted once and then read across pages; method: a read over two pages, one unreadable
    /// after it.
    #[test]
    fn missing_pages() {
        let mut pages = Pages::default();
        let mut buffer = [0; 4];
        assert_eq!(pages.read(0x1ffe, &mut buffer), 0);
        assert_eq!(pages.take_missing().into_iter().collect::<Vec<_>>(), [0x1000]);
        pages.put(0x1000, Some(vec![1; PAGE]));
        assert_eq!(pages.read(0x1ffe, &mut buffer), 2);
        assert_eq!(pages.take_missing().into_iter().collect::<Vec<_>>(), [0x2000]);
        pages.put(0x2000, Some(vec![2; PAGE]));
        assert_eq!((pages.read(0x1ffe, &mut buffer), buffer), (4, [1, 1, 2, 2]));
        pages.put(0x3000, None);
        assert_eq!(pages.read(0x2ffe, &mut buffer), 2);
        assert!(pages.take_missing().is_empty());
    }
}
