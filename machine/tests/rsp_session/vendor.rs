//! What our own programs say: vendor requests, and several clients at once.

use crate::client::{COUNTER, Client, config, server};
use firmware::store;
use protocol::firmware::{Variable, Variables};
use protocol::request::{
    Advance, Answer, CauseOf, Direction, Edit, MachineConfig, Place, Refusal, Request, StopReason, Stopped, Until,
    Wanted,
};
use protocol::{Activity, CpuId, PhysAddr, Position};

pub fn stopped(answer: Answer) -> Stopped {
    match answer {
        Answer::Stopped(stopped) => *stopped,
        other => panic!("{other:?}"),
    }
}

fn advance(direction: Direction, until: Until) -> Request {
    let wanted = Wanted::default();
    let (serial_input, keys, budget) = (Vec::new(), Vec::new(), 1 << 20);
    Request::Advance(Advance { cpu: None, hold_others: false, direction, until, budget, serial_input, keys, wanted })
}

pub fn forward(steps: u64) -> Request {
    advance(Direction::Forward, Until::Steps(steps))
}

pub fn word_at(client: &mut Client, paddr: u64) -> u16 {
    match client.request(&Request::Memory { from: Place::Phys(PhysAddr(paddr)), len: 2 }) {
        Answer::Memory { bytes, .. } => u16::from_le_bytes(bytes.try_into().unwrap()),
        other => panic!("{other:?}"),
    }
}

/// Goal: an advance stops where asked and tells only the CPUs that changed; method: steps, with CPU 1 waiting.
#[test]
fn advance_tells_what_changed() {
    let server = server();
    let mut client = Client::connect(&server);
    let first = stopped(client.request(&Request::State { wanted: Wanted { all_cpus: true, ..Wanted::default() } }));
    assert_eq!((first.position, first.cpus.len(), first.reason), (Position(0), 2, StopReason::None));
    assert_eq!(first.cpus[1].activity, Activity::WaitForSipi);
    let next = stopped(client.request(&forward(3)));
    assert_eq!((next.position, next.reason, next.moved_cpu), (Position(3), StopReason::Reached, Some(CpuId(0))));
    assert_eq!(next.cpus.iter().map(|state| state.cpu).collect::<Vec<_>>(), [CpuId(0)]);
    assert_eq!(word_at(&mut client, COUNTER), 1);
    let same = stopped(client.request(&Request::State { wanted: Wanted::default() }));
    assert!(same.cpus.is_empty());
    let back = stopped(client.request(&advance(Direction::Backward, Until::Steps(1))));
    assert_eq!((back.position, back.end), (Position(2), Position(3)));
}

/// Goal: no request keeps the server for long; method: an endless run with a huge budget comes back with Budget, and
/// another client is answered meanwhile.
#[test]
fn runs_are_bounded() {
    let server = server();
    let (mut one, mut other) = (Client::connect(&server), Client::connect(&server));
    let request = Request::Advance(Advance {
        cpu: None,
        hold_others: false,
        direction: Direction::Forward,
        until: Until::Breakpoint,
        budget: u64::MAX,
        serial_input: Vec::new(),
        keys: Vec::new(),
        wanted: Wanted::default(),
    });
    let mut last = Position(0);
    for _ in 0..5 {
        let now = stopped(one.request(&request));
        assert_eq!(now.reason, StopReason::Budget);
        assert!(now.position > last);
        last = now.position;
        let seen = stopped(other.request(&Request::State { wanted: Wanted::default() }));
        assert_eq!(seen.position, last);
    }
}

/// Goal: an edit ends the old future and undo brings it back; method: epochs, memory and positions.
#[test]
fn edit_and_undo() {
    let server = server();
    let mut client = Client::connect(&server);
    stopped(client.request(&forward(30)));
    stopped(client.request(&Request::Seek { position: Position(6), wanted: Wanted::default() }));
    let wanted = Wanted::default();
    let edit = Edit::Memory { at: Place::Phys(PhysAddr(COUNTER)), bytes: vec![0xff, 0xff] };
    let edited = stopped(client.request(&Request::Edit { edit, wanted: wanted.clone() }));
    assert!(edited.can_undo && edited.epoch > 0);
    assert_eq!((edited.end, word_at(&mut client, COUNTER)), (Position(6), 0xffff));
    let undone = stopped(client.request(&Request::Undo { wanted: wanted.clone() }));
    assert!(undone.epoch > edited.epoch);
    assert_eq!(undone.end, Position(30));
    assert_eq!(client.request(&Request::Undo { wanted }), Answer::Refused(Refusal::NothingToUndo));
}

