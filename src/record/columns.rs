//! The columns of `samples.csv`, and how a row is written: a contract with people's notebooks, so a change of a name is a
//! change of version. Units stand in the names; what did not happen or is not known is blank, never 0.

use super::{Nanos, Opened, PrefixUse, Remark, Sample};
use crate::scenario::plan::Plan;
use std::borrow::Cow;
use std::io::Write as _;

/// The columns, in order. A word stands last: a row that was cut off within a number would read as a whole one.
pub const COLUMNS: [&str; 52] = [
    "target",
    "wire",
    "phase",
    "block",
    "user",
    "index",
    "conversation",
    "turn",
    "planned_us",
    "sent_us",
    "first_byte_us",
    "first_token_us",
    "last_token_us",
    "end_us",
    "outcome",
    "http_status",
    "finish",
    "prompt_tokens",
    "cached_tokens",
    "output_tokens",
    "chunks",
    "expected_label",
    "label",
    "server_total_us",
    "server_load_us",
    "server_prompt_us",
    "server_output_us",
    "request_hash",
    "text_hash",
    "error",
    "stand_in",
    "item",
    "dispatched_us",
    "connect_us",
    "itl_max_us",
    "dimensions",
    "retries",
    "latency_us",
    "response_us",
    "thoughts",
    "first_answer_us",
    "remarks",
    "requested_prompt_tokens",
    "prefix_group",
    "prefix_use",
    "draft_tokens",
    "draft_accepted",
    "thought_tokens",
    "answer_logprob",
    "itl_us",
    "shard",
    "connection",
];

/// Columns that files of earlier versions lack, in the order in which they came to be: they read as blank there.
pub(super) const NEWER: [&str; 9] = [
    "requested_prompt_tokens",
    "prefix_group",
    "prefix_use",
    "draft_tokens",
    "draft_accepted",
    "thought_tokens",
    "answer_logprob",
    "itl_us",
    "shard",
];
/// Where the first of them stands.
pub(super) const FIRST_NEWER: usize = COLUMNS.len() - 1 - NEWER.len();

/// What columns were called in earlier versions.
pub(super) const FORMER: [(&str, &str); 1] = [("gap_max_us", "itl_max_us")];

/// The names that rows hold and samples hold the positions of.
#[derive(Clone, Debug)]
pub struct Names {
    pub(super) targets: Vec<(String, &'static str, bool)>,
    pub(super) labels: Vec<String>,
}

impl Names {
    /// The names of a plan.
    pub fn of(plan: &Plan) -> Self {
        Self {
            targets: plan.targets.iter().map(|t| (t.name.clone(), t.wire(), t.stand_in)).collect(),
            labels: plan.workload.labels.iter().map(|label| plain_text(label).into_owned()).collect(),
        }
    }

    /// The name of a target.
    pub fn target(&self, number: usize) -> &str {
        self.targets.get(number).map_or("", |(name, _, _)| name)
    }

    /// Whether a stand-in took the place of a target's engine.
    pub fn stands_in(&self, number: usize) -> bool {
        self.targets.get(number).is_some_and(|(_, _, stand_in)| *stand_in)
    }

    /// The position of a target's name.
    pub fn target_number(&self, name: &str) -> Option<usize> {
        self.targets.iter().position(|(known, _, _)| known == name)
    }

    fn label(&self, number: Option<usize>) -> &str {
        number.and_then(|n| self.labels.get(n)).map_or("", String::as_str)
    }

    pub(super) fn label_number(&self, name: &str) -> Option<usize> {
        self.labels.iter().position(|known| known == name)
    }
}

/// A text that a spreadsheet takes for text: one that looks like a formula gets an apostrophe in front.
pub fn plain_text(text: &str) -> Cow<'_, str> {
    if is_formula(text) { format!("'{text}").into() } else { text.into() }
}

/// Whether a spreadsheet could take it for a formula, apostrophes in front or not: one more makes it a text that reads back.
fn is_formula(text: &str) -> bool {
    text.trim_start_matches('\'').starts_with(['=', '+', '-', '@', '\t', '\r'])
}

/// The text that [`plain_text`] was written of.
pub(super) fn as_it_was(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|text| is_formula(text)).unwrap_or(cell)
}

