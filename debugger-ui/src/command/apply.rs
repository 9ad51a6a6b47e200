//! Carries commands out: changes the model, and leaves what the machine must be asked in its outbox.

mod panels;

use super::Command;
use crate::model::input::{self, Goal};
use crate::model::outbox::{Order, Purpose};
use crate::model::page_tables::TreeView;
use crate::model::typed::Typed;
use crate::model::{How, Model, connection::Link, control_bits, diff, follow_up, narrator};
use protocol::breakpoint::{Condition, EventFilter};
use protocol::request::{Advance, Direction, Edit, Place, Request, StopReason, Until};
use protocol::{Activity, CpuId, LinearAddr, Position};

/// Machine steps that one advance makes at first; the session adapts the next ones to a few milliseconds.
pub(crate) const FIRST_BUDGET: u64 = 100_000;

/// Carries a command out.
pub fn apply(command: Command, model: &mut Model) {
    if moves(&command) {
        if !may_move(&command, model) {
            return;
        }
    } else if changes(&command) && !may_change(model) {
        return;
    }
    match command {
        Command::StepCpu(direction) => step_cpu(model, direction),
        Command::StepMachine(direction) => advance(model, None, direction, Until::Steps(1), false),
        Command::Over(direction) => on_cpu(model, direction, Until::Over),
        Command::Out(direction) => on_cpu(model, direction, Until::Out),
        Command::Event(direction) => {
            advance(model, Some(model.cpus.selected), direction, Until::Event(EventFilter::Any), true)
        }
        Command::AnyEvent(direction) => advance(model, None, direction, Until::Event(EventFilter::Any), true),
        Command::RunToWake => run_to_wake(model),
        Command::Run(direction) => advance(model, None, direction, Until::Breakpoint, true),
        Command::Pause => pause(model),
        Command::RunTo(cpu, linear) => advance(model, cpu, Direction::Forward, Until::Address(linear), true),
        Command::GoToStart => seek(model, Position(0)),
        Command::GoToEnd => seek(model, model.timeline.end),
        Command::Seek(position) => seek(model, position),
        Command::History(direction) => history(model, direction),
        Command::ToggleHold => model.cpus.hold_others = !model.cpus.hold_others,
        Command::SelectCpu(cpu) => select(model, cpu),
        Command::SelectNeighbour(direction) => select_neighbour(model, direction),
        Command::ToggleBreakpointHere => {
            if let Some(linear) = model.cpus.selected().map(protocol::CpuState::linear_pc) {
                toggle_breakpoint(model, linear);
            }
        }
        Command::ToggleBreakpoint(linear) => toggle_breakpoint(model, linear),
        Command::SetBreakpoint(cpu, condition) => set_breakpoint(model, cpu, condition),
        Command::ClearBreakpoint(id) => model.outbox.read(Purpose::Cleared(id), Request::ClearBreakpoint { id }),
        Command::EditRegister { cpu, name, value } => edit_register(model, cpu, name, &value),
        Command::ToggleBit { cpu, name, bit } => toggle_bit(model, cpu, name, bit),
        Command::EditMemory { at, bytes } => {
            let what = written_words(&at, &bytes);
            edit(model, Edit::Memory { at, bytes }, what);
        }
        Command::Undo => undo(model),
        Command::GoTo(text) => go_to(model, &text),
        Command::ShowCode(linear) => show_code(model, linear),
        Command::FollowCode(follow) => {
            (model.code.follow, model.code.peek) = (follow, false);
            model.code.top = model.code.lines.first().map(|line| line.linear);
            follow_up::code(model);
        }
        Command::ShowPageTables(shown) => {
            model.page_tables.shown = shown;
            refresh_page_tables(model);
        }
        Command::SelectRoot(view, key) => {
            if let Some(slot) = model.page_tables.views.get_mut(view) {
                *slot = TreeView { key: Some(key), ..TreeView::default() };
            }
            refresh_page_tables(model);
        }
        Command::SplitPageTables(split) => {
            let views = if split { 2 } else { 1 };
            model.page_tables.views.resize_with(views, TreeView::default);
            refresh_page_tables(model);
        }
        Command::ToggleTreeRow(view, key) => {
            if let Some(slot) = model.page_tables.views.get_mut(view)
                && !slot.open.remove(&key)
            {
                slot.open.insert(key);
            }
            model.page_tables.arrange();
        }
        Command::SetWalkAddress(text) => set_walk_address(model, text),
        Command::ShowReading(reading, shown) => panels::show(model, reading, shown),
        Command::MemoryAt(text, follow) => panels::memory_at(model, text, follow),
        Command::MemorySpace(space) => panels::memory_space(model, space),
        Command::MemoryPage(direction) => panels::memory_page(model, direction),
        Command::WriteMemory(at, text) => panels::write_memory(model, at, &text),
        Command::ShowDescriptorTable(which) => {
            model.descriptors.which = which;
            follow_up::descriptors(model);
        }
        Command::TypeConsole(bytes) => hand_over(model, Typed::serial(bytes)),
        Command::PressKeys(codes) => hand_over(model, Typed::keys(codes)),
        Command::ConsoleSeen => model.console.seen(),
        Command::OpenGdb(port) => model.outbox.read(Purpose::Gdb, Request::OpenGdb { port }),
        Command::CloseGdb => model.outbox.read(Purpose::Gdb, Request::CloseGdb),
        Command::TakeOver => model.outbox.read(Purpose::TakeOver, Request::TakeOver),
        Command::Restart => match model.connection.hello.clone() {
            Some(hello) => power_cycle(model, Request::Restart { config: hello.config }),
            None => model.outbox.push(Order::Reconnect),
        },
        Command::RestartWith(config) => power_cycle(model, Request::Restart { config }),
        Command::EditSettings(draft) => {
            model.settings.draft = draft;
            model.settings.error = model.settings.config().err();
        }
        Command::ApplySettings => match model.settings.config() {
            Ok(config) => {
                model.settings.error = None;
                power_cycle(model, Request::Restart { config });
            }
            Err(why) => model.settings.error = Some(why),
        },
        Command::Reload => power_cycle(model, Request::Reload),
        Command::Reconnect => {
            model.connection.link = Link::Connecting;
            model.outbox.push(Order::Reconnect);
        }
        Command::OpenGap(gap, open) => {
            if open {
                model.lanes.open.insert(gap);
            } else {
                model.lanes.open.remove(&gap);
            }
            model.lanes.update(&model.timeline, &model.cpus, &model.symbols);
        }
        Command::SetBookmark => panels::set_bookmark(model),
        Command::RenameBookmark(id, name) => {
            model.bookmarks.rename(id, name);
            model.keep_progress();
        }
        Command::RemoveBookmark(id) => {
            model.bookmarks.remove(id);
            model.keep_progress();
        }
        Command::GoBookmark(id) => panels::go_bookmark(model, id),
        Command::Why(target) => panels::why(model, target),
        Command::ToggleSyntax => model.settings.intel = !model.settings.intel,
        Command::IntelSyntax(intel) => model.settings.intel = intel,
        Command::DismissNotice => model.notice = None,
        Command::DismissWarning => model.lessons.warning = None,
        Command::OpenLesson(id) => model.open_lesson(id),
        Command::LeaveLesson => model.leave_lesson(),
        Command::Lesson(act) => model.act(act),
        Command::SavePicture(path) => model.save_picture(path),
        Command::Opening(plays) => model.play_opening(plays),
        // The app carries these out; the model has no part in them.
        Command::Ui(_) => {}
    }
}

