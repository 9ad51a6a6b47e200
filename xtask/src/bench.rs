//! `cargo xtask bench`: how fast the machine runs, and how fast it can be stepped, here and on QEMU in the same run.

mod copies;
mod loop_image;
mod qemu;

use crate::rsp::Client;
use crate::{build, cmd, gdb, guest, project, setup};
use anyhow::{Context, Result, ensure};
use protocol::CpuId;
use protocol::request::{Advance, Answer, Direction, Request, Until, Wanted};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// Measures speed, release build, history on, and prints a table.
///
/// Guest instructions per second: an integer loop on one CPU, and a boot of the kernel with 4 CPUs. The time that the
/// program takes to start is measured and taken off. Each is the best of several runs, since nothing but other programs
/// makes one run slower than another.
///
/// Steps per second, in the same loop: one step of CPU 0 with the others held, then all registers of all CPUs, over the gdb socket, as a
/// debugger's window does at each key press. Here with gdb's packets and with the window's own (`advance`, which answers
/// both at once), and on QEMU's gdb server, whose CPU runs a loop in a ROM that is made for this.
///
/// Milliseconds of what lessons do at each stop, in a boot with 128 MiB: a client's first private copy of the machine,
/// the next one when the machine has made 10,000 steps more, the reads that a goal takes (all CPUs, a walk, memory),
/// and the way back to a saved run after an edit and 10,000 steps.
///
/// Milliseconds that the window takes for a frame, without the GPU (`debugger-ui/benches/frames.rs`).
#[derive(clap::Args, Debug)]
pub struct Args {
    /// How long each rate is measured
    #[arg(long, default_value_t = 2, value_name = "SECONDS")]
    seconds: u64,
}

/// Numbers of CPUs to step with.
const CPUS: [u16; 3] = [1, 4, 16];
/// Numbers of CPUs of which copies are made.
const COPIED: [u16; 2] = [2, 64];
const LOOP_STEPS: u64 = 400_000_000;
/// Runs of which the best counts: of the long loop, and of what is over in some hundredths of a second.
const LONG_RUNS: usize = 3;
const SHORT_RUNS: usize = 9;
/// What we want to reach: the loop in instructions per second, and the steps with 4 CPUs as a multiple of QEMU's.
const WANTED_LOOP: f64 = 40e6;
const WANTED_RATIO: f64 = 3.0;

pub fn main(args: &Args) -> Result<ExitCode> {
    setup::ensure(&[setup::Group::Build, setup::Group::Test])?;
    guest::build()?;
    build::host(&["machine"], true)?;
    let time = Duration::from_secs(args.seconds.max(1));

    let looped = integer_loop()?;
    let (boot_steps, booted) = boot()?;
    let mut rows = Vec::new();
    for cpus in CPUS {
        let arguments = ["--cpus".to_string(), cpus.to_string()];
        // A machine each: one that was driven by a client runs on when that leaves.
        let rate = |measure: &dyn Fn(&mut Client) -> Result<f64>| {
            let (process, address) = gdb::start_machine_on(&loop_image(), &arguments, true)?;
            let _process = cmd::Background(process);
            measure(&mut Client::connect(&address)?)
        };
        let advance = rate(&|client| advance_rate(client, time))?;
        let packets = rate(&|client| step_rate(client, cpus, time))?;
        let (qemu, address) = qemu::start(cpus)?;
        let there = step_rate(&mut Client::connect(&address)?, cpus, time)?;
        drop(qemu);
        rows.push((cpus, there, packets, advance));
    }

    let lessons = COPIED.map(|cpus| copies::measure(cpus).map(|times| (cpus, times)));

    println!("\nguest instructions per second");
    println!("  integer loop, 1 CPU       {:>8.1} million   (wanted: {:.0})", looped / 1e6, WANTED_LOOP / 1e6);
    println!(
        "  boot, 4 CPUs              {:>8.1} million   ({:.1} million steps)",
        booted / 1e6,
        boot_steps as f64 / 1e6
    );
    println!("\nsteps per second, each with all registers of all CPUs");
    println!("  CPUs      QEMU   here, gdb's packets      here, advance");
    for (cpus, there, packets, advance) in rows {
        println!(
            "  {cpus:>4}  {there:>8.0}   {packets:>10.0}  ({:>5.1} x)   {advance:>8.0}  ({:>5.1} x){}",
            packets / there,
            advance / there,
            if cpus == 4 { format!("   (wanted: {WANTED_RATIO:.0} x)") } else { String::new() }
        );
    }
    println!("\nmilliseconds, for lessons\n  CPUs   first copy   next copy   a goal's reads   back to a saved run");
    for measured in lessons {
        let (cpus, times) = measured?;
        let [first, again, goal, back] =
            [times.first, times.again, times.goal, times.back].map(|time| time.as_secs_f64() * 1e3);
        println!("  {cpus:>4}   {first:>10.2}   {again:>9.2}   {goal:>14.2}   {back:>19.2}");
    }
    cmd::run(cmd::cargo().args(["bench", "--quiet", "--package", "debugger-ui", "--bench", "frames"]))?;
    Ok(ExitCode::SUCCESS)
}

