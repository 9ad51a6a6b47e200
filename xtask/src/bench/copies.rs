//! What lessons ask of the machine: a private copy, and what a goal is checked with.

use crate::cmd::Background;
use crate::gdb;
use crate::rsp::Client;
use anyhow::{Result, bail, ensure};
use protocol::request::{Advance, Answer, Direction, Edit, Place, Request, RootSpec, StopReason, Until, Wanted};
use protocol::{CpuId, LinearAddr, PhysAddr};
use std::time::{Duration, Instant};

/// Copies that are made at most; the middle one counts.
const MOST: usize = 100;
/// Steps that the machine makes between two of them.
const BETWEEN: u64 = 10_000;

/// Times of a machine of 128 MiB.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// The first copy of a client.
    pub first: Duration,
    /// Another one when the machine has gone on.
    pub again: Duration,
    /// The state of all CPUs, a walk and eight bytes.
    pub goal: Duration,
    /// Back to a saved run after an edit and some steps.
    pub back: Duration,
}

/// Boots so many CPUs and measures on the way.
pub fn measure(cpus: u16) -> Result<Times> {
    let (process, address) = gdb::start_machine(&["--cpus".into(), cpus.to_string()], true)?;
    let _process = Background(process);
    let mut client = Client::connect(&address)?;
    let (mut again, mut goals, mut backs) = (Vec::new(), Vec::new(), Vec::new());
    // While the kernel boots: afterwards all wait and nothing changes.
    while again.len() < MOST && run_on(&mut client)? != StopReason::AllWaiting {
        again.push(copy(&mut client)?);
        goals.push(goal(&mut client)?);
        backs.push(back(&mut client)?);
    }
    ensure!(!again.is_empty(), "the kernel did not run");
    // Another client has no older copy.
    let first = copy(&mut Client::connect(&address)?)?;
    let [again, goal, back] = [again, goals, backs].map(|mut times| {
        times.sort();
        times[times.len() / 2]
    });
    Ok(Times { first, again, goal, back })
}

fn run_on(client: &mut Client) -> Result<StopReason> {
    let until = Until::Steps(BETWEEN);
    let wanted = Wanted::default();
    let (cpu, hold_others, direction, serial_input) = (None, false, Direction::Forward, Vec::new());
    let request =
        Advance { cpu, hold_others, direction, until, budget: 1 << 20, serial_input, keys: Vec::new(), wanted };
    match client.request(&Request::Advance(request))? {
        Answer::Stopped(stopped) => Ok(stopped.reason),
        other => bail!("advance said {other:?}"),
    }
}

fn copy(client: &mut Client) -> Result<Duration> {
    let start = Instant::now();
    let answer = client.request(&Request::Copy)?;
    ensure!(answer == Answer::Done, "copy said {answer:?}");
    Ok(start.elapsed())
}

fn back(client: &mut Client) -> Result<Duration> {
    let Answer::Run(run) = client.request(&Request::SaveRun)? else { bail!("there is no run to be saved") };
    let (position, wanted) = (run.end, Wanted::default());
    let edit = Edit::Register { cpu: CpuId(0), name: "dr0".into(), value: position.0 };
    client.request(&Request::Edit { edit, wanted: wanted.clone() })?;
    run_on(client)?;
    let start = Instant::now();
    match client.request(&Request::LoadRun { run, position, wanted })? {
        Answer::Stopped(stopped) if stopped.position == position => Ok(start.elapsed()),
        other => bail!("the saved run was answered by {other:?}"),
    }
}

fn goal(client: &mut Client) -> Result<Duration> {
    let start = Instant::now();
    let (cpu, linear) = (CpuId(0), LinearAddr(0xffff_ffff_8000_0000));
    for request in [
        Request::State { wanted: Wanted { all_cpus: true, ..Wanted::default() } },
        Request::Walk { root: RootSpec::Cpu(cpu), linear },
        Request::Memory { from: Place::Phys(PhysAddr(0x9_a000)), len: 8 },
    ] {
        let answer = client.request(&request)?;
        ensure!(!matches!(answer, Answer::Refused(_)), "{request:?} was answered by {answer:?}");
    }
    Ok(start.elapsed())
}
