//! Named positions of the run. One that lies in a future which an edit has ended is void, and says so, until undo brings
//! that future back.
//!
//! The server counts epochs: each change of the past begins a new future. [`Futures`] remembers which grew from which,
//! and where.

use super::timeline::position_words;
use lessons::progress::Bookmark as Kept;
use protocol::Position;

/// Most bookmarks.
const MOST: usize = 200;

/// All bookmarks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bookmarks {
    /// In the order of positions.
    pub list: Vec<Bookmark>,
    futures: Futures,
    next_id: u32,
}

/// A named position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bookmark {
    /// To name it in commands.
    pub id: u32,
    /// Name.
    pub name: String,
    /// Where.
    pub position: Position,
    /// Why it cannot be gone to, if so.
    pub void: Option<String>,
    future: usize,
}

/// The futures that edits began.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Futures {
    /// From which future each grew, and at which position. The first is the run itself.
    grew: Vec<(usize, Position)>,
    /// The one that we are in.
    now: usize,
}

impl Default for Futures {
    fn default() -> Self {
        Self { grew: vec![(0, Position(0))], now: 0 }
    }
}

impl Futures {
    /// The first position of a future at which we are not in it: None where it is all in our past or present.
    fn left_at(&self, future: usize) -> Option<Position> {
        let mut at = self.now;
        let mut left = None;
        while at != future {
            if at == 0 {
                return Some(Position(0));
            }
            let (parent, from) = self.grew[at];
            (at, left) = (parent, Some(from));
        }
        left
    }
}

impl Bookmarks {
    /// Sets one here. An old one at the same place stays as it is and is returned.
    pub(crate) fn set(&mut self, position: Position, name: String) -> Result<&Bookmark, String> {
        let here = |mark: &Bookmark| mark.position == position && mark.void.is_none();
        if let Some(at) = self.list.iter().position(here) {
            return Ok(&self.list[at]);
        }
        if self.list.len() >= MOST {
            return Err(format!("There are {MOST} bookmarks; remove one first."));
        }
        let id = self.next_id;
        self.next_id += 1;
        let at = self.list.partition_point(|mark| mark.position <= position);
        self.list.insert(at, Bookmark { id, name, position, void: None, future: self.futures.now });
        Ok(&self.list[at])
    }

    /// Those that can be gone to, as they are kept with a lesson.
    pub(crate) fn kept(&self) -> Vec<Kept> {
        let there = self.list.iter().filter(|mark| mark.void.is_none());
        there.map(|mark| Kept { position: mark.position, name: mark.name.clone() }).collect()
    }

    /// The run that they were kept with is loaded again, up to `end`: they are the only ones.
    pub(crate) fn restore(&mut self, kept: Vec<Kept>, end: Position) {
        *self = Self { next_id: self.next_id, ..Self::default() };
        for mark in kept.into_iter().filter(|mark| mark.position <= end) {
            // More than there may be come from a file that somebody has changed.
            let _ = self.set(mark.position, mark.name);
        }
    }

    /// Gives one another name.
    pub(crate) fn rename(&mut self, id: u32, name: String) {
        if let Some(mark) = self.list.iter_mut().find(|mark| mark.id == id).filter(|_| !name.trim().is_empty()) {
            mark.name = name.trim().to_owned();
        }
    }

    /// Removes one.
    pub(crate) fn remove(&mut self, id: u32) {
        self.list.retain(|mark| mark.id != id);
    }

    /// One by its number.
    pub fn get(&self, id: u32) -> Option<&Bookmark> {
        self.list.iter().find(|mark| mark.id == id)
    }

    /// One by its name, whatever its case; one that is not void wins.
    pub fn named(&self, name: &str) -> Option<&Bookmark> {
        let same = |mark: &&Bookmark| mark.name.eq_ignore_ascii_case(name.trim());
        self.list.iter().filter(same).min_by_key(|mark| mark.void.is_some())
    }

    /// A change at a position has ended the future that there was.
    pub(crate) fn future_ended(&mut self, at: Position) {
        self.futures.grew.push((self.futures.now, at));
        self.futures.now = self.futures.grew.len() - 1;
        self.judge();
    }

