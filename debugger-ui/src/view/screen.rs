//! The guest's screen: the VGA's text memory in its own colours, with the cursor, and its keyboard.

use super::Cx;
use super::typing::{self, Spec, State};
use crate::command::Command;
use crate::model::scan_codes::{self, Named};
use crate::ui::theme::mono;
use egui::text::{LayoutJob, TextFormat};
use egui::{Color32, Event, Key, Label, RichText, ScrollArea, TextWrapMode, Ui};
use protocol::screen::{TextScreen, character};

/// The colours of text mode, as a VGA's palette has them after a reset.
const COLOURS: [Color32; 16] = [
    Color32::from_rgb(0x00, 0x00, 0x00),
    Color32::from_rgb(0x00, 0x00, 0xaa),
    Color32::from_rgb(0x00, 0xaa, 0x00),
    Color32::from_rgb(0x00, 0xaa, 0xaa),
    Color32::from_rgb(0xaa, 0x00, 0x00),
    Color32::from_rgb(0xaa, 0x00, 0xaa),
    Color32::from_rgb(0xaa, 0x55, 0x00),
    Color32::from_rgb(0xaa, 0xaa, 0xaa),
    Color32::from_rgb(0x55, 0x55, 0x55),
    Color32::from_rgb(0x55, 0x55, 0xff),
    Color32::from_rgb(0x55, 0xff, 0x55),
    Color32::from_rgb(0x55, 0xff, 0xff),
    Color32::from_rgb(0xff, 0x55, 0x55),
    Color32::from_rgb(0xff, 0x55, 0xff),
    Color32::from_rgb(0xff, 0xff, 0x55),
    Color32::from_rgb(0xff, 0xff, 0xff),
];
const SIZE: f32 = 13.0;

/// Draws the screen and passes typing on.
pub fn show(ui: &mut Ui, cx: &mut Cx<'_>, state: &mut State, take_focus: bool) {
    let foreign = cx.model.connection.offers.foreign.is_some();
    let why_not = foreign.then_some("This server does not tell what is on its screen: look at its own window.");
    let lit = cx.model.screen.text.as_ref().is_some_and(|screen| !screen.is_blank());
    let fill = if lit { COLOURS[0] } else { cx.t.sunken };
    let spec = Spec { name: "Screen of the guest", command: "go-screen", why_not, fill };
    let codes = typing::show(ui, cx, (state, take_focus), spec, codes_of, content);
    if !codes.is_empty() {
        cx.push(Command::PressKeys(codes));
    }
}

fn content(ui: &mut Ui, cx: &Cx<'_>, _focus: bool) {
    let Some(screen) = &cx.model.screen.text else { return };
    if screen.is_blank() {
        let text = "Nothing stands on it: the text memory at physical 000b_8000 is empty. Firstlight's own kernel prints to the \
                    serial console; its keyboard works here too.";
        ui.label(RichText::new(text).color(cx.t.weak));
        return;
    }
    ui.spacing_mut().item_spacing.y = 0.0;
    ScrollArea::both().auto_shrink(false).show(ui, |ui| {
        for row in 0..screen.rows {
            let response = ui.add(Label::new(line(screen, row)).wrap_mode(TextWrapMode::Extend).selectable(true));
            if screen.cursor.is_some_and(|at| at / screen.columns == row) {
                // The cursor's row comes into view when it moves; while it stands still the user may scroll away.
                let moved = ui.data_mut(|data| {
                    let last: &mut Option<u16> = data.get_temp_mut_or_default(ui.scope_id().with("cursor"));
                    std::mem::replace(last, screen.cursor) != screen.cursor
                });
                if moved {
                    response.scroll_to_me(None);
                }
            }
        }
    });
}

