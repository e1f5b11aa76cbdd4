//! Every metric that a gate may be about: the rows of `summary.csv`, by name, with what their values are.
//!
//! Rows are made higher up, in `stats` and `report`; a test there and one over real runs hold this table to them.

/// What the values of a metric are, and so how a bound on it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Microseconds; a bound needs a unit of time.
    Time,
    /// Tokens or requests a second.
    PerSecond,
    /// A share from 0 to 1, written `1%`.
    Share,
    /// Bytes, written with a unit such as `GiB`.
    Bytes,
    /// Any other number.
    Number,
}

/// A metric that a gate may be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its name: the `metric` of `summary.csv`.
    pub name: &'static str,
    /// What its values are.
    pub kind: Kind,
    /// Whether it is a distribution over requests, with figures such as p95; else it is one value.
    pub spread: bool,
    /// Whether its one value is what it is of the run: counted, or read of the whole of it. All else is an estimate, and says
    /// nothing without an interval.
    pub exact: bool,
    /// What it is of.
    pub of: Of,
}

/// What a metric is of, and so what spoils it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// How the answered requests went: failing the slow ones makes it better, and so does a machine at rest.
    Answers,
    /// What is in the answers, whatever else the machine did meanwhile: failing the hard ones makes it better.
    Content,
    /// All requests, whatever became of them, or the engine's processes.
    Run,
}

/// A distribution over answered requests.
const fn spread(name: &'static str, kind: Kind) -> Known {
    Known { name, kind, spread: true, exact: false, of: Of::Answers }
}

/// One value that is estimated from the requests.
const fn one(name: &'static str, kind: Kind) -> Known {
    Known { spread: false, of: Of::Run, ..spread(name, kind) }
}

/// One value that was counted, or read of the whole run.
const fn exact(name: &'static str, kind: Kind) -> Known {
    Known { exact: true, ..one(name, kind) }
}

const fn of(of: Of, known: Known) -> Known {
    Known { of, ..known }
}

/// The names people write in the place of longer ones.
const ALIASES: [(&str, &str); 2] = [("errors", "error_rate"), ("throughput", "requests_per_s")];

