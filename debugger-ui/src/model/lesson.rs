//! The lesson that is open: carries its player's orders through the outbox, and tells the player what the machine
//! answered and where it stopped.
//!
//! [`lessons::player::Player`] knows what a lesson wants; it reads by [`Purpose::Lesson`] and moves the machine by the
//! same orders as the user, so that every panel sees each stop. What concerns files (progress, pictures) leaves the
//! model as an [`Errand`], which [`crate::keeper`] carries out on a thread of its own.

pub mod guide;
pub mod picture;
#[cfg(test)]
mod tests;

use super::descriptors::Which;
use super::outbox::{Order, Purpose};
use super::page_tables::RootKey;
use super::{How, Model, connection::Link};
use guide::Guide;
use lessons::player::orders::{Act, Order as Wish, Seen};
use lessons::player::page::{Page, Show};
use lessons::progress::Bookmark;
use protocol::Position;
use protocol::request::{Answer, Direction, Request, Wanted};

/// Lessons, as the window knows them.
#[derive(Debug, Default)]
pub struct Lessons {
    /// Who leads through the lesson that is open.
    pub(crate) guide: Option<Box<dyn Guide>>,
    /// A lesson that opens as soon as its progress was read and the machine stands.
    pub awaited: Option<String>,
    /// What was read of it: the seed, and how far the learner is.
    read: Option<(u64, Option<Box<lessons::progress::LessonProgress>>)>,
    /// What the keeper shall do; the app takes it out.
    pub errands: Vec<Errand>,
    /// Why progress cannot be kept, once told.
    pub keeping: Option<String>,
    /// What is wrong with the learner's progress: it stays on the screen until it is dismissed or has become well, however
    /// often the machine moves.
    pub warning: Option<String>,
    /// Where the picture goes, unless the user wants it elsewhere.
    pub picture_path: String,
    /// What became of the picture.
    pub picture_told: Option<String>,
    /// The opening film is on.
    pub film: bool,
    /// What the film shows.
    pub reel: Option<Box<Reel>>,
    /// The machine is being moved for the lesson: the user's keys wait.
    pub moving: bool,
    /// A run was asked to end, so that the player can move the machine.
    interrupting: bool,
    /// The step that was begun last, by its id.
    begun: String,
    /// The page tables were opened by a step: the next one that does not need them closes them.
    opened_tables: bool,
    /// The CPU that this step is about, until it is selected.
    cpu: Option<protocol::CpuId>,
    /// Bookmarks of the run that is being loaded, until it is there.
    marks_to_come: Option<Vec<Bookmark>>,
    /// Bookmarks as they were kept last.
    marks_kept: Vec<Bookmark>,
}

/// A machine's recorded start, for the film.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reel {
    /// Everything that happened.
    pub lanes: super::lanes::Lanes,
    /// How many CPUs.
    pub cpus: usize,
    /// How long it took by the machine's clock, in nanoseconds.
    pub took_ns: u64,
}

/// What the keeper is asked to do with files.
#[derive(Clone, Debug)]
pub enum Errand {
    /// Read how far the learner is with a lesson, and the learner's seed for it.
    Load(String),
    /// Keep how far the learner is.
    Save(Box<lessons::progress::LessonProgress>),
    /// Start a machine and record how its CPUs start, for the film.
    Reel,
    /// Draw and write a picture: SVG text, path as typed.
    Picture {
        /// What.
        svg: String,
        /// Where.
        path: String,
    },
}

/// What the keeper tells.
#[derive(Debug)]
pub enum Kept {
    /// To [`Errand::Load`].
    Loaded {
        /// Which lesson.
        id: String,
        /// Where the learner's numbers are drawn from.
        seed: u64,
        /// How far the learner is; None: not begun.
        saved: Option<Box<lessons::progress::LessonProgress>>,
        /// Why what was kept cannot be used, and what was done with it.
        trouble: Option<String>,
    },
    /// To [`Errand::Save`].
    Saved(Result<(), String>),
    /// To [`Errand::Reel`].
    Reel(Result<Box<Reel>, String>),
    /// To [`Errand::Picture`]: what to tell.
    Picture(Result<String, String>),
}

