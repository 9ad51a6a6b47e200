//! Lesson `wake`, played from its first step to its end by what a screen reader has: names, roles and actions, and keys
//! where text is typed. No pixel is looked at and no pointer moves. The real machine runs the real kernel in this process;
//! the learner reads numbers off the page and the registers, as told.

use debugger_ui::app::{App, Begin};
use debugger_ui::keeper::Keeper;
use debugger_ui::model::Model;
use debugger_ui::preferences::{Preferences, store::Store};
use debugger_ui::session::hosted::{Guest, ImageFlags, has_guest, target};
use debugger_ui::session::{Session, Target};
use egui::{Event, Key, Role};
use egui_kittest::Harness;
use egui_kittest::kittest::AccessKitNode;
use protocol::request::MachineConfig;
use std::time::{Duration, Instant};

/// How long a step may take before the test says where it stands. A busy computer is slow, a lesson is not.
const PATIENCE: Duration = Duration::from_secs(60);

struct Learner {
    harness: Harness<'static, App<Session>>,
}

fn machine(guest: Guest) -> Result<Target, String> {
    let config = MachineConfig {
        cpus: 2,
        apic_ids: Vec::new(),
        memory_bytes: 128 << 20,
        quantum: 64,
        seed: None,
        options: String::new(),
        cpu_quirks: Vec::new(),
        firmware: Default::default(),
    };
    target(guest, config, None)
}

impl Learner {
    fn begin(guest: Guest, folder: &std::path::Path) -> Self {
        let session = Session::start(machine(guest).expect("a machine"), || {}).expect("a session");
        let keeper =
            Keeper::start(Some(folder.into()), Box::new(|| Err("no film here".to_owned())), || {}).expect("a keeper");
        let begin = Begin::Lesson { id: "wake".to_owned(), film: false };
        let settings = (Store::open(Some(folder.join("settings.json"))).0, Preferences::default());
        let app = App::new(session, Model::default()).begin(begin, keeper).remembering(settings);
        let harness = Harness::builder()
            .with_size([1280.0, 800.0])
            .build_ui_state(|ui, app: &mut App<Session>| app.frame(ui), app);
        let mut learner = Self { harness };
        learner.wait("the lesson opens", |learner| learner.says("Two lanes"));
        learner.settle();
        learner
    }

