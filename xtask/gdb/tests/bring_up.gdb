# machine: --cpus 4
# Goal: every AP is seen in real mode at the trampoline's linear address and in long mode at secondary_startup_64, with
# the trampoline's page tables before the load of CR3 and the kernel's after it. Method: hardware breakpoints.
set language c

define expect
  if !($arg0)
    echo FAILED: $arg0\n
    info threads
    monitor cpus
    quit 1
  end
end

info threads
expect $_thread==1
expect $mode==5

# The blob's place is known once the kernel has written it down: `watch` stops right after that.
watch *(unsigned long *)&real_mode_base
continue
while *(unsigned long *)&real_mode_base == 0
  continue
end
delete
firstlight-symbols
set $start = (unsigned long)&trampoline_start
set $kernel = (unsigned long)&secondary_startup_64
set $tables = (unsigned long)&trampoline_pgd
hbreak *$start
hbreak secondary_startup_64

set $cpu = 1
while $cpu < 4
  continue
  expect $_thread==$cpu+1
  expect $rip==$start
  expect $mode==0
  expect $ip==0
  expect $cr3==0
  continue
  expect $_thread==$cpu+1
  expect $rip==$kernel
  expect $mode==5
  expect $cr3==$tables
  while $rip != (unsigned long)&ss_load_cr3
    stepi
  end
  stepi
  set $init_top_pgt = *(unsigned long *)&init_top_pgt_paddr
  expect $cr3==$init_top_pgt
  expect $cr3!=$tables
  set $cpu = $cpu + 1
end
info threads
quit 0
