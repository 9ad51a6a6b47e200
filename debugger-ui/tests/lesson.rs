//! The lesson panel as a learner meets it: pages made by hand instead of a player, driven by accessible names and keys.
//! What is tested is what the learner's doing tells the player, and what is on the screen.

#[path = "support/recording.rs"]
mod recording;

use debugger_ui::app::App;
use debugger_ui::model::Model;
use debugger_ui::model::lesson::guide::Guide;
use debugger_ui::model::outbox::Order;
use egui::{Event, Key, Modifiers, Role};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};
use lessons::player::orders::Act;
use lessons::player::page::{AnswerState, Choice, Ending, Input, Page, Question, Score, Show, Task};
use lessons::text::{Block, Span};
use protocol::request::Request;
use recording::Recording;
use std::cell::RefCell;
use std::rc::Rc;

/// Shows a page and remembers what was done.
#[derive(Debug)]
struct Made {
    page: Page,
    acts: Rc<RefCell<Vec<Act>>>,
}

impl Guide for Made {
    fn page(&self) -> &Page {
        &self.page
    }

    fn act(&mut self, act: Act) {
        self.acts.borrow_mut().push(act);
    }
}

fn text(words: &str) -> Span {
    Span::Text(words.to_owned())
}

fn question(number: usize, input: Input, state: AnswerState) -> Question {
    Question {
        number,
        ask: vec![text("Linear address of CPU 1's first instruction")],
        predict: true,
        input,
        given: None,
        state,
        feedback: Vec::new(),
        right: None,
    }
}

fn number() -> Input {
    Input::Number { example: "like 0009a000".to_owned(), decimal: false }
}

/// A step with two questions, of which the second waits.
fn page() -> Page {
    let choices = ["It wakes", "It stays asleep"].iter().zip(["A", "B"]);
    let choices = choices.map(|(says, letter)| Choice { letter: letter.to_owned(), says: vec![text(says)] }).collect();
    Page {
        lesson: "wake".into(),
        lesson_title: "Wake one processor".into(),
        step_id: "sipi-target".into(),
        step: 7,
        steps: 11,
        title: "Where will it wake?".into(),
        text: vec![Block::Paragraph(vec![
            text("Press "),
            Span::Key("step-cpu".into()),
            text(" to see how it leaves "),
            Span::Term { id: "root".into(), text: "its root".into() },
            text("."),
        ])],
        tasks: vec![
            Task::Question(question(0, number(), AnswerState::Open)),
            Task::Question(question(1, Input::Choice(choices), AnswerState::Later)),
        ],
        show: vec![Show::Lanes, Show::Code, Show::Cpu],
        more_hints: 3,
        can_back: true,
        highlight: Some("step-cpu".into()),
        cpu: Some(1),
        ..Page::default()
    }
}

struct Window {
    harness: Harness<'static, App<Recording>>,
    orders: Rc<RefCell<Vec<Order>>>,
    acts: Rc<RefCell<Vec<Act>>>,
}

