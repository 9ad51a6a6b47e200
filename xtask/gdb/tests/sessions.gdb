# machine: --cpus 2 --options cpu_init_udelay=1000000000
# Goal: Ctrl-C stops a running machine; gdb can detach and attach again. Method: a kernel that waits for very long, and a
# signal to gdb from outside.

to_bringup
set $first = $steps
shell (sleep 1; kill -INT $PPID) &
continue
check $steps>$first
set $stopped = $steps
check $steps==$stopped
detach
firstlight-attach
check $steps>=$stopped
set $again = $steps
stepi
check $steps==$again+1
shell (sleep 1; kill -INT $PPID) &
continue
check $steps>$again+1
quit 0
