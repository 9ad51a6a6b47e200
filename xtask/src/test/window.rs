//! Drives the window by its keys under an X server without a screen, and takes pictures of it.
//!
//! The window is a client of a machine in another process; this test is a second client of the same machine, which
//! only looks, so that what the keys did is read from the machine itself. The pictures in target/screenshots/ are for
//! people. `on_qemu` does the same with the window on QEMU.

mod on_qemu;

use super::Report;
use crate::cmd::{self, Background};
use crate::guest::symbols::Linked;
use crate::rsp::Client;
use crate::{gdb, project};
use anyhow::{Context, Result, bail, ensure};
use protocol::breakpoint::EventFilter;
use protocol::request::{Advance, Answer, Direction, Request, StopReason, Stopped, Until, Wanted};
use protocol::{Activity, CpuState, Mode};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The CPU that is stepped.
const AP: usize = 1;
/// More keys than it takes from the start to the SIPI, or from there to `start_secondary`.
const MAX_KEYS: usize = 3000;
/// How long a key may take until the machine has moved.
const PATIENCE: Duration = Duration::from_secs(20);

pub fn run(report: &mut Report) -> Result<()> {
    let folder = project::target().join("screenshots");
    std::fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    report.case("window: an AP from wait-for-SIPI to start_secondary and back, by keys", flight());
    report.case("window: the program alone, copied elsewhere, boots the kernel inside it", alone());
    report.case("window: on QEMU from the kernel's entry to the trampoline, by keys", on_qemu::flight());
    report.case("window: the first start: film, lesson, an answer's way into the progress file", first_start());
    report.case("window: lesson wake plays to its end without a window, and draws its picture", picture());
    report.case("window: without a display it says what to do", no_display());
    Ok(())
}

/// The main job: select CPU 1, go to its SIPI, step it to `start_secondary`, step it back, leave.
fn flight() -> Result<()> {
    let kernel = Linked::read(&project::kernel(), 64)?;
    let start_secondary = kernel.find("start_secondary");
    let start_secondary = start_secondary.context("the kernel has no start_secondary")?.address;
    let (machine, address) = gdb::start_machine(&["--cpus".into(), "2".into()], false)?;
    let _machine = Background(machine);
    let mut screen = Screen::start()?;
    let _window = screen.open_window(&["--connect", &address])?;
    let mut watcher = Watcher(Client::connect(&address)?);

    screen.picture("1-start")?;
    screen.key("1")?;
    let asleep = watcher.press(&mut screen, "e", MAX_KEYS, |stop| ap(stop).activity == Activity::Running)?;
    screen.picture("2-woken-by-sipi")?;
    ensure!(ap(&asleep).mode == Mode::Real, "after its SIPI CPU 1 is in {} mode", ap(&asleep).mode);
    let woken_at = asleep.position;

    let mut modes = vec![Mode::Real];
    for mode in [Mode::Protected16, Mode::Protected32, Mode::Compat, Mode::Long] {
        watcher.press(&mut screen, "s", MAX_KEYS, |stop| ap(stop).mode == mode)?;
        screen.picture(&format!("{}-{mode}", modes.len() + 2))?;
        modes.push(mode);
    }
    let arrived = watcher.press(&mut screen, "s", MAX_KEYS, |stop| ap(stop).linear_pc().0 == start_secondary)?;
    screen.picture("7-start-secondary")?;
    ensure!(
        arrived.cpus[0].cr3 == ap(&arrived).cr3,
        "start_secondary runs with CR3 = {:x}, CPU 0 has {:x}",
        ap(&arrived).cr3,
        arrived.cpus[0].cr3
    );

    let back = watcher.press(&mut screen, "S", MAX_KEYS, |stop| ap(stop).activity == Activity::WaitForSipi)?;
    screen.picture("8-asleep-again")?;
    ensure!(back.position < woken_at, "asleep at {}, but the SIPI was taken at {woken_at}", back.position);
    let forward = watcher.press(&mut screen, "s", 1, |stop| ap(stop).activity == Activity::Running)?;
    ensure!(forward.position == woken_at, "forward again it woke at {}, not at {woken_at}", forward.position);
    ensure!(forward.cpus == asleep.cpus, "the machine is not as it was at {woken_at}");
    Ok(())
}

