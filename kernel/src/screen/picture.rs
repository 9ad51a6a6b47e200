//! The processors as a picture: a tile for each, which says in words and by colour how far it is. Layout and words are pure.

use super::canvas::{Area, Canvas, Colour, LETTER_HEIGHT, LETTER_WIDTH, Style};
use crate::arch::percpu::CpuNumber;
use crate::memlayout::MAX_CPUS;
use crate::smp::cpus::{self, CpuMask, State};
use core::fmt::{self, Write};

/// CPUs that were sent INIT and SIPI.
pub(super) static WOKEN: CpuMask = CpuMask::new();
/// CPUs that did not come in time.
pub(super) static LEFT_OUT: CpuMask = CpuMask::new();

/// How far a CPU is, for somebody who watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    NotStarted,
    Woken,
    LeftOut,
    Is(State),
}

impl Look {
    fn of(cpu: CpuNumber) -> Self {
        match cpus::state(cpu) {
            State::Absent if LEFT_OUT.contains(cpu) => Self::LeftOut,
            State::Absent if WOKEN.contains(cpu) => Self::Woken,
            State::Absent => Self::NotStarted,
            state => Self::Is(state),
        }
    }

    /// For a large tile, at most [`WORDS`] letters, and for a small one, at most [`SHORT_WORDS`].
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::NotStarted => ("not started", "waits"),
            Self::Woken => ("INIT, SIPI sent", "woken"),
            Self::LeftOut => ("did not come", "missing"),
            Self::Is(State::Initialized) => ("initialized", "arrived"),
            Self::Is(State::Starting) => ("starting", "starts"),
            Self::Is(State::Online) => ("online", "online"),
            Self::Is(State::Reset) => ("reset by INIT", "reset"),
            Self::Is(State::Offline) => ("offline, halted", "offline"),
            Self::Is(State::Absent) => ("absent", "absent"),
        }
    }

    /// Dark enough for white letters.
    fn colour(self) -> Colour {
        match self {
            Self::NotStarted | Self::Is(State::Absent) => Colour(0x4a, 0x4f, 0x59),
            Self::Woken => Colour(0x8a, 0x5a, 0x00),
            Self::LeftOut => Colour(0xa3, 0x20, 0x20),
            Self::Is(State::Initialized) => Colour(0x1f, 0x5f, 0xa8),
            Self::Is(State::Starting) => Colour(0x00, 0x69, 0x6b),
            Self::Is(State::Online) => Colour(0x1e, 0x6e, 0x34),
            Self::Is(State::Reset) => Colour(0x6b, 0x3f, 0xa0),
            Self::Is(State::Offline) => Colour(0x33, 0x47, 0x5b),
        }
    }
}

/// Letters of the longest words.
const WORDS: usize = 15;
const SHORT_WORDS: usize = 7;
/// Of "255".
const DIGITS: usize = 3;
/// More CPUs get small tiles.
const LARGE_TILES: usize = 40;
/// Between tiles.
const GAP: usize = 3;
/// Between a tile's edge and its letters.
const PADDING: usize = 4;

/// Sizes of the tiles and how many stand in a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Layout {
    count: usize,
    columns: usize,
    width: usize,
    height: usize,
    large: bool,
}

impl Layout {
    fn new(count: usize, screen_width: usize) -> Self {
        let large = count <= LARGE_TILES;
        let (letters, lines) = if large { (WORDS, 2) } else { (DIGITS + 1 + SHORT_WORDS, 1) };
        let width = letters * LETTER_WIDTH + 2 * PADDING;
        let height = lines * LETTER_HEIGHT + if large { 2 * PADDING } else { 0 };
        Self { count, columns: ((screen_width + GAP) / (width + GAP)).max(1), width, height, large }
    }

    /// Of all tiles together.
    fn total_height(&self) -> usize {
        self.count.div_ceil(self.columns.max(1)) * (self.height + GAP)
    }

    /// The place of a tile in the picture.
    fn tile(&self, index: usize) -> Area {
        let (column, row) = (index % self.columns, index / self.columns);
        let (x, y) = (column * (self.width + GAP), row * (self.height + GAP));
        Area { x, y, width: self.width, height: self.height }
    }
}

/// What is drawn.
#[derive(Debug)]
pub struct Picture {
    layout: Layout,
    drawn: [Option<Look>; MAX_CPUS],
}

impl Picture {
    /// Nothing.
    pub const fn new() -> Self {
        let layout = Layout { count: 0, columns: 1, width: 0, height: 0, large: false };
        Self { layout, drawn: [None; MAX_CPUS] }
    }

