//! The machine's configuration as edited by the user, and the window's few switches.

use super::input;
use protocol::firmware::{Variable, Variables};
use protocol::request::{FirmwareConfig, MachineConfig};

/// Settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The machine, as text fields: parsed and checked by [`Draft::config`].
    pub draft: Draft,
    /// What is wrong with the draft, after it was tried.
    pub error: Option<String>,
    /// Intel syntax; AT&T otherwise.
    pub intel: bool,
    /// The panel is open, so that what it tells of the machine is read.
    pub shown: bool,
    /// The firmware's variables, once they are read.
    pub variables: Option<Variables>,
}

/// Which variables the firmware of the next machine begins with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// Those with which this one was powered on.
    #[default]
    PowerOn,
    /// Those that this one has when the next one is powered on.
    Now,
    /// None, as in a new computer.
    None,
}

impl Settings {
    /// The variables that the draft keeps; None: what they are is not read yet.
    pub fn kept(&self) -> Option<&[Variable]> {
        let read = self.variables.as_ref();
        match self.draft.keep {
            Keep::PowerOn => read.map(|read| &read.at_power_on[..]),
            Keep::Now => read.map(|read| &read.now[..]),
            Keep::None => Some(&[]),
        }
    }

    /// The configuration that the draft stands for, or what is wrong with it and what would be right.
    pub fn config(&self) -> Result<MachineConfig, String> {
        let mut config = self.draft.config()?;
        match (self.draft.keep, &self.variables) {
            (Keep::PowerOn, _) => {}
            (Keep::None, _) => config.firmware.variables.clear(),
            (Keep::Now, Some(read)) => config.firmware.variables.clone_from(&read.contents),
            (Keep::Now, None) => return Err("The firmware's variables are not read yet. Try again.".to_owned()),
        }
        Ok(config)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self { draft: Draft::default(), error: None, intel: true, shown: false, variables: None }
    }
}

/// The configuration as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft {
    /// "2".
    pub cpus: String,
    /// "0,4", or empty.
    pub apic_ids: String,
    /// "128M".
    pub memory: String,
    /// "64".
    pub quantum: String,
    /// Empty: round-robin.
    pub seed: String,
    /// Words for the kernel.
    pub options: String,
    /// "slow-init", or empty.
    pub cpu_quirks: String,
    /// "no-hand-over", or empty.
    pub firmware_quirks: String,
    /// Which of the firmware's variables are kept.
    pub keep: Keep,
    /// The memory in which the firmware keeps them, as it was at power-on.
    variables: Vec<u8>,
}

impl Draft {
    /// The text that stands for a configuration.
    pub fn of(config: &MachineConfig) -> Self {
        let bytes = config.memory_bytes;
        let memory = match bytes {
            _ if bytes != 0 && bytes.is_multiple_of(1 << 30) => format!("{}G", bytes >> 30),
            _ if bytes != 0 && bytes.is_multiple_of(1 << 20) => format!("{}M", bytes >> 20),
            _ => bytes.to_string(),
        };
        Self {
            cpus: config.cpus.to_string(),
            apic_ids: config.apic_ids.iter().map(u8::to_string).collect::<Vec<_>>().join(","),
            memory,
            quantum: config.quantum.to_string(),
            seed: config.seed.map(|seed| seed.to_string()).unwrap_or_default(),
            options: config.options.clone(),
            cpu_quirks: config.cpu_quirks.iter().map(|quirk| quirk.word()).collect::<Vec<_>>().join(" "),
            firmware_quirks: config.firmware.quirks.iter().map(|quirk| quirk.word()).collect::<Vec<_>>().join(" "),
            keep: Keep::PowerOn,
            variables: config.firmware.variables.clone(),
        }
    }

    /// The configuration that the text stands for, with the variables of power-on; or what is wrong with it and what would be
    /// right.
    fn config(&self) -> Result<MachineConfig, String> {
        let cpus = input::decimal(&self.cpus).ok().filter(|cpus| (1..=255).contains(cpus));
        let cpus = cpus.ok_or_else(|| format!("\"{}\" CPUs: there can be 1 to 255.", self.cpus))? as u16;
        let apic_ids = apic_ids(&self.apic_ids, cpus)?;
        let memory_bytes = input::size(&self.memory)?;
        if memory_bytes == 0 || !memory_bytes.is_multiple_of(4096) {
            return Err(format!("Memory of {} is not a multiple of 4096 bytes. Try 128M.", self.memory));
        }
        let quantum = input::decimal(&self.quantum).ok().and_then(|steps| u32::try_from(steps).ok()).filter(|q| *q > 0);
        let quantum =
            quantum.ok_or_else(|| format!("A quantum of \"{}\" steps: write 1 or more, as in 64.", self.quantum))?;
        let seed = match self.seed.trim() {
            "" => None,
            text => Some(input::decimal(text).map_err(|why| format!("Seed: {why}"))?),
        };
        let cpu_quirks = words(&self.cpu_quirks).map(str::parse).collect::<Result<_, _>>()?;
        let quirks = words(&self.firmware_quirks).map(str::parse).collect::<Result<_, _>>()?;
        let firmware = FirmwareConfig { quirks, variables: self.variables.clone() };
        let options = self.options.clone();
        Ok(MachineConfig { cpus, apic_ids, memory_bytes, quantum, seed, options, cpu_quirks, firmware })
    }
}

