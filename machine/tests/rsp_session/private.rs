//! Over the wire: private copies (what one client does to its own is nobody else's business), and runs as files.

use crate::client::{COUNTER, Client, config, server};
use crate::vendor::{forward, stopped, word_at};
use protocol::request::{
    Advance, Answer, CauseOf, Direction, Edit, MachineConfig, Place, Refusal, Request, RootSpec, StopReason, Until,
    Wanted,
};
use protocol::{CpuId, LinearAddr, PhysAddr, Position};

fn private(request: Request) -> Request {
    Request::Private(Box::new(request))
}

/// Goal: a copy begins where the machine stands and goes its own way, forwards, back and by edits; method: two clients
/// with a copy each, the second being no driver, and the machine in between.
#[test]
fn own_way() {
    let server = server();
    let (mut one, mut other) = (Client::connect(&server), Client::connect(&server));
    let state = || Request::State { wanted: Wanted::default() };
    let refused = other.request(&private(state()));
    assert!(matches!(&refused, Answer::Refused(Refusal::Invalid(why)) if why.contains("no copy")), "{refused:?}");
    assert_eq!(stopped(one.request(&forward(300))).position, Position(300));
    assert_eq!((one.request(&Request::Copy), other.request(&Request::Copy)), (Answer::Done, Answer::Done));
    assert_eq!(stopped(one.request(&private(forward(600)))).position, Position(900));
    let there = stopped(other.request(&private(state())));
    assert_eq!((there.position, there.end, there.cpus.len(), there.epoch), (Position(300), Position(300), 2, 0));
    // Nobody was told to take over: the first client drives the machine, and not the other's copy.
    let edit = Edit::Register { cpu: CpuId(0), name: "rax".into(), value: 0x4000 };
    let edited = stopped(other.request(&private(Request::Edit { edit, wanted: Wanted::default() })));
    assert!(edited.epoch > there.epoch);
    stopped(other.request(&private(forward(300))));
    let memory = |client: &mut Client| match client
        .request(&private(Request::Memory { from: Place::Phys(PhysAddr(COUNTER)), len: 2 }))
    {
        Answer::Memory { bytes, .. } => u16::from_le_bytes(bytes.try_into().unwrap()),
        answer => panic!("{answer:?}"),
    };
    assert_eq!((memory(&mut one), memory(&mut other), word_at(&mut one, COUNTER)), (300, 0x4064, 100));
    let here = stopped(one.request(&state()));
    assert_eq!((here.position, here.end, here.can_undo), (Position(300), Position(300), false));
    // Back in the copy, to where it was made and not beyond.
    let back = Request::Advance(Advance {
        cpu: None,
        hold_others: false,
        direction: Direction::Backward,
        until: Until::Breakpoint,
        budget: 1 << 20,
        serial_input: Vec::new(),
        keys: Vec::new(),
        wanted: Wanted::default(),
    });
    let back = stopped(one.request(&private(back)));
    assert_eq!((back.position, back.reason, back.cpus.len()), (Position(300), StopReason::StartOfTime, 2));
    let refused = one.request(&private(Request::Seek { position: Position(299), wanted: Wanted::default() }));
    assert!(matches!(&refused, Answer::Refused(Refusal::Invalid(why)) if why.contains("300")), "{refused:?}");
    assert_eq!(stopped(other.request(&private(Request::Undo { wanted: Wanted::default() }))).position, Position(300));
    // A new copy makes what was known of the old one void.
    let epoch = stopped(other.request(&private(state()))).epoch;
    assert_eq!(other.request(&Request::Copy), Answer::Done);
    assert!(stopped(other.request(&private(state()))).epoch > epoch);
}

/// Goal: a copy's pieces are bounded, reads are answered from it, and nothing else is; method: an endless run, each read,
/// and requests that concern the machine.
#[test]
fn what_it_answers() {
    let server = server();
    let mut client = Client::connect(&server);
    stopped(client.request(&forward(5)));
    assert_eq!(client.request(&Request::Copy), Answer::Done);
    let Request::Advance(endless) = forward(u64::MAX) else { unreachable!() };
    let piece = stopped(client.request(&private(Request::Advance(Advance { budget: u64::MAX, ..endless }))));
    assert_eq!(piece.reason, StopReason::Budget);
    assert!(piece.position > Position(5));
    let cpu = CpuId(0);
    let linear = LinearAddr(0x1010);
    for request in [
        Request::Walk { root: RootSpec::Cpu(cpu), linear },
        Request::Tlb { cpu },
        Request::Code { cpu, linear, before: 0, count: 2 },
        Request::Listing { phys: PhysAddr(0x1010), base: PhysAddr(0x1000), bits: 16, count: 2 },
        Request::Events { from: Position(0), to: Position(u64::MAX), limit: 9 },
        Request::Console { offset: 0 },
        Request::Seek { position: Position(6), wanted: Wanted::default() },
    ] {
        let answer = client.request(&private(request.clone()));
        assert!(!matches!(answer, Answer::Refused(_)), "{request:?}: {answer:?}");
    }
    let other = MachineConfig { cpus: 1, ..config() };
    for request in
        [Request::Hello, Request::Copy, Request::Reload, Request::Restart { config: other }, Request::SaveRun]
    {
        let answer = client.request(&private(request.clone()));
        assert!(matches!(answer, Answer::Refused(Refusal::Invalid(_))), "{request:?}: {answer:?}");
    }
    // The copy stays as it is when the machine is switched off and on.
    assert!(matches!(client.request(&Request::Restart { config: config() }), Answer::Hello(_)));
    let state = stopped(client.request(&private(Request::State { wanted: Wanted::default() })));
    assert_eq!((state.position, state.epoch), (Position(6), 0));
}

