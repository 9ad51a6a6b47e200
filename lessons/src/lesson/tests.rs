//! A small lesson that is right, and each thing that can be wrong in a file, with line and message.

use super::parse::parse;
use super::*;
use crate::command::Command;
use crate::template::{Block, Part, Span};

/// A lesson with one of everything. [`crate::check`] has nothing against it, where one step stands for many.
pub(crate) const SAMPLE: &str = r##"+++
id = "sample"
title = "A sample"
minutes = 5
part = "A"
needs = []
goals = ["See how it is written."]
sources = ["None"]
terms = ["bsp"]
[machine]
cpus = 2
options = "bringup=serial trampoline={page:hex0x}"
apic_ids = [0, "{ap}"]
[vary]
page = { from = 0x10, to = 0x9b, times = 0x1000 }
ap = { from = 2, to = 9, not = [4] }
+++
Opening words.

## First step                                {#first}
CPU 0 is the [bootstrap processor](term:bsp). RAX is {cpu0.eax:hex}.

Press {key:step-cpu} at {insn:tr_start}.
~~~step
kind = "predict"
stop = ["at tr_start on cpu1", "step cpu1"]
show = ["lanes", "cpu:1", "memory:@tr_start + 2"]
highlight = "step-cpu"
cpu = 1
hints = ["Look.", "Rule.", "Calculate."]
then = "Done.\n\n**Good.**"
[[question]]
ask = "What is IP?"
example = "like 1234"
reveal = "step cpu1"
ahead = ["edit cpu1.rax = 1"]
answer = "cpu1.ip"
right = "Right."
wrong = [
    { value = "cpu1.ip + 1", id = "M-one-more", says = "One less." },
    { value = 7, id = "M-seven", says = "Not 7." },
]
[[question]]
ask = "Which mode?"
reveal = "step cpu1"
answer = "cpu1.mode"
choices = [
    { says = "Real", value = "real" },
    { says = "Long", value = "long", id = "M-long", feedback = "No." },
]
[[goal]]
says = "It runs"
when = "cpu1.activity == running"
[[action]]
label = "Do it"
do = ["step cpu1", "undo"]
[script]
do = ["action 1", "run after ipi(to=1)"]
~~~

## Second step                               {#second}
Break it.
~~~step
kind = "break"
stop = "step:first"
show = ["code"]
hints = ["Look.", "Rule.", "Calculate."]
[[question]]
ask = "Which sentence is true?"
choices = [
    { says = "This", right = true },
    { says = "That", id = "M-that", feedback = "No." },
]
~~~

## Why {#why}
Because.

## End {#end}
The end.
~~~end
numbers = [{ label = "Page", value = "page", format = "hex0x" }]
again = { label = "With four", cpus = 4 }
~~~
"##;

/// Goal: what a file says is what a lesson has; method: the sample, part by part.
#[test]
fn a_file_becomes_a_lesson() {
    let lesson = parse("lessons/content/sample/lesson.md", SAMPLE).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!((lesson.id.as_str(), lesson.title.as_str(), lesson.minutes), ("sample", "A sample", 5));
    assert_eq!(lesson.drawn_names(), ["page", "ap"], "in the order of the file");
    let [first, second] = lesson.steps.as_slice() else { panic!("two steps") };
    assert_eq!((first.id.as_str(), first.title.as_str(), first.kind), ("first", "First step", StepKind::Predict));
    assert_eq!((first.line, first.block_line, lesson.lines.title), (20, 24, 3));
    assert_eq!(first.stop.len(), 2);
    assert_eq!(second.stop, [Stop::Step("first".into())]);
    assert_eq!((first.show[1].cpu, first.show[2].at.is_some()), (Some(1), true));
    assert_eq!(first.script[0], Command::Action(0));
    assert_eq!(first.then.blocks.len(), 2);
    let [ip, mode] = first.questions.as_slice() else { panic!("two questions") };
    assert!(ip.predict && ip.input == InputKind::Number && mode.input == InputKind::Choice);
    assert!(!second.questions[0].predict);
    assert_eq!((ip.line, ip.wrong[1].line), (33, 41));
    let Block::Paragraph(line) = &first.text.blocks[0].1 else { panic!("a paragraph") };
    assert!(matches!(&line[1], Span::Term { id, line: 21, .. } if id == "bsp"));
    assert!(matches!(&line[2], Span::Text(parts) if matches!(parts[1], Part::Value { line: 21, .. })));
    assert_eq!(lesson.numbers[0].format, Format::Hex0x);
    assert_eq!(lesson.again.as_ref().map(|again| (again.label.as_str(), again.cpus)), Some(("With four", 4)));
    let none = SAMPLE.replace("cpus = 4 }", "cpus = 0 }");
    let why = parse("lessons/content/sample/lesson.md", &none).unwrap_err().to_string();
    assert!(why.contains("1 to 255 CPUs"), "{why}");
}

