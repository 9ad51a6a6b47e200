//! `firstlight-machine`: the machine and its server without a window.
//!
//! [`flags`] is the command line, [`run`] what is done with the machine, [`until`] where it ends; the serial line is
//! [`serial_stdio`]'s, the lines of `--events` are [`events_json`]'s.

mod events_json;
mod flags;
mod run;
mod serial_stdio;
mod until;

use clap::Parser;
use flags::{Flags, Serial};
use machine::server::guest_image::GuestImage;
use machine::server::{self, ServerConfig, names};
use protocol::Position;
use run::{Run, SerialOut};
use serial_stdio::{Output, Terminal};
use std::path::Path;
use std::process::ExitCode;
use until::Condition;

/// Bad arguments or image.
const REFUSED: u8 = 2;

fn main() -> ExitCode {
    match start(&Flags::parse()) {
        Ok(status) => ExitCode::from(status),
        Err(why) => {
            eprintln!("firstlight-machine: {why}");
            ExitCode::from(REFUSED)
        }
    }
}

fn start(flags: &Flags) -> Result<u8, String> {
    let image = flags.image.open(flags.profile.as_deref())?;
    let no_profile = image.no_profile().map(str::to_owned);
    let recorded = flags.run.as_deref().map(read_run).transpose()?;
    let mut machine = recorded.as_ref().map_or_else(|| flags.machine(), |run| run.config.clone());
    if let Some(path) = &flags.efi_variables {
        machine.firmware.variables = read_variables(path)?;
    }
    check(flags, machine.cpus, &*image)?;
    // A file that cannot be written is better known before a long run than after it.
    let save = flags.save_run.as_deref().map(open_to_save).transpose()?;
    let serial = match &flags.serial {
        Serial::Stdio => None,
        Serial::Null => Some(SerialOut::Null),
        Serial::File(path) => Some(SerialOut::File(create("--serial file", path)?)),
    };
    let events = flags.events.as_deref().map(|path| create("--events", path)).transpose()?;
    // From here on the terminal is raw, until it is dropped at the end of this function.
    let terminal = serial.is_none().then(Terminal::take).transpose()?;
    let raw = terminal.as_ref().is_some_and(Terminal::is_raw);
    let run = Run {
        until: flags.until.clone(),
        max_steps: flags.max_steps,
        wait: flags.wait,
        narrate: flags.narrate,
        serial: serial.unwrap_or_else(|| SerialOut::Stdio(Output::new(raw))),
        events: events.map(std::io::BufWriter::new),
        raw,
        console_done: 0,
        events_done: Position(0),
        broken: false,
        save,
        variables: flags.efi_variables.clone().map(|path| (path, None)),
    };
    let mut server = server::prepare(ServerConfig {
        image,
        machine,
        // Nobody but a debugger goes back.
        history_bytes: if flags.gdb.is_some() || flags.run.is_some() { server::DEFAULT_HISTORY_BYTES } else { 0 },
        program: Some(Box::new(run)),
    })?;
    if let (Some(recorded), Some(path)) = (&recorded, &flags.run) {
        server.load(recorded).map_err(|why| format!("--run {}: {why}", path.display()))?;
    }
    let end = if raw { "\r\n" } else { "\n" };
    if let Some(why) = no_profile {
        eprint!("firstlight-machine: {why}.{end}");
    }
    // The socket is there before the machine moves, so that a script can rely on it.
    if let Some(address) = &flags.gdb {
        let at = server.listen(address)?;
        eprint!("gdb: listening on {at}{end}");
    }
    let server = server.start()?;
    if terminal.is_some() {
        serial_stdio::read(server.serial(), raw)?;
    }
    Ok(server.wait())
}

/// The firmware's variables; where there is no such file there are none yet.
fn read_variables(path: &Path) -> Result<Vec<u8>, String> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(bytes),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(format!("--efi-variables {}: {error}", path.display())),
    }
}

/// What the image has to say about the other arguments.
fn check(flags: &Flags, cpus: u16, image: &dyn GuestImage) -> Result<(), String> {
    let bad_cpu = |id: u16| format!("--until speaks of CPU {id}; this machine has {cpus} (from 0)");
    match &flags.until {
        Some(Condition::Symbol(_, name)) => match image.profile() {
            None => {
                Err(format!("--until {name}: there is no profile, so there are no symbols; give an address, 0x..."))
            }
            Some(profile) if !names::knows(profile, name) => {
                Err(format!("--until {name}: the profile has no such symbol, and it is no condition; see --help"))
            }
            Some(_) => Ok(()),
        },
        _ => Ok(()),
    }?;
    match &flags.until {
        Some(Condition::Symbol(Some(cpu), _) | Condition::Address(Some(cpu), _) | Condition::Event(Some(cpu), _))
            if cpu.0 >= cpus =>
        {
            Err(bad_cpu(cpu.0))
        }
        _ => Ok(()),
    }
}

/// A run that was saved.
fn read_run(path: &Path) -> Result<protocol::run::Run, String> {
    let name = path.display();
    let text = std::fs::read(path).map_err(|error| format!("--run {name}: {error}: is the path right?"))?;
    serde_json::from_slice(&text)
        .map_err(|error| format!("--run {name}: {error}: this is no run, or not a whole one; --save-run writes them"))
}

/// Leaves what is in it alone until there is something better.
fn open_to_save(path: &Path) -> Result<std::fs::File, String> {
    std::fs::File::options().write(true).create(true).truncate(false).open(path).map_err(|error| {
        format!("--save-run {}: {error}: is the folder there, and may you write to it?", path.display())
    })
}

fn create(what: &str, path: &Path) -> Result<std::fs::File, String> {
    std::fs::File::create(path)
        .map_err(|error| format!("{what} {}: {error}: is the folder there, and may you write to it?", path.display()))
}
