//! The lesson in the model: orders out, answers and stops in. The player is a script that remembers what it is told.

use super::guide::Guide;
use super::*;
use crate::model::connection::Offers;
use crate::model::inbox::Incoming;
use crate::model::inbox::tests::stopped;
use lessons::player::orders::Ticket;
use protocol::CpuId;
use protocol::request::{Refusal, StopReason};
use protocol::run::Run;
use std::sync::{Arc, Mutex};

/// What the script was told, in words.
type Told = Arc<Mutex<Vec<String>>>;

#[derive(Debug)]
struct Script {
    page: Page,
    orders: Vec<Wish>,
    told: Told,
}

impl Script {
    fn tell(&self, words: String) {
        self.told.lock().unwrap().push(words);
    }
}

impl Guide for Script {
    fn page(&self) -> &Page {
        &self.page
    }

    fn take_orders(&mut self) -> Vec<Wish> {
        std::mem::take(&mut self.orders)
    }

    fn wants_to_move(&self) -> bool {
        self.orders.iter().any(|order| !matches!(order, Wish::Read(..)))
    }

    fn answer(&mut self, ticket: Ticket, answer: Answer) {
        self.tell(format!("answer {} {answer:?}", ticket.0));
    }

    fn stopped(&mut self, seen: &Seen<'_>) {
        self.tell(format!("{} at {}", if seen.running { "runs" } else { "stopped" }, seen.position));
    }

    fn refused(&mut self, refusal: &Refusal) {
        self.tell(format!("refused {refusal:?}"));
    }

    fn act(&mut self, _act: Act) {
        let seek = Request::Seek { position: Position(3), wanted: Wanted::default() };
        self.orders.push(Wish::Move(seek));
    }
}

fn playing(orders: Vec<Wish>) -> (Model, Told) {
    let mut model = Model::default();
    let offers = Offers { vendor: true, story: true, ..Offers::default() };
    model.absorb(Incoming::Connected { offers, hello: None });
    model.absorb(Incoming::Stopped(Box::new(stopped(Position(7)))));
    model.outbox.take();
    let told = Told::default();
    model.begin_lesson(Box::new(Script { page: Page::default(), orders, told: told.clone() }));
    (model, told)
}

fn heard(told: &Told) -> Vec<String> {
    std::mem::take(&mut *told.lock().unwrap())
}

/// Goal: what the player reads comes back to it alone; method: a question and its answer, and a refusal of one.
#[test]
fn questions_and_answers() {
    let (mut model, told) = playing(vec![Wish::Read(Ticket(5), Request::Copy)]);
    assert_eq!(model.outbox.take(), [Order::Read(Purpose::Lesson(Ticket(5)), Request::Copy)]);
    model.absorb(Incoming::Answer(Purpose::Lesson(Ticket(5)), Answer::Done));
    model.absorb(Incoming::Answer(Purpose::Lesson(Ticket(6)), Answer::Refused(Refusal::GdbDrives)));
    assert_eq!(heard(&told), ["answer 5 Done", "answer 6 Refused(GdbDrives)"]);
    assert!(!model.connection.gdb.attached, "it is the player's to tell what was refused");
}

/// Goal: a move for the lesson brings the window what it wants to know, and its stop reaches the player before keys that
/// waited; method: seek, a key meanwhile, the stop.
#[test]
fn moves_are_ordinary_stops() {
    let seek = Request::Seek { position: Position(3), wanted: Wanted::default() };
    let (mut model, told) = playing(vec![Wish::Move(seek)]);
    let orders = model.outbox.take();
    let asked =
        |order: &Order| matches!(order, Order::Move(Request::Seek { wanted, .. }) if wanted.events_from.is_some());
    assert!(orders.iter().any(asked), "{orders:?}");
    assert!(model.connection.running());
    model.absorb(Incoming::Stopped(Box::new(stopped(Position(3)))));
    assert_eq!(heard(&told), ["stopped at 3"]);
    assert!(model.connection.ready() && !model.lessons.moving);
}

/// Goal: a move for the lesson ends the user's run first, and the end of that run is not taken for the move's; method: run,
/// have the lesson go somewhere, the two stops.
#[test]
fn a_run_makes_room() {
    let (mut model, told) = playing(Vec::new());
    crate::command::apply(crate::command::Command::Run(Direction::Forward), &mut model);
    model.absorb(Incoming::Progress(Box::new(stopped(Position(20)))));
    model.outbox.take();
    model.act(Act::Return);
    assert_eq!(model.outbox.take(), [Order::Cancel], "nothing moves before the run has ended");
    model.absorb(Incoming::Stopped(Box::new(stopped(Position(30)))));
    let seeks = |order: &Order| matches!(order, Order::Move(Request::Seek { .. }));
    assert!(model.outbox.take().iter().any(seeks));
    model.absorb(Incoming::Stopped(Box::new(stopped(Position(3)))));
    assert_eq!(heard(&told), ["runs at 20", "stopped at 3"]);
}

