//! The opening: six seconds of this machine's own recorded start. Lanes light up one after the other, INIT and SIPI fly
//! as arrows, then time runs back to before the first of them. Any key or click ends it; without motion it is three
//! pictures side by side.
//!
//! [`scene`] says what is seen when, as plain numbers; the rest paints it from the lanes of a [`Reel`].

use super::Cx;
use crate::command::Command;
use crate::model::cpus::{mode_height, mode_word};
use crate::model::lanes::{ColumnKind, Lanes, Row, Segment};
use crate::model::lesson::Reel;
use crate::model::timeline::time_words;
use crate::ui::theme::words;
use egui::{
    Align2, Color32, CornerRadius, Galley, Painter, Pos2, Rangef, Rect, Role, Sense, Stroke, Ui, WidgetInfo, pos2, vec2,
};
use protocol::event::Delivery;
use protocol::{Activity, Mode};
use std::sync::Arc;

/// How long time runs forwards, in seconds.
const FORWARD: f32 = 3.4;
/// How long the end is looked at.
const STAND: f32 = 1.2;
/// How long time runs back.
const REWIND: f32 = 1.4;
/// The whole film.
const LENGTH: f32 = FORWARD + STAND + REWIND;

/// What the film remembers.
#[derive(Debug, Default)]
pub struct State {
    /// When it began, by the window's own time, once the run is there.
    began: Option<f64>,
}

/// What is seen at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scene {
    /// How far into the run NOW is, 0.0 to 1.0.
    pub now: f32,
    /// Time runs back.
    pub back: bool,
    /// The words about it are there.
    pub told: bool,
    /// The film is over.
    pub over: bool,
}

/// What is seen after so many seconds, where the first INIT is at `first` of the run.
pub fn scene(seconds: f32, first: f32) -> Scene {
    let smooth = |share: f32| share * share * (3.0 - 2.0 * share);
    let forward = (seconds / FORWARD).clamp(0.0, 1.0);
    let rewound = smooth(((seconds - FORWARD - STAND) / REWIND).clamp(0.0, 1.0));
    let back = seconds > FORWARD + STAND;
    let now = if back { 1.0 - (1.0 - first) * rewound } else { forward };
    Scene { now, back, told: seconds > FORWARD * 0.97, over: seconds >= LENGTH }
}

/// Draws a frame of the film over the whole window, and ends it.
pub fn show(ui: &mut Ui, cx: &mut Cx<'_>, state: &mut State, reduced_motion: bool) {
    let area = ui.max_rect();
    let response = ui.interact(area, ui.scope_id().with("film"), Sense::click());
    ui.painter().rect_filled(area, 0, cx.t.sunken);
    let ended = ui.input(|input| {
        let is_key = |event: &egui::Event| matches!(event, egui::Event::Key { pressed: true, .. });
        input.events.iter().any(is_key) || input.pointer.any_pressed()
    });
    let reel = cx.model.lessons.reel.as_deref();
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, reel.map_or("The opening".to_owned(), spoken)));
    if ended || response.clicked() {
        cx.push(Command::Opening(false));
        return;
    }
    skip_hint(ui, cx, area);
    let Some(reel) = reel else {
        let says = "The machine is being switched on.";
        ui.painter().text(area.center(), Align2::CENTER_CENTER, says, words(22.0), cx.t.text);
        return;
    };
    let painter = ui.painter().clone();
    let first = first_init(&reel.lanes);
    if reduced_motion {
        stills(&painter, cx, reel, area, first);
        return;
    }
    let time = ui.input(|input| input.time);
    let began = *state.began.get_or_insert(time);
    let scene = scene((time - began) as f32, first);
    if scene.over {
        cx.push(Command::Opening(false));
    }
    picture(&painter, cx, reel, stage(area), scene.now, scene.back);
    if scene.told {
        captions(&painter, cx, reel, area, scene.back);
    }
    ui.ctx().request_repaint();
}

fn skip_hint(ui: &Ui, cx: &Cx<'_>, area: Rect) {
    let at = area.right_bottom() - vec2(20.0, 16.0);
    ui.painter().text(at, Align2::RIGHT_BOTTOM, "any key: go on", words(14.0), cx.t.weak);
}

/// What a screen reader says instead.
fn spoken(reel: &Reel) -> String {
    let [first, second, third] = sentences(reel);
    format!("The opening. {first} {second} {third} Press any key to go on.")
}

/// The words at the end.
fn sentences(reel: &Reel) -> [String; 3] {
    let cpus = reel.cpus;
    let number = match cpus {
        2 => "Two processors".to_owned(),
        count => format!("{count} processors"),
    };
    let asleep =
        if cpus == 2 { "One of them was asleep.".to_owned() } else { format!("{} of them were asleep.", cpus - 1) };
    [format!("{number} started in {}.", seconds_words(reel.took_ns)), asleep, "Let us go back.".to_owned()]
}

