//! From key presses to commands. The list of commands and their keys is [`mod@crate::command::catalog`]; what the user
//! changed of it is the [`KeyMap`], which is handed in by [`set_map`] before a frame is drawn, so that every button,
//! menu and tooltip of that frame shows the key as it is mapped.
//!
//! Letters never act while a text field or the guest's console has the focus; there only keys with Ctrl or Alt and the
//! function keys do, and in the console only those that lead out of it.

use super::key_map::{self, KeyMap};
use crate::command::{Chord, Command, Entry, UiCommand, catalog};
use egui::{Event, Key, Modifiers};
use protocol::CpuId;
use std::cell::RefCell;
use std::sync::OnceLock;

thread_local! {
    /// The map in force. The window is drawn by one thread; every test has its own.
    static MAP: RefCell<KeyMap> = RefCell::new(KeyMap::default());
}

/// Puts a map in force, on the thread that draws.
pub fn set_map(map: KeyMap) {
    MAP.set(map);
}

/// All commands that take no argument.
pub fn entries() -> &'static [Entry] {
    static ENTRIES: OnceLock<Vec<Entry>> = OnceLock::new();
    ENTRIES.get_or_init(catalog)
}

/// An entry by its id.
pub fn entry(id: &str) -> Option<&'static Entry> {
    entries().iter().find(|entry| entry.id == id)
}

/// The keys of a command as they are mapped now.
pub fn chords(id: &str) -> Vec<Chord> {
    MAP.with_borrow(|map| entry(id).map(|entry| map.chords(entry).collect()).unwrap_or_default())
}

/// The key shown for a command, or nothing.
pub fn hint(id: &str) -> String {
    chords(id).first().map(Chord::to_string).unwrap_or_default()
}

/// A sentence with the key of a command behind it, "Close this (Ctrl+5)", or alone where it has none.
pub fn with_hint(text: &str, id: &str) -> String {
    match hint(id) {
        key if key.is_empty() => text.to_owned(),
        key => format!("{text} ({key})"),
    }
}

/// The key as the transport bar shows it: a letter, where Shift is a capital; longer ones stand in the tooltip.
pub fn short_hint(id: &str) -> String {
    let Some(chord) = chords(id).first().copied() else { return String::new() };
    match (chord.is_letter(), chord.shift) {
        (true, true) => chord.key.to_owned(),
        (true, false) => chord.key.to_lowercase(),
        _ if chord.key.len() < 4 && !chord.ctrl && !chord.alt => chord.to_string(),
        _ => String::new(),
    }
}

/// What has the keyboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Typing {
    /// Nothing that takes text.
    Nowhere,
    /// A text field.
    Field,
    /// The guest's console.
    Console,
}

/// Takes this frame's key presses and returns what they mean. A key that meant something is seen by no other control
/// (Ctrl+Enter does not press the button that has the focus), and leaves no text behind, so that `g` does not end up in
/// the field it opens.
pub fn take(ctx: &egui::Context, typing: Typing, cpus: usize) -> Vec<Command> {
    ctx.input_mut(|input| {
        let mut commands = Vec::new();
        // A slow frame holds several keys: only the text of the key itself goes, not what was typed before it.
        let mut its_text = false;
        input.events.retain(|event| match event {
            Event::Key { key, pressed: true, modifiers, .. } => {
                let meant = meaning(*key, *modifiers, typing, cpus);
                its_text = meant.is_some();
                commands.extend(meant);
                !its_text
            }
            Event::Text(_) => !std::mem::take(&mut its_text),
            _ => true,
        });
        commands
    })
}

/// The first key pressed in this frame, whatever it is, for the panel in which a command gets a new one. No other
/// control sees it.
pub fn capture(ctx: &egui::Context) -> Option<(Key, Modifiers)> {
    ctx.input_mut(|input| {
        let pressed = input.events.iter().find_map(|event| match event {
            Event::Key { key, pressed: true, modifiers, .. } => Some((*key, *modifiers)),
            Event::Copy => Some((Key::C, Modifiers::COMMAND)),
            Event::Cut => Some((Key::X, Modifiers::COMMAND)),
            Event::Paste(_) => Some((Key::V, Modifiers::COMMAND)),
            _ => None,
        });
        input.events.retain(|event| {
            !matches!(event, Event::Key { .. } | Event::Text(_) | Event::Copy | Event::Cut | Event::Paste(_))
        });
        pressed
    })
}

