# machine: --cpus 4
# Goal: each AP is caught in real mode at trampoline_start and in long mode at secondary_startup_64, passes every mode
# between by stepi, and leaves trampoline_pgd for init_top_pgt. Method: hardware breakpoints, single steps.

to_bringup
set $kernel_root = *(unsigned long *)&init_top_pgt_paddr
hbreak *trampoline_start
hbreak *secondary_startup_64
set $cpu = 1
while $cpu < 4
  # Woken by its SIPI.
  continue
  check $_thread==$cpu+1
  check $rip==&trampoline_start
  check $mode==$REAL
  check ($cr0&1)==0
  check $cs*16==(long)&trampoline_start
  check $ip==0

  # Through each mode by single steps: 1, 2, 4, 5 in this order.
  while $mode == $REAL
    stepi
  end
  check $mode==$PROTECTED16
  check $rip==&tr_enter_32
  check ($cr0&1)==1
  stepi
  check $mode==$PROTECTED32
  check $rip==&startup_32
  while $mode == $PROTECTED32
    stepi
  end
  check $mode==$COMPAT
  check $rip==&tr_enter_64
  check $cr3==(long)&trampoline_pgd
  check ($efer&0x400)!=0
  stepi
  check $mode==$LONG
  check $rip==&startup_64

  # In the kernel's half, still on the trampoline's tables.
  continue
  check $_thread==$cpu+1
  check $rip==&secondary_startup_64
  check $mode==$LONG
  check $cr3==(long)&trampoline_pgd
  while $cr3 == (unsigned long)&trampoline_pgd
    stepi
  end
  check $cr3==$kernel_root
  # No identity map is left.
  check_unmapped &trampoline_start
  tbreak *start_secondary
  continue
  check $_thread==$cpu+1
  check $cr3==$kernel_root
  set $cpu = $cpu + 1
end
quit 0