/// Commands that make time run, or jump in it.
fn moves(command: &Command) -> bool {
    matches!(
        command,
        Command::StepCpu(_)
            | Command::StepMachine(_)
            | Command::Over(_)
            | Command::Out(_)
            | Command::Event(_)
            | Command::AnyEvent(_)
            | Command::RunToWake
            | Command::Run(_)
            | Command::RunTo(..)
            | Command::GoToStart
            | Command::GoToEnd
            | Command::Seek(_)
            | Command::History(_)
            | Command::GoBookmark(_)
            | Command::Undo
    )
}

/// Commands that change a stopped machine, or need an answer of the server.
fn changes(command: &Command) -> bool {
    matches!(
        command,
        Command::EditRegister { .. }
            | Command::ToggleBit { .. }
            | Command::EditMemory { .. }
            | Command::WriteMemory(..)
            | Command::ToggleBreakpointHere
            | Command::ToggleBreakpoint(_)
            | Command::SetBreakpoint(..)
            | Command::ClearBreakpoint(_)
            | Command::OpenGdb(_)
            | Command::CloseGdb
            | Command::TakeOver
            | Command::GoTo(_)
            | Command::SetBookmark
            | Command::Why(_)
    )
}

/// Whether time may be moved now. A key struck while a step is under way waits for its end.
fn may_move(command: &Command, model: &mut Model) -> bool {
    if !connected(model) {
        return false;
    }
    if model.connection.long_run() {
        model.notice = Some("The machine runs. F6 pauses it.".to_owned());
        return false;
    }
    if model.connection.running() {
        model.defer(command.clone());
        return false;
    }
    if model.connection.gdb.attached {
        let why = "gdb is attached and drives; the window observes. Take over to drive from here.".to_owned();
        model.narrator.refuse(model.timeline.position, why);
        return false;
    }
    true
}

