//! The program `firstlight-machine` from outside: what it refuses and how, its manual, its exit statuses.
//!
//! Runs of a real kernel are `cargo xtask test boot` and `gdb`; here a kernel is needed only where FIRSTLIGHT_KERNEL names
//! one.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn program() -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_firstlight-machine"));
    program.stdin(Stdio::null());
    program
}

fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// An ELF file with a header that is right, and nothing behind it that a kernel would need.
fn elf(e_machine: u16, segments: u16) -> Vec<u8> {
    let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
    bytes.resize(16, 0);
    for half in [2u16, e_machine] {
        bytes.extend_from_slice(&half.to_le_bytes());
    }
    bytes.extend_from_slice(&1u32.to_le_bytes());
    for word in [0xffff_ffff_8000_0000u64, 64, 0] {
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    bytes.extend_from_slice(&0u32.to_le_bytes());
    for half in [64u16, 56, segments, 64, 0, 0] {
        bytes.extend_from_slice(&half.to_le_bytes());
    }
    bytes
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Refused with status 2, with each of these words, without a panic.
fn refused(arguments: &[&str], words: &[&str]) {
    let output = program().args(arguments).args(["--serial", "null"]).output().unwrap();
    let said = said(&output);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
    assert!(!said.contains("panicked"), "{said}");
    for word in words {
        assert!(said.contains(word), "{arguments:?} should speak of {word:?}: {said}");
    }
}

/// Goal: the manual is in --help: conditions, statuses and keys; method: its headings, and that each flag is there.
#[test]
fn manual() {
    let output = program().arg("--help").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    for word in ["CONDITIONS", "EXIT STATUS", "KEYS", "EVENTS", "EXAMPLES"] {
        assert!(text.contains(word), "{word}");
    }
    for flag in
        "kernel multiboot pvh rom disk flat at module cmdline add-disk profile cpus apic-ids memory seed quantum options serial gdb wait max-steps narrate events until \
                 version"
            .split_whitespace()
    {
        assert!(text.contains(&format!("--{flag}")), "{flag}");
    }
    let version = program().arg("--version").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&version.stdout).trim(), machine::server::NAME);
}

/// Goal: an image that is no kernel is refused with its name and the reason; method: one file of each kind.
#[test]
fn bad_images() {
    let folder = folder("bad_images");
    let check = |name: &str, bytes: &[u8], words: &[&str]| {
        let path = write(&folder, name, bytes);
        let path = path.to_str().unwrap();
        refused(&["--kernel", path], &[&[name], words].concat());
    };
    check("text.elf", b"not an ELF file", &["not an ELF file"]);
    check("empty.elf", b"", &["not an ELF file"]);
    check("arm.elf", &elf(183, 0), &["AArch64", "x86-64"]);
    check("truncated.elf", &elf(62, 40), &["damaged"]);
    check("nothing.elf", &elf(62, 0), &[]);
    refused(&["--kernel", "no/such/file"], &["no/such/file", "No such file"]);
    refused(&["--kernel", folder.to_str().unwrap()], &["directory"]);
    // Neither a file larger than any image nor one without an end is read to its end.
    let sparse = write(&folder, "huge.elf", b"");
    std::fs::OpenOptions::new().write(true).open(&sparse).unwrap().set_len(1 << 40).unwrap();
    refused(&["--kernel", sparse.to_str().unwrap()], &["huge.elf", "1 GiB"]);
    if cfg!(target_os = "linux") {
        refused(&["--kernel", "/dev/zero"], &["/dev/zero", "1 GiB"]);
    }
}

