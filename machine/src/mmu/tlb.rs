//! The architectural TLB: what a CPU remembers of its page walks, and goes on using until it is told to forget.
//!
//! Of fixed size, replaced in the order of filling and never by hits, so that it is the same on every run; it is state:
//! hashed, in checkpoints, shown. [`Tlb::hints`] is derived: a guess of the entry for a page, checked before use.
//! Filled by [`super::access`], flushed by `control_reg`, INVLPG and INVPCID (SDM 3A, "Caching Translation Information").

use super::keys::Keys;
use super::walk::Page;
use protocol::LinearAddr;
use protocol::PhysAddr;
use protocol::page_table::{Rights, TlbEntry};

/// Entries of a TLB.
pub const TLB_ENTRIES: usize = 64;
/// Guesses, by the low bits of the page number.
const HINTS: usize = 256;

/// What an entry allows, and what kind it is.
pub mod right {
    /// Writes.
    pub const WRITE: u16 = 1 << 0;
    /// User-mode accesses.
    pub const USER: u16 = 1 << 1;
    /// Fetches.
    pub const EXECUTE: u16 = 1 << 2;
    /// The leaf's D bit is known to be set.
    pub const DIRTY: u16 = 1 << 3;
    /// The leaf's G bit, with CR4.PGE set when it was filled.
    pub const GLOBAL: u16 = 1 << 4;
    /// The page's protection key forbids all data accesses now.
    pub const KEY_NO_DATA: u16 = 1 << 5;
    /// It forbids writes of data, to user code and with CR0.WP.
    pub const KEY_NO_WRITE: u16 = 1 << 6;
    /// Lowest bit of the protection key itself.
    pub const KEY_SHIFT: u32 = 8;
}

/// A remembered translation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// First linear address of the page.
    linear: u64,
    /// First physical address.
    phys: u64,
    /// Bits that tell the page: all above its size.
    mask: u64,
    /// See [`right`].
    flags: u16,
    /// Process-context identifier at filling.
    pcid: u16,
}

impl Slot {
    /// An unused slot. It translates nothing: no page begins at an odd address.
    const BLANK: Self = Self { linear: 1, phys: 0, mask: !0xfff, flags: 0, pcid: 0 };

    #[inline]
    fn translates(&self, linear: u64, pcid: u16) -> bool {
        linear & self.mask == self.linear && (self.pcid == pcid || self.flags & right::GLOBAL != 0)
    }

    /// See [`right`].
    #[inline]
    pub fn flags(&self) -> u16 {
        self.flags
    }

    /// Physical address of a linear address in this page.
    #[inline]
    pub fn physical(&self, linear: u64) -> u64 {
        self.phys | linear & !self.mask
    }

    fn overlaps(&self, other: &Self) -> bool {
        let coarser = self.mask & other.mask;
        let same_context = self.pcid == other.pcid || (self.flags | other.flags) & right::GLOBAL != 0;
        self.linear & coarser == other.linear & coarser && same_context
    }

    /// Forbids by the page's key what these registers do.
    fn set_keys(&mut self, keys: Keys) {
        let (no_data, no_write) = keys.bars((self.flags >> right::KEY_SHIFT) as u8, self.flags & right::USER != 0);
        self.flags &= !(right::KEY_NO_DATA | right::KEY_NO_WRITE);
        self.flags |= if no_data { right::KEY_NO_DATA } else { 0 } | if no_write { right::KEY_NO_WRITE } else { 0 };
    }

    /// As a debugger shows it.
    pub fn entry(&self) -> TlbEntry {
        let has = |flag| self.flags & flag != 0;
        TlbEntry {
            linear: LinearAddr(self.linear),
            phys: PhysAddr(self.phys),
            size: (!self.mask).wrapping_add(1),
            rights: Rights { write: has(right::WRITE), user: has(right::USER), execute: has(right::EXECUTE) },
            global: has(right::GLOBAL),
            dirty: has(right::DIRTY),
            pcid: self.pcid,
        }
    }
}

/// One CPU's TLB.
#[derive(Clone, Debug)]
pub struct Tlb {
    /// The first `len` are in use.
    slots: [Slot; TLB_ENTRIES],
    len: u8,
    /// Where the next one goes: `len` until the TLB is full, then the oldest.
    next: u8,
    /// Derived: PKRU and IA32_PKRS as they count now, see [`Tlb::set_keys`].
    keys: Keys,
    /// Derived: which slot may translate a page. Always checked against the slot.
    hints: [u8; HINTS],
    /// Derived: goes up whenever an entry comes or goes.
    changes: u64,
}

impl Default for Tlb {
    fn default() -> Self {
        Self {
            slots: [Slot::BLANK; TLB_ENTRIES],
            len: 0,
            next: 0,
            keys: Keys::default(),
            hints: [0; HINTS],
            changes: 0,
        }
    }
}

impl PartialEq for Tlb {
    fn eq(&self, other: &Self) -> bool {
        self.oldest_first().eq(other.oldest_first())
    }
}

impl Eq for Tlb {}

impl Tlb {
    #[inline]
    fn hint_index(linear: u64) -> usize {
        ((linear >> 12) ^ (linear >> 20)) as usize % HINTS
    }

    /// The slot that translates a linear address.
    #[inline]
    pub fn lookup(&mut self, linear: u64, pcid: u16) -> Option<&Slot> {
        let hint = self.hints[Self::hint_index(linear)] as usize % TLB_ENTRIES;
        if self.slots[hint].translates(linear, pcid) {
            return Some(&self.slots[hint]);
        }
        self.search(linear, pcid)
    }