    /// The last change was taken back: the future before it is there again.
    pub(crate) fn future_is_back(&mut self) {
        self.futures.now = self.futures.grew[self.futures.now].0;
        self.judge();
    }

    /// The machine was restarted: nothing of the old run is left.
    pub(crate) fn run_ended(&mut self) {
        if self.list.is_empty() {
            self.futures = Futures::default();
            return;
        }
        // A future that did not grow from the old run.
        self.futures.grew.push((0, Position(0)));
        self.futures.now = self.futures.grew.len() - 1;
        for mark in &mut self.list {
            mark.void.get_or_insert_with(|| "void: the machine was restarted since".to_owned());
            mark.future = usize::MAX;
        }
    }

    fn judge(&mut self) {
        for mark in self.list.iter_mut().filter(|mark| mark.future != usize::MAX) {
            let left = self.futures.left_at(mark.future);
            mark.void = left
                .filter(|left| mark.position > *left)
                .map(|left| format!("void: the run was changed at step {}, before it", position_words(left)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn void(bookmarks: &Bookmarks) -> Vec<bool> {
        bookmarks.list.iter().map(|mark| mark.void.is_some()).collect()
    }

    /// Goal: an edit makes void what lies after it, undo brings it back and makes void what was set in between; method:
    /// marks before and after an edit, in both futures.
    #[test]
    fn futures() {
        let mut bookmarks = Bookmarks::default();
        for (position, name) in [(100, "early"), (300, "late")] {
            bookmarks.set(Position(position), name.to_owned()).unwrap();
        }
        bookmarks.future_ended(Position(200));
        assert_eq!(void(&bookmarks), [false, true]);
        assert!(bookmarks.list[1].void.as_deref().unwrap().contains("step 200"));
        bookmarks.set(Position(250), "other".to_owned()).unwrap();
        bookmarks.set(Position(300), "late".to_owned()).unwrap();
        assert_eq!(bookmarks.named("LATE").map(|mark| mark.void.is_none()), Some(true));
        bookmarks.future_is_back();
        assert_eq!(void(&bookmarks), [false, true, false, true]);
        bookmarks.run_ended();
        assert_eq!(void(&bookmarks), [true; 4]);
        bookmarks.set(Position(5), "new".to_owned()).unwrap();
        bookmarks.future_ended(Position(3));
        assert_eq!(void(&bookmarks), [true; 5]);
        bookmarks.future_is_back();
        assert_eq!(void(&bookmarks), [false, true, true, true, true]);
    }

    /// Goal: what is kept is there again, by name and place, without what the run does not reach; void ones are not kept.
    /// Method: two marks, one void, restored into marks of another run.
    #[test]
    fn kept_and_restored() {
        let mut bookmarks = Bookmarks::default();
        bookmarks.set(Position(7), "set PE".to_owned()).unwrap();
        bookmarks.set(Position(90), "far".to_owned()).unwrap();
        bookmarks.set(Position(300), "gone".to_owned()).unwrap();
        bookmarks.future_ended(Position(200));
        let kept = bookmarks.kept();
        assert_eq!(kept.len(), 2, "the void one is not kept");
        let mut other = Bookmarks::default();
        other.set(Position(1), "other run".to_owned()).unwrap();
        other.run_ended();
        other.restore(kept, Position(50));
        let names: Vec<_> =
            other.list.iter().map(|mark| (mark.name.as_str(), mark.position, mark.void.is_none())).collect();
        assert_eq!(names, [("set PE", Position(7), true)]);
    }

    /// Goal: names can be changed and are found, a place is not marked twice; method: set, set again, rename, remove.
    #[test]
    fn names() {
        let mut bookmarks = Bookmarks::default();
        let id = bookmarks.set(Position(7), "tr_set_pe".to_owned()).unwrap().id;
        assert_eq!(bookmarks.set(Position(7), "again".to_owned()).unwrap().name, "tr_set_pe");
        bookmarks.rename(id, "  the heart ".to_owned());
        bookmarks.rename(id, " ".to_owned());
        assert_eq!(bookmarks.named("the heart").map(|mark| mark.position), Some(Position(7)));
        bookmarks.remove(id);
        assert_eq!(bookmarks.list, []);
    }
}
