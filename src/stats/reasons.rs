//! Why requests failed: reasons in the engine's words, each with how often and when, in bounded memory.

use crate::metrics::human;
use crate::record::{Nanos, Outcome, Phase, Sample};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Reasons of a target that a report lists, at most: the most frequent ones.
pub const MOST_REASONS: usize = 20;
/// Reasons that are told apart while rows come in; what is new beyond them is counted as other.
const TOLD_APART: usize = 256;
/// Characters of a reason that are kept.
const LONGEST: usize = 240;
/// The words of all the reasons that aren't listed.
pub const OTHER: &str = "other reasons";

/// One reason for which measured requests failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Reason {
    /// How the requests ended; `None` where reasons of several outcomes are joined.
    pub outcome: Option<Outcome>,
    /// The HTTP status, where there was one and it wasn't 200.
    pub http_status: Option<u16>,
    /// The engine's or the system's words. Where they differ only in numbers and ids, `#` stands for those.
    pub words: String,
    /// Requests with this failure.
    pub count: u64,
    /// When the first of them failed, in seconds since the run's start.
    pub first_s: f64,
    /// When the last of them failed.
    pub last_s: f64,
}

/// Reasons of one target.
#[derive(Clone, Debug, Default)]
pub(super) struct Reasons {
    /// By outcome, status and words with `#` for numbers and ids.
    told: BTreeMap<(Outcome, Option<u16>, String), ReasonCount>,
    other: Option<ReasonCount>,
}

/// Failures for one reason.
#[derive(Clone, Debug)]
struct ReasonCount {
    /// The words of the first one; `None` once another had others.
    words: Option<String>,
    count: u64,
    first: Nanos,
    last: Nanos,
}

impl Reasons {
    /// Takes a sample: those that failed in the measured window count, as in the error rate.
    pub fn push(&mut self, sample: &Sample) {
        if sample.phase != Phase::Measure || !sample.outcome.failed() {
            return;
        }
        let at = sample.stamps.end.or(sample.stamps.sent).unwrap_or(sample.stamps.planned);
        let words = clean(sample.error.as_deref().unwrap_or_default());
        let status = sample.http_status.filter(|status| *status != 200);
        let key = (sample.outcome, status, alike(&words));
        let room = self.told.len() < TOLD_APART;
        match self.told.get_mut(&key) {
            Some(entry) => entry.add(at, Some(&words)),
            None if room => drop(self.told.insert(key, ReasonCount::new(at, Some(words)))),
            None => match &mut self.other {
                Some(entry) => entry.add(at, None),
                none => *none = Some(ReasonCount::new(at, None)),
            },
        }
    }

    /// The reasons, the most frequent first; those beyond [`MOST_REASONS`] as one.
    pub fn list(&self) -> Vec<Reason> {
        let mut told: Vec<(Option<Outcome>, Option<u16>, String, &ReasonCount)> = self
            .told
            .iter()
            .map(|((outcome, status, alike), entry)| {
                let words = entry.words.clone().unwrap_or_else(|| alike.clone());
                (Some(*outcome), *status, words, entry)
            })
            .collect();
        // Stable: of two as frequent the first by outcome and words stays first.
        told.sort_by_key(|(.., entry)| std::cmp::Reverse(entry.count));
        let rest = told.split_off(told.len().min(MOST_REASONS));
        let rest = rest.into_iter().map(|(.., entry)| entry).chain(&self.other);
        let joined = rest.cloned().reduce(|mut all, entry| {
            all.count = all.count.saturating_add(entry.count);
            (all.first, all.last) = (all.first.min(entry.first), all.last.max(entry.last));
            all
        });
        let reason = |outcome, http_status, words, entry: &ReasonCount| Reason {
            outcome,
            http_status,
            words,
            count: entry.count,
            first_s: super::tidy(entry.first.seconds()),
            last_s: super::tidy(entry.last.seconds()),
        };
        let listed = told.into_iter().map(|(outcome, status, words, entry)| reason(outcome, status, words, entry));
        listed.chain(joined.iter().map(|entry| reason(None, None, OTHER.to_owned(), entry))).collect()
    }
}

impl ReasonCount {
    fn new(at: Nanos, words: Option<String>) -> Self {
        Self { words, count: 1, first: at, last: at }
    }

    fn add(&mut self, at: Nanos, words: Option<&str>) {
        self.count = self.count.saturating_add(1);
        (self.first, self.last) = (self.first.min(at), self.last.max(at));
        if self.words.as_deref() != words {
            self.words = None;
        }
    }
}

/// The words on one line, without what would move a cursor, and cut where nobody reads on.
fn clean(words: &str) -> String {
    let plain = human::printable(&words.chars().take(4 * LONGEST).collect::<String>());
    let mut line = String::with_capacity(plain.len().min(LONGEST));
    let mut length = 0;
    for word in plain.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
            length += 1;
        }
        for c in word.chars() {
            if length >= LONGEST {
                line.push('…');
                return line;
            }
            line.push(c);
            length += 1;
        }
    }
    line
}

