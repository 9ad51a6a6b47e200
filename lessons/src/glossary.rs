//! The glossary: what each bit, mode, activity, exception vector and delivery mode is, in a sentence or two.
//!
//! The words are in `content/glossary/*.toml`, embedded when the crate is built and read once. A register file has
//! `register`, `title`, `says`, `source` and a `[[bit]]` table for each field; the other files have `[[entry]]` tables
//! with an `id`. Neighbours: [`parse`] reads the files; the window's views ask by register and bit, or by id.
//! Source of the facts: the Intel SDM, by section title (numbers differ between editions).

pub mod parse;
#[cfg(test)]
mod tests;

use parse::{parse_entries, parse_register};
use protocol::event::Delivery;
use protocol::mode::{Activity, Mode};
use std::sync::OnceLock;

/// A register whose bits are explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisterEntry {
    /// What code calls it: `cr0`, `page_entry`.
    pub register: String,
    /// What people call it: "CR0".
    pub title: String,
    /// A sentence or two.
    pub says: String,
    /// Manual and section title.
    pub source: String,
    /// Its fields, lowest first.
    pub bits: Vec<BitEntry>,
}

/// A bit, or a field of several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BitEntry {
    /// Lowest bit number.
    pub low: u8,
    /// Highest bit number; equal to `low` for a single bit.
    pub high: u8,
    /// The manual's short name: "PE".
    pub name: String,
    /// The name in full: "Protection Enable".
    pub title: String,
    /// A sentence or two.
    pub says: String,
    /// Manual and section title.
    pub source: String,
}

impl BitEntry {
    /// The field's value in a register that holds `value`.
    pub fn value_in(&self, value: u64) -> u64 {
        let width = u32::from(self.high - self.low) + 1;
        (value >> self.low) & (u64::MAX >> (64 - width))
    }
}

/// A term that is not a bit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What code calls it.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// A sentence or two.
    pub says: String,
    /// Manual and section title.
    pub source: String,
}

/// All words.
#[derive(Debug)]
struct Glossary {
    registers: Vec<RegisterEntry>,
    modes: Vec<Entry>,
    activities: Vec<Entry>,
    vectors: Vec<Entry>,
    deliveries: Vec<Entry>,
    terms: Vec<Entry>,
}

/// The embedded files: name for messages, text.
macro_rules! content {
    ($name:literal) => {
        (concat!("lessons/content/glossary/", $name), include_str!(concat!("../content/glossary/", $name)))
    };
}

const REGISTER_FILES: [(&str, &str); 9] = [
    content!("cr0.toml"),
    content!("cr3.toml"),
    content!("cr4.toml"),
    content!("efer.toml"),
    content!("rflags.toml"),
    content!("apic_base.toml"),
    content!("page_entry.toml"),
    content!("page_fault.toml"),
    content!("segment.toml"),
];

const MODES: (&str, &str) = content!("modes.toml");
const ACTIVITIES: (&str, &str) = content!("activities.toml");
const VECTORS: (&str, &str) = content!("vectors.toml");
const DELIVERIES: (&str, &str) = content!("deliveries.toml");
const TERMS: (&str, &str) = content!("terms.toml");

impl Glossary {
    /// Reads the embedded files. They are part of the program, so a mistake in them is ours: the test
    /// `content_is_valid` finds it, and here it costs the words, not the program.
    fn embedded() -> Self {
        let entries = |(file, text): (&str, &str)| parse_entries(file, text).unwrap_or_default();
        Self {
            registers: REGISTER_FILES.iter().filter_map(|(file, text)| parse_register(file, text).ok()).collect(),
            modes: entries(MODES),
            activities: entries(ACTIVITIES),
            vectors: entries(VECTORS),
            deliveries: entries(DELIVERIES),
            terms: entries(TERMS),
        }
    }
}

fn glossary() -> &'static Glossary {
    static GLOSSARY: OnceLock<Glossary> = OnceLock::new();
    GLOSSARY.get_or_init(Glossary::embedded)
}

fn find(entries: &'static [Entry], id: &str) -> Option<&'static Entry> {
    entries.iter().find(|entry| entry.id == id)
}

/// A register with its fields: `cr0`, `cr3`, `cr4`, `efer`, `rflags`, `apic_base`, `page_entry`, `page_fault`, `segment`.
pub fn register(name: &str) -> Option<&'static RegisterEntry> {
    glossary().registers.iter().find(|entry| entry.register == name)
}

/// The field of a register that contains a bit; None where the bit is reserved.
pub fn bit(register_name: &str, bit: u8) -> Option<&'static BitEntry> {
    register(register_name)?.bits.iter().find(|entry| (entry.low..=entry.high).contains(&bit))
}

/// What a mode is.
pub fn mode(mode: Mode) -> Option<&'static Entry> {
    find(&glossary().modes, mode.word())
}

/// What an activity is.
pub fn activity(activity: Activity) -> Option<&'static Entry> {
    find(&glossary().activities, activity.word())
}

/// An exception vector, 0 to 31; others belong to devices and IPIs.
pub fn vector(number: u8) -> Option<&'static Entry> {
    find(&glossary().vectors, &number.to_string())
}

/// What a delivery mode does.
pub fn delivery(delivery: Delivery) -> Option<&'static Entry> {
    find(&glossary().deliveries, delivery.word())
}

/// Any other term, by its id: "root", "story-time".
pub fn term(id: &str) -> Option<&'static Entry> {
    find(&glossary().terms, id)
}

/// One thing that the glossary explains, whatever its kind.
#[derive(Clone, Copy, Debug)]
pub enum Item {
    /// A term of the window or of the boot.
    Term(&'static Entry),
    /// A mode of the processor.
    Mode(&'static Entry),
    /// An activity of a CPU.
    Activity(&'static Entry),
    /// An exception vector.
    Vector(&'static Entry),
    /// A delivery mode of an interrupt.
    Delivery(&'static Entry),
    /// A register.
    Register(&'static RegisterEntry),
    /// A field of a register.
    Bit(&'static RegisterEntry, &'static BitEntry),
}

/// Everything that is explained: terms, modes, activities, deliveries, registers each with its fields, vectors.
pub fn items() -> impl Iterator<Item = Item> {
    let all = glossary();
    let registers = all.registers.iter().flat_map(|register| {
        let bits = register.bits.iter().map(move |bit| Item::Bit(register, bit));
        std::iter::once(Item::Register(register)).chain(bits)
    });
    let lists = all.terms.iter().map(Item::Term).chain(all.modes.iter().map(Item::Mode));
    let lists = lists.chain(all.activities.iter().map(Item::Activity));
    let lists = lists.chain(all.deliveries.iter().map(Item::Delivery));
    lists.chain(registers).chain(all.vectors.iter().map(Item::Vector))
}

/// Whatever lessons link to as `term:ID`: a term, a mode, an activity or a delivery mode.
pub fn entry(id: &str) -> Option<&'static Entry> {
    let all = glossary();
    [&all.terms, &all.modes, &all.activities, &all.deliveries].into_iter().find_map(|entries| find(entries, id))
}
