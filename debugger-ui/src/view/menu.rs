//! The menu bar: Machine, Go, View, Lesson, Help; at its right end the layout, and the lesson that is open or what runs
//! and where we are connected.

use super::{Cx, View, lesson};
use crate::command::{Command, Layout as Arrange, Panel, UiCommand};
use crate::preferences::Theme;
use crate::ui::keys;
use egui::{Align, Button, Layout, MenuBar, RichText, Ui};
use lessons::player::page::Page;

/// Room for the choice of the layout, in points, and the least for what is left of it.
const LAYOUTS: f32 = 165.0;
const TITLE: f32 = 80.0;

/// Draws the bar.
pub fn show(view: &mut View, ui: &mut Ui, cx: &mut Cx<'_>) {
    MenuBar::new().ui(ui, |ui| {
        ui.menu_button("Machine", |ui| {
            for id in ["settings", "restart", "reload", "reconnect"] {
                item(ui, cx, id);
            }
            ui.separator();
            for id in ["open-gdb", "close-gdb", "take-over"] {
                item(ui, cx, id);
            }
            ui.separator();
            item(ui, cx, "undo");
            item(ui, cx, "bookmark");
            item(ui, cx, "why");
            item(ui, cx, "quit");
        });
        ui.menu_button("Go", |ui| {
            let moves = [
                "step-cpu",
                "step-cpu-back",
                "over",
                "over-back",
                "out",
                "out-back",
                "event",
                "event-back",
                "run-to-wake",
                "run",
                "run-back",
                "pause",
                "step-machine",
                "step-machine-back",
                "start",
                "end",
                "history-back",
                "history-forward",
                "go-to",
            ];
            for id in moves {
                item(ui, cx, id);
            }
        });
        ui.menu_button("View", |ui| {
            switches(view, ui, cx);
            ui.separator();
            for id in ["larger", "smaller", "preferences"] {
                item(ui, cx, id);
            }
            ui.separator();
            for id in ["layout-lesson", "layout-explore", "layout-lecture"] {
                item(ui, cx, id);
            }
            ui.separator();
            for id in [
                "go-lesson",
                "go-lanes",
                "go-code",
                "go-cpu",
                "go-page-tables",
                "go-console",
                "go-events",
                "go-breakpoints",
            ] {
                item(ui, cx, id);
            }
            for id in ["go-memory", "go-descriptors", "go-tlb", "go-bookmarks", "go-glossary"] {
                item(ui, cx, id);
            }
        });
        ui.menu_button("Lesson", |ui| lessons(ui, cx));
        ui.menu_button("Help", |ui| {
            item(ui, cx, "opening");
            item(ui, cx, "palette");
            item(ui, cx, "explain");
            item(ui, cx, "go-glossary");
            item(ui, cx, "copy-narration");
        });
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            // Where there is no room the menu View has the layouts, and Lesson the lesson.
            if ui.available_width() < LAYOUTS {
                return;
            }
            layouts(view, ui, cx);
            if ui.available_width() < TITLE {
                return;
            }
            match cx.model.lessons.page() {
                Some(page) => lesson_title(ui, cx, page),
                None => where_we_are(ui, cx),
            }
        });
    });
}

/// The lessons, and what can be done in the one that is open.
fn lessons(ui: &mut Ui, cx: &mut Cx<'_>) {
    let open = cx.model.lessons.page().map(|page| page.lesson.as_str());
    for lesson in crate::model::lesson::shelf() {
        let label = format!("{}   {} min", lesson.title, lesson.minutes);
        let response = ui.add(Button::selectable(open == Some(lesson.id.as_str()), label));
        if response.on_hover_text("Open this lesson where you left it").clicked() {
            cx.push(Command::OpenLesson(lesson.id.clone()));
            ui.close();
        }
    }
    if open.is_none() {
        return;
    }
    ui.separator();
    for id in [
        "check-or-next",
        "hint",
        "show-me",
        "lesson-next",
        "lesson-back",
        "lesson-skip",
        "lesson-return",
        "lesson-again",
        "leave-lesson",
    ] {
        item(ui, cx, id);
    }
}

