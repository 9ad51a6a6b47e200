//! Paints the track: segments, patterns, marks, arrows, gaps and the NOW line. What lies right of NOW is the recorded
//! future, on a ground of its own.

use super::{ROW, State};
use crate::model::cpus::{activity_phrase, mode_height, mode_word};
use crate::model::lanes::{Arrow, ColumnKind, Lanes, MarkKind, Segment};
use crate::model::timeline::{count_words, time_words};
use crate::ui::theme::words;
use crate::ui::tokens::{Tokens, mix};
use crate::view::Cx;
use egui::text::{LayoutJob, TextFormat, TextWrapping};
use egui::{Align2, Color32, CornerRadius, Galley, Painter, Pos2, Rect, Stroke, StrokeKind, Ui, pos2, vec2};
use protocol::{Activity, Mode};
use std::sync::Arc;

/// Height of the lane in its row; the rest is the root's line.
const LANE: f32 = 32.0;

/// Everything right of the names.
pub fn track(ui: &Ui, cx: &Cx<'_>, state: &State, track: Rect, rows: Rect) {
    let lanes = &cx.model.lanes;
    let mut view = View { t: cx.t, lanes, state, track, rows, now: 0.0, future: false };
    let now = view.x(state.axis.now(lanes));
    view.now = now;
    // Not `clamp`: a window narrower than the names leaves a track with its right edge left of its left one.
    let past = Rect::from_min_max(track.min, pos2(now.min(track.right()).max(track.left()), track.bottom()));
    let future = Rect::from_min_max(pos2(past.right(), track.top()), track.max);
    let covered = cx.model.lessons.covered();
    view.column_heads(&ui.painter().with_clip_rect(if covered { past } else { track }), now);
    let painter = ui.painter().with_clip_rect(past);
    view.paint(&painter);
    if covered {
        view.cover(&ui.painter().with_clip_rect(future), future);
    } else {
        view.future = true;
        view.paint(&ui.painter().with_clip_rect(future));
    }
    view.now_line(&ui.painter().with_clip_rect(track), now);
    if let Some(cursor) = state.cursor {
        let (from, to) = state.axis.span(cursor);
        let rect = Rect::from_min_max(pos2(view.x(from), track.top() + 2.0), pos2(view.x(to), rows.bottom()));
        let painter = ui.painter().with_clip_rect(track);
        painter.rect_stroke(rect, CornerRadius::same(2), Stroke::new(2.0, cx.t.focus), StrokeKind::Inside);
    }
}

/// A text on a lane: it is painted last, over the signs of gaps, on a ground of its own.
struct Word {
    min: Pos2,
    galley: Arc<Galley>,
    colour: Color32,
    back: Color32,
}

struct View<'a> {
    t: &'a Tokens,
    lanes: &'a Lanes,
    state: &'a State,
    track: Rect,
    rows: Rect,
    /// Where the NOW line is.
    now: f32,
    /// What is painted lies right of NOW: on another ground, and in quieter ink, which can be read all the same.
    future: bool,
}