impl Lessons {
    /// What there is to see of the lesson that is open.
    pub fn page(&self) -> Option<&Page> {
        self.guide.as_deref().map(Guide::page)
    }

    /// The future is covered: nothing of it may be shown.
    pub fn covered(&self) -> bool {
        self.page().is_some_and(|page| page.covered)
    }

    /// The command whose button stands out.
    pub fn highlight(&self) -> Option<&str> {
        self.page().and_then(|page| page.highlight.as_deref())
    }
}

impl Model {
    /// Opens a lesson: first what is known of the learner's progress is read.
    pub(crate) fn open_lesson(&mut self, id: String) {
        if !shelf().iter().any(|lesson| lesson.id == id) {
            let known: Vec<&str> = shelf().iter().map(|lesson| lesson.id.as_str()).collect();
            self.notice = Some(format!("There is no lesson \"{id}\". There are: {}.", known.join(", ")));
            return;
        }
        self.keep_progress();
        (self.lessons.awaited, self.lessons.read) = (Some(id.clone()), None);
        self.lessons.errands.push(Errand::Load(id));
    }

    /// The keeper has answered.
    pub fn absorb_kept(&mut self, kept: Kept) {
        match kept {
            Kept::Loaded { id, seed, saved, trouble } => {
                if self.lessons.awaited.as_deref() != Some(&id) {
                    return;
                }
                self.lessons.warning = trouble;
                self.lessons.read = Some((seed, saved));
                self.begin_awaited();
            }
            Kept::Saved(Ok(())) => {
                if let Some(why) = self.lessons.keeping.take() {
                    self.lessons.warning.take_if(|warning| *warning == why);
                }
            }
            Kept::Saved(Err(why)) => {
                // Told once, not after each answer.
                if self.lessons.keeping.as_ref() != Some(&why) {
                    self.lessons.warning = Some(why.clone());
                }
                self.lessons.keeping = Some(why);
            }
            Kept::Reel(Ok(reel)) => self.lessons.reel = Some(reel),
            Kept::Reel(Err(why)) => {
                self.lessons.film = false;
                self.notice = Some(why);
            }
            Kept::Picture(told) => self.lessons.picture_told = Some(told.unwrap_or_else(|why| why)),
        }
    }

    /// Begins the lesson that waits, once the machine stands: its player moves it from there.
    fn begin_awaited(&mut self) {
        if !self.connection.ready() || self.timeline.reason.is_none() {
            return;
        }
        let Some((seed, saved)) = self.lessons.read.take() else { return };
        let Some(id) = self.lessons.awaited.take() else { return };
        if !self.connection.offers.vendor {
            let why = "A lesson needs Firstlight's own machine: this server tells too little. Leave --connect out.";
            self.notice = Some(why.to_owned());
        } else {
            let marks = saved.as_ref().map(|saved| saved.bookmarks.clone()).unwrap_or_default();
            let Some(guide) = guide::player(&id, seed, saved) else { return };
            (self.lessons.marks_to_come, self.lessons.marks_kept) = (Some(marks.clone()), marks);
            self.begin_lesson(guide);
        }
    }

    /// Begins the opening film, or ends it. It shows another machine: this one stays as it is.
    pub(crate) fn play_opening(&mut self, plays: bool) {
        self.lessons.film = plays;
        if plays && self.lessons.reel.is_none() {
            self.lessons.errands.push(Errand::Reel);
        }
    }

    /// Hands the window to a lesson.
    pub fn begin_lesson(&mut self, guide: Box<dyn Guide>) {
        self.lessons.guide = Some(guide);
        self.lessons.begun.clear();
        self.lessons.picture_told = None;
        self.lessons.moving = false;
        self.page_tables.shown = false;
        self.follow_lesson();
        self.keep_progress();
    }

    /// Closes the lesson; the machine stays where it is.
    pub(crate) fn leave_lesson(&mut self) {
        self.keep_progress();
        self.lessons.guide = None;
        self.lessons.moving = false;
        // Without a lesson the page tables have its column.
        crate::command::apply(crate::command::Command::ShowPageTables(true), self);
    }

