//! Where the panels stand, in the layouts "Lesson" and "Explore"; they follow the window's size and the font scale.
//! `lecture` is the third layout.
//!
//! The keyboard goes through the panels in the order in which they are drawn: lesson, transport, lanes, code, CPU,
//! drawer. That is not their order from top to bottom, so rooms are laid out first and filled afterwards.

use super::drawer::Tab;
use super::{Cx, View, code, cpu_card, drawer, lanes, lecture, lesson, menu, narrator, page_tables, palette, status};
use super::{transport, triple_fault};
use crate::command::{Command, Layout, Panel as Place};
use crate::ui::words::Words;
use egui::style::ScrollAnimation;
use egui::{CentralPanel, Frame, Margin, Panel, Rect, ScrollArea, Sense, Ui, UiBuilder, vec2};
use lessons::player::page::Show;

/// From this width on, in points, the three columns stand side by side.
const THREE_COLUMNS: f32 = 1080.0;
/// From this width on there are two: the card, and code or page tables. Below it one, with tabs.
const TWO_COLUMNS: f32 = 760.0;
/// Width of the lesson's column.
const LESSON: f32 = 350.0;

/// Draws everything.
pub fn show(view: &mut View, ui: &mut Ui, cx: &mut Cx<'_>) {
    let bar = bar(cx);
    Panel::top("menu").frame(bar).resizable(false).show(ui, |ui| menu::show(view, ui, cx));
    if status::any(cx.model) {
        let frame = Frame::new().fill(cx.t.raised).inner_margin(Margin::symmetric(10, 6));
        Panel::top("banner").frame(frame).resizable(false).show(ui, |ui| status::show(ui, cx));
    }
    let layout = view.layout(cx.model);
    let least = least_height(view, ui.available_width(), layout);
    readable(ui, least, |ui| match layout {
        Layout::Lecture => lecture::show(view, ui, cx),
        Layout::Lesson => work(view, ui, cx, true),
        Layout::Explore => work(view, ui, cx, false),
    });
    palette::show(ui.ctx(), cx, &mut view.palette);
}

/// The least height, in points, at which what is below the menu can be read.
fn least_height(view: &View, width: f32, layout: Layout) -> f32 {
    let drawer = if view.drawer.open.is_some() { 200.0 } else { 0.0 };
    match layout {
        Layout::Lecture => 400.0,
        // Beside the lesson the drawer takes no room from it.
        Layout::Lesson if width >= THREE_COLUMNS => 440.0,
        // Bars need more lines where it is narrow.
        _ if width < TWO_COLUMNS => 520.0 + drawer,
        _ => 440.0 + drawer,
    }
}

/// A low window, or one with large text, is scrolled: its panels keep a height at which they can be read.
fn readable(ui: &mut Ui, least: f32, draw: impl FnOnce(&mut Ui)) {
    ScrollArea::vertical().id_salt("below the menu").auto_shrink(false).show(ui, |ui| {
        let size = vec2(ui.available_width(), ui.available_height().max(least));
        let (rect, _) = ui.allocate_exact_size(size, Sense::hover());
        draw(&mut ui.new_child(UiBuilder::new().id_salt("all").max_rect(rect)));
    });
}

/// The frame of a bar.
pub(super) fn bar(cx: &Cx<'_>) -> Frame {
    Frame::new().fill(cx.t.panel).inner_margin(Margin::symmetric(8, 3))
}

/// The frame of a column.
pub(super) fn column(cx: &Cx<'_>) -> Frame {
    Frame::new().fill(cx.t.panel).inner_margin(Margin::symmetric(8, 6))
}

/// Lays a panel out and leaves it empty: it is filled later.
fn room(panel: Panel, ui: &mut Ui) -> Rect {
    let inside = panel.show(ui, |ui| {
        ui.take_available_space();
        ui.max_rect()
    });
    inside.inner
}

/// Fills a room.
fn fill<R>(ui: &mut Ui, id: &str, room: Rect, draw: impl FnOnce(&mut Ui) -> R) -> R {
    let mut child = ui.new_child(UiBuilder::new().id_salt(id).max_rect(room));
    child.set_clip_rect(room.expand2(vec2(8.0, 3.0)).intersect(ui.clip_rect()));
    draw(&mut child)
}