impl View<'_> {
    fn x(&self, on_axis: f32) -> f32 {
        self.track.left() + on_axis - self.state.offset
    }

    /// Top of a row.
    fn y(&self, row: usize) -> f32 {
        self.rows.top() + (row as f32 - self.state.top) * ROW
    }

    fn ground(&self) -> Color32 {
        if self.future { self.t.raised } else { self.t.sunken }
    }

    /// Text of this colour, as it is where this view is.
    fn ink(&self, colour: Color32) -> Color32 {
        if self.future && colour == self.t.strong { self.t.text } else { colour }
    }

    fn paint(&self, painter: &Painter) {
        let clip = painter.clip_rect();
        if !clip.is_positive() {
            return;
        }
        if self.future {
            painter.with_clip_rect(self.rows).rect_filled(clip, 0, self.ground());
        }
        let from = clip.left() - self.track.left() + self.state.offset;
        let columns = self.state.axis.columns_in(from, from + clip.width());
        let rows = painter.with_clip_rect(self.rows);
        let mut said = Vec::new();
        for (at, row) in self.lanes.rows.iter().enumerate() {
            let y = self.y(at);
            if y > self.rows.bottom() || y + ROW < self.rows.top() {
                continue;
            }
            let mut ground = self.ground();
            if row.selected {
                ground = mix(ground, self.t.chosen, 0.35);
                let band = Rect::from_min_max(pos2(clip.left(), y + 1.0), pos2(clip.right(), y + ROW - 1.0));
                rows.rect_filled(band, 0, ground);
            }
            for segment in Lanes::visible(row, &columns) {
                self.segment(&rows, segment, (y, ground), &mut said);
            }
            for mark in row.marks.iter().filter(|mark| columns.contains(&mark.column)) {
                let (left, right) = self.state.axis.span(mark.column);
                self.mark(&rows, mark.kind, pos2(self.x((left + right) / 2.0), y + LANE - 2.0));
            }
        }
        self.gaps(painter, &rows, &columns);
        for Word { min, galley, colour, back } in said {
            rows.rect_filled(Rect::from_min_size(min, galley.size()).expand2(vec2(3.0, -1.0)), 2, back);
            rows.galley(min, galley, colour);
        }
        for arrow in self.lanes.visible_arrows(&columns) {
            self.arrow(&rows, arrow);
        }
    }

    /// A prediction is open: the future is hatched, without a word and without an end.
    fn cover(&self, painter: &Painter, future: Rect) {
        let rect = Rect::from_min_max(pos2(future.left(), self.rows.top()), pos2(future.right(), self.rows.bottom()));
        if rect.is_positive() {
            painter.rect_filled(rect, 0, self.t.raised);
            diagonals(&painter.with_clip_rect(rect), rect, 14.0, Stroke::new(1.5, self.t.frame), -1.0);
        }
    }

    /// The labels above the rows; one that would run into the one before is left to hovering.
    fn column_heads(&self, painter: &Painter, now: f32) {
        let columns = self.state.axis.columns_in(self.state.offset, self.state.offset + self.track.width());
        let mut free = f32::MIN;
        let y = (self.track.top() + self.rows.top()) / 2.0;
        // Labels that begin left of the view still take their place.
        let first = columns.start.saturating_sub(12);
        for column in first..columns.end {
            let it = &self.lanes.columns[column];
            let (left, right) = self.state.axis.span(column);
            let text = match it.kind {
                ColumnKind::Gap { .. } | ColumnKind::Slice { .. } | ColumnKind::Tail { .. } => continue,
                ColumnKind::Start => "before us",
                _ => it.label.as_str(),
            };
            let x = self.x(left) + 4.0;
            if text.is_empty() || x < free {
                continue;
            }
            // Up to the next gap, which has a label of its own.
            let gap = (column + 1..self.lanes.columns.len().min(column + 12))
                .find(|at| matches!(self.lanes.columns[*at].kind, ColumnKind::Gap { .. } | ColumnKind::Tail { .. }));
            let room = gap.map_or(f32::INFINITY, |gap| self.x(self.state.axis.left(gap)) - x - 4.0);
            if room < 22.0 {
                continue; // The mark on the lane and hovering tell it.
            }
            let colour = if x >= now { self.t.weak } else { self.t.text };
            let format = TextFormat::simple(words(12.5), colour);
            let mut job = LayoutJob::single_section(text.to_owned(), format);
            job.wrap = TextWrapping::truncate_at_width(room);
            let galley = painter.layout_job(job);
            free = x + galley.size().x + 12.0;
            painter.galley(pos2(x, y - galley.size().y / 2.0), galley, colour);
            let tick = self.t.stroke(1.0, self.t.hairline);
            painter.vline(self.x((left + right) / 2.0), self.rows.top() - 3.0..=self.rows.bottom(), tick);
        }
    }

    /// One stretch of a lane.
    fn segment(&self, painter: &Painter, segment: &Segment, (y, ground): (f32, Color32), said: &mut Vec<Word>) {
        let left = self.x(self.state.axis.left(segment.from)).max(self.track.left());
        let right = self.x(self.state.axis.left(segment.to)).min(self.track.right());
        let floor = y + LANE + 1.0;
        let asleep = segment.activity == Some(Activity::WaitForSipi);
        // Words begin right of what lies before us, which is hatched.
        let hatched = matches!(self.lanes.columns.first().map(|column| column.kind), Some(ColumnKind::Start));
        let story = self.x(self.state.axis.left(usize::from(hatched)));
        let text_left = left.max(story);
        let root_at = pos2(text_left + 5.0, floor + 15.0);
        let text_at = pos2(text_left + 6.0, floor - 8.5);
        let ends = (text_left, right);
        let Some(mode) = segment.mode.filter(|_| !asleep) else {
            let dots = Stroke::new(1.5, self.t.weak);
            painter.add(egui::Shape::dotted_line(
                &[pos2(left, floor - 2.0), pos2(right, floor - 2.0)],
                self.t.weak,
                7.0,
                1.2,
            ));
            painter.vline(left + 0.5, floor - 7.0..=floor, dots);
            let text = if asleep { ["zzz wait-for-SIPI", "zzz"] } else { ["several", ""] };
            said.extend(self.fitting(painter, &text, text_at - vec2(0.0, 3.0), ends, self.t.weak, ground));
            return;
        };
        let hue = self.t.mode(mode);
        let height = 15.0 + (LANE - 15.0) * f32::from(mode_height(mode)) / 5.0;
        let rect = Rect::from_min_max(pos2(left, floor - height), pos2(right, floor));
        let halted = matches!(segment.activity, Some(Activity::Halted | Activity::Held));
        let fill = if halted || self.future { mix(self.ground(), hue, 0.10) } else { self.t.tint(hue) };
        painter.rect_filled(rect, 0, fill);
        pattern(&painter.with_clip_rect(rect), rect, mode, self.t.stroke(1.0, hue));
        painter.hline(rect.x_range(), rect.top() + 1.0, Stroke::new(2.5, hue));
        painter.vline(rect.left() + 0.75, rect.y_range(), Stroke::new(1.5, hue));
        let word = mode_word(mode);
        let short = match mode {
            Mode::Protected16 => "P16",
            Mode::Protected32 => "P32",
            Mode::Compat => "COMP",
            Mode::V86 => "V86",
            _ => word,
        };
        let doing = segment.activity.unwrap_or_default();
        let full =
            if doing == Activity::Running { word.to_owned() } else { format!("{word}, {}", activity_phrase(doing)) };
        let brief = if doing == Activity::Running { short.to_owned() } else { activity_phrase(doing).to_owned() };
        said.extend(self.fitting(painter, &[&full, &brief, short], text_at, ends, self.t.strong, fill));
        if doing == Activity::Shutdown {
            cross(painter, pos2(left + 8.0, rect.top() - 5.0), 4.0, self.t.fault);
        }
        let root = if segment.root_name.is_empty() { "none" } else { &segment.root_name };
        said.extend(self.fitting(painter, &[root], root_at, ends, self.t.weak, ground));
        painter.vline(left + 0.75, floor..=floor + 20.0, self.t.stroke(1.0, self.t.hairline));
    }

    /// The first text that fits between the ends of the stretch, on one line; its middle is at `at.y`. Where NOW divides
    /// the stretch it stands before it, else behind it, so that the line never crosses it. `back` keeps what it stands on from running through it.
    fn fitting(
        &self,
        painter: &Painter,
        texts: &[&str],
        at: Pos2,
        (left, right): (f32, f32),
        colour: Color32,
        back: Color32,
    ) -> Option<Word> {
        let colour = self.ink(colour);
        let galleys = texts.iter().map(|text| painter.layout_no_wrap((*text).to_owned(), words(12.0), colour));
        let galleys: Vec<_> = galleys.collect();
        let inset = at.x - left;
        let parts = if left < self.now && self.now < right {
            vec![(left, self.now), (self.now, right)]
        } else {
            vec![(left, right)]
        };
        let (x, galley) = parts.into_iter().find_map(|(from, to)| {
            let fits = galleys.iter().find(|galley| galley.size().x <= to - from - inset - 2.0)?;
            Some((from + inset, Arc::clone(fits)))
        })?;
        let min = pos2(x, at.y - galley.size().y / 2.0);
        Some(Word { min, galley, colour, back })
    }

    /// Folded stretches: a break in every lane, with how much it hides.
    fn gaps(&self, heads: &Painter, painter: &Painter, columns: &std::ops::Range<usize>) {
        for column in columns.clone() {
            let (steps, ns) = match self.lanes.columns[column].kind {
                ColumnKind::Gap { steps, ns } => (steps, Some(ns)),
                ColumnKind::Tail { steps } => (steps, None),
                ColumnKind::Slice { .. } => {
                    self.slice(heads, painter, column);
                    continue;
                }
                ColumnKind::Start => {
                    self.before_us(painter, column);
                    continue;
                }
                _ => continue,
            };
            let (left, right) = self.state.axis.span(column);
            let (left, right) = (self.x(left), self.x(right));
            let middle = (left + right) / 2.0;
            let colour = self.t.weak;
            for edge in [left + 1.0, right - 1.0] {
                let points: Vec<Pos2> = (0..)
                    .map(|at| pos2(edge + if at % 2 == 0 { -2.5 } else { 2.5 }, self.rows.top() + at as f32 * 5.0))
                    .take_while(|point| point.y < self.rows.bottom())
                    .collect();
                painter.line(points, self.t.stroke(1.0, self.t.weak));
            }
            let y = (self.track.top() + self.rows.top()) / 2.0;
            let text = if steps == 1 { "1 step".to_owned() } else { format!("{} steps", count_words(steps)) };
            heads.text(pos2(middle, y - 4.5), Align2::CENTER_CENTER, text, words(12.0), colour);
            if let Some(ns) = ns {
                heads.text(pos2(middle, y + 6.0), Align2::CENTER_CENTER, time_words(ns), words(12.0), colour);
            }
        }
    }

    /// A part of an opened gap: a dotted line where it begins, with the step.
    fn slice(&self, heads: &Painter, painter: &Painter, column: usize) {
        let x = self.x(self.state.axis.left(column)) + 1.0;
        let (top, bottom) = (pos2(x, self.rows.top()), pos2(x, self.rows.bottom()));
        painter.add(egui::Shape::dotted_line(&[top, bottom], self.t.frame, 5.0, 1.0));
        let y = (self.track.top() + self.rows.top()) / 2.0;
        let text = count_words(self.lanes.columns[column].from.0);
        heads.text(pos2(x + 2.0, y), Align2::LEFT_CENTER, text, words(12.0), self.t.weak);
    }

    /// Power-on: what firmware and loader did lies before.
    fn before_us(&self, painter: &Painter, column: usize) {
        let (left, right) = self.state.axis.span(column);
        let rect = Rect::from_min_max(pos2(self.x(left), self.rows.top()), pos2(self.x(right), self.rows.bottom()));
        let clipped = painter.with_clip_rect(rect);
        clipped.rect_filled(rect, 0, self.t.sunken);
        diagonals(&clipped, rect, 9.0, self.t.stroke(1.0, self.t.frame), 1.0);
        painter.vline(rect.right(), rect.y_range(), Stroke::new(1.5, self.t.frame));
    }

    /// A small sign for what happened on one CPU: each kind has its own shape.
    fn mark(&self, painter: &Painter, kind: MarkKind, at: Pos2) {
        let t = self.t;
        let at = at + vec2(0.0, 8.0);
        match kind {
            MarkKind::Register => {
                painter.circle_filled(at, 3.0, t.link);
            }
            MarkKind::FarTransfer => {
                painter.add(triangle(at, 4.0, t.link));
            }
            MarkKind::Interrupt => {
                painter.circle_stroke(at, 3.5, Stroke::new(1.5, t.link));
            }
            MarkKind::Fault => cross(painter, at, 4.0, t.fault),
            MarkKind::TripleFault => {
                cross(painter, at, 4.0, t.fault);
                painter.circle_stroke(at, 6.5, Stroke::new(1.5, t.fault));
            }
            MarkKind::Online => {
                let stroke = Stroke::new(2.0, t.good);
                painter.line(vec![at + vec2(-4.0, 0.0), at + vec2(-1.0, 3.0), at + vec2(4.0, -4.0)], stroke);
            }
            MarkKind::Edit => {
                let rect = Rect::from_center_size(at, vec2(7.0, 7.0));
                painter.rect_stroke(rect, 0, Stroke::new(1.5, t.changed), StrokeKind::Middle);
            }
            MarkKind::Reset => {
                painter.circle_stroke(at, 4.0, Stroke::new(2.0, t.changed));
            }
        }
    }

    /// An IPI from lane to lane; an ignored one ends in a cross.
    fn arrow(&self, painter: &Painter, arrow: &Arrow) {
        let (left, _) = self.state.axis.span(arrow.column);
        let x = self.x(left) + 12.0;
        let from_row = self.lanes.row_of(arrow.from).unwrap_or(0);
        let from_y = self.y(from_row) + LANE - 4.0;
        let colour = self.ink(if arrow.ignored.is_some() { self.t.fault } else { self.t.strong });
        let stroke = Stroke::new(2.0, colour);
        let to_row = arrow.to.and_then(|to| self.lanes.row_of(to));
        let to_y = match to_row {
            Some(row) if row > from_row => self.y(row) + 6.0,
            Some(row) if row < from_row => self.y(row) + LANE + 2.0,
            Some(_) => from_y - 16.0,
            None => from_y + 18.0,
        };
        let towards = if to_y > from_y { 1.0 } else { -1.0 };
        painter.circle_filled(pos2(x, from_y), 3.5, colour);
        painter.line_segment([pos2(x, from_y), pos2(x, to_y - towards * 4.0)], stroke);
        if arrow.ignored.is_some() || to_row.is_none() {
            cross(painter, pos2(x, to_y), 5.0, self.t.fault);
        } else {
            let tip = pos2(x, to_y + towards * 3.0);
            let wings = vec![tip, tip - vec2(5.0, towards * 8.0), tip - vec2(-5.0, towards * 8.0)];
            painter.add(egui::Shape::convex_polygon(wings, colour, Stroke::NONE));
        }
        let galley = painter.layout_no_wrap(arrow.label.clone(), words(12.0), colour);
        let label = Rect::from_min_size(pos2(x + 6.0, (from_y + to_y) / 2.0 - 8.0), galley.size() + vec2(6.0, 1.0));
        painter.rect_filled(label, CornerRadius::same(3), self.ground());
        painter.galley(label.min + vec2(3.0, 0.5), galley, colour);
    }

    fn now_line(&self, painter: &Painter, x: f32) {
        let x = x.round();
        // Not through the labels above the lanes: the one of the place where we stand begins left of it.
        painter.vline(x, self.rows.top() - 2.0..=self.rows.bottom(), Stroke::new(2.0, self.t.now));
        let galley = painter.layout_no_wrap("NOW".to_owned(), words(12.0), self.t.sunken);
        let size = galley.size() + vec2(8.0, 2.0);
        let flag = Rect::from_min_size(pos2(x, self.rows.bottom() - size.y), size);
        painter.rect_filled(flag, 0, self.t.now);
        painter.galley(flag.min + vec2(4.0, 1.0), galley, self.t.sunken);
    }
}

