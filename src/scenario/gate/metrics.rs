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
}

const fn spread(name: &'static str, kind: Kind) -> Known {
    Known { name, kind, spread: true }
}

const fn one(name: &'static str, kind: Kind) -> Known {
    Known { name, kind, spread: false }
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
    spread("prompt_tokens", Kind::Number),
    spread("output_tokens", Kind::Number),
    spread("dimensions", Kind::Number),
    spread("server_total", Kind::Time),
    spread("server_load", Kind::Time),
    spread("server_prompt", Kind::Time),
    spread("server_output", Kind::Time),
    spread("server_decode_per_s", Kind::PerSecond),
    spread("outside_server", Kind::Time),
    spread("connect", Kind::Time),
    spread("latency_or_failed", Kind::Time),
    spread("response_or_failed", Kind::Time),
    spread("cosine", Kind::Number),
    spread("cold_ready", Kind::Time),
    spread("cold_first_token", Kind::Time),
    spread("cold_answer", Kind::Time),
    one("requests_per_s", Kind::PerSecond),
    one("output_tokens_per_s", Kind::PerSecond),
    one("prompt_tokens_per_s", Kind::PerSecond),
    one("error_rate", Kind::Share),
    one("unparsed_rate", Kind::Share),
    one("accuracy", Kind::Share),
    one("agreement", Kind::Share),
    one("macro_f1", Kind::Number),
    one("cached_share", Kind::Share),
    one("cosine_undefined", Kind::Number),
    one("goodput", Kind::PerSecond),
    one("goodput_share", Kind::Share),
    one("requests", Kind::Number),
    one("ok", Kind::Number),
    one("retries", Kind::Number),
    one("warmup_requests", Kind::Number),
    one("outcome_ok", Kind::Number),
    one("outcome_connect", Kind::Number),
    one("outcome_error_frame", Kind::Number),
    one("outcome_http_status", Kind::Number),
    one("outcome_rejected", Kind::Number),
    one("outcome_timeout", Kind::Number),
    one("outcome_truncated", Kind::Number),
    one("outcome_unparsed", Kind::Number),
    one("outcome_unsent", Kind::Number),
    one("outcome_unfinished", Kind::Number),
    one("window", Kind::Time),
    one("time_connection", Kind::Time),
    one("time_client", Kind::Time),
    one("time_queue", Kind::Time),
    one("time_load", Kind::Time),
    one("time_prompt", Kind::Time),
    one("time_decode", Kind::Time),
    one("time_tail", Kind::Time),
    one("time_unexplained", Kind::Time),
    one("time_whole", Kind::Time),
    one("cold_latency", Kind::Time),
    one("cold_server_load", Kind::Time),
    one("cpu_cores", Kind::Number),
    one("cpu_per_request", Kind::Time),
    one("cpu_per_1000_tokens", Kind::Time),
    one("memory_rest", Kind::Bytes),
    one("memory_peak", Kind::Bytes),
    one("memory_anonymous", Kind::Bytes),
    one("memory_file", Kind::Bytes),
    one("memory_share", Kind::Bytes),
    one("memory_ratio", Kind::Number),
    one("memory_growth", Kind::Bytes),
    one("tokens_per_s_per_gib", Kind::Number),
    one("memory_share_rest", Kind::Bytes),
    one("disk_read_per_request", Kind::Bytes),
    one("minor_faults_per_request", Kind::Number),
    one("major_faults_per_request", Kind::Number),
    one("voluntary_switches_per_request", Kind::Number),
    one("involuntary_switches_per_request", Kind::Number),
    one("threads", Kind::Number),
    one("gpu_memory", Kind::Bytes),
    one("energy_cpu", Kind::Number),
    one("energy_gpu", Kind::Number),
    one("joules_per_request", Kind::Number),
    one("joules_per_token", Kind::Number),
    one("model_size", Kind::Bytes),
    one("same_answers", Kind::Share),
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
    fn each_word_stands_once_and_is_found() {
        let all: BTreeSet<_> = words().collect();
        assert_eq!(all.len(), METRICS.len() + ALIASES.len());
        assert!(words().all(|word| metric(word).is_some()));
        assert_eq!(metric("errors").map(|known| known.name), Some("error_rate"));
        assert!(metric("baseline").is_none() && metric("latency.p95").is_none());
    }
}
