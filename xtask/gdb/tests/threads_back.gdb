# machine: --cpus 4 --options bringup=parallel
# Goal: which thread steps back is the one the user selected, whatever gdb looked at in between; held CPUs do not move;
# reverse-continue ends where time began. Method: all CPUs on their way, `info threads` and `thread apply` in between.
# All APs run when the last one gets to the kernel.
hbreak secondary_startup_64
continue
continue
continue
delete
thread 3
set $now = $rip
set $count = $steps
reverse-stepi
check $_thread==3
check $steps==$count-1
set $back = $rip
stepi
check $_thread==3
check $steps==$count
check $rip==$now

# Listing threads, or looking at another one for a moment, does not change which one steps back.
thread 3
info threads
thread apply 1 print $rip
reverse-stepi
check $_thread==3
check $rip==$back
stepi
check $rip==$now

# Held others do not move at all.
set scheduler-locking on
thread 1
set $first = $steps
thread 3
stepi
check $_thread==3
check $steps==$count+1
thread 1
check $steps==$first
set scheduler-locking off

# Back to where it all began, and no further.
reverse-continue
check $steps==0
quit 0
