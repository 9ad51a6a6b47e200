//! The suites and their tests: file, machine, what says that it passed.

/// What says that a test passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// kvm-unit-tests: exit value 0 by port F4h; 38 is "skipped".
    KvmUnitTests,
    /// Text that comes at the end, after this was typed.
    Typed {
        /// After the prompt.
        input: &'static str,
        /// What is printed where all went well.
        output: &'static str,
    },
    /// QEMU's own: power-off or exit value 0 by port F4h; another value is what failed.
    ExitZero,
}

/// How an image is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Boot {
    /// By its multiboot header.
    Multiboot,
    /// By its PVH note.
    Pvh,
}

/// One test.
#[derive(Clone, Copy, Debug)]
pub struct Test {
    /// Its name in the table.
    pub name: &'static str,
    /// In the suite's folder.
    pub file: &'static str,
    pub boot: Boot,
    pub cpus: u16,
    pub memory_mib: u32,
    /// A disk beside it that starts the same, for Bochs, where GRUB cannot load the file.
    pub disk: Option<&'static str>,
    /// Its module, a file beside it. None: the environment, where the test reads one.
    pub module: Option<&'static str>,
    /// Arguments for the test's `main`.
    pub args: &'static str,
    /// Lines of its environment, besides CPUs and memory.
    pub environment: &'static str,
    /// The embedded machine's processors are so.
    pub cpu_quirks: &'static [&'static str],
    /// QEMU's CPU model.
    pub qemu_cpu: &'static str,
    pub verdict: Verdict,
    /// It is one of those that must pass here.
    pub must_pass: bool,
    /// Seconds that it may take on each machine.
    pub seconds: u64,
}

/// Tests that are built together.
#[derive(Debug)]
pub struct Suite {
    pub name: &'static str,
    pub folder: &'static str,
    /// How it gets there.
    pub how: &'static str,
    pub tests: &'static [Test],
}

/// Seconds that most tests need by far not; on a computer that has other things to do as well.
const SECONDS: u64 = 120;

const fn kvm(name: &'static str, file: &'static str, cpus: u16) -> Test {
    Test {
        name,
        file,
        boot: Boot::Multiboot,
        cpus,
        memory_mib: 256,
        disk: None,
        module: None,
        args: "",
        environment: "",
        cpu_quirks: &[],
        qemu_cpu: "max",
        verdict: Verdict::KvmUnitTests,
        must_pass: true,
        seconds: SECONDS,
    }
}

/// As on a machine of its own: the test's one hypercall is left out, which is #UD where there is no hypervisor.
const BARE: &str = "TEST_DEVICE=0\n";

const KVM_64: &[Test] = &[
    kvm("smptest", "x86/smptest.flat", 2),
    kvm("smptest3", "x86/smptest.flat", 3),
    kvm("realmode", "x86/realmode.flat", 1),
    kvm("eventinj", "x86/eventinj.flat", 1),
    kvm("smap", "x86/smap.flat", 1),
    kvm("umip", "x86/umip.flat", 1),
    kvm("syscall", "x86/syscall.flat", 1),
    kvm("tsc", "x86/tsc.flat", 1),
    kvm("rmap_chain", "x86/rmap_chain.flat", 1),
    kvm("memory", "x86/memory.flat", 1),
    kvm("emulator", "x86/emulator.flat", 1),
    kvm("ioapic", "x86/ioapic.flat", 4),
    Test { seconds: 600, ..kvm("sieve", "x86/sieve.flat", 1) },
    kvm("idt_test", "x86/idt_test.flat", 1),
    Test { cpu_quirks: &["no-x2apic"], qemu_cpu: "max,-x2apic", environment: BARE, ..kvm("xapic", "x86/apic.flat", 2) },
    Test { environment: BARE, ..kvm("x2apic", "x86/apic.flat", 2) },
    kvm("debug", "x86/debug.flat", 1),
    Test { seconds: 5400, ..kvm("access", "x86/access_test.flat", 1) },
    kvm("msr", "x86/msr.flat", 1),
    kvm("pcid", "x86/pcid.flat", 1),
    Test { qemu_cpu: "max,la57=on", ..kvm("la57", "x86/la57.flat", 1) },
    Test { must_pass: false, ..kvm("pku", "x86/pku.flat", 1) },
    Test { must_pass: false, ..kvm("tsc_adjust", "x86/tsc_adjust.flat", 1) },
];

