//! The screen, where the loader hands over a framebuffer: how far the boot is, the processors coming up, and below them what
//! the kernel prints. Without one nothing here does anything.
//!
//! `canvas` draws, `terminal` keeps the text, `picture` shows the processors; all three are pure. [`crate::console`] calls
//! in here with its lock held.
#![allow(unsafe_code)]

mod canvas;
mod picture;
mod terminal;

use crate::arch::lapic::Destination;
use crate::arch::percpu::{self, CpuNumber};
use crate::memlayout::{FRAMEBUFFER_LINEAR, MAX_CPUS};
use crate::smp::cpus;
use bootloader_api::info::{FrameBuffer, FrameBufferInfo};
use canvas::{Area, Canvas, Colour, LETTER_HEIGHT, LETTER_WIDTH, Style};
use core::fmt::{self, Write};
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use picture::{LEFT_OUT, Name, Picture, WOKEN};
use spin::Mutex;
use terminal::Terminal;

/// What the kernel is doing, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Reading what the loader handed over.
    HandOver,
    /// Measuring the clock.
    Clock,
    /// Routing interrupts.
    Interrupts,
    /// Placing the code that processors start with, and meeting the firmware.
    RealMode,
    /// Starting the other processors.
    Processors,
    /// Done.
    Ready,
}

impl Stage {
    const COUNT: usize = Self::Ready as usize + 1;

    const fn words(self) -> &'static str {
        match self {
            Self::HandOver => "reading what the loader hands over",
            Self::Clock => "measuring the clock",
            Self::Interrupts => "finding processors, routing interrupts",
            Self::RealMode => "placing real-mode code, meeting the firmware",
            Self::Processors => "starting the other processors",
            Self::Ready => "ready",
        }
    }
}

/// Around everything.
const MARGIN: usize = 8;
/// Where the picture begins, below the heading.
const PICTURE_Y: usize = 2 * MARGIN + LETTER_HEIGHT;
/// The heading's parts.
const BAR_X: usize = MARGIN + 26 * LETTER_WIDTH;
const BAR_STEP: usize = 16;
const STAGE_X: usize = BAR_X + Stage::COUNT * BAR_STEP + MARGIN;

const GROUND: Colour = Colour(0x10, 0x14, 0x1c);
const INK: Colour = Colour(0xdc, 0xe0, 0xe6);
const DONE: Colour = Colour(0x4c, 0xa3, 0xdd);
const TO_DO: Colour = Colour(0x3a, 0x40, 0x4c);
const TEXT: Style = Style { ink: INK, ground: GROUND, bold: false };
const CURSOR: Style = Style { ink: GROUND, ground: INK, bold: false };

/// There is a screen.
static ON: AtomicBool = AtomicBool::new(false);

static SCREEN: Mutex<Screen> = Mutex::new(Screen {
    linear: 0,
    info: None,
    terminal: Terminal::new(),
    picture: Picture::new(),
    stage: Stage::HandOver,
    heading: None,
});

#[derive(Debug)]
struct Screen {
    /// Linear address of its memory.
    linear: u64,
    info: Option<FrameBufferInfo>,
    terminal: Terminal,
    picture: Picture,
    stage: Stage,
    /// Stage and count of CPUs online that are drawn.
    heading: Option<(Stage, (usize, usize))>,
}

/// The loader handed over a framebuffer: draws on it where the loader mapped it.
pub fn init(framebuffer: &FrameBuffer) {
    let mut screen = SCREEN.lock();
    screen.linear = framebuffer.buffer().as_ptr() as u64;
    screen.info = Some(framebuffer.info());
    ON.store(true, Ordering::Release);
    screen.draw();
}

/// Linear address and length of the framebuffer in the loader's tables, if there is one.
pub fn memory() -> Option<(u64, u64)> {
    let screen = SCREEN.lock();
    screen.info.map(|info| (screen.linear, info.byte_len as u64))
}

/// Where the framebuffer is in `init_top_pgt`, from physical address and the loader's mapping; None: nowhere.
static OWN_LINEAR: AtomicUsize = AtomicUsize::new(0);

/// `init_top_pgt` maps the framebuffer at this linear address.
pub fn mapped_at(linear: u64) {
    OWN_LINEAR.store(linear as usize, Ordering::Release);
}

/// `init_top_pgt` is loaded: draws where that maps the framebuffer, or no more.
pub fn move_to_own_tables() {
    let own = OWN_LINEAR.load(Ordering::Acquire) as u64;
    let mut screen = SCREEN.lock();
    if own == 0 {
        ON.store(false, Ordering::Release);
        screen.info = None;
    } else {
        debug_assert!(own >= FRAMEBUFFER_LINEAR);
        screen.linear = own;
    }
}

