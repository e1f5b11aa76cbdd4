//! Where the time of a request goes: parts that add up to all of it, from the client's stamps and the engine's own clock.
//!
//! Means are told, since only they add up: the parts' medians need not make the whole's.

use super::Row;
use super::effective::EffectiveRows;
use crate::metrics::{self, Definition};
use crate::record::{Nanos, Sample};

/// A stretch of a request's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Opening a connection for it, where one was opened. In a closed loop this lies before the request is due, and outside
    /// its latency; in an open one it is a part of how late the request was sent.
    Connection,
    /// The rest of how late the generator sent it.
    Client,
    /// What the engine says it took and accounts for by nothing: waiting for a slot, mostly. Derived, never measured.
    Queue,
    /// Getting the model ready, by the engine's clock.
    Load,
    /// The prompt, by the engine's clock.
    Prompt,
    /// The output: from the first token to the last where the answer was streamed, else by the engine's clock.
    Decode,
    /// From the last token to the end of a streamed answer.
    Tail,
    /// What neither clock explains.
    Unexplained,
}

impl Part {
    /// Every part, in the order in which they pass.
    pub const ALL: [Part; 8] = [
        Part::Connection,
        Part::Client,
        Part::Queue,
        Part::Load,
        Part::Prompt,
        Part::Decode,
        Part::Tail,
        Part::Unexplained,
    ];

    /// The row in `summary.csv`.
    pub fn metric(self) -> &'static Definition {
        match self {
            Part::Connection => &metrics::TIME_CONNECTION,
            Part::Client => &metrics::TIME_CLIENT,
            Part::Queue => &metrics::TIME_QUEUE,
            Part::Load => &metrics::TIME_LOAD,
            Part::Prompt => &metrics::TIME_PROMPT,
            Part::Decode => &metrics::TIME_DECODE,
            Part::Tail => &metrics::TIME_TAIL,
            Part::Unexplained => &metrics::TIME_OTHER,
        }
    }

    /// Its name for people: that of its line.
    pub fn name(self) -> &'static str {
        let metric = self.metric();
        metric.shown.first().map_or(metric.label, |line| line.label.trim())
    }
}

/// A request's parts, in nanoseconds; `None` where it can't be told from the rest, and lies in what is unexplained.
///
/// They add up to the response time (planned to end), and in a closed loop to the time of opening a connection besides.
/// `None` without the stamps of a whole request.
fn parts(sample: &Sample, open_loop: bool) -> Option<[Option<u64>; Part::ALL.len()]> {
    let (sent, end) = (sample.stamps.sent?, sample.stamps.end?);
    let connect = sample.connect.unwrap_or_default().0;
    let lag = sent.since(sample.stamps.planned).0;
    // Opened while the request was due or not: what lies before it is none of its lag.
    let connection = if open_loop { connect.min(lag) } else { connect };
    let client = if open_loop { lag - connection } else { lag };
    let latency = end.since(sent).0;
    let streamed = sample.stamps.first_token.zip(sample.stamps.last_token.or(sample.stamps.first_token));
    let (first, decode, tail) = match streamed {
        Some((first, last)) => {
            let first_token = first.since(sent).0.min(latency);
            let decode = last.since(first).0.min(latency - first_token);
            (first_token, Some(decode), Some(latency - first_token - decode))
        }
        // A whole answer comes at once: only the engine can tell one thing from another in it.
        None => (latency, None, None),
    };
    // The engine's clock is not ours: it may claim no more than there was.
    let mut left = first;
    let mut take = |claimed: Option<Nanos>| {
        let taken = claimed.map(|claimed| claimed.0.min(left));
        left -= taken.unwrap_or(0);
        taken
    };
    let load = take(sample.server_load);
    let prompt = take(sample.server_prompt);
    let decode = if streamed.is_some() { decode } else { take(sample.server_output) };
    let accounted = [sample.server_load, sample.server_prompt, sample.server_output].into_iter().flatten();
    let accounted = accounted.fold(0_u64, |sum, part| sum.saturating_add(part.0));
    let queue = match (sample.server_total, sample.server_prompt, streamed) {
        (Some(total), Some(_), _) => take(Some(Nanos(total.0.saturating_sub(accounted)))),
        // It tells of the prompt and not of the whole: what passed before the first token besides is the wait for a slot, with
        // the little that the way there and back takes.
        (None, Some(_), Some(_)) => take(Some(Nanos(u64::MAX))),
        _ => None,
    };
    Some([Some(connection), Some(client), queue, load, prompt, decode, tail, Some(left)])
}

