//! What the session reports, and [`Model::absorb`], which takes it in: after a stop it updates what is known and asks
//! for what the panels show.

use super::connection::{Link, Offers};
use super::outbox::Purpose;
use super::{Model, diff::Diff, follow_up};
use protocol::Position;
use protocol::request::{Answer, Direction, Hello, Refusal, Request, StopReason, Stopped, Wanted};

/// A report of the session.
#[derive(Clone, Debug, PartialEq)]
pub enum Incoming {
    /// A connection is being made.
    Connecting {
        /// With whom, in words.
        target: String,
    },
    /// The connection stands.
    Connected {
        /// What the other end offers.
        offers: Offers,
        /// Who it is; None for a server that is not ours.
        hello: Option<Hello>,
    },
    /// A run goes on; it has come so far.
    Progress(Box<Stopped>),
    /// A run or a move has ended.
    Stopped(Box<Stopped>),
    /// A server that cannot tell how far it is has begun to run.
    Runs,
    /// An answer to a question.
    Answer(Purpose, Answer),
    /// A run, a move or a question was refused.
    Refused(Refusal),
    /// The connection ended, or never came about.
    Lost {
        /// What happened and what to do.
        why: String,
    },
    /// Some time has passed in which nothing was asked.
    Idle,
}

impl Model {
    /// Takes in a report of the session.
    pub fn absorb(&mut self, incoming: Incoming) {
        match incoming {
            Incoming::Connecting { target } => {
                self.connection.target = target;
                self.connection.link = Link::Connecting;
            }
            Incoming::Connected { offers, hello } => self.connected(offers, hello),
            Incoming::Progress(stopped) => self.progress(*stopped),
            Incoming::Stopped(stopped) => self.stopped(*stopped),
            Incoming::Runs => {
                let back = matches!(self.connection.link, Link::Running { back: true, .. });
                self.connection.link = Link::Running { back, long: true };
            }
            Incoming::Answer(purpose, answer) => self.answered(purpose, answer),
            Incoming::Refused(refusal) => self.refused(&refusal),
            Incoming::Lost { why } => {
                self.connection.link = Link::Lost { why };
                self.deferred.clear();
            }
            Incoming::Idle => self.watch(),
        }
    }

    /// What a run or a move shall bring along.
    pub(crate) fn wanted(&self) -> Wanted {
        Wanted {
            all_cpus: false,
            console_from: Some(self.console.bytes.len() as u64),
            events_from: Some(self.timeline.events_to),
            trees: Vec::new(),
        }
    }

    fn connected(&mut self, offers: Offers, hello: Option<Hello>) {
        let (vendor, reads) = (offers.vendor, offers.reads);
        self.connection.offers = offers;
        self.connection.link = Link::Ready;
        self.forget_run();
        if let Some(hello) = &hello {
            self.connection.image_changed = hello.image_changed;
            self.connection.gdb.attached = hello.gdb_attached;
            self.settings.draft = super::settings::Draft::of(&hello.config);
        }
        self.connection.hello = hello;
        if reads && !vendor {
            self.outbox.read(Purpose::Profile, Request::Profile);
        }
        if vendor {
            self.outbox.read(Purpose::Profile, Request::Profile);
            let wanted = Wanted { all_cpus: true, ..self.wanted() };
            self.outbox.push(super::outbox::Order::Move(Request::State { wanted }));
            self.outbox.read(Purpose::Breakpoints, Request::Breakpoints);
        }
    }

    /// What was known of the run before a restart or another connection is not known any more.
    fn forget_run(&mut self) {
        let selected = self.cpus.selected;
        self.cpus = super::cpus::Cpus { selected, ..Default::default() };
        self.diff = Diff::default();
        self.timeline = Default::default();
        self.lanes = Default::default();
        self.code = super::code::Code { follow: true, ..Default::default() };
        self.breakpoints = Default::default();
        self.console.clear();
        self.screen.forget();
        self.asked = None;
        self.deferred.clear();
        self.bookmarks.run_ended();
        self.memory.forget();
        self.tlb.forget();
        self.descriptors.forget();
        for view in &mut self.page_tables.views {
            (view.tree, view.walk) = (None, None);
        }
    }

    fn progress(&mut self, stopped: Stopped) {
        self.take_in(stopped);
        self.lanes.update(&self.timeline, &self.cpus, &self.symbols);
        self.lesson_progress();
        // A screen that stands still while the guest writes on it would tell a falsehood.
        follow_up::screen(self);
    }

