//! The window as a user meets it: driven by accessible names and keys, on a recording instead of a machine, without a
//! display. What is tested is what commands leave as orders to the machine, and what is on the screen afterwards.

#[path = "support/recording.rs"]
mod recording;

use debugger_ui::app::App;
use debugger_ui::model::Model;
use debugger_ui::model::inbox::Incoming;
use debugger_ui::model::outbox::{Order, Purpose};
use debugger_ui::model::typed::Typed;
use egui::accesskit::Live;
use egui::{Event, Key, Modifiers, Role};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};
use protocol::CpuId;
use protocol::breakpoint::Condition;
use protocol::request::{Direction, Edit, FirmwareQuirk, Refusal, Request, StopReason, Stopped, Until};
use recording::Recording;
use std::cell::RefCell;
use std::rc::Rc;

struct Window {
    harness: Harness<'static, App<Recording>>,
    orders: Rc<RefCell<Vec<Order>>>,
}

impl Window {
    fn open(cpus: u16, size: [f32; 2]) -> Self {
        let recording = Recording::new(cpus);
        let orders = recording.orders.clone();
        let app = App::new(recording, Model::default());
        let harness =
            Harness::builder().with_size(size).build_ui_state(|ui, app: &mut App<Recording>| app.frame(ui), app);
        let mut window = Self { harness, orders };
        window.harness.run();
        window
    }

    /// Two CPUs, CPU 1 selected, which has just set CR0.PE.
    fn after_a_step() -> Self {
        let mut window = Self::open(2, [1280.0, 800.0]);
        window.key(Key::Num1);
        window.key(Key::S);
        window
    }

    fn key(&mut self, key: Key) {
        self.harness.key_press(key);
        self.harness.run();
    }

    fn chord(&mut self, modifiers: Modifiers, key: Key) {
        self.harness.key_press_modifiers(modifiers, key);
        self.harness.run();
    }

    fn click(&mut self, name: &str) {
        self.harness.get_by_label(name).click();
        self.harness.run();
    }

    fn text(&mut self, text: &str) {
        self.harness.event(Event::Text(text.to_owned()));
        self.harness.run();
    }

    fn has(&self, name: &str) -> bool {
        self.harness.query_all_by_label_contains(name).next().is_some()
    }

    /// The orders since the last call that move, change or type.
    fn take_orders(&self) -> Vec<Order> {
        let all = std::mem::take(&mut *self.orders.borrow_mut());
        all.into_iter().filter(|order| !matches!(order, Order::Read(..))).collect()
    }

    /// What was typed since then, on its way or waiting for a run.
    fn typed(&self) -> Typed {
        let mut typed = Typed::default();
        for order in self.take_orders() {
            match order {
                Order::Type(more) => typed.extend(more),
                Order::Run(advance) => typed.extend(Typed { serial: advance.serial_input, keys: advance.keys }),
                _ => {}
            }
        }
        typed.extend(self.harness.state().model().console.typed.clone());
        typed
    }

    fn runs(&self) -> Vec<(Option<CpuId>, Direction, Until)> {
        let advance = |order| match order {
            Order::Run(advance) => Some((advance.cpu, advance.direction, advance.until)),
            _ => None,
        };
        self.take_orders().into_iter().filter_map(advance).collect()
    }
}

