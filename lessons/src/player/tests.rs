//! The player on a machine of a hundred steps ([`fake`]): what a learner does, in and out of order, and what goes wrong.
//! On the real machine it is played by `cargo xtask lessons check`.

mod fake;

use super::page::{AnswerState, Page, Question, Task};
use super::{Act, Player, Seen};
use crate::progress::LessonProgress;
use fake::{Bench, LAST, SIPI, WAKES, advance};
use protocol::request::{Edit, MachineConfig, Refusal, Request, StopReason, Until, Wanted};
use protocol::{CpuId, Position};

/// Three steps: look; predict, then make it true; break it.
const LESSON: &str = r#"+++
id = "test"
title = "A test"
minutes = 1
part = "A"
needs = []
goals = ["See it."]
sources = ["none"]
terms = []
[machine]
cpus = 2
options = "x={n}"
apic_ids = [0, 4]
[vary]
n = { from = 1, to = 9 }
+++
Opening words.

## Look {#look}
RAX is {cpu0.rax:hex}.
~~~step
kind = "observe"
stop = "before ipi(delivery=init, to=1)"
show = ["lanes", "cpu:0"]
hints = ["one", "two", "three"]
then = "Looked."
[[question]]
ask = "RAX"
example = "like 5"
answer = "cpu0.rax"
right = "So it is."
wrong = [{ value = "cpu0.rax + 1", id = "M-next", says = "That is the next." }]
~~~

## Predict {#predict}
It comes.
~~~step
kind = "predict"
stop = "before ipi(delivery=sipi, to=1)"
show = ["lanes"]
then = "Now RAX is {cpu0.rax:hex}."
[[question]]
ask = "RAX after the SIPI was taken"
example = "like 5"
reveal = ["after ipi(delivery=sipi, to=1)", "step cpu1"]
answer = "cpu0.rax"
right = "It was {before(cpu0.rax):hex}."
wrong = [{ value = "before(cpu0.rax)", id = "M-before", says = "That was before." }]
[[question]]
ask = "Does it wake if RAX is changed?"
reveal = ["after ipi(delivery=sipi, to=1)", "steps 5"]
ahead = ["edit cpu0.rax = 1"]
answer = "cpu1.activity"
choices = [
    { says = "yes", value = "running", id = "M-wakes", feedback = "It does not." },
    { says = "no", value = "wait-for-sipi" },
]
[[goal]]
says = "awake"
when = "cpu1.activity == running"
[[goal]]
says = "asleep again"
when = "cpu1.activity == wait-for-sipi"
[[action]]
label = "Change it"
do = ["edit cpu0.rax = 0x77"]
[script]
do = ["run after activity(cpu=1, to=running)", "step-back cpu1"]
~~~

## Here {#here}
Wherever you are.
~~~step
kind = "explore"
stop = "here"
show = ["lanes"]
[[goal]]
says = "at the end"
when = "position == 100"
[script]
do = ["run"]
~~~

## Why {#why}
Because.

## End {#end}
Over.
~~~end
numbers = [{ label = "RAX", value = "cpu0.rax" }]
~~~
"#;

/// A question of the page.
fn question(page: &Page, number: usize) -> &Question {
    let of = |task: &Task| matches!(task, Task::Question(question) if question.number == number);
    match page.tasks.iter().find(|task| of(task)) {
        Some(Task::Question(question)) => question,
        _ => panic!("no question {number}: {page:?}"),
    }
}

fn goals(page: &Page) -> Vec<bool> {
    page.tasks.iter().filter_map(|task| if let Task::Goal { met, .. } = task { Some(*met) } else { None }).collect()
}

fn words(spans: &[crate::text::Span]) -> String {
    format!("{spans:?}")
}

fn edit(value: u64) -> Request {
    let edit = Edit::Register { cpu: CpuId(0), name: "rax".into(), value };
    Request::Edit { edit, wanted: Wanted::default() }
}

/// In the second step, with the first one answered.
fn predicting() -> Bench {
    let mut bench = Bench::new(LESSON, None);
    bench.check(0, "1009");
    bench.act(Act::Next);
    assert_eq!(bench.player.page().step_id, "predict", "{:?}", bench.player.page());
    bench
}

