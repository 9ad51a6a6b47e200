//! The lessons that are part of the program, read once. To add one: its folder under `content/`, a line in [`FILES`].
//!
//! A mistake in an embedded file is ours: the test here finds it, and in a program it costs that lesson only. Whoever
//! writes a lesson gives [`crate::lesson::parse`] a text of their own.

use crate::content::ContentError;
use crate::lesson::{Lesson, parse::parse};
use std::sync::{Arc, OnceLock};

macro_rules! content {
    ($id:literal) => {
        (concat!("lessons/content/", $id, "/lesson.md"), include_str!(concat!("../content/", $id, "/lesson.md")))
    };
}

/// Name and text of each, in the order of the course.
pub const FILES: [(&str, &str); 3] = [content!("wake"), content!("sixteen-bits"), content!("two-maps")];

/// All lessons that could be read, in the order of the course.
pub fn lessons() -> &'static [Arc<Lesson>] {
    static LESSONS: OnceLock<Vec<Arc<Lesson>>> = OnceLock::new();
    LESSONS.get_or_init(|| read_all().into_iter().flatten().map(Arc::new).collect())
}

/// The lesson with an id.
pub fn lesson(id: &str) -> Option<Arc<Lesson>> {
    lessons().iter().find(|lesson| lesson.id == id).cloned()
}

/// Each embedded file, read or with its first mistake.
pub fn read_all() -> Vec<Result<Lesson, ContentError>> {
    FILES.iter().map(|(file, text)| parse(file, text)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: the embedded lessons can be read, and lie where their ids say; method: read all, show the first mistake of each.
    #[test]
    fn embedded_lessons_are_valid() {
        let mistakes: Vec<String> =
            read_all().into_iter().filter_map(|read| read.err()).map(|e| e.to_string()).collect();
        assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
        for ((file, _), lesson) in FILES.iter().zip(lessons()) {
            assert_eq!(*file, format!("lessons/content/{}/lesson.md", lesson.id));
        }
        assert_eq!(lesson("wake").map(|lesson| lesson.id.clone()).as_deref(), Some("wake"));
        assert_eq!(lesson("no-such-lesson"), None);
    }
}