/// Goal: each key of the transport leads to its run; method: press it, look at the order.
#[test]
fn keys_step_and_run() {
    let mut window = Window::open(2, [1280.0, 800.0]);
    window.key(Key::Num1);
    window.take_orders();
    let one = Some(CpuId(1));
    use Direction::{Backward, Forward};
    let plain = Modifiers::NONE;
    let cases = [
        (plain, Key::S, one, Forward, Until::Steps(1)),
        (Modifiers::SHIFT, Key::S, one, Backward, Until::Steps(1)),
        (plain, Key::F11, one, Forward, Until::Steps(1)),
        (plain, Key::M, None, Forward, Until::Steps(1)),
        (Modifiers::SHIFT, Key::M, None, Backward, Until::Steps(1)),
        (plain, Key::N, one, Forward, Until::Over),
        (plain, Key::F, one, Forward, Until::Out),
        (plain, Key::C, None, Forward, Until::Breakpoint),
        (Modifiers::SHIFT, Key::C, None, Backward, Until::Breakpoint),
    ];
    for (modifiers, key, cpu, direction, until) in cases {
        window.chord(modifiers, key);
        assert_eq!(window.runs(), [(cpu, direction, until)], "{modifiers:?} {key:?}");
    }
}

/// Goal: the button says what it does and does it, and the narrator tells it politely; method: click by name.
#[test]
fn step_button_and_narrator() {
    let mut window = Window::open(2, [1280.0, 800.0]);
    window.key(Key::Num1);
    window.click("Step CPU 1");
    assert_eq!(window.runs(), [(Some(CpuId(1)), Direction::Forward, Until::Steps(1))]);
    let sentence = window.harness.state().model().narrator.sentence.clone();
    assert!(sentence.contains("PE 0 -> 1"), "{sentence}");
    let node = window.harness.get_by_label(&sentence);
    assert_eq!(node.accesskit_node().live(), Live::Polite);
    assert!(window.has("CPU 1: protected mode, 16-bit, running"), "the card's head");
    assert!(window.has("CR0 PE = 1, changed"), "the bit says that it changed");
    assert!(window.has("IP 103b, was 1038"), "the register says what it was");
}

/// Goal: typing never steps; method: letters into the walk's field, then Enter, which walks.
#[test]
fn letters_in_a_field_are_text() {
    let mut window = Window::open(2, [1280.0, 800.0]);
    window.take_orders();
    let field = window.harness.get_by_role_and_label(Role::TextInput, "walk of");
    field.focus();
    window.harness.run();
    for (key, text) in [(Key::S, "s"), (Key::S, "s"), (Key::C, "c")] {
        window.harness.key_press(key);
        window.text(text);
    }
    assert_eq!(window.take_orders(), []);
    window.key(Key::Enter);
    assert_eq!(window.harness.state().model().page_tables.walk_text, "ssc");
}

/// Goal: the console sends what is typed and lets go by Ctrl+2; method: keys as bytes, then a step key again.
#[test]
fn console_takes_typing_and_lets_go() {
    let mut window = Window::after_a_step();
    window.take_orders();
    window.chord(Modifiers::COMMAND, Key::Num6);
    window.harness.run();
    assert!(window.has("Typing goes to the machine; Ctrl+2 returns"));
    window.harness.key_press(Key::S);
    window.text("s");
    window.key(Key::Enter);
    assert_eq!(window.typed(), Typed::serial(*b"s\r"), "typed, and nothing else");
    window.chord(Modifiers::COMMAND, Key::Num2);
    window.harness.run();
    window.take_orders();
    window.key(Key::S);
    assert_eq!(window.runs().len(), 1, "outside the console s steps");
}

/// Goal: a value of a stopped machine is edited in place; method: click it, type, Enter; then Escape changes nothing.
#[test]
fn registers_are_edited_in_place() {
    let mut window = Window::after_a_step();
    window.take_orders();
    window.click("EDX 00009a00");
    let field = window.harness.get_by_label("New value of EDX");
    field.focus();
    window.harness.run();
    window.chord(Modifiers::COMMAND, Key::A);
    window.text("1234");
    window.key(Key::Enter);
    let edits: Vec<Order> = window.take_orders();
    let expected = Edit::Register { cpu: CpuId(1), name: "rdx".into(), value: 0x1234 };
    assert!(matches!(&edits[..], [Order::Move(Request::Edit { edit, .. })] if *edit == expected), "{edits:?}");
    window.click("EBX 00000000");
    window.text("77");
    window.key(Key::Escape);
    assert_eq!(window.take_orders(), []);
}

