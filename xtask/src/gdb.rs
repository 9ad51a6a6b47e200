//! `cargo xtask gdb`: a machine without a window and a gdb attached to it, with names for kernel and blob.

use crate::cmd::{self, Background};
use crate::guest::{self, symbols::Linked};
use crate::{build, project, setup};
use anyhow::{Context, Result, bail};
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};

/// Starts a machine and a gdb attached to it, with symbols for the kernel and the real-mode code.
///
/// The machine waits at its first step. CPUs are threads (thread 2 is CPU 1); $rip is the linear address in every mode;
/// reverse-stepi and reverse-continue work. Intel flavour. The commands that set gdb up are in xtask/gdb/attach.gdb, to
/// be read or used with another gdb. `firstlight-symbols` loads the real-mode code's symbols once the kernel has put it
/// below 1 MiB; until then it lies nowhere.
///
/// What follows `--` goes to firstlight-machine, for example `cargo xtask gdb -- --cpus 4 --serial file:console.txt`;
/// else the kernel's console is not shown, since the terminal is gdb's.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Run the gdb commands in this file and end; the exit status is gdb's
    #[arg(long, value_name = "FILE")]
    batch: Option<PathBuf>,
    /// Host programs with all optimizations
    #[arg(long)]
    release: bool,
    /// For the program `firstlight-machine`
    #[arg(last = true)]
    arguments: Vec<String>,
}

pub fn main(args: &Args) -> Result<ExitCode> {
    setup::ensure(&[setup::Group::Build, setup::Group::Test])?;
    guest::build()?;
    build::host(&["machine"], args.release)?;
    let (machine, address) = start_machine(&args.arguments, args.release)?;
    let _machine = Background(machine);
    let batch: Vec<&Path> = args.batch.iter().map(PathBuf::as_path).collect();
    let mut gdb = gdb(&address, &batch)?;
    println!("$ {}", cmd::line(&gdb));
    let status = gdb.status().map_err(|error| cmd::explain(&gdb, error))?;
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}

/// Starts firstlight-machine with the kernel and an open gdb socket on a free port, waiting; where it listens.
pub fn start_machine(arguments: &[String], release: bool) -> Result<(Child, String)> {
    start_machine_on(&project::kernel(), arguments, release)
}

/// The same with another image. Names are in the profile beside it, if there is one.
pub fn start_machine_on(image: &Path, arguments: &[String], release: bool) -> Result<(Child, String)> {
    let mut machine = Command::new(project::program("firstlight-machine", release));
    machine.arg("--kernel").arg(image);
    machine.args(["--gdb", "127.0.0.1:0", "--wait"]).args(arguments);
    // The terminal is gdb's.
    if !arguments.iter().any(|argument| argument.starts_with("--serial")) {
        machine.args(["--serial", "null"]);
    }
    machine.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = cmd::spawn(&mut machine)?;
    match listening_address(&mut child) {
        Ok(address) => Ok((child, address)),
        Err(error) => {
            drop(Background(child));
            Err(error)
        }
    }
}

/// Reads what a program prints until it tells where it listens; keeps its output flowing afterwards.
fn listening_address(child: &mut Child) -> Result<String> {
    let stdout = child.stdout.take().context("the machine's output is not piped")?;
    let stderr = child.stderr.take().context("the machine's output is not piped")?;
    let (send, receive) = std::sync::mpsc::channel();
    let forward = |stream: Box<dyn Read + Send>, send: std::sync::mpsc::Sender<String>| {
        std::thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(std::result::Result::ok) {
                // Nobody listens any more once the address is known: the rest is for the terminal.
                if let Err(error) = send.send(line) {
                    eprintln!("{}", error.0);
                }
            }
        })
    };
    forward(Box::new(stdout), send.clone());
    forward(Box::new(stderr), send);
    let mut said = Vec::new();
    while let Ok(line) = receive.recv_timeout(std::time::Duration::from_secs(20)) {
        if let Some(address) = address_in(&line) {
            return Ok(address);
        }
        said.push(line);
    }
    bail!("firstlight-machine did not open its gdb socket; it said: {}", said.join(" / "))
}

/// `127.0.0.1:PORT` somewhere in a line.
fn address_in(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("127.0.0.1:")?;
    let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
    (port != "0" && !port.is_empty()).then(|| format!("127.0.0.1:{port}"))
}

/// gdb, about to attach. `batch`: files of commands to run, and no terminal; empty: for somebody at a terminal.
pub fn gdb(address: &str, batch: &[&Path]) -> Result<Command> {
    let script = session_script(address)?;
    let mut gdb = Command::new("gdb");
    gdb.args(["-q", "-nx"]);
    if !batch.is_empty() {
        gdb.arg("-batch").stdin(Stdio::null());
    }
    gdb.arg("-x").arg(project::root().join("xtask/gdb/attach.gdb"));
    gdb.arg("-x").arg(script);
    gdb.arg(project::kernel());
    gdb.args(["-ex", "firstlight-attach"]);
    for file in batch {
        gdb.arg("-x").arg(file);
    }
    Ok(gdb)
}

/// gdb commands that depend on the image and on the session: where in the kernel the blob's base is kept, which file has
/// its symbols, and where the machine listens.
fn session_script(address: &str) -> Result<PathBuf> {
    let kernel = Linked::read(&project::kernel(), 64)?;
    let base = kernel.find(guest::BLOB_BASE);
    let base = base.with_context(|| format!("the kernel has no symbol {}", guest::BLOB_BASE))?.address;
    let blob = project::blob();
    let sources: String = guest::folder_names()
        .iter()
        .map(|(folder, name)| format!("set substitute-path {name} {}\n", folder.display()))
        .collect();
    let text = format!(
        "{sources}define firstlight-attach\n  target remote {address}\nend\n\
         document firstlight-attach\nAttaches to the machine, after a detach.\nend\n\
         define firstlight-symbols\n  set $blob = *(unsigned long *){base:#x}\n  if $blob == 0\n    echo the kernel has \
         not placed its real-mode code yet\\n\n  else\n    add-symbol-file \"{}\" -o $blob\n  end\nend\n\
         document firstlight-symbols\nLoads the symbols of the real-mode code, once the kernel has placed it.\nend\n",
        blob.display()
    );
    let path = project::guest().join("session.gdb");
    fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::address_in;

    /// Goal: the address is found in whatever words the program says it; method: a few lines.
    #[test]
    fn addresses() {
        assert_eq!(address_in("gdb: listening on 127.0.0.1:40123").as_deref(), Some("127.0.0.1:40123"));
        assert_eq!(address_in("target remote 127.0.0.1:1234, if you like").as_deref(), Some("127.0.0.1:1234"));
        assert_eq!(address_in("cannot listen on 127.0.0.1:0"), None);
        assert_eq!(address_in("hello"), None);
    }
}
