# How gdb is set up for Firstlight; used by `cargo xtask gdb`. With a gdb of your own:
#   gdb -x xtask/gdb/attach.gdb target/guest/kernel.elf -ex 'target remote 127.0.0.1:PORT'

set confirm off
set pagination off
set disassembly-flavor intel
set print symbol on
# gdb tells a server which thread is selected only when it reads something of it, and this cache may spare it that: after
# `thread apply` a reverse-stepi would be another thread's.
set code-cache off

# The machine is a 64-bit x86 in every mode: gdb would decode real-mode code as 64-bit code. Below, from gdb 13 on, the
# machine decodes for it where the selected CPU is in another mode (`monitor code` does that with any gdb).
set architecture i386:x86-64

python
try:
    import gdb.disassembler
except ImportError:
    pass
else:
    class ModeDisassembler(gdb.disassembler.Disassembler):
        """16- and 32-bit code as the selected CPU would execute it; 64-bit code is left to gdb."""

        LONG = 5  # protocol::Mode

        def __init__(self):
            super().__init__("firstlight")

        def __call__(self, info):
            thread = gdb.selected_thread()
            # Above 4 GiB there is 64-bit code only.
            if thread is None or info.address >> 32 or int(gdb.parse_and_eval("$mode")) == self.LONG:
                return None
            said = gdb.execute("monitor code %#x %d 1" % (info.address, thread.ptid[1] - 1), to_string=True)
            columns = said.strip().split(None, 2)
            try:
                length = len(bytes.fromhex(columns[1]))
                return gdb.disassembler.DisassemblerResult(length, columns[2])
            except (IndexError, ValueError):
                # Nothing to read there, or another server: gdb says it in its own words.
                return None

    gdb.disassembler.register_disassembler(ModeDisassembler())
end

# The image has line numbers but no variables, so expressions are C's: *(unsigned long *)&init_top_pgt_paddr.
set language c