/// Goal: a control bit is flipped by a click on its chip; method: PG of the selected CPU.
#[test]
fn bits_are_flipped() {
    let mut window = Window::after_a_step();
    window.take_orders();
    window.click("CR0 PG = 0");
    let orders = window.take_orders();
    let value = match &orders[..] {
        [Order::Move(Request::Edit { edit: Edit::Register { name, value, .. }, .. })] if name == "cr0" => *value,
        other => panic!("{other:?}"),
    };
    assert_eq!(value, 0xe000_0011);
}

/// Goal: commands are found by name; method: F1, a part of the name, Enter.
#[test]
fn palette_runs_a_command() {
    let mut window = Window::after_a_step();
    window.take_orders();
    window.key(Key::F1);
    window.harness.run();
    window.text("step mach");
    window.key(Key::Enter);
    assert_eq!(window.runs(), [(None, Direction::Forward, Until::Steps(1))]);
    assert!(!window.has("Type a part of its name"), "it closed");
}

/// Goal: `b` sets a breakpoint at the next instruction and clears one that is there; method: its order.
#[test]
fn breakpoint_by_key() {
    let mut window = Window::after_a_step();
    window.orders.borrow_mut().clear();
    window.key(Key::B);
    let orders = std::mem::take(&mut *window.orders.borrow_mut());
    assert!(orders.contains(&Order::Read(Purpose::Cleared(1), Request::ClearBreakpoint { id: 1 })), "{orders:?}");
    window.key(Key::B);
    let orders = std::mem::take(&mut *window.orders.borrow_mut());
    let here = Condition::Execute(protocol::LinearAddr(recording::BASE + 0x103b));
    let sets =
        |order: &Order| matches!(order, Order::Read(_, Request::SetBreakpoint { condition, .. }) if *condition == here);
    assert!(orders.iter().any(sets), "{orders:?}");
}

/// Goal: `?` explains the focused thing and the note stays; method: focus a bit, press ?, step, look, Escape.
#[test]
fn explanations_stay() {
    let mut window = Window::after_a_step();
    window.harness.get_by_label("CR0 PG = 0").focus();
    window.harness.run();
    window.key(Key::Questionmark);
    window.harness.run();
    assert!(window.has("CR0 bit 31, PG: Paging"));
    window.key(Key::S);
    assert!(window.has("CR0 bit 31, PG: Paging"), "it stays after a step");
    window.key(Key::Escape);
    window.harness.run();
    assert!(!window.has("CR0 bit 31, PG: Paging"));
}

/// Goal: page tables open by keys, and say why a walk fails; method: the tree's list, then CPU 1, which does not page.
#[test]
fn page_tables_by_keys() {
    let mut window = Window::open(2, [1280.0, 800.0]);
    assert!(window.has("PML4[511]"));
    window.chord(Modifiers::COMMAND, Key::Num5);
    window.harness.run();
    window.key(Key::ArrowDown);
    window.key(Key::ArrowRight);
    assert!(window.has("level 3: PDPT[510]"), "the entry opened");
    window.harness.get_by_role_and_label(Role::TextInput, "walk of").focus();
    window.harness.run();
    window.text("9b000");
    window.key(Key::Enter);
    assert!(window.has("the walk ends here"), "init_top_pgt has no identity map");
}