/// Goal: nonsense is refused with words, and the session goes on; method: beyond each bound, and another version.
#[test]
fn refusals() {
    let server = server();
    let mut client = Client::connect(&server);
    let invalid = |answer| matches!(answer, Answer::Refused(Refusal::Invalid(_)));
    assert!(invalid(client.request(&Request::Memory { from: Place::Phys(PhysAddr(0)), len: 1 << 20 })));
    assert!(invalid(client.request(&Request::Tlb { cpu: CpuId(9) })));
    assert!(invalid(client.request(&Request::ClearBreakpoint { id: 77 })));
    assert!(invalid(client.request(&Request::Restart { config: MachineConfig { cpus: 0, ..config() } })));
    let page = client.ask("qFirstlight:ffff00");
    let version = protocol::request::VERSION;
    assert_eq!(protocol::wire::decode_answer(&page.as_bytes()[1..]), Ok(Answer::Refused(Refusal::Version(version))));
    assert!(invalid(protocol::wire::decode_answer(&client.ask("qFirstlight:zz").as_bytes()[1..]).unwrap()));
    assert!(matches!(client.request(&Request::Hello), Answer::Hello(_)));
}

/// Goal: while gdb is attached the window sees and does not drive; taking over ends gdb's session with a message.
/// Method: both at gdb's prompt and while gdb waits for a stop.
#[test]
fn one_drives() {
    let server = server();
    let mut window = Client::connect(&server);
    let attach = || {
        let mut gdb = Client::connect(&server);
        gdb.ask("qSupported:xmlRegisters=i386");
        gdb.ask("?");
        gdb
    };
    let mut gdb = attach();
    assert_eq!(window.request(&forward(1)), Answer::Refused(Refusal::GdbDrives));
    assert!(stopped(window.request(&Request::State { wanted: Wanted::default() })).gdb_attached);
    let mut second = Client::connect(&server);
    let turned_away = second.ask("qSupported:xmlRegisters=i386");
    assert!(turned_away.starts_with("E.another gdb") && !turned_away.contains("qFirstlight"), "{turned_away}");
    assert_eq!(second.receive(), None);
    assert_eq!(window.request(&Request::TakeOver), Answer::Done);
    assert!(gdb.ask("g").starts_with("E.the window has taken over"));
    assert_eq!(gdb.receive(), None);
    assert_eq!(stopped(window.request(&forward(1))).position, Position(1));
    // Again while it runs.
    let mut gdb = attach();
    gdb.send("vCont;c");
    std::thread::sleep(std::time::Duration::from_millis(20));
    assert_eq!(window.request(&Request::TakeOver), Answer::Done);
    assert!(gdb.receive().unwrap().starts_with('O'));
    assert_eq!(gdb.receive().unwrap(), "X01");
    assert_eq!(gdb.receive(), None);
    // Another window has to ask.
    let mut other = Client::connect(&server);
    assert!(matches!(other.request(&forward(1)), Answer::Refused(Refusal::Invalid(_))));
    assert_eq!(other.request(&Request::TakeOver), Answer::Done);
    stopped(other.request(&forward(1)));
}

/// Goal: a panic of the machine is told, the server stays, and a restart helps; method: a guest that panics at power-on.
#[test]
fn crash_is_told() {
    let server = server();
    let mut client = Client::connect(&server);
    stopped(client.request(&forward(5)));
    let bad = MachineConfig { options: "panic".into(), ..config() };
    let Answer::Refused(Refusal::Crashed(why)) = client.request(&Request::Restart { config: bad }) else {
        panic!("a crash was expected");
    };
    assert!(why.contains("panics when asked"), "{why}");
    assert!(matches!(client.request(&forward(1)), Answer::Refused(Refusal::Crashed(_))));
    let Answer::Hello(hello) = client.request(&Request::Restart { config: config() }) else { panic!("no restart") };
    assert_eq!(hello.config, config());
    assert_eq!(stopped(client.request(&forward(1))).position, Position(1));
}