    /// There are so many CPUs, on a screen so wide. Everything is to be drawn anew where that changed: true.
    pub fn resize(&mut self, count: usize, screen_width: usize) -> bool {
        let layout = Layout::new(count.min(MAX_CPUS), screen_width);
        let changed = layout != self.layout;
        if changed {
            *self = Self { layout, ..Self::new() };
        }
        changed
    }

    /// In points.
    pub fn height(&self) -> usize {
        self.layout.total_height()
    }

    /// Draws the tiles of CPUs whose state changed; the picture's upper left corner is at `x`, `y`.
    pub fn draw(&mut self, canvas: &mut Canvas<'_>, x: usize, y: usize) {
        for cpu in 0..self.layout.count {
            let look = Look::of(cpu as CpuNumber);
            if self.drawn[cpu] == Some(look) {
                continue;
            }
            self.drawn[cpu] = Some(look);
            let tile = self.layout.tile(cpu);
            let tile = Area { x: x + tile.x, y: y + tile.y, ..tile };
            canvas.fill(tile, look.colour());
            let style = Style { ink: Colour(255, 255, 255), ground: look.colour(), bold: false };
            let (x, y) = (tile.x + PADDING, tile.y + if self.layout.large { PADDING } else { 0 });
            let mut name = Name::default();
            if self.layout.large {
                // A name is never longer than its letters.
                let _ = write!(name, "CPU {cpu}");
                canvas.text(x, y, name.text(), Style { bold: true, ..style });
                canvas.text(x, y + LETTER_HEIGHT, look.words().0, style);
            } else {
                let _ = write!(name, "{cpu:>DIGITS$}");
                canvas.text(x, y, name.text(), Style { bold: true, ..style });
                canvas.text(x + (DIGITS + 1) * LETTER_WIDTH, y, look.words().1, style);
            }
        }
    }
}

impl Default for Picture {
    fn default() -> Self {
        Self::new()
    }
}

/// A few letters, as there is no heap.
#[derive(Debug)]
pub struct Name {
    bytes: [u8; 64],
    len: usize,
}

impl Default for Name {
    fn default() -> Self {
        Self { bytes: [0; 64], len: 0 }
    }
}

impl Name {
    /// What was written.
    pub fn text(&self) -> &str {
        core::str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }
}

impl Write for Name {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.bytes.get_mut(self.len..self.len + text.len()).ok_or(fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.len += text.len();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOKS: [Look; 9] = [
        Look::NotStarted,
        Look::Woken,
        Look::LeftOut,
        Look::Is(State::Absent),
        Look::Is(State::Initialized),
        Look::Is(State::Starting),
        Look::Is(State::Online),
        Look::Is(State::Reset),
        Look::Is(State::Offline),
    ];

    /// Goal: words fit their tiles, tell states apart, and can be read on their colour. Method: all states; contrast as
    /// WCAG 2.2 defines it, in integers: the square of a channel stands for its light.
    #[test]
    fn words_and_colours() {
        for (index, look) in LOOKS.iter().enumerate() {
            let (long, short) = look.words();
            assert!(long.len() <= WORDS && short.len() <= SHORT_WORDS, "{look:?}");
            let Colour(red, green, blue) = look.colour();
            let light = |channel: u8| u64::from(channel) * u64::from(channel);
            let luminance = 2126 * light(red) + 7152 * light(green) + 722 * light(blue);
            let white = 10_000 * light(255);
            // 4.5 : 1 with an offset of a twentieth.
            assert!((white + white / 20) * 10 >= 45 * (luminance + white / 20), "{look:?}");
            let others = LOOKS[..index].iter();
            assert!(others.clone().all(|other| other.words() != look.words()));
        }
    }

    /// Goal: tiles of any number of CPUs lie side by side on the screen. Method: overlap and edges, for counts and widths.
    #[test]
    fn layout() {
        for (count, width) in [(1, 640), (4, 1280), (40, 1280), (41, 1280), (255, 1280), (255, 640)] {
            let layout = Layout::new(count, width);
            for index in 0..count {
                let tile = layout.tile(index);
                assert!(tile.x + tile.width <= width && tile.y + tile.height <= layout.total_height());
                let right = layout.tile(index + 1);
                assert!(right.x >= tile.x + tile.width || right.y >= tile.y + tile.height);
            }
        }
        assert!(Layout::new(255, 1280).total_height() < 400, "the console needs room too");
    }
}
