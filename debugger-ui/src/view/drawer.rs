//! The drawer at the bottom: console, events, breakpoints, bookmarks, memory, descriptor tables, TLB, screen, glossary, machine. Closed it
//! is a line of tabs; the gdb line stands at its right end, since it must be copied from somewhere that does not go away.

use super::{
    Cx, View, bookmarks, breakpoints, console, descriptors, events, glossary, memory, preferences, screen, settings,
    tlb, typing,
};
use crate::command::{Command, Panel as Place, Reading};
use crate::ui::keys;
use egui::{Align, Button, Frame, Layout, Margin, Panel, Rect, RichText, Ui};

/// What can be open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tab {
    /// The guest's console.
    Console,
    /// The event list.
    Events,
    /// Breakpoints.
    Breakpoints,
    /// Bookmarks.
    Bookmarks,
    /// Memory.
    Memory,
    /// GDT and IDT.
    Descriptors,
    /// The selected CPU's TLB.
    Tlb,
    /// The guest's screen.
    Screen,
    /// The glossary.
    Glossary,
    /// The machine's settings.
    Machine,
    /// The window's settings.
    Settings,
}

/// What the drawer remembers.
#[derive(Debug, Default)]
pub struct State {
    /// The open tab.
    pub open: Option<Tab>,
    /// The tab that the lesson's step has opened.
    pub(super) for_step: Option<Tab>,
    /// Height of the line of tabs, which wraps where the window is narrow or the text large.
    tabs_height: f32,
    pub(super) console: typing::State,
    pub(super) screen: typing::State,
    pub(super) events: events::State,
    pub(super) breakpoints: breakpoints::State,
    pub(super) bookmarks: bookmarks::State,
    pub(super) memory: memory::State,
    pub(super) descriptors: descriptors::State,
    pub(super) tlb: crate::ui::tree::State,
    pub(super) glossary: glossary::State,
}

/// Lays the drawer out: a line of tabs, or the tabs and what is open.
pub fn room(view: &View, ui: &mut Ui, cx: &Cx<'_>, bar: Frame) -> Rect {
    let inside = Frame::new().fill(cx.t.panel).inner_margin(Margin::symmetric(8, 6));
    let panel = if view.drawer.open.is_some() {
        let most = (ui.available_height() * 0.55).max(100.0);
        Panel::bottom("drawer").frame(inside).resizable(true).default_size(200.0).size_range(90.0..=most)
    } else {
        Panel::bottom("tabs")
            .frame(bar)
            .resizable(false)
            .exact_size(view.drawer.tabs_height.max(ui.spacing().interact_size.y) + 6.0)
    };
    let filled = panel.show(ui, |ui| {
        ui.take_available_space(); // Whatever is open, the drawer keeps its height.
        ui.max_rect()
    });
    filled.inner
}

/// Draws tabs and, below them, what is open.
pub fn show(view: &mut View, ui: &mut Ui, cx: &mut Cx<'_>) {
    let console = view.takes_focus(Place::Console);
    let events_take = view.takes_focus(Place::Events);
    let breakpoints_take = view.takes_focus(Place::Breakpoints);
    let bookmarks_take = view.takes_focus(Place::Bookmarks);
    let memory_take = view.takes_focus(Place::Memory);
    let descriptors_take = view.takes_focus(Place::Descriptors);
    let tlb_take = view.takes_focus(Place::Tlb);
    let screen_take = view.takes_focus(Place::Screen);
    let glossary_take = view.takes_focus(Place::Glossary);
    let state = &mut view.drawer;
    read_what_is_open(cx, state.open);
    if state.open != Some(Tab::Console) {
        state.console.has_focus = false;
    }
    if state.open != Some(Tab::Screen) {
        state.screen.has_focus = false;
    }
    tabs(ui, cx, state);
    ui.add_space(3.0);
    match state.open {
        Some(Tab::Console) => console::show(ui, cx, &mut state.console, console),
        Some(Tab::Events) => events::show(ui, cx, &mut state.events, events_take),
        Some(Tab::Breakpoints) => breakpoints::show(ui, cx, &mut state.breakpoints, breakpoints_take),
        Some(Tab::Bookmarks) => bookmarks::show(ui, cx, &mut state.bookmarks, bookmarks_take),
        Some(Tab::Memory) => memory::show(ui, cx, &mut state.memory, memory_take),
        Some(Tab::Descriptors) => descriptors::show(ui, cx, &mut state.descriptors, descriptors_take),
        Some(Tab::Tlb) => tlb::show(ui, cx, &mut state.tlb, tlb_take),
        Some(Tab::Screen) => screen::show(ui, cx, &mut state.screen, screen_take),
        Some(Tab::Glossary) => glossary::show(ui, cx, &mut state.glossary, glossary_take),
        Some(Tab::Machine) => settings::show(ui, cx),
        Some(Tab::Settings) => preferences::show(ui, cx, &mut view.preferences, &mut view.settings, &mut view.storing),
        None => {}
    }
}

/// From this width on, in points, tabs tell counts. In less room their names alone must fit.
const WIDE: f32 = 1100.0;
/// From this width on they tell their keys too.
const KEYED: f32 = 1450.0;

