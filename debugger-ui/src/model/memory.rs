//! Bytes of memory around a place: two pages of 4 KiB, read anew after each stop, and what changed in them since.
//!
//! The place is an expression as [`super::input`] takes it. Followed, it is worked out again after each stop: `rsp` is
//! then where the stack pointer is. What cannot be read says why, page by page, since that is how memory is mapped.

use super::cpus::Cpus;
use super::input;
use super::symbols::Symbols;
use protocol::request::{Place, Request};
use protocol::{CpuId, LinearAddr, PhysAddr};

/// Bytes in a row.
pub const ROW: u64 = 16;
/// Bytes read by one request.
pub const PAGE: u64 = 0x1000;
/// Pages in the window.
const PAGES: u64 = 2;
/// Bytes that one edit may write.
const MOST: usize = 64;

/// What an address means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Space {
    /// Linear, through the selected CPU's tables.
    #[default]
    Linear,
    /// Physical.
    Physical,
}

/// The memory panel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    /// The panel is shown: only then memory is read.
    pub shown: bool,
    /// The place as typed.
    pub text: String,
    /// Work the place out again after each stop.
    pub follow: bool,
    /// Linear or physical.
    pub space: Space,
    /// The place.
    pub at: u64,
    /// What is wrong with the text.
    pub error: Option<String>,
    window: Window,
    before: Window,
}

/// Pages as they were read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Window {
    space: Space,
    cpu: CpuId,
    top: u64,
    pages: Vec<Option<Page>>,
}

/// One page as it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Page {
    bytes: Vec<u8>,
    unreadable: Option<String>,
}

/// A byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Its value.
    pub value: u8,
    /// Its value at the previous stop, where it was another.
    pub was: Option<u8>,
}

/// A row of [`ROW`] bytes, ready to draw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Address of the first byte.
    pub address: u64,
    /// The bytes; None: not read.
    pub cells: Vec<Option<Cell>>,
    /// Why bytes are missing.
    pub unreadable: Option<String>,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            shown: false,
            text: "rip".to_owned(),
            follow: true,
            space: Space::Linear,
            at: 0,
            error: None,
            window: Window::default(),
            before: Window::default(),
        }
    }
}

impl Memory {
    /// Works out where the text leads, and moves the window there.
    pub(crate) fn resolve(&mut self, symbols: &Symbols, cpus: &Cpus) {
        match input::address(&self.text, symbols, cpus.selected()) {
            Ok(LinearAddr(at)) if self.space == Space::Physical && at >> 52 != 0 => {
                self.error = Some(format!(
                    "{} is linear address {}: a physical address has at most 52 bits. Choose linear.",
                    self.text,
                    LinearAddr(at)
                ));
            }
            Ok(LinearAddr(at)) => {
                self.error = None;
                self.at = at;
                self.aim(cpus.selected);
            }
            Err(why) => self.error = Some(why),
        }
    }

    /// Shows another page, and follows nothing any more.
    pub(crate) fn turn(&mut self, forward: bool, cpu: CpuId) {
        let at = if forward { self.at.saturating_add(PAGE) } else { self.at.saturating_sub(PAGE) };
        (self.at, self.follow, self.error) = (at, false, None);
        self.text = format!("{at:x}");
        self.aim(cpu);
    }

    /// Puts the window round the place, unless it is well inside: a window that stands still is easier to read.
    pub(crate) fn aim(&mut self, cpu: CpuId) {
        let cpu = if self.space == Space::Physical { CpuId(0) } else { cpu };
        let old = &self.window;
        let inside = self.at.wrapping_sub(old.top);
        let stays = (old.space, old.cpu) == (self.space, cpu)
            && old.pages.len() == PAGES as usize
            && (PAGE / 4..PAGE * 7 / 4).contains(&inside);
        if stays {
            return;
        }
        let page = self.at & !(PAGE - 1);
        let lower_half = self.at - page < PAGE / 2;
        let top = if lower_half { page.saturating_sub(PAGE) } else { page };
        let top = top.min(u64::MAX - (PAGE * PAGES - 1));
        self.window = Window { space: self.space, cpu, top, pages: vec![None; PAGES as usize] };
    }

    /// What was read until now is what later bytes are compared with.
    pub(crate) fn machine_moved(&mut self) {
        self.before = self.window.clone();
    }

