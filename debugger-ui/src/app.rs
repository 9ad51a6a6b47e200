//! The eframe shell. Each frame: take in what the other end reported, draw the model, carry out what the user wants,
//! send what the model then asks for. Nothing waits here; the [`Peer`]'s thread wakes the window when there is news.

use crate::command::{self, Command};
use crate::keeper::Keeper;
use crate::model::Model;
use crate::preferences::{Preferences, store::Store};
use crate::session::Session;
use crate::view::View;

/// The other end, as the window needs it: a [`Session`] in the program, a recording in tests.
pub trait Peer {
    /// Takes what the model asks out of its outbox, and lets it absorb what was reported. Must not wait.
    fn pump(&mut self, model: &mut Model);
}

impl Peer for Session {
    fn pump(&mut self, model: &mut Model) {
        Session::pump(self, model);
    }
}

/// What the window begins with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Begin {
    /// No lesson: page tables at the left.
    #[default]
    Explore,
    /// A lesson, after the opening film or at once.
    Lesson {
        /// Which.
        id: String,
        /// The film comes first.
        film: bool,
    },
}

/// The window.
#[derive(Debug)]
pub struct App<P> {
    peer: P,
    model: Model,
    view: View,
    /// Keeps progress; tests have none.
    keeper: Option<Keeper>,
    begin: Option<Begin>,
    store: Option<Store>,
}

impl<P: Peer> App<P> {
    /// A window onto this peer.
    pub fn new(peer: P, model: Model) -> Self {
        Self { peer, model, view: View::default(), keeper: None, store: None, begin: Some(Begin::Explore) }
    }

    /// Begins with this, and has progress kept.
    #[must_use]
    pub fn begin(mut self, begin: Begin, keeper: Keeper) -> Self {
        (self.begin, self.keeper) = (Some(begin), Some(keeper));
        self
    }

    /// Begins with these settings and keeps them in that file. Without, nothing is remembered.
    pub fn remembering(mut self, (store, preferences): (Store, Preferences)) -> Self {
        command::apply(Command::IntelSyntax(preferences.intel_syntax), &mut self.model);
        self.model.notice = store.trouble().map(str::to_owned);
        self.view.remember(preferences);
        self.store = Some(store);
        self
    }

    /// What belongs to the window alone.
    pub fn view_mut(&mut self) -> &mut View {
        &mut self.view
    }

    /// What is shown.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The other end.
    pub fn peer_mut(&mut self) -> &mut P {
        &mut self.peer
    }

    /// One frame.
    pub fn frame(&mut self, ui: &mut egui::Ui) {
        if let Some(begin) = self.begin.take() {
            self.begin_with(begin);
        }
        self.pump();
        for wanted in self.view.draw(ui, &self.model) {
            self.carry_out(ui.ctx(), wanted);
        }
        self.remember();
        self.pump();
    }

    /// Does what the user wants.
    pub fn carry_out(&mut self, ctx: &egui::Context, wanted: Command) {
        match wanted {
            Command::Ui(wanted) => self.view.carry_out(ctx, wanted, &self.model),
            wanted => command::apply(wanted, &mut self.model),
        }
        ctx.request_repaint();
    }

    fn begin_with(&mut self, begin: Begin) {
        match begin {
            // Without a lesson the page tables have the left column.
            Begin::Explore => command::apply(Command::ShowPageTables(true), &mut self.model),
            Begin::Lesson { id, film } => {
                if film && !std::mem::replace(&mut self.view.preferences.opening_seen, true) {
                    command::apply(Command::Opening(true), &mut self.model);
                }
                command::apply(Command::OpenLesson(id), &mut self.model);
            }
        }
    }

    fn pump(&mut self) {
        self.peer.pump(&mut self.model);
        if let Some(keeper) = &mut self.keeper {
            keeper.pump(&mut self.model);
            self.peer.pump(&mut self.model);
        }
    }

    /// Stores the settings where they changed.
    fn remember(&mut self) {
        self.view.preferences.intel_syntax = self.model.settings.intel;
        let Some(store) = &mut self.store else { return };
        let storing = &mut self.view.storing;
        if std::mem::take(&mut storing.start_over) {
            self.model.notice = Some(store.start_over(&self.view.preferences)).filter(|said| !said.is_empty());
        }
        if let Some(said) = store.keep_up(&self.view.preferences) {
            self.model.notice = Some(said);
        }
        storing.trouble = store.trouble().map(str::to_owned);
        storing.can_start_over = store.can_start_over();
        storing.place = store.path().map(|path| path.display().to_string()).unwrap_or_default();
    }
}

impl<P: Peer> eframe::App for App<P> {
    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut eframe::Frame) {
        self.frame(ui);
    }

    fn on_exit(&mut self, _gl: Option<&eframe::glow::Context>) {
        // What was answered last is written before the program ends.
        self.pump();
        if let Some(keeper) = self.keeper.take() {
            keeper.finish();
        }
    }
}

/// The window's title and size.
pub fn options() -> eframe::NativeOptions {
    let viewport = egui::ViewportBuilder::default()
        .with_title("Firstlight")
        .with_app_id("firstlight")
        .with_inner_size([1280.0, 800.0])
        .with_min_inner_size([800.0, 500.0]);
    eframe::NativeOptions { viewport, ..eframe::NativeOptions::default() }
}