/// "0.02 s".
fn seconds_words(ns: u64) -> String {
    if ns < 5_000_000 { time_words(ns) } else { format!("{:.2} s", ns as f64 / 1e9) }
}

fn captions(painter: &Painter, cx: &Cx<'_>, reel: &Reel, area: Rect, back: bool) {
    let [first, second, third] = sentences(reel);
    let top = area.top() + area.height() * 0.10;
    let middle = area.center().x;
    let text = format!("{first} {second}");
    let height = centred(painter, pos2(middle, top), area.width() - 24.0, &text, words(26.0), cx.t.strong);
    let colour = if back { cx.t.changed } else { cx.t.text };
    painter.text(pos2(middle, top + height / 2.0 + 22.0), Align2::CENTER_CENTER, third, words(22.0), colour);
}

/// Paints a text round a point, on as many lines as it needs. Returns its height.
fn centred(painter: &Painter, at: Pos2, width: f32, text: &str, font: egui::FontId, colour: Color32) -> f32 {
    let galley = layout_centred(painter, width, text, font, colour);
    let height = galley.size().y;
    painter.galley(at - vec2(0.0, height / 2.0), galley, colour);
    height
}

fn layout_centred(painter: &Painter, width: f32, text: &str, font: egui::FontId, colour: Color32) -> Arc<Galley> {
    let mut job = egui::text::LayoutJob::simple(text.to_owned(), font, colour, width);
    job.halign = egui::Align::Center;
    painter.layout_job(job)
}

/// Where the lanes stand.
fn stage(area: Rect) -> Rect {
    let size = area.size();
    Rect::from_min_max(area.min + vec2(size.x * 0.04, size.y * 0.24), area.min + vec2(size.x * 0.96, size.y * 0.88))
}

/// Three moments side by side: asleep, woken, all running.
fn stills(painter: &Painter, cx: &Cx<'_>, reel: &Reel, area: Rect, first: f32) {
    let [one, two, three] = sentences(reel);
    let woken = first_awake(&reel.lanes).unwrap_or(0.5);
    let moments = [(first, two), (woken, "SIPI: it is woken.".to_owned()), (1.0, one)];
    let width = area.width() / 3.0;
    for (at, (now, says)) in moments.into_iter().enumerate() {
        let left = area.left() + width * at as f32;
        let part = Rect::from_min_max(pos2(left, area.top()), pos2(left + width, area.bottom())).shrink(14.0);
        let stage =
            Rect::from_min_max(part.min + vec2(0.0, part.height() * 0.3), part.max - vec2(0.0, part.height() * 0.2));
        picture(painter, cx, reel, stage, now, false);
        let at = pos2(part.center().x, part.top() + part.height() * 0.16);
        let font = words(17.0);
        let height = layout_centred(painter, part.width(), &says, font.clone(), cx.t.strong).size().y;
        // Never into the lanes below.
        let at = pos2(at.x, at.y.min(stage.top() - 6.0 - height / 2.0));
        centred(painter, at, part.width(), &says, font, cx.t.strong);
    }
    // Above the hint in the corner.
    let at = pos2(area.center().x, area.bottom() - (area.height() * 0.1).max(52.0));
    painter.text(at, Align2::CENTER_CENTER, three, words(20.0), cx.t.text);
}

/// Left edges of the columns between 0.0 and 1.0; one more than there are columns.
fn edges(lanes: &Lanes) -> Vec<f32> {
    let width = |kind: &ColumnKind| match kind {
        ColumnKind::Gap { .. } => 2.0,
        ColumnKind::Tail { .. } => 1.5,
        _ => 1.0,
    };
    let mut widths: Vec<f32> = lanes.columns.iter().map(|column| width(&column.kind)).collect();
    for arrow in &lanes.arrows {
        if let Some(width) = widths.get_mut(arrow.column) {
            *width = 2.5;
        }
    }
    for segment in lanes.rows.iter().flat_map(|row| &row.segments) {
        // The mode's word needs room, where the stretch is short.
        let shown: f32 = widths.get(segment.from..segment.to.min(widths.len())).unwrap_or(&[]).iter().sum();
        if let Some(width) = widths.get_mut(segment.from) {
            *width += (2.2 - shown).max(0.0);
        }
    }
    let whole = widths.iter().sum::<f32>().max(1.0);
    let mut edge = 0.0;
    let mut edges = vec![0.0];
    for width in widths {
        edge += width / whole;
        edges.push(edge);
    }
    edges
}

