//! The guest's console. With the focus every key goes to the machine, and a thick frame says so; the keys that go to a
//! panel (Ctrl+2 and the like) and Ctrl+Tab lead out again.

use super::Cx;
use crate::command::{Command, Panel, UiCommand};
use crate::ui::keys;
use crate::ui::theme::mono;
use egui::{
    Event, EventFilter, Frame, Key, Label, Margin, Modifiers, RichText, Role, ScrollArea, Sense, TextWrapMode, Ui,
    WidgetInfo, vec2,
};

/// What the panel remembers.
#[derive(Debug, Default)]
pub struct State {
    /// Keys go to the machine.
    pub has_focus: bool,
}

/// Draws the console and passes typing on.
pub fn show(ui: &mut Ui, cx: &mut Cx<'_>, state: &mut State, take_focus: bool) {
    let id = ui.scope_id().with("console");
    let hint = if let Some(foreign) = &cx.model.connection.offers.foreign {
        foreign.console.clone()
    } else if state.has_focus {
        match keys::hint("go-lanes") {
            key if key.is_empty() => "Typing goes to the machine; Ctrl+Tab leaves.".to_owned(),
            key => format!("Typing goes to the machine; {key} returns, Ctrl+Tab leaves."),
        }
    } else {
        keys::with_hint("Click here to type to the machine", "go-console")
    };
    let frame = Frame::new()
        .fill(cx.t.sunken)
        .stroke(cx.t.stroke(1.0, cx.t.hairline))
        .corner_radius(4)
        .inner_margin(Margin::symmetric(8, 4));
    if cx.model.console.unread > 0 {
        cx.push(Command::ConsoleSeen);
    }
    frame.show(ui, |ui| {
        // As large as the frame, so that the focus ring becomes the thick frame.
        let area = ui.available_rect_before_wrap().expand2(vec2(7.0, 3.0));
        let response = ui.interact(area, id, Sense::click());
        response.widget_info(|| WidgetInfo::labeled(Role::Terminal, true, format!("Console of the guest. {hint}")));
        if take_focus || response.clicked() {
            response.request_focus();
        }
        let hint_text = RichText::new(&hint).small().color(if state.has_focus { cx.t.focus } else { cx.t.weak });
        ui.label(hint_text);
        text(ui, cx, state.has_focus);
        state.has_focus = response.has_focus();
        if state.has_focus {
            keep_keys(ui, id);
            let bytes = typed(ui, cx);
            if !bytes.is_empty() {
                cx.push(Command::TypeConsole(bytes));
            }
        }
    });
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

/// Tab, arrows and Escape are the machine's while the console has the focus.
fn keep_keys(ui: &Ui, id: egui::Id) {
    let filter = EventFilter { tab: true, horizontal_arrows: true, vertical_arrows: true, escape: true };
    ui.memory_mut(|memory| memory.set_focus_lock_filter(id, filter));
}

/// This frame's typing as bytes of a VT100.
fn typed(ui: &Ui, cx: &mut Cx<'_>) -> Vec<u8> {
    let events = ui.input(|input| input.events.clone());
    let mut bytes = Vec::new();
    for event in events {
        match event {
            Event::Key { key: Key::Tab, pressed: true, modifiers, .. } if modifiers.ctrl => {
                cx.push(Command::Ui(UiCommand::Focus(Panel::Lanes)));
                return Vec::new();
            }
            event => bytes.extend(bytes_of(&event)),
        }
    }
    bytes
}

/// What one event sends down the serial line.
fn bytes_of(event: &Event) -> Vec<u8> {
    match event {
        Event::Text(text) => text.bytes().collect(),
        Event::Paste(text) => text.replace("\r\n", "\r").replace('\n', "\r").into_bytes(),
        Event::Copy => vec![0x03], // Ctrl+C reaches us as "copy".
        Event::Cut => vec![0x18],
        Event::Key { key, pressed: true, modifiers, .. } => key_bytes(*key, *modifiers),
        _ => Vec::new(),
    }
}

fn key_bytes(key: Key, modifiers: Modifiers) -> Vec<u8> {
    if modifiers.ctrl && !modifiers.alt && !modifiers.shift {
        let letter = (key as usize).checked_sub(Key::A as usize).filter(|at| *at < 26);
        // C, V and X arrive as copy, paste and cut; Q leaves the program.
        let ours = matches!(key, Key::C | Key::V | Key::X | Key::Q);
        return letter.filter(|_| !ours).map(|at| vec![at as u8 + 1]).unwrap_or_default();
    }
    let sequence: &[u8] = match key {
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
    };
    sequence.to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: keys arrive as a terminal sends them; method: one of each kind.
    #[test]
    fn keys_become_bytes() {
        assert_eq!(key_bytes(Key::Enter, Modifiers::NONE), b"\r");
        assert_eq!(key_bytes(Key::Backspace, Modifiers::NONE), b"\x7f");
        assert_eq!(key_bytes(Key::ArrowUp, Modifiers::NONE), b"\x1b[A");
        assert_eq!(key_bytes(Key::U, Modifiers::CTRL), [0x15]);
        assert_eq!(key_bytes(Key::Z, Modifiers::CTRL), [0x1a]);
        assert_eq!(key_bytes(Key::S, Modifiers::NONE), b"", "letters come as text");
        assert_eq!(bytes_of(&Event::Copy), [0x03]);
        assert_eq!(bytes_of(&Event::Text("ipi 1 init".into())), b"ipi 1 init");
        assert_eq!(bytes_of(&Event::Paste("a\nb".into())), b"a\rb");
    }
}