/// Goal: arguments that make no machine are refused before anything runs; method: each flag with a bad value.
#[test]
fn bad_arguments() {
    let folder = folder("bad_arguments");
    let image = write(&folder, "kernel.elf", &elf(62, 0));
    let image = image.to_str().unwrap();
    let check = |arguments: &[&str], words: &[&str]| refused(&[&["--kernel", image], arguments].concat(), words);
    check(&["--cpus", "0"], &["0 CPUs", "1 to 255"]);
    check(&["--cpus", "300"], &["300 CPUs", "1 to 255"]);
    check(&["--cpus", "many"], &["--cpus"]);
    check(&["--cpus", "2", "--apic-ids", "1"], &["APIC ID"]);
    check(&["--cpus", "2", "--apic-ids", "1,1"], &["APIC ID 1"]);
    check(&["--memory", "1M"], &["memory"]);
    check(&["--memory", "12T"], &["K, M or G"]);
    check(&["--quantum", "0"], &["--quantum"]);
    check(&["--cpu-quirk", "tired"], &["--cpu-quirk", "efer-lma-gp, xd-disable, slow-init"]);
    check(&["--wait"], &["--gdb"]);
    check(&["--until", "mode:1:virtual"], &["protected16"]);
    check(&["--until", "mode:4:long"], &["CPU 4", "this machine has 4"]);
    check(&["--until", "start_secondary"], &["no profile"]);
    check(&["--profile", "no/such.json"], &["no/such.json"]);
    check(&["--events", "no/such/folder/e.jsonl"], &["no/such/folder"]);
    let foreign =
        write(&folder, "foreign.json", br#"{"version":1,"image_sha256":"00","symbols":[],"blobs":[],"roots":[]}"#);
    check(&["--profile", foreign.to_str().unwrap()], &["another image"]);
    let old = write(&folder, "old.json", br#"{"version":0,"image_sha256":"00","symbols":[],"blobs":[],"roots":[]}"#);
    check(&["--profile", old.to_str().unwrap()], &["version 0"]);
    let text = write(&folder, "text.json", b"names?");
    check(&["--profile", text.to_str().unwrap()], &["text.json"]);
}

/// Goal: the real kernel: events, --until, statuses and a busy port; method: only with FIRSTLIGHT_KERNEL, which CI sets.
#[test]
fn with_a_kernel() {
    let kernel = match std::env::var("FIRSTLIGHT_KERNEL") {
        Ok(kernel) => kernel,
        Err(_) if std::env::var_os("CI").is_some() => {
            panic!(
                "FIRSTLIGHT_KERNEL is not set: give the path of target/guest/kernel.elf, made by `cargo xtask build`"
            )
        }
        // Without a guest image there is nothing to run; `cargo xtask test` builds one first.
        Err(_) => return eprintln!("not run: FIRSTLIGHT_KERNEL does not name a kernel.elf"),
    };
    let folder = folder("with_a_kernel");
    let events = folder.join("events.jsonl");
    let status = |arguments: &[&str]| {
        let output = program().args(["--kernel", &kernel, "--serial", "null"]).args(arguments).output().unwrap();
        (output.status.code(), said(&output))
    };
    let limit = ["--max-steps", "20000000"];
    let events_flag = ["--events", events.to_str().unwrap()];
    let until = ["--cpus", "2", "--until", "online:2"];
    assert_eq!(status(&[&until[..], &limit, &events_flag].concat()).0, Some(0));
    let text = std::fs::read_to_string(&events).unwrap();
    assert!(text.lines().last().unwrap().contains(r#""kind":"online","count":2"#));
    let (code, said) = status(&["--max-steps", "1000"]);
    assert_eq!(code, Some(4), "{said}");
    assert_eq!(status(&[&["--cpus", "2"][..], &limit].concat()).0, Some(8));
    for until in ["mode:1:long", "ipi:1:sipi", "cr:1:cr3", "trampoline_start", "secondary_startup_64", "steps:5000"] {
        let (code, said) = status(&[&["--cpus", "2", "--until", until][..], &limit].concat());
        assert_eq!(code, Some(0), "{until}: {said}");
    }
    // All wait: the same where the goal is one CPU's, and no signal that an instruction is lacking.
    for until in ["activity:1:wait-for-sipi", "at:1:0x0"] {
        let (code, said) = status(&[&["--cpus", "2", "--until", until][..], &limit].concat());
        assert_eq!(code, Some(8), "{until}: {said}");
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (code, said) = status(&["--gdb", &taken.local_addr().unwrap().to_string()]);
    assert!(code == Some(2) && said.contains("another program"), "{said}");
}

/// Goal: a run that was saved plays to the same events, on the machine that it names, and others are refused; method: save
/// one with flags of its own, play it with none, compare files; then a foreign file, a changed one, and flags that would
/// make another machine.
#[test]
fn runs() {
    let Ok(kernel) = std::env::var("FIRSTLIGHT_KERNEL") else {
        return eprintln!("not run: FIRSTLIGHT_KERNEL does not name a kernel.elf");
    };
    let folder = folder("runs");
    let file = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let status = |arguments: &[&str]| {
        let output = program().args(["--kernel", &kernel, "--serial", "null"]).args(arguments).output().unwrap();
        (output.status.code(), said(&output))
    };
    let (run, first, second) = (file("run.json"), file("first.jsonl"), file("second.jsonl"));
    let machine = ["--cpus", "3", "--apic-ids", "0,9,4", "--seed", "5", "--memory", "64M", "--cpu-quirk", "slow-init"];
    let until = ["--until", "online:3"];
    let (code, why) = status(&[&machine[..], &until, &["--events", &first, "--save-run", &run]].concat());
    assert_eq!(code, Some(0), "{why}");
    let again = file("again.json");
    let (code, why) = status(&[&until[..], &["--run", &run, "--events", &second, "--save-run", &again]].concat());
    assert_eq!(code, Some(0), "{why}");
    assert_eq!(std::fs::read_to_string(&first).unwrap(), std::fs::read_to_string(&second).unwrap());
    let text = std::fs::read_to_string(&run).unwrap();
    assert!(text.contains("\"image_sha256\"") && text == std::fs::read_to_string(&again).unwrap(), "{text}");
    let (code, why) = status(&["--run", &run, "--cpus", "4"]);
    assert!(code == Some(2) && why.contains("--cpus"), "{why}");
    let end = text.lines().find(|line| line.contains("\"end\"")).unwrap().trim().to_owned();
    for (text, words) in [
        ("[]".to_owned(), "no run"),
        (text.replace("\"version\": 1", "\"version\": 7"), "version 7"),
        (text.replace("\"image_sha256\": \"", "\"image_sha256\": \"0"), "another kernel image"),
        (text.replace("\"firmware_sha256\": ", "\"firmware_sha256\": \"0\", \"old\": "), "another firmware"),
        (text.replace(&end, "\"end\": 18446744073709551615"), "steps"),
    ] {
        let bad = file("bad.json");
        std::fs::write(&bad, text).unwrap();
        let (code, why) = status(&["--run", &bad]);
        assert!(code == Some(2) && why.contains(words) && why.contains("bad.json"), "{words}: {why}");
    }
}

/// Goal: a terminal is put back also where a signal ends the program; method: a shell in a pseudo-terminal (`script`)
/// looks at its settings before, while and after the program runs; the kernel as above.
#[test]
#[cfg(target_os = "linux")]
fn terminal_after_a_signal() {
    let Ok(kernel) = std::env::var("FIRSTLIGHT_KERNEL") else {
        return eprintln!("not run: FIRSTLIGHT_KERNEL does not name a kernel.elf");
    };
    let folder = folder("terminal_after_a_signal");
    let program = env!("CARGO_BIN_EXE_firstlight-machine");
    let shell = format!(
        "stty -g > before; (sleep 2; stty -g < /dev/tty > while) & \
         timeout --foreground -s TERM 4 '{program}' --kernel '{kernel}' --cpus 1; stty -g > after"
    );
    let script = Command::new("script").args(["-qec", &shell, "/dev/null"]).current_dir(&folder).output().unwrap();
    let settings = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let said = String::from_utf8_lossy(&script.stdout);
    let complained = String::from_utf8_lossy(&script.stderr);
    assert!(said.contains("Firstlight kernel"), "no pseudo-terminal, or no kernel in it: {said}{complained}");
    assert_ne!(settings("before"), settings("while"), "the terminal was not raw");
    assert_eq!(settings("before"), settings("after"));
}