/// Where the first CPU that was woken has run through its first mode.
fn first_awake(lanes: &Lanes) -> Option<f32> {
    let segments = lanes.rows.iter().skip(1).flat_map(|row| &row.segments);
    let first =
        segments.filter(|segment| segment.activity == Some(Activity::Running)).map(|segment| segment.to).min()?;
    edges(lanes).get(first).copied()
}

/// Right before the first INIT: where the lesson begins.
fn first_init(lanes: &Lanes) -> f32 {
    let column = lanes.arrows.iter().find(|arrow| arrow.delivery == Delivery::Init).map(|arrow| arrow.column);
    column.and_then(|column| edges(lanes).get(column).copied()).unwrap_or(0.0)
}

/// The lanes up to NOW.
fn picture(painter: &Painter, cx: &Cx<'_>, reel: &Reel, stage: Rect, now: f32, back: bool) {
    let lanes = &reel.lanes;
    let edges = edges(lanes);
    let rows = &lanes.rows[..lanes.rows.len().min(6)];
    let height = stage.height() / rows.len().max(1) as f32;
    let x = |share: f32| stage.left() + stage.width() * share;
    let mut labels = Labels { painter, taken: Vec::new() };
    let mut modes = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        let top = stage.top() + height * at as f32;
        let floor = top + height * 0.86;
        painter.text(pos2(stage.left(), top + 4.0), Align2::LEFT_TOP, &row.label, words(18.0), cx.t.text);
        labels.keep(&row.label, words(18.0), pos2(stage.left(), top + 4.0));
        let mut told = None;
        for segment in &row.segments {
            let (Some(&from), Some(&to)) = (edges.get(segment.from), edges.get(segment.to)) else { continue };
            if from < now {
                let across = Rangef::new(x(from), x(to.min(now)));
                modes.extend(stretch(painter, cx, segment, across, floor, height * 0.62, told));
                told = segment.mode;
            }
        }
        big_word(&mut labels, cx, row, &edges, now, pos2(stage.right() - 8.0, top + 2.0));
    }
    for arrow in lanes.arrows.iter().filter(|arrow| edges[arrow.column] < now) {
        let (from, to) = (edges[arrow.column], edges[arrow.column + 1]);
        // It flies while NOW crosses its column.
        let flown = ((now - from) / (to - from).max(1e-4)).clamp(0.0, 1.0);
        let row = |cpu| lanes.row_of(cpu).filter(|row| *row < rows.len());
        let (Some(sender), Some(receiver)) = (row(arrow.from), arrow.to.and_then(row)) else { continue };
        let y = |row: usize| stage.top() + height * (row as f32 + 0.86);
        let (start, end) = (y(sender), y(receiver) - height * 0.3);
        let at = pos2(x(from) + 8.0, start + (end - start) * flown);
        let colour = if arrow.ignored.is_some() { cx.t.weak } else { cx.t.strong };
        painter.line_segment([pos2(at.x, start), at], Stroke::new(3.0, colour));
        let wings = vec![at + vec2(0.0, 8.0), at + vec2(-7.0, -5.0), at + vec2(7.0, -5.0)];
        painter.add(egui::Shape::convex_polygon(wings, colour, Stroke::NONE));
        if arrow.delivery == Delivery::InitDeassert {
            continue; // It follows the INIT at once and means nothing here.
        }
        let label = painter.layout_no_wrap(arrow.label.clone(), words(16.0), colour);
        let width = label.size().x + 10.0;
        // Left of its arrow where the next one or the stage's end would cut it.
        let next = lanes.arrows.iter().map(|other| x(edges[other.column]) + 8.0).filter(|other| *other > at.x + 1.0);
        let room = next.fold(stage.right() + 8.0, f32::min) - at.x;
        let left = if width <= room { at.x + 10.0 } else { at.x - width };
        // Lower where it has no effect: the mode's word stands above.
        let share = if arrow.ignored.is_some() { 0.8 } else { 0.4 };
        labels.put(label.clone(), pos2(left, start + (end - start) * share - label.size().y / 2.0), colour);
    }
    for (word, at) in modes {
        labels.put(word, at, cx.t.strong);
    }
    let line = Stroke::new(if back { 4.0 } else { 2.0 }, if back { cx.t.changed } else { cx.t.now });
    painter.vline(x(now), stage.top()..=stage.bottom(), line);
    if back {
        // Time runs to the left: wedges say so, not the colour alone.
        for step in 1..4 {
            let tip = pos2(x(now) - 4.0 - 18.0 * step as f32, stage.top() - 12.0);
            let wedge = vec![tip, tip + vec2(11.0, -8.0), tip + vec2(11.0, 8.0)];
            painter.add(egui::Shape::convex_polygon(wedge, cx.t.changed, Stroke::NONE));
        }
    }
}