    /// Forgets what was read.
    pub(crate) fn forget(&mut self) {
        (self.window, self.before) = (Window::default(), Window::default());
    }

    /// What to ask for, by the address that the answer is for.
    pub(crate) fn requests(&self) -> Vec<(u64, Request)> {
        let pages = (0..self.window.pages.len() as u64).map(|page| self.window.top + page * PAGE);
        pages.map(|at| (at, Request::Memory { from: self.place(at), len: PAGE as u32 })).collect()
    }

    /// Takes in a page. One of a window that is not shown any more is left out.
    pub(crate) fn take(&mut self, at: u64, bytes: Vec<u8>, unreadable: Option<String>) {
        let page = at.wrapping_sub(self.window.top) / PAGE;
        if let Some(slot) = usize::try_from(page).ok().and_then(|page| self.window.pages.get_mut(page)) {
            *slot = Some(Page { bytes, unreadable });
        }
    }

    /// An address with its space, as a request has it.
    pub fn place(&self, at: u64) -> Place {
        match self.space {
            Space::Physical => Place::Phys(PhysAddr(at)),
            Space::Linear => Place::Linear { cpu: self.window.cpu, linear: LinearAddr(at) },
        }
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.window.pages.len() * (PAGE / ROW) as usize
    }

    /// The row that an address lies in.
    pub fn row_of(&self, at: u64) -> Option<usize> {
        let row = at.wrapping_sub(self.window.top) / ROW;
        usize::try_from(row).ok().filter(|row| *row < self.rows())
    }

    /// Row n.
    pub fn row(&self, row: usize) -> Row {
        let address = self.window.top.wrapping_add(row as u64 * ROW);
        let cell = |at: u64| {
            let value = self.window.byte(at)?;
            let same_space = (self.before.space, self.before.cpu) == (self.window.space, self.window.cpu);
            let was = self.before.byte(at).filter(|was| same_space && *was != value);
            Some(Cell { value, was })
        };
        let cells: Vec<_> = (0..ROW).map(|at| cell(address.wrapping_add(at))).collect();
        let unreadable = if cells.iter().all(Option::is_some) { None } else { self.window.reason(address) };
        Row { address, cells, unreadable }
    }

    /// The byte at an address, if it is in the window.
    pub fn byte(&self, at: u64) -> Option<u8> {
        self.window.byte(at)
    }

    /// The next place after `from` (going round) where these bytes stand.
    pub fn find(&self, pattern: &[u8], from: u64) -> Option<u64> {
        let len = self.rows() as u64 * ROW;
        let begin = from.wrapping_sub(self.window.top);
        (1..=len).map(|step| self.window.top.wrapping_add(begin.wrapping_add(step) % len)).find(|at| {
            pattern.iter().enumerate().all(|(n, byte)| self.window.byte(at.wrapping_add(n as u64)) == Some(*byte))
        })
    }
}

impl Window {
    fn page(&self, at: u64) -> Option<(&Page, usize)> {
        let offset = at.wrapping_sub(self.top);
        let page = self.pages.get(usize::try_from(offset / PAGE).ok()?)?.as_ref()?;
        Some((page, (offset % PAGE) as usize))
    }

    fn byte(&self, at: u64) -> Option<u8> {
        let (page, offset) = self.page(at)?;
        page.bytes.get(offset).copied()
    }

    fn reason(&self, at: u64) -> Option<String> {
        let (page, _) = self.page(at)?;
        page.unreadable.clone()
    }
}

/// Bytes as people type them: `1b`, `0f 0b`, `0f0b`, `0x9b`; one digit is a byte.
pub fn bytes(text: &str) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    for word in text.split([' ', ',', '_']).filter(|word| !word.is_empty()) {
        let lower = word.to_ascii_lowercase();
        let digits = lower.strip_prefix("0x").unwrap_or(&lower);
        let digits = digits.strip_suffix('h').unwrap_or(digits);
        let good = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        if !good || digits.len() > 1 && digits.len() % 2 == 1 {
            return Err(format!("{word} is no row of bytes: write two hexadecimal digits for each, as in 0f 0b."));
        }
        for at in (0..digits.len()).step_by(2) {
            let end = (at + 2).min(digits.len());
            out.extend(u8::from_str_radix(&digits[at..end], 16));
        }
    }
    match out.len() {
        0 => Err("A byte is missing: two hexadecimal digits, as in 1b.".to_owned()),
        1..=MOST => Ok(out),
        many => Err(format!("{many} bytes are too many for one edit: at most {MOST}.")),
    }
}

