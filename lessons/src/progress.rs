//! A learner's progress in one lesson: which step, which answers, and the run of the machine, as one JSON file.
//!
//! Plain data and its text form; [`crate::platform`] reads and writes the files, [`crate::player`] fills it in and takes it
//! up again. A file names its version first, so that a newer or foreign one is told apart from a damaged one. No name,
//! host or account is in it.

use crate::player::page::AnswerState;
use protocol::Position;
use protocol::run::Run;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// Version of the format; a reader refuses newer ones.
pub const VERSION: u32 = 1;
/// The key that makes a JSON file one of ours, with the version as its value.
const KEY: &str = "firstlight_progress";

/// How far a learner is in a lesson.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LessonProgress {
    /// The lesson's id.
    pub lesson: String,
    /// What the lesson's numbers are drawn from: stays the same for this learner and lesson.
    pub seed: u64,
    /// The step's id; `end` after the last.
    pub step: String,
    /// Every step that was begun, in the lesson's order.
    pub steps: Vec<StepRecord>,
    /// The lesson was played to its end at least once.
    pub finished: bool,
    /// The learner's run of the machine, with all changes made to it.
    pub run: Option<Run>,
    /// Where the machine stands in it.
    pub position: Position,
    /// The learner's bookmarks in this run, by position.
    #[serde(default)]
    pub bookmarks: Vec<Bookmark>,
}

/// A named position of the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bookmark {
    /// Where.
    pub position: Position,
    /// As the learner called it.
    pub name: String,
}

/// What was done in one step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepRecord {
    /// The step's id.
    pub id: String,
    /// Its questions, in order.
    pub questions: Vec<QuestionRecord>,
    /// How many of its goals came true, in order.
    pub goals: usize,
    /// How many hints were asked for.
    pub hints: usize,
    /// [Show me] was used.
    pub shown: bool,
    /// It was left with open tasks.
    pub skipped: bool,
    /// The actions whose button was pressed.
    pub pressed: Vec<usize>,
}

/// What was answered to one question.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuestionRecord {
    /// How far.
    pub state: AnswerState,
    /// The last answer, as typed.
    pub given: Option<String>,
    /// The wrong answers in order: the misconception's id where the lesson lists it, else what was typed.
    pub wrong: Vec<String>,
    /// The machine had shown it before the right answer was given.
    pub looked: bool,
}

/// Why a progress file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// It is no JSON, or ends in the middle.
    Damaged(String),
    /// JSON of somebody else.
    Foreign,
    /// Of a newer Firstlight.
    Newer(u64),
    /// Of another lesson.
    OtherLesson(String),
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged(why) => write!(f, "it is damaged or cut off ({why})"),
            Self::Foreign => write!(f, "it was not written by Firstlight"),
            Self::Newer(version) => {
                write!(f, "it was written by a newer Firstlight (format {version}, this one knows {VERSION})")
            }
            Self::OtherLesson(lesson) => write!(f, "it belongs to the lesson `{lesson}`"),
        }
    }
}

impl std::error::Error for Unusable {}

/// The file's form: the version comes first.
#[derive(Serialize)]
struct File<'a> {
    firstlight_progress: u32,
    #[serde(flatten)]
    progress: &'a LessonProgress,
}

