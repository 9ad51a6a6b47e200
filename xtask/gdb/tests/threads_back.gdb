# machine: --cpus 4 --options bringup=parallel
# Goal: with scheduler-locking as gdb has it by default, `thread 3` and `reverse-stepi` take back a step of CPU 2, `stepi`
# makes it again, and the CPU that gdb did not select is not the one that is reported. Method: with all CPUs on their way.
set language c

define expect
  if !($arg0)
    echo FAILED: $arg0\n
    monitor cpus
    monitor position
    quit 1
  end
end

# All APs run when the last one gets to the kernel.
hbreak secondary_startup_64
continue
continue
continue
delete
thread 3
set $now = $rip
set $steps_now = $steps
reverse-stepi
expect $_thread==3
expect $steps==$steps_now-1
set $back = $rip
stepi
expect $_thread==3
expect $steps==$steps_now
expect $rip==$now

# Listing threads, or looking at another one for a moment, does not change which one steps back.
thread 3
info threads
thread apply 1 print $rip
reverse-stepi
expect $_thread==3
expect $rip==$back
stepi
expect $rip==$now

# Held others do not move at all.
set scheduler-locking on
thread 1
set $first = $steps
thread 3
stepi
expect $_thread==3
expect $steps==$steps_now+1
thread 1
expect $steps==$first
set scheduler-locking off

# Back to where it all began, and no further.
reverse-continue
expect $steps==0
monitor position
quit 0
