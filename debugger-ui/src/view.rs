//! The window's panels. Each reads the [`Model`] and pushes [`Command`]s; nothing changes the model while it is drawn.
//!
//! What belongs to the window alone lives in [`View`]: what is open, where lists are scrolled, text being typed. The
//! keyboard is read once at the start of a frame ([`crate::ui::keys`]), the commands are carried out after it, by
//! [`crate::app`]. What hover tells of a thing, `?` tells of the focused one, in a note that stays.

pub mod bookmarks;
pub mod breakpoints;
pub mod code;
pub mod console;
pub mod cpu_card;
pub mod descriptors;
pub mod drawer;
pub mod events;
pub mod film;
pub mod glossary;
pub mod lanes;
pub mod lesson;
pub mod memory;
pub mod menu;
pub mod narrator;
pub mod page_tables;
pub mod palette;
pub mod preferences;
pub mod registers;
pub mod screen;
pub mod settings;
pub mod status;
pub mod tlb;
pub mod transport;
pub mod triple_fault;
pub mod typing;
pub mod walk;

mod layout;
mod lecture;

use crate::command::{Command, Entry, Layout, Panel, UiCommand};
use crate::model::Model;
use crate::model::why::Target;
use crate::preferences::{Preferences, Theme};
use crate::ui::key_map::KeyMap;
use crate::ui::keys::{self, Typing};
use crate::ui::words::Words;
use crate::ui::{Tokens, theme, tree};
use drawer::Tab;
use egui::{Button, Response, Role, Ui, WidgetInfo};
use protocol::request::Direction;

/// What a panel gets: the model to read, colours, and where commands and explanations go.
#[derive(Debug)]
pub struct Cx<'a> {
    /// What is drawn.
    pub model: &'a Model,
    /// Colours.
    pub t: &'static Tokens,
    /// What the user wants.
    pub commands: Vec<Command>,
    /// The explanation of the focused thing, if it was drawn in this frame.
    focused: Option<Words>,
    /// The explanation of the thing below the pointer.
    hovered: Option<Words>,
    /// An explanation that is to stay.
    kept: Option<Words>,
    /// The focused value, and the one below the pointer, for `w`.
    focused_value: Option<Target>,
    hovered_value: Option<Target>,
}

impl<'a> Cx<'a> {
    /// At the start of a frame.
    pub fn new(model: &'a Model, t: &'static Tokens) -> Self {
        Self {
            model,
            t,
            commands: Vec::new(),
            focused: None,
            hovered: None,
            kept: None,
            focused_value: None,
            hovered_value: None,
        }
    }

    /// Keeps an explanation open, as `?` does.
    pub fn keep_note(&mut self, words: Words) {
        self.kept = Some(words);
    }

    /// The user wants this.
    pub fn push(&mut self, command: Command) {
        self.commands.push(command);
    }

    /// Explains a thing: on hover now, with `?` while it has the focus. `words` is called only then.
    pub fn explain(&mut self, response: Response, words: impl Fn() -> Words) -> Response {
        if response.has_focus() {
            self.focused = Some(words());
        }
        if response.hovered() {
            self.hovered = Some(words());
        }
        response.on_hover_ui(|ui| words().show(ui))
    }

    /// This thing shows a value whose cause `w` can tell, while it has the focus or the pointer is on it.
    pub fn value(&mut self, response: &Response, target: impl Fn() -> Target) {
        if response.has_focus() {
            self.focused_value = Some(target());
        }
        if response.hovered() {
            self.hovered_value = Some(target());
        }
    }

    /// A button for a command of the catalog, with its key, its sentence and an accessible name.
    pub fn button(&mut self, ui: &mut Ui, id: &str, label: &str, enabled: bool) -> Response {
        let response = self.plain_button(ui, id, label, enabled);
        if let Some(entry) = keys::entry(id).filter(|_| response.clicked()) {
            self.push(entry.command.clone());
        }
        response
    }