/// Prints; the console calls it, which keeps CPUs apart. What comes while this very CPU draws is not shown.
pub fn print(text: fmt::Arguments<'_>) {
    if ON.load(Ordering::Acquire)
        && let Some(mut screen) = SCREEN.try_lock()
    {
        // Writing to a grid cannot fail.
        let _ = screen.write_fmt(text);
        screen.draw();
    }
}

/// The kernel goes on to another stage.
pub fn stage(stage: Stage) {
    if ON.load(Ordering::Acquire) {
        SCREEN.lock().stage = stage;
        crate::console::refresh_screen();
    }
}

/// Keys that are typed here reach the shell.
static KEYBOARD: AtomicBool = AtomicBool::new(false);

/// A keyboard was found.
pub fn keyboard_is_there() {
    KEYBOARD.store(true, Ordering::Release);
}

/// INIT and SIPI are being sent.
pub fn woken(to: Destination) {
    if !ON.load(Ordering::Acquire) {
        return;
    }
    for cpu in 1..cpus::count().1 as CpuNumber {
        let is_meant = match to {
            Destination::Apic(id) => percpu::of(cpu).is_some_and(|other| other.apic_id == id),
            Destination::AllOthers => true,
        };
        if is_meant {
            LEFT_OUT.clear(cpu);
            WOKEN.set(cpu);
        }
    }
    crate::console::refresh_screen();
}

/// A CPU was waited for in vain.
pub fn left_out(cpu: CpuNumber) {
    LEFT_OUT.set(cpu);
}

/// Draws what changed; the console calls it.
pub fn refresh() {
    if ON.load(Ordering::Acquire)
        && let Some(mut screen) = SCREEN.try_lock()
    {
        screen.draw();
    }
}

impl Write for Screen {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.terminal.write(text);
        Ok(())
    }
}

impl Screen {
    /// Draws what changed since it was drawn last.
    fn draw(&mut self) {
        let Some(info) = self.info else { return };
        // SAFETY: 1. the tables in use map `byte_len` bytes of the screen's memory here, writable; 2. nobody else refers to
        // them, and this one is used under the lock.
        let pixels = unsafe { core::slice::from_raw_parts_mut(self.linear as *mut u8, info.byte_len) };
        let canvas = &mut Canvas::new(pixels, info);
        let (width, height) = (canvas.width(), canvas.height());
        let count = cpus::count();
        let first = self.heading.is_none();
        if self.picture.resize(count.1.min(MAX_CPUS), width.saturating_sub(2 * MARGIN)) || first {
            canvas.fill(Area { x: 0, y: 0, width, height }, GROUND);
            let columns = width.saturating_sub(2 * MARGIN) / LETTER_WIDTH;
            let rows = height.saturating_sub(self.text_y() + MARGIN) / LETTER_HEIGHT;
            self.terminal.resize(columns, rows);
            self.heading = None;
        }
        if self.heading != Some((self.stage, count)) {
            self.heading = Some((self.stage, count));
            self.draw_heading(canvas, count);
        }
        self.picture.draw(canvas, MARGIN, PICTURE_Y);
        let text_y = self.text_y();
        self.terminal.changes(|column, row, letter, cursor| {
            let style = if cursor { CURSOR } else { TEXT };
            canvas.letter(MARGIN + column * LETTER_WIDTH, text_y + row * LETTER_HEIGHT, letter, style);
        });
    }

    fn text_y(&self) -> usize {
        PICTURE_Y + self.picture.height() + MARGIN
    }

    fn draw_heading(&self, canvas: &mut Canvas<'_>, (online, possible): (usize, usize)) {
        let bold = Style { bold: true, ..TEXT };
        canvas.text(MARGIN, MARGIN, concat!("Firstlight kernel ", env!("CARGO_PKG_VERSION")), bold);
        let done = self.stage as usize + 1;
        for step in 0..Stage::COUNT {
            let colour = if step < done { DONE } else { TO_DO };
            let x = BAR_X + step * BAR_STEP;
            canvas.fill(Area { x, y: MARGIN + 3, width: BAR_STEP - 3, height: LETTER_HEIGHT - 6 }, colour);
        }
        let width = canvas.width().saturating_sub(STAGE_X);
        canvas.fill(Area { x: STAGE_X, y: MARGIN, width, height: LETTER_HEIGHT }, GROUND);
        let mut words = Name::default();
        // It fits, and if it did not the rest would be missing.
        let _ = match self.stage {
            Stage::Ready => {
                let typing = if KEYBOARD.load(Ordering::Acquire) { "the keyboard or COM1" } else { "COM1 alone" };
                write!(words, "{online} of {possible} CPUs online. Type at {typing}.")
            }
            stage => write!(words, "{done} of {}: {}", Stage::COUNT, stage.words()),
        };
        canvas.text(STAGE_X, MARGIN, words.text(), TEXT);
    }
}
