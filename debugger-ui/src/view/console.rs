//! The guest's console: what came from its serial port, and typing into it.

use super::Cx;
use super::typing::{self, Spec, State};
use crate::command::Command;
use crate::ui::theme::mono;
use egui::{Event, Key, Label, RichText, ScrollArea, TextWrapMode, Ui};

/// Draws the console and passes typing on.
pub fn show(ui: &mut Ui, cx: &mut Cx<'_>, state: &mut State, take_focus: bool) {
    if cx.model.console.unread > 0 {
        cx.push(Command::ConsoleSeen);
    }
    let why_not = cx.model.connection.offers.foreign.as_ref().map(|foreign| foreign.console.as_str());
    let spec = Spec { name: "Console of the guest", command: "go-console", why_not, fill: cx.t.sunken };
    let bytes = typing::show(ui, cx, (state, take_focus), spec, bytes_of, text);
    if !bytes.is_empty() {
        cx.push(Command::TypeConsole(bytes));
    }
}

/// What the guest printed, the newest line in view.
fn text(ui: &mut Ui, cx: &Cx<'_>, cursor: bool) {
    let lines = &cx.model.console.lines;
    let height = ui.fonts_mut(|fonts| fonts.row_height(&mono(13.5)));
    ui.spacing_mut().item_spacing.y = 1.0;
    ScrollArea::both().id_salt("lines").auto_shrink(false).stick_to_bottom(true).show_rows(
        ui,
        height,
        lines.len(),
        |ui, rows| {
            for at in rows {
                let mut line = lines[at].clone();
                if cursor && at + 1 == lines.len() {
                    line.push('_');
                }
                let text = RichText::new(line).font(mono(13.5)).color(cx.t.text);
                ui.add(Label::new(text).wrap_mode(TextWrapMode::Extend).selectable(true));
            }
        },
    );
}

/// What one event sends down the serial line: the bytes of a VT100.
fn bytes_of(event: &Event) -> Vec<u8> {
    if let Some(letter) = typing::controlled(event) {
        return vec![letter as u8 & 0x1f];
    }
    match event {
        Event::Text(text) => text.bytes().collect(),
        Event::Paste(text) => text.replace("\r\n", "\r").replace('\n', "\r").into_bytes(),
        Event::Key { key, pressed: true, modifiers, .. } if !modifiers.ctrl || modifiers.alt || modifiers.shift => {
            key_bytes(*key).to_vec()
        }
        _ => Vec::new(),
    }
}

fn key_bytes(key: Key) -> &'static [u8] {
    match key {
        Key::Enter => b"\r",
        Key::Backspace => b"\x7f",
        Key::Tab => b"\t",
        Key::Escape => b"\x1b",
        Key::ArrowUp => b"\x1b[A",
        Key::ArrowDown => b"\x1b[B",
        Key::ArrowRight => b"\x1b[C",
        Key::ArrowLeft => b"\x1b[D",
        Key::Home => b"\x1b[H",
        Key::End => b"\x1b[F",
        Key::Delete => b"\x1b[3~",
        _ => b"",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use egui::Modifiers;

    /// Goal: keys arrive as a terminal sends them; method: one of each kind.
    #[test]
    fn keys_become_bytes() {
        let with =
            |key, modifiers| bytes_of(&Event::Key { key, physical_key: None, pressed: true, repeat: false, modifiers });
        assert_eq!(with(Key::Enter, Modifiers::NONE), b"\r");
        assert_eq!(with(Key::Backspace, Modifiers::NONE), b"\x7f");
        assert_eq!(with(Key::ArrowUp, Modifiers::NONE), b"\x1b[A");
        assert_eq!(with(Key::U, Modifiers::CTRL), [0x15]);
        assert_eq!(with(Key::Z, Modifiers::CTRL), [0x1a]);
        assert_eq!(with(Key::Q, Modifiers::CTRL), b"", "leaves the program");
        assert_eq!(with(Key::S, Modifiers::NONE), b"", "letters come as text");
        assert_eq!(bytes_of(&Event::Copy), [0x03]);
        assert_eq!(bytes_of(&Event::Text("ipi 1 init".into())), b"ipi 1 init");
        assert_eq!(bytes_of(&Event::Paste("a\nb".into())), b"a\rb");
    }
}
