//! `cargo xtask fuzz`: libFuzzer on whatever takes bytes from outside, with the stable compiler.
//!
//! The targets are the programs of the package `fuzz`, which is no member of the workspace: [`FLAGS`] are for it alone.
//! Inputs that cover something new are kept in target/fuzz/corpus, what crashes in target/fuzz/artifacts.

use crate::{cmd, project, setup};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What makes the stable compiler count what is covered.
const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
                     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table";
/// Where the programs go: with --target, so that build scripts are not built with the flags.
const HOST: &str = "x86_64-unknown-linux-gnu";
/// Longest input that is tried, in bytes.
const MAX_BYTES: usize = 1 << 16;

/// A target: its name, and what its inputs are.
const TARGETS: &[(&str, &str)] = &[
    ("loader", "options and an ELF file for bootloader_api"),
    ("pc_image", "multiboot, PVH, ROM, disk and flat images"),
    ("step", "a CPU's state and memory, then some steps, in a row and one by one"),
    ("rsp", "bytes and packets for the gdb server"),
    ("run_file", "runs as files"),
    ("lesson", "lessons"),
    ("tables", "what firmware tells the kernel: MADT, EFI's memory map, hand-over lines, options"),
];

/// Fuzzes what takes bytes from outside, with libFuzzer. Needs g++.
///
/// Targets:
///
///   loader      options and an ELF file for bootloader_api
///   pc_image    multiboot, PVH, ROM, disk and flat images
///   step        a CPU's state and memory, then some steps, in a row and one by one
///   rsp         bytes and packets for the gdb server
///   run_file    runs as files
///   lesson      lessons
///   tables      what firmware tells the kernel: MADT, EFI's memory map, hand-over lines, options
///
/// What was found before is tried first, then what the project itself has of that kind. An input that crashes is kept in
/// target/fuzz/artifacts/TARGET, and `cargo xtask fuzz TARGET --input FILE` tries it again.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Only this one [default: one after the other].
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(TARGETS.iter().map(|target| target.0)))]
    target: Option<String>,
    /// Seconds for each target.
    #[arg(long, value_name = "N", default_value_t = 60)]
    seconds: u64,
    /// Try this one input only.
    #[arg(long, value_name = "FILE", requires = "target")]
    input: Option<PathBuf>,
}

pub fn main(args: &Args) -> Result<ExitCode> {
    setup::ensure(&[setup::Group::Build])?;
    let folder = project::target().join("fuzz");
    let mut cargo = cmd::cargo();
    cargo.args(["build", "--release", "--bins", "--target", HOST, "--manifest-path", "fuzz/Cargo.toml"]);
    cargo.arg("--target-dir").arg(&folder).env("RUSTFLAGS", FLAGS).env("CARGO_INCREMENTAL", "0");
    cmd::run(&mut cargo)?;
    let mut found = Vec::new();
    for (name, _) in TARGETS.iter().filter(|target| args.target.as_deref().is_none_or(|only| only == target.0)) {
        let program = folder.join(HOST).join("release").join(name);
        let mut fuzzer = std::process::Command::new(&program);
        if let Some(input) = &args.input {
            fuzzer.arg(input);
        } else {
            let corpus = made(&folder.join("corpus").join(name))?;
            let seeds = made(&folder.join("seeds").join(name))?;
            plant(name, &seeds)?;
            let artifacts = made(&folder.join("artifacts").join(name))?;
            fuzzer.arg(corpus).arg(seeds);
            fuzzer.arg(format!("-artifact_prefix={}/", artifacts.display()));
            fuzzer.args([format!("-max_total_time={}", args.seconds), format!("-max_len={MAX_BYTES}")]);
            fuzzer.args(["-timeout=30", "-rss_limit_mb=4096", "-print_final_stats=1"]);
        }
        println!("$ {}", cmd::line(&fuzzer));
        let status = fuzzer.status().map_err(|error| cmd::explain(&fuzzer, error))?;
        if !status.success() {
            found.push(*name);
        }
    }
    if !found.is_empty() {
        bail!("something was found in: {}; the input is in {}", found.join(", "), folder.join("artifacts").display());
    }
    Ok(ExitCode::SUCCESS)
}

fn made(folder: &Path) -> Result<PathBuf> {
    fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    Ok(folder.to_path_buf())
}

/// Puts what the project has of a target's inputs into a folder.
fn plant(target: &str, folder: &Path) -> Result<()> {
    let mut seeds: Vec<Vec<u8>> = Vec::new();
    match target {
        "lesson" => {
            for entry in fs::read_dir(project::root().join("lessons/content"))? {
                let file = entry?.path().join("lesson.md");
                seeds.extend(fs::read(file).ok());
            }
        }
        // The real kernel is longer than what is tried.
        "loader" => {
            let kernel = crate::pie::kernel();
            // ET_EXEC instead of ET_DYN, linked at 0, and the same as it is.
            let mut fixed = kernel.clone();
            fixed[0x10] = 2;
            seeds.extend([kernel, fixed].map(|elf| [b"bringup=parallel\0", &elf[..]].concat()));
        }
        "pc_image" => {
            let flat = [&[4][..], b"a b\0", &[0x40, 0xeb, 0xfd]].concat();
            let magic = 0x1bad_b002u32;
            let header = [magic, 0x1_0003, (magic + 0x1_0003).wrapping_neg(), 0x10_0000, 0x10_0000, 0, 0, 0x10_0020];
            let multiboot: Vec<u8> = header.iter().flat_map(|word| word.to_le_bytes()).chain([0xf4]).collect();
            seeds.extend([flat, [&[0][..], b"k\0", &multiboot].concat()]);
        }
        "rsp" => seeds.push(
            b"qSupported:xmlRegisters=i386\n?\ng\nHg1\nm7c00,10\nZ0,7c02,1\nvCont;s:1;c\nbs\nqRcmd,68656c70\nP0=11\nD".to_vec(),
        ),
        "run_file" => seeds.push(
            br#"{"version":1,"image_sha256":"","machine":"","config":{"cpus":2,"apic_ids":[],"memory_bytes":1048576,"quantum":64,"seed":7,"options":""},"inputs":[{"position":3,"kind":{"Serial":[65]}},{"position":5,"kind":"Reset"},{"position":9,"kind":{"Nmi":0}}],"holds":[{"start":20,"steps":5,"cpu":0}],"end":100}"#
                .to_vec(),
        ),
        "tables" => {
            let mut madt = [b"\0APIC".as_slice(), &[52, 0, 0, 0, 3], &[0; 35]].concat();
            madt.extend([0, 8, 1, 1, 1, 0, 0, 0]);
            seeds.extend([madt, [&[1, 48][..], &[7; 96]].concat(), b"\x02bringup=serial x2apic=on\n".to_vec()]);
        }
        _ => {}
    }
    for (index, seed) in seeds.iter().enumerate() {
        let path = folder.join(index.to_string());
        fs::write(&path, seed).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    Ok(())
}