/// Goal: two roots are compared at once, by ranges and as trees; method: the switch, what is shared, the key to the
/// next difference, the trees.
#[test]
fn two_roots_side_by_side() {
    // High enough that the tree's last row is in view.
    let mut window = Window::open(2, [1280.0, 1100.0]);
    window.click("two roots");
    assert!(window.has("Left CPU 0: init_top_pgt at phys 03450000, right trampoline_pgd"));
    assert!(window.has("only right: 0000_0000_0000"), "the low map");
    window.chord(Modifiers::COMMAND, Key::Num5);
    window.harness.run();
    window.key(Key::End);
    assert!(window.has("shared, PML4[511] = PML4[511]: ffff_ffff_8"), "the kernel's half");
    window.key(Key::D);
    window.harness.run();
    assert!(window.has("only right: 0000_0000_0000"), "round the end to the first difference");
    window.click("Tree");
    assert!(window.has("Tree of CPU 0: init_top_pgt"), "the CPU's own");
    assert!(window.has("Tree of trampoline_pgd"), "and another");
    assert!(window.has("PML4[511] 228 pages"), "the kernel's half");
    assert!(window.has(", shared"), "is the same in both");
}

/// Goal: what must be known first is said, with the way out; method: each state of the connection.
#[test]
fn banners() {
    let mut window = Window::after_a_step();
    let told = [
        (Incoming::Lost { why: "The other end closed.".into() }, "Disconnected", "Reconnect"),
        (
            Incoming::Refused(Refusal::Crashed("index out of bounds".into())),
            "Machine stopped working",
            "Start it again",
        ),
    ];
    for (incoming, title, button) in told {
        window.harness.state_mut().peer_mut().tell(incoming);
        window.harness.run();
        assert!(window.has(title), "{title}");
        assert!(window.has(button), "{button}");
    }
}

/// Goal: who else drives, another image on disk, and what the machine lacks are told with a way out; method: stops that
/// say so.
#[test]
fn banners_of_a_stop() {
    let mut window = Window::after_a_step();
    let stop = window.harness.state_mut().peer_mut().stop();
    let lacks = StopReason::Unsupported { cpu: CpuId(1), what: "vaddps (AVX)".into() };
    let told = [
        (Stopped { gdb_attached: true, ..stop.clone() }, "gdb drives", "Take over"),
        (Stopped { image_changed: true, ..stop.clone() }, "Image changed", "Reload"),
        (Stopped { reason: lacks, ..stop.clone() }, "vaddps (AVX)", "Step back before it"),
        (Stopped { can_undo: true, ..stop.clone() }, "Just now", "Before my change"),
    ];
    for (stopped, title, button) in told {
        assert!(!window.has(button), "not before there is a reason");
        window.harness.state_mut().peer_mut().tell(Incoming::Stopped(Box::new(stopped)));
        window.harness.run();
        assert!(window.has(title), "{title}");
        assert!(window.has(button), "{button}");
        window.harness.state_mut().peer_mut().tell(Incoming::Stopped(Box::new(stop.clone())));
        window.harness.run();
    }
    window.harness.state_mut().peer_mut().tell(Incoming::Stopped(Box::new(Stopped { gdb_attached: true, ..stop })));
    window.harness.run();
    window.take_orders();
    window.key(Key::S);
    assert_eq!(window.take_orders(), [], "while gdb drives the window steps nothing");
    window.click("Take over");
    assert!(window.has("This window drives"), "and not that gdb does");
    assert!(!window.has("gdb drives"));
}

/// Goal: a CPU that does not page leaves its room to the code, and leads to the tables that there are; method: CPU 1.
#[test]
fn no_page_tables_need_little_room() {
    let mut window = Window::open(2, [1280.0, 800.0]);
    assert!(window.has("walk of"));
    window.key(Key::Num1);
    assert!(window.has("CPU 1 does not page"));
    assert!(!window.has("walk of"), "nothing to walk");
    window.click("trampoline_pgd");
    assert!(window.has("Tree of trampoline_pgd"));
}

