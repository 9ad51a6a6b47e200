//! A long list of which only the rows in view are drawn: code, page tables, events, breakpoints.
//!
//! The list is one stop of the Tab key. Inside it the arrows, Page Up/Down, Home and End move a cursor, which stays in
//! view; what Enter, Left and Right mean is the caller's. Rows out of view are not in the accessibility tree, so each
//! row's name ends in its place, "3 of 12", and `find` looks through all of them, drawn or not.

mod find;

use super::tokens::Tokens;
use egui::{
    EventFilter, Id, Key, Pos2, Rect, Response, Role, ScrollArea, Sense, Ui, UiBuilder, WidgetInfo, pos2, vec2,
};
pub use find::{ask as ask_find, open as open_find, take as take_find};

/// What does not change from row to row.
#[derive(Clone, Copy, Debug)]
pub struct Spec<'a> {
    /// Unique within the parent.
    pub id: &'a str,
    /// Accessible name of the list: "Code of CPU 1".
    pub name: &'a str,
    /// How many rows there are.
    pub rows: usize,
    /// Height of one, in points.
    pub row_height: f32,
}

/// What a screen reader is told of a row. A plain name is enough for a list; a tree's rows have a level.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowName {
    /// Its name; "3 of 12" is put behind it.
    pub name: String,
    /// How deep it is in a tree, from 1; None: in a list.
    pub level: Option<usize>,
    /// Open or closed, where it can be.
    pub expanded: Option<bool>,
}

impl From<String> for RowName {
    fn from(name: String) -> Self {
        Self { name, level: None, expanded: None }
    }
}

/// What a list remembers.
#[derive(Clone, Copy, Debug, Default)]
pub struct State {
    /// The row that keys act on.
    pub cursor: usize,
    /// Bring this row into view in the next frame.
    pub reveal: Option<usize>,
    /// Take the focus in the next frame.
    pub focus: bool,
    /// It had the focus in the last frame.
    pub has_focus: bool,
}

/// What the user did to a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Act {
    /// Clicked at this point.
    Click(Pos2),
    /// Double-clicked, or Enter.
    Open,
    /// Right: open or go in.
    Right,
    /// Left: close or go out.
    Left,
}

/// A frame's outcome.
#[derive(Debug)]
pub struct Outcome {
    /// The list as a whole: has it the focus?
    pub response: Response,
    /// What was done, to which row.
    pub act: Option<(usize, Act)>,
    /// The row below the pointer and where the pointer is.
    pub hovered: Option<(usize, Rect)>,
    /// The rows that were drawn.
    pub drawn: std::ops::Range<usize>,
}

