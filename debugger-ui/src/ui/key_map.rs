//! Which keys a command has now: the catalog's, or those that the user gave it. Made from the settings
//! ([`crate::preferences`]), used by [`super::keys`], changed in the settings panel.

use crate::command::{Chord, Entry};
use crate::preferences::Preferences;
use egui::{Key, Modifiers};
use std::collections::BTreeMap;

/// The keys in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyMap {
    /// Keys that type something act as commands.
    pub letters: bool,
    changed: BTreeMap<&'static str, Vec<Chord>>,
}

impl Default for KeyMap {
    fn default() -> Self {
        Self { letters: true, changed: BTreeMap::new() }
    }
}

impl KeyMap {
    /// The map that the settings ask for. Commands and keys that this version does not know are left out.
    pub fn of(preferences: &Preferences, entries: &'static [Entry]) -> Self {
        let chords = |texts: &Vec<String>| texts.iter().filter_map(|text| chord(text)).collect();
        let changed =
            entries.iter().filter_map(|entry| Some((entry.id, chords(preferences.keys.get(entry.id)?)))).collect();
        Self { letters: preferences.letters, changed }
    }

    /// All keys of a command, also letters that are switched off.
    pub fn all<'a>(&'a self, entry: &'a Entry) -> &'a [Chord] {
        self.changed.get(entry.id).unwrap_or(&entry.keys)
    }

    /// The keys of a command that act.
    pub fn chords<'a>(&'a self, entry: &'a Entry) -> impl Iterator<Item = Chord> + 'a {
        self.all(entry).iter().copied().filter(|chord| self.letters || !chord.types())
    }

    /// The user changed this command's keys.
    pub fn is_changed(&self, entry: &Entry) -> bool {
        self.changed.contains_key(entry.id)
    }

