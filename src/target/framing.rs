//! From pieces of a body to whole lines and events. A line may lie over several reads, and one read may hold several
//! lines; each line has the stamp of the read that completed it.

/// Cuts a stream of bytes into lines.
#[derive(Debug, Default)]
pub(super) struct Lines {
    rest: Vec<u8>,
    /// A carriage return by itself ends a line, too.
    returns: bool,
    /// The last line ended in a carriage return: a line feed that follows is still part of its end.
    returned: bool,
}

/// Longest line taken; a longer one is an error of the engine's.
pub(super) const LINE_LIMIT: usize = 16 << 20;

/// Room kept from one answer to the next.
const KEEP: usize = 1 << 20;

impl Lines {
    /// Forgets what is left of an earlier body. With `returns`, lines may end in CR, LF or both, as those of server-sent
    /// events; else in LF with or without CR: inside JSON a CR by itself is a blank.
    pub(super) fn begin(&mut self, returns: bool) {
        emptied(&mut self.rest);
        self.returns = returns;
        self.returned = false;
    }

    /// Calls `take` with each line that `piece` completes, without its end. False if a line grew past the limit.
    pub(super) fn push(&mut self, mut piece: &[u8], mut take: impl FnMut(&[u8])) -> bool {
        while !piece.is_empty() {
            if std::mem::take(&mut self.returned)
                && let Some(rest) = piece.strip_prefix(b"\n")
            {
                piece = rest;
                continue;
            }
            let end = if self.returns { memchr::memchr2(b'\n', b'\r', piece) } else { memchr::memchr(b'\n', piece) };
            let Some(at) = end else { break };
            self.returned = piece[at] == b'\r';
            let (head, tail) = (&piece[..at], &piece[at + 1..]);
            if self.rest.is_empty() {
                take(without_cr(head));
            } else {
                self.rest.extend_from_slice(head);
                take(without_cr(&self.rest));
                self.rest.clear();
            }
            piece = tail;
        }
        self.rest.extend_from_slice(piece);
        self.rest.len() <= LINE_LIMIT
    }

    /// What came after the last line's end: a last line without one. It is taken out.
    pub(super) fn rest(&mut self) -> Vec<u8> {
        if self.rest.is_empty() {
            return Vec::new();
        }
        let mut rest = std::mem::take(&mut self.rest);
        rest.truncate(without_cr(&rest).len());
        rest
    }
}

fn without_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Empties a buffer, and gives back the room of a very long answer.
pub(super) fn emptied(buffer: &mut Vec<u8>) {
    buffer.clear();
    if buffer.capacity() > KEEP {
        buffer.shrink_to(KEEP);
    }
}

/// Joins the lines of server-sent events as the WHATWG's standard has it: the `data` lines up to a blank line are one
/// event. Ids and times to reconnect mean nothing here; comments and unknown fields are passed over.
#[derive(Debug, Default)]
pub(super) struct Events {
    data: Vec<u8>,
    any: bool,
    error: bool,
    /// The first line that is no field.
    odd: Vec<u8>,
}

/// One event. An empty one isn't dispatched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Event<'a> {
    /// It came as an error, by its name or its field.
    pub(super) error: bool,
    pub(super) data: &'a [u8],
}

impl Events {
    /// Forgets what is left of an earlier body.
    pub(super) fn begin(&mut self) {
        self.clear();
        self.odd.clear();
    }

    fn clear(&mut self) {
        emptied(&mut self.data);
        self.any = false;
        self.error = false;
    }

    /// Takes one line, and calls `take` with an event if the line completes one. False if the event grew past the limit.
    pub(super) fn line(&mut self, line: &[u8], take: impl FnOnce(Event<'_>)) -> bool {
        if line.is_empty() {
            self.dispatch(take);
            return true;
        }
        let colon = memchr::memchr(b':', line);
        let (field, value) = colon.map_or((line, &b""[..]), |at| (&line[..at], &line[at + 1..]));
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" => self.add(value),
            b"event" => self.error = value.eq_ignore_ascii_case(b"error"),
            // Not the standard's: llama.cpp's server had it once.
            b"error" => {
                self.add(value);
                self.error = true;
            }
            b"" | b"id" | b"retry" => {}
            _ if self.odd.is_empty() => self.odd.extend_from_slice(&line[..line.len().min(2000)]),
            _ => {}
        }
        self.data.len() <= LINE_LIMIT
    }

    fn add(&mut self, value: &[u8]) {
        if self.any {
            self.data.push(b'\n');
        }
        self.data.extend_from_slice(value);
        self.any = true;
    }

    /// Gives the event that has come so far: at a blank line, and at the end of a body.
    pub(super) fn dispatch(&mut self, take: impl FnOnce(Event<'_>)) {
        if !self.data.trim_ascii().is_empty() {
            take(Event { error: self.error, data: &self.data });
        }
        self.clear();
    }

    /// The first line that is no field: plain text of some proxy's, if nothing else came.
    pub(super) fn odd(&self) -> &[u8] {
        &self.odd
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes).into_owned()
    }

    fn lines(pieces: &[&[u8]], returns: bool) -> Vec<String> {
        let mut lines = Lines::default();
        lines.begin(returns);
        let mut got = Vec::new();
        for piece in pieces {
            assert!(lines.push(piece, |line| got.push(shown(line))));
        }
        let rest = lines.rest();
        if !rest.is_empty() {
            got.push(shown(&rest));
        }
        got
    }

    fn cut(text: &[u8], cuts: Vec<usize>) -> Vec<&[u8]> {
        let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(text.len())).chain([text.len()]).collect();
        cuts.sort_unstable();
        let mut from = 0;
        cuts.into_iter().map(|to| &text[std::mem::replace(&mut from, to)..to]).collect()
    }

    proptest! {
        #[test]
        fn where_the_reads_cut_makes_no_difference(
            text in "[a-c\n\r]{0,60}",
            cuts in prop::collection::vec(0usize..60, 0..8),
            returns in any::<bool>(),
        ) {
            let whole = lines(&[text.as_bytes()], returns);
            prop_assert_eq!(lines(&cut(text.as_bytes(), cuts), returns), whole.clone());
            if returns {
                // CR, LF and CRLF are the same end.
                let plain = text.replace("\r\n", "\n").replace('\r', "\n");
                prop_assert_eq!(lines(&[plain.as_bytes()], false), whole);
            }
        }
    }

    #[test]
    fn events_are_read_as_the_standard_says() {
        for (text, events) in [
            (
                &["data: {\"a\":", "data: 1}", "", ": ping", "", "event: x", "data:[DONE]", ""][..],
                &["{\"a\":\n1}", "[DONE]"][..],
            ),
            (&["data: a", "", "data", "", "data:", "", "data: b", ""], &["a", "b"]),
            (&["id: 1", "retry: 3", "data:a", "event", "foo: bar", "", "data:  b"], &["a", " b"]),
            (&["event: error", "data: gone", "", "data: b", ""], &["!gone", "b"]),
            (&["error: {\"code\":1}", "", "data: b", ""], &["!{\"code\":1}", "b"]),
            (&["event: error", "", "data: b", ""], &["b"]),
        ] {
            let (mut all, mut got) = (Events::default(), Vec::new());
            let mut take =
                |event: Event<'_>| got.push(format!("{}{}", if event.error { "!" } else { "" }, shown(event.data)));
            for line in text {
                assert!(all.line(line.as_bytes(), &mut take));
            }
            all.dispatch(&mut take);
            assert_eq!(got, events, "{text:?}");
        }
    }
}
