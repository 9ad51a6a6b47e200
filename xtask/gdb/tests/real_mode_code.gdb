# machine: --cpus 2
# Goal: x/i shows code as the selected CPU decodes it: 16-bit in real mode, 32-bit after the far jump, 64-bit in long mode.
# Method: instructions of the trampoline that mean something else, or have another length, in the other modes.

to_bringup
python
def shows(where, *words):
    text = gdb.execute("x/i " + where, to_string=True)
    for word in words:
        if word not in text:
            print("NOT TRUE: x/i %s shows %s, but: %s" % (where, word, text))
            gdb.execute("quit 1")

def length(where):
    lines = gdb.execute("x/2i " + where, to_string=True).splitlines()
    first, second = [int(line.replace("=>", "").split()[0].rstrip(":"), 16) for line in lines]
    return second - first
end
hbreak *tr_enter_32
continue
check $mode==$PROTECTED16
# A far jump of 8 bytes with its operand size changed: 66 ea and 6 bytes; ea is no instruction in 64-bit code.
python shows("$pc", "<tr_enter_32>", "jmp far 0x8:")
python assert length("$pc") == 8
thread 1
# CPU 0 is in long mode: gdb's own.
python shows("secondary_startup_64", "rip")
thread 2
stepi
check $mode==$PROTECTED32
python shows("$pc", "<startup_32>")
hbreak *startup_64
continue
check $mode==$LONG
python shows("$pc", "<startup_64>")
quit 0
