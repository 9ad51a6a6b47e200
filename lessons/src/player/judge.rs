//! Is an answer right? Reads what was typed, compares it with what the machine says, and knows the wrong answers that the
//! lesson lists. Neighbours: [`super::prepare`] read the values, [`crate::answer`] reads the text.

use super::prepare::Asked;
use crate::answer;
use crate::expr::{NoValue, Value};
use crate::lesson::{InputKind, Question};
use crate::text::Span;

/// What an answer is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It could not be read, or not be judged: it does not count. Why, in words.
    Unread(String),
    /// It is right.
    Right,
    /// It is wrong.
    Wrong {
        /// The misconception, where the lesson lists it; else empty.
        id: String,
        /// What is said to it.
        says: Vec<Span>,
    },
}

fn words(text: impl Into<String>) -> Vec<Span> {
    vec![Span::Text(text.into())]
}

/// Judges a typed answer.
pub fn typed(question: &Question, asked: &Asked, text: &str) -> Verdict {
    if question.input == InputKind::Choice {
        return chosen(asked, text);
    }
    let given = match answer::read(text, question.input, question.format) {
        Ok(given) => given,
        Err(why) => return Verdict::Unread(why),
    };
    let right = match (&question.accept, &asked.right) {
        (Some(accept), _) => {
            let mut moment = asked.moment.clone();
            moment.set_given(Some(given.clone()));
            match accept.holds(&mut moment) {
                Ok(right) => right,
                // A formula that makes no sense for this answer does not accept it.
                Err(NoValue::Wrong(_)) => false,
                Err(NoValue::Missing) => return Verdict::Unread(CANNOT_JUDGE.into()),
            }
        }
        (None, Some(right)) => given.is(right),
        (None, None) => return Verdict::Unread(CANNOT_JUDGE.into()),
    };
    if right {
        return Verdict::Right;
    }
    if let Some(listed) = asked.wrong.iter().find(|listed| given.is(&listed.value)) {
        return Verdict::Wrong { id: listed.id.clone(), says: listed.says.clone() };
    }
    if let (Some(Value::Int(right)), InputKind::Number) = (&asked.right, question.input)
        && !question.format.is_decimal()
        && text.trim().parse() == Ok(*right)
    {
        let says = "That would be right as a decimal number. Numbers are hexadecimal here: write it so, and look at its digits.";
        return Verdict::Unread(says.into());
    }
    Verdict::Wrong { id: String::new(), says: words(not_it(question)) }
}

const CANNOT_JUDGE: &str = "This answer cannot be judged: the lesson has a mistake here. [Skip] goes on.";

/// What is said to an answer that nobody foresaw.
fn not_it(question: &Question) -> &'static str {
    match (question.predict, question.input) {
        (true, InputKind::Word) => {
            "That is not what will happen. What must come before it, and has it? A hint tells where to look."
        }
        (true, _) => {
            "The machine will show something else. Write down what it does, step by step; a hint tells which rule."
        }
        (false, InputKind::Word) => "The machine shows another word. A hint tells where to look.",
        (false, _) => "The machine shows another number. Compare digit by digit; a hint tells where to look.",
    }
}

/// Judges a choice by its letter.
pub fn chosen(asked: &Asked, letter: &str) -> Verdict {
    let letter = letter.trim();
    let Some(offer) = asked.offers.iter().find(|offer| offer.letter.eq_ignore_ascii_case(letter)) else {
        let letters: Vec<&str> = asked.offers.iter().map(|offer| offer.letter.as_str()).collect();
        return Verdict::Unread(format!("Choose one of {}.", letters.join(", ")));
    };
    if !asked.offers.iter().any(|offer| offer.right) {
        return Verdict::Unread(CANNOT_JUDGE.into());
    }
    if offer.right {
        return Verdict::Right;
    }
    let says = if offer.feedback.is_empty() {
        words("That one is not true. Read the others again.")
    } else {
        offer.feedback.clone()
    };
    Verdict::Wrong { id: offer.id.clone(), says }
}