/// Goal: the machine has the learner's numbers; method: the configuration for 50 seeds.
#[test]
fn the_machine_of_a_learner() {
    let lesson = parse("s.md", SAMPLE).unwrap();
    for seed in 0..50 {
        let drawn = lesson.draw(seed);
        let config = lesson.machine.config(&drawn).unwrap();
        let (page, ap) = (drawn.get("page").unwrap(), drawn.get("ap").unwrap());
        assert!((0x10..=0x9b).contains(&(page >> 12)) && page & 0xfff == 0 && ap != 4);
        assert_eq!(config.options, format!("bringup=serial trampoline={page:#x}"));
        assert_eq!((config.cpus, config.apic_ids), (2, vec![0, ap as u8]));
    }
}

/// Replaces the first place of `from` in the sample; the message must be on this line and begin so.
fn check(from: &str, to: &str, expect: &str) {
    assert!(SAMPLE.contains(from), "the sample has no {from}");
    let text = SAMPLE.replacen(from, to, 1);
    match parse("s.md", &text) {
        Ok(_) => panic!("{from} -> {to} should be an error: {expect}"),
        Err(error) => {
            let message = error.to_string();
            assert!(message.starts_with(expect), "{from} -> {to}\nsays     {message}\nexpected {expect}");
        }
    }
}

/// Goal: a teacher finds every mistake in the front matter; method: break the sample, one thing at a time.
#[test]
fn mistakes_in_the_front_matter() {
    for (from, to, expect) in [
        ("+++\nid", "id", "s.md:1: the file begins with a line `+++`"),
        ("+++\nOpening", "Opening", "s.md:1: the second `+++` is missing"),
        ("part = \"A\"", "part = \"A\"\ncolour = 1", "s.md:6: unknown field `colour`"),
        ("part = \"A\"\n", "", "s.md:2: missing field `part`"),
        ("\"sample\"", "\"Sample 1\"", "s.md:2: `Sample 1` is no id"),
        ("minutes = 5", "minutes = 0", "s.md:4: `minutes` is how long"),
        ("minutes = 5", "minutes = \"5\"", "s.md:4: invalid type: string \"5\", expected u32"),
        ("sources = [\"None\"]", "sources = []", "s.md:8: `sources` is empty"),
        ("cpus = 2", "cpus = \"two\"", "s.md:11: \"two\" is neither a number nor a drawn one"),
        ("\"{ap}\"", "\"{apic}\"", "s.md:13: in `apic`, column 1: there is no `apic`"),
        ("\"{ap}\"", "\"{cpu1.apic_id}\"", "s.md:13: `cpu1.apic_id` asks the machine, which is only being made"),
        ("{page:hex0x}", "{page:hexx}", "s.md:12: there is no format `hexx`; there are hex"),
        ("{page:hex0x}", "{pgae:hex0x}", "s.md:12: in `pgae`, column 1: there is no `pgae`"),
        ("from = 2", "from = 20", "s.md:16: `ap`: from 20 is greater than to 9"),
        ("times = 0x1000", "times = 0", "s.md:15: `page`: `times` is at least 1"),
        ("from = 2, to = 9", "from = 4, to = 4", "s.md:16: `ap`: no number is left"),
        ("not = [4]", "distinct_from = [\"pag\"]", "s.md:16: `ap`: `distinct_from` names `pag`"),
        ("ap = {", "real = {", "s.md:16: `real` means something else"),
        ("ap = {", "Ap = {", "s.md:16: `Ap` cannot be used in an expression"),
    ] {
        check(from, to, expect);
    }
}