/// What to look for: text in quotes, else bytes.
pub fn pattern(text: &str) -> Result<Vec<u8>, String> {
    match text.trim().strip_prefix('"') {
        Some(quoted) => {
            let plain = quoted.strip_suffix('"').unwrap_or(quoted);
            if plain.is_empty() { Err("Nothing stands between the quotes.".to_owned()) } else { Ok(plain.into()) }
        }
        None => bytes(text),
    }
}

#[cfg(test)]
mod tests {
    use super::super::symbols::tests::sample;
    use super::*;
    use protocol::CpuState;

    fn cpus(rsp: u64) -> Cpus {
        let mut cpu = CpuState::default();
        cpu.gpr[4] = rsp;
        Cpus { states: vec![cpu], ..Cpus::default() }
    }

    fn memory(text: &str) -> Memory {
        let mut memory = Memory { text: text.to_owned(), ..Memory::default() };
        memory.resolve(&sample(), &cpus(0x9b800));
        memory
    }

    /// Goal: the window lies round the place and follows a register; method: rsp before and after it moved.
    #[test]
    fn follows_a_register() {
        let mut memory = memory("rsp");
        assert_eq!((memory.at, memory.window.top), (0x9b800, 0x9b000));
        assert_eq!(memory.requests()[1].0, 0x9c000);
        memory.resolve(&sample(), &cpus(0x9b7f8));
        assert_eq!((memory.at, memory.window.top), (0x9b7f8, 0x9b000), "a little way off it stands still");
        memory.resolve(&sample(), &cpus(0x20_0000));
        assert_eq!(memory.window.top, 0x1f_f000);
        memory.turn(true, CpuId(0));
        assert_eq!((memory.text.as_str(), memory.follow), ("201000", false));
    }

    /// Goal: changed bytes say what they were, pages that cannot be read say why; method: two stops.
    #[test]
    fn changes_and_holes() {
        let mut memory = memory("9b800");
        memory.take(0x9b000, vec![0; 0x1000], None);
        memory.take(0x9c000, Vec::new(), Some("not mapped".to_owned()));
        memory.machine_moved();
        let mut page = vec![0; 0x1000];
        page[0x12] = 0x9b;
        memory.take(0x9b000, page, None);
        let row = memory.row(1);
        assert_eq!(row.address, 0x9b010);
        assert_eq!(row.cells[2], Some(Cell { value: 0x9b, was: Some(0) }));
        assert_eq!(row.cells[3], Some(Cell { value: 0, was: None }));
        let hole = memory.row(memory.row_of(0x9c000).unwrap());
        assert_eq!((hole.cells[0], hole.unreadable.as_deref()), (None, Some("not mapped")));
        assert_eq!(memory.find(&[0x9b, 0], 0x9b400), Some(0x9b012));
        assert_eq!(memory.find(&[0x9b, 1], 0x9b400), None);
    }

    /// Goal: what is typed into a byte is understood or refused in words; method: spellings.
    #[test]
    fn typed_bytes() {
        assert_eq!(bytes("1b"), Ok(vec![0x1b]));
        assert_eq!(bytes(" 0F 0B "), Ok(vec![0x0f, 0x0b]));
        assert_eq!(bytes("0f0b"), bytes("0x0f, 0bh"));
        assert_eq!(bytes("7"), Ok(vec![7]));
        assert!(bytes("").is_err() && bytes("1b2").is_err() && bytes("zz").is_err() && bytes("é").is_err());
        assert_eq!(pattern("\"INIT\""), Ok(b"INIT".to_vec()));
    }

    /// Goal: a linear address is not taken for a physical one; method: a kernel symbol as physical.
    #[test]
    fn physical_has_52_bits() {
        let mut memory = Memory { space: Space::Physical, text: "start_secondary".to_owned(), ..Memory::default() };
        memory.resolve(&sample(), &cpus(0));
        assert!(memory.error.as_deref().unwrap().contains("52 bits"));
    }
}
