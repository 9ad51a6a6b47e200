//! A lesson's texts and expressions, each with its line.

use crate::command::Command;
use crate::expr::Expr;
use crate::lesson::Lesson;
use crate::stop::Stop;
use crate::template::{self, Block, Line, Part, Template};

/// What a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Opening,
    /// A step's text before the task.
    Step,
    /// A question, a goal, a choice: part of the task.
    Task,
    /// Hints, feedback, what is said after the task.
    After,
    Why,
    End,
}

/// A line of text.
pub(super) struct Text<'a> {
    /// The step's number; None: not in a step.
    pub step: Option<usize>,
    pub role: Role,
    /// The line of the file on which it, or the block that it is part of, begins.
    pub line: usize,
    pub spans: &'a Line,
}

/// All texts, in the order in which a learner comes by them.
pub(super) fn texts(lesson: &Lesson) -> Vec<Text<'_>> {
    let mut found = Vec::new();
    template_texts(&lesson.opening, None, Role::Opening, &mut found);
    for (index, step) in lesson.steps.iter().enumerate() {
        let step_index = Some(index);
        template_texts(&step.text, step_index, Role::Step, &mut found);
        let mut add = |role, line, spans| found.push(Text { step: step_index, role, line, spans });
        for question in &step.questions {
            add(Role::Task, question.line, &question.ask);
            for choice in &question.choices {
                add(Role::Task, choice.line, &choice.says);
                add(Role::After, choice.line, &choice.feedback);
            }
            for wrong in &question.wrong {
                add(Role::After, wrong.line, &wrong.says);
            }
            add(Role::After, question.line, &question.right);
        }
        for goal in &step.goals {
            add(Role::Task, goal.line, &goal.says);
        }
        for hint in &step.hints {
            add(Role::After, step.block_line, hint);
        }
        template_texts(&step.then, step_index, Role::After, &mut found);
    }
    template_texts(&lesson.why, None, Role::Why, &mut found);
    template_texts(&lesson.end, None, Role::End, &mut found);
    found
}

fn template_texts<'a>(template: &'a Template, step: Option<usize>, role: Role, found: &mut Vec<Text<'a>>) {
    for (line, block) in &template.blocks {
        match block {
            Block::Paragraph(spans) | Block::Note(spans) => found.push(Text { step, role, line: *line, spans }),
            Block::List { items, .. } => {
                found.extend(items.iter().map(|spans| Text { step, role, line: *line, spans }));
            }
            Block::Code(_) => {}
        }
    }
}

/// All stops, with the line of the step or question that has them.
pub(super) fn stops(lesson: &Lesson) -> Vec<(usize, &Stop)> {
    let mut found = Vec::new();
    for step in &lesson.steps {
        found.extend(step.stop.iter().map(|stop| (step.block_line, stop)));
        for question in &step.questions {
            found.extend(question.reveal.iter().map(|stop| (question.line, stop)));
        }
    }
    for (line, command) in commands(lesson) {
        if let Command::Run(Some(stop)) | Command::Seek(stop) = command {
            found.push((line, stop));
        }
    }
    found
}

/// All commands, with the line of the step, question or action that has them.
fn commands(lesson: &Lesson) -> Vec<(usize, &Command)> {
    let mut found = Vec::new();
    for step in &lesson.steps {
        found.extend(step.script.iter().map(|command| (step.block_line, command)));
        for action in &step.actions {
            found.extend(action.commands.iter().map(|command| (action.line, command)));
        }
        for question in &step.questions {
            found.extend(question.ahead.iter().map(|command| (question.line, command)));
        }
    }
    found
}

/// All expressions.
pub(super) fn expressions(lesson: &Lesson) -> Vec<(usize, &Expr)> {
    let mut found: Vec<(usize, &Expr)> = Vec::new();
    let machine = &lesson.machine;
    found.extend([&machine.cpus].into_iter().chain(&machine.apic_ids).chain(&machine.seed).map(|e| (machine.line, e)));
    found.extend(machine.options.iter().filter_map(Part::expression));
    for template in [&lesson.opening, &lesson.why, &lesson.end] {
        found.extend(template.expressions());
    }
    for text in texts(lesson) {
        found.extend(template::expressions(text.spans));
    }
    for step in &lesson.steps {
        found.extend(step.text.expressions());
        found.extend(step.then.expressions());
        found.extend(step.show.iter().filter_map(|show| show.at.as_ref()).map(|expr| (step.block_line, expr)));
        found.extend(step.goals.iter().map(|goal| (goal.line, &goal.when)));
        for question in &step.questions {
            found.extend(question.answer.iter().chain(&question.accept).map(|expr| (question.line, expr)));
            found.extend(question.wrong.iter().map(|wrong| (wrong.line, &wrong.value)));
            found.extend(question.choices.iter().filter_map(|c| c.value.as_ref().map(|value| (c.line, value))));
        }
    }
    for (line, command) in commands(lesson) {
        if let Command::Edit(edit) = command {
            found.extend(edit.expressions().into_iter().map(|expr| (line, expr)));
        }
    }
    found.extend(lesson.numbers.iter().map(|number| (number.line, &number.value)));
    found
}
