//! The list of commands with their ids, names, default keys and words. Keys follow gdb's letters; Shift turns time round.

use super::{Command, Layout, Panel, UiCommand};
use lessons::player::orders::Act;
use protocol::request::Direction::{Backward, Forward};

/// A key with its modifiers. `key` is egui's name of it ("S", "F11", "Questionmark", "Num1").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chord {
    /// The key.
    pub key: &'static str,
    /// Ctrl (Cmd on macOS).
    pub ctrl: bool,
    /// Shift.
    pub shift: bool,
    /// Alt.
    pub alt: bool,
}

impl Chord {
    /// A letter or digit alone or with Shift.
    pub const fn is_letter(self) -> bool {
        !self.ctrl && !self.alt && self.key.len() == 1
    }

    /// A key that types something: letters, digits and signs alone or with Shift. These can be switched off, and never
    /// act while a text field or the console has the focus.
    pub fn types(self) -> bool {
        const NAMED: [&str; 17] = [
            "Questionmark",
            "Plus",
            "Equals",
            "Minus",
            "Comma",
            "Period",
            "Colon",
            "Semicolon",
            "Quote",
            "Slash",
            "Pipe",
            "Backslash",
            "Backtick",
            "OpenBracket",
            "CloseBracket",
            "Exclamationmark",
            "Space",
        ];
        !self.ctrl && !self.alt && (self.key.len() == 1 || NAMED.contains(&self.key))
    }

    /// As it is kept in the settings file: egui's name of the key behind its modifiers, `Ctrl+Shift+P`.
    pub fn stored(self) -> String {
        let mut text = String::new();
        for (on, word) in [(self.ctrl, "Ctrl+"), (self.alt, "Alt+"), (self.shift, "Shift+")] {
            if on {
                text.push_str(word);
            }
        }
        text + self.key
    }
}

impl std::fmt::Display for Chord {
    /// As it is written on buttons: `s`, `Shift+S`, `Ctrl+Z`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (on, word) in [(self.ctrl, "Ctrl+"), (self.alt, "Alt+"), (self.shift, "Shift+")] {
            if on {
                f.write_str(word)?;
            }
        }
        match self.key {
            letter if letter.len() == 1 && !self.shift && !self.ctrl && !self.alt => {
                f.write_str(&letter.to_ascii_lowercase())
            }
            "Questionmark" => f.write_str("?"),
            "Equals" => f.write_str("="),
            "Minus" => f.write_str("-"),
            "Plus" => f.write_str("+"),
            "Comma" => f.write_str(","),
            "Period" => f.write_str("."),
            key => f.write_str(key),
        }
    }
}

/// A command without arguments, as it stands in menus, on buttons and in the palette.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Stable id, for remapped keys: "step-cpu".
    pub id: &'static str,
    /// Name on a button or in the palette.
    pub name: &'static str,
    /// Default keys, the first is shown.
    pub keys: Vec<Chord>,
    /// One sentence for the tooltip.
    pub words: &'static str,
    /// The command.
    pub command: Command,
}

const fn plain(key: &'static str) -> Chord {
    Chord { key, ctrl: false, shift: false, alt: false }
}

const fn shift(key: &'static str) -> Chord {
    Chord { shift: true, ..plain(key) }
}

const fn ctrl(key: &'static str) -> Chord {
    Chord { ctrl: true, ..plain(key) }
}

const fn alt(key: &'static str) -> Chord {
    Chord { alt: true, ..plain(key) }
}

