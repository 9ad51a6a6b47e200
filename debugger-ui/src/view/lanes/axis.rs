//! Story time's axis: how wide each column is and where it begins. Narrow for a plain event, wider where a segment
//! begins, where an IPI's label must fit, and for a folded gap, which carries its length as text.

use crate::model::lanes::{Arrow, ColumnKind, Lanes};

/// Left edges of the columns, in points from the first; one more than there are columns.
#[derive(Debug, Default)]
pub struct Axis {
    edges: Vec<f32>,
    widths: Vec<f32>,
}

impl Axis {
    /// Works out the widths. Called in every frame: a few additions a column.
    pub fn lay_out(&mut self, lanes: &Lanes) {
        self.widths.clear();
        self.widths.extend(lanes.columns.iter().map(|column| match column.kind {
            ColumnKind::Start => 66.0,
            ColumnKind::Event => 26.0,
            ColumnKind::Label => 46.0,
            ColumnKind::Gap { .. } => 78.0,
            ColumnKind::Slice { .. } => 40.0,
            ColumnKind::Tail { .. } => 60.0,
        }));
        for row in lanes.rows.iter().take(16) {
            for segment in &row.segments {
                // The mode's word, and the name of a root, which is what the story is about.
                let root = if segment.root.is_some() { 12.0 + 6.3 * segment.root_name.len() as f32 } else { 0.0 };
                self.at_least(segment.from, root.clamp(44.0, 110.0));
            }
        }
        for Arrow { column, label, .. } in &lanes.arrows {
            self.at_least(*column, 34.0 + 8.0 * label.len() as f32);
        }
        self.edges.clear();
        self.edges.push(0.0);
        let mut edge = 0.0;
        for width in &self.widths {
            edge += width;
            self.edges.push(edge);
        }
    }

    fn at_least(&mut self, column: usize, width: f32) {
        if let Some(current) = self.widths.get_mut(column) {
            *current = current.max(width);
        }
    }

    /// Width of all columns.
    pub fn width(&self) -> f32 {
        self.edges.last().copied().unwrap_or(0.0)
    }

    /// Left edge of a column, or the end.
    pub fn left(&self, column: usize) -> f32 {
        self.edges.get(column).copied().unwrap_or_else(|| self.width())
    }

    /// Left and right edge of a column.
    pub fn span(&self, column: usize) -> (f32, f32) {
        (self.left(column), self.left(column + 1))
    }

    /// The column at a place.
    pub fn column_at(&self, x: f32) -> Option<usize> {
        let after = self.edges.partition_point(|edge| *edge <= x);
        (after > 0 && after < self.edges.len()).then(|| after - 1)
    }

    /// The columns that a stretch touches.
    pub fn columns_in(&self, from: f32, to: f32) -> std::ops::Range<usize> {
        let columns = self.edges.len().saturating_sub(1);
        let first = self.edges.partition_point(|edge| *edge <= from).saturating_sub(1).min(columns);
        let last = self.edges.partition_point(|edge| *edge < to).min(columns);
        first..last.max(first)
    }

    /// Where NOW is.
    pub fn now(&self, lanes: &Lanes) -> f32 {
        let (left, right) = self.span(lanes.now.column);
        left + (right - left) * lanes.now.inside.clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::lanes::Column;

    fn lanes(kinds: &[ColumnKind]) -> Lanes {
        let columns = kinds.iter().map(|kind| Column {
            kind: *kind,
            from: Default::default(),
            to: Default::default(),
            label: String::new(),
        });
        let mut lanes = Lanes::default();
        lanes.columns = columns.collect();
        lanes
    }

    /// Goal: places and columns agree both ways; method: each column's middle, and the ends.
    #[test]
    fn places_and_columns_agree() {
        let gap = ColumnKind::Gap { steps: 5, ns: 50 };
        let lanes = lanes(&[ColumnKind::Start, gap, ColumnKind::Event, ColumnKind::Event]);
        let mut axis = Axis::default();
        axis.lay_out(&lanes);
        for column in 0..4 {
            let (left, right) = axis.span(column);
            assert_eq!(axis.column_at((left + right) / 2.0), Some(column));
        }
        assert_eq!(axis.column_at(-1.0), None);
        assert_eq!(axis.column_at(axis.width() + 1.0), None);
        assert_eq!(axis.columns_in(70.0, 150.0), 1..3);
        assert_eq!(axis.columns_in(0.0, 1.0), 0..1);
        assert_eq!(Axis::default().columns_in(0.0, 100.0), 0..0);
    }
}