    /// The same, where a click means something more special than the catalog's command.
    pub fn plain_button(&mut self, ui: &mut Ui, id: &str, label: &str, enabled: bool) -> Response {
        let Some(entry) = keys::entry(id) else {
            return ui.label(label);
        };
        let key = keys::hint(id);
        let mut button = Button::new(label);
        // In a lesson's panel there is room for a longer key.
        let short = if id == "check-or-next" { key.clone() } else { keys::short_hint(id) };
        if !short.is_empty() {
            button = button.right_text(egui::RichText::new(&short).monospace().size(12.0).color(self.t.weak));
        }
        let response = ui.add_enabled(enabled, button);
        response.widget_info(|| WidgetInfo::labeled(Role::Button, enabled, label));
        let response = self.explain(response, || entry_words(entry, &key)).on_disabled_hover_ui(|ui| {
            entry_words(entry, &key).show(ui);
            ui.weak(match entry.command {
                Command::Lesson(_) | Command::Ui(UiCommand::CheckOrNext) => {
                    "Not now: an answer, or the machine, is missing."
                }
                _ => "Not now: the machine is not stopped here, or this server cannot do it.",
            });
        });
        if self.model.lessons.highlight() == Some(id) {
            self.stand_out(ui, &response);
        }
        response
    }

    /// The button that a lesson asks for: a second frame and a wedge that points at it, not a colour alone.
    fn stand_out(&self, ui: &Ui, response: &Response) {
        let rect = response.rect.expand(2.0);
        let stroke = egui::Stroke::new(2.5, self.t.changed);
        let painter = ui.painter().with_clip_rect(rect.expand(9.0));
        painter.rect_stroke(rect, 6, stroke, egui::StrokeKind::Outside);
        let tip = rect.center_top() + egui::vec2(0.0, 2.0);
        let wedge = vec![tip, tip + egui::vec2(-6.0, -7.0), tip + egui::vec2(6.0, -7.0)];
        painter.add(egui::Shape::convex_polygon(wedge, self.t.changed, egui::Stroke::NONE));
        ui.ctx().accesskit_node_builder(response.id, |node| node.set_description("The lesson asks for this."));
    }

    /// Commands that move the machine can be given: it is stopped or about to be, and we drive.
    pub fn can_move(&self) -> bool {
        let connection = &self.model.connection;
        // A key struck during a single step waits for its end; only a long run must be paused first.
        let soon = connection.running() && !connection.long_run();
        (connection.ready() || soon) && !connection.gdb.attached
    }
}

/// The explanation of a command: its name, its key, its sentence.
fn entry_words(entry: &Entry, key: &str) -> Words {
    let title = if key.is_empty() { entry.name.to_owned() } else { format!("{} ({key})", entry.name) };
    Words::new(title, entry.words)
}

/// What the window remembers beside the model.
#[derive(Debug)]
pub struct View {
    /// Theme, text size, keys and what else is remembered.
    pub preferences: Preferences,
    /// What became of storing them, for the settings panel.
    pub storing: preferences::Storing,
    settings: preferences::State,
    lanes: lanes::State,
    code: tree::State,
    card: cpu_card::State,
    tables: page_tables::State,
    drawer: drawer::State,
    palette: palette::State,
    lesson: lesson::State,
    film: film::State,
    /// The layout that was chosen; None: the one for what is open.
    layout: Option<Layout>,
    /// The explanation that stays.
    note: Option<Words>,
    /// The explanations of the last frame, for `?`.
    focused: Option<Words>,
    hovered: Option<Words>,
    /// The value that had the focus last, for `w` where the pointer is on none.
    value: Option<Target>,
    /// The theme and text size that egui has.
    installed: Option<(&'static Tokens, f32)>,
    /// A panel that takes the focus when it is drawn next.
    focus: Option<Panel>,
    /// What had the focus in the frame before, and before the palette was opened.
    had_focus: Option<egui::Id>,
    before_palette: Option<egui::Id>,
    /// Which panel is shown where there is room for one only.
    column: Panel,
    /// Such is the case: the columns are behind tabs.
    tabs: bool,
    /// The lesson was one of them in the last frame.
    lesson_in_tab: bool,
    /// Which panel the Lecture layout shows large.
    lecture: Panel,
    /// Height of the transport bar's rows, which wrap where the window is narrow.
    transport_height: f32,
    /// A step of the lesson has just begun: it shall be in view, in a window that scrolls.
    step_began: bool,
}

impl Default for View {
    fn default() -> Self {
        Self {
            preferences: Preferences::default(),
            storing: preferences::Storing::default(),
            settings: preferences::State::default(),
            lanes: lanes::State::default(),
            code: tree::State::default(),
            card: cpu_card::State::default(),
            tables: page_tables::State::default(),
            drawer: drawer::State::default(),
            palette: palette::State::default(),
            lesson: lesson::State::default(),
            film: film::State::default(),
            layout: None,
            note: None,
            focused: None,
            hovered: None,
            value: None,
            installed: None,
            focus: None,
            had_focus: None,
            before_palette: None,
            column: Panel::Code,
            tabs: false,
            lesson_in_tab: false,
            lecture: Panel::Lesson,
            transport_height: 24.0,
            step_began: false,
        }
    }
}

impl View {
    /// Takes over settings that were kept.
    pub fn remember(&mut self, preferences: Preferences) {
        self.layout = Layout::ALL.into_iter().find(|layout| layout.id() == preferences.layout);
        self.preferences = preferences;
    }

