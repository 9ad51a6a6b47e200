//! The glossary as a list: everything that hover and `?` explain, found by what is typed. Made once from
//! [`lessons::glossary`]; which lesson introduces a term is said too. The panel in the drawer draws it.

use crate::ui::words::Words;
use lessons::glossary::{Item, items};
use std::sync::OnceLock;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Title, sentences, source.
    pub words: Words,
    /// What it is, in a word: "term", "mode", "bit".
    pub kind: &'static str,
    /// The lesson that introduces it, by its title.
    pub lesson: Option<String>,
    /// Title and sentences in lower case, for the search.
    search: String,
}

/// All rows, terms first and in the order of the alphabet, then each register with its fields, then the vectors.
pub fn rows() -> &'static [Row] {
    static ROWS: OnceLock<Vec<Row>> = OnceLock::new();
    ROWS.get_or_init(|| {
        let mut rows: Vec<Row> = items().map(row).collect();
        let named = rows.iter().take_while(|row| row.kind != "register").count();
        rows[..named].sort_by_key(|row| row.words.title.to_lowercase());
        rows
    })
}

fn row(item: Item) -> Row {
    let (kind, words, id) = match item {
        Item::Term(entry) => ("term", Words::entry(entry), entry.id.as_str()),
        Item::Mode(entry) => ("mode", Words::entry(entry), entry.id.as_str()),
        Item::Activity(entry) => ("activity", Words::entry(entry), entry.id.as_str()),
        Item::Delivery(entry) => ("delivery", Words::entry(entry), entry.id.as_str()),
        Item::Vector(entry) => ("vector", Words::entry(entry), ""),
        Item::Register(entry) => ("register", Words::register(entry), entry.register.as_str()),
        Item::Bit(register, bit) => ("bit", Words::bit(&register.title, bit), ""),
    };
    let shelf = super::lesson::shelf();
    let lesson = shelf.iter().find(|lesson| lesson.terms.iter().any(|term| !id.is_empty() && term == id));
    let search = format!("{} {}", words.title, words.says).to_lowercase();
    Row { words, kind, lesson: lesson.map(|lesson| lesson.title.clone()), search }
}

/// The rows that hold every word of what was typed; those with all of them in the title come first. Nothing typed: all.
pub fn found(typed: &str) -> Vec<&'static Row> {
    let typed = typed.to_lowercase();
    let holds = |text: &str| typed.split_whitespace().all(|word| text.contains(word));
    let (mut first, rest): (Vec<_>, Vec<_>) =
        rows().iter().filter(|row| holds(&row.search)).partition(|row| holds(&row.words.title.to_lowercase()));
    first.extend(rest);
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: what was typed is found, by title before text, and every kind is there. Method: a few searches.
    #[test]
    fn found_by_title_before_text() {
        assert_eq!(found("").len(), rows().len());
        for kind in ["term", "mode", "activity", "delivery", "register", "bit", "vector"] {
            assert!(rows().iter().any(|row| row.kind == kind), "{kind}");
        }
        let pe = found("protection enable");
        assert_eq!(pe[0].words.title, "CR0 bit 0, PE: Protection Enable");
        let walk = found("WALK");
        assert_eq!(walk[0].kind, "term");
        assert!(walk[0].words.title.to_lowercase().contains("walk") && walk.len() > 1, "{walk:?}");
        assert!(found("no such words anywhere").is_empty());
    }

    /// Goal: a term tells which lesson introduces it. Method: every term that a lesson on the shelf introduces.
    #[test]
    fn terms_name_their_lesson() {
        for lesson in crate::model::lesson::shelf() {
            let told = rows().iter().filter(|row| row.lesson.as_ref() == Some(&lesson.title)).count();
            assert_eq!(told, lesson.terms.len(), "{}", lesson.id);
        }
    }
}
