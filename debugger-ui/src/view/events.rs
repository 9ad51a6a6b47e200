//! The list of events: what happened up to now and, fainter, in the recorded future, unless that is covered. Enter or a
//! double click goes there.

use super::Cx;
use crate::command::Command;
use crate::model::timeline::{event_words, position_words};
use crate::ui::theme::{mono, words};
use crate::ui::tree::{self, Act, Spec};
use crate::ui::words::Words;
use egui::{Align2, Ui, pos2};
use protocol::event::EventKind;

/// Draws the list.
pub fn show(ui: &mut Ui, cx: &mut Cx<'_>, state: &mut tree::State, take_focus: bool) {
    let timeline = &cx.model.timeline;
    let past = timeline.past().len();
    if timeline.events.is_empty() || cx.model.lessons.covered() && past == 0 {
        let text = if cx.model.connection.offers.story {
            "Nothing has happened yet: no mode change, no IPI, no fault."
        } else {
            "This server does not tell events."
        };
        ui.colored_label(cx.t.weak, text);
        return;
    }
    state.focus |= take_focus;
    let followed = egui::Id::unique("events follow");
    if ui.data(|data| data.get_temp::<usize>(followed)) != Some(past) {
        ui.data_mut(|data| data.insert_temp(followed, past));
        state.reveal = Some(past.saturating_sub(1));
        state.cursor = past.saturating_sub(1);
    }
    // While a prediction is open nothing of the future is told.
    let events = if cx.model.lessons.covered() { timeline.past() } else { &timeline.events };
    let t = cx.t;
    let spec = Spec { id: "events", name: "Events", rows: events.len(), row_height: 20.0 };
    let outcome = tree::show(ui, t, spec, state, |ui, at, rect| {
        let event = &events[at];
        let mut painter = ui.painter().clone();
        let future = at >= past;
        if future {
            painter.set_opacity(0.6);
        }
        if at + 1 == past {
            painter.rect_filled(rect, 2, t.chosen);
        }
        let position = position_words(event.position);
        painter.text(pos2(rect.left() + 120.0, rect.center().y), Align2::RIGHT_CENTER, &position, mono(12.5), t.weak);
        let fault = matches!(event.kind, EventKind::Fault { .. } | EventKind::TripleFault { .. });
        let colour = if fault { t.fault } else { t.text };
        let text = event_words(event, &cx.model.symbols);
        painter.text(pos2(rect.left() + 136.0, rect.center().y), Align2::LEFT_CENTER, &text, words(14.0), colour);
        format!("{}step {position}: {text}", if future { "recorded future, " } else { "" })
    });
    if let Some((at, Act::Open)) = outcome.act
        && cx.can_move()
    {
        cx.push(Command::Seek(events[at].position));
    }
    if outcome.response.has_focus()
        && let Some(event) = events.get(state.cursor)
    {
        cx.focused = Some(event_explained(&event.kind));
    }
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