/// Goal: who goes to a place can work there, and sees the next instruction again after a step; method: g, b, s.
#[test]
fn going_to_a_place() {
    let mut window = Window::after_a_step();
    window.key(Key::G);
    window.harness.run();
    window.text(&format!("{:x}", recording::BASE + 0x102a));
    window.key(Key::Enter);
    window.harness.run();
    assert!(!window.harness.state().model().code.follow);
    window.orders.borrow_mut().clear();
    window.key(Key::B);
    let orders = std::mem::take(&mut *window.orders.borrow_mut());
    let there = Condition::Execute(protocol::LinearAddr(recording::BASE + 0x102a));
    let sets = |order: &Order| matches!(order, Order::Read(_, Request::SetBreakpoint { condition, .. }) if *condition == there);
    assert!(orders.iter().any(sets), "{orders:?}");
    assert!(!window.harness.state().model().code.follow);
    window.chord(Modifiers::SHIFT, Key::S);
    assert!(window.harness.state().model().code.follow, "after a step the next instruction is shown");
}

/// Goal: a narrow window or large text loses no panel; method: 640 x 360 points, reach each by key.
#[test]
fn narrow_windows_have_tabs() {
    let mut window = Window::open(2, [640.0, 400.0]);
    window.key(Key::Num1);
    window.chord(Modifiers::COMMAND, Key::Num4);
    window.harness.run();
    assert!(window.has("CPU 1: real mode, running"));
    window.chord(Modifiers::COMMAND, Key::Num3);
    window.harness.run();
    assert!(window.has("next: 9a00:1038 mov cr0,eax"));
    window.chord(Modifiers::COMMAND, Key::Num5);
    window.harness.run();
    assert!(window.has("walk of"));
}

/// Goal: no size of the window makes it panic, a tiling window manager may give any; method: draw sizes from one point
/// upwards, with every part open, and steer the lanes by keys at each.
#[test]
fn any_size_draws() {
    let mut window = Window::open(2, [1280.0, 800.0]);
    window.click("two roots");
    window.key(Key::Num1);
    window.key(Key::S);
    window.key(Key::Questionmark);
    for tab in [Key::Num6, Key::Num7, Key::Num8, Key::Num5] {
        window.chord(Modifiers::COMMAND, tab);
        for (width, height) in [(1.0, 1.0), (40.0, 700.0), (150.0, 90.0), (300.0, 200.0), (760.0, 60.0), (1280.0, 61.0)]
        {
            window.harness.set_size(egui::vec2(width, height));
            window.harness.run_ok();
            window.chord(Modifiers::COMMAND, Key::Num2);
            window.key(Key::ArrowLeft);
            window.key(Key::Home);
            window.chord(Modifiers::COMMAND, tab);
        }
    }
    window.harness.set_size(egui::vec2(1280.0, 800.0));
    window.harness.run();
    assert!(window.has("Step CPU 1"), "all is there again");
}

/// Goal: everything is reached by Tab, and the focus survives a step; method: count stops until they repeat.
#[test]
fn tab_reaches_the_controls() {
    let mut window = Window::after_a_step();
    let mut reached = Vec::new();
    for _ in 0..90 {
        window.key(Key::Tab);
        if let Some(node) = window.harness.query_all_by(|node| node.is_focused()).next() {
            reached.push(node.accesskit_node().label().unwrap_or_default());
        }
    }
    // Of a list its cursor's row has the focus, for who listens: here the code's.
    let row = "next: breakpoint 1: 9a00:103b";
    let wanted = ["Step CPU 1", "Hold others", row, "CR0 PE = 1, changed", "Timeline", "Events", "Console"];
    for name in wanted {
        assert!(reached.iter().any(|label| label.starts_with(name)), "{name} is not reached; reached {reached:?}");
    }
    window.harness.get_by_label("Step CPU 1").focus();
    window.harness.run();
    window.key(Key::S);
    assert!(window.harness.get_by_label("Step CPU 1").is_focused(), "the focus is where it was");
}

