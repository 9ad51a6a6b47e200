//! What people type, and what it is taken for.

use super::*;

fn check(text: &str, input: InputKind, format: Format, right: &Value) {
    match read(text, input, format) {
        Ok(given) => assert!(given.is(right), "{text:?} is read as {given:?}, which is not {right}"),
        Err(why) => panic!("{text:?}: {why}"),
    }
}

fn check_unread(text: &str, input: InputKind, format: Format, expect: &str) {
    let why = read(text, input, format).expect_err(text);
    assert!(why.starts_with(expect), "{text:?}\nsays     {why}\nexpected {expect}");
    assert!(why.ends_with('.'), "a sentence for the learner: {why}");
}

/// Goal: a number in all the ways people write it is one answer; method: tables for hexadecimal and decimal questions.
#[test]
fn numbers() {
    for text in [
        "9A000",
        "0x9a000",
        "9a000h",
        "0X9A000",
        "9A000H",
        " 0009_a000 ",
        "0009 a000",
        "0009'a000",
        "9a00:0000",
        "9A00h:0",
        "0x9000:a000",
    ] {
        check(text, InputKind::Number, Format::Hex, &Value::Int(0x9a000));
    }
    check("ffff_ffff_8100_0000", InputKind::Number, Format::Hex64, &Value::Int(0xffff_ffff_8100_0000));
    check("10", InputKind::Number, Format::Hex, &Value::Int(0x10));
    check("10", InputKind::Number, Format::Dec, &Value::Int(10));
    check("0x10", InputKind::Number, Format::Dec, &Value::Int(16));
    check("10h", InputKind::Number, Format::Dec, &Value::Int(16));
    check("1 000", InputKind::Number, Format::Dec, &Value::Int(1000));
    check("1", InputKind::Number, Format::Hex, &Value::Bool(true));
    check("none", InputKind::Number, Format::Hex, &Value::none());
    assert!(!read("9b000", InputKind::Number, Format::Hex).unwrap().is(&Value::Int(0x9a000)));
    assert!(!read("0", InputKind::Number, Format::Hex).unwrap().is(&Value::none()));
    assert!(!read("none", InputKind::Number, Format::Hex).unwrap().is(&Value::Int(0)));
}

/// Goal: what cannot be read is told how to write it; method: a table.
#[test]
fn unreadable() {
    let huge = "1".repeat(500);
    for (text, format, expect) in [
        ("", Format::Hex, "Write your answer first: a hexadecimal number, as 9a000"),
        ("   ", Format::Dec, "Write your answer first: a decimal number"),
        ("hello", Format::Hex, "`hello` is no number. Write a hexadecimal number"),
        ("0x", Format::Hex, "`0x` is no number"),
        ("h", Format::Hex, "`h` is no number"),
        ("-1", Format::Hex, "`-1` is below 0"),
        ("1f", Format::Dec, "`1f` is no decimal number. If it is hexadecimal, write 0x1f or 1fh"),
        ("1_0000_0000_0000_0000", Format::Hex, "`1_0000_0000_0000_0000` does not fit into 64 bits"),
        ("99999999999999999999", Format::Dec, "`99999999999999999999` does not fit into 64 bits"),
        ("9a000:0", Format::Hex, "`9a000:0` is no address. A segment and an offset"),
        ("1:2:3", Format::Hex, "`1:2:3` is no address"),
        ("٣", Format::Dec, "`٣` is no number"),
        (&huge, Format::Hex, "That is too long to be an answer"),
    ] {
        check_unread(text, InputKind::Number, format, expect);
    }
    check_unread("9a000", InputKind::SegOff, Format::Hex, "`9a000` is no segment and offset. Write two hexadecimal");
    check_unread("9a00:", InputKind::SegOff, Format::Hex, "`9a00:` is no segment and offset");
    check_unread("0:10000", InputKind::SegOff, Format::Hex, "`0:10000` is no segment and offset");
    check_unread("...", InputKind::Word, Format::Hex, "Write a word");
}

/// Goal: seg:off is right by its parts or by its address, as the question means it; method: both kinds of right value.
#[test]
fn segment_and_offset() {
    check("9a00:0010", InputKind::SegOff, Format::Hex, &Value::word("9a00:0010"));
    check("9A00H : 10h", InputKind::SegOff, Format::Hex, &Value::word("9a00:0010"));
    check("9a01:0", InputKind::SegOff, Format::Hex, &Value::Int(0x9a010));
    assert!(!read("9a01:0", InputKind::SegOff, Format::Hex).unwrap().is(&Value::word("9a00:0010")));
    assert_eq!(read("9a00:10", InputKind::SegOff, Format::Hex).unwrap().seg_off(), Some((0x9a00, 0x10)));
}

/// Goal: words are compared as people say them; method: synonyms, case, spaces, symbols.
#[test]
fn words() {
    for (text, word) in [
        ("protected 16", "protected16"),
        ("Protected, 16-bit", "protected16"),
        ("16-bit protected mode", "protected16"),
        ("Real mode", "real"),
        ("compatibility mode", "compat"),
        ("64-bit", "long"),
        ("Wait for SIPI", "wait-for-sipi"),
        ("HLT", "halted"),
        ("shut down", "shutdown"),
        ("start-up", "sipi"),
        ("Startup_32", "startup_32"),
        ("wake", "kernel::smp::wake"),
        ("kernel::smp::wake", "kernel::smp::wake"),
        ("nothing", "none"),
    ] {
        check(text, InputKind::Word, Format::Hex, &Value::word(word));
    }
    check("True", InputKind::Word, Format::Hex, &Value::Bool(true));
    check("no", InputKind::Word, Format::Hex, &Value::Bool(false));
    assert!(!read("protected 32", InputKind::Word, Format::Hex).unwrap().is(&Value::word("protected16")));
    assert!(!read("real", InputKind::Word, Format::Hex).unwrap().is(&Value::Int(0)));
}
