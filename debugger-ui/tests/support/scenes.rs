//! The window in every state that tests look at as a whole: each panel that a key or a command opens, on the recording
//! of [`super::recording`], without a display. Panels that are added to the catalog are here by themselves.

use super::recording::Recording;
use debugger_ui::app::App;
use debugger_ui::command::{Command, UiCommand};
use debugger_ui::model::Model;
use debugger_ui::model::outbox::Order;
use debugger_ui::preferences::{Preferences, Theme};
use debugger_ui::ui::{keys, theme, tokens::Tokens};
use egui_kittest::Harness;
use protocol::CpuId;
use protocol::request::Direction;
use std::cell::RefCell;
use std::rc::Rc;

/// The window, on a recording.
pub struct Window {
    /// Drives it.
    pub harness: Harness<'static, App<Recording>>,
    /// What the machine was asked.
    pub orders: Rc<RefCell<Vec<Order>>>,
    /// Width and height in pixels.
    size: [f32; 2],
}

impl Window {
    /// Two CPUs, CPU 1 selected, which has just set CR0.PE.
    pub fn open(size: [f32; 2], preferences: Preferences) -> Self {
        let recording = Recording::new(2);
        let orders = recording.orders.clone();
        let mut app = App::new(recording, Model::default());
        app.view_mut().remember(preferences);
        let harness =
            Harness::builder().with_size(size).build_ui_state(|ui, app: &mut App<Recording>| app.frame(ui), app);
        let mut window = Self { harness, orders, size };
        window.harness.run();
        window.fit();
        for command in [Command::SelectCpu(CpuId(1)), Command::StepCpu(Direction::Forward)] {
            window.command(command);
        }
        window
    }

    /// The user wants this.
    pub fn command(&mut self, command: Command) {
        let ctx = self.harness.ctx.clone();
        self.harness.state_mut().carry_out(&ctx, command);
        self.harness.run();
        self.fit();
    }

    /// Another text size.
    pub fn text_size(&mut self, percent: u16) {
        self.harness.state_mut().view_mut().preferences.text_size = percent;
        self.harness.run();
        self.fit();
    }

    /// A window has its size in pixels; how many points that is depends on the text size.
    fn fit(&mut self) {
        self.harness.set_size(egui::Vec2::from(self.size) / self.harness.ctx.zoom_factor());
        self.harness.run();
    }

    /// The colours that are on.
    pub fn tokens(&mut self) -> &'static Tokens {
        theme::tokens(self.harness.state_mut().view_mut().preferences.theme, None)
    }
}

/// Settings with this theme and text size.
pub fn preferences(theme: Theme, text_size: u16) -> Preferences {
    Preferences { theme, text_size, opening_seen: true, ..Preferences::default() }
}

/// Everything that can be open, by the id of the command that opens it: panels, fields over the window, notes.
pub fn places() -> Vec<(&'static str, Command)> {
    let opens = |command: &Command| {
        matches!(
            command,
            Command::Ui(
                UiCommand::Focus(_)
                    | UiCommand::Palette
                    | UiCommand::GoToField
                    | UiCommand::Explain
                    | UiCommand::Settings
                    | UiCommand::Preferences
                    | UiCommand::Find
            )
        )
    };
    keys::entries()
        .iter()
        .filter(|entry| opens(&entry.command))
        .map(|entry| (entry.id, entry.command.clone()))
        .collect()
}
