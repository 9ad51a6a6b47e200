//! The window's own settings: theme, text size, motion, syntax, and the keys of every command, where one presses the new
//! key. They are changed in place ([`Preferences`]); [`crate::app`] stores them.

use super::Cx;
use crate::command::{Chord, Command, Entry};
use crate::preferences::{Preferences, Theme};
use crate::ui::key_map::{self, KeyMap};
use crate::ui::{keys, words::Words};
use egui::{Button, EventFilter, Key, RichText, Role, ScrollArea, TextEdit, Ui, WidgetInfo};

/// What became of storing the settings, as the app tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Storing {
    /// Why nothing is stored.
    pub trouble: Option<String>,
    /// A file is in the way that can be moved aside.
    pub can_start_over: bool,
    /// The user wants that.
    pub start_over: bool,
    /// The file.
    pub place: String,
}

/// What the panel remembers.
#[derive(Debug, Default)]
pub struct State {
    /// The command and the number of the key that is waited for.
    waiting: Option<(&'static str, usize)>,
    /// A key that another command has: command, number, key, the other.
    clash: Option<(&'static str, usize, Chord, &'static str)>,
    /// What became of the last key press.
    said: String,
    /// Part of a command's name.
    find: String,
    /// The first control takes the focus.
    focus: bool,
}

impl State {
    /// The next key press is for a command.
    pub fn waits_for_a_key(&self) -> bool {
        self.waiting.is_some()
    }

    /// Waits no longer: the panel is not there any more.
    pub fn give_up(&mut self) {
        self.waiting = None;
    }

    /// The panel was asked for.
    pub fn take_focus(&mut self) {
        self.focus = true;
    }

    /// Takes the key that was waited for, if one was pressed.
    pub fn take_key(&mut self, ctx: &egui::Context, preferences: &mut Preferences) {
        let Some((id, slot)) = self.waiting else { return };
        let Some((key, modifiers)) = keys::capture(ctx) else { return };
        let name = keys::entry(id).map_or(id, |entry| entry.name);
        if key == Key::Escape {
            self.waiting = None;
            self.said = format!("{name}: nothing changed.");
            return;
        }
        if matches!(key, Key::Delete | Key::Backspace) && modifiers.is_none() {
            key_map::remove(preferences, keys::entries(), id, slot);
            self.waiting = None;
            self.said = format!("{name}: that key is gone.");
            return;
        }
        let chord = key_map::pressed(key, modifiers);
        if let Some(why) = key_map::refused(chord) {
            self.said = format!("{chord} cannot be a command's key. {why} Press another, or Escape.");
            return;
        }
        self.waiting = None;
        match KeyMap::of(preferences, keys::entries()).clash(chord, id, keys::entries()) {
            Some(other) => {
                self.said = format!("{chord} already means {}.", other.name);
                self.clash = Some((id, slot, chord, other.id));
            }
            None => {
                key_map::assign(preferences, keys::entries(), id, slot, chord);
                self.said = format!("{name}: {chord}.");
            }
        }
    }
}

/// Draws the panel.
pub fn show(ui: &mut Ui, cx: &mut Cx<'_>, preferences: &mut Preferences, state: &mut State, storing: &mut Storing) {
    ScrollArea::vertical().id_salt("preferences").auto_shrink(false).show(ui, |ui| {
        theme(ui, cx, preferences, state);
        ui.horizontal_wrapped(|ui| {
            ui.label("Text size");
            cx.button(ui, "smaller", "Smaller", preferences.text_size > *Preferences::TEXT_SIZES.start());
            ui.label(RichText::new(format!("{} %", preferences.text_size)).monospace().color(cx.t.strong));
            cx.button(ui, "larger", "Larger", preferences.text_size < *Preferences::TEXT_SIZES.end());
        });
        switches(ui, cx, preferences);
        stored(ui, cx, storing);
        ui.separator();
        key_list(ui, cx, preferences, state);
    });
}

fn theme(ui: &mut Ui, cx: &mut Cx<'_>, preferences: &mut Preferences, state: &mut State) {
    ui.horizontal_wrapped(|ui| {
        ui.label("Theme");
        for theme in Theme::ALL {
            let chosen = preferences.theme == theme;
            let response = ui.radio(chosen, theme.name());
            if chosen && std::mem::take(&mut state.focus) {
                response.request_focus();
            }
            if cx.explain(response, || Words::new(theme.name(), theme.words())).clicked() {
                preferences.theme = theme;
            }
        }
    });
}

fn switches(ui: &mut Ui, cx: &mut Cx<'_>, preferences: &mut Preferences) {
    let mut switch = |ui: &mut Ui, on: &mut bool, name: &str, says: &str| {
        let response = ui.checkbox(on, name);
        cx.explain(response, || Words::new(name, says)).changed()
    };
    ui.horizontal_wrapped(|ui| {
        let says = "Nothing moves by itself: the opening film becomes three still pictures.";
        switch(ui, &mut preferences.reduced_motion, "Reduce motion", says);
        let says = "Letters, digits and signs are keys of commands. Off: only F-keys and keys with Ctrl or Alt are, which \
                    helps where speech or a switch types for you. They never act while a text field or the console has \
                    the focus.";
        switch(ui, &mut preferences.letters, "Letters are keys", says);
        let mut att = !preferences.intel_syntax;
        if switch(ui, &mut att, "AT&T assembly", "Disassembly in AT&T instead of Intel syntax.") {
            preferences.intel_syntax = !att;
        }
    });
    if preferences.intel_syntax != cx.model.settings.intel {
        cx.push(Command::IntelSyntax(preferences.intel_syntax));
    }
}

/// Where the settings are kept, or why they are not.
fn stored(ui: &mut Ui, cx: &Cx<'_>, storing: &mut Storing) {
    if let Some(why) = &storing.trouble {
        ui.add(egui::Label::new(RichText::new(why).color(cx.t.fault)).selectable(true).wrap());
    } else if !storing.place.is_empty() {
        let text = RichText::new(format!("Kept in {}", storing.place)).color(cx.t.weak);
        ui.add(egui::Label::new(text).selectable(true).wrap());
    }
    if storing.can_start_over {
        let says = "Moves the file that could not be read aside and stores these settings in its place";
        storing.start_over |= ui.button("Start over").on_hover_text(says).clicked();
    }
}

fn key_list(ui: &mut Ui, cx: &mut Cx<'_>, preferences: &mut Preferences, state: &mut State) {
    ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new("Keys").strong().color(cx.t.strong));
        let label = ui.label("of commands with");
        ui.add(TextEdit::singleline(&mut state.find).hint_text("a part of the name").desired_width(160.0))
            .labelled_by(label.id);
        if !preferences.keys.is_empty()
            && ui.button("Reset all keys").on_hover_text("Every command gets its first keys back").clicked()
        {
            preferences.keys.clear();
            state.said = "All keys are as they were at first.".to_owned();
        }
    });
    let response = ui.add(egui::Label::new(RichText::new(&state.said).color(cx.t.strong)).wrap());
    ui.ctx().accesskit_node_builder(response.id, |node| node.set_live(egui::accesskit::Live::Polite));
    clash(ui, preferences, state);
    let map = KeyMap::of(preferences, keys::entries());
    let find = state.find.to_lowercase();
    let wide = ui.available_width() > 620.0;
    for entry in keys::entries().iter().filter(|entry| entry.name.to_lowercase().contains(&find)) {
        ui.push_id(entry.id, |ui| {
            ui.horizontal_wrapped(|ui| {
                let width = if wide { 190.0 } else { ui.available_width() };
                let label = egui::Label::new(RichText::new(entry.name).color(cx.t.text)).truncate();
                ui.add_sized([width, 20.0], label);
                row(ui, cx, preferences, state, &map, entry);
            });
        });
    }
}