/// Appends one row to `out`.
///
/// By hand, not by the csv crate's writer: three quarters of the cells are numbers and fixed words that need no look for
/// quotes, and this is paid for every request. The crate reads what is written here (and a test holds the two together).
pub fn write_row(out: &mut Vec<u8>, names: &Names, sample: &Sample) {
    let (target, wire, stand_in) = names
        .targets
        .get(sample.target)
        .map_or(("", "", false), |(name, wire, stand_in)| (name.as_str(), *wire, *stand_in));
    let stamps = &sample.stamps;
    let mut row = Row { out, number: Numbers::default() };
    row.text(target);
    row.word(wire);
    row.word(sample.phase.as_str());
    row.whole(Some(sample.block));
    row.whole(Some(sample.user));
    row.whole(Some(sample.index));
    row.whole(sample.conversation);
    row.whole(sample.turn);
    row.micros(Some(stamps.planned));
    row.micros(stamps.sent);
    row.micros(stamps.first_byte);
    row.micros(stamps.first_token);
    row.micros(stamps.last_token);
    row.micros(stamps.end);
    row.word(sample.outcome.as_str());
    row.whole(sample.http_status);
    row.text(&plain_text(sample.finish.as_deref().unwrap_or_default()));
    row.whole(sample.prompt_tokens);
    row.whole(sample.cached_tokens);
    row.whole(sample.output_tokens);
    row.whole(Some(sample.chunks));
    row.text(names.label(sample.expected_label));
    row.text(names.label(sample.label));
    row.micros(sample.server_total);
    row.micros(sample.server_load);
    row.micros(sample.server_prompt);
    row.micros(sample.server_output);
    row.hash(Some(sample.request_hash));
    row.hash(sample.text_hash);
    row.text(&plain_text(sample.error.as_deref().unwrap_or_default()));
    row.word(if stand_in { "true" } else { "false" });
    row.whole(Some(sample.item as u64 + 1));
    row.micros(stamps.dispatched);
    row.micros(sample.connect);
    row.micros(sample.itl_max);
    row.whole(sample.dimensions);
    row.whole(Some(sample.retries));
    row.micros(sample.latency());
    row.micros(sample.response());
    row.whole(Some(sample.thoughts));
    row.micros(stamps.first_answer);
    row.words(sample.remarks.all().map(Remark::as_str));
    row.whole(sample.wanted_prompt);
    row.whole(sample.prefix_group);
    row.word(sample.prefix_use.map_or("", PrefixUse::as_str));
    row.whole(sample.details.drafted);
    row.whole(sample.details.accepted);
    row.whole(sample.details.thought_tokens);
    row.number(sample.details.logprob);
    row.wholes(&sample.gaps);
    row.whole(sample.shard);
    row.word(sample.opened.map_or("", Opened::as_str));
    // The last comma becomes the line's end.
    if let Some(last) = row.out.last_mut() {
        *last = b'\n';
    }
}

/// Writes cells that are numbers, each with the comma behind it.
#[derive(Default)]
pub(super) struct Numbers(itoa::Buffer);

impl Numbers {
    pub(super) fn whole(&mut self, out: &mut Vec<u8>, number: Option<impl Into<u64>>) {
        if let Some(number) = number {
            out.extend_from_slice(self.0.format(number.into()).as_bytes());
        }
        out.push(b',');
    }

    /// Microseconds with three decimals: exact, so that what is read back is what was measured.
    pub(super) fn micros(&mut self, out: &mut Vec<u8>, time: Option<Nanos>) {
        if let Some(Nanos(nanos)) = time {
            let (whole, part) = (nanos / 1000, (nanos % 1000) as u16);
            out.extend_from_slice(self.0.format(whole).as_bytes());
            let digits = [part / 100, part / 10 % 10, part % 10].map(|digit| b'0' + digit as u8);
            out.push(b'.');
            out.extend_from_slice(&digits);
        }
        out.push(b',');
    }
}

struct Row<'a> {
    out: &'a mut Vec<u8>,
    number: Numbers,
}

impl Row<'_> {
    /// A word of ours: letters, digits, `_`.
    fn word(&mut self, word: &str) {
        self.out.extend_from_slice(word.as_bytes());
        self.out.push(b',');
    }

    /// Words of ours, with a blank between.
    fn words(&mut self, words: impl Iterator<Item = &'static str>) {
        for (place, word) in words.enumerate() {
            if place > 0 {
                self.out.push(b' ');
            }
            self.out.extend_from_slice(word.as_bytes());
        }
        self.out.push(b',');
    }

    /// Any text, quoted where CSV wants it (RFC 4180).
    fn text(&mut self, text: &str) {
        let bytes = text.as_bytes();
        if !bytes.iter().any(|b| matches!(b, b',' | b'"' | b'\n' | b'\r')) {
            return self.word(text);
        }
        self.out.push(b'"');
        for byte in bytes {
            if *byte == b'"' {
                self.out.push(b'"');
            }
            self.out.push(*byte);
        }
        self.out.extend_from_slice(b"\",");
    }

    fn whole(&mut self, number: Option<impl Into<u64>>) {
        self.number.whole(self.out, number);
    }

    /// Numbers, with a blank between.
    fn wholes(&mut self, numbers: &[u32]) {
        for (place, number) in numbers.iter().enumerate() {
            if place > 0 {
                self.out.push(b' ');
            }
            self.out.extend_from_slice(self.number.0.format(*number).as_bytes());
        }
        self.out.push(b',');
    }

    /// Any number, with as many digits as tell it from all others.
    fn number(&mut self, number: Option<f64>) {
        if let Some(number) = number {
            // A vector takes whatever is written.
            let _ = write!(self.out, "{number}");
        }
        self.out.push(b',');
    }

    fn micros(&mut self, time: Option<Nanos>) {
        self.number.micros(self.out, time);
    }

    fn hash(&mut self, hash: Option<u64>) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        if let Some(hash) = hash {
            let mut text = [0u8; 16];
            for (place, byte) in text.iter_mut().enumerate() {
                *byte = DIGITS[(hash >> (60 - 4 * place) & 15) as usize];
            }
            self.out.extend_from_slice(&text);
        }
        self.out.push(b',');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_formula_is_written_as_text() {
        for text in ["=1+1", "+1", "-1", "@x", "\tx"] {
            assert!(plain_text(text).starts_with('\''), "{text:?}");
        }
        assert_eq!(plain_text("it's"), "it's");
        for text in ["=1+1", "'=1+1", "''-x", "'quoted'", "plain", "", "'", "it's"] {
            assert_eq!(as_it_was(&plain_text(text)), text);
        }
    }
}
