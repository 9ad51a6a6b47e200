//! `cargo xtask setup`: the Debian packages that building, running and testing need.

use crate::cmd;
use anyhow::{Result, bail};
use std::io::IsTerminal;
use std::process::{Command, ExitCode, Stdio};

/// Installs the system packages that Firstlight needs, or names them.
///
/// Rust itself comes by rustup, which reads rust-toolchain.toml. On Debian and what derives from it missing packages are
/// installed with apt-get: as root, or with sudo where that asks for no password or somebody is there to type it. Else
/// the command to run is printed, and the exit status is 1. Where everything is there nothing is done.
///
/// Groups: build (a linker and libc for the host programs), window (what the window, and the tests that draw pictures of
/// it, load at run time), test (gdb, QEMU and a firmware for it, an X server without a screen, its keyboard and camera).
///
/// suites (Bochs, and GRUB for it, for `cargo xtask suites`) is installed where it is named only.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Only tell what is missing; exit status 1 if something is
    #[arg(long)]
    check: bool,
    /// Only these groups
    #[arg(value_enum)]
    groups: Vec<Group>,
}

/// What packages are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Group {
    /// Host programs.
    Build,
    /// Opening the window, and drawing pictures of it in tests.
    Window,
    /// `cargo xtask test` and `bench`.
    Test,
    /// Bochs for `cargo xtask suites`.
    Suites,
}

/// A Debian package, who needs it, and a program in it, if it is needed for one.
struct Package {
    name: &'static str,
    group: Group,
    program: Option<&'static str>,
}

const fn package(name: &'static str, group: Group, program: Option<&'static str>) -> Package {
    Package { name, group, program }
}

/// Debian 12 "bookworm". The window's libraries are loaded at run time: nothing links to them.
const PACKAGES: &[Package] = &[
    package("gcc", Group::Build, Some("cc")),
    package("libc6-dev", Group::Build, None),
    package("libgl1", Group::Window, None),
    package("libglx-mesa0", Group::Window, None),
    package("libgl1-mesa-dri", Group::Window, None),
    package("libegl1", Group::Window, None),
    package("libx11-6", Group::Window, None),
    package("libx11-xcb1", Group::Window, None),
    package("libxcursor1", Group::Window, None),
    package("libxi6", Group::Window, None),
    package("libxrender1", Group::Window, None),
    package("libxkbcommon0", Group::Window, None),
    package("libxkbcommon-x11-0", Group::Window, None),
    package("gdb", Group::Test, Some("gdb")),
    package("qemu-system-x86", Group::Test, Some("qemu-system-x86_64")),
    package("ovmf", Group::Test, None),
    package("xvfb", Group::Test, Some("Xvfb")),
    package("xdotool", Group::Test, Some("xdotool")),
    package("imagemagick", Group::Test, Some("import")),
    package("bochs", Group::Suites, Some("bochs")),
    package("bochs-term", Group::Suites, None),
    package("bochsbios", Group::Suites, None),
    package("vgabios", Group::Suites, None),
    package("grub-common", Group::Suites, Some("grub-mkrescue")),
    package("grub-pc-bin", Group::Suites, None),
    package("xorriso", Group::Suites, Some("xorriso")),
    package("mtools", Group::Suites, Some("mformat")),
];

/// The package that brings a program.
pub fn package_of(program: &str) -> Option<&'static str> {
    PACKAGES.iter().find(|package| package.program == Some(program)).map(|package| package.name)
}

pub fn main(args: &Args) -> Result<ExitCode> {
    let groups: &[Group] =
        if args.groups.is_empty() { &[Group::Build, Group::Window, Group::Test] } else { &args.groups };
    if args.check {
        let missing = missing(groups);
        if missing.is_empty() {
            println!("setup: everything is there");
            return Ok(ExitCode::SUCCESS);
        }
        println!("setup: missing: {}", missing.join(" "));
        return Ok(ExitCode::FAILURE);
    }
    ensure(groups)?;
    println!("setup: everything is there");
    Ok(ExitCode::SUCCESS)
}

/// Installs what is missing of these groups.
///
/// # Errors
/// Where it may not install, with the command for somebody who may.
pub fn ensure(groups: &[Group]) -> Result<()> {
    let missing = missing(groups);
    if missing.is_empty() {
        return Ok(());
    }
    let by_hand = format!("apt-get install --no-install-recommends {}", missing.join(" "));
    if !is_there("apt-get") {
        bail!(
            "this is no Debian, so the packages cannot be looked up. Programs missing or unknown: {}. On Debian one \
             would run: {by_hand}",
            missing.join(" ")
        );
    }
    let Some(prefix) = privileges() else {
        bail!("packages are missing, and installing them takes root. Run: sudo {by_hand}");
    };
    println!("setup: installing {}", missing.join(" "));
    let apt = |arguments: &[&str]| {
        let mut words = prefix.iter().copied().chain(["apt-get"]);
        let mut command = Command::new(words.next().unwrap_or("apt-get"));
        command.args(words).args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        cmd::run(&mut command)
    };
    apt(&["update", "-q"])?;
    apt(&[&["install", "-y", "-q", "--no-install-recommends"], missing.as_slice()].concat())
}

/// Names of the packages that are not installed. Where there is no dpkg: those whose programs are not there.
fn missing(groups: &[Group]) -> Vec<&'static str> {
    let wanted = PACKAGES.iter().filter(|package| groups.contains(&package.group));
    let is_missing = |package: &&Package| {
        let query = Command::new("dpkg-query").args(["-W", "-f=${db:Status-Abbrev}", package.name]).output();
        let installed = query.map(|output| output.stdout.starts_with(b"ii"));
        // A program from elsewhere (another linker, a QEMU of one's own) does as well.
        !installed.unwrap_or(package.program.is_none()) && !package.program.is_some_and(is_there)
    };
    wanted.filter(is_missing).map(|package| package.name).collect()
}

/// How to run something as root: words before the command. None: not at all.
fn privileges() -> Option<&'static [&'static str]> {
    let id = Command::new("id").arg("-u").output().ok()?;
    if id.stdout.starts_with(b"0\n") {
        return Some(&[]);
    }
    let mut sudo = Command::new("sudo");
    sudo.args(["-n", "true"]).stdin(Stdio::null()).stderr(Stdio::null());
    if sudo.status().is_ok_and(|status| status.success()) {
        Some(&["sudo", "-n"])
    } else if std::io::stdin().is_terminal() && is_there("sudo") {
        Some(&["sudo"])
    } else {
        None
    }
}

fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}
