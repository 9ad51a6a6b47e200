//! The picture at a lesson's end: the lanes of the learner's run and the numbers that the learner computed, as SVG.
//!
//! A pure function of plain data, so that tests and the window without a display make the same picture.
//! [`crate::keeper`] draws it as PNG with the fonts that are built into the window.

use crate::model::Model;
use crate::model::cpus::{activity_phrase, mode_height, mode_word};
use crate::model::lanes::{Arrow, ColumnKind, Lanes, Row, Segment};
use crate::model::timeline::{count_words, time_words};
use lessons::player::page::{Ending, Page, Score};
use protocol::event::Delivery;
use protocol::{Activity, Mode};
use std::fmt::Write;

/// Width of the picture, in pixels.
const WIDTH: f32 = 1200.0;
/// Left edge of the track.
const LEFT: f32 = 170.0;
/// Right edge of the track.
const RIGHT: f32 = WIDTH - 30.0;
/// Top of the first row.
const TOP: f32 = 150.0;
/// Height of a row.
const ROW: f32 = 110.0;
/// Height of the highest mode.
const LANE: f32 = 62.0;
/// Words: the window's own face.
const WORDS: &str = "font-family=\"Ubuntu\" font-weight=\"300\"";
/// Numbers: the window's own face.
const DIGITS: &str = "font-family=\"Hack\"";

/// What the picture shows.
#[derive(Debug)]
pub struct Picture<'a> {
    /// "Wake one processor".
    pub title: &'a str,
    /// The run.
    pub lanes: &'a Lanes,
    /// How long it took, by the machine's clock.
    pub clock_ns: u64,
    /// Label and value.
    pub numbers: &'a [(String, String)],
    /// How it went.
    pub score: Score,
}

impl<'a> Picture<'a> {
    /// Of a lesson that has ended.
    pub fn of(model: &'a Model, page: &'a Page, ending: &'a Ending) -> Self {
        let clock_ns = model.timeline.events.last().map_or(model.timeline.clock_ns, |event| event.clock_ns);
        Self { title: &page.lesson_title, lanes: &model.lanes, clock_ns, numbers: &ending.numbers, score: ending.score }
    }
}

/// Draws it.
pub fn svg(picture: &Picture<'_>) -> String {
    let rows = &picture.lanes.rows[..picture.lanes.rows.len().min(6)];
    let numbers_top = TOP + ROW * rows.len() as f32 + 40.0;
    let lines = picture.numbers.len().div_ceil(2);
    let height = numbers_top + 60.0 + 30.0 * lines as f32 + 20.0;
    let mut out = String::with_capacity(16 << 10);
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\">\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#0e1116\"/>"
    );
    text(&mut out, 30.0, 52.0, 32.0, "#ffffff", picture.title, WORDS);
    let spent = format!("{} of the machine's time, recorded step by step by Firstlight", time_words(picture.clock_ns));
    text(&mut out, 30.0, 84.0, 17.0, "#a3aebb", &spent, WORDS);
    let edges = edges(picture.lanes);
    heads(&mut out, picture.lanes, &edges);
    for (at, row) in rows.iter().enumerate() {
        lane(&mut out, row, &edges, TOP + ROW * at as f32);
    }
    gaps(&mut out, picture.lanes, &edges, TOP + ROW * rows.len() as f32);
    // A de-assert follows each INIT at once and means nothing to these processors.
    for arrow in picture.lanes.arrows.iter().filter(|arrow| arrow.delivery != Delivery::InitDeassert) {
        self::arrow(&mut out, picture.lanes, arrow, &edges, rows.len());
    }
    numbers(&mut out, picture, numbers_top);
    out.push_str("</svg>\n");
    out
}