/// The words with `#` for every number and id in them: what is the same reason for a thousand requests.
fn alike(words: &str) -> String {
    let mut all = String::with_capacity(words.len());
    let mut rest = words;
    while let Some(first) = rest.chars().next() {
        let inside = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
        if !inside(first) {
            all.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let length = rest.find(|c| !inside(c)).unwrap_or(rest.len());
        let (run, after) = rest.split_at(length);
        rest = after;
        if is_uuid(run) {
            all.push('#');
            continue;
        }
        for piece in run.split_inclusive(['-', '_']) {
            let (word, joint) = match piece.strip_suffix(['-', '_']) {
                Some(word) => (word, &piece[word.len()..]),
                None => (piece, ""),
            };
            all.push_str(if is_id(word) { "#" } else { word });
            all.push_str(joint);
        }
    }
    // `1.5`, `127.0.0.1:8080`: one number each, for here they are.
    for joint in ["#.#", "#:#", "#,#", "##"] {
        while all.contains(joint) {
            all = all.replace(joint, "#");
        }
    }
    all
}

/// A word with a digit in it, or one as long and mixed as no word is.
fn is_id(word: &str) -> bool {
    let has = |of: fn(char) -> bool| word.chars().any(of);
    let mixed = || word.len() >= 16 && has(char::is_lowercase) && word.chars().skip(1).any(char::is_uppercase);
    has(|c| c.is_ascii_digit()) || mixed()
}

/// `8f3a2b1c-….`: 32 hexadecimal digits in five groups.
fn is_uuid(run: &str) -> bool {
    let groups: Vec<&str> = run.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|group| group.chars().all(|c| c.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::fixture::{self, S};

    fn failed(index: u64, outcome: Outcome, error: &str) -> Sample {
        let mut sample = fixture::sample(0, index);
        (sample.outcome, sample.error) = (outcome, Some(error.to_owned()));
        sample.stamps.end = Some(Nanos(index * S));
        sample
    }

    #[test]
    fn numbers_and_ids_are_no_reasons_of_their_own() {
        for (words, want) in [
            ("request 17 failed after 1.5 s", "request # failed after # s"),
            ("req-8f3a2b: boom", "req-#: boom"),
            ("id 8f3a2b1c-0123-4567-89ab-abcdefabcdef gone", "id # gone"),
            ("id aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee gone", "id # gone"),
            ("127.0.0.1:8080 is down", "# is down"),
            ("chatcmpl-AbCdEfGhIjKlMnOpQ lost", "chatcmpl-# lost"),
            ("0xdeadbeef1 at 0x7ffe", "# at #"),
            ("out of memory: added face", "out of memory: added face"),
            ("überlastet – Anfrage 3", "überlastet – Anfrage #"),
            ("", ""),
        ] {
            assert_eq!(alike(words), want, "{words}");
        }
    }

    #[test]
    fn a_thousand_requests_that_failed_alike_are_one_line_with_the_first_and_the_last_time() {
        let mut reasons = Reasons::default();
        for index in 1..=1000 {
            reasons.push(&failed(index, Outcome::ErrorFrame, &format!("request req_{index} ran out of memory")));
        }
        reasons.push(&failed(5, Outcome::Truncated, "CUDA error 700"));
        reasons.push(&failed(7, Outcome::Truncated, "CUDA error 700"));
        // What isn't the engine's failure, and what isn't measured, is no reason.
        reasons.push(&failed(1, Outcome::Unsent, "no file left"));
        reasons.push(&failed(1, Outcome::Unfinished, "the run ended"));
        reasons.push(&Sample { phase: Phase::Warmup, ..failed(1, Outcome::Truncated, "CUDA error 700") });
        let told = reasons.list();
        let line = |r: &Reason| (r.outcome, r.words.clone(), r.count, r.first_s, r.last_s);
        assert_eq!(
            told.iter().map(line).collect::<Vec<_>>(),
            [
                (Some(Outcome::ErrorFrame), "request req_# ran out of memory".to_owned(), 1000, 1.0, 1000.0),
                // The same words each time stand as they were said.
                (Some(Outcome::Truncated), "CUDA error 700".to_owned(), 2, 5.0, 7.0),
            ]
        );
    }

    #[test]
    fn whatever_an_engine_says_the_list_stays_short_and_every_failure_is_in_it() {
        let mut reasons = Reasons::default();
        let word = |n: u64| (0..6).map(|at| char::from(b'a' + (n >> (at * 2) & 3) as u8)).collect::<String>();
        for index in 0..2000 {
            let often = if index % 2 == 0 { "the usual one".to_owned() } else { word(index) };
            reasons.push(&failed(index, Outcome::HttpStatus, &often));
        }
        assert!(reasons.told.len() <= TOLD_APART);
        let told = reasons.list();
        assert_eq!(told.len(), MOST_REASONS + 1);
        assert_eq!((told[0].words.as_str(), told[0].count), ("the usual one", 1000));
        let last = told.last().unwrap();
        assert_eq!((last.outcome, last.words.as_str(), last.last_s), (None, OTHER, 1999.0));
        assert_eq!(told.iter().map(|r| r.count).sum::<u64>(), 2000);
    }

    #[test]
    fn words_are_one_short_line() {
        assert_eq!(clean(" a\n\tb\u{1b}[31m  c\r\n"), "a b [31m c");
        assert_eq!(clean(&"x".repeat(10_000)).chars().count(), LONGEST + 1);
        assert!(clean(&"é ".repeat(10_000)).ends_with('…'));
    }
}
