//! An explanation: what hover shows and what `?` keeps open. Made from the glossary, or from a control's own sentence.

use lessons::glossary::{BitEntry, Entry, RegisterEntry};

/// A title, a sentence or two, and where it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// "CR0 bit 0, PE: Protection Enable".
    pub title: String,
    /// A sentence or two.
    pub says: String,
    /// Manual and section title; empty for the window's own controls.
    pub source: String,
}

impl Words {
    /// Of a control of the window.
    pub fn new(title: impl Into<String>, says: impl Into<String>) -> Self {
        Self { title: title.into(), says: says.into(), source: String::new() }
    }

    /// Of a glossary entry.
    pub fn entry(entry: &Entry) -> Self {
        Self { title: entry.name.clone(), says: entry.says.clone(), source: entry.source.clone() }
    }

    /// Of a register.
    pub fn register(entry: &RegisterEntry) -> Self {
        Self { title: entry.title.clone(), says: entry.says.clone(), source: entry.source.clone() }
    }

    /// Of a bit of a register.
    pub fn bit(register: &str, bit: &BitEntry) -> Self {
        let place =
            if bit.low == bit.high { format!("bit {}", bit.low) } else { format!("bits {}:{}", bit.high, bit.low) };
        Self {
            title: format!("{register} {place}, {}: {}", bit.name, bit.title),
            says: bit.says.clone(),
            source: bit.source.clone(),
        }
    }

    /// Of a term, by its glossary id.
    pub fn term(id: &str) -> Option<Self> {
        lessons::glossary::entry(id).map(Self::entry)
    }

    /// As a tooltip or a note draws it.
    pub fn show(&self, ui: &mut egui::Ui) {
        ui.set_max_width(340.0);
        if !self.title.is_empty() {
            ui.strong(&self.title);
        }
        ui.label(&self.says);
        if !self.source.is_empty() {
            ui.weak(egui::RichText::new(&self.source).small());
        }
    }

    /// As text for the clipboard.
    pub fn plain(&self) -> String {
        let mut text = format!("{}\n{}", self.title, self.says);
        if !self.source.is_empty() {
            text.push('\n');
            text.push_str(&self.source);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: a bit's title names register, place and name; method: a bit and a field.
    #[test]
    fn titles_name_the_place() {
        let pe = lessons::glossary::bit("cr0", 0).expect("PE has words");
        assert_eq!(Words::bit("CR0", pe).title, "CR0 bit 0, PE: Protection Enable");
        let iopl = lessons::glossary::bit("rflags", 12).expect("IOPL has words");
        assert_eq!(Words::bit("RFLAGS", iopl).title, "RFLAGS bits 13:12, IOPL: I/O Privilege Level");
    }
}