    fn stopped(&mut self, stopped: Stopped) {
        if self.connection.long_run() {
            // What could not be done while it ran can be done now.
            self.notice = None;
        }
        self.connection.link = Link::Ready;
        let from = self.asked.as_ref().map_or(self.timeline.position, |asked| asked.from);
        let before = std::mem::take(&mut self.cpus.before);
        let before = if before.is_empty() { self.cpus.states.clone() } else { before };
        let (hit, select) = match stopped.reason {
            StopReason::Breakpoint { id, cpu } => (Some(id), Some(cpu)),
            StopReason::TripleFault { cpu } => (None, Some(cpu)),
            _ => (None, None),
        };
        if self.asked.as_ref().is_some_and(|asked| asked.how == super::How::Load) {
            // Another run has taken this one's place: nothing that was known of it counts.
            let asked = self.asked.take();
            self.forget_run();
            self.asked = asked;
        }
        self.breakpoints.hit = hit;
        self.keep_futures(from, &stopped);
        // What stopped the run is what the user wants to see.
        self.cpus.selected = select.unwrap_or(self.cpus.selected);
        self.take_in(stopped);
        if usize::from(self.cpus.selected.0) >= self.cpus.states.len() {
            self.cpus.selected = protocol::CpuId(0);
        }
        if self.timeline.position != from {
            self.code.machine_moved();
        }
        let selected = usize::from(self.cpus.selected.0);
        if let (Some(before), Some(now)) = (before.get(selected), self.cpus.states.get(selected)) {
            self.code.cpu_moved(before, now);
        }
        self.remember_label();
        if !self.connection.offers.story {
            self.timeline.remember_stop(&self.cpus, &self.symbols);
        }
        let placed = matches!(self.asked.as_ref().map(|asked| &asked.how), Some(super::How::Jump | super::How::Load));
        self.diff = if placed && self.lessons.moving {
            // The lesson went to a place: what differs from where the learner was before is nobody's doing.
            Diff { since: from, ..Diff::default() }
        } else {
            Diff::between(from, &before, &self.cpus.states)
        };
        self.narrate(from, &before);
        self.asked = None;
        self.lanes.update(&self.timeline, &self.cpus, &self.symbols);
        self.memory.machine_moved();
        self.tlb.machine_moved();
        follow_up::after_stop(self);
        self.lesson_stopped();
        self.next_deferred();
    }

    /// Where a change has ended one future and begun another, bookmarks learn of it.
    fn keep_futures(&mut self, from: Position, stopped: &Stopped) {
        let undoing = std::mem::take(&mut self.undoing);
        let known = self.timeline.epoch != 0;
        if !known || stopped.epoch == self.timeline.epoch {
            return;
        }
        if undoing { self.bookmarks.future_is_back() } else { self.bookmarks.future_ended(from.min(stopped.position)) }
    }

    /// A stop of the selected CPU at a label is a column of the lanes.
    fn remember_label(&mut self) {
        let Some(cpu) = self.cpus.selected().filter(|cpu| cpu.activity == protocol::Activity::Running) else { return };
        if let Some(symbol) = self.symbols.at(cpu.linear_pc()).filter(|symbol| symbol.offset == 0) {
            self.timeline.visit(cpu.cpu, symbol.name);
        }
    }

    /// State, events and text of a stop, whether the run goes on or not.
    fn take_in(&mut self, stopped: Stopped) {
        let same_run = self.timeline.epoch == stopped.epoch || self.timeline.events_to == Position(0);
        self.timeline.take_stop(&stopped);
        if same_run {
            self.timeline.take_events(stopped.events, stopped.position);
        } else {
            // These were asked for from where the old run was known; the new one is known only before the edit.
            let (from, to) = (self.timeline.events_to, stopped.position);
            let limit = protocol::request::MAX_EVENTS;
            self.outbox.read(Purpose::Events { to }, Request::Events { from, to, limit });
        }
        self.cpus.take(stopped.cpus);
        if let Some(text) = &stopped.console {
            self.console.take(text);
        }
        self.connection.gdb.attached = stopped.gdb_attached;
        self.connection.image_changed = stopped.image_changed;
    }