/// What one key press means.
fn meaning(key: Key, modifiers: Modifiers, typing: Typing, cpus: usize) -> Option<Command> {
    let (found, letters) = MAP.with_borrow(|map| {
        let means = |entry: &&Entry| map.chords(entry).any(|chord| matches(&chord, key, modifiers));
        (entries().iter().find(means), map.letters)
    });
    if let Some(entry) = found {
        return allowed(entry, key, modifiers, typing).then(|| entry.command.clone());
    }
    let plain = modifiers.is_none() && typing == Typing::Nowhere && letters;
    let digit = (key as usize).checked_sub(Key::Num0 as usize).filter(|digit| *digit <= 9)?;
    (plain && digit < cpus).then_some(Command::SelectCpu(CpuId(digit as u16)))
}

fn allowed(entry: &Entry, key: Key, modifiers: Modifiers, typing: Typing) -> bool {
    let function_key = (Key::F1..=Key::F35).contains(&key);
    let command_key = modifiers.command || modifiers.alt;
    match typing {
        Typing::Nowhere => true,
        Typing::Field => {
            // In a field Ctrl+Z, Ctrl+Home and Alt+arrows edit the text.
            let edits = matches!(key, Key::Z | Key::Home | Key::End | Key::ArrowLeft | Key::ArrowRight);
            function_key || (command_key && !edits)
        }
        Typing::Console => {
            let leads_out = matches!(
                entry.command,
                Command::Ui(
                    UiCommand::Focus(_)
                        | UiCommand::Palette
                        | UiCommand::Quit
                        | UiCommand::Zoom(_)
                        | UiCommand::Preferences
                )
            );
            function_key || (command_key && leads_out)
        }
    }
}