/// What a newcomer meets: the film, which any key ends, then the first step of `wake`, done by two keys.
fn first_start() -> Result<()> {
    let folder = project::target().join("window-tests");
    if folder.exists() {
        std::fs::remove_dir_all(&folder).with_context(|| format!("{} cannot be emptied", folder.display()))?;
    }
    let (settings, progress) = (folder.join("settings.json"), folder.join("progress"));
    let mut screen = Screen::start()?;
    let arguments = ["--settings", &settings.display().to_string(), "--progress", &progress.display().to_string()];
    let _window = screen.open_window(&arguments)?;
    screen.picture("lesson-1-film")?;
    screen.key("Escape")?;
    let file = progress.join("wake.json");
    wait_for(&file, "\"step\": \"two-lanes\"")?;
    // The machine goes to the first step's place.
    std::thread::sleep(Duration::from_secs(2));
    screen.picture("lesson-2-first-step")?;
    for _ in 0..2 {
        screen.key("s")?;
        std::thread::sleep(Duration::from_millis(500));
    }
    wait_for(&file, "\"goals\": 1")?;
    screen.key("ctrl+Return")?;
    wait_for(&file, "\"step\": \"how-much\"")?;
    std::thread::sleep(Duration::from_secs(2));
    screen.picture("lesson-3-prediction")
}

