//! The lanes of a server that tells no events: a column for each stop, with how the CPUs stood there. What happened
//! between two stops is not known, and neither is a future.

use super::story::{Stand, Story, Track};
use super::{Column, ColumnKind, Lanes};
use crate::model::timeline::Timeline;
use protocol::Position;

/// Makes columns and tracks anew from the stops: there are few.
pub(super) fn lay_out(lanes: &mut Lanes, timeline: &Timeline) {
    lanes.arrows.clear();
    lanes.columns.clear();
    let first = timeline.stops.first().map_or(Position(0), |stop| stop.position);
    let label = "attached".to_owned();
    lanes.columns.push(Column { kind: ColumnKind::Start, from: Position(0), to: first, label });
    let cpus = timeline.stops.iter().map(|stop| stop.cpus.len()).max().unwrap_or(0);
    let mut tracks = vec![Track::default(); cpus];
    for (at, stop) in timeline.stops.iter().enumerate() {
        // The first stop is where the window attached.
        if at > 0 {
            let label = stop.label.clone();
            lanes.columns.push(Column { kind: ColumnKind::Label, from: stop.position, to: stop.position, label });
        }
        let column = lanes.columns.len() - 1;
        for (track, &(activity, mode, root)) in tracks.iter_mut().zip(&stop.cpus) {
            let stand = Stand { activity, mode, root };
            if track.stands.last().is_none_or(|(_, last)| *last != stand) {
                track.stands.push((column, stand));
            }
        }
    }
    lanes.story = Story::of(tracks);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::cpus::Cpus;
    use crate::model::symbols::Symbols;
    use protocol::{CpuId, CpuState, Mode};

    /// Goal: each stop is a column, and a lane changes where a CPU stood otherwise; method: three stops on the way to
    /// protected mode.
    #[test]
    fn a_column_for_each_stop() {
        let mut timeline = Timeline::default();
        let mut cpus = Cpus::default();
        let mut lanes = Lanes::default();
        for (at, mode) in [Mode::Real, Mode::Real, Mode::Protected16].into_iter().enumerate() {
            cpus.states = vec![CpuState::default(), CpuState { cpu: CpuId(1), mode, ..CpuState::default() }];
            timeline.position = Position(at as u64);
            timeline.end = timeline.position;
            timeline.remember_stop(&cpus, &Symbols::default());
            lanes.update(&timeline, &cpus, &Symbols::default());
        }
        assert_eq!(lanes.columns.len(), 3);
        assert_eq!(lanes.now.column, 2);
        let modes: Vec<_> = lanes.rows[1].segments.iter().map(|segment| (segment.from, segment.mode)).collect();
        assert_eq!(modes, [(0, Some(Mode::Real)), (2, Some(Mode::Protected16))]);
    }
}