/// The parts of a target's answered requests, summed.
#[derive(Clone, Debug, Default)]
pub(super) struct TimeParts {
    n: u64,
    parts: [Sum; Part::ALL.len()],
    whole: Sum,
}

/// One part, over all requests: nought where it couldn't be told.
#[derive(Clone, Debug, Default)]
struct Sum {
    nanos: u128,
    /// Requests in which it could be told.
    known: u64,
    batches: EffectiveRows,
}

impl Sum {
    fn push(&mut self, nanos: Option<u64>) {
        self.nanos += u128::from(nanos.unwrap_or(0));
        self.known += u64::from(nanos.is_some());
        self.batches.push(nanos.unwrap_or(0) as f64);
    }

    fn row(&self, metric: &Definition, n: u64) -> Row {
        let (low, high) = self.batches.mean_ends().map(|(low, high)| (low.max(0.0) / 1e3, high / 1e3)).unzip();
        let total = Row::total(metric, n, Some(self.nanos as f64 / n as f64 / 1e3));
        Row { n_eff: self.batches.effective(), low, high, ..total }
    }
}

impl TimeParts {
    /// Takes an answered request.
    pub(super) fn push(&mut self, sample: &Sample, open_loop: bool) {
        let Some(parts) = parts(sample, open_loop) else { return };
        self.n += 1;
        self.parts.iter_mut().zip(parts).for_each(|(sum, part)| sum.push(part));
        self.whole.push(Some(parts.into_iter().flatten().fold(0, u64::saturating_add)));
    }

    /// A row for the whole (`time_whole`), and one a part that could be told at least once: means over all answered requests,
    /// in microseconds.
    pub(super) fn rows(&self) -> impl Iterator<Item = Row> + '_ {
        let told = Part::ALL.into_iter().zip(&self.parts).filter(|(_, sum)| sum.known > 0);
        let parts = told.map(|(part, sum)| sum.row(part.metric(), self.n));
        (self.n > 0).then(|| self.whole.row(&metrics::TIME_WHOLE, self.n)).into_iter().chain(parts)
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{MS, closed_loop, plan};
    use super::*;
    use crate::scenario::Task;
    use proptest::prelude::*;

    fn sample() -> Sample {
        let mut sample = closed_loop(&plan(Task::Generate, false), 0, 12.0, 0.25, 1).remove(0);
        let at = |ms: u64| Some(Nanos(ms * MS));
        sample.stamps.planned = Nanos(100 * MS);
        (sample.stamps.sent, sample.stamps.end) = (at(103), at(150));
        (sample.stamps.first_token, sample.stamps.last_token) = (at(123), at(148));
        (sample.server_total, sample.server_load, sample.server_prompt, sample.server_output) =
            (None, None, None, None);
        sample.connect = None;
        sample
    }

    fn ms(sample: &Sample, open_loop: bool) -> [Option<u64>; 8] {
        parts(sample, open_loop).unwrap().map(|part| part.map(|nanos| nanos / MS))
    }

    #[test]
    fn a_stream_is_told_apart_by_both_clocks() {
        let mut s = sample();
        // No word from the engine: before the first token nothing is known.
        assert_eq!(ms(&s, false), [Some(0), Some(3), None, None, None, Some(25), Some(2), Some(20)]);
        // It tells of the prompt: the rest of the wait was for a slot.
        s.server_prompt = Some(Nanos(12 * MS));
        assert_eq!(ms(&s, false), [Some(0), Some(3), Some(8), None, Some(12), Some(25), Some(2), Some(0)]);
        // It tells of the whole, too: 45 ms, of which 1 + 12 + 26 are accounted for; 1 ms of the wait lay outside it.
        (s.server_load, s.server_output) = (Some(Nanos(MS)), Some(Nanos(26 * MS)));
        s.server_total = Some(Nanos(45 * MS));
        assert_eq!(ms(&s, false), [Some(0), Some(3), Some(6), Some(1), Some(12), Some(25), Some(2), Some(1)]);
        // A clock that claims more than there was takes no more than there was.
        (s.server_load, s.server_prompt) = (Some(Nanos(15 * MS)), Some(Nanos(90 * MS)));
        assert_eq!(ms(&s, false), [Some(0), Some(3), Some(0), Some(15), Some(5), Some(25), Some(2), Some(0)]);
    }