fn may_change(model: &mut Model) -> bool {
    if !connected(model) {
        return false;
    }
    if model.connection.long_run() {
        model.notice = Some("The machine runs. Pause it (F6) to change it.".to_owned());
        return false;
    }
    true
}

fn connected(model: &mut Model) -> bool {
    let why = match &model.connection.link {
        Link::Ready | Link::Running { .. } => return true,
        Link::Connecting => "Not connected yet.".to_owned(),
        Link::Lost { .. } => "Not connected. Reconnect first.".to_owned(),
        Link::Crashed { .. } => "The machine's thread has ended. Restart it to go on.".to_owned(),
    };
    model.notice = Some(why);
    false
}

fn advance(model: &mut Model, cpu: Option<CpuId>, direction: Direction, until: Until, long: bool) {
    let hold_others = model.cpus.hold_others && direction == Direction::Forward;
    // Holding the others needs somebody who is not held: a run of the machine becomes one of the selected CPU.
    let cpu = if hold_others { Some(cpu.unwrap_or(model.cpus.selected)) } else { cpu };
    let wanted = model.wanted();
    let budget = FIRST_BUDGET;
    let (serial_input, keys) = (Vec::new(), Vec::new());
    model.advance(Advance { cpu, hold_others, direction, until, budget, serial_input, keys, wanted }, long);
}

fn step_cpu(model: &mut Model, direction: Direction) {
    on_cpu(model, direction, Until::Steps(1));
}

/// Something that the selected CPU shall do: it must be able to.
fn on_cpu(model: &mut Model, direction: Direction, until: Until) {
    let Some(cpu) = model.cpus.selected() else { return };
    let why = match direction {
        Direction::Forward => narrator::why_not(cpu),
        Direction::Backward if cpu.steps == 0 && model.connection.offers.vendor => {
            Some(format!("{} has not made a step yet: there is nothing to take back.", cpu.cpu))
        }
        Direction::Backward => None,
    };
    match why {
        Some(why) => model.narrator.refuse(model.timeline.position, why),
        None => advance(model, Some(model.cpus.selected), direction, until, false),
    }
}

fn run_to_wake(model: &mut Model) {
    let Some(cpu) = model.cpus.selected() else { return };
    if cpu.activity == Activity::Running {
        let why = format!("{} is awake. s steps it.", cpu.cpu);
        model.narrator.refuse(model.timeline.position, why);
        return;
    }
    let until = Until::Event(EventFilter::Activity(Some(Activity::Running)));
    let hold = std::mem::take(&mut model.cpus.hold_others);
    // With the others held nobody could wake it.
    advance(model, Some(model.cpus.selected), Direction::Forward, until, true);
    model.cpus.hold_others = hold;
}