/// Which layout is shown, and the others.
fn layouts(view: &View, ui: &mut Ui, cx: &mut Cx<'_>) {
    let shown = view.layout(cx.model);
    let all = [
        (Arrange::Lesson, "Lesson", "layout-lesson"),
        (Arrange::Explore, "Explore", "layout-explore"),
        (Arrange::Lecture, "Lecture", "layout-lecture"),
    ];
    let name = all.iter().find(|(layout, ..)| *layout == shown).map_or("", |(_, name, _)| name);
    let combo = egui::ComboBox::from_id_salt("layout").selected_text(format!("Layout: {name}")).width(120.0);
    let response = combo.show_ui(ui, |ui| {
        for (layout, name, id) in all {
            let says = keys::entry(id).map_or("", |entry| entry.words);
            if ui.selectable_label(layout == shown, name).on_hover_text(says).clicked() {
                cx.push(Command::Ui(UiCommand::Layout(layout)));
            }
        }
    });
    let label = format!("Layout: {name}");
    response.response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::ComboBox, true, &label));
    response.response.on_hover_text("How the panels are arranged");
}

/// The lesson that is open and how far it is.
fn lesson_title(ui: &mut Ui, cx: &Cx<'_>, page: &Page) {
    if ui.available_width() > 420.0 {
        ui.allocate_ui(egui::vec2(90.0, 10.0), |ui| lesson::progress_bar(ui, page));
    }
    let words = format!("Firstlight - {}   {}", page.lesson_title, lesson::progress_words(page));
    ui.add(egui::Label::new(RichText::new(words).color(cx.t.text)).truncate());
}

fn switches(view: &mut View, ui: &mut Ui, cx: &mut Cx<'_>) {
    let mut att = !cx.model.settings.intel;
    if ui.checkbox(&mut att, "AT&T syntax").on_hover_text("Disassembly in AT&T instead of Intel syntax").changed() {
        cx.push(Command::IntelSyntax(!att));
    }
    let mut tables = cx.model.page_tables.shown;
    let says = keys::with_hint("Show the page tables' column", "go-page-tables");
    if ui.checkbox(&mut tables, "Page tables").on_hover_text(says).changed() {
        cx.push(Command::ShowPageTables(tables));
    }
    ui.menu_button("Theme", |ui| {
        for theme in Theme::ALL {
            let chosen = view.preferences.theme == theme;
            if ui.radio(chosen, theme.name()).on_hover_text(theme.words()).clicked() {
                view.preferences.theme = theme;
            }
        }
    });
}

/// A menu item for a command of the catalog.
fn item(ui: &mut Ui, cx: &mut Cx<'_>, id: &str) {
    let Some(entry) = keys::entry(id) else { return };
    let key = keys::hint(id);
    let response = ui.add(Button::new(entry.name).shortcut_text(RichText::new(key).weak()));
    if response.on_hover_text(entry.words).clicked() {
        cx.push(entry.command.clone());
        if entry.command == Command::Ui(UiCommand::Focus(Panel::PageTables)) {
            cx.push(Command::ShowPageTables(true));
        }
        ui.close();
    }
}

/// The machine at the other end, in a few words.
fn where_we_are(ui: &mut Ui, cx: &Cx<'_>) {
    let model = cx.model;
    let mut words = format!("Firstlight   {}", model.connection.target);
    if let Some(hello) = &model.connection.hello {
        let cpus = hello.config.cpus;
        words.push_str(&format!(
            "   {cpus} CPU{}, {} MiB",
            if cpus == 1 { "" } else { "s" },
            hello.config.memory_bytes >> 20
        ));
        let schedule = match hello.config.seed {
            Some(seed) => format!(", seed {seed}"),
            None => ", round-robin".to_owned(),
        };
        words.push_str(&schedule);
    }
    if model.symbols.profile.is_none() && model.connection.hello.is_some() {
        words.push_str("   no profile: addresses only");
    }
    ui.add(egui::Label::new(RichText::new(words).color(cx.t.weak)).truncate());
}