impl LessonProgress {
    /// The text of the file.
    pub fn to_json(&self) -> String {
        let file = File { firstlight_progress: VERSION, progress: self };
        // Strings, numbers and lists alone: there is nothing that JSON cannot hold.
        let mut text = serde_json::to_string_pretty(&file).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Reads the text of the file of that lesson.
    ///
    /// # Errors
    /// [`Unusable`], where it is not one.
    pub fn from_json(text: &str, lesson: &str) -> Result<Self, Unusable> {
        let value: Value = serde_json::from_str(text).map_err(|error| Unusable::Damaged(error.to_string()))?;
        let version = value.get(KEY).and_then(Value::as_u64).ok_or(Unusable::Foreign)?;
        if version > u64::from(VERSION) {
            return Err(Unusable::Newer(version));
        }
        let progress: Self = serde_json::from_value(value).map_err(|error| Unusable::Damaged(error.to_string()))?;
        if progress.lesson == lesson { Ok(progress) } else { Err(Unusable::OtherLesson(progress.lesson)) }
    }

    /// Questions that are over, of those in the steps that were begun.
    pub fn answered(&self) -> usize {
        self.steps.iter().flat_map(|step| &step.questions).filter(|question| question.state.is_over()).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::request::{Edit, MachineConfig};
    use protocol::run::{Input, InputKind};
    use protocol::{CpuId, Position};

    /// Progress with something in every field.
    fn progress() -> LessonProgress {
        let config = MachineConfig {
            cpus: 2,
            apic_ids: vec![0, 9],
            memory_bytes: 128 << 20,
            quantum: 64,
            seed: None,
            options: "bringup=serial".into(),
            cpu_quirks: Vec::new(),
            firmware: Default::default(),
        };
        let edit = Edit::Register { cpu: CpuId(0), name: "rax".into(), value: u64::MAX };
        let run = Run {
            version: protocol::run::VERSION,
            image_sha256: "ab".into(),
            firmware_sha256: None,
            machine: "firstlight-machine 0.1.0".into(),
            config,
            inputs: vec![Input { position: Position(7), kind: InputKind::Edit(edit) }],
            holds: Vec::new(),
            end: Position(1 << 40),
        };
        let question = QuestionRecord {
            state: AnswerState::Wrong,
            given: Some("12h".into()),
            wrong: vec!["M-index".into()],
            looked: true,
        };
        let step = StepRecord {
            id: "sipi-target".into(),
            questions: vec![question],
            goals: 1,
            hints: 2,
            pressed: vec![0],
            ..StepRecord::default()
        };
        LessonProgress {
            lesson: "wake".into(),
            seed: u64::MAX,
            step: "sipi-target".into(),
            steps: vec![step],
            finished: true,
            run: Some(run),
            position: Position(9),
            bookmarks: vec![Bookmark { position: Position(7), name: "the SIPI".into() }],
        }
    }

    /// Goal: what is stored comes back, to the last bit of a 64-bit number; method: there and back again.
    #[test]
    fn round_trip() {
        let text = progress().to_json();
        assert_eq!(LessonProgress::from_json(&text, "wake"), Ok(progress()));
        assert!(text.trim_start_matches(['{', '\n', ' ']).starts_with("\"firstlight_progress\": 1"), "{text}");
    }

    /// Goal: progress from before bookmarks were kept is not lost; method: such a file.
    #[test]
    fn files_without_bookmarks() {
        let text = progress().to_json();
        let at = text.find(",\n  \"bookmarks\"").expect("they are kept");
        let old = format!("{}\n}}\n", &text[..at]);
        let expected = LessonProgress { bookmarks: Vec::new(), ..progress() };
        assert_eq!(LessonProgress::from_json(&old, "wake"), Ok(expected), "{old}");
    }

    /// Goal: progress from before processors had quirks, or a firmware of ours, is not lost; method: a file without each.
    #[test]
    fn files_without_quirks() {
        for key in ["cpu_quirks", "firmware"] {
            let mut file: Value = serde_json::from_str(&progress().to_json()).expect("JSON");
            let config = file["run"]["config"].as_object_mut().expect("a configuration");
            assert!(config.remove(key).is_some(), "{key} is stored today");
            assert_eq!(LessonProgress::from_json(&file.to_string(), "wake"), Ok(progress()), "{key}");
        }
    }

    /// Goal: every kind of wrong file is told apart, and none panics; method: cut at every length, then a foreign, a newer,
    /// and another lesson's file.
    #[test]
    fn unusable_files() {
        let text = progress().to_json();
        let body = text.trim_end();
        for length in (0..body.len()).step_by(7) {
            let cut = LessonProgress::from_json(&body[..length], "wake");
            assert!(matches!(cut, Err(Unusable::Damaged(_))), "{length}: {cut:?}");
        }
        let read = |text: &str| LessonProgress::from_json(text, "wake").unwrap_err();
        assert_eq!(read("{\"theme\": \"dark\"}"), Unusable::Foreign);
        assert_eq!(read("[1, 2]"), Unusable::Foreign);
        assert_eq!(read(&text.replace("\"firstlight_progress\": 1", "\"firstlight_progress\": 2")), Unusable::Newer(2));
        assert_eq!(read(&text.replace("\"wake\"", "\"two-maps\"")), Unusable::OtherLesson("two-maps".into()));
        assert!(matches!(read("{\"firstlight_progress\": 1, \"lesson\": 5}"), Unusable::Damaged(_)));
    }

    /// Goal: the count is of answers that are over; method: one open, one right.
    #[test]
    fn answered() {
        let mut progress = progress();
        assert_eq!(progress.answered(), 0);
        progress.steps[0].questions[0].state = AnswerState::Right;
        assert_eq!(progress.answered(), 1);
    }
}