/// Goal: the gdb socket opens on request and carries the same; a taken port is told. Method: a client over TCP.
#[test]
fn socket() {
    let server = server();
    let mut window = Client::connect(&server);
    let Answer::Gdb { listening: Some(address), attached: false } = window.request(&Request::OpenGdb { port: 0 })
    else {
        panic!("not open")
    };
    let stream = std::net::TcpStream::connect(&address).unwrap();
    let mut gdb = Client::over(Box::new(stream.try_clone().unwrap()), Box::new(stream));
    gdb.ask("qSupported:xmlRegisters=i386");
    assert!(gdb.ask("?").starts_with("T05"));
    assert!(matches!(window.request(&Request::OpenGdb { port: 0 }), Answer::Gdb { attached: true, .. }));
    let answer = window.request(&Request::CloseGdb);
    assert_eq!(answer, Answer::Gdb { listening: None, attached: false });
    assert!(std::net::TcpStream::connect(&address).is_err());
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let Answer::Refused(Refusal::Invalid(why)) = window.request(&Request::OpenGdb { port }) else {
        panic!("not refused")
    };
    assert!(why.contains("another program"), "{why}");
}

/// Goal: breakpoints outlive a restart, since they are the debugger's; method: set, restart, run into it.
#[test]
fn restart_keeps_breakpoints() {
    use protocol::LinearAddr;
    use protocol::breakpoint::Condition;
    let server = server();
    let mut client = Client::connect(&server);
    let before = stopped(client.request(&forward(1))).epoch;
    let condition = Condition::Execute(LinearAddr(crate::client::LOOP + 4));
    client.request(&Request::SetBreakpoint { cpu: None, condition });
    client.request(&Request::Restart { config: config() });
    let hit = stopped(client.request(&advance(Direction::Forward, Until::Breakpoint)));
    assert!(matches!(hit.reason, StopReason::Breakpoint { cpu: CpuId(0), .. }), "{:?}", hit.reason);
    assert_eq!(hit.position, Position(2));
    assert!(hit.epoch > before);
}

