//! The shell on the serial console and at the keyboard: asks the kernel things, and lets it send interrupts. Runs on the boot
//! CPU, which takes both interrupts and halts between two keys.
//!
//! `line` edits, `command` understands, `show` answers. None of them changes the kernel but `ipi`.

mod command;
mod line;
mod show;
mod show_efi;

use crate::{console, print};
use line::{Edited, LineEditor};

const PROMPT: &str = "firstlight> ";

/// Reads commands and answers them, for ever.
pub fn run() -> ! {
    let mut editor = LineEditor::new();
    print!("Type `help` for what can be asked.\n{PROMPT}");
    loop {
        match editor.key(console::read_byte(), |text| print!("{text}")) {
            Edited::Going => {}
            Edited::GivenUp => print!("^C\n{PROMPT}"),
            Edited::Line => {
                print!("\n");
                show::answer(editor.line());
                editor.next();
                print!("{PROMPT}");
            }
        }
    }
}
