//! The window in every state that tests look at as a whole: each panel that a key or a command opens, pages of a lesson,
//! the projector's layout, a CPU that gave up, and the film; on the recording of [`super::recording`], without a display.
//! Panels that are added to the catalog are here by themselves.

#[path = "pages.rs"]
mod pages;

use super::recording::Recording;
use debugger_ui::app::App;
use debugger_ui::command::{Command, Layout, Panel, UiCommand};
use debugger_ui::model::Model;
use debugger_ui::model::inbox::Incoming;
use debugger_ui::model::lesson::guide::Guide;
use debugger_ui::model::lesson::{Kept, Reel};
use debugger_ui::model::outbox::Order;
use debugger_ui::preferences::{Preferences, Theme};
use debugger_ui::ui::{keys, theme, tokens::Tokens};
use egui_kittest::Harness;
use protocol::event::{EventKind, FaultCause};
use protocol::request::{Direction, StopReason};
use protocol::{Activity, CpuId, Event};
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
        Self::with_lesson(size, preferences, None)
    }

    /// The same, with a lesson that is on.
    pub fn with_lesson(size: [f32; 2], preferences: Preferences, lesson: Option<Box<dyn Guide>>) -> Self {
        let recording = Recording::new(2);
        let orders = recording.orders.clone();
        let mut model = Model::default();
        if let Some(lesson) = lesson {
            model.begin_lesson(lesson);
        }
        let mut app = App::new(recording, model);
        app.view_mut().remember(preferences);
        let harness = Harness::builder()
            .with_size(size)
            .with_max_steps(64)
            .build_ui_state(|ui, app: &mut App<Recording>| app.frame(ui), app);
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

    /// Brings this about.
    pub fn enter(&mut self, scene: &Scene) {
        match scene {
            Scene::Opened(command) => self.command(command.as_ref().clone()),
            Scene::Lesson(begin) => {
                self.arrange(*begin);
                self.command(Command::Ui(UiCommand::Focus(Panel::Lesson)));
            }
            Scene::Lecture(begin) => {
                self.arrange(*begin);
                self.command(Command::Ui(UiCommand::Layout(Layout::Lecture)));
                self.command(Command::Ui(UiCommand::Focus(Panel::Lesson)));
            }
            Scene::GaveUp => self.give_up(),
            Scene::Film => {
                // Its stills: the film itself never comes to rest.
                self.harness.state_mut().view_mut().preferences.reduced_motion = true;
                self.arrange(|model| {
                    let reel = Reel { lanes: model.lanes.clone(), cpus: 2, took_ns: 20_312_520 };
                    model.absorb_kept(Kept::Reel(Ok(Box::new(reel))));
                });
                self.command(Command::Opening(true));
            }
        }
    }

    /// Brings the window back to where it was before.
    pub fn leave(&mut self, scene: &Scene) {
        self.harness.key_press(egui::Key::Escape);
        self.harness.run();
        match scene {
            Scene::Opened(_) => {}
            Scene::Lesson(_) => self.command(Command::LeaveLesson),
            Scene::Lecture(_) => {
                self.command(Command::LeaveLesson);
                self.command(Command::Ui(UiCommand::Layout(Layout::Explore)));
            }
            Scene::GaveUp => self.command(Command::StepCpu(Direction::Forward)),
            Scene::Film => {
                self.command(Command::Opening(false));
                self.harness.state_mut().view_mut().preferences.reduced_motion = false;
                self.harness.run();
            }
        }
    }

    fn arrange(&mut self, arrange: fn(&mut Model)) {
        self.harness.state_mut().peer_mut().arrange.push(arrange);
        self.harness.run();
        self.fit();
    }

    /// CPU 1 goes into shutdown, for two causes.
    fn give_up(&mut self) {
        let recording = self.harness.state_mut().peer_mut();
        let mut stop = recording.stop();
        let link = |vector, error, cause: &str| FaultCause { vector, error, cr2: None, cause: cause.into() };
        let chain = vec![
            link(11, Some(8), "descriptor 08 is not present"),
            link(8, Some(0), "the IDT has limit 0, so that vector 0b lies outside of it"),
        ];
        stop.position.0 += 1;
        stop.cpus[1].activity = Activity::Shutdown;
        stop.can_undo = true;
        stop.reason = StopReason::TripleFault { cpu: CpuId(1) };
        let (position, clock_ns) = (stop.position, stop.clock_ns);
        stop.events = vec![Event { position, clock_ns, cpu: CpuId(1), kind: EventKind::TripleFault { chain } }];
        recording.tell(Incoming::Stopped(Box::new(stop)));
        self.harness.run();
        self.command(Command::SelectCpu(CpuId(1)));
    }

    /// Another text size.
    pub fn text_size(&mut self, percent: u16) {
        self.harness.state_mut().view_mut().preferences.text_size = percent;
        self.harness.run();
        self.fit();
    }

    /// Another size of the window, in pixels.
    pub fn resize(&mut self, size: [f32; 2]) {
        self.size = size;
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

/// One state of the window.
#[derive(Clone, Debug)]
pub enum Scene {
    /// This command opened something.
    Opened(Box<Command>),
    /// This opened a lesson.
    Lesson(fn(&mut Model)),
    /// This opened a lesson, which is on the projector.
    Lecture(fn(&mut Model)),
    /// A CPU is in shutdown.
    GaveUp,
    /// The film's stills.
    Film,
}

/// All of them, with a name.
pub fn scenes() -> Vec<(&'static str, Scene)> {
    let mut scenes: Vec<(&str, Scene)> =
        places().into_iter().map(|(id, command)| (id, Scene::Opened(Box::new(command)))).collect();
    scenes.extend([
        ("question", Scene::Lesson(|model| model.begin_lesson(Box::new(pages::Still(pages::question()))))),
        ("answered", Scene::Lesson(|model| model.begin_lesson(Box::new(pages::Still(pages::answered()))))),
        ("ending", Scene::Lesson(|model| model.begin_lesson(Box::new(pages::Still(pages::ending()))))),
        ("poll", Scene::Lecture(|model| model.begin_lesson(Box::new(pages::Still(pages::poll()))))),
        ("lecture answered", Scene::Lecture(|model| model.begin_lesson(Box::new(pages::Still(pages::answered()))))),
        ("gave up", Scene::GaveUp),
        ("film", Scene::Film),
    ]);
    scenes
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