/// A command's keys; each is a button that waits for the key to put in its place.
fn row(
    ui: &mut Ui,
    cx: &mut Cx<'_>,
    preferences: &mut Preferences,
    state: &mut State,
    map: &KeyMap,
    entry: &'static Entry,
) {
    let chords = map.all(entry);
    for slot in 0..=chords.len() {
        let chord = chords.get(slot);
        let waits = state.waiting == Some((entry.id, slot));
        let text = match chord {
            _ if waits => "press a key…".to_owned(),
            Some(chord) => chord.to_string(),
            None => "+".to_owned(),
        };
        let off = chord.is_some_and(|chord| chord.types()) && !map.letters;
        let colour = if off { cx.t.weak } else { cx.t.text };
        let mut text = RichText::new(text).monospace().color(colour);
        if off {
            text = text.strikethrough();
        }
        let response = ui.add(Button::selectable(waits, text).frame_when_inactive(true));
        let name = match chord {
            _ if waits => format!("Press the new key for {}; Escape leaves it, Delete removes it", entry.name),
            Some(chord) if off => format!("Key {chord} of {}, switched off", entry.name),
            Some(chord) => format!("Key {chord} of {}", entry.name),
            None => format!("Another key for {}", entry.name),
        };
        response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &name));
        if waits {
            let all = EventFilter { tab: true, horizontal_arrows: true, vertical_arrows: true, escape: true };
            ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, all));
        }
        let says = "Click, or press Enter, then the new key. Delete instead of a key removes this one.";
        let response = cx.explain(response, || Words::new(&name, says));
        if response.clicked() {
            response.request_focus();
            state.waiting = Some((entry.id, slot));
            state.clash = None;
            state.said = format!("Press the new key for {}. Escape leaves it as it is.", entry.name);
        }
    }
    if map.is_changed(entry) {
        let response = ui.button("Reset").on_hover_text(format!("{} gets its first keys back", entry.name));
        response.widget_info(|| WidgetInfo::labeled(Role::Button, true, format!("Reset {}", entry.name)));
        if response.clicked() {
            key_map::reset(preferences, keys::entries(), entry.id);
            state.said = format!("{} has its first keys again.", entry.name);
        }
    }
}

/// A key that another command has: whose shall it be?
fn clash(ui: &mut Ui, preferences: &mut Preferences, state: &mut State) {
    let Some((id, slot, chord, other)) = state.clash else { return };
    let name = |id: &str| keys::entry(id).map_or("", |entry| entry.name);
    ui.horizontal_wrapped(|ui| {
        let take = ui.button(format!("Use {chord} for {}", name(id)));
        if take.on_hover_text(format!("{} loses it", name(other))).clicked() {
            key_map::assign(preferences, keys::entries(), id, slot, chord);
            state.said = format!("{chord} now means {}; {} has lost it.", name(id), name(other));
            state.clash = None;
        }
        if ui.button("Leave it").on_hover_text("Nothing changes").clicked() {
            state.said = "Nothing changed.".to_owned();
            state.clash = None;
        }
    });
}
