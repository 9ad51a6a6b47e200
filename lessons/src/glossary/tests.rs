//! Every word the machine can show has an entry, and mistakes in content name file and line.

use super::parse::{parse_entries, parse_register};
use super::*;

/// Goal: the embedded files are right; method: parse each and show the first error.
#[test]
fn content_is_valid() {
    for (file, text) in REGISTER_FILES {
        let entry = parse_register(file, text).unwrap_or_else(|e| panic!("{e}"));
        assert!(file.ends_with(&format!("/{}.toml", entry.register)), "{file} explains {}", entry.register);
    }
    for (file, text) in [MODES, ACTIVITIES, VECTORS, DELIVERIES, TERMS] {
        parse_entries(file, text).unwrap_or_else(|e| panic!("{e}"));
    }
}

/// Goal: no control bit that x86-64 defines lacks words; method: the defined bits as masks, written from the SDM.
#[test]
fn every_defined_bit_has_an_entry() {
    let defined: [(&str, u64); 9] = [
        ("cr0", 0xe005_003f),
        ("cr3", 0x000f_ffff_ffff_f018),
        ("cr4", 0x03ff_7fff),
        ("efer", 0xd01),
        ("rflags", 0x003f_7fd7),
        ("apic_base", 0x000f_ffff_ffff_fd00),
        ("page_entry", u64::MAX),
        ("page_fault", 0x3f),
        ("segment", 0x0001_f0ff),
    ];
    for (name, mask) in defined {
        for number in 0..64u8 {
            assert_eq!(bit(name, number).is_some(), mask >> number & 1 == 1, "{name} bit {number}");
        }
    }
}

/// Goal: every mode, activity and delivery mode has words; method: all variants of the protocol's enums.
#[test]
fn every_word_of_the_protocol_has_an_entry() {
    use Delivery as D;
    for m in [Mode::Real, Mode::Protected16, Mode::Protected32, Mode::V86, Mode::Compat, Mode::Long] {
        assert!(mode(m).is_some(), "{m}");
    }
    for a in [Activity::Running, Activity::Halted, Activity::WaitForSipi, Activity::Shutdown, Activity::Held] {
        assert!(activity(a).is_some(), "{a}");
    }
    let deliveries =
        [D::Fixed, D::LowestPriority, D::Smi, D::Nmi, D::Init, D::InitDeassert, D::Sipi, D::ExtInt, D::Reserved];
    for d in deliveries {
        assert!(delivery(d).is_some(), "{}", d.word());
    }
    for number in 0..32 {
        assert!(vector(number).is_some(), "vector {number}");
    }
    assert_eq!(vector(32), None);
}

/// Goal: a field's value is cut out right; method: IOPL and the full width.
#[test]
fn field_values() {
    assert_eq!(bit("rflags", 13).map(|b| (b.name.as_str(), b.value_in(0x3002))), Some(("IOPL", 3)));
    assert_eq!(bit("cr3", 12).map(|b| b.value_in(0x9d000)), Some(0x9d));
    let all = BitEntry { low: 0, high: 63, ..bit("cr0", 0).cloned().expect("PE") };
    assert_eq!(all.value_in(u64::MAX), u64::MAX);
}

/// Goal: a teacher finds a mistake; method: broken texts, and the place and reason that the message must name.
#[test]
fn errors_name_file_and_line() {
    let head = "register = \"x\"\ntitle = \"X\"\nsays = \"A register.\"\nsource = \"SDM\"\n";
    let bit =
        |bits: &str, says: &str| format!("[[bit]]\nbits = {bits}\nname = \"N\"\ntitle = \"T\"\nsays = \"{says}\"\n");
    let long = "word ".repeat(60);
    let cases = [
        (format!("{head}{}{}", bit("[3, 3]", "A."), bit("[3, 4]", "B.")), "g.toml:11: bit 3 stands after N"),
        (format!("{head}{}", bit("[5, 4]", "A.")), "g.toml:6: `bits` is"),
        (format!("{head}{}", bit("[5, 5]", "")), "g.toml:9: `says` is empty"),
        (format!("{head}{}", bit("[5, 5]", "No stop")), "g.toml:9: `says` must end"),
        (format!("{head}{}", bit("[5, 5]", &long)), "g.toml:9: `says` has 60 words"),
        (format!("{head}colour = 1\n{}", bit("[5, 5]", "A.")), "g.toml:5: unknown field `colour`"),
    ];
    for (text, expected) in cases {
        let message = parse_register("g.toml", &text).map(|_| ()).unwrap_err().to_string();
        assert!(message.starts_with(expected), "{message}\nexpected {expected}\nin:\n{text}");
    }
    let twice = "[[entry]]\nid = \"a\"\nname = \"A\"\nsays = \"A.\"\nsource = \"S\"\n".repeat(2);
    let message = parse_entries("e.toml", &twice).map(|_| ()).unwrap_err().to_string();
    assert_eq!(message, "e.toml:7: `a` stands here twice");
}
