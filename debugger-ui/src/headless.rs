//! The model without a window: records how a machine starts, for the opening film, and plays a lesson to its end, for
//! the picture.

use crate::command::{self, Command};
use crate::model::Model;
use crate::model::connection::Link;
use crate::model::lesson::picture::{Picture, svg};
use crate::model::lesson::{Kept, Reel};
use crate::session::{Session, Target};
use lessons::player::orders::Act;
use lessons::player::page::{AnswerState, Input, Page, Question, Task};
use protocol::request::Direction;
use std::time::Duration;

/// How long the machine may be silent. It reports every few milliseconds while it runs.
const PATIENCE: Duration = Duration::from_secs(30);

/// Starts a machine and lets it run until nothing can run: all its CPUs have started and wait.
///
/// # Errors
/// In words, where the machine cannot be reached.
pub fn record(target: Target) -> Result<Reel, String> {
    let mut session = Session::start(target, || {})?;
    let mut model = Model::default();
    settle(&mut session, &mut model)?;
    command::apply(Command::Run(Direction::Forward), &mut model);
    settle(&mut session, &mut model)?;
    let took_ns = model.timeline.events.last().map_or(model.timeline.clock_ns, |event| event.clock_ns);
    Ok(Reel { lanes: model.lanes, cpus: model.cpus.states.len(), took_ns })
}

/// More acts than it takes to play any lesson to its end.
const ACTS: usize = 500;

/// Plays a lesson from its beginning to its end, and draws its picture.
///
/// # Errors
/// In words: there is no such lesson, or it cannot be played to its end.
pub fn picture(target: Target, lesson: &str) -> Result<String, String> {
    let mut session = Session::start(target, || {})?;
    let mut model = Model::default();
    settle(&mut session, &mut model)?;
    command::apply(Command::OpenLesson(lesson.to_owned()), &mut model);
    if let Some(why) = model.notice.take() {
        return Err(why);
    }
    // The same numbers each time: the picture in the README changes with the program only.
    model.absorb_kept(Kept::Loaded { id: lesson.to_owned(), seed: SEED, saved: None, trouble: None });
    for _ in 0..ACTS {
        settle(&mut session, &mut model)?;
        let page = model.lessons.page().ok_or("The lesson did not open.")?;
        if let Some(ending) = &page.ending {
            return Ok(svg(&Picture::of(&model, page, ending)));
        }
        if let Some(trouble) = &page.trouble {
            return Err(format!("{}, step {}: {trouble}", page.lesson_title, page.step));
        }
        let act = next_act(&model, page);
        command::apply(Command::Lesson(act), &mut model);
    }
    let at = model.lessons.page().map_or(0, |page| page.step);
    Err(format!("The lesson does not come to its end: it stays at step {at}."))
}

/// Answers the first open question; what is to be done in the machine is shown, once the hints are used up.
fn next_act(model: &Model, page: &Page) -> Act {
    let open = page.tasks.iter().find_map(|task| match task {
        Task::Question(asked) if matches!(asked.state, AnswerState::Open | AnswerState::Wrong) => Some(asked),
        _ => None,
    });
    let answer = |asked: &Question| {
        let right = model.lessons.guide.as_ref()?.right_answer(asked.number)?;
        Some(match asked.input {
            Input::Choice(_) => Act::Choose { question: asked.number, letter: right },
            _ => Act::Check { question: asked.number, text: right },
        })
    };
    let answer = open.and_then(answer);
    match answer {
        _ if page.done => Act::Next,
        Some(answer) => answer,
        None if page.more_hints > 0 => Act::Hint,
        None => Act::ShowMe,
    }
}

/// What the numbers of a lesson that is played for its picture are drawn from.
const SEED: u64 = 2018;

/// Waits until the machine stands and every question is answered.
pub(crate) fn settle(session: &mut Session, model: &mut Model) -> Result<(), String> {
    loop {
        let patience = if resting(model) { Duration::from_millis(40) } else { PATIENCE };
        let came = session.wait(model, patience);
        match &model.connection.link {
            Link::Lost { why } => return Err(why.clone()),
            Link::Crashed { message } => return Err(format!("The machine's thread has ended: {message}")),
            _ => {}
        }
        if !came {
            return if resting(model) { Ok(()) } else { Err("The machine does not answer.".to_owned()) };
        }
    }
}

/// The machine stands and has told where.
fn resting(model: &Model) -> bool {
    let idle = model.lessons.page().is_none_or(|page| page.busy.is_none() && !page.showing);
    idle && model.connection.ready() && model.timeline.reason.is_some() && model.outbox.orders.is_empty()
}