/// Words with commas or spaces between them.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', ' ']).filter(|word| !word.is_empty())
}

/// A list of APIC IDs: "0,4" or "0 4", one for each CPU, none twice. Empty: 0, 1, 2, ...
pub fn apic_ids(text: &str, cpus: u16) -> Result<Vec<u8>, String> {
    let words: Vec<&str> = words(text).collect();
    if words.is_empty() {
        return Ok(Vec::new());
    }
    let mut ids = Vec::with_capacity(words.len());
    for word in words {
        let id = word.parse::<u8>().ok().filter(|id| *id != 255);
        let id = id.ok_or_else(|| format!("APIC ID {word}: it must be 0 to 254; 255 means every CPU."))?;
        if ids.contains(&id) {
            return Err(format!("APIC ID {id} stands twice: each CPU needs its own."));
        }
        ids.push(id);
    }
    if ids.len() != usize::from(cpus) {
        return Err(format!("{} APIC IDs for {cpus} CPUs: give one for each CPU, or none.", ids.len()));
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft() -> Draft {
        let text = |text: &str| text.to_owned();
        Draft {
            cpus: text("2"),
            apic_ids: text("0, 4"),
            memory: text("128M"),
            quantum: text("64"),
            seed: String::new(),
            options: text("bringup=serial"),
            cpu_quirks: text("slow-init, efer-lma-gp"),
            firmware_quirks: text("no-hand-over touch-page-zero"),
            keep: Keep::PowerOn,
            variables: vec![1, 2],
        }
    }

    /// Goal: a configuration survives being text; method: there and back.
    #[test]
    fn round_trip() {
        let config = draft().config().unwrap();
        assert_eq!((config.cpus, config.apic_ids.as_slice(), config.memory_bytes), (2, &[0, 4][..], 128 << 20));
        assert_eq!(Draft::of(&config).config(), Ok(config));
    }

    /// Goal: mistakes are named; method: one in each field.
    #[test]
    fn mistakes() {
        let wrong = |change: fn(&mut Draft)| {
            let mut draft = draft();
            change(&mut draft);
            draft.config().unwrap_err()
        };
        assert!(wrong(|draft| draft.cpus = "300".to_owned()).contains("1 to 255"));
        assert!(wrong(|draft| draft.apic_ids = "1".to_owned()).contains("one for each CPU"));
        assert!(wrong(|draft| draft.apic_ids = "3,3".to_owned()).contains("twice"));
        assert!(wrong(|draft| draft.memory = "100".to_owned()).contains("4096"));
        assert!(wrong(|draft| draft.quantum = "0".to_owned()).contains("quantum"));
        assert!(wrong(|draft| draft.cpu_quirks = "tired".to_owned()).contains("slow-init"));
        assert!(wrong(|draft| draft.firmware_quirks = "slow-init".to_owned()).contains("no-hand-over"));
        assert!(wrong(|draft| draft.seed = "x".to_owned()).contains("Seed"));
    }

    /// Goal: the next machine begins with the variables that were chosen, "now" being when it is powered on. Method: a machine that
    /// had one and has two, then three.
    #[test]
    fn variables() {
        let variable = |name: &str| Variable { name: name.to_owned(), vendor: String::new(), attributes: 7, bytes: 1 };
        let read = |now: &[&str], contents: &[u8]| Variables {
            at_power_on: vec![variable("A")],
            now: now.iter().map(|name| variable(name)).collect(),
            contents: contents.to_vec(),
        };
        let mut settings = Settings { draft: draft(), ..Settings::default() };
        let begins_with = |settings: &Settings| settings.config().map(|config| config.firmware.variables);
        assert_eq!((settings.kept(), begins_with(&settings)), (None, Ok(vec![1, 2])));
        settings.draft.keep = Keep::Now;
        assert!(begins_with(&settings).unwrap_err().contains("not read yet"));
        settings.variables = Some(read(&["A", "B"], &[1, 2, 3]));
        assert_eq!((settings.kept().unwrap().len(), begins_with(&settings)), (2, Ok(vec![1, 2, 3])));
        settings.variables = Some(read(&["A", "B", "C"], &[1, 2, 3, 4]));
        assert_eq!((settings.kept().unwrap().len(), begins_with(&settings)), (3, Ok(vec![1, 2, 3, 4])));
        settings.draft.keep = Keep::PowerOn;
        assert_eq!((settings.kept().unwrap().len(), begins_with(&settings)), (1, Ok(vec![1, 2])));
        settings.draft.keep = Keep::None;
        assert_eq!((settings.kept().unwrap().len(), begins_with(&settings)), (0, Ok(vec![])));
    }
}
