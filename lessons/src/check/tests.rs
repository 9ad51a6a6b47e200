//! Each rule against a sample lesson that breaks it, and the embedded lessons against all of them that need no machine.

use super::*;
use crate::lesson::parse::parse;
use crate::lesson::tests::SAMPLE;

const FILE: &str = "lessons/content/sample/lesson.md";

/// The problems of the sample after a replacement.
fn problems(from: &str, to: &str) -> Vec<String> {
    assert!(SAMPLE.contains(from), "the sample has no {from}");
    let lesson = parse(FILE, &SAMPLE.replacen(from, to, 1)).unwrap_or_else(|e| panic!("{from} -> {to}: {e}"));
    let mut profile = crate::expr::tests::profile();
    let start = profile.blobs[0].symbols[0].clone();
    profile.blobs[0].symbols.insert(0, protocol::profile::BlobSymbol { name: "tr_start".into(), ..start });
    let lessons = [Arc::new(lesson)];
    let against = Against { lessons: &lessons, profile: Some(&profile), commands: &["step-cpu"] };
    check_all(&against).into_iter().map(|problem| problem.to_string()).collect()
}

/// The replacement makes this problem, beside those that the small sample has anyway.
fn check_problem(from: &str, to: &str, expect: &str) {
    let found = problems(from, to);
    let expect = format!("{FILE}:{expect}");
    assert!(
        found.iter().any(|problem| problem.starts_with(&expect)),
        "{from} -> {to}\nexpected {expect}\nfound {found:#?}"
    );
}

/// Goal: what is right is let alone; method: the sample, which is too short to have four predictions.
#[test]
fn nothing_but_the_number_of_predictions() {
    assert_eq!(
        problems("Opening", "Opening"),
        [format!("{FILE}:3: the lesson has 1 steps of kind predict; it needs at least 4")]
    );
}

