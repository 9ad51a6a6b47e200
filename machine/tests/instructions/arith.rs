//! ADD to CMPXCHG, AND to NOT, MUL to IDIV, decimal arithmetic.

use crate::lab::{DATA, HOLE, Lab};
use crate::model::{add_or_sub, cut, edges, result_flags, signed, sized};
use machine::cpu::flags::{AF, CF, OF, PF, SF, STATUS, ZF};
use machine::cpu::gpr::{RAX, RBX, RCX, RDX, RSI};
use machine::fault::vector;

/// What a register that is written in `size` bytes holds after it.
fn merged(old: u64, new: u64, size: u32) -> u64 {
    match size {
        1 => old & !0xff | new,
        2 => old & !0xffff | new,
        _ => new,
    }
}

/// Goal: the eight basic operations and their flags in four sizes; method: edge values, both carries, against wide
/// arithmetic.
#[test]
fn basic_operations() {
    const UPPER: u64 = 0x1122_3344_5566_7788;
    for size in [1, 2, 4, 8] {
        for operation in 0..8u8 {
            let code = sized(operation << 3 | 1, 0xc8, size);
            for (a, b) in edges(size).flat_map(|a| edges(size).map(move |b| (a, b))) {
                for carry in [0, 1] {
                    let rax = merged(UPPER, a, size.min(2));
                    let rax = if size > 2 { a } else { rax };
                    let lab = Lab::new(64, &code).with(RAX, rax).with(RCX, b).with_flags(carry).run(1);
                    let (result, flags) = match operation {
                        0 => add_or_sub(a, b, 0, size, false),
                        2 => add_or_sub(a, b, carry, size, false),
                        3 => add_or_sub(a, b, carry, size, true),
                        5 | 7 => add_or_sub(a, b, 0, size, true),
                        1 => (a | b, result_flags(a | b, size)),
                        4 => (a & b, result_flags(a & b, size)),
                        _ => (a ^ b, result_flags(a ^ b, size)),
                    };
                    let expected = if operation == 7 { rax } else { merged(rax, result, size) };
                    assert_eq!(lab.reg(RAX), expected, "operation {operation} size {size}: {a:x} {b:x} {carry}");
                    assert_eq!(
                        lab.cpu.rflags & STATUS,
                        flags,
                        "operation {operation} size {size}: {a:x} {b:x} {carry}"
                    );
                }
            }
        }
    }
}

/// Goal: INC, DEC, NEG, NOT and their flags; method: edge values; CF must survive INC and DEC, all flags NOT.
#[test]
fn one_operand() {
    for size in [1, 2, 4, 8] {
        for (a, carry) in edges(size).flat_map(|a| [(a, 0), (a, CF)]) {
            let run = |opcode, modrm| {
                let lab = Lab::new(64, &sized(opcode, modrm, size)).with(RAX, a).with_flags(carry).run(1);
                (cut(lab.reg(RAX), size), lab.cpu.rflags & STATUS)
            };
            let keep = |(result, flags): (u64, u64)| (result, flags & !CF | carry);
            assert_eq!(run(0xff, 0xc0), keep(add_or_sub(a, 1, 0, size, false)), "inc {a:x} size {size}");
            assert_eq!(run(0xff, 0xc8), keep(add_or_sub(a, 1, 0, size, true)), "dec {a:x} size {size}");
            assert_eq!(run(0xf7, 0xd8), add_or_sub(0, a, 0, size, true), "neg {a:x} size {size}");
            assert_eq!(run(0xf7, 0xd0), (cut(!a, size), carry), "not {a:x} size {size}");
        }
    }
}