/// Goal: no value in a request makes the machine panic; method: the largest numbers everywhere, in every request.
#[test]
fn extremes() {
    use protocol::breakpoint::{Condition, EventFilter};
    use protocol::page_table::{PagingKind, PagingMode};
    use protocol::request::RootSpec;
    use protocol::{LinearAddr, Mode};
    let server = server();
    let mut client = Client::connect(&server);
    stopped(client.request(&forward(10)));
    let wanted = || Wanted {
        all_cpus: true,
        console_from: Some(u64::MAX),
        events_from: Some(Position(u64::MAX)),
        trees: vec![RootSpec::Cpu(CpuId(u16::MAX)), RootSpec::Cpu(CpuId(0))],
    };
    let linear = LinearAddr(u64::MAX);
    let cpu = CpuId(0);
    let mut requests = vec![
        Request::Seek { position: Position(u64::MAX), wanted: wanted() },
        Request::State { wanted: wanted() },
        Request::Memory { from: Place::Phys(PhysAddr(u64::MAX)), len: 65536 },
        Request::Memory { from: Place::Linear { cpu, linear }, len: 65536 },
        Request::Memory { from: Place::Linear { cpu: CpuId(u16::MAX), linear }, len: 1 },
        Request::Code { cpu, linear, before: 512, count: 512 },
        Request::Code { cpu, linear: LinearAddr(0), before: 1024, count: 0 },
        Request::Events { from: Position(u64::MAX), to: Position(0), limit: 1 },
        Request::Console { offset: u64::MAX },
        Request::Walk { root: RootSpec::Cpu(cpu), linear },
        Request::Edit {
            edit: Edit::Memory { at: Place::Phys(PhysAddr(u64::MAX)), bytes: vec![1; 9] },
            wanted: wanted(),
        },
        Request::Edit { edit: Edit::Memory { at: Place::Linear { cpu, linear }, bytes: vec![1; 9] }, wanted: wanted() },
    ];
    for kind in [PagingKind::Bits32, PagingKind::Pae, PagingKind::Level4, PagingKind::Level5] {
        let mode = PagingMode { kind, ..PagingMode::default() };
        for root in [0, 0xff_f000, u64::MAX] {
            let root = RootSpec::Phys { root: PhysAddr(root), mode };
            requests.push(Request::Tree { root, max_tables: 4096 });
            requests.push(Request::Walk { root, linear });
        }
    }
    for name in ["rax", "rip", "cr0", "cr3", "cr4", "cr8", "efer", "cs", "cs_base", "cs_attr", "rflags", "xmm3_high"] {
        let edit = Edit::Register { cpu, name: name.into(), value: u64::MAX };
        requests.push(Request::Edit { edit, wanted: wanted() });
    }
    for condition in [
        Condition::Execute(linear),
        Condition::Write { linear, len: u64::MAX },
        Condition::Access { linear, len: 0 },
        Condition::Event(EventFilter::Mode(Some(Mode::V86))),
    ] {
        requests.push(Request::SetBreakpoint { cpu: Some(cpu), condition });
    }
    for until in [Until::Steps(0), Until::Steps(u64::MAX), Until::Over, Until::Out, Until::Address(linear)] {
        for direction in [Direction::Forward, Direction::Backward] {
            for (cpu, hold_others) in
                [(None, true), (Some(cpu), true), (Some(CpuId(1)), false), (Some(CpuId(9)), false)]
            {
                for budget in [0, 1000] {
                    requests.push(Request::Advance(Advance {
                        cpu,
                        hold_others,
                        direction,
                        until: until.clone(),
                        budget,
                        serial_input: vec![b'x'; 3],
                        keys: Vec::new(),
                        wanted: wanted(),
                    }));
                }
            }
        }
    }
    let causes = [
        CauseOf::Memory { phys: PhysAddr(u64::MAX), len: u8::MAX },
        CauseOf::Register { cpu: CpuId(u16::MAX), name: "rax".into() },
    ];
    requests.extend(causes.map(|of| Request::Cause { of }));
    requests.push(Request::Image { linear, len: 65536 });
    assert_eq!(client.request(&Request::Copy), Answer::Done);
    let private: Vec<Request> = requests.iter().map(|request| Request::Private(Box::new(request.clone()))).collect();
    for request in requests.into_iter().chain(private) {
        let answer = client.request(&request);
        assert!(!matches!(answer, Answer::Refused(Refusal::Crashed(_))), "{request:?}: {answer:?}");
    }
}

/// Goal: the firmware's variables are told by name, and a machine can begin with what another one has. Method: none; one, in the
/// firmware's own store, at power-on; a restart with what was told.
#[test]
fn firmware_variables() {
    let server = server();
    let mut client = Client::connect(&server);
    let variables = |client: &mut Client| match client.request(&Request::FirmwareVariables) {
        Answer::FirmwareVariables(variables) => variables,
        answer => panic!("{answer:?}"),
    };
    assert_eq!(variables(&mut client), Variables::default());
    let mut memory = vec![0xff; 4096];
    store::format_if_foreign(&mut memory);
    store::set(&mut memory, (&[7; 16], b"A\0\0\0"), 7, b"value").unwrap();
    let mut config = config();
    config.firmware.variables = memory;
    client.request(&Request::Restart { config: config.clone() });
    let told = variables(&mut client);
    let one =
        Variable { name: "A".into(), vendor: "07070707-0707-0707-0707-070707070707".into(), attributes: 7, bytes: 5 };
    assert_eq!((told.at_power_on, &told.now), (vec![one.clone()], &vec![one]));
    assert!(told.contents.len() < 100, "what was never written is left out");
    config.firmware.variables.clone_from(&told.contents);
    client.request(&Request::Restart { config });
    let again = variables(&mut client);
    assert_eq!((again.now, again.contents), (told.now, told.contents));
}