/// Waits until a file holds this text.
fn wait_for(file: &std::path::Path, text: &str) -> Result<()> {
    let start = Instant::now();
    loop {
        let found = std::fs::read_to_string(file).unwrap_or_default();
        if found.contains(text) {
            return Ok(());
        }
        ensure!(start.elapsed() < PATIENCE, "{} never held {text}; it holds: {found:.400}", file.display());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The program plays `wake` alone: by right answers, and by [Show me] where something is to be done.
fn picture() -> Result<()> {
    let file = project::target().join("screenshots/wake.png");
    let mut program = Command::new(project::program("firstlight", false));
    program.args(["--lesson", "wake", "--picture"]).arg(&file).env_remove("DISPLAY").stdin(Stdio::null());
    cmd::run(&mut program)?;
    let bytes = std::fs::read(&file).with_context(|| format!("{} is not there", file.display()))?;
    ensure!(bytes.starts_with(b"\x89PNG"), "it is no PNG file");
    Ok(())
}

fn ap(stop: &Stopped) -> &CpuState {
    &stop.cpus[AP]
}

/// The program is one file: copied alone to another folder it starts there without cargo and without any file of this
/// project, and boots the kernel that is inside it. Seen through its gdb socket by a client that takes over.
fn alone() -> Result<()> {
    let folder = std::env::temp_dir().join(format!("firstlight-alone-{}", std::process::id()));
    std::fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let result = boots_in(&folder);
    // It is in the system's folder for such things: what is left over there is no failure.
    let _ = std::fs::remove_dir_all(&folder);
    result
}

fn boots_in(folder: &Path) -> Result<()> {
    let program = folder.join("firstlight");
    let built = project::program("firstlight", false);
    std::fs::copy(&built, &program).with_context(|| format!("{} cannot be copied", built.display()))?;
    let mut screen = Screen::start()?;
    let mut window = Command::new(&program);
    // Nothing of this environment: no folder with programs, no home, no cargo.
    window.env_clear().env("DISPLAY", &screen.display).env("HOME", folder).current_dir(folder);
    window.args(["--gdb", "127.0.0.1:0"]).stdin(Stdio::null()).stderr(Stdio::piped());
    let mut child = cmd::spawn(&mut window)?;
    let stderr = child.stderr.take().context("the program's messages are not piped")?;
    let _window = Background(child);
    let mut line = String::new();
    BufReader::new(stderr).read_line(&mut line)?;
    let address = line.trim().strip_prefix("gdb: listening on ").with_context(|| format!("it said: {line}"))?;
    screen.wait_for_window()?;
    let mut client = Client::connect(address)?;
    let Answer::Hello(hello) = client.request(&Request::Hello)? else { bail!("it does not say who it is") };
    ensure!(hello.image_path.is_empty(), "it runs {}", hello.image_path);
    ensure!(matches!(client.request(&Request::Profile)?, Answer::Profile(Some(_))), "its kernel has no names");
    client.request(&Request::TakeOver)?;
    let online = Request::Advance(Advance {
        cpu: None,
        hold_others: false,
        direction: Direction::Forward,
        until: Until::Event(EventFilter::Online(2)),
        budget: 1 << 20,
        serial_input: Vec::new(),
        keys: Vec::new(),
        wanted: Wanted::default(),
    });
    let start = Instant::now();
    loop {
        match client.request(&online)? {
            Answer::Stopped(stopped) if stopped.reason == StopReason::Budget => {}
            Answer::Stopped(stopped) if stopped.reason == StopReason::Reached => return Ok(()),
            other => bail!("the kernel did not boot: {other:?}"),
        }
        ensure!(start.elapsed() < PATIENCE, "the kernel did not boot within {PATIENCE:?}");
    }
}

/// No display: one message that names the package and the headless program, and a status that is not 0.
fn no_display() -> Result<()> {
    let mut window = Command::new(project::program("firstlight", false));
    window.env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY").env_remove("WAYLAND_SOCKET").stdin(Stdio::null());
    let output = window.output().map_err(|error| cmd::explain(&window, error))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(!output.status.success(), "it ended with success");
    ensure!(said.contains("firstlight-machine"), "the message does not offer the headless program: {said}");
    ensure!(!said.contains("panicked"), "it panicked: {said}");
    Ok(())
}

/// The second client, which only looks.
struct Watcher(Client);

impl Watcher {
    fn look(&mut self) -> Result<Stopped> {
        let request = Request::State { wanted: Wanted { all_cpus: true, ..Wanted::default() } };
        match self.0.request(&request)? {
            Answer::Stopped(stopped) => Ok(*stopped),
            other => bail!("the machine said {other:?}"),
        }
    }

    /// Presses a key again and again, each time waiting until the machine has moved, until something holds.
    fn press(
        &mut self,
        screen: &mut Screen,
        key: &str,
        at_most: usize,
        done: impl Fn(&Stopped) -> bool,
    ) -> Result<Stopped> {
        let mut now = self.look()?;
        for _ in 0..at_most {
            screen.key(key)?;
            let start = Instant::now();
            let before = now.position;
            while now.position == before {
                ensure!(start.elapsed() < PATIENCE, "the key `{key}` at position {before} did nothing");
                std::thread::sleep(Duration::from_millis(5));
                now = self.look()?;
            }
            now = self.settled(now)?;
            if done(&now) {
                return Ok(now);
            }
        }
        bail!("{at_most} times `{key}` did not get there; position {}, {:?}", now.position, ap(&now))
    }

    /// A key may be a row of short runs: waits until the machine stands still.
    fn settled(&mut self, mut now: Stopped) -> Result<Stopped> {
        loop {
            std::thread::sleep(Duration::from_millis(30));
            let next = self.look()?;
            if next.position == now.position {
                return Ok(next);
            }
            now = next;
        }
    }
}

/// An X server without a screen.
struct Screen {
    display: String,
    _server: Background,
}

impl Screen {
    /// Starts one on a display that is free.
    fn start() -> Result<Self> {
        let mut server = Command::new("Xvfb");
        server.args(["-displayfd", "1", "-screen", "0", "1280x800x24", "-nolisten", "tcp"]);
        server.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = cmd::spawn(&mut server)?;
        let stdout = child.stdout.take().context("the X server's output is not piped")?;
        let server = Background(child);
        let mut number = String::new();
        BufReader::new(stdout).read_line(&mut number).context("the X server did not tell its display")?;
        ensure!(!number.trim().is_empty(), "the X server ended at once");
        Ok(Self { display: format!(":{}", number.trim()), _server: server })
    }

    fn tool(&self, program: &str, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new(program);
        command.args(arguments).env("DISPLAY", &self.display);
        cmd::output(&mut command)
    }

    /// Starts the program and gives its window the keyboard.
    fn open_window(&mut self, arguments: &[&str]) -> Result<Background> {
        let mut window = Command::new(project::program("firstlight", false));
        window.args(arguments).env("DISPLAY", &self.display).env_remove("WAYLAND_DISPLAY").stdin(Stdio::null());
        let child: Child = cmd::spawn(&mut window)?;
        let child = Background(child);
        let id = self.wait_for_window()?;
        // There is no window manager that would give it the focus.
        self.tool("xdotool", &["windowfocus", "--sync", id.lines().next().unwrap_or(&id)])?;
        // The first frames, and the first answer of the machine.
        std::thread::sleep(Duration::from_secs(2));
        Ok(child)
    }

    /// The number of the window, as soon as there is one.
    fn wait_for_window(&mut self) -> Result<String> {
        let start = Instant::now();
        loop {
            match self.tool("xdotool", &["search", "--onlyvisible", "--name", "Firstlight"]) {
                Ok(id) if !id.trim().is_empty() => return Ok(id.trim().to_string()),
                _ if start.elapsed() > PATIENCE => bail!("no window opened within {PATIENCE:?}"),
                _ => std::thread::sleep(Duration::from_millis(100)),
            }
        }
    }

    /// A key as a person presses it: an upper-case letter is Shift and the letter.
    fn key(&mut self, key: &str) -> Result<()> {
        self.tool("xdotool", &["key", key]).map(drop)
    }

    fn type_text(&mut self, text: &str) -> Result<()> {
        self.tool("xdotool", &["type", "--delay", "20", text]).map(drop)
    }

    fn picture(&mut self, name: &str) -> Result<()> {
        // The stop that is to be seen has come; the frame that shows it comes at once after.
        std::thread::sleep(Duration::from_millis(300));
        let path = project::target().join("screenshots").join(format!("{name}.png"));
        self.tool("import", &["-window", "root", &path.display().to_string()]).map(drop)
    }
}
