//! What gdb says, packet by packet.

use crate::client::{COUNTER, Client, LOOP, server};

/// Bytes of a little-endian number, as a register packet has them.
fn le(value: u64, bytes: usize) -> String {
    value.to_le_bytes()[..bytes].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// gdb attached, as its first packets do.
fn attached(server: &machine::server::ServerHandle) -> Client {
    let mut gdb = Client::connect(server);
    let supported = gdb.ask("qSupported:multiprocess+;swbreak+;hwbreak+;xmlRegisters=i386");
    for word in ["qFirstlight+", "ReverseStep+", "ReverseContinue+", "hwbreak+", "qXfer:features:read+"] {
        assert!(supported.contains(word), "{word}: {supported}");
    }
    gdb.ask("Hgp1.1");
    gdb
}

/// Goal: the register layout is the same in the description, in `g` and in `p`; method: all numbers of the description.
#[test]
fn registers() {
    let server = server();
    let mut gdb = attached(&server);
    let mut xml = String::new();
    loop {
        let part = gdb.ask(&format!("qXfer:features:read:target.xml:{:x},fff", xml.len()));
        xml.push_str(&part[1..]);
        if part.starts_with('l') {
            break;
        }
    }
    let attribute = |line: &str, name: &str| {
        let (_, rest) = line.split_once(&format!(" {name}=\"")).unwrap();
        rest.split_once('"').unwrap().0.to_owned()
    };
    let mut registers: Vec<(usize, usize, String)> = xml
        .lines()
        .filter(|line| line.starts_with("<reg "))
        .map(|line| {
            let number = |name| attribute(line, name).parse::<usize>().unwrap();
            (number("regnum"), number("bitsize") / 8, attribute(line, "name"))
        })
        .collect();
    registers.sort();
    let all = gdb.ask("g");
    let mut at = 0;
    for (index, (number, bytes, name)) in registers.iter().enumerate() {
        assert_eq!(index, *number, "{name}");
        assert_eq!(gdb.ask(&format!("p{number:x}")), all[at..at + bytes * 2], "{name}");
        at += bytes * 2;
    }
    assert_eq!(at, all.len());
    // QEMU's numbers, which tools rely on.
    let number = |wanted: &str| registers.iter().find(|(_, _, name)| name == wanted).unwrap().0;
    assert_eq!((number("rip"), number("cs"), number("cr3"), number("xmm0"), number("mxcsr")), (16, 18, 29, 49, 65));
}

/// Goal: `rip` is linear and `ip` is not, reading and writing; method: the guest's CS has a base.
#[test]
fn rip_is_linear() {
    let server = server();
    let mut gdb = attached(&server);
    assert_eq!(gdb.ask("p10"), le(LOOP, 8));
    assert_eq!(gdb.ask("p42"), le(LOOP - 0x1000, 8));
    assert_eq!(gdb.ask(&format!("P10={}", le(LOOP + 4, 8))), "OK");
    assert_eq!(gdb.ask("p42"), le(LOOP + 4 - 0x1000, 8));
    assert_eq!(gdb.ask(&format!("P0={}", le(0x1234, 8))), "OK");
    assert_eq!(gdb.ask("p0"), le(0x1234, 8));
    // What follows from other registers cannot be written, and there is no register 1000.
    assert_eq!(gdb.ask("P43=05000000"), "E16");
    assert_eq!(gdb.ask("p3e8"), "");
}

/// Goal: steps of a CPU forwards and back end where they should; method: three steps, back over all, and beyond.
#[test]
fn steps_and_back() {
    let server = server();
    let mut gdb = attached(&server);
    for rip in [LOOP + 1, LOOP + 4, LOOP] {
        assert!(gdb.resume("vCont;s:p1.1;c:p1.-1").starts_with("T05thread:p01.01;"));
        assert_eq!(gdb.ask("p10"), le(rip, 8));
    }
    assert_eq!(gdb.ask("Hcp1.0"), "OK");
    for rip in [LOOP + 4, LOOP + 1, LOOP] {
        assert!(gdb.resume("bs").starts_with("T05thread:p01.01;"));
        assert_eq!(gdb.ask("p10"), le(rip, 8));
    }
    assert!(gdb.resume("bs").contains("replaylog:begin;"));
    // Only CPU 1 may run, and it waits for a SIPI that cannot come: said, not waited for.
    gdb.send("vCont;s:p1.2");
    let said = gdb.receive().unwrap();
    assert!(said.starts_with('O'), "{said}");
    assert!(gdb.receive().unwrap().starts_with("T05thread:p01.02;"));
    // A range step leaves the range.
    let range = format!("vCont;r{LOOP:x},{:x}:p1.1;c:p1.-1", LOOP + 4);
    assert!(gdb.resume(&range).starts_with("T05thread:p01.01;"));
    assert_eq!(gdb.ask("p10"), le(LOOP + 4, 8));
}

/// Goal: breakpoints of gdb are told as such, forwards and back, and are not in memory; method: one of each kind.
#[test]
fn breakpoints() {
    let server = server();
    let mut gdb = attached(&server);
    let jump = LOOP + 4;
    let code = gdb.ask(&format!("m{jump:x},2"));
    assert_eq!(gdb.ask(&format!("Z1,{jump:x},1")), "OK");
    assert_eq!(gdb.ask(&format!("m{jump:x},2")), code);
    for _ in 0..2 {
        assert_eq!(gdb.resume("vCont;c:p1.-1"), "T05thread:p01.01;hwbreak:;");
        assert_eq!(gdb.ask("p10"), le(jump, 8));
    }
    assert_eq!(gdb.resume("bc"), "T05thread:p01.01;hwbreak:;");
    assert_eq!(gdb.ask("p0"), le(1, 8));
    assert_eq!(gdb.ask(&format!("z1,{jump:x},1")), "OK");
    assert_eq!(gdb.ask(&format!("Z0,{LOOP:x},1")), "OK");
    assert_eq!(gdb.resume("vCont;c:p1.-1"), "T05thread:p01.01;swbreak:;");
    assert_eq!(gdb.ask(&format!("z0,{LOOP:x},1")), "OK");
    assert_eq!(gdb.ask(&format!("Z2,{COUNTER:x},2")), "OK");
    let stop = gdb.resume("vCont;c:p1.-1");
    assert!(stop.contains("watch:2000;"), "{stop}");
    assert_eq!(gdb.ask(&format!("m{COUNTER:x},2")), le(2, 2));
    // Backwards a watchpoint stops before the write.
    let stop = gdb.resume("bc");
    assert!(stop.contains("watch:2000;"), "{stop}");
    assert_eq!(gdb.ask(&format!("m{COUNTER:x},2")), le(1, 2));
}

/// Goal: memory is read and written by linear address, and by physical where gdb says so; method: QEMU's packets for it.
#[test]
fn memory() {
    let server = server();
    let mut gdb = attached(&server);
    assert_eq!(gdb.ask(&format!("M{COUNTER:x},2:abcd")), "OK");
    assert_eq!(gdb.ask(&format!("m{COUNTER:x},2")), "abcd");
    assert_eq!(gdb.ask("qqemu.PhyMemMode"), "0");
    assert_eq!(gdb.ask("Qqemu.PhyMemMode:1"), "OK");
    assert_eq!(gdb.ask("qqemu.PhyMemMode"), "1");
    assert_eq!(gdb.ask(&format!("m{COUNTER:x},2")), "abcd");
    assert!(gdb.ask("mffffffff0,2").starts_with('E'), "there is no memory");
}

/// Goal: ^C stops a machine that runs, and CPUs are named; method: an endless loop.
#[test]
fn interrupt_and_threads() {
    let server = server();
    let mut gdb = attached(&server);
    gdb.send("vCont;c:p1.-1");
    std::thread::sleep(std::time::Duration::from_millis(50));
    gdb.raw(b"\x03");
    assert!(gdb.receive().unwrap().starts_with("T02thread:"));
    assert_eq!(gdb.ask("qfThreadInfo"), "mp01.01,p01.02");
    let name = gdb.ask("qThreadExtraInfo,p1.2");
    let name: String = (0..name.len() / 2)
        .map(|index| u8::from_str_radix(&name[index * 2..index * 2 + 2], 16).unwrap() as char)
        .collect();
    assert_eq!(name, "CPU 1 (APIC ID 1) [wait-for-sipi]");
    assert_eq!(gdb.ask("D;1"), "OK");
    assert_eq!(gdb.receive(), None);
    // The server listens on, and a new gdb finds the machine where it was.
    let mut gdb = attached(&server);
    assert_ne!(gdb.ask("p0"), le(0, 8));
    // So does `kill`: there is no process to be killed.
    assert_eq!(gdb.ask("vKill;1"), "OK");
    assert_eq!(gdb.receive(), None);
    assert_ne!(attached(&server).ask("p0"), le(0, 8));
}

/// Goal: a stop at a breakpoint that another client set is a plain SIGTRAP; method: a window sets it.
#[test]
fn foreign_breakpoints_are_plain() {
    use protocol::request::{Answer, Request};
    use protocol::{LinearAddr, breakpoint::Condition};
    let server = server();
    let mut window = Client::connect(&server);
    let condition = Condition::Execute(LinearAddr(LOOP + 4));
    let answer = window.request(&Request::SetBreakpoint { cpu: None, condition });
    assert!(matches!(answer, Answer::BreakpointSet(_)), "{answer:?}");
    let mut gdb = attached(&server);
    assert_eq!(gdb.resume("vCont;c:p1.-1"), "T05thread:p01.01;");
    assert_eq!(gdb.ask("p10"), le(LOOP + 4, 8));
}

/// Goal: a step of a thread that there is not stops with a thread that there is; method: the packet, by hand.
#[test]
fn no_such_thread() {
    let server = server();
    let mut gdb = attached(&server);
    let stop = gdb.resume("vCont;s:p1.ff");
    assert!(stop.starts_with("T05") && !stop.contains(".ff"), "{stop}");
    assert!(gdb.resume("vCont;s:p1.1").contains("p01.01"));
}