/// Goal: MUL, IMUL in three forms; method: edge values against 128-bit products.
#[test]
fn products() {
    for size in [1, 2, 4, 8] {
        for (a, b) in edges(size).flat_map(|a| edges(size).map(move |b| (a, b))) {
            let bits = 8 * size;
            let run = |modrm| Lab::new(64, &sized(0xf7, modrm, size)).with(RAX, a).with(RCX, b).run(1);
            let halves = |lab: &Lab| match size {
                1 => (lab.reg(RAX) & 0xff, lab.reg(RAX) >> 8 & 0xff),
                _ => (cut(lab.reg(RAX), size), cut(lab.reg(RDX), size)),
            };
            let unsigned = u128::from(a) * u128::from(b);
            let lab = run(0xe1);
            assert_eq!(halves(&lab), (cut(unsigned as u64, size), cut((unsigned >> bits) as u64, size)));
            let fits = unsigned >> bits == 0;
            assert_eq!((lab.flag(CF), lab.flag(OF)), (!fits, !fits), "mul {a:x} {b:x}");
            let product = signed(a, size) * signed(b, size);
            let lab = run(0xe9);
            assert_eq!(halves(&lab), (cut(product as u64, size), cut((product >> bits) as u64, size)));
            let fits = product == signed(product as u64, size);
            assert_eq!((lab.flag(CF), lab.flag(OF)), (!fits, !fits), "imul {a:x} {b:x}");
            if size > 1 {
                let mut code = sized(0xaf, 0xc1, size);
                code.insert(code.len() - 2, 0x0f);
                let lab = Lab::new(64, &code).with(RAX, a).with(RCX, b).run(1);
                assert_eq!((cut(lab.reg(RAX), size), lab.flag(OF)), (cut(product as u64, size), !fits));
            }
        }
    }
    // imul ecx, [rsi], -3
    let lab = Lab::new(64, &[0x6b, 0x0e, 0xfd]).with(RSI, DATA).with_memory(DATA, &7u32.to_le_bytes()).run(1);
    assert_eq!((lab.reg(RCX), lab.flag(CF)), (0xffff_ffeb, false));
}

/// Goal: DIV and IDIV: quotient and remainder, or #DE with nothing changed; method: edge values against i128 division.
#[test]
fn quotients() {
    for size in [1, 2, 4, 8u32] {
        let bits = 8 * size;
        for (low, divisor) in edges(size).flat_map(|a| edges(size).map(move |b| (a, b))) {
            for high in [0, 1, cut(u64::MAX, size), cut(divisor.wrapping_sub(1), size), cut(divisor / 2, size)] {
                let (rax, rdx) = if size == 1 { (low | high << 8, 0) } else { (low, high) };
                let lab =
                    |modrm| Lab::new(64, &sized(0xf7, modrm, size)).with(RAX, rax).with(RDX, rdx).with(RCX, divisor);
                let wide = u128::from(high) << bits | u128::from(low);
                let outcome = |modrm, expected: Option<(u64, u64)>| match expected {
                    Some((quotient, remainder)) => {
                        let lab = lab(modrm).run(1);
                        let got = match size {
                            1 => (lab.reg(RAX) & 0xff, lab.reg(RAX) >> 8 & 0xff),
                            _ => (cut(lab.reg(RAX), size), cut(lab.reg(RDX), size)),
                        };
                        assert_eq!(got, (cut(quotient, size), cut(remainder, size)), "{wide:x} / {divisor:x}");
                    }
                    None => assert_eq!(lab(modrm).fault().vector, vector::DIVIDE_ERROR, "{wide:x} / {divisor:x}"),
                };
                let unsigned = wide.checked_div(u128::from(divisor)).filter(|&quotient| quotient >> bits == 0);
                outcome(0xf1, unsigned.map(|quotient| (quotient as u64, (wide % u128::from(divisor)) as u64)));
                let (top, divisor) = (signed(high, size) << bits | i128::from(low), signed(divisor, size));
                let quotient = top.checked_div(divisor).filter(|&quotient| quotient == signed(quotient as u64, size));
                outcome(0xf9, quotient.map(|quotient| (quotient as u64, (top % divisor) as u64)));
            }
        }
    }
}

