//! Starting other programs: printed before, errors that say what was started and what to do.

use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::process::{Child, Command};

/// cargo, the one that runs us, in the project's root.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(crate::project::root());
    // What cargo told xtask about itself is not for the crates that are built now.
    for (name, _) in std::env::vars_os() {
        let ours = name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_BIN_"));
        if ours || name == "CARGO_MANIFEST_DIR" || name == "CARGO_MANIFEST_PATH" {
            command.env_remove(name);
        }
    }
    command
}

/// The command as one would type it, without the environment.
pub fn line(command: &Command) -> String {
    let word = |text: &OsStr| {
        let text = text.to_string_lossy();
        if text.contains([' ', '\'', '"', '*', ';']) { format!("'{text}'") } else { text.into_owned() }
    };
    let program = std::path::Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());
    std::iter::once(name).chain(command.get_args()).map(word).collect::<Vec<_>>().join(" ")
}

/// Prints and runs a command; an error where it does not end with success.
pub fn run(command: &mut Command) -> Result<()> {
    println!("$ {}", line(command));
    let status = command.status().map_err(|error| explain(command, error))?;
    if !status.success() {
        bail!("`{}` failed ({status}); its messages are above", line(command));
    }
    Ok(())
}

/// Starts a command and leaves it running.
pub fn spawn(command: &mut Command) -> Result<Child> {
    println!("$ {}", line(command));
    command.spawn().map_err(|error| explain(command, error))
}

/// Runs a command for what it prints.
pub fn output(command: &mut Command) -> Result<String> {
    let output = command.output().map_err(|error| explain(command, error))?;
    if !output.status.success() {
        bail!("`{}` failed: {}", line(command), String::from_utf8_lossy(&output.stderr).trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{}` printed something that is no text", line(command)))
}

/// An error that tells what to do where a program is missing.
pub fn explain(command: &Command, error: std::io::Error) -> anyhow::Error {
    let name = command.get_program().to_string_lossy().into_owned();
    if error.kind() == ErrorKind::NotFound {
        let package = crate::setup::package_of(&name);
        let hint = package.map_or(String::new(), |package| format!(", in Debian's package {package}"));
        anyhow::anyhow!("{name} is not installed{hint}; `cargo xtask setup` installs or names what is missing")
    } else {
        anyhow::Error::new(error).context(format!("`{}` cannot be started", line(command)))
    }
}

/// A child that does not outlive the scope, whatever happens in it.
#[derive(Debug)]
pub struct Background(pub Child);

impl Drop for Background {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to do.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
