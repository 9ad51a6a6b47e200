//! The find field of a list that has one of its own: the command "find" (Ctrl+F) from the list leads here, Enter to the next row whose words hold the text, going
//! round; the list then has the keyboard again, with its cursor there.

use super::tokens::Tokens;
use super::tree;
use egui::{Key, RichText, TextEdit, Ui};

/// What the field remembers.
#[derive(Clone, Debug, Default)]
pub struct Find {
    text: String,
    /// What the last search found: "3 of 12", or nothing.
    found: String,
}

/// Draws the field. `words` are those of row n, as a reader hears them.
pub fn show(
    ui: &mut Ui,
    t: &Tokens,
    find: &mut Find,
    list: &mut tree::State,
    rows: usize,
    words: impl Fn(usize) -> String,
) {
    let label = ui.label(RichText::new("find").color(t.weak));
    let edit = TextEdit::singleline(&mut find.text).desired_width(110.0).hint_text(super::keys::hint("find"));
    let response = ui.add(edit).labelled_by(label.id);
    if wanted(ui, list) {
        response.request_focus();
    }
    if response.changed() {
        find.found.clear();
    }
    let left = response.lost_focus();
    let says = super::keys::with_hint("Find in this list; Enter goes to the next row that holds the text", "find");
    response.on_hover_text(says);
    if left && ui.input(|input| input.key_pressed(Key::Enter)) {
        find.found = match next(&find.text, list.cursor, rows, words) {
            Some(row) => {
                (list.cursor, list.reveal, list.focus) = (row, Some(row), true);
                format!("row {} of {rows}", row + 1)
            }
            None => "not found".to_owned(),
        };
    }
    if !find.found.is_empty() {
        ui.label(RichText::new(&find.found).color(t.weak));
    }
}

/// The command "find" was given for this list: it has the keyboard, or nothing has.
pub fn wanted(ui: &Ui, list: &tree::State) -> bool {
    let ours = list.has_focus || ui.memory(|memory| memory.focused()).is_none();
    ours && tree::take_find(ui.ctx())
}

/// The next row after `from`, going round, whose words hold the text, whatever its case.
fn next(text: &str, from: usize, rows: usize, words: impl Fn(usize) -> String) -> Option<usize> {
    let text = text.trim().to_lowercase();
    if text.is_empty() || rows == 0 {
        return None;
    }
    (1..=rows).map(|step| (from + step) % rows).find(|row| words(*row).to_lowercase().contains(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: the search goes on behind the cursor and round the end; method: three rows, one and none that match.
    #[test]
    fn going_round() {
        let rows = ["CR3 written", "halt", "cr3 again"];
        let find = |text, from| next(text, from, rows.len(), |row| rows[row].to_owned());
        assert_eq!(find("CR3", 0), Some(2));
        assert_eq!(find("cr3", 2), Some(0));
        assert_eq!(find("halt", 1), Some(1));
        assert_eq!(find("nothing", 0), None);
        assert_eq!(find("", 0), None);
        assert_eq!(next("x", 0, 0, |_| String::new()), None);
    }
}
