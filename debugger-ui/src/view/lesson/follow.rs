//! What of a step is new since the last frame and must come into view: a hint, what was said to an answer, the next
//! thing to do, the words at the end. Neighbours: [`super::show`] draws the parts and scrolls to the one named here.

use lessons::player::page::{Page, Task};

/// What is to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// A task, by its place in the list.
    Task(usize),
    /// A hint, by its place in the list.
    Hint(usize),
    /// The words when a step is done.
    Then,
}

/// The page as it was drawn last.
#[derive(Debug, Default)]
pub struct Follow {
    step: String,
    hints: usize,
    done: bool,
    tasks: Vec<Task>,
}

impl Follow {
    /// What has changed since the call before. Nothing in a step that has just begun: it is read from its top.
    pub fn look(&mut self, page: &Page) -> Option<Look> {
        if page.busy.is_some() {
            // The step is not there yet.
            return None;
        }
        let fresh = self.step != page.step_id;
        if !fresh && (self.hints, self.done) == (page.hints.len(), page.done) && self.tasks == page.tasks {
            return None;
        }
        let hint = (page.hints.len() > self.hints).then(|| Look::Hint(page.hints.len() - 1));
        let then = (page.done && !self.done && !page.then.is_empty()).then_some(Look::Then);
        let task = next(&self.tasks, &page.tasks).map(Look::Task);
        self.step.clone_from(&page.step_id);
        (self.hints, self.done) = (page.hints.len(), page.done);
        self.tasks.clone_from(&page.tasks);
        hint.or(then).or(task).filter(|_| !fresh)
    }
}

/// The question that was answered and is still open, else the next thing to do.
fn next(old: &[Task], new: &[Task]) -> Option<usize> {
    let changed = new.iter().zip(old).position(|(new, old)| new != old)?;
    match &new[changed] {
        Task::Question(question) if !question.state.is_over() => Some(changed),
        _ => new.iter().position(|task| match task {
            Task::Question(question) => !question.state.is_over(),
            Task::Goal { open, .. } => *open,
            Task::Action { .. } => false,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lessons::player::page::{AnswerState, Input, Question};
    use lessons::text::{Block, Span};

    fn question(number: usize, state: AnswerState) -> Task {
        Task::Question(Question {
            number,
            ask: Vec::new(),
            predict: false,
            input: Input::Number { example: "like 1f".into(), decimal: false },
            given: None,
            state,
            feedback: Vec::new(),
            right: None,
        })
    }

    fn page(tasks: Vec<Task>) -> Page {
        Page { step_id: "walk".into(), tasks, ..Page::default() }
    }

    /// Goal: what is new comes into view, once; method: a step from its begin over a wrong answer, a hint and a right
    /// answer to its end.
    #[test]
    fn what_is_new() {
        let mut follow = Follow::default();
        let mut page = page(vec![question(0, AnswerState::Open), question(1, AnswerState::Later)]);
        assert_eq!(follow.look(&page), None, "a step is read from its top");
        page.tasks[0] = question(0, AnswerState::Wrong);
        assert_eq!(follow.look(&page), Some(Look::Task(0)));
        assert_eq!(follow.look(&page), None, "only once");
        page.hints.push(vec![Span::Text("Look there.".into())]);
        assert_eq!(follow.look(&page), Some(Look::Hint(0)));
        page.tasks = vec![question(0, AnswerState::Right), question(1, AnswerState::Open)];
        assert_eq!(follow.look(&page), Some(Look::Task(1)));
        page.tasks[1] = question(1, AnswerState::Right);
        page.done = true;
        page.then = vec![Block::Paragraph(vec![Span::Text("So it is.".into())])];
        assert_eq!(follow.look(&page), Some(Look::Then));
    }
}
