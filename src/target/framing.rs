//! From pieces of a body to whole lines and events. A line may lie over several reads, and one read may hold several
//! lines; each line has the stamp of the read that completed it.

/// Cuts a stream of bytes into lines.
#[derive(Debug, Default)]
pub(super) struct Lines {
    rest: Vec<u8>,
}

/// Longest line taken; a longer one is an error of the engine's.
pub(super) const LINE_LIMIT: usize = 64 << 20;

impl Lines {
    /// Forgets what is left of an earlier body.
    pub(super) fn clear(&mut self) {
        self.rest.clear();
    }

    /// Calls `take` with each line that `piece` completes, without its end. False if a line grew past the limit.
    pub(super) fn push(&mut self, mut piece: &[u8], mut take: impl FnMut(&[u8])) -> bool {
        while let Some(at) = memchr::memchr(b'\n', piece) {
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

    /// What came after the last line's end: a last line without one.
    pub(super) fn rest(&self) -> &[u8] {
        without_cr(&self.rest)
    }
}

fn without_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Joins the lines of server-sent events: `data:` lines up to a blank line are one event; comments and other fields are
/// passed over.
#[derive(Debug, Default)]
pub(super) struct Events {
    data: Vec<u8>,
    any: bool,
}

impl Events {
    /// Forgets what is left of an earlier body.
    pub(super) fn clear(&mut self) {
        self.data.clear();
        self.any = false;
    }

    /// Takes one line, and calls `take` with an event's data if the line completes one.
    pub(super) fn line(&mut self, line: &[u8], take: impl FnOnce(&[u8])) {
        if line.is_empty() {
            if self.any {
                take(&self.data);
            }
            self.clear();
        } else if let Some(data) = line.strip_prefix(b"data:") {
            if self.any {
                self.data.push(b'\n');
            }
            self.data.extend_from_slice(data.strip_prefix(b" ").unwrap_or(data));
            self.any = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(pieces: &[&[u8]]) -> Vec<String> {
        let mut lines = Lines::default();
        let mut got = Vec::new();
        for piece in pieces {
            assert!(lines.push(piece, |line| got.push(String::from_utf8_lossy(line).into_owned())));
        }
        if !lines.rest().is_empty() {
            got.push(String::from_utf8_lossy(lines.rest()).into_owned());
        }
        got
    }

    proptest! {
        #[test]
        fn where_the_reads_cut_makes_no_difference(text in "[a-c\n\r]{0,60}", cuts in prop::collection::vec(0usize..60, 0..8)) {
            let whole = lines(&[text.as_bytes()]);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(text.len())).collect();
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut from = 0;
            for cut in cuts.into_iter().chain([text.len()]) {
                pieces.push(&text.as_bytes()[from..cut]);
                from = cut;
            }
            prop_assert_eq!(lines(&pieces), whole);
        }
    }

    #[test]
    fn events_are_joined_and_comments_passed_over() {
        let mut events = Events::default();
        let mut got = Vec::new();
        for line in ["data: {\"a\":", "data: 1}", "", ": ping", "", "event: x", "data:[DONE]", ""] {
            events.line(line.as_bytes(), |data| got.push(String::from_utf8_lossy(data).into_owned()));
        }
        assert_eq!(got, ["{\"a\":\n1}", "[DONE]"]);
    }
}