/// Seconds that a headless run takes: the best of so many.
fn best_time(runs: usize, arguments: &[&str]) -> Result<f64> {
    (0..runs).try_fold(f64::INFINITY, |best, _| Ok(best.min(run_time(arguments)?)))
}

/// Steps per second of a run that also has to start.
fn rate(steps: u64, busy: f64, idle: f64) -> Result<f64> {
    ensure!(busy > idle, "other programs leave this computer too little time: {steps} steps took no longer than none");
    Ok(steps as f64 / (busy - idle))
}

/// Seconds that a headless run takes.
fn run_time(arguments: &[&str]) -> Result<f64> {
    let mut machine = Command::new(project::program("firstlight-machine", true));
    machine.args(["--serial", "null"]).args(arguments);
    machine.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    println!("$ {}", cmd::line(&machine));
    let start = Instant::now();
    let output = machine.output().map_err(|error| cmd::explain(&machine, error))?;
    let seconds = start.elapsed().as_secs_f64();
    // 0: --until came true; 4: --max-steps.
    let code = output.status.code();
    ensure!(
        matches!(code, Some(0 | 4)),
        "it ended with {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(seconds)
}

/// Where the image that only counts is written to.
fn loop_image() -> PathBuf {
    project::guest().join("loop.elf")
}

fn integer_loop() -> Result<f64> {
    let image = loop_image();
    std::fs::write(&image, loop_image::elf()).with_context(|| format!("{} cannot be written", image.display()))?;
    let image = image.display().to_string();
    let idle = best_time(SHORT_RUNS, &["--kernel", &image, "--cpus", "1", "--max-steps", "1"])?;
    let busy = best_time(LONG_RUNS, &["--kernel", &image, "--cpus", "1", "--max-steps", &LOOP_STEPS.to_string()])?;
    rate(LOOP_STEPS, busy, idle)
}

/// Steps of a boot with 4 CPUs, and steps per second.
fn boot() -> Result<(u64, f64)> {
    let kernel = project::kernel().display().to_string();
    let events = project::guest().join("bench.jsonl").display().to_string();
    let until = ["--kernel", &kernel, "--cpus", "4", "--until", "online:4"];
    run_time(&[&until[..], &["--events", &events]].concat())?;
    let text = std::fs::read_to_string(&events).context("the machine wrote no events")?;
    let last = text.lines().last().context("the machine wrote no events")?;
    let last: serde_json::Value = serde_json::from_str(last).context("the last event is no JSON")?;
    let steps = last["step"].as_u64().context("the last event has no step")?;
    let idle = best_time(SHORT_RUNS, &["--kernel", &kernel, "--cpus", "4", "--max-steps", "1"])?;
    let busy = best_time(SHORT_RUNS, &until)?;
    Ok((steps, rate(steps, busy, idle)?))
}

/// Step, then read: gdb's packets.
fn step_rate(client: &mut Client, cpus: u16, time: Duration) -> Result<f64> {
    // As gdb begins; our server knows a gdb by it.
    client.ask("?")?;
    let start = Instant::now();
    let mut steps = 0u32;
    while start.elapsed() < time {
        let stop = client.ask("vCont;s:1")?;
        ensure!(stop.starts_with(['T', 'S']), "a step was answered by `{stop}`");
        for thread in 1..=cpus {
            let selected = client.ask(&format!("Hg{thread:x}"))?;
            ensure!(selected == "OK", "thread {thread} cannot be selected: `{selected}`");
            let registers = client.ask("g")?;
            ensure!(registers.len() > 16 * 16, "the registers of thread {thread} were answered by `{registers}`");
        }
        steps += 1;
    }
    Ok(f64::from(steps) / start.elapsed().as_secs_f64())
}

/// Step and read in one: the window's packet.
fn advance_rate(client: &mut Client, time: Duration) -> Result<f64> {
    let request = Request::Advance(Advance {
        cpu: Some(CpuId(0)),
        hold_others: true,
        direction: Direction::Forward,
        until: Until::Steps(1),
        budget: 1000,
        serial_input: Vec::new(),
        keys: Vec::new(),
        wanted: Wanted { all_cpus: true, ..Wanted::default() },
    });
    let start = Instant::now();
    let mut steps = 0u32;
    while start.elapsed() < time {
        let answer = client.request(&request)?;
        ensure!(matches!(&answer, Answer::Stopped(stopped) if !stopped.cpus.is_empty()), "advance said {answer:?}");
        steps += 1;
    }
    Ok(f64::from(steps) / start.elapsed().as_secs_f64())
}
