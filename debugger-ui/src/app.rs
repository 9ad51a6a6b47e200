//! The eframe shell. Each frame: take in what the other end reported, draw the model, carry out what the user wants,
//! send what the model then asks for. Nothing waits here; the [`Peer`]'s thread wakes the window when there is news.

use crate::command::{self, Command};
use crate::keeper::Keeper;
use crate::model::Model;
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
}

impl<P: Peer> App<P> {
    /// A window onto this peer.
    pub fn new(peer: P, model: Model) -> Self {
        Self { peer, model, view: View::default(), keeper: None, begin: Some(Begin::Explore) }
    }

    /// Begins with this, and has progress kept.
    #[must_use]
    pub fn begin(mut self, begin: Begin, keeper: Keeper) -> Self {
        (self.begin, self.keeper) = (Some(begin), Some(keeper));
        self
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
            match wanted {
                Command::Ui(wanted) => {
                    self.view.carry_out(ui.ctx(), wanted, &self.model);
                    ui.ctx().request_repaint();
                }
                wanted => {
                    command::apply(wanted, &mut self.model);
                    ui.ctx().request_repaint();
                }
            }
        }
        self.pump();
    }

    fn begin_with(&mut self, begin: Begin) {
        match begin {
            // Without a lesson the page tables have the left column.
            Begin::Explore => command::apply(Command::ShowPageTables(true), &mut self.model),
            Begin::Lesson { id, film } => {
                if film {
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
