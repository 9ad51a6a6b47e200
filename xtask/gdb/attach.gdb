# How gdb is set up for Firstlight; used by `cargo xtask gdb`. With a gdb of your own:
#   gdb -x xtask/gdb/attach.gdb target/guest/kernel.elf -ex 'target remote 127.0.0.1:PORT'

set confirm off
set pagination off
set disassembly-flavor intel
set print symbol on

# The machine is a 64-bit x86 in every mode; what is decoded as 16- or 32-bit code is a matter of `set architecture i8086`.
set architecture i386:x86-64

# The image has line numbers but no variables, so expressions are C's: *(unsigned long *)&init_top_pgt_paddr.
set language c