/// Draws the rows in view. `draw` paints row n in a rectangle and returns its accessible name, a text or a [`RowName`].
pub fn show<Name: Into<RowName>>(
    ui: &mut Ui,
    t: &Tokens,
    spec: Spec<'_>,
    state: &mut State,
    mut draw: impl FnMut(&mut Ui, usize, Rect) -> Name,
) -> Outcome {
    let id = ui.make_persistent_id(spec.id);
    find::show(ui, t, spec, id, state, &mut draw);
    let area = ui.available_rect_before_wrap();
    let response = ui.interact(area, id, Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::List, true, format!("{}, {} rows", spec.name, spec.rows)));
    if std::mem::take(&mut state.focus) || response.clicked() {
        response.request_focus();
    }
    let focused = response.has_focus();
    state.has_focus = focused;
    let mut act = None;
    if focused && spec.rows > 0 {
        let page = (area.height() / spec.row_height).max(2.0) as usize - 1;
        act = keys(ui, id, state, spec.rows, page);
    }
    state.cursor = state.cursor.min(spec.rows.saturating_sub(1));
    let scroll = ScrollArea::vertical().id_salt((spec.id, "rows")).auto_shrink(false);
    // Where there is little room, less than egui's least height, rows must not run over what is below.
    let scroll = scroll.min_scrolled_height(0.0);
    let reveal = state.reveal.take();
    let (mut hovered, mut drawn) = (None, 0..0);
    let mut is_tree = false;
    // The rows belong to the list also for a screen reader.
    let mut inside =
        ui.new_child(UiBuilder::new().id_salt((spec.id, "inside")).max_rect(area).accessibility_parent(id));
    scroll.show_viewport(&mut inside, |ui, viewport| {
        let total = spec.rows as f32 * spec.row_height;
        ui.set_height(total.max(1.0));
        let width = ui.available_width();
        let top = ui.max_rect().min;
        let first = (viewport.min.y / spec.row_height).floor().max(0.0) as usize;
        let last = ((viewport.max.y / spec.row_height).ceil() as usize).min(spec.rows);
        drawn = first..last;
        if let Some(row) = reveal {
            let at = row as f32 * spec.row_height;
            bring_into_view(
                ui,
                viewport,
                at,
                Rect::from_min_size(pos2(top.x, top.y + at), vec2(width, spec.row_height)),
            );
        }
        for row in first..last {
            let min = pos2(top.x, top.y + row as f32 * spec.row_height);
            let rect = Rect::from_min_size(min, vec2(width, spec.row_height));
            let touched = ui.interact(rect, id.with(row), Sense::CLICK);
            if row == state.cursor && focused {
                ui.painter().rect_stroke(rect, 2, t.stroke(1.5, t.focus), egui::StrokeKind::Inside);
            }
            let mut child = ui.new_child(UiBuilder::new().id_salt(row).max_rect(rect));
            child.set_clip_rect(rect.intersect(ui.clip_rect()));
            let name: RowName = draw(&mut child, row, rect).into();
            is_tree |= name.level.is_some();
            describe(ui, &touched, &name, row, spec.rows, row == state.cursor);
            if touched.hovered() {
                hovered = Some((row, rect));
            }
            if touched.double_clicked() {
                act = Some((row, Act::Open));
            } else if touched.clicked() {
                act = Some((row, Act::Click(touched.interact_pointer_pos().unwrap_or(rect.min))));
            }
            if touched.clicked() {
                state.cursor = row;
                ui.memory_mut(|memory| memory.request_focus(id));
            }
        }
    });
    ui.advance_cursor_after_rect(area);
    let chosen = id.with(state.cursor);
    let chosen_is_drawn = focused && ui.ctx().read_response(chosen).is_some();
    ui.ctx().accesskit_node_builder(id, |node| {
        if is_tree {
            node.set_role(Role::Tree);
        }
        node.set_size_of_set(spec.rows);
        if chosen_is_drawn {
            node.set_active_descendant(chosen.accesskit_id());
        }
    });
    Outcome { response, act, hovered, drawn }
}

/// Tells a screen reader what a row is, and where it stands in the list.
fn describe(ui: &Ui, row: &Response, name: &RowName, at: usize, rows: usize, chosen: bool) {
    let role = if name.level.is_some() { Role::TreeItem } else { Role::ListItem };
    row.widget_info(|| WidgetInfo::labeled(role, true, format!("{}, {} of {rows}", name.name, at + 1)));
    ui.ctx().accesskit_node_builder(row.id, |node| {
        node.set_selected(chosen);
        node.set_position_in_set(at + 1);
        node.set_size_of_set(rows);
        if let Some(level) = name.level {
            node.set_level(level);
        }
        if let Some(expanded) = name.expanded {
            node.set_expanded(expanded);
        }
    });
}

/// Moves the cursor by this frame's keys.
fn keys(ui: &Ui, id: Id, state: &mut State, rows: usize, page: usize) -> Option<(usize, Act)> {
    let filter = EventFilter { tab: false, horizontal_arrows: true, vertical_arrows: true, escape: false };
    ui.memory_mut(|memory| memory.set_focus_lock_filter(id, filter));
    let pressed = |key| ui.input(|input| input.modifiers.is_none() && input.key_pressed(key));
    let last = rows - 1;
    let cursor = state.cursor.min(last);
    let moved = if pressed(Key::ArrowDown) {
        (cursor + 1).min(last)
    } else if pressed(Key::ArrowUp) {
        cursor.saturating_sub(1)
    } else if pressed(Key::PageDown) {
        (cursor + page).min(last)
    } else if pressed(Key::PageUp) {
        cursor.saturating_sub(page)
    } else if pressed(Key::Home) {
        0
    } else if pressed(Key::End) {
        last
    } else {
        cursor
    };
    if moved != cursor {
        state.cursor = moved;
        state.reveal = Some(moved);
    }
    [(Key::Enter, Act::Open), (Key::ArrowRight, Act::Right), (Key::ArrowLeft, Act::Left)]
        .into_iter()
        .find(|(key, _)| pressed(*key))
        .map(|(_, act)| (state.cursor, act))
}

/// Scrolls to a row, unless it is in view.
fn bring_into_view(ui: &Ui, viewport: Rect, at: f32, row: Rect) {
    let in_view = at >= viewport.top() && at + row.height() <= viewport.bottom();
    if !in_view {
        ui.scroll_to_rect_animation(row, Some(egui::Align::Center), egui::style::ScrollAnimation::none());
    }
}