/// Goal: a run is saved and loaded over the wire, with edits, input and holds, and what is no run of this machine is refused
/// with the old one left as it was; method: save in the middle, go elsewhere, load, compare; then one mistake of each kind.
#[test]
fn runs_are_saved_and_loaded() {
    let server = server();
    let mut client = Client::connect(&server);
    stopped(client.request(&forward(1000)));
    let edit = Edit::Register { cpu: CpuId(0), name: "rax".into(), value: 0x1234 };
    stopped(client.request(&Request::Edit { edit, wanted: Wanted::default() }));
    let Request::Advance(plain) = forward(20) else { panic!("it is one") };
    let hold = Advance { cpu: Some(CpuId(0)), hold_others: true, serial_input: b"hello".into(), ..plain };
    stopped(client.request(&Request::Advance(hold)));
    stopped(client.request(&forward(500)));
    let Answer::Run(run) = client.request(&Request::SaveRun) else { panic!("there is a run") };
    assert_eq!((run.end, run.inputs.len(), run.holds.len()), (Position(1520), 2, 1));
    let counter = word_at(&mut client, COUNTER);
    let load = |run: protocol::run::Run, position| Request::LoadRun {
        run: Box::new(run),
        position: Position(position),
        wanted: Wanted::default(),
    };
    // Elsewhere: the same machine with another past, then another machine. The edit can be taken back wherever it came from.
    let other = MachineConfig { cpus: 3, ..config() };
    for elsewhere in [forward(300), Request::Restart { config: config() }, Request::Restart { config: other }] {
        client.request(&elsewhere);
        let epoch = stopped(client.request(&Request::State { wanted: Wanted::default() })).epoch;
        let there = stopped(client.request(&load((*run).clone(), 1520)));
        assert_eq!((there.position, there.end, there.can_undo), (Position(1520), Position(1520), true));
        assert!(there.epoch > epoch);
        assert_eq!(word_at(&mut client, COUNTER), counter);
        assert_eq!(client.request(&Request::SaveRun), Answer::Run(run.clone()));
        let Answer::Hello(hello) = client.request(&Request::Hello) else { panic!("it answers") };
        assert_eq!(hello.config, config());
    }
    let middle = stopped(client.request(&load((*run).clone(), 700)));
    assert_eq!((middle.position, middle.end), (Position(700), Position(1520)));
    let bad = |change: fn(&mut protocol::run::Run)| {
        let mut run = (*run).clone();
        change(&mut run);
        run
    };
    for (run, position, words) in [
        (bad(|run| run.version = 2), 0, "format version 2"),
        (bad(|run| run.machine = "firstlight-machine 99.0.0".into()), 0, "99.0.0"),
        (bad(|run| run.image_sha256 = "11".into()), 0, "another kernel image"),
        (
            bad(|run| run.firmware_sha256 = Some("11".into())),
            0,
            "another firmware (its SHA-256 begins 11, there is none)",
        ),
        (bad(|run| run.config.cpus = 0), 0, "0 CPUs"),
        (bad(|run| run.inputs[0].position = Position(1001)), 0, "not ascending"),
        (bad(|run| run.end = Position(1000)), 0, "beyond the run's end"),
        (bad(|run| run.end = Position(u64::MAX)), 0, "more than"),
        (bad(|run| run.holds[0].cpu = CpuId(1)), 0, "further than"),
        (bad(|_| {}), 1521, "beyond the run's end"),
    ] {
        let answer = client.request(&load(run, position));
        assert!(
            matches!(&answer, Answer::Refused(Refusal::Invalid(why)) if why.contains(words)),
            "{words}: {answer:?}"
        );
        let state = stopped(client.request(&Request::State { wanted: Wanted::default() }));
        assert_eq!((state.position, state.end), (Position(700), Position(1520)), "{words}");
    }
    // It is driving: not while another one does.
    let mut second = Client::connect(&server);
    assert!(matches!(second.request(&load((*run).clone(), 0)), Answer::Refused(Refusal::Invalid(_))));
    // No image file, nothing linked.
    let answer = client.request(&Request::Image { linear: LinearAddr(0x1000), len: 4 });
    assert!(matches!(&answer, Answer::Memory { bytes, unreadable: Some(_) } if bytes.is_empty()), "{answer:?}");
    // A cause over the wire.
    let of = CauseOf::Register { cpu: CpuId(0), name: "cs_base".into() };
    assert_eq!(client.request(&Request::Cause { of }), Answer::Cause(None));
}