const KVM_32: &[Test] = &[
    kvm("smptest (32)", "x86/smptest.flat", 2),
    kvm("realmode (32)", "x86/realmode.flat", 1),
    kvm("eventinj (32)", "x86/eventinj.flat", 1),
    kvm("setjmp (32)", "x86/setjmp.flat", 1),
    kvm("smap (32)", "x86/smap.flat", 1),
    kvm("umip (32)", "x86/umip.flat", 1),
    kvm("tsc (32)", "x86/tsc.flat", 1),
    kvm("cmpxchg8b (32)", "x86/cmpxchg8b.flat", 1),
    kvm("taskswitch (32)", "x86/taskswitch.flat", 1),
    kvm("taskswitch2 (32)", "x86/taskswitch2.flat", 1),
];

const XV6: &[Test] = &[Test {
    verdict: Verdict::Typed { input: "usertests\n", output: "ALL TESTS PASSED" },
    seconds: 1800,
    disk: Some("xv6memfs.img"),
    ..kvm("xv6 usertests", "kernelmemfs", 2)
}];

const fn tcg(name: &'static str, file: &'static str, boot: Boot) -> Test {
    Test { boot, verdict: Verdict::ExitZero, must_pass: false, ..kvm(name, file, 1) }
}

const TCG: &[Test] = &[
    tcg("i386 hello", "i386/hello", Boot::Multiboot),
    tcg("i386 memory", "i386/memory", Boot::Multiboot),
    tcg("i386 interrupt", "i386/interrupt", Boot::Multiboot),
    tcg("x86_64 hello", "x86_64/hello", Boot::Pvh),
    tcg("x86_64 memory", "x86_64/memory", Boot::Pvh),
    tcg("x86_64 interrupt", "x86_64/interrupt", Boot::Pvh),
];

/// Their own start, up to where both processors run; what they do later without a disk is no matter.
const KERNELS: &[Test] = &[
    Test {
        boot: Boot::Pvh,
        memory_mib: 512,
        args: "console=ttyS0 nokaslr",
        verdict: Verdict::Typed { input: "", output: "smp: Brought up 1 node, 2 CPUs" },
        must_pass: false,
        ..kvm("Linux 6.1", "vmlinux", 2)
    },
    Test {
        memory_mib: 512,
        // Not started any more, but it wants to see one.
        module: Some("vmlinux"),
        args: "com1=115200,8n1 console=com1 noreboot",
        verdict: Verdict::Typed { input: "", output: "Brought up 2 CPUs" },
        must_pass: false,
        ..kvm("Xen 4.17", "xen", 2)
    },
];

/// All of them.
pub const SUITES: &[Suite] = &[
    Suite {
        name: "kvm-unit-tests, 64 bits",
        folder: "kvm-unit-tests",
        how: "get https://gitlab.com/kvm-unit-tests/kvm-unit-tests, then ./configure --arch=x86_64 && make",
        tests: KVM_64,
    },
    Suite {
        name: "kvm-unit-tests, 32 bits",
        folder: "kvm-unit-tests-32",
        how: "the same sources once more, then ./configure --arch=i386 && make",
        tests: KVM_32,
    },
    Suite {
        name: "xv6-public",
        folder: "xv6-public",
        how: "get https://github.com/mit-pdos/xv6-public, then make kernelmemfs xv6memfs.img",
        tests: XV6,
    },
    Suite {
        name: "QEMU's tests/tcg, system programs",
        folder: "qemu-tcg",
        how: "get https://gitlab.com/qemu-project/qemu, build tests/tcg for i386-softmmu and x86_64-softmmu, copy the programs",
        tests: TCG,
    },
    Suite {
        name: "Kernels as Debian 12 has them",
        folder: "kernels",
        how: "unpack linux-image-cloud-amd64 and xen-hypervisor-4.17-amd64: vmlinux is what vmlinuz holds as lz4, xen what \
              xen-4.17-amd64.gz holds",
        tests: KERNELS,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: a name stands for one test, so that `--only` and the table are clear; method: all names.
    #[test]
    fn names_are_unique() {
        let mut names: Vec<&str> = SUITES.iter().flat_map(|suite| suite.tests).map(|test| test.name).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
    }
}