/// Where each column begins; one more than there are columns.
fn edges(lanes: &Lanes) -> Vec<f32> {
    let mut widths: Vec<f32> = lanes
        .columns
        .iter()
        .map(|column| match column.kind {
            ColumnKind::Start | ColumnKind::Label => 1.2,
            ColumnKind::Event => 1.0,
            ColumnKind::Gap { .. } => 2.4,
            ColumnKind::Slice { .. } => 0.6,
            ColumnKind::Tail { .. } => 1.6,
        })
        .collect();
    for segment in lanes.rows.iter().flat_map(|row| &row.segments) {
        // Room for the mode's word, where the stretch is short.
        let shown: f32 = widths.get(segment.from..segment.to.min(widths.len())).unwrap_or(&[]).iter().sum();
        if let Some(width) = widths.get_mut(segment.from) {
            *width += (2.6 - shown).max(0.0);
        }
    }
    for arrow in lanes.arrows.iter().filter(|arrow| arrow.delivery != Delivery::InitDeassert) {
        if let Some(width) = widths.get_mut(arrow.column) {
            *width = width.max(2.2);
        }
    }
    let scale = (RIGHT - LEFT) / widths.iter().sum::<f32>().max(1.0);
    let mut edge = LEFT;
    let mut edges = vec![edge];
    for width in widths {
        edge += width * scale;
        edges.push(edge);
    }
    edges
}

/// Labels above the lanes, as far as there is room.
fn heads(out: &mut String, lanes: &Lanes, edges: &[f32]) {
    let mut free = LEFT;
    for (at, column) in lanes.columns.iter().enumerate() {
        let label = match column.kind {
            ColumnKind::Start => "before us",
            ColumnKind::Label => column.label.as_str(),
            _ => continue,
        };
        let width = 7.0 * label.chars().count() as f32;
        // The last one would be cut at the edge.
        let x = (edges[at] + 3.0).min(WIDTH - 8.0 - width);
        if x >= free {
            text(out, x, TOP - 14.0, 13.0, "#d8dee6", label, WORDS);
            free = x + width + 10.0;
        }
    }
}

/// One CPU.
fn lane(out: &mut String, row: &Row, edges: &[f32], top: f32) {
    let floor = top + 10.0 + LANE;
    text(out, 30.0, floor - 18.0, 21.0, "#ffffff", &row.label, WORDS);
    for segment in &row.segments {
        let (Some(&left), Some(&right)) = (edges.get(segment.from), edges.get(segment.to)) else { continue };
        stretch(out, segment, left, right, floor);
    }
}

fn stretch(out: &mut String, segment: &Segment, left: f32, right: f32, floor: f32) {
    let width = (right - left).max(1.0);
    let asleep = segment.activity == Some(Activity::WaitForSipi);
    let Some(mode) = segment.mode.filter(|_| !asleep) else {
        let _ = write!(
            out,
            "<line x1=\"{left:.1}\" y1=\"{y:.1}\" x2=\"{right:.1}\" y2=\"{y:.1}\" stroke=\"#a3aebb\" stroke-width=\"3\" \
             stroke-dasharray=\"2 6\"/>",
            y = floor - 3.0
        );
        fitting(out, left, floor - 14.0, width, "#a3aebb", &["asleep: wait-for-SIPI", "asleep", "zzz"]);
        return;
    };
    let colour = hue(mode);
    let height = 24.0 + (LANE - 24.0) * f32::from(mode_height(mode)) / 5.0;
    let top = floor - height;
    let opacity = if segment.activity == Some(Activity::Running) { 0.28 } else { 0.12 };
    let _ = write!(
        out,
        "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{colour}\" \
         fill-opacity=\"{opacity}\"/><rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"4\" \
         fill=\"{colour}\"/><rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"2\" height=\"{height:.1}\" fill=\"{colour}\"/>"
    );
    let word = mode_word(mode);
    let doing = segment.activity.unwrap_or_default();
    let full = if doing == Activity::Running { word.to_owned() } else { format!("{word}, {}", activity_phrase(doing)) };
    let short = match mode {
        Mode::Protected16 => "P16",
        Mode::Protected32 => "P32",
        Mode::Compat => "COMP",
        _ => word,
    };
    fitting(out, left, floor - 8.0, width, "#ffffff", &[&full, word, short]);
    let root = if segment.root.is_some() { segment.root_name.as_str() } else { "" };
    fitting(out, left, floor + 18.0, width, "#a3aebb", &[root]);
}

/// The first of these that fits.
fn fitting(out: &mut String, left: f32, y: f32, width: f32, colour: &str, texts: &[&str]) {
    let fits = |text: &&&str| 7.6 * text.chars().count() as f32 + 10.0 <= width;
    if let Some(words) = texts.iter().find(fits).filter(|words| !words.is_empty()) {
        text(out, left + 6.0, y, 14.0, colour, words, WORDS);
    }
}