/// Goal: another run takes the old one's place and nothing of the old is kept; method: load one whose events differ.
#[test]
fn a_loaded_run_replaces_what_was_known() {
    let run = Run {
        version: 1,
        image_sha256: String::new(),
        firmware_sha256: None,
        machine: String::new(),
        config: protocol::request::MachineConfig {
            cpus: 1,
            apic_ids: Vec::new(),
            memory_bytes: 1 << 20,
            quantum: 64,
            seed: None,
            options: String::new(),
            cpu_quirks: Vec::new(),
            firmware: Default::default(),
        },
        inputs: Vec::new(),
        holds: Vec::new(),
        end: Position(9),
    };
    let load = Request::LoadRun { run: Box::new(run), position: Position(9), wanted: Wanted::default() };
    let (mut model, _) = playing(vec![Wish::Move(load)]);
    let event = |position, count| protocol::Event {
        position: Position(position),
        clock_ns: 0,
        cpu: CpuId(0),
        kind: protocol::EventKind::Online { count },
    };
    model.timeline.take_events(vec![event(4, 1)], Position(7));
    let mut stop = stopped(Position(9));
    (stop.epoch, stop.events) = (2, vec![event(5, 2)]);
    model.absorb(Incoming::Stopped(Box::new(stop)));
    assert_eq!(model.timeline.events, [event(5, 2)], "the old run's event at 4 is gone, the new one's is there");
}

/// Goal: a refused move reaches the player; a refusal of the user's own does not; method: one of each.
#[test]
fn refusals() {
    let seek = Request::Seek { position: Position(3), wanted: Wanted::default() };
    let (mut model, told) = playing(vec![Wish::Move(seek)]);
    model.absorb(Incoming::Refused(Refusal::GdbDrives));
    model.absorb(Incoming::Refused(Refusal::NothingToUndo));
    assert_eq!(heard(&told), ["refused GdbDrives"]);
}

/// Goal: a lesson opens once its progress was read and the machine stands, whichever comes last; method: read first.
#[test]
fn a_lesson_waits_for_the_machine() {
    let mut model = Model::default();
    model.open_lesson("wake".to_owned());
    assert!(matches!(&model.lessons.errands[..], [Errand::Load(id)] if id == "wake"));
    model.absorb_kept(Kept::Loaded { id: "wake".to_owned(), seed: 1, saved: None, trouble: None });
    assert!(model.lessons.page().is_none(), "no machine yet");
    let offers = Offers { vendor: true, story: true, ..Offers::default() };
    model.absorb(Incoming::Connected { offers, hello: None });
    let stop = protocol::request::Stopped { reason: StopReason::None, ..stopped(Position(0)) };
    model.absorb(Incoming::Stopped(Box::new(stop)));
    assert_eq!(model.lessons.page().map(|page| page.lesson.as_str()), Some("wake"));
    assert!(model.outbox.orders.iter().any(|order| matches!(order, Order::Read(Purpose::Lesson(_), _))));
}

/// Goal: what is wrong with the progress file stays on the screen while the machine moves, until it is dismissed or saving
/// works again; method: a damaged file, a full disk.
#[test]
fn trouble_with_progress_stays() {
    let (mut model, _) = playing(Vec::new());
    model.lessons.awaited = Some("wake".to_owned());
    let trouble = Some("wake.json is damaged".to_owned());
    model.absorb_kept(Kept::Loaded { id: "wake".to_owned(), seed: 1, saved: None, trouble: trouble.clone() });
    model.begin(None, Direction::Forward, How::Jump);
    model.absorb_kept(Kept::Saved(Ok(())));
    assert_eq!(model.lessons.warning, trouble);
    crate::command::apply(crate::command::Command::DismissWarning, &mut model);
    assert_eq!(model.lessons.warning, None);
    for _ in 0..2 {
        model.absorb_kept(Kept::Saved(Err("the disk is full".to_owned())));
        model.begin(None, Direction::Forward, How::Jump);
    }
    assert_eq!(model.lessons.warning.as_deref(), Some("the disk is full"));
    model.absorb_kept(Kept::Saved(Ok(())));
    assert_eq!(model.lessons.warning, None, "it is well again");
}

/// Goal: bookmarks are kept with the lesson as soon as they are set, and come back with its run; method: set one, take the
/// progress that is kept, open the lesson with it anew.
#[test]
fn bookmarks_are_kept() {
    let (mut model, _) = playing(Vec::new());
    model.lessons.marks_to_come = Some(vec![Bookmark { position: Position(0), name: "power-on".into() }]);
    model.lessons.begun.clear();
    model.lessons.guide = super::guide::player("wake", 1, None);
    model.keep_progress();
    let saved = |model: &mut Model| match model.lessons.errands.pop() {
        Some(Errand::Save(progress)) => progress.bookmarks,
        other => panic!("{other:?}"),
    };
    assert_eq!(saved(&mut model).len(), 1, "those that are still to come are not lost");
    model.lessons.marks_to_come = None;
    crate::command::apply(crate::command::Command::SetBookmark, &mut model);
    let kept = saved(&mut model);
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert_eq!(kept[0].position, model.timeline.position);
    model.keep_progress();
    assert!(model.lessons.errands.is_empty(), "nothing new, nothing to keep");
}

/// Goal: a lesson that is not there names those that are; method: a wrong word.
#[test]
fn no_such_lesson() {
    let mut model = Model::default();
    model.open_lesson("a1".to_owned());
    assert!(model.notice.unwrap().contains("wake"));
    assert!(model.lessons.errands.is_empty());
}

/// Goal: page tables that a step needs open with it and close with the next, those that the user opened stay; method: steps
/// with and without them, one after the other.
#[test]
fn page_tables_come_and_go() {
    let (mut model, _) = playing(Vec::new());
    model.open_panels(&[Show::Code, Show::TwoRoots], None);
    assert!(model.page_tables.shown && model.page_tables.views.len() == 2);
    model.open_panels(&[Show::Code, Show::Cpu], None);
    assert!(!model.page_tables.shown);
    crate::command::apply(crate::command::Command::ShowPageTables(true), &mut model);
    model.open_panels(&[Show::Code], None);
    assert!(model.page_tables.shown);
}