/// Goal: the first step stands at its place, in the lesson's machine, with the learner's numbers, and answers are judged
/// as people type them. Method: begin, answer unreadably, wrongly as listed and not, by halves, rightly.
#[test]
fn answers_are_judged() {
    let mut bench = Bench::new(LESSON, None);
    let page = bench.player.page().clone();
    assert_eq!((page.step, page.steps, page.trouble.clone(), page.busy.clone()), (1, 3, None, None));
    assert_eq!(
        (bench.machine.position, bench.machine.config.cpus, bench.machine.config.apic_ids.as_slice()),
        (9, 2, &[0, 4][..])
    );
    assert!(bench.machine.config.options.starts_with("x="), "{}", bench.machine.config.options);
    assert!(format!("{:?}", page.text).contains("00001009"), "{:?}", page.text);
    assert!(!page.done && !page.can_back && !page.can_return && !page.covered && page.then.is_empty());
    bench.check(0, "hello");
    assert_eq!(question(bench.player.page(), 0).state, AnswerState::Open);
    assert!(!question(bench.player.page(), 0).feedback.is_empty());
    bench.check(0, "0x100a");
    assert_eq!(question(bench.player.page(), 0).state, AnswerState::Wrong);
    assert!(words(&question(bench.player.page(), 0).feedback).contains("That is the next."));
    bench.check(0, "77h");
    assert!(!question(bench.player.page(), 0).feedback.is_empty());
    bench.check(0, "4105");
    let said = words(&question(bench.player.page(), 0).feedback);
    assert!(said.contains("decimal"), "{said}");
    bench.act(Act::Next);
    assert_eq!(bench.player.page().step, 1, "Next with an open task");
    bench.check(0, " 1009H ");
    let page = bench.player.page();
    assert_eq!((question(page, 0).state, page.done), (AnswerState::Right, true));
    assert!(words(&question(page, 0).feedback).contains("So it is."));
    assert!(!page.then.is_empty());
    let record = &bench.player.progress().steps[0].questions[0];
    assert_eq!(record.wrong, ["M-next", "77h"]);
    bench.check(0, "5");
    assert_eq!(question(bench.player.page(), 0).state, AnswerState::Right, "an answer that is over stays");
}

/// Goal: predictions are read ahead and never touch the learner's machine. Method: the second step's answers, with an edit
/// done ahead; the learner's machine has no input and stands before the SIPI.
#[test]
fn predictions_are_read_on_a_copy() {
    let mut bench = predicting();
    assert_eq!((bench.machine.position, bench.machine.inputs.len()), (SIPI - 1, 0));
    assert!(bench.player.page().covered);
    assert_eq!(question(bench.player.page(), 1).state, AnswerState::Later);
    bench.check(1, "B");
    assert_eq!(question(bench.player.page(), 1).given, None, "the second question waits for the first");
    bench.check(0, "1013");
    assert!(words(&question(bench.player.page(), 0).feedback).contains("That was before."));
    bench.check(0, "1016");
    assert_eq!(question(bench.player.page(), 0).state, AnswerState::Right, "{:?}", bench.player.key(0));
    assert!(words(&question(bench.player.page(), 0).feedback).contains("00001013"));
    bench.check(1, "a");
    assert_eq!(question(bench.player.page(), 1).state, AnswerState::Wrong);
    bench.check(1, "B");
    assert_eq!(question(bench.player.page(), 1).state, AnswerState::Right);
    assert!(!bench.player.page().covered && !bench.player.page().done);
    assert!(bench.machine.inputs.is_empty());
}

/// Goal: goals come true in order and stay; a goal that is true too early waits for the one before. Method: to and fro over
/// the SIPI; "asleep" holds at the place and is not met there.
#[test]
fn goals_are_latched_in_order() {
    let mut bench = predicting();
    assert_eq!(goals(bench.player.page()), [false, false]);
    bench.step(WAKES - (SIPI - 1));
    bench.serve();
    assert_eq!(goals(bench.player.page()), [true, false]);
    bench.learner(&Request::Seek { position: Position(SIPI), wanted: Wanted::default() });
    assert_eq!(goals(bench.player.page()), [true, true]);
    bench.step(10);
    bench.serve();
    assert_eq!(goals(bench.player.page()), [true, true]);
    assert!(bench.player.page().can_return);
}

/// Goal: who looks first is right, but that is told. Method: run past the reveal, then answer.
#[test]
fn looking_first_is_told() {
    let mut bench = predicting();
    bench.step(LAST);
    bench.serve();
    bench.check(0, "1016");
    assert_eq!(question(bench.player.page(), 0).state, AnswerState::RightAfterLooking);
    bench.act(Act::Return);
    assert_eq!((bench.machine.position, bench.player.page().can_return), (SIPI - 1, false));
    assert!(bench.player.progress().steps[1].questions[0].looked);
}