/// Goal: each rule finds its mistake; method: one replacement each.
#[test]
fn each_rule() {
    let long = "word ".repeat(91);
    let sentence = format!("Opening {} end.", "word ".repeat(40));
    let feedback = format!("says = \"{}\"", "word, ".repeat(61));
    let title = "## First step that has a title which is much too long {#first}";
    for (from, to, expect) in [
        ("Opening words.", "", "18: the opening is empty"),
        ("Opening words.", &long, "18: the opening has 91 words; at most 90 are read"),
        ("Opening words.", &sentence, "18: the sentence \"Opening word word word word word ...\" has 42 words"),
        ("CPU 0 is the", &format!("{long} CPU 0 is the"), "20: the text before the task has"),
        ("says = \"One less.\"", &feedback, "40: \"word, word, word, word, word, word, ...\" has 61 words; at most 60"),
        (
            "## First step                                {#first}",
            title,
            "20: the title \"First step that has a title which is much too long\" has more than 40",
        ),
        ("Second step", "First step", "61: another step has the title \"First step\""),
        ("A sample", "A sample.", "3: the title \"A sample.\" ends with a full stop"),
        ("terms = [\"bsp\"]", "terms = []", "21: term:bsp is introduced here, but not listed"),
        ("terms = [\"bsp\"]", "terms = [\"bsp\", \"icr\"]", "9: `terms` lists `icr`, but no text links to it"),
        ("terms = [\"bsp\"]", "terms = [\"bsp\", \"bps\"]", "9: `terms` lists `bps`, which the glossary does not have"),
        ("Break it.", "Break [it](term:no-such).", "62: the link leads to term:no-such, which the glossary"),
        ("Opening words.", "The BSP opens.", "18: \"BSP\" is used here, but `bsp` is introduced later, on line 21"),
        ("Press {key", "[The ICR](term:icr): press {key", "23: term:icr is introduced here, but not listed"),
        ("{key:step-cpu}", "{key:step-cpus}", "23: the window has no command `step-cpus`"),
        ("highlight = \"step-cpu\"", "highlight = \"event\"", "24: the window has no command `event`"),
        ("{insn:tr_start}", "{insn:tr_stop}", "23: the image has no symbol `tr_stop`"),
        ("at tr_start on", "at trampolin_start on", "24: the image has no symbol `trampolin_start`; there is `"),
        ("memory:@tr_start", "memory:@tr_stat", "24: the image has no symbol `tr_stat`"),
        (
            "\"cpu1.ip + 1\"",
            "'root(\"efi_pgd\")'",
            "40: in `root(\"efi_pgd\")`, column 1: the image has no root \"efi_pgd\"",
        ),
        ("\"cpu1.ip + 1\"", "\"cpu2.ip + 1\"", "40: `cpu2.ip + 1` asks for CPU 2; the machine has 2"),
        ("Because.", "See [there](step:third).", "77: the link leads to step:third, which this lesson"),
        ("Because.", "See [there](lesson:third).", "77: the link leads to lesson:third, which is no lesson"),
        ("needs = []", "needs = [\"wake\"]", "6: `needs` names `wake`, which is no lesson"),
        ("needs = []", "needs = [\"sample\"]", "6: the lesson needs itself"),
        ("needs = []", "needs = []\nnext = \"sample\"", "7: `next` names `sample`, which is no other lesson"),
        ("id = \"sample\"", "id = \"simple\"", "1: the lesson's id is `simple`"),
        ("kind = \"break\"", "kind = \"explain\"", "3: the lesson has no step of kind break or mend"),
        ("\"Rule.\", ", "", "24: the step `first` has 2 hints; it needs 3"),
        ("show = [\"code\"]", "show = []", "63: the step `second` shows no panel"),
        (
            "[script]\ndo = [\"action 1\", \"run after ipi(to=1)\"]\n",
            "",
            "24: the step `first` has goals and no [script]",
        ),
        (
            "kind = \"break\"",
            "kind = \"predict\"",
            "63: the step `second` is of kind predict, but no question has a `reveal`",
        ),
        (
            "from = 2, to = 9, not = [4]",
            "from = 0, to = 9",
            "10: some learners get a machine that cannot be: two CPUs have the APIC ID 0",
        ),
        ("cpus = 2", "cpus = 3", "10: some learners get a machine that cannot be: there are 2 APIC IDs for 3 CPUs"),
        ("page = {", "other = { from = 1, to = 2 }\npage = {", "10: `other` is drawn and never used"),
    ] {
        check_problem(from, to, expect);
    }
    let two = "Press [ICR](term:icr) {key";
    let terms = SAMPLE.replacen("[\"bsp\"]", "[\"bsp\", \"icr\"]", 1).replacen("Press {key", two, 1);
    let lesson = parse(FILE, &terms).unwrap();
    let found = check(&lesson, &Against::default());
    assert!(found.iter().any(|problem| problem.line == 20 && problem.what.contains("introduces 2 terms, bsp, icr")));
    let swapped = parse(FILE, &terms.replacen("[\"bsp\", \"icr\"]", "[\"icr\", \"bsp\"]", 1)).unwrap();
    let found = check(&swapped, &Against::default());
    assert!(found.iter().any(|problem| problem.what.contains("lists `icr` where the text introduces `bsp`")));
}

/// Goal: lessons that need each other are found; method: two copies of the sample.
#[test]
fn lessons_in_a_circle() {
    let one = parse(FILE, &SAMPLE.replacen("needs = []", "needs = [\"other\"]", 1)).unwrap();
    let other =
        SAMPLE.replacen("id = \"sample\"", "id = \"other\"", 1).replacen("needs = []", "needs = [\"sample\"]", 1);
    let lessons = [Arc::new(one), Arc::new(parse(FILE, &other).unwrap())];
    let found = check(&lessons[0], &Against { lessons: &lessons, ..Against::default() });
    assert!(found.iter().any(|problem| problem.what == "the lesson and `other` need each other"), "{found:#?}");
}
