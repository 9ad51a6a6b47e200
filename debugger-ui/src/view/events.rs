//! The list of events: what happened up to now and, fainter, in the recorded future, unless that is covered. Enter or a
//! double click goes there. What comes again and again in the same way is folded to one row with how often; Right opens
//! it, Left folds it again.

use super::Cx;
use crate::command::Command;
use crate::model::event_rows::{EventRow, rows};
use crate::model::timeline::{Timeline, event_words, position_words};
use crate::ui::hex::count;
use crate::ui::line;
use crate::ui::theme::{mono, words};
use crate::ui::tree::{self, Act, Spec};
use crate::ui::words::Words;
use egui::{Align2, Ui, pos2};
use protocol::event::EventKind;
use std::collections::BTreeSet;

/// What the list remembers.
#[derive(Debug, Default)]
pub struct State {
    list: tree::State,
    /// Folds that were opened, by their first event.
    open: BTreeSet<usize>,
    /// Rows, and what they were made from: epoch, events, past ones, open folds, whether the future is covered.
    rows: Vec<EventRow>,
    made_from: Option<(u64, usize, usize, usize, bool)>,
}

impl State {
    fn arrange(&mut self, timeline: &Timeline, covered: bool) {
        let from = (timeline.epoch, timeline.events.len(), timeline.past().len(), self.open.len(), covered);
        if self.made_from != Some(from) {
            self.rows = rows(timeline, covered, |fold| self.open.contains(&fold));
            self.made_from = Some(from);
        }
    }
}

/// Draws the list.
pub fn show(ui: &mut Ui, cx: &mut Cx<'_>, state: &mut State, take_focus: bool) {
    let timeline = &cx.model.timeline;
    let past = timeline.past().len();
    if timeline.events.is_empty() || cx.model.lessons.covered() && past == 0 {
        let text = if cx.model.connection.offers.story {
            "Nothing has happened yet: no mode change, no IPI, no fault."
        } else {
            "Not told by this server: events. What changed between two stops is in the lanes and on the CPU card."
        };
        ui.colored_label(cx.t.weak, text);
        return;
    }
    // While a prediction is open nothing of the future is told.
    state.arrange(timeline, cx.model.lessons.covered());
    let State { list: state, open, rows, .. } = state;
    let place_of_now = rows.iter().rposition(|row| row.event() < past).unwrap_or_default();
    let row_words = |at: usize| match &rows[at] {
        EventRow::One(event) => event_words(&timeline.events[*event], &cx.model.symbols),
        EventRow::Again { pattern, times, .. } => again_words(*pattern, *times),
    };
    state.focus |= take_focus;
    let followed = egui::Id::unique("events follow");
    // An edit in place of another leaves the count as it was, but begins a new future.
    let newest = (timeline.epoch, past);
    if ui.data(|data| data.get_temp(followed)) != Some(newest) {
        ui.data_mut(|data| data.insert_temp(followed, newest));
        state.reveal = Some(place_of_now);
        state.cursor = place_of_now;
    }
    let (t, events) = (cx.t, &timeline.events);
    let spec = Spec { id: "events", name: "Events", rows: rows.len(), row_height: 20.0 };
    let outcome = tree::show(ui, t, spec, state, |ui, at, rect| {
        let row = &rows[at];
        let event = &events[row.event()];
        let painter = ui.painter();
        let future = row.event() >= past;
        if row.event() + 1 == past {
            painter.rect_filled(rect, 2, t.chosen);
        }
        let position = position_words(event.position);
        painter.text(pos2(rect.left() + 120.0, rect.center().y), Align2::RIGHT_CENTER, &position, mono(12.5), t.weak);
        let again = matches!(row, EventRow::Again { .. });
        let fault = !again && matches!(event.kind, EventKind::Fault { .. } | EventKind::TripleFault { .. });
        let colour = if fault {
            t.fault
        } else if again {
            t.link
        } else if future {
            t.weak
        } else {
            t.text
        };
        let text = row_words(at);
        line::fit(painter, pos2(rect.left() + 136.0, rect.center().y), &text, words(14.0), colour, rect.right());
        format!("{}step {position}: {text}", if future { "recorded future, " } else { "" })
    });
    let target = outcome.act.and_then(|(at, act)| Some((rows.get(at)?, act)));
    match target {
        Some((row, Act::Open)) if cx.can_move() => cx.push(Command::Seek(events[row.event()].position)),
        Some((EventRow::Again { events, .. }, Act::Right)) => {
            open.insert(events.start);
        }
        Some((EventRow::One(event), Act::Left)) => {
            // The fold that this event was shown out of.
            let fold = open.range(..=*event).next_back().copied();
            fold.map(|fold| open.remove(&fold));
        }
        _ => {}
    }
    if outcome.response.has_focus()
        && let Some(row) = rows.get(state.cursor)
    {
        cx.focused = Some(event_explained(&events[row.event()].kind));
    }
}

/// A fold in words: "x 48: the row above comes again and again".
fn again_words(pattern: usize, times: usize) -> String {
    let what = if pattern == 1 { "the row above comes".to_owned() } else { format!("the {pattern} rows above come") };
    format!("x {}: {what} again and again (Right opens)", count(times as u64))
}

/// What the glossary says about an event.
fn event_explained(kind: &EventKind) -> Words {
    use lessons::glossary as words;
    let entry = match kind {
        EventKind::Mode { to, .. } => words::mode(*to),
        EventKind::Activity { to, .. } => words::activity(*to),
        EventKind::Ipi { delivery, .. } => words::delivery(*delivery),
        EventKind::Fault { vector, .. } => words::vector(*vector),
        EventKind::TripleFault { .. } => words::activity(protocol::Activity::Shutdown),
        EventKind::DescriptorTable { register, .. } => words::term(register.word()),
        _ => None,
    };
    let register = match kind {
        EventKind::Cr { register, .. } => words::register(register.word()).map(Words::register),
        _ => None,
    };
    entry.map(Words::entry).or(register).unwrap_or_else(|| {
        Words::new("Event", "Enter goes to the moment right after it; everything in the window is then as it was.")
    })
}