/// Goal: the same for sections and text; method: the same.
#[test]
fn mistakes_in_sections_and_text() {
    for (from, to, expect) in [
        ("{#first}", "", "s.md:20: a step's heading is `## Title {#id}`"),
        ("{#second}", "{#first}", "s.md:61: the id `first` stands here twice, first on line 20"),
        ("{#second}", "{#Second}", "s.md:61: `Second` is no id"),
        (
            "~~~step\nkind = \"break\"",
            "~~~stop\nkind = \"break\"",
            "s.md:63: a block begins with `~~~step` or `~~~end`, not `~~~stop`",
        ),
        ("~~~\n\n## Second", "\n\n## Second", "s.md:63: the block of line 24 has no end"),
        ("~~~\n\n## Second", "~~~\nMore.\n\n## Second", "s.md:60: text stands after the block"),
        ("Because.", "Because.\n~~~step\n~~~", "s.md:78: `Why` is text only"),
        ("~~~end", "~~~step", "s.md:81: `End` takes a block `~~~end`"),
        ("## Why {#why}\nBecause.\n", "", "s.md:83: the section `## Why {#why}` is missing"),
        (
            "## Second step                               {#second}\nBreak it.",
            "## Second {#second}\nText.\n\n## Third {#third}\nBreak it.",
            "s.md:61: the step `second` has no block",
        ),
        ("{cpu0.eax:hex}", "{cpu0.eex:hex}", "s.md:21: in `cpu0.eex`, column 6: a CPU has no `eex`"),
        ("{cpu0.eax:hex}", "{cpu0.eax:hax}", "s.md:21: there is no format `hax`"),
        ("{cpu0.eax:hex}", "{cpu0.eax", "s.md:21: the `}` of this `{` is missing"),
        ("{cpu0.eax:hex}", "}", "s.md:21: a `}` without its `{`"),
        ("{key:step-cpu}", "{key:}", "s.md:23: `{key:}` names nothing"),
        ("(term:bsp)", "(https://example.org)", "s.md:21: the link leads to `https://example.org`"),
        ("Opening words.", "![x](term:y)", "s.md:18: pictures cannot be shown"),
        ("Opening words.", "<b>x</b>", "s.md:18: `<b>` is HTML"),
        ("Opening words.", "- a\n  - b", "s.md:19: a list stands inside a list"),
        ("Opening words.", "### More", "s.md:18: a heading stands in the text"),
        ("Opening words.", "```\ncode", "s.md:18: this ``` is not closed"),
        ("Opening words.", "\u{e000}", "s.md:18: a character of Unicode's private-use area"),
    ] {
        check(from, to, expect);
    }
}

