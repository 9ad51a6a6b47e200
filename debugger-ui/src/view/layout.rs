//! Where the panels stand: the "Explore" layout of 1280 x 800, which follows the window's size and the font scale.

use super::{Cx, View, code, cpu_card, drawer, lanes, menu, narrator, page_tables, palette, status, transport};
use crate::command::{Command, Panel as Place};
use crate::ui::words::Words;
use egui::{CentralPanel, Frame, Margin, Panel, Ui};

/// From this width on, in points, the three columns stand side by side.
const THREE_COLUMNS: f32 = 1080.0;
/// From this width on there are two: the card, and code or page tables. Below it one, with tabs.
const TWO_COLUMNS: f32 = 760.0;

/// Draws everything.
pub fn show(view: &mut View, ui: &mut Ui, cx: &mut Cx<'_>) {
    let t = cx.t;
    let bar = Frame::new().fill(t.panel).inner_margin(Margin::symmetric(8, 3));
    let column = Frame::new().fill(t.panel).inner_margin(Margin::symmetric(8, 6));
    Panel::top("menu").frame(bar).resizable(false).show(ui, |ui| menu::show(view, ui, cx));
    if status::any(cx.model) {
        let frame = Frame::new().fill(t.raised).inner_margin(Margin::symmetric(10, 6));
        Panel::top("banner").frame(frame).resizable(false).show(ui, |ui| status::show(ui, cx));
    }
    let lanes_height = lanes::height(cx.model, ui.available_height());
    let lanes_frame = Frame::new().fill(t.sunken).inner_margin(Margin::symmetric(0, 0));
    let take = view.takes_focus(Place::Lanes);
    Panel::top("lanes").frame(lanes_frame).resizable(false).exact_size(lanes_height).show(ui, |ui| {
        lanes::show(ui, cx, &mut view.lanes, take);
    });
    Panel::top("transport").frame(bar).resizable(false).show(ui, |ui| transport::show(ui, cx));
    let sentence = Frame::new().fill(t.raised).inner_margin(Margin::symmetric(10, 5));
    Panel::top("narrator").frame(sentence).resizable(false).show(ui, |ui| narrator::show(ui, cx));
    drawer::show(view, ui, cx, bar);
    note(view, ui, cx);

    columns(view, ui, cx, column);
    palette::show(ui.ctx(), cx, &mut view.palette);
}

/// Page tables, code and CPU card: side by side, or behind tabs where the window is narrow or the text large.
fn columns(view: &mut View, ui: &mut Ui, cx: &mut Cx<'_>, frame: Frame) {
    if let Some(place @ (Place::PageTables | Place::Code | Place::Cpu)) = view.focus {
        view.column = place;
        if place == Place::PageTables && !cx.model.page_tables.shown {
            cx.push(Command::ShowPageTables(true));
        }
    }
    let width = ui.available_width();
    if width >= THREE_COLUMNS {
        card(view, ui, cx, frame, "cpu", 370.0);
        if cx.model.page_tables.shown && page_tables::nothing_to_show(cx.model) {
            // The code's comments need the room more.
            let take = view.takes_focus(Place::PageTables);
            let panel = Panel::left("no page tables").frame(frame).resizable(false).exact_size(190.0);
            panel.show(ui, |ui| page_tables::show_nothing(ui, cx, take));
        } else if cx.model.page_tables.shown {
            let two = cx.model.page_tables.views.len() > 1;
            let (id, wide) = if two { ("two page tables", 470.0) } else { ("page tables", 350.0) };
            let take = view.takes_focus(Place::PageTables);
            Panel::left(id).frame(frame).default_size(wide).size_range(300.0..=width - 700.0).show(ui, |ui| {
                page_tables::show(ui, cx, &mut view.tables, take);
            });
        }
        let take = view.takes_focus(Place::Code);
        CentralPanel::default().frame(frame).show(ui, |ui| code::show(ui, cx, &mut view.code, take));
        return;
    }
    if width >= TWO_COLUMNS {
        card(view, ui, cx, frame, "narrow cpu", width * 0.42);
    }
    CentralPanel::default().frame(frame).show(ui, |ui| {
        tabs(view, ui, cx, width < TWO_COLUMNS);
        let place = view.column;
        let take = view.takes_focus(place);
        match place {
            Place::PageTables if cx.model.page_tables.shown => page_tables::show(ui, cx, &mut view.tables, take),
            Place::Cpu if width < TWO_COLUMNS => cpu_card::show(ui, cx, &mut view.card, take),
            _ => code::show(ui, cx, &mut view.code, take),
        }
    });
}

fn card(view: &mut View, ui: &mut Ui, cx: &mut Cx<'_>, frame: Frame, id: &str, width: f32) {
    let take = view.takes_focus(Place::Cpu);
    Panel::right(id).frame(frame).default_size(width).size_range(280.0..=640.0).show(ui, |ui| {
        cpu_card::show(ui, cx, &mut view.card, take);
    });
}

/// Which panel the one column shows.
fn tabs(view: &mut View, ui: &mut Ui, cx: &mut Cx<'_>, with_card: bool) {
    ui.horizontal(|ui| {
        for (place, label, key) in [
            (Place::Code, "Code", "go-code"),
            (Place::PageTables, "Page tables", "go-page-tables"),
            (Place::Cpu, "CPU", "go-cpu"),
        ] {
            if place == Place::Cpu && !with_card {
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
            ui.allocate_ui(egui::vec2(text_width, 0.0), |ui| {
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