    /// The learner does something.
    pub(crate) fn act(&mut self, act: Act) {
        let Some(guide) = &mut self.lessons.guide else {
            self.notice = Some("No lesson is open. The menu Lesson opens one.".to_owned());
            return;
        };
        if act == Act::Return {
            // Its CPU and its panels too, not the place alone.
            self.lessons.begun.clear();
        }
        guide.act(act);
        self.follow_lesson();
    }

    /// The machine has stopped: the player looks at it.
    pub(crate) fn lesson_stopped(&mut self) {
        let own = std::mem::take(&mut self.lessons.moving);
        let interrupted = std::mem::take(&mut self.lessons.interrupting);
        self.begin_awaited();
        // The end of the user's run that made room for the player's move is not that move's.
        if own || !interrupted {
            self.tell_guide(false);
        }
        self.follow_lesson();
    }

    /// A run goes on; it has come so far.
    pub(crate) fn lesson_progress(&mut self) {
        self.tell_guide(true);
        self.follow_lesson();
    }

    /// The player looks at the machine.
    fn tell_guide(&mut self, running: bool) {
        let Some(guide) = &mut self.lessons.guide else { return };
        let Some(reason) = &self.timeline.reason else { return };
        guide.stopped(&Seen {
            reason,
            position: self.timeline.position,
            end: self.timeline.end,
            epoch: self.timeline.epoch,
            can_undo: self.timeline.can_undo,
            cpus: &self.cpus.states,
            running,
        });
    }

    /// A move for the lesson was refused.
    pub(crate) fn lesson_refused(&mut self, refusal: &protocol::request::Refusal) {
        self.lessons.interrupting = false;
        if std::mem::take(&mut self.lessons.moving)
            && let Some(guide) = &mut self.lessons.guide
        {
            guide.refused(refusal);
            self.follow_lesson();
        }
    }

    /// An answer to a question of the player's.
    pub(crate) fn lesson_answered(&mut self, ticket: lessons::player::orders::Ticket, answer: Answer) {
        if let Some(guide) = &mut self.lessons.guide {
            guide.answer(ticket, answer);
            self.follow_lesson();
        }
    }

    /// Carries out what the player wants, and selects the CPU that a new step is about.
    fn follow_lesson(&mut self) {
        let Some(guide) = &mut self.lessons.guide else { return };
        if self.connection.running() && guide.wants_to_move() {
            // What runs ends first; the orders are taken when it has stopped.
            if !std::mem::replace(&mut self.lessons.interrupting, true) {
                self.outbox.push(Order::Cancel);
            }
            return;
        }
        let wishes = guide.take_orders();
        let page = guide.page();
        let travelling = page.travelling;
        let mut opens = None;
        // What a step is about is known once it is prepared and the machine stands at its place.
        if page.busy.is_none() && page.step_id != self.lessons.begun {
            self.lessons.begun.clone_from(&page.step_id);
            self.lessons.cpu = page.cpu.or(page.show_cpu).map(protocol::CpuId);
            opens = Some((page.show.clone(), page.memory_at));
            if let Some(marks) = self.lessons.marks_to_come.take() {
                self.bookmarks.restore(marks, self.timeline.end);
            }
        }
        for wish in wishes {
            match wish {
                Wish::Read(ticket, request) => self.outbox.read(Purpose::Lesson(ticket), request),
                Wish::Move(request) => self.move_for_lesson(request),
                Wish::Run(mut advance) => {
                    self.lessons.moving = true;
                    (advance.wanted, advance.budget) = (self.wanted(), crate::command::FIRST_BUDGET);
                    self.advance(advance, false);
                    if let Some(asked) = self.asked.as_mut().filter(|_| travelling) {
                        // Where it stands then is the news, not what it passed.
                        asked.how = How::Jump;
                    }
                }
            }
        }
        if let Some((shown, memory_at)) = opens {
            self.open_panels(&shown, memory_at);
        }
        if let Some(cpu) = self.lessons.cpu.filter(|cpu| self.cpus.get(*cpu).is_some()) {
            self.lessons.cpu = None;
            crate::command::apply(crate::command::Command::SelectCpu(cpu), self);
        }
        self.keep_progress();
    }