/// Goal: 64 CPUs cost a frame no more than 8, since only what is in view is drawn, and a frame in which nothing happened
/// asks the machine for nothing; method: count shapes and orders. How long it takes is measured by `cargo xtask bench`.
#[test]
fn sixty_four_cpus_cost_what_is_in_view() {
    let [few, many] = [8, 64].map(|cpus| {
        let mut window = Window::open(cpus, [1280.0, 800.0]);
        window.orders.borrow_mut().clear();
        for _ in 0..10 {
            window.harness.step();
        }
        assert_eq!(*window.orders.borrow(), [], "{cpus} CPUs, nothing happened");
        window.harness.output().shapes.len()
    });
    assert!(few > 100 && many <= few + few / 10, "{few} shapes with 8 CPUs, {many} with 64");
}

/// Goal: memory is read while its panel is open, changed bytes say what they were, a byte is edited in place; method:
/// open it by its key, go to an address, Enter, type.
#[test]
fn memory_is_shown_and_edited() {
    let mut window = Window::after_a_step();
    window.chord(Modifiers::COMMAND, Key::Num9);
    window.harness.run();
    let field = window.harness.get_by_role_and_label(Role::TextInput, "at");
    field.focus();
    window.harness.run();
    window.chord(Modifiers::COMMAND, Key::A);
    window.text("9d008");
    window.key(Key::Enter);
    window.harness.run();
    assert!(window.has("0009d000: 1f 00 00 d0 09 00 00 00 ff ff 00 00 00 9b cf 00"));
    window.take_orders();
    window.key(Key::ArrowRight);
    window.key(Key::Enter);
    window.harness.run();
    window.chord(Modifiers::COMMAND, Key::A);
    window.text("0f 0b");
    window.key(Key::Enter);
    let orders = window.take_orders();
    let at = protocol::request::Place::Linear { cpu: CpuId(1), linear: protocol::LinearAddr(0x9d009) };
    let expected = Edit::Memory { at, bytes: vec![0x0f, 0x0b] };
    assert!(matches!(&orders[..], [Order::Move(Request::Edit { edit, .. })] if *edit == expected), "{orders:?}");
    window.chord(Modifiers::COMMAND, Key::Num2);
    window.orders.borrow_mut().clear();
    window.key(Key::S);
    let read = |order: &Order| matches!(order, Order::Read(Purpose::Memory(_), _));
    assert!(window.orders.borrow().iter().any(read), "an open panel is read after each step");
}

/// Goal: the GDT tells its entries and flips a bit in memory; method: open it, choose entry 08, click its P.
#[test]
fn descriptors_are_decoded_and_flipped() {
    let mut window = Window::after_a_step();
    window.chord(Modifiers::COMMAND | Modifiers::SHIFT, Key::G);
    window.harness.run();
    assert!(window.has("used as this table's own pseudo-descriptor"));
    assert!(window.has("08: code, execute/read, 32-bit, DPL 0"));
    assert!(window.has("no entry here. The hidden part") || window.has("CS came from here"));
    window.key(Key::ArrowDown);
    window.take_orders();
    window.click("entry 08 P = 1");
    let orders = window.take_orders();
    let is_p = |edit: &Edit| matches!(edit, Edit::Memory { bytes, .. } if bytes[..] == [0x1b]);
    assert!(matches!(&orders[..], [Order::Move(Request::Edit { edit, .. })] if is_p(edit)), "{orders:?}");
}

/// Goal: a stale TLB entry says what memory says; method: the recording's one entry of an old map.
#[test]
fn tlb_tells_stale_entries() {
    let mut window = Window::open(2, [1280.0, 800.0]);
    window.chord(Modifiers::COMMAND | Modifiers::SHIFT, Key::T);
    window.harness.run();
    assert!(window.has("TLB of CPU 0: 1 entries, 1 global, 1 below 2^47, 1 stale"));
    assert!(window.has("stale: memory says not mapped"));
}