    /// Another command that has this key.
    pub fn clash(&self, chord: Chord, id: &str, entries: &'static [Entry]) -> Option<&'static Entry> {
        entries.iter().find(|entry| entry.id != id && self.all(entry).contains(&chord))
    }
}

/// Gives a command a key: in the place of its key number `slot`, or beside the others. Whoever had it loses it.
pub fn assign(preferences: &mut Preferences, entries: &'static [Entry], id: &str, slot: usize, chord: Chord) {
    let map = KeyMap::of(preferences, entries);
    if let Some(loser) = map.clash(chord, id, entries) {
        let rest = map.all(loser).iter().copied().filter(|other| *other != chord).collect();
        set(preferences, loser, rest);
    }
    let Some(entry) = entries.iter().find(|entry| entry.id == id) else { return };
    let mut keys = map.all(entry).to_vec();
    match keys.get_mut(slot) {
        Some(key) => *key = chord,
        None => keys.push(chord),
    }
    let mut seen = Vec::new();
    keys.retain(|key| {
        !seen.contains(key) && {
            seen.push(*key);
            true
        }
    });
    set(preferences, entry, keys);
}

/// Takes key number `slot` from a command.
pub fn remove(preferences: &mut Preferences, entries: &'static [Entry], id: &str, slot: usize) {
    let map = KeyMap::of(preferences, entries);
    let Some(entry) = entries.iter().find(|entry| entry.id == id) else { return };
    let mut keys = map.all(entry).to_vec();
    if slot < keys.len() {
        keys.remove(slot);
        set(preferences, entry, keys);
    }
}

/// Gives a command its own keys back; who got one of them meanwhile loses it.
pub fn reset(preferences: &mut Preferences, entries: &'static [Entry], id: &str) {
    let Some(entry) = entries.iter().find(|entry| entry.id == id) else { return };
    preferences.keys.remove(id);
    for chord in &entry.keys {
        let map = KeyMap::of(preferences, entries);
        if let Some(loser) = map.clash(*chord, id, entries) {
            let rest = map.all(loser).iter().copied().filter(|other| other != chord).collect();
            set(preferences, loser, rest);
        }
    }
}

fn set(preferences: &mut Preferences, entry: &Entry, keys: Vec<Chord>) {
    if keys == entry.keys {
        preferences.keys.remove(entry.id);
    } else {
        preferences.keys.insert(entry.id.to_owned(), keys.into_iter().map(Chord::stored).collect());
    }
}

/// A key as the settings file holds it.
pub fn chord(text: &str) -> Option<Chord> {
    let mut modifiers = Modifiers::NONE;
    let mut rest = text;
    loop {
        let (word, behind) = rest.split_once('+').unwrap_or((rest, ""));
        match word {
            _ if behind.is_empty() => break,
            "Ctrl" => modifiers.command = true,
            "Alt" => modifiers.alt = true,
            "Shift" => modifiers.shift = true,
            _ => break,
        }
        rest = behind;
    }
    Some(pressed(Key::from_name(rest)?, modifiers))
}

/// The key that was pressed, as a chord. Shift does not count for signs that need it on some keyboards.
pub fn pressed(key: Key, modifiers: Modifiers) -> Chord {
    let shift = modifiers.shift && !is_sign(key);
    Chord { key: key.name(), ctrl: modifiers.command, shift, alt: modifiers.alt }
}

/// Signs that some keyboards type with Shift and others without.
pub fn is_sign(key: Key) -> bool {
    matches!(key, Key::Questionmark | Key::Plus | Key::Equals | Key::Minus | Key::Exclamationmark | Key::Colon)
}

/// Why this key cannot be given to a command, in words.
pub fn refused(chord: Chord) -> Option<&'static str> {
    let digit = chord.key.len() == 1 && chord.key.as_bytes()[0].is_ascii_digit();
    let plain = !chord.ctrl && !chord.alt;
    match chord.key {
        "Tab" => Some("Tab moves the focus."),
        "Enter" | "Space" if plain => Some("Enter and Space do what the focused thing does."),
        "Up" | "Down" | "Left" | "Right" if plain => Some("The arrows move inside the focused thing."),
        "Home" | "End" | "PageUp" | "PageDown" if plain => Some("These move inside the focused thing."),
        "Backspace" | "Delete" if plain => Some("Backspace and Delete edit text."),
        _ if digit && plain && !chord.shift => Some("The digits select a CPU."),
        "C" | "V" | "X" | "A" if chord.ctrl && !chord.shift && !chord.alt => {
            Some("It copies, pastes, cuts or selects text.")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::keys::{entries, entry};

    fn shown(preferences: &Preferences, id: &str) -> Vec<String> {
        let map = KeyMap::of(preferences, entries());
        map.chords(entry(id).unwrap()).map(|chord| chord.to_string()).collect()
    }

    /// Goal: keys survive the settings file; method: every key of the catalog there and back.
    #[test]
    fn chords_as_text() {
        for entry in entries() {
            for key in &entry.keys {
                let read = chord(&key.stored()).unwrap_or_else(|| panic!("{}: {}", entry.id, key.stored()));
                assert_eq!(read.to_string(), key.to_string(), "{}", entry.id);
            }
        }
        assert_eq!(chord("Ctrl+Nonsense"), None);
        assert_eq!(chord(""), None);
    }

    /// Goal: a key moves from one command to another, and back with reset; method: F10 from over to step-cpu.
    #[test]
    fn keys_move() {
        let mut preferences = Preferences::default();
        let f10 = chord("F10").unwrap();
        assert_eq!(KeyMap::default().clash(f10, "step-cpu", entries()).map(|entry| entry.id), Some("over"));
        assign(&mut preferences, entries(), "step-cpu", 1, f10);
        assert_eq!(shown(&preferences, "step-cpu"), ["s", "F10"]);
        assert_eq!(shown(&preferences, "over"), ["n"]);
        assign(&mut preferences, entries(), "step-cpu", 9, chord("Ctrl+J").unwrap());
        assert_eq!(shown(&preferences, "step-cpu"), ["s", "F10", "Ctrl+J"]);
        remove(&mut preferences, entries(), "step-cpu", 0);
        assert_eq!(shown(&preferences, "step-cpu"), ["F10", "Ctrl+J"]);
        reset(&mut preferences, entries(), "over");
        assert_eq!(shown(&preferences, "over"), ["n", "F10"]);
        assert_eq!(shown(&preferences, "step-cpu"), ["Ctrl+J"]);
        reset(&mut preferences, entries(), "step-cpu");
        assert_eq!(preferences, Preferences::default(), "nothing is left of it");
    }

    /// Goal: with letters off the others remain; method: commands with both kinds, and one with a letter only.
    #[test]
    fn letters_off() {
        let preferences = Preferences { letters: false, ..Preferences::default() };
        assert_eq!(shown(&preferences, "step-cpu"), ["F11"]);
        assert_eq!(shown(&preferences, "undo"), ["Ctrl+Z"]);
        assert_eq!(shown(&preferences, "explain"), [""; 0]);
    }

    /// Goal: keys that the focus owns are refused, the others not; method: one of each.
    #[test]
    fn refusals() {
        for text in ["Tab", "Enter", "Space", "ArrowLeft", "5", "Ctrl+C"] {
            assert!(refused(chord(text).expect(text)).is_some(), "{text}");
        }
        for text in ["X", "Shift+5", "Ctrl+Enter", "Alt+ArrowLeft", "F12", "Comma"] {
            assert_eq!(refused(chord(text).expect(text)), None, "{text}");
        }
    }
}