    /// Panels whose content must be read from the machine to be shown.
    fn open_panels(&mut self, shown: &[Show], memory_at: Option<u64>) {
        use crate::command::{Command, apply};
        if let Some(at) = memory_at {
            apply(Command::MemoryAt(format!("{at:x}"), false), self);
        }
        for (show, which) in [(Show::Gdt, Which::Gdt), (Show::Idt, Which::Idt)] {
            if shown.contains(&show) {
                apply(Command::ShowDescriptorTable(which), self);
            }
        }
        if shown.contains(&Show::TwoRoots) && self.page_tables.views.len() < 2 {
            apply(Command::SplitPageTables(true), self);
        }
        let named = ["trampoline_pgd", "init_top_pgt"].map(|name| (name, self.symbols.root_named(name).is_some()));
        for (view, (name, _)) in named.into_iter().enumerate().filter(|(_, (_, made))| *made) {
            if shown.contains(&Show::TwoRoots) {
                apply(Command::SelectRoot(view, RootKey::Named(name.to_owned())), self);
            }
        }
        let wants = shown.iter().any(|show| matches!(show, Show::PageTables | Show::TwoRoots));
        if wants && !self.page_tables.shown {
            self.lessons.opened_tables = true;
            apply(Command::ShowPageTables(true), self);
        } else if !wants && std::mem::take(&mut self.lessons.opened_tables) {
            apply(Command::ShowPageTables(false), self);
        }
    }

    /// Something that moves or changes the machine, with what the window wants to know of the stop.
    fn move_for_lesson(&mut self, mut request: Request) {
        self.lessons.moving = true;
        let usual = self.wanted();
        let mut how = How::Jump;
        match &mut request {
            Request::Seek { wanted, .. } => *wanted = usual,
            Request::Edit { wanted, .. } => {
                *wanted = usual;
                how = How::Change("The lesson changed the machine for you. u takes it back.".to_owned());
            }
            Request::Undo { wanted } => {
                *wanted = usual;
                how = How::Change("The change is taken back: the old future is there again.".to_owned());
            }
            Request::State { wanted } => *wanted = usual,
            Request::LoadRun { wanted, .. } => {
                // Another run: nothing that was known of the old one counts.
                *wanted =
                    Wanted { all_cpus: true, console_from: Some(0), events_from: Some(Position(0)), trees: Vec::new() };
                how = How::Load;
            }
            _ => {
                // Restart and reload: until the new machine answers there is none.
                self.connection.link = Link::Connecting;
                self.outbox.push(Order::Move(request));
                return;
            }
        }
        self.begin(None, Direction::Forward, how);
        self.connection.link = Link::Running { back: false, long: false };
        self.outbox.push(Order::Move(request));
    }

    /// Has the picture of the lesson's end written.
    pub(crate) fn save_picture(&mut self, path: String) {
        let Some(page) = self.lessons.page() else { return };
        let Some(ending) = &page.ending else { return };
        let svg = picture::svg(&picture::Picture::of(self, page, ending));
        self.lessons.picture_told = Some("The picture is being written.".to_owned());
        self.lessons.errands.push(Errand::Picture { svg, path });
    }

    /// Has what is new in the progress kept.
    pub(crate) fn keep_progress(&mut self) {
        let Some(guide) = &mut self.lessons.guide else { return };
        // Until the run is there, its bookmarks are the ones that were read.
        let marks = self.lessons.marks_to_come.clone().unwrap_or_else(|| self.bookmarks.kept());
        let progress = match guide.take_progress() {
            None if marks != self.lessons.marks_kept => guide.progress(),
            changed => changed,
        };
        if let Some(mut progress) = progress {
            self.lessons.marks_kept.clone_from(&marks);
            progress.bookmarks = marks;
            self.lessons.errands.push(Errand::Save(Box::new(progress)));
        }
    }
}

/// The lessons that this program has, in the order of the course.
pub fn shelf() -> &'static [std::sync::Arc<lessons::lesson::Lesson>] {
    lessons::catalog::lessons()
}
