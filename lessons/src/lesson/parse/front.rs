//! Reads the front matter: who the lesson is, its machine, its numbers.

use crate::content::{ContentError, Source};
use crate::expr::{Expr, Scope};
use crate::lesson::{DEFAULT_MEMORY_MIB, DEFAULT_QUANTUM, Lines, Machine};
use crate::seed::Vary;
use crate::template::markdown;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use toml::Spanned;

/// What the front matter says.
pub(super) struct Front {
    pub id: String,
    pub title: String,
    pub minutes: u32,
    pub part: String,
    pub needs: Vec<String>,
    pub next: Option<String>,
    pub goals: Vec<String>,
    pub sources: Vec<String>,
    pub terms: Vec<String>,
    pub machine: Machine,
    pub vary: Vec<Vary>,
    pub lines: Lines,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FrontTable {
    id: Spanned<String>,
    title: Spanned<String>,
    minutes: Spanned<u32>,
    part: String,
    #[serde(default)]
    needs: Option<Spanned<Vec<String>>>,
    next: Option<Spanned<String>>,
    goals: Spanned<Vec<String>>,
    sources: Spanned<Vec<String>>,
    #[serde(default)]
    terms: Option<Spanned<Vec<String>>>,
    machine: Spanned<MachineTable>,
    #[serde(default)]
    vary: Ordered<VaryTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MachineTable {
    cpus: Spanned<Number>,
    options: Option<Spanned<String>>,
    #[serde(default)]
    apic_ids: Vec<Spanned<Number>>,
    memory_mib: Option<Spanned<u64>>,
    quantum: Option<Spanned<u32>>,
    seed: Option<Spanned<Number>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VaryTable {
    from: u64,
    to: u64,
    times: Option<u64>,
    #[serde(default)]
    not: Vec<u64>,
    #[serde(default)]
    distinct_from: Vec<String>,
}

/// A number, or "{an expression over drawn numbers}".
#[derive(Deserialize)]
#[serde(untagged, expecting = "a number, or a text with a drawn one: \"{ap}\"")]
enum Number {
    Plain(u64),
    Text(String),
}

/// A table whose order counts.
struct Ordered<T>(Vec<(String, Spanned<T>)>);

impl<T> Default for Ordered<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Ordered<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
            type Value = Ordered<T>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a table")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry::<String, Spanned<T>>()? {
                    entries.push(entry);
                }
                entries.sort_by_key(|(_, value)| value.span().start);
                Ok(Ordered(entries))
            }
        }
        deserializer.deserialize_map(Entries(std::marker::PhantomData))
    }
}

/// Longest text for the kernel.
const MAX_OPTIONS: usize = 1000;

/// Reads the front matter.
pub(super) fn read(source: &Source<'_>) -> Result<Front, ContentError> {
    let table: FrontTable = source.read()?;
    super::check_id(table.id.get_ref()).map_err(|what| source.error(table.id.span(), what))?;
    if table.title.get_ref().trim().is_empty() {
        return Err(source.error(table.title.span(), "`title` is empty; it says what the lesson is about"));
    }
    if !(1..=120).contains(table.minutes.get_ref()) {
        return Err(source.error(table.minutes.span(), "`minutes` is how long the lesson takes, 1 to 120"));
    }
    for (what, list) in [("goals", &table.goals), ("sources", &table.sources)] {
        if list.get_ref().is_empty() {
            return Err(source.error(list.span(), format!("`{what}` is empty; a lesson has at least one")));
        }
    }
    let line = |at: usize| source.line(at);
    let list = |list: Option<Spanned<Vec<String>>>| {
        list.map_or_else(Default::default, |list| (line(list.span().start), list.into_inner()))
    };
    let (needs_line, needs) = list(table.needs);
    let (terms_line, terms) = list(table.terms);
    let vary = table.vary.0.into_iter().try_fold(Vec::new(), |mut vary, (name, table)| {
        vary.push(number(source, name, table, &vary)?);
        Ok::<_, ContentError>(vary)
    })?;
    let names: Vec<String> = vary.iter().map(|vary| vary.name.clone()).collect();
    let lines = Lines {
        title: line(table.title.span().start),
        needs: needs_line,
        next: table.next.as_ref().map_or(1, |next| line(next.span().start)),
        terms: terms_line,
        ..Lines::default()
    };
    Ok(Front {
        id: table.id.into_inner(),
        title: table.title.into_inner(),
        minutes: table.minutes.into_inner(),
        part: table.part,
        needs,
        next: table.next.map(Spanned::into_inner),
        goals: table.goals.into_inner(),
        sources: table.sources.into_inner(),
        terms,
        machine: machine(source, table.machine, &Scope { drawn: &names, answer: false })?,
        vary,
        lines,
    })
}