/// The lanes, the bars and the columns.
fn work(view: &mut View, ui: &mut Ui, cx: &mut Cx<'_>, with_lesson: bool) {
    let t = cx.t;
    let (bar, column) = (bar(cx), column(cx));
    let began = std::mem::take(&mut view.step_began).then_some(Place::Lesson);
    let wanted = view.focus.or(began);
    let lanes_height = lanes::height(cx.model, ui.available_height());
    let lanes_frame = Frame::new().fill(t.sunken);
    let lanes_room = room(Panel::top("lanes").frame(lanes_frame).resizable(false).exact_size(lanes_height), ui);
    let transport_panel = Panel::top("transport").frame(bar).resizable(false);
    let transport_room = room(transport_panel.exact_size(view.transport_height + 6.0), ui);
    let sentence = Frame::new().fill(t.raised).inner_margin(Margin::symmetric(10, 5));
    Panel::top("narrator").frame(sentence).resizable(false).show(ui, |ui| narrator::show(ui, cx));
    let beside = with_lesson && ui.available_width() >= THREE_COLUMNS;
    if beside {
        let take = view.takes_focus(Place::Lesson);
        let panel = Panel::left("lesson").frame(column).resizable(false).exact_size(LESSON);
        panel.show(ui, |ui| lesson::show(ui, cx, &mut view.lesson, take));
    }
    // Beside the lesson, so that they never take its room.
    let drawer_room = drawer::room(view, ui, cx, bar);
    note(view, ui, cx);
    let rest = ui.available_rect_before_wrap();
    let in_tab = with_lesson && !beside;
    let in_view = wanted.map(|place| match place {
        Place::Lanes => lanes_room,
        Place::Lesson | Place::Code | Place::Cpu | Place::PageTables => rest,
        _ => drawer_room,
    });
    if let Some(room) = in_view {
        ui.scroll_to_rect_animation(room, None, ScrollAnimation::none());
    }
    if in_tab {
        // The lesson comes first for the keyboard, also as a tab.
        fill(ui, "columns", rest, |ui| columns(view, ui, cx, column, Columns { with_lesson, in_tab }));
    }
    let take = view.takes_focus(Place::Lanes);
    let height = fill(ui, "transport", transport_room, |ui| {
        transport::show(ui, cx, transport::Buttons::All);
        ui.min_rect().height()
    });
    if (height - view.transport_height).abs() > 0.5 {
        view.transport_height = height;
        ui.ctx().request_discard("the transport bar has another height");
    }
    fill(ui, "lanes", lanes_room, |ui| lanes::show(ui, cx, &mut view.lanes, take));
    if !in_tab {
        fill(ui, "columns", rest, |ui| columns(view, ui, cx, column, Columns { with_lesson, in_tab }));
    }
    fill(ui, "drawer", drawer_room, |ui| drawer::show(view, ui, cx));
}

/// What the columns are to hold.
#[derive(Clone, Copy)]
struct Columns {
    /// A lesson is on: page tables stand below code and card.
    with_lesson: bool,
    /// The lesson is one of the tabs.
    in_tab: bool,
}

/// Opens what a step of a lesson needs, where it is not in view anyway, and closes what only the step before needed.
pub fn open_panels(view: &mut View, shown: &[Show]) {
    let before = view.drawer.for_step.take();
    if before.is_some() && view.drawer.open == before {
        view.drawer.open = None;
    }
    for show in shown {
        let tab = match show {
            Show::Console => Tab::Console,
            Show::Events => Tab::Events,
            Show::Memory => Tab::Memory,
            Show::Gdt | Show::Idt => Tab::Descriptors,
            Show::Tlb => Tab::Tlb,
            Show::Registers | Show::Segments | Show::SystemRegisters | Show::Apic => {
                view.card.open_section = Some(*show);
                continue;
            }
            Show::TwoRoots => {
                // What two roots share is seen by ranges.
                view.tables.ranges = true;
                continue;
            }
            Show::Lanes | Show::Code | Show::Cpu | Show::PageTables => continue,
        };
        // What the learner has opened stays open, should this step need it as well.
        view.drawer.for_step = (view.drawer.open != Some(tab)).then_some(tab).or(view.drawer.for_step);
        view.drawer.open = Some(tab);
    }
    // Where a step is about a CPU and none of its sections, it is about the mode, which may be scrolled out of sight.
    view.card.to_top = shown.contains(&Show::Cpu) && view.card.open_section.is_none();
}