/// Each mode has a pattern of its own: dots, uprights, slashes, a grid, rows; 64-bit mode is solid.
fn pattern(painter: &Painter, rect: Rect, mode: Mode, stroke: Stroke) {
    let clip = painter.clip_rect();
    // From a fixed grid, so that patterns do not crawl while scrolling a little.
    let start = rect.left() + ((clip.left() - rect.left()).max(0.0) / 6.0).floor() * 6.0;
    let columns = (0..).map(|at| start + at as f32 * 6.0).take_while(|x| *x < clip.right());
    match mode {
        Mode::Real => {
            for x in columns {
                painter.circle_filled(pos2(x + 3.0, rect.top() + 5.0), stroke.width.max(1.5), stroke.color);
            }
        }
        Mode::Protected16 => {
            for x in columns {
                painter.vline(x, rect.y_range(), stroke);
            }
        }
        Mode::Protected32 => diagonals(painter, rect, 7.0, stroke, 1.0),
        Mode::Compat => {
            diagonals(painter, rect, 7.0, stroke, 1.0);
            diagonals(painter, rect, 7.0, stroke, -1.0);
        }
        Mode::V86 => {
            for y in (1..).map(|at| rect.top() + at as f32 * 5.0).take_while(|y| *y < rect.bottom()) {
                painter.hline(rect.x_range(), y, stroke);
            }
        }
        Mode::Long => {}
    }
}

/// Slanted lines; `slope` 1.0 rises to the right, -1.0 falls.
fn diagonals(painter: &Painter, rect: Rect, step: f32, stroke: Stroke, slope: f32) {
    let clip = painter.clip_rect();
    let height = rect.height();
    let first = ((clip.left() - rect.left() - height).max(-height) / step).floor() * step;
    let mut x = rect.left() + first;
    while x < clip.right() {
        let (low, high) = if slope > 0.0 { (rect.bottom(), rect.top()) } else { (rect.top(), rect.bottom()) };
        painter.line_segment([pos2(x, low), pos2(x + height, high)], stroke);
        x += step;
    }
}

fn cross(painter: &Painter, at: Pos2, size: f32, colour: Color32) {
    let stroke = Stroke::new(2.5, colour);
    painter.line_segment([at - vec2(size, size), at + vec2(size, size)], stroke);
    painter.line_segment([at + vec2(-size, size), at + vec2(size, -size)], stroke);
}

fn triangle(at: Pos2, size: f32, colour: Color32) -> egui::Shape {
    let points = vec![at + vec2(-size, -size), at + vec2(size, 0.0), at + vec2(-size, size)];
    egui::Shape::convex_polygon(points, colour, Stroke::NONE)
}
