//! The rows of the lanes: one for each CPU, or one for several that stand alike NOW, from 5 CPUs on.

use super::story::{Stand, Story, Track};
use super::{Row, Segment};
use crate::model::cpus::{Cpus, activity_phrase, mode_phrase};
use crate::model::page_tables::root_words;
use crate::model::symbols::Symbols;
use protocol::{CpuId, CpuState};

/// Machines of up to so many CPUs show each.
const UNFOLDED: usize = 4;

/// The rows.
pub(super) fn rows(story: &Story, columns: usize, cpus: &Cpus, symbols: &Symbols) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut first = 0;
    while first < cpus.states.len() {
        let mut last = first;
        while cpus.states.len() > UNFOLDED && last + 1 < cpus.states.len() && alike(cpus, first, last + 1) {
            last += 1;
        }
        rows.push(row(story, columns, cpus, symbols, first, last));
        first = last + 1;
    }
    rows
}

/// Two CPUs stand alike NOW, and none of them is selected.
fn alike(cpus: &Cpus, one: usize, other: usize) -> bool {
    let selected = usize::from(cpus.selected.0);
    let stand = |cpu: &CpuState| (cpu.activity, cpu.mode, cpu.page_table_root());
    one != selected && other != selected && stand(&cpus.states[one]) == stand(&cpus.states[other])
}

fn row(story: &Story, columns: usize, cpus: &Cpus, symbols: &Symbols, first: usize, last: usize) -> Row {
    let state = &cpus.states[first];
    let root = root_words(state.page_table_root(), symbols);
    let words = format!("{}, {}, root {root}", activity_phrase(state.activity), mode_phrase(state.mode));
    let label = if first == last {
        format!("CPU {first}")
    } else {
        format!("CPU {first}-{last}: {}, {}, {root}", state.mode, activity_phrase(state.activity))
    };
    let tracks = story.tracks.get(first..=last).unwrap_or(&[]);
    let segments = merged(tracks, columns, symbols);
    let marks = match tracks {
        [one] => one.marks.clone(),
        many => {
            let mut marks: Vec<_> = many.iter().flat_map(|track| track.marks.iter().cloned()).collect();
            marks.sort_by_key(|mark| mark.column);
            marks
        }
    };
    let selected = (first..=last).contains(&usize::from(cpus.selected.0));
    Row { first: CpuId(first as u16), last: CpuId(last as u16), label, selected, words, segments, marks }
}

/// The segments of one track, or of several: where they do not agree, activity and mode are left open.
fn merged(tracks: &[Track], columns: usize, symbols: &Symbols) -> Vec<Segment> {
    let mut bounds: Vec<usize> =
        tracks.iter().flat_map(|track| track.stands.iter().map(|(column, _)| *column)).collect();
    bounds.sort_unstable();
    bounds.dedup();
    let mut places = vec![0; tracks.len()];
    let mut segments: Vec<Segment> = Vec::with_capacity(bounds.len());
    for (at, &from) in bounds.iter().enumerate() {
        let to = bounds.get(at + 1).copied().unwrap_or(columns).min(columns);
        let mut stands = tracks.iter().zip(&mut places).filter_map(|(track, place)| {
            while track.stands.get(*place + 1).is_some_and(|(column, _)| *column <= from) {
                *place += 1;
            }
            track.stands.get(*place).map(|(_, stand)| *stand)
        });
        let Some(first) = stands.next() else { continue };
        // Every track is looked at, so that each place moves on.
        let (mut activity, mut mode, mut root) = (true, true, true);
        for stand in stands {
            activity &= stand.activity == first.activity;
            mode &= stand.mode == first.mode;
            root &= stand.root == first.root;
        }
        push(&mut segments, from, to, first, (activity, mode, root), symbols);
    }
    segments
}

fn push(
    segments: &mut Vec<Segment>,
    from: usize,
    to: usize,
    stand: Stand,
    same: (bool, bool, bool),
    symbols: &Symbols,
) {
    if from >= to {
        return;
    }
    let root_name = if same.2 { root_words(stand.root, symbols) } else { "several".to_owned() };
    let segment = Segment {
        from,
        to,
        activity: same.0.then_some(stand.activity),
        mode: same.1.then_some(stand.mode),
        root: stand.root.filter(|_| same.2),
        root_name,
    };
    match segments.last_mut() {
        Some(last)
            if (last.activity, last.mode, &last.root_name) == (segment.activity, segment.mode, &segment.root_name) =>
        {
            last.to = to;
        }
        _ => segments.push(segment),
    }
}