/// Goal: a machine is restarted with another firmware, and with the variables that this one has made. Method: a quirk typed in its
/// field, a choice by its name, Restart; then a word that is no quirk.
#[test]
fn firmware_is_chosen() {
    let mut window = Window::open(2, [1280.0, 800.0]);
    window.harness.get_by_role_and_label(Role::Tab, "Machine").click();
    window.harness.run();
    assert!(window.has("(there are none)"), "at power-on");
    window.click("EFI variables as now");
    assert!(window.has("Lang"));
    let field = |window: &mut Window, text: &str| {
        window.harness.get_by_role_and_label(Role::TextInput, "Firmware quirks").focus();
        window.harness.run();
        window.text(text);
    };
    field(&mut window, "no-hand-over");
    window.take_orders();
    window.click("Restart with these settings");
    let orders = window.take_orders();
    let [Order::Move(Request::Restart { config })] = &orders[..] else { panic!("{orders:?}") };
    assert_eq!(config.firmware.quirks, [FirmwareQuirk::NoHandOver]);
    assert_eq!(config.firmware.variables, [1, 2, 3]);
    field(&mut window, " tired");
    assert!(window.has("is no quirk of a firmware"));
}

/// Goal: the guest's screen is shown, and keys typed there are its keyboard's until Ctrl+2 leads out. Method: the recording's screen,
/// a letter and Enter, then a step.
#[test]
fn screen_takes_keys_and_lets_go() {
    let mut window = Window::after_a_step();
    window.chord(Modifiers::COMMAND | Modifiers::SHIFT, Key::V);
    window.harness.run();
    assert!(window.has("xv6...") && window.has("cpu1: starting 1"));
    window.take_orders();
    window.harness.key_press(Key::S);
    window.text("s");
    window.key(Key::Enter);
    assert_eq!(window.typed(), Typed::keys([0x1b, 0xf0, 0x1b, 0x5a, 0xf0, 0x5a]), "S and Enter in set 2");
    window.chord(Modifiers::COMMAND, Key::Num2);
    window.harness.run();
    window.take_orders();
    window.key(Key::S);
    assert_eq!(window.runs().len(), 1, "outside the screen s steps");
}

/// Goal: the glossary is opened by its key and ready to type; what is typed is found, the chosen entry is told in full.
/// Method: the key, a few letters, Enter, Down.
#[test]
fn glossary_is_looked_up() {
    let mut window = Window::after_a_step();
    window.chord(Modifiers::COMMAND | Modifiers::SHIFT, Key::L);
    window.harness.run();
    window.take_orders();
    window.harness.event(egui::Event::Text("protection enable".into()));
    window.harness.run();
    assert_eq!(window.take_orders(), [], "what is typed are no keys of the window");
    let says = &lessons::glossary::bit("cr0", 0).expect("PE is explained").says;
    assert!(window.has(says) && window.has("SDM"), "the first that is found is told in full");
    window.key(Key::Enter);
    window.harness.run();
    window.harness.event(egui::Event::Text("no such thing".into()));
    window.harness.run();
    assert!(window.has(says), "Enter has left the field for the list");
}

/// Goal: k marks a place, which go-to knows by its name; w tells a cause and goes there when pressed again; method: the
/// keys, and the orders to the machine.
#[test]
fn bookmarks_and_causes() {
    let mut window = Window::after_a_step();
    window.key(Key::K);
    let name = window.harness.state().model().bookmarks.list[0].name.clone();
    window.chord(Modifiers::COMMAND | Modifiers::SHIFT, Key::B);
    window.harness.run();
    assert!(window.has(&format!("{name}, step 1 204 352, here")));
    window.harness.get_by_label("EDX 00009a00").focus();
    window.harness.run();
    window.take_orders();
    window.key(Key::W);
    assert!(window.has("EDX of CPU 1 was written by CPU 1: mov edx, cs"), "the first press tells");
    assert_eq!(window.take_orders(), []);
    window.key(Key::W);
    let orders = window.take_orders();
    assert!(
        matches!(&orders[..], [Order::Move(Request::Seek { position, .. })] if position.0 == recording::NOW - 11),
        "the second goes to before it: {orders:?}"
    );
}