fn pause(model: &mut Model) {
    model.deferred.clear();
    if model.connection.running() {
        model.outbox.push(Order::Cancel);
    }
}

fn seek(model: &mut Model, position: Position) {
    if position > model.timeline.end {
        let end = model.timeline.end;
        let why = format!("Step {position} has not been run yet: the recording ends at step {end}. Run on with c.");
        model.narrator.refuse(model.timeline.position, why);
        return;
    }
    model.timeline.remember(model.timeline.position);
    jump(model, position);
}

fn jump(model: &mut Model, position: Position) {
    let direction = if position < model.timeline.position { Direction::Backward } else { Direction::Forward };
    model.begin(None, direction, How::Jump);
    model.connection.link = Link::Running { back: direction == Direction::Backward, long: false };
    let wanted = model.wanted();
    model.outbox.push(Order::Move(Request::Seek { position, wanted }));
}

/// Restart and reload: until the new machine answers there is none. They end a run that is on.
fn power_cycle(model: &mut Model, request: Request) {
    model.connection.link = Link::Connecting;
    model.outbox.push(Order::Move(request));
}

fn history(model: &mut Model, direction: Direction) {
    let here = model.timeline.position;
    let timeline = &mut model.timeline;
    let (from, to) = match direction {
        Direction::Backward => (&mut timeline.back, &mut timeline.forward),
        Direction::Forward => (&mut timeline.forward, &mut timeline.back),
    };
    match from.pop() {
        Some(position) => {
            to.push(here);
            jump(model, position.min(model.timeline.end));
        }
        None => model.narrator.refuse(here, "There is no jump in time to go back over.".to_owned()),
    }
}

fn select(model: &mut Model, cpu: CpuId) {
    if model.cpus.get(cpu).is_none() {
        let count = model.cpus.states.len();
        model.notice = Some(format!("There is no {cpu}: this machine has {count} CPUs, counted from 0."));
        return;
    }
    if model.cpus.selected == cpu {
        return;
    }
    model.cpus.selected = cpu;
    (model.code.follow, model.code.peek) = (true, false);
    model.lanes.update(&model.timeline, &model.cpus, &model.symbols);
    model.page_tables.choose_roots(&model.cpus, &model.symbols);
    follow_up::code(model);
    follow_up::readings(model);
    refresh_page_tables(model);
}

fn select_neighbour(model: &mut Model, direction: Direction) {
    let last = model.cpus.states.len().saturating_sub(1) as u16;
    let at = model.cpus.selected.0;
    let next = match direction {
        Direction::Forward => at.saturating_add(1).min(last),
        Direction::Backward => at.saturating_sub(1),
    };
    select(model, CpuId(next));
}

fn toggle_breakpoint(model: &mut Model, linear: LinearAddr) {
    match model.breakpoints.at(linear).map(|breakpoint| breakpoint.id) {
        Some(id) => model.outbox.read(Purpose::Cleared(id), Request::ClearBreakpoint { id }),
        None => set_breakpoint(model, None, Condition::Execute(linear)),
    }
}

fn set_breakpoint(model: &mut Model, cpu: Option<CpuId>, condition: Condition) {
    model.outbox.read(Purpose::Breakpoints, Request::SetBreakpoint { cpu, condition });
}

fn edit_register(model: &mut Model, cpu: CpuId, name: String, text: &str) {
    match input::value(text, &model.symbols, model.cpus.get(cpu)) {
        Ok(value) => set_register(model, cpu, name, value),
        Err(why) => model.notice = Some(why),
    }
}

fn toggle_bit(model: &mut Model, cpu: CpuId, name: String, bit: u8) {
    let flipped = model.cpus.get(cpu).and_then(|state| control_bits::flipped(&name, bit, state));
    match flipped {
        Some((cpu, value)) => set_register(model, cpu, name, value),
        None => model.notice = Some(format!("{cpu} has no bit {bit} of {name} to flip.")),
    }
}