/// Goal: hints come one by one, then [Show me], which does what the script says and fills the answers in. Method: both
/// steps; the score counts what was shown.
#[test]
fn hints_and_show_me() {
    let mut bench = Bench::new(LESSON, None);
    bench.act(Act::ShowMe);
    assert!(!bench.player.page().done, "shown before the hints");
    for number in 1..=3 {
        assert!(!bench.player.page().can_show_me);
        bench.act(Act::Hint);
        assert_eq!(bench.player.page().hints.len(), number);
    }
    assert_eq!(bench.player.page().more_hints, 0);
    bench.act(Act::ShowMe);
    let page = bench.player.page();
    assert_eq!((page.done, question(page, 0).right.as_deref()), (true, Some("00001009")));
    bench.act(Act::Next);
    bench.step(3);
    bench.learner(&edit(5));
    assert!(bench.player.page().can_return);
    bench.act(Act::ShowMe);
    let page = bench.player.page();
    assert_eq!((page.done, page.trouble.clone(), goals(page)), (true, None, vec![true, true]));
    assert_eq!(bench.machine.position, WAKES - 1, "the script starts at the step's place, in an unedited run");
    assert_eq!(bench.player.take_problems(), [""; 0]);
    bench.act(Act::Next);
    bench.act(Act::Skip);
    let ending = bench.player.page().ending.clone().unwrap();
    assert_eq!((ending.score.shown, ending.score.first), (3, 0));
    assert_eq!(ending.numbers.len(), 1);
}

/// Goal: a step's place is reached whatever was done before, and Back keeps answers. Method: edit, run, go on, come back,
/// with an action pressed.
#[test]
fn edits_end_with_the_step() {
    let mut bench = predicting();
    bench.act(Act::Do(0));
    assert_eq!(bench.machine.inputs.len(), 1);
    bench.step(30);
    bench.serve();
    bench.act(Act::Back);
    assert_eq!((bench.machine.position, bench.machine.inputs.len()), (9, 0));
    let page = bench.player.page();
    assert_eq!((question(page, 0).state, page.done), (AnswerState::Right, true));
    assert!(words(&question(page, 0).feedback).contains("So it is."));
    bench.act(Act::Next);
    assert_eq!(bench.machine.position, SIPI - 1);
    let pressed = |task: &Task| matches!(task, Task::Action { pressed: true, .. });
    assert!(bench.player.page().tasks.iter().any(pressed));
}

/// Goal: a step that begins `here` leaves the machine and its changes alone, and Return goes back to just that. Method: come
/// with an edit.
#[test]
fn here_stays_here() {
    let mut bench = predicting();
    bench.learner(&edit(5));
    bench.step(4);
    bench.serve();
    bench.act(Act::Skip);
    assert_eq!((bench.player.page().step_id.as_str(), bench.machine.position), ("here", SIPI + 3));
    bench.step(LAST);
    bench.serve();
    assert_eq!((goals(bench.player.page()), bench.player.page().done), (vec![true], true));
    bench.learner(&edit(6));
    bench.act(Act::Return);
    assert_eq!((bench.machine.position, bench.machine.inputs.len()), (SIPI + 3, 1));
}

/// Goal: gdb at the wheel is told, and nothing is stuck. Method: go on while moves are refused; Return works afterwards.
#[test]
fn gdb_drives() {
    let mut bench = Bench::new(LESSON, None);
    bench.check(0, "1009");
    bench.gdb = true;
    bench.act(Act::Next);
    let trouble = bench.player.page().trouble.clone().unwrap();
    assert!(trouble.contains("gdb is attached"), "{trouble}");
    assert_eq!(bench.player.page().busy, None);
    bench.gdb = false;
    bench.act(Act::Return);
    let page = bench.player.page();
    assert_eq!((page.trouble.clone(), page.tasks.len(), bench.machine.position), (None, 5, SIPI - 1));
}

/// Goal: a machine that died is begun anew. Method: crash before a step, then [Back to this step's place].
#[test]
fn the_machine_crashes() {
    let mut bench = Bench::new(LESSON, None);
    bench.check(0, "1009");
    bench.crashed = true;
    bench.act(Act::Next);
    let trouble = bench.player.page().trouble.clone().unwrap();
    assert!(trouble.contains("Begin again") && trouble.contains("index out of bounds"), "{trouble}");
    bench.crashed = false;
    bench.act(Act::Return);
    assert_eq!((bench.player.page().trouble.clone(), bench.player.page().step), (None, 2));
}

