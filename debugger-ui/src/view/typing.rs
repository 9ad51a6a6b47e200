//! A surface that keys go through to the machine while it has the focus: the console and the screen. A thick frame says so; the
//! keys that go to a panel (Ctrl+2 and the like) and Ctrl+Tab lead out again.

use super::Cx;
use crate::command::{Command, Panel, UiCommand};
use crate::ui::keys;
use egui::{Color32, Event, EventFilter, Frame, Key, Margin, RichText, Role, Sense, Ui, WidgetInfo, vec2};

/// What a surface remembers.
#[derive(Debug, Default)]
pub struct State {
    /// Keys go to the machine.
    pub has_focus: bool,
}

/// A surface.
#[derive(Clone, Copy, Debug)]
pub struct Spec<'a> {
    /// "Console of the guest".
    pub name: &'a str,
    /// The command that puts the focus here.
    pub command: &'a str,
    /// Why nothing can be typed; None: it can.
    pub why_not: Option<&'a str>,
    /// Behind it.
    pub fill: Color32,
}

/// Draws it around `content`, which is told whether it has the focus. Returns what was typed, by `sends` in the machine's
/// words.
pub fn show(
    ui: &mut Ui,
    cx: &mut Cx<'_>,
    (state, take_focus): (&mut State, bool),
    spec: Spec<'_>,
    sends: impl Fn(&Event) -> Vec<u8>,
    content: impl FnOnce(&mut Ui, &Cx<'_>, bool),
) -> Vec<u8> {
    let id = ui.scope_id().with(spec.command);
    let hint = if let Some(why) = spec.why_not {
        why.to_owned()
    } else if state.has_focus {
        match keys::hint("go-lanes") {
            key if key.is_empty() => "Typing goes to the machine; Ctrl+Tab leaves.".to_owned(),
            key => format!("Typing goes to the machine; {key} returns, Ctrl+Tab leaves."),
        }
    } else {
        keys::with_hint("Click here to type to the machine", spec.command)
    };
    let frame = Frame::new()
        .fill(cx.t.sunken)
        .stroke(cx.t.stroke(1.0, cx.t.hairline))
        .corner_radius(4)
        .inner_margin(Margin::symmetric(8, 4));
    let mut typed = Vec::new();
    frame.show(ui, |ui| {
        // As large as the frame, so that the focus ring becomes the thick frame.
        let area = ui.available_rect_before_wrap().expand2(vec2(7.0, 3.0));
        let response = ui.interact(area, id, Sense::click());
        response.widget_info(|| WidgetInfo::labeled(Role::Terminal, true, format!("{}. {hint}", spec.name)));
        if take_focus || response.clicked() {
            response.request_focus();
        }
        let hint_text = RichText::new(&hint).small().color(if state.has_focus { cx.t.focus } else { cx.t.weak });
        ui.label(hint_text);
        Frame::new().fill(spec.fill).show(ui, |ui| content(ui, cx, state.has_focus));
        state.has_focus = response.has_focus();
        if state.has_focus {
            keep_keys(ui, id);
            typed = take(ui, cx, sends);
        }
    });
    typed
}

/// Tab, arrows and Escape are the machine's while the surface has the focus.
fn keep_keys(ui: &Ui, id: egui::Id) {
    let filter = EventFilter { tab: true, horizontal_arrows: true, vertical_arrows: true, escape: true };
    ui.memory_mut(|memory| memory.set_focus_lock_filter(id, filter));
}

/// This frame's typing.
fn take(ui: &Ui, cx: &mut Cx<'_>, sends: impl Fn(&Event) -> Vec<u8>) -> Vec<u8> {
    let events = ui.input(|input| input.events.clone());
    let mut bytes = Vec::new();
    for event in events {
        match event {
            Event::Key { key: Key::Tab, pressed: true, modifiers, .. } if modifiers.ctrl => {
                cx.push(Command::Ui(UiCommand::Focus(Panel::Lanes)));
                return Vec::new();
            }
            event => bytes.extend(sends(&event)),
        }
    }
    bytes
}

/// The letter that a key with Ctrl stands for: C, V and X arrive as copy, paste and cut, and Q leaves the program.
pub fn controlled(event: &Event) -> Option<char> {
    match event {
        Event::Copy => Some('c'),
        Event::Cut => Some('x'),
        Event::Key { key, pressed: true, modifiers, .. } if modifiers.ctrl && !modifiers.alt && !modifiers.shift => {
            let letter = (*key as usize).checked_sub(Key::A as usize).filter(|at| *at < 26);
            let ours = matches!(key, Key::C | Key::V | Key::X | Key::Q);
            letter.filter(|_| !ours).map(|at| char::from(b'a' + at as u8))
        }
        _ => None,
    }
}
