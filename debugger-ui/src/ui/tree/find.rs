//! Find in a list, also in the rows that are out of view: a line above the list that had the focus last. The rows' names
//! are asked of the list's own `draw`, on a pass that paints nothing.

use super::{RowName, Spec, State};
use crate::ui::tokens::Tokens;
use egui::{Context, Id, Key, Rect, RichText, TextEdit, Ui, UiBuilder, vec2};

/// So many rows are looked through.
const MOST: usize = 50_000;

/// The one search of the window, and the lists that there are.
#[derive(Clone, Debug, Default)]
struct Finding {
    /// The list that is searched.
    list: Option<Id>,
    text: String,
    /// Opened in this frame.
    fresh: bool,
    /// What was found, in words.
    said: String,
    /// The list that had the focus last.
    last: Option<Id>,
    /// Every list that was drawn once.
    lists: Vec<Id>,
}

fn key() -> Id {
    Id::unique("find in a list")
}

fn load(ctx: &Context) -> Finding {
    ctx.data(|data| data.get_temp(key())).unwrap_or_default()
}

fn store(ctx: &Context, finding: Finding) {
    ctx.data_mut(|data| data.insert_temp(key(), finding));
}

fn asked_key() -> Id {
    Id::unique("find was asked for")
}

/// The command was given in this frame: a list with a find field of its own may take it while it is drawn.
pub fn ask(ctx: &Context) {
    ctx.data_mut(|data| data.insert_temp(asked_key(), false));
}

/// Takes the command, if it was given in this frame and nobody took it.
pub fn take(ctx: &Context) -> bool {
    let asked = ctx.data(|data| data.get_temp::<bool>(asked_key())) == Some(false);
    if asked {
        ctx.data_mut(|data| data.insert_temp(asked_key(), true));
    }
    asked
}

/// Carries the command out, unless a list took it: opens the line above the list that has the focus or had it last, else above the first on the screen.
pub fn open(ctx: &Context) {
    if ctx.data_mut(|data| data.remove_temp::<bool>(asked_key())) == Some(true) {
        return;
    }
    let mut finding = load(ctx);
    let drawn = |id: &Id| ctx.read_response(*id).is_some();
    let list = finding.last.filter(drawn).or_else(|| finding.lists.iter().copied().find(drawn));
    finding.fresh = list.is_some();
    finding.list = list;
    finding.said = String::new();
    store(ctx, finding);
}

/// Which way to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Go {
    /// From the cursor on, the cursor's row too.
    Here,
    Next,
    Previous,
}

/// Draws the line, if this list is searched, and moves the list's cursor to what is found.
pub fn show<Name: Into<RowName>>(
    ui: &mut Ui,
    t: &Tokens,
    spec: Spec<'_>,
    id: Id,
    state: &mut State,
    draw: &mut impl FnMut(&mut Ui, usize, Rect) -> Name,
) {
    let mut finding = load(ui.ctx());
    let focused = ui.memory(|memory| memory.has_focus(id));
    if !finding.lists.contains(&id) || (focused && finding.last != Some(id)) {
        finding.lists.retain(|list| *list != id);
        finding.lists.push(id);
        finding.last = if focused { Some(id) } else { finding.last };
        store(ui.ctx(), finding.clone());
    }
    if finding.list != Some(id) {
        return;
    }
    let (go, close) = line(ui, t, spec, &mut finding);
    if let Some(go) = go.filter(|_| !finding.text.trim().is_empty()) {
        let names = names(ui, spec, draw);
        finding.said = match look(&names, finding.text.trim(), state.cursor, go) {
            None => "not found".to_owned(),
            Some((row, nth, all)) => {
                (state.cursor, state.reveal) = (row, Some(row));
                format!("{nth} of {all}: {}", names[row])
            }
        };
    }
    if close {
        finding = Finding { list: None, ..finding };
        state.focus = true;
    }
    store(ui.ctx(), finding);
}