/// Every metric that a gate may be about.
pub const METRICS: [Known; 91] = [
    spread("latency", Kind::Time),
    spread("response", Kind::Time),
    spread("lag", Kind::Time),
    spread("ttft", Kind::Time),
    spread("ttfat", Kind::Time),
    spread("response_ttft", Kind::Time),
    spread("last_token", Kind::Time),
    spread("response_last_token", Kind::Time),
    spread("itl", Kind::Time),
    spread("tpot", Kind::Time),
    spread("gap_max", Kind::Time),
    spread("tokens_per_s", Kind::PerSecond),
    of(Of::Content, spread("prompt_tokens", Kind::Number)),
    of(Of::Content, spread("output_tokens", Kind::Number)),
    of(Of::Content, spread("dimensions", Kind::Number)),
    spread("server_total", Kind::Time),
    spread("server_load", Kind::Time),
    spread("server_prompt", Kind::Time),
    spread("server_output", Kind::Time),
    spread("server_decode_per_s", Kind::PerSecond),
    spread("outside_server", Kind::Time),
    spread("connect", Kind::Time),
    of(Of::Run, spread("latency_or_failed", Kind::Time)),
    of(Of::Run, spread("response_or_failed", Kind::Time)),
    of(Of::Content, spread("cosine", Kind::Number)),
    of(Of::Run, spread("cold_ready", Kind::Time)),
    of(Of::Run, spread("cold_first_token", Kind::Time)),
    of(Of::Run, spread("cold_answer", Kind::Time)),
    one("requests_per_s", Kind::PerSecond),
    one("output_tokens_per_s", Kind::PerSecond),
    one("prompt_tokens_per_s", Kind::PerSecond),
    one("error_rate", Kind::Share),
    of(Of::Content, one("unparsed_rate", Kind::Share)),
    of(Of::Content, one("accuracy", Kind::Share)),
    of(Of::Content, one("agreement", Kind::Share)),
    of(Of::Content, one("macro_f1", Kind::Number)),
    of(Of::Answers, one("cached_share", Kind::Share)),
    exact("cosine_undefined", Kind::Number),
    one("goodput", Kind::PerSecond),
    one("goodput_share", Kind::Share),
    exact("requests", Kind::Number),
    exact("ok", Kind::Number),
    exact("retries", Kind::Number),
    exact("warmup_requests", Kind::Number),
    exact("outcome_ok", Kind::Number),
    exact("outcome_connect", Kind::Number),
    exact("outcome_error_frame", Kind::Number),
    exact("outcome_http_status", Kind::Number),
    exact("outcome_rejected", Kind::Number),
    exact("outcome_timeout", Kind::Number),
    exact("outcome_truncated", Kind::Number),
    exact("outcome_unparsed", Kind::Number),
    exact("outcome_unsent", Kind::Number),
    exact("outcome_unfinished", Kind::Number),
    exact("window", Kind::Time),
    of(Of::Answers, one("time_connection", Kind::Time)),
    of(Of::Answers, one("time_client", Kind::Time)),
    of(Of::Answers, one("time_queue", Kind::Time)),
    of(Of::Answers, one("time_load", Kind::Time)),
    of(Of::Answers, one("time_prompt", Kind::Time)),
    of(Of::Answers, one("time_decode", Kind::Time)),
    of(Of::Answers, one("time_tail", Kind::Time)),
    of(Of::Answers, one("time_unexplained", Kind::Time)),
    of(Of::Answers, one("time_whole", Kind::Time)),
    exact("cold_latency", Kind::Time),
    exact("cold_server_load", Kind::Time),
    exact("cpu_cores", Kind::Number),
    exact("cpu_per_request", Kind::Time),
    exact("cpu_per_1000_tokens", Kind::Time),
    exact("memory_rest", Kind::Bytes),
    exact("memory_peak", Kind::Bytes),
    exact("memory_anonymous", Kind::Bytes),
    exact("memory_file", Kind::Bytes),
    exact("memory_share", Kind::Bytes),
    exact("memory_ratio", Kind::Number),
    one("memory_growth", Kind::Bytes),
    one("tokens_per_s_per_gib", Kind::Number),
    exact("memory_share_rest", Kind::Bytes),
    exact("disk_read_per_request", Kind::Bytes),
    exact("minor_faults_per_request", Kind::Number),
    exact("major_faults_per_request", Kind::Number),
    exact("voluntary_switches_per_request", Kind::Number),
    exact("involuntary_switches_per_request", Kind::Number),
    exact("threads", Kind::Number),
    exact("gpu_memory", Kind::Bytes),
    exact("energy_cpu", Kind::Number),
    exact("energy_gpu", Kind::Number),
    exact("joules_per_request", Kind::Number),
    exact("joules_per_token", Kind::Number),
    exact("model_size", Kind::Bytes),
    of(Of::Content, one("same_answers", Kind::Share)),
];

/// The metric of a word, or of what people write in its place.
pub fn metric(word: &str) -> Option<&'static Known> {
    let name = ALIASES.iter().find(|(alias, _)| *alias == word).map_or(word, |(_, name)| name);
    METRICS.iter().find(|known| known.name == name)
}

/// Every word that [`metric`] knows, in the table's order, what people write instead first.
pub fn words() -> impl Iterator<Item = &'static str> {
    ALIASES.iter().map(|(alias, _)| *alias).chain(METRICS.iter().map(|known| known.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn what_is_counted_or_read_is_told_from_what_is_estimated() {
        let exact = |name: &str| metric(name).unwrap().exact;
        for name in ["requests", "outcome_ok", "memory_peak", "cpu_per_request", "model_size", "window"] {
            assert!(exact(name), "{name}");
        }
        for name in ["requests_per_s", "macro_f1", "cached_share", "errors", "time_prompt", "latency", "memory_growth"]
        {
            assert!(!exact(name), "{name}");
        }
        assert!(METRICS.iter().all(|known| !(known.spread && known.exact)));
        assert!(METRICS.iter().filter(|known| known.of == Of::Content).count() > 7);
    }

    #[test]
    fn each_word_stands_once_and_is_found() {
        let all: BTreeSet<_> = words().collect();
        assert_eq!(all.len(), METRICS.len() + ALIASES.len());
        assert!(words().all(|word| metric(word).is_some()));
        assert_eq!(metric("errors").map(|known| known.name), Some("error_rate"));
        assert!(metric("baseline").is_none() && metric("latency.p95").is_none());
    }
}
