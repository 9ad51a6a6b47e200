//! From key presses to commands. The list of commands and their keys is [`mod@crate::command::catalog`].
//!
//! Letters never act while a text field or the guest's console has the focus; there only keys with Ctrl or Alt and the
//! function keys do, and in the console only those that lead out of it.

use crate::command::{Chord, Command, Entry, UiCommand, catalog};
use egui::{Event, Key, Modifiers};
use protocol::CpuId;
use std::sync::OnceLock;

/// All commands that take no argument.
pub fn entries() -> &'static [Entry] {
    static ENTRIES: OnceLock<Vec<Entry>> = OnceLock::new();
    ENTRIES.get_or_init(catalog)
}

/// An entry by its id.
pub fn entry(id: &str) -> Option<&'static Entry> {
    entries().iter().find(|entry| entry.id == id)
}

/// The key shown for a command, or nothing.
pub fn hint(id: &str) -> String {
    entry(id).and_then(|entry| entry.keys.first()).map(Chord::to_string).unwrap_or_default()
}

/// The key as the transport bar shows it: a letter, where Shift is a capital; longer ones stand in the tooltip.
pub fn short_hint(id: &str) -> String {
    let Some(chord) = entry(id).and_then(|entry| entry.keys.first()) else { return String::new() };
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

/// Takes this frame's key presses and returns what they mean. A key that meant something leaves no text behind, so that
/// `g` does not end up in the field it opens.
pub fn take(ctx: &egui::Context, typing: Typing, cpus: usize) -> Vec<Command> {
    ctx.input_mut(|input| {
        let mut commands = Vec::new();
        for event in &input.events {
            if let Event::Key { key, pressed: true, modifiers, .. } = event {
                commands.extend(meaning(*key, *modifiers, typing, cpus));
            }
        }
        if !commands.is_empty() {
            input.events.retain(|event| !matches!(event, Event::Text(_)));
        }
        commands
    })
}

/// What one key press means.
fn meaning(key: Key, modifiers: Modifiers, typing: Typing, cpus: usize) -> Option<Command> {
    let found = entries().iter().find(|entry| entry.keys.iter().any(|chord| matches(chord, key, modifiers)));
    if let Some(entry) = found {
        return allowed(entry, key, modifiers, typing).then(|| entry.command.clone());
    }
    let plain = modifiers.is_none() && typing == Typing::Nowhere;
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
                Command::Ui(UiCommand::Focus(_) | UiCommand::Palette | UiCommand::Quit | UiCommand::Zoom(_))
            );
            function_key || (command_key && leads_out)
        }
    }
}

/// Whether a key press is this chord. Shift does not count for signs that need it on some keyboards.
fn matches(chord: &Chord, key: Key, modifiers: Modifiers) -> bool {
    let sign = matches!(key, Key::Questionmark | Key::Plus | Key::Equals | Key::Minus);
    Key::from_name(chord.key) == Some(key)
        && chord.ctrl == modifiers.command
        && chord.alt == modifiers.alt
        && (sign || chord.shift == modifiers.shift)
}

#[cfg(test)]
mod tests {
    use super::*;
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

    /// Goal: every key of the catalog is a key that egui knows; method: look each up.
    #[test]
    fn catalog_keys_exist() {
        for entry in entries() {
            for chord in &entry.keys {
                assert!(Key::from_name(chord.key).is_some(), "{}: no key {}", entry.id, chord.key);
            }
        }
    }

    /// Goal: typing text is safe; method: letters in a field and in the console mean nothing, ways out still work.
    #[test]
    fn letters_do_not_act_while_typing() {
        for typing in [Typing::Field, Typing::Console] {
            for key in [Key::S, Key::C, Key::E, Key::U, Key::B, Key::Num0, Key::Questionmark] {
                assert_eq!(meaning(key, Modifiers::NONE, typing, 4), None, "{key:?} {typing:?}");
                assert_eq!(meaning(key, Modifiers::SHIFT, typing, 4), None, "Shift {key:?} {typing:?}");
            }
            assert!(meaning(Key::Num2, Modifiers::COMMAND, typing, 4).is_some(), "Ctrl+2 leads out");
        }
        assert_eq!(meaning(Key::Z, Modifiers::COMMAND, Typing::Console, 2), None, "^Z goes to the machine");
    }
}
