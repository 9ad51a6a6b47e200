//! The command palette (every command by name) and the go-to field: one text field over the window. Enter does what is
//! chosen, Escape closes, arrows choose.

use super::Cx;
use crate::command::{Command, Entry};
use crate::ui::keys;
use egui::{Align, EventFilter, Key, Layout, Modal, RichText, ScrollArea, TextEdit, Ui};

/// What the field is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    /// Choose a command.
    #[default]
    Commands,
    /// Name a place or a time.
    GoTo,
}

/// What the palette remembers.
#[derive(Debug, Default)]
pub struct State {
    open: Option<Purpose>,
    text: String,
    chosen: usize,
    /// Opened in this frame: the field takes the focus.
    fresh: bool,
}

impl State {
    /// Opens it.
    pub fn open(&mut self, purpose: Purpose) {
        *self = Self { open: Some(purpose), fresh: true, ..Self::default() };
    }

    /// It is open: keys are for it alone.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }
}

/// Draws it, if open.
pub fn show(ctx: &egui::Context, cx: &mut Cx<'_>, state: &mut State) {
    let Some(purpose) = state.open else { return };
    let mut close = ctx.input(|input| input.key_pressed(Key::Escape));
    let modal = Modal::new(egui::Id::unique("palette")).show(ctx, |ui| {
        ui.set_width((ctx.content_rect().width() - 40.0).clamp(200.0, 640.0));
        let enter = field(ui, cx, state, purpose);
        match purpose {
            Purpose::Commands => close |= commands(ui, cx, state, enter),
            Purpose::GoTo => {
                let examples = "9a00:0000   trampoline_start   ffff_ffff_8100_0000   rsp   step 1204311";
                ui.label(RichText::new(examples).monospace().color(cx.t.weak));
                if enter {
                    cx.push(Command::GoTo(state.text.clone()));
                    close = true;
                }
            }
        }
    });
    if close || modal.should_close() {
        *state = State::default();
    }
}

/// The text field; true when Enter was pressed.
fn field(ui: &mut Ui, cx: &Cx<'_>, state: &mut State, purpose: Purpose) -> bool {
    let (title, hint) = match purpose {
        Purpose::Commands => ("Command", "Type a part of its name"),
        Purpose::GoTo => ("Go to", "An address, a name, or step 1234"),
    };
    let label = ui.label(RichText::new(title).strong().color(cx.t.strong));
    let filter = EventFilter { vertical_arrows: true, horizontal_arrows: true, tab: false, escape: true };
    let edit = TextEdit::singleline(&mut state.text).hint_text(hint).desired_width(f32::INFINITY).event_filter(filter);
    let response = ui.add(edit).labelled_by(label.id);
    if std::mem::take(&mut state.fresh) {
        response.request_focus();
    }
    if response.changed() {
        state.chosen = 0;
    }
    (response.has_focus() || response.lost_focus()) && ui.input(|input| input.key_pressed(Key::Enter))
}

/// The commands that match; true when one was chosen.
fn commands(ui: &mut Ui, cx: &mut Cx<'_>, state: &mut State, enter: bool) -> bool {
    let found = search(&state.text);
    let last = found.len().saturating_sub(1);
    let pressed = |key| ui.input(|input| input.key_pressed(key));
    if pressed(Key::ArrowDown) {
        state.chosen = (state.chosen + 1).min(last);
    } else if pressed(Key::ArrowUp) {
        state.chosen = state.chosen.saturating_sub(1);
    }
    state.chosen = state.chosen.min(last);
    let moved = pressed(Key::ArrowDown) || pressed(Key::ArrowUp);
    let mut done = None;
    ScrollArea::vertical().max_height(360.0).auto_shrink([false, true]).show(ui, |ui| {
        if found.is_empty() {
            ui.label(RichText::new("No command has this name.").color(cx.t.weak));
        }
        for (at, entry) in found.iter().enumerate() {
            let response = ui
                .horizontal(|ui| {
                    let response = ui.selectable_label(at == state.chosen, entry.name);
                    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                        let keys: Vec<String> = keys::chords(entry.id).iter().map(ToString::to_string).collect();
                        ui.label(RichText::new(keys.join("  ")).monospace().size(12.0));
                        ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                            let words = RichText::new(entry.words).size(12.5).color(cx.t.weak);
                            ui.add(egui::Label::new(words).truncate());
                        });
                    });
                    response
                })
                .inner;
            if at == state.chosen && moved {
                response.scroll_to_me(None);
            }
            if response.clicked() {
                done = Some(entry.command.clone());
            }
        }
    });
    if enter {
        done = done.or_else(|| found.get(state.chosen).map(|entry| entry.command.clone()));
    }
    let chosen = done.is_some();
    cx.commands.extend(done);
    chosen
}

/// The commands in whose name, or at least sentence, every word typed occurs; those by name first.
fn search(text: &str) -> Vec<&'static Entry> {
    let text = text.to_lowercase();
    let all_in = |heap: &str| text.split_whitespace().all(|word| heap.contains(word));
    let by_name = |entry: &&Entry| all_in(&entry.name.to_lowercase());
    let by_words = |entry: &&Entry| all_in(&format!("{} {}", entry.name, entry.words).to_lowercase());
    let (mut first, rest): (Vec<_>, Vec<_>) = keys::entries().iter().partition(by_name);
    first.extend(rest.into_iter().filter(by_words));
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: commands are found by parts of words in any order, by name first; method: searches with known results.
    #[test]
    fn searching() {
        let found = |text: &str| -> Vec<&str> { search(text).iter().map(|entry| entry.id).collect() };
        assert_eq!(found("back over"), ["over-back"]);
        assert_eq!(found("STEP mach")[..2], ["step-machine", "step-machine-back"]);
        assert!(found("step mach").contains(&"step-cpu"), "its sentence has the words");
        assert!(found("no such thing").is_empty());
        assert_eq!(found("").len(), keys::entries().len());
    }
}
