//! The console's text as a grid of letters. Pure: text goes in, and what changed since it was last drawn comes out, since
//! writing to a screen's memory is slow and reading it slower.

/// The widest grid; wider screens leave a margin.
pub const MAX_COLUMNS: usize = 160;
/// The highest.
pub const MAX_ROWS: usize = 64;
/// Lines that go at once where the last one is full: each time most of the grid is drawn again.
const SCROLL_ROWS: usize = 4;

/// In a cell, beside an ASCII letter: the cursor is here.
const CURSOR: u8 = 1 << 7;
/// In a drawn cell: nothing is known about what is there.
const UNKNOWN: u8 = 0xff;

/// The grid.
#[derive(Debug)]
pub struct Terminal {
    columns: usize,
    rows: usize,
    column: usize,
    row: usize,
    wanted: [[u8; MAX_COLUMNS]; MAX_ROWS],
    drawn: [[u8; MAX_COLUMNS]; MAX_ROWS],
}

impl Terminal {
    /// An empty grid without a place.
    pub const fn new() -> Self {
        let (blank, unknown) = ([[b' '; MAX_COLUMNS]; MAX_ROWS], [[UNKNOWN; MAX_COLUMNS]; MAX_ROWS]);
        Self { columns: MAX_COLUMNS, rows: MAX_ROWS, column: 0, row: 0, wanted: blank, drawn: unknown }
    }

    /// Its place has room for so many columns and rows, and is to be drawn anew. The last lines stay.
    pub fn resize(&mut self, columns: usize, rows: usize) {
        self.columns = columns.clamp(1, MAX_COLUMNS);
        let rows = rows.clamp(1, MAX_ROWS);
        if self.row >= rows {
            self.scroll(self.row + 1 - rows);
        }
        self.rows = rows;
        self.column = self.column.min(self.columns - 1);
        self.drawn = [[UNKNOWN; MAX_COLUMNS]; MAX_ROWS];
    }

    /// Takes text, with the control characters that the shell's line editor sends.
    pub fn write(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '\n' => self.new_line(),
                '\r' => self.column = 0,
                '\u{8}' => self.column = self.column.saturating_sub(1),
                '\u{7}' => {}
                ' '..='~' => self.put(c as u8),
                _ => self.put(b'?'),
            }
        }
    }

    fn put(&mut self, letter: u8) {
        if self.column == self.columns {
            self.new_line();
        }
        self.wanted[self.row][self.column] = letter;
        self.column += 1;
    }

    fn new_line(&mut self) {
        self.column = 0;
        self.row += 1;
        if self.row == self.rows {
            self.scroll(SCROLL_ROWS.min(self.rows));
        }
    }

    /// Drops lines at the top.
    fn scroll(&mut self, lines: usize) {
        self.wanted.copy_within(lines.., 0);
        self.wanted[MAX_ROWS - lines..].fill([b' '; MAX_COLUMNS]);
        self.row -= lines.min(self.row);
    }

    /// Calls `draw` with column, row, letter and whether the cursor is there, for each cell that changed.
    pub fn changes(&mut self, mut draw: impl FnMut(usize, usize, char, bool)) {
        let cursor = (self.column.min(self.columns - 1), self.row);
        for row in 0..self.rows {
            for column in 0..self.columns {
                let letter = self.wanted[row][column];
                let cell = if (column, row) == cursor { letter | CURSOR } else { letter };
                if self.drawn[row][column] != cell {
                    self.drawn[row][column] = cell;
                    draw(column, row, char::from(letter), cell & CURSOR != 0);
                }
            }
        }
    }
}

impl Default for Terminal {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::{string::String, vec, vec::Vec};

    /// Somebody's screen: what was drawn.
    struct Screen {
        terminal: Terminal,
        cells: Vec<Vec<char>>,
        drawn: usize,
    }

    impl Screen {
        fn new(columns: usize, rows: usize) -> Self {
            let mut terminal = Terminal::new();
            terminal.resize(columns, rows);
            Self { terminal, cells: vec![vec!['.'; columns]; rows], drawn: 0 }
        }

        fn show(&mut self, text: &str) -> Vec<String> {
            self.terminal.write(text);
            self.drawn = 0;
            self.terminal.changes(|column, row, letter, cursor| {
                self.cells[row][column] = if cursor { '_' } else { letter };
                self.drawn += 1;
            });
            self.cells.iter().map(|row| row.iter().collect::<String>().trim_end().into()).collect()
        }
    }

    /// Goal: text lies where a terminal puts it. Method: lines, a line that is too long, backspaces as the shell sends them.
    #[test]
    fn text() {
        let mut screen = Screen::new(6, 4);
        assert_eq!(screen.show("ab\ncd"), ["ab", "cd_", "", ""]);
        assert_eq!(screen.drawn, 24, "all of it is new");
        assert_eq!(screen.show("\u{8}x"), ["ab", "cx_", "", ""]);
        assert_eq!(screen.drawn, 1, "the letter; the cursor is where it was");
        assert_eq!(screen.show("\n123456"), ["ab", "cx", "12345_", ""], "the cursor waits at the last column");
        assert_eq!(screen.show("789"), ["ab", "cx", "123456", "789_"]);
        assert_eq!(screen.show("\r\u{e9}\u{7}"), ["ab", "cx", "123456", "?_9"]);
    }

    /// Goal: the last lines stay in sight. Method: more lines than rows, then fewer rows.
    #[test]
    fn scrolling() {
        let mut screen = Screen::new(6, 6);
        assert_eq!(screen.show("1\n2\n3\n4\n5\n6\n7"), ["5", "6", "7_", "", "", ""]);
        screen.terminal.resize(6, 2);
        screen.cells.truncate(2);
        assert_eq!(screen.show(""), ["6", "7_"]);
        assert_eq!(screen.show("\n8\n9"), ["8", "9_"], "both lines went at once");
    }
}
