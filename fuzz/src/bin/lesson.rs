//! Lessons: any text is a lesson or a list of what is wrong with it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lessons::lesson::parse::parse;

fuzz_target!(|text: &str| {
    if let Ok(lesson) = parse("lesson.md", text) {
        let drawn = lesson.draw(1);
        let _ = lesson.machine.config(&drawn);
    }
});