fn stretch(
    painter: &Painter,
    cx: &Cx<'_>,
    segment: &Segment,
    across: Rangef,
    floor: f32,
    most: f32,
    told: Option<Mode>,
) -> Option<(Arc<Galley>, Pos2)> {
    let (left, right) = (across.min, across.max);
    let asleep = segment.activity == Some(Activity::WaitForSipi);
    let Some(mode) = segment.mode.filter(|_| !asleep) else {
        let y = floor - 3.0;
        painter.add(egui::Shape::dotted_line(&[pos2(left, y), pos2(right, y)], cx.t.weak, 9.0, 1.6));
        return None;
    };
    let hue = cx.t.mode(mode);
    let height = most * (0.35 + 0.65 * f32::from(mode_height(mode)) / 5.0);
    let rect = Rect::from_min_max(pos2(left, floor - height), pos2(right, floor));
    let running = segment.activity == Some(Activity::Running);
    let fill: Color32 = if running { cx.t.tint(hue) } else { crate::ui::tokens::mix(cx.t.sunken, hue, 0.1) };
    painter.rect_filled(rect, CornerRadius::ZERO, fill);
    painter.hline(rect.x_range(), rect.top() + 1.5, Stroke::new(3.0, hue));
    if told == Some(mode) {
        return None; // It goes on.
    }
    let word = painter.layout_no_wrap(mode_word(mode).to_owned(), words(15.0), cx.t.strong);
    let at = pos2(left + 6.0, floor - word.size().y - 4.0);
    (word.size().x + 10.0 < rect.width()).then_some((word, at))
}

/// The words in a picture: each has its place for itself, and one that would run into another is left out.
struct Labels<'a> {
    painter: &'a Painter,
    taken: Vec<Rect>,
}

impl Labels<'_> {
    /// Something that is painted there already.
    fn keep(&mut self, text: &str, font: egui::FontId, min: Pos2) {
        let size = self.painter.layout_no_wrap(text.to_owned(), font, Color32::PLACEHOLDER).size();
        self.taken.push(Rect::from_min_size(min, size));
    }

    /// Paints it, if its place is free.
    fn put(&mut self, galley: Arc<Galley>, min: Pos2, colour: Color32) -> bool {
        let rect = Rect::from_min_size(min, galley.size());
        let free = !self.taken.iter().any(|other| other.intersects(rect.shrink2(vec2(0.0, 2.0))));
        if free {
            self.taken.push(rect);
            self.painter.galley(min, galley, colour);
        }
        free
    }
}

/// The mode at NOW, as large as there is room for.
fn big_word(labels: &mut Labels<'_>, cx: &Cx<'_>, row: &Row, edges: &[f32], now: f32, at: Pos2) {
    let here = row.segments.iter().rev().find(|segment| edges.get(segment.from).is_some_and(|from| *from < now));
    let Some(segment) = here else { return };
    let asleep = segment.activity == Some(Activity::WaitForSipi);
    let (word, colour) = match segment.mode.filter(|_| !asleep) {
        Some(mode) => (mode_word(mode), cx.t.mode(mode)),
        None => ("ASLEEP", cx.t.weak),
    };
    for size in [30.0, 20.0, 15.0] {
        let galley = labels.painter.layout_no_wrap(word.to_owned(), words(size), colour);
        if labels.put(galley.clone(), at - vec2(galley.size().x, 0.0), colour) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: time runs forwards to the end, stands, then back to the first INIT, in six seconds; method: moments of each.
    #[test]
    fn six_seconds() {
        let first = 0.3;
        assert_eq!(scene(0.0, first), Scene { now: 0.0, back: false, told: false, over: false });
        let half = scene(FORWARD / 2.0, first);
        assert!((half.now - 0.5).abs() < 0.01 && !half.told && !half.back, "{half:?}");
        let end = scene(FORWARD + STAND / 2.0, first);
        assert!(end.now == 1.0 && end.told && !end.back, "{end:?}");
        let rewinding = scene(FORWARD + STAND + REWIND / 2.0, first);
        assert!(rewinding.back && rewinding.now < 0.9 && rewinding.now > first, "{rewinding:?}");
        let over = scene(6.01, first);
        assert!(over.over && (over.now - first).abs() < 0.01, "{over:?}");
    }

    /// Goal: time only runs one way in each part; method: steps of a frame.
    #[test]
    fn no_jumps() {
        let mut before = scene(0.0, 0.25);
        for frame in 1..=360 {
            let now = scene(frame as f32 / 60.0, 0.25);
            if now.back {
                assert!(now.now <= before.now, "{now:?}")
            } else {
                assert!(now.now >= before.now, "{now:?}")
            }
            assert!((now.now - before.now).abs() < 0.03, "a jump at frame {frame}");
            before = now;
        }
    }
}