/// Whether a key press is this chord. Shift does not count for signs that need it on some keyboards.
fn matches(chord: &Chord, key: Key, modifiers: Modifiers) -> bool {
    let sign = key_map::is_sign(key);
    Key::from_name(chord.key) == Some(key)
        && chord.ctrl == modifiers.command
        && chord.alt == modifiers.alt
        && (sign || chord.shift == modifiers.shift)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preferences::Preferences;
    use protocol::request::Direction::{Backward, Forward};

    /// Goal: keys lead to commands; method: one of each form, with and without Shift.
    #[test]
    fn keys_mean_commands() {
        let at_rest = |key, modifiers| meaning(key, modifiers, Typing::Nowhere, 2);
        assert_eq!(at_rest(Key::S, Modifiers::NONE), Some(Command::StepCpu(Forward)));
        assert_eq!(at_rest(Key::S, Modifiers::SHIFT), Some(Command::StepCpu(Backward)));
        assert_eq!(at_rest(Key::F11, Modifiers::NONE), Some(Command::StepCpu(Forward)));
        assert_eq!(at_rest(Key::Z, Modifiers::COMMAND), Some(Command::Undo));
        assert_eq!(at_rest(Key::Questionmark, Modifiers::SHIFT), Some(Command::Ui(UiCommand::Explain)));
        assert_eq!(at_rest(Key::Num1, Modifiers::NONE), Some(Command::SelectCpu(CpuId(1))));
        assert_eq!(at_rest(Key::Num2, Modifiers::NONE), None, "there is no CPU 2");
        assert_eq!(at_rest(Key::Space, Modifiers::NONE), None, "Space belongs to the focused control");
    }

    /// Goal: a key that means something takes its own text with it and no other; method: an answer and Ctrl+Enter in one
    /// frame, as a slow computer has them, then `g` and what is typed into the field that it opens.
    #[test]
    fn only_its_own_text() {
        let key = |key, modifiers| Event::Key { key, physical_key: None, pressed: true, repeat: false, modifiers };
        let typed = |text: &str| Event::Text(text.to_owned());
        let texts_left = |typing, events: Vec<Event>| {
            let ctx = egui::Context::default();
            ctx.input_mut(|input| input.events = events);
            let commands = take(&ctx, typing, 2);
            let left = ctx.input(|input| input.events.iter().filter(|event| matches!(event, Event::Text(_))).count());
            (commands.len(), left)
        };
        let answer = vec![key(Key::A, Modifiers::NONE), typed("a"), key(Key::Enter, Modifiers::COMMAND), typed("\r")];
        assert_eq!(texts_left(Typing::Field, answer), (1, 1));
        let go_to = vec![key(Key::G, Modifiers::NONE), typed("g"), typed("x")];
        assert_eq!(texts_left(Typing::Nowhere, go_to), (1, 1));
    }

    /// Goal: every key of the catalog is a key that egui knows; method: look each up.
    #[test]
    fn catalog_keys_exist() {
        for entry in entries() {
            for chord in &entry.keys {
                assert!(Key::from_name(chord.key).is_some(), "{}: no key {}", entry.id, chord.key);
            }
        }
    }

    /// Goal: the table of keys in the manual is all there; method: each of its keys has a command.
    #[test]
    fn the_manuals_keys() {
        let plain = ["S", "F11", "N", "F10", "F", "C", "F5", "F6", "E", "M", "B", "F9", "U", "G", "Questionmark", "F1"];
        let shifted = ["S", "N", "F", "C", "E", "M", "F11"];
        let with_ctrl = ["1", "2", "3", "4", "5", "6", "7", "F", "Z", "Equals", "Minus"];
        let with_alt = ["Left", "Right"];
        let rows: [(&[&str], Modifiers); 4] = [
            (&plain, Modifiers::NONE),
            (&shifted, Modifiers::SHIFT),
            (&with_ctrl, Modifiers::COMMAND),
            (&with_alt, Modifiers::ALT),
        ];
        for (names, modifiers) in rows {
            for name in names {
                let key = Key::from_name(name).expect(name);
                assert!(meaning(key, modifiers, Typing::Nowhere, 2).is_some(), "{modifiers:?} {name} means nothing");
            }
        }
        let both = Modifiers { shift: true, ..Modifiers::COMMAND };
        assert!(meaning(Key::P, both, Typing::Nowhere, 2).is_some(), "the palette");
        for digit in 0..10 {
            let key = Key::from_name(&digit.to_string()).expect("a digit");
            let means = Some(Command::SelectCpu(CpuId(digit)));
            assert_eq!(meaning(key, Modifiers::NONE, Typing::Nowhere, 10), means);
        }
    }

    /// Goal: letters that are switched off do nothing anywhere, the others go on; method: a map without letters.
    #[test]
    fn letters_switched_off() {
        set_map(KeyMap::of(&Preferences { letters: false, ..Preferences::default() }, entries()));
        for key in [Key::S, Key::C, Key::Num1, Key::Questionmark] {
            assert_eq!(meaning(key, Modifiers::NONE, Typing::Nowhere, 4), None, "{key:?}");
        }
        assert_eq!(meaning(Key::F11, Modifiers::NONE, Typing::Nowhere, 4), Some(Command::StepCpu(Forward)));
        assert_eq!(meaning(Key::Z, Modifiers::COMMAND, Typing::Nowhere, 4), Some(Command::Undo));
        assert_eq!(hint("step-cpu"), "F11", "what is shown is what acts");
        set_map(KeyMap::default());
    }

    /// Goal: typing text is safe; method: every key that types something, in a field and in the console, means
    /// nothing there; ways out still work.
    #[test]
    fn letters_do_not_act_while_typing() {
        let typing_keys = || Key::ALL.iter().copied().filter(|key| key_map::pressed(*key, Modifiers::NONE).types());
        assert!(typing_keys().count() >= 40, "letters, digits and signs");
        for typing in [Typing::Field, Typing::Console] {
            for key in typing_keys() {
                assert_eq!(meaning(key, Modifiers::NONE, typing, 4), None, "{key:?} {typing:?}");
                assert_eq!(meaning(key, Modifiers::SHIFT, typing, 4), None, "Shift {key:?} {typing:?}");
            }
            assert!(meaning(Key::Num2, Modifiers::COMMAND, typing, 4).is_some(), "Ctrl+2 leads out");
        }
        assert_eq!(meaning(Key::Z, Modifiers::COMMAND, Typing::Console, 2), None, "^Z goes to the machine");
    }
}
