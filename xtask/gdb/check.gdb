# For the scripts in tests/: `check EXPRESSION` (without blanks) ends gdb with status 1 where it is not true.

define check
  if !($arg0)
    echo \nNOT TRUE: $arg0\n
    info threads
    info registers rip cs mode activity cr0 cr3 cr4 efer
    quit 1
  end
end

# A read of linear memory that must fail.
define check_unmapped
  set $unmapped = (long)$arg0
  python
import gdb
try:
    linear = int(gdb.parse_and_eval("$unmapped"))
    gdb.selected_inferior().read_memory(linear, 1)
    print(f"\nNOT TRUE: {linear:#x} is not mapped")
    gdb.execute("quit 1")
except gdb.MemoryError:
    pass
  end
end

# Values of $mode and $activity (protocol::Mode, protocol::Activity).
set $REAL = 0
set $PROTECTED16 = 1
set $PROTECTED32 = 2
set $COMPAT = 4
set $LONG = 5
set $RUNNING = 0
set $WAIT_FOR_SIPI = 2

# Runs to the first write of an ICR: the kernel is on its own tables and has placed the real-mode code.
define to_bringup
  tbreak *icr_write_low
  continue
  firstlight-symbols
end