/// Stretches in which nothing happened, and how much they hide.
fn gaps(out: &mut String, lanes: &Lanes, edges: &[f32], bottom: f32) {
    for (at, column) in lanes.columns.iter().enumerate() {
        let (left, right) = (edges[at], edges[at + 1]);
        let (steps, ns) = match column.kind {
            ColumnKind::Gap { steps, ns } => (steps, ns),
            ColumnKind::Start => {
                let width = right - left;
                let height = bottom - TOP - 14.0;
                let _ = write!(
                    out,
                    "<rect x=\"{left:.1}\" y=\"{TOP}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"#222831\" \
                     fill-opacity=\"0.8\"/>"
                );
                continue;
            }
            _ => continue,
        };
        for x in [left, right] {
            let _ = write!(
                out,
                "<line x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{y:.1}\" stroke=\"#6b7787\" stroke-width=\"1.5\" \
                 stroke-dasharray=\"4 4\"/>",
                y = bottom - 14.0
            );
        }
        let middle = (left + right) / 2.0;
        if right - left > 46.0 {
            centred(out, middle, TOP - 30.0, &format!("{} steps", count_words(steps)));
            if ns > 0 {
                centred(out, middle, TOP - 14.0, &time_words(ns));
            }
        }
    }
}

/// An IPI; one that was ignored ends in a cross.
fn arrow(out: &mut String, lanes: &Lanes, arrow: &Arrow, edges: &[f32], rows: usize) {
    let row_of = |cpu| lanes.row_of(cpu).filter(|row| *row < rows);
    let (Some(from), Some(&left)) = (row_of(arrow.from), edges.get(arrow.column)) else { return };
    let to = arrow.to.and_then(row_of);
    let x = left + 10.0;
    let floor = |row: usize| TOP + ROW * row as f32 + 10.0 + LANE;
    let from_y = floor(from) - 4.0;
    let to_y = to.map_or(from_y + 26.0, |row| if row > from { floor(row) - LANE } else { floor(row) + 4.0 });
    let colour = if arrow.ignored.is_some() || to.is_none() { "#ff864d" } else { "#ffffff" };
    let _ = write!(
        out,
        "<circle cx=\"{x:.1}\" cy=\"{from_y:.1}\" r=\"5\" fill=\"{colour}\"/><line x1=\"{x:.1}\" y1=\"{from_y:.1}\" \
         x2=\"{x:.1}\" y2=\"{to_y:.1}\" stroke=\"{colour}\" stroke-width=\"3\"/>"
    );
    let down = if to_y >= from_y { 1.0 } else { -1.0 };
    if arrow.ignored.is_some() || to.is_none() {
        let _ = write!(
            out,
            "<path d=\"M{:.1} {:.1} l14 14 m0 -14 l-14 14\" stroke=\"{colour}\" stroke-width=\"3\" fill=\"none\"/>",
            x - 7.0,
            to_y - 7.0
        );
    } else {
        let _ = write!(
            out,
            "<path d=\"M{x:.1} {:.1} l-7 {:.1} h14 z\" fill=\"{colour}\"/>",
            to_y + 6.0 * down,
            -13.0 * down
        );
    }
    text(out, x + 9.0, from_y + 24.0 * down, 14.0, colour, &arrow.label, WORDS);
}

fn numbers(out: &mut String, picture: &Picture<'_>, top: f32) {
    text(out, 30.0, top, 19.0, "#ffffff", "The numbers that I computed", WORDS);
    for (at, (label, value)) in picture.numbers.iter().enumerate() {
        let x = 30.0 + 580.0 * (at % 2) as f32;
        let y = top + 34.0 + 30.0 * (at / 2) as f32;
        text(out, x, y, 16.0, "#a3aebb", label, WORDS);
        text(out, x + 330.0, y, 16.0, "#f2b134", value, DIGITS);
    }
    let Score { first, later, after_looking, shown, skipped } = picture.score;
    let all = first + later + after_looking + shown + skipped;
    if all > 0 {
        let said = format!("{first} of {all} right at once");
        let y = top + 34.0 + 30.0 * picture.numbers.len().div_ceil(2) as f32 + 8.0;
        text(out, 30.0, y, 15.0, "#a3aebb", &said, WORDS);
    }
}

