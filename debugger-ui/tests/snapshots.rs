//! Pictures of every panel in the dark, the light and the Lecture theme, compared with those in `snapshots/`. Each is
//! also written to `target/screenshots`, as it is, in grey, and as somebody sees it who lacks the green cones: for
//! people to look at.
//!
//! `UPDATE_SNAPSHOTS=1 cargo test -p debugger-ui --test snapshots` makes new ones. How much may differ: `kittest.toml`.

#[path = "support/gallery.rs"]
mod gallery;
#[path = "support/picture.rs"]
mod picture;
#[path = "support/recording.rs"]
mod recording;
#[path = "support/scenes.rs"]
#[expect(dead_code, reason = "shared with tests that use other parts of it")]
mod scenes;

use debugger_ui::command::{Command, Layout, Panel, UiCommand};
use debugger_ui::model::descriptors::Which;
use debugger_ui::model::inbox::Incoming;
use debugger_ui::preferences::Theme;
use egui_kittest::kittest::Queryable;
use egui_kittest::{SnapshotResults, try_image_snapshot};
use gallery::Pages;
use image::RgbaImage;
use lessons::player::orders::Act;
use protocol::event::{EventKind, FaultCause};
use protocol::request::StopReason;
use protocol::{Activity, CpuId, Event};
use scenes::{Window, preferences};
use std::path::Path;

/// Of the window. In the Lecture theme, which is larger, the panels are drawn with as many points, so that they have the
/// same room; the whole window is drawn with as many pixels.
const SIZE: [f32; 2] = [1280.0, 800.0];

/// The pictures of one theme.
struct Album {
    window: Window,
    /// Of the window in pixels, where it is [`SIZE`] in points.
    size: [f32; 2],
    theme: &'static str,
    results: SnapshotResults,
}

impl Album {
    fn open(theme: Theme, name: &'static str) -> Self {
        let mut window = Window::with_lesson(SIZE, preferences(theme, 100), Some(Box::new(Pages::new())));
        let size = SIZE.map(|length| (length * window.harness.ctx.zoom_factor()).round());
        window.resize(size);
        window.command(Command::ShowPageTables(false));
        Self { window, size, theme: name, results: SnapshotResults::new() }
    }

    fn ui(&mut self, command: UiCommand) {
        self.window.command(Command::Ui(command));
    }

    fn click(&mut self, name: &str) {
        self.window.harness.get_by_label(name).click();
        self.window.harness.run();
    }

    /// A picture of the whole window.
    fn whole(&mut self, name: &str) {
        let image = picture::of(&mut self.window.harness);
        self.compare(&image, name);
    }

    /// A part of the window, in points: from there, so wide and high. What is negative counts from the other end.
    fn part(&mut self, [x, y]: [f32; 2], [width, height]: [f32; 2]) -> RgbaImage {
        let zoom = self.window.harness.ctx.zoom_factor();
        let whole = picture::of(&mut self.window.harness);
        let pixels = |from: f32, length: f32, all: u32| {
            let from = (from * zoom).round() + if from < 0.0 { all as f32 } else { 0.0 };
            let from = (from.max(0.0) as u32).min(all);
            (from, ((length * zoom).round() as u32).min(all - from))
        };
        let ((x, width), (y, height)) = (pixels(x, width, whole.width()), pixels(y, height, whole.height()));
        picture::crop(&whole, x, y, width, height)
    }

    /// Compares a picture with the one that is kept, and writes its other versions. It must show something: the theme's
    /// ground, and enough else.
    fn compare(&mut self, image: &RgbaImage, name: &str) {
        let name = format!("{}/{name}", self.theme);
        let ground = self.window.tokens().panel.to_array();
        let of_ground = image.pixels().filter(|pixel| pixel.0 == ground).count();
        let all = (image.width() * image.height()) as usize;
        assert!(of_ground > all / 10 && of_ground < all * 97 / 100, "{name}: {of_ground} of {all} pixels are ground");
        picture::write_versions(image, &name);
        let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/snapshots/{name}.png"));
        let before = std::fs::read(&kept).ok();
        self.results.add(try_image_snapshot(image, &name));
        if std::fs::read(&kept).ok() != before {
            picture::squeeze(&kept);
            let _ = std::fs::remove_file(kept.with_extension("old.png"));
        }
    }

    /// The lesson's panel in all its states; and what is above it while a prediction is open.
    fn lesson(&mut self) {
        let covered = self.part([0.0, 0.0], [SIZE[0], 250.0]);
        self.compare(&covered, "predicting");
        let mut states = Vec::new();
        for _ in 0..gallery::COUNT {
            states.push(self.part([8.0, -554.0], [352.0, 546.0]));
            self.window.command(Command::Lesson(Act::Next));
        }
        let (first, second) = states.split_at(4);
        let sheet = picture::below(&[picture::beside(first), picture::beside(second)]);
        self.compare(&sheet, "lesson");
    }