    /// Draws a frame and returns what the user wants, in order.
    pub fn draw(&mut self, ui: &mut Ui, model: &Model) -> Vec<Command> {
        let system_dark = ui.ctx().system_theme().map(|theme| theme == egui::Theme::Dark);
        // The layout for projectors has the theme for projectors.
        let lecture = self.layout(model) == Layout::Lecture;
        let t = theme::tokens(if lecture { Theme::Lecture } else { self.preferences.theme }, system_dark);
        if self.installed != Some((t, self.preferences.zoom())) {
            theme::install(ui.ctx(), t, self.preferences.zoom());
            self.installed = Some((t, self.preferences.zoom()));
            // This frame has begun with the colours and the size of before.
            ui.ctx().request_repaint();
        }
        keys::set_map(KeyMap::of(&self.preferences, keys::entries()));
        let mut cx = Cx::new(model, t);
        if model.lessons.film {
            film::show(ui, &mut cx, &mut self.film, self.preferences.reduced_motion);
            return cx.commands;
        }
        self.film = film::State::default();
        if self.drawer.open != Some(Tab::Settings) {
            self.settings.give_up();
        }
        if self.settings.waits_for_a_key() {
            self.settings.take_key(ui.ctx(), &mut self.preferences);
        } else {
            cx.commands = keys::take(ui.ctx(), self.typing(ui), model.cpus.states.len());
            if cx.commands.contains(&Command::Ui(UiCommand::Find)) {
                tree::ask_find(ui.ctx());
            }
        }
        self.follow_lesson(model);
        self.tabs = false;
        layout::show(self, ui, &mut cx);
        self.value = cx.focused_value.take().or(self.value.take());
        let value = cx.hovered_value.take().or(self.value.clone());
        for command in cx.commands.iter_mut().filter(|command| **command == Command::Why(None)) {
            *command = Command::Why(value.clone());
        }
        self.keep_focus(ui.ctx(), model);
        theme::focus_ring(ui.ctx(), cx.t);
        self.note = cx.kept.take().or(self.note.take());
        self.meanings(&mut cx);
        self.focused = cx.focused;
        self.hovered = cx.hovered;
        cx.commands
    }

    /// What has the keyboard at the start of this frame.
    fn typing(&self, ui: &Ui) -> Typing {
        if self.drawer.console.has_focus || self.drawer.screen.has_focus {
            Typing::Console
        } else if ui.ctx().text_edit_focused() || self.palette.is_open() {
            Typing::Field
        } else {
            Typing::Nowhere
        }
    }

    /// The focus is never lost because what had it is gone: it goes back to where it was before the palette, or to the
    /// panel that matters. Escape and clicks beside everything take it away on purpose.
    fn keep_focus(&mut self, ctx: &egui::Context, model: &Model) {
        let focused = ctx.memory(|memory| memory.focused());
        if self.palette.is_open() {
            self.before_palette = self.before_palette.or(self.had_focus);
            return;
        }
        let there = |id: &egui::Id| ctx.read_response(*id).is_some();
        if let Some(before) = self.before_palette.take().filter(there) {
            ctx.memory_mut(|memory| memory.request_focus(before));
            self.had_focus = Some(before);
            return;
        }
        match (focused, self.had_focus) {
            (Some(id), _) => self.had_focus = Some(id),
            (None, Some(id)) if there(&id) => self.had_focus = None,
            (None, Some(_)) => {
                self.had_focus = None;
                let lesson = self.layout(model) == Layout::Lesson && model.lessons.page().is_some();
                let behind_tabs = self.tabs && (self.column != Panel::PageTables || model.page_tables.shown);
                // Another tab would be another panel in front of who asked for this one.
                let matters = if behind_tabs {
                    self.column
                } else if lesson {
                    Panel::Lesson
                } else {
                    Panel::Code
                };
                self.focus = self.focus.or(Some(matters));
            }
            (None, None) => {}
        }
    }

