# machine: --cpus 2
# Goal: stepi goes through each mode switch of an AP, and reverse-stepi back over it. Method: step from the trampoline's
# first instruction to the kernel's; at each change of mode go back one step and forward again.
set language c

define expect
  if !($arg0)
    echo FAILED: $arg0\n
    monitor cpus
    quit 1
  end
end

watch *(unsigned long *)&real_mode_base
while *(unsigned long *)&real_mode_base == 0
  continue
end
delete
firstlight-symbols
set $start = (unsigned long)&trampoline_start
hbreak *$start
continue
expect $_thread==2
expect $rip==$start
delete

set $switches = 0
while $rip != (unsigned long)&secondary_startup_64
  set $before = $mode
  set $from = $rip
  stepi
  expect $_thread==2
  if $mode != $before
    set $after = $mode
    set $to = $rip
    reverse-stepi
    expect $_thread==2
    expect $mode==$before
    expect $rip==$from
    stepi
    expect $_thread==2
    expect $mode==$after
    expect $rip==$to
    set $switches = $switches + 1
  end
end
# real -> 16-bit protected -> 32-bit protected -> compatibility -> 64-bit
expect $switches==4
expect $mode==5
quit 0
