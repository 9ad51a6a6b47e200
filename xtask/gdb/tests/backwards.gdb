# machine: --cpus 4
# Goal: reverse-stepi takes back each mode switch; with default scheduler-locking the thread that steps is the one that
# goes back. Method: step over a switch, back and over it again, and compare registers.

to_bringup
set $back = $steps
stepi
reverse-stepi
check $rip==&icr_write_low
check $steps==$back

# A step over a switch, back, and over it again.
define over_and_back
  set $before_mode = $mode
  set $before_rip = $rip
  set $before_rax = $rax
  stepi
  check $mode!=$before_mode
  set $after_mode = $mode
  set $after_rip = $rip
  reverse-stepi
  check $_thread==2
  check $mode==$before_mode
  check $rip==$before_rip
  check $rax==$before_rax
  stepi
  check $_thread==2
  check $mode==$after_mode
  check $rip==$after_rip
end

# Real to 16-bit and on to 32-bit protected mode.
hbreak *tr_set_pe
continue
check $_thread==2
over_and_back
check $rip==&tr_enter_32
over_and_back
check $mode==$PROTECTED32
# On to compatibility mode and 64-bit mode.
hbreak *tr_set_pg
continue
check $_thread==2
over_and_back
check $rip==&tr_enter_64
over_and_back
check $mode==$LONG
delete

# CPU 2, selected by hand.
hbreak *tr_load_stack thread 3
continue
check $_thread==3
delete
thread 3
set $here = $rip
set $count = $steps
reverse-stepi
check $_thread==3
check $steps==$count-1
check $rip!=$here
stepi
check $_thread==3
check $steps==$count
check $rip==$here

# Back to where the SIPI had not come yet, by a breakpoint on the way.
thread 3
hbreak *trampoline_start thread 3
reverse-continue
check $_thread==3
check $rip==&trampoline_start
reverse-stepi
check $activity==$WAIT_FOR_SIPI
quit 0