/// A number that is drawn.
fn number(source: &Source<'_>, name: String, table: Spanned<VaryTable>, before: &[Vary]) -> Result<Vary, ContentError> {
    let span = table.span();
    let wrong = |what: String| Err(source.error(span.clone(), what));
    let table = table.into_inner();
    let plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if !plain || !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        return wrong(format!("`{name}` cannot be used in an expression; a name has small letters, digits and `_`"));
    }
    // A name that an expression reads as something else would never be seen.
    if Expr::parse(&name, &Scope::default()).is_ok() || ["answer", "events", "walk", "root"].contains(&name.as_str()) {
        return wrong(format!("`{name}` means something else in expressions; choose another name"));
    }
    if table.from > table.to {
        return wrong(format!("`{name}`: from {} is greater than to {}", table.from, table.to));
    }
    let times = table.times.unwrap_or(1);
    if times == 0 || table.to.checked_mul(times).is_none() {
        return wrong(format!("`{name}`: `times` is at least 1, and the product must fit into 64 bits"));
    }
    if let Some(unknown) = table.distinct_from.iter().find(|other| !before.iter().any(|vary| vary.name == **other)) {
        return wrong(format!("`{name}`: `distinct_from` names `{unknown}`, which is no number that is drawn before"));
    }
    let vary = Vary { name, from: table.from, to: table.to, times, not: table.not, distinct_from: table.distinct_from };
    if vary.choices() == 0 {
        return wrong(format!("`{}`: no number is left between from and to", vary.name));
    }
    Ok(vary)
}

fn machine(source: &Source<'_>, table: Spanned<MachineTable>, scope: &Scope<'_>) -> Result<Machine, ContentError> {
    let line = source.line(table.span().start);
    let table = table.into_inner();
    let number = |number: &Spanned<Number>| expression(source, number, scope);
    let memory_mib = table.memory_mib.as_ref().map_or(DEFAULT_MEMORY_MIB, |memory| *memory.get_ref());
    if let Some(memory) = table.memory_mib.filter(|memory| !(16..=4096).contains(memory.get_ref())) {
        return Err(source.error(memory.span(), "`memory_mib` is RAM in MiB, 16 to 4096"));
    }
    let quantum = table.quantum.as_ref().map_or(DEFAULT_QUANTUM, |quantum| *quantum.get_ref());
    if let Some(quantum) = table.quantum.filter(|quantum| *quantum.get_ref() == 0) {
        return Err(source.error(quantum.span(), "`quantum` is how many steps a CPU makes in a turn, at least 1"));
    }
    let options = match &table.options {
        None => Vec::new(),
        Some(options) if options.get_ref().len() > MAX_OPTIONS => {
            return Err(source.error(options.span(), format!("`options` has more than {MAX_OPTIONS} characters")));
        }
        Some(options) => markdown::words(&source.string(options), scope)?,
    };
    let apic_ids = table.apic_ids.iter().map(number).collect::<Result<Vec<_>, _>>()?;
    let seed = table.seed.as_ref().map(number).transpose()?;
    Ok(Machine { cpus: number(&table.cpus)?, apic_ids, memory_mib, quantum, seed, options, line })
}

/// A number as an expression.
fn expression(source: &Source<'_>, number: &Spanned<Number>, scope: &Scope<'_>) -> Result<Expr, ContentError> {
    let text = match number.get_ref() {
        Number::Plain(value) => value.to_string(),
        Number::Text(text) => match text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
            Some(text) => text.to_owned(),
            None => {
                let what = format!("\"{text}\" is neither a number nor a drawn one, which is written \"{{name}}\"");
                return Err(source.error(number.span(), what));
            }
        },
    };
    let expr = Expr::parse(&text, scope).map_err(|error| source.error(number.span(), error.to_string()))?;
    if !expr.is_constant() {
        let what = format!("`{text}` asks the machine, which is only being made; drawn numbers can stand here");
        return Err(source.error(number.span(), what));
    }
    Ok(expr)
}