    /// Every node that is told, from first to last.
    fn nodes(&self) -> Vec<AccessKitNode<'_>> {
        fn below<'a>(node: AccessKitNode<'a>, found: &mut Vec<AccessKitNode<'a>>) {
            for child in node.children() {
                found.push(child);
                below(child, found);
            }
        }
        let mut found = Vec::new();
        below(self.harness.kittest_state().root(), &mut found);
        found
    }

    /// All that is told: names and values.
    fn told(&self) -> Vec<String> {
        self.nodes().iter().flat_map(|node| [node.label(), node.value()]).flatten().collect()
    }

    fn says(&self, words: &str) -> bool {
        self.told().iter().any(|text| text.contains(words))
    }

    fn frame(&mut self) {
        self.harness.step();
        std::thread::sleep(Duration::from_millis(2));
    }

    fn wait(&mut self, what: &str, until: impl Fn(&Self) -> bool) {
        let start = Instant::now();
        while !until(self) {
            assert!(start.elapsed() < PATIENCE, "waited in vain for: {what}. Told is:\n{}", self.told().join("\n"));
            self.frame();
        }
    }

    /// Waits until the machine stands and the lesson waits for the learner.
    fn settle(&mut self) {
        let rests = |learner: &Self| {
            let model = learner.harness.state().model();
            let busy = model.lessons.page().is_none_or(|page| page.busy.is_some() || page.showing);
            model.connection.ready() && !busy && model.outbox.orders.is_empty()
        };
        let mut quiet = 0;
        let start = Instant::now();
        while quiet < 12 {
            assert!(start.elapsed() < PATIENCE, "it does not come to rest. Told is:\n{}", self.told().join("\n"));
            self.frame();
            quiet = if rests(self) { quiet + 1 } else { 0 };
        }
    }

    /// Presses what has this role and this name, or one that begins so.
    fn press(&mut self, role: Role, name: &str) {
        let usable = |node: &AccessKitNode<'_>| node.role() == role && !node.is_disabled();
        let exact = self.nodes().iter().any(|node| usable(node) && node.label().as_deref() == Some(name));
        let is_it = |node: &AccessKitNode<'_>| {
            let fits = |label: String| if exact { label == name } else { label.starts_with(name) };
            usable(node) && node.label().is_some_and(fits)
        };
        self.wait(&format!("a {role:?} {name:?} that can be used"), |learner| learner.nodes().iter().any(&is_it));
        let target = self.nodes().into_iter().find(|node| is_it(node)).map(|node| node.locate().0);
        self.act(target.expect("it is there"), egui::accesskit::Action::Click);
        self.settle();
    }

    fn act(&mut self, target_node: egui::accesskit::NodeId, action: egui::accesskit::Action) {
        let target_tree = egui::accesskit::TreeId::ROOT;
        let request = egui::accesskit::ActionRequest { action, target_node, target_tree, data: None };
        self.harness.event(Event::AccessKitActionRequest(request));
        self.frame();
        self.frame();
    }

    fn button(&mut self, name: &str) {
        self.press(Role::Button, name);
    }

    /// Chooses the answer that says this, and checks it.
    fn choose(&mut self, says: &str) {
        let is_it = |node: &AccessKitNode<'_>| {
            node.role() == Role::RadioButton && node.label().is_some_and(|label| label.contains(says))
        };
        self.wait(&format!("the answer {says:?}"), |learner| learner.nodes().iter().any(&is_it));
        let target = self.nodes().into_iter().find(|node| is_it(node)).map(|node| node.locate().0);
        self.act(target.expect("it is there"), egui::accesskit::Action::Click);
        self.button("Check");
        self.wait("that it is right", |learner| learner.says("Right."));
    }

    /// Types an answer into the open question, and Enter.
    fn answer(&mut self, text: &str, right: usize) {
        let is_it = |node: &AccessKitNode<'_>| {
            node.role() == Role::TextInput && node.label().is_some_and(|label| label.starts_with("Your "))
        };
        self.wait("a field for the answer", |learner| learner.nodes().iter().any(&is_it));
        let target = self.nodes().into_iter().find(|node| is_it(node)).map(|node| node.locate().0);
        self.act(target.expect("it is there"), egui::accesskit::Action::Focus);
        self.type_and_enter(text);
        let rights = |learner: &Self| learner.told().iter().filter(|text| text.starts_with("Right. ")).count();
        self.wait(&format!("that {text} is right"), |learner| rights(learner) >= right);
    }

    fn type_and_enter(&mut self, text: &str) {
        self.harness.event(Event::Text(text.to_owned()));
        self.frame();
        self.harness.key_press(Key::Enter);
        self.frame();
        self.settle();
    }

    /// Gives a register another value, in the registers.
    fn edit(&mut self, register: &str, value: &str) {
        self.button(&format!("{register} "));
        self.wait("the value's field", |learner| learner.says(&format!("New value of {register}")));
        self.harness.key_press_modifiers(egui::Modifiers::COMMAND, Key::A);
        self.frame();
        self.type_and_enter(value);
    }

    /// The hexadecimal number behind these words; a number is a text of its own.
    fn number_behind(&self, words: &str) -> u64 {
        // The lines into which a text is wrapped are below it, as nodes of their own.
        let whole = self.nodes().into_iter().filter(|node| node.role() != Role::TextRun);
        let texts: Vec<String> = whole.filter_map(|node| node.label().or_else(|| node.value())).collect();
        let told = texts.join("\n");
        let place = told.rfind(words).unwrap_or_else(|| panic!("nobody says {words:?}. Told is:\n{told}"));
        let behind = told[place + words.len()..].trim_start();
        let digits: String = behind.chars().take_while(char::is_ascii_hexdigit).collect();
        u64::from_str_radix(&digits, 16).unwrap_or_else(|why| panic!("{words:?} {behind:?}: {why}"))
    }

    /// On to the step with this title.
    fn next(&mut self, title: &str) {
        self.button("Next");
        self.wait(title, |learner| learner.says(&format!("{title}, step ")));
        self.settle();
    }

    fn goal(&mut self, says: &str) {
        self.wait(says, |learner| learner.says(&format!("Goal, done: {says}")));
    }
}

