//! What the work cost each engine: what its processes used and held, by the requests and tokens that came of it.
//!
//! The processes are those that listen at the target's endpoint with all that they started, on this machine; of others
//! nothing is known, and nothing is told.

use crate::host::Used;
use crate::stats::{Row, TargetSummary, unit};

/// Least processor time that is divided by anything, in seconds: the kernel tells it in ticks of 10 ms, cut off in user and
/// kernel mode each, so that of less than ten ticks it may be a third off.
const LEAST_CPU_S: f64 = 0.1;

const GIB: f64 = (1_u64 << 30) as f64;

/// The rows of one target's costs; those that can't be told are left out. `model_bytes` is the size of its model's file.
///
/// - `cpu_cores`: processor time while measured / the measured time. Less than a tenth of a second isn't told: the kernel
///   counts in hundredths.
/// - `cpu_per_request`, `cpu_per_1000_tokens` (microseconds): the same time / answers that ended in the window; / their
///   output tokens, times a thousand.
/// - `memory_rest`, `memory_peak`, and of that peak `memory_anonymous` and `memory_file` (bytes); `threads`.
/// - `memory_ratio`: peak / size of the model's file.
/// - `tokens_per_s_per_gib`: output tokens a second / GiB of the peak.
pub(super) fn rows(target: &TargetSummary, used: &Used, model_bytes: Option<u64>) -> Vec<Row> {
    let cpu_s = used.cpu_s.filter(|seconds| *seconds >= LEAST_CPU_S);
    let seconds = target.value("window").map(|us| us / 1e6).filter(|seconds| *seconds > 0.0);
    let n = target.row("requests_per_s").and_then(|row| row.n).unwrap_or(0);
    let rate = target.value("output_tokens_per_s");
    let tokens = rate.zip(seconds).map(|(rate, seconds)| rate * seconds);
    let each = |of: Option<f64>| cpu_s.zip(of.filter(|of| *of > 0.0)).map(|(cpu, of)| cpu * 1e6 / of);
    let bytes = |bytes: Option<u64>| bytes.map(|bytes| bytes as f64);
    let peak = bytes(used.peak_bytes).filter(|peak| *peak > 0.0);
    let told = [
        ("cpu_cores", unit::CORES, cpu_s.zip(seconds).map(|(cpu, seconds)| cpu / seconds)),
        ("cpu_per_request", unit::MICROS, each(Some(n as f64))),
        ("cpu_per_1000_tokens", unit::MICROS, each(tokens.map(|tokens| tokens / 1000.0))),
        ("memory_rest", unit::BYTES, bytes(used.rest_bytes)),
        ("memory_peak", unit::BYTES, peak),
        ("memory_anonymous", unit::BYTES, bytes(used.peak_anonymous_bytes)),
        ("memory_file", unit::BYTES, bytes(used.peak_file_bytes)),
        (
            "memory_ratio",
            unit::ONE,
            peak.zip(bytes(model_bytes).filter(|size| *size > 0.0)).map(|(peak, size)| peak / size),
        ),
        ("tokens_per_s_per_gib", unit::TOKENS_PER_S_PER_GIB, rate.zip(peak).map(|(rate, peak)| rate / (peak / GIB))),
        ("threads", unit::THREADS, bytes(used.threads)),
    ];
    told.into_iter().filter_map(|(metric, unit, value)| Some(Row::total(metric, unit, n, Some(value?)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(tokens_per_s: Option<f64>) -> TargetSummary {
        TargetSummary {
            name: "a".to_owned(),
            stand_in: false,
            window: None,
            steady: None,
            drift: None,
            units: Vec::new(),
            rows: vec![
                Row::total("requests_per_s", unit::REQUESTS_PER_S, 200, Some(20.0)),
                Row::total("output_tokens_per_s", unit::TOKENS_PER_S, 200, tokens_per_s),
                Row::total("window", unit::MICROS, 200, Some(10e6)),
            ],
            outcomes: Vec::new(),
            confusion: None,
        }
    }

    fn told(target: &TargetSummary, used: &Used, model: Option<u64>) -> Vec<(String, f64)> {
        rows(target, used, model).into_iter().filter_map(|row| Some((row.metric, row.mean?))).collect()
    }

    #[test]
    fn costs_are_by_what_came_of_them() {
        let used = Used {
            cpu_s: Some(5.0),
            rest_bytes: Some(1 << 28),
            peak_bytes: Some(1 << 30),
            peak_anonymous_bytes: Some(3 << 28),
            peak_file_bytes: Some(1 << 28),
            threads: Some(9),
        };
        let all = told(&target(Some(400.0)), &used, Some(1 << 29));
        let value = |metric: &str| all.iter().find(|(name, _)| name == metric).unwrap().1;
        // 5 s of processors for 200 answers of 4,000 tokens in 10 s.
        assert_eq!(
            (value("cpu_cores"), value("cpu_per_request"), value("cpu_per_1000_tokens")),
            (0.5, 25_000.0, 1_250_000.0)
        );
        assert_eq!((value("memory_peak"), value("memory_rest")), (GIB, GIB / 4.0));
        assert_eq!((value("memory_anonymous"), value("memory_file"), value("threads")), (GIB * 0.75, GIB / 4.0, 9.0));
        assert_eq!((value("memory_ratio"), value("tokens_per_s_per_gib")), (2.0, 400.0));
    }

    #[test]
    fn what_is_not_known_is_not_told() {
        assert_eq!(told(&target(Some(400.0)), &Used::default(), Some(1)), []);
        let names = |all: Vec<(String, f64)>| all.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        let cpu = Used { cpu_s: Some(1.0), ..Used::default() };
        assert_eq!(names(told(&target(None), &cpu, None)), ["cpu_cores", "cpu_per_request"]);
        let ticks = Used { cpu_s: Some(0.099), ..Used::default() };
        assert_eq!(told(&target(Some(400.0)), &ticks, None), []);
        let mut nothing = target(None);
        nothing.rows.clear();
        assert_eq!(told(&nothing, &cpu, None), []);
        let memory = Used { peak_bytes: Some(8), ..Used::default() };
        assert_eq!(names(told(&nothing, &memory, Some(0))), ["memory_peak"]);
    }
}