fn set_register(model: &mut Model, cpu: CpuId, name: String, value: u64) {
    let old = model.cpus.get(cpu).and_then(|cpu| diff::registers(cpu).into_iter().find(|(known, _)| *known == name));
    let old = old.map(|(_, old)| old);
    let bits = old.map(|old| control_bits::change_words(&name, old, value)).filter(|bits| !bits.is_empty());
    let what = bits.unwrap_or_else(|| old.map_or(format!("= {value:x}"), |old| format!("{old:x} -> {value:x}")));
    let words = format!("You changed {name} of {cpu}: {what}. u takes it back.");
    edit(model, Edit::Register { cpu, name, value }, words);
}

fn edit(model: &mut Model, edit: Edit, words: String) {
    model.begin(None, Direction::Forward, How::Change(words));
    let wanted = model.wanted();
    model.outbox.push(Order::Move(Request::Edit { edit, wanted }));
}

fn written_words(at: &Place, bytes: &[u8]) -> String {
    let place = match at {
        Place::Phys(phys) => format!("phys {phys}"),
        Place::Linear { linear, .. } => format!("linear {linear}"),
    };
    match bytes {
        [byte] => format!("You wrote {byte:02x} at {place}. u takes it back."),
        _ => format!("You wrote {} bytes at {place}. u takes it back.", bytes.len()),
    }
}

fn undo(model: &mut Model) {
    if !model.timeline.can_undo {
        model.narrator.refuse(model.timeline.position, "There is no edit of yours to take back.".to_owned());
        return;
    }
    let wanted = model.wanted();
    let words = "Your edit is taken back: the old future is there again.".to_owned();
    model.undoing = true;
    model.begin(None, Direction::Forward, How::Change(words));
    model.outbox.push(Order::Move(Request::Undo { wanted }));
}

fn go_to(model: &mut Model, text: &str) {
    if let Some(id) = model.bookmarks.named(text).map(|mark| mark.id) {
        return apply(Command::GoBookmark(id), model);
    }
    match input::goal(text, &model.symbols, model.cpus.selected()) {
        Ok(Goal::Address(linear)) => show_code(model, linear),
        Ok(Goal::Position(position)) => apply(Command::Seek(position), model),
        Err(why) => model.notice = Some(why),
    }
}

fn show_code(model: &mut Model, linear: LinearAddr) {
    model.code.show(linear);
    follow_up::code(model);
}

fn refresh_page_tables(model: &mut Model) {
    model.page_tables.choose_roots(&model.cpus, &model.symbols);
    if model.page_tables.shown && model.connection.offers.reads_memory() {
        follow_up::page_tables(model);
    }
}

fn set_walk_address(model: &mut Model, text: String) {
    let parsed = match text.trim() {
        "" => Ok(None),
        text => input::address(text, &model.symbols, model.cpus.selected()).map(Some),
    };
    model.page_tables.walk_text = text;
    match parsed {
        Ok(linear) => {
            model.page_tables.walk_error = None;
            model.page_tables.walk_linear = linear;
            refresh_page_tables(model);
        }
        Err(why) => model.page_tables.walk_error = Some(why),
    }
}

/// What is typed enters the machine with the next advance. Where all CPUs wait for just that, it runs at once.
fn hand_over(model: &mut Model, typed: Typed) {
    if let Some(foreign) = &model.connection.offers.foreign {
        model.notice = Some(foreign.console.clone());
        return;
    }
    if model.connection.running() {
        model.outbox.push(Order::Type(typed));
        return;
    }
    model.console.typed.extend(typed);
    // However it came here, by running or by going to the place: every CPU waits, and no run would do anything else.
    let still = |cpu: &protocol::CpuState| cpu.activity != Activity::Running && cpu.due.is_none();
    let all_still = !model.cpus.states.is_empty() && model.cpus.states.iter().all(still);
    let waits = all_still || model.timeline.reason == Some(StopReason::AllWaiting);
    if waits
        && model.timeline.position == model.timeline.end
        && model.connection.ready()
        && !model.connection.gdb.attached
    {
        advance(model, None, Direction::Forward, Until::Breakpoint, true);
    }
}

#[cfg(test)]
mod tests;