/// The text field with its buttons.
fn line(ui: &mut Ui, t: &Tokens, spec: Spec<'_>, finding: &mut Finding) -> (Option<Go>, bool) {
    let (mut go, mut close) = (None, false);
    ui.horizontal_wrapped(|ui| {
        let label = ui.label(RichText::new("Find").color(t.weak)).id;
        let edit = TextEdit::singleline(&mut finding.text).hint_text("text in a row").desired_width(150.0);
        let response = ui.add(edit).labelled_by(label);
        if std::mem::take(&mut finding.fresh) {
            response.request_focus();
        }
        if response.changed() {
            go = Some(Go::Here);
        }
        if response.has_focus() || response.lost_focus() {
            let (enter, escape, shift) = ui
                .input(|input| (input.key_pressed(Key::Enter), input.key_pressed(Key::Escape), input.modifiers.shift));
            if enter {
                go = Some(if shift { Go::Previous } else { Go::Next });
                response.request_focus();
            }
            close |= escape;
        }
        if ui.button("Next").on_hover_text("The next row with this text (Enter)").clicked() {
            go = Some(Go::Next);
        }
        if ui.button("Previous").on_hover_text("The row before with this text (Shift+Enter)").clicked() {
            go = Some(Go::Previous);
        }
        let name = format!("Close find in {}", spec.name);
        let response = ui.button("Close").on_hover_text("Back to the list (Escape)");
        response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, &name));
        close |= response.clicked();
        let response = ui.add(egui::Label::new(RichText::new(&finding.said).color(t.text)).truncate());
        ui.ctx().accesskit_node_builder(response.id, |node| node.set_live(egui::accesskit::Live::Polite));
    });
    (go, close)
}

/// The names of all rows.
fn names<Name: Into<RowName>>(
    ui: &mut Ui,
    spec: Spec<'_>,
    draw: &mut impl FnMut(&mut Ui, usize, Rect) -> Name,
) -> Vec<String> {
    let rect = Rect::from_min_size(ui.cursor().min, vec2(ui.available_width(), spec.row_height));
    (0..spec.rows.min(MOST))
        .map(|row| {
            let builder = UiBuilder::new().id_salt(("find", row)).max_rect(rect).invisible().sizing_pass();
            let mut child = ui.new_child(builder);
            child.set_clip_rect(Rect::NOTHING);
            draw(&mut child, row, rect).into().name
        })
        .collect()
}

/// The row, its number among those that match, and how many those are. Wraps round.
fn look(names: &[String], text: &str, cursor: usize, go: Go) -> Option<(usize, usize, usize)> {
    let text = text.to_lowercase();
    let matches: Vec<usize> = (0..names.len()).filter(|row| names[*row].to_lowercase().contains(&text)).collect();
    let last = matches.last().copied()?;
    let row = match go {
        Go::Here => matches.iter().copied().find(|row| *row >= cursor).unwrap_or(matches[0]),
        Go::Next => matches.iter().copied().find(|row| *row > cursor).unwrap_or(matches[0]),
        Go::Previous => matches.iter().rev().copied().find(|row| *row < cursor).unwrap_or(last),
    };
    let nth = matches.iter().position(|other| *other == row)? + 1;
    Some((row, nth, matches.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: the next, the previous and the first match are found, round the ends; method: a list with two matches.
    #[test]
    fn looking() {
        let names: Vec<String> = ["cli", "mov CR0,eax", "jmp", "mov cr3,eax"].map(str::to_owned).into();
        assert_eq!(look(&names, "cr", 0, Go::Here), Some((1, 1, 2)));
        assert_eq!(look(&names, "cr", 1, Go::Here), Some((1, 1, 2)));
        assert_eq!(look(&names, "cr", 1, Go::Next), Some((3, 2, 2)));
        assert_eq!(look(&names, "cr", 3, Go::Next), Some((1, 1, 2)));
        assert_eq!(look(&names, "CR", 1, Go::Previous), Some((3, 2, 2)));
        assert_eq!(look(&names, "hlt", 0, Go::Next), None);
    }
}
