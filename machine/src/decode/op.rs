//! The operations that this machine executes, named as iced-x86 and the SDM name them. Made by [`mod@super::translate`],
//! matched by [`crate::execute`].

use iced_x86::Mnemonic;

/// Declares [`Op`]: operations of our own first, then those that correspond to one mnemonic.
macro_rules! operations {
    (own { $($(#[$doc:meta])* $own:ident,)* } mnemonics { $($name:ident)* }) => {
        /// What an instruction does. Variants without comment are the mnemonic of that name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs)]
        #[repr(u16)]
        pub enum Op {
            $($(#[$doc])* $own,)*
            $($name,)*
        }

        impl Op {
            /// An x87 instruction or WAIT; they stand together in the list below.
            pub fn is_x87(self) -> bool {
                (Self::Wait as u16..=Self::Fyl2xp1 as u16).contains(&(self as u16))
            }

            /// The operation of that very name, None where there is none.
            pub(super) fn from_mnemonic(mnemonic: Mnemonic) -> Option<Self> {
                match mnemonic {
                    $(Mnemonic::$name => Some(Self::$name),)*
                    _ => None,
                }
            }
        }
    };
}

operations! {
    own {
        /// An encoding that the architecture does not define, or UD0, UD1, UD2: #UD.
        Invalid,
        /// Longer than 15 bytes: #GP(0).
        TooLong,
        /// Defined by the architecture, absent here.
        Unsupported,
        /// Jump if [`super::Insn::cond`].
        Jcc,
        /// Move if the condition holds.
        Cmovcc,
        /// Set byte to the condition.
        Setcc,
        /// Jump to another code segment.
        JmpFar,
        /// Call into another code segment.
        CallFar,
        /// MOVSB, MOVSW, MOVSD, MOVSQ.
        Movs,
        /// CMPSB to CMPSQ.
        Cmps,
        /// SCASB to SCASQ.
        Scas,
        /// LODSB to LODSQ.
        Lods,
        /// STOSB to STOSQ.
        Stos,
        /// INSB, INSW, INSD.
        Ins,
        /// OUTSB, OUTSW, OUTSD.
        Outs,
        /// Hints that change nothing here: NOP, ENDBR, prefetches.
        Hint,
        /// LFENCE, MFENCE, SFENCE: every access here is already in order.
        Fence,
        /// Loads a segment register and a general one: LDS, LES, LFS, LGS, LSS.
        LoadFarPointer,
    }
    mnemonics {
        Add Adc Sub Sbb Cmp Neg Inc Dec Mul Imul Div Idiv Cbw Cwde Cdqe Cwd Cdq Cqo
        Xadd Cmpxchg Cmpxchg8b Cmpxchg16b Aaa Aas Aam Aad Daa Das
        And Or Xor Not Test
        Rol Ror Rcl Rcr Shl Shr Sar Shld Shrd
        Bt Bts Btr Btc Bsf Bsr Bswap
        Popcnt Lzcnt Tzcnt Movbe Crc32 Adcx Adox
        Andn Bextr Blsi Blsmsk Blsr Bzhi Mulx Pdep Pext Rorx Sarx Shlx Shrx
        Mov Movzx Movsx Movsxd Movnti Lea Xchg Xlatb Lahf Sahf
        Push Pop Pusha Pushad Popa Popad Pushf Pushfd Pushfq Popf Popfd Popfq Enter Leave
        Jmp Call Ret Retf Iret Iretd Iretq Loop Loope Loopne Jcxz Jecxz Jrcxz
        Int Int1 Int3 Into Bound Syscall Sysret Sysretq Sysenter Sysexit Sysexitq
        In Out
        Clc Stc Cmc Cld Std Cli Sti Clac Stac Salc
        Hlt Pause Wbinvd Invd Clflush Rdtsc Rdtscp Rdpmc Monitor Mwait Rdpkru Wrpkru Rdrand Rdseed Cpuid Rdmsr Wrmsr Swapgs
        Lgdt Lidt Sgdt Sidt Lldt Sldt Ltr Str Lar Lsl Verr Verw Arpl Lmsw Smsw Clts Invlpg Invpcid
        Rdfsbase Rdgsbase Wrfsbase Wrgsbase
        Wait Fninit Fnclex Fnstcw Fnstsw Fldcw Fnstenv Fldenv Fnsave Frstor Fneni Fndisi Fnsetpm Frstpm Fnop
        Fld Fild Fbld Fst Fstp Fstpnce Fist Fistp Fisttp Fbstp
        Fld1 Fldl2t Fldl2e Fldpi Fldlg2 Fldln2 Fldz
        Fadd Faddp Fiadd Fsub Fsubp Fisub Fsubr Fsubrp Fisubr Fmul Fmulp Fimul Fdiv Fdivp Fidiv Fdivr Fdivrp Fidivr
        Fcom Fcomp Fcompp Fucom Fucomp Fucompp Ficom Ficomp Ftst Fxam Fcomi Fcomip Fucomi Fucomip
        Fxch Ffree Ffreep Fincstp Fdecstp Fabs Fchs
        Fcmovb Fcmove Fcmovbe Fcmovu Fcmovnb Fcmovne Fcmovnbe Fcmovnu
        Fsqrt Fscale Fprem Fprem1 Frndint Fxtract Fsin Fcos Fsincos Fptan Fpatan F2xm1 Fyl2x Fyl2xp1
        Fxsave Fxsave64 Fxrstor Fxrstor64 Xsave Xsave64 Xsaveopt Xsaveopt64 Xsavec Xsavec64 Xrstor Xrstor64 Xgetbv Xsetbv Ldmxcsr Stmxcsr
        Movaps Movapd Movups Movupd Movdqa Movdqu Movd Movq Movss Movsd
        Movhps Movhpd Movlps Movlpd Movhlps Movlhps Movntps Movntpd Movntdq Movmskps Movmskpd Pmovmskb
        Andps Andpd Andnps Andnpd Orps Orpd Xorps Xorpd Pand Pandn Por Pxor
        Paddb Paddw Paddd Paddq Psubb Psubw Psubd Psubq
        Paddsb Paddsw Paddusb Paddusw Psubsb Psubsw Psubusb Psubusw
        Pmullw Pmulhw Pmulhuw Pmuludq Pmaddwd Psadbw Pavgb Pavgw Pmaxub Pmaxsw Pminub Pminsw
        Pcmpeqb Pcmpeqw Pcmpeqd Pcmpgtb Pcmpgtw Pcmpgtd
        Psllw Pslld Psllq Pslldq Psrlw Psrld Psrlq Psrldq Psraw Psrad
        Pshufd Pshufhw Pshuflw Shufps Shufpd Unpcklps Unpckhps Unpcklpd Unpckhpd
        Punpcklbw Punpcklwd Punpckldq Punpcklqdq Punpckhbw Punpckhwd Punpckhdq Punpckhqdq
        Packsswb Packssdw Packuswb Pextrw Pinsrw
        Emms Pshufw Movntq Movq2dq Movdq2q Maskmovq Maskmovdqu
        Addps Addss Addpd Addsd Subps Subss Subpd Subsd Mulps Mulss Mulpd Mulsd Divps Divss Divpd Divsd
        Minps Minss Minpd Minsd Maxps Maxss Maxpd Maxsd Sqrtps Sqrtss Sqrtpd Sqrtsd Rcpps Rcpss Rsqrtps Rsqrtss
        Cmpps Cmpss Cmppd Cmpsd Comiss Comisd Ucomiss Ucomisd
        Cvtpi2ps Cvtps2pi Cvttps2pi Cvtpi2pd Cvtpd2pi Cvttpd2pi Cvtsi2ss Cvtss2si Cvttss2si Cvtsi2sd Cvtsd2si Cvttsd2si
        Cvtps2pd Cvtpd2ps Cvtss2sd Cvtsd2ss Cvtdq2ps Cvtps2dq Cvttps2dq Cvtdq2pd Cvtpd2dq Cvttpd2dq
        Addsubps Addsubpd Haddps Haddpd Hsubps Hsubpd Movsldup Movshdup Movddup Lddqu
        Pshufb Palignr Phaddw Phaddd Phaddsw Phsubw Phsubd Phsubsw Pabsb Pabsw Pabsd Psignb Psignw Psignd
        Pmulhrsw Pmaddubsw
        Pmulld Pmuldq Pminsb Pmaxsb Pminuw Pmaxuw Pminud Pmaxud Pminsd Pmaxsd Pcmpeqq Packusdw Mpsadbw Phminposuw
        Pblendw Blendps Blendpd Pblendvb Blendvps Blendvpd Ptest Dpps Dppd Roundps Roundss Roundpd Roundsd
        Pmovsxbw Pmovzxbw Pmovsxbd Pmovzxbd Pmovsxbq Pmovzxbq Pmovsxwd Pmovzxwd Pmovsxwq Pmovzxwq Pmovsxdq Pmovzxdq
        Movntdqa Insertps Extractps Pinsrb Pinsrd Pinsrq Pextrb Pextrd Pextrq
        Pcmpgtq Pcmpestri Pcmpestri64 Pcmpestrm Pcmpestrm64 Pcmpistri Pcmpistrm
    }
}
