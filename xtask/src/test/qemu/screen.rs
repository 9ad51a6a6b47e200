//! The kernel's screen and keyboard on QEMU: what is drawn is what is printed, each processor has its tile, and what is typed
//! reaches the shell.

use super::{FIRST, PROMPT};
use crate::project;
use crate::qemu::monitor::Monitor;
use crate::qemu::picture::{LETTER, Picture, Style};
use crate::qemu::{self, Boot, Hardware, tail};
use crate::test::Report;
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::time::{Duration, Instant};

const CPUS: u16 = 4;
/// As `kernel/src/screen.rs` lays the screen out, in pixels: margin, the first row of tiles, the distance of two tiles, and
/// a tile's padding.
const MARGIN: usize = 8;
const TILES_Y: usize = 2 * MARGIN + LETTER.1;
const TILE_STEP: usize = 15 * LETTER.0 + 2 * PADDING + 3;
const PADDING: usize = 4;
const TEXT: Style = Style { ink: [0xdc, 0xe0, 0xe6], ground: [0x10, 0x14, 0x1c], bold: false };
const GREEN: [u8; 3] = [0x1e, 0x6e, 0x34];
const SLATE: [u8; 3] = [0x33, 0x47, 0x5b];
/// The kernel boots in seconds; a busy computer may take some times as long.
const PATIENCE: Duration = Duration::from_secs(120);

pub fn run(report: &mut Report, folder: &Path) {
    report.case(
        "what is printed is on the screen, with a tile for each CPU; keys reach the shell",
        seen_and_typed(folder),
    );
}

fn seen_and_typed(folder: &Path) -> Result<()> {
    let address = qemu::free_address()?;
    let kernel = project::kernel();
    let boot = Boot { cpus: CPUS, kernel: Some(&kernel), options: "", gdb: None, monitor: Some(&address), folder };
    let _qemu = boot.start_with(Hardware { screen: true, ..Hardware::default() })?;
    let mut monitor = Monitor::connect(&address)?;
    prompts(&boot, 1)?;
    let file = folder.join("screen.ppm");
    let picture = settled(&mut monitor, &file)?;
    same_text(&picture, &boot)?;
    let heading = picture.text(MARGIN, MARGIN, Style { bold: true, ..TEXT });
    ensure!(heading.starts_with(FIRST), "the heading is {heading:?}");
    for cpu in 0..CPUS.into() {
        tile(&picture, cpu, "online", GREEN)?;
    }

    // Shift and a wrong letter that is taken back are keys as well.
    monitor.press(&["c", "p", "u", "spc", "shift-1", "backspace", "3", "spc", "o", "f", "f", "ret"])?;
    let console = prompts(&boot, 2)?;
    ensure!(console.contains("CPU 3 is offline"), "the typed command did not work:\n{}", tail(&console));
    let picture = settled(&mut monitor, &file)?;
    tile(&picture, 2, "online", GREEN)?;
    tile(&picture, 3, "offline, halted", SLATE)?;
    // What was typed last, again.
    monitor.press(&["up", "ret"])?;
    let console = prompts(&boot, 3)?;
    let refused = console.matches("that CPU is: offline").count();
    ensure!(refused == 1, "the key up did not bring the last command back:\n{}", tail(&console));
    Ok(())
}

/// The console's text once the kernel has prompted so often.
fn prompts(boot: &Boot, count: usize) -> Result<String> {
    let start = Instant::now();
    loop {
        let text = String::from_utf8_lossy(&std::fs::read(boot.console())?).into_owned();
        if text.matches(PROMPT).count() >= count {
            return Ok(text);
        }
        ensure!(
            start.elapsed() < PATIENCE,
            "the shell did not prompt {count} times in {} s; the console's last lines:\n{}",
            PATIENCE.as_secs(),
            tail(&text)
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The screen once it shows the prompt: the kernel writes to the serial line first.
fn settled(monitor: &mut Monitor, file: &Path) -> Result<Picture> {
    let start = Instant::now();
    loop {
        let picture = monitor.screen(file)?;
        let lines = lines(&picture);
        if lines.last().is_some_and(|line| line == PROMPT.trim_end()) {
            return Ok(picture);
        }
        ensure!(start.elapsed() < PATIENCE, "the screen ends with {:?}, not with the prompt", lines.last());
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The lines below the tiles, down to the last one that is not empty.
fn lines(picture: &Picture) -> Vec<String> {
    let top = TILES_Y + 2 * LETTER.1 + 2 * PADDING + 3 + MARGIN;
    let rows = (top..picture.height.saturating_sub(LETTER.1)).step_by(LETTER.1);
    let mut lines: Vec<String> = rows.map(|y| picture.text(MARGIN, y, TEXT)).collect();
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines
}

/// What the serial line got after the screen was found, which the first line tells nothing of.
fn same_text(picture: &Picture, boot: &Boot) -> Result<()> {
    let console = String::from_utf8_lossy(&std::fs::read(boot.console())?).into_owned();
    let kernel = console.find(FIRST).context("the kernel printed nothing")?;
    let printed: Vec<&str> = console[kernel..].lines().skip(1).map(str::trim_end).collect();
    let shown = lines(picture);
    ensure!(shown == printed, "the screen shows\n{}\nand the console\n{}", shown.join("\n"), printed.join("\n"));
    Ok(())
}

fn tile(picture: &Picture, cpu: usize, words: &str, colour: [u8; 3]) -> Result<()> {
    let (x, y) = (MARGIN + cpu * TILE_STEP + PADDING, TILES_Y + PADDING);
    let style = Style { ink: [255; 3], ground: colour, bold: true };
    let name = picture.text(x, y, style);
    let state = picture.text(x, y + LETTER.1, Style { bold: false, ..style });
    ensure!((name.as_str(), state.as_str()) == (&format!("CPU {cpu}"), words), "CPU {cpu}: {name:?}, {state:?}");
    Ok(())
}