/// Goal: a stop that never comes ends in words, not in a hang, and the lesson goes on. Method: a step that waits for a
/// third SIPI; the machine comes to its end. Skip goes on.
#[test]
fn a_stop_that_never_comes() {
    let text = LESSON.replacen("before ipi(delivery=sipi, to=1)", "before ipi(delivery=sipi, to=1, nth=3)", 1);
    let mut bench = Bench::new(&text, None);
    bench.act(Act::Skip);
    let page = bench.player.page();
    let trouble = page.trouble.clone().unwrap();
    assert!(trouble.contains("stopped before the place") && trouble.contains("all CPUs wait"), "{trouble}");
    assert_eq!((page.busy.clone(), page.tasks.len()), (None, 0));
    bench.act(Act::Return);
    assert!(bench.player.page().trouble.is_some());
    bench.act(Act::Skip);
    assert_eq!(bench.player.page().step_id, "here");
    assert_eq!(bench.player.page().trouble, None);
}

/// Goal: a step without a place keeps nobody from the later ones. Method: the first step's stop never comes; skip it.
#[test]
fn a_later_step_has_its_place_all_the_same() {
    let text = LESSON.replacen("before ipi(delivery=init, to=1)", "before ipi(delivery=init, to=1, nth=3)", 1);
    let mut bench = Bench::new(&text, None);
    assert!(bench.player.page().trouble.is_some());
    bench.act(Act::Skip);
    let page = bench.player.page();
    assert_eq!((page.step_id.as_str(), page.trouble.clone(), bench.machine.position), ("predict", None, SIPI - 1));
}

/// Goal: a run that is told piece by piece is waited for, and the learner's pause ends it in words. Method: pieces of one
/// step; then a stop that says it was interrupted.
#[test]
fn long_runs_and_pauses() {
    let mut bench = Bench::idle(LESSON, None);
    bench.pieces = Some(1);
    bench.serve();
    assert_eq!((bench.machine.position, bench.player.page().trouble.clone()), (9, None));
    let mut bench = Bench::idle(LESSON, None);
    for _ in 0..40 {
        let orders = bench.player.take_orders();
        if orders.iter().any(|order| matches!(order, super::Order::Run(_))) {
            let stopped = bench.stopped(StopReason::Interrupted);
            bench.player.stopped(&Seen::of(&stopped, false));
            break;
        }
        bench.carry(orders);
    }
    let trouble = bench.player.page().trouble.clone().unwrap();
    assert!(trouble.contains("You paused the machine"), "{trouble}");
    bench.act(Act::Return);
    assert_eq!((bench.player.page().trouble.clone(), bench.machine.position), (None, 9));
}

/// Goal: a run that never ends is given up and stopped. Method: tell of a position beyond every bound while it runs.
#[test]
fn a_run_without_end() {
    let mut bench = Bench::idle(LESSON, None);
    for _ in 0..40 {
        let orders = bench.player.take_orders();
        if orders.iter().any(|order| matches!(order, super::Order::Run(_))) {
            break;
        }
        bench.carry(orders);
    }
    let mut far = bench.stopped(StopReason::Budget);
    bench.player.stopped(&Seen::of(&far, true));
    assert!(!bench.player.wants_to_move() && bench.player.page().busy.is_some());
    far.position = Position(super::travel::MAX_SEARCH * 2);
    bench.player.stopped(&Seen::of(&far, true));
    assert!(bench.player.wants_to_move(), "nothing stops the run");
    bench.serve();
    let trouble = bench.player.page().trouble.clone().unwrap();
    assert!(trouble.contains("ran for a long time"), "{trouble}");
    bench.act(Act::Return);
    assert_eq!((bench.player.page().trouble.clone(), bench.machine.position), (None, 9));
}

/// Goal: a learner who cannot wait does not get wrong answers. Method: the machine is moved between the orders of a step's
/// preparation, once and then without end.
#[test]
fn disturbed_while_preparing() {
    for at in 0..30 {
        let mut bench = Bench::idle(LESSON, None);
        bench.disturb = vec![0; 60];
        bench.disturb[60 - 1 - at] = 3;
        bench.serve();
        assert_eq!(bench.player.page().trouble, None, "disturbed at order {at}");
        bench.act(Act::Return);
        bench.check(0, "1009");
        assert_eq!(question(bench.player.page(), 0).state, AnswerState::Right, "disturbed at order {at}");
    }
    let mut bench = Bench::idle(LESSON, None);
    bench.disturb = vec![1; 400];
    bench.serve();
    assert!(bench.player.page().trouble.is_some() || bench.player.page().tasks.len() == 1);
    bench.disturb.clear();
    bench.act(Act::Return);
    assert_eq!((bench.player.page().trouble.clone(), bench.machine.position), (None, 9));
}

