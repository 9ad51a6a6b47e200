# machine: --cpus 2
# Goal: every `monitor` command answers, with the names of the profile; SSE registers can be written. Method: at the start,
# and where CPU 1 enters long mode.

print $xmm1.v2_int64[1]=0x1234
flushregs
check $xmm1.v2_int64[1]==0x1234
check $xmm1.v2_int64[0]==0
monitor undo
flushregs
check $xmm1.v2_int64[1]==0

hbreak secondary_startup_64
continue
check $_thread==2
python
def answers(command, *words):
    text = gdb.execute("monitor " + command, to_string=True)
    for word in words:
        if word not in text:
            print("FAILED: monitor %s does not speak of %s:\n%s" % (command, word, text))
            gdb.execute("quit 1")

answers("help", "walk", "reverse-stepi")
answers("cpus", "CPU 0 (APIC ID 0) [running, long]", "<secondary_startup_64>", "trampoline_pgd", "init_top_pgt")
answers("mode 1", "CR0.PG=1", "EFER.LMA=1", "CS.L=1")
answers("code", "0xffffffff")
answers("code secondary_startup_64 1 2", "0xffffffff", "mov")
answers("code 0 1 5000", "too many")
answers("walk secondary_startup_64 1", "level 4", "level 1", "r-x", "physical")
answers("walk 0x123456789000 1", "not present")
answers("pgd init_top_pgt", "ffffffff80000000")
answers("pgd trampoline_pgd", "root")
answers("pgd 1", "root")
answers("tlb 1", "oldest first", " -> ")
answers("translate secondary_startup_64", "= physical 0x")
answers("narrate 200", "CPU 1 leaves wait-for-SIPI", "(trampoline_pgd)", "goes from")
answers("events 3", "CPU 1")
answers("position", "recorded")
answers("hash", "\n")
answers("nmi 0", "CPU 0 has an NMI")
answers("undo", "there is no edit to take back")
answers("seek 100", "at step 100")
answers("pgd nowhere", "neither", "init_top_pgt")
answers("tlb 9", "there is no CPU 9; this machine has 2")
answers("walk nowhere", "neither a number nor a symbol")
answers("dance", "there is no command", "monitor help")
end
quit 0