/// Goal: XADD and CMPXCHG with registers and memory; method: literal values, also where the operand cannot be written.
#[test]
fn exchanges() {
    // lock xadd [rsi], ecx
    let lab = Lab::new(64, &[0xf0, 0x0f, 0xc1, 0x0e]).with(RSI, DATA).with(RCX, 5).with_memory(DATA, &[7]).run(1);
    assert_eq!((lab.memory(DATA), lab.reg(RCX)), (12u32.to_le_bytes(), 7));
    // xadd al, al
    assert_eq!(Lab::new(64, &[0x0f, 0xc0, 0xc0]).with(RAX, 0x81).run(1).reg(RAX), 2);
    // lock cmpxchg [rsi], ecx: equal, then not
    let code = [0xf0, 0x0f, 0xb1, 0x0e];
    let equal = Lab::new(64, &code).with(RSI, DATA).with(RAX, 7 | 1 << 40).with(RCX, 9).with_memory(DATA, &[7]).run(1);
    assert_eq!((equal.memory(DATA), equal.reg(RAX), equal.flag(ZF)), ([9u8], 7 | 1 << 40, true));
    let other = Lab::new(64, &code).with(RSI, DATA).with(RAX, 6).with(RCX, 9).with_memory(DATA, &[7]).run(1);
    assert_eq!((other.memory(DATA), other.reg(RAX), other.flag(ZF)), ([7u8], 7, false));
    assert!(other.flag(CF) && other.flag(SF) && other.flag(AF));
    let fault = Lab::new(64, &code).with(RSI, HOLE).with(RAX, 6).fault();
    assert_eq!((fault.vector, fault.cr2, fault.error), (vector::PAGE_FAULT, Some(HOLE), Some(2)));
    // cmpxchg16b [rsi], aligned and not
    let code = [0x48, 0x0f, 0xc7, 0x0e];
    let old = (3u128 << 64 | 4).to_le_bytes();
    let lab = Lab::new(64, &code).with(RSI, DATA).with(RDX, 3).with(RAX, 4).with(RCX, 5).with(RBX, 6);
    let lab = lab.with_memory(DATA, &old);
    let equal = lab.clone().run(1);
    assert_eq!((equal.memory(DATA), equal.flag(ZF)), ((5u128 << 64 | 6).to_le_bytes(), true));
    let other = lab.clone().with(RAX, 0).run(1);
    assert_eq!((other.memory(DATA), other.reg(RAX), other.flag(ZF)), (old, 4, false));
    assert_eq!(lab.with(RSI, DATA + 8).fault().vector, vector::GENERAL_PROTECTION);
    // cmpxchg8b [esi]
    let lab = Lab::new(32, &[0x0f, 0xc7, 0x0e]).with(RSI, DATA).with(RBX, 1).with(RCX, 2).run(1);
    assert_eq!((lab.memory(DATA), lab.flag(ZF)), ((2u64 << 32 | 1).to_le_bytes(), true));
}

/// Goal: sign extension of the accumulator; method: the six instructions on negative values.
#[test]
fn accumulator_extension() {
    let rax = 0x1111_1111_8000_8080;
    for (code, expected) in [
        (&[0x66, 0x98][..], (0x1111_1111_8000_ff80, 0)),
        (&[0x98], (0xffff_8080, 0)),
        (&[0x48, 0x98], (0xffff_ffff_8000_8080, 0)),
        (&[0x66, 0x99], (rax, 0xffff)),
        (&[0x99], (rax, 0xffff_ffff)),
        (&[0x48, 0x99], (rax, 0)),
    ] {
        let lab = Lab::new(64, code).with(RAX, rax).run(1);
        assert_eq!((lab.reg(RAX), lab.reg(RDX)), expected, "{code:x?}");
    }
}

/// Goal: decimal arithmetic as the SDM's examples and pseudo-code have it; method: literal values; #UD in 64-bit mode.
#[test]
fn decimal() {
    let run = |code: &[u8], ax: u64, flags| {
        let lab = Lab::new(32, code).with(RAX, ax).with_flags(flags).run(1);
        (lab.reg(RAX), lab.cpu.rflags & (CF | AF | ZF | SF | PF))
    };
    // daa after 79h + 35h = aeh: 114
    assert_eq!(run(&[0x27], 0xae, 0), (0x14, CF | AF | PF));
    // das after 35h - 47h = eeh with a borrow: 88
    assert_eq!(run(&[0x2f], 0xee, CF | AF), (0x88, CF | AF | SF | PF));
    assert_eq!(run(&[0x37], 0x00fa, 0), (0x0200, CF | AF | ZF | PF));
    assert_eq!(run(&[0x3f], 0x0203, AF), (0x000d, CF | AF));
    assert_eq!(run(&[0xd4, 10], 77, 0), (0x0707, 0));
    assert_eq!(run(&[0xd5, 10], 0x0707, 0), (77, PF));
    assert_eq!(Lab::new(32, &[0xd4, 0]).with(RAX, 1).fault().vector, vector::DIVIDE_ERROR);
    assert_eq!(Lab::new(64, &[0x27]).fault().vector, vector::INVALID_OPCODE);
}