    fn answered(&mut self, purpose: Purpose, answer: Answer) {
        if purpose == Purpose::Screen {
            self.screen.asked = false;
        }
        match (purpose, answer) {
            (Purpose::Lesson(ticket), answer) => self.lesson_answered(ticket, answer),
            (_, Answer::Refused(refusal)) => self.refused(&refusal),
            (Purpose::Profile, Answer::Profile(profile)) => {
                if profile.is_none() && self.connection.offers.foreign.is_none() {
                    let why = "No names: this image has neither symbols nor a profile of its build, so that all is \
                               shown by address. For our own kernel `cargo xtask build` writes image and profile.";
                    self.notice = Some(why.to_owned());
                }
                self.symbols.set_profile(profile);
                follow_up::names(self);
            }
            (Purpose::Watch, Answer::Stopped(stopped)) => self.watched(*stopped),
            (Purpose::BlobBase(blob), Answer::Memory { bytes, .. }) => {
                let base = follow_up::variable(&bytes);
                if self.symbols.place_blob(blob, base) {
                    self.names_changed();
                }
            }
            (Purpose::Root(root), Answer::Memory { bytes, .. }) => {
                let phys = follow_up::variable(&bytes).map(protocol::PhysAddr);
                if let Some(known) = self.symbols.roots.get_mut(root).filter(|known| **known != phys) {
                    *known = phys;
                    self.names_changed();
                }
            }
            (Purpose::Code, Answer::Code(lines)) => {
                self.code.take(lines);
                self.code.arrange(&self.cpus, &self.symbols, &self.breakpoints);
                self.meet_current_line();
            }
            (Purpose::Tree(view), Answer::Tree(tree)) => self.page_tables.take_tree(view, tree),
            (Purpose::Walk(view), Answer::Walk(trace)) => self.page_tables.take_walk(view, trace, &self.symbols),
            (Purpose::Memory(at), Answer::Memory { bytes, unreadable }) => self.memory.take(at, bytes, unreadable),
            (Purpose::Descriptors, Answer::Memory { bytes, unreadable }) => {
                self.descriptors.take(bytes, unreadable, &self.cpus, &self.symbols);
            }
            (Purpose::Tlb(cpu), Answer::Tlb(entries)) => {
                for request in self.tlb.take(cpu, entries, &self.timeline) {
                    self.outbox.read(Purpose::TlbWalk, request);
                }
            }
            (Purpose::TlbWalk, Answer::Walk(trace)) => self.tlb.take_walk(&trace),
            (Purpose::Screen, Answer::Screen(screen)) => self.screen.take(screen),
            (Purpose::Firmware, Answer::FirmwareVariables(variables)) => self.settings.variables = Some(variables),
            (Purpose::Why(target), Answer::Walk(trace)) => match target.request_after(&trace) {
                Ok(request) => self.outbox.read(Purpose::Why(target), request),
                Err(why) => self.narrator.refuse(self.timeline.position, why),
            },
            (Purpose::Why(target), Answer::Cause(cause)) => {
                let stood = (self.timeline.position, self.timeline.epoch);
                let words = self.why.take(target, stood, cause, &self.symbols, self.settings.intel);
                self.narrator.tell(self.timeline.position, super::narrator::Tone::Plain, words);
            }
            (Purpose::Breakpoints, Answer::Breakpoints(list)) => {
                self.breakpoints.list = list;
                self.code.arrange(&self.cpus, &self.symbols, &self.breakpoints);
            }
            (Purpose::Breakpoints, Answer::BreakpointSet(breakpoint)) => {
                self.breakpoints.add(breakpoint);
                self.code.arrange(&self.cpus, &self.symbols, &self.breakpoints);
            }
            (Purpose::Cleared(id), Answer::Done) => {
                self.breakpoints.list.retain(|breakpoint| breakpoint.id != id);
                self.code.arrange(&self.cpus, &self.symbols, &self.breakpoints);
            }
            (Purpose::Gdb, Answer::Gdb { listening, attached }) => {
                self.connection.gdb = super::connection::GdbSocket { listening, attached };
            }
            (Purpose::TakeOver, Answer::Done) => {
                self.connection.gdb.attached = false;
                let words = "This window drives: gdb's session has ended.".to_owned();
                self.narrator.tell(self.timeline.position, super::narrator::Tone::Plain, words);
            }
            (Purpose::Events { to }, Answer::Events(events)) => {
                self.timeline.take_events(events, to);
                self.lanes.update(&self.timeline, &self.cpus, &self.symbols);
            }
            (purpose, _) => {
                self.notice =
                    Some(format!("The server's answer does not fit the question ({purpose:?}). It is left out."));
            }
        }
    }

    /// Decoding from a label on may run past the next instruction where data lies between: then it begins with it.
    fn meet_current_line(&mut self) {
        let Some(cpu) = self.cpus.selected() else { return };
        let begins_there = self.code.lines.first().is_some_and(|line| line.linear == cpu.linear_pc());
        if self.code.follow && self.code.current.is_none() && !begins_there {
            let request = super::code::Code::request_exact(cpu);
            self.outbox.read(Purpose::Code, request);
        }
    }