    #[inline(never)]
    fn search(&mut self, linear: u64, pcid: u16) -> Option<&Slot> {
        let found = self.used().iter().position(|slot| slot.translates(linear, pcid))?;
        self.hints[Self::hint_index(linear)] = found as u8;
        Some(&self.slots[found])
    }

    /// The same for a debugger: nothing is touched.
    pub fn lookup_quiet(&self, linear: u64, pcid: u16) -> Option<TlbEntry> {
        self.used().iter().find(|slot| slot.translates(linear, pcid)).map(Slot::entry)
    }

    fn used(&self) -> &[Slot] {
        &self.slots[..usize::from(self.len)]
    }

    fn oldest_first(&self) -> impl Iterator<Item = &Slot> {
        let (newer, older) = self.used().split_at(usize::from(self.next).min(usize::from(self.len)));
        older.iter().chain(newer)
    }

    /// What is in it, the oldest first.
    pub fn entries(&self) -> impl Iterator<Item = TlbEntry> {
        self.oldest_first().map(Slot::entry)
    }

    /// Where this did not change, a translation that was found would be found again.
    #[inline]
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// How many entries are in use.
    pub fn len(&self) -> usize {
        usize::from(self.len)
    }

    /// Nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Every bit of the state, oldest first, for the state hash.
    pub fn state(&self, mut put: impl FnMut(u64)) {
        put(u64::from(self.len));
        for slot in self.oldest_first() {
            put(slot.linear);
            put(slot.phys);
            put(slot.mask);
            put(u64::from(slot.flags) | u64::from(slot.pcid) << 16);
        }
    }

    /// Remembers a translation. It takes the place of the entry for the same page, if there is one, else that of the
    /// oldest; entries that overlap it otherwise go, so that no address ever has two.
    pub fn fill(&mut self, linear: u64, page: &Page, pcid: u16, dirty: bool, global: bool) -> &Slot {
        let flag = |on: bool, bit: u16| if on { bit } else { 0 };
        let mask = !(page.size - 1);
        let mut new = Slot {
            linear: linear & mask,
            phys: page.phys,
            mask,
            flags: flag(page.rights.write, right::WRITE)
                | flag(page.rights.user, right::USER)
                | flag(page.rights.execute, right::EXECUTE)
                | flag(dirty, right::DIRTY)
                | flag(global, right::GLOBAL)
                | u16::from(page.key) << right::KEY_SHIFT,
            pcid,
        };
        new.set_keys(self.keys);
        let mut overlapping = self.used().iter().enumerate().filter(|(_, slot)| slot.overlaps(&new));
        let place = match (overlapping.next(), overlapping.next()) {
            (Some((place, slot)), None) if slot.mask == mask => place,
            (None, _) => self.next_place(),
            _ => {
                self.remove(|slot| slot.overlaps(&new));
                self.next_place()
            }
        };
        self.slots[place] = new;
        self.changes += 1;
        self.hints[Self::hint_index(linear)] = place as u8;
        &self.slots[place]
    }

    /// A free place, or the oldest entry's.
    fn next_place(&mut self) -> usize {
        let place = self.next;
        self.len = self.len.max(place + 1);
        self.next = (place + 1) % TLB_ENTRIES as u8;
        usize::from(place)
    }

    /// Drops the entries that `goes` names; the others keep their order.
    fn remove(&mut self, goes: impl Fn(&Slot) -> bool) {
        if !self.used().iter().any(&goes) {
            return;
        }
        let mut kept = [Slot::BLANK; TLB_ENTRIES];
        let mut len = 0;
        for slot in self.oldest_first().filter(|slot| !goes(slot)) {
            kept[len] = *slot;
            len += 1;
        }
        self.slots = kept;
        self.changes += 1;
        self.len = len as u8;
        self.next = len as u8;
    }

    /// The registers of the protection keys count otherwise now: what is remembered follows, without a flush.
    pub fn set_keys(&mut self, keys: Keys) {
        if self.keys != keys {
            self.keys = keys;
            self.slots[..usize::from(self.len)].iter_mut().for_each(|slot| slot.set_keys(keys));
        }
    }

    /// Forgets everything, global entries too.
    pub fn flush_all(&mut self) {
        self.slots = [Slot::BLANK; TLB_ENTRIES];
        self.changes += 1;
        self.len = 0;
        self.next = 0;
    }

    /// MOV CR3: forgets what is not global, of this process context.
    pub fn flush_context(&mut self, pcid: u16) {
        self.remove(|slot| slot.flags & right::GLOBAL == 0 && slot.pcid == pcid);
    }

    /// INVPCID, type 0: forgets the page in this process context, unless it is global.
    pub fn flush_page_but_global(&mut self, linear: u64, pcid: u16) {
        self.remove(|slot| slot.flags & right::GLOBAL == 0 && slot.translates(linear, pcid));
    }

    /// INVPCID, type 3: forgets what is not global, of every process context.
    pub fn flush_all_but_global(&mut self) {
        self.remove(|slot| slot.flags & right::GLOBAL == 0);
    }

    /// INVLPG: forgets the page, also if global.
    pub fn flush_page(&mut self, linear: u64, pcid: u16) {
        self.remove(|slot| slot.translates(linear, pcid));
    }
}