/// Panels that need reading are read while they are open, and only then.
fn read_what_is_open(cx: &mut Cx<'_>, open: Option<Tab>) {
    let model = cx.model;
    for (tab, reading, shown) in [
        (Tab::Memory, Reading::Memory, model.memory.shown),
        (Tab::Descriptors, Reading::Descriptors, model.descriptors.shown),
        (Tab::Tlb, Reading::Tlb, model.tlb.shown),
        (Tab::Screen, Reading::Screen, model.screen.shown),
        (Tab::Machine, Reading::Firmware, model.settings.shown),
    ] {
        if shown != (open == Some(tab)) {
            cx.push(Command::ShowReading(reading, !shown));
        }
    }
}

fn tabs(ui: &mut Ui, cx: &mut Cx<'_>, state: &mut State) {
    let (wide, keyed) = (ui.available_width() >= WIDE, ui.available_width() >= KEYED);
    let line = ui.horizontal_wrapped(|ui| {
        let model = cx.model;
        let counted = |name: &str, count: usize| if wide { format!("{name} ({count})") } else { name.to_owned() };
        let unread = match model.console.unread {
            0 => "Console".to_owned(),
            _ if !wide || state.open == Some(Tab::Console) => "Console".to_owned(),
            new => format!("Console ({new} new)"),
        };
        let tabs = [
            (Tab::Console, unread, "go-console", "The guest's serial console. Type into it."),
            (Tab::Events, counted("Events", model.timeline.past().len()), "go-events", "What happened, as a list."),
            (
                Tab::Breakpoints,
                counted("Breakpoints", model.breakpoints.list.len()),
                "go-breakpoints",
                "Where a run stops: at instructions and at events.",
            ),
            (
                Tab::Memory,
                "Memory".to_owned(),
                "go-memory",
                "Bytes, by linear or physical address. They can be edited.",
            ),
            (
                Tab::Bookmarks,
                counted("Bookmarks", model.bookmarks.list.len()),
                "go-bookmarks",
                "Named positions of the run.",
            ),
            (
                Tab::Descriptors,
                "GDT / IDT".to_owned(),
                "go-descriptors",
                "The descriptor tables of the selected CPU, decoded, and who uses which entry.",
            ),
            (
                Tab::Tlb,
                "TLB".to_owned(),
                "go-tlb",
                "The translations that the selected CPU holds, and which are stale.",
            ),
            (
                Tab::Screen,
                "Screen".to_owned(),
                "go-screen",
                "What the VGA shows in text mode, and the keyboard. Type into it.",
            ),
            (
                Tab::Glossary,
                "Glossary".to_owned(),
                "go-glossary",
                "Every term, mode, bit and vector in a sentence or two, found by what you type.",
            ),
            (
                Tab::Machine,
                "Machine".to_owned(),
                "settings",
                "CPUs, memory, schedule, firmware and options, with Restart.",
            ),
            (Tab::Settings, "Settings".to_owned(), "preferences", "Theme, text size, motion, syntax and keys."),
        ];
        for (tab, label, id, words) in tabs {
            let open = state.open == Some(tab);
            let key = keys::hint(id);
            let mut button = Button::selectable(open, &label);
            // Long keys stand in the tooltip: the line to paste into gdb needs the room.
            if keyed && key.len() <= 6 && model.connection.gdb_line().is_none() {
                button = button.right_text(RichText::new(&key).monospace().size(12.0).weak());
            }
            let response = ui.add(button);
            response.widget_info(|| egui::WidgetInfo::selected(egui::Role::Tab, true, open, &label));
            let title = if key.is_empty() { label.clone() } else { format!("{label} ({key})") };
            let response = cx.explain(response, || crate::ui::words::Words::new(&title, words));
            if response.clicked() {
                state.open = if open { None } else { Some(tab) };
            }
        }
        if wide {
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| gdb(ui, cx, wide));
        } else {
            gdb(ui, cx, wide);
        }
    });
    state.tabs_height = line.response.rect.height();
}

/// The way in for gdb: a button, then the line to paste.
fn gdb(ui: &mut Ui, cx: &mut Cx<'_>, wide: bool) {
    let connection = &cx.model.connection;
    if let Some(line) = connection.gdb_line() {
        cx.button(ui, "close-gdb", "Close", connection.offers.vendor);
        if ui.button("Copy line").on_hover_text("Put the line on the clipboard, to paste into gdb").clicked() {
            ui.ctx().copy_text(line.clone());
        }
        if !wide {
            return; // The line can be copied; the menu closes the socket too.
        }
        let text = RichText::new(&line).monospace().color(cx.t.strong);
        ui.add(egui::Label::new(text).selectable(true)).on_hover_text("Paste this into gdb");
        ui.label(
            RichText::new(if connection.gdb.attached { "gdb is attached:" } else { "paste into gdb:" })
                .color(cx.t.weak),
        );
    } else if wide {
        cx.button(ui, "open-gdb", "Let gdb attach", connection.offers.vendor && connection.hello.is_some());
    }
}