    /// A blob or a root has got its place, or lost it again by going back.
    pub(super) fn names_changed(&mut self) {
        if self.memory.shown && self.memory.follow {
            self.memory.resolve(&self.symbols, &self.cpus);
            follow_up::memory(self);
        }
        self.code.arrange(&self.cpus, &self.symbols, &self.breakpoints);
        self.page_tables.choose_roots(&self.cpus, &self.symbols);
        self.lanes.update(&self.timeline, &self.cpus, &self.symbols);
        follow_up::code(self);
        if self.page_tables.shown {
            follow_up::page_tables(self);
        }
    }

    fn refused(&mut self, refusal: &Refusal) {
        if self.connection.running() || self.connection.link == Link::Connecting {
            self.connection.link = Link::Ready;
        }
        self.asked = None;
        self.undoing = false;
        self.deferred.clear();
        self.lesson_refused(refusal);
        let words = match refusal {
            Refusal::GdbDrives => {
                self.connection.gdb.attached = true;
                "gdb is attached and drives; the window observes. Take over to drive from here.".to_owned()
            }
            Refusal::Invalid(why) => why.clone(),
            Refusal::NothingToUndo => "There is no edit of yours to take back.".to_owned(),
            Refusal::Crashed(message) => {
                self.connection.link = Link::Crashed { message: message.clone() };
                return;
            }
            Refusal::Version(theirs) => format!(
                "The server speaks version {theirs} of the protocol, this window {}. Use programs of one release.",
                protocol::request::VERSION
            ),
        };
        if words.split_whitespace().count() > super::narrator::WORDS {
            self.notice = Some(words);
        } else {
            self.narrator.refuse(self.timeline.position, words);
        }
    }

    /// Looks whether gdb or another client has moved the machine, and whether the image on disk has changed.
    fn watch(&mut self) {
        if self.connection.ready() && self.connection.offers.vendor {
            self.outbox.read(Purpose::Watch, Request::State { wanted: self.wanted() });
        }
    }

    fn watched(&mut self, stopped: Stopped) {
        let moved = stopped.position != self.timeline.position || stopped.epoch != self.timeline.epoch;
        if moved && self.connection.ready() {
            let back = stopped.position < self.timeline.position;
            let direction = if back { Direction::Backward } else { Direction::Forward };
            self.begin(stopped.moved_cpu, direction, super::How::Run);
            self.stopped(stopped);
        } else {
            self.connection.gdb.attached = stopped.gdb_attached;
            self.connection.image_changed = stopped.image_changed;
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A stop in which nothing else is told.
    pub(crate) fn stopped(position: Position) -> Stopped {
        Stopped {
            reason: StopReason::Reached,
            position,
            end: position,
            clock_ns: position.0 * 10,
            next_cpu: Some(protocol::CpuId(0)),
            moved_cpu: Some(protocol::CpuId(0)),
            cpus: Vec::new(),
            console: None,
            events: Vec::new(),
            trees: Vec::new(),
            can_undo: false,
            gdb_attached: false,
            image_changed: false,
            epoch: 1,
        }
    }

    /// Goal: going forward again after going back asks for no known event; method: look at what is wanted.
    #[test]
    fn wanted_follows_what_is_known() {
        let mut model = Model::default();
        model.absorb(Incoming::Stopped(Box::new(stopped(Position(50)))));
        model.absorb(Incoming::Stopped(Box::new(Stopped { end: Position(50), ..stopped(Position(20)) })));
        assert_eq!(model.wanted().events_from, Some(Position(50)));
    }

    /// Goal: an image without names says so; method: the answer that there is no profile.
    #[test]
    fn no_profile() {
        let mut model = Model::default();
        model.absorb(Incoming::Answer(Purpose::Profile, Answer::Profile(None)));
        assert!(model.notice.unwrap().contains("No names"));
    }

    /// Goal: a lost connection is a state with words; method: lose it, then connect again.
    #[test]
    fn lost_and_found() {
        let mut model = Model::default();
        model.absorb(Incoming::Lost { why: "the other end closed".to_owned() });
        assert_eq!(model.connection.link, Link::Lost { why: "the other end closed".to_owned() });
        model.absorb(Incoming::Connected { offers: Offers { vendor: true, ..Offers::default() }, hello: None });
        assert!(model.connection.ready());
        assert_eq!(model.outbox.orders.len(), 3, "profile, state, breakpoints");
    }
}