/// Goal: whoever sees nothing of the window can play the first lesson; method: all of its steps, by name.
#[test]
fn wake_is_played_by_name() {
    let guest = match std::env::var("FIRSTLIGHT_KERNEL") {
        Ok(kernel) => Guest::Files { image: Box::new(ImageFlags::of_kernel(kernel.into())), profile: None },
        Err(_) if has_guest() => Guest::Embedded,
        Err(_) => {
            assert!(std::env::var_os("CI").is_none(), "there is no kernel: FIRSTLIGHT_KERNEL is not set");
            return eprintln!("not run: no kernel is built in, and FIRSTLIGHT_KERNEL does not name one");
        }
    };
    let folder = tempfile::tempdir().expect("a folder for progress");
    let mut learner = Learner::begin(guest, folder.path());

    // A panel that is needed for the first time is introduced.
    assert!(learner.says("one row for each processor"), "{:?}", learner.told());
    for _ in 0..10 {
        if learner.says("Goal, done") {
            break;
        }
        learner.button("Step CPU 0");
    }
    learner.goal("CPU 0 stands at");

    learner.next("How much did the other one do?");
    assert!(!learner.says("one row for each processor"), "the lanes are introduced again");
    learner.choose("None");

    learner.next("Would a knock wake it?");
    learner.choose("No, it goes on waiting");
    learner.button("Send vector 40h instead");
    assert!(learner.says("software-disabled"), "the narrator says why");

    learner.next("What is it really sending?");
    let mode = learner.number_behind("The same place, untouched. EAX is") >> 8 & 7;
    let apic_id = learner.number_behind("high half is") >> 24;
    learner.answer(&mode.to_string(), 1);
    learner.answer(&format!("{apic_id:x}"), 2);

    learner.next("INIT");
    learner.choose("It waits for a start-up IPI");
    learner.press(Role::RadioButton, "Select CPU 0");
    learner.button("Step CPU 0");
    learner.press(Role::RadioButton, "Select CPU 1");
    learner.button("Step CPU 1");
    learner.goal("CPU 1 has taken the INIT");

    learner.next("Where a reset would begin");
    let reset = learner.number_behind("In that of CS stands the base:") + learner.number_behind(", EIP");
    learner.answer(&format!("{reset:x}"), 1);

    learner.next("One byte");
    let vector = learner.number_behind("Now EAX is") & 0xff;
    learner.answer(&format!("{:x}", vector << 12), 1);
    learner.answer(&format!("{:x}", vector << 8), 2);

    learner.next("It wakes");
    learner.button("Go");
    learner.button("Run until it wakes");
    learner.goal("CPU 1 is awake");
    learner.button("< Step");
    learner.goal("It is asleep again");
    learner.button("Step CPU 1");
    learner.goal("And awake");

    learner.next("The second SIPI");
    learner.choose("Nothing: CPU 1 goes on in 64-bit mode");

    learner.next("The first one gets lost");
    learner.choose("It comes online, by the second SIPI");
    learner.edit("RAX", "2a000000");
    learner.goal("EAX names an APIC ID that nobody has");
    learner.button("Run >");
    learner.goal("CPU 1 is online all the same");

    learner.next("The wrong page");
    learner.choose("CPU 1 left out: it did not answer");
    learner.edit("RAX", "600");
    learner.goal("The vector in EAX is 00");
    learner.button("Run to the kernel's report");
    learner.goal("The kernel has given CPU 1 up");
    learner.button("Before my change");
    learner.button("Run >");
    learner.goal("Mended");

    learner.next("Put it back to sleep");
    learner.answer("0", 1);
    learner.choose("It is as it was");
    let console = learner.nodes().into_iter().find(|node| node.role() == Role::Terminal).map(|node| node.locate().0);
    learner.act(console.expect("the step opened the console"), egui::accesskit::Action::Focus);
    learner.type_and_enter("ipi 1 init");
    learner.harness.key_press_modifiers(egui::Modifiers::CTRL, Key::Tab);
    learner.frame();
    learner.button("Run >");
    learner.goal("CPU 1 waits for a SIPI again");

    learner.next("One true sentence");
    learner.choose("is started by a SIPI only");
    learner.button("Finish");
    learner.wait("the ending", |learner| learner.says("SIPI vector"));
    let model = learner.harness.state().model();
    assert!(model.lessons.page().is_some_and(|page| page.ending.is_some()), "the lesson is over");
    let score = "Questions: 14 right at once.";
    assert!(learner.says(score), "not {score:?}. Told is:\n{}", learner.told().join("\n"));
    assert!(learner.says(&format!("{:02x}", vector)) && learner.says(&format!("{:08x}", vector << 12)), "its numbers");
}