/// Goal: answers while the machine runs, and acts while the player is busy, do no harm. Method: answer between two pieces of
/// the learner's run; press everything while a step is being entered.
#[test]
fn acts_at_any_time() {
    let mut bench = predicting();
    let stopped = bench.stopped(StopReason::Budget);
    bench.player.stopped(&Seen::of(&stopped, true));
    bench.check(0, "1016");
    assert_eq!(question(bench.player.page(), 0).state, AnswerState::Right);
    let mut bench = Bench::idle(LESSON, None);
    for round in 0..200 {
        let orders = bench.player.take_orders();
        if orders.is_empty() {
            break;
        }
        bench.carry(orders);
        let acts = [Act::Hint, Act::ShowMe, Act::Next, Act::Back, Act::Do(0), Act::Do(9)];
        bench.player.act(acts[round % acts.len()].clone());
        bench.player.act(Act::Check { question: round % 3, text: "5".into() });
    }
    bench.serve();
    assert_eq!((bench.player.page().trouble.clone(), bench.player.page().busy.clone()), (None, None));
}

/// Goal: what was stored comes back: step, answers, hints, seed, and the very state of the machine. Method: leave in the
/// middle of the second step with an edit, come back with the file's text.
#[test]
fn resumes_at_the_very_state() {
    let mut bench = predicting();
    bench.check(0, "1013");
    bench.learner(&edit(0x500));
    bench.step(7);
    bench.serve();
    assert!(bench.player.changed());
    assert!(!bench.player.changed());
    let stored = bench.player.progress().to_json();
    let saved = LessonProgress::from_json(&stored, "test").unwrap();
    let again = Bench::new(LESSON, Some(saved.clone()));
    let page = again.player.page();
    assert_eq!((page.step_id.as_str(), page.trouble.clone()), ("predict", None));
    assert_eq!((again.machine.position, again.machine.inputs.len()), (bench.machine.position, 1));
    assert_eq!(question(page, 0).state, AnswerState::Wrong);
    assert!(words(&question(page, 0).feedback).contains("That was before."));
    assert!(page.can_return);
    assert_eq!(again.player.progress().seed, 7);
    assert_eq!(again.player.progress().run, saved.run);
}

/// Goal: a state of another image is lost in words, answers are kept. Method: the stored run names another image.
#[test]
fn progress_of_another_image() {
    let mut bench = predicting();
    bench.step(7);
    bench.serve();
    let mut saved = bench.player.progress();
    saved.run.as_mut().unwrap().image_sha256 = "another".into();
    let mut again = Bench::new(LESSON, Some(saved));
    let page = again.player.page().clone();
    let trouble = page.trouble.unwrap();
    assert!(trouble.contains("another kernel") && trouble.contains("answers are kept"), "{trouble}");
    assert_eq!((page.step_id.as_str(), again.machine.position), ("predict", SIPI - 1));
    again.act(Act::Back);
    assert_eq!(question(again.player.page(), 0).state, AnswerState::Right);
}

/// Goal: who left before the state came back has not lost it. Method: store while the step is still being entered.
#[test]
fn leaving_early_loses_nothing() {
    let mut bench = predicting();
    bench.learner(&edit(0x500));
    let saved = bench.player.progress();
    let again = Bench::idle(LESSON, Some(saved.clone()));
    let early = again.player.progress();
    assert_eq!((early.run, early.step), (saved.run, saved.step));
    assert_eq!(early.steps, saved.steps);
}

/// Goal: progress of a lesson that was changed since is used as far as it fits. Method: unknown steps, too many questions,
/// goals and hints.
#[test]
fn progress_of_an_older_lesson() {
    let mut saved = predicting().player.progress();
    saved.steps[0].questions.resize_with(9, Default::default);
    saved.steps[0].goals = 99;
    saved.steps[0].hints = 99;
    saved.steps[1].id = "gone".into();
    saved.step = "gone".into();
    let bench = Bench::new(LESSON, Some(saved));
    let page = bench.player.page();
    assert_eq!((page.step, page.trouble.clone(), page.hints.len()), (1, None, 3));
    assert_eq!(question(page, 0).state, AnswerState::Right);
}