/// One row in its colours, with the cursor where it is.
fn line(screen: &TextScreen, row: u16) -> LayoutJob {
    let mut job = LayoutJob::default();
    let first = usize::from(row) * usize::from(screen.columns);
    let cells = screen.cells.iter().skip(first).take(usize::from(screen.columns));
    for (at, cell) in (first..).zip(cells) {
        let (colour, behind) = (COLOURS[usize::from(cell >> 8 & 0xf)], COLOURS[usize::from(cell >> 12 & 0x7)]);
        let cursor = screen.cursor.is_some_and(|cursor| usize::from(cursor) == at);
        // A block in place of the VGA's two lines: it is found from the back of a classroom.
        let (colour, behind) = if cursor { (COLOURS[0], COLOURS[15]) } else { (colour, behind) };
        let format = TextFormat { font_id: mono(SIZE), color: colour, background: behind, ..TextFormat::default() };
        let character = character(*cell as u8);
        match job.sections.last_mut() {
            Some(last) if last.format == format => {
                job.text.push(character);
                last.byte_range.end = job.text.len().into();
            }
            _ => job.append(&character.to_string(), 0.0, format),
        }
    }
    job
}

/// The keys that one event presses.
fn codes_of(event: &Event) -> Vec<u8> {
    if let Some(letter) = typing::controlled(event) {
        return scan_codes::with_control(letter);
    }
    match event {
        Event::Text(text) => text.chars().flat_map(scan_codes::character).collect(),
        Event::Paste(text) => text.replace("\r\n", "\n").chars().flat_map(of_character).collect(),
        Event::Key { key, pressed: true, modifiers, .. } if !modifiers.ctrl => {
            named(*key).map(scan_codes::named).unwrap_or_default()
        }
        _ => Vec::new(),
    }
}

fn of_character(character: char) -> Vec<u8> {
    match character {
        '\n' => scan_codes::named(Named::Enter),
        '\t' => scan_codes::named(Named::Tab),
        character => scan_codes::character(character),
    }
}

fn named(key: Key) -> Option<Named> {
    Some(match key {
        Key::Enter => Named::Enter,
        Key::Backspace => Named::Backspace,
        Key::Tab => Named::Tab,
        Key::Escape => Named::Escape,
        Key::ArrowUp => Named::Up,
        Key::ArrowDown => Named::Down,
        Key::ArrowLeft => Named::Left,
        Key::ArrowRight => Named::Right,
        Key::Home => Named::Home,
        Key::End => Named::End,
        Key::PageUp => Named::PageUp,
        Key::PageDown => Named::PageDown,
        Key::Insert => Named::Insert,
        Key::Delete => Named::Delete,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: a row is drawn in as few pieces as it has colours, the cursor being one. Method: white on blue, then grey, and a cursor.
    #[test]
    fn rows_have_their_colours() {
        let cells = vec![0x1f41, 0x1f42, 0x0720, 0x0743];
        let screen = TextScreen { columns: 4, rows: 1, cells, cursor: Some(3) };
        let job = line(&screen, 0);
        let pieces: Vec<_> = job.sections.iter().map(|piece| (piece.format.color, piece.format.background)).collect();
        let expected = [(15, 1), (7, 0), (0, 15)].map(|(colour, behind)| (COLOURS[colour], COLOURS[behind]));
        assert_eq!((job.text.as_str(), pieces), ("AB C", expected.to_vec()));
    }

    /// Goal: what is typed reaches the keyboard once. Method: a letter as text, its key event, Enter, pasted lines.
    #[test]
    fn keys() {
        let key =
            |key| Event::Key { key, physical_key: None, pressed: true, repeat: false, modifiers: Default::default() };
        assert_eq!(codes_of(&Event::Text("a".into())), [0x1c, 0xf0, 0x1c]);
        assert!(codes_of(&key(Key::A)).is_empty(), "letters come as text");
        assert_eq!(codes_of(&key(Key::Enter)), [0x5a, 0xf0, 0x5a]);
        assert_eq!(codes_of(&Event::Paste("a\n".into())), [0x1c, 0xf0, 0x1c, 0x5a, 0xf0, 0x5a]);
        assert_eq!(codes_of(&Event::Copy), [0x14, 0x21, 0xf0, 0x21, 0xf0, 0x14]);
    }
}