/// The window's dark theme, as the picture has it.
const fn hue(mode: Mode) -> &'static str {
    match mode {
        Mode::Real => "#e69f00",
        Mode::V86 => "#f07a3c",
        Mode::Protected16 => "#f0e442",
        Mode::Protected32 => "#2bbe8d",
        Mode::Compat => "#de92ba",
        Mode::Long => "#56b4e9",
    }
}

fn text(out: &mut String, x: f32, y: f32, size: f32, colour: &str, words: &str, face: &str) {
    let _ = write!(
        out,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size}\" fill=\"{colour}\" {face}>{}</text>",
        escaped(words)
    );
}

fn centred(out: &mut String, x: f32, y: f32, words: &str) {
    let _ = write!(
        out,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"13\" fill=\"#a3aebb\" text-anchor=\"middle\" {WORDS}>{}</text>",
        escaped(words)
    );
}

/// Text for XML.
fn escaped(words: &str) -> String {
    let mut text = String::with_capacity(words.len());
    for char in words.chars() {
        match char {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '"' => text.push_str("&quot;"),
            char if char.is_control() => {}
            char => text.push(char),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::lanes::Column;
    use protocol::{CpuId, Position};

    fn lanes() -> Lanes {
        let column = |kind, label: &str| Column { kind, from: Position(0), to: Position(0), label: label.into() };
        let segment = |from, to, activity, mode| Segment {
            from,
            to,
            activity: Some(activity),
            mode: Some(mode),
            root: None,
            root_name: String::new(),
        };
        let row = |cpu: u16, segments| Row {
            first: CpuId(cpu),
            last: CpuId(cpu),
            label: format!("CPU {cpu}"),
            selected: false,
            words: String::new(),
            segments,
            marks: Vec::new(),
        };
        let mut lanes = Lanes::default();
        lanes.columns = vec![
            column(ColumnKind::Start, "power-on"),
            column(ColumnKind::Gap { steps: 1_200_000, ns: 10_000_000 }, ""),
            column(ColumnKind::Event, "SIPI"),
        ];
        lanes.rows = vec![
            row(0, vec![segment(0, 3, Activity::Running, Mode::Long)]),
            row(
                1,
                vec![segment(0, 2, Activity::WaitForSipi, Mode::Real), segment(2, 3, Activity::Running, Mode::Real)],
            ),
        ];
        lanes.arrows = vec![Arrow {
            column: 2,
            from: CpuId(0),
            to: Some(CpuId(1)),
            label: "SIPI 9A".into(),
            delivery: Delivery::Sipi,
            ignored: None,
        }];
        lanes
    }

    /// Goal: the picture is well-formed XML and holds the run and the numbers; method: parse it, look for the words. A label
    /// with signs of XML in it comes through as text.
    #[test]
    fn whole_picture() {
        let lanes = lanes();
        let numbers = [("SIPI vector".to_owned(), "9a".to_owned()), ("a < b & c".to_owned(), "1".to_owned())];
        let score = Score { first: 3, later: 1, ..Score::default() };
        let picture = Picture { title: "Wake one", lanes: &lanes, clock_ns: 20_000_000, numbers: &numbers, score };
        let svg = svg(&picture);
        let document = roxmltree::Document::parse(&svg).expect("well-formed");
        let words: Vec<&str> = document.descendants().filter_map(|node| node.text()).collect();
        for wanted in [
            "Wake one",
            "CPU 0",
            "CPU 1",
            "LONG",
            "REAL",
            "SIPI 9A",
            "10 ms",
            "9a",
            "a < b & c",
            "3 of 4 right at once",
        ] {
            assert!(words.contains(&wanted), "{wanted} is missing in {words:?}");
        }
    }

    /// Goal: the columns fill the track from edge to edge in order; method: the sample's edges.
    #[test]
    fn columns_fill_the_track() {
        let edges = edges(&lanes());
        assert_eq!(edges.len(), 4);
        assert!(edges.windows(2).all(|pair| pair[0] < pair[1]), "{edges:?}");
        assert!((edges[0] - LEFT).abs() < 0.1 && (edges[3] - RIGHT).abs() < 0.5, "{edges:?}");
    }
}