/// Goal: the learner's restart with other settings is told, and Return brings the lesson's machine back. Method: restart from
/// outside; then another image.
#[test]
fn the_learner_restarts_the_machine() {
    let mut bench = predicting();
    let config = MachineConfig { cpus: 8, ..bench.machine.config.clone() };
    bench.learner(&Request::Restart { config });
    let trouble = bench.player.page().trouble.clone().unwrap();
    assert!(trouble.contains("other settings"), "{trouble}");
    assert_ne!(bench.player.progress().run.unwrap().config.cpus, 8, "another machine's run is no progress");
    bench.act(Act::Return);
    assert_eq!((bench.machine.config.cpus, bench.machine.position), (2, SIPI - 1));
    assert_eq!(bench.player.page().trouble, None);
    bench.image = "two";
    bench.step(1);
    bench.serve();
    let trouble = bench.player.page().trouble.clone().unwrap();
    assert!(trouble.contains("another kernel"), "{trouble}");
    bench.act(Act::Return);
    assert_eq!((bench.player.page().trouble.clone(), bench.player.page().step), (None, 2));
}

/// Goal: mistakes of a lesson cost their words only, and are told by file and line. Method: a division by zero in a text,
/// an answer, a wrong answer and a goal.
#[test]
fn mistakes_of_a_lesson() {
    let text = LESSON.replace("RAX is {cpu0.rax:hex}.", "RAX is {cpu0.rax / (cpu0.rax - cpu0.rax):hex}.").replace(
        "answer = \"cpu0.rax\"\nright = \"So it is.\"",
        "answer = \"1 / (cpu0.rax - cpu0.rax)\"\nright = \"x\"",
    );
    let mut bench = Bench::new(&text, None);
    let problems = bench.player.take_problems();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(
        problems.iter().all(|problem| problem.starts_with("test.md:") && problem.contains("divides by 0")),
        "{problems:?}"
    );
    assert!(format!("{:?}", bench.player.page().text).contains("There is a mistake in the lesson here"));
    bench.check(0, "5");
    assert_eq!(question(bench.player.page(), 0).state, AnswerState::Open);
    assert!(words(&question(bench.player.page(), 0).feedback).contains("cannot be judged"));
    bench.act(Act::Skip);
    assert_eq!(bench.player.page().step, 2);
}

/// Goal: the lesson ends with numbers and score, can be begun again, and is resumed at its end. Method: play it through.
#[test]
fn the_end() {
    let mut bench = predicting();
    bench.check(0, "1013");
    bench.check(0, "1016");
    bench.check(1, "B");
    bench.act(Act::ShowMe);
    bench.act(Act::Next);
    bench.act(Act::ShowMe);
    bench.act(Act::Next);
    let page = bench.player.page().clone();
    let ending = page.ending.unwrap();
    assert_eq!((page.step, page.step_id.as_str()), (4, "end"));
    assert_eq!(ending.numbers, [("RAX".to_owned(), "00001064".to_owned())]);
    assert_eq!((ending.score.first, ending.score.later, ending.score.shown), (2, 1, 0));
    let saved = bench.player.progress();
    assert!(saved.finished);
    let again = Bench::new(LESSON, Some(saved));
    assert_eq!(again.player.page().ending.as_ref().map(|ending| ending.score), Some(ending.score));
    assert_eq!(again.machine.position, LAST);
    bench.act(Act::Again);
    let page = bench.player.page();
    assert_eq!((page.step, question(page, 0).state, bench.machine.position), (1, AnswerState::Open, 9));
}

/// Goal: a refusal of the learner's own request is none of the player's business, and a lesson on a server that knows no
/// private copies says so. Method: refuse an undo; answer Copy with a refusal.
#[test]
fn refusals() {
    let mut bench = predicting();
    bench.learner(&Request::Undo { wanted: Wanted::default() });
    assert_eq!(bench.player.page().trouble, None);
    let mut player = Player::new(fake::read(LESSON), 1, None);
    for _ in 0..50 {
        for order in player.take_orders() {
            if let super::Order::Read(ticket, _) = order {
                let refusal = Refusal::Invalid("This server does not answer that.".into());
                player.answer(ticket, protocol::request::Answer::Refused(refusal));
            }
        }
    }
    assert!(player.page().trouble.clone().unwrap().contains("This server does not answer that."));
    assert_eq!(bench.machine.position, SIPI - 1);
    bench.learner(&Request::Advance(advance(Until::Steps(1))));
    assert_eq!(bench.machine.position, SIPI);
}