impl Window {
    fn open(page: Page, size: [f32; 2]) -> Self {
        let recording = Recording::new(2);
        let (orders, acts) = (recording.orders.clone(), Rc::<RefCell<Vec<Act>>>::default());
        let mut model = Model::default();
        model.begin_lesson(Box::new(Made { page, acts: acts.clone() }));
        let app = App::new(recording, model);
        let build = Harness::builder().with_size(size);
        let harness = build.build_ui_state(|ui, app: &mut App<Recording>| app.frame(ui), app);
        let mut window = Self { harness, orders, acts };
        window.harness.run();
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

    fn type_text(&mut self, text: &str) {
        self.harness.event(Event::Text(text.to_owned()));
        self.harness.run();
    }

    fn click(&mut self, name: &str) {
        self.harness.get_by_label(name).click();
        self.harness.run();
    }

    fn has(&self, name: &str) -> bool {
        self.harness.query_all_by_label_contains(name).next().is_some()
    }

    fn acts(&self) -> Vec<Act> {
        std::mem::take(&mut *self.acts.borrow_mut())
    }

    fn runs(&self) -> usize {
        let orders = std::mem::take(&mut *self.orders.borrow_mut());
        orders.iter().filter(|order| matches!(order, Order::Run(_))).count()
    }
}

const WIDE: [f32; 2] = [1280.0, 800.0];

/// Goal: the panel says where the learner is and what keys there are; a field does not take the keyboard by
/// itself, so that `s` steps. Method: names on the screen, then `s`.
#[test]
fn a_step_and_its_keys() {
    let mut window = Window::open(page(), WIDE);
    for words in ["Where will it wake?, step 7 of 11", "key s", "its root, a term", "PREDICTION", "Then: "] {
        assert!(window.has(words), "{words}");
    }
    window.runs();
    window.key(Key::S);
    assert_eq!(window.runs(), 1, "no field has the focus: s steps");
    window.key(Key::H);
    assert_eq!(window.acts(), [Act::Hint]);
    let step = window.harness.get_by_label("Step CPU 1");
    assert_eq!(step.accesskit_node().description().as_deref(), Some("The lesson asks for this."));
}

/// Goal: an answer is typed and checked by the keyboard alone; method: Ctrl+1, letters that are keys elsewhere, Ctrl+Enter.
#[test]
fn answers_are_typed() {
    let mut window = Window::open(page(), WIDE);
    window.chord(Modifiers::COMMAND, Key::Num1);
    window.harness.run();
    let field = window.harness.get_by_role_and_label(Role::TextInput, "Your prediction:");
    assert!(field.is_focused(), "Ctrl+1 leads to the first open field");
    window.runs();
    for (key, letter) in [(Key::Num9, "9"), (Key::C, "c"), (Key::Num0, "0"), (Key::Num0, "0"), (Key::Num0, "0")] {
        window.harness.key_press(key);
        window.type_text(letter);
    }
    assert_eq!(window.runs(), 0, "letters in a field are text");
    window.chord(Modifiers::COMMAND, Key::Enter);
    assert_eq!(window.acts(), [Act::Check { question: 0, text: "9c000".into() }]);
}

/// Goal: one of several is chosen and checked; method: the radio button by its name, then the key.
#[test]
fn choices_have_letters() {
    let mut page = page();
    for task in &mut page.tasks {
        if let Task::Question(question) = task {
            question.state = if question.number == 0 { AnswerState::Right } else { AnswerState::Open };
            question.right = (question.number == 0).then(|| "0009a000".into());
        }
    }
    let mut window = Window::open(page, WIDE);
    assert!(window.has("Right."), "a word, not a colour alone");
    assert!(window.has("0009a000"));
    window.click("B  It stays asleep");
    // The button may have to be scrolled to; the key is always there.
    window.chord(Modifiers::COMMAND, Key::Enter);
    assert_eq!(window.acts(), [Act::Choose { question: 1, letter: "B".into() }]);
}

/// Goal: how it went is told in words, with what was answered; method: each state.
#[test]
fn verdicts_are_words() {
    for (state, word) in [
        (AnswerState::Wrong, "Not yet. You answered 12000."),
        (AnswerState::RightAfterLooking, "Right, after looking."),
        (AnswerState::Shown, "Shown."),
        (AnswerState::Skipped, "Skipped."),
    ] {
        let mut page = page();
        let feedback = vec![text("It counts 4 KiB pages.")];
        let asked = Question { given: Some("12000".into()), feedback, ..question(0, number(), state) };
        page.tasks = vec![Task::Question(asked)];
        let window = Window::open(page, WIDE);
        assert!(window.has(word), "{word}");
        assert!(window.has("It counts 4 KiB pages."), "{word}");
    }
}

/// Goal: goals are a checklist, actions are buttons, and Ctrl+Enter goes on once all is done; method: a step of these.
#[test]
fn goals_actions_and_next() {
    let mut done = page();
    done.tasks = vec![
        Task::Goal { says: vec![text("CPU 1 is asleep again")], met: true, open: false },
        Task::Action { number: 2, label: "Try an ordinary interrupt".into(), pressed: false },
    ];
    (done.done, done.then) = (true, vec![Block::Note(vec![text("That was time travel.")])]);
    let mut window = Window::open(done, WIDE);
    assert!(window.has("Goal, done: CPU 1 is asleep again"));
    assert!(window.has("That was time travel."));
    window.click("Try an ordinary interrupt");
    window.chord(Modifiers::COMMAND, Key::Enter);
    assert_eq!(window.acts(), [Act::Do(2), Act::Next]);
}

/// Goal: while a prediction is open nothing of the future is told, in lanes or list; method: the same page both ways.
#[test]
fn the_future_is_covered() {
    let mut covered = page();
    covered.covered = true;
    for (page, told) in [(covered, false), (page(), true)] {
        let mut window = Window::open(page, WIDE);
        // A step and back: its events are the recorded future then.
        window.key(Key::S);
        window.chord(Modifiers::SHIFT, Key::S);
        window.chord(Modifiers::COMMAND, Key::Num7);
        window.harness.run();
        window.key(Key::End);
        window.key(Key::End);
        assert_eq!(window.has("recorded future, step"), told, "the list of events");
        window.chord(Modifiers::COMMAND, Key::Num2);
        window.harness.run();
        window.key(Key::End);
        let timeline = window.harness.get_by_role_and_label(Role::Slider, "Timeline");
        let value = timeline.accesskit_node().value().unwrap_or_default();
        assert_eq!(value.contains("The future is covered while you predict"), !told, "the timeline's value: {value}");
        assert_eq!(value.contains("NOW"), !told, "the last column that the keys reach: {value}");
    }
}

/// Goal: the keyboard goes lesson, transport, lanes, code, CPU, drawer; method: Tab from the heading on, first of each.
#[test]
fn the_order_of_the_keyboard() {
    let mut window = Window::open(page(), WIDE);
    window.harness.get_by_label("Where will it wake?, step 7 of 11").focus();
    window.harness.run();
    let mut reached = Vec::new();
    for _ in 0..70 {
        if let Some(node) = window.harness.query_all_by(|node| node.is_focused()).next() {
            reached.push(node.accesskit_node().label().unwrap_or_default());
        }
        window.key(Key::Tab);
    }
    let order = ["Your prediction", "Hint (3 left)", "Step CPU 1", "Timeline", "next: 9a00", "CPU 1: real", "Console"];
    let places: Vec<Option<usize>> =
        order.iter().map(|name| reached.iter().position(|label| label.starts_with(name))).collect();
    assert!(places.iter().all(Option::is_some), "{places:?} in {reached:?}");
    assert!(places.is_sorted(), "{places:?} in {reached:?}");
}

/// Goal: where the window is narrow or the text large the lesson is a tab, and nothing is lost; method: 640 x 400 points.
#[test]
fn a_narrow_window_has_the_lesson_as_a_tab() {
    let mut window = Window::open(page(), [640.0, 400.0]);
    assert!(window.has("Where will it wake?"), "a lesson that opens is in front");
    window.chord(Modifiers::COMMAND, Key::Num3);
    window.harness.run();
    assert!(!window.has("Where will it wake?, "));
    assert!(window.has("Code of CPU 1"));
    window.chord(Modifiers::COMMAND, Key::Num1);
    window.harness.run();
    assert!(window.has("Where will it wake?, "));
}

/// Goal: a term is explained by `?` and stays; method: focus it, press the key.
#[test]
fn terms_are_explained() {
    let mut window = Window::open(page(), WIDE);
    window.harness.get_by_label("its root, a term; ? explains it").focus();
    window.harness.run();
    window.key(Key::Questionmark);
    window.harness.run();
    assert!(window.has("Page-table root"));
}

/// Goal: an answer that cannot be read is told so, and what is typed next goes into the field again; method: a question
/// that is still open with something said to it, and Enter.
#[test]
fn what_cannot_be_read() {
    let mut made = page();
    let mut open = question(0, number(), AnswerState::Open);
    open.feedback = vec![text("That would be right as a decimal number.")];
    made.tasks[0] = Task::Question(open);
    let mut window = Window::open(made, [1280.0, 800.0]);
    assert!(window.has("Not counted. That would be right as a decimal number."));
    window.harness.get_by_role_and_label(Role::TextInput, "Your prediction:").focus();
    window.harness.run();
    window.type_text("141");
    window.key(Key::Enter);
    window.type_text("8d");
    window.key(Key::Enter);
    let check = |text: &str| Act::Check { question: 0, text: text.to_owned() };
    assert_eq!(window.acts(), [check("141"), check("8d")], "the old answer is marked, so that typing replaces it");
}

/// Goal: the way once more, with more CPUs and without a lesson; method: the end's button, the order and the layout.
#[test]
fn again_with_more_cpus() {
    let mut last = page();
    last.tasks.clear();
    last.ending = Some(Ending { again: Some(("Again with 8 CPUs".into(), 8)), ..Ending::default() });
    let mut window = Window::open(last, [1280.0, 1000.0]);
    window.click("Again with 8 CPUs");
    let restarts = |order: &Order| matches!(order, Order::Move(Request::Restart { config }) if config.cpus == 8);
    assert!(window.orders.borrow().iter().any(restarts));
    let model = window.harness.state().model();
    assert!(model.lessons.page().is_none() && model.page_tables.shown);
}

/// Goal: the end has the learner's numbers, the score in words and the picture; method: an ending, save to a path.
#[test]
fn the_end() {
    let mut last = page();
    last.tasks.clear();
    last.step = 12;
    last.ending = Some(Ending {
        text: vec![Block::Paragraph(vec![text("You woke a processor.")])],
        why: vec![Block::Paragraph(vec![text("INIT resets the core, not the RAM.")])],
        numbers: vec![("SIPI vector".into(), "9a".into())],
        score: Score { first: 9, shown: 1, ..Score::default() },
        next: Some(("sixteen-bits".into(), "One page, sixteen bits".into())),
        again: Some(("Again with 8 CPUs".into(), 8)),
    });
    let mut window = Window::open(last, [1280.0, 1000.0]);
    for words in ["You woke a processor.", "SIPI vector", "9 right at once, 1 shown", "INIT resets", "Explore freely"] {
        assert!(window.has(words), "{words}");
    }
    window.harness.get_by_role_and_label(Role::TextInput, "The lanes and your numbers, as a PNG file:").focus();
    window.harness.run();
    window.type_text("/tmp/mine.svg");
    window.click("Save picture");
    let errands = &window.harness.state().model().lessons.errands;
    let saved = errands.iter().any(|errand| {
        matches!(errand, debugger_ui::model::lesson::Errand::Picture { svg, path }
            if path == "/tmp/mine.svg" && svg.contains("SIPI vector"))
    });
    assert!(saved, "{errands:?}");
    window.click("Next lesson: One page, sixteen bits");
    assert_eq!(window.harness.state().model().lessons.awaited.as_deref(), Some("sixteen-bits"));
}

/// Goal: on the projector a question is large with its letters, and `r` reveals; method: the layout's command, then `r`.
#[test]
fn a_poll() {
    let mut asked = page();
    asked.tasks.remove(0);
    if let Some(Task::Question(question)) = asked.tasks.first_mut() {
        question.state = AnswerState::Open;
    }
    let mut window = Window::open(asked, WIDE);
    window.key(Key::F1);
    window.harness.run();
    window.type_text("layout: lecture");
    window.key(Key::Enter);
    window.harness.run();
    assert!(window.has("It stays asleep") && window.has("Reveal"));
    window.runs();
    window.key(Key::R);
    let acts = window.acts();
    assert_eq!((acts.last(), window.runs()), (Some(&Act::ShowMe), 0), "{acts:?}");
}

/// Goal: a CPU that gave up has a page with its causes and the way back; method: a stop that says so, then the buttons.
#[test]
fn a_triple_fault() {
    use protocol::event::{EventKind, FaultCause};
    let mut window = Window::open(page(), WIDE);
    let mut stop = window.harness.state_mut().peer_mut().stop();
    let link = |vector, error, cause: &str| FaultCause { vector, error: Some(error), cr2: None, cause: cause.into() };
    let chain = vec![link(11, 8, "descriptor 08 is not present"), link(8, 0, "the IDT has limit 0")];
    stop.position.0 += 1;
    stop.cpus[1].activity = protocol::Activity::Shutdown;
    stop.reason = protocol::request::StopReason::TripleFault { cpu: protocol::CpuId(1) };
    stop.events = vec![protocol::Event {
        position: stop.position,
        clock_ns: stop.clock_ns,
        cpu: protocol::CpuId(1),
        kind: EventKind::TripleFault { chain },
    }];
    window.harness.state_mut().peer_mut().tell(debugger_ui::model::inbox::Incoming::Stopped(Box::new(stop)));
    window.harness.run();
    for words in ["CPU 1 gave up", "#NP(0008): descriptor 08 is not present.", "Show the descriptor"] {
        assert!(window.has(words), "{words}");
    }
    window.runs();
    window.click("Step back before 1");
    assert_eq!(window.runs(), 1);
}
