# machine: --cpus 2
# Goal: registers and memory are written, ^C stops a machine that runs, `detach` leaves it running and gdb can attach
# again. Method: an endless loop is written over the kernel's next instruction.
set language c

define expect
  if !($arg0)
    echo FAILED: $arg0\n
    monitor cpus
    quit 1
  end
end

set $old_rbx = $rbx
print $rax=1
expect $rax==1
expect $rbx==$old_rbx
print $rip=$rip
print $xmm1.v2_int64[1]=0x1234
expect $xmm1.v2_int64[1]==0x1234
flushregs
expect $rax==1
expect $xmm1.v2_int64[1]==0x1234

# jmp to itself
set $here = $rip
set *(unsigned short *)$here = 0xfeeb
set $written = *(unsigned short *)$here
expect $written==0xfeeb
python
import os, signal, threading
def interrupt_after(seconds):
    threading.Timer(seconds, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
address = gdb.selected_inferior().connection.details
end
python interrupt_after(1)
continue
expect $rip==$here
expect $steps>1000
set $then = $steps

detach
python gdb.execute("target remote " + address)
expect $_thread==1
expect $steps>$then
expect $rip==$here
python interrupt_after(1)
continue
expect $rip==$here

# The machine says what it is asked.
monitor help
monitor cpus
monitor walk boot_entry
monitor tlb
monitor pgd
monitor hash
monitor undo
quit 0
