//! From the pieces of a body to the parts of an answer: what was asked as a stream may come whole, and what should be an
//! answer may be a page of some proxy's. Every answer is bounded, however long its engine goes on.

use super::framing::{Event, Events, LINE_LIMIT, Lines, emptied};
use crate::record::Nanos;
use serde::de::IgnoredAny;

/// Most bytes taken of an answer that comes whole.
const WHOLE_LIMIT: usize = LINE_LIMIT;

/// Most bytes taken of a stream. They are counted, not kept.
const STREAM_LIMIT: u64 = 256 << 20;

/// Most bytes taken of a refusal.
const REFUSAL_LIMIT: usize = 1 << 20;

/// How an answer should come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Framing {
    /// In one piece.
    #[default]
    Whole,
    /// In server-sent events.
    Sse,
    /// One JSON object a line.
    Lines,
    /// A status that says no: whatever it is, in one piece.
    Refusal,
}

/// A part of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// An event's data, or a line.
    Piece(&'a [u8]),
    /// An event that says by its name that it is an error.
    Error(&'a [u8]),
    /// The whole body.
    Whole(&'a [u8]),
}

/// The body of an answer, as far as it came.
#[derive(Debug, Default)]
pub(super) struct Body {
    asked: Framing,
    /// How it comes; `None` until its first bytes tell.
    form: Option<Framing>,
    lines: Lines,
    /// No line has been completed yet.
    first: bool,
    events: Events,
    whole: Vec<u8>,
    taken: u64,
    last: Nanos,
}

impl Body {
    /// Begins a body that should come as `asked`.
    pub(super) fn begin(&mut self, asked: Framing) {
        self.asked = asked;
        self.form = matches!(asked, Framing::Whole | Framing::Refusal).then_some(asked);
        self.lines.begin(asked == Framing::Sse);
        self.first = true;
        self.events.begin();
        emptied(&mut self.whole);
        self.taken = 0;
        self.last = Nanos::default();
    }

    /// Stamp of the last piece.
    pub(super) fn last(&self) -> Nanos {
        self.last
    }

    /// Bytes so far.
    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    /// What has been kept of a body that came whole.
    pub(super) fn whole(&self) -> &[u8] {
        &self.whole
    }

    /// Text where events should be.
    pub(super) fn odd(&self) -> &[u8] {
        self.events.odd()
    }

    /// Takes a piece of the body. The error is a sentence: more came than is taken of any answer.
    pub(super) fn push(&mut self, bytes: &[u8], stamp: Nanos, mut take: impl FnMut(Part<'_>)) -> Result<(), String> {
        self.last = stamp;
        self.taken += bytes.len() as u64;
        match self.form {
            Some(Framing::Whole) => self.keep(bytes, WHOLE_LIMIT),
            Some(Framing::Refusal) => self.keep(bytes, REFUSAL_LIMIT),
            Some(_) => self.streamed(bytes, &mut take),
            None => {
                // The usual stream tells by its first piece.
                if self.whole.is_empty()
                    && let Some((at, form)) = told_form(bytes, self.asked).filter(|(_, form)| *form != Framing::Whole)
                {
                    self.form = Some(form);
                    return self.streamed(&bytes[at..], &mut take);
                }
                // Kept until a first byte tells what it is: the mark of UTF-8, blanks and blank lines may come before.
                self.whole.extend_from_slice(bytes);
                let Some((at, form)) = told_form(&self.whole, self.asked) else {
                    return self.keep(b"", REFUSAL_LIMIT);
                };
                self.form = Some(form);
                if form == Framing::Whole {
                    return self.keep(b"", WHOLE_LIMIT);
                }
                let begun = std::mem::take(&mut self.whole);
                self.streamed(&begun[at..], &mut take)
            }
        }
    }

    fn keep(&mut self, bytes: &[u8], limit: usize) -> Result<(), String> {
        if self.whole.len() + bytes.len() > limit {
            return Err(format!("more than {} MiB in one piece", limit >> 20));
        }
        self.whole.extend_from_slice(bytes);
        Ok(())
    }

    fn streamed(&mut self, bytes: &[u8], take: &mut impl FnMut(Part<'_>)) -> Result<(), String> {
        let Self { form, lines, first, events, whole, .. } = self;
        let mut events_fit = true;
        let lines_fit = lines.push(bytes, |line| match form {
            Some(Framing::Sse) => events_fit &= events.line(line, |event| take(part(event))),
            Some(Framing::Whole) => {
                whole.extend_from_slice(line);
                whole.push(b'\n');
            }
            // One object over many lines is a whole answer, neatly printed.
            _ if *first && !line.trim_ascii().is_empty() && is_cut(line) => {
                *form = Some(Framing::Whole);
                whole.extend_from_slice(line);
                whole.push(b'\n');
            }
            _ => {
                *first &= line.trim_ascii().is_empty();
                take(Part::Piece(line));
            }
        });
        if *form == Some(Framing::Whole) {
            whole.extend_from_slice(&lines.rest());
            return self.keep(b"", WHOLE_LIMIT);
        }
        if !lines_fit || !events_fit {
            return Err(format!("more than {} MiB in one piece", LINE_LIMIT >> 20));
        }
        if self.taken > STREAM_LIMIT {
            return Err(format!("an answer of more than {} MiB", STREAM_LIMIT >> 20));
        }
        Ok(())
    }

    /// The body came to its proper end: gives what is left of it. A last line or event need not have an end of its own,
    /// but must be whole.
    pub(super) fn end(&mut self, mut take: impl FnMut(Part<'_>)) {
        match self.form.unwrap_or(Framing::Whole) {
            Framing::Refusal => {}
            Framing::Whole => {
                self.form = Some(Framing::Whole);
                let whole = self.whole.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.whole);
                take(Part::Whole(whole));
            }
            Framing::Sse => {
                let rest = self.lines.rest();
                let mut last = |event: Event<'_>| {
                    let cut_mark = event.data != b"[DONE]" && b"[DONE]".starts_with(event.data);
                    if event.error || !(is_cut(event.data) || cut_mark) {
                        take(part(event));
                    }
                };
                if !rest.is_empty() {
                    self.events.line(&rest, &mut last);
                }
                self.events.dispatch(&mut last);
            }
            Framing::Lines => {
                let rest = self.lines.rest();
                if !is_cut(&rest) {
                    take(Part::Piece(&rest));
                }
            }
        }
    }
}

fn part(event: Event<'_>) -> Part<'_> {
    if event.error { Part::Error(event.data) } else { Part::Piece(event.data) }
}

/// What a body is by its first byte that says something, and where the stream begins; `None` if there is none yet.
fn told_form(begun: &[u8], asked: Framing) -> Option<(usize, Framing)> {
    const MARK: &[u8] = b"\xef\xbb\xbf";
    if MARK.starts_with(begun) && begun.len() < MARK.len() {
        return None;
    }
    let from = if begun.starts_with(MARK) { MARK.len() } else { 0 };
    let first = *begun[from..].trim_ascii_start().first()?;
    let stream = match asked {
        Framing::Sse => b"deir:".contains(&first),
        _ => matches!(first, b'{' | b'n'),
    };
    Some((from, if stream { asked } else { Framing::Whole }))
}

/// Whether JSON was begun and not ended.
fn is_cut(json: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(json).is_err_and(|error| error.is_eof())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parts(asked: Framing, pieces: &[&[u8]]) -> Vec<String> {
        let mut body = Body::default();
        body.begin(asked);
        let mut got = Vec::new();
        let mut take = |part: Part<'_>| {
            let (kind, bytes) = match part {
                Part::Piece(bytes) => ("", bytes),
                Part::Error(bytes) => ("!", bytes),
                Part::Whole(bytes) => ("=", bytes),
            };
            got.push(format!("{kind}{}", String::from_utf8_lossy(bytes)));
        };
        for piece in pieces {
            body.push(piece, Nanos(1), &mut take).expect("room");
        }
        body.end(&mut take);
        got
    }

    const CASES: [(Framing, &str, &[&str]); 13] = [
        (Framing::Sse, "data: {}\n\ndata: [DONE]\n\n", &["{}", "[DONE]"]),
        (Framing::Sse, "\u{feff}data: {}\r\n\r\ndata: [DONE]\r\n\r\n", &["{}", "[DONE]"]),
        (Framing::Sse, "\r\r: hi\rdata: {}\r\rdata: [DONE]", &["{}", "[DONE]"]),
        (Framing::Sse, "data: {}\n\ndata: {\"a", &["{}"]),
        (Framing::Sse, "data: {}\n\ndata: [DO", &["{}"]),
        (Framing::Sse, "event: error\ndata: gone\n\n", &["!gone"]),
        (Framing::Sse, " {\"a\":\n1}", &["= {\"a\":\n1}"]),
        (Framing::Sse, "<html>no</html>", &["=<html>no</html>"]),
        (Framing::Lines, "{\"a\":1}\r\n\n{\"b\":\r2}", &["{\"a\":1}", "", "{\"b\":\r2}"]),
        (Framing::Lines, "{\"a\":1}\n{\"b\":", &["{\"a\":1}"]),
        (Framing::Lines, "\u{feff}{\n  \"a\": 1\n}\n", &["={\n  \"a\": 1\n}\n"]),
        (Framing::Lines, "Bad Gateway", &["=Bad Gateway"]),
        (Framing::Whole, "\u{feff}{}", &["={}"]),
    ];

    #[test]
    fn a_body_is_what_its_first_bytes_say() {
        for (asked, body, told) in CASES {
            assert_eq!(parts(asked, &[body.as_bytes()]), told, "{body:?}");
        }
        assert_eq!(parts(Framing::Sse, &[]), ["="]);
    }

    proptest! {
        #[test]
        fn where_the_reads_cut_makes_no_difference(case in 0..CASES.len(), cuts in prop::collection::vec(0usize..40, 0..8)) {
            let (asked, body, told) = CASES[case];
            let body = body.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(body.len())).chain([body.len()]).collect();
            cuts.sort_unstable();
            let mut from = 0;
            let pieces: Vec<&[u8]> = cuts.iter().map(|to| &body[std::mem::replace(&mut from, *to)..*to]).collect();
            prop_assert_eq!(parts(asked, &pieces), told);
        }
    }

    #[test]
    fn no_body_grows_without_end() {
        let piece = vec![b'x'; 1 << 20];
        for (asked, begun, least, most) in [
            (Framing::Whole, "", 16, 17),
            (Framing::Refusal, "", 1, 2),
            (Framing::Sse, "data: ", 16, 17),
            (Framing::Lines, "{\"", 16, 17),
        ] {
            let mut body = Body::default();
            body.begin(asked);
            body.push(begun.as_bytes(), Nanos(1), |_| {}).expect("room");
            let taken = (0..1000).find(|_| body.push(&piece, Nanos(1), |_| {}).is_err());
            assert!(taken.is_some_and(|n| (least - 1..=most).contains(&n)), "{asked:?}: {taken:?}");
        }
        let line = [&piece[..piece.len() - 1], b"\n"].concat();
        let mut body = Body::default();
        body.begin(Framing::Sse);
        body.push(b"data: x\n", Nanos(1), |_| {}).expect("room");
        let taken = (0..1000).find(|_| body.push(&line, Nanos(1), |_| {}).is_err());
        assert_eq!(taken, Some(255));
    }
}
