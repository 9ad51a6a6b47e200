# machine: --cpus 2
# Goal: a stopped machine can be changed, and a write is watched in both directions. Method: registers, memory, a
# watchpoint on the variable that the kernel stores its root in.

set $root = (unsigned long *)&init_top_pgt_paddr
watch *(unsigned long *)&init_top_pgt_paddr
continue
check *$root!=0
set $stored = *$root
reverse-continue
check *$root==0
delete
to_bringup
check *$root==$stored

# A register alone, and back.
set $old = $rcx
p $rcx=0x1234567890abcdef
check $rcx==0x1234567890abcdef
check $rip==&icr_write_low
p $rcx=$old
check $rcx==$old

# The instruction pointer, in real mode: the linear address is what is written.
hbreak *tr_cs_set
continue
check $rip==&tr_cs_set
p $rax=1
check $rax==1
p $rip=&tr_load_ds
check $rip==&tr_load_ds
p $rip=&tr_cs_set
stepi
check $rip==&tr_load_ds
check ($rax&0xffff)==$cs

# Memory, where this CPU sees it, and back.
set $old = *(int *)&tr_flags
set *(int *)&tr_flags = 0x600df00d
check *(int*)&tr_flags==0x600df00d
set *(int *)&tr_flags = $old
hbreak *start_secondary
continue
check $_thread==2
quit 0