/// Page tables, code and CPU card: side by side, or behind tabs where the window is narrow or the text large.
fn columns(view: &mut View, ui: &mut Ui, cx: &mut Cx<'_>, frame: Frame, what: Columns) {
    if let Some(place @ (Place::PageTables | Place::Code | Place::Cpu | Place::Lesson)) = view.focus {
        view.column = place;
        if place == Place::PageTables && !cx.model.page_tables.shown {
            cx.push(Command::ShowPageTables(true));
        }
    }
    if view.column == Place::Lesson && !what.in_tab {
        view.column = Place::Code;
    }
    // A lesson that becomes a tab stays what is read.
    if what.in_tab && !std::mem::replace(&mut view.lesson_in_tab, what.in_tab) {
        view.column = Place::Lesson;
    }
    view.lesson_in_tab = what.in_tab;
    let width = ui.available_width();
    if what.with_lesson && !what.in_tab {
        return beside_lesson(view, ui, cx, frame);
    }
    if triple_fault::any(cx.model) && view.column != Place::Lesson {
        CentralPanel::default().frame(frame).show(ui, |ui| triple_fault::show(ui, cx));
        return;
    }
    if width >= THREE_COLUMNS && !what.in_tab {
        return explore(view, ui, cx, frame);
    }
    if width >= TWO_COLUMNS {
        card(view, ui, cx, frame, "narrow cpu", width * 0.42);
    }
    CentralPanel::default().frame(frame).show(ui, |ui| {
        tabs(view, ui, cx, what.in_tab, width < TWO_COLUMNS);
        let place = view.column;
        view.tabs = true;
        // Page tables are there from the next frame on: the focus waits for them.
        let there = place != Place::PageTables || cx.model.page_tables.shown;
        let take = there && view.takes_focus(place);
        match place {
            Place::Lesson => lesson::show(ui, cx, &mut view.lesson, take),
            Place::PageTables if cx.model.page_tables.shown => page_tables::show(ui, cx, &mut view.tables, take),
            Place::Cpu if width < TWO_COLUMNS => cpu_card::show(ui, cx, &mut view.card, take),
            _ => code::show(ui, cx, &mut view.code, take),
        }
    });
}

/// Code and card beside the lesson; page tables, when a step needs them, below both.
fn beside_lesson(view: &mut View, ui: &mut Ui, cx: &mut Cx<'_>, frame: Frame) {
    if triple_fault::any(cx.model) {
        CentralPanel::default().frame(frame).show(ui, |ui| triple_fault::show(ui, cx));
        return;
    }
    let tables = cx.model.page_tables.shown.then(|| {
        let height = ui.available_height() * 0.55;
        room(Panel::bottom("lesson tables").frame(frame).resizable(false).exact_size(height), ui)
    });
    let take = view.takes_focus(Place::Code);
    let card_width = (ui.available_width() * 0.42).clamp(330.0, 430.0);
    let card_panel = Panel::right("lesson cpu").frame(frame).resizable(false).exact_size(card_width);
    let card_room = room(card_panel, ui);
    CentralPanel::default().frame(frame).show(ui, |ui| code::show(ui, cx, &mut view.code, take));
    let take = view.takes_focus(Place::Cpu);
    fill(ui, "cpu room", card_room, |ui| cpu_card::show(ui, cx, &mut view.card, take));
    if let Some(tables) = tables {
        let take = view.takes_focus(Place::PageTables);
        fill(ui, "tables room", tables, |ui| page_tables::show(ui, cx, &mut view.tables, take));
    }
}