    /// A step of the lesson has begun: the panels that it needs open.
    fn follow_lesson(&mut self, model: &Model) {
        let Some(page) = model.lessons.page() else {
            self.lesson.shown = Default::default();
            return;
        };
        if (&self.lesson.shown.0, &self.lesson.shown.1) == (&page.lesson, &page.step_id) {
            return;
        }
        if self.lesson.shown.0 != page.lesson && self.layout == Some(Layout::Explore) {
            self.layout = None;
        }
        if self.lesson.shown.0 != page.lesson {
            self.column = Panel::Lesson;
        }
        self.step_began = true;
        lesson::panels::begin(&mut self.lesson, page);
        layout::open_panels(self, &page.show);
    }

    /// Keys whose meaning depends on what the panels hold.
    fn meanings(&self, cx: &mut Cx<'_>) {
        let Some(page) = cx.model.lessons.page() else { return };
        for command in &mut cx.commands {
            if *command == Command::Ui(UiCommand::CheckOrNext)
                && let Some(meant) = lesson::check_or_next(&self.lesson, page)
            {
                *command = meant;
            }
        }
    }

    /// The layout that is shown.
    pub fn layout(&self, model: &Model) -> Layout {
        let open = model.lessons.page().is_some() || model.lessons.awaited.is_some();
        self.layout.unwrap_or(if open { Layout::Lesson } else { Layout::Explore })
    }

    /// Carries out what concerns the window alone.
    pub fn carry_out(&mut self, ctx: &egui::Context, command: UiCommand, model: &Model) {
        match command {
            UiCommand::Palette => self.palette.open(palette::Purpose::Commands),
            UiCommand::GoToField => self.palette.open(palette::Purpose::GoTo),
            UiCommand::Difference(direction) => {
                page_tables::pairs::difference(&mut self.tables.pairs, &model.page_tables.pairs, direction);
            }
            UiCommand::Focus(panel) => self.go_to(panel, model),
            UiCommand::Explain => self.explain(model),
            UiCommand::CopyNarration => ctx.copy_text(model.narrator.sentence.clone()),
            UiCommand::Zoom(direction) => self.preferences.step_text_size(direction == Direction::Forward),
            UiCommand::Settings => self.drawer.open = Some(Tab::Machine),
            UiCommand::Layout(layout) => {
                self.layout = Some(layout);
                self.preferences.layout = layout.id().to_owned();
            }
            // Nothing is open to be checked.
            UiCommand::CheckOrNext => {}
            UiCommand::Preferences => {
                self.drawer.open = Some(Tab::Settings);
                self.settings.take_focus();
            }
            UiCommand::Find => tree::open_find(ctx),
            UiCommand::Quit => ctx.send_viewport_cmd(egui::ViewportCommand::Close),
        }
    }

    /// Puts the focus on a panel, opening it where it is closed.
    fn go_to(&mut self, panel: Panel, model: &Model) {
        if panel == Panel::Lesson && self.layout(model) == Layout::Explore {
            // It is not drawn there: with a lesson open its own layout comes back, without one nothing can take the focus.
            if model.lessons.page().is_none() {
                return;
            }
            self.layout = None;
        }
        match panel {
            Panel::Console => self.drawer.open = Some(Tab::Console),
            Panel::Events => self.drawer.open = Some(Tab::Events),
            Panel::Breakpoints => self.drawer.open = Some(Tab::Breakpoints),
            Panel::Memory => self.drawer.open = Some(Tab::Memory),
            Panel::Descriptors => self.drawer.open = Some(Tab::Descriptors),
            Panel::Bookmarks => self.drawer.open = Some(Tab::Bookmarks),
            Panel::Tlb => self.drawer.open = Some(Tab::Tlb),
            Panel::Glossary => self.drawer.open = Some(Tab::Glossary),
            Panel::Screen => self.drawer.open = Some(Tab::Screen),
            Panel::PageTables | Panel::Lanes | Panel::Code | Panel::Cpu | Panel::Lesson => {}
        }
        self.focus = Some(panel);
    }

    /// Whether this panel was asked to take the focus; asked once.
    fn takes_focus(&mut self, panel: Panel) -> bool {
        let asked = self.focus == Some(panel);
        if asked {
            self.focus = None;
        }
        asked
    }

    /// Keeps an explanation open: of the focused thing, else of the one below the pointer, else of the CPU's mode.
    fn explain(&mut self, model: &Model) {
        let of_mode = || model.cpus.selected().and_then(|cpu| lessons::glossary::mode(cpu.mode)).map(Words::entry);
        self.note = self.focused.clone().or_else(|| self.hovered.clone()).or_else(of_mode);
    }
}
