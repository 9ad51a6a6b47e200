//! The eframe shell. Each frame: take in what the other end reported, draw the model, carry out what the user wants,
//! send what the model then asks for. Nothing waits here; the [`Peer`]'s thread wakes the window when there is news.

use crate::command::{self, Command};
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

/// The window.
#[derive(Debug)]
pub struct App<P> {
    peer: P,
    model: Model,
    view: View,
    started: bool,
}

impl<P: Peer> App<P> {
    /// A window onto this peer.
    pub fn new(peer: P, model: Model) -> Self {
        Self { peer, model, view: View::default(), started: false }
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
        if !std::mem::replace(&mut self.started, true) {
            // The "Explore" layout: without a lesson the page tables have the left column.
            command::apply(Command::ShowPageTables(true), &mut self.model);
        }
        self.peer.pump(&mut self.model);
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
        self.peer.pump(&mut self.model);
    }
}

impl<P: Peer> eframe::App for App<P> {
    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut eframe::Frame) {
        self.frame(ui);
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
