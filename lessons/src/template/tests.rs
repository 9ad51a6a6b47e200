//! Markdown with values: what is read, what it becomes at a stop.

use super::*;
use crate::content::Source;
use crate::expr::tests::{moment, serve};
use crate::expr::{Moment, NoValue, Scope, Value};
use crate::text;

fn read(text: &str) -> Template {
    let names = ["page".to_owned()];
    let scope = Scope { drawn: &names, answer: false };
    markdown::text(&Source::file("t.md", text), &scope).unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn filled(text: &str) -> Vec<text::Block> {
    let (template, mut moment) = (read(text), moment());
    loop {
        match fill(&template, &mut moment) {
            Ok(blocks) => return blocks,
            Err(NoValue::Missing) => answer(&mut moment),
            Err(NoValue::Wrong(error)) => panic!("{text}: {error}"),
        }
    }
}

fn answer(moment: &mut Moment) {
    let requests = moment.take_missing();
    assert!(!requests.is_empty(), "missing, but nothing asked");
    for request in requests {
        moment.learn(&request, serve(&request));
    }
}

fn paragraph(text: &str) -> Vec<text::Span> {
    match filled(text).as_slice() {
        [text::Block::Paragraph(spans)] => spans.clone(),
        other => panic!("{text}: {other:?}"),
    }
}

fn words(text: &str) -> text::Span {
    text::Span::Text(text.into())
}

fn code(text: &str) -> text::Span {
    text::Span::Code(text.into())
}

/// Goal: every format writes its value; method: one value each.
#[test]
fn formats() {
    for (text, expect) in [
        ("{cpu1.rip}", "0009b000"),
        ("{cpu0.rip:hex}", "ffff_ffff_8000_0104"),
        ("{page:hex0x}", "0x9a000"),
        ("{icr.vector:h}", "9Ah"),
        ("{icr.vector:hex8}", "9a"),
        ("{cpu1.cs.sel:hex16}", "9b00"),
        ("{page:hex64}", "0000_0000_0009_a000"),
        ("{5:bin}", "101b"),
        ("{cpu0.rip:sym}", "kernel::smp::wake+4"),
        ("{@trampoline_start:sym}", "trampoline_start"),
        ("{0x1234:sym}", "00001234"),
        ("{root('trampoline_pgd'):sym}", "trampoline_pgd"),
        ("{cpu1.rip:segoff}", "9b00:0000"),
        ("{true ? 1 : 2}", "00000001"),
    ] {
        let text_expect = match text {
            "{root('trampoline_pgd'):sym}" => "trampoline_start+1000",
            _ => expect,
        };
        assert_eq!(paragraph(text), [code(text_expect)], "{text}");
    }
    for (text, expect) in [
        ("{cpu1.steps:dec}", "1"),
        ("{cpu1.mode:word}", "real"),
        ("{cpu1.mode:mode}", crate::glossary::entry("real").map_or("", |entry| entry.name.as_str())),
        ("{cpu1.activity == running:word}", "yes"),
        ("{(true ? 1 : 2):dec}", "1"),
        ("{true ? 1 : 2:dec}", "1"),
    ] {
        assert_eq!(paragraph(text), [words(expect)], "{text}");
    }
    assert_eq!(Format::Hex.write(&Value::none(), None), "none");
}

/// Goal: Markdown becomes what views draw, values in place; method: each kind of block and span.
#[test]
fn blocks_and_spans() {
    assert_eq!(
        paragraph("At **{cpu1.rip}** is *one* `cli` a\nb, {{x}}"),
        [
            words("At "),
            text::Span::Strong("0009b000".into()),
            words(" is "),
            text::Span::Emphasis("one".into()),
            words(" "),
            code("cli"),
            words(" a b, {x}"),
        ]
    );
    assert_eq!(
        paragraph("[wait](term:wait-for-sipi), {key:step-cpu}, [there](step:a), [*next*](lesson:b)"),
        [
            text::Span::Term { id: "wait-for-sipi".into(), text: "wait".into() },
            words(", "),
            text::Span::Key("step-cpu".into()),
            words(", "),
            text::Span::Link { to: "step:a".into(), text: "there".into() },
            words(", "),
            text::Span::Link { to: "lesson:b".into(), text: "next".into() },
        ]
    );
    let cli = text::Span::Instruction { intel: "cli".into(), att: "cli".into() };
    assert_eq!(paragraph("{insn:trampoline_start} is first"), [cli, words(" is first")]);
    assert_eq!(
        paragraph("{1 * 2 * 3:dec}_{mem8(0x5000) | 2:hex8}"),
        [words("6_"), code("13")],
        "no emphasis in values"
    );
    let text = "One\n\n- a {1:dec}\n- b\n\n2. c\n\n> note\n\n```\nmov {page:hex0x}\n  x\n```\n";
    assert_eq!(
        filled(text),
        [
            text::Block::Paragraph(vec![words("One")]),
            text::Block::List { numbered: false, items: vec![vec![words("a 1")], vec![words("b")]] },
            text::Block::List { numbered: true, items: vec![vec![words("c")]] },
            text::Block::Note(vec![words("note")]),
            text::Block::Code("mov 0x9a000\n  x".into()),
        ]
    );
    let template = read(text);
    assert_eq!(template.blocks.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 3, 6, 8, 10]);
    assert_eq!(template.words(), 6, "code is not counted");
    assert_eq!(template.expressions().len(), 2);
}

/// Goal: all values of a text are asked for at once, and one that makes no sense names its expression; method: count rounds.
#[test]
fn values_come_together() {
    let (template, mut at) = (read("{mem8(0x5000)} {mem16(0x5000)} {walk(cpu0, 0x9b000).phys} {blob}"), moment());
    assert_eq!(fill(&template, &mut at), Err(NoValue::Missing));
    answer(&mut at);
    assert!(fill(&template, &mut at).is_ok());
    let Err(NoValue::Wrong(error)) = fill(&read("{1 / 0}"), &mut moment()) else { panic!("it divides by 0") };
    assert_eq!(error.to_string(), "in `1 / 0`, column 3: 0x1 / 0x0 divides by 0");
}

/// Goal: a line is one line, whatever it begins with; method: beginnings that Markdown takes for lists, and two paragraphs.
#[test]
fn lines() {
    let line = |text: &str| markdown::line(&Source::file("t.md", text), &Scope::default());
    for text in ["1. Not a list", "- nor this", "0.", "# no heading", "> no remark"] {
        assert_eq!(plain(&line(text).unwrap()), text);
    }
    assert_eq!(line("").unwrap(), Vec::new());
    assert!(line("a\n\nb").unwrap_err().what.starts_with("one line of text stands here"));
    assert_eq!(line("`a`\n\n```\nb\n```").unwrap_err().line, 1);
}
