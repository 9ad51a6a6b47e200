//! How often a loop went round in the last run, where that can be told: from the listing, and the number of steps that
//! its CPU has made. "x 48 210" stands beside the loop then, instead of 48 210 times its lines.
//!
//! A loop is a stretch that ends in a jump back to its first line, with no call and no other jump to a line inside. So
//! each time round takes the same number of steps, and where the count does not come out even, more than the loop ran.

use protocol::LinearAddr;
use protocol::request::CodeLine;

/// A loop that went round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeat {
    /// Its first line.
    pub from: LinearAddr,
    /// Its last line: the jump back.
    pub to: LinearAddr,
    /// How often its last line, or the instruction with REP, was executed.
    pub times: u64,
}

/// Where a CPU stood and how many steps it had made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its next instruction.
    pub linear: LinearAddr,
    /// Its steps.
    pub steps: u64,
}

/// The loop in which a CPU was from one stop to another, if it was in one and went round at least twice.
pub fn repeat(lines: &[CodeLine], before: Standing, after: Standing) -> Option<Repeat> {
    let steps = after.steps.checked_sub(before.steps)?;
    let start = lines.iter().position(|line| line.linear == before.linear)?;
    let found = rep(lines, start, after, steps).or_else(|| loops(lines, start, after, steps));
    found.filter(|repeat| repeat.times > 1)
}

/// An instruction with REP: one step each time.
fn rep(lines: &[CodeLine], at: usize, after: Standing, steps: u64) -> Option<Repeat> {
    let line = &lines[at];
    let behind = line.linear.0.wrapping_add(line.bytes.len() as u64);
    let here = line.intel.starts_with("rep") && (after.linear == line.linear || after.linear.0 == behind);
    here.then_some(Repeat { from: line.linear, to: line.linear, times: steps })
}

fn loops(lines: &[CodeLine], start: usize, after: Standing, steps: u64) -> Option<Repeat> {
    let closing = (start..lines.len()).find(|at| closes(lines, *at).is_some_and(|from| from <= start))?;
    let first = closes(lines, closing)?;
    let body = (closing - first + 1) as u64;
    // Steps to the end of the time round in which it began.
    let rest = (closing - start + 1) as u64;
    let end = &lines[closing];
    let times = if after.linear.0 == end.linear.0.wrapping_add(end.bytes.len() as u64) {
        let more = steps.checked_sub(rest)?;
        more.is_multiple_of(body).then_some(more / body + 1)?
    } else {
        let at = lines[first..=closing].iter().position(|line| line.linear == after.linear)? as u64;
        let more = steps.checked_sub(rest)?.checked_sub(at)?;
        more.is_multiple_of(body).then_some(more / body + 1)?
    };
    Some(Repeat { from: lines[first].linear, to: end.linear, times })
}

/// If this line jumps back to a line in the listing and makes a simple loop with it: the index of that line.
fn closes(lines: &[CodeLine], at: usize) -> Option<usize> {
    let target = lines[at].target?;
    if target > lines[at].linear || is_call(&lines[at]) {
        return None;
    }
    let first = lines[..=at].iter().position(|line| line.linear == target)?;
    let inside = |linear: LinearAddr| lines[first].linear <= linear && linear <= lines[at].linear;
    let simple = |line: &CodeLine| {
        let leaves = ["ret", "iret", "int", "sys", "hlt", "rep", "ud"].iter().any(|word| line.intel.starts_with(word));
        let unknown = line.target.is_none() && line.intel.starts_with('j');
        !leaves && !unknown && !is_call(line) && !line.target.is_some_and(inside) && !line.bytes.is_empty()
    };
    lines[first..at].iter().all(simple).then_some(first)
}

fn is_call(line: &CodeLine) -> bool {
    line.intel.starts_with("call")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(linear: u64, intel: &str, target: Option<u64>) -> CodeLine {
        CodeLine {
            linear: LinearAddr(linear),
            bytes: vec![0x90],
            intel: intel.to_owned(),
            att: String::new(),
            bits: 64,
            target: target.map(LinearAddr),
        }
    }

    /// mov; then pause, dec, jne back; then ret.
    fn listing() -> Vec<CodeLine> {
        vec![
            line(0x10, "mov ecx,1000h", None),
            line(0x11, "pause", None),
            line(0x12, "dec ecx", None),
            line(0x13, "jne 11h", Some(0x11)),
            line(0x14, "ret", None),
        ]
    }

    fn at(linear: u64, steps: u64) -> Standing {
        Standing { linear: LinearAddr(linear), steps }
    }

    /// Goal: times round are counted right, from any line of the loop to any, and out of it; method: known counts.
    #[test]
    fn counting() {
        let lines = listing();
        let times =
            |from, to, steps: u64| repeat(&lines, at(from, 100), at(to, 100 + steps)).map(|repeat| repeat.times);
        assert_eq!(times(0x11, 0x14, 48_210 * 3), Some(48_210), "through the end");
        assert_eq!(times(0x13, 0x14, 1 + 9 * 3), Some(10), "over the closing jump");
        assert_eq!(times(0x12, 0x13, 2 + 4 * 3 + 2), Some(5), "still inside");
        assert_eq!(times(0x11, 0x14, 3), None, "once is no repetition");
        assert_eq!(times(0x11, 0x14, 3 * 7 + 1), None, "something else ran too");
        assert_eq!(times(0x10, 0x14, 4), None, "it began before the loop");
        assert_eq!(repeat(&lines, at(0x11, 100), at(0x11, 40)), None, "back in time");
        let span = repeat(&lines, at(0x11, 0), at(0x14, 30)).unwrap();
        assert_eq!((span.from, span.to), (LinearAddr(0x11), LinearAddr(0x13)));
    }

    /// Goal: what takes a varying number of steps is no loop; method: a call inside, a jump inside, one that leaves.
    #[test]
    fn only_simple_loops() {
        let with = |inner: CodeLine| {
            let mut lines = listing();
            lines[2] = inner;
            repeat(&lines, at(0x11, 0), at(0x14, 30)).map(|repeat| repeat.times)
        };
        assert_eq!(with(line(0x12, "call 50h", Some(0x50))), None);
        assert_eq!(with(line(0x12, "je 13h", Some(0x13))), None);
        assert_eq!(with(line(0x12, "jmp rax", None)), None);
        assert_eq!(with(line(0x12, "je 14h", Some(0x14))), Some(10), "one that leaves changes no count");
    }

    /// Goal: REP is one line; method: through it, and stopped in it.
    #[test]
    fn rep_prefix() {
        let lines = [line(0x20, "rep movsb", None), line(0x21, "ret", None)];
        let times = |to, steps| repeat(&lines, at(0x20, 0), at(to, steps)).map(|repeat| repeat.times);
        assert_eq!((times(0x21, 4096), times(0x20, 17), times(0x21, 1)), (Some(4096), Some(17), None));
    }
}