    /// Two roots; all of a CPU's registers.
    fn machine(&mut self) {
        self.click("two roots");
        let roots = self.part([0.0, -324.0], [SIZE[0], 324.0]);
        self.compare(&roots, "two-roots");
        self.click("two roots");
        self.window.command(Command::SelectCpu(CpuId(1)));
        // Narrow and high: the card has all the room.
        let zoom = self.size[0] / SIZE[0];
        self.window.resize([640.0 * zoom, 2060.0 * zoom]);
        self.ui(UiCommand::Focus(Panel::Cpu));
        for section in ["Segments", "Control bits", "System registers", "APIC"] {
            self.window.harness.get_by_label(section).click_accesskit();
            self.window.harness.run();
        }
        self.whole("registers");
        self.window.resize(self.size);
    }

    /// What the drawer holds, below each other, in three pictures.
    fn drawer(&mut self) {
        self.window.command(Command::SetBookmark);
        self.window.command(Command::MemoryAt("9d000".into(), false));
        let open = |panel| Command::Ui(UiCommand::Focus(panel));
        let lists =
            [Panel::Console, Panel::Events, Panel::Breakpoints, Panel::Bookmarks, Panel::Glossary, Panel::Screen]
                .map(open);
        let idt = Command::ShowDescriptorTable(Which::Idt);
        let tables = [open(Panel::Memory), open(Panel::Descriptors), idt, open(Panel::Tlb)];
        let settings = [UiCommand::Settings, UiCommand::Preferences].map(Command::Ui);
        for (name, commands) in [("lists", &lists[..]), ("tables", &tables), ("settings", &settings)] {
            let mut panels = Vec::new();
            for command in commands {
                self.window.command(command.clone());
                panels.push(self.part([8.0, -180.0], [SIZE[0] - 16.0, 172.0]));
            }
            let sheet = picture::below(&panels);
            self.compare(&sheet, name);
        }
    }

    fn palette(&mut self) {
        self.ui(UiCommand::Palette);
        let palette = self.part([300.0, 100.0], [680.0, 600.0]);
        self.compare(&palette, "palette");
        self.window.harness.key_press(egui::Key::Escape);
        self.window.harness.run();
    }

    /// CPU 1 gave up.
    fn triple_fault(&mut self) {
        let peer = self.window.harness.state_mut().peer_mut();
        let mut stop = peer.stop();
        let link =
            |vector, error, cause: &str| FaultCause { vector, error: Some(error), cr2: None, cause: cause.into() };
        let chain = vec![link(11, 8, "descriptor 08 is not present"), link(8, 0, "the IDT has limit 0")];
        stop.position.0 += 1;
        stop.cpus[1].activity = Activity::Shutdown;
        stop.reason = StopReason::TripleFault { cpu: CpuId(1) };
        let (position, clock_ns) = (stop.position, stop.clock_ns);
        stop.events = vec![Event { position, clock_ns, cpu: CpuId(1), kind: EventKind::TripleFault { chain } }];
        peer.tell(Incoming::Stopped(Box::new(stop)));
        self.window.harness.run();
        let page = self.part([0.0, 0.0], [SIZE[0], 590.0]);
        self.compare(&page, "triple-fault");
    }
}

fn pictures(theme: Theme, name: &'static str) {
    let mut album = Album::open(theme, name);
    album.lesson();
    if theme == Theme::Lecture {
        album.window.resize(SIZE);
        album.ui(UiCommand::Layout(Layout::Lecture));
        album.whole("layout");
    }
    album.window.command(Command::LeaveLesson);
    album.ui(UiCommand::Layout(Layout::Explore));
    album.window.command(Command::ShowPageTables(true));
    album.window.command(Command::SelectCpu(CpuId(0)));
    album.window.resize(SIZE);
    album.whole("window");
    album.window.resize(album.size);
    album.machine();
    album.drawer();
    album.palette();
    album.triple_fault();
}

/// Goal: the dark theme looks as it did; method: compare pictures.
#[test]
fn dark() {
    pictures(Theme::Dark, "dark");
}

/// Goal: the light theme looks as it did; method: compare pictures.
#[test]
fn light() {
    pictures(Theme::Light, "light");
}

/// Goal: the Lecture theme and layout look as they did; method: compare pictures.
#[test]
fn lecture() {
    pictures(Theme::Lecture, "lecture");
}