/// Goal: the same for steps; method: the same.
#[test]
fn mistakes_in_steps() {
    for (from, to, expect) in [
        ("kind = \"predict\"", "kind = \"predicts\"", "s.md:25: there is no kind `predicts`; there are observe"),
        ("kind = \"predict\"\n", "", "s.md:25: missing field `kind`"),
        ("cpu = 1\n", "cpu = 1\ncolor = 2\n", "s.md:30: unknown field `color`"),
        ("\"step cpu1\"]\nshow", "\"stop cpu1\"]\nshow", "s.md:26: in `stop cpu1`, column 1: `stop cpu1` is no stop"),
        ("\"step:first\"", "\"step:second\"", "s.md:63: `step:second` is this step or a later one"),
        ("\"step:first\"", "\"step:frist\"", "s.md:63: `step:frist`: the lesson has no such step"),
        ("\"lanes\"", "\"lane\"", "s.md:27: there is no panel `lane`; there are lanes"),
        ("\"cpu:1\"", "\"cpu:one\"", "s.md:27: after `cpu:` stands a CPU's number"),
        ("\"memory:@tr_start + 2\"", "\"memory:@tr_start +\"", "s.md:27: in `@tr_start +`, column 12"),
        ("answer = \"cpu1.ip\"", "answer = \"cpu1.ipp\"", "s.md:37: in `cpu1.ipp`, column 6: a CPU has no `ipp`"),
        ("answer = \"cpu1.ip\"\n", "", "s.md:33: `answer` is missing"),
        ("example = \"like 1234\"\n", "", "s.md:33: `example` is missing"),
        ("reveal = \"step cpu1\"\nahead", "ahead", "s.md:33: `ahead` needs `reveal`"),
        (
            "reveal = \"step cpu1\"\nahead = [\"edit cpu1.rax = 1\"]",
            "predict = true",
            "s.md:33: a prediction needs `reveal`",
        ),
        (
            "edit cpu1.rax = 1",
            "edit cpu1.mode = real",
            "s.md:36: in `edit cpu1.mode = real`, column 6: `cpu1.mode` cannot be edited",
        ),
        ("edit cpu1.rax = 1", "action 1", "s.md:36: `action` can stand in a step's [script] only"),
        ("M-one-more", "one-more", "s.md:40: `one-more` is no misconception's id"),
        ("M-seven", "M-one-more", "s.md:41: `M-one-more` stands twice"),
        ("{ value = 7,", "{ value = 1.5,", "s.md:41: an expression in quotes, a number, true or false"),
        ("says = \"One less.\"", "says = \"\"", "s.md:40: this text is empty"),
        ("answer = \"cpu1.mode\"", "input = \"words\"\nanswer = \"cpu1.mode\"", "s.md:46: there is no input `words`"),
        (
            "answer = \"cpu1.mode\"",
            "input = \"word\"\nanswer = \"cpu1.mode\"",
            "s.md:44: a question with `choices` has the input `choice`",
        ),
        ("answer = \"cpu1.mode\"\n", "", "s.md:44: `answer` is missing; or one choice"),
        ("says = \"Real\", value = \"real\"", "says = \"Real\"", "s.md:48: `value` is missing"),
        (
            "id = \"M-long\", feedback = \"No.\"",
            "id = \"M-long\"",
            "s.md:49: a wrong choice has `id` (M-...) and `feedback`",
        ),
        ("    { says = \"Real\", value = \"real\" },\n", "", "s.md:44: a question has 2 to 6 choices, not 1"),
        ("says = \"This\", right = true", "says = \"This\"", "s.md:69: `answer` is missing; or one choice"),
        ("{ says = \"That\", id", "{ says = \"That\", right = true, id", "s.md:69: 2 choices have `right = true`"),
        (
            "when = \"cpu1.activity == running\"",
            "when = \"running == running\"",
            "s.md:53: `when` does not ask the machine",
        ),
        (
            "when = \"cpu1.activity == running\"",
            "when = \"while 1\"",
            "s.md:53: in `while 1`, column 1: there is no `while`: expressions have no loops",
        ),
        ("do = [\"step cpu1\", \"undo\"]", "do = []", "s.md:55: an action has a `label`"),
        ("\"action 1\"", "\"action 2\"", "s.md:58: there is no action 2: the step has 1"),
        ("\"action 1\"", "\"shell ls\"", "s.md:58: in `shell ls`, column 1: there is no command `shell`"),
        (
            "run after ipi(to=1)",
            "run after ipi(two=1)",
            "s.md:58: in `run after ipi(two=1)`, column 15: an event `ipi` has no `two`",
        ),
        ("label = \"Page\"", "name = \"Page\"", "s.md:82: unknown field `name`"),
    ] {
        check(from, to, expect);
    }
}

/// Goal: huge and broken files are refused or read, and nothing panics; method: size, and the sample with random damage.
#[test]
fn foreign_files() {
    let huge = "+".repeat(300_000);
    assert!(parse("s.md", &huge).unwrap_err().what.contains("at most 262144 are read"));
    let many = format!("{}{}", &SAMPLE[..SAMPLE.find("Opening").unwrap()], "{1}".repeat(1001));
    assert!(parse("s.md", &many).unwrap_err().what.contains("more than 1000 values"));
    for text in ["", "+++", "+++\n+++", "+++\n\n+++\n## ", "\0\0\0", "~~~step"] {
        assert!(parse("s.md", text).is_err(), "{text}");
    }
    assert!(parse("s.md", &SAMPLE.replace('\n', "\r\n")).is_ok(), "line ends of Windows");
    let mut state = 88_172_645_463_325_252u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as usize % below
    };
    for _ in 0..600 {
        let mut bytes = SAMPLE.as_bytes().to_vec();
        for _ in 0..=random(3) {
            let at = random(bytes.len());
            match random(3) {
                0 => bytes[at] = random(128) as u8,
                1 => bytes.truncate(at.max(1)),
                _ => _ = bytes.remove(at),
            }
        }
        if let Ok(lesson) = parse("s.md", &String::from_utf8_lossy(&bytes)) {
            _ = crate::check::check(&lesson, &crate::check::Against::default());
        }
    }
}