    #[test]
    fn a_whole_answer_is_told_apart_by_the_engine_alone() {
        let mut s = sample();
        (s.stamps.first_token, s.stamps.last_token) = (None, None);
        assert_eq!(ms(&s, false), [Some(0), Some(3), None, None, None, None, None, Some(47)]);
        (s.server_prompt, s.server_output) = (Some(Nanos(10 * MS)), Some(Nanos(20 * MS)));
        assert_eq!(ms(&s, false), [Some(0), Some(3), None, None, Some(10), Some(20), None, Some(17)]);
        s.server_total = Some(Nanos(40 * MS));
        assert_eq!(ms(&s, false), [Some(0), Some(3), Some(10), None, Some(10), Some(20), None, Some(7)]);
    }

    #[test]
    fn opening_a_connection_is_a_part_of_being_late_only_where_a_request_waits_for_it() {
        let mut s = sample();
        s.connect = Some(Nanos(2 * MS));
        assert_eq!(ms(&s, true)[..2], [Some(2), Some(1)]);
        assert_eq!(ms(&s, false)[..2], [Some(2), Some(3)]);
        s.connect = Some(Nanos(9 * MS));
        assert_eq!(ms(&s, true)[..2], [Some(3), Some(0)]);
    }

    #[test]
    fn parts_are_means_over_all_answers() {
        let mut spent = TimeParts::default();
        spent.push(&sample(), false);
        spent.push(&Sample { server_prompt: Some(Nanos(12 * MS)), ..sample() }, false);
        let rows: Vec<(String, f64)> = spent.rows().map(|row| (row.metric, row.mean.unwrap())).collect();
        let value = |name: &str| rows.iter().find(|(metric, _)| metric == name).map(|(_, value)| *value);
        assert_eq!(value("time_whole"), Some(50_000.0));
        assert_eq!((value("time_client"), value("time_prompt")), (Some(3000.0), Some(6000.0)));
        assert_eq!((value("time_queue"), value("time_other")), (Some(4000.0), Some(10_000.0)));
        assert_eq!((value("time_load"), TimeParts::default().rows().count()), (None, 0));
        // 0 and 12 ms, twice: their mean is known to no better than Student's t of one degree of freedom has it.
        spent.push(&sample(), false);
        spent.push(&Sample { server_prompt: Some(Nanos(12 * MS)), ..sample() }, false);
        let prompt = spent.rows().find(|row| row.metric == "time_prompt").unwrap();
        assert_eq!((prompt.low, prompt.high.unwrap() > 60_000.0), (Some(0.0), true), "{prompt:?}");
        let mut unsent = sample();
        unsent.stamps.sent = None;
        spent.push(&unsent, false);
        assert_eq!(spent.n, 4);
    }

    proptest! {
        #[test]
        fn the_parts_add_up_to_the_whole(
            stamps in prop::array::uniform5(0..1000_u64), server in prop::array::uniform4(prop::option::of(0..3000_u64)),
            connect in prop::option::of(0..1000_u64), streamed: bool, open_loop: bool,
        ) {
            let mut at = 0;
            let stamps = stamps.map(|more| { at += more; Nanos(at) });
            let mut s = sample();
            s.stamps.planned = stamps[0];
            (s.stamps.sent, s.stamps.end) = (Some(stamps[1]), Some(stamps[4]));
            (s.stamps.first_token, s.stamps.last_token) =
                if streamed { (Some(stamps[2]), Some(stamps[3])) } else { (None, None) };
            let server = server.map(|nanos| nanos.map(Nanos));
            (s.server_total, s.server_load, s.server_prompt, s.server_output) = (server[0], server[1], server[2], server[3]);
            s.connect = connect.map(Nanos);
            let all: u64 = parts(&s, open_loop).unwrap().into_iter().flatten().sum();
            let outside = if open_loop { 0 } else { connect.unwrap_or(0) };
            prop_assert_eq!(all, s.response().unwrap().0 + outside);
        }
    }
}