/// Page tables at the left, code, card.
fn explore(view: &mut View, ui: &mut Ui, cx: &mut Cx<'_>, frame: Frame) {
    let width = ui.available_width();
    let two = cx.model.page_tables.shown && cx.model.page_tables.views.len() > 1;
    if two {
        // Two roots need the width: they take the lower part of all columns.
        let take = view.takes_focus(Place::PageTables);
        let height = ui.available_height() * 0.55;
        let panel = Panel::bottom("two roots").frame(frame).resizable(true).default_size(height);
        panel.size_range(120.0..=(ui.available_height() * 0.8).max(121.0)).show(ui, |ui| {
            ui.take_available_space();
            page_tables::show(ui, cx, &mut view.tables, take);
        });
    }
    card(view, ui, cx, frame, "cpu", 370.0);
    if cx.model.page_tables.shown && !two && page_tables::nothing_to_show(cx.model) {
        // The code's comments need the room more.
        let take = view.takes_focus(Place::PageTables);
        let panel = Panel::left("no page tables").frame(frame).resizable(false).exact_size(190.0);
        panel.show(ui, |ui| page_tables::show_nothing(ui, cx, take));
    } else if cx.model.page_tables.shown && !two {
        let take = view.takes_focus(Place::PageTables);
        Panel::left("page tables").frame(frame).default_size(350.0).size_range(300.0..=width - 700.0).show(ui, |ui| {
            page_tables::show(ui, cx, &mut view.tables, take);
        });
    }
    let take = view.takes_focus(Place::Code);
    CentralPanel::default().frame(frame).show(ui, |ui| code::show(ui, cx, &mut view.code, take));
}

fn card(view: &mut View, ui: &mut Ui, cx: &mut Cx<'_>, frame: Frame, id: &str, width: f32) {
    let take = view.takes_focus(Place::Cpu);
    Panel::right(id).frame(frame).default_size(width).size_range(280.0..=640.0).show(ui, |ui| {
        cpu_card::show(ui, cx, &mut view.card, take);
    });
}

/// Which panel the one column shows.
fn tabs(view: &mut View, ui: &mut Ui, cx: &mut Cx<'_>, with_lesson: bool, with_card: bool) {
    ui.horizontal(|ui| {
        for (place, label, key) in [
            (Place::Lesson, "Lesson", "go-lesson"),
            (Place::Code, "Code", "go-code"),
            (Place::PageTables, "Page tables", "go-page-tables"),
            (Place::Cpu, "CPU", "go-cpu"),
        ] {
            if place == Place::Cpu && !with_card || place == Place::Lesson && !with_lesson {
                continue;
            }
            let open = view.column == place;
            let hint = format!("{} ({})", label, crate::ui::keys::hint(key));
            let response = ui.add(egui::Button::selectable(open, label)).on_hover_text(hint);
            response.widget_info(|| egui::WidgetInfo::selected(egui::Role::Tab, true, open, label));
            if response.clicked() {
                view.column = place;
                if place == Place::PageTables && !cx.model.page_tables.shown {
                    cx.push(Command::ShowPageTables(true));
                }
            }
        }
    });
}

/// The explanation that `?` left open.
fn note(view: &mut View, ui: &mut Ui, cx: &mut Cx<'_>) {
    let Some(words) = view.note.clone() else { return };
    let frame = Frame::new().fill(cx.t.raised).inner_margin(Margin::symmetric(10, 6));
    let mut keep = true;
    Panel::bottom("note").frame(frame).resizable(false).show(ui, |ui| {
        ui.horizontal_top(|ui| {
            let text_width = (ui.available_width() - 150.0).max(200.0);
            ui.allocate_ui(vec2(text_width, 0.0), |ui| {
                ui.vertical(|ui| {
                    let text = Words { title: String::new(), ..words.clone() };
                    ui.label(egui::RichText::new(&words.title).strong());
                    ui.set_max_width(text_width);
                    show_selectable(ui, &text);
                });
            });
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Min), |ui| {
                keep = !ui.button("Close").on_hover_text("Close this note (Esc)").clicked();
                if ui.button("Copy").on_hover_text("Put this note on the clipboard").clicked() {
                    ui.ctx().copy_text(words.plain());
                }
            });
        });
    });
    let escape = ui.input(|input| input.key_pressed(egui::Key::Escape)) && !view.palette.is_open();
    if !keep || escape {
        view.note = None;
    }
}

/// An explanation whose text can be marked and read by a screen reader.
fn show_selectable(ui: &mut Ui, words: &Words) {
    ui.add(egui::Label::new(&words.says).selectable(true).wrap());
    if !words.source.is_empty() {
        ui.add(egui::Label::new(egui::RichText::new(&words.source).small().weak()).selectable(true).wrap());
    }
}
