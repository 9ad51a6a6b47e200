//! One sentence about what just happened, at most 25 words, made from the events and the difference of two states.
//!
//! `story` chooses what to tell; this file keeps the last sentence and the log.

mod story;

use super::Model;
use protocol::Position;
use protocol::cpu::CpuState;

pub(crate) use story::why_not;

/// The last sentence and those before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Narrator {
    /// The sentence about the last stop.
    pub sentence: String,
    /// What the sentence is about, so that views can mark it.
    pub tone: Tone,
    /// Sentences of earlier stops with their positions, oldest first, bounded.
    pub log: Vec<(Position, String)>,
}

/// How a sentence is drawn (with a sign, never by colour alone).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// Something happened.
    #[default]
    Plain,
    /// A turning point: a mode change, a SIPI.
    Moment,
    /// A fault.
    Fault,
    /// Nothing happened, and why.
    Refusal,
}

/// Most words in a sentence.
pub(crate) const WORDS: usize = 25;
/// Sentences kept.
const LOG: usize = 1000;

impl Narrator {
    /// Tells something.
    pub fn tell(&mut self, position: Position, tone: Tone, sentence: String) {
        self.tone = tone;
        self.sentence = within(&sentence, WORDS);
        self.log.push((position, self.sentence.clone()));
        if self.log.len() > LOG {
            self.log.remove(0);
        }
    }

    /// Tells why nothing happened.
    pub fn refuse(&mut self, position: Position, why: String) {
        self.tell(position, Tone::Refusal, why);
    }
}

impl Model {
    /// Tells what happened between `from` and where the machine stands now.
    pub(crate) fn narrate(&mut self, from: Position, before: &[CpuState]) {
        let (tone, sentence) = story::tell(self, from, before);
        self.narrator.tell(self.timeline.position, tone, sentence);
    }
}

/// The text in so many words: without its last sentences where it is longer; one sentence that is too long is cut.
fn within(text: &str, words: usize) -> String {
    let fits = |text: &str| text.split_whitespace().count() <= words;
    let mut whole = text;
    while let Some((shorter, _)) = whole.rsplit_once(". ").filter(|_| !fits(whole)) {
        whole = shorter;
        if fits(whole) {
            return format!("{whole}.");
        }
    }
    let mut parts = text.split_whitespace();
    let kept: Vec<&str> = parts.by_ref().take(words).collect();
    if parts.next().is_none() { kept.join(" ") } else { format!("{}…", kept.join(" ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: what does not fit is left out by whole sentences; method: one that fits and one that is too much.
    #[test]
    fn whole_sentences() {
        let text = format!("CPU 1 is halted. {}.", vec!["word"; 24].join(" "));
        assert_eq!(within(&text, 25), "CPU 1 is halted.");
    }

    /// Goal: no sentence is longer than 25 words; method: one of 24, 25 and 26.
    #[test]
    fn length() {
        for count in 24..=26 {
            let text = vec!["word"; count].join(" ");
            let mut narrator = Narrator::default();
            narrator.tell(Position(0), Tone::Plain, text);
            assert_eq!(narrator.sentence.split(' ').count(), count.min(25));
            assert_eq!(narrator.sentence.ends_with('…'), count > 25);
        }
    }
}