/// All commands that take no argument. Build it once.
pub fn catalog() -> Vec<Entry> {
    let entry = |id, name, keys: &[Chord], words, command| Entry { id, name, keys: keys.to_vec(), words, command };
    let (ui, lesson) = (Command::Ui, Command::Lesson);
    let mut entries = vec![
        entry(
            "step-cpu",
            "Step CPU",
            &[plain("S"), plain("F11")],
            "Let the machine run until this CPU has made one step.",
            Command::StepCpu(Forward),
        ),
        entry(
            "step-cpu-back",
            "Step CPU back",
            &[shift("S")],
            "Go back to before this CPU's last step.",
            Command::StepCpu(Backward),
        ),
        entry(
            "over",
            "Over",
            &[plain("N"), plain("F10")],
            "Step this CPU over calls, REP and the closing jump of a loop.",
            Command::Over(Forward),
        ),
        entry(
            "over-back",
            "Back over",
            &[shift("N")],
            "Go back over the call that just returned.",
            Command::Over(Backward),
        ),
        entry(
            "out",
            "Out",
            &[plain("F"), shift("F11")],
            "Run until the current function has returned.",
            Command::Out(Forward),
        ),
        entry(
            "out-back",
            "Back to the call",
            &[shift("F")],
            "Go back to the call of this function.",
            Command::Out(Backward),
        ),
        entry(
            "event",
            "Next event",
            &[plain("E")],
            "Run until something happens on this CPU: a mode change, an IPI, a fault.",
            Command::Event(Forward),
        ),
        entry(
            "event-back",
            "Previous event",
            &[shift("E")],
            "Go back to the last event of this CPU.",
            Command::Event(Backward),
        ),
        entry(
            "run-to-wake",
            "Run until it wakes",
            &[plain("R")],
            "Run until this CPU, which waits, is woken.",
            Command::RunToWake,
        ),
        entry(
            "run",
            "Run",
            &[plain("C"), plain("F5")],
            "Run until a breakpoint, or until nothing can run.",
            Command::Run(Forward),
        ),
        entry(
            "run-back",
            "Run back",
            &[shift("C")],
            "Run backwards to a breakpoint or to the start.",
            Command::Run(Backward),
        ),
        entry("pause", "Pause", &[plain("F6")], "Stop running here.", Command::Pause),
        entry(
            "step-machine",
            "Step machine",
            &[plain("M")],
            "Make one step of whichever CPU's turn it is.",
            Command::StepMachine(Forward),
        ),
        entry(
            "step-machine-back",
            "Step machine back",
            &[shift("M")],
            "Take the machine's last step back.",
            Command::StepMachine(Backward),
        ),
        entry("start", "Start", &[ctrl("Home")], "Go back to power-on.", Command::GoToStart),
        entry("end", "End", &[ctrl("End")], "Go to the last step that was run.", Command::GoToEnd),
        entry(
            "hold",
            "Hold others",
            &[plain("O")],
            "While this CPU steps or runs, the others stand still. It is part of the run.",
            Command::ToggleHold,
        ),
        entry(
            "breakpoint",
            "Breakpoint here",
            &[plain("B"), plain("F9")],
            "Set or clear a breakpoint at this instruction.",
            Command::ToggleBreakpointHere,
        ),
        entry(
            "undo",
            "Before my change (undo)",
            &[plain("U"), ctrl("Z")],
            "Take your last change of the machine back: the old future, which was kept, is there again.",
            Command::Undo,
        ),
        entry(
            "history-back",
            "Where I was before",
            &[alt("Left")],
            "Back to where you were before the last jump in time.",
            Command::History(Backward),
        ),
        entry(
            "history-forward",
            "Where I was after",
            &[alt("Right")],
            "Forward again after going back to where you were.",
            Command::History(Forward),
        ),
        entry(
            "bookmark",
            "Bookmark here",
            &[plain("K")],
            "Give the position where the machine stands a name, to come back to.",
            Command::SetBookmark,
        ),
        entry(
            "why",
            "Why?",
            &[plain("W")],
            "Which step gave the chosen value its present one; again: go there. Alt+Left comes back.",
            Command::Why(None),
        ),
        entry(
            "syntax",
            "Intel or AT&T syntax",
            &[],
            "Change the disassembly, here and in the narrator, from Intel to AT&T syntax and back.",
            Command::ToggleSyntax,
        ),
        entry(
            "next-difference",
            "Next difference",
            &[plain("D")],
            "Where two page-table roots stand side by side: the next row in which they differ.",
            ui(UiCommand::Difference(Forward)),
        ),
        entry(
            "previous-difference",
            "Previous difference",
            &[shift("D")],
            "The row before in which two page-table roots differ.",
            ui(UiCommand::Difference(Backward)),
        ),
        entry(
            "take-over",
            "Take over",
            &[],
            "Drive from this window; gdb's session ends with a message.",
            Command::TakeOver,
        ),
        entry(
            "open-gdb",
            "Let gdb attach",
            &[],
            "Open a socket on this computer for gdb and show the line to paste.",
            Command::OpenGdb(0),
        ),
        entry("close-gdb", "Close the gdb socket", &[], "Ends gdb's session with a message.", Command::CloseGdb),
        entry("restart", "Restart", &[], "Power off and on again. What was recorded is lost.", Command::Restart),
        entry("reload", "Reload", &[], "Read the image from disk again and restart.", Command::Reload),
        entry("reconnect", "Reconnect", &[], "Connect to the machine again.", Command::Reconnect),
        entry(
            "go-to",
            "Go to…",
            &[plain("G")],
            "An address, seg:off, a symbol, or `step 1234`.",
            ui(UiCommand::GoToField),
        ),
        entry(
            "palette",
            "Command palette",
            &[Chord { shift: true, ..ctrl("P") }, plain("F1")],
            "All commands by name.",
            ui(UiCommand::Palette),
        ),
        entry(
            "explain",
            "Explain",
            &[plain("Questionmark")],
            "Explain the focused thing in a note that stays.",
            ui(UiCommand::Explain),
        ),
        entry(
            "copy-narration",
            "Copy the narrator's line",
            &[plain("Y")],
            "Put the sentence on the clipboard.",
            ui(UiCommand::CopyNarration),
        ),
        entry("larger", "Larger text", &[ctrl("Equals"), ctrl("Plus")], "Larger text.", ui(UiCommand::Zoom(Forward))),
        entry("smaller", "Smaller text", &[ctrl("Minus")], "Smaller text.", ui(UiCommand::Zoom(Backward))),
        entry(
            "check-or-next",
            "Check or next",
            &[ctrl("Enter")],
            "Check the answer; when the step is done, go on to the next.",
            ui(UiCommand::CheckOrNext),
        ),
        entry("hint", "Hint", &[plain("H")], "One more hint for this step.", lesson(Act::Hint)),
        entry(
            "show-me",
            "Show me",
            &[],
            "The machine does it and the answers are filled in; the step counts as shown.",
            lesson(Act::ShowMe),
        ),
        entry("lesson-next", "Next step of the lesson", &[], "Go on, once this step is done.", lesson(Act::Next)),
        entry("lesson-back", "Previous step of the lesson", &[], "Back to the step before.", lesson(Act::Back)),
        entry("lesson-skip", "Skip this step", &[], "Go on without it. It can be done later.", lesson(Act::Skip)),
        entry(
            "lesson-return",
            "Back to this step's place",
            &[],
            "The machine stands again where this step begins.",
            lesson(Act::Return),
        ),
        entry("lesson-again", "Begin the lesson anew", &[], "With the same numbers.", lesson(Act::Again)),
        entry("leave-lesson", "Leave the lesson", &[], "It is kept; the machine stays as it is.", Command::LeaveLesson),
        entry(
            "layout-lesson",
            "Layout: Lesson",
            &[],
            "The lesson at the left, code and CPU beside it.",
            ui(UiCommand::Layout(Layout::Lesson)),
        ),
        entry(
            "layout-explore",
            "Layout: Explore",
            &[],
            "No lesson: page tables at the left.",
            ui(UiCommand::Layout(Layout::Explore)),
        ),
        entry(
            "layout-lecture",
            "Layout: Lecture",
            &[],
            "For a projector: lanes, narrator and one big panel.",
            ui(UiCommand::Layout(Layout::Lecture)),
        ),
        entry("opening", "Play the opening", &[], "Six seconds: how this machine started.", Command::Opening(true)),
        entry("settings", "Machine settings…", &[], "CPUs, memory, seed, options.", ui(UiCommand::Settings)),
        entry(
            "preferences",
            "Settings…",
            &[ctrl("Comma")],
            "Theme, text size, motion, syntax, and the keys of all commands.",
            ui(UiCommand::Preferences),
        ),
        entry("find", "Find in panel", &[ctrl("F")], "Find text in the list that has the focus.", ui(UiCommand::Find)),
        entry("quit", "Quit", &[ctrl("Q")], "Leave.", ui(UiCommand::Quit)),
    ];
    let panels = [
        ("go-lesson", "Go to the lesson", "1", Panel::Lesson),
        ("go-lanes", "Go to the lanes", "2", Panel::Lanes),
        ("go-code", "Go to the code", "3", Panel::Code),
        ("go-cpu", "Go to the CPU", "4", Panel::Cpu),
        ("go-page-tables", "Go to the page tables", "5", Panel::PageTables),
        ("go-console", "Go to the console", "6", Panel::Console),
        ("go-events", "Go to the events", "7", Panel::Events),
        ("go-breakpoints", "Go to the breakpoints", "8", Panel::Breakpoints),
    ];
    let control_shift = |key| Chord { shift: true, ..ctrl(key) };
    for (id, name, key, panel) in [
        ("go-memory", "Go to memory", ctrl("9"), Panel::Memory),
        ("go-descriptors", "Go to GDT and IDT", control_shift("G"), Panel::Descriptors),
        ("go-tlb", "Go to the TLB", control_shift("T"), Panel::Tlb),
        ("go-glossary", "Look up in the glossary", control_shift("L"), Panel::Glossary),
        ("go-screen", "Go to the screen", control_shift("V"), Panel::Screen),
        ("go-bookmarks", "Go to the bookmarks", control_shift("B"), Panel::Bookmarks),
    ] {
        entries.push(entry(id, name, &[key], "Opens it in the drawer.", ui(UiCommand::Focus(panel))));
    }
    for (id, name, key, panel) in panels {
        entries.push(entry(id, name, &[ctrl(key)], "Puts the keyboard's focus there.", ui(UiCommand::Focus(panel))));
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: no key means two things and no id stands twice; method: compare all pairs.
    #[test]
    fn keys_and_ids_are_unique() {
        let entries = catalog();
        for (at, one) in entries.iter().enumerate() {
            for other in &entries[at + 1..] {
                assert_ne!(one.id, other.id);
                for key in &one.keys {
                    assert!(!other.keys.contains(key), "{key} means {} and {}", one.name, other.name);
                }
            }
        }
    }

    /// Goal: keys read as on a keyboard; method: one of each form.
    #[test]
    fn chords_in_words() {
        assert_eq!(plain("S").to_string(), "s");
        assert_eq!(shift("S").to_string(), "Shift+S");
        assert_eq!(ctrl("Z").to_string(), "Ctrl+Z");
        assert_eq!(alt("Left").to_string(), "Alt+Left");
    }
}
