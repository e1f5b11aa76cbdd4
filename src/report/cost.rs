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
/// - `cpu_per_request`, `cpu_per_1000_tokens` (microseconds): the same time / the answers that were worked on in the window,
///   each by its part inside; / the output tokens that arrived in it, times a thousand.
/// - `memory_rest`, `memory_peak`, and of that peak `memory_anonymous` and `memory_file` (bytes); `threads`.
/// - `memory_share_rest`, `memory_share` (bytes): the same by proportional share, of pages that several processes hold each
///   its part; the most of few readings.
/// - `minor_faults_per_request`, `major_faults_per_request`, `voluntary_switches_per_request`,
///   `involuntary_switches_per_request`, `disk_read_per_request` (bytes): what was counted in the window / those answers.
/// - `gpu_memory` (bytes): at most, of all devices together.
/// - `energy_cpu`, `energy_gpu`: joules of the processor packages, of the graphics devices, in the window; only of a target
///   that worked alone. `joules_per_request`, `joules_per_token`: what is known of the two / answers; / their output tokens.
/// - `memory_ratio`: peak / size of the model's file.
/// - `tokens_per_s_per_gib`: output tokens a second / GiB of the peak.
pub(super) fn rows(target: &TargetSummary, used: &Used, model_bytes: Option<u64>) -> Vec<Row> {
    let cpu_s = used.cpu_s.filter(|seconds| *seconds >= LEAST_CPU_S);
    let seconds = target.value("window").map(|us| us / 1e6).filter(|seconds| *seconds > 0.0);
    let n = target.row("requests_per_s").and_then(|row| row.n).unwrap_or(0);
    let answers = Some(target.work.answers).filter(|answers| *answers > 0.0);
    let rate = target.value("output_tokens_per_s");
    let tokens = rate.map(|_| target.work.output_tokens);
    let each = |of: Option<f64>| cpu_s.zip(of.filter(|of| *of > 0.0)).map(|(cpu, of)| cpu * 1e6 / of);
    let bytes = |bytes: Option<u64>| bytes.map(|bytes| bytes as f64);
    let peak = bytes(used.peak_bytes).filter(|peak| *peak > 0.0);
    let a_request = |of: Option<u64>| bytes(of).zip(answers).map(|(of, answers)| of / answers);
    let energy = match (used.energy_j, used.gpu_energy_j) {
        (Some(a), Some(b)) => Some(a + b),
        (a, b) => a.or(b),
    };
    let told = [
        ("cpu_cores", unit::CORES, cpu_s.zip(seconds).map(|(cpu, seconds)| cpu / seconds)),
        ("cpu_per_request", unit::MICROS, each(answers)),
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
        ("memory_share_rest", unit::BYTES, bytes(used.rest_proportional_bytes)),
        ("memory_share", unit::BYTES, bytes(used.peak_proportional_bytes)),
        ("minor_faults_per_request", unit::FAULTS, a_request(used.minor_faults)),
        ("major_faults_per_request", unit::FAULTS, a_request(used.major_faults)),
        ("disk_read_per_request", unit::BYTES, a_request(used.disk_read_bytes)),
        ("voluntary_switches_per_request", unit::SWITCHES, a_request(used.voluntary_switches)),
        ("involuntary_switches_per_request", unit::SWITCHES, a_request(used.involuntary_switches)),
        ("gpu_memory", unit::BYTES, bytes(used.gpu_peak_bytes)),
        ("energy_cpu", unit::JOULES, used.energy_j),
        ("energy_gpu", unit::JOULES, used.gpu_energy_j),
        ("joules_per_request", unit::JOULES, energy.zip(answers).map(|(joules, answers)| joules / answers)),
        (
            "joules_per_token",
            unit::JOULES,
            energy.zip(tokens.filter(|tokens| *tokens > 0.0)).map(|(joules, tokens)| joules / tokens),
        ),
    ];
    let mut rows: Vec<Row> =
        told.into_iter().filter_map(|(metric, unit, value)| Some(Row::total(metric, unit, n, Some(value?)))).collect();
    // As sure as the rate that it is made of.
    let ends = target.row("output_tokens_per_s").and_then(|rate| rate.low.zip(rate.high)).zip(peak);
    if let (Some(row), Some(((low, high), peak))) =
        (rows.iter_mut().find(|row| row.metric == "tokens_per_s_per_gib"), ends)
    {
        (row.low, row.high) = (Some(low / (peak / GIB)), Some(high / (peak / GIB)));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Work;

    fn target(tokens_per_s: Option<f64>) -> TargetSummary {
        TargetSummary {
            name: "a".to_owned(),
            stand_in: false,
            window: None,
            steady: None,
            drift: None,
            units: Vec::new(),
            work: Work {
                answers: 200.0,
                good: 0.0,
                output_tokens: tokens_per_s.unwrap_or(0.0) * 10.0,
                prompt_tokens: 0.0,
            },
            rows: vec![
                Row::total("requests_per_s", unit::REQUESTS_PER_S, 200, Some(20.0)),
                Row::total("output_tokens_per_s", unit::TOKENS_PER_S, 200, tokens_per_s),
                Row::total("window", unit::MICROS, 200, Some(10e6)),
            ],
            outcomes: Vec::new(),
            failures: Vec::new(),
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
            rest_proportional_bytes: Some(1 << 27),
            peak_proportional_bytes: Some(1 << 29),
            minor_faults: Some(1000),
            major_faults: Some(0),
            disk_read_bytes: Some(819_200),
            voluntary_switches: Some(400),
            involuntary_switches: Some(20),
            gpu_peak_bytes: Some(1 << 20),
            energy_j: Some(100.0),
            gpu_energy_j: Some(300.0),
            ..Used::default()
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
        assert_eq!(
            (value("memory_share"), value("memory_share_rest"), value("gpu_memory")),
            (GIB / 2.0, GIB / 8.0, 1048576.0)
        );
        assert_eq!((value("minor_faults_per_request"), value("major_faults_per_request")), (5.0, 0.0));
        assert_eq!((value("voluntary_switches_per_request"), value("involuntary_switches_per_request")), (2.0, 0.1));
        assert_eq!((value("disk_read_per_request"), value("energy_cpu"), value("energy_gpu")), (4096.0, 100.0, 300.0));
        assert_eq!((value("joules_per_request"), value("joules_per_token")), (2.0, 0.1));
        let alone = told(&target(Some(400.0)), &Used { gpu_energy_j: None, ..used }, None);
        assert_eq!(alone.iter().find(|(name, _)| name == "joules_per_request").map(|(_, joules)| *joules), Some(0.5));
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
        nothing.work = Work::default();
        assert_eq!(told(&nothing, &cpu, None), []);
        let memory = Used { peak_bytes: Some(8), ..Used::default() };
        assert_eq!(names(told(&nothing, &memory, Some(0))), ["memory_peak"]);
    }
}
